"""The first example of the README, as it is written there, with both of its pages' clients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from docs.blocks import block
from playwright.sync_api import Browser, ConsoleMessage, Page

from .serving import OURS, Serving

README = "README.md"
RUN = """(text) => {
    const script = document.createElement("script");
    script.type = "module";
    script.textContent = text;
    document.head.append(script);
}"""
WORKERS = {"flask-run": "flask", "sseworker": OURS}
COUNTED = [str(left) for left in range(10, 0, -1)]


class Logged:
    """A page that runs a script as a module, and what that logs."""

    def __init__(self, page: Page, url: str, script: str) -> None:
        self._page = page
        self._lines: list[str] = []
        page.on("console", self._keep)
        page.goto(url)
        page.evaluate(RUN, script)

    def _keep(self, message: ConsoleMessage) -> None:
        if message.type == "log":
            self._lines.append(message.text)

    def log(self, *, until: str) -> list[str]:
        """Let the browser go on until a line was logged, and return all that were."""
        for _ in range(250):
            if until in self._lines:
                return self._lines
            self._page.wait_for_timeout(100)
        raise AssertionError(f"No {until!r} in {self._lines}")


@pytest.fixture(scope="module")
def pages(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Logged]]]:
    """Both pages of either server, which count for ten seconds, at the same time."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "readme_example.py").write_text(block(README, "wsgi.py"))
    path = {"PYTHONPATH": str(folder)}
    scripts = [block(README, "native.js"), block(README, "client.js")]
    with contextlib.ExitStack() as stack:
        context = stack.enter_context(contextlib.closing(chromium.new_context()))
        found = {}
        for name, worker in WORKERS.items():
            server = Serving("readme_example:app", folder, worker=worker, environment=path)
            stack.callback(server.kill)
            url = f"{server.url}/api/hello"
            found[name] = [Logged(context.new_page(), url, script) for script in scripts]
        yield found


@pytest.mark.parametrize("server", WORKERS)
def test_both_pages_count_down(pages: dict[str, list[Logged]], server: str) -> None:
    native, ours = pages[server]
    assert native.log(until="1") == COUNTED
    assert ours.log(until="1") == ["world", *COUNTED]


def test_handlers(serve: Callable[..., Serving], chromium: Browser) -> None:
    """The handlers of one stream, for the `work` of the uses that the project names."""
    found = """
        const bar = {}, show = (what) => console.log(JSON.stringify([bar.value, what]));
        const { $sse } = await import("/api/client.js");
    """
    server = serve("clients.tutorial_app:app", worker="flask")
    context = chromium.new_context()
    script = found + block("reference/clients.md", "handlers.js")
    page = Logged(context.new_page(), f"{server.url}/api/runs", script)
    page.log(until='[100,{"steps":3}]')
    context.close()

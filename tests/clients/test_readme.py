"""The first example of the README, as it is written there, with both of its pages' clients."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

from .serving import OURS, Serving

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
RUN = """(text) => {
    const script = document.createElement("script");
    script.type = "module";
    script.textContent = text;
    document.head.append(script);
}"""
COUNTED = [str(left) for left in range(10, 0, -1)]


def example(language: str) -> list[str]:
    """The blocks of one language in the section of the first example."""
    text = (ROOT / "README.md").read_text()
    section = text.partition("\n## An example\n")[2].partition("\n## ")[0]
    return [code for name, code in BLOCK.findall(section) if name == language]


@pytest.fixture(params=["flask", OURS], ids=["flask-run", "sseworker"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, serve: Callable[..., Serving]
) -> Serving:
    (program,) = example("python")
    (tmp_path / "readme_example.py").write_text(program)
    path = {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    return serve("readme_example:app", worker=request.param, environment=path)


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


def test_both_pages_count_down(server: Serving, chromium: Browser) -> None:
    native, ours = example("js")
    context = chromium.new_context()
    pages = [Logged(context.new_page(), f"{server.url}/api/hello", each) for each in (native, ours)]
    assert pages[0].log(until="1") == COUNTED
    assert pages[1].log(until="1") == ["world", *COUNTED]
    context.close()

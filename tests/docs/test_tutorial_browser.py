"""The pages and scripts of the tutorial in Chromium, with the application that it has by then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clients.compilers import tsc_command
from clients.serving import Serving
from playwright.sync_api import Browser, Page

from .blocks import block
from .commands import Command, environment
from .files import Files

PATIENCE = 15_000
# A script of a page that shows parts only: what it logs, and the stream that it listens to.
LISTEN = """(url) => {
    window.logged = [];
    const console = { log: (value) => logged.push(value) };
    const source = new EventSource(url);
    window.source = source;
    CODE
}"""


class Application:
    """What the reader has at the end of a page, served."""

    def __init__(self, page: str, folder: Path) -> None:
        self._folder = folder
        Files(page, folder, lambda text: text).take_over(page)
        self._serving = self._start(0)

    def _start(self, port: int) -> Serving:
        path = {"PYTHONPATH": str(self._folder)}
        return Serving("wsgi:app", self._folder, worker="flask", port=port, environment=path)

    @property
    def url(self) -> str:
        return self._serving.url

    def stop(self) -> None:
        self._serving.kill()

    def start_again(self) -> None:
        self._serving = self._start(self._serving.port)


Serve = Callable[[str], Application]


@pytest.fixture
def serve_page(tmp_path: Path) -> Iterator[Serve]:
    served: list[Application] = []

    def start(page: str) -> Application:
        served.append(Application(page, tmp_path))
        return served[-1]

    yield start
    for each in served:
        each.stop()


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    """A tab; whatever fails in its pages fails the test."""
    context = chromium.new_context()
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert not faults


def listen(tab: Page, url: str, code: str) -> None:
    tab.evaluate(LISTEN.replace("CODE", code), url)


def test_the_first_page(tab: Page, serve_page: Serve) -> None:
    page = "tutorial/first-route.md"
    assert block(page, "static/index.html")
    tab.goto(f"{serve_page(page).url}/static/index.html")
    tab.wait_for_function("document.querySelector('#state').textContent === 'done'")
    assert tab.evaluate("document.querySelector('#oven').value") == 100


def test_listening_to_names(tab: Page, serve_page: Serve) -> None:
    page = "tutorial/events.md"
    application = serve_page(page)
    tab.goto(f"{application.url}/api/menu")
    listen(tab, "/api/bake?what=rolls&steps=2", block(page, "listening.js"))
    tab.wait_for_function("logged.length === 3")
    assert tab.evaluate("logged") == ["rolls", 50, 100]


def test_listening_to_errors(tab: Page, serve_page: Serve) -> None:
    page = "tutorial/errors.md"
    application = serve_page(page)
    tab.goto(f"{application.url}/api/menu")
    listen(tab, "/api/bake?steps=20", block(page, "errors.js"))
    tab.wait_for_function("source.readyState === 2")
    assert tab.evaluate("logged") == ["The oven has gone out."]


TAKEN = "2 x rolls for <img src=x onerror=boom()>"


def test_both_pages_of_orders(tab: Page, serve_page: Serve) -> None:
    """Orders reach both, as text; a wrong one is explained; both get over a restart."""
    page = "tutorial/clients.md"
    assert block(page, "static/board.html")
    assert block(page, "static/counter.html")
    application = serve_page(page)
    board = tab.context.new_page()
    board.goto(f"{application.url}/static/board.html")
    tab.goto(f"{application.url}/static/counter.html")
    for each in (board, tab):
        each.wait_for_function("document.querySelector('#state').textContent === 'live'")
    order(tab, "rolls", "2", "<img src=x onerror=boom()>")
    for each in (board, tab):
        each.get_by_text(TAKEN).wait_for(timeout=PATIENCE)
        assert each.locator("img").count() == 0
    order(tab, "rolls", "13", "Ada")
    tab.get_by_text("count: Input should be less than or equal to 12").wait_for()
    application.stop()
    tab.wait_for_function("document.querySelector('#state').textContent.startsWith('back in')")
    board.wait_for_function("document.querySelector('#state').textContent === 'connecting'")
    application.start_again()
    for each in (board, tab):
        each.wait_for_function("document.querySelector('#state').textContent === 'live'")
    order(tab, "bread", "1", "Bob")
    for each in (board, tab):
        each.get_by_text("1 x bread for Bob").wait_for(timeout=PATIENCE)
        # The log is a file, and outlives the server: nothing is lost, and nothing comes twice.
        assert each.locator("li").all_inner_texts() == [TAKEN, "1 x bread for Bob"]


def order(tab: Page, what: str, count: str, name: str) -> None:
    tab.select_option("[name=what]", what)
    tab.fill("[name=count]", count)
    tab.fill("[name=name]", name)
    tab.click("button")


def test_the_typed_client(
    tmp_path: Path, program: Callable[[str], str], node_modules: Callable[[str], Path]
) -> None:
    page = "tutorial/clients.md"
    folder = tmp_path / "page"
    folder.mkdir()
    Files(page, folder, lambda text: text).take_over(page)
    run(folder, "flask sse client --lang typescript -o api.ts")
    tsc = " ".join([*tsc_command(program, node_modules), "--noEmit", "--skipLibCheck"])
    assert run(folder, f"{tsc} board.ts") == (0, "")
    wrong = block(page, "board.ts")
    for right, mistake in (('"rolls", s', '"cake", s'), ("data.percent", "data.percentage")):
        assert right in wrong
        wrong = wrong.replace(right, mistake)
    (folder / "board.ts").write_text(wrong)
    _, printed = run(folder, f"{tsc} board.ts")
    assert printed.count("board.ts(") == 2


def run(folder: Path, text: str) -> tuple[int, str]:
    command = Command(text, folder, environment(folder, {}), background=False)
    return command.process.wait(60), command.printed

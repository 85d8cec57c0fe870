"""The guide to React: its files compiled, bundled, and used in Chromium."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from brokers.redis_server import free_port
from clients.serving import TESTS, Serving
from playwright.sync_api import Browser, Page

from tests.docs.blocks import block

from .integrations import lay_out, serve

PAGE = "guides/react.md"
TITLES = (
    "room.py",
    "src/useStream.ts",
    "src/Room.tsx",
    "src/main.tsx",
    "static/index.html",
    "tsconfig.json",
)
PACKAGES = ("react", "react-dom", "@types/react", "@types/react-dom", "esbuild", "typescript")
# Tells how many streams are open, and has a connection come back soon.
COUNTED = {
    "routes = {\n": 'routes = {\n    "open": define_route(lambda: sse.stats().streams),\n',
}
COUNT = """async (count) => {
    for (;;) {
        const answer = await fetch("/api/open");
        if (await answer.json() === count) return;
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}"""
# Compiled with the page's files: `tsc` refuses a mark that is not needed.
REFUSED = """
import { connect, type MessagesEvent } from "./api";
import { useStream } from "./useStream";

const { $sse } = connect("/api");
const last = (_: string, event: MessagesEvent) => {
  // @ts-expect-error: a snapshot has no author
  const wrong: string = event.data.author;
  return event.event === "message" ? event.data.author : wrong;
};

export function Wrong() {
  // @ts-expect-error: a room is needed
  useStream((options) => $sse.messages({}, options), last, "");
  // @ts-expect-error: this state is text
  useStream((options) => $sse.messages({ room: "" }, options), last, 0);
  return null;
}
"""
HOSTILE = '<img src=x onerror="window.hit = true">'


def bash(command: str, folder: Path) -> tuple[int, str]:
    """Run a command as a reader would, who has installed what the page needs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(TESTS.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stdout + done.stderr


def commands() -> list[str]:
    return [line[2:] for line in block(PAGE, "Build").splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    program: Callable[[str], str],
    node_modules: Callable[[str], Path],
) -> Path:
    """The page's files, and what its commands make of them."""
    program("npx")
    folder = tmp_path_factory.mktemp("react")
    lay_out(folder, PAGE, *TITLES, replace=COUNTED)
    (folder / "src" / "Wrong.tsx").write_text(REFUSED)
    for name in PACKAGES:
        found = node_modules(name)
    modules = next(parent for parent in found.parents if parent.name == "node_modules")
    (folder / "node_modules").symlink_to(modules)
    for command in commands():
        code, output = bash(command, folder)
        assert code == 0, f"{command}\n{output}"
    return folder


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[int], Serving]]:
    started: list[Serving] = []

    def make(port: int = 0) -> Serving:
        broker = {"SSE_BROKER_URL": f"sqlite:///{folder}/events.db", "SSE_RETRY": 100}
        started.append(serve(folder, "room", port=port, settings=broker))
        return started[-1]

    yield make
    for serving in started:
        serving.kill()


def say(page: Page, text: str) -> None:
    page.fill("input", text)
    page.click("button")


def heard(page: Page, count: int) -> list[str]:
    page.wait_for_function(f"document.querySelectorAll('li').length === {count}", timeout=15_000)
    return page.locator("li").all_text_contents()


def wait_for_status(page: Page, status: str) -> None:
    there = f"document.querySelector('[role=status]').textContent === {status!r}"
    page.wait_for_function(there, timeout=15_000)


def test_one_stream_is_open(folder: Path, page: Page, start: Callable[[int], Serving]) -> None:
    """Also where effects run twice, where an input changes, and where the server is away."""
    assert "react-dom-client.development" in (folder / "static" / "main.js").read_text()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    port = free_port()
    serving = start(port)
    page.goto(serving.url)
    wait_for_status(page, "open")
    page.evaluate(COUNT, 1)
    assert asked.count(f"{serving.url}/api/rooms/kitchen") == 1
    say(page, "hello")
    say(page, HOSTILE)
    expected = ["me: hello", f"me: {HOSTILE}"]
    assert heard(page, 2) == expected
    page.select_option("select", "garden")
    wait_for_status(page, "open")
    assert heard(page, 0) == []
    page.evaluate(COUNT, 1)
    page.select_option("select", "kitchen")
    assert heard(page, 2) == expected
    page.evaluate(COUNT, 1)
    serving.kill()
    wait_for_status(page, "connecting")
    start(port)
    wait_for_status(page, "open")
    say(page, "back")
    assert heard(page, 3) == [*expected, "me: back"]
    assert page.evaluate("window.hit") is None

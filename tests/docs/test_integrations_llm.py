"""The guide to LLM tokens: a page that asks and stops, servers that stop, and another server."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from brokers.redis_server import free_port
from clients.conftest import missing
from clients.serving import OURS, Serving
from e2e.client import Stream
from e2e.waiting import wait_for
from playwright.sync_api import Browser, Page

from .integrations import lay_out, serve, stream

try:
    import openai
except ImportError:
    openai = None  # type: ignore[assignment]  # the test tells

PAGE = "guides/llm.md"
TITLES = ("chat.py", "static/chat.html", "static/chat.js")
TOKENS = """    for word in messages[-1].content.split():
        time.sleep(0.2)
        yield f"{word} "
"""
# What is closed before its end leaves a file.
NOTED = """    try:
        for word in messages[-1].content.split():
            time.sleep(0.05)
            yield f"{word} "
    except GeneratorExit:
        open("stopped", "a").write("x")
        raise
"""
# Another server's model, and this server is the other one too.
RELAYED = {
    TOKENS: NOTED,
    "def answer(input: Conversation):": "import upstream\n\n\ndef answer(input: Conversation):",
    "    for token in generate(input.messages):\n        said": (
        "    for token in upstream.generate(input.messages):\n        said"
    ),
}
# Each token from a thread of its own.
IN_THREADS = {
    "from flask_sse_routes import Event": "from flask_sse_routes import Context, Event",
    "def answer(input: Conversation):": "def answer(ctx: Context, input: Conversation):",
    "    for token in generate(input.messages):\n        said": (
        "    tokens = generate(input.messages)\n"
        "    while (token := ctx.run(next, tokens, None)) is not None:\n        said"
    ),
}
REFUSES = {
    TOKENS: '    time.sleep(0.6)\n    abort(429, "No more today.")\n    yield\n',
    "from flask import Flask": "from flask import Flask, abort",
}
LONG = "word " * 400
HOSTILE = '<img src=x onerror="window.hit = true"> </script> '

Start = Callable[..., Serving]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Serve the page's files, with lines of them replaced."""
    started: list[Serving] = []

    def make(replace: dict[str, str] | None = None, worker: str = OURS, port: int = 0) -> Serving:
        lay_out(tmp_path, PAGE, *TITLES, replace=replace)
        upstream = {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": "none"}
        started.append(serve(tmp_path, "chat", worker=worker, port=port, environment=upstream))
        return started[-1]

    yield make
    for serving in started:
        serving.kill()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def ask(page: Page, serving: Serving, text: str) -> None:
    page.goto(f"{serving.url}/static/chat.html")
    page.fill("input", text)
    page.click("button:text('Ask')")


def wait_for_text(page: Page, selector: str, text: str) -> None:
    there = f"document.querySelector({selector!r}).textContent.includes({json.dumps(text)})"
    page.wait_for_function(there, timeout=15_000)


def post(serving: Serving, text: str) -> Stream:
    body = {"messages": [{"role": "user", "content": text}]}
    return stream(serving, "/api/answer", method="POST", body=body)


def test_a_page_shows_the_answer(page: Page, start: Start) -> None:
    serving = start(worker="flask")
    ask(page, serving, HOSTILE + "to be")
    wait_for_text(page, "output", "<img")
    assert page.inner_text("[role=status]") == ""  # the first token is here, the end is not
    wait_for_text(page, "[role=status]", f"{len(HOSTILE + 'to be ')} characters")
    assert page.text_content("output") == HOSTILE + "to be "
    assert page.evaluate("window.hit") is None


def test_what_is_stopped_stops_at_the_other_server(
    page: Page, start: Start, tmp_path: Path
) -> None:
    if openai is None:
        missing("openai")
    lay_out(tmp_path, PAGE, "upstream.py")
    serving = start(replace=RELAYED, port=free_port())
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    ask(page, serving, LONG)
    wait_for_text(page, "output", "word word ")
    page.click("button:text('Stop')")
    wait_for((tmp_path / "stopped").exists, "the other server's handler has ended")
    assert page.inner_text("[role=status]") == "Stopped."
    assert asked.count("POST") == 1


def test_a_lost_connection_is_not_repeated(page: Page, start: Start) -> None:
    port = free_port()
    serving = start(worker="flask", port=port)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))
    ask(page, serving, LONG)
    wait_for_text(page, "output", "word ")
    serving.kill()
    wait_for_text(page, "[role=status]", "a POST is not repeated by itself")
    assert asked.count("POST") == 1


def test_a_worker_that_stops_finishes_its_answers(start: Start) -> None:
    serving = start(replace=IN_THREADS)
    opened = post(serving, "to be or not to be")
    assert opened.next().json == "to "
    serving.process.terminate()
    opened.read_to_end()
    opened.close()
    assert opened.names[-1] == "end"
    assert opened.events[-1].json == "to be or not to be "


def test_a_late_refusal(start: Start) -> None:
    """What the page says of `open_timeout`, beside a route without it."""
    waits = {"streamed(answer)": "streamed(answer, open_timeout=10)"}
    serving = start(replace=REFUSES | waits)
    status, text = whole(serving, "/api/answer")
    assert (status, json.loads(text)["detail"]) == (429, "No more today.")
    status, text = whole(serving, "/v1/chat/completions")
    assert status == 200
    assert "event: error\n" in text
    assert "No more today." in text


def whole(serving: Serving, path: str) -> tuple[int, str]:
    """Ask, and read the answer to its end."""
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=20)
    body = json.dumps({"messages": [{"role": "user", "content": "to be"}]})
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text

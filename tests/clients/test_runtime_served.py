"""`client.js` as it is served, and `$sse` through a deploy."""

from __future__ import annotations

import json
import re
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.publisher import Publisher
from e2e.waiting import wait_for
from flask import Flask
from playwright.sync_api import Browser, Page

from .bad_gateway import Gateway
from .programs import InNode, data, told
from .serving import Serving
from .wire_app import create_app

Serve = Callable[..., Serving]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def app() -> Flask:
    return create_app()


def integrity(app: Flask) -> str:
    """What a script element's `integrity=` takes, from what the response states."""
    stated = app.test_client().get("/api/client.js").headers["Repr-Digest"]
    found = re.fullmatch(r"sha-256=:([\w+/=]+):", stated)
    assert found
    return f"sha256-{found[1]}"


def test_headers(app: Flask) -> None:
    response = app.test_client().get("/api/client.js")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-cache"
    assert "export const { $api, $sse }" in response.text


def test_it_is_asked_for_once(app: Flask) -> None:
    client = app.test_client()
    etag = client.get("/api/client.js").headers["ETag"]
    again = client.get("/api/client.js", headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/api/client.js", headers={"If-None-Match": '"x"'}).status_code == 200


def test_strict_page_with_integrity(serve: Serve, app: Flask, page: Page) -> None:
    server = serve("clients.wire_app:app", worker="gthread")
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{server.url}/?digest={integrity(app).replace('+', '%2B')}")
    page.wait_for_function("document.getElementById('told').textContent !== ''", timeout=15_000)
    shown = json.loads(page.text_content("#told") or "")
    assert shown == {
        "hello": "</script><img src=x onerror=alert(1)>",
        "data": [1, "<script>alert(1)</script>"],
    }
    assert [p for p in problems if "favicon" not in p and "404" not in p] == []


def test_wrong_integrity_is_noticed(serve: Serve, page: Page) -> None:
    server = serve("clients.wire_app:app", worker="gthread")
    digest = "sha256-" + "A" * 43 + "="
    with page.expect_console_message(lambda message: "integrity" in message.text):
        page.goto(f"{server.url}/?digest={digest}")


def ask(url: str, method: str = "GET", body: Any = None) -> Any:
    sent = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, sent, headers, method=method)
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


class Saying:
    """Publishes number after number, past a server that is away for a while."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/api/say"
        self.numbers: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> list[int]:
        self._over.set()
        self._thread.join()
        return self.numbers

    def _run(self) -> None:
        number = 0
        while not self._over.wait(0.02):
            try:
                ask(self._url, "POST", {"number": number})
            except (OSError, ValueError):
                # It may have been published all the same: no number is said twice.
                number += 1
                continue
            self.numbers.append(number)
            number += 1


@pytest.fixture
def node_client(program: Callable[[str], str], tmp_path: Path, app: Flask) -> Iterator[InNode]:
    module = tmp_path / "client.mjs"
    module.write_text(app.test_client().get("/api/client.js").text)
    made = InNode(program("node"), module)
    yield made
    made.quit()


def test_deploy_behind_a_proxy(serve: Serve, node_client: InNode, tmp_path: Path) -> None:
    """502 for longer than a client waits, while all starts anew: nothing is lost or comes twice."""
    options = {"workers": 2, "settings": {"SSE_BROKER_URL": f"sqlite:///{tmp_path}/log.db"}}
    server = serve("clients.wire_app:app", **options)
    saying = None
    with Gateway(server.port) as gateway:
        try:
            node_client.open(f"{gateway.url}/api", "news")
            told(node_client, "open")
            saying = Saying(server.url)
            told(node_client, "event", 20)
            with gateway.refuse(seconds=5):
                server.stop()
                serve("clients.wire_app:app", port=server.port, **options)
            told(node_client, "open", 2, seconds=40)
            before = len(told(node_client, "event"))
            told(node_client, "event", before + 20)
            said = saying.stop()
            wait_for(lambda: data(node_client)[-1] >= said[-1], "the last number")
        finally:
            if saying is not None:
                saying.stop()
    numbers = data(node_client)
    assert numbers == sorted(set(numbers))
    assert {number for number in said if number >= numbers[0]} <= set(numbers)
    assert gateway.refused > 0
    assert [kind for kind, *_ in node_client.log if kind in ("error", "end", "reset")] == []


# A page's streams, and all that they tell.
IN_PAGE = """async () => {
    const { $sse } = await import("/api/client.js");
    window.news = { ids: [], opened: 0, retries: [], amiss: [] };
    window.job = { numbers: [], amiss: [] };
    $sse.news({}, {
        onOpen() { news.opened += 1; },
        onMessage(data, { id }) { news.ids.push(id); },
        onRetry({ attempt, error }) { news.retries.push([attempt, error.status]); },
        onReset({ reason }) { news.amiss.push(reason); },
        onError({ detail }) { news.amiss.push(detail); },
        onEnd() { news.amiss.push("end"); },
    });
    $sse.job({}, {
        onMessage(number) { job.numbers.push(number); },
        onRetry({ error }) { job.amiss.push(error.message); },
        onError({ detail }) { job.amiss.push(detail); },
    });
}"""


@pytest.fixture
def published(tmp_path: Path) -> Iterator[tuple[str, Callable[[], Publisher]]]:
    """A broker, and what begins to publish to it at a steady rate."""
    broker = f"sqlite:///{tmp_path}/log.db"
    made: list[Publisher] = []

    def begin() -> Publisher:
        made.append(Publisher(broker, "news", rate=50))
        return made[-1]

    yield broker, begin
    for publisher in made:
        publisher.stop()


def test_rolling_reload_behind_a_proxy(
    serve: Serve,
    node_client: InNode,
    page: Page,
    published: tuple[str, Callable[[], Publisher]],
) -> None:
    """New workers, and 502 for three seconds: all is told once and in order; a POST is over."""
    broker, publish = published
    settings = {"SSE_BROKER_URL": broker, "SSE_RETRY": 300, "SSE_HEARTBEAT": 1}
    server = serve("clients.wire_app:app", workers=2, settings=settings)
    with Gateway(server.port) as gateway:
        node_client.open(f"{gateway.url}/api", "news", retries=True)
        told(node_client, "open")
        page.goto(f"{gateway.url}/")
        page.evaluate(IN_PAGE)
        # Its policy forbids what waits in the page.
        begun = "news.opened === 1 && job.numbers.length > 3"
        wait_for(lambda: page.evaluate(begun), "the page's streams", 15)
        publisher = publish()
        told(node_client, "event", 20)
        before = server.workers()
        with gateway.refuse(seconds=3):
            server.reload()
            # At least: a busy machine takes its time to begin with the reload.
            told(node_client, "retry", 2)
            wait_for(lambda: page.evaluate("news.retries.length") >= 2, "a refusal in the page")
        wait_for(lambda: not before & server.workers(), "the workers are new ones", 15)
        more = len(publisher.ids)
        wait_for(lambda: len(publisher.ids) >= more + 100, "events for the new workers")
        publisher.stop()
        last = publisher.ids[-1]
        wait_for(lambda: ids_of(node_client)[-1] == last, "the last event in Node", 20)
        wait_for(lambda: page.evaluate("news.ids.at(-1)") == last, "the last event in the page", 20)
        news, job = page.evaluate("[news, job]")
        # What follows is the end of the proxy.
        in_node = list(node_client.log)
        runs = ask(f"{server.url}/api/runs")
    assert ids_of(node_client) == publisher.ids
    assert news["ids"] == publisher.ids
    retries = [(values[0], values[2]["status"]) for kind, *values in in_node if kind == "retry"]
    check_told_of_502(retries, [kind for kind, *_ in in_node].count("open"))
    check_told_of_502([(attempt, status) for attempt, status in news["retries"]], news["opened"])
    assert news["amiss"] == []
    assert [kind for kind, *_ in node_client.log if kind in ("error", "end", "reset")] == []
    assert job["numbers"] == list(range(len(job["numbers"])))
    assert ["a POST is not repeated" in text for text in job["amiss"]] == [True]
    assert runs == 1


def ids_of(program: InNode) -> list[str]:
    return [values[2] for kind, *values in program.log if kind == "event"]


def check_told_of_502(retries: list[tuple[int, int]], opened: int) -> None:
    """A connection ended, and the proxy refused; it may have ended again with the old workers."""
    assert retries[:2] == [(1, 0), (2, 502)]
    assert {status for _, status in retries} == {0, 502}
    assert opened == 1 + len([attempt for attempt, _ in retries if attempt == 1])


def test_post_is_not_run_again(serve: Serve, node_client: InNode, tmp_path: Path) -> None:
    options = {"workers": 2, "settings": {"SSE_BROKER_URL": f"sqlite:///{tmp_path}/log.db"}}
    server = serve("clients.wire_app:app", **options)
    node_client.open(f"{server.url}/api", "job")
    told(node_client, "event", 3)
    server.reload()
    ((error,),) = told(node_client, "error", seconds=20)
    assert "a POST is not repeated" in error["detail"]
    assert node_client.state()[0] == 2
    assert ask(f"{server.url}/api/runs") == 1

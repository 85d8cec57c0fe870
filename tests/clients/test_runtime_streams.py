"""What `$sse` makes of the bytes of a stream: all vectors, odd names, bounds, slow loops."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.waiting import wait_for
from playwright.sync_api import Browser, Page

from .little import Asked, Little
from .programs import InNode, data, told

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "parse-vectors.json").read_text())
MEGABYTE = 1024 * 1024
ENDED = "event: end\nid: 9~end\ndata: null\n\n"
# Opens vectors, six at a time; each is closed when its connection is lost and, where the server
# is asked again, when it was.
READ = """async ([paths, hasNext]) => {
    Math.random = () => 0;
    const { $sse } = await import("/api/client.js");
    const read = (number) => new Promise((resolve) => {
        const events = [];
        let opened = false;
        const connection = $sse.vector({ number }, {
            onOpen() { opened = true; },
            onEvent: ({ event, data, id }) => events.push([event, data, id]),
            onError: ({ problem, detail }) => events.push(["error", detail ?? problem, ""]),
            onEnd: () => resolve(events),
        });
        const look = () => {
            if (!opened || connection.readyState === 1) return void setTimeout(look, 1);
            connection.close();
            resolve(events);
        };
        if (!hasNext) look();
    });
    const found = {};
    const one = async () => {
        for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
            found[path] = await read(path);
        }
    };
    const late = new Promise((_, reject) => setTimeout(reject, 60_000, new Error("not in time")));
    await Promise.race([late, Promise.all(Array.from({ length: 6 }, one))]);
    return found;
}"""


@pytest.fixture
def page(chromium: Browser, little: Little) -> Iterator[Page]:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(little.url)
    yield page
    context.close()


@pytest.fixture
def client(node: InNode) -> Iterator[InNode]:
    node.begin()
    yield node
    node.end()


def raw(chunk: Any) -> bytes:
    if isinstance(chunk, str):
        return chunk.encode()
    if "b64" in chunk:
        return base64.b64decode(chunk["b64"])
    return str(chunk["repeat"] * chunk["times"]).encode()


def forms(vector: Any) -> dict[str, list[bytes]]:
    given = [raw(chunk) for chunk in vector["chunks"]]
    joined = b"".join(given)
    found = {"given": given, "joined": [joined]}
    if len(joined) <= 3000:
        found["bytes"] = [joined[i : i + 1] for i in range(len(joined))]
    return found


def expected(vector: Any) -> list[list[Any]]:
    """The events as `$sse` tells them: data that is JSON is parsed."""
    events = []
    for event in vector["expected"]["events"]:
        text = event["data"]
        if not isinstance(text, str):
            text = text["repeat"] * text["times"] + text.get("then", "")
        try:
            # What Python reads beyond the standard, NaN, is in no vector.
            value = json.loads(text)
        except ValueError:
            value = text
        # An error without the mark of an end is told to onError.
        id_ = "" if event["event"] == "error" else event["id"]
        events += [[event["event"], value, id_]] * event.get("times", 1)
    return events


def answers(pieces: list[bytes]) -> Callable[[Asked], None]:
    def answer(asked: Asked) -> None:
        if asked.number > 1:
            asked.reply(204)
            return
        asked.stream()
        for piece in pieces:
            asked.write(piece)

    return answer


def test_all_vectors_in_chromium(little: Little, page: Page) -> None:
    wanted, ids = {}, {}
    waits: dict[bool, list[str]] = {True: [], False: []}
    for number, vector in enumerate(VECTORS):
        for form, pieces in forms(vector).items():
            name = f"{number}{form}"
            little.on(f"/api/vector/{name}", answers(pieces))
            wanted[name] = expected(vector)
            ids[name] = vector["expected"]["last_event_id"]
            # One of them says to come back in an hour.
            waits[vector["expected"]["retry"] != "*"].append(name)
    found = {}
    for has_next, names in waits.items():
        found |= page.evaluate(READ, [names, has_next])
    wrong = [name for name in wanted if found[name] != wanted[name]]
    assert wrong == [], [
        (VECTORS[int("".join(filter(str.isdigit, n)))]["name"], found[n]) for n in wrong[:3]
    ]
    for name in waits[True]:
        second = little.of(f"/api/vector/{name}")[1]
        # HTTP drops spaces around a value; the bytes of a header are UTF-8 here.
        sent = second.headers.get("last-event-id", "").encode("latin-1").decode()
        assert sent == ids[name].strip(" "), name


def test_names_that_mean_something_elsewhere(client: InNode, little: Little) -> None:
    names = ["open", "close", "__proto__", "constructor", "toString", "then", "message"]
    body = "".join(f"event: {name}\ndata: {n}\n\n" for n, name in enumerate(names))
    little.on("/api/stream", lambda asked: asked.stream(body + ENDED))
    client.open(f"{little.url}/api", options={"on": {}})
    told(client, "end")
    events = [values[:2] for kind, *values in client.log if kind == "event"]
    assert events == [[name, n] for n, name in enumerate(names)]


def test_ready_moves_the_position_alone(client: InNode, little: Little) -> None:
    def answer(asked: Asked) -> None:
        asked.stream("event: ready\nid: e-7\ndata: {}\n\n")
        asked.wait_until_gone()

    little.on("/api/stream", answer)
    client.open(f"{little.url}/api")
    told(client, "open")
    wait_for(lambda: client.state() == (1, "e-7"), "the position")
    assert data(client) == []
    client.close()
    assert client.state()[0] == 2


@pytest.mark.parametrize("what", ["line", "event"])
def test_what_has_no_end_is_cut(client: InNode, little: Little, what: str) -> None:
    sent = 0

    def answer(asked: Asked) -> None:
        nonlocal sent
        asked.stream("data: 1\n\n")
        for _ in range(100):
            asked.write(b"x" * MEGABYTE if what == "line" else b"data: %b\n" % (b"x" * MEGABYTE))
            sent += 1

    little.on("/api/stream", answer)
    client.open(f"{little.url}/api")
    ((error,),) = told(client, "error", seconds=30)
    assert error["title"] == "Stream too large"
    assert error["detail"].startswith(
        "The server sent a" + ("n event" if what == "event" else " line")
    )
    assert data(client) == [1]
    assert client.state()[0] == 2
    assert sent < 60


@pytest.mark.parametrize("retry", ["99999999999999999999", "2147483648"])
def test_giant_retry_is_no_haste(client: InNode, little: Little, retry: str) -> None:
    """A timer of too many milliseconds would fire at once."""
    little.on("/api/stream", lambda asked: asked.stream(f"retry: {retry}\ndata: 1\n\n"))
    client.open(f"{little.url}/api")
    told(client, "event")
    wait_for(lambda: client.state()[0] == 0, "the end of the connection")
    with pytest.raises(AssertionError, match="Not within"):
        little.wait_for("/api/stream", 2, 0.5)


def test_loop_ends_with_the_stream(client: InNode, little: Little) -> None:
    body = 'data: 1\n\nevent: reset\nid: 4\ndata: {"reason": "trimmed"}\n\n' + ENDED
    little.on("/api/stream", lambda asked: asked.stream(body))
    client.open(f"{little.url}/api", iterate=True)
    told(client, "done")
    names = [values[0] for kind, *values in client.log if kind == "event"]
    assert names == ["message", "reset"]


def test_leaving_the_loop_closes(client: InNode, little: Little) -> None:
    gone: list[bool] = []

    def answer(asked: Asked) -> None:
        asked.stream("id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\n")
        asked.wait_until_gone()
        gone.append(True)

    little.on("/api/stream", answer)
    client.open(f"{little.url}/api", iterate=True, leaveAfter=2)
    told(client, "done")
    assert data(client) == [1, 2]
    assert client.state() == (2, "2")
    wait_for(lambda: gone, "the client's going")


def test_slow_loop_makes_the_server_wait(client: InNode, little: Little) -> None:
    count, size = 300, 256 * 1024
    written: list[int] = []
    text = json.dumps("x" * size)

    def answer(asked: Asked) -> None:
        asked.stream()
        for number in range(count):
            asked.write(f"id: {number}\ndata: {text}\n\n")
            written.append(number)
        asked.write(ENDED)

    little.on("/api/stream", answer)
    client.open(f"{little.url}/api", iterate=True, slowly=50)
    told(client, "event", 3)
    # The rest is neither in the client nor in the sockets between: some MB at most.
    assert len(written) < 150


def test_signal_and_last_event_id(page: Page, little: Little) -> None:
    def answer(asked: Asked) -> None:
        asked.stream("data: 1\n\n")
        asked.wait_until_gone()

    little.on("/api/stream", answer)
    states = page.evaluate("""async () => {
        const { $sse } = await import("/api/client.js");
        const never = $sse.stream({}, { signal: AbortSignal.abort(), onError() {} });
        const stop = new AbortController();
        const got = [];
        const connection = $sse.stream({}, { signal: stop.signal, lastEventId: "k-5" });
        for await (const { data } of connection) { got.push(data); stop.abort(); }
        return [never.readyState, connection.readyState, got];
    }""")
    assert states == [2, 2, [1]]
    (asked,) = little.of("/api/stream")
    assert asked.headers["last-event-id"] == "k-5"


def test_handler_that_throws_does_no_harm(page: Page, little: Little) -> None:
    little.on("/api/stream", lambda asked: asked.stream("data: 1\n\ndata: 2\n\n" + ENDED))
    got, errors = page.evaluate("""async () => {
        const { $sse } = await import("/api/client.js");
        const got = [], errors = [];
        addEventListener("error", ({ error }) => errors.push(error.message));
        await new Promise((onEnd) => $sse.stream({}, {
            onEnd, onMessage() { throw new Error("mine"); }, onEvent: ({ data }) => got.push(data),
        }));
        return [got, errors];
    }""")
    assert (got, errors) == ([1, 2], ["mine", "mine"])


def test_failure_that_nobody_takes_is_shown(page: Page, little: Little) -> None:
    little.on("/api/stream", lambda asked: asked.reply(403))
    shown = page.evaluate("""async () => {
        const { $sse, RouteError } = await import("/api/client.js");
        const shown = new Promise((resolve) => addEventListener("error", resolve));
        $sse.stream({}, { onMessage() {} });
        const { error } = await shown;
        return [error instanceof RouteError, error.status];
    }""")
    assert shown == [True, 403]

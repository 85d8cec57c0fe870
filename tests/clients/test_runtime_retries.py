"""What `onRetry` is told of a stream that has lost its connection, in Node and in Chromium."""

from __future__ import annotations

from typing import Any

import pytest

from .little import Asked, Little
from .programs import InChromium, Program, told

PATH = "/api/stream"
ENDED = "event: end\nid: 9~end\ndata: null\n\n"
SLOW = '{"title": "Too Many Requests", "status": 429, "detail": "Slow down."}'


def open_stream(client: Program, little: Little, **spec: Any) -> None:
    client.open(f"{little.url}/api", retries=True, **spec)


def kinds(client: Program) -> list[str]:
    return [kind for kind, *_ in client.log if kind != "state"]


def test_attempts_are_counted_from_the_last_open(client: Program, little: Little) -> None:
    def answer(asked: Asked) -> None:
        if asked.number in (1, 2, 4):
            asked.reply(502, {"Retry-After": "0"}, "<h1>Bad</h1>")
        elif asked.number == 3:
            asked.stream("retry: 10\nevent: ready\nid: 1\ndata: {}\n\n")
        else:
            asked.stream(ENDED)

    little.on(PATH, answer)
    open_stream(client, little)
    told(client, "end")
    assert kinds(client) == ["retry", "retry", "open", "retry", "retry", "open", "end"]
    retries = told(client, "retry")
    assert [attempt for attempt, _, _ in retries] == [1, 2, 1, 2]
    assert [error["status"] for _, _, error in retries] == [502, 502, 0, 502]
    assert retries[0][2]["name"] == "RouteError"
    assert retries[0][2]["detail"] == "The server answered with 502 Bad Gateway."
    assert retries[2][2]["detail"] == "The connection ended before the stream did."
    assert all(delay >= 10 for _, delay, _ in retries)


def test_it_waits_as_long_as_it_says(client: Program, little: Little) -> None:
    def answer(asked: Asked) -> None:
        if asked.number == 1:
            asked.reply(429, {"Retry-After": "1", "Content-Type": "application/problem+json"}, SLOW)
        else:
            asked.stream(ENDED)

    little.on(PATH, answer)
    open_stream(client, little)
    told(client, "end")
    ((attempt, delay, error),) = told(client, "retry")
    assert (attempt, error["status"], error["detail"]) == (1, 429, "Slow down.")
    assert 1000 <= delay < 2000
    first, second = little.of(PATH)
    assert delay / 1000 - 0.05 <= second.at - first.at < delay / 1000 + 2


def test_a_refusal_names_its_reason(client: Program, little: Little) -> None:
    def answer(asked: Asked) -> None:
        if asked.number == 1:
            asked.stream("retry: 100\n", SSE_Refused="capacity")
        else:
            asked.stream(ENDED)

    little.on(PATH, answer)
    open_stream(client, little)
    told(client, "end")
    assert kinds(client) == ["retry", "open", "end"]
    ((_, delay, error),) = told(client, "retry")
    assert delay == 100
    assert error["detail"] == "The server has not let the stream in: capacity."


def test_silence_names_the_heartbeats(client: Program, little: Little) -> None:
    def answer(asked: Asked) -> None:
        if asked.number > 1:
            asked.stream(ENDED)
            return
        asked.stream("retry: 10\ndata: 1\n\n", SSE_Heartbeat="0.1")
        asked.wait_until_gone()

    little.on(PATH, answer)
    open_stream(client, little)
    told(client, "end")
    ((_, _, error),) = told(client, "retry")
    assert error["detail"] == "Three heartbeats stayed out: nothing came within 0.3 s."


def test_a_server_that_never_answered(client: Program, little: Little, other: Little) -> None:
    gone = other.url
    other.close()
    client.open(f"{gone}/api", retries=True)
    (_, _, error), (attempt, _, _) = told(client, "retry", 2)[:2]
    assert attempt == 2
    assert error["detail"].startswith(f"GET {gone}{PATH} got no answer: ")
    hints = (
        "ECONNREFUSED",
        "Failed to fetch; it never gave one, and CORS or DNS may be the cause.",
    )
    assert any(hint in error["detail"] for hint in hints)


def test_a_server_that_lets_no_other_origin_in(
    in_page: InChromium, little: Little, other: Little
) -> None:
    other.on(PATH, lambda asked: asked.handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n"))
    in_page.begin()
    in_page.open(f"{other.url}/api", retries=True)
    (_, _, error), *_ = told(in_page, "retry")
    assert error["detail"].endswith("it never gave one, and CORS or DNS may be the cause.")
    in_page.end()


def test_closed_in_it_the_stream_is_over(client: Program, little: Little) -> None:
    little.on(PATH, lambda asked: asked.stream("retry: 10\ndata: 1\n\n"))
    open_stream(client, little, closes={"on": "retry"})
    told(client, "retry")
    assert client.state()[0] == 2
    with pytest.raises(AssertionError, match="Not within"):
        little.wait_for(PATH, 2, 0.25)


def test_a_stream_that_does_not_come_back_tells_nothing(client: Program, little: Little) -> None:
    little.on("/api/post", lambda asked: asked.reply(502))
    open_stream(client, little, name="post")
    told(client, "error")
    assert kinds(client) == ["error"]


def test_headers_that_could_not_be_had(client: Program, little: Little) -> None:
    bodies = ["retry: 10\ndata: 1\n\n", ENDED]
    little.on(PATH, lambda asked: asked.stream(bodies[asked.number - 1]))
    open_stream(client, little, connect={"headersTold": {"failsAt": 2}})
    told(client, "end")
    assert kinds(client) == ["open", "event", "retry", "error", "retry", "open", "end"]
    details = [error["detail"] for _, _, error in told(client, "retry")]
    assert details[1] == "The headers could not be had: Error: no token"

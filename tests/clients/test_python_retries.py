"""What `on_retry` is told of a stream that has lost its connection, by both Python clients."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from flask_sse_routes.client import RetryNotice, Stream, connect, connect_async
from flask_sse_routes.concurrency import cooperative

from .python_readers import READERS, ROUTES, Reader
from .scripted import Scripted, answer, end, problem, stream

ONE = "id: 1\ndata: 1\n\n"
KINDS = ["blocking"] if cooperative() else ["blocking", "asyncio"]


@pytest.fixture(params=KINDS)
def read(request: pytest.FixtureRequest) -> Reader:
    return READERS[request.param]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server names no time, come back soon."""
    monkeypatch.setattr("flask_sse_routes.client.backoff.USUAL", 0.05)


def test_attempts_are_counted_from_the_last_open(read: Reader) -> None:
    notices: list[RetryNotice] = []
    bad = answer(502, "<h1>Bad</h1>", Content_Type="text/html")
    with Scripted(bad, bad, stream(ONE), bad, end()) as server:
        story = read(server.url, on_retry=notices.append)
    assert (story.data, story.error) == ([1], None)
    assert [notice.attempt for notice in notices] == [1, 2, 1, 2]
    assert [notice.error.status for notice in notices] == [502, 502, 0, 502]
    assert str(notices[0].error) == "502 Bad Gateway"
    said = "Connection lost: The connection ended before the stream did."
    assert str(notices[2].error) == said


def test_it_waits_as_long_as_it_says(read: Reader) -> None:
    notices: list[RetryNotice] = []
    slow = problem(429, detail="Slow down.")
    later = slow._replace(data=slow.data.replace(b"\r\n\r\n", b"\r\nRetry-After: 1\r\n\r\n", 1))
    with Scripted(later, end()) as server:
        read(server.url, on_retry=notices.append)
    (notice,) = notices
    first, second = server.requests
    assert (notice.error.status, notice.error.detail) == (429, "Slow down.")
    assert 1 <= notice.delay < 1.1
    assert notice.delay <= second.at - first.at < notice.delay + 2


def test_a_refusal_names_its_reason(read: Reader) -> None:
    notices: list[RetryNotice] = []
    full = stream("", SSE_Refused="capacity")
    with Scripted(full, full, end()) as server:
        read(server.url, on_retry=notices.append)
    assert [notice.attempt for notice in notices] == [1, 2]
    assert notices[0].error.detail == "The server has not let the stream in: capacity."


def test_silence_names_the_heartbeats(read: Reader) -> None:
    notices: list[RetryNotice] = []
    with Scripted(stream(ONE, hold=True, SSE_Heartbeat="0.1"), end()) as server:
        read(server.url, on_retry=notices.append)
    said = "Three heartbeats stayed out: nothing came within 0.3 s."
    assert [notice.error.detail for notice in notices] == [said]


def test_a_server_that_is_not_there(read: Reader) -> None:
    with Scripted(end()) as gone:
        url = gone.url
    notices: list[RetryNotice] = []

    def note(notice: RetryNotice) -> None:
        notices.append(notice)
        if len(notices) == 3:
            raise LookupError("enough")

    story = read(url, on_retry=note)
    assert isinstance(story.error, LookupError)
    assert [notice.attempt for notice in notices] == [1, 2, 3]
    assert {notice.error.title for notice in notices} == {"No answer"}
    assert notices[0].error.__cause__ is not None


def test_a_stream_that_does_not_come_back_tells_nothing(read: Reader) -> None:
    notices: list[RetryNotice] = []
    with Scripted(stream(ONE)) as server:
        assert read(server.url, "job", on_retry=notices.append).error is not None
    with Scripted(end(ONE)) as server:
        assert read(server.url, on_retry=notices.append).error is None
    assert notices == []


def test_closed_in_it_the_stream_is_over() -> None:
    opened: list[Stream[Any]] = []
    with (
        Scripted(stream(ONE)) as server,
        connect(server.url, routes=ROUTES, on_retry=lambda _: opened[0].close()) as client,
    ):
        opened.append(client.sse.feed())
        assert [event.data for event in opened[0]] == [1]
    assert len(server.requests) == 1


@pytest.mark.skipif(cooperative(), reason="asyncio has a loop of its own")
def test_closed_in_it_by_asyncio() -> None:
    async def read_one(url: str) -> list[Any]:
        async def note(notice: RetryNotice) -> None:
            await feed.aclose()

        async with connect_async(url, routes=ROUTES, on_retry=note) as client:
            feed = client.sse.feed()
            return [event.data async for event in feed]

    with Scripted(stream(ONE)) as server:
        assert asyncio.run(asyncio.wait_for(read_one(server.url), 20)) == [1]
    assert len(server.requests) == 1


def test_closed_while_it_is_open_nothing_is_told_again() -> None:
    notices: list[RetryNotice] = []
    with (
        Scripted(answer(503), stream(ONE, hold=True)) as server,
        connect(server.url, routes=ROUTES, on_retry=notices.append) as client,
        client.sse.feed() as feed,
    ):
        for _ in feed:
            feed.close()
    assert len(notices) == 1


def test_it_is_logged(read: Reader, caplog: pytest.LogCaptureFixture) -> None:
    with (
        caplog.at_level(logging.INFO, "flask_sse_routes.client"),
        Scripted(answer(503), end()) as s,
    ):
        read(s.url)
    (record,) = [r for r in caplog.records if r.name == "flask_sse_routes.client"]
    assert record.levelno == logging.INFO
    assert "/feed: 503 Service Unavailable (attempt 1 in 0." in record.getMessage()

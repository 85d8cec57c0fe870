"""Streams that are closed by somebody else, in threads or greenlets, or by what they call."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from flask_sse_routes.client import Client, RouteError, Stream, connect, connect_async

from .python_readers import ROUTES
from .scripted import Answer, Scripted, answer, stream

ONE = "id: 1\ndata: 1\n\n"
Eventually = Callable[..., None]


class Reading:
    """A stream that another thread reads."""

    def __init__(self, client: Client[Any, Any]) -> None:
        self.stream = client.sse.feed()
        self.data: list[Any] = []
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for event in self.stream:
                self.data.append(event.data)
        except BaseException as error:
            self.error = error

    def ended(self, within: float = 5) -> bool:
        self._thread.join(within)
        return not self._thread.is_alive()


class Keeping(ThreadingHTTPServer):
    """A server that keeps connections, and answers everything but `/feed`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Kept)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        # What came, with the ports that it came from.
        self.requests: list[tuple[str, int]] = []
        self.headers: list[str | None] = []
        self.over = threading.Event()


class Kept(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Keeping

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.client_address[1]))
        self.server.headers.append(self.headers["Cookie"])
        if self.path == "/feed":
            self.server.over.wait(20)
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1")
        self.send_header("Set-Cookie", "c=1")
        self.end_headers()
        self.wfile.write(b"1")

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def keeping() -> Iterator[Keeping]:
    with Keeping() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join(5)


@pytest.mark.parametrize("heartbeat", ["15", ""])
def test_close_ends_what_waits_for_an_event(heartbeat: str, eventually: Eventually) -> None:
    with (
        Scripted(stream(ONE, hold=True, SSE_Heartbeat=heartbeat)) as server,
        connect(server.url, routes=ROUTES) as client,
    ):
        reading = Reading(client)
        eventually(lambda: reading.data)
        reading.stream.close()
        assert reading.ended()
    assert (reading.data, reading.error, len(server.requests)) == ([1], None, 1)


def test_close_ends_what_waits_for_an_answer(eventually: Eventually) -> None:
    with (
        Scripted(Answer(b"", hold=True)) as server,
        connect(server.url, routes=ROUTES) as client,
    ):
        reading = Reading(client)
        eventually(lambda: server.requests)
        reading.stream.close()
        assert reading.ended()
    assert (reading.error, len(server.requests)) == (None, 1)


def test_close_ends_what_waits_for_an_answer_where_connections_are_kept(
    keeping: Keeping, eventually: Eventually
) -> None:
    with connect(keeping.url, routes=ROUTES) as client:
        assert [client.api.hello(), client.api.hello()] == [1, 1]
        reading = Reading(client)
        eventually(lambda: len(keeping.requests) == 3)
        reading.stream.close()
        assert reading.ended(2)
    first, second, _ = keeping.requests
    assert (reading.error, first) == (None, second)
    assert keeping.headers == [None, "c=1", "c=1"]


def test_close_ends_what_waits_to_come_back(eventually: Eventually) -> None:
    with (
        Scripted(answer(503, Retry_After="60")) as server,
        connect(server.url, routes=ROUTES) as client,
    ):
        reading = Reading(client)
        eventually(lambda: server.requests)
        reading.stream.close()
        assert reading.ended()
    assert (reading.error, len(server.requests)) == (None, 1)


def test_closing_the_client_ends_its_streams(eventually: Eventually) -> None:
    with Scripted(stream(ONE, hold=True)) as server:
        client = connect(server.url, routes=ROUTES)
        readings = [Reading(client) for _ in range(3)]
        eventually(lambda: all(reading.data for reading in readings))
        client.close()
        assert all(reading.ended() for reading in readings)
    assert [reading.error for reading in readings] == [None] * 3


def test_a_reader_may_close_its_stream_and_leave_the_loop() -> None:
    with (
        Scripted(stream(ONE + "id: 2\ndata: 2\n\n", hold=True)) as server,
        connect(server.url, routes=ROUTES) as client,
    ):
        with client.sse.feed() as feed:
            data = []
            for event in feed:
                data.append(event.data)
                feed.close()
        assert data == [1]
        assert list(feed) == []
    assert len(server.requests) == 1


TROUBLE = 'event: error\ndata: {"title": "Oops"}\n\n'


def test_closed_in_on_error_the_stream_is_over() -> None:
    opened: list[Stream[Any]] = []
    with (
        Scripted(stream(ONE + TROUBLE + "id: 2\ndata: 2\n\n")) as server,
        connect(server.url, routes=ROUTES, on_error=lambda _: opened[0].close()) as client,
    ):
        opened.append(client.sse.feed())
        assert [event.data for event in opened[0]] == [1]
        assert opened[0].last_event_id == "1", "what was not handed out is asked for again"
    assert len(server.requests) == 1


@pytest.mark.parametrize("last", [TROUBLE, "id: 2~end\n" + TROUBLE, "event: end\ndata: 3\n\n"])
def test_nothing_behind_it_is_told_of(last: str) -> None:
    opened: list[Stream[Any]] = []
    told: list[RouteError] = []

    def close(error: RouteError) -> None:
        told.append(error)
        opened[0].close()

    with (
        Scripted(stream(ONE + TROUBLE + last)) as server,
        connect(server.url, routes=ROUTES, on_error=close) as client,
    ):
        opened.append(client.sse.feed())
        assert [event.data for event in opened[0]] == [1]
        assert len(told) == 1
        assert opened[0].result is None


@pytest.mark.threads
def test_closed_in_on_error_by_asyncio() -> None:
    """What is called is no coroutine: it has another task close it."""

    async def read_one(url: str) -> list[Any]:
        closing: list[asyncio.Task[None]] = []

        def close(error: RouteError) -> None:
            closing.append(asyncio.ensure_future(feed.aclose()))

        async with connect_async(url, routes=ROUTES, on_error=close) as client:
            feed = client.sse.feed()
            data = [event.data async for event in feed]
            await closing[0]
            return data

    with Scripted(stream(ONE + TROUBLE, hold=True)) as server:
        assert asyncio.run(asyncio.wait_for(read_one(server.url), 20)) == [1]
    assert len(server.requests) == 1


def test_what_is_let_go_of_closes_its_connection(eventually: Eventually) -> None:
    with (
        Scripted(stream(ONE, hold=True)) as server,
        connect(server.url, routes=ROUTES) as client,
    ):
        for event in client.sse.feed():
            assert event.data == 1
            break
        gc.collect()
        eventually(lambda: server.open == 0)


def test_entering_it_waits_for_the_servers_consent() -> None:
    with (
        Scripted(stream(hold=True)) as server,
        connect(server.url, routes=ROUTES) as client,
        client.sse.feed(),
    ):
        assert len(server.requests) == 1


def test_many_streams_at_once(eventually: Eventually) -> None:
    with (
        Scripted(stream(ONE, hold=True)) as server,
        connect(server.url, routes=ROUTES) as client,
    ):
        readings = [Reading(client) for _ in range(120)]
        eventually(lambda: all(reading.data for reading in readings))
        client.close()
        assert all(reading.ended() for reading in readings)


def test_an_http_client_that_was_given_stays_open() -> None:
    said = answer(200, "{}", Content_Type="application/json")
    with Scripted(said) as server, httpx.Client() as http:
        with connect(server.url, routes=ROUTES, http=http) as client:
            assert client.api.hello() == {}
        assert not http.is_closed

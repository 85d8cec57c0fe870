"""All parse vectors through the Python clients: as given, joined and byte by byte."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from test_wire import BYTEWISE_LIMIT, VECTORS, chunks_of, expected_events, one_by_one

from flask_sse_routes.client import StreamEvent

from .python_readers import Story, read_async, read_blocking

HEADERS = {"Content-Type": "text/event-stream"}


class Chunks(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in pieces."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


class Once(httpx.MockTransport):
    """The stream, and for whoever comes back the news that it is over."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.requests: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            if len(self.requests) > 1:
                return httpx.Response(204)
            return httpx.Response(200, headers=HEADERS, stream=Chunks(chunks))

        super().__init__(answer)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask_sse_routes.client.backoff.Backoff.after_loss", lambda _: 0.0)


def check(vector: dict[str, Any], chunks: list[bytes], read: Any) -> None:
    transport = Once(chunks)
    story: Story = read("http://host", most=10**6, transport=transport, max_event_bytes=1 << 30)
    assert story.error is None
    # An event of this name is a failure, which is told elsewhere.
    wanted = [event for event in expected_events(vector) if event[0] != "error"]
    assert list(map(told, story.events)) == [(n, meant(data), id_) for n, data, id_ in wanted]
    assert len(story.told) == len(expected_events(vector)) - len(wanted)
    assert story.last_event_id == vector["expected"]["last_event_id"]
    sent = transport.requests[1].headers.get("Last-Event-ID", "")
    # A header can carry neither space around a value nor any text.
    carried = story.last_event_id.isascii() and story.last_event_id == story.last_event_id.strip()
    assert sent == (story.last_event_id if carried else "")


def told(event: StreamEvent[str, Any]) -> tuple[str, Any, str]:
    return event.event, event.data, event.id


def meant(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def each(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=[v["name"] for v in vectors])


@each(VECTORS)
def test_vector_as_given(vector: dict[str, Any]) -> None:
    check(vector, chunks_of(vector), read_blocking)


@each(VECTORS)
def test_vector_joined(vector: dict[str, Any]) -> None:
    check(vector, [b"".join(chunks_of(vector))], read_blocking)


@each([v for v in VECTORS if sum(map(len, chunks_of(v))) <= BYTEWISE_LIMIT])
def test_vector_byte_by_byte(vector: dict[str, Any]) -> None:
    check(vector, one_by_one(b"".join(chunks_of(vector))), read_blocking)


@each(VECTORS)
def test_vector_by_asyncio(vector: dict[str, Any]) -> None:
    check(vector, chunks_of(vector), read_async)

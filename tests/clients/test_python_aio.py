"""Streams of the asyncio client that are closed or cancelled by somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from flask_sse_routes.client import AsyncClient, connect_async

from .python_readers import ROUTES
from .scripted import Answer, Scripted, answer, stream

ONE = "id: 1\ndata: 1\n\n"
Test = Callable[[Scripted, AsyncClient[Any, Any]], Awaitable[None]]


def run(test: Test, *script: Answer) -> Scripted:
    """Run a test with a server, a client, and a limit."""

    async def within(server: Scripted) -> None:
        async with connect_async(server.url, routes=ROUTES) as client:
            await asyncio.wait_for(test(server, client), 15)

    with Scripted(*script) as server:
        asyncio.run(within(server))
    return server


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def collect(feed: Any, data: list[Any]) -> None:
    async for event in feed:
        data.append(event.data)  # noqa: PERF401  # what came before a failure is wanted too


@pytest.mark.parametrize(
    "given",
    [stream(ONE, hold=True), Answer(b"", hold=True), answer(503, Retry_After="60")],
    ids=["event", "answer", "return"],
)
def test_close_ends_what_waits(given: Answer) -> None:
    async def test(server: Scripted, client: AsyncClient[Any, Any]) -> None:
        feed, data = client.sse.feed(), list[Any]()
        task = asyncio.create_task(collect(feed, data))
        await until(
            lambda: server.requests and (data or not given.data.startswith(b"HTTP/1.1 200"))
        )
        await feed.aclose()
        await task
        await until(lambda: server.open == 0)

    assert len(run(test, given).requests) == 1


@pytest.mark.parametrize(
    "given",
    [stream(ONE, hold=True), Answer(b"", hold=True), answer(503, Retry_After="60")],
    ids=["event", "answer", "return"],
)
def test_cancelling_the_reader_closes_the_connection(given: Answer) -> None:
    async def test(server: Scripted, client: AsyncClient[Any, Any]) -> None:
        data: list[Any] = []
        task = asyncio.create_task(collect(client.sse.feed(), data))
        await until(
            lambda: server.requests and (data or not given.data.startswith(b"HTTP/1.1 200"))
        )
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: server.open == 0)

    run(test, given)


def test_closing_the_client_ends_its_streams() -> None:
    async def test(server: Scripted, client: AsyncClient[Any, Any]) -> None:
        data: list[Any] = []
        feeds = [client.sse.feed() for _ in range(120)]
        tasks = [asyncio.create_task(collect(feed, data)) for feed in feeds]
        await until(lambda: len(data) == len(feeds))
        await client.aclose()
        await asyncio.gather(*tasks)

    run(test, stream(ONE, hold=True))


def test_a_reader_may_close_its_stream_and_leave_the_loop() -> None:
    async def test(server: Scripted, client: AsyncClient[Any, Any]) -> None:
        data: list[Any] = []
        async with client.sse.feed() as feed:
            assert len(server.requests) == 1
            async for event in feed:
                data.append(event.data)
                await feed.aclose()
        assert data == [1]
        assert [event async for event in feed] == []

    assert len(run(test, stream(ONE + "id: 2\ndata: 2\n\n", hold=True)).requests) == 1

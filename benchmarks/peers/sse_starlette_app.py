"""sse-starlette: a queue for each client, read by an asynchronous generator."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from workload import HEARTBEAT, item, message, seconds_until

NEVER = 3600

clients: set[asyncio.Queue[str]] = set()


async def follow() -> AsyncIterator[dict[str, Any]]:
    mine: asyncio.Queue[str] = asyncio.Queue()
    clients.add(mine)
    try:
        while True:
            yield {"data": await mine.get()}
    finally:
        clients.discard(mine)


async def events(request: Request) -> EventSourceResponse:
    return EventSourceResponse(follow(), ping=int(HEARTBEAT) or NEVER, sep="\n")


async def publish(request: Request) -> JSONResponse:
    count, rate = int(request.query_params["count"]), float(request.query_params.get("rate", 0))
    begun = time.monotonic()
    for number in range(count):
        await asyncio.sleep(seconds_until(begun, number, rate) if rate else 0)
        text = json.dumps(message(number))
        for client in clients:
            client.put_nowait(text)
    return JSONResponse(count)


async def items(count: int) -> AsyncIterator[dict[str, Any]]:
    for number in range(count):
        yield {"data": json.dumps(item(number))}


async def stream(request: Request) -> EventSourceResponse:
    return EventSourceResponse(items(int(request.query_params["count"])), sep="\n")


async def subscribers(request: Request) -> JSONResponse:
    return JSONResponse({"subscribers": len(clients)})


async def plain(request: Request) -> JSONResponse:
    return JSONResponse({"hello": "world"})


app = Starlette(
    routes=[
        Route("/events", events),
        Route("/publish", publish),
        Route("/stream", stream),
        Route("/subscribers", subscribers),
        Route("/json", plain),
    ]
)

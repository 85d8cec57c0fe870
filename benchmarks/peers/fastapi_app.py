"""FastAPI with its own event streams: a queue for each client, read by the path operation."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import fastapi.routing
from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent
from workload import HEARTBEAT, item, message, seconds_until

NEVER = 3600.0

# There is no setting for it.
fastapi.routing._PING_INTERVAL = HEARTBEAT or NEVER

app = FastAPI()
clients: set[asyncio.Queue[ServerSentEvent]] = set()


@app.get("/events", response_class=EventSourceResponse)
async def events() -> AsyncIterator[ServerSentEvent]:
    mine: asyncio.Queue[ServerSentEvent] = asyncio.Queue()
    clients.add(mine)
    try:
        yield ServerSentEvent(comment="open")
        while True:
            yield await mine.get()
    finally:
        clients.discard(mine)


@app.get("/publish")
async def publish(count: int, rate: float = 0) -> int:
    begun = time.monotonic()
    for number in range(count):
        await asyncio.sleep(seconds_until(begun, number, rate) if rate else 0)
        event = ServerSentEvent(raw_data=json.dumps(message(number)))
        for client in clients:
            client.put_nowait(event)
    return count


@app.get("/stream", response_class=EventSourceResponse)
async def stream(count: int) -> AsyncIterator[dict[str, Any]]:
    for number in range(count):
        yield item(number)


@app.get("/subscribers")
async def subscribers() -> dict[str, int]:
    return {"subscribers": len(clients)}


@app.get("/json")
async def plain() -> dict[str, str]:
    return {"hello": "world"}

"""Both Python clients behind one function, so that a test of a rule holds for either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask_sse_routes.client import RouteError, RouteRow, StreamEvent, connect, connect_async

ROUTES: dict[str, RouteRow] = {
    "feed": RouteRow(method="GET", path="/feed", variables=[], body=False, streams=True),
    "job": RouteRow(method="POST", path="/job", variables=[], body=True, streams=True),
    "hello": RouteRow(method="GET", path="/hello", variables=[], body=False, streams=False),
    "save": RouteRow(method="POST", path="/save", variables=[], body=True, streams=False),
}


@dataclass
class Story:
    """What a reader has got: events, and how it ended."""

    events: list[StreamEvent[str, Any]] = field(default_factory=list)
    told: list[RouteError] = field(default_factory=list)
    error: Exception | None = None
    result: Any = None
    last_event_id: str = ""

    @property
    def data(self) -> list[Any]:
        return [event.data for event in self.events]

    @property
    def failure(self) -> RouteError:
        assert isinstance(self.error, RouteError), self.error
        return self.error


Reader = Callable[..., Story]


def read_blocking(
    url: str, name: str = "feed", *, most: int = 1000, after: str = "", **options: Any
) -> Story:
    """Read a stream up to its end, its error, or `most` events."""
    story = Story()
    with connect(url, routes=ROUTES, on_error=story.told.append, **options) as client:
        stream = getattr(client.sse, name)().after(after)
        try:
            for event in stream:
                story.events.append(event)
                if len(story.events) == most:
                    break
        except Exception as error:
            story.error = error
        story.result, story.last_event_id = stream.result, stream.last_event_id
    return story


def read_async(url: str, *arguments: Any, **options: Any) -> Story:
    """Do the same by asyncio."""
    return asyncio.run(asyncio.wait_for(_read_async(url, *arguments, **options), 60))


async def _read_async(
    url: str, name: str = "feed", *, most: int = 1000, after: str = "", **options: Any
) -> Story:
    story = Story()
    told = story.told.append
    async with connect_async(url, routes=ROUTES, on_error=told, **options) as client:
        stream = getattr(client.sse, name)().after(after)
        try:
            async for event in stream:
                story.events.append(event)
                if len(story.events) == most:
                    break
        except Exception as error:
            story.error = error
        story.result, story.last_event_id = stream.result, stream.last_event_id
    return story


READERS: dict[str, Reader] = {"blocking": read_blocking, "asyncio": read_async}

"""This project, through nothing but its public interface."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

from flask import Flask
from workload import HEARTBEAT, item, message, seconds_until

from flask_sse_routes import RouteBlueprint, SSERoutes, Subscription, define_route

# More entries than any series has: a subscriber that is behind loses nothing.
HISTORY = 20_000
NEVER = 3600.0

sse = SSERoutes()


def events(channel: int = 0) -> Subscription:
    return sse.subscribe(f"bench-{channel}")


def publish(
    count: int, rate: float = 0.0, channels: int = 1, spread: bool = True, pause: bool = True
) -> int:
    """Publish a series on each channel: spread over its time or at once, or without a rate."""
    begun = time.monotonic()
    for number in range(count):
        for channel in range(channels):
            if rate:
                wait_for(begun, number + spread * channel / channels, rate)
            sse.publish(f"bench-{channel}", message(number))
            if pause and not rate:
                time.sleep(0)
    return count


def wait_for(begun: float, turn: float, rate: float) -> None:
    seconds = seconds_until(begun, turn, rate)
    if seconds:
        time.sleep(seconds)


def stream(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield item(number)


routes = {
    "events": define_route(events, kind="sse"),
    "publish": define_route(publish),
    "stream": define_route(stream, kind="sse"),
    "subscribers": define_route(lambda: {"subscribers": sse.stats().streams}),
    "json": define_route(lambda: {"hello": "world"}),
}

app = Flask(__name__)
app.config["SSE_BROKER_URL"] = os.environ["BROKER"]
app.config["SSE_HISTORY"] = HISTORY
app.config["SSE_HEARTBEAT"] = HEARTBEAT or NEVER
sse.init_app(app)
app.register_blueprint(RouteBlueprint("bench", __name__, routes))

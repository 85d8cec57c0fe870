"""The uses that the project names, each as short as a reader would first meet it."""

from __future__ import annotations

import os
import random
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from flask import Flask

from flask_sse_routes import Context, Event, RouteBlueprint, SSERoutes, Subscription, define_route

LOG = Path(os.environ.get("TUTORIAL_LOG", "server.log"))
sse = SSERoutes()
score = {"home": 0, "away": 0}


# Live notifications: any worker publishes, every open page is told.
def notifications() -> Subscription:
    return sse.subscribe("notifications")


def notify(text: str) -> str:
    return sse.publish("notifications", {"text": text})


# Stock prices: a generator that runs for as long as somebody looks.
def stocks(ctx: Context, symbol: str = "ACME") -> Iterator[dict[str, Any]]:
    price = 100.0
    while True:
        yield {"symbol": symbol, "price": round(price, 2)}
        price *= random.uniform(0.99, 1.01)
        ctx.sleep(0.1)


# A server's log: the id is the place in the file, so that a client goes on where it was.
def log(ctx: Context) -> Iterator[Event]:
    seen = ctx.last_event_id or ""
    with LOG.open("rb") as file:
        file.seek(int(seen) if seen.isdecimal() else 0)
        while True:
            if line := file.readline():
                yield Event(raw=line.decode().rstrip(), id=str(file.tell()))
            else:
                ctx.sleep(0.1)


# Progress of a long task: what it returns arrives as the event `end`, and nobody runs it again.
runs: list[int] = []


def work(ctx: Context, steps: int = 3) -> Generator[Event, None, dict[str, int]]:
    runs.append(steps)
    for step in range(steps):
        ctx.sleep(0.05)
        yield Event({"percent": 100 * (step + 1) // steps}, event="progress")
    return {"steps": steps}


# Sports scores: first how it stands, then every goal.
def scores() -> Subscription:
    return sse.subscribe("goals", snapshot=lambda: score)


def goal(team: str) -> dict[str, int]:
    score[team] += 1
    sse.publish("goals", {"team": team, **score}, event="goal")
    return score


# A dashboard: several channels on one connection.
def dashboard() -> Subscription:
    return sse.subscribe("notifications", "goals")


routes = {
    "notifications": define_route(notifications, kind="sse"),
    "notify": define_route(notify, method="POST"),
    "stocks": define_route(stocks, kind="sse"),
    "log": define_route(log, kind="sse"),
    "work": define_route(work, kind="sse"),
    "scores": define_route(scores, kind="sse"),
    "goal": define_route(goal, method="POST"),
    "dashboard": define_route(dashboard, kind="sse"),
    "runs": define_route(lambda: runs),
}

app = Flask(__name__)
sse.init_app(app)
app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
app.add_url_rule("/", "index", lambda: "<!doctype html><title>Tutorial</title>")

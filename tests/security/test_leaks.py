"""Two users with fifty channels each: whatever one joins and replays, it is none of the other's."""

from __future__ import annotations

import json
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask, Request, abort

from flask_sse_routes import (
    Context,
    RouteBlueprint,
    SSERoutes,
    Subscription,
    define_hook,
    define_route,
)
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.testing import sse_client

USERS = ("ann", "bob")
CHANNELS = 50
JOINS = 40
# Of each user, at the same time.
TABS = 4
KEY = "X-User"


class Site:
    """An app in which each user follows channels of their own, the names of which are alike."""

    def __init__(self, url: str) -> None:
        self.sse = SSERoutes(identify=lambda request: request.headers[KEY])
        self.app = Flask("site")
        self.app.config.update(SSE_BROKER_URL=url, SSE_HISTORY=20)
        self.sse.init_app(self.app)
        routes = {
            "by_subscription": define_route(self.follow, kind="sse"),
            "by_listening": define_route(self.listen, kind="sse"),
        }
        self.app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
        self.ids: list[str] = []

    def names(self, ctx: Context, numbers: list[int]) -> list[str]:
        return [f"{ctx.user}-{number}" for number in numbers]

    def follow(self, ctx: Context, number: list[int]) -> Subscription:
        return self.sse.subscribe(*self.names(ctx, number))

    def listen(self, ctx: Context, number: list[int]) -> Any:
        return self.sse.listen(*self.names(ctx, number))

    def publish(self, chance: random.Random) -> None:
        user, number = chance.choice(USERS), chance.randrange(CHANNELS)
        data = {"user": user, "number": number}
        self.ids.append(self.sse.publish(f"{user}-{number}", data))


@pytest.mark.parametrize("broker", ["memory", "sqlite"])
def test_nobody_sees_an_event_of_another(broker: str, tmp_path: Any) -> None:
    site = Site("memory://" if broker == "memory" else f"sqlite:///{tmp_path}/events.db")
    over = threading.Event()
    chance = random.Random(7)

    def publisher() -> None:
        own = random.Random(11)
        while not over.wait(0.001):
            site.publish(own)

    for _ in range(200):
        site.publish(chance)
    thread = threading.Thread(target=publisher)
    thread.start()
    try:
        with ThreadPoolExecutor(TABS * len(USERS)) as pool:
            tabs = [
                pool.submit(join_and_leave, site, user, tab)
                for user in USERS * TABS
                for tab in [chance.randrange(1000)]
            ]
            seen = [tab.result() for tab in tabs]
    finally:
        over.set()
        thread.join()
        runtime_of(site.app).channels.close()
    assert min(seen) > JOINS / 2


def join_and_leave(site: Site, user: str, seed: int) -> int:
    """Join channels, from positions that were handed out to anybody; return how much was seen."""
    chance, seen = random.Random(seed), 0
    for turn in range(JOINS):
        numbers = chance.sample(range(CHANNELS), chance.randint(1, CHANNELS))
        after = chance.choice([None, chance.choice(site.ids), site.ids[-30]])
        path = "/api/by_listening" if turn % 3 == 0 else "/api/by_subscription"
        stream = sse_client(site.app).open(
            path, query_string={"number": numbers}, headers={KEY: user}, last_event_id=after
        )
        with stream:
            site.publish(chance)
            for _ in range(chance.randint(1, 6)):
                if after is None and chance.random() < 0.5:
                    break
                event = next(iter(stream))
                if event.event in ("ready", "reset"):
                    continue
                data = json.loads(event.data) if isinstance(event.data, str) else event.data
                assert data["user"] == user
                assert data["number"] in numbers
                seen += 1
    return seen


def test_who_may_follow_what_is_the_apps_to_say(make_app: Any) -> None:
    """A name that a client sends is no name of a channel, unless a handler makes it one."""

    def only_own(ctx: Context) -> None:
        if ctx.input.user != ctx.user:
            abort(403)

    sse = SSERoutes(identify=who)
    app = Flask("site")
    sse.init_app(app)
    follow = define_route(
        lambda user: sse.subscribe(f"user-{user}"), kind="sse", hooks=[define_hook(before=only_own)]
    )
    app.register_blueprint(RouteBlueprint("api", __name__, {"it": follow}, url_prefix="/api"))
    client = app.test_client()
    for other in ("bob", "ann/../bob", "ann\n", "*"):
        answer = client.get("/api/it", query_string={"user": other}, headers={KEY: "ann"})
        assert answer.status_code == 403
    runtime_of(app).channels.close()


def who(request: Request) -> str | None:
    return request.headers.get(KEY)

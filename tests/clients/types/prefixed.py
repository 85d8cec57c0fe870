"""Calls with variables of prefixes; in the ignored lines what mypy must refuse."""

from __future__ import annotations

import json
import sys

from prefixed_api import connect


def refused() -> None:
    api.rooms.where()  # type: ignore[call-arg]
    api.rooms.count(room="a", n=2)  # type: ignore[call-arg]
    api.rooms.count(org_id="5", room="a")  # type: ignore[arg-type]
    api.rooms.pay(number="1")  # type: ignore[call-overload]
    api.rooms.item(org_id=5, room="a")  # type: ignore[call-arg]
    api.rooms.item(org_id=5, room="a", item=None)  # type: ignore[arg-type]
    api.share(org_id=5, room="a", word="a")  # type: ignore[call-arg]
    sse.rooms.ticks(n=1)  # type: ignore[call-arg]
    api.search(limit=None)  # type: ignore[arg-type]
    api.search(numbers=[1, None])  # type: ignore[list-item]
    api.search(point={"x": 1})  # type: ignore[call-arg]
    api.search(grid=[[1]])  # type: ignore[call-arg]


client = connect(sys.argv[1])
api, sse = client.api, client.sse
sys.stdout.write(
    json.dumps(
        {
            "where": api.rooms.where(org_id=5, room="a b"),
            "count": api.rooms.count(org_id=5, room="a b", n=3),
            "pay": api.rooms.pay(org_id=5, room="a b", amount=2),
            "share": api.rooms.share(org_id=5, room="a b", word="a"),
            "unshared": api.share(word="a"),
            "tags": api.rooms.tags(org_id=5, room="a b", a=1),
            "whatever": api.rooms.whatever(org_id=5, room="a b", b=[1]),
            "item": api.rooms.item(org_id=5, room="a b", item=3),
            "search": api.search(limit=2, color=None, words=[], numbers=[1]),
            "ticks": [event.data for event in sse.rooms.ticks(org_id=5, room="a b", n=2)],
        }
    )
)
client.close()

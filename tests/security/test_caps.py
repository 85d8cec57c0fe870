"""The number of streams is limited per client and in all, and places come back after an abort."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from e2e.client import Stream
from e2e.servers import Server
from e2e.waiting import wait_for

PER_CLIENT, IN_ALL = 3, 5
LIMITS = {"FLASK_SSE_MAX_STREAMS_PER_CLIENT": PER_CLIENT, "FLASK_SSE_MAX_STREAMS": IN_ALL}
EVENT_SOURCE = {"Accept": "text/event-stream"}


def open_as(server: Server, user: str | None, route: str, key: str) -> Stream:
    named = {} if user is None else {"X-User": user}
    options = {"channel": "news"} if route == "follow" else {}
    stream = server.open(route, key, headers={**EVENT_SOURCE, **named}, **options)
    assert stream.status == 200
    return stream


def is_let_in(stream: Stream) -> bool:
    if "sse-refused" in stream.headers:
        assert stream.headers["sse-refused"] == "capacity"
        stream.read_to_end()
        assert not stream.events
        return False
    stream.next()
    return True


@pytest.mark.parametrize("kind", ["gthread", "sseworker"])
def test_places_come_back_from_clients_that_cut(
    launch: Callable[..., Server], key: str, kind: str
) -> None:
    """By the portable transport, and by the one that takes streams off the server's hands."""
    server = launch(kind, settings=LIMITS)
    for turn, route in enumerate(("ticker", "follow", "ticker")):
        mine = [open_as(server, "ann", route, f"{key}{turn}{n}") for n in range(PER_CLIENT + 2)]
        assert [is_let_in(each) for each in mine] == [True] * PER_CLIENT + [False] * 2
        theirs = [open_as(server, None, route, f"{key}{turn}x{n}") for n in range(PER_CLIENT)]
        room = IN_ALL - PER_CLIENT
        assert [is_let_in(each) for each in theirs] == [True] * room + [False]
        wait_for(lambda: server.stats()["streams"] == IN_ALL, "all places are taken")
        # Some cut the connection, others close it.
        for number, each in enumerate([*mine[:PER_CLIENT], *theirs[:room]]):
            each.reset() if number % 2 else each.close()
        wait_for(lambda: server.stats()["streams"] == 0, "all places are free", 5)
    assert server.stats()["refused"] == 9
    server.settle()

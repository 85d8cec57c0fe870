"""A broker that begins anew under streams in one group: each is told once, and goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from brokers.redis_server import RedisServer

from .crowd import Crowd
from .servers import Server
from .waiting import wait_for

COUNT = 100
Flush = Callable[[], object]


@pytest.fixture(params=["redis", "sqlite"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Flush]]:
    """The URL of a broker, and what makes it lose everything."""
    if request.param == "sqlite":
        path = tmp_path / "events.db"
        yield f"sqlite:///{path}", path.unlink
        return
    server = RedisServer(tmp_path)
    yield server.url, lambda: server.command("FLUSHALL")
    server.kill()


def test_everybody_is_told_once(
    launch: Callable[..., Server],
    crowd: Callable[[Server], Crowd],
    broker: tuple[str, Flush],
    key: str,
) -> None:
    url, lose_everything = broker
    server = launch("sseworker", settings={"FLASK_SSE_BROKER_URL": url})
    people = crowd(server)
    members = people.join(COUNT, "follow", channel=["a"])
    pairs = people.join(COUNT // 4, "follow", channel=["a", "b"])
    before = server.publish("a", "before", 3)
    people.wait(lambda: all(m.ids == before for m in members + pairs), "all have got it")

    lose_everything()
    people.wait(lambda: all("reset" in m.names for m in members + pairs), "all are told", 20)
    wait_for(lambda: epoch_of(server.publish("a", "soon after")[0]) != epoch_of(before[0]), "anew")
    after = server.publish("a", "after", 3)
    people.wait(lambda: all(m.ids[-1:] == after[-1:] for m in members + pairs), "all go on")
    for member in members + pairs:
        assert member.names.count("reset") == 1
        at = member.names.index("reset")
        assert member.names[:at] == ["ready"] + ["message"] * 3
        assert member.visits[0].events[at].json == {"reason": "epoch"}
        ids = [str(a.event.id) for a in member.events[at:]]
        assert len(set(ids)) == len(ids)
        assert set(map(epoch_of, ids)) == {epoch_of(after[0])}
        assert ids[-3:] == after
        assert len(member.visits) == 1
    assert server.stats()["resets"] == COUNT + COUNT // 4


def epoch_of(id_: str) -> str:
    return id_.split("-")[0]

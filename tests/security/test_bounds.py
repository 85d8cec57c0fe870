"""What a client or a publisher can make large has a bound: at it, one beyond, a hundredfold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_sse_routes import Event, EventError, RouteBlueprint, SSERoutes, define_route, rings
from flask_sse_routes.brokers.sqlite import TRIM_EVERY
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.rings import Ring
from flask_sse_routes.subscriptions import MAX_CHANNELS
from flask_sse_routes.testing import sse_client

FACTORS = [(1, 0), (1, 1), (100, 0)]


def sizes(limit: int) -> list[int]:
    return [limit * factor + more for factor, more in FACTORS]


@pytest.fixture
def make_sse() -> Any:
    made: list[Flask] = []

    def make(routes: Any = None, **config: Any) -> SSERoutes:
        app = Flask("application")
        app.config.update(config)
        sse = SSERoutes(app)
        app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
        made.append(app)
        return sse

    make.apps = made  # type: ignore[attr-defined]  # for who asks the app itself
    yield make
    for app in made:
        runtime_of(app).channels.close()


# What may be kept beyond the limit: a file is trimmed by the batch, in the background of what
# appends, and Redis by the node, which has a hundred entries.
BATCHES = {"memory": 0, "sqlite": TRIM_EVERY, "redis": 100}


@pytest.fixture(params=BATCHES)
def stored(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, int]:
    """The URL of a broker, and its batch."""
    name: str = request.param
    if name == "redis":
        url = request.getfixturevalue("redis_server").url
    else:
        url = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/log.db"}[name]
    return url, BATCHES[name]


def test_history_of_a_channel(make_sse: Any, eventually: Any, stored: tuple[str, int]) -> None:
    url, batch = stored
    limit = 10
    sse = make_sse(SSE_HISTORY=limit, SSE_BROKER_URL=url)
    for size in sizes(limit):
        for number in range(size):
            sse.publish(f"c{size}", number)
        eventually(lambda name=f"c{size}": len(sse.history(name, limit=1000)) <= limit + batch)
        kept = sse.history(f"c{size}", limit=1000)
        assert len(kept) >= min(size, limit)
        assert [each.data for each in kept] == list(range(size - len(kept), size))


@pytest.mark.parametrize("size", sizes(rings.RING_ENTRIES))
def test_ring_of_a_channel(size: int) -> None:
    ring = Ring(0)
    for seq in range(1, size + 1):
        ring.add(seq, b"x")
    assert len(ring.frames) <= rings.RING_ENTRIES
    assert ring.seqs == list(range(ring.since + 1, size + 1))
    assert len(ring.frames) >= min(size, rings.RING_ENTRIES // 2)


@pytest.mark.parametrize("size", sizes(rings.RING_BYTES))
def test_bytes_of_a_ring(size: int) -> None:
    ring, frame = Ring(0), b"x" * 65_536
    for seq in range(1, size // len(frame) + 2):
        ring.add(seq, frame)
    assert ring.size <= rings.RING_BYTES
    assert ring.size == sum(map(len, ring.frames))


@pytest.mark.parametrize("size", sizes(100))
def test_size_of_an_event(make_sse: Any, size: int) -> None:
    def one() -> Any:
        yield Event(raw="x" * size)

    sse = make_sse({"one": define_route(one, kind="sse")}, SSE_MAX_EVENT_BYTES=100)
    fits = size <= 100
    if fits:
        sse.publish("c", "x" * (size - 2))
    else:
        with pytest.raises(EventError, match=f"An event of {size} bytes is larger"):
            sse.publish("c", "x" * (size - 2))
    (app,) = make_sse.apps
    status = app.test_client().get("/api/one").status_code
    assert status == (200 if fits else 500)


@pytest.mark.parametrize("count", sizes(MAX_CHANNELS))
@pytest.mark.parametrize("how", ["subscribe", "listen"])
def test_channels_of_one_stream(make_sse: Any, count: int, how: str) -> None:
    def follow() -> Any:
        return getattr(sse, how)(*(f"c{number}" for number in range(count)))

    sse = make_sse({"it": define_route(follow, kind="sse")})
    (app,) = make_sse.apps
    if count > MAX_CHANNELS:
        with pytest.raises(ValueError, match=f"at most {MAX_CHANNELS} channels"):
            follow()
        assert app.test_client().get("/api/it").status_code == 500
        return
    with sse_client(app).open("/api/it") as stream:
        assert next(iter(stream)).event == "ready"

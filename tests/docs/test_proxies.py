"""Behind the proxies of the guides: nothing is held back, and nothing is lost on the way.

An event is published when the client has the one before it, so a proxy that holds events back
fails the test, however fast or slow the machine is.
"""

from __future__ import annotations

import signal
import time
import uuid
import zlib
from collections.abc import Callable, Iterator

import pytest
from e2e.servers import Server

from .flavours import FLAVOURS, Flavour, running
from .proxies import Proxy

GetServer = Callable[[str], Server]
GetProxy = Callable[..., Proxy]
# Too rare to help with anything: what is noticed, the proxy has passed on.
QUIET = {"FLASK_SSE_HEARTBEAT": 60}
KINDS = {
    "sseworker": ("sseworker", QUIET),
    "gthread": ("gthread", QUIET),
    "beating": ("sseworker", {"FLASK_SSE_HEARTBEAT": 0.3}),
}


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GetServer]:
    """Start each kind of server once."""
    started: dict[str, Server] = {}

    def get(name: str) -> Server:
        if name not in started:
            kind, settings = KINDS[name]
            started[name] = Server(kind, tmp_path_factory.mktemp(name), settings=settings)
        return started[name]

    yield get
    for server in started.values():
        server.kill()
    for server in started.values():
        server.check()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GetProxy]:
    with running(lambda: tmp_path_factory.mktemp("proxy")) as get:
        yield get


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    return FLAVOURS[request.param]


@pytest.fixture
def key() -> str:
    """What the journal files this test's requests under."""
    return uuid.uuid4().hex


@pytest.mark.parametrize("kind", ["sseworker", "gthread"])
def test_events_arrive_one_by_one(
    serve: GetServer, proxy: GetProxy, flavour: Flavour, key: str, kind: str
) -> None:
    server = serve(kind)
    stream = proxy(flavour, server.port).open(f"/api/follow?channel={key}&key={key}")
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["cache-control"] == "no-store, no-transform"
    assert stream.next().event.event == "ready"
    for n in range(5):
        (id_,) = server.publish(key, {"n": n})
        arrival = stream.next()
        assert arrival.json == {"n": n}
        assert arrival.event.id == id_


@pytest.mark.parametrize(
    "flavour", [f for f in FLAVOURS.values() if not f.compresses_streams], ids=lambda f: f.title
)
def test_streams_are_not_compressed(
    serve: GetServer, proxy: GetProxy, flavour: Flavour, key: str
) -> None:
    server = serve("sseworker")
    front = proxy(flavour, server.port)
    stream = front.open(f"/api/follow?channel={key}", headers={"Accept-Encoding": "gzip, zstd"})
    assert "content-encoding" not in stream.headers
    stream.next()
    for n in range(3):
        server.publish(key, n)
        assert stream.next().json == n


def test_compressed_streams_arrive_one_by_one(serve: GetServer, proxy: GetProxy, key: str) -> None:
    """nginx told to compress everything does, and flushes after each event."""
    server = serve("sseworker")
    front = proxy(FLAVOURS["nginx-gzip"], server.port)
    unpack = zlib.decompressobj(wbits=31)
    with front.ask(f"/api/follow?channel={key}", {"Accept-Encoding": "gzip"}) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        text = unpack.decompress(response.read1())
        while b"event: ready" not in text:
            text += unpack.decompress(response.read1())
        for n in range(3):
            server.publish(key, {"n": n})
            while f'{{"n":{n}}}'.encode() not in text:
                text += unpack.decompress(response.read1())


def test_http_routes_are_compressed(serve: GetServer, proxy: GetProxy, flavour: Flavour) -> None:
    front = proxy(flavour, serve("sseworker").port)
    with front.ask("/api/large", {"Accept-Encoding": "gzip"}) as response:
        assert response.status == 200
        compressed = response.headers["Content-Encoding"] == "gzip"
    assert compressed == flavour.compresses


@pytest.mark.parametrize("kind", ["sseworker", "gthread"])
def test_disconnects_reach_the_handler(
    serve: GetServer, proxy: GetProxy, flavour: Flavour, key: str, kind: str
) -> None:
    server = serve(kind)
    front = proxy(flavour, server.port)
    stream = front.open(f"/api/sleeper?key={key}&how=ctx&seconds=60")
    stream.next()
    stream.close()
    left = time.monotonic()
    assert server.journal.outcome(key) == "disconnected"
    assert server.journal.wait(key, "finally").at < left + 3


def test_heartbeats_pass(serve: GetServer, proxy: GetProxy, flavour: Flavour, key: str) -> None:
    front = proxy(flavour, serve("beating").port)
    stream = front.open(f"/api/sleeper?key={key}&how=time&seconds=60&first=false")
    stream.beat(1)
    stream.beat(1)
    assert not stream.events
    stream.close()


def test_last_event_id_passes(
    serve: GetServer, proxy: GetProxy, flavour: Flavour, key: str
) -> None:
    server = serve("sseworker")
    front = proxy(flavour, server.port)
    before = front.open(f"/api/follow?channel={key}")
    before.next()
    before.close()
    ids = server.publish(key, count=3)
    after = front.open(
        f"/api/follow?channel={key}", headers={"Last-Event-ID": before.last_event_id}
    )
    assert [after.next().event.id for _ in ids] == ids
    assert "ready" not in after.names


def test_streams_of_a_post_and_their_end(
    serve: GetServer, proxy: GetProxy, flavour: Flavour, key: str
) -> None:
    server = serve("sseworker")
    front = proxy(flavour, server.port)
    body = {"count": 3, "every": 0.01}
    stream = front.open(f"/api/job?key={key}", method="POST", body=body)
    stream.read_to_end()
    assert [arrival.json["n"] for arrival in stream.events[:-1]] == [0, 1, 2]
    assert stream.names[-1] == "end"
    assert stream.complete
    assert server.journal.outcome(key) == "completed"


def test_reload_of_the_server_truncates_nothing(
    tmp_path_factory: pytest.TempPathFactory, proxy: GetProxy, key: str
) -> None:
    """Each stream is whole, says when to come back, and goes on at a fresh worker."""
    server = Server("sseworker", tmp_path_factory.mktemp("reloaded"), settings=QUIET)
    try:
        old = server.worker()
        fronts = [proxy(flavour, server.port) for flavour in FLAVOURS.values()]
        streams = [front.open(f"/api/ticker?key={key}&every=0.05") for front in fronts]
        for stream in streams:
            stream.next()
        server.signal(signal.SIGHUP)
        for front, stream in zip(fronts, streams, strict=True):
            stream.read_to_end()
            assert stream.complete, f"{front.kind} cut its response off. {stream}"
            assert "end" not in stream.names
            assert 500 <= stream.retries[-1] <= 3000
            again = front.open(
                f"/api/ticker?key={key}", headers={"Last-Event-ID": stream.last_event_id}
            )
            assert again.next().json["n"] == stream.events[-1].json["n"] + 1
            again.close()
        assert server.worker() != old
    finally:
        server.kill()

"""Flask-Compress and Flask-CORS, active for event streams too, leave them as they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .client import typical_delay
from .servers import Server

ORIGIN = "https://elsewhere.example"


@pytest.mark.parametrize("kind", ["flask", "gevent", "sseworker"])
def test_streams_stay_streams(launch: Callable[..., Server], key: str, kind: str) -> None:
    server = launch(kind, environment={"E2E_EXTENSIONS": "yes"})
    asked = {"Accept-Encoding": "gzip, br", "Origin": ORIGIN}
    _, headers, _ = server.ask("/api/large", **asked)
    assert headers["Content-Encoding"] in ("gzip", "br"), "Flask-Compress is not active"

    every = 0.2
    stream = server.open("ticker", key, every=every, count=5, headers=asked)
    stream.read_to_end()
    assert "content-encoding" not in stream.headers
    assert stream.headers["access-control-allow-origin"] == ORIGIN
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    ticks = stream.events[:-1]
    assert [a.json["n"] for a in ticks] == list(range(5))
    assert typical_delay(ticks) < every / 4
    assert stream.names[-1] == "end"
    assert server.journal.outcome(key) == "completed"

    left = server.open("sleeper", f"{key}-left", how="ctx", headers=asked)
    left.next()
    left.close()
    assert server.journal.outcome(f"{key}-left", 1) == "disconnected"
    server.settle()

"""SSEWorker takes streams over from gunicorn; what it cannot take over is served all the same."""

from __future__ import annotations

import http.client
import re
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .crowd import Crowd
from .servers import Server
from .waiting import wait_for

OFFLOADING = pytest.mark.parametrize("server", ["sseworker"], indirect=True)
Gather = Callable[[Server], Crowd]
Launch = Callable[..., Server]


def body_of(server: Server, target: str) -> bytes:
    """Return a finite stream's body, but for the reconnection time, which is random."""
    status, _, body = server.ask(target)
    assert status == 200
    return re.sub(rb"retry: \d+", b"retry: ?", body)


def check_taken_over(server: Server, stream: Any, taken: bool) -> None:
    """Tell by the head, and by what the worker says of itself, who sends a stream."""
    wait_for(lambda: server.stats()["streams"] == 1, "it is the only stream")
    assert server.census()["offloaded"] == int(taken)
    assert ("transfer-encoding" in stream.headers) is not taken
    assert (stream.headers["connection"] == "close") is taken


@pytest.mark.parametrize(
    ("server", "offloaded", "greenlets"),
    [("sseworker", 210, 0), ("gevent", 0, 200)],
    indirect=["server"],
)
def test_subscribers_without_a_greenlet(
    server: Server, crowd: Gather, key: str, offloaded: int, greenlets: int
) -> None:
    """On gunicorn's own worker each subscriber has one."""
    people = crowd(server)
    people.join(10, "follow", channel=key)
    before = server.census()
    members = people.join(200, "follow", channel=key)
    server.publish(key, "to all")
    people.wait(lambda: all(m.ids for m in members), "all have got it")
    after = server.census()
    assert after["offloaded"] == offloaded
    assert abs(after["greenlets"] - before["greenlets"] - greenlets) <= 3
    assert after["threads"] == before["threads"]
    people.leave()
    wait_for(lambda: not server.stats()["streams"], "all have left")
    wait_for(lambda: server.census()["greenlets"] < before["greenlets"] + 3, "no greenlet stays")
    # Before there were ten connections already, which have left, too.
    wait_for(lambda: server.census()["descriptors"] < before["descriptors"] - 5, "nor any socket")


@OFFLOADING
def test_handlers_with_one_greenlet_each(server: Server, crowd: Gather, key: str) -> None:
    people = crowd(server)
    people.join(2, "sleeper", key=f"{key}-first", how="ctx")
    before = server.census()
    people.join(30, "sleeper", key=key, how="ctx")
    after = server.census()
    assert after["offloaded"] == 32
    assert 0 <= after["greenlets"] - before["greenlets"] - 30 <= 3


@OFFLOADING
@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("wish", [{}, {"Connection": "keep-alive"}, {"Connection": "close"}])
def test_connection_is_the_streams_own(
    server: Server, key: str, version: str, wish: dict[str, str]
) -> None:
    stream = server.open("follow", key, channel=key, version=version, headers=wish)
    assert stream.status == 200
    assert "content-length" not in stream.headers
    check_taken_over(server, stream, taken=True)
    assert stream.next().event.event == "ready"
    (id_,) = server.publish(key, {"n": 1})
    arrival = stream.next()
    assert (arrival.event.id, arrival.json) == (id_, {"n": 1})

    finite = server.open("finite", f"{key}-finite", version=version, headers=wish)
    finite.read_to_end()
    assert finite.names == ["message"] * 3 + ["end"]
    assert finite.complete
    assert server.journal.outcome(f"{key}-finite") == "completed"


@OFFLOADING
def test_client_that_goes_on_talking(server: Server, key: str) -> None:
    """What it sends is not read; yet the end of its stream reaches it whole."""
    stream = server.open("ticker", key, every=0.1, count=5)
    stream.say(b"GET /api/ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
    stream.read_to_end()
    assert stream.names == ["message"] * 5 + ["end"]
    assert stream.complete


@OFFLOADING
def test_head_requests_leave_the_connection(server: Server, key: str) -> None:
    connection = http.client.HTTPConnection(*server.address, timeout=10)
    for _ in range(3):
        connection.request("HEAD", f"/api/ticker?key={key}")
        response = connection.getresponse()
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.read() == b""
    connection.request("GET", "/api/census")
    assert b'"offloaded":0' in connection.getresponse().read().replace(b" ", b"")
    connection.close()
    assert not server.journal.entries(key, "opened")


def test_middleware_that_adds_headers(launch: Launch, key: str) -> None:
    server = launch("sseworker", environment={"E2E_MIDDLEWARE": "headers"})
    stream = server.open("follow", key, channel=key)
    assert stream.headers["x-middleware"] == "yes"
    assert stream.headers["x-after-request"] == "yes"
    assert stream.headers["set-cookie"].startswith("seen=yes")
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    check_taken_over(server, stream, taken=True)
    server.settle()


def test_middleware_that_wraps_the_body(shared: Callable[[str], Server], launch: Launch) -> None:
    check_portable(launch("sseworker", environment={"E2E_MIDDLEWARE": "wrapping"}), shared)


def test_tls(
    shared: Callable[[str], Server], launch: Launch, program: Callable[[str], str], tmp_path: Path
) -> None:
    certificate, private = tmp_path / "certificate.pem", tmp_path / "private.pem"
    command = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(private), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    trusting = ssl.create_default_context(cafile=str(certificate))
    options = ("--certfile", str(certificate), "--keyfile", str(private))
    check_portable(launch("sseworker", *options, tls=trusting), shared)


def check_portable(server: Server, shared: Callable[[str], Server]) -> None:
    """Fail unless a server that takes nothing over sends just what one sends that does."""
    fast, key = shared("sseworker"), "portable"
    for target in ("/api/samples", f"/api/finite?key={key}-finite&count=100"):
        assert body_of(server, target) == body_of(fast, target)
    stream = server.open("follow", key, channel=key)
    assert stream.status == 200
    check_taken_over(server, stream, taken=False)
    assert stream.next().event.event == "ready"
    (id_,) = server.publish(key, {"n": 1})
    assert stream.next().event.id == id_
    stream.beat(2)
    stream.close()
    assert server.journal.outcome(key) == "disconnected"
    server.settle()
    assert server.census()["offloaded"] == 0

"""What nobody has expected: the offload goes on, and whom it concerned is told."""

from __future__ import annotations

import errno
import logging
from typing import Any

import pytest

from flask_sse_routes.followers import ChannelSource
from flask_sse_routes.sockets import ClientSocket

from .sites import Site, wait_for

pytestmark = pytest.mark.gevent


@pytest.fixture(name="quiet")
def quiet() -> None:
    """Failures are logged."""


def test_a_source_that_fails_ends_its_stream(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = site.open("a"), site.open("b")
    wait_for(lambda: one.read().events and other.read().events)
    take = ChannelSource.take
    left = [RuntimeError("x")]

    def fail(self: ChannelSource) -> Any:
        if self is one.stream.source and left:
            raise left.pop()
        return take(self)

    monkeypatch.setattr(ChannelSource, "take", fail)
    with caplog.at_level(logging.ERROR, "flask_sse_routes.offload"):
        site.publish("a")
        wait_for(lambda: one.read().over)
    assert "Sending a stream failed" in caplog.text
    assert one.raw.endswith(b"event: error\ndata: 1\n\n")
    assert one.stream.outcome == "error"
    site.publish("b")
    wait_for(lambda: site.seen_all(other))


def test_a_socket_that_fails_strangely_ends_its_stream(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = site.open("a"), site.open("b")
    wait_for(lambda: one.read().events and other.read().events)
    one.wire.faults.append(RuntimeError("x"))
    site.publish("a")
    wait_for(lambda: one.read().over)
    assert "Sending a stream failed" in caplog.text
    assert one.stream.outcome == "error"
    site.publish("b")
    wait_for(lambda: site.seen_all(other))


def test_a_member_that_fails_strangely_costs_the_others_nothing(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    crowd = site.crowd(5, "a")
    one = crowd.pop(2)
    one.wire.faults.append(RuntimeError("x"))
    site.publish("a")
    wait_for(lambda: "Sending a stream failed" in caplog.text)
    site.publish("a")
    wait_for(lambda: all(len(client.read().ids) == 2 for client in crowd[:2]))
    # A hole in what one gets, without a `reset`, would show in here.
    wait_for(lambda: site.seen_all(*crowd), "those behind it")
    wait_for(lambda: one.read().over)
    assert one.raw.endswith(b"event: error\ndata: 1\n\n")
    assert one.stream.outcome == "error"


def test_a_heartbeat_that_fails_strangely_costs_the_others_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    crowd = site.crowd(4, "a", heartbeat=0.1)
    silence = ClientSocket.silence
    left = [RuntimeError("x")] * 2

    def fail(self: ClientSocket) -> float:
        if left:
            raise left.pop()
        return silence(self)

    monkeypatch.setattr(ClientSocket, "silence", fail)
    wait_for(lambda: not left and "Sending a stream failed" in caplog.text)
    beats = [client.read().heartbeats for client in crowd]
    wait_for(
        lambda: all(
            client.read().over or client.heartbeats >= count + 2
            for client, count in zip(crowd, beats, strict=True)
        ),
        "heartbeats for everybody",
    )


class Full:
    """An epoll that has no room for one more."""

    def __init__(self, epoll: Any) -> None:
        self.modify, self.poll, self.unregister = epoll.modify, epoll.poll, epoll.unregister

    def register(self, fd: int, events: int) -> None:
        raise OSError(errno.ENOSPC, "no room")


def test_a_stream_that_cannot_be_taken_over_is_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = site.open("a")
    with monkeypatch.context() as patch:
        patch.setattr(site.offload, "_epoll", Full(site.offload._epoll))
        with pytest.raises(OSError, match="no room"):
            site.open("a")
    other = site.clients[-1]
    wait_for(other.closed.is_set)
    assert other.read().over
    assert other.stream.outcome == "disconnected"
    assert len(site.offload) == 1
    site.publish("a")
    wait_for(lambda: site.seen_all(one))


def test_the_task_survives_a_hundred_failures(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("flask_sse_routes.offload"), "disabled", True)
    for _ in range(100):
        client = site.open("a")
        client.wire.faults.append(RuntimeError("x"))
        wait_for(client.closed.is_set)
    after = site.crowd(2, "a")
    site.publish("a")
    wait_for(lambda: site.seen_all(*after))

"""The ends of streams on the offload: whoever ends them, all is let go of, and nobody waits."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flask_sse_routes.followers import ChannelSource
from flask_sse_routes.sources import GeneratorSource
from flask_sse_routes.wire import Event

from .sites import Client, Site, wait_for

pytestmark = pytest.mark.gevent


class Lines:
    """An encoder that needs no route."""

    @staticmethod
    def event(value: Any) -> bytes:
        return b"data: %d\n\n" % value

    @staticmethod
    def end(value: Any) -> bytes:
        return b"event: end\ndata: null\n\n"


def generate(site: Site, iterator: Iterator[int], **options: Any) -> Client:
    """Serve a handler's generator."""

    def step(advance: Callable[[], bool], blame: Callable[[Exception], None]) -> bool:
        return advance()

    def scope(run: Callable[[], None]) -> Callable[[], None]:
        return run

    source = GeneratorSource(iterator, Lines(), name="test", step=step, scope=scope)
    return site.serve(source, **options)


def test_a_generator_is_sent_to_its_end(site: Site) -> None:
    client = generate(site, iter(range(1000)))
    wait_for(lambda: client.read().over)
    assert [event.data for event in client.events[:-1]] == [str(n) for n in range(1000)]
    assert client.events[-1].event == "end"
    wait_for(client.closed.is_set)
    assert client.stream.outcome == "completed"
    assert client.counts() == client.received()


def test_a_generator_waits_for_its_client(site: Site) -> None:
    made: list[int] = []

    def handler() -> Iterator[int]:
        for n in range(10_000):
            made.append(n)
            yield n

    client = generate(site, handler())
    wait_for(lambda: client.connection.rest is not None)
    count = len(made)
    time.sleep(0.1)
    assert len(made) - count < 200, "it fills its buffer, and waits"
    wait_for(lambda: client.read().over)
    assert [event.data for event in client.events[:-1]] == [str(n) for n in range(10_000)]
    assert client.counts() == client.received()


def test_a_handler_is_told_that_its_client_is_gone(site: Site) -> None:
    ended = threading.Event()

    def handler() -> Iterator[int]:
        try:
            yield 1
            time.sleep(3600)
        finally:
            ended.set()

    client = generate(site, handler(), heartbeat=0.1)
    wait_for(lambda: client.read().heartbeats >= 2)
    client.leave()
    assert ended.wait(5)
    wait_for(client.closed.is_set)
    assert client.stream.outcome == "disconnected"


def test_a_client_that_is_gone_before_it_is_taken_over(site: Site) -> None:
    source_of = site.open("a")
    for _ in range(20):
        client = site.open("a")
        client.leave()
        wait_for(client.closed.is_set)
        assert client.stream.outcome == "disconnected"
    assert len(site.offload) == 1
    assert source_of.stream.outcome is None


def test_a_stream_that_is_over_before_it_is_taken_over(site: Site) -> None:
    client = site.open("a")
    client.stream.close("shutdown")
    wait_for(lambda: client.read().over)
    assert client.raw.count(b"retry: ") == 2
    assert client.stream.outcome == "shutdown"


@pytest.mark.parametrize("seed", range(3))
def test_clients_that_leave_at_any_moment(site: Site, breathless: None, seed: int) -> None:
    chance = random.Random(seed)
    stays = site.crowd(2, "a", heartbeat=0.1)
    gone: list[Client] = []
    staying: list[Client] = []
    for _ in range(100):
        act = chance.random()
        if act < 0.35:
            staying.append(site.open("a", heartbeat=0.1))
        elif act < 0.6 and staying:
            client = staying.pop(chance.randrange(len(staying)))
            (client.shut if chance.random() < 0.3 else client.leave)()
            gone.append(client)
        elif act < 0.9:
            for _ in range(chance.choice([1, 5])):
                site.publish("a", chance.choice([0, 3000]))
        else:
            time.sleep(chance.choice([0, 0.002, 0.02]))
        for client in staying[::2] + stays:
            client.read()
    wait_for(lambda: all(client.closed.is_set() for client in gone))
    assert {client.stream.outcome for client in gone} == {"disconnected"}
    assert len(site.offload) == len(staying) + 2
    wait_for(lambda: site.seen_all(*stays, *staying))
    for client in [*stays, *staying]:
        assert client.names == ["ready"]
        assert client.counts()[0] == len(client.events)


@pytest.mark.parametrize("error", [ConnectionResetError, BrokenPipeError, TimeoutError])
@pytest.mark.parametrize("alone", [False, True], ids=["member", "single"])
def test_a_send_that_fails_ends_the_stream(site: Site, error: type[OSError], alone: bool) -> None:
    crowd = site.crowd(4, "a")
    one = site.open("b") if alone else crowd.pop(1)
    wait_for(lambda: one.read().events)
    one.wire.faults.append(error())
    site.publish("a")
    site.publish("b")
    wait_for(one.closed.is_set)
    assert one.stream.outcome == "disconnected"
    assert one.stream.fatal is None
    wait_for(lambda: site.seen_all(*crowd))
    assert one.read().over
    site.publish("a")
    wait_for(lambda: site.seen_all(*crowd))


def test_all_sends_of_a_group_fail(site: Site) -> None:
    crowd = site.crowd(3, "a")
    for client in crowd:
        client.wire.faults.append(ConnectionResetError())
    site.publish("a")
    wait_for(lambda: all(client.closed.is_set() for client in crowd))
    assert not site.offload._groups


def test_going_on_may_fail(site: Site) -> None:
    clients = [*site.crowd(2, "a"), site.open("b")]
    one, _, alone = clients
    site.publish("a", 30_000)
    site.publish("b", 30_000)
    wait_for(lambda: all(client.connection.rest is not None for client in clients))
    for client in (one, alone):
        client.wire.faults.append(ConnectionResetError())
        client.read()
        wait_for(client.closed.is_set)
        assert client.stream.outcome == "disconnected"
    wait_for(lambda: site.seen_all(clients[1]))


def test_going_on_may_find_the_socket_full_again(site: Site) -> None:
    client = site.open("a")
    site.publish("a", 30_000)
    wait_for(lambda: client.connection.rest is not None)
    client.wire.faults.extend([BlockingIOError()] * 3)
    wait_for(lambda: site.seen_all(client))
    assert not client.wire.faults
    assert client.counts() == client.received()


@pytest.mark.parametrize("alone", [False, True], ids=["member", "single"])
def test_who_leaves_while_it_is_held_up(site: Site, alone: bool) -> None:
    clients = [*site.crowd(3, "a"), site.open("b")]
    one = clients.pop(-1 if alone else 0)
    site.publish("a", 30_000)
    site.publish("b", 30_000)
    wait_for(lambda: one.connection.rest is not None)
    one.leave()
    wait_for(one.closed.is_set)
    assert one.stream.outcome == "disconnected"
    wait_for(lambda: site.seen_all(*clients))


def test_the_last_words_of_one_that_is_held_up_are_sent(site: Site) -> None:
    client = site.open("a")
    site.publish("a", 30_000)
    wait_for(lambda: client.connection.rest is not None)
    client.stream.fail(RuntimeError("x"))
    time.sleep(0.05)
    assert not client.closed.is_set()
    wait_for(lambda: client.read().over)
    assert client.raw.endswith(b"event: error\ndata: 1\n\n")
    wait_for(client.closed.is_set)
    assert client.stream.outcome == "error"


@pytest.mark.parametrize("end", ["leave", "close"])
def test_a_cleanup_that_waits_holds_up_nobody(site: Site, end: str) -> None:
    gate, waiting = threading.Event(), threading.Event()

    def cleanup() -> None:
        waiting.set()
        gate.wait()

    one = site.open("a", cleanup=cleanup)
    crowd = site.crowd(3, "a")
    wait_for(lambda: one.read().group)
    if end == "leave":
        one.leave()
    else:
        one.stream.close("shutdown")
    assert waiting.wait(5)
    assert len(site.offload) == 3
    for _ in range(3):
        site.publish("a")
        wait_for(lambda: site.seen_all(*crowd))
    crowd.pop().stream.close("shutdown")
    wait_for(lambda: len(site.offload) == 2)
    assert not one.closed.is_set()
    assert site.streams.stats().streams == 3
    gate.set()
    wait_for(one.closed.is_set)
    assert site.streams.stats().streams == 2


def test_a_filter_that_waits_holds_up_nobody(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    gates = {name: threading.Event() for name in ("stays", "leaves")}
    waiting = {name: threading.Event() for name in gates}
    crowd = site.crowd(2, "a")

    def filtered(name: str) -> Client:
        def where(event: Event) -> bool:
            waiting[name].set()
            return gates[name].wait()

        source = ChannelSource(site.hub, ("a",), where)
        source.open(None, None)
        return site.serve(source)

    stays, leaves = filtered("stays"), filtered("leaves")
    wait_for(lambda: stays.read().events and leaves.read().events)
    for _ in range(3):
        site.publish("a")
        wait_for(lambda: site.seen_all(*crowd))
    assert all(event.is_set() for event in waiting.values())
    leaves.leave()
    wait_for(leaves.closed.is_set)
    gates["leaves"].set()
    gates["stays"].set()
    wait_for(lambda: site.seen_all(stays, *crowd))
    assert stays.counts() == stays.received()
    assert "failed" not in caplog.text


@pytest.mark.parametrize("answer", [False, True])
def test_who_leaves_a_filter_that_waits_is_no_failure(
    site: Site, caplog: pytest.LogCaptureFixture, answer: bool
) -> None:
    gate, waiting = threading.Event(), threading.Event()

    def where(event: Event) -> bool:
        waiting.set()
        gate.wait()
        return answer

    source = ChannelSource(site.hub, ("a",), where)
    source.open(None, None)
    client = site.serve(source)
    site.publish("a")
    assert waiting.wait(5)
    client.leave()
    wait_for(client.closed.is_set)
    gate.set()
    time.sleep(0.05)
    assert not caplog.records


def test_all_are_abandoned(site: Site) -> None:
    clients = [*site.crowd(3, "a"), site.open("b")]
    site.publish("a", 30_000)
    wait_for(lambda: clients[0].connection.rest is not None)
    site.offload.abandon()
    assert not len(site.offload)
    wait_for(lambda: all(client.closed.is_set() for client in clients))
    assert {client.stream.outcome for client in clients} == {"disconnected"}


def test_what_the_client_has_sent_harms_no_end(site: Site) -> None:
    """A client may send the beginning of another request; closing must not reset its stream."""
    client = generate(site, iter(range(3)))
    client._socket.send(b"GET / HTTP/1.1\r\n")
    wait_for(lambda: client.read().over)
    assert client.events[-1].event == "end"


def wait_until_ready(client: Client) -> None:
    wait_for(lambda: client.read().events)


def test_a_descriptor_that_is_used_again_is_another_connection(site: Site) -> None:
    seen: set[int] = set()
    for n in range(10):
        client = site.open("a")
        wait_until_ready(client)
        seen.add(client.connection.socket.fd)
        if n % 2:
            client.stream.close("shutdown")
            wait_for(client.closed.is_set)
        client.leave()
        wait_for(client.closed.is_set)
    assert len(seen) < 10, "none was used again, so that nothing is shown"
    assert not len(site.offload)

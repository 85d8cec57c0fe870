"""What a stream on its way notes of the orders that come meanwhile, and a stream that is open."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from flask_sse_routes import Context, Event, define_route, orders
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.orders import MAX_ORDERS, Opening
from flask_sse_routes.stream import Stream
from flask_sse_routes.streams import Streams
from flask_sse_routes.testing import StreamTimeout

from .sites import Site, user_of


class Witness:
    """A stream that only notes what it is told."""

    route = "witness"
    client = None
    finish_on_drain = False

    def __init__(self, user: Any = None, *channels: str) -> None:
        self.user = user
        self.source = SimpleNamespace(channels=channels)
        self.told: list[Any] = []

    def close(self, reason: str) -> None:
        self.told.append(reason)

    def fail(self, error: Any) -> None:
        self.told.append(error.status)


def stream_of(witness: Witness) -> Stream:
    found: Any = witness
    return found


ORDERS: dict[str, Callable[[Streams], None]] = {
    "user": lambda streams: streams.revoke("ann", None),
    "channel": lambda streams: streams.revoke(None, "a"),
    "both": lambda streams: streams.revoke("ann", "a"),
    "recheck": lambda streams: streams.recheck(),
}
BY_CHANNEL = {"channel", "both"}


def opened(witness: Witness) -> tuple[Streams, Opening]:
    made = Streams()
    opening = made.opening()
    made.add(stream_of(witness), opening)
    return made, opening


@pytest.mark.parametrize("order", ORDERS)
def test_on_its_way_a_stream_notes_every_order(order: str) -> None:
    made, witness = Streams(), Witness("ann", "a")
    opening = made.opening()
    ORDERS[order](made)
    assert len(opening.orders) == 1
    made.add(stream_of(witness), opening)
    assert witness.told == ["shutdown" if order == "recheck" else 403]


@pytest.mark.parametrize("order", ORDERS)
def test_an_open_stream_notes_only_what_depends_on_channels(order: str) -> None:
    """It is told itself; but what it listens to may become more."""
    witness = Witness("ann", "a")
    made, opening = opened(witness)
    ORDERS[order](made)
    assert witness.told == ["shutdown" if order == "recheck" else 403]
    assert len(opening.orders) == (order in BY_CHANNEL)


def test_what_does_not_depend_on_channels_is_not_given_again() -> None:
    made, witness = Streams(), Witness("ann", "a")
    opening = made.opening()
    for order in ORDERS.values():
        order(made)
    made.add(stream_of(witness), opening)
    assert witness.told == [403, 403, 403, "shutdown"]
    assert len(opening.orders) == len(BY_CHANNEL)
    witness.told.clear()
    opening.obey(stream_of(witness))
    assert witness.told == [403] * len(BY_CHANNEL)
    assert len(opening.orders) == len(BY_CHANNEL)


def test_an_order_reaches_a_stream_that_comes_to_a_channel_later() -> None:
    witness = Witness("ann", "a")
    made, opening = opened(witness)
    made.revoke(None, "b")
    made.revoke("bob", "b")
    assert witness.told == []
    witness.source.channels += ("b",)
    opening.obey(stream_of(witness))
    assert witness.told == [403]


@pytest.mark.parametrize("is_open", [False, True])
def test_more_orders_than_are_noted_send_a_stream_away(is_open: bool) -> None:
    """Which its hooks are asked about anew when it comes back."""
    for count, told in ((MAX_ORDERS - 1, []), (MAX_ORDERS, ["shutdown"]), (5000, ["shutdown"])):
        made, witness = Streams(), Witness("ann", "a")
        opening = made.opening()
        if is_open:
            made.add(stream_of(witness), opening)
        for n in range(count):
            made.revoke(None, f"channel {n}")
        assert len(opening.orders) == min(count, MAX_ORDERS)
        assert witness.told == []
        if is_open:
            opening.obey(stream_of(witness))
        else:
            made.add(stream_of(witness), opening)
        assert witness.told == told


def test_orders_that_come_just_then_are_given_in_any_case() -> None:
    """As the stream opens, or as its handler begins to listen: noted, given at once, or both."""
    threads = []
    barrier = threading.Barrier(2, timeout=15)
    witnesses: list[Witness] = []

    def listen(witness: Witness, opening: Opening) -> None:
        barrier.wait()
        witness.source.channels += ("a",)
        opening.obey(stream_of(witness))

    def add(made: Streams, witness: Witness, opening: Opening) -> None:
        barrier.wait()
        made.add(stream_of(witness), opening)

    for n in range(100):
        witness = Witness("ann", *["a"] * (n % 2))
        witnesses.append(witness)
        made = Streams()
        opening = made.opening()
        if n % 2:
            thread = threading.Thread(target=add, args=(made, witness, opening))
        else:
            made.add(stream_of(witness), opening)
            thread = threading.Thread(target=listen, args=(witness, opening))
        thread.start()
        threads.append(thread)
        barrier.wait()
        made.revoke(None, "a")
    for thread in threads:
        thread.join()
    assert [n for n, witness in enumerate(witnesses) if 403 not in witness.told] == []


# --- the same, in an app


class LateListener:
    """A site whose stream listens to a channel more each time it is told to."""

    def __init__(self, make_site: Any) -> None:
        self._go = threading.Semaphore(0)
        self.site: Site = make_site(
            {"it": define_route(self._handler, kind="sse")}, identify=user_of
        )
        self.stream = self.site.client.open("/api/it", headers={"X-User": "ann"})
        assert self.stream.json() == "begun"

    def _handler(self, ctx: Context) -> Iterator[Any]:
        yield "begun"
        listening = []
        for channel in ("a", "b"):
            while not self._go.acquire(timeout=0.01):
                ctx.sleep(0)
            listening.append(self.site.sse.listen(channel))
            yield f"listens to {channel}"
        for event in listening[-1]:
            yield Event(event.data, id=event.id)

    def listen(self) -> None:
        self._go.release()

    def check_told(self, text: str) -> None:
        assert self.stream.json() == text

    def check_revoked(self) -> None:
        words = [event for event in self.stream if event.event == "error"]
        assert [json.loads(event.data)["status"] for event in words] == [403]
        self.stream.close()

    def check_open(self) -> None:
        with pytest.raises(StreamTimeout):
            self.stream.next(0.05)
        assert runtime_of(self.site.app).streams.stats().streams == 1
        self.stream.close()


@pytest.fixture(name="late")
def late(make_site: Any) -> LateListener:
    return LateListener(make_site)


def test_orders_about_users_do_not_fill_an_open_stream(
    late: LateListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "MAX_ORDERS", 10)
    for n in range(50):
        late.site.sse.revoke(user=f"user {n}")
    late.listen()
    late.check_told("listens to a")
    for n in range(9):
        late.site.sse.revoke(channel=f"channel {n}")
    late.listen()
    late.check_told("listens to b")
    assert late.stream.next().event == "ready"
    late.check_open()


def test_orders_about_channels_beyond_the_limit_send_it_away(
    late: LateListener, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setattr(orders, "MAX_ORDERS", 10)
    for n in range(20):
        late.site.sse.revoke(channel=f"channel {n}")
    late.listen()
    assert not [event for event in late.stream if event.event in ("end", "error")]
    assert 500 <= (late.stream.retry or 0) <= 3000
    eventually(lambda: late.site.sse.stats().ended == {"shutdown": 1})
    late.stream.close()


@pytest.mark.parametrize("when", [0, 1, 2])
def test_an_order_about_a_channel_ends_a_stream_that_listens_to_it_afterwards(
    late: LateListener, when: int
) -> None:
    for step in range(when):
        late.listen()
        late.check_told(f"listens to {'ab'[step]}")
    late.site.sse.revoke(channel="abb"[when])
    late.listen()
    late.check_revoked()


def test_an_order_outlives_the_listening_to_another_channel(late: LateListener) -> None:
    late.site.sse.revoke(channel="b")
    late.listen()
    late.check_told("listens to a")
    late.listen()
    late.check_revoked()


def test_nothing_is_noted_for_a_stream_that_is_over(
    late: LateListener, eventually: Any, no_gc: None
) -> None:
    openings = runtime_of(late.site.app).streams._openings
    late.listen()
    late.check_told("listens to a")
    assert len(openings) == 1
    late.stream.close()
    eventually(lambda: not openings)

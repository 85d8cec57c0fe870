"""The wheel: what is due comes once, in time and in order, and an empty one wakes nobody."""

from __future__ import annotations

import time
from typing import Any

import pytest

from flask_sse_routes import wheel
from flask_sse_routes.clock import Clock
from flask_sse_routes.wheel import SLOT, Wheel


class Kept(Wheel[str]):
    """A wheel that keeps what was due, with the time."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, float]] = []
        super().__init__(self.keep)

    def keep(self, due: list[str]) -> None:
        self.seen.extend((each, time.monotonic()) for each in due)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.seen]


@pytest.fixture(name="clock", autouse=True)
def a_clock_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(wheel, "get_clock", lambda: clock)
    return clock


def test_things_come_once_and_never_early(eventually: Any) -> None:
    kept, now = Kept(), time.monotonic()
    wanted = {"a": now + 2 * SLOT, "b": now + 4 * SLOT, "c": now}
    for name, when in wanted.items():
        kept.put(when, name)
    eventually(lambda: len(kept.seen) == 3)
    assert kept.names == ["c", "a", "b"]
    assert all(came >= wanted[name] for name, came in kept.seen)
    assert not kept.slots


def test_an_earlier_one_does_not_wait_for_a_later_one(eventually: Any) -> None:
    kept = Kept()
    kept.put(time.monotonic() + 3600, "late")
    kept.put(time.monotonic(), "soon")
    eventually(lambda: kept.names == ["soon"])
    assert sum(map(len, kept.slots.values())) == 1


def test_what_is_long_due_comes_soon(eventually: Any) -> None:
    kept = Kept()
    kept.put(time.monotonic() - 3600, "past")
    eventually(lambda: kept.names == ["past"])


def test_one_that_is_put_back_comes_again(eventually: Any) -> None:
    kept = Kept()

    def again(due: list[str]) -> None:
        kept.keep(due)
        if len(kept.seen) < 3:
            kept.put(time.monotonic() + SLOT, due[0])

    kept._due = again
    kept.put(time.monotonic(), "a")
    eventually(lambda: kept.names == ["a", "a", "a"])


def test_moments_that_are_close_share_a_slot_and_a_timer(clock: Clock) -> None:
    kept, when = Kept(), (int(time.monotonic() / SLOT) + 1000.2) * SLOT
    for number in range(100):
        kept.put(when + number * SLOT / 200, str(number))
    assert len(kept.slots) == 1
    assert len(clock._heap) == 1


def test_after_clear_nothing_comes_and_nobody_waits(clock: Clock, eventually: Any) -> None:
    kept = Kept()
    kept.put(time.monotonic() + 2 * SLOT, "a")
    kept.clear()
    kept.put(time.monotonic() + 4 * SLOT, "b")
    eventually(lambda: kept.names == ["b"])
    eventually(lambda: not clock._heap)


def test_an_empty_wheel_asks_nothing_of_the_clock(clock: Clock, eventually: Any) -> None:
    kept = Kept()
    assert not clock._heap
    kept.put(time.monotonic(), "a")
    eventually(lambda: kept.names == ["a"])
    eventually(lambda: not clock._heap)

"""The clock: ticks at their time, in order, and nothing between them."""

from __future__ import annotations

import functools
import itertools
import logging
import random
import threading
import time
from typing import Any

import pytest

from flask_sse_routes import concurrency
from flask_sse_routes.clock import Clock, get_clock


@pytest.fixture(name="clock", scope="module")
def one_clock() -> Clock:
    """One for all tests here: a clock's task has no end."""
    return Clock()


def test_it_starts_nothing_before_its_first_use() -> None:
    before = threading.active_count()
    Clock()
    assert threading.active_count() == before


def test_a_tick_comes_at_its_time(clock: Clock, eventually: Any) -> None:
    seen: list[float] = []
    due = time.monotonic() + 0.05

    def tick(now: float) -> None:
        seen.append(now)

    clock.at(due, tick)
    eventually(lambda: seen)
    assert due <= seen[0] < due + 5
    assert len(seen) == 1


def test_ticks_come_in_the_order_of_their_times(clock: Clock, eventually: Any) -> None:
    seen: list[int] = []

    def note(n: int, now: float) -> None:
        seen.append(n)

    start = time.monotonic() + 0.1
    order = list(range(50))
    random.Random(1).shuffle(order)
    for n in order:
        clock.at(start + n / 1000, functools.partial(note, n))
    eventually(lambda: len(seen) == 50)
    assert seen == sorted(seen)


def test_a_tick_says_when_it_comes_again(clock: Clock, eventually: Any) -> None:
    seen: list[float] = []

    def tick(now: float) -> float | None:
        seen.append(now)
        return now + 0.02 if len(seen) < 3 else None

    clock.at(time.monotonic(), tick)
    eventually(lambda: len(seen) == 3)
    assert seen[1] - seen[0] >= 0.02
    assert seen[2] - seen[1] >= 0.02


def test_an_earlier_timer_wakes_a_clock_that_waits(clock: Clock, eventually: Any) -> None:
    seen: list[str] = []
    late = clock.at(time.monotonic() + 3600, lambda now: seen.append("late"))
    clock.at(time.monotonic() + 0.01, lambda now: seen.append("early"))
    eventually(lambda: seen == ["early"], 5)
    late.cancel()


def test_a_cancelled_timer_is_silent_and_lets_go(clock: Clock, eventually: Any) -> None:
    import gc
    import weakref

    class Owner:
        def tick(self, now: float) -> None:
            seen.append("cancelled")

    seen: list[str] = []
    owner = Owner()
    gone = weakref.ref(owner)
    timer = clock.at(time.monotonic() + 0.05, owner.tick)
    timer.cancel()
    del owner
    gc.collect()
    assert gone() is None
    clock.at(time.monotonic() + 0.1, lambda now: seen.append("other"))
    eventually(lambda: "other" in seen)
    assert seen == ["other"]


def test_a_timer_may_be_cancelled_by_its_own_tick(clock: Clock, eventually: Any) -> None:
    seen: list[str] = []

    def tick(now: float) -> float:
        seen.append("tick")
        timer.cancel()
        return now

    timer = clock.at(time.monotonic() + 0.02, tick)
    eventually(lambda: seen)
    clock.at(time.monotonic() + 0.05, lambda now: seen.append("end"))
    eventually(lambda: "end" in seen)
    assert seen == ["tick", "end"]


def test_a_tick_that_is_always_due_leaves_time_for_others(clock: Clock, eventually: Any) -> None:
    seen: list[float] = []
    begun = time.monotonic()

    def greedy(now: float) -> float:
        seen.append(now)
        return begun

    timer = clock.at(begun, greedy)
    others: list[float] = []
    clock.at(begun + 0.05, others.append)
    try:
        eventually(lambda: others and len(seen) > 2)
    finally:
        timer.cancel()
    assert all(later > earlier for earlier, later in itertools.pairwise(seen))


def test_a_clock_that_could_not_start_starts_later(
    eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread_left(*_: Any) -> Any:
        raise RuntimeError("can't start new thread")

    clock = Clock()
    seen: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(concurrency, "task", no_thread_left)
        with pytest.raises(RuntimeError):
            clock.at(time.monotonic(), seen.append)
    clock.at(time.monotonic(), lambda now: seen.append("tick"))
    eventually(lambda: "tick" in seen)


def test_a_failing_tick_is_logged_and_ends_alone(
    clock: Clock, eventually: Any, caplog: Any
) -> None:
    seen: list[str] = []

    def bad(now: float) -> None:
        raise ValueError("bad tick")

    with caplog.at_level(logging.ERROR):
        clock.at(time.monotonic(), bad)
        clock.at(time.monotonic() + 0.02, lambda now: seen.append("next"))
        eventually(lambda: seen)
    assert "bad tick" in caplog.text


def test_timers_from_many_threads(clock: Clock, eventually: Any) -> None:
    seen: list[int] = []

    def add() -> None:
        for n in range(100):
            clock.at(time.monotonic() + n % 7 / 1000, lambda now: seen.append(1))

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    eventually(lambda: len(seen) == 800)


def test_one_clock_serves_the_process() -> None:
    assert get_clock() is get_clock()

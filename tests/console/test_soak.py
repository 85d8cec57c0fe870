"""The console left open at full rate: neither the tabs nor the workers grow.

`SSE_TESTS_LONG=true` has it open for half an hour; the figures are logged (`--log-cli-level=INFO`).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

import psutil
import pytest
from playwright.sync_api import CDPSession, Page, expect

from .consoles import Console
from .visitors import MOTION, NewVisitor, pill

log = logging.getLogger(__name__)

IS_LONG = os.environ.get("SSE_TESTS_LONG") == "true"
MIB = 1024 * 1024


class Plan(NamedTuple):
    """Seconds; `growth` is by how many MiB a tab's heap or a worker may grow in all."""

    warm_up: float
    seconds: float
    pause: float
    growth: float
    paths: tuple[str, ...]


# Lines and notifications per second; so many of each fill what a page keeps.
LINES, NOTES = (50, 5) if IS_LONG else (100, 10)
FULL_LOG, FULL_LIST = 2500, 1100
STEADY = ("/dashboard", "/prices", "/", "/logs?file={log}&level=INFO")
# Within a quarter of a minute a browser still compiles and caches, and a season is not over; as
# much as in twice the time at the rate of the long form is sent.
PLAN = Plan(180, 1800, 20, 3, (*STEADY, "/scores")) if IS_LONG else Plan(6, 13, 0.5, 1, STEADY)


class Sample(NamedTuple):
    minute: float
    heap: dict[str, float]
    nodes: dict[str, int]
    workers: dict[int, float]


class Load:
    """Writes lines and notifications until it is stopped."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._console.append(*(f"INFO line {number}" for number in range(FULL_LOG)))
        self._console.publish("notifications", *map(note, range(FULL_LIST)))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = FULL_LIST
        while not self._stop.wait(1 / NOTES):
            number += 1
            self._console.publish("notifications", note(number))
            for _ in range(LINES // NOTES):
                self._console.append(f"WARNING disk {number} is at {number % 100} %")


def note(number: int) -> dict[str, object]:
    at = datetime.now(timezone.utc)
    return {"message": f"Build {number} is out", "level": "info", "at": at, "by": None}


class Tab:
    """A page whose garbage can be collected, and what is left counted."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.name = page.url.partition("?")[0].rpartition("/")[2] or "overview"
        self._cdp: CDPSession = page.context.new_cdp_session(page)

    def measure(self) -> tuple[float, int]:
        """Return MiB of the heap, and nodes of the document."""
        for _ in range(2):
            self._cdp.send("HeapProfiler.collectGarbage")
        heap = self._cdp.send("Runtime.getHeapUsage")["usedSize"] / MIB
        return heap, self._cdp.send("Memory.getDOMCounters")["nodes"]


def growth(points: list[tuple[float, float]]) -> float:
    """Return by how much values grow in all, on the line of least squares."""
    minutes, values = zip(*points, strict=True)
    middle, mean = sum(minutes) / len(minutes), sum(values) / len(values)
    above = sum((at - middle) * (value - mean) for at, value in points)
    slope = above / sum((at - middle) ** 2 for at in minutes)
    return float(slope * (minutes[-1] - minutes[0]))


def watched(tabs: list[Tab], console: Console) -> Iterator[Sample]:
    begin = time.monotonic()
    end = begin + PLAN.seconds
    while time.monotonic() < end:
        tabs[0].page.wait_for_timeout(1000 * PLAN.pause)
        found = {tab.name: tab.measure() for tab in tabs}
        sample = Sample(
            minute=(time.monotonic() - begin) / 60,
            heap={name: heap for name, (heap, _) in found.items()},
            nodes={name: nodes for name, (_, nodes) in found.items()},
            workers={pid: memory_of(pid) for pid in sorted(console.serving.workers())},
        )
        log.info("%s", told(sample))
        yield sample


def memory_of(pid: int) -> float:
    return float(psutil.Process(pid).memory_info().rss / MIB)


def told(sample: Sample) -> str:
    heap = " ".join(f"{name}={value:.2f}" for name, value in sample.heap.items())
    nodes = " ".join(f"{name}={count}" for name, count in sample.nodes.items())
    workers = " ".join(f"{value:.1f}" for value in sample.workers.values())
    return f"{sample.minute:.1f} min; heap MiB {heap}; nodes {nodes}; workers MiB {workers}"


def grown(samples: list[Sample], take: Callable[[Sample], Mapping[Any, float]]) -> dict[Any, float]:
    return {
        name: round(growth([(sample.minute, take(sample)[name]) for sample in samples]), 2)
        for name in take(samples[0])
    }


@pytest.fixture(name="tabs")
def open_tabs(own_console: Console, visitor: NewVisitor) -> list[Tab]:
    session = visitor(console=own_console, **MOTION)
    return [Tab(session.open(path.format(log=own_console.log_file))) for path in PLAN.paths]


def test_memory_is_flat(own_console: Console, tabs: list[Tab]) -> None:
    with Load(own_console):
        tabs[0].page.wait_for_timeout(1000 * PLAN.warm_up)
        samples = list(watched(tabs, own_console))
        for tab in tabs:
            expect(pill(tab.page)).to_have_text("Live")
    assert all(sample.workers.keys() == samples[0].workers.keys() for sample in samples)
    heap = grown(samples, lambda sample: sample.heap)
    workers = grown(samples, lambda sample: sample.workers)
    log.info("grown by MiB: %s %s", heap, workers)
    assert max([*heap.values(), *workers.values()]) < PLAN.growth
    for name in samples[0].nodes:
        counts = [sample.nodes[name] for sample in samples]
        early, late = counts[: len(counts) // 2], counts[len(counts) // 2 :]
        # The least of them: how many wait to be collected depends on when the browser has time,
        # what is never collected is among all of them.
        assert min(late) < 1.1 * min(early) + 500, (name, counts)

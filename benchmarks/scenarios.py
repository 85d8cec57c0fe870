"""What is measured, and which of the figures found are told, in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import measuring
from .catalogue import FLOOR, Peer
from .measuring import Values
from .rig import Rig, Sizes


@dataclass(frozen=True)
class Metric:
    """A column: a figure by its key in what a measurement returns."""

    key: str
    title: str
    # Set beside the floor's and raw Flask's.
    compared: bool = False
    # A fault: told if it happened in one run only.
    worst: bool = False


def everybody(peer: Peer) -> bool:
    return True


def ours_and_floor(peer: Peer) -> bool:
    return peer.ours or peer.key == FLOOR


def ours_alone(peer: Peer) -> bool:
    return peer.ours


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A table of the report; the first of its metrics is the one that the chart shows."""

    key: str
    title: str
    text: Callable[[Sizes], str]
    metrics: tuple[Metric, ...]
    measure: Callable[[Rig], Values]
    more_is_better: bool = False
    takes: Callable[[Peer], bool] = everybody


CPU = Metric("cpu_us", "CPU µs per delivery", compared=True)
RATE = Metric("deliveries_per_s", "deliveries/s", compared=True)
LATENCY = (Metric("p50_ms", "p50 ms"), Metric("p99_ms", "p99 ms"))
LOST = Metric("lost", "lost", worst=True)
EVENTS = (
    Metric("events_per_s", "events/s", compared=True),
    Metric("cpu_us", "CPU µs per event", compared=True),
    Metric("memory_mib", "memory at its peak, MiB"),
    LOST,
)

_SCENARIOS = (
    Scenario(
        key="paced",
        title="Fan-out, paced",
        text=lambda sizes: f"{sizes.clients:,} subscribers of one channel, 20 events/s.",
        metrics=(CPU, *LATENCY, Metric("late_s", "late, s"), LOST),
        measure=measuring.paced,
    ),
    Scenario(
        key="channels",
        title="Fan-out over channels",
        text=lambda sizes: (
            f"{5 * sizes.clients:,} subscribers on {measuring.CHANNELS} channels, 4 events/s on "
            "each, at moments of its own."
        ),
        metrics=(CPU, *LATENCY, Metric("late_s", "late, s"), LOST),
        measure=measuring.channels,
        takes=ours_and_floor,
    ),
    Scenario(
        key="ticks",
        title="Fan-out over channels, in step",
        text=lambda sizes: (
            f"{5 * sizes.clients:,} subscribers on {measuring.CHANNELS} channels, 4 events/s on "
            "each, on all of them at the same moments."
        ),
        metrics=(CPU, *LATENCY, Metric("late_s", "late, s"), LOST),
        measure=measuring.ticks,
        takes=ours_and_floor,
    ),
    Scenario(
        key="burst",
        title="Back to back",
        text=lambda sizes: (
            f"{sizes.clients:,} subscribers; the publisher lets others run after each event."
        ),
        metrics=(RATE, CPU, LOST),
        measure=measuring.burst,
        more_is_better=True,
    ),
    Scenario(
        key="flood",
        title="Back to back, without a pause",
        text=lambda sizes: f"{sizes.clients:,} subscribers; the publisher lets nobody else run.",
        metrics=(Metric("deliveries_per_s", "deliveries/s"), Metric("cpu_us", CPU.title), LOST),
        measure=measuring.flood,
        more_is_better=True,
        takes=ours_alone,
    ),
    Scenario(
        key="stream1",
        title="A generator, one client",
        text=lambda sizes: "One client follows a handler that yields as fast as it can.",
        metrics=EVENTS,
        measure=measuring.stream_of_one,
        more_is_better=True,
    ),
    Scenario(
        key="stream50",
        title="A generator, fifty clients",
        text=lambda sizes: "Fifty clients follow one each.",
        metrics=EVENTS,
        measure=measuring.streams_of_fifty,
        more_is_better=True,
    ),
    Scenario(
        key="idle",
        title="Idle connections",
        text=lambda sizes: (
            f"{sizes.idle:,} connections, heartbeats every {measuring.HEARTBEAT} s. Without a "
            "figure for those: the server sends none, or not when it is told to."
        ),
        metrics=(
            Metric("memory_kib", "KiB per connection", compared=True),
            Metric("cpu_percent", "CPU % of heartbeats", compared=True),
            Metric("beats_per_s", "heartbeats/s"),
            Metric("connect_us", "CPU µs to connect", compared=True),
        ),
        measure=measuring.idle,
    ),
    Scenario(
        key="json",
        title="Plain JSON",
        text=lambda sizes: f"{measuring.ASKING} clients ask for a small document again and again.",
        metrics=(
            Metric("requests_per_s", "requests/s", compared=True),
            Metric("cpu_us", "CPU µs per request", compared=True),
            *LATENCY,
        ),
        measure=measuring.asking,
        more_is_better=True,
    ),
)

SCENARIOS = {scenario.key: scenario for scenario in _SCENARIOS}

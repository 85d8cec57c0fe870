"""How each scenario is measured: a server is started, loaded, and read before and after.

Each function returns what it found by name: microseconds, milliseconds, KiB, numbers.
"""

from __future__ import annotations

import time

from .errors import Failed
from .load import Count
from .rig import Rig

Values = dict[str, float]

# Seconds without an event after which a series counts as over: the rest of it is lost.
QUIET = 4.0
CHANNELS = 50
HEARTBEAT = 5
ASKING = 50
WARM_UP = 2000


def paced(rig: Rig) -> Values:
    """Events at a rate, which every server should keep up with."""
    rate = 20.0
    return _fan_out(rig, rig.sizes.clients, _series(rig, rate), rate=rate)


def channels(rig: Rig) -> Values:
    """Many channels at a slow rate, each at its own moments."""
    return _many_channels(rig, spread=1)


def ticks(rig: Rig) -> Values:
    """Many channels at a slow rate, all at the same moments."""
    return _many_channels(rig, spread=0)


def _many_channels(rig: Rig, spread: int) -> Values:
    rate, clients = 4.0, 5 * rig.sizes.clients
    count = _series(rig, rate)
    return _fan_out(rig, clients, count, rate=rate, channels=CHANNELS, spread=spread)


def burst(rig: Rig) -> Values:
    """Events back to back, with a pause for others after each."""
    return _fan_out(rig, rig.sizes.clients, rig.sizes.events or rig.peer.burst)


def flood(rig: Rig) -> Values:
    """Events back to back, in a loop that lets nobody else run."""
    return _fan_out(rig, rig.sizes.clients, rig.sizes.events or rig.peer.burst, pause=0)


def _series(rig: Rig, rate: float) -> int:
    return max(1, round(rate * rig.sizes.seconds))


def _fan_out(
    rig: Rig,
    clients: int,
    count: int,
    *,
    rate: float = 0,
    channels: int = 1,
    spread: int = 1,
    pause: int = 1,
) -> Values:
    path = "/events?channel=*" if channels > 1 or rig.peer.ours else "/events"
    series = f"/publish?count={count}&rate={rate:g}&channels={channels}"
    series += f"&spread={spread}&pause={pause}"
    with (
        rig.server() as server,
        rig.load(
            server, path=path, clients=clients, channels=channels, events=count, quiet=QUIET
        ) as load,
    ):
        load.ready()
        server.wait_for(clients)
        server.settle()
        cpu, begun = server.cpu(), load.now().now
        server.begin(series)
        counted = load.result()
        cpu, memory = server.cpu() - cpu, server.memory()
    seconds = counted.last - begun
    return {
        **_order(counted, clients * count),
        "cpu_us": _each(cpu, counted.events),
        "deliveries": counted.events,
        "deliveries_per_s": counted.events / seconds,
        "p50_ms": counted.p50_ms,
        "p99_ms": counted.p99_ms,
        "max_ms": counted.max_ms,
        "late_s": max(0.0, seconds - count / rate) if rate else 0.0,
        "memory_mib": memory / 1024,
    }


def _order(counted: Count, expected: int) -> Values:
    """What was wrong with the order of events; all of it is 0 for a server without faults."""
    if not counted.events:
        raise Failed("no event arrived")
    return {
        "lost": expected - counted.events + counted.repeats + counted.backwards,
        "repeats": counted.repeats,
        "backwards": counted.backwards,
        "disconnected": counted.closed,
    }


def _each(seconds: float, number: float) -> float:
    """Microseconds for each of so many."""
    return seconds / number * 1e6


def stream_of_one(rig: Rig) -> Values:
    """One client follows one long generator."""
    return _streams(rig, 1, rig.sizes.events or 100_000)


def streams_of_fifty(rig: Rig) -> Values:
    """Fifty clients with a generator each."""
    return _streams(rig, 50, rig.sizes.events or 2000)


def _streams(rig: Rig, clients: int, count: int) -> Values:
    with rig.server() as server:
        first = min(count, WARM_UP)
        with rig.load(server, path=f"/stream?count={first}", events=first, limit=60) as load:
            load.result()
        server.settle()
        server.forget_peak()
        cpu, memory = server.cpu(), server.memory()
        with rig.load(
            server, path=f"/stream?count={count}", clients=clients, events=count, limit=300
        ) as load:
            counted = load.result()
        cpu, memory = server.cpu() - cpu, server.peak() - memory
    return {
        **_order(counted, clients * count),
        "cpu_us": _each(cpu, counted.events),
        "events_per_s": counted.events / counted.last,
        "memory_mib": memory / 1024,
    }


def idle(rig: Rig) -> Values:
    """Connections that nothing happens on but heartbeats."""
    clients = rig.sizes.idle
    with rig.server(heartbeat=HEARTBEAT) as server:
        memory, cpu = server.memory(), server.cpu()
        with rig.load(server, path="/events", clients=clients) as load:
            ready = load.ready()
            server.wait_for(clients)
            connecting = server.cpu() - cpu
            _pass(rig, 1)
            memory = server.memory() - memory
            cpu, before = server.cpu(), load.now()
            _pass(rig, _whole_beats(2 * rig.sizes.seconds))
            cpu, after = server.cpu() - cpu, load.now()
    beats = after.comments + after.others - before.comments - before.others
    found = {
        "connect_us": _each(connecting, clients),
        "connects_per_s": clients / ready.ready,
        "memory_kib": memory / clients,
        "beats_per_s": beats / (after.now - before.now),
        "disconnected": after.closed,
    }
    if rig.peer.heartbeats:
        found["cpu_percent"] = 100 * cpu / (after.now - before.now)
    return found


def _whole_beats(seconds: float) -> float:
    """Every connection has had as many heartbeats, if there is time for any."""
    return seconds // HEARTBEAT * HEARTBEAT or seconds


def _pass(rig: Rig, seconds: float) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        rig.tick()
        time.sleep(min(left, 0.5))


def asking(rig: Rig) -> Values:
    """Fifty clients that ask for a little JSON again and again."""
    with rig.server() as server:
        with rig.load(server, path="/json", clients=ASKING, requests=0.5) as load:
            load.result()
        server.settle()
        with rig.load(server, path="/json", clients=ASKING, requests=rig.sizes.seconds / 2) as load:
            ready = load.ready()
            cpu = server.cpu()
            counted = load.result()
            cpu = server.cpu() - cpu
    if counted.failed or counted.refused:
        raise Failed(f"{counted.failed + counted.refused:,} requests failed")
    return {
        "requests_per_s": counted.responses / (counted.now - ready.ready),
        "cpu_us": _each(cpu, counted.responses),
        "p50_ms": counted.p50_ms,
        "p99_ms": counted.p99_ms,
    }

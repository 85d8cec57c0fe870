"""gunicorn with its workers: started, counted, killed, reloaded."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import psutil
from e2e.servers import COMMANDS, Server
from e2e.waiting import wait_for

from .scenario import Figure, Rig, Scenario

WORKERS = 2
KINDS = ("sseworker", "gevent")
for kind in KINDS:
    COMMANDS[f"faults-{kind}"] = [*COMMANDS[kind][:-1], "faults.apps:app"]
# What the package has by default, for the long forms; the short ones wait for less.
USUAL = {"FLASK_SSE_HEARTBEAT": 15, "FLASK_SSE_RETRY": 1500, "FLASK_SSE_SEND_TIMEOUT": 30}
# What a worker may have more of than before; a leak grows with streams or with faults.
SPARE = {"greenlets": 4, "threads": 2, "descriptors": 3, "subscriptions": 0, "streams": 0}

Census = dict[int, dict[str, int]]


def of_both_kinds(
    run: Callable[[Rig, str], Sequence[Figure]], **what: Any
) -> tuple[Scenario, Scenario]:
    """A scenario with the package's own worker, and its variant with gunicorn's gevent worker."""
    ours = Scenario(run=functools.partial(run, kind=KINDS[0]), **what)
    theirs = replace(
        ours,
        key=f"{ours.key}-gevent",
        title=f"{ours.title}, gunicorn's own gevent worker",
        run=functools.partial(run, kind=KINDS[1]),
    )
    return ours, theirs


def serve(rig: Rig, *options: str, kind: str = "sseworker", url: str = "", **more: Any) -> Server:
    """Start gunicorn until the run is over; keywords in lower case are settings of the package."""
    settings = USUAL if rig.long else {}
    settings = settings | {"FLASK_SSE_BROKER_URL": url or broker_url(rig)}
    settings |= {f"FLASK_SSE_{name.upper()}": value for name, value in more.items()}
    server = Server(
        f"faults-{kind}", rig.folder, "--workers", str(WORKERS), *options, settings=settings
    )
    rig.later(server.kill)
    wait_for(lambda: len(pids(server)) == WORKERS, "all workers run", 20)
    return server


def broker_url(rig: Rig) -> str:
    return f"sqlite:///{rig.folder}/events.db"


def pids(server: Server) -> set[int]:
    """The process ids of the workers that have not ended."""
    found = set()
    for child in psutil.Process(server.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.status() != psutil.STATUS_ZOMBIE:
                found.add(child.pid)
    return found


def census(server: Server, seconds: float = 30) -> Census:
    """Ask every worker what it has open; it is the kernel that chooses which one answers."""
    found: Census = {}

    def asked() -> bool:
        with contextlib.suppress(OSError):
            answer = server.json("/api/census")
            found[answer["pid"]] = answer
        return found.keys() >= pids(server)

    wait_for(asked, "every worker has answered", seconds)
    return {pid: found[pid] for pid in pids(server) if pid in found}


def streams(server: Server) -> int:
    """How many streams are open on all workers."""
    return sum(each["streams"] for each in census(server).values())


def kill_one(server: Server, chance: random.Random, among: set[int] | None = None) -> int:
    """Kill a worker as the kernel does that is out of memory; return its process id."""
    victim = chance.choice(sorted(among or pids(server)))
    with contextlib.suppress(ProcessLookupError):
        os.kill(victim, signal.SIGKILL)
    return victim


def reload(server: Server, limit: float = 30) -> float:
    """Have all workers replaced; return the seconds until the last of the old ones is gone."""
    old, begun = pids(server), time.monotonic()
    server.signal(signal.SIGHUP)
    wait_for(lambda: not old & pids(server), "the old workers are gone", limit)
    took = time.monotonic() - begun
    wait_for(lambda: len(pids(server)) == WORKERS, "all workers run", limit)
    return took


def memory(server: Server) -> dict[int, float]:
    """MiB that each worker has resident."""
    found = {}
    for pid in pids(server):
        with contextlib.suppress(psutil.NoSuchProcess):
            found[pid] = psutil.Process(pid).memory_info().rss / 1024**2
    return found


def wait_until_rest(server: Server, begun: Census, seconds: float = 15) -> dict[str, int]:
    """Give workers the time to let go; return by how much each kind has grown at the worst."""
    allowed = {what: max(each[what] for each in begun.values()) for what in SPARE}
    until = time.monotonic() + seconds
    while True:
        now = census(server)
        grown = {w: max(each[w] for each in now.values()) - n for w, n in allowed.items()}
        if all(grown[what] <= spare for what, spare in SPARE.items()) or time.monotonic() > until:
            return grown
        time.sleep(0.2)

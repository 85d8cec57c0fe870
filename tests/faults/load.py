"""Thousands of clients: the load generator of the benchmarks, beside a server of ours."""

from __future__ import annotations

import resource
from collections.abc import Callable

from e2e.servers import Server

from benchmarks.errors import Failed
from benchmarks.errors import Unavailable as Missing
from benchmarks.load import Load
from benchmarks.programs import compiled

from .scenario import Rig, Unavailable

# Descriptors beyond one for each client.
DESCRIPTORS = 500


def load(rig: Rig, server: Server, *, limit: float = 1200.0, **wanted: float | str) -> Load:
    """Clients of the server until the run is over; keywords are those of `load.c`."""
    allow_descriptors(int(wanted.get("clients", 1)))
    try:
        program = compiled("load", rig.folder)
    except Missing as missing:
        raise Unavailable(str(missing)) from missing
    log = rig.enter((rig.folder / "load.txt").open("wb"))
    check = _check(rig, server)
    return rig.enter(Load(program, None, log, check, limit=limit, port=server.port, **wanted))


def allow_descriptors(clients: int) -> None:
    """Raise the limit of open files, for this process and for those that it starts."""
    needed = clients + DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise Unavailable(f"{needed:,} descriptors, of which 'ulimit -Hn' allows {hard:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _check(rig: Rig, server: Server) -> Callable[[], None]:
    def check() -> None:
        rig.say("")
        if server.process.poll() is not None:
            raise Failed(f"the server ended: {server.log[-500:]}")

    return check

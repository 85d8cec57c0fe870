"""What a measurement has at hand: one peer, how large to measure it, and server and load for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .catalogue import Peer
from .load import Load
from .server import Cores, Server


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How large the scenarios are; without `events`, each peer's series is as long as suits it."""

    clients: int = 1000
    seconds: float = 10.0
    events: int | None = None
    idle: int = 5000


@dataclass(frozen=True)
class Rig:
    """One peer, ready to be started."""

    peer: Peer
    program: str
    load_program: Path
    sizes: Sizes
    cores: Cores
    # Called now and then while something is waited for.
    tick: Callable[[], None]

    def server(self, *, heartbeat: int = 0) -> Server:
        return Server(self.peer, self.program, self.cores, heartbeat=heartbeat)

    def load(self, server: Server, *, limit: float = 600.0, **wanted: float | str) -> Load:
        """Clients of the server; keywords are those of `load.c`."""

        def check() -> None:
            self.tick()
            server.check()

        if self.peer.headless and "requests" not in wanted:
            # No answer tells when a connection has been taken up: slower than they can be.
            wanted = {"headless": 1, "rate": 1000, **wanted}
        core, program = self.cores.load, self.load_program
        return Load(program, core, server.log, check, limit=limit, port=server.port, **wanted)

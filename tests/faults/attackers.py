"""Clients that take their time on purpose, as slowhttptest's are, but that come back at once.

`heads`: each sends a head that never ends, a field now and then. `reads`: each asks for a large
answer, several times, and takes it by the spoonful.
"""

from __future__ import annotations

import contextlib
import socket
import time
from dataclasses import dataclass
from typing import Literal

from e2e.client import Address

from .work import Work

How = Literal["heads", "reads"]
# Seconds between two spoonfuls, bytes of each, and how often an answer is asked for.
EVERY, SPOON, TIMES = 1.0, 64, 8
# Bytes that the attacker's side holds of what it does not take.
WINDOW = 4096
HEAD = "GET {} HTTP/1.1\r\nHost: there\r\n"
FIELD = b"X-Slow: 1\r\n"


@dataclass
class Attacker:
    """One connection, and when it began."""

    socket: socket.socket
    began: float
    due: float


class Attack(Work):
    """So many connections at any time, until it is over."""

    def __init__(self, address: Address, how: How, count: int, target: str) -> None:
        super().__init__()
        self._address = address
        self._how = how
        self._head = HEAD.format(target).encode()
        self._count = count
        # How many connections there have been, and how long the server kept the longest that it
        # has closed (seconds).
        self.connections = 0
        self.kept = 0.0
        # How many are open, and since when the first of them.
        self.open = 0
        self.eldest = time.monotonic()

    @property
    def longest(self) -> float:
        """Seconds for which the server has kept the connection that it has kept longest."""
        return max(self.kept, time.monotonic() - self.eldest)

    def _run(self) -> None:
        attackers: list[Attacker] = []
        try:
            while not self._end.is_set():
                attackers = [a for a in attackers if self._stays(a)]
                while len(attackers) < self._count and (found := self._connect()) is not None:
                    attackers.append(found)
                self.open = len(attackers)
                self.eldest = min((a.began for a in attackers), default=time.monotonic())
                self._end.wait(0.02)
        finally:
            for attacker in attackers:
                attacker.socket.close()

    def _connect(self) -> Attacker | None:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        client.settimeout(5)
        try:
            client.connect(self._address)
            heads = self._how == "heads"
            client.sendall(self._head if heads else (self._head + b"\r\n") * TIMES)
        except OSError:
            client.close()
            return None
        client.setblocking(False)
        self.connections += 1
        now = time.monotonic()
        return Attacker(client, now, now + EVERY)

    def _stays(self, attacker: Attacker) -> bool:
        """Go on with one; return whether the server still has it."""
        now = time.monotonic()
        gone = False
        try:
            if self._how == "heads" or now >= attacker.due:
                gone = not attacker.socket.recv(SPOON)
        except BlockingIOError:
            pass
        except OSError:
            gone = True
        if not gone and now >= attacker.due:
            attacker.due = now + EVERY
            if self._how == "heads":
                with contextlib.suppress(OSError):
                    attacker.socket.sendall(FIELD)
        if gone:
            self.kept = max(self.kept, now - attacker.began)
            attacker.socket.close()
        return not gone

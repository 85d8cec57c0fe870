"""Clients that connect and go away at any moment: nothing of them stays."""

from __future__ import annotations

import random
import socket
import struct
import threading

from e2e.client import Address
from e2e.servers import Server
from e2e.waiting import wait_for

from .scenario import Figure, Rig, Scenario, at_most, exactly, none
from .workers import census, memory, serve, streams, wait_until_rest

REQUEST = (
    b"GET /api/%s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
    b"User-Agent: one that does not stay\r\n\r\n"
)
ROUTES = (b"follow?channel=a&channel=b", b"follow?channel=c", b"sleeper")
THREADS = 8
RESET = struct.pack("ii", 1, 0)


class Visitors:
    """Threads that come and go until there have been so many visits."""

    def __init__(self, address: Address, count: int) -> None:
        self._address = address
        self._left = count
        self._lock = threading.Lock()
        self.visits = 0
        self.unanswered = 0
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(THREADS)]
        for thread in self.threads:
            thread.start()

    @property
    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self.threads)

    def stop(self) -> None:
        self._left = 0
        for thread in self.threads:
            thread.join()

    def _run(self, seed: int) -> None:
        chance = random.Random(seed)
        while self._take():
            stays = chance.choice(("half a request", "a request", "head", "head", "event", "event"))
            try:
                answered = self._visit(stays, chance)
            except OSError:
                answered = False
            with self._lock:
                self.visits += 1
                self.unanswered += not answered

    def _take(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def _visit(self, stays: str, chance: random.Random) -> bool:
        """Stay for some of an exchange; return whether all that was waited for has come."""
        request = REQUEST % chance.choice(ROUTES)
        with socket.create_connection(self._address, 30) as sock:
            if chance.random() < 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            if stays == "half a request":
                sock.sendall(request[: len(request) // 2])
                return True
            sock.sendall(request)
            if stays == "a request":
                return True
            return _reads(sock, b"\r\n\r\n" if stays == "head" else b"\ndata: ")


def _reads(sock: socket.socket, awaited: bytes) -> bool:
    seen = b""
    while awaited not in seen:
        piece = sock.recv(4096)
        if not piece:
            return False
        seen += piece
    return seen.startswith(b"HTTP/1.1 200")


def _churn(rig: Rig, server: Server, count: int) -> Visitors:
    visitors = Visitors(server.address, count)
    rig.later(visitors.stop)
    while visitors.busy:
        rig.pause(0.1)
        rig.say(f"{visitors.visits:,} of {count:,} visits")
    return visitors


def run(rig: Rig) -> list[Figure]:
    warm, count = rig.pick((200, 1000), (2000, 20_000))
    server = serve(rig)
    _churn(rig, server, warm)
    wait_for(lambda: not streams(server), "those of the warming up are gone", 20)
    begun, before = census(server), max(memory(server).values())
    visitors = _churn(rig, server, count)
    left = wait_until_rest(server, begun | _nobody(begun), 20)
    grown = max(memory(server).values()) - before
    return [
        exactly("visits", visitors.visits, count),
        none("visits without the answer waited for", visitors.unanswered),
        none("streams left", left["streams"]),
        none("subscriptions left", left["subscriptions"]),
        at_most("descriptors, more than before", left["descriptors"], 3),
        at_most("threads, more than before", left["threads"], 2),
        at_most("greenlets, more than before", left["greenlets"], 4),
        at_most("memory of a worker, more than before", grown, rig.pick(12, 8), "MiB"),
    ]


def _nobody(begun: dict[int, dict[str, int]]) -> dict[int, dict[str, int]]:
    """The state before, without what had not yet gone of the warming up."""
    return {pid: each | {"streams": 0, "subscriptions": 0} for pid, each in begun.items()}


SCENARIO = Scenario(
    key="churn",
    title="Connect and drop",
    promise=(
        "20,000 connect-and-drop: streams, subscriptions, descriptors and greenlets are back to "
        "where they were."
    ),
    seconds=60,
    run=run,
)

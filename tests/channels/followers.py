"""Clients that follow channels of a real server, leave it and come back by their last id."""

from __future__ import annotations

import http.client
import random
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode

from flask_sse_routes.wire import Decoder, Event

# Seconds in which a server that is alive sends something; its heartbeat is far shorter.
SILENCE = 6.0


@dataclass
class Follower:
    """One client in a thread of its own. It ends when it has seen the event `last`."""

    port: int
    channels: tuple[str, ...]
    last: str
    # Seconds that it stays, at most; `None` for one that never leaves by itself.
    patience: float | None = None
    seed: int = 0
    events: list[Event] = field(default_factory=list)
    connections: int = 0
    # The process ids of the workers that it was served by.
    workers: set[int] = field(default_factory=set)
    refusals: int = 0
    heartbeats: int = 0
    failure: BaseException | None = None
    done: bool = False

    def start(self) -> Follower:
        self._stop = False
        self._chance = random.Random(self.seed)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Have it go, whatever it has seen."""
        self._stop = True
        self._thread.join(SILENCE)

    def join(self, seconds: float) -> None:
        """Wait until it has seen the last event."""
        self._thread.join(seconds)
        self.stop()
        if self.failure is not None:
            raise self.failure
        assert self.done, f"{self.connections} connections, the last events {self.events[-3:]}"

    @property
    def position(self) -> str | None:
        return self.events[-1].id if self.events else None

    def _run(self) -> None:
        try:
            while not self.done and not self._stop:
                try:
                    self._visit()
                except (OSError, http.client.HTTPException):
                    time.sleep(0.05)
        except BaseException as error:
            self.failure = error

    def _visit(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SILENCE)
        query = urlencode({"channel": self.channels}, doseq=True)
        headers = {"Accept": "text/event-stream"}
        if self.position:
            headers["Last-Event-ID"] = self.position
        try:
            connection.request("GET", f"/api/follow?{query}", headers=headers)
            response = connection.getresponse()
            assert response.status == 200, f"{response.status} {response.read()!r}"
            if response.headers.get("SSE-Refused"):
                self.refusals += 1
                time.sleep(0.2)
                return
            self.connections += 1
            self.workers.add(int(response.headers["X-Worker"]))
            self._read(response)
        finally:
            connection.close()

    def _read(self, response: http.client.HTTPResponse) -> None:
        decoder, begun = Decoder(), time.monotonic()
        stay = None if self.patience is None else self._chance.uniform(0, self.patience)
        while not self.done and not self._stop:
            piece = response.read1(65_536)
            if not piece:
                return
            self.heartbeats += (b"\n" + piece).count(b"\n:\n")
            for event in decoder.feed(piece):
                self.events.append(event)
                self.done = self.done or event.data == self.last
            if stay is not None and time.monotonic() - begun > stay:
                return


def published(events: list[Event]) -> list[Event]:
    """Leave out what only tells of a position."""
    return [event for event in events if event.event not in ("ready", "reset")]


def seq_in(id_: str) -> int:
    return int(id_.split("-")[1])


def seq_of(event: Event) -> int:
    return seq_in(str(event.id))


def epoch_of(event: Event) -> str:
    return str(event.id).split("-")[0]

"""Many clients in one thread: event sources that come back by themselves with their last id."""

from __future__ import annotations

import heapq
import itertools
import selectors
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlencode

from .client import Address, Arrival, Stream
from .waiting import wait_for

# Bytes read at once, seconds between two tries to connect, and between looks at what is due.
PIECE = 256 * 1024
AGAIN = 0.1
LOOK = 0.02
# Characters of an event's data that are kept.
KEEP = 200


# What is done with each event in place of keeping it.
Take = Callable[[Arrival], None]


class Member:
    """One client. `visits` are its connections, the last of them open unless it has left."""

    def __init__(
        self,
        target: str,
        headers: Mapping[str, str],
        appetite: Appetite,
        *,
        returns: bool,
        take: Take | None = None,
    ) -> None:
        self.target = target
        self.headers = dict(headers)
        self.appetite = appetite
        self.returns = returns
        self.take = take
        self.begun = False
        self.visits: list[Stream] = []
        self.ended: list[float] = []
        self.failures: list[OSError] = []

    @property
    def present(self) -> bool:
        """Whether it has a stream that is open."""
        visit = self.visits[-1] if self.visits else None
        return visit is not None and visit.status == 200 and visit.fileno() >= 0

    @property
    def events(self) -> list[Arrival]:
        return [arrival for visit in self.visits for arrival in visit.events]

    @property
    def ids(self) -> list[str]:
        """The ids of what was published, without what only tells of a position."""
        return [str(a.event.id) for a in self.events if a.event.event == "message"]

    @property
    def names(self) -> list[str | None]:
        return [arrival.event.event for arrival in self.events]

    @property
    def last_event_id(self) -> str:
        return next((v.last_event_id for v in reversed(self.visits) if v.last_event_id), "")


class Appetite:
    """How fast a client reads: so many bytes, then a pause; without an end if it is `None`."""

    def __init__(
        self, size: int = PIECE, pause: float | None = 0.0, receive_buffer: int | None = None
    ) -> None:
        self.size = size
        self.pause = pause
        self.receive_buffer = receive_buffer


HUNGRY = Appetite()
FROZEN = Appetite(PIECE, None, 32 * 1024)


class Crowd:
    """Members that come, read and come back until the crowd is sent away."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._stop = False
        self.failure: BaseException | None = None
        self.members: list[Member] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def join(
        self,
        count: int,
        route: str,
        *,
        headers: Mapping[str, str] | None = None,
        appetite: Appetite = HUNGRY,
        returns: bool = True,
        take: Callable[[], Take] | None = None,
        **query: object,
    ) -> list[Member]:
        """Have members come; they have a key each if the query has one. Waits until all are in.

        `returns`: whether they come back when their stream ends. `take` makes for each of them
        what its events go to; without it they are kept.
        """
        come = []
        for n in range(count):
            fields = query | ({"key": f"{query['key']}-{n}"} if "key" in query else {})
            target = f"/api/{route}?{urlencode(fields, doseq=True)}"
            mine = take() if take is not None else None
            come.append(Member(target, headers or {}, appetite, returns=returns, take=mine))
        self.members += come
        for member in come:
            self._at(0, lambda member=member: self._visit(member))
        self.wait(lambda: all(m.begun for m in come), f"{count} streams have begun", 30)
        return come

    def dismiss(self, members: Iterable[Member]) -> None:
        """Have members whose streams are open go away until they are recalled."""
        for member in members:
            member.returns = False
            self._at(0, lambda member=member: self._end(member, member.visits[-1]))

    def recall(self, members: Iterable[Member]) -> None:
        """Have members come back that went away."""
        for member in members:
            member.returns = True
            self._at(0, lambda member=member: self._visit(member))

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 15) -> None:
        """Wait until a condition holds, unless the crowd has failed."""
        wait_for(lambda: self.failure is not None or condition(), what, seconds)
        self.check()

    def check(self) -> None:
        """Raise what has ended the crowd, if anything has."""
        if self.failure is not None:
            raise self.failure

    def leave(self) -> None:
        """Close every connection, and come back no more."""
        self._stop = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop:
                self._turn()
        except BaseException as error:
            self.failure = error
        finally:
            self._selector.close()
            for member in self.members:
                for visit in member.visits:
                    visit.close()

    def _turn(self) -> None:
        while self._due and self._due[0][0] <= time.monotonic():
            heapq.heappop(self._due)[2]()
        for key, _ in self._selector.select(LOOK):
            self._read(key.data)

    def _at(self, when: float, function: Callable[[], None]) -> None:
        heapq.heappush(self._due, (when, next(self._number), function))

    def _after(self, seconds: float, function: Callable[[], None]) -> None:
        self._at(time.monotonic() + seconds, function)

    def _visit(self, member: Member) -> None:
        headers = dict(member.headers)
        if member.last_event_id:
            headers["Last-Event-ID"] = member.last_event_id
        buffer = member.appetite.receive_buffer
        try:
            visit = Stream(
                self._address,
                member.target,
                headers=headers,
                receive_buffer=buffer,
                keep=KEEP if member.take is None else None,
            )
        except OSError:
            self._after(AGAIN, lambda: self._visit(member))
            return
        member.visits.append(visit)
        self._selector.register(visit, selectors.EVENT_READ, member)

    def _read(self, member: Member) -> None:
        visit, appetite = member.visits[-1], member.appetite
        try:
            goes_on = visit.read_some(appetite.size)
        except OSError as error:
            member.failures.append(error)
            visit.closed, goes_on = True, False
        member.begun = member.begun or bool(visit.events)
        if member.take is not None:
            visit.hand_over(member.take)
        if not goes_on:
            self._end(member, visit)
        elif appetite.pause is None and visit.events:
            self._selector.unregister(visit)
        elif appetite.pause:
            self._selector.unregister(visit)
            self._after(appetite.pause, lambda: self._resume(member, visit))

    def _resume(self, member: Member, visit: Stream) -> None:
        self._selector.register(visit, selectors.EVENT_READ, member)

    def _end(self, member: Member, visit: Stream) -> None:
        member.ended.append(time.monotonic())
        self._selector.unregister(visit)
        visit.close()
        if member.returns and not visit.last_event_id.endswith("~end"):
            pause = visit.retries[-1] / 1000 if visit.retries else AGAIN
            self._after(pause, lambda: self._visit(member))

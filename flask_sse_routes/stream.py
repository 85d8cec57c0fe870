"""One open stream: what it sends next, its limits in time, and how it ends.

Floor 1. A `Stream` joins a source, which says what, with a transport, which asks for the
next chunk; it owns every rule in between. Three tasks meet here and none waits for
another: the transport's, the source's and the clock's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from . import wire
from .clock import Timer, get_clock
from .peer import Peer, Transport
from .sockets import VANISHED_AFTER, ClientSocket
from .sources import Source
from .timing import COME_BACK, Timing, retry_between

# Seconds between looks at a client that a server does not let us watch, or that is slow.
LOOK = 1.0
# Looks at an open stream in one send timeout: a client is dropped late by one of them at most.
LOOKS = 6


class Stream:
    """One open stream.

    A transport calls `chunk` until `over`, `sent` when a chunk has been written, and
    `transport_over` once at the end. `outcome` is one of `completed`, `disconnected`,
    `error`, `shutdown`.
    """

    __slots__ = (
        "_describe_error",
        "_finished",
        "_head",
        "_heartbeat_due",
        "_last_sent",
        "_latch",
        "_looking",
        "_mark",
        "_moved",
        "_opened",
        "_peer",
        "_terminal",
        "_timer",
        "_timing",
        "_transport_done",
        "_writing_since",
        "bytes",
        "calm",
        "client",
        "dropped",
        "events",
        "fatal",
        "finish_on_drain",
        "heartbeats",
        "more",
        "outcome",
        "over",
        "reason",
        "remote",
        "route",
        "signal",
        "source",
        "transport",
        "user",
    )

    def __init__(
        self,
        route: str,
        source: Source,
        timing: Timing,
        peer: Peer,
        *,
        client: Hashable = None,
        user: Any = None,
        remote: str | None = None,
        describe_error: Callable[[BaseException], bytes],
        finished: Callable[[Stream, BaseException | None], None],
        terminal: bool = True,
        finish_on_drain: bool = False,
    ) -> None:
        self.route = route
        self.source = source
        self.finish_on_drain = finish_on_drain
        self.signal = threading.Event()
        # What has taken over from the server's own transport.
        self.transport: Transport | None = None
        self.over = False
        # Whether `chunk` would only pass on what the source has.
        self.calm = False
        # Whether there may be another chunk without a `wake`.
        self.more = True
        self.events = self.bytes = self.heartbeats = 0
        self.dropped = False
        self.outcome: str | None = None
        self.reason: str | None = None
        self.client = client
        self.user = user
        self.remote = remote
        self.fatal: Exception | None = None
        self._timing = timing
        self._peer = peer
        self._describe_error = describe_error
        self._finished = finished
        self._terminal = terminal
        # The source's and the transport's end: whoever finds it empty is the later one.
        self._latch = [None]
        self._transport_done = False
        self._head: bytes | None = self._first_line()
        self._heartbeat_due = False
        self._last_sent = self._opened = time.monotonic()
        self._writing_since: float | None = None
        # How far the client was when it was last seen to move, and when that was.
        self._mark: int | None = None
        self._moved = self._opened
        self._looking = False
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to produce."""
        try:
            if not self.source.ready:
                self.attend()
        except BaseException:
            self._part_over()  # the source's: it does not begin
            raise
        self.source.start(self.wake, self._part_over)

    def attend(self) -> None:
        """Watch the client and keep time, for as long as no other transport does."""
        if self._timer is None:
            self._peer.watch(self._gone, self._timing.send_timeout)
            self._timer = get_clock().at(self._due(time.monotonic()), self._tick)

    def wake(self) -> None:
        """Tell the transport that `chunk` has something to say."""
        if self.transport is not None:
            self.transport.mark()
        elif not self.signal.is_set():
            self.signal.set()

    def hand_over(self, socket: ClientSocket, transport: Transport) -> None:
        """Go on by another transport, on a socket of its own, which also keeps the time."""
        if self._timer is not None:
            self._peer.forget(self._gone)
            self._timer.cancel()
        self._peer = Peer(socket)
        socket.prepare(self._timing.send_timeout)
        self.transport = transport
        del self.signal, self._timer

    def chunk(self) -> bytes:
        """Return what is ready to be sent, joined; empty when nothing is."""
        if self.transport is None:
            self.signal.clear()
        if self.over or self.reason == "disconnected":
            self.over = True
            return b""
        ended = self.source.ended  # read before taking: what was put before the end goes first
        data, events, self.more = self.source.take()
        self.events += events
        if self.calm and not ended:
            return self._sending(data)
        if self.reason is not None or self.fatal is not None or ended:
            data += self._ending(ended)
            self.over = True
            self.more = False
        elif not data and self._heartbeat_due:
            data = wire.HEARTBEAT
            self.heartbeats += 1
        if self._head is not None:
            data = self._head + data
            self._head = None
        self.calm = not self.over
        return self._sending(data)

    def sent(self) -> None:
        """Note that the server has written the last chunk."""
        self._writing_since = None

    def held_up(self) -> None:
        """Note that the client does not take the last chunk yet."""
        if self._writing_since is None:
            self._writing_since = time.monotonic()
            self.moved()

    def moved(self) -> None:
        """Note that the client has taken something just now."""
        self._moved = time.monotonic()

    def close(self, reason: str) -> None:
        """End the stream for a reason from outside; never blocks, the first reason counts."""
        if self.reason is None and not self.over:
            self.reason = reason
            self.calm = False
            self.source.close(reason)
            self.wake()

    def fail(self, error: Exception) -> None:
        """End the stream with an `error` event, for good; never blocks."""
        if self.reason is None and self.fatal is None and not self.over:
            self.fatal = error
            self.calm = False
            self.source.close("error")
            self.wake()

    def abandon(self, error: BaseException) -> None:
        """End a stream that could not be opened."""
        if isinstance(error, Exception):
            self.fatal = error
            self.source.close("error")
        self.transport_over(delivered=self.fatal is not None)

    def transport_over(self, *, delivered: bool) -> None:
        """Note that the transport is done; where it could not deliver, the client is gone.

        Calling it again does nothing.
        """
        if self._transport_done:
            return
        self._transport_done = True
        self.calm = False
        self._writing_since = None
        if not delivered and self.reason is None:
            self.reason = "disconnected"
            self.source.close("disconnected")
        self.over = True
        self._peer.forget(self._gone)
        timer = getattr(self, "_timer", None)  # it goes away at a hand-over
        if timer is not None:
            timer.cancel()
        self._part_over()

    @property
    def heartbeat(self) -> float:
        """After how much silence a heartbeat is due (seconds)."""
        return self._timing.heartbeat

    @property
    def until(self) -> float | None:
        """When the stream has lasted long enough (`time.monotonic`)."""
        return self._opened + self._timing.max_duration if self._timing.max_duration else None

    @property
    def seconds(self) -> float:
        """How long the stream has been open."""
        return time.monotonic() - self._opened

    def _first_line(self) -> bytes:
        spread = self._timing.retry // 4
        return retry_between((self._timing.retry - spread, self._timing.retry + spread))

    def _ending(self, ended: bool) -> bytes:
        """Return the last words: not terminal if the client should come back.

        `ended` is what the source said before the last `take`: where it ended after that,
        there may be more to take, which the client comes back for.
        """
        error, words = self.fatal or self.source.error, self.source.last_words()
        if self.fatal is None and (not ended or (error is None and words is None)):
            self.reason = self.reason or "shutdown"
            return retry_between(COME_BACK)
        self.reason = None  # the handler came to its own end before a shutdown reached it
        if error is not None:
            words = self._describe_error(error)
        elif not self._terminal:
            return b""
        assert words is not None
        self.events += 1
        return words

    def _sending(self, chunk: bytes) -> bytes:
        if chunk:
            self._heartbeat_due = False
            self._last_sent = self._writing_since = time.monotonic()
            self.bytes += len(chunk)
        return chunk

    def _gone(self) -> None:
        self.close("disconnected")

    def _tick(self, now: float) -> float | None:
        """Keep the stream's times; runs on the clock and never blocks."""
        if self.over and self._writing_since is None:
            return None
        beats = self._writing_since is None and now - self._last_sent >= self._timing.heartbeat
        if not self.look(now) and beats:
            self.beat()
        return self._due(now)

    def beat(self) -> None:
        """Have the next chunk be a heartbeat, if there is nothing else to say."""
        self._heartbeat_due = True
        self.calm = False
        self.wake()

    def look(self, now: float) -> bool:
        """End what has lasted too long, and drop a client that takes nothing; tell if it was."""
        if self._timing.max_duration and now - self._opened >= self._timing.max_duration:
            self.close("shutdown")
        if self._peer.poll is not None and self._peer.poll():
            self._gone()
        if not self._is_stuck(now):
            return False
        self.drop()
        return True

    def _due(self, now: float) -> float:
        """Return when the clock has to look at this stream again."""
        timing = self._timing
        beat = self._last_sent + timing.heartbeat
        look = now + timing.send_timeout / LOOKS
        due = [beat if beat > now else now + timing.heartbeat, look]
        if timing.max_duration and self.reason is None and not self.over:
            due.append(self._opened + timing.max_duration)
        if self._peer.poll is not None or self._looking:
            due.append(now + LOOK)
        return min(due)

    def _is_stuck(self, now: float) -> bool:
        """Tell whether the client has vanished, or has taken no byte for the send timeout.

        Counted from the first look that finds something on its way; late rather than early.
        """
        progress = self._peer.socket.progress() if self._peer.socket else None
        mark = None if progress is None else progress.mark
        if mark != self._mark or not self._looking:
            self._mark = mark
            self._moved = now
        vanishing = progress is not None and progress.waiting
        self._looking = vanishing or self._writing_since is not None
        if progress is not None and progress.silent >= VANISHED_AFTER:
            return True
        still = now - self._moved
        if self._writing_since is not None and still >= self._timing.send_timeout:
            return True
        return vanishing and still >= VANISHED_AFTER

    def drop(self) -> None:
        """Cut a client off, so that a write that waits for it fails."""
        self.dropped = True
        self._writing_since = None
        if self._peer.socket is not None:
            self._peer.socket.cut()
        self.close("disconnected")

    def _part_over(self) -> None:
        """Count the source's and the transport's end; the later one finishes the stream."""
        try:
            self._latch.pop()
            return
        except IndexError:  # it has been taken by the other
            pass
        error = self.fatal or self.source.error
        self.outcome = self.reason or ("error" if error else "completed")
        self._finished(self, error if self.outcome == "error" else None)

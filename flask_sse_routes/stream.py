"""One open stream: what it sends next, its limits in time, and how it ends.

Floor 1. A `Stream` joins a source, which says what, with a transport, which asks for the
next chunk; it owns every rule in between. Three tasks meet here and none waits for
another: the transport's, the source's and the clock's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

from . import clock, wire
from .clock import Timer, get_clock
from .delivery import Delivery
from .peer import Peer, Transport
from .sockets import ClientSocket
from .sources import Source
from .timing import COME_BACK, Timing, retry_between


class Stream(Delivery):
    """One open stream.

    A transport calls `chunk` until `over`, `sent` when a chunk has been written, and
    `transport_over` once at the end. `outcome` is one of `completed`, `disconnected`,
    `error`, `shutdown`.
    """

    __slots__ = (
        "_describe_error",
        "_finished",
        "_head",
        "_latch",
        "_terminal",
        "_timer",
        "_transport_done",
        "calm",
        "client",
        "fatal",
        "finish_on_drain",
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
        super().__init__(timing, peer)
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
        self.outcome: str | None = None
        self.reason: str | None = None
        self.client = client
        self.user = user
        self.remote = remote
        self.fatal: Exception | None = None
        self._describe_error = describe_error
        self._finished = finished
        self._terminal = terminal
        # The source's and the transport's end: whoever finds it empty is the later one.
        self._latch = [None]
        self._transport_done = False
        self._head: bytes | None = timing.first_line()
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
            self._timer = get_clock().at(self._due(clock.now()), self._tick)

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

    def close(self, reason: str) -> None:
        """End the stream for a reason from outside; never blocks, the first reason counts."""
        if self.reason is None and not self.over:
            self.reason = reason
            if reason == "disconnected":
                self.note_loss()
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
            self.note_loss()
            self.source.close("disconnected")
        self.over = True
        self._peer.forget(self._gone)
        timer = getattr(self, "_timer", None)  # it goes away at a hand-over
        if timer is not None:
            timer.cancel()
        self._part_over()

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

    def _gone(self) -> None:
        self.close("disconnected")

    def _tick(self, now: float) -> float | None:
        """Keep the stream's times; runs on the clock and never blocks."""
        if self.over and self._writing_since is None:
            return None
        silent = self._is_silent(now)
        if not self.look(now) and silent:
            self.beat()
        return self._due(now)

    def _due(self, now: float) -> float:
        """Return when the clock has to look at this stream again."""
        return self._due_at(now, None if self.reason is not None or self.over else self.until)

    @property
    def at_rest(self) -> bool:
        """Whether all that there is to say has been said, and written."""
        told = self._heartbeat_due or self.reason is not None or self.fatal is not None
        asked = self.more or (self.transport is None and self.signal.is_set())
        return self.over or not (told or asked or self._writing_since is not None)

    def beat(self) -> None:
        """Have the next chunk be a heartbeat, if there is nothing else to say."""
        self._heartbeat_due = True
        self.calm = False
        self.wake()

    def look(self, now: float) -> bool:
        """End what has lasted too long, and drop a client that takes nothing; tell if it was."""
        if self.until is not None and now >= self.until:
            self.close("shutdown")
        if self._peer.poll is not None and self._peer.poll():
            self._gone()
        if not self._is_stuck(now):
            return False
        self.drop()
        return True

    def drop(self) -> None:
        """Cut a client off that takes nothing."""
        self._cut_off()
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

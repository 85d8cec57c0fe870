"""What a stream has sent to its client, counted and timed, and whether the client takes it.

Floor 1. The base of a `Stream`, which decides what a client that is silent, held up or gone
means. Its transport and the clock tell and ask.
"""

from __future__ import annotations

from . import clock
from .peer import Peer
from .sockets import VANISHED_AFTER
from .timing import Timing


class Delivery:
    """What goes to one client. A base of streams, so that it costs no object of its own."""

    __slots__ = (
        "_heartbeat_due",
        "_last_sent",
        "_looking",
        "_mark",
        "_moved",
        "_opened",
        "_peer",
        "_timing",
        "_writing_since",
        "bytes",
        "dropped",
        "events",
        "heartbeats",
        "lost_at",
    )

    def __init__(self, timing: Timing, peer: Peer) -> None:
        self.events = self.bytes = self.heartbeats = 0
        self.dropped = False
        # When a client that is gone was last known to be there, if the system tells.
        self.lost_at: float | None = None
        self._timing = timing
        self._peer = peer
        self._heartbeat_due = False
        self._last_sent = self._opened = clock.now()
        self._writing_since: float | None = None
        # How far the client was when it was last seen to move, and when that was.
        self._mark: int | None = None
        self._moved = self._opened
        self._looking = False

    @property
    def heartbeat(self) -> float:
        """After how much silence a heartbeat is due (seconds)."""
        return self._timing.heartbeat

    @property
    def until(self) -> float | None:
        """When the stream has lasted long enough (`clock.now`)."""
        return self._opened + self._timing.max_duration if self._timing.max_duration else None

    @property
    def opened(self) -> float:
        """When the stream was opened (`clock.now`)."""
        return self._opened

    @property
    def seconds(self) -> float:
        """How long the stream has been open."""
        return clock.now() - self._opened

    @property
    def fd(self) -> int | None:
        """The descriptor of the client's socket, where the server shows it."""
        return self._peer.socket.fd if self._peer.socket is not None else None

    def sent(self) -> None:
        """Note that the server has written the last chunk."""
        self._writing_since = None

    def held_up(self) -> None:
        """Note that the client does not take the last chunk yet."""
        if self._writing_since is None:
            self._writing_since = clock.now()
            self.moved()

    def moved(self) -> None:
        """Note that the client has taken something just now."""
        self._moved = clock.now()

    def note_loss(self) -> None:
        """Note when the client was last known to be there, while its socket can tell.

        That is when its system last acknowledged anything, which closing a connection does
        as well (TCP); for one that is there and takes nothing, when it last took something.
        One that the kernel has given up on counts as dropped.
        """
        if self._peer.socket is None:
            return
        # TCP_USER_TIMEOUT may come before the look that would have cut it off.
        self.dropped = self.dropped or self._peer.socket.given_up()
        if self.lost_at is None:
            since = self._peer.socket.since_acknowledged()
            if since is not None:
                seen = clock.now() - since
                self.lost_at = seen if self._writing_since is None else min(seen, self._moved)

    def _sending(self, chunk: bytes) -> bytes:
        if chunk:
            self._heartbeat_due = False
            self._last_sent = self._writing_since = clock.now()
            self.bytes += len(chunk)
        return chunk

    def _is_silent(self, now: float) -> bool:
        """Tell whether a heartbeat is due."""
        return self._writing_since is None and now - self._last_sent >= self._timing.heartbeat

    def _due_at(self, now: float, until: float | None) -> float:
        """Return when the clock has to look again, if the stream is to last until some time."""
        closely = self._looking or self._peer.poll is not None
        return self._timing.due(now, self._last_sent, until, closely=closely)

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

    def _cut_off(self) -> None:
        """Cut the client off, so that a write that waits for it fails."""
        self.note_loss()
        self.dropped = True
        self._writing_since = None
        if self._peer.socket is not None:
            self._peer.socket.cut()

"""The client's side of a stream, and who sends to it.

Floor 1. A `Peer` is looked at by the stream's clock and ends the stream when its client is
gone; a `Transport` is what sends, where that is not the server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .sockets import ClientSocket, get_watch


class Peer:
    """The client's side of a stream: its socket, and other ways to learn that it is gone."""

    __slots__ = ("poll", "socket")

    def __init__(
        self, socket: ClientSocket | None = None, poll: Callable[[], bool] | None = None
    ) -> None:
        self.socket = socket
        self.poll = poll
        if socket is not None and not get_watch().works:
            self.poll = socket.closed_by_peer

    def watch(self, gone: Callable[[], None], send_timeout: float) -> None:
        """Call `gone` when the client closes the connection."""
        if self.socket is not None:
            self.socket.prepare(send_timeout)
            if get_watch().works:
                get_watch().add(self.socket.fd, gone)

    def forget(self, gone: Callable[[], None]) -> None:
        """End `watch`; must come before the server closes the socket."""
        if self.socket is not None and get_watch().works:
            get_watch().remove(self.socket.fd, gone)


class Transport(Protocol):
    """What sends a stream, where that is not the server."""

    def mark(self) -> None:
        """Ask the stream for its next chunk soon."""

    def count(self) -> None:
        """Add to the stream's counters what was sent since the last time."""


class Nowhere:
    """The transport of a stream that has been sent."""

    def mark(self) -> None:
        """There is nothing to be asked for any more."""

    def count(self) -> None:
        """There is nothing more to count."""


NOWHERE = Nowhere()

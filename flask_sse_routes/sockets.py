"""The client's socket, as far as a stream needs it: is it gone, does it take bytes, cut it.

Floor 1. Reads no byte: EPOLLRDHUP says that the peer closed, TCP_INFO how much it has
got. Without epoll a stream peeks once a second; without a socket (a server that
shows none) only a failing write tells.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from . import concurrency
from .logs import Log

with contextlib.suppress(ImportError):  # not on Windows
    import fcntl
    import termios

log = Log(__name__)

# A peer that has not acknowledged what was sent for this long has vanished (seconds).
VANISHED_AFTER = 20.0
# Fields of struct tcp_info (linux/tcp.h; the last since Linux 4.1): the connection's state, which
# is 7 once it was reset, how often what is in flight was sent again, packets in flight,
# milliseconds since the peer last acknowledged anything, and all bytes acknowledged so far.
STATE, CLOSED = 0, 7
RETRANSMITS, RETRIES = 2, 3
IN_FLIGHT = slice(24, 28)
SINCE_ACK = slice(56, 60)
ACKNOWLEDGED = slice(120, 128)
# EPOLLRDHUP, EPOLLHUP and EPOLLERR (sys/epoll.h): gevent's patch takes their names away.
GONE = 0x2000 | 0x10 | 0x8


class Progress(NamedTuple):
    """How far a peer is: `mark` changes with every byte it takes.

    `waiting` says that something was sent and not acknowledged, which a peer that is there
    does within a round trip, even if it takes nothing (TCP only). `silent`: for how many seconds
    it has not, while the kernel sent it again and again.
    """

    mark: int
    waiting: bool
    silent: float = 0.0


class ClientSocket:
    """What a stream may ask of, and do to, the socket that a server put into the environ."""

    __slots__ = ("_socket", "fd")

    def __init__(self, raw: Any) -> None:
        # gevent's socket would wait where a plain one says that it would block.
        self._socket = getattr(raw, "_sock", raw)
        self.fd: int = raw.fileno()

    def prepare(self, send_timeout: float) -> None:
        """Send small events at once, and have the kernel give up on a peer that is silent.

        TCP_USER_TIMEOUT also ends a connection whose peer is there but takes nothing
        (tcp(7)), so it must not be shorter than the send timeout.
        """
        patience = int(max(VANISHED_AFTER, send_timeout) * 1000)
        with contextlib.suppress(OSError, AttributeError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)

    def progress(self) -> Progress | None:
        """Return how far the peer has got with what was sent, where the system tells."""
        info = self._tcp_info()
        if info:
            acknowledged = int.from_bytes(info[ACKNOWLEDGED], "little")
            return Progress(acknowledged, any(info[IN_FLIGHT]), _silence(info))
        try:
            queued = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, bytes(4))
        except (OSError, NameError, ValueError):
            return None
        return Progress(int.from_bytes(queued, sys.byteorder), waiting=False)

    def silence(self) -> float:
        """Return `Progress.silent` alone, for less than all of it costs."""
        return _silence(self._tcp_info(SINCE_ACK.stop))

    def since_acknowledged(self) -> float | None:
        """Return for how many seconds the peer has acknowledged nothing, where the system tells.

        The end of a connection acknowledges as well; of a reset the time is not kept.
        """
        info = self._tcp_info(SINCE_ACK.stop)
        if not info or info[STATE] == CLOSED:
            return None
        return int.from_bytes(info[SINCE_ACK], "little") / 1000

    def given_up(self) -> bool:
        """Tell, once, whether the kernel has given up on a peer that took nothing for too long."""
        try:
            error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        except (OSError, AttributeError):
            return False
        return bool(error == errno.ETIMEDOUT)

    def _tcp_info(self, size: int = ACKNOWLEDGED.stop) -> bytes:
        try:
            info: bytes = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, size)
        except (OSError, AttributeError):
            return b""
        return info if len(info) == size else b""

    def cut(self) -> None:
        """Drop the connection, unsent bytes included; a blocked write fails at once."""
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self, unread: int = 0) -> None:
        """Close it, after throwing away up to `unread` bytes that the peer has sent.

        A connection that is closed with unread bytes is reset, and the peer loses what it has
        not read yet (RFC 9112, section 9.6).
        """
        with contextlib.suppress(OSError):
            if unread:
                self._socket.recv(unread, socket.MSG_DONTWAIT)
        with contextlib.suppress(OSError):
            self._socket.close()

    def closed_by_peer(self) -> bool:
        """Peek for the end of the connection, without waiting and without taking a byte."""
        try:
            return not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except (BlockingIOError, InterruptedError, ValueError):
            return False  # ValueError: a TLS socket does not peek
        except OSError:
            return True


def _silence(info: bytes) -> float:
    """Return for how many seconds a peer has not acknowledged what was sent again and again."""
    if not info or info[RETRANSMITS] < RETRIES or not any(info[IN_FLIGHT]):
        return 0.0
    return int.from_bytes(info[SINCE_ACK], "little") / 1000


def client_socket(environ: dict[str, Any]) -> ClientSocket | None:
    """Return the client's socket if the WSGI server lets an application see it.

    gunicorn and Werkzeug name it in the environ; gevent's pywsgi has it below `wsgi.input`.
    """
    raw = environ.get("gunicorn.socket") or environ.get("gunicorn.sock")
    raw = raw or environ.get("werkzeug.socket") or _pywsgi_socket(environ.get("wsgi.input"))
    try:
        return ClientSocket(raw) if raw is not None and raw.fileno() >= 0 else None
    except (AttributeError, OSError, ValueError):
        return None


def _pywsgi_socket(stream: Any) -> Any:
    if type(stream).__module__ != "gevent.pywsgi":
        return None
    return getattr(getattr(stream.rfile, "raw", None), "_sock", None)


class SocketWatch:
    """Tells streams that their client is gone; one epoll for all sockets of the process."""

    def __init__(self) -> None:
        self._gone: dict[int, Callable[[], None]] = {}
        self._lock = threading.RLock()
        self._epoll = concurrency.epoll()
        self._watcher: object = None

    @property
    def works(self) -> bool:
        """Whether this platform has epoll; if not, streams peek once a second."""
        return self._epoll is not None

    def add(self, fd: int, gone: Callable[[], None]) -> None:
        """Call `gone` once when the peer of `fd` closes or fails."""
        with self._lock:
            if self._watcher is None:
                self._watcher = concurrency.on_readable(
                    self._epoll.fileno(), self._ready, "sse-watch"
                )
            self._gone[fd] = gone
        try:
            self._epoll.register(fd, GONE)
        except FileExistsError:
            self._epoll.modify(fd, GONE)
        except OSError:
            self.remove(fd, gone)
            gone()

    def remove(self, fd: int, gone: Callable[[], None]) -> None:
        """Forget `fd`, unless it has been given to another stream since."""
        with self._lock:
            if self._gone.get(fd) == gone:
                self._forget(fd)

    def _forget(self, fd: int) -> Callable[[], None] | None:
        with contextlib.suppress(OSError):
            self._epoll.unregister(fd)
        return self._gone.pop(fd, None)

    def _ready(self) -> None:
        # Under the lock, so that no descriptor is given to another stream in between.
        with self._lock:
            found = [self._forget(fd) for fd, _ in self._epoll.poll(0)]
        for gone in found:
            try:
                if gone is not None:
                    gone()
            except Exception as error:
                log.error("Ending a stream failed", error=error)


get_watch: Callable[[], SocketWatch] = concurrency.once_per_process(SocketWatch)

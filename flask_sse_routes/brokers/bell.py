"""How the processes of one machine wake each other: a folder of Unix datagram sockets.

Floor 1. A bell carries no data and may be missed, by a full queue or a crash; who listens
looks for itself once in a while. Without Unix datagrams, looking is all there is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from .. import concurrency

# A folder changed this recently may change again within one tick of its clock (seconds).
UNSETTLED = 0.1
# Seconds for which who rings does not look at the folder again.
FRESH = 0.002
# Longest path of a Unix socket in bytes (unix(7), macOS has the smallest), less some room.
MAX_PATH = 100
# Seconds between looks where there are no bells.
LOOK = 0.05
# Nobody is bound to the socket any more: its process ended without a goodbye.
GONE = (errno.ECONNREFUSED, errno.ENOENT)


class Sender:
    """A socket to ring with, and the folder, held open to shorten paths that are too long."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._directory = os.open(folder, os.O_RDONLY)
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        except BaseException:
            os.close(self._directory)
            raise
        self._socket.settimeout(0)
        # Whoever drops a broker without closing it leaves no descriptors behind.
        self.close = weakref.finalize(self, _close, self._socket, self._directory)

    def send(self, name: str) -> None:
        try:
            self._socket.sendto(b"!", address(self._folder, self._directory, name))
        except OSError as error:
            if error.errno in GONE:
                with contextlib.suppress(OSError):
                    Path(self._folder, name).unlink()


def _close(sender: socket.socket, directory: int) -> None:
    sender.close()
    os.close(directory)


class Bell:
    """Rings at everyone who listens in a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._place = Path(folder)
        self._names: list[str] = []
        self._seen: tuple[int, int] | None = None
        self._looked = 0.0
        self._sender: Sender | None = None
        self._lock = concurrency.native_lock()

    def ring(self, *, but: str | None = None) -> None:
        """Wake every listener, except that of a name; never waits for one and never fails."""
        with contextlib.suppress(OSError, AttributeError), self._lock:
            self._look()
            for name in self._names:
                if name == but:
                    continue
                if self._sender is None:
                    self._sender = Sender(self.folder)
                self._sender.send(name)

    def _look(self) -> None:
        """Read the folder again if it has changed."""
        now = time.monotonic()
        if now - self._looked < FRESH:
            return
        self._looked = now
        try:
            status = self._place.stat()
        except FileNotFoundError:
            self._forget()
            return
        seen = (status.st_ino, status.st_mtime_ns)
        if seen == self._seen:
            return
        if self._seen is None or seen[0] != self._seen[0]:
            self._forget()
        self._names = [path.name for path in self._place.iterdir()]
        settled = abs(time.time() - seen[1] / 1e9) > UNSETTLED
        self._seen = seen if settled else (seen[0], -1)

    def _forget(self) -> None:
        sender, self._sender = self._sender, None
        self._names, self._seen = [], None
        if sender is not None:
            sender.close()

    def close(self) -> None:
        """Close what is open; calling again does nothing."""
        with self._lock:
            self._forget()


def address(folder: str, directory: int, name: str) -> str:
    """Return a socket's path, by way of the open folder where it would be too long."""
    path = f"{folder}/{name}"
    return path if len(os.fsencode(path)) <= MAX_PATH else f"/proc/self/fd/{directory}/{name}"


class BellListener:
    """One task's place in the folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._socket: socket.socket | None = None
        self._new = True
        self._close: Callable[[], object] = _nothing
        self._bind()

    def _bind(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            Path(self._folder).mkdir(parents=True, exist_ok=True)
            self._take_place(self._folder, self.name)

    def _take_place(self, folder: str, name: str) -> None:
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = Path(folder, name)
        finalizer = weakref.finalize(self, _leave, bell, path, os.getpid())
        try:
            directory = os.open(folder, os.O_RDONLY)
            try:
                bell.bind(address(folder, directory, name))
            finally:
                os.close(directory)
        except BaseException:
            finalizer()
            raise
        self._socket, self._close = bell, finalizer

    def wait(self, seconds: float) -> None:
        """Return when the bell has rung, or after `seconds`; rings that pile up are one."""
        bell = self._socket
        if bell is None:
            time.sleep(min(seconds, LOOK))
            return
        if self._new:
            # Who looked at the folder just before does not know of this listener yet.
            self._new, seconds = False, min(seconds, 2 * FRESH)
        bell.settimeout(max(seconds, 0))
        try:
            bell.recv(1)
        except TimeoutError:
            self._look()
            return
        except OSError:
            return
        bell.settimeout(0)
        with contextlib.suppress(OSError):
            while True:
                bell.recv(1)

    def _look(self) -> None:
        """Take the place anew if somebody has removed it, the folder perhaps with it."""
        if self._socket is not None and not Path(self._folder, self.name).exists():
            self.close()
            self._new = True
            self._bind()

    def close(self) -> None:
        """Leave the folder; calling again does nothing."""
        self._socket = None
        self._close()


def _leave(bell: socket.socket, path: Path, pid: int) -> None:
    bell.close()
    if os.getpid() == pid:  # a fork's child has only a copy of its parent's place
        with contextlib.suppress(OSError):
            path.unlink()


def _nothing() -> None:
    pass

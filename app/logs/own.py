"""The server's own log: one file of all workers, which begins anew when it has grown large.

Only messages are written, on one line each, never a traceback: those stay on the console.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import weakref
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

from flask import Flask

NAME = "server.log"
# Bytes of the file, and how many older ones are kept, `server.log.1` being the newest.
LARGEST = 2_000_000
OLDER_KEPT = 3
STYLE = re.compile(r"\x1b\[[0-9;]*m")
BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r"})


class SharedFile:
    """A file that several processes append to, each line by one write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = -1

    def append(self, line: bytes) -> None:
        if not self._is_current():
            self.close()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._file = os.open(self.path, flags, 0o600)
        os.write(self._file, line)
        if os.fstat(self._file).st_size > LARGEST:
            self._rotate()

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _is_current(self) -> bool:
        """Tell whether the open file still has the name; another process may have rotated."""
        if self._file < 0:
            return False
        try:
            return os.path.samestat(self.path.stat(), os.fstat(self._file))
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        with self._alone():
            if self.path.stat().st_size <= LARGEST:
                return  # another process was first
            for number in range(OLDER_KEPT - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    older(self.path, number).rename(older(self.path, number + 1))
            self.path.rename(older(self.path, 1))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self.path.with_name(f"{self.path.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def older(path: Path, number: int) -> Path:
    """Return what a file is called after so many rotations."""
    return path.with_name(f"{path.name}.{number}")


class FileHandler(logging.Handler):
    """Writes for the application that was made last; opens nothing before the first line."""

    def __init__(self) -> None:
        super().__init__()
        self.app: weakref.ref[Flask] | None = None
        self._file: SharedFile | None = None

    def emit(self, record: logging.LogRecord) -> None:
        app = self.app() if self.app else None
        if app is None:
            return
        # What is logged is on the console as well: a full disk must not fail who logs it.
        with contextlib.suppress(OSError):
            self._file_of(app).append(_text(record).encode(errors="backslashreplace"))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()

    def _file_of(self, app: Flask) -> SharedFile:
        path = server_log(app)
        if self._file is None or self._file.path != path:
            if self._file is not None:
                self._file.close()
            self._file = SharedFile(path)
        return self._file


def server_log(app: Flask) -> Path:
    """Return where an application's own log is."""
    return Path(app.config["DATA_FOLDER"]) / NAME


def _text(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, timezone.utc)
    when = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    message = STYLE.sub("", record.getMessage()).translate(BREAKS)
    return f"{when} {record.levelname} {record.process} {record.name}: {message}\n"


# One per process, like the loggers themselves: a second app must not write every line twice.
handler = FileHandler()


def init_app(app: Flask) -> None:
    """Have what is logged written to the file, and to the console if nothing else does that."""
    app.config.setdefault("LOG_FILES", [])
    handler.app = weakref.ref(app)
    logging.basicConfig(format="[%(asctime)s] %(levelname)s %(name)s: %(message)s")
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    for name in ("gunicorn.error", "gunicorn.access", "werkzeug"):
        logger = logging.getLogger(name)
        if not logger.propagate:
            logger.addHandler(handler)

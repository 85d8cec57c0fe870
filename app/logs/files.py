"""Which files can be followed: the server's own log and those that `LOG_FILES` names.

`LOG_FILES` is a list of paths and patterns, such as `/var/log/*.log`. A visitor names one of what
they match; no path ever comes from outside.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path

from flask import Flask, current_app
from pydantic import BaseModel

from .own import server_log

OWN = "server"
MOST = 200
MAGIC = set("*?[")


class LogFile(BaseModel):
    """A file that can be followed, with its size in bytes."""

    name: str
    bytes: int
    changed: datetime


def named(app: Flask) -> dict[str, Path]:
    """Return the files by the names that visitors use: the path as configured."""
    matched = {str(path): path for path in _configured(app.config["LOG_FILES"])}
    return {OWN: server_log(app), **dict(list(matched.items())[:MOST])}


def find(name: str) -> Path | None:
    return named(current_app).get(name)


def all_files() -> list[LogFile]:
    """Return those that can be read now, the server's own first."""
    found = (_described(name, path) for name, path in named(current_app).items())
    return [file for file in found if file is not None]


def _configured(patterns: str | Iterable[str]) -> Iterator[Path]:
    for pattern in patterns.split(",") if isinstance(patterns, str) else patterns:
        path = Path(pattern)
        # A pattern names what is there now; a path may be that of a file that comes later.
        if MAGIC.intersection(pattern):
            found = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
            yield from (each for each in sorted(found) if _is_readable(each))
        elif pattern:
            yield path


def _is_readable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK)


def _described(name: str, path: Path) -> LogFile | None:
    try:
        found = path.stat()
    except OSError:
        return None
    changed = datetime.fromtimestamp(found.st_mtime, timezone.utc)
    return LogFile(name=name, bytes=found.st_size, changed=changed)

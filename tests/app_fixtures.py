"""Consoles for tests: each with a folder and a broker of its own, the logging left as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from app import create_app, logs


def make_console(folder: Path, **config: Any) -> Flask:
    """Return an application whose files are in `folder`, and whose events are in memory.

    It is open to all, unless `OPEN_TO_ALL` says otherwise.
    """
    defaults = {
        "TESTING": True,
        "SSE_BROKER_URL": "memory://",
        "DATA_FOLDER": str(folder),
        "SECRET_KEY": "of a test",
        "ACTIVITY_BEAT": 0.02,
        "OPEN_TO_ALL": True,
    }
    return create_app({**defaults, **config})


@contextmanager
def logging_restored() -> Iterator[None]:
    """The log's handler belongs to the process: no test leaves one behind."""
    root = logging.getLogger()
    level, app = root.level, logs.handler.app
    try:
        yield
    finally:
        root.removeHandler(logs.handler)
        root.setLevel(level)
        logs.handler.app = app

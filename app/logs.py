"""The server's own log as a stream: a logging handler publishes every line to a channel.

All workers publish to the same one. Only the message is shown, never a traceback: those stay on
the console.
"""

import logging
import re
import threading
import weakref
from datetime import datetime, timezone
from typing import Any, Literal

from flask import Flask
from pydantic import BaseModel

from flask_sse_routes import Event, Subscription, define_route

from .extensions import sse
from .hooks import log_end

CHANNEL = "log"
SHOWN_TO_NEWCOMERS = 100
LONGEST_MESSAGE = 2000
STYLE = re.compile(r"\x1b\[[0-9;]*m")


class LogLine(BaseModel):
    at: datetime
    level: str
    severity: int
    logger: str
    message: str


class ChannelHandler(logging.Handler):
    """Publishes for the application that was made last, and not what publishing itself logs."""

    def __init__(self) -> None:
        super().__init__()
        self.app: weakref.ref[Flask] | None = None
        self._busy = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        app = self.app() if self.app else None
        if app is None or getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            with app.app_context():
                sse.publish(CHANNEL, _line(record))
        except Exception:
            self.handleError(record)
        finally:
            self._busy.now = False


def _line(record: logging.LogRecord) -> LogLine:
    return LogLine(
        at=datetime.fromtimestamp(record.created, timezone.utc),
        level=record.levelname,
        severity=record.levelno,
        logger=record.name,
        message=STYLE.sub("", record.getMessage())[:LONGEST_MESSAGE],
    )


# One per process, like the loggers themselves: a second app must not show every line twice.
handler = ChannelHandler()


def attach(app: Flask) -> None:
    """Send what is logged to the channel, and to the console as well if nothing else does."""
    handler.app = weakref.ref(app)
    logging.basicConfig(format="[%(asctime)s] %(levelname)s %(name)s: %(message)s")
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    for name in ("gunicorn.error", "gunicorn.access", "werkzeug"):
        logger = logging.getLogger(name)
        if not logger.propagate:
            logger.addHandler(handler)


def logs(level: Literal["INFO", "WARNING", "ERROR"] = "INFO") -> Subscription:
    least = logging.getLevelName(level)

    def severe(event: Event) -> bool:
        return bool(event.data["severity"] >= least)

    def recent() -> list[Any]:
        events = sse.history(CHANNEL, limit=SHOWN_TO_NEWCOMERS)
        return [event.data for event in events if severe(event)]

    return sse.subscribe(CHANNEL, snapshot=recent, where=severe)


routes = {
    "logs": define_route(
        logs, kind="sse", output=LogLine, hooks=[log_end], summary="The server's log, line by line"
    ),
}

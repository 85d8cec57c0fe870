"""The server's own log as a stream: a logging handler, attached once per process, fills a board.

Only the message is shown, never a traceback: those stay on the console.
"""

import logging
import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Literal

from pydantic import BaseModel

from flask_sse_routes import Context, Event, define_route

from .board import Board
from .hooks import log_end

SHOWN_TO_NEWCOMERS = 100
LONGEST_MESSAGE = 2000
STYLE = re.compile(r"\x1b\[[0-9;]*m")


class LogLine(BaseModel):
    at: datetime
    level: str
    severity: int
    logger: str
    message: str


class BoardHandler(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.board: Board[LogLine] = Board(keep=500)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.board.post(_line(record))
        except Exception:
            self.handleError(record)


def _line(record: logging.LogRecord) -> LogLine:
    return LogLine(
        at=datetime.fromtimestamp(record.created, timezone.utc),
        level=record.levelname,
        severity=record.levelno,
        logger=record.name,
        message=STYLE.sub("", record.getMessage())[:LONGEST_MESSAGE],
    )


# One per process, like the loggers themselves: a second app must not show every line twice.
handler = BoardHandler()


def attach() -> None:
    """Send what is logged to the board, and to the console as well if nothing else does."""
    logging.basicConfig(format="[%(asctime)s] %(levelname)s %(name)s: %(message)s")
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(handler)
    for name in ("gunicorn.error", "gunicorn.access", "werkzeug"):
        logger = logging.getLogger(name)
        if not logger.propagate:
            logger.addHandler(handler)


def logs(ctx: Context, level: Literal["INFO", "WARNING", "ERROR"] = "INFO") -> Iterator[Event]:
    least = logging.getLevelName(level)
    for event in handler.board.follow(ctx, recent=SHOWN_TO_NEWCOMERS):
        if event.data.severity >= least:
            yield event


routes = {
    "logs": define_route(
        logs, kind="sse", output=LogLine, hooks=[log_end], summary="The server's log, line by line"
    ),
}

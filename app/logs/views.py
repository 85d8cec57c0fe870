"""The routes of logs. The stream of one is a generator that a client can resume: the ids of its
events are positions in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from flask import abort
from pydantic import BaseModel, Field, StringConstraints

from flask_sse_routes import Context, Event, define_route

from ..hooks import log_end
from .files import OWN, LogFile, all_files, find
from .lines import SEVERITIES, Lines, LogLine
from .position import parse
from .reader import Reader

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
FileName = Annotated[str, StringConstraints(min_length=1, max_length=400)]
# Seconds between two looks at a file.
PAUSE = 0.4


class NewLines(BaseModel):
    lines: list[LogLine]


class Tail(NewLines):
    """The last lines of the file, in place of all that was sent before."""

    reason: Literal["opened", "unknown position"]


class Note(BaseModel):
    """What happened to the file."""

    what: Literal["rotated", "truncated", "missing", "found"]


def log_files() -> list[LogFile]:
    return all_files()


def logs(
    ctx: Context,
    file: FileName = OWN,
    level: Level = "INFO",
    last: Annotated[int, Field(ge=0, le=1000)] = 200,
) -> Iterator[Event]:
    path = find(file)
    if path is None:
        abort(404, "There is no such log file to choose.")
    reader, lines = Reader(path), Lines()

    def severe(raw: list[bytes]) -> list[LogLine]:
        return [line for line in map(lines.read, raw) if line.severity >= SEVERITIES[level]]

    try:
        if not reader.resume(parse(ctx.last_event_id)):
            found = severe(reader.tail())
            newest = found[len(found) - min(last, len(found)) :]
            reason: Literal["opened", "unknown position"] = (
                "unknown position" if ctx.sent_id else "opened"
            )
            yield Event(Tail(lines=newest, reason=reason), event="tail", id=reader.position)
        while True:
            piece = reader.read()
            if piece.what:
                yield Event(Note(what=piece.what), event="note", id=reader.position)
            if new := severe(piece.lines):
                yield Event(NewLines(lines=new), id=reader.position)
            ctx.sleep(0 if piece.more else PAUSE)
    finally:
        reader.close()


routes = {
    "logs": define_route(
        logs,
        kind="sse",
        output=NewLines,
        events={"tail": Tail, "note": Note},
        hooks=[log_end],
        summary="A log file, line by line",
    ),
    "log_files": define_route(log_files, path="/log-files", summary="The log files there are"),
}

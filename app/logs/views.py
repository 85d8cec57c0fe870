"""The routes of logs. The stream of one is a generator that a client can resume: the ids of its
events are positions in the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from flask import abort
from pydantic import BaseModel, Field, StringConstraints

from flask_sse_routes import Context, Event, define_route

from ..hooks import REAUTHORIZE, log_end, operator_unless_open
from .files import OWN, LogFile, all_files, find
from .lines import SEVERITIES, Lines, LogLine, backwards, last_of
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
    reader, lines, least = Reader(path), Lines(), SEVERITIES[level]
    try:
        if not reader.resume(parse(ctx.last_event_id)):
            newest = _newest(ctx, backwards(reader.tail(), lines, least), last)
            reason: Literal["opened", "unknown position"] = (
                "unknown position" if ctx.sent_id else "opened"
            )
            yield Event(Tail(lines=newest, reason=reason), event="tail", id=reader.position)
        while True:
            piece = reader.read()
            if piece.what:
                yield Event(Note(what=piece.what), event="note", id=reader.position)
            if new := lines.severe(piece.lines, least):
                yield Event(NewLines(lines=new), id=reader.position)
            ctx.sleep(0 if piece.more else PAUSE)
    finally:
        reader.close()


def _newest(ctx: Context, parts: Iterator[list[LogLine]], last: int) -> list[LogLine]:
    found: list[LogLine] = []
    for part in parts:
        found = part + found
        if len(found) >= last:
            break
        # Making sense of many lines takes time: others have their turn in between.
        ctx.sleep(0)
    return last_of(found, last)


routes = {
    "logs": define_route(
        logs,
        kind="sse",
        output=NewLines,
        events={"tail": Tail, "note": Note},
        hooks=[log_end, operator_unless_open],
        reauthorize=REAUTHORIZE,
        summary="A log file, line by line",
    ),
    "log_files": define_route(
        log_files,
        path="/log-files",
        hooks=[operator_unless_open],
        summary="The log files there are",
    ),
}

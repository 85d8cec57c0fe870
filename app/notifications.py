"""Notifications: one POST, and every open page has it.

They are kept in this process, which is why the demo runs one worker.
"""

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Annotated, Literal, cast

from flask import Flask, current_app
from pydantic import BaseModel, Field, StringConstraints

from flask_sse_routes import Context, Event, define_route

from .board import Board
from .hooks import log_end

Level = Literal["info", "success", "warning", "error"]
Message = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]

SHOWN_TO_NEWCOMERS = 5


class Notification(BaseModel):
    message: str
    level: Level
    at: datetime


class Posted(Notification):
    id: str


def init_app(app: Flask) -> None:
    board: Board[Notification] = Board()
    app.extensions["notifications"] = board
    board.post(_note("The server has started", "info"))


def notifications(ctx: Context) -> Iterator[Event]:
    return _board().follow(ctx, recent=SHOWN_TO_NEWCOMERS)


def notify(message: Message, level: Level = "info") -> Posted:
    post = _board().post(_note(message, level))
    return Posted(id=post.id, **post.body.model_dump())


def history(limit: Annotated[int, Field(ge=1, le=200)] = 20) -> list[Posted]:
    return [Posted(id=post.id, **post.body.model_dump()) for post in _board().recent(limit)]


def _note(message: str, level: Level) -> Notification:
    return Notification(message=message, level=level, at=datetime.now(timezone.utc))


def _board() -> Board[Notification]:
    return cast("Board[Notification]", current_app.extensions["notifications"])


routes = {
    "notifications": define_route(
        notifications,
        kind="sse",
        output=Notification,
        hooks=[log_end],
        summary="Notifications as they are posted",
    ),
    "notify": define_route(notify, method="POST", summary="Post a notification to every open page"),
    "history": define_route(history, summary="The notifications posted last"),
}

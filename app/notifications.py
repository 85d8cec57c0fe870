"""Notifications: one POST, and every open page has it, whichever worker it is connected to."""

from datetime import datetime, timezone
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from flask_sse_routes import Event, Subscription, define_route

from .extensions import sse
from .hooks import log_end

Level = Literal["info", "success", "warning", "error"]
Message = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"\S")
]

CHANNEL = "notifications"
SHOWN_TO_NEWCOMERS = 5


class Notification(BaseModel):
    message: str
    level: Level
    at: datetime


class Posted(Notification):
    id: str


def notifications() -> Subscription:
    return sse.subscribe(CHANNEL, snapshot=lambda: history(SHOWN_TO_NEWCOMERS))


def notify(message: Message, level: Level = "info") -> Posted:
    note = Notification(message=message, level=level, at=datetime.now(timezone.utc))
    return Posted(id=sse.publish(CHANNEL, note), **note.model_dump())


def history(limit: Annotated[int, Field(ge=1, le=200)] = 20) -> list[Posted]:
    return [_posted(event) for event in sse.history(CHANNEL, limit=limit)]


def _posted(event: Event) -> Posted:
    return Posted(id=str(event.id), **event.data)


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

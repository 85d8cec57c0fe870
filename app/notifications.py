"""Notifications: one POST, and every open page has it, whichever worker it is connected to."""

from datetime import datetime, timezone
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from flask_sse_routes import Context, Event, Subscription, define_route

from .extensions import sse
from .hooks import REAUTHORIZE, log_end
from .posting import count_post

Level = Literal["info", "success", "warning", "error"]
Message = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"\S")
]
Id = Annotated[str, StringConstraints(max_length=256)]

CHANNEL = "notifications"
SHOWN_TO_NEWCOMERS = 10
# As many as a channel gives at a time.
LOOKED_THROUGH = 1000


class Notification(BaseModel):
    """`by` is the account of who was signed in."""

    message: str
    level: Level
    at: datetime
    by: str | None = None


class Posted(Notification):
    id: str


def notifications() -> Subscription:
    return sse.subscribe(CHANNEL, snapshot=lambda: history(SHOWN_TO_NEWCOMERS))


def notify(ctx: Context, message: Message, level: Level = "info") -> Posted:
    count_post(ctx.request, ctx.user)
    by = ctx.user.account if ctx.user else None
    note = Notification(message=message, level=level, at=datetime.now(timezone.utc), by=by)
    return Posted(id=sse.publish(CHANNEL, note), **note.model_dump())


def history(
    limit: Annotated[int, Field(ge=1, le=200)] = 20, before: Id | None = None
) -> list[Posted]:
    """Return the last ones, or those before the one with an id, oldest first.

    There is none before one that is not kept any more.
    """
    if before is None:
        return [_posted(event) for event in sse.history(CHANNEL, limit=limit)]
    events = sse.history(CHANNEL, limit=LOOKED_THROUGH)
    end = next((i for i, event in enumerate(events) if event.id == before), 0)
    return [_posted(event) for event in events[max(end - limit, 0) : end]]


def _posted(event: Event) -> Posted:
    return Posted(id=str(event.id), **event.data)


routes = {
    "notifications": define_route(
        notifications,
        kind="sse",
        output=Notification,
        hooks=[log_end],
        reauthorize=REAUTHORIZE,
        summary="Notifications as they are posted",
    ),
    "notify": define_route(notify, method="POST", summary="Post a notification to every open page"),
    "history": define_route(history, summary="Notifications that were posted before"),
}

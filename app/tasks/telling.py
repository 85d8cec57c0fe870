"""Telling of tasks: all changes on one channel, each task's own and its progress on another."""

from __future__ import annotations

import logging

from flask_sse_routes import BrokerUnavailable, EventError

from ..extensions import sse
from .model import FullTask, Task

log = logging.getLogger(__name__)

EVERYTHING = "tasks"


def channel_of(task_id: int) -> str:
    """The channel of one task."""
    return f"task:{task_id}"


def tell(task: Task) -> None:
    """Tell everybody of a change. What is in the database is true, whether it gets told or not."""
    summary = Task(**{name: getattr(task, name) for name in Task.model_fields})
    _publish(EVERYTHING, summary)
    tell_followers(task)


def tell_followers(task: Task) -> None:
    """Tell of progress, to those who follow the task itself."""
    full = task if isinstance(task, FullTask) else FullTask(**task.model_dump())
    _publish(channel_of(task.id), full)


def _publish(channel: str, task: Task) -> None:
    try:
        sse.publish(channel, task)
    except (BrokerUnavailable, EventError) as error:
        log.warning("Task %s is not told of: %s", task.id, error)

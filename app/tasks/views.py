"""The routes of tasks. Whoever has the console open sees all of them; `hooks` say who ends them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Annotated

from flask import abort
from pydantic import BaseModel, Field, StringConstraints

from flask_sse_routes import Context, Event, Subscription, define_route, hook

from ..extensions import sse
from ..hooks import REAUTHORIZE, log_end
from ..posting import count_post
from . import data_sets, store, streams
from .data_sets import LONGEST_UPLOAD, DataSet
from .hashing import folders
from .hooks import own_unless_open
from .imports import places_of
from .model import FINISHED, Count, FullTask, Hash, Import, Order, Task
from .runner import runner
from .table import Table, TableError
from .telling import EVERYTHING, channel_of, tell

TaskId = Annotated[int, Field(ge=1, le=2**53 - 1)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_UPLOAD)]


class Choices(BaseModel):
    """What tasks can be about."""

    data_sets: list[DataSet]
    folders: list[str]
    longest_upload: int


@hook
def watched(ctx: Context) -> Generator[None, None, None]:
    """Somebody watches: tasks of processes that died are to be noticed."""
    runner().watch(1)
    yield
    runner().watch(-1)


def task_choices() -> Choices:
    return Choices(
        data_sets=data_sets.ours(), folders=list(folders()), longest_upload=LONGEST_UPLOAD
    )


def upload_table(ctx: Context, title: Name, text: Text) -> DataSet:
    count_post(ctx.request, ctx.user)
    try:
        return data_sets.keep(title, text)
    except TableError as error:
        abort(422, str(error))


def tasks() -> Subscription:
    return sse.subscribe(EVERYTHING, snapshot=store.latest)


def follow_task(task_id: TaskId) -> Iterator[Event]:
    if store.find(task_id) is None:
        abort(404, "There is no such task.")
    changes = sse.listen(channel_of(task_id))
    # Looked up after the listening began, so that nothing falls in between.
    task = store.find(task_id)
    if task is None:
        abort(404, "There is no such task.")
    yield Event(task)
    if task.state in FINISHED:
        return
    for change in changes:
        yield Event(change.data, id=change.id)
        if change.data["state"] in FINISHED:
            return


def start_task(ctx: Context, input: Order) -> Task:
    return _start(input, ctx)


def repeat_task(ctx: Context, task_id: TaskId) -> Task:
    order = store.order_of(task_id)
    if order is None:
        abort(404, "There is no such task.")
    return _start(order, ctx)


def cancel_task(task_id: TaskId) -> Task:
    task = store.cancel(task_id)
    if task is None:
        abort(404, "There is no such task.")
    tell(task)
    runner().nudge()
    return task


def _start(order: Order, ctx: Context) -> Task:
    count_post(ctx.request, ctx.user)
    title = _title(order)
    try:
        task = store.add(order, title, ctx.user.account if ctx.user else None)
    except store.QueueFull:
        abort(429, f"{store.MOST_QUEUED} tasks wait already: cancel one, or try again later.")
    tell(task)
    runner().nudge()
    return task


def _title(order: Order) -> str:
    """Return what a task is called, having seen that it can be done."""
    if isinstance(order, Count):
        return f"Count the primes up to {order.limit:,}"
    if isinstance(order, Hash):
        if order.folder not in folders():
            abort(404, "There is no such folder to choose.")
        return f"Hash {order.folder}"
    return _title_of_import(order)


def _title_of_import(order: Import) -> str:
    found = data_sets.find(order.data_set)
    if found is None:
        abort(404, "There is no such data set, or not any more: upload it again.")
    title, text = found
    try:
        places_of(Table(text), [*order.group_by, *order.sum_up])
    except TableError as error:
        abort(422, str(error))
    return f"Sum up {title} by {', '.join(order.group_by)}"


routes = {
    "task_choices": define_route(
        task_choices, path="/task-choices", summary="What tasks can be about"
    ),
    "upload_table": define_route(
        upload_table, method="POST", path="/tables", summary="Upload a CSV file to be imported"
    ),
    "tasks": define_route(
        tasks,
        kind="sse",
        output=Task,
        hooks=[log_end, watched],
        reauthorize=REAUTHORIZE,
        summary="Tasks of everybody",
    ),
    "follow_task": define_route(
        follow_task,
        kind="sse",
        path="/tasks/<int:task_id>",
        output=FullTask,
        hooks=[log_end, watched],
        reauthorize=REAUTHORIZE,
        summary="One task, to its result",
    ),
    "start_task": define_route(
        start_task, method="POST", path="/tasks", input=Order, summary="Start a task"
    ),
    "cancel_task": define_route(
        cancel_task,
        method="POST",
        path="/tasks/<int:task_id>/cancel",
        hooks=[own_unless_open],
        summary="Cancel a task",
    ),
    "repeat_task": define_route(
        repeat_task, method="POST", path="/tasks/<int:task_id>/repeat", summary="Start it again"
    ),
    "task": define_route(
        streams.task,
        kind="sse",
        events={"progress": streams.Progress, "done": streams.Done},
        hooks=[log_end, streams.computing],
        reauthorize=REAUTHORIZE,
        summary="Count primes for as long as the stream is open",
    ),
    "countdown": define_route(
        streams.countdown,
        kind="sse",
        output=streams.Left,
        hooks=[log_end],
        reauthorize=REAUTHORIZE,
        summary="Seconds down to zero",
    ),
}

"""Tasks in the database: the queue that all workers take from, and the history.

A task that runs has an owner, a runner in some process, who renews its lease. Each change that an
owner makes names it: one that has lost its task changes nothing.
"""

from __future__ import annotations

import sqlite3
import time
from datetime import datetime, timezone
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from ..database import database
from .model import FINISHED, FullTask, Order, Result, State, Task
from .work import Progress

# Seconds after which a task whose owner says nothing is given up.
LEASE = 8.0
MOST_QUEUED = 20
FINISHED_KEPT = 50
OWNER_GONE = "The process that ran it is gone."
OWNER_STOPS = "The server was stopped or restarted."
SUMMARY = (
    "id, kind, title, by, state, cancelling, created, started, finished, done, total, unit, "
    "problem, updated"
)
UNITS = {"import": "characters", "hash": "files", "count": "numbers"}

_orders: TypeAdapter[Order] = TypeAdapter(Order)
_results: TypeAdapter[Result] = TypeAdapter(Result)


class Claimed(NamedTuple):
    """A task that now belongs to who claimed it."""

    task: Task
    order: Order


class QueueFull(Exception):
    """So many tasks wait that another would wait for too long."""


def add(order: Order, title: str, by: str | None) -> Task:
    """Queue a task. Raises `QueueFull`."""

    def work(db: sqlite3.Connection) -> Task:
        waiting = db.execute("SELECT count(*) FROM tasks WHERE state = 'queued'").fetchone()[0]
        if waiting >= MOST_QUEUED:
            raise QueueFull
        now = time.time()
        values = (order.model_dump_json(), order.kind, title, by, UNITS[order.kind], now, now)
        inserted = db.execute(
            "INSERT INTO tasks (ordered, kind, title, by, unit, created, updated, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, 'queued')",
            values,
        )
        return _task(db, inserted.lastrowid)

    return database().write(work)


def claim(owner: str) -> Claimed | None:
    """Take the oldest task that waits, if there is one."""
    waiting = "SELECT id, ordered FROM tasks WHERE state = 'queued' ORDER BY id LIMIT 1"
    if database().read(lambda db: db.execute(waiting).fetchone()) is None:
        return None

    def work(db: sqlite3.Connection) -> Claimed | None:
        row = db.execute(waiting).fetchone()
        if row is None:
            return None
        now = time.time()
        _set(db, row["id"], state="running", owner=owner, lease=now + LEASE, started=now)
        return Claimed(_task(db, row["id"]), _orders.validate_json(row["ordered"]))

    return database().write(work)


def beat(task_id: int, owner: str, progress: Progress) -> Task | None:
    """Note how far a task is and renew its lease; `None` where it is not the owner's any more."""

    def work(db: sqlite3.Connection) -> Task | None:
        if not _owns(db, task_id, owner):
            return None
        _set(db, task_id, lease=time.time() + LEASE, **progress._asdict())
        return _task(db, task_id)

    return database().write(work)


def finish(
    task_id: int,
    owner: str,
    state: State,
    progress: Progress,
    *,
    result: Result | None = None,
    problem: str | None = None,
) -> FullTask | None:
    """Note how a task ended; `None` where it is not the owner's any more."""

    def work(db: sqlite3.Connection) -> FullTask | None:
        if not _owns(db, task_id, owner):
            return None
        text = result.model_dump_json() if result else None
        _end(db, task_id, state, result=text, problem=problem, **progress._asdict())
        _forget(db)
        return _full(db, task_id)

    return database().write(work)


def cancel(task_id: int) -> Task | None:
    """End a task that waits, ask the owner of one that runs; return what it is then."""

    def work(db: sqlite3.Connection) -> Task | None:
        row = db.execute("SELECT state FROM tasks WHERE id = ?", (task_id,)).fetchone()
        if row is None:
            return None
        if row["state"] == "queued":
            _end(db, task_id, "cancelled")
            _forget(db)
        elif row["state"] == "running":
            _set(db, task_id, cancelling=1)
        return _task(db, task_id)

    return database().write(work)


def expire() -> list[Task]:
    """Give up tasks whose owners say nothing any more; return them."""
    return _interrupt("lease < ?", time.time(), OWNER_GONE)


def release(owner: str) -> list[Task]:
    """Give up what an owner runs; return it."""
    return _interrupt("owner = ?", owner, OWNER_STOPS)


def _interrupt(condition: str, value: Any, problem: str) -> list[Task]:
    query = f"SELECT id FROM tasks WHERE state = 'running' AND {condition}"
    if database().read(lambda db: db.execute(query, (value,)).fetchone()) is None:
        return []

    def work(db: sqlite3.Connection) -> list[Task]:
        found = [row["id"] for row in db.execute(query, (value,)).fetchall()]
        for task_id in found:
            _end(db, task_id, "interrupted", problem=problem)
        ended = [_task(db, task_id) for task_id in found]
        _forget(db)
        return ended

    return database().write(work)


def find(task_id: int) -> FullTask | None:
    query = "SELECT 1 FROM tasks WHERE id = ?"

    def work(db: sqlite3.Connection) -> FullTask | None:
        return _full(db, task_id) if db.execute(query, (task_id,)).fetchone() else None

    return database().read(work)


def order_of(task_id: int) -> Order | None:
    """Return what was asked for."""
    query = "SELECT ordered FROM tasks WHERE id = ?"
    row = database().read(lambda db: db.execute(query, (task_id,)).fetchone())
    return _orders.validate_json(row["ordered"]) if row else None


def latest() -> list[Task]:
    """Return all tasks that are kept, the newest first."""
    query = f"SELECT {SUMMARY} FROM tasks ORDER BY id DESC"
    return database().read(lambda db: [Task(**_values(row)) for row in db.execute(query)])


def has_unfinished() -> bool:
    query = "SELECT 1 FROM tasks WHERE state IN ('queued', 'running') LIMIT 1"
    return database().read(lambda db: db.execute(query).fetchone()) is not None


def _owns(db: sqlite3.Connection, task_id: int, owner: str) -> bool:
    query = "SELECT 1 FROM tasks WHERE id = ? AND owner = ? AND state = 'running'"
    return db.execute(query, (task_id, owner)).fetchone() is not None


def _set(db: sqlite3.Connection, task_id: int, **values: Any) -> None:
    values["updated"] = time.time()
    names = ", ".join(f"{name} = :{name}" for name in values)
    db.execute(f"UPDATE tasks SET {names} WHERE id = :id", {**values, "id": task_id})


def _end(db: sqlite3.Connection, task_id: int, state: State, **values: Any) -> None:
    _set(db, task_id, state=state, finished=time.time(), owner=None, lease=None, **values)


def _forget(db: sqlite3.Connection) -> None:
    """Keep those that ended last."""
    ended = f"state IN ({', '.join(repr(state) for state in sorted(FINISHED))})"
    last = f"SELECT id FROM tasks WHERE {ended} ORDER BY finished DESC, id DESC LIMIT ?"
    db.execute(f"DELETE FROM tasks WHERE {ended} AND id NOT IN ({last})", (FINISHED_KEPT,))


def _task(db: sqlite3.Connection, task_id: int | None) -> Task:
    row = db.execute(f"SELECT {SUMMARY} FROM tasks WHERE id = ?", (task_id,)).fetchone()
    return Task(**_values(row))


def _full(db: sqlite3.Connection, task_id: int) -> FullTask:
    query = f"SELECT {SUMMARY}, result FROM tasks WHERE id = ?"
    values = _values(db.execute(query, (task_id,)).fetchone())
    text = values.pop("result")
    return FullTask(**values, result=_results.validate_json(text) if text else None)


def _values(row: sqlite3.Row) -> dict[str, Any]:
    values = dict(row)
    for name in ("created", "started", "finished"):
        if values[name] is not None:
            values[name] = datetime.fromtimestamp(values[name], timezone.utc)
    return values

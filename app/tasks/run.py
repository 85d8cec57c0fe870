"""One run of one task: slices of computing, with what is told and noted between them."""

from __future__ import annotations

import logging
import time
from typing import Any

from . import store
from .computing import Compute, computing
from .counting import count
from .data_sets import find
from .hashing import folders, hash_folder
from .imports import aggregate
from .model import Count, Hash, Order, Result, State, Task
from .store import Claimed
from .telling import tell, tell_followers
from .work import Progress, Reached, Work, WorkError, advance

log = logging.getLogger(__name__)

# Seconds: of one slice, after which followers are told, and between two notes in the database,
# which are also looks at whether it is to be cancelled.
SLICE = 0.1
BEAT = 0.5
# Bytes of a result in JSON. It is told within one event, which may have 1 MiB.
LARGEST = 768 * 1024


def work_of(order: Order) -> Work:
    """Return what an order asks for. Raises `WorkError`."""
    if isinstance(order, Count):
        return count(order.limit)
    if isinstance(order, Hash):
        folder = folders().get(order.folder)
        if folder is None:
            raise WorkError("There is no such folder any more.")
        return hash_folder(folder)
    found = find(order.data_set)
    if found is None:
        raise WorkError("The uploaded file has been forgotten: upload it again.")
    return aggregate(found[1], order)


class Run:
    """Runs in a task of its own, within an app context."""

    def __init__(self, claimed: Claimed, owner: str) -> None:
        self.task: Task = claimed.task
        self._order = claimed.order
        self._owner = owner
        self._progress = Progress(0, None, claimed.task.unit)
        self._beaten = time.monotonic()

    def go(self) -> None:
        tell(self.task)
        try:
            work = work_of(self._order)
            with computing() as compute:
                try:
                    self._work(work, compute)
                finally:
                    compute(work.close)
        except WorkError as error:
            self._finish("failed", problem=str(error))
        except Exception:
            log.exception("Task %s failed", self.task.id)
            self._finish("failed", problem="An error of the server's: its log has the reason.")

    def _work(self, work: Work, compute: Compute) -> None:
        while True:
            reached: Reached = compute(advance, work, SLICE)
            self._progress = reached.progress or self._progress
            if reached.result is not None:
                _check_size(reached.result)
                self._finish("done", result=reached.result)
                return
            if not self._goes_on(self._progress):
                return

    def _goes_on(self, reached: Progress) -> bool:
        """Tell of progress, and whether to go on."""
        now = time.monotonic()
        if now - self._beaten < BEAT:
            self.task = self.task.model_copy(update={**reached._asdict(), "updated": time.time()})
            tell_followers(self.task)
            return True
        self._beaten = now
        noted = store.beat(self.task.id, self._owner, reached)
        if noted is None:
            log.warning("Task %s was given up by others", self.task.id)
            return False
        self.task = noted
        if noted.cancelling:
            self._finish("cancelled")
            return False
        tell(noted)
        return True

    def _finish(self, state: State, **how: Any) -> None:
        ended = store.finish(self.task.id, self._owner, state, self._progress, **how)
        if ended is not None:
            tell(ended)


def _check_size(result: Result) -> None:
    if len(result.model_dump_json().encode()) > LARGEST:
        raise WorkError("What came out is too large to be shown.")

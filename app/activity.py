"""What the whole server is doing: open streams and what they send, of all of its workers.

Each worker that has streams says every second in a file of its own what it counts; the route adds
up what is fresh. The task that writes begins with the first stream and ends after the last one.
"""

import logging
import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from flask import Flask, Response, current_app
from pydantic import BaseModel, ValidationError

from flask_sse_routes import Context, define_route

from .extensions import sse
from .hooks import REAUTHORIZE, log_end
from .settings import data_folder

log = logging.getLogger(__name__)

# Seconds after which nobody believes a file, or even keeps it.
FRESH, FORGOTTEN = 5.0, 60.0


class Worker(BaseModel):
    """`rate` is events per second, over the last beat."""

    pid: int
    streams: int
    events: int
    rate: float


class Activity(BaseModel):
    streams: int
    rate: float
    workers: list[Worker]


class Reporter:
    """Writes the counters of one application in this process, while it has streams."""

    def __init__(self, app: Flask) -> None:
        self._app = weakref.ref(app)
        self._beat = float(app.config.get("ACTIVITY_BEAT", 1))
        self._lock = threading.Lock()
        self._pid: int | None = None
        self._trouble = ""

    def start(self) -> None:
        """Have it written from now on; where that is so, this does nothing."""
        with self._lock:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                threading.Thread(target=self._run, name="activity", daemon=True).start()

    def _run(self) -> None:
        try:
            self._report()
        except BaseException:
            # The next stream has another task begin.
            self._pid = None
            raise

    def _report(self) -> None:
        before: Worker | None = None
        while app := self._app():
            with app.app_context():
                before = self._counted(before)
                if self._ends(before):
                    return
            del app
            time.sleep(self._beat)

    def _counted(self, before: Worker | None) -> Worker:
        stats = sse.stats()
        rate = (stats.events - before.events) / self._beat if before else 0.0
        return Worker(pid=os.getpid(), streams=stats.streams, events=stats.events, rate=rate)

    def _ends(self, worker: Worker) -> bool:
        """Write a report, or take it back where there is no stream any more."""
        with self._lock:
            if not worker.streams:
                self._pid = None
                with suppress(OSError):
                    _file(worker.pid).unlink(missing_ok=True)
                return True
        self._write(worker)
        return False

    def _write(self, worker: Worker) -> None:
        """What goes wrong is logged once, not at each beat."""
        trouble = ""
        try:
            _write(worker)
        except OSError as error:
            trouble = str(error)
            if trouble != self._trouble:
                log.warning("What this worker does cannot be told: %s", trouble)
        self._trouble = trouble


def _folder() -> Path:
    return data_folder() / "workers"


def _file(pid: int) -> Path:
    return _folder() / f"{pid}.json"


def _write(worker: Worker) -> None:
    """A reader finds the old file or the new one, whole."""
    _folder().mkdir(mode=0o700, exist_ok=True)
    made = _folder() / f"{worker.pid}.new"
    made.write_text(worker.model_dump_json())
    made.replace(_file(worker.pid))


def activity(ctx: Context) -> Iterator[Activity]:
    """Add up, every two seconds."""
    while True:
        yield count()
        ctx.sleep(2 * current_app.config.get("ACTIVITY_BEAT", 1))


def count() -> Activity:
    workers = [worker for path in sorted(_folder().glob("*.json")) if (worker := _read(path))]
    return Activity(
        streams=sum(worker.streams for worker in workers),
        rate=round(sum(worker.rate for worker in workers), 1),
        workers=workers,
    )


def _read(path: Path) -> Worker | None:
    """Return a report; `None` where its worker ended, or died and left it."""
    with suppress(OSError, ValidationError):
        age = time.time() - path.stat().st_mtime
        if age > FORGOTTEN:
            path.unlink(missing_ok=True)
        elif age < FRESH:
            return Worker.model_validate_json(path.read_bytes())
    return None


def init_app(app: Flask) -> None:
    """Begin to report when the first stream is opened."""
    reporter = Reporter(app)

    def note(response: Response) -> Response:
        if response.mimetype == "text/event-stream":
            reporter.start()
        return response

    app.after_request(note)


routes = {
    "activity": define_route(
        activity,
        kind="sse",
        hooks=[log_end],
        reauthorize=REAUTHORIZE,
        summary="Open streams of all workers, and what they send",
    ),
}

"""`SSEWorker`: gunicorn's gevent worker, whose streams cost neither a greenlet nor a context.

Floor 3. The arbiter imports this module, too, and with it nothing that a reload should bring
anew, such as Flask: what serves is imported in the worker, once gevent has patched that.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from typing import Any

from gevent.event import Event
from gunicorn.workers.ggevent import GeventWorker

# Seconds between looks at the last streams of a worker that stops, and how long before its end
# those that may run on are ended, too: time for their last words and for what cleans up.
LOOK = 0.05
LAST_STEPS = 2.0
# Seconds between two signs of life to the arbiter, as in gunicorn's own worker.
BEAT = 1.0


class SSEWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's gevent worker with streams taken off its hands.

    Requests that became streams do not count towards `max_requests`. When it is to stop, the
    streams end so that their clients go elsewhere, and it waits for what cleans up.
    """

    # Says to `post_worker_init`, which a configuration may have as well, that this sees to it.
    drains_streams = True
    alive: bool
    max_requests: int
    wsgi: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Counted here, because gunicorn counts a request before anybody knows what it becomes.
        self._requests_left, self.max_requests = self.max_requests, sys.maxsize
        self._stops_at: float | None = None
        self._told: Any = None

    def load_wsgi(self) -> None:
        super().load_wsgi()
        from ..streams import PROCESS
        from .application import Application

        self.wsgi = Application(self.wsgi, self.count_request)
        self._log_streams()
        PROCESS.multiprocess |= self.cfg.workers > 1

    def _log_streams(self) -> None:
        """Note the ends of streams where gunicorn notes requests."""
        if self.cfg.accesslog:
            access_log = logging.getLogger("flask_sse_routes.access")
            access_log.handlers = self.log.access_log.handlers
            access_log.setLevel(logging.INFO)
            access_log.propagate = False

    def count_request(self) -> None:
        """Count a request that has been answered; stop after the last one."""
        self._requests_left -= 1
        if self._requests_left <= 0 and self.alive:
            self.log.info("Autorestarting worker after current request.")
            self._note_stop()
            self.alive = False

    def notify(self) -> None:
        """Say that the worker lives, until it is told to stop; after that end its streams.

        gunicorn's own loop looks once a second, each worker at a moment of its own: the clients
        that one has sent away would be taken by another that is to stop as well. Here all that
        are told together close their listeners together.
        """
        super().notify()
        if not self.alive:
            # gunicorn has closed the listeners by now: who is sent away goes to another worker.
            self._drain()
            return
        while self._told is not None and not self._told.wait(BEAT) and self.alive:
            super().notify()

    def handle_exit(self, sig: int, frame: Any) -> None:
        self._note_stop()
        super().handle_exit(sig, frame)

    def run(self) -> None:
        in_time = False  # where gunicorn exits at once
        self._told = Event()
        try:
            super().run()
            in_time = True
        finally:
            self._end_streams(in_time=in_time)

    def _note_stop(self) -> None:
        if self._stops_at is None:
            # The arbiter kills what is there a `graceful_timeout` after its signal.
            self._stops_at = time.monotonic() + self.cfg.graceful_timeout
            if self._told is not None:
                self._told.set()

    @property
    def _time_left(self) -> float:
        self._note_stop()
        assert self._stops_at is not None
        return self._stops_at - time.monotonic()

    def _drain(self) -> None:
        """End the streams; those that may run to their end, once the time for that is over."""
        from ..streams import drain_all

        drain_all(everything=self._time_left <= LAST_STEPS)

    def _end_streams(self, *, in_time: bool) -> None:
        """Wait until all streams have ended and been cleaned up."""
        from ..offload import get_offload
        from ..streams import drain_all, wait_for_all

        self._drain()
        while in_time and self._time_left > LAST_STEPS and not wait_for_all(LOOK):
            with contextlib.suppress(SystemExit, OSError):  # the arbiter may be gone itself
                self.notify()
        drain_all(everything=True)
        if not wait_for_all(LAST_STEPS / 2):
            get_offload().abandon()
            wait_for_all(LAST_STEPS / 4)

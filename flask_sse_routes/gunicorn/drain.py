"""Streams end when their gunicorn worker is to stop, whatever its class.

Floor 3. Runs in each worker, from its start on. The arbiter imports this module with its
configuration, and with it nothing that a reload should bring anew, such as Flask.
"""

from __future__ import annotations

import time
from typing import Any

from .. import concurrency

# Seconds between looks at the worker, and how long before `graceful_timeout` all must end.
LOOK = 0.1
MARGIN = 2.0
# gthread serves other requests with the threads that streams leave.
SPARE_THREADS = 2


def post_worker_init(worker: Any) -> None:
    """Drain the worker's streams when it is to stop: SIGTERM, reload or `max_requests`.

    gunicorn calls it in each worker before the first request. All three causes show in
    `worker.alive`. A gthread worker keeps two threads free of streams.
    """
    if getattr(worker, "drains_streams", False):
        return  # SSEWorker has asked for it
    worker.drains_streams = True
    from ..streams import PROCESS

    if hasattr(worker, "tpool"):
        PROCESS.max_streams = max(1, worker.cfg.threads - SPARE_THREADS)
    concurrency.task(lambda: _watch(worker), "sse-drain").start()


def _watch(worker: Any) -> None:
    from ..streams import drain_all

    while worker.alive:
        time.sleep(LOOK)
    deadline = time.monotonic() + max(0.0, worker.cfg.graceful_timeout - MARGIN)
    drain_all(everything=False)
    while time.monotonic() < deadline:
        time.sleep(LOOK)
    drain_all(everything=True)

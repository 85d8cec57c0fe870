"""What gunicorn has to tell prometheus_client when a worker is gone.

Floor 3. Runs in gunicorn's master process, after each worker, however it ended.
"""

from __future__ import annotations

import os
from typing import Any


def child_exit(server: Any, worker: Any) -> None:
    """Take a worker that is gone out of the gauges of open streams; its counters stay.

    For a `gunicorn.conf.py`, where `PROMETHEUS_MULTIPROC_DIR` is set; else it does nothing.
    """
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return
    try:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
    except (ImportError, OSError) as error:  # it would end gunicorn itself
        message = "The streams of worker %s, which is gone, may stay counted: %s"
        server.log.warning(message, worker.pid, error)

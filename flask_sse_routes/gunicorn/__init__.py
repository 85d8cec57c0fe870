"""What gunicorn needs for streams: a hook for its own workers, and a faster worker.

Floor 3. In `gunicorn.conf.py`: `from flask_sse_routes.gunicorn import post_worker_init`, for
gunicorn's gevent and gthread workers; or `gunicorn -k flask_sse_routes.gunicorn.SSEWorker`, which
does that by itself. Only the latter imports gevent. `child_exit` is for Prometheus metrics of
several workers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .drain import post_worker_init
from .metrics import child_exit

if TYPE_CHECKING:
    from .worker import SSEWorker

__all__ = ["SSEWorker", "child_exit", "post_worker_init"]


if not TYPE_CHECKING:  # to a type checker every name would be there, misspelt ones, too

    def __getattr__(name: str) -> Any:
        if name == "SSEWorker":
            from .worker import SSEWorker

            return SSEWorker
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

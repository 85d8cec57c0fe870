"""The settings file of a gunicorn whose workers are counted together."""

from flask_sse_routes.gunicorn import child_exit, post_worker_init

__all__ = ["child_exit", "post_worker_init"]

"""The settings file of every gunicorn that the tests start."""

from flask_sse_routes.gunicorn import post_worker_init

__all__ = ["post_worker_init"]

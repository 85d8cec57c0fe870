"""The demo: a live console of the server it runs on.

`create_app()` runs once per process, from `wsgi.py` or a test. Each topic (notifications, metrics,
logs, tasks, about) is one module with its types, its handlers and its mapping of routes; `api` puts
the mappings together.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from . import logs, notifications, pages
from .api import api

__all__ = ["create_app"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(config or {})
    logs.attach()
    notifications.init_app(app)
    pages.init_app(app)
    app.register_blueprint(api)
    return app

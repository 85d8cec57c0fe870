"""The demo: a live console of the server it runs on.

`create_app()` runs once per process, from `wsgi.py` or a test. Each topic (notifications, metrics,
logs, tasks, about) is one module with its types, its handlers and its mapping of routes; `api` puts
the mappings together.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from . import logs, pages
from .api import api
from .extensions import sse

__all__ = ["create_app"]


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    app = Flask(__name__, instance_relative_config=True)
    app.config["SSE_BROKER_URL"] = _broker_url(app)
    app.config.from_mapping(config or {})
    sse.init_app(app)
    logs.attach(app)
    pages.init_app(app)
    app.register_blueprint(api)
    return app


def _broker_url(app: Flask) -> str:
    """A file that all workers share; `FLASK_SSE_BROKER_URL` names another broker, Redis for one."""
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'events.db'}"

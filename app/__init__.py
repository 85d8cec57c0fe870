"""The demo: a live operations console of the machine it runs on.

`create_app()` runs once per process, from `wsgi.py` or a test. Each topic is a module or a small
package with its types, its handlers and its mapping of routes; `api` puts the mappings together,
`panels` lists what the console shows of them.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask

from . import access, activity, forms, logs, metrics, pages, scores, security, settings, tasks
from .accounts import cli as accounts_cli
from .accounts import demo as demo_accounts
from .api import api
from .extensions import sse
from .orders import outbox

__all__ = ["create_app"]

# What has to be done once per application, before the first request.
TOPICS_WITH_SETUP = (demo_accounts, accounts_cli, logs, tasks, activity, metrics, scores, outbox)


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    app = Flask(__name__, instance_relative_config=True)
    settings.configure(app, config or {})
    sse.init_app(app)
    security.init_app(app)
    access.init_app(app)
    pages.init_app(app)
    forms.init_app(app)
    for topic in TOPICS_WITH_SETUP:
        topic.init_app(app)
    app.register_blueprint(pages.pages)
    app.register_blueprint(api)
    return app

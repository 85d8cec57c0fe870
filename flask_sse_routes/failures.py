"""The log of what fails in requests: one line each, with the id that the client is told.

Floor 2. `install` puts it in the place of Flask's own `log_exception`, which Flask calls before
it looks for a handler of the failure, and which apps call for what they have caught.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import flask.app
from flask import Flask, g, request

from .logs import Log

# Where a request's context has what it has logged last.
LOGGED = "flask_sse_routes.logged"


class Logged(NamedTuple):
    """An exception, and the id under which it is in the log."""

    error: BaseException | None
    error_id: str


def install(app: Flask, is_ours: Callable[[], bool]) -> None:
    """Log on one line where `is_ours()`, unless the app has a `log_exception` of its own.

    Flask's is a traceback of many lines, which the text of a request could add to.
    """
    usual = app.log_exception
    function = getattr(usual, "__func__", None)
    # By where it was written: a wrapper has the name of what it wraps.
    if getattr(function, "__globals__", None) is not vars(flask.app):
        return

    def log_exception(*arguments: Any, **named: Any) -> None:
        # Of other loggers Flask asks no more than `error`.
        if not is_ours() or not isinstance(app.logger, (logging.Logger, logging.LoggerAdapter)):
            usual(*arguments, **named)
            return
        # Flask 3.2 has one more before the last.
        exc_info = named["exc_info"] if "exc_info" in named else arguments[-1]
        logged = Logged(_error_of(exc_info), uuid.uuid4().hex)
        setattr(g, LOGGED, logged)
        _write(app, logged)

    # Flask calls it on the instance; a subclass is not ours to choose.
    app.log_exception = log_exception  # type: ignore[method-assign]


def forget_logged(error: BaseException | None) -> str | None:
    """Return the id of an exception that was logged; what else was is not what is answered."""
    logged: Logged | None = g.pop(LOGGED, None)
    return logged.error_id if logged is not None and logged.error is error else None


def _write(app: Flask, logged: Logged) -> None:
    """Use the app's logger, whose handlers may mail what fails."""
    what, where = "%s %s failed, error_id %s", (request.method, request.path)
    Log(app.logger).error(what, *where, logged.error_id, error=logged.error, debug=app.debug)


def _error_of(exc_info: Any) -> BaseException | None:
    """Return the exception that `logging` would write for an `exc_info`."""
    if exc_info and not isinstance(exc_info, (BaseException, tuple)):
        exc_info = sys.exc_info()
    found = exc_info if isinstance(exc_info, tuple) else (exc_info,)
    return next((each for each in found if isinstance(each, BaseException)), None)

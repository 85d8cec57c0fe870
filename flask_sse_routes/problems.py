"""Failures as problem documents (RFC 9457), before the first byte and after it.

Floor 2. What `install` adds to an app works below the prefixes of its `RouteBlueprint`s only, and
where the app has no handler of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, TypeGuard

from flask import Flask, got_request_exception, request
from werkzeug.exceptions import HTTPException, InternalServerError, UnprocessableEntity

from . import concurrency
from .errors import PROBLEM_TYPE, InputError, StreamError, problem
from .failures import forget_logged
from .logs import Log

log = Log(__name__)
GENERIC = "The server failed to answer; its log has the details under this error_id."


class InvalidInput(UnprocessableEntity):
    """422, with the list of faults that pydantic found."""

    def __init__(self, error: InputError) -> None:
        super().__init__(str(error))
        self.errors = error.errors


def install(app: Flask, is_ours: Callable[[], bool]) -> None:
    """Answer `HTTPException`s with problem documents where `is_ours()` and nobody else does."""
    handlers = app.error_handler_spec[None][None]
    if HTTPException in handlers:
        return

    def answer(error: HTTPException) -> Any:
        # Flask finds this handler before one that the app has for Exception.
        users = handlers.get(Exception)
        if users is not None:
            return app.ensure_sync(users)(error)
        return problem_response(app, error) if is_ours() else error

    app.register_error_handler(HTTPException, answer)


def problem_response(app: Flask, error: HTTPException) -> Any:
    """Return the problem document of an exception as a response."""
    if error.response is not None:
        return error
    response = error.get_response(request.environ)
    original = _original(error)
    error_id = forget_logged(original)
    if original is not None and error_id is not None:
        document = _generic(app, original, error_id)
    else:
        document = problem_of(app, error, f"{request.method} {request.path}")
    response.set_data(app.json.dumps(document))
    response.content_type = PROBLEM_TYPE
    return response


def problem_of(app: Flask, error: BaseException, where: str) -> dict[str, Any]:
    """Return the problem document of any exception.

    What was not meant for the client goes to the log, on one line with the `error_id` that
    is sent in its place; in debug mode the document names it too.
    """
    original = _original(error)
    if original is not None:
        # Flask writes its traceback, and never raises what it makes of it.
        return _unexpected(app, original, where, error.__traceback__ and original)
    if isinstance(error, StreamError):
        return problem(error.status, error.detail)
    if not is_meant_for_clients(error):
        return _unexpected(app, error, where, error)
    if error.code is None and error.response is not None:
        return problem(error.response.status_code)  # abort() was given a response
    members = {"errors": error.errors} if isinstance(error, InvalidInput) else {}
    detail = None if error.description is None else str(error.description)
    assert error.code is not None
    return problem(error.code, detail, title=error.name, **members)


def _original(error: BaseException) -> BaseException | None:
    return error.original_exception if isinstance(error, InternalServerError) else None


def is_meant_for_clients(error: BaseException) -> TypeGuard[HTTPException]:
    """Tell whether a client may read an exception: its handler or a hook raised it for that."""
    if not isinstance(error, HTTPException):
        return False
    return error.code is not None or error.response is not None


def announce(app: Flask, error: BaseException) -> None:
    """Send `got_request_exception` for what a stream ended with, as Flask does in a request.

    In a task of its own: a receiver may wait, and whoever sends streams must not.
    """
    if not got_request_exception.receivers:
        return

    def send() -> None:
        with app.app_context():
            try:
                wrapper = app.ensure_sync
                got_request_exception.send(app, _async_wrapper=wrapper, exception=error)
            except Exception as failure:
                what = "A receiver of got_request_exception failed"
                log.error(what, error=failure, debug=app.debug)

    try:
        concurrency.task(send, "sse-exception").start()
    except RuntimeError as failure:  # no thread left
        log.error("Nobody could be told of an exception: %s", failure)


def _unexpected(
    app: Flask, error: BaseException, where: str, untold: BaseException | None
) -> dict[str, Any]:
    """`untold` is what the log does not have yet."""
    error_id = uuid.uuid4().hex
    if untold is None:
        log.error("%s failed, error_id %s: %r", where, error_id, error)
    else:
        log.error("%s failed, error_id %s", where, error_id, error=untold, debug=app.debug)
    return _generic(app, error, error_id)


def _generic(app: Flask, error: BaseException, error_id: str) -> dict[str, Any]:
    detail = f"{type(error).__name__}: {error}" if app.debug else GENERIC
    return problem(500, detail, error_id=error_id)

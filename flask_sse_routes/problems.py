"""Failures as problem documents (RFC 9457), before the first byte and after it.

Floor 2. The handler that `install` adds to an app answers below the prefixes of its
`RouteBlueprint`s only, and only where the app has no error handler of its own.
"""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Callable
from typing import Any

from flask import Flask, request
from werkzeug.exceptions import HTTPException, InternalServerError, UnprocessableEntity

from .errors import PROBLEM_TYPE, InputError, StreamError, problem

log = logging.getLogger(__name__)
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
    document = problem_of(app, error, f"{request.method} {request.path}")
    response.set_data(app.json.dumps(document))
    response.content_type = PROBLEM_TYPE
    return response


def problem_of(app: Flask, error: BaseException, where: str) -> dict[str, Any]:
    """Return the problem document of any exception.

    What was not meant for the client goes to the log, on one line with the `error_id` that
    is sent in its place; in debug mode the document names it too.
    """
    if isinstance(error, StreamError):
        return problem(error.status, error.detail)
    original = getattr(error, "original_exception", None)
    if isinstance(error, InternalServerError) and original is not None:
        return _unexpected(app, original, where, repr(original))
    if isinstance(error, HTTPException) and error.code is None and error.response is not None:
        return problem(error.response.status_code)  # abort() was given a response
    if isinstance(error, HTTPException) and error.code is not None:
        members = {"errors": error.errors} if isinstance(error, InvalidInput) else {}
        detail = None if error.description is None else str(error.description)
        return problem(error.code, detail, title=error.name, **members)
    return _unexpected(app, error, where, "".join(traceback.format_exception(error)))


def _unexpected(app: Flask, error: BaseException, where: str, story: str) -> dict[str, Any]:
    """`story` is what the log does not have yet: Flask writes tracebacks of its own."""
    error_id = uuid.uuid4().hex
    log.error("%s failed, error_id %s: %s", _one_line(where), error_id, _one_line(story))
    detail = f"{type(error).__name__}: {error}" if app.debug else GENERIC
    return problem(500, detail, error_id=error_id)


def _one_line(text: str) -> str:
    """Escape line ends and control characters, so that no text can forge a line of a log."""
    return text.strip().encode("unicode_escape").decode()

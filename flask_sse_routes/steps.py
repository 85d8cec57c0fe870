"""Flask's contexts around the steps of a stream's handler.

Floor 2, and the only place that knows how: it uses `app.app_context()`,
`copy_current_request_context()` and the proxies, and relies on nothing that differs
between Flask 3.1 and a Flask whose two contexts are one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from flask import Flask, copy_current_request_context, g, has_request_context, request

from .errors import ContextError
from .sources import Step

CONTEXTS = ("step", "stream", "none")
NOT_HERE = ("Working outside of request context", "Unable to build URLs outside")

Scope = Callable[[Callable[[], None]], Callable[[], None]]


def contexts(app: Flask, mode: str, owner: str) -> tuple[Step, Scope]:
    """Return what wraps each step, and what wraps the whole run, for a `context=` mode.

    Must be called within the request.
    """
    if mode == "stream":
        return _held_step(owner), copy_current_request_context
    return (_bare_step if mode == "none" else _app_step(app, owner)), _bare_scope


def _bare_scope(run: Callable[[], None]) -> Callable[[], None]:
    return run


def _bare_step(advance: Callable[[], bool], blame: Callable[[Exception], None]) -> bool:
    return advance()


def _app_step(app: Flask, owner: str) -> Step:
    """Each step in an app context of its own: teardown runs at every `yield`."""

    def step(advance: Callable[[], bool], blame: Callable[[Exception], None]) -> bool:
        failure: BaseException | None = None
        try:
            with app.app_context() as context:
                try:
                    more = advance()
                except BaseException as error:
                    failure = error
                    raise
                if has_request_context() or _current_g() is not context.g:
                    _refuse_pushed(blame, owner)
                return more
        except RuntimeError as error:
            if str(error).startswith(NOT_HERE):
                raise _not_here(owner) from error
            raise
        except AssertionError as error:
            # Flask's own, about a context that the handler pushed and raised out of, hides why.
            if failure is None or failure is error:
                raise
            raise failure from None
        finally:
            del failure  # its traceback holds this frame: a cycle that only the collector ends

    return step


def _held_step(owner: str) -> Step:
    """All steps in the request's context, which the scope has pushed."""

    def step(advance: Callable[[], bool], blame: Callable[[Exception], None]) -> bool:
        held = _current_g(), _current_request()
        more = advance()
        if _current_g() is not held[0] or _current_request() is not held[1]:
            _refuse_pushed(blame, owner)
        return more

    return step


# Proxies, which their annotations do not say.
_current_g: Callable[[], Any] = cast(Any, g)._get_current_object
_current_request: Callable[[], Any] = cast(Any, request)._get_current_object


def _refuse_pushed(blame: Callable[[Exception], None], owner: str) -> None:
    error = ContextError(
        f"{owner}: its handler yields while a Flask context that it pushed is still pushed. "
        "End the `with` before the yield, or use context='stream' or context='none'."
    )
    blame(error)
    raise error


def _not_here(owner: str) -> ContextError:
    return ContextError(
        f"{owner}: request, session, current_user and url_for do not exist in a stream's step. "
        "Use ctx.request, ctx.user and ctx.url_for, or declare the route with "
        "context='stream' to hold the request context for the whole stream."
    )

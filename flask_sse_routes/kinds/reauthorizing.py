"""`reauthorize=seconds`: the `before` hooks ask again while a stream is open.

Floor 2. Each time they run as for a request, from `before` to `cleanup`, in a request
context made of what the client sent; a refusal ends the stream.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from flask import abort, request
from flask.wrappers import Request
from werkzeug.exceptions import Forbidden, HTTPException

from .. import clock, concurrency
from ..clock import Timer, get_clock
from ..context import Context, RequestView, environ_of
from ..errors import BrokerUnavailable
from ..hooks import HookRun
from ..stream import Stream
from .base import Call
from .refusals import UNAVAILABLE


class Reauthorizer:
    """Asks the hooks of one stream again and again."""

    def __init__(self, call: Call, ctx: Context, stream: Stream, seconds: float) -> None:
        self._call = call
        self._ctx = ctx
        self._stream = stream
        self._seconds = seconds
        self._timer: Timer | None = None

    def start(self) -> None:
        """Ask in a while, and from then on."""
        if not self._stream.over:
            self._timer = get_clock().at(clock.now() + self._seconds, self._tick)

    def stop(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self, _now: float) -> None:
        # Hooks may wait, which the clock must not.
        try:
            concurrency.task(self._ask, "sse-reauthorize").start()
        except RuntimeError:  # no thread left: its client comes back, and is asked then
            self._stream.close("shutdown")

    def _ask(self) -> None:
        if self._stream.over:
            return
        try:
            with self._call.app.request_context(_environ(self._ctx.request)):
                self._run_hooks()
        except HTTPException as error:
            if _status(error) in UNAVAILABLE:
                self._stream.close("shutdown")
            else:
                self._stream.fail(error)
        except BrokerUnavailable:
            self._stream.close("shutdown")
        except Exception as error:
            self._stream.fail(error)
        except BaseException as error:
            if concurrency.is_kill(error):
                self._stream.close("shutdown")
                raise
            failure = RuntimeError(f"a hook raised {error!r}")
            failure.__cause__ = error
            self._stream.fail(failure)
        else:
            self.start()

    def _run_hooks(self) -> None:
        answer = self._call.app.preprocess_request()  # what sets `g.user`, for example
        if answer is not None:
            abort(self._call.app.make_response(answer))
        asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # a proxy
        ctx = self._call.context_of(asked)
        ctx.input, ctx.state = self._ctx.input, self._ctx.state
        run = HookRun(self._call.hooks, ctx)
        outcome: str = "error"
        error: Any = None
        try:
            if ctx.user != self._ctx.user:
                raise Forbidden("The stream was opened by another user.")
            if run.before() is not None:
                raise TypeError(f"{self._call.route.owner}: a before hook returned something.")
            outcome = "completed"
        except HTTPException as refusal:
            outcome, error = "rejected", refusal
            raise
        except BaseException as failure:
            error = failure
            raise
        finally:
            self._call.cleanup(run, ctx, outcome, error)


class NoBody(io.RawIOBase):
    """Stands for the body of a request, which is not kept."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        raise RuntimeError("A request's body is not kept: what was read of it is in ctx.input.")


def _environ(view: RequestView) -> dict[str, Any]:
    environ = environ_of(view)
    has_body = environ.get("CONTENT_LENGTH", "0").strip("0") or "HTTP_TRANSFER_ENCODING" in environ
    environ["wsgi.input"] = io.BufferedReader(NoBody()) if has_body else io.BytesIO()
    environ["wsgi.errors"] = sys.stderr
    return environ


def _status(error: HTTPException) -> int | None:
    """Return the status of an error; `abort` may have been given a response."""
    return error.code if error.response is None else error.response.status_code

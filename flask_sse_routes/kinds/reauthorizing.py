"""`reauthorize=seconds`: the `before` hooks ask again while a stream is open.

Floor 2. Each time they run as for a request, from `before` to `cleanup`, in a request
context made of what the client sent; a refusal ends the stream.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from flask import request
from flask.wrappers import Request
from werkzeug.exceptions import Forbidden, HTTPException

from .. import concurrency
from ..clock import get_clock
from ..context import Context, RequestView
from ..hooks import HookRun
from ..stream import Stream
from .base import Call
from .refusals import UNAVAILABLE

log = logging.getLogger(__name__)


class Reauthorizer:
    """Asks the hooks of one stream again and again."""

    def __init__(self, call: Call, ctx: Context, stream: Stream, seconds: float) -> None:
        self._call = call
        self._ctx = ctx
        self._stream = stream
        self._seconds = seconds

    def start(self) -> None:
        """Begin to ask; it ends with the stream."""
        get_clock().at(time.monotonic() + self._seconds, self._tick)

    def _tick(self, _now: float) -> None:
        # Hooks may wait, which the clock must not.
        if not self._stream.over:
            concurrency.task(self._ask, "sse-reauthorize").start()

    def _ask(self) -> None:
        if self._stream.over:
            return
        view: RequestView = self._ctx.request
        try:
            with self._call.app.request_context(view.environ):
                self._run_hooks()
        except HTTPException as error:
            if error.code in UNAVAILABLE:
                self._stream.close("shutdown")
            else:
                self._stream.fail(error)
        except Exception as error:
            self._stream.fail(error)
        else:
            self.start()

    def _run_hooks(self) -> None:
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
        except Exception as failure:
            error = failure
            raise
        finally:
            self._call.cleanup(run, ctx, outcome, error)

"""What runs around the handlers of the demo: who is let in, and how each stream ended."""

import logging
import time
from collections.abc import Generator

from flask import abort

from flask_sse_routes import Context, define_hook, hook

from .settings import is_open

log = logging.getLogger("app.streams")

# Seconds between two looks at whether a stream's session is still there.
REAUTHORIZE = 10

COOKIE = {"session": {"type": "apiKey", "in": "cookie", "name": "console"}}


def is_first(ctx: Context, name: str) -> bool:
    """Tell whether a hook runs to open a stream; else it is asked again while that is open."""
    known, vars(ctx.state)[name] = hasattr(ctx.state, name), True
    return not known


@hook
def log_end(ctx: Context) -> Generator[None, None, None]:
    """Log how a stream ended and how long it was open."""
    opened = time.monotonic()
    opens = is_first(ctx, "logged")
    yield
    if not opens:
        return
    log.info("%s %s after %.1f s", ctx.route.name, ctx.outcome, time.monotonic() - opened)


def _refuse_strangers(ctx: Context) -> None:
    if ctx.user is None:
        abort(401, "Sign in first.")


def _refuse_others(ctx: Context) -> None:
    if ctx.user.role != "operator":
        abort(403, "This is for operators.")


def _refuse_customers(ctx: Context) -> None:
    if not is_open():
        _refuse_strangers(ctx)
        _refuse_others(ctx)


signed_in = define_hook("signed_in", before=_refuse_strangers, security=COOKIE)
# After `signed_in`.
operator = define_hook("operator", before=_refuse_others)
# Where panels are for everybody, what it guards is too.
operator_unless_open = define_hook("operator_unless_open", before=_refuse_customers)

"""`RetryNotice`: that a stream has no connection, why, and how long it waits for the next.

Floor 3. The reasons are sentences; where the server has given one itself, it is its answer's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from .failures import RouteError


class RetryNotice(NamedTuple):
    """What `on_retry` is told: a stream's connection was lost or refused, and it comes back.

    `attempt` is 1 for the first since the stream was last open; `delay` are the seconds until
    then; `error` says why, with the server's `status` where that was the reason.
    """

    attempt: int
    delay: float
    error: RouteError


OnRetry = Callable[[RetryNotice], Any]


def refused(reason: str) -> RouteError:
    """Return the error of a response whose head says that it is no stream."""
    said = f"The server has not let the stream in: {reason or 'no reason'}."
    return RouteError(0, "Refused", said)


def silent(seconds: float) -> RouteError:
    """Return the error of an open connection that brought nothing for so many seconds."""
    said = f"Three heartbeats stayed out: nothing came within {seconds:g} s."
    return RouteError(0, "Silence", said)


def broken_off(error: Exception | None = None) -> RouteError:
    """Return the error of a connection that was open."""
    why = "" if error is None else f": {_said(error)}"
    return RouteError(0, "Connection lost", f"The connection ended before the stream did{why}.")


def unreached(error: Exception) -> RouteError:
    """Return the error of a request that got no answer."""
    return RouteError(0, "No answer", f"{_said(error)}.")


def _said(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__

"""Every exception of the package, and the problem document they become.

Floor 0: values only. Raised at registration (`DeclarationError`, `ConfigError`), while a
stream runs (`EventError`, `StreamError`, `StreamClosed`, `ContextError`, `OutputError`)
and by input validation (`InputError`).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

PROBLEM_TYPE = "application/problem+json"


class DeclarationError(TypeError):
    """A route, hook or kind was declared wrongly; the message names it and says what to do."""


class ConfigError(ValueError):
    """An `SSE_*` configuration key is unknown or its value makes no sense."""


class EventError(ValueError):
    """An event that the wire format or this package's contract does not allow."""


class ContextError(RuntimeError):
    """A stream's handler used a Flask context that its step does not have, or kept one pushed."""


class OutputError(ValueError):
    """A handler produced a value that its declared output or event type does not allow."""


class InputError(ValueError):
    """The request's input does not fit the route's schema.

    `errors` is a list of `{"loc": [...], "msg": str, "type": str}`, one entry per fault.
    """

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("The request's input is not valid.")
        self.errors = errors


class BrokerUnavailable(Exception):
    """The broker did not answer in time, or refused.

    What was to be appended may have been stored all the same, if only the answer got lost.
    """


class StreamError(Exception):
    """Ends a stream with an `error` event (or, before the first event, an HTTP status).

    `detail` is meant for the client and is sent as it is; `status` is the HTTP status code
    of the problem document (RFC 9457), 400 to 599.
    """

    def __init__(self, detail: str, *, status: int = 500) -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"StreamError status must be 400 to 599, not {status!r}")
        super().__init__(detail)
        self.detail = detail
        self.status = status


class PositionGone(StreamError):
    """What came after a position cannot be told in full any more; read it all again.

    `reason` is that of the `reset` event: `trimmed` or `epoch`. Where nobody catches it, the
    client is answered 410.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"What came after this position is gone ({reason}).", status=410)
        self.reason = reason


class StreamClosed(GeneratorExit):
    """The stream is over (`reason`: `disconnected`, `shutdown` or `error`): let it pass.

    A `GeneratorExit`, so that `finally` blocks run and `except Exception` does not catch it.
    """

    def __init__(self, reason: str = "disconnected") -> None:
        super().__init__(reason)
        self.reason = reason


def problem(
    status: int, detail: str | None = None, *, title: str | None = None, **members: Any
) -> dict[str, Any]:
    """Return a problem document (RFC 9457) for an HTTP status code.

    `members` are extension members, `errors` for example.
    """
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": title or _phrase(status),
        "status": status,
    }
    if detail:
        document["detail"] = detail
    return {**document, **members}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"

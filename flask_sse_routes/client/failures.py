"""`RouteError`: how a route refuses, fails or is lost, from a problem document or without one.

Floor 3. Problem documents are those of RFC 9457.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from .events import parsed

# Characters of an answer that is no problem document which a message shows.
SHOWN = 200


class RouteError(Exception):
    """A call or a stream failed.

    `status` is the HTTP status, 0 where no answer came or a lost stream must not be asked for
    again; `title` and `detail` say what happened; `errors` has one `{loc, msg, type}` for
    each fault of the input (422); `problem` is the whole problem document.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str | None = None,
        errors: Sequence[Any] = (),
        problem: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(status, title, detail, errors, problem)
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = list(errors)
        self.problem = dict(problem or {})

    def __str__(self) -> str:
        said = f"{self.status} {self.title}" if self.status else self.title
        if self.detail:
            said = f"{said}: {self.detail}"
        return f"{said} {self.errors}" if self.errors else said


def failure_of(status: int, document: Any) -> RouteError:
    """Return the error that a problem document, or any other value in its place, tells of."""
    if not isinstance(document, Mapping):
        said = "" if document is None else str(document)
        return RouteError(status, phrase(status), said[:SHOWN] or None)
    told, title, detail = (document.get(name) for name in ("status", "title", "detail"))
    errors = document.get("errors")
    return RouteError(
        told if type(told) is int else status,
        title if isinstance(title, str) else phrase(status),
        detail if isinstance(detail, str) else None,
        errors if isinstance(errors, list) else (),
        document,
    )


def answered_failure(status: int, content_type: str, body: bytes) -> RouteError:
    """Return the error that a response tells of."""
    text = body.decode("utf-8", "replace")
    if is_json(content_type):
        failure = failure_of(status, parsed(text))
        failure.status = status
        return failure
    # A page of a proxy says less than its status.
    plain = media_type(content_type) == "text/plain"
    return RouteError(status, phrase(status), text[:SHOWN] or None if plain else None)


def media_type(content_type: str) -> str:
    """Return a `Content-Type` without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_json(content_type: str) -> bool:
    """Whether this is the media type of a JSON document."""
    kind = media_type(content_type)
    return kind == "application/json" or kind.endswith("+json")


def phrase(status: int) -> str:
    """Return the usual words for a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"

"""The rules that an `Event` must keep to be sent, each with the sentence that refuses it.

Floor 0: run for every event that is encoded, and by `check` for one that a handler made.
"""

from __future__ import annotations

import re
from reprlib import repr as shown
from typing import Final

from ..errors import EventError
from .event import Event, has_data

RESERVED_EVENTS: Final = frozenset({"ready", "snapshot", "reset", "error", "end"})
END_SUFFIX: Final = "~end"
MAX_RETRY: Final = 2**31 - 1

_LINE_BREAKER: Final = re.compile(r"[\r\n\0]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ID: Final = re.compile(rf"[!-~]{{1,256}}(?:{END_SUFFIX})?")


def check(event: Event) -> None:
    """Refuse what a handler may not send.

    Raises:
        EventError: a field that would break the stream (see `encode`), `event` is one of
            `RESERVED_EVENTS`, or `id` ends in `END_SUFFIX`.
    """
    check_fields(event)
    if event.raw is not None:
        check_text("raw", event.raw)
    if event.event in RESERVED_EVENTS:
        reserved = ", ".join(sorted(RESERVED_EVENTS))
        raise EventError(f"event={event.event!r} is reserved ({reserved}): choose another name")
    if event.id is not None and event.id.endswith(END_SUFFIX):
        raise EventError(
            f"id={shown(event.id)} ends in {END_SUFFIX!r}, which marks a finished stream: "
            "choose another id"
        )


def check_fields(event: Event) -> None:
    """Refuse what no stream may carry, whoever made it; the texts of data are not looked at."""
    if event.event is not None:
        _check_line("event", event.event)
        if not event.event:
            raise EventError(
                "event is empty, which clients read as 'message': leave it out or name it"
            )
    if event.id is not None:
        _check_id(event.id)
    if event.retry is not None:
        check_retry(event.retry)
    if event.comment is not None:
        _check_line("comment", event.comment)
    if not has_data(event):
        _check_without_data(event)


def _check_without_data(event: Event) -> None:
    for name, value in (("event", event.event), ("id", event.id)):
        if value is not None:
            raise EventError(
                f"{name}={shown(value)} without data, which clients ignore: give the Event data"
            )
    if event.retry is None and event.comment is None:
        raise EventError("the Event is empty: give it data, raw, retry or comment")


def _check_id(value: object) -> None:
    if not isinstance(value, str):
        raise EventError(f"id must be a str, not {type(value).__name__}: write id=str(...)")
    if not _ID.fullmatch(value):
        raise EventError(
            f"id={shown(value)} must be 1 to 256 printable ASCII characters without a space"
        )


def check_retry(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_RETRY:
        raise EventError(f"retry={shown(value)} must be an int of 0 to {MAX_RETRY} milliseconds")


def _check_line(name: str, value: object) -> None:
    if _LINE_BREAKER.search(check_text(name, value)):
        raise EventError(
            f"{name}={shown(value)} must not contain CR, LF or NUL: remove or replace them"
        )


def check_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise EventError(f"{name} must be a str, not {type(value).__name__}")
    if not value.isascii() and (found := _SURROGATE.search(value)):
        raise EventError(
            f"{name} contains the lone surrogate {found[0]!a} at index {found.start()}, "
            "which UTF-8 cannot carry: remove or replace it"
        )
    return value

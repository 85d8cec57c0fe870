"""`Event`: one event of a stream, to be sent or as received.

Floor 0: a value, which is checked when it is sent (`rules`) and not when it is made.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import EventError


class _Missing(enum.Enum):
    """A one-member enum, so that copies and pickles of the sentinel stay identical to it."""

    MISSING = enum.auto()

    def __repr__(self) -> str:
        return self.name


MISSING: Final = _Missing.MISSING


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream, to be sent or as received (WHATWG HTML section 9.2).

    Args:
        data: any value; a route sends it JSON-encoded. `Event(None)` sends JSON `null`, an event
            whose `data` was not given carries none. A received event has the text (`str`).
        event: the event's name (`str`); `None` sends none, which clients read as `message`.
        id: the position that a client sends back as `Last-Event-ID` (`str`, 1 to 256 printable
            ASCII characters without space). As received: the last id so far, maybe empty.
        retry: reconnection time in milliseconds (`int`, 0 to 2**31 - 1).
        comment: text (`str`) of a comment line, which clients ignore.
        raw: text (`str`) sent as it is instead of `data`; CR and CRLF arrive as LF.

    Raises:
        EventError: both `data` and `raw` were given. The other rules are those of `check`.
    """

    data: Any = MISSING
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None
    raw: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.raw is not None and self.data is not MISSING:
            raise EventError(
                "an Event takes data or raw, not both: data is JSON-encoded, raw is sent as it is"
            )


def has_data(event: Event) -> bool:
    """Whether it carries data or `raw`; without, clients get no event from it."""
    return event.raw is not None or event.data is not MISSING

"""`StreamEvent`: one event as a stream's reader gets it, and what its data means.

Floor 3. A value; `state` makes one for each event that it lets through.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, TypeVar

Name = TypeVar("Name", bound=str, covariant=True)
Data = TypeVar("Data", covariant=True)


@dataclass(frozen=True)
class StreamEvent(Generic[Name, Data]):
    """One event of a stream.

    `event` is its name, `message` where it has none. `data` is what its JSON says, or the text
    itself where that is no JSON. `id` is the last id so far, maybe empty.
    """

    event: Name
    data: Data
    id: str


def parsed(text: str) -> Any:
    """Return the value of a JSON text, and any other text as it is."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> NoReturn:
    """JSON has no NaN and no Infinity (RFC 8259), though Python's reader takes them."""
    raise ValueError(constant)

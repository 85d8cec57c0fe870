"""Input values as a URL and as JSON carry them.

Floor 3. Plain JSON values, and what Python programs have in their place: dates, decimals,
UUIDs, enums, dataclasses, and pydantic models (which are known by their methods).
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import pathlib
import re
import uuid
from collections.abc import Iterator, Mapping, Set
from typing import Any
from urllib.parse import quote

TEXTS = (decimal.Decimal, uuid.UUID, pathlib.PurePath)
SURROGATE = re.compile("[\ud800-\udfff]")
DATES = (datetime.date, datetime.time)


def json_body(value: Any) -> bytes:
    """Return a JSON text. Raises `TypeError` and `ValueError` for what JSON cannot say."""
    return json.dumps(value, default=plain, allow_nan=False).encode()


def query_pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield a field of a query string: a list repeats the key, `None` is left out.

    Raises `TypeError` and `ValueError`, also for a list or `None` within a list.
    """
    if isinstance(value, (list, tuple, Set)):
        for each in value:
            yield name, text(name, each)
    elif value is not None:
        yield name, text(name, value)


def path_part(name: str, value: Any, *, spans: bool) -> str:
    """Return the value of a path variable, quoted; `spans`: it may hold slashes.

    Raises `ValueError` for what no URL can carry there: clients and proxies take `.` and `..`
    out of a path (RFC 3986 section 5.2.4), and an empty value leaves no segment.
    """
    plain_text = text(name, value)
    parts = plain_text.split("/") if spans else [plain_text]
    if not plain_text or {".", ".."} & set(parts):
        raise ValueError(f"{name}={value!r} cannot be a part of a path.")
    return quote(plain_text, safe="/" if spans else "")


def text(name: str, value: Any) -> str:
    """Return a single value as a URL carries it. Raises `TypeError` and `ValueError`."""
    found = _text(name, value)
    if SURROGATE.search(found):
        raise ValueError(f"{name}={value!r} holds a lone surrogate, which no URL can carry.")
    return found


def _text(name: str, value: Any) -> str:
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, DATES):
        return value.isoformat()
    if isinstance(value, (int, float, *TEXTS)):
        return str(value)
    if isinstance(value, datetime.timedelta):
        return str(value.total_seconds())
    raise TypeError(
        f"{name}={value!r} cannot go into a URL: it takes single values and lists of them."
    )


def plain(value: Any) -> Any:
    """Return what JSON can say of a value that it does not know."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, DATES):
        return value.isoformat()
    if isinstance(value, TEXTS):
        return str(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: getattr(value, field.name) for field in fields}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (Set, tuple)):
        return list(value)
    raise TypeError(f"{value!r} cannot be sent as JSON.")

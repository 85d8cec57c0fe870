"""`Call`: one use of a route, its input put where it belongs.

Floor 3. A value, made anew for every use and sent as often as a stream reconnects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from .table import VARIABLE, RouteRow
from .values import json_body, path_part, query_pairs


class Call(NamedTuple):
    """A request to be sent."""

    method: str
    url: str
    # The input as JSON, where it goes to the body.
    body: bytes | None = None

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again without being asked to (RFC 9110 section 9.2.1)."""
        return self.method == "GET"

    def __str__(self) -> str:
        return f"{self.method} {self.url.partition('?')[0]}"


def make_call(url: str, name: str, row: RouteRow, values: Mapping[str, Any]) -> Call:
    """Return the call of a route below `url`.

    Raises `TypeError` where a path variable is missing, and with `ValueError` where a value
    cannot be sent.
    """
    left = dict(values)
    path = _path(name, row, left)
    if row["body"]:
        return Call(row["method"], url + path, json_body(left))
    pairs = [pair for key, value in left.items() for pair in query_pairs(key, value)]
    query = f"?{urlencode(pairs, quote_via=quote)}" if pairs else ""
    return Call(row["method"], url + path + query)


def _path(name: str, row: RouteRow, values: dict[str, Any]) -> str:
    """Fill the template; what is used is taken out of `values`."""
    missing = [variable for variable in row["variables"] if values.get(variable) is None]
    if missing:
        raise TypeError(f"{name}() needs {', '.join(missing)}: a part of its path.")
    spans = {variable: bool(mark) for mark, variable in VARIABLE.findall(row["path"])}
    parts = {
        variable: path_part(variable, values.pop(variable), spans=spans[variable])
        for variable in spans
    }
    return VARIABLE.sub(lambda found: parts[found[2]], row["path"])

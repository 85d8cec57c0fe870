"""`Namespace`: `client.api` and `client.sse`, where routes are found by their names.

Floor 3. Runs at every attribute access; what is under a name is made by the client.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from .calls import Call, make_call
from .table import RouteRow, Table

Send = Callable[[Call], Any]


class Namespace:
    """The routes of one kind, or those of them whose dotted names begin with `prefix`."""

    def __init__(
        self, url: str, table: Callable[[], Table], streams: bool, send: Send, prefix: str = ""
    ) -> None:
        self._url = url
        self._table = table
        self._streams = streams
        self._send = send
        self._prefix = prefix

    def __getattr__(self, name: str) -> Any:
        # Whoever looks for special methods must not cause a request.
        if name.startswith("__"):
            raise AttributeError(name)
        table, path = self._table(), self._prefix + name
        row = table.get(path)
        if row is not None and row["streams"] == self._streams:
            return self._caller(path, row)
        if any(known.startswith(f"{path}.") for known in self._known(table)):
            return Namespace(self._url, self._table, self._streams, self._send, f"{path}.")
        raise AttributeError(self._unknown(path, table), name=name, obj=self)

    def __dir__(self) -> list[str]:
        known = self._known(self._table())
        cut = len(self._prefix)
        return sorted(
            {name[cut:].partition(".")[0] for name in known if name.startswith(self._prefix)}
        )

    def _known(self, table: Table) -> list[str]:
        return [name for name, row in table.items() if row["streams"] == self._streams]

    def _caller(self, path: str, row: RouteRow) -> Callable[..., Any]:
        url, send = self._url, self._send

        def call(**values: Any) -> Any:
            return send(make_call(url, path, row, values))

        call.__name__ = call.__qualname__ = path
        return call

    def _unknown(self, path: str, table: Table) -> str:
        here, there = ("sse", "api") if self._streams else ("api", "sse")
        if path in table:
            return f"{path!r} is not in {here}: write client.{there}.{path}(...)."
        near = difflib.get_close_matches(path, self._known(table), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        return f"{self._url} has no route {path!r} in {here}{hint}"

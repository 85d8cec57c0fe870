"""The routes of an app as rows of a table.

Floor 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..codegen.catalogue import Answer
from ..codegen.fields import fields_of
from ..extension import Placed, runtime_of, this_app
from ..kinds import get_kind
from ..routes import Route


class Row(NamedTuple):
    """What is told of a route; optional fields of its input end in `?`."""

    name: str
    kind: str
    method: str
    path: str
    input: list[str]
    events: list[str]
    hooks: list[str]

    def cells(self) -> list[str]:
        """Return the row as text."""
        return [each if isinstance(each, str) else ", ".join(each) or "-" for each in self]


def rows_of() -> list[Row]:
    """Return a row for each route of the current app, in the order of their registration."""
    runtime = runtime_of(this_app())
    names = [hook.name for hook in runtime.hooks]
    return [_row(placed, names) for placed in runtime.placed]


def table(rows: Sequence[Row]) -> str:
    """Return rows as text in aligned columns, under their headings."""
    lines = [[field.upper() for field in Row._fields], *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _row(placed: Placed, app_hooks: list[str]) -> Row:
    route = placed.route
    return Row(
        name=f"{placed.blueprint}.{route.name}",
        kind=route.kind,
        method=route.method,
        path=placed.rule,
        input=_input(route),
        events=_events(get_kind(route.kind, route.owner).describe(route)),
        hooks=[*app_hooks, *(hook.name for hook in placed.hooks)],
    )


def _input(route: Route) -> list[str]:
    if route.input_schema is None:
        return []
    document = route.input_schema.document
    fields = fields_of(document, document.get("$defs", {}))
    return [name if field.required else f"{name}?" for name, field in fields.items()]


def _events(answer: Answer) -> list[str]:
    if answer.events is None:
        return []
    unnamed = ["message"] if answer.schema is not None or not answer.events else []
    return [*unnamed, *answer.events]

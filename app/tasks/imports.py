"""Importing a CSV: its rows in groups, with the sums and means of some columns."""

from __future__ import annotations

from decimal import Decimal

from .model import Aggregate, Group, Import
from .table import Table, TableError, number_in
from .work import Progress, Work, WorkError

MOST_GROUPS = 50_000
# Groups that are shown, those with the largest sums.
SHOWN = 100


class _Sums:
    """What the rows of one group come to."""

    def __init__(self, columns: int) -> None:
        self.rows = 0
        self.sums = [Decimal(0)] * columns

    def add(self, numbers: list[Decimal]) -> None:
        self.rows += 1
        self.sums = [total + number for total, number in zip(self.sums, numbers, strict=True)]


def places_of(table: Table, names: list[str]) -> list[int]:
    """Return where columns are. Raises `TableError` for one that is not there."""
    for name in names:
        if name not in table.names:
            raise TableError(f"There is no column {name!r}.")
    return [table.names.index(name) for name in names]


def aggregate(text: str, order: Import) -> Work:
    table = Table(text)
    keys, values = places_of(table, order.group_by), places_of(table, order.sum_up)
    groups: dict[tuple[str, ...], _Sums] = {}
    rows = skipped = 0
    try:
        for row in table.rows():
            rows += 1
            numbers = _numbers(row, values) if len(row) > max(keys) else None
            if numbers is None:
                skipped += 1
            else:
                key = tuple(row[place] for place in keys)
                groups.setdefault(key, _Sums(len(values))).add(numbers)
            if len(groups) > MOST_GROUPS:
                raise WorkError(f"There are more than {MOST_GROUPS:,} groups.")
            yield Progress(table.read, len(table.text), "characters")
    except TableError as error:
        raise WorkError(str(error)) from error
    return Aggregate(
        group_by=order.group_by,
        sum_up=order.sum_up,
        rows=rows,
        skipped=skipped,
        group_count=len(groups),
        groups=_largest(groups),
    )


def _numbers(row: list[str], places: list[int]) -> list[Decimal] | None:
    """Return the numbers at some places of a row, `None` where one is missing."""
    found = [number_in(row[place]) if place < len(row) else None for place in places]
    numbers = [number for number in found if number is not None]
    return numbers if len(numbers) == len(places) else None


def _largest(groups: dict[tuple[str, ...], _Sums]) -> list[Group]:
    ordered = sorted(groups.items(), key=lambda item: (*(-s for s in item[1].sums), item[0]))
    return [
        Group(
            values=list(key),
            rows=group.rows,
            sums=[float(total) for total in group.sums],
            means=[float(total / group.rows) for total in group.sums],
        )
        for key, group in ordered[:SHOWN]
    ]

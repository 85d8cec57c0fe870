"""CSV as a table: which columns it has, which of them are numbers, its rows one by one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from pydantic import BaseModel

NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
DELIMITERS = ",;\t|"
MOST_COLUMNS = 200
# Rows that are looked at to tell which columns are numbers.
SAMPLE = 100


class Column(BaseModel):
    name: str
    numeric: bool


class TableError(ValueError):
    """A text is no table; says why."""


class Table:
    """A text read as CSV. `read` tells how many characters of it have been."""

    def __init__(self, text: str) -> None:
        self.text = text.removeprefix("\ufeff").replace("\0", "\ufffd")
        self.read = 0
        self._rows = csv.reader(self._lines(), delimiter=_delimiter(self.text))
        try:
            header = next(self._rows, [])
        except csv.Error as error:
            raise TableError(f"Line 1: {error}.") from error
        if len(header) > MOST_COLUMNS:
            raise TableError(f"It has {len(header)} columns; {MOST_COLUMNS} is the most.")
        self.names = _named(header)

    def rows(self) -> Iterator[list[str]]:
        """The rows below the header; empty ones are left out. Raises `TableError`."""
        try:
            for row in self._rows:
                if row:
                    yield row
        except csv.Error as error:
            raise TableError(f"Line {self._rows.line_num}: {error}.") from error

    def columns(self) -> list[Column]:
        sample = list(islice(self.rows(), SAMPLE))
        return [
            Column(name=name, numeric=_is_numeric(sample, place))
            for place, name in enumerate(self.names)
        ]

    def _lines(self) -> Iterator[str]:
        for line in io.StringIO(self.text, newline=None):
            self.read += len(line)
            yield line


def number_in(text: str) -> Decimal | None:
    """Return the number that a field holds, `None` where it is none."""
    text = text.strip()
    return Decimal(text) if NUMBER.fullmatch(text) else None


def _delimiter(text: str) -> str:
    """The header is in names, so what is between them tells."""
    first = text.partition("\n")[0]
    return max(DELIMITERS, key=first.count)


def _named(header: list[str]) -> list[str]:
    """Return a name for each column, different from all others."""
    names: list[str] = []
    for place, text in enumerate(header or [""], 1):
        name = text.strip()[:100] or f"column {place}"
        names.append(f"{name} ({place})" if name in names else name)
    return names


def _is_numeric(rows: list[list[str]], place: int) -> bool:
    fields = [row[place] for row in rows if place < len(row) and row[place].strip()]
    return bool(fields) and all(number_in(field) is not None for field in fields)

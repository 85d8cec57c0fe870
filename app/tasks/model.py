"""What a task is: what was asked for, how far it has come, what came out."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]

FINISHED: frozenset[str] = frozenset({"done", "failed", "cancelled", "interrupted"})

# Characters that are kept of a text that a file or a folder holds.
LONGEST = 200

ColumnName = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Columns = Annotated[list[ColumnName], Field(min_length=1, max_length=3)]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


Shown = Annotated[str, AfterValidator(_cut)]


class Import(BaseModel):
    """Read a CSV file, group its rows and add up numbers."""

    kind: Literal["import"]
    data_set: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    group_by: Columns
    sum_up: Columns


class Hash(BaseModel):
    """The SHA-256 of every file in a folder, one of those that are offered."""

    kind: Literal["hash"]
    folder: Annotated[str, StringConstraints(min_length=1, max_length=80)]


class Count(BaseModel):
    """Count the primes up to a limit."""

    kind: Literal["count"]
    limit: Annotated[int, Field(ge=10_000, le=20_000_000)]


Order = Annotated[Import | Hash | Count, Field(discriminator="kind")]


class Group(BaseModel):
    """The rows with the same values in the columns grouped by; a very long value is cut."""

    values: list[Shown]
    rows: int
    sums: list[float]
    means: list[float]


class Aggregate(BaseModel):
    """`groups` are the largest ones; `skipped` rows had too few columns or no number."""

    kind: Literal["import"] = "import"
    group_by: list[str]
    sum_up: list[str]
    rows: int
    skipped: int
    group_count: int
    groups: list[Group]


class HashedFile(BaseModel):
    path: Shown
    bytes: int
    sha256: str


class Manifest(BaseModel):
    """`sha256` is that of all lines `digest  path`, by path, as `sha256sum` writes them.

    `files` are the first of them; `unreadable` ones are in none of the figures.
    """

    kind: Literal["hash"] = "hash"
    file_count: int
    bytes: int
    unreadable: int
    sha256: str
    files: list[HashedFile]


class Primes(BaseModel):
    kind: Literal["count"] = "count"
    limit: int
    primes: int
    largest: int
    twins: int
    widest_gap: int


Result = Annotated[Aggregate | Manifest | Primes, Field(discriminator="kind")]


class Task(BaseModel):
    """A task as it is at `updated` (seconds since 1970); of two, the later one is right."""

    id: int
    kind: Literal["import", "hash", "count"]
    title: str
    by: str | None
    state: State
    cancelling: bool
    created: datetime
    started: datetime | None
    finished: datetime | None
    done: int
    total: int | None
    unit: Literal["bytes", "characters", "files", "numbers"]
    problem: str | None
    updated: float


class FullTask(Task):
    """A task with what came out, once it is done."""

    result: Result | None = None

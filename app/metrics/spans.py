"""Ten seconds of figures made into one span: the least, the mean and the most of each."""

from datetime import datetime

from .model import Span

SECONDS = 10


class Gathering:
    """The rows of the ten seconds that are not over yet."""

    def __init__(self) -> None:
        self._slot = 0
        self._rows: list[list[float]] = []
        self._at: datetime | None = None

    def add(self, at: datetime, row: list[float]) -> Span | None:
        """Take a row; return the span before it, when this is the first of another one."""
        slot = int(at.timestamp() // SECONDS)
        span = self._span() if slot != self._slot else None
        if slot != self._slot:
            self._slot, self._rows = slot, []
        self._rows.append(row)
        self._at = at
        return span

    def _span(self) -> Span | None:
        if self._at is None:
            return None
        columns = list(zip(*self._rows, strict=True))
        return Span(
            at=self._at,
            low=[min(column) for column in columns],
            mean=[round(sum(column) / len(column), 1) for column in columns],
            high=[max(column) for column in columns],
        )

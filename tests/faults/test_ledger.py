"""A client's ledger: what is lost, twice or out of order, and what a reset accounts for."""

from __future__ import annotations

import json

import pytest
from e2e.client import Arrival

from flask_sse_routes import Event

from .ledger import Ledger


class Published:
    """A publisher whose number n has the place n + 100."""

    seqs = range(100, 200)
    retried = frozenset({7})

    def __len__(self) -> int:
        return len(self.seqs)


def arrivals(*numbers: int | tuple[int, int] | str) -> Ledger:
    ledger = Ledger(Published())  # type: ignore[arg-type]  # all of it that is asked
    for each in numbers:
        if isinstance(each, str):
            ledger(Arrival(Event('{"reason": "trimmed"}', event=each), 1.0))
            continue
        seq, place = each if isinstance(each, tuple) else (each, each + 100)
        data = json.dumps({"seq": seq, "ts": 0})
        ledger(Arrival(Event(data, event="message", id=f"e-{place}"), float(seq)))
    return ledger


@pytest.mark.parametrize(
    ("numbers", "lost", "twice", "disorder", "again", "skipped"),
    [
        ((0, 1, 2, 3), 0, 0, 0, 0, 0),
        ((0, 3), 2, 0, 0, 0, 0),
        ((0, 1, 2), 1, 0, 0, 0, 0),
        ((0, 2, 1, 3), 0, 0, 1, 0, 0),
        ((0, 1, 1, 2, 3), 0, 0, 0, 1, 0),
        ((0, 1, (1, 150), 2, 3), 0, 1, 0, 0, 0),
        ((*range(8), (7, 150)), 0, 0, 0, 0, 0),
        ((0, "reset", 3), 0, 0, 0, 0, 2),
        ((0, "reset", 1, 3), 1, 0, 0, 0, 0),
    ],
)
def test_ledger(
    numbers: tuple[int, ...], lost: int, twice: int, disorder: int, again: int, skipped: int
) -> None:
    ledger = arrivals(*numbers)
    found = (ledger.lost(4), ledger.twice, ledger.disorder, ledger.again, ledger.skipped)
    assert found == (lost, twice, disorder, again, skipped)


def test_silence() -> None:
    """It is between what is new: what comes once more says nothing."""
    assert arrivals(0, 1, 5, 5, 6).silence == 4

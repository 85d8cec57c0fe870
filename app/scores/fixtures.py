"""The matches of the season in their order, read once per process from the file that has them."""

import functools
from datetime import date

from ..replay import rows
from .model import Result

FILE = "football-2015-16.csv"


@functools.cache
def matches() -> tuple[Result, ...]:
    """Return all results. A match that was put off is in the file twice, once without a score."""
    played = [row for row in rows(FILE) if row["home_score"] and row["away_score"]]
    days = {day: number for number, day in enumerate(sorted({row["date"] for row in played}), 1)}
    in_order = sorted(played, key=lambda row: row["date"])
    return tuple(
        Result(
            number=number,
            day=days[row["date"]],
            date=date.fromisoformat(row["date"]),
            home=row["home_team"],
            away=row["away_team"],
            home_goals=int(row["home_score"]),
            away_goals=int(row["away_score"]),
        )
        for number, row in enumerate(in_order, 1)
    )


def days() -> int:
    return matches()[-1].day

"""Which month it is: the same for all visitors and workers, because the wall's clock says so.

A round is all months, one a second, and a rest at its end. An id is a position: `<round>-<month>`.
"""

import re
import time
from typing import NamedTuple

from ..replay import speed
from .series import table

# Ticks, of a second each, that the last month is looked at.
REST = 8
ID = re.compile(r"(\d{1,12})-(\d{1,3})", re.ASCII)


class Position(NamedTuple):
    round: int
    month: int

    @property
    def id(self) -> str:
        return f"{self.round}-{self.month}"


def now() -> Position:
    months = len(table().months)
    turn, tick = divmod(int(time.time() * speed()), months + REST)
    return Position(turn, min(tick, months - 1))


def until_next_tick() -> float:
    """Return seconds, never quite none."""
    ticks = time.time() * speed()
    return max(int(ticks) + 1 - ticks, 0.02) / speed()


def position_of(last_event_id: str | None) -> Position | None:
    """Return what a client's id says, `None` where it is none of ours."""
    found = ID.fullmatch(last_event_id or "")
    return Position(int(found[1]), int(found[2])) if found else None

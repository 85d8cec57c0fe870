"""What the replays of real data have in common: their files, and how fast they go.

`REPLAY_SPEED` (`FLASK_REPLAY_SPEED`) is 1 where a person watches; 10 replays ten times as fast.
"""

import csv
from pathlib import Path

from flask import current_app

FOLDER = Path(__file__).parent / "data"


def rows(name: str) -> list[dict[str, str]]:
    """Return the rows of one of the files that come with the console."""
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def speed() -> float:
    """Return how many times as fast as usual the current application replays."""
    return float(current_app.config.get("REPLAY_SPEED", 1))

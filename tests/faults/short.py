"""The short form of a scenario as a test: each figure is held; a skip names what is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .scenario import Rig, Scenario, Unavailable, measure


def check(scenario: Scenario, folder: Path) -> None:
    """Run the short form, and fail with all the figures unless each is held."""
    try:
        figures = measure(scenario, Rig("short", folder))
    except Unavailable as missing:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(str(missing))
    broken = [figure for figure in figures if not figure.held]
    assert not broken, "\n".join(map(str, [*broken, "Of:", *figures]))

"""Events and leavings pass the proxies of the guides as they happen."""

from __future__ import annotations

from pathlib import Path

from . import proxies
from .short import check


def test_of_the_guides(tmp_path: Path) -> None:
    check(proxies.SCENARIO, tmp_path)

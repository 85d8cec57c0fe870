"""Every block of the guides is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from .running import part, run


@pytest.mark.parametrize("page", part("guides"))
def test_blocks(page: str, tmp_path: Path) -> None:
    run(page, tmp_path)

"""What the tests of README and docs share: the pages of one part, and the run of one."""

from __future__ import annotations

from pathlib import Path

from .blocks import pages
from .commands import LIMIT
from .page_run import PageRun

# The parts are files of their own, so that two processes of tests share them.
PARTS = ("tutorial", "guides", "reference")


def part(name: str) -> list[str]:
    """The pages of a folder of docs/; with the empty name those of none: README, home, FAQ."""
    if name:
        return [page for page in pages() if page.startswith(f"{name}/")]
    return [page for page in pages() if page.split("/")[0] not in PARTS]


def run(page: str, folder: Path, patience: float = LIMIT) -> None:
    """Run every block of a page in an empty folder."""
    run = PageRun(page, folder, patience)
    try:
        run.run()
    finally:
        run.stop()

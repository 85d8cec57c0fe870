"""Fixtures: programs that must be there, deployments, and a proxy that does what none should."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .deployments import Site

GOOD = """\
worker_class = "flask_sse_routes.gunicorn.SSEWorker"
workers = 2
"""


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return the path of an installed program, or skip; where CI runs, it must be there."""

    def find(name: str) -> str:
        path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if path is None:
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up(f"{name} is not installed")
        return str(path)

    return find


@pytest.fixture
def deploy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Make deployments of the test's own, not started yet."""
    made: list[Site] = []

    def make(settings: str = GOOD, **options: str) -> Site:
        made.append(Site(tmp_path_factory.mktemp("site"), settings, **options))
        # Nothing is in the way of heartbeats here: the sooner they come the better.
        made[-1].environment["FLASK_SSE_HEARTBEAT"] = "0.8"
        return made[-1]

    yield make
    for site in made:
        site.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A good deployment, which the tests of a module share; it has a proxy in some of them."""
    good = Site(tmp_path_factory.mktemp("site"), GOOD)
    try:
        yield good.start()
    finally:
        good.stop()


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder without settings, and without those of the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path

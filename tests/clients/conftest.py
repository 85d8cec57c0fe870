"""Fixtures: programs that must be there, servers of a test's own, and a browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from .serving import Serving

ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / "tests" / "node" / "node_modules"
CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def missing(what: str) -> None:
    """Skip a test that lacks something; where CI runs, fail it."""
    give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    give_up(f"{what} is not installed")


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return the path of an installed program, such as `node` or `chromium`."""

    def find(name: str) -> str:
        path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if path is None:
            missing(name)
        return str(path)

    return find


@pytest.fixture(scope="session")
def node_modules() -> Callable[[str], Path]:
    """Return the folder of a package that `make test` installs from `tests/node/package.json`."""

    def find(name: str) -> Path:
        if not (NODE_MODULES / name).is_dir():
            missing(f"the npm package {name}")
        return NODE_MODULES / name

    return find


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Serving]]:
    """Start servers: `serve("clients.shop:app", worker="gevent", settings={"SSE_RETRY": 100})`."""
    started: list[Serving] = []

    def start(app: str, **options: object) -> Serving:
        started.append(Serving(app, tmp_path_factory.mktemp("server"), **options))  # type: ignore[arg-type]  # checked there
        return started[-1]

    yield start
    for serving in started:
        serving.kill()


@pytest.fixture(scope="module")
def chromium(program: Callable[[str], str]) -> Iterator[Browser]:
    """A headless browser for the tests of a module; each should open a context of its own."""
    path = program("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()

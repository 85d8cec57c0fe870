"""Fixtures: one console and one browser for all tests here, and visitors for each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from clients.conftest import missing
from e2e.chromium import chromium_at
from playwright.sync_api import Browser

from .consoles import Console
from .visitors import NewVisitor, Visitor


@pytest.fixture(name="chromium", scope="package")
def start_chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        missing("chromium")
    with chromium_at(str(path)) as browser:
        yield browser


@pytest.fixture(name="console", scope="package")
def start_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console whose replays go ten times as fast."""
    console = Console(tmp_path_factory.mktemp("console"), REPLAY_SPEED="10")
    yield console
    end(console)


def end(console: Console) -> None:
    console.serving.kill()
    _, found, rest = console.serving.log.partition("Traceback")
    assert not found, rest[:4000]


@pytest.fixture(name="own_console")
def start_own_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A console for one test, which may end it."""
    console = Console(tmp_path_factory.mktemp("console"), REPLAY_SPEED="10")
    yield console
    end(console)


@pytest.fixture(name="visitor")
def make_visitor(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[NewVisitor]:
    """Make visitors, each with a session of its own: `visitor(console=..., viewport=...)`.

    Their pages move little: without a graphics card every picture of a chart costs the processor,
    and every tab of a headless browser is in front. Where motion matters they have `MOTION`.
    """
    visitors: list[Visitor] = []

    def make(console: Console | None = None, **options: object) -> Visitor:
        console = console or request.getfixturevalue("console")
        settings = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
        settings |= options
        context = chromium.new_context(**settings)  # type: ignore[arg-type]  # checked there
        visitors.append(Visitor(context, console))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.context.close()
    assert [fault for visitor in visitors for fault in visitor.unexpected] == []

"""Fixtures: the offload of this process, sites on it, and what comes between two sends."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_sse_routes import concurrency, connections, groups, offload, wheel
from flask_sse_routes.offload import Offload, get_offload

from .sites import Site

MakeSite = Callable[..., Site]
Interlude = Callable[..., list[bool]]


@pytest.fixture(name="offload", scope="session")
def the_offload() -> Iterator[Offload]:
    """It never ends, so that all tests have the same; it looks at its clients more often."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wheel, "SLOT", 0.02)
        patch.setattr(offload, "LOOK", 0.05)
        patch.setattr(connections, "ASK_AFTER", 0.0)
        first = Site(get_offload())
        first.open("a")
        first.close()
        yield get_offload()


def _descriptors() -> set[str]:
    return {each.name for each in Path("/proc/self/fd").iterdir()}


@pytest.fixture(name="quiet")
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that a test does is to be logged as an error."""
    yield
    assert not [each for each in caplog.get_records("call") if each.levelno >= logging.ERROR]


@pytest.fixture(name="make_site")
def make_site(offload: Offload, quiet: None) -> Iterator[MakeSite]:
    before = _descriptors()
    made: list[Site] = []

    def make(**options: Any) -> Site:
        made.append(Site(offload, **options))
        return made[-1]

    yield make
    for site in made:
        site.close()
    # One more is that of the folder itself, at each look.
    assert len(_descriptors()) == len(before)


@pytest.fixture(name="site")
def site(make_site: MakeSite) -> Site:
    return make_site()


@pytest.fixture(name="breathless")
def breathless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn after every other send."""
    monkeypatch.setattr(groups, "BATCH", 2)
    monkeypatch.setattr(offload, "BATCH", 1)
    monkeypatch.setattr(offload, "TURN", -1.0)


@pytest.fixture(name="interlude")
def interlude(
    breathless: None, offload: Offload, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Interlude]:
    """Have something happen when a group has sent to some of its members, and not yet to others.

    What is returned gets an item when it has happened.
    """
    waiting: list[tuple[int, Callable[[], None], list[bool]]] = []
    rest = concurrency.pause

    def pause() -> None:
        in_pass = [group for group in offload._groups.values() if group._row]
        if waiting and in_pass and in_pass[0]._next == waiting[0][0]:
            _, act, done = waiting.pop(0)
            act()
            done.append(True)
        rest()

    def add(act: Callable[[], None], *, after: int = 2) -> list[bool]:
        done: list[bool] = []
        waiting.append((after, act, done))
        return done

    monkeypatch.setattr(concurrency, "pause", pause)
    yield add
    assert not waiting

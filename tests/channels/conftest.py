"""Fixtures: sites that are closed after their test, and brokers put in the place of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_sse_routes import publishing
from flask_sse_routes.brokers.base import Broker

from .followers import Follower
from .sites import FlakyBroker, MortalBroker, Site

MakeSite = Callable[..., Site]


@pytest.fixture(name="make_site")
def make_site() -> Iterator[MakeSite]:
    made: list[Site] = []

    def make(*args: Any, **options: Any) -> Site:
        made.append(Site(*args, **options))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture(name="site")
def site(make_site: MakeSite) -> Site:
    """A site on `memory://`."""
    return make_site()


@pytest.fixture(name="broker_url", params=["memory", "sqlite"])
def broker_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/events.db"


def _install(monkeypatch: pytest.MonkeyPatch, broker: Broker) -> None:
    monkeypatch.setattr(publishing, "broker_from_url", lambda url, **options: broker)
    # A site that is closed while its broker is away would otherwise end a second later.
    monkeypatch.setattr(publishing, "RETRY", 0.02)


@pytest.fixture(name="flaky")
def flaky(monkeypatch: pytest.MonkeyPatch) -> FlakyBroker:
    """The broker of every site that is made from now on."""
    broker = FlakyBroker()
    _install(monkeypatch, broker)
    return broker


@pytest.fixture(name="mortal")
def mortal(monkeypatch: pytest.MonkeyPatch) -> MortalBroker:
    """The broker of every site that is made from now on."""
    broker = MortalBroker()
    _install(monkeypatch, broker)
    return broker


@pytest.fixture(name="follow")
def follow() -> Iterator[Callable[..., Follower]]:
    """Start followers, which end with the test at the latest."""
    started: list[Follower] = []

    def start(*args: Any, **options: Any) -> Follower:
        started.append(Follower(*args, **options).start())
        return started[-1]

    yield start
    for follower in started:
        follower.stop()

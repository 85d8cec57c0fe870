"""One scenario on several servers at the same time; each test has what came of it on its own.

A scenario mostly waits for what a server does after some seconds, so that five of them take no
longer than one. The first test of a function plays it for all of them that are to run; all
servers answer before the first scenario begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from .servers import Server

# Called with a server, a key for its journal, and the parameters that were handed over.
Scenario = Callable[..., None]
Start = Callable[[str], Server]


@dataclass
class Outcome:
    """What came of a scenario for one test."""

    kind: str
    more: dict[str, Any]
    server: Server | None = None
    error: BaseException | None = None
    key: str = field(default_factory=lambda: uuid4().hex)

    def attempt(self, step: Callable[[], None]) -> None:
        """Do something, and keep the first error there is."""
        try:
            step()
        except BaseException as error:  # the test raises it
            self.error = self.error or error


def play(
    scenario: Scenario, outcomes: list[Outcome], start: Start, end: Callable[[Server], None]
) -> None:
    """Start all servers, then play on all of them, then end what was done there."""

    def begin(outcome: Outcome) -> None:
        outcome.server = start(outcome.kind)

    def perform(outcome: Outcome) -> None:
        scenario(outcome.server, outcome.key, **outcome.more)

    with ThreadPoolExecutor(len(outcomes)) as pool:
        list(pool.map(lambda each: each.attempt(lambda: begin(each)), outcomes))
        ready = [each for each in outcomes if each.server is not None]
        list(pool.map(lambda each: each.attempt(lambda: perform(each)), ready))
        shared: dict[int, list[Outcome]] = {}
        for each in ready:
            shared.setdefault(id(each.server), []).append(each)
        list(pool.map(lambda group: _end(group, end), shared.values()))


def _end(group: list[Outcome], end: Callable[[Server], None]) -> None:
    """End what was done on one server, once: who asks it meanwhile would be found there."""
    server = group[0].server
    assert server is not None
    try:
        end(server)
    except BaseException as error:  # each of their tests raises it
        for each in group:
            each.error = each.error or error


class AtOnce:
    """Plays the scenario of a test for all tests of its function, and tells its own outcome."""

    def __init__(
        self,
        item: pytest.Function,
        outcomes: dict[str, Outcome],
        shared: Start,
        launch: Callable[..., Server],
    ) -> None:
        self._item = item
        self._outcomes = outcomes
        self._shared = shared
        self._launch = launch
        self.running: list[Server] = []  # for the report of a failure

    def __call__(self, scenario: Scenario, *, kind: str, **more: Any) -> None:
        """Play it on shared servers; it may leave streams open there that have to end."""
        self._take(scenario, {"kind": kind, **more}, self._shared, Server.settle)

    def alone(self, scenario: Scenario, *options: str, kind: str, **more: Any) -> None:
        """Play it on servers of its own, which are started with some options."""

        def start(kind: str) -> Server:
            return self._launch(kind, *options)

        self.on(start, scenario, kind=kind, **more)

    def on(self, start: Start, scenario: Scenario, *, kind: str, **more: Any) -> None:
        """Play it on servers that are started in a way of their own."""
        self._take(scenario, {"kind": kind, **more}, start, lambda server: None)

    def _take(
        self, scenario: Scenario, given: dict[str, Any], start: Start, end: Callable[[Server], None]
    ) -> None:
        if self._item.nodeid not in self._outcomes:
            found = {item.nodeid: _parameters(item, given) for item in self._siblings(given)}
            made = {each: Outcome(more.pop("kind"), more) for each, more in found.items()}
            self._outcomes.update(made)
            play(scenario, list(made.values()), start, end)
        outcome = self._outcomes[self._item.nodeid]
        self.running = [outcome.server] if outcome.server is not None else []
        if outcome.error is not None:
            raise outcome.error

    def _siblings(self, given: Iterable[str]) -> list[pytest.Function]:
        """The tests of this function that differ from this one in what is given, and no more."""
        mine = self._item
        items = (item for item in mine.session.items if isinstance(item, pytest.Function))
        rest = _others(mine, given)
        return [i for i in items if _name(i) == _name(mine) and _others(i, given) == rest]


def _name(item: pytest.Function) -> str:
    return item.nodeid.partition("[")[0]


def _parameters(item: pytest.Function, given: Iterable[str]) -> dict[str, Any]:
    return {name: item.callspec.params[name] for name in given}


def _others(item: pytest.Function, given: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in item.callspec.params.items() if name not in given}

"""What a scenario is, what it has at hand while it runs, and what it hands back.

A figure is what was measured and the bound that it is held to. A scenario is one row of the
promise; it breaks something and measures what clients, publishers and workers see of it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")
Scale = Literal["short", "long"]

# Seconds between two signs of life while a scenario waits.
TICK = 0.5


class Unavailable(Exception):
    """Something that a scenario needs is not here; the text names it."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What was measured, and the least and the most that it may be; without them it only tells."""

    name: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def held(self) -> bool:
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)

    @property
    def hold(self) -> str:
        """The bound in words; empty where there is none."""
        if self.least is not None and self.least == self.most:
            return number(self.most)
        bounds = (("at least", self.least), ("at most", self.most))
        return ", ".join(f"{word} {number(bound)}" for word, bound in bounds if bound is not None)

    def __str__(self) -> str:
        wanted = f" (to hold: {self.hold})" if self.hold else ""
        return f"{self.name}: {number(self.value)} {self.unit}".rstrip() + wanted


def number(value: float) -> str:
    """A figure with as many digits as mean something."""
    for limit, digits in ((99.95, 0), (9.995, 1), (0.0995, 2)):
        if abs(value) >= limit:
            text = f"{value:,.{digits}f}"
            return text.rstrip("0").rstrip(".") if digits else text
    return f"{value:.3f}" if value else "0"


def none(name: str, value: float, unit: str = "") -> Figure:
    """What must not happen at all."""
    return Figure(name=name, value=value, unit=unit, least=0, most=0)


def exactly(name: str, value: float, wanted: float, unit: str = "") -> Figure:
    return Figure(name=name, value=value, unit=unit, least=wanted, most=wanted)


def at_most(name: str, value: float, bound: float, unit: str = "") -> Figure:
    return Figure(name=name, value=value, unit=unit, most=bound)


def at_least(name: str, value: float, bound: float, unit: str = "") -> Figure:
    return Figure(name=name, value=value, unit=unit, least=bound)


def told(name: str, value: float, unit: str = "") -> Figure:
    """What nothing is promised about, yet says how much the rest means."""
    return Figure(name=name, value=value, unit=unit)


@dataclass
class Rig:
    """A folder of the run's own, its length, and what is to be undone when it is over."""

    scale: Scale
    folder: Path
    say: Callable[[str], None] = lambda text: None
    # What was sampled over time, by its name: seconds since the run began, and the value.
    series: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _begun: float = field(default_factory=time.monotonic)

    @property
    def long(self) -> bool:
        return self.scale == "long"

    def pick(self, short: T, long: T) -> T:
        """The first in the short form, the second in the long one."""
        return long if self.long else short

    def enter(self, manager: AbstractContextManager[T]) -> T:
        """Enter what is left when the run is over, whatever came of it."""
        return self._stack.enter_context(manager)

    def later(self, function: Callable[..., Any], *args: Any) -> None:
        """Have something done when the run is over: the last that was asked for comes first."""
        self._stack.callback(function, *args)

    def sample(self, name: str, value: float) -> None:
        """Add to what the report shows over time."""
        self.series.setdefault(name, []).append((round(time.monotonic() - self._begun, 2), value))

    def pause(self, seconds: float) -> None:
        """Let a time pass that belongs to the scenario, with signs of life."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, TICK))
            self.say("")

    def program(self, name: str) -> str:
        """The path of a program that the scenario cannot do without."""
        path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
        if path is None:
            raise Unavailable(f"{name} is not installed")
        return path

    def close(self) -> None:
        self._stack.close()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One row of the promise, or one variant of it.

    `seconds` is what its long form takes, about; `promise` is the row's text.
    """

    key: str
    title: str
    promise: str
    seconds: float
    run: Callable[[Rig], Sequence[Figure]]


def measure(scenario: Scenario, rig: Rig) -> list[Figure]:
    """Run a scenario, and end all that it started."""
    try:
        figures = list(scenario.run(rig))
    finally:
        rig.close()
    assert any(figure.hold for figure in figures), "nothing was held to a bound"
    return figures

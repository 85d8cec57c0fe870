"""What has been measured: figures by scenario, peer and run, their medians and their ratios."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Result:
    """One measurement; without figures it says why."""

    scenario: str
    peer: str
    run: int
    values: dict[str, float] = field(default_factory=dict)
    failure: str | None = None


@dataclass
class Results:
    """All measurements of one call."""

    results: list[Result] = field(default_factory=list)

    def add(self, result: Result) -> None:
        self.results.append(result)

    def has(self, scenario: str, peer: str) -> bool:
        return any(True for _ in self._of(scenario, peer))

    def failure(self, scenario: str, peer: str) -> str | None:
        """The last reason why a measurement failed; of all runs, if any did."""
        failures = [found.failure for found in self._of(scenario, peer) if found.failure]
        return failures[-1] if failures else None

    def median(self, scenario: str, peer: str, metric: str) -> float | None:
        """The figure in the middle of all runs."""
        found = list(self._values(scenario, peer, metric).values())
        return median(found) if found else None

    def worst(self, scenario: str, peer: str, metric: str) -> float | None:
        """The largest figure of all runs."""
        return max(self._values(scenario, peer, metric).values(), default=None)

    def ratio(self, scenario: str, peer: str, base: str, metric: str) -> float | None:
        """The median of how many times the other's figure it was, run by run."""
        mine = self._values(scenario, peer, metric)
        other = self._values(scenario, base, metric)
        found = [value / other[run] for run, value in mine.items() if other.get(run)]
        return median(found) if found else None

    def as_json(self) -> list[dict[str, Any]]:
        return [
            {
                "scenario": result.scenario,
                "peer": result.peer,
                "run": result.run,
                **({"failure": result.failure} if result.failure else {"values": result.values}),
            }
            for result in self.results
        ]

    def _of(self, scenario: str, peer: str) -> Iterator[Result]:
        for result in self.results:
            if result.scenario == scenario and result.peer == peer:
                yield result

    def _values(self, scenario: str, peer: str, metric: str) -> dict[int, float]:
        found = self._of(scenario, peer)
        return {each.run: each.values[metric] for each in found if metric in each.values}

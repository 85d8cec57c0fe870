"""The report of a run: what was measured, where and when; written, read and merged as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from .scenario import Figure, Scale, Scenario

PACKAGES = ("flask", "gevent", "gunicorn", "redis", "werkzeug")
# Points of a series that a report keeps.
POINTS = 400


@dataclass(kw_only=True)
class Result:
    """What came of one scenario: figures, or the reason why there are none."""

    key: str
    title: str
    promise: str
    scale: Scale
    measured: str = ""
    seconds: float = 0.0
    figures: list[Figure] = field(default_factory=list)
    series: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    skipped: str = ""
    failure: str = ""

    @property
    def held(self) -> bool:
        """Whether nothing that was promised was broken."""
        return not self.failure and all(figure.held for figure in self.figures)

    @classmethod
    def of(cls, scenario: Scenario, scale: Scale) -> Result:
        now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
        return cls(
            key=scenario.key,
            title=scenario.title,
            promise=scenario.promise,
            scale=scale,
            measured=now,
        )

    @classmethod
    def read(cls, data: dict[str, Any]) -> Result:
        known = {**data, "figures": [Figure(**each) for each in data["figures"]]}
        known["series"] = {name: [tuple(p) for p in each] for name, each in data["series"].items()}
        return cls(**known)


@dataclass
class Report:
    """All results, by key, and the machine that they were measured on."""

    machine: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)

    @classmethod
    def here(cls) -> Report:
        return cls(_machine(), _versions())

    @classmethod
    def read(cls, path: Path) -> Report:
        data = json.loads(path.read_text())
        results = [Result.read(each) for each in data["results"]]
        return cls(data["machine"], data["versions"], {each.key: each for each in results})

    @property
    def held(self) -> bool:
        return all(result.held for result in self.results.values())

    def add(self, result: Result) -> None:
        self.results[result.key] = result

    def merge(self, others: Iterable[Report]) -> Report:
        """Take over what others have; a later one replaces what an earlier one measured."""
        for other in others:
            self.machine, self.versions = other.machine, other.versions
            self.results |= {
                key: result
                for key, result in other.results.items()
                if not result.skipped or key not in self.results
            }
        return self

    def text(self) -> str:
        results = [asdict(result) for result in self.results.values()]
        for result in results:
            result["series"] = {name: thin(each) for name, each in result["series"].items()}
            for figure in result["figures"]:
                figure["value"] = round(figure["value"], 4)
        data = {"machine": self.machine, "versions": self.versions, "results": results}
        return json.dumps(data, indent=1) + "\n"


def thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """As many points as a chart can show."""
    step = -(-len(points) // POINTS) or 1
    return [(at, round(value, 2)) for at, value in points[::step]]


def _machine() -> str:
    memory = psutil.virtual_memory().total / 1024**3
    name = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    kernel = platform.release().partition("-")[0]
    system = f"Linux {kernel}, Python {platform.python_version()}"
    return f"{psutil.cpu_count()} cores of {name}, {memory:.0f} GiB, {system}"


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found

"""The report in Markdown: a table for each scenario, medians over the runs, and ratios.

A ratio is taken inside each run; the table has the median of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .catalogue import FLOOR, PEERS, RAW_FLASK
from .results import Results
from .rig import Sizes
from .scenarios import SCENARIOS, Metric, Scenario

BASES = {FLOOR: "x floor", RAW_FLASK: "x raw Flask"}
NOTHING = "-"


@dataclass(frozen=True)
class Setting:
    """What the figures depend on."""

    machine: str
    runs: int
    sizes: Sizes
    versions: Mapping[str, Mapping[str, str]]
    skipped: Mapping[str, str]


def number(value: float | None) -> str:
    """A figure with as many digits as mean something."""
    if value is None:
        return NOTHING
    for limit, digits in ((99.95, 0), (9.995, 1), (0.0995, 2)):
        if abs(value) >= limit:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}" if value else "0"


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def markdown(results: Results, setting: Setting, peers: Sequence[str]) -> str:
    """The whole report; `peers` are the rows that were asked for, in their order."""
    tables = [
        "\n".join(_table(scenario, results, setting, peers))
        for scenario in SCENARIOS.values()
        if any(results.has(scenario.key, peer) for peer in peers)
    ]
    parts = [_head(setting), *tables, "\n".join(_versions(setting))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(setting: Setting) -> str:
    runs = "one run" if setting.runs == 1 else f"medians of {setting.runs} runs"
    return (
        f"{setting.machine}; {runs}. Each server has one core to itself, its load another one. "
        "The floor is a C program that does one non-blocking send for each client and event; raw "
        "Flask is a queue for each client and a generator that reads it. Ratios are taken inside "
        "each run. Over loopback the sender is charged with the receiver's share of TCP."
    )


def _table(
    scenario: Scenario, results: Results, setting: Setting, peers: Sequence[str]
) -> Iterator[str]:
    columns = ["server", *_titles(scenario)]
    yield f"### {scenario.title}"
    yield ""
    yield scenario.text(setting.sizes)
    yield ""
    yield row(columns)
    yield "|---|" + "---:|" * (len(columns) - 1)
    for peer in peers:
        if scenario.takes(PEERS[peer]):
            yield row([PEERS[peer].title, *_cells(scenario, results, setting, peer)])


def _titles(scenario: Scenario) -> Iterator[str]:
    for metric in scenario.metrics:
        yield metric.title
        if metric.compared:
            yield from BASES.values()


def _cells(scenario: Scenario, results: Results, setting: Setting, peer: str) -> list[str]:
    reason = setting.skipped.get(peer)
    if reason is not None:
        return [f"skipped: {reason}", *_empty(scenario)]
    if results.median(scenario.key, peer, scenario.metrics[0].key) is None:
        failure = results.failure(scenario.key, peer)
        return [f"failed: {failure}" if failure else "not measured", *_empty(scenario)]
    return [
        cell for metric in scenario.metrics for cell in _figures(scenario, results, peer, metric)
    ]


def _empty(scenario: Scenario) -> list[str]:
    return [""] * (len(list(_titles(scenario))) - 1)


def _figures(scenario: Scenario, results: Results, peer: str, metric: Metric) -> Iterator[str]:
    if metric.worst:
        yield f"{results.worst(scenario.key, peer, metric.key) or 0:,.0f}"
    else:
        yield number(results.median(scenario.key, peer, metric.key))
    if metric.compared:
        for base in BASES:
            yield number(results.ratio(scenario.key, peer, base, metric.key))


def _versions(setting: Setting) -> Iterator[str]:
    for peer, versions in setting.versions.items():
        if versions:
            named = ", ".join(f"{name} {version}" for name, version in versions.items())
            yield f"- {PEERS[peer].title}: {named}"

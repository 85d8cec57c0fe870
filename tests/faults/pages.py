"""The page on reliability: its figures are written from a report, its tests are looked up.

`tests/faults/test_report.py` fails when the page and the report disagree, or when a test that the
page names is not there.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from .catalogue import SCENARIOS
from .chart import svg
from .report import Report, Result
from .scenario import Figure, Scenario, number

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs/reliability.md"
STORED = ROOT / "docs/assets/reliability.json"
CHART = ROOT / "docs/assets/reliability.svg"
BEGIN, END = "<!-- figures: written by make soak -->", "<!-- figures: end -->"
NAMED = re.compile(r"`(tests/[\w/.]+\.py)::([\w:]+)`")


def publish(report: Report) -> None:
    """Store what was measured in full length, and write the page's figures and chart anew."""
    long = {key: each for key, each in report.results.items() if each.scale == "long"}
    for result in long.values():
        # The rest of it is the log of a server.
        result.failure = result.failure.partition("\n")[0]
    kept = Report(report.machine, report.versions, long)
    STORED.write_text(kept.text())
    stored = Report.read(STORED)
    CHART.write_text(svg(stored))
    PAGE.write_text(with_figures(PAGE.read_text(), stored))


def with_figures(page: str, report: Report) -> str:
    """The page with the figures of a report in place of those that it has."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no {BEGIN!r} that is followed by {END!r}.")
    return "".join([before, begin, "\n\n", "\n".join(_figures(report)), "\n", end, after])


def _figures(report: Report) -> Iterator[str]:
    yield (
        f"Measured on {report.machine}, with {_list(report.versions)}."
        if report.results
        else ("Nothing has been measured yet.")
    )
    tests = tests_of_scenarios()
    for scenario in SCENARIOS.values():
        yield from ("", f"### {scenario.title}", "", scenario.promise, "")
        yield f"In short: `{tests[scenario.key]}`. {_when(report.results.get(scenario.key))}"
        result = report.results.get(scenario.key)
        if result and result.figures:
            yield from ("", "| Figure | To hold | Measured |", "|---|---:|---:|")
            yield from (_row(figure) for figure in result.figures)
    yield ""


def _when(result: Result | None) -> str:
    if result is None:
        return "In full length it has not been measured yet."
    if result.skipped:
        return f"In full length it was not reached: {result.skipped}."
    if result.failure:
        return f"In full length it failed on {result.measured}."
    return f"In full length on {result.measured}, {result.seconds:.0f} s:"


def _row(figure: Figure) -> str:
    value = f"{number(figure.value)} {figure.unit}".rstrip()
    return f"| {figure.name} | {figure.hold} | {value if figure.held else f'**{value}**'} |"


def _list(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def tests_of_scenarios() -> dict[str, str]:
    """The test that runs each scenario's short form, by the scenario's key."""
    found = {}
    for path in sorted(HERE.glob("test_*.py")):
        for function in _functions(path):
            for module, name in _checked(function):
                scenario = getattr(importlib.import_module(f".{module}", __package__), name)
                assert isinstance(scenario, Scenario)
                found[scenario.key] = f"{path.relative_to(ROOT)}::{function.name}"
    return found


def strange_figures(report: Report) -> set[str]:
    """The figures of a report that no scenario tells of any more; those of variants begin alike."""
    known = set(_texts())
    names = {figure.name for result in report.results.values() for figure in result.figures}
    return {name for name in names if not {name, name.partition(": ")[2] or name} & known}


def _texts() -> Iterator[str]:
    """Every text in the code of scenarios, also what stands behind a variant's name."""
    for path in HERE.glob("*.py"):
        if not path.name.startswith("test_"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value.removeprefix(": ")


def _functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


def _checked(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    """The scenarios, as module and name, that a test hands to `check`."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check":
            scenario = node.args[0]
            if isinstance(scenario, ast.Attribute) and isinstance(scenario.value, ast.Name):
                yield scenario.value.id, scenario.attr


def missing_tests(page: str) -> list[str]:
    """The tests that a page names and that are not there."""
    return [f"{file}::{name}" for file, name in NAMED.findall(page) if not _is_there(file, name)]


def _is_there(file: str, name: str) -> bool:
    path = ROOT / file
    return path.is_file() and name in set(_names(ast.parse(path.read_text()).body))


def _names(body: Iterable[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield prefix + node.name
            yield from _names(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, ast.FunctionDef):
            yield prefix + node.name

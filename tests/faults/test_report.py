"""The report and the page: what is broken shows, and the page says what the report has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from e2e.waiting import wait_for

from . import command, pages
from .catalogue import SCENARIOS
from .chart import share, svg
from .report import Report, Result
from .scenario import (
    Figure,
    Rig,
    Scale,
    Scenario,
    Unavailable,
    at_least,
    at_most,
    exactly,
    none,
    number,
    told,
)
from .soak import slope
from .tails import tails


def result(key: str, *figures: Figure, **more: str) -> Result:
    return Result(
        key=key, title=key, promise="It holds.", scale="long", figures=list(figures), **more
    )


@pytest.mark.parametrize(
    ("figure", "held", "hold"),
    [
        (none("lost", 0), True, "0"),
        (none("lost", 1), False, "0"),
        (exactly("streams", 10, 10), True, "10"),
        (exactly("streams", 9, 10), False, "10"),
        (at_most("p99", 500, 500, "ms"), True, "at most 500"),
        (at_most("p99", 500.1, 500, "ms"), False, "at most 500"),
        (at_least("beats", 39.9, 40), False, "at least 40"),
        (told("events", 7), True, ""),
    ],
)
def test_bounds(figure: Figure, held: bool, hold: str) -> None:
    assert (figure.held, figure.hold) == (held, hold)
    assert (share(figure) > 1) is not held


def test_numbers() -> None:
    values = (300_000, 99.5, 12.34, 0.5, 0.0123, 0, 100.0)
    assert [number(v) for v in values] == ["300,000", "99.5", "12.3", "0.5", "0.012", "0", "100"]


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    report = Report("A machine", {"flask": "3.1"})
    report.add(result("kill", none("lost", 0), at_most("p99", 12.5, 500, "ms")))
    report.results["kill"].series["memory, MiB"] = [(0.5, 40.0), (1.0, 41.25)]
    path = tmp_path / "report.json"
    path.write_text(report.text())
    assert Report.read(path) == report
    assert json.loads(path.read_text())["results"][0]["figures"][1]["most"] == 500


def test_reports_are_merged() -> None:
    first = Report("One", {}, {"a": result("a", none("lost", 3)), "b": result("b", told("n", 1))})
    later = Report("Two", {}, {"a": result("a", none("lost", 0)), "b": result("b", skipped="no")})
    merged = Report().merge([first, later])
    assert merged.machine == "Two"
    assert merged.results["a"].held, "the later one counts"
    assert merged.results["b"].figures, "a skip takes nothing away"


@pytest.mark.parametrize("broken", [result("x", none("lost", 2)), result("x", failure="It hung.")])
def test_what_is_not_held_shows(broken: Result) -> None:
    report = Report(results={"fine": result("fine", none("lost", 0)), "x": broken})
    assert not report.held
    assert "Not held: x." in command._told(report)
    assert ("broken" in svg(report).split("</style>")[1]) is bool(broken.figures)


def fails(rig: Rig) -> list[Figure]:
    rig.later(Path(rig.folder, "..", "undone").resolve().touch)
    raise AssertionError("Not within 15 s")


def lacks(rig: Rig) -> list[Figure]:
    rig.program("a-program-that-is-nowhere")
    return []


def breaks(rig: Rig) -> list[Figure]:
    return [none("events lost", 1)]


def tells(rig: Rig) -> list[Figure]:
    return [told("events", 7)]


def holds(rig: Rig) -> list[Figure]:
    rig.sample("memory", 1.0)
    return [none("events lost", 0)]


@pytest.mark.parametrize(
    ("run", "status", "said"),
    [
        (fails, 1, "FAILED: AssertionError: Not within 15 s"),
        (breaks, 1, "! events lost: 1"),
        (tells, 1, "FAILED: AssertionError: nothing was held to a bound"),
        (lacks, 0, "skipped: a-program-that-is-nowhere is not installed"),
        (holds, 0, "Everything measured was held."),
    ],
)
def test_the_command(
    run: object,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    scenario = Scenario(key="x", title="X", promise="It holds.", seconds=1, run=run)  # type: ignore[arg-type]  # one of those above
    monkeypatch.setattr(command, "SCENARIOS", {"x": scenario})
    monkeypatch.setattr(command.signal, "signal", lambda *_: None)
    assert command.main(["--only", "x", "--out", str(tmp_path)]) == status
    assert said in capsys.readouterr().out
    assert Report.read(tmp_path / "report.json").results["x"].held is not bool(status)


def test_an_interrupted_command_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C while a server runs ends it, and the status says so."""
    root = Path(__file__).parents[2]
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.faults", "--only", "idle", "--out", str(tmp_path)],
        cwd=root,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        family = psutil.Process(running.pid)
        wait_for(lambda: len(family.children(recursive=True)) >= 3, "workers run", 40)
        started = family.children(recursive=True)
        running.terminate()
        assert running.wait(30) == 130
        wait_for(lambda: not any(map(alive, started)), "all have ended")
    finally:
        running.kill()
        running.communicate()


def alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_unavailable_is_a_skip() -> None:
    with pytest.raises(Unavailable, match="nowhere is not installed"):
        Rig("short", Path()).program("nowhere")


def test_every_scenario_has_its_test() -> None:
    assert pages.tests_of_scenarios().keys() == SCENARIOS.keys()


def test_the_page_says_what_the_report_has() -> None:
    page, report = pages.PAGE.read_text(), Report.read(pages.STORED)
    assert pages.with_figures(page, report) == page, "write it: python -m tests.faults --docs"
    assert pages.CHART.read_text() == svg(report)
    assert report.results.keys() <= SCENARIOS.keys()


def test_the_stored_figures_are_those_that_scenarios_tell() -> None:
    """Otherwise they were measured by what has been rewritten since."""
    assert not pages.strange_figures(Report.read(pages.STORED)), "measure anew: make soak"
    renamed = {"kill": result("kill", told("gevent: events lost", 0), told("events mislaid", 0))}
    assert pages.strange_figures(Report(results=renamed)) == {"events mislaid"}


def test_the_tests_that_the_page_names_are_there() -> None:
    page = pages.PAGE.read_text()
    assert len(pages.NAMED.findall(page)) > len(SCENARIOS)
    assert not pages.missing_tests(page)
    named = "`tests/faults/test_report.py::test_nothing` `tests/faults/gone.py::test_numbers`"
    assert len(pages.missing_tests(named)) == 2


@pytest.mark.parametrize(
    ("scale", "alone", "beside", "held"),
    [
        ("long", 10, 12, True),
        ("long", 10, 12.1, False),
        ("short", 10, 1999, True),
        ("short", 10, 2001, False),
        ("short", 500, 2499, True),
        ("short", 500, 2501, False),
    ],
)
def test_tails(scale: Scale, alone: float, beside: float, held: bool) -> None:
    figures = tails(Rig(scale, Path()), alone, beside, 1.2, names=("alone", "beside", "times"))
    assert [figure.name for figure in figures] == ["alone", "beside", "times"]
    assert all(figure.held for figure in figures) is held


def test_slope() -> None:
    assert slope([(0, 10), (10, 12), (20, 14)]) == pytest.approx(0.2)
    assert slope([(5, 10)]) == 0

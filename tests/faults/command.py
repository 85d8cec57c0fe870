"""The command: runs scenarios one after another, reports, and ends whatever it has started."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from . import __doc__ as description
from . import pages
from .catalogue import SCENARIOS
from .chart import svg
from .progress import Progress
from .report import Report, Result
from .scenario import Rig, Scale, Scenario, Unavailable, measure

OUT = Path("build/soak")
# What a short form takes, about; what a long form takes, it says itself.
SHORT = 12.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; return the status of the command."""
    if sys.platform != "linux":
        print("The scenarios need Linux: they use /proc and network namespaces.", file=sys.stderr)
        return 1
    options = _options(arguments)
    if options.merge:
        report = Report.here().merge(map(Report.read, options.merge))
        write(report, options.out)
    elif options.docs and not options.only:
        report = Report.read(options.out / "report.json")
    else:
        signal.signal(signal.SIGTERM, _interrupt)
        report, interrupted = run(options.only or list(SCENARIOS), options.scale, options.out)
        if interrupted:
            return 130
    if options.docs:
        pages.publish(report)
    print(_told(report))
    return 0 if report.held else 1


def run(keys: Sequence[str], scale: Scale, out: Path) -> tuple[Report, bool]:
    """Run scenarios; the report is written after each. Tells whether it was interrupted."""
    report = Report.here()
    chosen = [SCENARIOS[key] for key in keys]
    expected = [each.seconds if scale == "long" else SHORT for each in chosen]
    progress = Progress(sum(expected), len(chosen))
    for scenario, seconds in zip(chosen, expected, strict=True):
        progress.begin(scenario, seconds)
        try:
            result = _measure(scenario, scale, progress)
        except KeyboardInterrupt:
            print(f"\nInterrupted; {out} has what was measured.", file=sys.stderr)
            return report, True
        report.add(result)
        progress.end(result)
        write(report, out)
    return report, False


def write(report: Report, folder: Path) -> None:
    """Write the report and its chart."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(report.text())
    (folder / "report.svg").write_text(svg(report))


def _measure(scenario: Scenario, scale: Scale, progress: Progress) -> Result:
    result, begun = Result.of(scenario, scale), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
        rig = Rig(scale, Path(folder), progress.say)
        try:
            result.figures = measure(scenario, rig)
        except Unavailable as missing:
            result.skipped = str(missing)
        except Exception as error:
            result.failure = f"{type(error).__name__}: {error}"
            traceback.print_exc()
        result.series = rig.series
    result.seconds = round(time.monotonic() - begun, 1)
    return result


def _told(report: Report) -> str:
    """The whole report as text: what is broken stands out."""
    lines = [report.machine]
    for result in report.results.values():
        lines += ["", f"{result.title} ({result.scale}, {result.seconds:.0f} s)"]
        lines += [f"  skipped: {result.skipped}"] if result.skipped else []
        lines += [f"  FAILED: {result.failure}"] if result.failure else []
        lines += [f"  {'  ' if f.held else '! '}{f}" for f in result.figures]
    broken = [result.title for result in report.results.values() if not result.held]
    verdict = f"Not held: {', '.join(broken)}." if broken else "Everything measured was held."
    skipped = [result.title for result in report.results.values() if result.skipped]
    return "\n".join(
        [*lines, "", verdict, *([f"Skipped: {', '.join(skipped)}."] if skipped else [])]
    )


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _keys(text: str) -> list[str]:
    chosen = text.split(",")
    for key in chosen:
        if key not in SCENARIOS:
            raise argparse.ArgumentTypeError(f"{key!r} is none of {', '.join(SCENARIOS)}")
    return chosen


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--scale", choices=("short", "long"), default="long", help="(%(default)s)")
    add("--only", type=_keys, metavar="KEY,...", help=", ".join(SCENARIOS))
    add("--out", type=Path, default=OUT, help="folder of the report (%(default)s)")
    add("--merge", type=Path, nargs="+", metavar="REPORT", help="report.json files made into one")
    add("--docs", action="store_true", help="write docs/reliability.md anew from the report")
    return parser.parse_args(arguments)

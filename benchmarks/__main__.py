"""The command: installs what is missing, measures, and writes the report."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import NoReturn

from . import __doc__ as description
from .catalogue import PEERS
from .chart import svg
from .environments import Versions, require
from .errors import Failed, Unavailable
from .programs import compiled
from .progress import Progress
from .report import Setting, markdown
from .results import Result, Results
from .rig import Rig, Sizes
from .scenarios import SCENARIOS
from .server import Cores

CACHE = Path("~/.cache/flask_sse_routes-bench")
OUT = Path("build/bench")

# Descriptors beyond one for each client, and clients that one address has ports for.
DESCRIPTORS = 200
MOST_CLIENTS = 25_000


@dataclass
class Benchmark:
    """One call: which peers, in which scenarios, how often."""

    peers: Sequence[str]
    scenarios: Sequence[str]
    runs: int
    sizes: Sizes
    home: Path
    results: Results = field(default_factory=Results)
    programs: dict[str, str] = field(default_factory=dict)
    versions: dict[str, Versions] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the peers' environments; what cannot be made is skipped."""
        progress = Progress(len(self.peers))
        for key in self.peers:
            peer = PEERS[key]
            progress.step(f"Preparing {peer.title}")
            try:
                require(*peer.needs)
                self.programs[key] = peer.environment.prepare(self.home)
                self.versions[key] = peer.environment.versions(self.home)
            except Unavailable as reason:
                self.skipped[key] = str(reason)
                progress.note(f"Skipped {peer.title}: {reason}")
            progress.done()
        progress.clear()

    def measure(self, load: Path, cores: Cores) -> None:
        """Measure peer after peer in each scenario, so that ratios are of one time."""
        steps = [
            (run, SCENARIOS[scenario], PEERS[peer])
            for run in range(self.runs)
            for scenario in self.scenarios
            for peer in self.programs
            if SCENARIOS[scenario].takes(PEERS[peer])
        ]
        progress = Progress(len(steps))
        for run, scenario, peer in steps:
            progress.step(f"{scenario.title}: {peer.title}")
            program = self.programs[peer.key]
            rig = Rig(peer, program, load, self.sizes, cores, progress.tick)
            try:
                result = Result(scenario.key, peer.key, run, scenario.measure(rig))
            except Failed as failure:
                result = Result(scenario.key, peer.key, run, failure=str(failure))
                progress.note(f"Failed, {scenario.title}: {peer.title}: {failure}")
            self.results.add(result)
            progress.done()
        progress.clear()

    def setting(self) -> Setting:
        machine = f"{_processor()}, Linux {platform.release()}, Python {platform.python_version()}"
        return Setting(machine, self.runs, self.sizes, self.versions, self.skipped)

    def write(self, folder: Path) -> None:
        """Write results as JSON, report and chart."""
        setting = self.setting()
        folder.mkdir(parents=True, exist_ok=True)
        data = {**asdict(setting), "results": self.results.as_json()}
        (folder / "results.json").write_text(json.dumps(data, indent=2) + "\n")
        report = markdown(self.results, setting, self.peers)
        (folder / "results.md").write_text(report)
        chart = svg(self.results, self.peers)
        if chart:
            (folder / "results.svg").write_text(chart)
        print(report)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _names(known: Sequence[str]) -> Callable[[str], Sequence[str]]:
    """A parser of names with commas between them."""

    def parse(text: str) -> Sequence[str]:
        chosen = text.split(",")
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return [name for name in known if name in chosen]

    return parse


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    usual = Sizes()
    add = parser.add_argument
    add("--peers", type=_names(list(PEERS)), default=list(PEERS), help=", ".join(PEERS))
    add(
        "--scenarios",
        type=_names(list(SCENARIOS)),
        default=list(SCENARIOS),
        help=", ".join(SCENARIOS),
    )
    add("--runs", type=int, default=3, help="of everything (%(default)s)")
    add("--out", type=Path, default=OUT, help="folder for the report (%(default)s)")
    add("--clients", type=int, default=usual.clients, help="subscribers (%(default)s)")
    add("--seconds", type=float, default=usual.seconds, help="of a paced series (%(default)s)")
    add("--events", type=int, help="of a series back to back (by peer and scenario)")
    add("--idle-n", type=int, default=usual.idle, help="idle connections (%(default)s)")
    options = parser.parse_args(arguments)
    most = max(5 * options.clients, options.idle_n)
    if min(options.runs, options.clients, options.idle_n, options.seconds) <= 0:
        parser.error("sizes are numbers above 0")
    if most > MOST_CLIENTS:
        parser.error(f"at most {MOST_CLIENTS:,} idle connections and a fifth of it as clients")
    _allow_descriptors(parser, most + DESCRIPTORS)
    return options


def _allow_descriptors(parser: argparse.ArgumentParser, needed: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    if not unlimited and hard < needed:
        parser.error(f"{needed:,} descriptors are needed, and 'ulimit -Hn' allows {hard:,}")
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the status of the command."""
    if sys.platform != "linux":
        print("The benchmarks need Linux: they read /proc and use epoll.", file=sys.stderr)
        return 1
    options = _options(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    home = Path(os.environ.get("BENCH_HOME") or CACHE).expanduser().absolute()
    sizes = Sizes(
        clients=options.clients,
        seconds=options.seconds,
        events=options.events,
        idle=options.idle_n,
    )
    benchmark = Benchmark(options.peers, options.scenarios, options.runs, sizes, home)
    status = 0
    try:
        load = compiled("load", home)
        benchmark.prepare()
        benchmark.measure(load, Cores.of_this_machine())
    except Unavailable as reason:
        print(f"There is no load without its generator: {reason}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the report has what was measured.", file=sys.stderr)
        status = 130
    if benchmark.results.results or not status:
        benchmark.write(options.out)
    return status


if __name__ == "__main__":
    sys.exit(main())

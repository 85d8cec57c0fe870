"""Two processes write to the SQLite log and two follow it, while one after the other is killed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from brokers.sqlite_file import rows
from brokers.waiting import ROOT
from e2e.waiting import wait_for

from flask_sse_routes.brokers.base import Position
from flask_sse_routes.brokers.sqlite import SqliteBroker

from .scenario import Figure, Rig, Scenario, at_most, none, told

# Both say what they have done, a line each time, and go on until they are killed: the body and the
# id that was given out, often back to back; the moment, and the seqs that were found.
WRITER = """
import itertools, sys, time
from flask_sse_routes.brokers.sqlite import SqliteBroker
path, name = sys.argv[1:]
broker = SqliteBroker(path, history=1_000_000)
for number in itertools.count():
    body = f"{name}/{number}"
    print(body, broker.append("abc"[number % 3], body.encode()), flush=True)
    if number % 50 == 49:
        time.sleep(0.02)
"""
READER = """
import sys, time
from flask_sse_routes.brokers.sqlite import SqliteBroker
broker = SqliteBroker(sys.argv[1], history=1_000_000)
listener, after = broker.listen(), broker.newest().seq
while True:
    merged = broker.poll("abc", after, 500)
    after = merged.until
    if merged.entries:
        print(time.monotonic(), *[entry.seq for entry in merged.entries], flush=True)
    if after >= merged.newest:
        listener.wait(0.5)
"""
PROGRAMS = (WRITER, WRITER, READER, READER)
# How many are killed at least, however long it takes.
KILLS = 4
# Seconds: for so long nobody may stand still while another writes.
STUCK = 2.0


@dataclass
class Process:
    """One of the four, and what it has said."""

    program: str
    output: Path
    popen: subprocess.Popen[bytes]

    @property
    def writes(self) -> bool:
        return self.program is WRITER

    def lines(self) -> list[list[str]]:
        """What it has said; the last line of one that was killed may be cut off."""
        whole = self.output.read_text().rpartition("\n")[0]
        return [line.split() for line in whole.splitlines()]

    def size(self) -> int:
        return self.output.stat().st_size

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()


class Crew:
    """The four, and those who were killed before them."""

    def __init__(self, rig: Rig, path: Path) -> None:
        self._rig = rig
        self._path = path
        self.all: list[Process] = []
        self.running = [self._start(program) for program in PROGRAMS]
        for process in self.running:
            self._goes_on(process)

    def _start(self, program: str) -> Process:
        output = self._rig.folder / f"output {len(self.all)}"
        with output.open("wb") as file:
            popen = subprocess.Popen(
                [sys.executable, "-c", program, str(self._path), str(len(self.all))],
                cwd=ROOT,
                stdout=file,
            )
        process = Process(program, output, popen)
        self._rig.later(process.kill)
        self.all.append(process)
        return process

    def replace(self, place: int) -> None:
        """Kill one, see that the others go on, and start another in its place."""
        self.running[place].kill()
        for process in self.running:
            if process.popen.poll() is None:
                self._goes_on(process)
        self.running[place] = self._start(self.running[place].program)
        self._goes_on(self.running[place])

    def _goes_on(self, process: Process) -> None:
        before = process.size()
        wait_for(lambda: process.size() > before, "all of the four go on", 15)


def run(rig: Rig) -> Sequence[Figure]:
    path, chance = rig.folder / "log", random.Random(7)
    crew = Crew(rig, path)
    until, kills = time.monotonic() + rig.pick(0.0, 60.0), 0
    while time.monotonic() < until or kills < KILLS:
        time.sleep(chance.uniform(0.05, 0.3))
        crew.replace(chance.randrange(len(PROGRAMS)))
        kills += 1
        rig.say(f"{kills} were killed")
    for process in crew.running:
        process.kill()
    log = _bodies(path)
    writers = [p for p in crew.all if p.writes]
    readers = [p for p in crew.all if not p.writes]
    return [
        told("processes that were killed", kills),
        told("entries in the log", len(log)),
        none("faults that SQLite's own check finds", _faults(path)),
        *_figures_of_writers(path, writers, log),
        *_figures_of_readers(readers, log),
    ]


def _bodies(path: Path) -> dict[int, str]:
    found = rows(path, "SELECT seq, body FROM entries ORDER BY seq")
    return {seq: body.decode() for seq, body in found}


def _faults(path: Path) -> int:
    return sum(row != ("ok",) for row in rows(path, "PRAGMA integrity_check"))


def _figures_of_writers(path: Path, writers: list[Process], log: dict[int, str]) -> list[Figure]:
    broker = SqliteBroker(path)
    epoch = broker.newest().epoch
    broker.close()
    given: list[int] = []
    astray = unordered = others = 0
    for writer in writers:
        lines = writer.lines()
        positions = [Position.parse(id_) for _, id_ in lines]
        seqs = [p.seq for p in positions if p is not None and p.epoch == epoch]
        astray += len(positions) - len(seqs)
        unordered += _unordered(seqs)
        others += [log.get(seq) for seq in seqs] != [body for body, _ in lines]
        given += seqs
    # Of each process that was killed, one entry was stored and not told, or not told in full.
    unknown = len(set(log) - set(given)) - len(writers)
    return [
        none("ids of another epoch", astray),
        none("ids that did not increase", unordered),
        none("ids given out twice", len(given) - len(set(given))),
        none("entries lost", len(set(given) - set(log))),
        none("writers whose entries are not what they wrote", others),
        none("entries that nobody has written", max(unknown, 0)),
    ]


def _figures_of_readers(readers: list[Process], log: Iterable[int]) -> list[Figure]:
    unordered = holes = 0
    pauses = [0.0]
    for reader in readers:
        lines = reader.lines()
        seqs = [int(seq) for line in lines for seq in line[1:]]
        unordered += _unordered(seqs)
        wanted = {seq for seq in log if seqs and seqs[0] <= seq <= seqs[-1]}
        holes += len(wanted.symmetric_difference(seqs))
        at = [float(line[0]) for line in lines]
        pauses += [later - sooner for sooner, later in pairwise(at)]
    return [
        none("entries read out of order or twice", unordered),
        none("entries that a reader has not seen", holes),
        at_most("longest that a reader stood still", max(pauses), STUCK, "s"),
    ]


def _unordered(seqs: list[int]) -> int:
    return sum(a >= b for a, b in pairwise(seqs))


SCENARIO = Scenario(
    key="sqlite",
    title="SQLite, processes killed at random",
    promise=(
        "Two writers and two readers in four processes, one killed at random: the log stays "
        "intact, ids increase, no reader is stuck."
    ),
    seconds=65,
    run=run,
)

"""Two hundred connections that take their time on purpose: heads that never end, answers that are
taken by the spoonful. Good clients, of streams and of plain requests, feel nothing of them.

The long form has them from slowhttptest (`-H` and `-X`), the short one from `attackers`.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Sequence

from e2e.crowd import Member
from e2e.servers import Server

from .attackers import Attack, How
from .audience import finish, follow, gather
from .caller import Caller
from .ledger import delivered, ledger_of, refused
from .numbers import Numbers
from .scenario import Figure, Rig, Scenario, at_least, at_most, none, told
from .tails import tails
from .workers import SPARE, broker_url, census, serve, wait_until_rest

PROMISE = (
    "Slow attacks: slowhttptest `-H` and `-X`, 200 connections, 60 s: good clients keep p99 within "
    "2 times."
)
CONNECTIONS, GOOD, RATE = 200, 50, 20.0
# Large enough to be more than the buffers of a connection that is read so slowly.
TARGET = "/api/large"
LATER = 2.0
TAILS = "p99 alone", "p99 beside them", "p99, times that without them"
# Requests of a good client while the short form's attack lasts.
CALLS = 10
# Seconds of each part of the long form.
LONG = 60.0
# Seconds for which gunicorn waits for a whole head (its `keepalive`), and what may come on top.
KEEPALIVE, ALLOWANCE = 2.0, 3.0
# Seconds of the short form's attack: of heads, as long as shows one that is kept for too long.
LASTS = {"heads": KEEPALIVE + ALLOWANCE + 0.5, "reads": 3.0}
OPTIONS = {
    "heads": ("-H", "-i", "1", "-x", "24"),
    "reads": ("-X", "-w", "512", "-y", "1024", "-n", "1", "-z", "32", "-k", "8"),
}
# What slowhttptest says at the end of an attack; it says something else when there was none.
ATTACKED = re.compile(rb"Hit test time limit|No open connections left")


def heads(rig: Rig) -> Sequence[Figure]:
    return _run(rig, "heads")


def reads(rig: Rig) -> Sequence[Figure]:
    return _run(rig, "reads")


def _run(rig: Rig, how: How) -> Sequence[Figure]:
    program = rig.program("slowhttptest") if rig.long else ""
    server = serve(rig)
    people, numbers = gather(rig, server.address), rig.enter(Numbers(broker_url(rig)))
    members = follow(people, numbers, GOOD)
    caller = rig.enter(Caller(server.address, RATE))
    before = census(server)
    numbers.start(RATE)
    rig.pause(rig.pick(2.0, LONG))
    alone = _marks(members), len(caller.took)
    figures = _attacked(rig, server, caller, how, program)
    compared = [
        *_compared(rig, "streams", *_split(members, alone[0])),
        *_compared(rig, "requests", caller.took[: alone[1]], caller.took[alone[1] :]),
    ]
    caller.check()
    finish(people, members, numbers)
    people.leave()
    left = wait_until_rest(server, before)["greenlets"] - SPARE["greenlets"]
    return [
        *figures,
        *compared,
        none("requests without an answer", caller.failed),
        none("streams refused", refused(members)),
        none("greenlets left behind", max(0, left)),
        *delivered(members, numbers),
    ]


def _attacked(rig: Rig, server: Server, caller: Caller, how: How, program: str) -> list[Figure]:
    if program:
        return _by_program(rig, server, how, program)
    with Attack(server.address, how, CONNECTIONS, TARGET) as attack:
        rig.pause(LASTS[how])
        caller.call(CALLS)
        figures = [at_least("slow connections at a time", attack.open, CONNECTIONS)]
        if how == "heads":
            limit = KEEPALIVE + ALLOWANCE
            figures += [
                told("slow connections", attack.connections),
                at_least("slow connections that were cut", attack.connections - CONNECTIONS, 1),
                at_most("longest that one was kept", attack.longest, limit, "s"),
            ]
    return figures


def _by_program(rig: Rig, server: Server, how: How, program: str) -> list[Figure]:
    """It ends when all its connections are closed, and is started again until the time is over."""
    until, runs, failed = time.monotonic() + LONG, 0, 0
    target = f"http://127.0.0.1:{server.port}{TARGET}"
    counts = ("-c", str(CONNECTIONS), "-r", str(CONNECTIONS), "-p", "5")
    with (rig.folder / "slowhttptest.txt").open("wb") as log:
        while (left := until - time.monotonic()) > 1:
            rig.say(f"{left:.0f} s of slow {how}")
            command = [program, *OPTIONS[how], *counts, "-l", f"{left:.0f}", "-u", target]
            said = subprocess.run(
                command, capture_output=True, stdin=subprocess.DEVNULL, check=True
            ).stdout
            log.write(said)
            failed += ATTACKED.search(said) is None
            runs += 1
    return [
        told("runs of slowhttptest", runs),
        told("connections of each", CONNECTIONS),
        none("runs that were no attack", failed),
    ]


def _marks(members: Sequence[Member]) -> list[int]:
    return [len(ledger_of(member).delays) for member in members]


def _split(members: Sequence[Member], marks: list[int]) -> tuple[list[float], list[float]]:
    """What arrived before the marks, and what came after."""
    before, after = [], []
    for member, mark in zip(members, marks, strict=True):
        before += ledger_of(member).delays[:mark]
        after += ledger_of(member).delays[mark:]
    return before, after


def _compared(rig: Rig, what: str, before: Sequence[float], after: Sequence[float]) -> list[Figure]:
    alone, beside = (1e3 * sorted(each)[int(0.99 * len(each))] for each in (before, after))
    return tails(rig, alone, beside, LATER, names=[f"{what}: {name}" for name in TAILS])


HEADS = Scenario(
    key="slow-heads", title="Heads that never end", promise=PROMISE, seconds=125, run=heads
)
READS = Scenario(
    key="slow-reads", title="Answers read by the spoonful", promise=PROMISE, seconds=125, run=reads
)

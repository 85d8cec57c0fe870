"""The disk of the SQLite log takes nothing: it is full, or its file may only be read.

Workers run in a mount namespace of their own, with a small disk there, or with the
folder of the log mounted so that it cannot be written; we reach it from outside. Streams are open
all the time, and an outsider publishes where that is possible.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from brokers.sqlite_file import rows
from channels.followers import Follower, published, seq_in, seq_of
from e2e.servers import COMMANDS, Server
from e2e.waiting import wait_for

from flask_sse_routes import broker_from_url

from .scenario import Figure, Rig, Scenario, Unavailable, at_most, none, told
from .workers import pids

PROMISE = "SQLite with a full disk or a read-only file: a clear error, and the service goes on."
LAST = "the last one"
SIZE = 20_000
# How a publish that fails is answered.
REFUSED = (503, "Service Unavailable")
# Seconds after which publishing works again.
BACK = 3.0
# What mounts: the folder is `$0`, the server's own command follows.
FULL = 'mount -t tmpfs -o size=64m none "$0" && exec "$@"'
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


class Walled:
    """A server whose processes see a folder as `script` has mounted it."""

    def __init__(self, rig: Rig, script: str) -> None:
        if os.geteuid() != 0:
            raise Unavailable("only root may mount")
        self._unshare, self._enter = rig.program("unshare"), rig.program("nsenter")
        self.folder = rig.folder / "disk"
        self.folder.mkdir(exist_ok=True)
        if subprocess.run([self._unshare, "-m", "true"], check=False).returncode:
            raise Unavailable("this system does not let mount")
        kind, shell = "walled", ["sh", "-c", script, str(self.folder)]
        COMMANDS[kind] = [
            self._unshare,
            "-m",
            *shell,
            *COMMANDS["sseworker"][:-1],
            "channels.apps:app",
        ]
        settings = {"FLASK_SSE_BROKER_URL": f"sqlite:///{self.folder}/log", "FLASK_SSE_HISTORY": 20}
        self.server = Server(kind, rig.folder, "--workers", "2", settings=settings)
        rig.later(self.server.kill)
        wait_for(lambda: len(pids(self.server)) == 2, "all workers run", 20)
        self.workers = pids(self.server)

    def run(self, *command: str) -> None:
        """Run a command in the namespace."""
        enter = [self._enter, "-t", str(min(self.workers)), "-m", *command]
        subprocess.run(enter, check=True)

    @property
    def seen(self) -> Path:
        """The folder as the workers see it."""
        return Path(f"/proc/{min(self.workers)}/root{self.folder}")


class Service:
    """What clients see of a server meanwhile."""

    def __init__(self, rig: Rig, server: Server) -> None:
        self.server = server
        self.followers = [Follower(server.port, ("a",), f'"{LAST}"') for _ in range(6)]
        for follower in self.followers:
            follower.start()
            rig.later(follower.stop)
        wait_for(lambda: all(f.events for f in self.followers), "everybody is ready", 20)
        # Statuses and titles of what was answered when publishing failed, and the rest.
        self.refusals: list[tuple[int, str]] = []
        # Ids of what was stored, and the seconds after which publishing worked again.
        self.ids: list[str] = []
        self.back_after: list[float] = []

    def publish(self, data: str) -> bool:
        """Have a worker publish; return whether it says that it has."""
        status, body = _post(self.server, {"channel": "a", "data": data})
        if status == 200:
            self.ids += json.loads(body)
            return True
        self.refusals.append((status, json.loads(body)["title"]))
        return False

    def check_on(self) -> None:
        """Wait until each stream has had heartbeats, and requests are answered."""
        beats = [f.heartbeats for f in self.followers]
        wait_for(
            lambda: all(f.heartbeats > n + 1 for f, n in zip(self.followers, beats, strict=True)),
            "streams have their heartbeats",
        )
        for _ in range(10):
            assert self.server.ask("/api/ping")[0] == 200

    def back(self) -> None:
        """Wait until every worker publishes again."""
        begun = time.monotonic()
        wait_for(lambda: all(self.publish("back") for _ in range(10)), "publishing works again", 20)
        self.back_after.append(time.monotonic() - begun)

    def finish(self) -> None:
        assert self.publish(LAST)
        for follower in self.followers:
            follower.join(10)


def _post(server: Server, body: dict[str, object]) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    fields = {"Content-Type": "application/json", "Connection": "close"}
    with contextlib.closing(connection):
        connection.request("POST", "/api/publish", json.dumps(body), fields)
        response = connection.getresponse()
        return response.status, response.read()


def full(rig: Rig) -> Sequence[Figure]:
    walled = Walled(rig, FULL)
    service = Service(rig, walled.server)
    rounds = rig.pick(1, 10)
    for number in range(1, rounds + 1):
        rig.say(f"the disk is full, {number}")
        for _ in range(30):
            assert service.publish("x" * SIZE)
        filler = walled.seen / "filler"
        _fill(filler)
        _until_refused(service)
        service.check_on()
        _newcomer(rig, service)
        filler.unlink()
        service.back()
    service.finish()
    return _figures(walled, service, "disk is full", rounds)


def read_only(rig: Rig) -> Sequence[Figure]:
    folder = rig.folder / "disk"
    folder.mkdir()
    outsider = broker_from_url(f"sqlite:///{folder}/log", history=20)
    rig.later(outsider.close)
    outsider.publish("a", "before")
    walled = Walled(rig, READ_ONLY)
    service = Service(rig, walled.server)
    _until_refused(service)
    service.check_on()
    _newcomer(rig, service)
    known = [len(follower.events) for follower in service.followers]
    outsider.publish("a", "by somebody who may write")
    wait_for(
        lambda: all(len(f.events) > n for f, n in zip(service.followers, known, strict=True)),
        "streams have what others publish",
    )
    walled.run("mount", "-o", "remount,bind,rw", str(walled.folder))
    service.back()
    service.finish()
    return _figures(walled, service, "readonly", 1)


def _fill(path: Path) -> None:
    """Write until there is no more room."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def _until_refused(service: Service) -> None:
    """Publish until it fails, and a few times more.

    What is trimmed makes room for more of the same size, perhaps for ever: then larger ones come.
    """
    for n in range(200):
        if not service.publish("x" * (SIZE if n < 100 else 10 * SIZE)):
            break
    else:
        raise AssertionError("What cannot be written was stored 200 times.")
    for _ in range(3):
        service.publish("x" * SIZE)


def _newcomer(rig: Rig, service: Service) -> None:
    """Have one more come now."""
    follower = Follower(service.server.port, ("a",), f'"{LAST}"').start()
    rig.later(follower.stop)
    service.followers.append(follower)
    wait_for(lambda: follower.events or follower.failure, "who comes now is served", 20)


def _figures(walled: Walled, service: Service, why: str, rounds: int) -> list[Figure]:
    followers = service.followers
    said = walled.server.log.count(why)
    return [
        told("times that nothing could be written", rounds),
        told("publishes refused", len(service.refusals)),
        none("refusals that are no 503", sum(each != REFUSED for each in service.refusals)),
        none("refusals whose log does not say why", max(0, len(service.refusals) - said)),
        at_most("publishing is back after", max(service.back_after), BACK, "s"),
        none("streams that were cut", sum(f.connections - 1 for f in followers)),
        none("clients that were refused", sum(f.refusals for f in followers)),
        none("workers that ended", len(walled.workers - pids(walled.server))),
        none("events lost", sum(_lost(follower, service.ids) for follower in followers)),
        none(
            "faults that SQLite's own check finds",
            sum(row != ("ok",) for row in rows(walled.seen / "log", "PRAGMA integrity_check")),
        ),
        told("events stored", len(service.ids)),
    ]


def _lost(follower: Follower, ids: list[str]) -> int:
    """What was acknowledged after the first event, and has not come once and in order."""
    seqs = [seq_of(event) for event in published(follower.events)]
    wanted = {seq for seq in map(seq_in, ids) if seq > seq_of(follower.events[0])}
    return len(wanted - set(seqs)) + (seqs != sorted(set(seqs)))


FULL_DISK = Scenario(
    key="sqlite-full", title="SQLite on a full disk", promise=PROMISE, seconds=30, run=full
)
READ_ONLY_FILE = Scenario(
    key="sqlite-read-only",
    title="SQLite with a read-only file",
    promise=PROMISE,
    seconds=10,
    run=read_only,
)

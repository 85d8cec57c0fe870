"""The demo's metrics of the machine: measured by one process, told to all, kept for who comes."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil
import pytest
from flask import Flask

from app.extensions import sse
from app.metrics import sampler as sampling
from app.metrics.measure import Core, Counters, counters, measure
from app.metrics.model import FIGURES, Span, figures
from app.metrics.past import past, spans_of
from app.metrics.processes import Workers
from app.metrics.sampler import channel
from app.metrics.spans import Gathering
from flask_sse_routes.testing import sse_client
from tests.app_fixtures import logging_restored, make_console
from tests.conftest import Eventually

NOON = datetime(2026, 5, 1, 12, tzinfo=timezone.utc)


@pytest.fixture(name="app")
def make_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.setattr(sampling, "BEAT", 0.1)
    with logging_restored():
        yield make_console(tmp_path, METRICS_UNSEEN=0)


@pytest.fixture(autouse=True)
def stopped(app: Flask, eventually: Eventually) -> Iterator[None]:
    """The task that measures ends soon after the last stream."""
    yield
    eventually(lambda: app.extensions[sampling.EXTENSION]._pid is None)


def sample(**changes: Any) -> dict[str, Any]:
    """A sample in JSON, as it is published."""
    metrics = measure(counters(), counters(), []).model_copy(update=changes)
    found: dict[str, Any] = metrics.model_dump(mode="json")
    return found


def test_metrics_are_plausible(app: Flask) -> None:
    with sse_client(app).open("/api/metrics") as stream:
        assert stream.next().event == "snapshot"
        first, second = stream.json(), stream.json()
    assert first["at"] < second["at"]
    for now in (first, second):
        assert 0 <= now["cpu"] <= 100
        assert len(now["cores"]) == psutil.cpu_count()
        assert 0 < now["memory"]["used"] < now["memory"]["total"] == psutil.virtual_memory().total
        assert 0 <= now["swap"]["used"] <= now["swap"]["total"]
        assert 0 < now["disk"]["used"] <= now["disk"]["total"]
        assert min(*now["network"].values(), *now["disks"].values()) >= 0
        assert min(now["load"].values()) >= 0
        assert abs(time.time() - psutil.boot_time() - now["uptime"]) < 60
        # Processes that were started alike, as those of a test run are, count as workers.
        assert os.getpid() in [worker["pid"] for worker in now["workers"]]
        assert now["workers"][0]["memory"] > 10_000_000


def test_what_was_measured_comes_first(app: Flask) -> None:
    with sse_client(app).open("/api/metrics") as stream:
        assert stream.json() == {
            "latest": None,
            "figures": list(FIGURES),
            "points": {"at": [], "rows": []},
            "spans": {"at": [], "low": [], "mean": [], "high": []},
        }
        measured = [stream.json() for _ in range(3)]
    with sse_client(app).open("/api/metrics") as stream:
        before = stream.json()
    assert before["points"]["rows"][:3] == [figures(metrics) for metrics in measured]
    assert before["latest"]["at"] >= measured[-1]["at"]


def test_streams_share_one_measurement(app: Flask) -> None:
    with sse_client(app).open("/api/metrics") as one, sse_client(app).open("/api/metrics") as other:
        one.next(), other.next()
        seen = [one.json() for _ in range(4)]
        assert other.json() in seen


def test_another_process_measures_until_it_is_gone(app: Flask, tmp_path: Path) -> None:
    hold = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX);"
    command = [sys.executable, "-c", f"{hold} print('held', flush=True); input()"]
    lock = str(tmp_path / "metrics.lock")
    with subprocess.Popen([*command, lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with sse_client(app).open("/api/metrics") as stream:
            assert stream.next().event == "snapshot"
            time.sleep(0.5)
            with app.app_context():
                assert sse.history(channel()) == []
            other.kill()
            assert stream.json()["memory"]["used"] > 0


def test_measuring_goes_on_for_who_comes_back(app: Flask, eventually: Eventually) -> None:
    app.config["METRICS_UNSEEN"] = 0.6
    with sse_client(app).open("/api/metrics") as stream:
        stream.next(), stream.json()
    with app.app_context():
        count = len(sse.history(channel()))
        eventually(lambda: len(sse.history(channel())) > count + 1)
        eventually(lambda: app.extensions[sampling.EXTENSION]._pid is None)
    with sse_client(app).open("/api/metrics") as stream:
        assert len(stream.json()["points"]["rows"]) > count
        assert stream.json()["cpu"] >= 0


def test_failure_is_logged_and_overcome(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = psutil.virtual_memory

    def fails() -> Any:
        monkeypatch.setattr(psutil, "virtual_memory", real)
        raise OSError("no /proc today")

    monkeypatch.setattr(psutil, "virtual_memory", fails)
    with sse_client(app).open("/api/metrics") as stream:
        stream.next()
        assert stream.json()["memory"]["used"] > 0
    assert "The machine cannot be measured yet" in caplog.text


def test_lock_is_free_when_nobody_watches(app: Flask, tmp_path: Path) -> None:
    with sse_client(app).open("/api/metrics") as stream:
        stream.next(), stream.json()
        with (tmp_path / "metrics.lock").open("a") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with (tmp_path / "metrics.lock").open("a") as file:
        deadline = time.monotonic() + 5
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                assert time.monotonic() < deadline
                time.sleep(0.01)


def test_rates_are_per_second_and_never_below_nothing() -> None:
    before = Counters(10.0, [Core(5, 5), Core(0, 9)], 1000, 5000, 70, 9)
    now = Counters(12.0, [Core(6, 6), Core(0, 11), Core(1, 1)], 5000, 4000, 70, 13)
    metrics = measure(before, now, [])
    assert metrics.cores == [50.0, 0.0]
    assert metrics.cpu == 25.0
    assert (metrics.disks.read, metrics.disks.written) == (2000, 0)
    assert (metrics.network.received, metrics.network.sent) == (0, 2)


def test_cpu_is_what_the_machine_does() -> None:
    before = counters()
    ours = psutil.cpu_times()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        pass
    metrics = measure(before, counters(), [])
    theirs = psutil.cpu_times()
    spent = [now - then for now, then in zip(theirs, ours, strict=True)]
    idle = theirs.idle - ours.idle + theirs.iowait - ours.iowait
    assert metrics.cpu == pytest.approx(100 * (1 - idle / sum(spent)), abs=10)
    assert max(metrics.cores) > 50


def test_spans_have_the_least_the_mean_and_the_most() -> None:
    gathering = Gathering()
    for second in range(10):
        assert gathering.add(NOON + timedelta(seconds=second), [second, 1]) is None
    span = gathering.add(NOON + timedelta(seconds=10), [99, 99])
    assert span == Span(at=NOON + timedelta(seconds=9), low=[0, 1], mean=[4.5, 1], high=[9, 1])
    span = gathering.add(NOON + timedelta(seconds=25), [0, 0])
    assert span is not None
    assert span.high == [99, 99]


def test_past_has_what_is_recent_in_order(app: Flask) -> None:
    now = datetime.now(timezone.utc)
    moments = [now - timedelta(seconds=ago) for ago in (1000, 30, 20, 25, 10)]
    row = [1.0] * len(FIGURES)
    with app.app_context():
        for at in moments:
            sse.publish(channel(), sample(at=at))
            sse.publish(spans_of(channel()), {"at": at, "low": row, "mean": row, "high": row})
        sse.publish(channel(), {"at": now, "cpu": "of another version"})
        sse.publish(spans_of(channel()), {"at": now, "low": [1], "mean": [1], "high": [1]})
        found = past(channel())
    stamps = [round(at.timestamp(), 3) for at in moments]
    assert found.points.at == [stamps[1], stamps[2], stamps[4]]
    assert len(found.points.rows) == 3
    assert found.spans.at == [stamps[0], stamps[1], stamps[2], stamps[4]]
    assert found.spans.high == [row] * 4
    assert found.latest is None
    assert len(json.dumps(found.model_dump())) < 4000


def test_workers_are_the_processes_started_alike() -> None:
    done = subprocess.run([sys.executable, "-c", MASTER], capture_output=True, timeout=60)
    answer = json.loads(done.stdout)
    assert len(answer["workers"]) == 3
    assert answer["found"] == sorted(answer["workers"])


def test_workers_have_streams_that_others_count(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "workers"
    folder.mkdir(exist_ok=True)
    report = {"pid": os.getpid(), "streams": 7, "events": 1, "rate": 0.0}
    (folder / f"{os.getpid()}.json").write_text(json.dumps(report))
    with app.app_context():
        streams = {worker.pid: worker.streams for worker in Workers().measure()}
    assert streams[os.getpid()] == 7


# A process that starts three others as itself, the last of which says what it finds, and one that
# is another program.
MASTER = """
import json, os, signal, subprocess, sys
other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
workers = []
reading, writing = os.pipe()
for number in range(3):
    workers.append(os.fork())
    if not workers[-1]:
        if number < 2:
            signal.pause()
        from app.metrics.processes import _siblings
        found = sorted(process.pid for process in _siblings())
        os.write(writing, json.dumps(found).encode())
        signal.pause()
found = json.loads(os.read(reading, 1000))
for pid in workers:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
other.communicate()
print(json.dumps({"found": found, "workers": workers}))
"""

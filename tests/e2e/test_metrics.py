"""Metrics and `flask sse top` where several workers count, die and are replaced; spans on both
transports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from .servers import COMMANDS, HERE, PATHS, SEND_TIMEOUT, Server
from .together import AtOnce
from .waiting import wait_for

KINDS = ("gevent", "sseworker")
APP = "e2e.observed:app"
for kind in KINDS:
    COMMANDS[f"observed-{kind}"] = [*COMMANDS[kind][:-1], APP]
FOLLOW = "api.follow"
MOST = 60


class Scrape:
    """What a worker said when it was asked for metrics."""

    def __init__(self, server: Server) -> None:
        status, headers, body = server.ask("/metrics")
        assert status == 200, body
        assert headers["Content-Type"].startswith("text/plain; version=")
        families = text_string_to_metric_families(body.decode())
        self.samples = [sample for family in families for sample in family.samples]

    def value(self, name: str, route: str | None = FOLLOW, **labels: str) -> float:
        if route is not None:
            labels["route"] = route
        return sum(s.value for s in self.samples if s.name == name and s.labels == labels)

    def counters(self) -> dict[tuple[str, str], float]:
        ends = ("_total", "_count", "_sum", "_bucket")
        found = (s for s in self.samples if s.name.endswith(ends))
        return {(s.name, json.dumps(s.labels, sort_keys=True)): s.value for s in found}

    def check_since(self, before: Scrape) -> Scrape:
        """Fail if a counter has gone back, or is gone."""
        now = self.counters()
        went_back = {k: (v, now.get(k)) for k, v in before.counters().items() if now.get(k, -1) < v}
        assert not went_back
        return self


@pytest.fixture
def start(launch: Callable[..., Server], tmp_path: Path) -> Callable[..., Server]:
    """Start servers, each with its database, counts and spans in the folder of its kind."""

    def start(kind: str, workers: int, **folders: str) -> Server:
        home = tmp_path / kind
        (home / "counts").mkdir(parents=True)
        environment = {variable: str(home / name) for variable, name in folders.items()}
        options = ("--workers", str(workers), "-c", str(HERE / "metrics_conf.py"))
        settings = {
            "FLASK_SSE_BROKER_URL": f"sqlite:///{home}/events.db",
            # What a client has not read when it closes makes it a reset, of which no time is kept.
            "FLASK_SSE_HEARTBEAT": 60,
        }
        server = launch(f"observed-{kind}", *options, settings=settings, environment=environment)
        wait_for(lambda: len(pids(server)) == workers, "all workers run", 20)
        return server

    return start


def home_of(server: Server, tmp_path: Path) -> Path:
    return tmp_path / server.kind.removeprefix("observed-")


def pids(server: Server) -> list[int]:
    return [child.pid for child in psutil.Process(server.process.pid).children()]


def connections(pid: int, server: Server) -> int:
    """Return how many clients a worker has."""
    found = psutil.Process(pid).net_connections("tcp")
    return sum(c.status == psutil.CONN_ESTABLISHED and c.laddr.port == server.port for c in found)


def open_on_all(server: Server, key: str) -> int:
    """Open streams until each worker has some; return how many there are."""
    for n in range(MOST):
        server.open("follow", f"{key}-{n}", channel="a").next()
        if n > 4 and all(connections(pid, server) for pid in pids(server)):
            return n + 1
    raise AssertionError(f"One worker has got all of {MOST} streams.")


def top(home: Path) -> list[dict[str, Any]]:
    """Run `flask sse top`; return its lines."""
    run = subprocess.run(
        [sys.executable, "-m", "flask", "--app", APP, "sse", "top", "--once", "--json"],
        env=os.environ
        | {
            "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
            "FLASK_SSE_BROKER_URL": f"sqlite:///{home}/events.db",
            "E2E_JOURNAL": str(home / "unused"),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    found: list[dict[str, Any]] = json.loads(run.stdout)["workers"]
    return found


def counts(home: Path, server: Server, key: str) -> None:
    count = open_on_all(server, key)
    server.publish("a", "x", 5)

    def scrape_when(condition: Callable[[Scrape], bool], what: str) -> Scrape:
        def look() -> Scrape | None:
            scrape = Scrape(server)
            return scrape if condition(scrape) else None

        found = wait_for(look, what, 15)
        assert found is not None
        return found

    first = scrape_when(lambda s: s.value("sse_events_total") == 6 * count, "all events")
    assert first.value("sse_streams_open") == count
    rows = top(home)
    assert {row["pid"] for row in rows} == set(pids(server))
    assert sum(row["streams"] for row in rows) == count
    assert all(row["events_per_second"] == 0 and row["state"] == "open" for row in rows)

    victim = pids(server)[0]
    lost = connections(victim, server)
    os.kill(victim, signal.SIGKILL)
    second = scrape_when(lambda s: s.value("sse_streams_open") == count - lost, "the dead one's")
    second.check_since(first)
    assert second.value("sse_events_total") == 6 * count, "what it has sent is still counted"

    wait_for(lambda: len(pids(server)) == 2, "another worker", 15)
    old = set(pids(server))
    server.signal(signal.SIGHUP)
    wait_for(lambda: len(pids(server)) == 2 and old.isdisjoint(pids(server)), "new workers", 20)
    third = scrape_when(lambda s: s.value("sse_streams_open") == 0, "no stream")
    third.check_since(second)
    ended = third.value("sse_streams_ended_total", outcome="shutdown")
    assert ended == third.value("sse_stream_duration_seconds_count") == count - lost

    server.open("follow", f"{key}-again", channel="a").next()
    fourth = scrape_when(lambda s: s.value("sse_events_total") == 6 * count + 1, "the next event")
    fourth.check_since(third)


@pytest.mark.parametrize("kind", KINDS)
def test_counts_of_all_workers_add_up_and_never_go_back(
    at_once: AtOnce, start: Callable[..., Server], tmp_path: Path, kind: str
) -> None:
    begin = partial(start, workers=2, PROMETHEUS_MULTIPROC_DIR="counts")
    at_once.on(begin, lambda server, key: counts(home_of(server, tmp_path), server, key), kind=kind)


def tells(home: Path, server: Server, key: str) -> None:
    for n in range(2):
        server.open("follow", f"{key}-{n}", channel="a").next()
    server.publish("a", "x")
    for stream in server.streams:
        stream.next()
    frozen = server.open("flood", f"{key}-frozen", receive_buffer=4096)
    server.open("failing", f"{key}-failing", after=2).read_to_end()
    wait_for(
        lambda: Scrape(server).value("sse_clients_dropped_total", "api.flood"), "it is dropped", 20
    )
    for stream in server.streams[:2]:
        stream.close()
    wait_for(lambda: not Scrape(server).value("sse_streams_open"), "they are gone", 10)
    scrape = Scrape(server)
    taken = "sse_disconnect_notice_seconds"
    assert scrape.value(f"{taken}_count", "api.flood") == 1
    assert scrape.value(f"{taken}_sum", "api.flood") > SEND_TIMEOUT * 0.9
    assert scrape.value(f"{taken}_count") == 2
    # They had been open for as long as the other took nothing.
    assert scrape.value(f"{taken}_sum") < scrape.value("sse_stream_duration_seconds_sum")
    assert scrape.value("sse_broker_lag_seconds_count", None) >= 1
    frozen.close()

    spans = home / "spans"
    lines = [json.loads(line) for line in spans.read_text().splitlines()]
    requests = {line["context"]["span_id"]: line for line in lines if line["name"] == "request"}
    found = [line for line in lines if line["name"].startswith("stream ")]
    names = ["stream api.failing", "stream api.flood", *["stream api.follow"] * 2]
    assert sorted(line["name"] for line in found) == names
    for line in found:
        parent = requests[line["parent_id"]]
        assert line["context"]["trace_id"] == parent["context"]["trace_id"]
        assert line["end_time"] > parent["end_time"]
        (outcome,) = {"api.failing": {"error"}}.get(
            line["attributes"]["sse.route"], {"disconnected"}
        )
        assert line["attributes"]["sse.outcome"] == outcome
        assert line["status"]["status_code"] == ("ERROR" if outcome == "error" else "UNSET")
    follows = [line["attributes"] for line in found if line["name"].endswith("follow")]
    assert {attributes["sse.events"] for attributes in follows} == {2}


@pytest.mark.parametrize("kind", KINDS)
def test_when_clients_were_lost_and_spans(
    at_once: AtOnce, start: Callable[..., Server], tmp_path: Path, kind: str
) -> None:
    begin = partial(start, workers=1, E2E_SPANS="spans")
    at_once.on(begin, lambda server, key: tells(home_of(server, tmp_path), server, key), kind=kind)

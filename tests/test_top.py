"""`flask sse top` without servers: rates, the table, who answers, and what it leaves alone."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_sse_routes import SSERoutes
from flask_sse_routes.brokers import broker_from_url
from flask_sse_routes.cli import sse_cli, workers
from flask_sse_routes.cli.top import NOBODY, table
from flask_sse_routes.cli.workers import Worker, Workers
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.publishing import CONTROL_CHANNEL
from flask_sse_routes.reports import ANSWERS, Survey

ANSWER: dict[str, Any] = {
    "host": "web-1",
    "pid": 12,
    "name": "a",
    "at": 100.0,
    "draining": False,
    "streams": 3,
    "events": 50,
    "bytes": 5000,
    "heartbeats": 4,
    "ended": {"completed": 1, "disconnected": 20},
    "refused": 2,
    "dropped": 1,
    "resets": 0,
}


def seen(*answers: dict[str, Any]) -> list[Worker]:
    found = Workers()
    for answer in answers:
        found.note(ANSWER | answer)
    return found.rows()


def test_rates_are_by_the_workers_own_clock() -> None:
    (row,) = seen({}, {"at": 102.0, "events": 150, "bytes": 5000})
    assert (row.events_per_second, row.bytes_per_second) == (50.0, 0.0)
    (row,) = seen({})
    assert row.events_per_second is None
    (row,) = seen({}, {"at": 101.0, "events": 49})
    assert row.events_per_second == 0.0, "what a client turned out not to have taken"


def test_a_worker_that_was_started_again_is_another() -> None:
    rows = seen({}, {"name": "b", "events": 1}, {"pid": 9})
    assert [row.pid for row in rows] == [9, 12, 12]
    assert {row.events_per_second for row in rows} == {None}


@pytest.mark.parametrize(
    "answer", [{"pid": "x"}, {"ended": 1}, {"streams": None}, {"at": "now"}, {"draining": 1}]
)
def test_an_answer_of_another_version_does_no_harm(answer: dict[str, Any]) -> None:
    assert len(seen({"pid": 1}, answer, answer)) in (1, 2)


def test_who_ceases_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    class Time:
        now = 50.0

        def monotonic(self) -> float:
            return self.now

    time = Time()
    monkeypatch.setattr(workers, "time", time)
    found = Workers()
    found.note(ANSWER | {"draining": True})
    assert [row.state for row in found.rows()] == ["draining"]
    time.now += workers.SILENT_AFTER
    assert [row.state for row in found.rows()] == ["silent"]
    time.now += workers.GONE_AFTER
    assert found.rows() == []


def test_the_table() -> None:
    rows = seen({}, {"at": 101.0, "events": 1250}, {"pid": 13, "host": "web-1\x1b[2J"})
    assert table(rows) == "\n".join(
        (
            "HOST          PID  STREAMS  EVENTS/S  BYTES/S  BEATS         ENDED  REFUSED  DROPS"
            "  RESETS  STATE",
            "web-1          12        3     1,200        0      4  c1 d20 e0 s0        2      1"
            "       0  open",
            "web-1\\x1b[2J   13        3         -        -      4  c1 d20 e0 s0        2      1"
            "       0  open",
            "all                      6     1,200        0      8  c2 d40 e0 s0        4      2"
            "       0",
        )
    )
    assert table([]) == NOBODY


def test_the_sum_is_of_those_that_answer() -> None:
    def total(*states: str) -> list[str]:
        rows = seen(*({"pid": pid} for pid in range(len(states))))
        rows = [replace(row, state=state) for row, state in zip(rows, states, strict=True)]
        return table(rows).splitlines()[-1].split()

    assert total("open", "open", "draining")[:4] == ["all", "9", "-", "-"]
    assert total("open", "silent", "open")[:2] == ["all", "6"]


def test_the_table_on_a_small_screen() -> None:
    rows = seen(*({"pid": pid} for pid in range(20)))
    whole = table(rows)
    assert table(rows, os.terminal_size((200, 60))) == whole
    low = table(rows, os.terminal_size((200, 10))).splitlines()
    assert len(low) == 9, "the cursor has a line, too"
    assert [line.split()[0] for line in (low[0], low[-2], low[-1])] == ["HOST", "...", "all"]
    assert low[-2] == "... 14 more"
    narrow = table(rows, os.terminal_size((60, 60))).splitlines()
    assert max(map(len, narrow)) <= 60
    assert narrow[0].split()[:3] == ["HOST", "PID", "STREAMS"]
    assert narrow[0].endswith("STATE")
    assert table([], os.terminal_size((20, 3))) == NOBODY


@pytest.fixture(name="site")
def app_that_is_asked(tmp_path: Path) -> Iterator[Flask]:
    app = Flask("site")
    app.config.update(SSE_BROKER_URL=f"sqlite:///{tmp_path}/events.db", SSE_HISTORY=20)
    SSERoutes(app)
    app.cli.add_command(sse_cli)
    runtime_of(app).obey()
    yield app
    runtime_of(app).channels.close()


def run(app: Flask, *arguments: str) -> Any:
    return app.test_cli_runner().invoke(args=["sse", "top", "--once", *arguments])


def test_a_worker_answers(site: Flask, eventually: Callable[..., None]) -> None:
    result = run(site, "--json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["workers"]
    assert (row["streams"], row["events_per_second"], row["state"]) == (0, 0.0, "open")
    assert "REFUSED" in run(site).stdout


def test_questions_leave_other_channels_alone(
    site: Flask, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    channels = runtime_of(site).channels
    with site.app_context():
        runtime_of(site).owner.revoke(user="nobody")  # type: ignore[union-attr]  # it has one
    survey = Survey(channels.hub)
    for _ in range(100):
        survey.ask()
    eventually(lambda: survey.collect(0.1))
    broker = broker_from_url(f"sqlite:///{tmp_path}/events.db", history=20)
    try:
        assert len(broker.read(CONTROL_CHANNEL, 0, 100).entries) == 1
    finally:
        broker.close()
    survey.close("shutdown")


def test_who_asks_while_another_is_answered(
    site: Flask, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., None]
) -> None:
    channels = runtime_of(site).channels
    append, held, gate = channels.broker.append, threading.Event(), threading.Event()

    def slow(channel: str, body: bytes) -> Any:
        if channel == ANSWERS:
            held.set()
            assert gate.wait(10)
        return append(channel, body)

    monkeypatch.setattr(channels.broker, "append", slow)
    one, other = Survey(channels.hub), Survey(channels.hub)
    one.ask()
    assert held.wait(10)
    other.ask()
    reporter, newest = channels._reporter, channels.broker.newest()
    eventually(lambda: reporter is not None and reporter.position.seq >= newest.seq)
    gate.set()
    for survey in (one, other):
        assert len(survey.collect(0.5)) == 1
        survey.close("shutdown")


def test_a_broker_of_one_process_is_refused() -> None:
    app = Flask("site")
    SSERoutes(app)
    app.cli.add_command(sse_cli)
    result = run(app)
    assert result.exit_code == 1
    assert "sqlite:///events.db" in result.output

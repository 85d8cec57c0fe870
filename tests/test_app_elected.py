"""Work that one process does for all: it begins anew after whatever failed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import activity
from app.elected import Elected
from flask_sse_routes.testing import sse_client
from tests.app_fixtures import logging_restored, make_console
from tests.conftest import Eventually


class Counter(Elected):
    name = "counter"
    trouble = "It cannot be counted yet"
    count = 0

    def retry(self) -> float:
        return 0.01

    def unseen(self) -> float:
        return 0.0

    def work(self) -> None:
        while self.is_wanted():
            self.count += 1
            time.sleep(0.01)


class Broken(Counter):
    fails = True

    def retry(self) -> float:
        if self.fails:
            raise RuntimeError("broken")
        return super().retry()


@pytest.fixture(name="app")
def make_app(tmp_path: Path) -> Iterator[Flask]:
    with logging_restored():
        yield make_console(tmp_path)


def test_lock_that_cannot_be_opened_is_tried_again(
    app: Flask, tmp_path: Path, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "counter.lock").mkdir()
    counter = Counter(app)
    counter.watch(1)
    eventually(lambda: "It cannot be counted yet" in caplog.text)
    assert counter.count == 0
    (tmp_path / "counter.lock").rmdir()
    eventually(lambda: counter.count > 2)
    counter.watch(-1)
    eventually(lambda: counter._pid is None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_task_that_died_is_begun_again_by_the_next_stream(
    app: Flask, tmp_path: Path, eventually: Eventually
) -> None:
    (tmp_path / "counter.lock").mkdir()
    counter = Broken(app)
    counter.watch(1)
    eventually(lambda: counter._pid is None)
    counter.fails = False
    (tmp_path / "counter.lock").rmdir()
    counter.watch(1)
    eventually(lambda: counter.count > 2)
    counter.watch(-2)
    eventually(lambda: counter._pid is None)


def test_two_in_one_folder_do_not_work_at_once(
    app: Flask, tmp_path: Path, eventually: Eventually
) -> None:
    one, other = Counter(app), Counter(app)
    one.watch(1)
    eventually(lambda: one.count > 0)
    other.watch(1)
    before = one.count
    eventually(lambda: one.count > before + 5)
    assert other.count == 0
    one.watch(-1)
    eventually(lambda: other.count > 0)
    other.watch(-1)
    eventually(lambda: (one._pid, other._pid) == (None, None))


def test_activity_is_told_again_when_it_can_be_written(
    app: Flask, tmp_path: Path, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    with sse_client(app).open("/api/activity") as stream:
        eventually(lambda: stream.json()["streams"] == 1)
        [report] = (tmp_path / "workers").glob("*.json")
        obstacle = report.with_suffix(".new")
        eventually(lambda: _makes(obstacle))
        eventually(lambda: "What this worker does cannot be told" in caplog.text)
        written = report.stat().st_mtime_ns
        obstacle.rmdir()
        eventually(lambda: report.stat().st_mtime_ns > written)
    assert caplog.text.count("What this worker does cannot be told") == 1
    eventually(lambda: not report.exists())


def _makes(folder: Path) -> bool:
    """Make a folder; tell whether nothing had the name just then."""
    try:
        folder.mkdir()
    except FileExistsError:
        return False
    return True


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"pid"', b"[]"])
def test_report_that_is_none_is_left_aside(app: Flask, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "1.json").write_bytes(content)
    with app.app_context():
        assert activity.count().workers == []

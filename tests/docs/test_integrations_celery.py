"""The guide to Celery: its worker with processes of its own, on brokers that are files."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from brokers.redis_server import free_port
from clients.conftest import missing
from clients.serving import TESTS, Serving
from e2e.waiting import wait_for

from .integrations import imported, lay_out, serve, stream

try:
    import celery
except ImportError:
    celery = None

PAGE = "guides/celery.md"


@pytest.fixture(autouse=True)
def needed() -> None:
    if celery is None:
        missing("celery")


@contextmanager
def worker(folder: Path) -> Iterator[None]:
    """Celery's worker, which forks two processes for the tasks."""
    log = folder / "worker.log"
    command = ["-m", "celery", "-A", "tasks", "worker", "--concurrency", "2", "--loglevel", "info"]
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}:{folder}"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=environment, stdout=output, stderr=output
        )
    try:
        wait_for(lambda: b"ready." in log.read_bytes(), "the worker is ready", 30)
        yield
    finally:
        family = psutil.Process(process.pid).children(recursive=True)
        for each in (*family, process):
            each.kill()
        process.wait(20)


def start(serving: Serving, name: str, pages: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=10)
    body = json.dumps({"pages": pages})
    connection.request("POST", f"/api/reports/{name}", body, {"Content-Type": "application/json"})
    assert connection.getresponse().read() == b"null"
    connection.close()


def follow(serving: Serving, name: str, last_event_id: str = "") -> tuple[list[Any], str]:
    """Read a report's stream to its end; return what it told, and the id that it ended with."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    opened = stream(serving, f"/api/reports/{name}/progress", headers=headers)
    opened.read_to_end(30)
    opened.close()
    assert opened.names[-1] == "end"
    told = [each.json for each in opened.events if each.event.event == "message"]
    return told, str(opened.events[-1].event.id)


def test_the_application_and_forked_tasks_share_a_file(tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    queue.mkdir()
    folders = dict.fromkeys(("data_folder_in", "data_folder_out", "control_folder"), str(queue))
    on_files = f'broker="filesystem://", broker_transport_options={folders!r}'
    replace = {
        'broker=f"{REDIS}/1"': on_files,
        'f"{REDIS}/0"': f'"sqlite:///{tmp_path}/events.db"',
    }
    lay_out(tmp_path, PAGE, "tasks.py", "web.py", replace=replace)
    with worker(tmp_path):
        serving = serve(tmp_path, "web")
        try:
            for name, pages in (("sales", 3), ("costs", 2)):
                start(serving, name, pages)
            sales, ended = follow(serving, "sales")
            assert sales[-1] == {"page": 3, "of": 3, "result": "/files/sales.pdf"}
            numbers = [state["page"] for state in sales]
            assert numbers == sorted(numbers)
            costs, _ = follow(serving, "costs")
            assert costs[-1] == {"page": 2, "of": 2, "result": "/files/costs.pdf"}
            late, _ = follow(serving, "sales")
            assert late == sales[-1:]
            first = stream(serving, "/api/reports/sales/progress", headers={"Last-Event-ID": ended})
            first.read_head()
            assert first.status == 204
            first.close()
        finally:
            serving.kill()


def test_a_report_is_made_though_nobody_can_be_told(tmp_path: Path) -> None:
    lay_out(tmp_path, PAGE, "tasks.py", replace={"6379": str(free_port()), "0.2": "0"})
    with imported(tmp_path / "tasks.py") as tasks:
        began = time.monotonic()
        tasks.report("sales", 1)
        assert time.monotonic() - began < 10
        with pytest.raises(tasks.BrokerUnavailable):
            tasks.events.publish("report:sales", {})
        tasks.events.close()

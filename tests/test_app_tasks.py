"""Long tasks in this process: the queue, what tasks do, how they end; and two streams that end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from e2e.waiting import wait_for
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import sse
from app.primes import Tally, primes_up_to
from app.tasks import data_sets, hashing, imports, run, runner, store, streams
from app.tasks.counting import count
from app.tasks.hashing import hash_folder
from app.tasks.imports import aggregate
from app.tasks.model import LONGEST, Aggregate, Count, HashedFile, Import, Manifest, Primes
from app.tasks.table import Table
from app.tasks.work import Work, WorkError, advance
from flask_sse_routes import EventError
from flask_sse_routes.testing import sse_client
from tests.app_fixtures import logging_restored, make_console

LIMIT = 10_000
FOOTBALL = {
    "kind": "import",
    "data_set": "football-2015-16.csv",
    "group_by": ["home_team"],
    "sum_up": ["home_score", "away_score"],
}
MOST = {"kind": "count", "limit": 20_000_000}


@pytest.fixture(name="app")
def make_app(tmp_path: Path) -> Iterator[Flask]:
    with logging_restored():
        yield make_console(tmp_path)


@pytest.fixture(name="client")
def make_client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(name="stuck")
def hold_tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Tasks that count stay at their beginning until the event is set."""
    event = threading.Event()

    def counting(limit: int) -> Work:
        while not event.wait(0.01):
            yield run.Progress(1, limit, "numbers")
        return (yield from count(limit))

    monkeypatch.setattr(run, "count", counting)
    monkeypatch.setattr(run, "BEAT", 0.05)
    yield event
    event.set()


def start(client: FlaskClient, order: dict[str, Any]) -> int:
    response = client.post("/api/tasks", json=order)
    assert response.status_code == 200, response.text
    assert response.get_json()["state"] == "queued"
    return int(response.get_json()["id"])


def outcome(app: Flask, task_id: int) -> dict[str, Any]:
    """Follow a task to its end."""
    with sse_client(app).open(f"/api/tasks/{task_id}") as stream:
        *_, last, end = list(stream)
    assert (end.event, end.data) == ("end", "null")
    again = app.test_client().get(f"/api/tasks/{task_id}", headers={"Last-Event-ID": end.id})
    assert again.status_code == 204
    return dict(json.loads(last.data))


def state_of(client: FlaskClient, task_id: int) -> str:
    with client.application.app_context():
        task = store.find(task_id)
    assert task is not None
    return task.state


def result_of(work: Work) -> Any:
    return advance(work, 60).result


def test_table_is_summed_up(app: Flask, client: FlaskClient) -> None:
    task = outcome(app, start(client, FOOTBALL))
    assert (task["state"], task["done"], task["problem"]) == ("done", task["total"], None)
    result = task["result"]
    assert (result["rows"], result["skipped"], result["group_count"]) == (381, 1, 20)
    goals = {group["values"][0]: group["sums"] for group in result["groups"]}
    assert goals["Leicester City"] == [35.0, 18.0]
    assert {group["rows"] for group in result["groups"]} == {19}


def test_primes_are_counted(app: Flask, client: FlaskClient) -> None:
    task = outcome(app, start(client, {"kind": "count", "limit": 1_000_000}))
    assert (task["state"], task["result"]["primes"]) == ("done", 78_498)
    assert task["result"]["largest"] == 999_983


def test_folder_is_hashed(app: Flask, client: FlaskClient) -> None:
    task = outcome(app, start(client, {"kind": "hash", "folder": "flask_sse_routes"}))
    assert (task["state"], task["done"]) == ("done", task["result"]["file_count"])
    folder = hashing.folders()["flask_sse_routes"]
    first = task["result"]["files"][0]
    assert first["sha256"] == hashlib.sha256((folder / first["path"]).read_bytes()).hexdigest()


def test_digest_of_all_is_what_sha256sum_gives(tmp_path: Path) -> None:
    for name in ("b/c", "a", "z ä", "b/d/e"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name * 1000)
    (tmp_path / "link").symlink_to("/etc/passwd")
    listing = "find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    found = subprocess.run(
        ["bash", "-c", listing], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    manifest = result_of(hash_folder(tmp_path))
    assert isinstance(manifest, Manifest)
    assert (manifest.file_count, manifest.unreadable) == (4, 0)
    assert manifest.sha256 == found.stdout.split()[0]


def test_what_cannot_be_read_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("a")
    work = hash_folder(tmp_path)
    next(work)
    (tmp_path / "a").unlink()
    manifest = result_of(work)
    assert (manifest.file_count, manifest.unreadable, manifest.files) == (0, 1, [])
    monkeypatch.setattr(hashing, "MOST_FILES", 1)
    for name in "bc":
        (tmp_path / name).write_text(name)
    with pytest.raises(WorkError, match="more than 1 files"):
        result_of(hash_folder(tmp_path))


def summed(text: str, group_by: list[str], sum_up: list[str]) -> Aggregate:
    order = Import(kind="import", data_set="x", group_by=group_by, sum_up=sum_up)
    found = result_of(aggregate(text, order))
    assert isinstance(found, Aggregate)
    return found


def test_sums_are_exact_and_bad_rows_are_left_out() -> None:
    text = '\ufeffname;n\r\na;0.1\r\na;0.2\r\n\r\na;x\r\na\r\n"b\nc";-3\r\na;1e999\r\na;NaN\r\n'
    found = summed(text, ["name"], ["n"])
    assert (found.rows, found.skipped) == (7, 4)
    groups = [(group.values, group.rows, group.sums, group.means) for group in found.groups]
    assert groups == [(["a"], 2, [0.3], [0.15]), (["b\nc"], 1, [-3.0], [-3.0])]


def test_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "SHOWN", 2)
    found = summed("a,n\nx,1\ny,3\nz,2\n", ["a"], ["n"])
    assert ([group.values[0] for group in found.groups], found.group_count) == (["y", "z"], 3)
    monkeypatch.setattr(imports, "MOST_GROUPS", 2)
    with pytest.raises(WorkError, match="more than 2 groups"):
        summed("a,n\nx,1\ny,3\nz,2\n", ["a"], ["n"])


def test_columns_have_names_of_their_own() -> None:
    columns = Table("a,a,,b\n1,x,,\n2.5,7,,\n").columns()
    assert [(column.name, column.numeric) for column in columns] == [
        ("a", True),
        ("a (2)", False),
        ("column 3", False),
        ("b", False),
    ]


def test_uploaded_table_is_summed_up_and_forgotten(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_sets, "UPLOADS_KEPT", 1)
    text = "who,n\nme,1\n" + "me,2\n" * 20_000
    table = client.post("/api/tables", json={"title": "mine.csv", "text": text}).get_json()
    order = {"kind": "import", "data_set": table["id"], "group_by": ["who"], "sum_up": ["n"]}
    task = outcome(app, start(client, order))
    assert task["title"] == "Sum up mine.csv by who"
    assert task["result"]["groups"][0]["sums"] == [40_001.0]
    client.post("/api/tables", json={"title": "other.csv", "text": "a\n1\n"})
    assert client.post("/api/tasks", json=order).status_code == 404
    assert client.post(f"/api/tasks/{task['id']}/repeat").status_code == 404


def test_very_long_values_are_cut(app: Flask, client: FlaskClient) -> None:
    text = "key,n\n" + "".join(f"{n:02}{'k' * 18_000},{n}\n" for n in range(100))
    table = client.post("/api/tables", json={"title": "long.csv", "text": text}).get_json()
    order = {"kind": "import", "data_set": table["id"], "group_by": ["key"], "sum_up": ["n"]}
    task_id = start(client, order)
    result = outcome(app, task_id)["result"]
    assert (result["rows"], len(result["groups"])) == (100, 100)
    assert {len(group["values"][0]) for group in result["groups"]} == {LONGEST}
    assert result["groups"][0]["values"][0] == f"99{'k' * (LONGEST - 3)}…"
    assert outcome(app, task_id)["state"] == "done"


def test_very_long_paths_are_cut() -> None:
    file = HashedFile(path="a/" * 150, bytes=1, sha256="")
    assert file.path == f"{'a/' * 99}a…"


def test_result_that_is_too_large_fails_its_task(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "LARGEST", 100)
    task = outcome(app, start(client, FOOTBALL))
    assert (task["state"], task["result"]) == ("failed", None)
    assert task["problem"] == "What came out is too large to be shown."


def test_task_that_cannot_be_told_of_is_done_all_the_same(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def refuse(*_args: Any, **_options: Any) -> str:
        raise EventError("too large")

    monkeypatch.setattr(sse, "publish", refuse)
    task_id = start(client, FOOTBALL)
    wait_for(lambda: state_of(client, task_id) == "done", "its end")
    assert f"Task {task_id} is not told of: too large" in caplog.text


@pytest.mark.parametrize(
    ("length", "status"), [(2_000_000, 200), (2_000_001, 422), (5_000_000, 413)]
)
def test_upload_has_a_limit(client: FlaskClient, length: int, status: int) -> None:
    body = {"title": "x.csv", "text": "x\n" * (length // 2) + "x" * (length % 2)}
    assert client.post("/api/tables", json=body).status_code == status


def test_only_uploads_may_be_large(client: FlaskClient) -> None:
    assert client.post("/api/notify", json={"message": "x" * 100_000}).status_code == 413


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"data_set": "/etc/passwd"}, 404),
        ({"data_set": "../data/stocks.csv"}, 404),
        ({"group_by": ["nobody"]}, 422),
        ({"sum_up": []}, 422),
        ({"kind": "hash", "folder": "/etc"}, 404),
        ({"kind": "count", "limit": 20_000_001}, 422),
        ({"kind": "other"}, 422),
    ],
)
def test_order_is_checked(client: FlaskClient, change: dict[str, Any], status: int) -> None:
    response = client.post("/api/tasks", json={**FOOTBALL, **change})
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/tasks/7/cancel", "/api/tasks/7/repeat"])
def test_task_that_is_not_there(client: FlaskClient, path: str) -> None:
    assert client.post(path).status_code == 404
    assert client.get("/api/tasks/7").status_code == 404


def test_tasks_wait_for_each_other(
    app: Flask, client: FlaskClient, stuck: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "MOST_QUEUED", 2)
    ids = [start(client, MOST) for _ in range(runner.MOST_RUNNING)]
    wait_for(lambda: {state_of(client, each) for each in ids} == {"running"}, "them to run")
    waiting = [start(client, {"kind": "count", "limit": LIMIT}) for _ in range(2)]
    full = client.post("/api/tasks", json=MOST)
    assert (full.status_code, "2 tasks wait" in full.get_json()["detail"]) == (429, True)
    assert [state_of(client, each) for each in waiting] == ["queued"] * 2
    assert client.post(f"/api/tasks/{waiting[0]}/cancel").get_json()["state"] == "cancelled"
    for each in ids:
        assert client.post(f"/api/tasks/{each}/cancel").get_json()["cancelling"] is True
    assert {outcome(app, each)["state"] for each in ids} == {"cancelled"}
    stuck.set()
    assert outcome(app, waiting[1])["state"] == "done"


def test_task_of_a_process_that_died_is_given_up(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context(), monkeypatch.context() as patch:
        patch.setattr(store, "LEASE", 0.2)
        task = store.add(Count(kind="count", limit=LIMIT), "Lost", None)
        assert store.claim("somebody who died") is not None
    ended = outcome(app, task.id)
    assert (ended["state"], ended["problem"]) == ("interrupted", store.OWNER_GONE)
    with app.app_context():
        assert store.beat(task.id, "somebody who died", run.Progress(1, 2, "numbers")) is None
    again = client.post(f"/api/tasks/{task.id}/repeat").get_json()
    assert outcome(app, again["id"])["state"] == "done"


def test_error_is_told_without_its_detail(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def fail(limit: int) -> Work:
        yield run.Progress(1, limit, "numbers")
        raise RuntimeError("a secret")

    monkeypatch.setattr(run, "count", fail)
    task = outcome(app, start(client, MOST))
    assert task["state"] == "failed"
    assert "secret" not in json.dumps(task)
    assert "a secret" in caplog.text


def test_history_is_bounded(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "FINISHED_KEPT", 3)
    ids = [start(client, FOOTBALL) for _ in range(5)]
    for each in ids:
        wait_for(lambda each=each: is_over(client, each), "its end")
    with sse_client(app).open("/api/tasks") as stream:
        assert len(stream.json()) == 3


def test_task_that_ends_last_is_kept_however_old_it_is(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "FINISHED_KEPT", 1)
    progress = run.Progress(1, 1, "numbers")
    result = Primes(limit=LIMIT, primes=1, largest=2, twins=0, widest_gap=0)
    with app.app_context():
        old, new = (store.add(Count(kind="count", limit=LIMIT), "x", None).id for _ in range(2))
        for _ in range(2):
            store.claim("me")
        store.finish(new, "me", "done", progress, result=result)
        ended = store.finish(old, "me", "done", progress, result=result)
        assert ended is not None
        assert [task.id for task in store.latest()] == [ended.id] == [old]
        for cancelled in [store.add(Count(kind="count", limit=LIMIT), "x", None) for _ in range(2)]:
            store.cancel(cancelled.id)
        assert [task.id for task in store.latest()] == [cancelled.id]


def is_over(client: FlaskClient, task_id: int) -> bool:
    """Tell whether a task is done; what is not there any more was."""
    with client.application.app_context():
        task = store.find(task_id)
        return task is None or task.state == "done"


def test_everybody_hears_of_every_task(app: Flask, client: FlaskClient) -> None:
    with sse_client(app).open("/api/tasks") as stream:
        assert stream.json() == []
        task_id = start(client, FOOTBALL)
        states = []
        while "done" not in states:
            told = stream.json()
            assert (told["id"], "result" in told) == (task_id, False)
            states.append(told["state"])
    assert states[:2] == ["queued", "running"]
    with sse_client(app).open("/api/tasks") as stream:
        assert [(task["id"], task["state"]) for task in stream.json()] == [(task_id, "done")]


def test_countdown_counts_down_and_ends(app: Flask) -> None:
    with sse_client(app).open("/api/countdown?start=1") as stream:
        events = list(stream)
    assert [event.event for event in events] == ["message", "message", "end"]
    assert [json.loads(event.data) for event in events] == [{"left": 1}, {"left": 0}, None]
    again = app.test_client().get("/api/countdown", headers={"Last-Event-ID": events[-1].id})
    assert again.status_code == 204


def test_countdown_goes_on_where_the_clock_is(app: Flask) -> None:
    with sse_client(app).open("/api/countdown?start=3600") as stream:
        first = stream.next()
    with sse_client(app).open("/api/countdown?start=3600", last_event_id=first.id) as stream:
        assert stream.next().id.partition("-")[0] == first.id.partition("-")[0]
    with sse_client(app).open("/api/countdown", last_event_id="1000000000.000-5") as stream:
        assert [stream.json(), stream.next().event] == [{"left": 0}, "end"]
    with sse_client(app).open("/api/countdown?start=9", last_event_id="999999999999.999") as stream:
        assert stream.json()["left"] <= 9


def test_task_finds_the_primes(app: Flask) -> None:
    with sse_client(app).open(f"/api/task?limit={LIMIT}") as stream:
        *steps, done, end = list(stream)
    assert {step.event for step in steps} == {"progress"}
    assert (done.event, end.event, end.data) == ("done", "end", "null")
    progress = [json.loads(step.data) for step in steps]
    assert progress == sorted(progress, key=lambda step: step["examined"])
    assert (progress[-1]["percent"], progress[-1]["examined"]) == (100.0, LIMIT)
    result = json.loads(done.data)
    expected = _primes_by_trial(LIMIT)
    assert result.pop("seconds") >= 0
    assert result == {
        "limit": LIMIT,
        "primes": len(expected),
        "largest": expected[-1],
        "twins": sum(b - a == 2 for a, b in pairwise(expected)),
        "widest_gap": max(b - a for a, b in pairwise(expected)),
    }


def test_few_streams_compute_at_once(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()
    monkeypatch.setattr(Tally, "examine", lambda *_: may_go_on.wait(30))
    with contextlib.ExitStack() as stack:
        stack.callback(may_go_on.set)
        opened = [
            stack.enter_context(sse_client(app).open("/api/task")) for _ in range(streams.MOST)
        ]
        refused = client.get("/api/task")
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "5")
        assert refused.get_json()["detail"] == "2 streams compute here already: try again in 5 s."
        may_go_on.set()
        assert {stream.next().event for stream in opened} == {"progress"}
    monkeypatch.undo()
    wait_for(lambda: streams._room._value == streams.MOST, "room")
    with sse_client(app).open(f"/api/task?limit={LIMIT}") as stream:
        assert [event.event for event in stream][-2:] == ["done", "end"]


@pytest.mark.parametrize("limit", [2, 3, 4, 9, 10, 25, 30, 121, 1000])
@pytest.mark.parametrize("step", [1, 2, 7, 5000])
def test_sieve_is_right_however_it_is_cut(limit: int, step: int) -> None:
    tally = Tally(limit)
    for low in range(2, limit + 1, step):
        tally.examine(low, min(low + step, limit + 1))
    expected = _primes_by_trial(limit)
    assert primes_up_to(limit) == expected
    assert (tally.count, tally.largest) == (len(expected), expected[-1])
    assert tally.twins == sum(b - a == 2 for a, b in pairwise(expected))


def _primes_by_trial(limit: int) -> list[int]:
    return [n for n in range(2, limit + 1) if all(n % d for d in range(2, int(n**0.5) + 1))]

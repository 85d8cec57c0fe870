"""`post_worker_init`: a worker that is to stop lets its streams go; plain requests find room."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from flask_sse_routes import Context, define_route, streams
from flask_sse_routes.gunicorn import post_worker_init
from flask_sse_routes.streams import PROCESS, drain_all
from flask_sse_routes.testing import sse_client


@pytest.fixture(name="workers", autouse=True)
def leave_no_worker(monkeypatch: pytest.MonkeyPatch, eventually: Any) -> Iterator[list[Any]]:
    """Let each worker's watch come to its end, or it would drain the streams of later tests."""
    monkeypatch.setattr(PROCESS, "max_streams", None)
    workers: list[Any] = []
    done: list[bool] = []

    def drain_and_note(*, everything: bool) -> None:
        drain_all(everything=everything)
        if everything:
            done.append(True)

    monkeypatch.setattr(streams, "drain_all", drain_and_note)
    yield workers
    for worker in workers:
        worker.alive = False
        worker.cfg.graceful_timeout = 0
    eventually(lambda: len(done) == len(workers))


def worker(workers: list[Any], *, graceful_timeout: float = 2, **more: Any) -> Any:
    cfg = SimpleNamespace(graceful_timeout=graceful_timeout, threads=more.pop("threads", 1))
    made = SimpleNamespace(alive=True, cfg=cfg, **more)
    workers.append(made)
    return made


def first_then_wait(ctx: Context) -> Iterator[int]:
    yield 1
    ctx.sleep(3600)


@pytest.mark.parametrize(("threads", "room"), [(10, 8), (3, 1), (2, 1), (1, 1)])
def test_gthread_keeps_two_threads_free(workers: list[Any], threads: int, room: int) -> None:
    post_worker_init(worker(workers, tpool=object(), threads=threads))
    assert PROCESS.max_streams == room


def test_other_workers_have_no_such_limit(workers: list[Any]) -> None:
    post_worker_init(worker(workers))
    assert PROCESS.max_streams is None


def test_a_worker_that_is_to_stop_drains(make_app: Any, workers: list[Any]) -> None:
    one = worker(workers)
    post_worker_init(one)
    app = make_app({"it": define_route(first_then_wait, kind="sse")})
    with sse_client(app).open("/api/it") as stream:
        stream.next()
        one.alive = False
        assert list(stream) == []
        assert 500 <= (stream.retry or 0) <= 3000


def test_what_may_finish_is_ended_before_the_graceful_timeout(
    make_app: Any, workers: list[Any]
) -> None:
    one = worker(workers, graceful_timeout=2.5)
    post_worker_init(one)
    routes = {
        "now": define_route(first_then_wait, kind="sse"),
        "finish": define_route(first_then_wait, kind="sse", drain="finish"),
    }
    client = sse_client(make_app(routes))
    with contextlib.ExitStack() as stack:
        now, finish = (stack.enter_context(client.open(f"/api/{name}")) for name in routes)
        assert (now.json(), finish.json()) == (1, 1)
        one.alive = False
        begun = time.monotonic()
        assert list(now) == []
        assert list(finish) == []
        assert 0.4 < time.monotonic() - begun < 2.5

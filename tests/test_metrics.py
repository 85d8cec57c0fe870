"""`PrometheusMetrics`: what a scrape says, and where it refuses to say something wrong."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask, abort, current_app
from prometheus_client import CollectorRegistry, Counter

from flask_sse_routes import (
    BrokerUnavailable,
    ConfigError,
    Context,
    RouteBlueprint,
    SSERoutes,
    clock,
    define_hook,
    define_route,
)
from flask_sse_routes.brokers.base import Position
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.gunicorn import child_exit
from flask_sse_routes.lag import EVERY, Lag
from flask_sse_routes.metrics import DIRECTORY, PrometheusMetrics
from flask_sse_routes.streams import PROCESS
from flask_sse_routes.subscriptions import Subscription
from flask_sse_routes.tallies import End, Tally
from flask_sse_routes.testing import sse_client


def numbers(n: int = 2) -> Iterator[int]:
    yield from range(n)


def waiting(ctx: Context) -> Iterator[int]:
    yield 1
    ctx.sleep(3600)


def away() -> Iterator[int]:
    raise BrokerUnavailable("It is away.")
    yield 1


def follow() -> Subscription:
    sse = runtime_of(current_app).owner
    assert sse is not None
    return sse.subscribe("a")


def refuse(ctx: Context) -> None:
    abort(503)


ROUTES = {
    "numbers": define_route(numbers, kind="sse"),
    "waiting": define_route(waiting, kind="sse"),
    "away": define_route(away, kind="sse"),
    "follow": define_route(follow, kind="sse"),
    "closed": define_route(numbers, kind="sse", hooks=[define_hook(before=refuse)]),
}


class Site:
    """An app with metrics, mounted as a route."""

    def __init__(self, registry: CollectorRegistry | None = None, **config: Any) -> None:
        self.app = Flask("site")
        self.app.config.update(TESTING=True, **config)
        self.sse = SSERoutes(self.app, identify=lambda request: request.args.get("user"))
        self.metrics = PrometheusMetrics(self.sse, registry)
        routes = ROUTES | {"metrics": define_route(self.metrics.view, path="/metrics")}
        inner = RouteBlueprint("v1", __name__, routes, url_prefix="/v1")
        outer = RouteBlueprint("api", __name__, url_prefix="/api")
        outer.register_blueprint(inner)
        self.app.register_blueprint(outer)
        self.client = self.app.test_client()

    def get(self, path: str) -> int:
        with sse_client(self.client).open(f"/api/v1/{path}") as stream:
            list(stream)
        return 0

    def publish(self, data: int) -> None:
        with self.app.app_context():
            self.sse.publish("a", data)

    def scrape(self) -> dict[str, float]:
        response = self.client.get("/api/v1/metrics")
        assert response.status_code == 200
        lines = (line for line in response.text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_a_scrape() -> None:
    site = Site(SSE_MAX_STREAMS=2, SSE_MAX_STREAMS_PER_CLIENT=1)
    site.get("numbers?n=3")
    with sse_client(site.client).open("/api/v1/waiting?user=ann") as stream:
        assert stream.json() == 1
        site.client.get("/api/v1/numbers?user=ann", headers={"Accept": "text/event-stream"})
        with sse_client(site.client).open("/api/v1/waiting?user=bob") as other:
            assert other.json() == 1
            assert site.client.get("/api/v1/numbers").status_code == 503
            found = site.scrape()
    assert found['sse_streams_open{route="api.v1.waiting"}'] == 2
    assert found['sse_streams_open{route="api.v1.numbers"}'] == 0
    assert found['sse_events_total{route="api.v1.numbers"}'] == 4
    assert found['sse_events_total{route="api.v1.waiting"}'] == 2, "those of open streams, too"
    assert found['sse_streams_ended_total{outcome="completed",route="api.v1.numbers"}'] == 1
    assert found['sse_stream_duration_seconds_count{route="api.v1.numbers"}'] == 1
    assert found['sse_streams_refused_total{reason="client",route="api.v1.numbers"}'] == 1
    assert found['sse_streams_refused_total{reason="capacity",route="api.v1.numbers"}'] == 1
    assert not [name for name in found if "ann" in name or "bob" in name]
    assert site.sse.stats(site.app).refused == 2


@pytest.mark.parametrize(("route", "reason"), [("away", "broker"), ("closed", "hook")])
def test_refusals_have_a_reason(route: str, reason: str) -> None:
    site = Site()
    site.app.testing = False
    assert site.client.get(f"/api/v1/{route}").status_code == 503
    name = f'sse_streams_refused_total{{reason="{reason}",route="api.v1.{route}"}}'
    assert site.scrape()[name] == 1


def test_counters_do_not_go_back_with_what_a_client_turns_out_not_to_have_taken() -> None:
    site = Site()
    tally = Tally()
    site.sse.tallies = lambda: {"it": tally}  # type: ignore[method-assign]  # made up
    for events, told in ((5, 5), (3, 5), (6, 6)):
        tally.events = events
        assert site.scrape()['sse_events_total{route="it"}'] == told


def test_what_was_counted_first_is_told_first() -> None:
    """Or a worker whose last stream has ended would say for good that it is open."""
    site, held, gate = Site(), threading.Event(), threading.Event()
    before, after = Tally(), Tally()
    before.open = 1

    def tallies() -> dict[str, Tally]:
        if threading.current_thread() is not first:
            return {"it": after}
        held.set()
        assert gate.wait(10)
        return {"it": before}

    site.sse.tallies = tallies  # type: ignore[method-assign]  # made up
    first, second = (threading.Thread(target=site.metrics.update) for _ in range(2))
    first.start()
    assert held.wait(10)
    second.start()
    second.join(0.2)
    gate.set()
    for thread in (first, second):
        thread.join(10)
    registry = site.metrics.registry
    site.sse.tallies = dict  # type: ignore[method-assign]
    assert registry.get_sample_value("sse_streams_open", {"route": "it"}) == 0


def test_a_registry_of_the_users() -> None:
    registry = CollectorRegistry()
    Counter("orders", "Orders.", registry=registry).inc()
    found = Site(registry).scrape()
    assert found["orders_total"] == 1
    assert "sse_broker_lag_seconds_count" in found


def test_several_processes_without_a_directory_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site()
    monkeypatch.setattr(PROCESS, "multiprocess", True)
    with pytest.raises(ConfigError, match=rf"set {DIRECTORY} to an empty directory.*child_exit"):
        site.client.get("/api/v1/metrics")


def test_a_directory_has_to_be_there_in_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for path in (str(tmp_path / "none"), ""):
        monkeypatch.setenv(DIRECTORY, path)
        with pytest.raises(ConfigError, match="no directory: make it"):
            PrometheusMetrics(SSERoutes())
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    with pytest.raises(ConfigError, match="before the server starts"):
        PrometheusMetrics(SSERoutes())


def test_a_pause_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="greater than 0"):
        PrometheusMetrics(SSERoutes(), every=0)


def test_a_disk_that_is_slow_once_does_not_make_all_writing_rare(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site, due = Site(), Mock()
    site.metrics._shares = True
    monkeypatch.setattr("flask_sse_routes.metrics.get_clock", lambda: due)
    monkeypatch.setattr(site.metrics, "update", lambda: time.sleep(0.2) or True)
    site.metrics.stir()
    ((_, tick),) = (call.args for call in due.at.call_args_list)
    due.reset_mock()
    tick(clock.now())
    (again,) = due.at.call_args_list
    assert again.args[0] - clock.now() < 5


def test_a_worker_that_is_gone_leaves_the_gauges_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Worker:
        pid = os.getpid()

    files = [tmp_path / f"{kind}_{Worker.pid}.db" for kind in ("gauge_livesum", "counter")]
    for file in files:
        file.touch()
    monkeypatch.delenv(DIRECTORY, raising=False)
    child_exit(None, Worker())
    assert all(file.exists() for file in files)
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    child_exit(None, Worker())
    assert [file.exists() for file in files] == [False, True]


@pytest.mark.parametrize("error", [PermissionError("read-only"), ImportError("not installed")])
def test_a_gauge_that_stays_does_not_stop_the_master(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    def fail(_pid: int) -> None:
        raise error

    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    monkeypatch.setattr("prometheus_client.multiprocess.mark_process_dead", fail)
    server = Mock()
    child_exit(server, Mock(pid=12))
    (call,) = server.log.warning.call_args_list
    assert str(error) in call.args[0] % call.args[1:]


class Noting:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self.ends: list[End] = []

    def stir(self) -> None:
        pass

    def note_end(self, end: End) -> None:
        self.ends.append(end)

    def note_lag(self, seconds: float) -> None:
        self.lags.append(seconds)


@pytest.fixture
def time_by_hand(monkeypatch: pytest.MonkeyPatch) -> Any:
    class Time:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

    made = Time()
    monkeypatch.setattr("flask_sse_routes.lag.time", made)
    return made


def test_lag_is_from_the_append_to_the_reading(time_by_hand: Any) -> None:
    lag, noting = Lag(), Noting()
    assert lag.begin() is None, "nobody wants to know"
    lag.observers.append(noting)
    began = lag.begin()
    assert began is not None
    time_by_hand.now += 0.25
    lag.appended(Position("e", 7), began)
    lag.read(Position("e", 6))
    assert noting.lags == [], "not there yet"
    assert lag.begin() is None, "one a second"
    time_by_hand.now += 0.25
    lag.read(Position("e", 9))
    lag.read(Position("e", 10))
    assert noting.lags == [0.5]
    time_by_hand.now += EVERY
    began = lag.begin()
    assert began is not None
    lag.read(Position("e", 12))  # before the append has returned
    time_by_hand.now += 5
    lag.appended(Position("e", 12), began)
    assert noting.lags == [0.5, 0.0]


def test_what_is_gone_with_its_epoch_has_no_lag(time_by_hand: Any) -> None:
    lag, noting = Lag(), Noting()
    lag.observers.append(noting)
    for epoch in ("a", "b"):
        time_by_hand.now += EVERY
        began = lag.begin()
        assert began is not None
        lag.appended(Position(epoch, 7), began)
        lag.read(Position("b", 7))
    assert noting.lags == [0.0], "that of the second"


class Failing:
    """An observer that can do nothing of what it is for."""

    def fail(self, *_: object) -> None:
        raise LookupError("no such counter")

    stir = note_end = note_lag = fail


def test_an_observer_that_fails_is_logged_and_holds_up_nobody(
    caplog: pytest.LogCaptureFixture, eventually: Callable[..., None]
) -> None:
    site, noting = Site(SSE_MAX_STREAMS=1), Noting()
    site.sse.observers[:] = [Failing(), noting]
    streams = runtime_of(site.app).streams
    with sse_client(site.client).open("/api/v1/follow") as stream:
        assert stream.next().event == "ready"
        assert site.client.get("/api/v1/numbers").status_code == 503
        for n in range(2):
            site.publish(n)
            assert stream.json() == n
        eventually(lambda: noting.lags)
    eventually(lambda: streams.stats().streams == 0)
    site.get("numbers")
    assert [end.route for end in noting.ends] == ["api.v1.follow", "api.v1.numbers"]
    assert "Streams could not be observed" in caplog.text
    assert "no such counter" in caplog.text
    assert streams.stats().streams == 0


def test_what_nobody_waited_for_any_more_has_no_lag(eventually: Callable[..., None]) -> None:
    site, noting = Site(), Noting()
    site.sse.observers[:] = [noting]
    hub = runtime_of(site.app).channels.hub
    with sse_client(site.client).open("/api/v1/follow") as stream:
        stream.next()
    eventually(lambda: not hub.rings and not hub._tailing)
    hub.lag.appended(hub.broker.append("a", b"{}"), time.monotonic() - 600)
    with sse_client(site.client).open("/api/v1/follow") as stream:
        stream.next()
        site.publish(1)
        stream.next()
        eventually(lambda: noting.lags)
    assert max(noting.lags) < 60

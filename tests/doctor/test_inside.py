"""Checks of the inside, one by one, on apps and settings of this process."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_sse_routes import Context, RouteBlueprint, SSERoutes, define_route
from flask_sse_routes.diagnosis import Facts
from flask_sse_routes.doctor import brokers
from flask_sse_routes.doctor.deployment import Deployment
from flask_sse_routes.doctor.drivers import DRIVERS
from flask_sse_routes.doctor.finding import CODES
from flask_sse_routes.doctor.inside import gaps, look_inside
from flask_sse_routes.doctor.settings import read_settings
from flask_sse_routes.errors import ConfigError

SSE_WORKER = 'worker_class = "flask_sse_routes.gunicorn.SSEWorker"\n'
GEVENT = "from flask_sse_routes.gunicorn import post_worker_init\nworker_class = 'gevent'\n"
GTHREAD = "from flask_sse_routes.gunicorn import post_worker_init\nworker_class = 'gthread'\n"
FACTS = Facts("", "gunicorn/27", "SSEWorker", False, "HTTP/1.1", False, 4096, True, True)

Codes = Callable[..., dict[str, str]]


def app_of(**config: Any) -> Flask:
    app = Flask("application")
    app.config.update(config)
    SSERoutes(app)
    return app


@pytest.fixture(name="codes")
def codes(empty_folder: Path) -> Codes:
    """The severities by code of an app whose gunicorn has these settings."""

    def look(settings: str = SSE_WORKER, app: Flask | None = None, **config: Any) -> dict[str, str]:
        (empty_folder / "gunicorn.conf.py").write_text(textwrap.dedent(settings))
        deployment = Deployment(app=app or app_of(**config), settings=read_settings())
        findings, _, unseen = look_inside(deployment)
        assert unseen == []
        assert {each.code for each in findings} <= CODES.keys()
        assert all(each.severity in CODES[each.code].severities for each in findings)
        return {each.code: each.severity for each in findings}

    return look


@pytest.mark.parametrize("settings", [SSE_WORKER, SSE_WORKER + "max_requests = 10_000"])
def test_nothing_is_found_in_good_settings(codes: Codes, settings: str) -> None:
    assert codes(settings) == {}


@pytest.mark.parametrize(
    ("settings", "config", "expected"),
    [
        ("", {}, {"sync-worker": "fault"}),
        ("threads = 50\n", {}, {"threads": "fault", "worker-class": "note", "no-drain": "warning"}),
        (GTHREAD + "threads = 50", {}, {"worker-class": "note"}),
        (GTHREAD + "threads = 3", {}, {"worker-class": "note", "threads": "warning"}),
        (
            GTHREAD + "threads = 50",
            {"SSE_MAX_STREAMS": 50},
            {"worker-class": "note", "threads": "fault"},
        ),
        ("worker_class = 'gevent'", {}, {"worker-class": "note", "no-drain": "warning"}),
        (GEVENT, {"SSE_MAX_STREAMS": 999}, {"worker-class": "note"}),
        (
            GEVENT,
            {"SSE_MAX_STREAMS": 1000},
            {"worker-class": "note", "worker-connections": "warning"},
        ),
        (SSE_WORKER, {"SSE_MAX_STREAMS": 10_000_000}, {"descriptors": "warning"}),
        (GEVENT + "max_requests = 1000", {}, {"worker-class": "note", "max-requests": "warning"}),
        (GEVENT + "max_requests = 50", {}, {"worker-class": "note", "max-requests": "fault"}),
        (
            GEVENT + "max_requests = 999",
            {"SSE_MAX_STREAMS": 900},
            {"worker-class": "note", "max-requests": "warning"},
        ),
        (SSE_WORKER + "max_requests = 50", {}, {"max-requests": "warning"}),
        (
            SSE_WORKER + "max_requests = 5000; workers = 2",
            {"SSE_BROKER_URL": "sqlite:///events.db"},
            {"max-requests-jitter": "warning"},
        ),
        (SSE_WORKER + "graceful_timeout = 2", {}, {"graceful-timeout": "warning"}),
        (SSE_WORKER + "timeout = 0", {}, {"timeout": "note"}),
        (SSE_WORKER + "timeout = 5", {}, {"timeout": "warning"}),
        (SSE_WORKER + "workers = 2", {}, {"memory-broker": "note"}),
        (SSE_WORKER + "certfile = keyfile = __file__", {}, {"tls-at-gunicorn": "note"}),
        (SSE_WORKER, {"SSE_HEARTBEAT": 60}, {"heartbeat": "warning"}),
        (SSE_WORKER, {"SSE_EXPLORER": True}, {"explorer": "note"}),
        (SSE_WORKER, {"SSE_EXPLORER": True, "DEBUG": True}, {}),
    ],
)
def test_settings_and_keys(
    codes: Codes, settings: str, config: dict[str, Any], expected: dict[str, str]
) -> None:
    assert codes(settings, **config) == expected


def test_a_broker_in_memory_is_a_fault_where_handlers_use_channels(codes: Codes) -> None:
    app = Flask("application")
    sse = SSERoutes(app)
    routes = {"news": define_route(lambda: sse.subscribe("news"), kind="sse")}
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    assert codes(SSE_WORKER + "workers = 2", app) == {"memory-broker": "fault"}
    assert codes(SSE_WORKER, app) == {}


def test_a_broker_in_memory_and_nobody_knows_how_many_workers(empty_folder: Path) -> None:
    app = Flask("application")
    sse = SSERoutes(app)
    assert gaps(Deployment(app=app)) == []
    routes = {"news": define_route(lambda: sse.subscribe("news"), kind="sse")}
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    assert gaps(Deployment(app=app)) == [
        "whether memory:// is enough: the number of workers is not known."
    ]
    assert gaps(Deployment(app=app, facts=FACTS)) == []


def test_several_workers_without_an_extension_need_no_broker(codes: Codes) -> None:
    app = Flask("application")
    app.register_blueprint(RouteBlueprint("api", __name__, {}, url_prefix="/api"))
    assert codes(SSE_WORKER + "workers = 2", app) == {}


def test_a_class_and_a_subclass_count_as_what_they_are(
    codes: Codes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert codes("from flask_sse_routes.gunicorn import SSEWorker as worker_class") == {}
    ours = ModuleType("ours")
    exec(
        "from gunicorn.workers.gthread import ThreadWorker\nclass Mine(ThreadWorker): 0", vars(ours)
    )
    monkeypatch.setitem(sys.modules, "ours", ours)
    found = codes(GTHREAD + "worker_class = 'ours.Mine'; threads = 20")
    assert found == {"worker-class": "note"}


OURS = "from flask_sse_routes.gunicorn import post_worker_init"


@pytest.mark.parametrize(
    ("settings", "drains"),
    [
        ("", False),
        ("def post_worker_init(worker): print(worker)", False),
        (OURS, True),
        (f"{OURS} as drain\ndef post_worker_init(worker): drain(worker)", True),
        (
            "from flask_sse_routes import gunicorn as g\n"
            "def post_worker_init(worker): g.post_worker_init(worker)",
            True,
        ),
    ],
)
def test_a_hook_counts_where_it_is_the_packages(codes: Codes, settings: str, drains: bool) -> None:
    found = codes(f"{settings}\nworker_class = 'gevent'")
    assert found == {"worker-class": "note", **({} if drains else {"no-drain": "warning"})}


def test_one_thread_is_one(empty_folder: Path) -> None:
    (empty_folder / "gunicorn.conf.py").write_text(GTHREAD)
    deployment = Deployment(app=app_of(SSE_MAX_STREAMS=40), settings=read_settings())
    (threads,) = (each for each in look_inside(deployment)[0] if each.code == "threads")
    assert threads.what == "SSE_MAX_STREAMS is 40, and each worker has 1 thread."


def test_the_environment_wins_over_the_file(codes: Codes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--worker-class sync")
    assert codes() == {"sync-worker": "fault"}


def test_a_file_that_gunicorn_would_refuse(empty_folder: Path) -> None:
    (empty_folder / "other.py").write_text("workers = 'many'")
    with pytest.raises(ConfigError, match=r"gunicorn would not read other\.py: .*many"):
        read_settings("other.py")


def test_without_settings_it_says_what_it_could_not_look_at(empty_folder: Path) -> None:
    settings = read_settings()
    assert settings is None
    findings, seen, unseen = look_inside(Deployment(app=app_of(), settings=settings))
    assert (findings, seen) == ([], ["the broker", "the database pool", "SSE_* keys"])
    assert "max_requests" in unseen


def test_facts_of_the_running_server_win(empty_folder: Path) -> None:
    (empty_folder / "gunicorn.conf.py").write_text("worker_class = 'sync'; workers = 4")
    app, settings = app_of(SSE_MAX_STREAMS_PER_CLIENT=3), read_settings()
    assert look_inside(Deployment(app=app, settings=settings, facts=FACTS))[0] == []
    odd = FACTS._replace(processes=True, protocol="HTTP/2.0", tls=True, named=False)
    findings, _, _ = look_inside(Deployment(app=app, settings=settings, facts=odd))
    assert [each.code for each in findings] == [
        "http2-at-gunicorn",
        "tls-at-gunicorn",
        "memory-broker",
        "client-address",
    ]
    here = Deployment(app=app, facts=FACTS._replace(named=None))
    findings, _, unseen = look_inside(here)
    assert (findings, unseen) == ([], ["drain", "room for streams", "timeouts", "max_requests"])
    (address,) = gaps(here)
    assert address.startswith("whether the app sees its clients' addresses")


@pytest.mark.parametrize(("name", "module"), [(k, v[0]) for k, v in DRIVERS.items()])
def test_a_driver_that_was_imported(
    codes: Codes, monkeypatch: pytest.MonkeyPatch, name: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, ModuleType(module))
    assert codes() == {"blocking-driver": "fault"}
    assert codes(GTHREAD + "threads = 20") == {"worker-class": "note"}


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("mysql://user:hidden@host/db", True),
        ("mysql+pymysql://user:hidden@host/db", False),
        ("postgresql+psycopg2://user:hidden@host/db", True),
        ("postgresql+psycopg://user:hidden@host/db", False),
        ("sqlite:///file.db", False),
        ("no url", False),
    ],
)
def test_a_driver_that_a_database_url_names(codes: Codes, url: str, found: bool) -> None:
    expected = {"blocking-driver": "fault"} if found else {}
    assert codes(SQLALCHEMY_DATABASE_URI=url) == expected
    assert codes(SQLALCHEMY_BINDS={"other": {"url": url}}) == expected


def test_a_psycopg2_that_waits_with_gevent(codes: Codes, monkeypatch: pytest.MonkeyPatch) -> None:
    extensions: Any = ModuleType("psycopg2.extensions")
    extensions.get_wait_callback = lambda: None
    monkeypatch.setitem(sys.modules, "psycopg2", ModuleType("psycopg2"))
    monkeypatch.setitem(sys.modules, "psycopg2.extensions", extensions)
    assert codes() == {"blocking-driver": "fault"}
    extensions.get_wait_callback = lambda: print
    assert codes() == {}


@pytest.fixture(name="shop")
def shop(tmp_path: Path) -> Iterator[Callable[..., Flask]]:
    """Make an app with Flask-SQLAlchemy and a stream that queries it."""
    made: list[tuple[Flask, Any]] = []

    def make(pool_size: int = 5, query: bool = True, **options: Any) -> Flask:
        app = app_of(
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{tmp_path}/shop.db",
            SQLALCHEMY_ENGINE_OPTIONS={"pool_size": pool_size, "max_overflow": 0},
            SSE_MAX_STREAMS=20,
        )
        db = SQLAlchemy(app)
        names: dict[str, Any] = {"db": db, "Context": Context}
        body = "db.session.query(1).all()" if query else "1"
        exec(f"def orders(ctx: Context):\n    yield {body}", names)
        route = define_route(names["orders"], kind="sse", **options)
        app.register_blueprint(RouteBlueprint("api", __name__, {"orders": route}))
        made.append((app, db))
        return app

    yield make
    for app, db in made:
        with app.app_context():
            db.engine.dispose()


@pytest.mark.parametrize(
    ("pool_size", "options", "expected"),
    [
        (5, {"context": "stream"}, {"database-pool": "fault"}),
        (5, {"context": "stream", "query": False}, {"database-pool": "warning"}),
        (20, {"context": "stream"}, {}),
        (5, {}, {}),
    ],
)
def test_a_pool_and_the_streams_that_hold_its_connections(
    codes: Codes,
    shop: Callable[..., Flask],
    pool_size: int,
    options: dict[str, Any],
    expected: dict[str, str],
) -> None:
    assert codes(SSE_WORKER, shop(pool_size, **options)) == expected


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /srv/shared nfs4 rw 0 0
/dev/sdb1 /srv/shared/disk ext4 rw 0 0
server:/with /srv/a\\040space nfs4 rw 0 0
tank /srv/tank fuse.zfs rw 0 0
me@host: /srv/far fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("/srv/shared", True),
        ("/srv/shared/deep/down", True),
        ("/srv/shared/disk", False),
        ("/srv/sharedness", False),
        ("/srv/a space", True),
        ("/srv/tank", False),
        ("/srv/far", True),
        ("/srv", False),
    ],
)
def test_a_file_on_another_machine(
    codes: Codes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str, found: bool
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS)
    monkeypatch.setattr(brokers, "MOUNTS", mounts)
    expected = {"network-file": "fault"} if found else {}
    assert codes(SSE_BROKER_URL=f"sqlite:///{folder}/events.db") == expected


@pytest.mark.parametrize("kind", ["overlayfs", "mergerfs", "gocryptfs", "fuse-overlayfs"])
def test_a_file_system_in_user_space_on_a_disk(kind: str) -> None:
    assert not brokers.NETWORK.fullmatch(f"fuse.{kind}")


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "smb3", "virtiofs", "vboxsf", "beegfs", "gpfs", "fuse.s3fs", "fuse.rclone"],
)
def test_a_file_system_that_is_shared(kind: str) -> None:
    assert brokers.NETWORK.fullmatch(kind)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {}),
        ({"redis_version": "6.2.14"}, {}),
        ({"redis_version": "6.0.16"}, {"redis-version": "fault"}),
        ({"maxmemory": "0", "maxmemory_policy": "allkeys-lru"}, {}),
        ({"maxmemory": "9", "maxmemory_policy": "noeviction"}, {}),
        ({"maxmemory": "9", "maxmemory_policy": "allkeys-lru"}, {"redis-eviction": "fault"}),
        ({"maxmemory": "9", "maxmemory_policy": "volatile-ttl"}, {"redis-eviction": "warning"}),
        ({"cluster_enabled": "1"}, {"redis-cluster": "note"}),
    ],
)
def test_what_a_redis_says(said: dict[str, str], expected: dict[str, str]) -> None:
    assert {each.code: each.severity for each in brokers.judge_redis(said)} == expected

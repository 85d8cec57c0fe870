"""What is compared: this project in three forms, the floor, and the peers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .environments import (
    Compiled,
    Environment,
    NodeEnvironment,
    PythonEnvironment,
    ThisEnvironment,
)

# Every ratio is taken to these two.
FLOOR = "floor"
RAW_FLASK = "raw-flask"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A row of the report, and how its server is started.

    `command` and `environ` are templates: `program` is the environment's, `apps` and `root` are
    the folders of the peers and of the checkout, `work` is a folder for one server alone.
    """

    key: str
    title: str
    environment: Environment
    command: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    # Events of a series back to back: as many as take it a few seconds with 1,000 clients.
    burst: int = 3000
    # It follows channels by name, and knows how to publish without a pause.
    ours: bool = False
    # Nothing is sent to a new client before the first event, not even the head.
    headless: bool = False
    # It sends heartbeats as often as it is told to.
    heartbeats: bool = True
    # Other programs that have to be there.
    needs: tuple[str, ...] = ()


def _gunicorn(app: str, worker: str = "gevent") -> tuple[str, ...]:
    settings = ("-c", "{apps}/gunicorn_settings.py", "-k", worker, "-b", "127.0.0.1:{port}")
    return ("{program}", "-m", "gunicorn", *settings, app)


def _uvicorn(app: str) -> tuple[str, ...]:
    settings = ("--loop", "uvloop", "--http", "httptools", "--backlog", "4096")
    address = ("--host", "127.0.0.1", "--port", "{port}")
    quiet = ("--no-access-log", "--log-level", "warning")
    return ("{program}", "-m", "uvicorn", *settings, *address, *quiet, app)


def _ours(key: str, title: str, worker: str, broker: str) -> Peer:
    return Peer(
        key=key,
        title=f"flask_sse_routes, {title}",
        environment=ThisEnvironment(),
        command=_gunicorn("ours:app", worker),
        environ={"BROKER": broker, "PYTHONPATH": "{apps}:{root}"},
        ours=True,
    )


SSE_WORKER = "flask_sse_routes.gunicorn.SSEWorker"

# gunicorn's gevent worker imports packaging without requiring it.
_ON_GUNICORN = ("flask", "gunicorn", "gevent", "packaging")

_PEERS = (
    Peer(
        key=FLOOR,
        title="C floor",
        environment=Compiled("floor"),
        command=("{program}", "{port}"),
    ),
    _ours("ours", "SSEWorker", SSE_WORKER, "memory://"),
    _ours("ours-sqlite", "SSEWorker, sqlite", SSE_WORKER, "sqlite:///{work}/events.db"),
    _ours("ours-gevent", "gunicorn gevent", "gevent", "memory://"),
    Peer(
        key=RAW_FLASK,
        title="raw Flask, gunicorn gevent",
        environment=PythonEnvironment("raw-flask", alike=_ON_GUNICORN),
        command=_gunicorn("raw_flask:app"),
        burst=300,
    ),
    Peer(
        key="flask-sse",
        title="flask-sse, Redis, gunicorn gevent",
        environment=PythonEnvironment("flask-sse", ("flask-sse", "redis"), alike=_ON_GUNICORN),
        command=_gunicorn("flask_sse_app:app"),
        burst=100,
        headless=True,
        heartbeats=False,
        needs=("redis-server",),
    ),
    Peer(
        key="sse-starlette",
        title="sse-starlette, uvicorn",
        environment=PythonEnvironment(
            "sse-starlette", ("sse-starlette", "starlette", "uvicorn[standard]")
        ),
        command=_uvicorn("sse_starlette_app:app"),
        burst=200,
    ),
    Peer(
        key="fastapi",
        title="FastAPI, uvicorn",
        environment=PythonEnvironment("fastapi", ("fastapi", "uvicorn[standard]")),
        command=_uvicorn("fastapi_app:app"),
        burst=100,
    ),
    Peer(
        key="django-eventstream",
        title="django-eventstream, uvicorn",
        environment=PythonEnvironment(
            "django-eventstream", ("django", "django-eventstream", "uvicorn[standard]")
        ),
        command=_uvicorn("django_eventstream_app:app"),
        burst=200,
        heartbeats=False,
    ),
    Peer(
        key="better-sse",
        title="better-sse, Node",
        environment=NodeEnvironment("better-sse", ("better-sse",), "better_sse.mjs"),
        command=("node", "{program}", "{port}"),
        burst=600,
    ),
)

PEERS = {peer.key: peer for peer in _PEERS}

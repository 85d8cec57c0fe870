"""gunicorn with the channels' application, and what kills its workers."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from e2e.servers import COMMANDS, Server
from e2e.waiting import wait_for

# The kinds of worker that follow channels: gunicorn's own, and the package's.
KINDS = ("gevent", "sseworker")
for kind in KINDS:
    COMMANDS[f"channels-{kind}"] = [*COMMANDS[kind][:-1], "channels.apps:app"]


def start(folder: Path, url: str, workers: int, *, kind: str = "gevent", **settings: Any) -> Server:
    """Start gunicorn with workers of a kind on a broker."""
    server = Server(
        f"channels-{kind}",
        folder,
        "--workers",
        str(workers),
        "--keep-alive",
        "30",
        settings={"FLASK_SSE_BROKER_URL": url} | settings,
    )
    try:
        wait_for(lambda: len(worker_pids(server)) == workers, "all workers run", 20)
    except BaseException:
        server.kill()
        raise
    return server


def worker_pids(server: Server) -> list[int]:
    return [child.pid for child in psutil.Process(server.process.pid).children()]


def publish(server: Server, channel: str, data: Any, count: int = 1) -> list[str]:
    """Have a worker publish; return the ids."""
    with contextlib.closing(_connect(server)) as connection:
        return publish_over(connection, channel, data, count)


def publish_over(
    connection: http.client.HTTPConnection, channel: str, data: Any, count: int = 1
) -> list[str]:
    """Have the worker at the other end publish; return the ids."""
    body = json.dumps({"channel": channel, "data": data, "count": count})
    connection.request("POST", "/api/publish", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    assert response.status == 200, text
    ids: list[str] = json.loads(text)
    return ids


@contextlib.contextmanager
def connections_to_all(server: Server) -> Iterator[dict[int, http.client.HTTPConnection]]:
    """Give a connection to each worker, by its process id. It is the kernel that chooses one."""
    with contextlib.ExitStack() as stack:
        found: dict[int, http.client.HTTPConnection] = {}

        def reach() -> bool:
            connection = stack.enter_context(contextlib.closing(_connect(server)))
            connection.connect()
            connection.auto_open = 0  # another one might end at another worker
            connection.request("GET", "/api/ping")
            found[json.loads(connection.getresponse().read())["pid"]] = connection
            return found.keys() >= set(worker_pids(server))

        wait_for(reach, "every worker has taken a connection", 20)
        yield found


def _connect(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*server.address, timeout=60)

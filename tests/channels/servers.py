"""gunicorn with the channels' application, and what kills its workers."""

from __future__ import annotations

import contextlib
import http.client
import json
from pathlib import Path
from typing import Any

import psutil
from e2e.servers import COMMANDS, Server
from e2e.waiting import wait_for

COMMANDS["channels"] = [*COMMANDS["gevent"][:-1], "channels.apps:app"]


def start(folder: Path, url: str, workers: int, **settings: Any) -> Server:
    """Start gunicorn with gevent workers on a broker."""
    server = Server(
        "channels",
        folder,
        "--workers",
        str(workers),
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
    connection = http.client.HTTPConnection(*server.address, timeout=60)
    body = json.dumps({"channel": channel, "data": data, "count": count})
    with contextlib.closing(connection):
        headers = {"Content-Type": "application/json", "Connection": "close"}
        connection.request("POST", "/api/publish", body=body, headers=headers)
        response = connection.getresponse()
        text = response.read()
        assert response.status == 200, text
        ids: list[str] = json.loads(text)
        return ids

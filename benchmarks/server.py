"""One peer's server, alone on its core, with a folder to itself, until its measurement is over."""

from __future__ import annotations

import http.client
import json
import os
import select
import socket
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from . import proc
from .catalogue import Peer
from .errors import Failed, last_line
from .processes import Process
from .programs import HERE

APPS = HERE / "peers"
ROOT = HERE.parent
HOST = "127.0.0.1"

# Seconds for a start, for an answer, and for all clients to be subscribed.
START = 60.0
ANSWER = 60.0
SUBSCRIBED = 120.0
# A server is at rest when its core was hardly used, twice in a row.
LOOK = 0.2
REST = 0.02

# Variables that would make a server another one than its peer describes.
FOREIGN = ("DJANGO_", "FLASK_", "GUNICORN_", "NODE_", "PYTHON", "UVICORN_", "WEB_")


@dataclass(frozen=True)
class Cores:
    """Where the server and its load run; the same core where there is only one."""

    server: int
    load: int

    @classmethod
    def of_this_machine(cls) -> Cores:
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[-1])


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """Started on entry; on exit it and all that it started are killed."""

    def __init__(self, peer: Peer, program: str, cores: Cores, *, heartbeat: int = 0) -> None:
        self.port = free_port()
        self._peer = peer
        self._program = program
        self._core = cores.server
        self._heartbeat = heartbeat
        self._processes: list[Process] = []
        self._begun: list[http.client.HTTPConnection] = []

    def __enter__(self) -> Server:
        with ExitStack() as stack:
            folder = tempfile.TemporaryDirectory(
                prefix="flask_sse_routes-bench-", ignore_cleanup_errors=True
            )
            self.work = Path(stack.enter_context(folder))
            self.log = stack.enter_context((self.work / "log.txt").open("wb"))
            stack.callback(self._end)
            self._start(self.log)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def get(self, path: str, timeout: float = ANSWER) -> Any:
        """Ask for a path and return its JSON."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            return _answer(connection)
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"{path}: {str(error) or type(error).__name__}") from error
        finally:
            connection.close()

    def begin(self, path: str) -> None:
        """Ask for a path whose answer comes later; `check` looks at it."""
        connection = http.client.HTTPConnection(HOST, self.port)
        self._begun.append(connection)
        connection.request("GET", path)

    def check(self) -> None:
        """Raise when the server has ended, or when what was begun has failed."""
        if not all(process.alive for process in self._processes):
            self.log.flush()
            text = (self.work / "log.txt").read_text(errors="replace")
            raise Failed(f"the server ended: {last_line(text)}")
        for connection in list(self._begun):
            if select.select([connection.sock], [], [], 0)[0]:
                self._begun.remove(connection)
                try:
                    _answer(connection)
                except (OSError, http.client.HTTPException) as error:
                    raise Failed(f"publishing: {str(error) or type(error).__name__}") from error
                finally:
                    connection.close()

    def cpu(self) -> float:
        """Seconds of processor time up to now."""
        return proc.cpu_seconds(self._sessions)

    def memory(self) -> int:
        """KiB of resident memory now."""
        return proc.memory_kib(self._sessions)

    def peak(self) -> int:
        """KiB of the most resident memory since `forget_peak`."""
        return proc.peak_kib(self._sessions)

    def forget_peak(self) -> None:
        proc.forget_peak(self._sessions)

    def settle(self, limit: float = 20.0) -> None:
        """Wait until the server is at rest; one that never is, is measured as it is."""
        deadline = time.monotonic() + limit
        calm, before = 0, self.cpu()
        while calm < 2 and time.monotonic() < deadline:
            time.sleep(LOOK)
            now = self.cpu()
            calm = calm + 1 if now - before < REST else 0
            before = now

    def wait_for(self, subscribers: int) -> None:
        """Wait until so many clients are subscribed."""
        deadline = time.monotonic() + SUBSCRIBED
        while (count := self.get("/subscribers")["subscribers"]) < subscribers:
            if time.monotonic() > deadline:
                raise Failed(f"{count:,} of {subscribers:,} clients were subscribed in time")
            time.sleep(0.05)

    @property
    def _sessions(self) -> set[int]:
        return {process.session for process in self._processes}

    def _start(self, log: IO[bytes]) -> None:
        names = {
            "program": self._program,
            "port": str(self.port),
            "apps": str(APPS),
            "root": str(ROOT),
            "work": str(self.work),
        }
        env = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        env |= {"PYTHONPATH": str(APPS), "PYTHONDONTWRITEBYTECODE": "1"}
        env |= {"HEARTBEAT": str(self._heartbeat)}
        env |= {name: text.format_map(names) for name, text in self._peer.environ.items()}
        if "redis-server" in self._peer.needs:
            env["REDIS_URL"] = f"redis://{HOST}:{self._start_redis(log)}"
        command = [part.format_map(names) for part in self._peer.command]
        self._launch(command, log, env)
        self._wait_until_up()

    def _start_redis(self, log: IO[bytes]) -> int:
        port = free_port()
        address = ["--bind", HOST, "--port", str(port)]
        settings = ["--save", "", "--appendonly", "no", "--maxclients", "20000"]
        self._launch(["redis-server", *address, *settings], log, dict(os.environ))
        return port

    def _launch(self, command: list[str], log: IO[bytes], env: dict[str, str]) -> None:
        process = Process(command, log=log, core=self._core, cwd=self.work, env=env)
        self._processes.append(process)

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + START
        while True:
            self.check()
            try:
                self.get("/json")
            except Failed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                break
        self.settle()

    def _end(self) -> None:
        for connection in self._begun:
            connection.close()
        for process in self._processes:
            process.end()


def _answer(connection: http.client.HTTPConnection) -> Any:
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise Failed(f"the server answered {response.status}")
    return json.loads(body)

"""A Redis server of the tests' own, on a free port, that can be ended in every way."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis

from .waiting import wait_for


def program(name: str) -> str:
    """Return the path of an installed program, or skip; where CI runs, it must be there."""
    path = shutil.which(name)
    if path is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"{name} is not installed")
    return str(path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """One server. `options` are those of its command line; it keeps its port over restarts."""

    def __init__(self, folder: Path, *options: str, saving: bool = False) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._options = options if saving else ("--save", "", *options)
        self._process: subprocess.Popen[bytes] | None = None
        self._password: str | None = None
        if "--requirepass" in options:
            self._password = options[options.index("--requirepass") + 1]
        self.start()

    def start(self) -> None:
        """Start the server if it is not running, and wait until it answers."""
        if self._process is not None:
            return
        command = [program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self._folder), *self._options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_for(self._answers, "redis-server answers")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "redis-server ended by itself."
        with contextlib.suppress(redis.RedisError):
            return bool(self.command("PING"))
        return False

    def command(self, *command: Any) -> Any:
        """Send one command over a connection of its own."""
        client = redis.Redis(port=self.port, password=self._password, socket_timeout=5)
        try:
            return client.execute_command(*command)
        finally:
            client.connection_pool.disconnect()

    def stop(self) -> None:
        """End the server as a service manager would."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let the server answer nothing while its connections stay open."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
            process.wait(20)

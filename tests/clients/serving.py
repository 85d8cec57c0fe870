"""A real server in a process of its own: gunicorn with any worker, or `flask run`."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from e2e.servers import FOREIGN
from e2e.waiting import wait_for

TESTS = Path(__file__).parents[1]
OURS = "flask_sse_routes.gunicorn.SSEWorker"
STARTED = re.compile(r"(?:Listening at|Running on):? http://127\.0\.0\.1:(\d+)")


class Serving:
    """A server on a free port, or on the `port` given; its log; how to reload and end it."""

    def __init__(
        self,
        app: str,
        folder: Path,
        *options: str,
        worker: str = OURS,
        workers: int = 1,
        port: int = 0,
        settings: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`worker` is gunicorn's `-k`, or `flask` for `flask run`; `settings` are `SSE_*` keys."""
        self._log = folder / f"{worker}.log"
        command = self._command(app, worker, workers, port, options)
        ours = {f"FLASK_{key}": str(value) for key, value in (settings or {}).items()}
        kept = {key: value for key, value in os.environ.items() if not FOREIGN.match(key)}
        path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=folder,
                env={**kept, "PYTHONPATH": path, **ours, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.port = int(wait_for(self._announced_port, "the port", 30))
            wait_for(self._answers, "an answer", 30)
        except BaseException as error:
            self.kill()
            raise AssertionError(f"The server did not start.\n{self.log}") from error

    @staticmethod
    def _command(
        app: str, worker: str, workers: int, port: int, options: tuple[str, ...]
    ) -> list[str]:
        if worker == "flask":
            run = ["flask", "--app", app, "run", "--port", str(port), "--no-reload"]
            return ["-m", *run, "--no-debugger", *options]
        bind = ["--bind", f"127.0.0.1:{port}", "--workers", str(workers)]
        rest = ["--graceful-timeout", "5", "--no-control-socket", *options, app]
        return ["-m", "gunicorn", "-k", worker, *bind, *rest]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def reload(self) -> None:
        """Have gunicorn replace its workers."""
        self.process.send_signal(signal.SIGHUP)

    def workers(self) -> set[int]:
        """The process ids of gunicorn's workers."""
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def lose_workers(self) -> None:
        """Kill gunicorn's workers; it starts others."""
        for pid in self.workers():
            psutil.Process(pid).kill()

    def stop(self, seconds: float = 15) -> int:
        """End it as a deploy does; return its exit code."""
        self.process.terminate()
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End it and its workers at once."""
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.process.pid).children(recursive=True)
            for child in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        self.process.kill()
        self.process.wait()

    def _announced_port(self) -> str | None:
        assert self.process.poll() is None, self.log
        found = STARTED.search(self.log)
        return found[1] if found else None

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except OSError:
            return False
        finally:
            connection.close()
        return True

"""The application of the gunicorn guide, started with the settings of that guide."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from e2e.client import Stream
from e2e.waiting import wait_for

from .blocks import ROOT, block
from .commands import FOREIGN
from .ports import Ports

PAGE = "guides/gunicorn.md"
# What a test wants to know, beside what the guide's application does.
PROBE = """\
import os

from flask import request

from wsgi import app, sse


@app.get("/probe")
def probe():
    return {
        "address": request.remote_addr,
        "scheme": request.scheme,
        "worker": os.getpid(),
        "streams": sse.stats().streams,
    }


@app.get("/page")
def page():
    return "<!doctype html><title>shop</title>"
"""


class Shop:
    """A running gunicorn with one worker, unless the options say otherwise."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        settings: Mapping[str, str] | None = None,
        configuration: str = "gunicorn.conf.py",
        command: list[str] | None = None,
    ) -> None:
        self.folder = folder
        self._log = folder / "log"
        self._open: list[Stream] = []
        self._write(configuration)
        inherited = {k: v for k, v in os.environ.items() if not FOREIGN.match(k)}
        variables = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "HOME": str(folder)}
        common = ["--workers", "1", "--no-control-socket", *options]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command or [sys.executable, "-m", "gunicorn", *common, "probe:app"],
                cwd=folder,
                env=inherited | variables | dict(settings or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_for(self._answers, "the shop answers", 30)
        except BaseException as error:
            self.stop()
            raise AssertionError(f"It did not start.\n{self.log}") from error

    def _write(self, configuration: str) -> None:
        ports = Ports()
        (self.folder / "wsgi.py").write_text(block(PAGE, "wsgi.py"))
        (self.folder / "probe.py").write_text(PROBE)
        text = block(PAGE, configuration)
        (self.folder / "gunicorn.conf.py").write_text(ports.replace(text))
        self.port = int(ports.used("8000"))

    def __enter__(self) -> Shop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, target: str) -> Any:
        with urllib.request.urlopen(self.url + target, timeout=10) as response:
            return json.load(response)

    def follow(self) -> Stream:
        """Open a stream of orders, and read the head of the response."""
        stream = Stream(self.address, "/api/orders")
        self._open.append(stream)
        stream.read_head()
        return stream

    def order(self, item: str) -> str:
        """Publish an order; return its id."""
        request = urllib.request.Request(
            f"{self.url}/api/order",
            data=json.dumps({"item": item}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return str(json.load(response))

    @property
    def streams(self) -> int:
        """How many streams the worker has open."""
        return int(self.ask("/probe")["streams"])

    def workers(self) -> list[int]:
        """The processes of all workers that were started so far."""
        return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", self.log)]

    def stop(self) -> None:
        """End it and all that it started."""
        for stream in self._open:
            stream.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "it ended"
        with contextlib.suppress(OSError):
            return bool(self.ask("/api/health") == "ok")
        return False

"""Real servers in processes of their own: how each is started, asked and ended."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil

from .client import Address, Stream
from .journal import VARIABLE, Journal
from .waiting import wait_for

HERE = Path(__file__).parent
PATHS = [HERE.parents[1], HERE.parent]
APP = f"{HERE.name}.apps:app"
HEARTBEAT = 0.5
SEND_TIMEOUT = 2.0
RETRY = 200
GRACEFUL_TIMEOUT = 5
SETTINGS = {
    "FLASK_SSE_HEARTBEAT": HEARTBEAT,
    "FLASK_SSE_SEND_TIMEOUT": SEND_TIMEOUT,
    "FLASK_SSE_RETRY": RETRY,
}
# Read by what we start; the tests' own surroundings must not reach it.
FOREIGN = re.compile(r"FLASK_|GUNICORN_|WERKZEUG_|WEB_CONCURRENCY|PORT$|PYTHON(HOME|STARTUP)")
# Log lines of the package that tell of a fault in it, whatever the test is about.
FAULTS = ("Cleanup of hook", "closing its handler failed", "A timer failed", "Unhandled")


# What gunicorn's own workers need for streams, and ours does by itself.
SETTINGS_FILE = ("-c", str(HERE / "gunicorn_conf.py"))


def _gunicorn(worker: str, *options: str) -> list[str]:
    command = [*_module("gunicorn"), "-k", worker, "--bind", "127.0.0.1:0"]
    command += ["--graceful-timeout", str(GRACEFUL_TIMEOUT), "--no-control-socket"]
    return [*command, *options, APP]


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _runner(name: str) -> list[str]:
    return _module(f"{HERE.name}.runners", name)


COMMANDS = {
    "flask": _module("flask", "--app", APP, "run", "--port", "0", "--no-debugger", "--no-reload"),
    "gevent": _gunicorn("gevent", *SETTINGS_FILE),
    "gthread": _gunicorn("gthread", *SETTINGS_FILE, "--threads", "8"),
    "pywsgi": _runner("pywsgi"),
    "sseworker": _gunicorn("flask_sse_routes.gunicorn.SSEWorker"),
    "sync": _gunicorn("sync", *SETTINGS_FILE),
    "unpatched": _runner("unpatched"),
    "waitress": _runner("waitress"),
}
# A job in the background of a shell may ignore Ctrl-C; what runs in the foreground does not.
FOREGROUND = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class Server:
    """A running server with one worker, its log and the journal of its application."""

    def __init__(
        self,
        kind: str,
        folder: Path,
        *options: str,
        settings: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`options` are those of its command line, `tls` is what its clients trust."""
        self.kind = kind
        self._tls = tls
        self.journal = Journal(folder / "journal")
        self._log = folder / "log"
        self.streams: list[Stream] = []
        command = [*COMMANDS[kind][:-1], *options, COMMANDS[kind][-1]]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", FOREGROUND, *command],
                cwd=folder,
                env=self._environment(SETTINGS | (settings or {}), environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.port = int(wait_for(self._announced_port, f"the port of {kind}", 30))
            wait_for(self._answers, f"{kind} answers", 30)
        except BaseException as error:
            self.kill()
            if not isinstance(error, Exception):
                raise
            raise AssertionError(f"{kind} did not start.\n{self.log}") from error

    @property
    def address(self) -> Address:
        return "127.0.0.1", self.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def patched(self) -> bool:
        """Whether the server runs under gevent."""
        return self.kind in ("gevent", "pywsgi", "sseworker")

    def connect(self, route: str, key: str, **options: Any) -> Stream:
        """Send a request; keywords are the stream's own, all others are input fields."""
        own = {"method", "headers", "body", "receive_buffer", "version"}
        query = {k: str(v) for k, v in options.items() if k not in own}
        target = f"/api/{route}?{urlencode({'key': key} | query)}"
        mine = {k: v for k, v in options.items() if k in own}
        stream = Stream(self.address, target, tls=self._tls, **mine)
        self.streams.append(stream)
        return stream

    def open(self, route: str, key: str, **options: Any) -> Stream:
        """Send a request and read the head of its response."""
        stream = self.connect(route, key, **options)
        stream.read_head()
        return stream

    def ask(self, target: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
        """Return status, headers and body of a plain request."""
        connection = self._connection()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        with contextlib.closing(connection):
            connection.request(method, target, headers={"Connection": "close"} | fields)
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(*self.address, timeout=10)
        return http.client.HTTPSConnection(*self.address, timeout=10, context=self._tls)

    def tell(self, target: str, **body: Any) -> Any:
        """POST JSON, and return the answer."""
        connection = self._connection()
        fields = {"Content-Type": "application/json", "Connection": "close"}
        with contextlib.closing(connection):
            connection.request("POST", target, body=json.dumps(body), headers=fields)
            response = connection.getresponse()
            text = response.read()
            assert response.status == 200, text
            return json.loads(text)

    def publish(self, channel: str, data: Any = None, count: int = 1) -> list[str]:
        """Have the worker publish; return the ids."""
        ids: list[str] = self.tell("/api/publish", channel=channel, data=data, count=count)
        return ids

    def census(self) -> dict[str, int]:
        """Return what the worker that answers now has of greenlets, descriptors and the like."""
        found: dict[str, int] = self.json("/api/census")
        return found

    def json(self, target: str) -> Any:
        status, _, body = self.ask(target)
        assert status == 200, body
        return json.loads(body)

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json("/api/stats")
        return found

    def worker(self) -> int:
        """Return the process id of the worker that answers now."""
        return int(self.json("/api/ping")["pid"])

    def peers(self) -> set[int]:
        """Return the ports of the clients whose connections the server holds."""
        process = psutil.Process(self.worker())
        return {each.raddr.port for each in process.net_connections("tcp") if each.raddr}

    def settle(self) -> None:
        """Close what the test left open; fail if the server holds on to any of it."""
        for stream in self.streams:
            stream.close()
        self.streams.clear()
        wait_for(lambda: not self.stats()["streams"], "no stream is open", 15)
        self.check()

    def check(self) -> None:
        """Fail if a cleanup was missed or came twice, or the log tells of a fault."""
        self.journal.check_cleanups()
        assert not [fault for fault in FAULTS if fault in self.log]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Wait until the server has ended by itself; return its exit status."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        """End the server and all that it started."""
        for stream in self.streams:
            stream.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def _environment(self, settings: dict[str, Any], more: dict[str, str]) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not FOREIGN.match(k)}
        inherited["PYTHONPATH"] = os.pathsep.join(map(str, PATHS))
        inherited["PYTHONUNBUFFERED"] = "1"
        inherited[VARIABLE] = str(self.journal.path)
        return inherited | {k: str(v) for k, v in settings.items()} | more

    def _announced_port(self) -> str | None:
        assert self.process.poll() is None, "it ended"
        found = re.search(r"https?://127\.0\.0\.1:(\d+)", self.log)
        return found[1] if found else None

    def _answers(self) -> bool:
        try:
            return self.ask("/api/ping")[0] == 200
        except OSError:
            assert self.process.poll() is None, "it ended"
            return False

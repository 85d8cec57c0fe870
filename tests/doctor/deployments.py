"""Deployments for the doctor to look at: a folder, an app, its gunicorn, and proxies in front."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple
from urllib.request import urlopen

from e2e.servers import FOREIGN
from e2e.waiting import wait_for

from flask_sse_routes.doctor.examination import examine
from flask_sse_routes.doctor.target import Target

from .shop import create_app

HERE = Path(__file__).parent
PATHS = [HERE.parents[1], HERE.parent]
HEARTBEAT = 1.5
SECRET = "of the shop"
# Doctors at once: fewer than one process of the shop lets in.
AT_ONCE = 12

NGINX = """\
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
{servers}
}}
"""
LOCATION = """\
    server {{
        listen 127.0.0.1:{port}{options};
        location / {{
            proxy_pass http://127.0.0.1:{backend};
            proxy_http_version 1.1;
            {settings}
        }}
        {more}
    }}
"""


class Verdict(NamedTuple):
    """What the doctor said: its exit status, and its report."""

    status: int
    report: dict[str, Any]
    text: str

    @property
    def codes(self) -> dict[str, str]:
        """The severities, by code."""
        return {each["code"]: each["severity"] for each in self.report["findings"]}

    def of(self, code: str) -> dict[str, str]:
        """The finding with a code."""
        (found,) = (each for each in self.report["findings"] if each["code"] == code)
        return dict(found)


class Site:
    """A folder with a gunicorn.conf.py, and what runs there."""

    def __init__(self, folder: Path, settings: str = "", app: str = "doctor.shop:app") -> None:
        self.folder = folder
        self.app = app
        self.port = 0
        self._started: list[subprocess.Popen[bytes]] = []
        self._making = Lock()
        self.environment = {k: v for k, v in os.environ.items() if not FOREIGN.match(k)}
        self.environment |= {
            "PYTHONPATH": os.pathsep.join(map(str, [folder, *PATHS])),
            "PYTHONUNBUFFERED": "1",
            "FLASK_SSE_HEARTBEAT": str(HEARTBEAT),
            "FLASK_SSE_BROKER_URL": f"sqlite:///{folder}/events.db",
            "SHOP_SECRET": SECRET,
        }
        if settings:
            text = (
                f"bind = '127.0.0.1:0'\ncontrol_socket_disable = True\n{textwrap.dedent(settings)}"
            )
            (folder / "gunicorn.conf.py").write_text(text)

    def start(self, *arguments: str) -> Site:
        """Start gunicorn and wait until the app answers."""
        command = [sys.executable, "-m", "gunicorn", *arguments, self.app]
        log = self._run("gunicorn.log", command)
        address = re.compile(r"Listening at: (https?)://127\.0\.0\.1:(\d+)")
        found = wait_for(lambda: address.search(log.read_text()), "gunicorn listens", 30)
        self.port = int(found[2])
        context = ssl._create_unverified_context()
        # Only a worker that has loaded the app takes a connection, and answers.
        with urlopen(f"{found[1]}://127.0.0.1:{self.port}/api/hello", timeout=30, context=context):
            return self

    def nginx(self, program: str, servers: str) -> None:
        """Start nginx with `server` blocks."""
        folder = self.folder / "nginx"
        folder.mkdir()
        # Started by root, nginx would give its workers to a user that cannot write here.
        user = "user root;" if os.geteuid() == 0 else ""
        path = folder / "nginx.conf"
        path.write_text(NGINX.format(user=user, servers=servers))
        self._run("nginx.log", [program, "-e", "stderr", "-p", str(folder), "-c", str(path)])
        for port in re.findall(r"listen 127\.0\.0\.1:(\d+)", servers):
            wait_for(lambda port=port: is_open(int(port)), "nginx answers")

    def location(self, settings: str, options: str = "", more: str = "") -> tuple[int, str]:
        """Return a free port, and the `server` block that forwards it to gunicorn."""
        port = free_port()
        return port, LOCATION.format(
            port=port, backend=self.port, settings=settings, options=options, more=more
        )

    def doctor(self, *arguments: str, elsewhere: bool = False, **environment: str) -> Verdict:
        """Run the doctor in the folder, or in one that has no settings."""
        command = [sys.executable, "-m", "flask", "--app", self.app, "sse", "doctor", "--json"]
        run = subprocess.run(
            [*command, *arguments],
            cwd=self.folder.parent if elsewhere else self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.stdout, run.stderr
        return Verdict(run.returncode, json.loads(run.stdout), run.stdout + run.stderr)

    def examine(
        self,
        url: str,
        *,
        seconds: float | None = None,
        secret: str | None = SECRET,
        **config: Any,
    ) -> Verdict:
        """Do what the command does, in this process."""
        # Werkzeug parses code for each rule, and CPython 3.11 fails at that in two threads.
        with self._making:
            app = create_app(
                SECRET_KEY=secret,
                SSE_HEARTBEAT=HEARTBEAT,
                SSE_BROKER_URL=self.environment["FLASK_SSE_BROKER_URL"],
                **config,
            )
        report = examine(
            app,
            Target.of(url),
            settings=str(self.folder / "gunicorn.conf.py"),
            seconds=seconds,
            say=lambda text, left: None,
        )
        return Verdict(report.status, json.loads(report.as_json()), report.as_text())

    def doctors(self, **runs: Callable[[Site], Verdict]) -> dict[str, Verdict]:
        """Run several at once: most of their time they wait."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return dict(zip(runs, pool.map(lambda run: run(self), runs.values()), strict=True))

    def stop(self) -> None:
        """End all that was started."""
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def _run(self, log: str, command: list[str]) -> Path:
        path = self.folder / log
        with path.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._started.append(process)
        return path


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def certificate(program: str, folder: Path) -> None:
    """Make `cert.pem` and `key.pem` for 127.0.0.1, signed by themselves."""
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=30)

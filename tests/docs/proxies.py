"""Real proxies that run the configurations of the guides, each in a folder of its own.

What a guide says is taken as it stands: only addresses, paths and what a test has to shorten are
replaced, and what a machine's own installation would bring is put around it.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
from e2e.client import Address, Stream
from e2e.waiting import wait_for

# Started by root, nginx would give its workers to a user that cannot write here.
USER = "user root;" if os.geteuid() == 0 else ""
# What Debian's nginx.conf has around the sites, without its paths.
NGINX = f"""\
{USER}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr info;
events {{ worker_connections 256; }}
http {{
    log_format seen '$connection $server_protocol $status $uri';
    access_log seen.log seen;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    include site.conf;
}}
"""


def nginx(program: str, folder: Path, configuration: str) -> list[str]:
    (folder / "nginx.conf").write_text(NGINX)
    (folder / "site.conf").write_text(configuration)
    return [program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def haproxy(program: str, folder: Path, configuration: str) -> list[str]:
    """As systemd runs it: a master in the foreground, and a worker."""
    (folder / "haproxy.cfg").write_text(configuration)
    return [program, "-Ws", "-f", "haproxy.cfg"]


def caddy(program: str, folder: Path, configuration: str) -> list[str]:
    (folder / "Caddyfile").write_text(configuration)
    return [program, "run", "--config", "Caddyfile", "--adapter", "caddyfile"]


STARTS: dict[str, Callable[[str, Path, str], list[str]]] = {
    "nginx": nginx,
    "haproxy": haproxy,
    "caddy": caddy,
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def adapt(configuration: str, replacements: Mapping[str, str]) -> str:
    """Replace what cannot be the same here; each of it has to be there."""
    for old, new in replacements.items():
        assert old in configuration, f"{old!r} is not in the guide any more."
        configuration = configuration.replace(old, new)
    return configuration


class Proxy:
    """A running proxy."""

    def __init__(
        self, kind: str, program: str, folder: Path, port: int, configuration: str
    ) -> None:
        """`configuration` is adapted already, and listens on `port`."""
        self.kind = kind
        self.folder = folder
        self.address: Address = ("127.0.0.1", port)
        self._log = folder / "log"
        self._streams: list[Stream] = []
        command = STARTS[kind](program, folder, configuration)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                # Caddy keeps certificates and what it was told last in the home folder.
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_for(self._answers, f"{kind} answers")
        except BaseException as error:
            self.stop()
            raise AssertionError(f"{kind} did not start.\n{self.log}") from error

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.address[1]}"

    def connect(self, target: str, **options: Any) -> Stream:
        """Send a request through the proxy."""
        stream = Stream(self.address, target, **options)
        self._streams.append(stream)
        return stream

    def open(self, target: str, **options: Any) -> Stream:
        """Send a request through the proxy and read the head of its response."""
        stream = self.connect(target, **options)
        stream.read_head()
        return stream

    @contextmanager
    def ask(
        self, target: str, headers: Mapping[str, str] | None = None, source: str = "127.0.0.1"
    ) -> Iterator[http.client.HTTPResponse]:
        """Send a request from an address of this machine; the body is read as it is needed."""
        host, port = self.address
        connection = http.client.HTTPConnection(host, port, 10, source_address=(source, 0))
        with closing(connection):
            connection.request("GET", target, headers=dict(headers or {}))
            yield connection.getresponse()

    def children(self) -> set[int]:
        """Return the processes that the proxy has started and that still run."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return {each.pid for each in found if _runs(each)}

    def stop(self) -> None:
        """End it at once, and all that it started."""
        for stream in self._streams:
            stream.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def _answers(self) -> bool:
        assert self.process.poll() is None, "it ended"
        with socket.socket() as probe:
            return probe.connect_ex(self.address) == 0


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:  # since it was found
        return False

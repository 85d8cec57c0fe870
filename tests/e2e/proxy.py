"""A real nginx in front of a server, with a configuration and a folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from .client import Address, Stream
from .waiting import wait_for

# What a location of the proxy has beside `proxy_pass`.
FLAVOURS = {
    "default": "",
    "http11": 'proxy_http_version 1.1; proxy_set_header Connection "";',
}
CONFIGURATION = """\
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr info;
events {{ worker_connections 128; }}
http {{
    access_log off;
    client_body_temp_path temp;
    proxy_temp_path temp;
    fastcgi_temp_path temp;
    uwsgi_temp_path temp;
    scgi_temp_path temp;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{backend}; {flavour} }}
    }}
}}
"""


class Proxy:
    """A running nginx."""

    def __init__(self, program: str, folder: Path, backend: int, flavour: str) -> None:
        self._log = folder / "log"
        self._streams: list[Stream] = []
        self.address: Address = ("127.0.0.1", _free_port())
        # Started by root, nginx would give its workers to a user that cannot write here.
        configuration = CONFIGURATION.format(
            user="user root;" if os.geteuid() == 0 else "",
            port=self.address[1],
            backend=backend,
            flavour=FLAVOURS[flavour],
        )
        (folder / "nginx.conf").write_text(configuration)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            wait_for(self._answers, "nginx answers")
        except BaseException as error:
            self.stop()
            raise AssertionError(f"nginx did not start.\n{self.log}") from error

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def open(self, target: str) -> Stream:
        """Send a request through nginx and read the head of its response."""
        stream = Stream(self.address, target)
        self._streams.append(stream)
        stream.read_head()
        return stream

    def leave(self) -> None:
        """Close what was opened."""
        for stream in self._streams:
            stream.close()

    def stop(self) -> None:
        """Tell nginx to end at once, and its workers with it."""
        self.leave()
        self._process.terminate()
        self._process.wait(10)

    def _answers(self) -> bool:
        assert self._process.poll() is None, "it ended"
        with socket.socket() as probe:
            return probe.connect_ex(self.address) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

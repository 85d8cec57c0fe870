"""The configurations of the guides as they are started in tests: what is replaced in each.

A flavour is a proxy with one of the guides' files, or with what a guide says about it changed.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from clients.conftest import missing

from .blocks import block
from .proxies import Proxy, adapt, free_port

NGINX = {"listen 80": "listen 127.0.0.1:{port}", "127.0.0.1:8000": "127.0.0.1:{backend}"}
HAPROXY = {
    "bind :80": "bind 127.0.0.1:{port}",
    "127.0.0.1:8000": "127.0.0.1:{backend}",
    "/api/health": "/api/ping",
    # A path of its own may be longer than a socket's name can be.
    "/run/haproxy/admin.sock": "unix@admin.sock",
    # Each takes two descriptors, of which there are fewer here.
    "maxconn 20000": "maxconn 500",
}
CADDY = {
    "shop.example": "http://:{port}",
    "127.0.0.1:8000": "127.0.0.1:{backend}",
    "grace_period 10s": "default_bind 127.0.0.1\n\tadmin localhost:{admin}\n\tgrace_period 1s",
}


def unchanged(configuration: str) -> str:
    return configuration


@dataclass(frozen=True)
class Flavour:
    """A proxy, the block of a guide that it runs, and what is changed in it."""

    kind: str
    page: str
    title: str
    replacements: Mapping[str, str]
    change: Callable[[str], str] = unchanged
    # Whether it compresses http routes, and streams.
    compresses: bool = True
    compresses_streams: bool = False


def gzip_everything(configuration: str) -> str:
    return re.sub("gzip_types .*;", "gzip_types *; gzip_min_length 1;", configuration)


FLAVOURS = {
    "nginx-minimal": Flavour("nginx", "guides/nginx.md", "minimal.conf", NGINX, compresses=False),
    "nginx": Flavour("nginx", "guides/nginx.md", "shop.conf", NGINX),
    "nginx-gzip": Flavour(
        "nginx", "guides/nginx.md", "shop.conf", NGINX, gzip_everything, compresses_streams=True
    ),
    "haproxy": Flavour("haproxy", "guides/haproxy.md", "haproxy.cfg", HAPROXY),
    "caddy": Flavour("caddy", "guides/caddy.md", "Caddyfile", CADDY),
}


# Before the application of the guide, whose health HAProxy asks for as it is written there.
OF_THE_SHOP = {
    "nginx": FLAVOURS["nginx"],
    "haproxy": replace(
        FLAVOURS["haproxy"],
        replacements={old: new for old, new in HAPROXY.items() if old != "/api/health"},
    ),
    "caddy": FLAVOURS["caddy"],
}


def program(name: str) -> str:
    """Return the path of an installed program, or skip; where CI runs, it must be there."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if path is None:
        missing(name)
    return str(path)


def start(
    flavour: Flavour, folder: Path, backend: int, change: Callable[[str], str] = unchanged
) -> Proxy:
    """Start a proxy before the server that listens on `backend`."""
    path = program(flavour.kind)
    values = {"port": str(free_port()), "backend": str(backend), "admin": str(free_port())}
    filled = {
        old: re.sub(r"\{(port|backend|admin)\}", lambda found: values[found[1]], new)
        for old, new in flavour.replacements.items()
    }
    configuration = adapt(block(flavour.page, flavour.title), filled)
    configuration = change(flavour.change(configuration))
    return Proxy(flavour.kind, path, folder, int(values["port"]), configuration)


@contextmanager
def running(make: Callable[[], Path]) -> Iterator[Callable[..., Proxy]]:
    """Start proxies, each flavour once before each server, and stop them in the end.

    `make` makes a folder for each.
    """
    started: dict[tuple[object, ...], Proxy] = {}

    def get(flavour: Flavour, backend: int, change: Callable[[str], str] = unchanged) -> Proxy:
        key = (id(flavour), backend, change)
        if key not in started:
            started[key] = start(flavour, make(), backend, change)
        return started[key]

    try:
        yield get
    finally:
        for proxy in started.values():
            proxy.stop()

"""What the guides warn of is so, and what they call harmless is harmless."""

from __future__ import annotations

import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator

import pytest
from e2e.client import Stream
from e2e.servers import Server

from .flavours import FLAVOURS, program, running
from .proxies import Proxy, adapt

StartProxy = Callable[..., Proxy]
# Far longer than a disconnect takes that is passed on.
A_WHILE = 1.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its heartbeats are too rare to help with anything."""
    settings = {"FLASK_SSE_HEARTBEAT": 60}
    found = Server("sseworker", tmp_path_factory.mktemp("server"), settings=settings)
    yield found
    found.kill()
    found.check()


@pytest.fixture
def proxy(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[StartProxy]:
    with running(lambda: tmp_path_factory.mktemp("proxy")) as get:
        yield lambda name, change: get(FLAVOURS[name], server.port, change)


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


def arrived(stream: Stream) -> int:
    """How many events have come within a moment."""
    deadline = time.monotonic() + 0.02
    while time.monotonic() < deadline:
        stream.read_some(65536)
    return len(stream.events)


def test_nginx_that_ignores_what_streams_say(server: Server, proxy: StartProxy, key: str) -> None:
    """It sends a buffer's worth of events at once."""
    ignoring = "proxy_ignore_headers X-Accel-Buffering;"
    front = proxy(
        "nginx-minimal", lambda text: text.replace("proxy_pass", f"{ignoring}\nproxy_pass")
    )
    stream = front.connect(f"/api/follow?channel={key}&key={key}")
    server.journal.wait(key, "before")
    published = 0
    while not arrived(stream):
        server.publish(key, "x" * 500)
        published += 1
        assert published < 100
    assert published > 4


def test_nginx_caches_no_stream(server: Server, proxy: StartProxy, key: str) -> None:
    def caching(text: str) -> str:
        path = "proxy_cache_path cache keys_zone=shop:1m;\n"
        return path + text.replace("proxy_pass", "proxy_cache shop;\nproxy_pass")

    front = proxy("nginx", caching)
    for _ in range(2):
        stream = front.open(f"/api/finite?key={key}&count=2")
        stream.read_to_end()
        assert stream.names == ["message", "message", "end"]
    assert len(server.journal.entries(key, "opened")) == 2


ABORT = "    option abortonclose\n"
SILENT: dict[str, Callable[[str], str]] = {
    "haproxy": lambda text: adapt(text, {ABORT: f"    no {ABORT.strip()}\n"}),
    "caddy": lambda text: re.sub(r"(reverse_proxy.*\{)", r"\1\n\t\tflush_interval -1", text),
}


@pytest.mark.parametrize("name", SILENT)
def test_proxies_that_keep_a_disconnect_to_themselves(
    server: Server, proxy: StartProxy, key: str, name: str
) -> None:
    """The application is told when something cannot be delivered, and not before."""
    if name == "caddy":
        run = subprocess.run([program(name), "version"], capture_output=True, text=True)
        if not run.stdout.lstrip("v").startswith("2.6."):
            give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            give_up(f"the guide speaks of Caddy 2.6, this is {run.stdout}")
    front = proxy(name, SILENT[name])
    stream = front.open(f"/api/follow?channel={key}&key={key}")
    stream.next()
    stream.close()
    left = time.monotonic()
    while time.monotonic() < left + A_WHILE:
        assert not server.journal.entries(key, "cleanup")
        time.sleep(0.05)
    while not server.journal.entries(key, "cleanup"):
        server.publish(key, "for nobody")
        time.sleep(0.05)
        assert time.monotonic() < left + 10
    assert server.journal.outcome(key) == "disconnected"

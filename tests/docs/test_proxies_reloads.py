"""What the guides say of reloads, health checks and time limits of proxies."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.servers import Server
from e2e.waiting import wait_for

from .blocks import block
from .flavours import FLAVOURS, HAPROXY, program, running, start
from .proxies import NGINX, Proxy, adapt

StartProxy = Callable[..., Proxy]
BEAT = 0.4
# Seconds in the place of those that the guide gives Caddy.
GRACE = 1.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    found = Server("sseworker", folder, settings={"FLASK_SSE_HEARTBEAT": BEAT})
    yield found
    found.kill()
    found.check()


@pytest.fixture
def proxy(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[StartProxy]:
    """Start a flavour before the server; `change` adapts its configuration."""
    with running(lambda: tmp_path_factory.mktemp("proxy")) as get:
        yield lambda name, change=str: get(FLAVOURS[name], server.port, change)


@pytest.fixture
def key() -> str:
    return uuid.uuid4().hex


def lasts(server: Server, proxy: Proxy, key: str, reload: Callable[[], object]) -> None:
    """A stream outlives a reload; so does the old process, until the stream is over."""
    stream = proxy.open(f"/api/follow?channel={key}&key={key}")
    stream.next()
    (old,) = workers(proxy)
    reload()
    wait_for(lambda: workers(proxy) > {old}, "another process has been started")
    with proxy.ask("/api/ping") as response:
        assert response.status == 200
    server.publish(key, "after the reload")
    assert stream.next().json == "after the reload"
    stream.close()
    assert server.journal.outcome(key) == "disconnected"
    wait_for(lambda: old not in workers(proxy), "the old process has ended")


def workers(proxy: Proxy) -> set[int]:
    return proxy.children()


def reload_haproxy(front: Proxy) -> None:
    """What `systemctl reload haproxy` does; a master that has just begun would miss it."""
    status = Path(f"/proc/{front.process.pid}/status")
    bit = 1 << (signal.SIGUSR2 - 1)

    def heeds() -> bool:
        found = re.search(r"SigIgn:\s*(\w+)", status.read_text())
        return found is not None and not int(found[1], 16) & bit

    wait_for(heeds, "the master of HAProxy heeds SIGUSR2")
    front.process.send_signal(signal.SIGUSR2)


def test_a_reload_of_nginx_waits_for_streams(server: Server, proxy: StartProxy, key: str) -> None:
    front = proxy("nginx")
    lasts(server, front, key, lambda: front.process.send_signal(signal.SIGHUP))


def test_a_reload_of_haproxy_waits_for_streams(server: Server, proxy: StartProxy, key: str) -> None:
    front = proxy("haproxy")
    lasts(server, front, key, lambda: reload_haproxy(front))


def test_haproxy_gives_up_waiting(server: Server, proxy: StartProxy, key: str) -> None:
    """After `hard-stop-after`, and the client comes back through the new process."""
    front = proxy(
        "haproxy", lambda text: adapt(text, {"hard-stop-after 10m": "hard-stop-after 1s"})
    )
    is_cut_off(server, front, key, lambda: reload_haproxy(front))


def test_nginx_gives_up_waiting(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    """After `worker_shutdown_timeout`, which the main part of its configuration has."""
    main = adapt(
        block("guides/nginx.md", "nginx.conf"),
        {
            "worker_processes auto": "worker_processes 1",
            "10m": "1s",
            "32768": "256",
            "65536": "1024",
        },
    )
    directives = re.sub(r"worker_processes 1;\n|events \{[^}]*\}\n", "", NGINX)
    monkeypatch.setattr("docs.proxies.NGINX", main + directives)
    front = start(FLAVOURS["nginx"], tmp_path, server.port)
    try:
        is_cut_off(server, front, key, lambda: front.process.send_signal(signal.SIGHUP))
    finally:
        front.stop()


def is_cut_off(server: Server, front: Proxy, key: str, reload: Callable[[], object]) -> None:
    """A stream that lasts is ended from outside, and goes on where it was."""
    target = f"/api/ticker?key={key}&every=0.1"
    stream = front.open(target)
    stream.next()
    reload()
    stream.read_to_end(10)
    assert "end" not in stream.names
    assert server.journal.outcome(key) == "disconnected"
    again = front.open(target, headers={"Last-Event-ID": stream.last_event_id})
    assert again.next().json["n"] == stream.events[-1].json["n"] + 1
    again.close()


def reload_caddy(front: Proxy, configuration: str) -> subprocess.Popen[bytes]:
    (front.folder / "Caddyfile").write_text(configuration)
    found = re.search(r"admin (\S+)", configuration)
    assert found
    return subprocess.Popen(
        [program("caddy"), "reload", "--config", "Caddyfile", "--address", found[1]],
        cwd=front.folder,
        env={"HOME": str(front.folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def with_mark(front: Proxy) -> str:
    """The configuration of a Caddy, with a header that tells it from the one before."""
    text = (front.folder / "Caddyfile").read_text()
    return adapt(text, {"\tencode gzip\n": "\tencode gzip\n\theader X-Reloaded yes\n"})


def reloaded(front: Proxy) -> bool:
    with front.ask("/api/ping") as response:
        return response.headers["X-Reloaded"] == "yes"


def test_a_reload_of_caddy_lets_streams_be(server: Server, proxy: StartProxy, key: str) -> None:
    front = proxy("caddy")
    stream = front.open(f"/api/follow?channel={key}&key={key}")
    stream.next()
    with reload_caddy(front, with_mark(front)) as command:
        assert command.wait(10) == 0
    assert reloaded(front)
    began = time.monotonic()
    while time.monotonic() < began + 1.5 * GRACE:
        stream.beat(1)
    server.publish(key, "after the reload")
    assert stream.next().json == "after the reload"
    stream.close()
    assert server.journal.outcome(key) == "disconnected"


def test_caddy_that_is_stopped_gives_up_waiting(
    server: Server, proxy: StartProxy, key: str
) -> None:
    front = proxy("caddy")
    stream = front.open(f"/api/follow?channel={key}&key={key}")
    stream.next()
    front.process.terminate()
    stream.read_to_end(10)
    assert front.process.wait(10) == 0
    assert server.journal.outcome(key) == "disconnected"


def test_caddy_without_a_grace_period_waits_for_streams(
    server: Server, proxy: StartProxy, key: str
) -> None:
    front = proxy("caddy", lambda text: adapt(text, {"\tgrace_period 1s\n": ""}))
    stream = front.open(f"/api/follow?channel={key}&key={key}")
    stream.next()
    front.process.terminate()
    began = time.monotonic()
    while time.monotonic() < began + 2 * GRACE:
        stream.beat(1)
    assert front.process.poll() is None
    stream.close()
    assert front.process.wait(10) == 0


def test_haproxy_leaves_out_a_server_that_is_not_well(server: Server, tmp_path: Path) -> None:
    """This application has no route where the guide's has its health."""
    changed = {old: new for old, new in HAPROXY.items() if old != "/api/health"}
    front = start(replace(FLAVOURS["haproxy"], replacements=changed), tmp_path, server.port)

    def status() -> int:
        with front.ask("/api/ping") as response:
            return response.status

    try:
        wait_for(lambda: status() == 503, "the server has been left out")
    finally:
        front.stop()


LIMITS = {
    "nginx": {"proxy_http_version 1.1;": "proxy_http_version 1.1; proxy_read_timeout 1s;"},
    "haproxy": {"timeout server 60s": "timeout server 1s"},
    "caddy": {"keepalive 1s": "keepalive 1s\n\t\t\tread_timeout 1s"},
}


@pytest.mark.parametrize("name", LIMITS)
def test_heartbeats_keep_a_stream_alive(
    server: Server, proxy: StartProxy, key: str, name: str
) -> None:
    front = proxy(name, lambda text: adapt(text, LIMITS[name]))
    stream = front.open(f"/api/follow?channel={key}&key={key}")
    stream.next()
    stream.beat(4)
    server.publish(key, "still here")
    assert stream.next().json == "still here"
    stream.close()


@pytest.mark.parametrize("name", LIMITS)
def test_silence_beyond_the_limit_ends_a_stream(tmp_path: Path, name: str) -> None:
    """What a heartbeat that is rarer than the limit leads to: the socket says nothing more."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Accel-Buffering: no\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        front = start(
            replace(FLAVOURS[name], change=lambda text: adapt(text, LIMITS[name])),
            tmp_path,
            silent.getsockname()[1],
            lambda text: text.replace(" check inter 2s", ""),
        )
        try:
            stream = front.connect("/api/follow")
            connection, _ = silent.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(head + b"retry: 1500\n")
                stream.read_to_end(10)
                assert stream.retries == [1500]
        finally:
            front.stop()

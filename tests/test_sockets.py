"""The client's socket: who shows it, whether its peer is there, takes bytes, has gone."""

from __future__ import annotations

import functools
import gc
import os
import socket
import ssl
import struct
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from flask_sse_routes import concurrency
from flask_sse_routes.sockets import ClientSocket, Progress, SocketWatch, client_socket, get_watch

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(name="tcp")
def tcp_pair() -> Iterator[Pair]:
    """A server's and a client's end of one TCP connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname())
    server, _ = listener.accept()
    listener.close()
    yield server, client
    server.close()
    client.close()


# --- finding it


@pytest.mark.parametrize("key", ["gunicorn.socket", "gunicorn.sock", "werkzeug.socket"])
def test_servers_that_name_it(tcp: Pair, key: str) -> None:
    found = client_socket({key: tcp[0], "wsgi.input": None})
    assert found is not None
    assert found.fd == tcp[0].fileno()


def test_pywsgi_has_it_below_its_input(tcp: Pair) -> None:
    class Input:
        __module__ = "gevent.pywsgi"

    Input.__module__ = "gevent.pywsgi"
    stream: Any = Input()
    stream.rfile = tcp[0].makefile("rb")
    found = client_socket({"wsgi.input": stream})
    assert found is not None
    assert found.fd == tcp[0].fileno()
    stream.rfile.close()


@pytest.mark.parametrize("shown", [None, "nothing", object(), 5])
def test_servers_that_show_none(shown: Any) -> None:
    assert client_socket({}) is None
    assert client_socket({"wsgi.input": shown}) is None
    if shown is not None:
        assert client_socket({"werkzeug.socket": shown}) is None


def test_a_closed_socket_is_none(tcp: Pair) -> None:
    tcp[0].close()
    assert client_socket({"werkzeug.socket": tcp[0]}) is None


# --- asking it


def test_an_open_connection_is_open_and_loses_no_byte(tcp: Pair, eventually: Any) -> None:
    server, client = tcp
    it = ClientSocket(server)
    assert not it.closed_by_peer()
    client.sendall(b"pipelined")
    for _ in range(3):
        assert not it.closed_by_peer()
    assert server.recv(100) == b"pipelined"


@pytest.mark.parametrize("how", ["close", "shutdown", "reset"])
def test_a_peer_that_has_gone(tcp: Pair, eventually: Any, how: str) -> None:
    server, client = tcp
    it = ClientSocket(server)
    if how == "shutdown":
        client.shutdown(socket.SHUT_RDWR)
    elif how == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    else:
        client.close()
    eventually(it.closed_by_peer)


def test_a_socket_that_cannot_peek_counts_as_open() -> None:
    class Tls:
        def fileno(self) -> int:
            return 0

        def recv(self, *_: Any) -> bytes:
            raise ValueError("non-zero flags not allowed in calls to recv()")

    assert not ClientSocket(Tls()).closed_by_peer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    one, other = socket.socketpair()
    with context.wrap_socket(one, server_side=True, do_handshake_on_connect=False) as wrapped:
        assert not ClientSocket(wrapped).closed_by_peer()
    other.close()


def test_it_is_prepared_for_small_events(tcp: Pair) -> None:
    ClientSocket(tcp[0]).prepare(45)
    assert tcp[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert tcp[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) >= 20_000


def test_preparing_another_kind_of_socket_does_no_harm() -> None:
    one, other = socket.socketpair()
    it = ClientSocket(one)
    it.prepare(30)
    assert it.progress() is not None, "a Unix socket tells how much is queued"
    one.close()
    other.close()


def test_it_counts_what_the_peer_has_acknowledged(tcp: Pair, eventually: Any) -> None:
    server, _ = tcp
    it = ClientSocket(server)
    before = it.progress()
    assert before is not None
    server.sendall(b"x" * 1000)
    eventually(lambda: it.progress() == Progress(before.mark + 1000, waiting=False))


def test_it_tells_what_a_unix_peer_has_not_read_yet() -> None:
    one, other = socket.socketpair()
    it = ClientSocket(one)
    one.sendall(b"x" * 1000)
    before = it.progress()
    other.recv(1000)
    assert before is not None
    assert it.progress() not in (None, before)
    one.close()
    other.close()


def test_cutting_drops_the_connection(tcp: Pair, eventually: Any) -> None:
    server, _ = tcp
    server.sendall(b"x" * 10)
    ClientSocket(server).cut()
    with pytest.raises(BrokenPipeError):
        server.sendall(b"more")
    ClientSocket(server).cut()


# --- watching it


@pytest.fixture(name="watch")
def a_watch() -> SocketWatch:
    watch: SocketWatch = get_watch()
    assert watch.works
    return watch


def test_a_peer_that_leaves_is_noticed_once(tcp: Pair, watch: SocketWatch, eventually: Any) -> None:
    server, client = tcp
    gone: list[int] = []

    def note() -> None:
        gone.append(1)

    watch.add(server.fileno(), note)
    client.sendall(b"bytes are no end")
    client.close()
    eventually(lambda: gone)
    watch.remove(server.fileno(), note)
    assert gone == [1]


def test_what_is_no_longer_watched_is_not_told(
    tcp: Pair, watch: SocketWatch, eventually: Any
) -> None:
    server, client = tcp
    gone: list[str] = []

    def first() -> None:
        gone.append("first")

    def second() -> None:
        gone.append("second")

    watch.add(server.fileno(), first)
    watch.remove(server.fileno(), first)
    watch.remove(server.fileno(), first)
    watch.add(server.fileno(), second)
    watch.remove(server.fileno(), first)  # the descriptor is another stream's by now
    client.close()
    eventually(lambda: gone)
    assert gone == ["second"]


def test_a_descriptor_may_be_used_again(tcp: Pair, watch: SocketWatch, eventually: Any) -> None:
    server, _ = tcp
    gone: list[str] = []
    number = server.fileno()

    def first() -> None:
        gone.append("first")

    def second() -> None:
        gone.append("second")

    watch.add(number, first)  # never removed: the server closed the socket first
    one, other = socket.socketpair()
    os.dup2(one.fileno(), number)
    watch.add(number, second)
    other.close()
    eventually(lambda: "second" in gone)
    assert "first" not in gone
    one.close()


def test_a_bad_descriptor_counts_as_gone(watch: SocketWatch, tmp_path: Any) -> None:
    gone: list[int] = []
    with (tmp_path / "file").open("w") as file:  # epoll takes no plain files
        watch.add(file.fileno(), lambda: gone.append(1))
    assert gone == [1]


def test_a_watch_that_could_not_start_keeps_nothing_and_starts_later(
    tcp: Pair, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Owner:
        def gone(self) -> None:
            seen.append("gone")

    def no_thread_left(*_: Any) -> Any:
        raise RuntimeError("can't start new thread")

    seen: list[str] = []
    owner, watch = Owner(), SocketWatch()
    kept = weakref.ref(owner)
    with monkeypatch.context() as patch:
        patch.setattr(concurrency, "on_readable", no_thread_left)
        with pytest.raises(RuntimeError):
            watch.add(tcp[0].fileno(), owner.gone)
    del owner
    gc.collect()
    assert kept() is None
    watch.add(tcp[0].fileno(), lambda: seen.append("later"))
    tcp[1].close()
    eventually(lambda: seen == ["later"])


def test_many_sockets_at_once(watch: SocketWatch, eventually: Any) -> None:
    pairs = [socket.socketpair() for _ in range(100)]
    gone: list[int] = []
    lock = threading.Lock()

    def note(n: int) -> None:
        with lock:
            gone.append(n)

    for n, (server, _) in enumerate(pairs):
        watch.add(server.fileno(), functools.partial(note, n))
    for n, (_, client) in enumerate(pairs):
        if n % 2:
            client.close()
    eventually(lambda: len(gone) == 50)
    assert sorted(gone) == list(range(1, 100, 2))
    for _, client in pairs:
        client.close()
    eventually(lambda: len(gone) == 100)
    for server, _ in pairs:
        server.close()

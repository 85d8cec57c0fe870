"""The Redis broker where its server restarts, hangs, forgets or is another one."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flask_sse_routes.brokers import redis as redis_broker
from flask_sse_routes.brokers import redis_scripts
from flask_sse_routes.brokers.base import Entry, Position
from flask_sse_routes.brokers.redis import RedisBroker, RedisListener
from flask_sse_routes.contract import walk
from flask_sse_routes.errors import BrokerUnavailable

from .conftest import StartRedis
from .redis_server import RedisServer, free_port, program
from .waiting import LIMIT, wait_for

MakeRedis = Callable[..., RedisBroker]
PREFIX = "{flask_sse_routes}:"

PERSISTENCE = {
    "nothing kept": [],
    "snapshots": ["--save", "3600 1"],
    "every write kept": ["--appendonly", "yes", "--appendfsync", "always"],
}


@pytest.fixture
def make(redis_server: RedisServer) -> Iterator[MakeRedis]:
    with contextlib.ExitStack() as stack:

        def make_broker(url: str = redis_server.url, **options: int) -> RedisBroker:
            broker = RedisBroker(url, **options)
            stack.callback(broker.close)
            return broker

        yield make_broker


def seconds_until_unavailable(function: Callable[..., object], *args: object) -> float:
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        function(*args)
    return time.monotonic() - began


def assert_unavailable(broker: RedisBroker) -> None:
    """Every verb says so within a second."""
    assert seconds_until_unavailable(broker.append, "a", b"x") < 1
    assert seconds_until_unavailable(broker.read, "a", 0, 10) < 1
    assert seconds_until_unavailable(broker.poll, ["a"], 0, 10) < 1
    assert seconds_until_unavailable(broker.newest) < 1


def bodies(broker: RedisBroker, channel: str = "a") -> list[bytes]:
    return [entry.body for entry in broker.read(channel, 0, 10_000).entries]


class TestRestart:
    """A position is never given out twice, whatever the server remembers."""

    @pytest.mark.parametrize(
        ("persistence", "ending", "kept"),
        [
            ("nothing kept", "stop", 0),
            ("nothing kept", "kill", 0),
            ("snapshots", "stop", 10),
            ("snapshots", "kill", 5),
            ("every write kept", "stop", 10),
            ("every write kept", "kill", 10),
        ],
    )
    def test_a_restart_is_a_new_epoch(
        self, persistence: str, ending: str, kept: int, start_redis: StartRedis, make: MakeRedis
    ) -> None:
        server = start_redis(*PERSISTENCE[persistence], saving=persistence == "snapshots")
        one, other = make(server.url), make(server.url)
        positions = [one.append("a", b"%d" % n) for n in range(5)]
        if persistence == "snapshots":
            server.command("SAVE")
        positions += [other.append("a", b"%d" % n) for n in range(5, 10)]
        for _ in range(2):
            getattr(server, ending)()
            server.start()
            # Told by one that has never seen more than the server knows now.
            newest = make(server.url).newest()
            assert newest.epoch not in {position.epoch for position in positions}
            again = [broker.append("a", b"again") for broker in (one, other, make(server.url))]
            assert again == [Position(newest.epoch, newest.seq + n) for n in (1, 2, 3)]
            if len(positions) == 10:
                assert bodies(one) == [*(b"%d" % n for n in range(kept)), *[b"again"] * 3]
            positions += again
        assert len(set(positions)) == len(positions)

    def test_a_listener_gets_over_it(self, redis_server: RedisServer, make: MakeRedis) -> None:
        broker = make()
        listener = broker.listen()
        listener.wait(LIMIT)
        redis_server.kill()
        for _ in range(5):
            listener.wait(0.05)
        redis_server.start()
        woken = threading.Event()

        def follow() -> None:
            while not broker.poll(["a"], 0, 10).entries:
                listener.wait(LIMIT)
            woken.set()

        following = threading.Thread(target=follow)
        following.start()
        make().append("a", b"x")
        assert woken.wait(LIMIT / 2)
        following.join()
        listener.close()

    def test_its_scripts_are_loaded_again(self, redis_server: RedisServer, make: MakeRedis) -> None:
        broker = make()
        before = broker.append("a", b"x")
        redis_server.command("SCRIPT", "FLUSH")
        assert broker.append("a", b"y") == Position(before.epoch, before.seq + 1)
        redis_server.command("SCRIPT", "FLUSH")
        assert bodies(broker) == [b"x", b"y"]

    def test_a_connection_that_was_cut_is_not_felt(
        self, redis_server: RedisServer, make: MakeRedis
    ) -> None:
        broker = make()
        before = broker.append("a", b"x")
        redis_server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert broker.append("a", b"y") == Position(before.epoch, before.seq + 1)


class TestAway:
    """While the server does not answer, everything says so within a second."""

    def test_a_server_that_is_down(self, redis_server: RedisServer, make: MakeRedis) -> None:
        used, unused = make(), make()
        position = used.append("a", b"x")
        redis_server.kill()
        assert_unavailable(used)
        assert_unavailable(unused)
        redis_server.start()
        assert used.append("a", b"y").epoch != position.epoch

    def test_a_server_that_hangs(self, redis_server: RedisServer, make: MakeRedis) -> None:
        used, unused = make(), make()
        position = used.append("a", b"x")
        redis_server.pause()
        try:
            with contextlib.ExitStack() as stack:
                # Who waits behind a call that fails does not begin to wait anew.
                took: list[float] = []

                def measure() -> None:
                    took.append(seconds_until_unavailable(used.newest))

                for _ in range(10):
                    thread = threading.Thread(target=measure)
                    thread.start()
                    stack.callback(thread.join)
            assert len(took) == 10
            assert max(took) < 1.1
            assert_unavailable(used)
            assert_unavailable(unused)
        finally:
            redis_server.resume()
        # What was asked while it hung may have been done since; the epoch is the same.
        assert used.newest().epoch == position.epoch
        assert used.append("a", b"y") > position

    def test_a_port_where_nobody_answers(self, make: MakeRedis) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            assert_unavailable(make(f"redis://127.0.0.1:{silent.getsockname()[1]}"))
        assert_unavailable(make(f"redis://127.0.0.1:{free_port()}"))
        assert_unavailable(make("unix:///nowhere/redis.sock"))

    def test_a_server_that_is_none(self, make: MakeRedis) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def answer() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = server.accept()
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                        connection.close()

            answering = threading.Thread(target=answer)
            answering.start()
            assert_unavailable(make(f"redis://127.0.0.1:{server.getsockname()[1]}"))
            server.shutdown(socket.SHUT_RDWR)
            answering.join()

    def test_a_listener_finds_a_dead_link(
        self, redis_server: RedisServer, make: MakeRedis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert redis_broker.QUIET + redis_broker.ANSWER < 15
        monkeypatch.setattr(redis_broker, "QUIET", 0.3)
        monkeypatch.setattr(redis_broker, "ANSWER", 0.3)
        listener = make().listen()
        listener.wait(LIMIT)
        before = self.subscribers(redis_server)
        # A link that is quiet and alive is kept: its answers count as having woken.
        for _ in range(4):
            began = time.monotonic()
            listener.wait(LIMIT)
            assert time.monotonic() - began < LIMIT / 2
        assert self.subscribers(redis_server) == before
        redis_server.pause()
        try:
            began = time.monotonic()
            listener.wait(60)
            assert time.monotonic() - began < LIMIT
        finally:
            redis_server.resume()
        listener.wait(LIMIT)
        assert self.subscribers(redis_server) != before
        listener.close()

    @staticmethod
    def subscribers(server: RedisServer) -> set[str]:
        clients = server.command("CLIENT", "LIST", "TYPE", "pubsub")
        lines = clients.decode().splitlines() if isinstance(clients, bytes) else clients
        return {str(line["id"] if isinstance(line, dict) else line.split()[0]) for line in lines}

    def test_a_listener_without_a_server_only_waits(self) -> None:
        broker = RedisBroker(f"redis://127.0.0.1:{free_port()}")
        listener = broker.listen()
        began = time.monotonic()
        listener.wait(0.1)
        assert 0.09 < time.monotonic() - began < LIMIT / 2
        listener.wait(LIMIT)
        assert time.monotonic() - began < LIMIT / 2
        listener.close()
        listener.close()


class TestLife:
    """Where the server lost something, the epoch is another one."""

    def test_flushall(self, redis_server: RedisServer, make: MakeRedis) -> None:
        one, other = make(), make()
        before = one.append("a", b"x")
        assert other.newest() == before
        redis_server.command("FLUSHALL")
        after = one.append("a", b"y")
        assert after.seq == 1
        assert after.epoch != before.epoch
        assert other.newest() == after
        assert other.read("a", 0, 10) == (after.epoch, [Entry(1, "a", b"y")], 0, 1)

    @pytest.mark.parametrize("lost", ["log", "last"])
    def test_a_lost_key(self, lost: str, redis_server: RedisServer, make: MakeRedis) -> None:
        broker = make()
        before = [broker.append("a", b"old") for _ in range(5)][-1]
        (key,) = redis_server.command("KEYS", f"{PREFIX}*{lost}")
        redis_server.command("DEL", key)
        after = broker.newest()
        assert after.epoch != before.epoch
        # What is left of the lost log is not taken for the new one's.
        assert walk(broker, ["a"], after.seq, 10) == []
        positions = [broker.append("a", b"new") for _ in range(10)]
        assert positions == [Position(after.epoch, after.seq + n) for n in range(1, 11)]
        assert bodies(broker) == [b"new"] * 10

    def test_a_lost_stream_is_a_gap(self, redis_server: RedisServer, make: MakeRedis) -> None:
        broker = make()
        last = [broker.append("a", b"old") for _ in range(5)][-1]
        assert redis_server.command("DEL", *redis_server.command("KEYS", f"{PREFIX}*:channel:a"))
        assert broker.read("a", 0, 10) == (last.epoch, [], last.seq, last.seq)
        assert broker.poll(["a"], last.seq - 1, 10).trimmed == {"a": last.seq}
        again = broker.append("a", b"new")
        assert broker.read("a", 0, 10).trimmed == last.seq
        assert again == Position(last.epoch, last.seq + 1)

    def test_a_server_that_knows_less_than_it_said(
        self, redis_server: RedisServer, make: MakeRedis
    ) -> None:
        broker = make()
        last = [broker.append("a", b"old") for _ in range(5)][-1]
        # As after a failover there and back again, which leaves the run_id what it was.
        redis_server.command("HSET", f"{PREFIX}log", "seq", 3)
        assert broker.newest().epoch != last.epoch

    def test_a_failover_is_a_new_epoch(self, start_redis: StartRedis, make: MakeRedis) -> None:
        first = start_redis("--repl-diskless-sync-delay", "0")
        second = start_redis("--replicaof", "127.0.0.1", str(first.port))
        broker, behind = make(first.url), make(second.url)
        before = broker.append("a", b"x")
        wait_for(lambda: second.command("EXISTS", f"{PREFIX}log"), "the replica has it")
        with pytest.raises(BrokerUnavailable):
            behind.append("a", b"y")
        first.kill()
        second.command("REPLICAOF", "NO", "ONE")
        after = behind.append("a", b"y")
        assert after.epoch != before.epoch
        assert bodies(behind) == [b"x", b"y"]


class TestTrimming:
    def test_whoever_trims_what_was_removed_is_known(
        self, redis_server: RedisServer, make: MakeRedis
    ) -> None:
        broker = make()
        seqs = [broker.append("ab"[n % 2], b"%d" % n).seq for n in range(40)]
        (key,) = redis_server.command("KEYS", f"{PREFIX}*:channel:a")
        for kept in (15, 7, 1):
            redis_server.command("XTRIM", key, "MAXLEN", kept)
            trimmed = seqs[2 * (20 - kept) - 2]
            batch = broker.read("a", 0, 100)
            assert len(batch.entries) == kept
            assert batch.trimmed == trimmed
            for after in range(trimmed - 3, trimmed + 3):
                expected = {"a": trimmed} if after < trimmed else {}
                assert broker.poll(["a", "b"], after, 100).trimmed == expected
                assert broker.poll(["a", "b"], after, 1).trimmed == expected

    def test_the_history_bounds_the_stream(
        self, redis_server: RedisServer, make: MakeRedis
    ) -> None:
        broker = make(history=100)
        seqs = [broker.append("a", b"x").seq for _ in range(1000)]
        (key,) = redis_server.command("KEYS", f"{PREFIX}*:channel:a")
        kept = redis_server.command("XLEN", key)
        assert 100 <= kept <= 250
        assert broker.read("a", 0, 1).trimmed == seqs[-kept - 1]

    def test_old_entries_go_while_young_ones_come(self, make: MakeRedis) -> None:
        broker = make(history_age=1, history=1_000_000)
        first = broker.append("a", b"first")

        def is_gone() -> bool:
            broker.append("a", b"x")
            return broker.read("a", 0, 1).entries[0].seq > first.seq

        began = time.monotonic()
        wait_for(is_gone, "the first entry is too old")
        assert time.monotonic() - began >= 0.9
        batch = broker.read("a", 0, 10_000)
        assert len(batch.entries) > 10
        assert batch.trimmed == batch.entries[0].seq - 1

    def test_what_was_trimmed_long_ago_is_forgotten_with_care(
        self, redis_server: RedisServer, make: MakeRedis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = redis_scripts.APPEND.source
        assert "100000" in source
        monkeypatch.setattr(redis_scripts.APPEND, "source", source.replace("100000", "3"))
        broker = make()
        seqs = [broker.append(f"channel {n}", b"x").seq for n in range(6)]
        for n, seq in enumerate(seqs):
            batch = broker.read(f"channel {n}", 0, 10)
            known = n >= 3
            assert [entry.seq for entry in batch.entries] == [seq] * known
            assert batch.trimmed == (0 if n == 3 else seqs[n - 4] if known else seqs[2])
        merged = broker.poll(["channel 0", "channel 5", "new"], seqs[1], 10)
        assert merged.trimmed == {"channel 0": seqs[2], "new": seqs[2]}
        assert broker.poll(["channel 0", "new"], seqs[2], 10).trimmed == {}
        again = broker.append("channel 0", b"y")
        assert broker.read("channel 0", 0, 10)[1:3] == (
            [Entry(again.seq, "channel 0", b"y")],
            seqs[2],
        )
        assert len(redis_server.command("KEYS", f"{PREFIX}*:channel:*")) == 3


class TestServer:
    """What the URL can say."""

    def test_every_key_has_the_prefix_and_streams_expire(
        self, redis_server: RedisServer, make: MakeRedis
    ) -> None:
        make(history_age=60).append("a", b"x")
        keys = {key.decode() for key in redis_server.command("KEYS", "*")}
        assert all(key.startswith(PREFIX) for key in keys)
        lasting = {key for key in keys if redis_server.command("PTTL", key) == -1}
        assert {key.rsplit(":", 1)[1] for key in lasting} == {"log", "last"}
        assert {key.split(":", 2)[2] for key in keys - lasting} == {"channel:a", "ticks"}

    def test_prefixes_and_databases_are_apart(self, redis_server: RedisServer) -> None:
        url = redis_server.url
        brokers = [
            RedisBroker(url),
            RedisBroker(url, prefix="other"),
            RedisBroker(url.replace("/0", "/1")),
        ]
        for n, broker in enumerate(brokers):
            broker.append("a", b"%d" % n)
        for n, broker in enumerate(brokers):
            assert bodies(broker) == [b"%d" % n]
            broker.close()

    def test_options_of_the_driver(self, redis_server: RedisServer, make: MakeRedis) -> None:
        # Those that it has for text and for pools are no business of a broker's.
        options = "decode_responses=true&protocol=3&max_connections=1&client_name=orders"
        broker = make(f"{redis_server.url}?{options}")
        broker.append("a", b"\xff")
        assert bodies(broker) == [b"\xff"]
        assert b"name=orders" in redis_server.command("CLIENT", "LIST", "TYPE", "normal")

    def test_a_password(self, start_redis: StartRedis, make: MakeRedis) -> None:
        server = start_redis("--requirepass", "hunter2")
        server.command("ACL", "SETUSER", "app", "on", ">p@ss/word", "~*", "&*", "+@all")
        for account in (":hunter2", "app:p%40ss%2Fword"):
            url = server.url.replace("://", f"://{account}@")
            broker = make(url)
            broker.append("a", b"x")
            listener = broker.listen()
            listener.wait(LIMIT)
            broker.append("a", b"x")
            began = time.monotonic()
            listener.wait(LIMIT)
            assert time.monotonic() - began < LIMIT / 2
            listener.close()
        for account in (":hunter3", "app:hunter3", "nobody:hunter3"):
            with pytest.raises(BrokerUnavailable) as raised:
                make(server.url.replace("://", f"://{account}@")).newest()
            assert "hunter3" not in str(raised.value)
        with pytest.raises(BrokerUnavailable, match=r"[Aa]uth"):
            make(server.url).newest()

    def test_who_may_not_listen_looks(
        self, start_redis: StartRedis, make: MakeRedis, caplog: pytest.LogCaptureFixture
    ) -> None:
        server = start_redis()
        server.command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-subscribe")
        broker = make(server.url.replace("://", "://app:pw@"))
        broker.append("a", b"x")
        listener = broker.listen()
        for _ in range(2):
            began = time.monotonic()
            listener.wait(LIMIT)
            assert 0.2 < time.monotonic() - began < LIMIT / 2
        assert len(caplog.records) == 1
        listener.close()

    def test_a_unix_socket(self, start_redis: StartRedis, tmp_path: Path, make: MakeRedis) -> None:
        path = tmp_path / "redis.sock"
        start_redis("--unixsocket", str(path))
        broker = make(f"unix://{path}?db=2")
        assert broker.append("a", b"x").seq == 1
        listener = broker.listen()
        listener.wait(LIMIT)
        listener.close()

    def test_tls(self, start_redis: StartRedis, tmp_path: Path, make: MakeRedis) -> None:
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        command = [
            program("openssl"),
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
        ]
        command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-out", str(certificate), "-keyout", str(key)]
        subprocess.run(command, check=True, capture_output=True)
        port = free_port()
        options = {"port": port, "cert-file": certificate, "key-file": key, "auth-clients": "no"}
        options["ca-cert-file"] = certificate
        start_redis(
            *(part for name, value in options.items() for part in (f"--tls-{name}", str(value)))
        )
        url = f"rediss://127.0.0.1:{port}/0"
        with pytest.raises(BrokerUnavailable, match="certificate"):
            make(url).newest()
        broker = make(f"{url}?ssl_ca_certs={certificate}")
        assert broker.append("a", bytes(100_000)).seq == 1
        listener = broker.listen()
        listener.wait(LIMIT)
        broker.append("a", b"x")
        began = time.monotonic()
        listener.wait(LIMIT)
        assert time.monotonic() - began < LIMIT / 2
        listener.close()

    def test_a_server_without_room(self, start_redis: StartRedis, make: MakeRedis) -> None:
        server = start_redis("--maxmemory", "4mb")
        broker = make(server.url)
        before = broker.append("a", b"x")
        with pytest.raises(BrokerUnavailable, match="maxmemory"):
            fill(broker)
        # What was refused has left no trace.
        stored = len(bodies(broker))
        assert broker.newest() == Position(before.epoch, stored)
        with pytest.raises(BrokerUnavailable, match="maxmemory"):
            fill(broker)
        assert broker.newest() == Position(before.epoch, len(bodies(broker)))


def fill(broker: RedisBroker) -> None:
    for _ in range(1000):
        broker.append("a", bytes(100_000))


class TestLink:
    def test_calls_that_are_ready_together_travel_together(
        self, redis_server: RedisServer, make: MakeRedis
    ) -> None:
        broker = make()
        broker.newest()
        positions: list[Position] = []

        def append() -> None:
            positions.extend(broker.append("a", b"x") for _ in range(50))

        threads = [threading.Thread(target=append) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(positions) == [Position(positions[0].epoch, n) for n in range(1, 1001)]
        # All of them over one connection; the other one asks.
        assert redis_server.command("INFO", "clients")["connected_clients"] == 2

    def test_nothing_is_opened_before_it_is_used(
        self, redis_server: RedisServer, make: MakeRedis
    ) -> None:
        broker = make()
        broker.listen().close()
        assert redis_server.command("INFO", "clients")["connected_clients"] == 1
        broker.newest()
        assert redis_server.command("INFO", "clients")["connected_clients"] == 2
        broker.close()
        wait_for(
            lambda: redis_server.command("INFO", "clients")["connected_clients"] == 1,
            "the connection is closed",
        )

    def test_an_idle_connection_is_not_trusted(
        self, redis_server: RedisServer, make: MakeRedis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broker = make()
        broker.newest()
        made = redis_server.command("INFO", "stats")["total_connections_received"]
        broker.newest()
        own = redis_server.command("INFO", "stats")["total_connections_received"] - made
        assert own == 1
        monkeypatch.setattr("flask_sse_routes.brokers.redis_link.IDLE", 0)
        broker.newest()
        assert redis_server.command("INFO", "stats")["total_connections_received"] - made == 3

    def test_a_listener_is_one_subscription(
        self, redis_server: RedisServer, make: MakeRedis
    ) -> None:
        listener: RedisListener = make().listen()
        listener.wait(LIMIT)
        assert redis_server.command("PUBSUB", "NUMSUB", f"{PREFIX}bell") == [
            f"{PREFIX}bell".encode(),
            1,
        ]
        listener.close()

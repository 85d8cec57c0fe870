"""The connection of a process to Redis: calls that are ready together travel together.

Floor 1. Opened at the first call, and anew after any failure and after a fork. No call
waits longer than a second; none is tried again, because an append whose answer got lost may
have been stored.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import redis
import redis.connection
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.retry import Retry

from .. import concurrency
from ..errors import BrokerUnavailable

# Seconds for a connection to open, and for each answer while it does; and for a call as a whole.
CONNECT, ANSWER = 0.4, 0.9
# A connection that was silent for so long is not trusted: what lies between may have dropped it.
IDLE = 30.0
# Calls that travel together at most.
BATCH = 128

Connect = Callable[[], Any]
FAILURES = (RedisError, OSError)


class Script:
    """A Lua script, known to the server by its digest."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = ""


class Call:
    """One run of a script, waiting for its answer."""

    __slots__ = ("answered", "args", "deadline", "done", "error", "reply", "script")

    def __init__(self, script: Script, args: tuple[Any, ...]) -> None:
        self.script = script
        self.args = args
        self.deadline = time.monotonic() + ANSWER
        self.done = False
        self.answered: Any = threading.Event() if concurrency.cooperative() else None
        self.reply: Any = None
        self.error: BaseException | None = None

    def settle(self, reply: Any, error: BaseException | None = None) -> None:
        self.reply, self.error, self.done = reply, error, True
        if self.answered is not None:
            self.answered.set()

    def result(self) -> Any:
        if self.error is not None:
            raise BrokerUnavailable(f"Redis broker: {self.error}") from self.error
        return self.reply


def connector(url: str, scripts: Iterable[Script]) -> Connect:
    """Return what makes connections, not yet open.

    When one opens, it learns the server's `run_id`, kept as its attribute `run_id`: the id
    belongs to the server's process, so that it cannot change while the connection is open.
    Raises `ValueError` or `TypeError` for a URL that is not right.
    """
    options = redis.connection.parse_url(url)  # type: ignore[no-untyped-call]  # redis has no types
    kind = options.pop("connection_class", redis.Connection)
    scripts = tuple(scripts)
    for name in ("max_connections", "timeout"):  # of a pool, which there is none of here
        options.pop(name, None)
    options |= {
        "protocol": 2,
        "decode_responses": False,
        "retry": Retry(NoBackoff(), 0),
        "redis_connect_func": lambda connection: greet(connection, scripts),
    }
    options.setdefault("socket_connect_timeout", CONNECT)
    options.setdefault("socket_timeout", CONNECT)
    kind(**options)  # does not connect yet, but refuses what it does not know
    return lambda: kind(**options)


def greet(connection: Any, scripts: tuple[Script, ...]) -> None:
    """Log in, ask who the server is and give it the scripts."""
    connection.on_connect()
    commands = [("INFO", "server"), *(("SCRIPT", "LOAD", script.source) for script in scripts)]
    connection.send_packed_command(connection.pack_commands(commands))
    info = connection.read_response().decode()
    facts = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    for script in scripts:
        script.digest = connection.read_response()
    if not facts.get("run_id"):
        raise ResponseError("the server does not tell its run_id, which tells restarts apart")
    connection.run_id = facts["run_id"]


class Link:
    """The connection, and the calls that wait for it.

    On threads, whoever gets its turn carries the calls of all who wait. Under gevent a task of
    its own does: a handler that is interrupted must not take the others' calls with it.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._connection: Any = None
        self._used = 0.0
        self._waiting: list[Call] = []
        self._serving = False
        self._guard = concurrency.native_lock()
        self._turn = threading.Lock()

    def call(self, script: Script, *args: Any) -> Any:
        """Run a script and return its reply. Raises `BrokerUnavailable`."""
        call = Call(script, args)
        if call.answered is None:
            with self._guard:
                self._waiting.append(call)
            with self._turn:
                while not call.done:
                    self._serve()
        else:
            with self._guard:
                self._waiting.append(call)
                serving, self._serving = self._serving, True
            if not serving:
                concurrency.task(self._serve_all, "sse-redis").start()
            call.answered.wait()
        return call.result()

    def close(self) -> None:
        """Close the connection; a later call opens another."""
        with self._turn:
            self._drop()

    def _serve_all(self) -> None:
        try:
            while self._serving:
                with self._turn:
                    self._serve()
                with self._guard:
                    self._serving = bool(self._waiting)
        except BaseException:
            self._serving = False
            raise

    def _serve(self) -> None:
        """Carry what waits. A failure is everybody's: who waits behind it waits no longer."""
        with self._guard:
            calls, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
        try:
            self._exchange(calls)
        except BaseException as error:
            self._drop()
            with self._guard:
                calls, self._waiting = calls + self._waiting, []
            for call in calls:
                if not call.done:
                    call.settle(None, error)
            if not isinstance(error, FAILURES):
                raise

    def _exchange(self, calls: list[Call]) -> None:
        connection = self._open()
        unknown = self._send("EVALSHA", connection, calls)
        if unknown:
            self._send("EVAL", connection, unknown)
        self._used = time.monotonic()
        if any(call.error for call in calls):
            # A server that refuses may be the wrong one by now: a failover looks like this.
            self._drop()

    def _open(self) -> Any:
        connection = self._connection
        if connection is not None and not self._sound(connection):
            self._drop()
        if self._connection is None:
            self._connection = self._connect()
            self._connection.connect()
        return self._connection

    def _sound(self, connection: Any) -> bool:
        if time.monotonic() - self._used > IDLE:
            return False
        try:
            # Nothing was asked: what can be read is the end.
            return not connection.can_read(timeout=0)
        except FAILURES:
            return False

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(*FAILURES):
                connection.disconnect()

    def _send(self, how: str, connection: Any, calls: list[Call]) -> list[Call]:
        """Send calls and settle them; return those whose script the server does not know."""
        commands = [
            (
                how,
                call.script.digest if how == "EVALSHA" else call.script.source,
                1,
                call.args[0],
                connection.run_id,
                secrets.token_hex(4),
                *call.args[1:],
            )
            for call in calls
        ]
        connection.send_packed_command(connection.pack_commands(commands))
        unknown = []
        for call in calls:
            # The first call has waited longest.
            left = calls[0].deadline - time.monotonic()
            if not connection.can_read(timeout=max(left, 0)):
                raise TimeoutError("no answer in time")
            try:
                call.settle(connection.read_response())
            except NoScriptError:
                unknown.append(call)
            except ResponseError as error:
                call.settle(None, error)
        return unknown

"""SSEWorker notes each stream that has ended where gunicorn notes requests."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from .servers import GRACEFUL_TIMEOUT, Server
from .waiting import wait_for

LINE = re.compile(
    r'(?P<client>\S+) "(?P<route>[^"]*)" (?P<outcome>\w+) after (?P<seconds>[\d.]+) s, '
    r"(?P<events>\d+) events, (?P<bytes>\d+) bytes"
)


class AccessLog:
    """The lines of streams in gunicorn's access log."""

    def __init__(self, path: Path, server: Server) -> None:
        self._path = path
        self.server = server

    def lines(self) -> list[re.Match[str]]:
        found = (LINE.search(line) for line in self._path.read_text().splitlines())
        return [line for line in found if line is not None]

    def wait(self, count: int) -> re.Match[str]:
        """Return the last line once there are so many."""
        wait_for(lambda: len(self.lines()) >= count, f"line {count}")
        assert len(self.lines()) == count
        return self.lines()[-1]


@pytest.fixture
def log(launch: Callable[..., Server], tmp_path: Path) -> AccessLog:
    path = tmp_path / "access"
    return AccessLog(path, launch("sseworker", "--access-logfile", str(path)))


def check(line: re.Match[str], route: str, outcome: str, events: int, size: int) -> None:
    assert line["client"] == "127.0.0.1"
    assert line["route"] == route
    assert line["outcome"] == outcome
    assert (int(line["events"]), int(line["bytes"])) == (events, size)


def test_a_line_for_each_stream(log: AccessLog, key: str) -> None:
    server = log.server
    server.ask("/api/ping")
    finite = server.open("finite", key)
    finite.read_to_end()
    check(log.wait(1), "finite", "completed", 4, finite.body_bytes)

    failing = server.open("failing", f"{key}-failing", after=2)
    failing.read_to_end()
    check(log.wait(2), "failing", "error", 3, failing.body_bytes)

    left = server.open("follow", f"{key}-left", channel=key)
    stays = server.open("follow", f"{key}-stays", channel=key)
    server.publish(key, "something", 10)
    for stream in (left, stays):
        for _ in range(11):
            stream.next()
    left.close()
    line = log.wait(3)
    check(line, "follow", "disconnected", 11, left.body_bytes)
    assert 0 < float(line["seconds"]) < 30

    stays.beat(2)
    server.signal(signal.SIGTERM)
    stays.read_to_end()
    server.wait(GRACEFUL_TIMEOUT)
    check(log.wait(4), "follow", "shutdown", 11, stays.body_bytes)


def test_no_line_for_what_is_no_stream(log: AccessLog, key: str) -> None:
    server = log.server
    assert server.open("rejected", key).status == 401
    assert server.ask(f"/api/ticker?key={key}", "HEAD")[0] == 200
    assert server.open("finite", key, headers={"Last-Event-ID": "7~end"}).status == 204
    server.open("finite", key).read_to_end()
    assert log.wait(1)["outcome"] == "completed"

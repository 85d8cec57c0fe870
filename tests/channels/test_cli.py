"""`flask sse publish` and `flask sse tail`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.waiting import wait_for

from flask_sse_routes import broker_from_url
from flask_sse_routes.cli import sse_cli

from .sites import FlakyBroker, Site

TESTS = Path(__file__).parents[1]


@pytest.fixture(name="run")
def run(make_site: Any, tmp_path: Path) -> Callable[..., Any]:
    site: Site = make_site(SSE_BROKER_URL=f"sqlite:///{tmp_path}/events.db")
    return runner_of(site)


def runner_of(site: Site) -> Callable[..., Any]:
    site.app.cli.add_command(sse_cli)

    def run(*arguments: str, **options: Any) -> Any:
        result = site.app.test_cli_runner().invoke(args=["sse", *arguments], **options)
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    run.site = site  # type: ignore[attr-defined]  # for what the command line does not show
    return run


def test_publish_prints_the_id(run: Any) -> None:
    result = run("publish", "a", '{"ö": [1]}', "--event", "created")
    assert result.exit_code == 0
    (event,) = run.site.sse.history("a")
    assert result.stdout == f"{event.id}\n"
    assert (event.event, event.data) == ("created", {"ö": [1]})


def test_publish_reads_a_value_a_line(run: Any) -> None:
    result = run("publish", "a", "-", input='1\n\n"two"\n{"three": 3}\n')
    events = run.site.sse.history("a")
    assert [event.data for event in events] == [1, "two", {"three": 3}]
    assert result.stdout.split() == [event.id for event in events]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("a", "no json"), "not JSON"),
        (("", "1"), "channel name"),
        (("a\n", "1"), "channel name"),
        (("a", "1", "--event", "ready"), "reserved"),
        (("a", f'"{"x" * 2**20}"'), "SSE_MAX_EVENT_BYTES"),
    ],
)
def test_publish_says_what_is_wrong(run: Any, arguments: tuple[str, ...], told: str) -> None:
    result = run("publish", *arguments)
    assert result.exit_code != 0
    assert told in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [("publish", "a", "1"), ("tail", "a")])
def test_memory_is_refused(site: Site, command: tuple[str, ...]) -> None:
    result = runner_of(site)(*command)
    assert result.exit_code == 1
    assert "sqlite:///" in result.stderr


@pytest.mark.parametrize("command", [("publish", "a", "1"), ("tail", "a")])
def test_a_broker_that_is_away(
    make_site: Any, flaky: FlakyBroker, command: tuple[str, ...]
) -> None:
    flaky.away = True
    result = runner_of(make_site())(*command)
    assert result.exit_code == 1
    assert "Error" in result.stderr
    assert "Traceback" not in result.output


def test_tail_wants_names_of_channels(run: Any) -> None:
    assert run("tail").exit_code == 2
    result = run("tail", "a\n")
    assert (result.exit_code, "channel name" in result.stderr) == (1, True)


class Tail:
    """`flask sse tail` in a process of its own, and the lines that it has written."""

    def __init__(self, url: str, *arguments: str) -> None:
        self.lines: list[list[str]] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "channels.apps", "sse", "tail", *arguments],
            env=os.environ
            | {
                "FLASK_SSE_BROKER_URL": url,
                "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)]),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n").split("\t"))

    def wait(self, count: int) -> list[list[str]]:
        wait_for(lambda: len(self.lines) >= count, f"{count} lines, {self.lines}", 20)
        return self.lines

    def end(self) -> tuple[int, str]:
        """End it as Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(10)
        self._reader.join(10)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        told = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return status, told


@pytest.fixture(name="tail")
def tail() -> Iterator[Callable[..., Tail]]:
    started: list[Tail] = []

    def start(*arguments: str) -> Tail:
        started.append(Tail(*arguments))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.end()


def test_tail_follows_several_channels_from_an_id(tail: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    broker = broker_from_url(url)
    ids = [broker.publish("ab"[n % 2], n) for n in range(6)]
    following = tail(url, "a", "b", "--after", ids[2])
    assert following.wait(3) == [[ids[n], "message", str(n)] for n in (3, 4, 5)]
    ids.append(broker.publish("a", {"ö": "a\tb\nc"}, event="created"))
    broker.close()
    id_, name, text = following.wait(4)[3]
    assert (id_, name, json.loads(text)) == (ids[6], "created", {"ö": "a\tb\nc"})
    status, told = following.end()
    assert (status, told) == (0, "")


def test_tail_goes_on_with_a_log_that_begins_anew(tail: Any, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    broker = broker_from_url(url)
    first = broker.publish("a", 1)
    following = tail(url, "a", "--after", first)
    broker.publish("a", 2)
    following.wait(1)
    for path in tmp_path.glob("events.db*"):
        if path.is_file():
            path.unlink()
    wait_for(lambda: len(following.lines) > 1, "it is told", 20)
    last = broker.publish("a", 3)
    broker.close()
    lines = following.wait(3)
    assert (lines[1][1], json.loads(lines[1][2])) == ("reset", {"reason": "epoch"})
    assert lines[2] == [last, "message", "3"]
    following.end()

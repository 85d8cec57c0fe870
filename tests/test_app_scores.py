"""The demo's scores: a season that one process of the server publishes, for all of them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clients.serving import Serving
from flask import Flask

from app.extensions import sse
from app.scores import progress, publisher
from app.scores.fixtures import days, matches
from app.scores.progress import CHANNEL, Progress, reached
from app.scores.publisher import PACE, Pace, pause_after, publish_next
from flask_sse_routes import BrokerUnavailable
from flask_sse_routes.client import connect
from flask_sse_routes.testing import TestStream, sse_client
from tests.app_fixtures import logging_restored, make_console
from tests.conftest import Eventually

QUICK = Pace(result=0.01, day=0.01, season=0.05, unseen=0.05)


@pytest.fixture(name="app")
def make_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> Iterator[Flask]:
    monkeypatch.setattr(publisher, "PACE", QUICK)
    monkeypatch.setattr(publisher, "RETRY", 0.02)
    with logging_restored():
        app = make_console(tmp_path)
        yield app
        eventually(lambda: publisher_of(app)._pid is None)


def read(stream: TestStream) -> tuple[str | None, Any]:
    event = stream.next()
    return event.event, json.loads(event.data)


def test_results_are_those_of_the_file() -> None:
    assert (len(matches()), days()) == (380, 66)
    assert [match.number for match in matches()] == list(range(1, 381))
    fixtures = {(match.home, match.away) for match in matches()}
    teams = {home for home, _ in fixtures}
    assert (len(fixtures), len(teams)) == (380, 20)
    assert [match.date for match in matches()] == sorted(match.date for match in matches())
    last = matches()[-1]
    assert (last.home, last.home_goals, last.away_goals, last.away) == (
        "West Bromwich Albion",
        1,
        1,
        "Liverpool",
    )


def test_stream_begins_with_the_season_so_far_and_goes_on(app: Flask) -> None:
    streams = sse_client(app)
    with streams.open("/api/scores") as first:
        assert read(first) == ("snapshot", {"season": 1, "of": 380, "days": 66, "results": []})
        seen = [read(first) for _ in range(5)]
        assert [(name, data["number"]) for name, data in seen] == [
            ("result", number) for number in range(1, 6)
        ]
        with streams.open("/api/scores") as second:
            number = len(read(second)[1]["results"])
            assert number >= 5
            while (data := read(second)[1])["number"] <= number:
                pass
            assert data["number"] == number + 1
            assert data["home"] == matches()[number].home
            assert data["season"] == 1


def test_client_that_comes_back_gets_what_it_missed(app: Flask) -> None:
    with sse_client(app).open("/api/scores") as stream:
        for _ in range(3):
            seen = stream.next()
        last = json.loads(seen.data)["number"]
        with sse_client(app).open("/api/scores", last_event_id=str(seen.id)) as other:
            assert [read(other)[1]["number"] for _ in range(4)] == list(range(last + 1, last + 5))


def test_season_begins_again_after_the_last_match(app: Flask) -> None:
    with app.app_context():
        progress.remember(Progress(4, 378))
    with sse_client(app).open("/api/scores") as stream:
        assert len(read(stream)[1]["results"]) == 378
        names = [read(stream) for _ in range(4)]
    assert [name for name, _ in names] == ["result", "result", "season", "result"]
    assert names[2][1] == {"season": 5}
    assert (names[3][1]["season"], names[3][1]["number"]) == (5, 1)


def test_it_stops_when_nobody_has_looked_for_a_while(app: Flask, eventually: Eventually) -> None:
    with sse_client(app).open("/api/scores") as stream:
        for _ in range(3):
            stream.next()
    eventually(lambda: publisher_of(app)._pid is None)
    with app.app_context():
        stopped = reached()
        assert reached() == stopped
    with sse_client(app).open("/api/scores") as stream:
        assert len(read(stream)[1]["results"]) == stopped.played
        assert read(stream)[1]["number"] == stopped.played + 1


def publisher_of(app: Flask) -> publisher.Publisher:
    found: publisher.Publisher = app.extensions[publisher.EXTENSION]
    return found


def test_only_who_has_the_lock_publishes(app: Flask, tmp_path: Path) -> None:
    with (tmp_path / "scores.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with sse_client(app).open("/api/scores") as stream:
            stream.next()
            with pytest.raises(AssertionError, match="No event within"):
                stream.next(timeout=0.5)
            fcntl.flock(file, fcntl.LOCK_UN)
            assert read(stream)[1]["number"] == 1


@pytest.mark.parametrize("dies_before", [sse.publish, progress.remember])
def test_nothing_is_lost_or_published_twice_when_it_dies_in_between(
    app: Flask, dies_before: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_args: Any, **_kwargs: Any) -> None:
        raise SystemExit

    with app.app_context():
        at = publish_next(publish_next(reached()))
        with monkeypatch.context() as patch:
            if dies_before is progress.remember:
                patch.setattr(publisher, "remember", die)
            else:
                patch.setattr(sse, "publish", die)
            with contextlib.suppress(SystemExit):
                publish_next(at)
        publish_next(reached())
        numbers = [event.data["number"] for event in sse.history(CHANNEL)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_season_goes_on_after_a_failure(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = 0

    def publish_next_or_fail(at: Progress) -> Progress:
        nonlocal failures
        if at.played == 2 and failures < 3:
            failures += 1
            raise BrokerUnavailable("away")
        return publish_next(at)

    monkeypatch.setattr(publisher, "publish_next", publish_next_or_fail)
    with sse_client(app).open("/api/scores") as stream:
        stream.next()
        assert [read(stream)[1]["number"] for _ in range(4)] == [1, 2, 3, 4]
    assert failures == 3


@pytest.mark.parametrize(
    ("played", "pause"),
    [(0, PACE.day), (1, PACE.result), (5, PACE.result), (6, PACE.day), (380, PACE.season)],
)
def test_pace(played: int, pause: float) -> None:
    assert pause_after(Progress(1, played)) == pause


def test_page_says_that_it_is_a_replay_and_of_what(app: Flask) -> None:
    text = " ".join(app.test_client().get("/scores").text.split())
    assert "A replay of the past" in text
    assert "OpenFootball (public domain)" in text


def test_other_workers_take_over(tmp_path: Path) -> None:
    """Whichever worker dies or is replaced, who follows gets every result once, in order."""
    environment = {
        "FLASK_DATA_FOLDER": str(tmp_path / "data"),
        "FLASK_REPLAY_SPEED": "50",
        "FLASK_OPEN_TO_ALL": "1",
    }
    settings = {"SSE_RETRY": 50}
    serving = Serving(
        "app:create_app()", tmp_path, workers=2, environment=environment, settings=settings
    )
    try:
        with connect(f"{serving.url}/api") as client, client.sse.scores() as stream:
            numbers: list[int] = []
            for event in stream:
                if event.event == "snapshot":
                    assert not numbers
                elif event.event == "result":
                    numbers.append(event.data["number"])
                if len(numbers) in (20, 60):
                    os.kill(holder(tmp_path / "data" / "scores.lock"), signal.SIGKILL)
                elif len(numbers) == 40:
                    serving.process.send_signal(signal.SIGHUP)
                elif len(numbers) == 90:
                    break
        assert numbers == list(range(1, 91))
    finally:
        serving.kill()


def holder(lock: Path) -> int:
    """Return the process that holds a lock."""
    inode = lock.stat().st_ino
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}"):
            return int(fields[4])
    raise AssertionError("Nobody holds the lock.")


def test_only_the_latest_result_is_asked_for(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    history = sse.history
    asked = []

    def note(channel: str, *, limit: int) -> Any:
        asked.append(limit)
        return history(channel, limit=limit)

    monkeypatch.setattr(sse, "history", note)
    with app.app_context():
        at = publish_next(publish_next(reached()))
        assert reached() == at == Progress(1, 2)
    assert asked == [1, 1]

"""The demo's prices: a replay that is the same for everybody, by the clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.prices.clock import REST, Position, position_of
from app.prices.series import SYMBOLS, table
from flask_sse_routes.testing import TestStream, sse_client
from tests.app_fixtures import logging_restored, make_console

MONTHS = 123
ROUND = MONTHS + REST
# Where a stream is slow, months come several at a time; here one is a fiftieth of a second.
SPEED = 50


class Wall:
    """A clock that a test sets, in months of a round."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = 0.0
        monkeypatch.setattr("app.prices.clock.time.time", lambda: self.at / SPEED)

    def set(self, round: int, month: float) -> None:
        self.at = round * ROUND + month + 0.5


@pytest.fixture(name="app")
def make_app(tmp_path: Path) -> Iterator[Flask]:
    with logging_restored():
        yield make_console(tmp_path, REPLAY_SPEED=SPEED)


@pytest.fixture(name="wall")
def make_wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    return Wall(monkeypatch)


def read(stream: TestStream) -> tuple[str | None, str | None, Any]:
    event = stream.next()
    return event.event, event.id, json.loads(event.data)


def test_data_are_those_of_the_file() -> None:
    months, prices = table()
    assert (months[0], months[-1], len(months)) == (date(2000, 1, 1), date(2010, 3, 1), MONTHS)
    assert prices.keys() == set(SYMBOLS)
    assert sum(price is not None for column in prices.values() for price in column) == 560
    assert prices["MSFT"][0] == 39.81
    assert prices["AAPL"][-1] == 223.02
    assert prices["GOOG"][:56] == [None] * 55 + [102.37]


def test_stream_begins_with_the_round_so_far_and_goes_on(app: Flask, wall: Wall) -> None:
    wall.set(7, 2)
    with sse_client(app).open("/api/prices?symbols=MSFT&symbols=GOOG") as stream:
        name, id, begun = read(stream)
        assert (name, id) == ("begun", "7-2")
        assert (begun["of"], begun["last"]) == (MONTHS, "2010-03-01")
        assert [month["month"] for month in begun["months"]] == [
            "2000-01-01",
            "2000-02-01",
            "2000-03-01",
        ]
        assert begun["months"][0]["quotes"] == [
            {"symbol": "MSFT", "price": 39.81, "change": None, "total": 0.0}
        ]
        assert begun["months"][2]["quotes"] == [
            {"symbol": "MSFT", "price": 43.22, "change": 18.9, "total": 8.57}
        ]
        wall.set(7, 4)
        assert [read(stream)[1] for _ in range(2)] == ["7-3", "7-4"]
        wall.set(7, 55)
        months = [read(stream)[2] for _ in range(51)]
        assert [len(month["quotes"]) for month in months] == [1] * 50 + [2]
        assert months[-1]["quotes"][1]["total"] == 0.0


def test_round_rests_at_its_end_and_begins_again(app: Flask, wall: Wall) -> None:
    wall.set(0, MONTHS - 2)
    with sse_client(app).open("/api/prices") as stream:
        assert read(stream)[1] == "0-121"
        wall.set(0, MONTHS + REST - 1)
        assert read(stream)[:2] == ("month", "0-122")
        wall.set(1, 0)
        name, id, begun = read(stream)
        assert (name, id, len(begun["months"])) == ("begun", "1-0", 1)


@pytest.mark.parametrize("header", [True, False])
def test_client_that_comes_back_gets_what_it_missed(app: Flask, wall: Wall, header: bool) -> None:
    wall.set(3, 10)
    query = "" if header else "&last_event_id=3-7"
    last = "3-7" if header else None
    path = f"/api/prices?symbols=IBM{query}"
    with sse_client(app).open(path, last_event_id=last) as stream:
        assert [read(stream)[:2] for _ in range(3)] == [("month", f"3-{n}") for n in (8, 9, 10)]
        wall.set(3, 11)
        assert read(stream)[:2] == ("month", "3-11")


@pytest.mark.parametrize(
    "foreign", ["2-7", "4-7", "3-11", "3-999", "3", "3-", "-7", "3-7x", "٣-7", "x" * 300, "1e3-7"]
)
def test_any_other_id_begins_anew(app: Flask, wall: Wall, foreign: str) -> None:
    wall.set(3, 10)
    path = "/api/prices"
    with sse_client(app).open(path, last_event_id=foreign.encode().decode("latin-1")) as stream:
        assert read(stream)[:2] == ("begun", "3-10")


@pytest.mark.parametrize("text", [None, "", "1_0-7", " 1-7", "1-7\n", "1" * 13 + "-7", "1-1234"])
def test_grammar_of_ids(text: str | None) -> None:
    assert position_of(text) is None
    assert position_of(Position(12, 122).id) == Position(12, 122)


@pytest.mark.parametrize("query", ["symbols=", "symbols=TSLA", "symbols=" + "&symbols=IBM" * 11])
def test_symbols_are_checked(app: Flask, query: str) -> None:
    response = app.test_client().get(f"/api/prices?{query}")
    assert response.status_code == 422
    assert response.get_json()["errors"][0]["loc"][0] == "symbols"


def test_all_workers_and_visitors_are_at_the_same_month(app: Flask, tmp_path: Path) -> None:
    other = make_console(tmp_path / "other", REPLAY_SPEED=SPEED)
    with sse_client(app).open("/api/prices") as one, sse_client(other).open("/api/prices") as two:
        seen = [{read(stream)[1] for _ in range(20)} for stream in (one, two)]
    assert len(seen[0] & seen[1]) > 10


def test_page_says_that_it_is_a_replay_and_of_what(app: Flask) -> None:
    text = " ".join(app.test_client().get("/prices").text.split())
    assert "A replay of the past" in text
    assert "vega-datasets (BSD-3-Clause)" in text
    assert all(f'value="{symbol}"' in text for symbol in SYMBOLS)


def test_who_joins_others_asks_for_the_round_so_far(app: Flask, wall: Wall) -> None:
    wall.set(7, 2)
    with sse_client(app).open("/api/prices?symbols=MSFT") as stream:
        begun = read(stream)[2]
    asked = app.test_client().get("/api/prices/so-far?symbols=MSFT&symbols=MSFT")
    assert asked.get_json() == begun
    assert app.test_client().get("/api/prices/so-far?symbols=NONE").status_code == 422

"""Scores in browsers: the table that results make, from the first one to the next season."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from app.scores.fixtures import matches
from flask_sse_routes import broker_from_url

from .consoles import Console
from .visitors import DANGER, MOTION, NewVisitor


class League:
    """Publishes in place of the server, which waits for the lock."""

    def __init__(self, data: Path) -> None:
        self._broker = broker_from_url(f"sqlite:///{data / 'events.db'}")
        self.number = 0

    def publish(self, **change: Any) -> None:
        result = matches()[self.number].model_dump(mode="json")
        self.number += 1
        self._broker.publish("scores", {**result, "season": 1, **change}, event="result")

    def publish_season(self, season: int) -> None:
        self._broker.publish("scores", {"season": season}, event="season")

    def close(self) -> None:
        self._broker.close()


@pytest.fixture(name="league")
def make_league(own_console: Console) -> Iterator[League]:
    with (own_console.data / "scores.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        league = League(own_console.data)
        yield league
        league.close()


def ranked(page: Page) -> list[str]:
    rows: list[str] = page.locator(".league tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td:not(.form):not(.detail), th')]"
        ".map(cell => cell.innerText.trim().replace(/\\s+/g, '').replace('\u2212', '-')).join(' '))"
    )
    return rows


def test_scores_make_a_table_that_every_tab_and_reload_shows(
    own_console: Console, visitor: NewVisitor, league: League
) -> None:
    session = visitor(console=own_console, **MOTION)
    page = session.open("/scores")
    expect(page.locator("#season [data-figure=played]")).to_have_text("0")
    for _ in range(6):
        league.publish()
    expect(page.locator("#season [data-figure=played]")).to_have_text("6")
    # 8 August 2015: 1-0, 0-1, 2-2, 4-2, 1-3, 2-2.
    after_a_day = [
        "1 LeicesterCity 1 +2 3",
        "2 CrystalPalace 1 +2 3",
        "3 AstonVilla 1 +1 3",
        "4 ManchesterUnited 1 +1 3",
        "5 Chelsea 1 0 1",
        "6 Everton 1 0 1",
        "7 Swansea 1 0 1",
        "8 Watford 1 0 1",
        "9 Bournemouth 1 -1 0",
        "10 TottenhamHotspur 1 -1 0",
        "11 Sunderland 1 -2 0",
        "12 Norwich 1 -2 0",
    ]
    assert ranked(page) == after_a_day
    other = session.open("/scores")
    page.reload()
    for each in (page, other):
        expect(each.locator(".results li")).to_have_count(6)
        assert ranked(each) == after_a_day
    league.publish(home="Leicester City", away=DANGER, home_goals=0, away_goals=5)
    for each in (page, other):
        expect(each.locator(".league tbody th").first).to_have_text(DANGER)
        expect(each.locator(".results li").first).to_contain_text(DANGER)
        leicester = each.locator(".league tbody tr").filter(has_text="Leicester City")
        expect(leicester.locator(".move")).to_contain_text("down 4")
        assert each.title() == "Scores · Console"
    page.get_by_label("Team").select_option("Everton")
    expect(page.locator(".results li")).to_have_count(1)
    expect(page.locator("[data-chosen=yes] th")).to_have_text("Everton")
    league.publish(home="Everton", away="Watford", home_goals=3, away_goals=0)
    expect(page.locator("#said")).to_have_text("Everton 3, Watford 0.")
    league.publish_season(2)
    expect(page.locator(".results li")).to_have_count(0)
    expect(page.locator(".league tbody tr")).to_have_count(0)
    expect(page.locator("#said")).to_have_text("The season begins again.")

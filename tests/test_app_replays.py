"""The panels of notifications and scores in Chromium, served by two workers of gunicorn."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from clients.conftest import missing
from clients.serving import Serving
from e2e.chromium import chromium_at
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from app.posting import BURST
from app.scores.fixtures import matches
from flask_sse_routes import broker_from_url

DANGER = "<img src=x onerror=document.title='gone'></script><script>document.title='gone'</script>"
# Pages of a headless browser are all in front: a test says which is not.
AWAY = "Object.defineProperty(document, 'hidden', {get: () => window.isAway ?? false})"


@pytest.fixture(name="chromium", scope="module")
def start_chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        missing("chromium")
    with chromium_at(str(path)) as browser:
        yield browser


@pytest.fixture(name="folder", scope="module")
def make_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("console")


@pytest.fixture(name="serving", scope="module")
def serve(folder: Path) -> Iterator[Serving]:
    environment = {
        "FLASK_DATA_FOLDER": str(folder / "data"),
        "FLASK_REPLAY_SPEED": "5",
        "FLASK_OPEN_TO_ALL": "1",
    }
    serving = Serving("app:create_app()", folder, workers=2, environment=environment)
    yield serving
    serving.kill()
    assert "Traceback" not in serving.log


@pytest.fixture(name="context")
def open_context(chromium: Browser) -> Iterator[BrowserContext]:
    """Tabs in which nothing may be said on the console, as the policy's refusals are."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(AWAY)
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "429" not in message.text:
            said.append(message.text)

    context.on("console", note)
    context.on("weberror", lambda error: said.append(str(error.error)))
    yield context
    context.close()
    assert said == []


def opened(context: BrowserContext, serving: Serving, path: str, state: str = "Live") -> Page:
    page = context.new_page()
    page.goto(f"{serving.url}/{path}")
    expect(page.locator("main .state").first).to_have_text(state)
    return page


def post(serving: Serving, message: str) -> int:
    answer = httpx.post(f"{serving.url}/api/notify", json={"message": message})
    return answer.status_code


def test_unread_ones_are_counted_in_the_title(context: BrowserContext, serving: Serving) -> None:
    page, other = (opened(context, serving, "") for _ in range(2))
    page.evaluate("window.isAway = true")
    for number in (1, 2):
        assert post(serving, f"unread {number}") == 200
        expect(page).to_have_title(f"({number}) Overview · Console")
    expect(other.locator(".notes li").first).to_contain_text("unread 2")
    expect(other.locator("#arrived")).to_contain_text("info: unread 2")
    assert other.title() == "Overview · Console"
    page.evaluate("window.isAway = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page).to_have_title("Overview · Console")


def test_older_ones_are_loaded_and_a_flood_is_refused(
    context: BrowserContext, serving: Serving
) -> None:
    page = opened(context, serving, "")
    while post(serving, "flood") != 429:
        pass
    page.reload()
    expect(page.locator(".notes li")).to_have_count(10)
    older = page.get_by_role("button", name="Show older ones")
    page.get_by_label("Message").fill("one too many")
    while not page.locator("#notifications .problem").is_visible():
        post(serving, "flood")
        page.get_by_label("Message").fill("one too many")
        page.get_by_role("button", name="Send").click()
        page.wait_for_timeout(20)
    expect(page.locator("#notifications .problem")).to_contain_text("Too many at once: try again")
    older.click()
    expect(page.locator(".notes li").nth(BURST - 1)).to_be_visible()
    expect(page.locator(".notes .text").last).to_be_visible()


class League:
    """Publishes in place of the server, which waits for the lock."""

    def __init__(self, folder: Path) -> None:
        self._broker = broker_from_url(f"sqlite:///{folder / 'data' / 'events.db'}")
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
def make_league(folder: Path) -> Iterator[League]:
    with (folder / "data" / "scores.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        league = League(folder)
        yield league
        league.close()


def ranked(page: Page) -> list[str]:
    rows: list[str] = page.locator(".league tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('td:not(.form):not(.detail), th')]"
        ".map(cell => cell.innerText.trim().replace(/\\s+/g, '').replace('\u2212', '-')).join(' '))"
    )
    return rows


def test_scores_make_a_table_that_every_tab_and_reload_shows(
    context: BrowserContext, serving: Serving, league: League
) -> None:
    page = opened(context, serving, "scores")
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
    other = opened(context, serving, "scores")
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

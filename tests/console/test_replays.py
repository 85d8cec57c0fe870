"""Prices and scores: replays that go on, the same for all, and stated as what they are."""

from __future__ import annotations

import re

import pytest
from e2e.waiting import wait_for
from playwright.sync_api import Locator, Page, expect

from .consoles import Console
from .visitors import NewVisitor

# Results that one tab may be behind the other.
SLACK = 25


def figure(page: Page, name: str) -> Locator:
    return page.locator(f'[data-figure="{name}"]')


def played(page: Page) -> int:
    return int(re.sub(r"\D", "", figure(page, "played").inner_text()) or 0)


@pytest.mark.parametrize("path", ["/prices", "/scores"])
def test_replay_is_stated(visitor: NewVisitor, path: str) -> None:
    page = visitor().open(path)
    expect(page.locator(".notice")).to_contain_text("A replay of the past")
    expect(page.locator(".notice")).to_contain_text("real")


def test_prices_go_on(visitor: NewVisitor) -> None:
    page = visitor().open("/prices")
    month = page.locator("#prices .month")
    expect(month).to_have_text(re.compile(r"^[A-Z][a-z]+ 20\d\d$"))
    before = month.inner_text()
    expect(month).not_to_have_text(before)
    expect(page.locator("table.prices tbody tr")).to_have_count(5)
    expect(page.locator(".chart svg")).to_have_attribute("aria-label", re.compile("Price, dollars"))
    page.locator("#scale").select_option("total")
    expect(page.locator(".chart svg")).to_have_attribute("aria-label", re.compile("^Change since"))


def test_prices_are_those_of_the_data(visitor: NewVisitor) -> None:
    """At the end of the data every round rests: there the last prices can be read."""
    page = visitor().open("/prices")
    expect(page.locator("#prices .month")).to_have_text("March 2010", timeout=30_000)
    ibm = page.locator('tr[data-series="IBM"]')
    expect(ibm.locator('[data-cell="price"]')).to_have_text("125.55")


def test_companies_are_chosen(visitor: NewVisitor) -> None:
    page = visitor().open("/prices")
    for name in ("Apple", "Amazon", "Google", "IBM"):
        page.get_by_role("checkbox", name=name).uncheck()
    expect(page.locator("table.prices tbody tr:visible")).to_have_count(1)
    expect(page.get_by_role("checkbox", name="Microsoft")).to_be_disabled()
    month = page.locator("#prices .month")
    before = month.inner_text()
    expect(month).not_to_have_text(before)
    expect(page.locator("main .state").first).to_have_text("Live")


def test_season_goes_on_and_the_table_adds_up(visitor: NewVisitor) -> None:
    page = visitor().open("/scores")
    wait_for(lambda: played(page) > 0, "a result", 20)
    before = played(page)
    wait_for(lambda: played(page) not in (0, before), "the next result", 20)
    expect(page.locator(".league tbody tr").first.locator("th")).not_to_be_empty()
    games, of = page.evaluate(
        """() => [
          [...document.querySelectorAll(".league tbody tr")]
            .reduce((sum, row) => sum + Number(row.cells[2].textContent), 0),
          Number(document.querySelector('[data-figure="played"]').textContent),
        ]"""
    )
    assert games == 2 * of


def test_one_team_is_followed(visitor: NewVisitor) -> None:
    page = visitor().open("/scores")
    choice = page.get_by_label("Team")
    wait_for(lambda: choice.locator("option").count() > 15, "the teams", 30)
    name = choice.locator("option").nth(1).inner_text()
    choice.select_option(name)
    rows = page.locator(".results li")
    wait_for(lambda: rows.count() > 0, "a match of the team", 30)
    assert all(name in text for text in rows.all_inner_texts())
    expect(page.locator('.league tr[data-chosen="yes"] th')).to_have_text(name)


def test_two_tabs_on_both_workers_show_the_same(console: Console, visitor: NewVisitor) -> None:
    tabs = []
    for number in (0, 1):
        with console.one_worker(number):
            tabs.append(visitor().open("/scores"))

    def is_the_same() -> bool:
        early, other, late = (played(tabs[number]) for number in (0, 1, 0))
        return 0 < early - SLACK <= other <= late + SLACK

    # Two replays of their own would stay as far apart as they began.
    wait_for(is_the_same, "the same result in both", 30)

"""Tasks in browsers: what a page shows stays what the server keeps, and the focus where it was."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import Any

import psutil
import pytest
from e2e.waiting import wait_for
from playwright.sync_api import Locator, Page, expect

from .consoles import Console
from .visitors import DANGER, NewVisitor, pill

KEPT = 50


def ended(number: int) -> dict[str, Any]:
    """A task as the server tells of it."""
    minute, second = divmod(number, 60)
    at = f"2026-01-01T12:{minute:02}:{second:02}Z"
    return {
        "id": 100_000 + number,
        "kind": "count",
        "title": f"Number {number}",
        "by": None,
        "state": "failed",
        "cancelling": False,
        "created": at,
        "started": at,
        "finished": at,
        "done": 1,
        "total": 1,
        "unit": "numbers",
        "problem": None,
        "updated": 1.0,
    }


def rows(page: Page) -> Locator:
    return page.locator(".tasks > li")


def count_primes(page: Page, limit: int = 20_000_000) -> Locator:
    page.locator("#count [name=limit]").fill(str(limit))
    page.locator("#count button").click()
    return rows(page).first


def test_rows_are_those_that_the_server_keeps(console: Console, visitor: NewVisitor) -> None:
    session = visitor()
    session.expects("status of 404")
    page = session.open("/tasks")
    console.publish("tasks", *(ended(number) for number in range(75)))
    expect(page.get_by_role("button", name="Number 74", exact=True)).to_be_visible()
    expect(rows(page)).to_have_count(KEPT)
    gone = page.get_by_role("button", name="Number 40", exact=True)
    gone.click()
    expect(gone).to_have_count(0)
    expect(page.get_by_role("button", name="Number 39", exact=True)).to_be_focused()
    expect(page.locator("#tasks [role=status]")).to_have_text("Number 40: not kept any more.")
    expect(page.locator("#connection summary")).to_have_text("Live")
    assert "#task" not in page.url
    page.get_by_role("button", name="Start again: Number 50", exact=True).click()
    expect(page.locator("#tasks > .problem")).to_have_text("There is no such task.")
    expect(page.get_by_role("button", name="Number 50", exact=True)).to_have_count(0)


def test_button_that_was_pressed_keeps_the_focus(visitor: NewVisitor) -> None:
    page = visitor().open("/tasks")
    row = count_primes(page)
    expect(row).to_have_attribute("data-state", "running")
    cancel = row.get_by_role("button", name="Cancel: Count")
    cancel.focus()
    lost = page.evaluate_handle(
        """() => {
          const seen = [];
          document.addEventListener("focusout", () => setTimeout(
            () => seen.push(document.activeElement.className || document.activeElement.tagName)));
          return seen;
        }"""
    )
    page.keyboard.press("Enter")
    expect(row).to_have_attribute("data-state", "cancelled")
    expect(row.get_by_role("button", name="Start again: Count")).to_be_focused()
    assert "BODY" not in lost.json_value()


def test_pressed_order_keeps_the_focus(visitor: NewVisitor) -> None:
    session = visitor()
    page = session.sign_in("alice")
    page.get_by_label("Item").fill("A focus")
    page.get_by_role("button", name="Place order").click()
    expect(page.locator(".orders > li").filter(has_text="A focus")).to_have_count(1)
    page = visitor().sign_in("olga")
    order = page.locator(".orders > li").filter(has_text="A focus").first
    for state in ("packed", "shipped"):
        button = order.get_by_role("button", name="Mark order")
        expect(button).to_have_text(f"Mark {state}")
        button.focus()
        page.keyboard.press("Enter")
        expect(button).not_to_have_text(f"Mark {state}")
        expect(button).to_be_focused()


def test_what_can_be_chosen_is_asked_for_again(visitor: NewVisitor) -> None:
    session = visitor()
    session.expects("net::ERR_FAILED", "Failed to load")
    session.context.route("**/api/task-choices", lambda route: route.abort())
    page = session.open("/tasks", state="Live")
    problem = page.locator("#tasks > .problem")
    expect(problem).to_have_text("The server did not answer.")
    session.context.unroute("**/api/task-choices")
    session.console.serving.lose_workers()
    expect(page.locator("#import option")).not_to_have_count(0, timeout=60_000)
    expect(problem).to_be_hidden()
    expect(pill(page)).to_have_text("Live")


def test_started_task_comes_into_view_on_a_phone(visitor: NewVisitor) -> None:
    page = visitor(viewport={"width": 360, "height": 740}).open("/tasks")
    page.locator("#hash button").scroll_into_view_if_needed()
    row = count_primes(page, 10_000)
    expect(row).to_contain_text("Count the primes up to 10,000")
    expect(row).to_be_in_viewport()


def test_task_goes_on_while_the_page_is_away(visitor: NewVisitor) -> None:
    page, other = (visitor().open("/tasks") for _ in range(2))
    row = count_primes(page)
    expect(row).to_have_attribute("data-state", "running")
    expect(rows(other).first).to_have_attribute("data-state", "running")
    expect(page).to_have_url(re.compile(r"#task-\d+$"))
    page.reload()
    expect(row.locator("progress")).to_be_visible()
    expect(row.get_by_role("button", expanded=True)).to_be_visible()
    other.get_by_role("button", name="Cancel: Count").click()
    for each in (page, other):
        expect(rows(each).first).to_have_attribute("data-state", "cancelled")
    other.get_by_role("button", name="Start again: Count").first.click()
    expect(row).to_have_attribute("data-state", "running")
    page.get_by_role("button", name="Cancel: Count").click()
    expect(row).to_have_attribute("data-state", "cancelled")


def test_own_table_is_summed_up(visitor: NewVisitor) -> None:
    page = visitor().open("/tasks")
    table = f"place;what;n\nBasel;{DANGER};2\nBern;x;5\nBasel;y;3\n".encode("cp1252")
    field = page.locator("input[type=file]")
    field.set_input_files({"name": "mine.csv", "mimeType": "text/csv", "buffer": table})
    expect(page.locator("[name=data_set]")).to_contain_text("mine.csv")
    page.get_by_role("checkbox", name="what").uncheck()
    page.locator("#import button").click()
    problem = page.locator("#import .problem")
    expect(problem).to_have_text("Choose one to three columns to group by.")
    page.get_by_role("checkbox", name="what").check()
    page.locator("#import button").click()
    sums = rows(page).first.locator(".result tbody tr")
    expect(sums).to_have_count(3)
    expect(sums.nth(2)).to_contain_text(DANGER)
    assert page.title() == "Tasks · Console"
    field.set_input_files({"name": "huge.csv", "mimeType": "text/csv", "buffer": b"x" * 2_000_001})
    expect(problem).to_contain_text("2,000,000 is the most")


def test_task_of_a_worker_that_ends_is_interrupted(
    own_console: Console, visitor: NewVisitor
) -> None:
    session = visitor(console=own_console)
    session.expects("net::ERR_")
    page = session.open("/tasks")
    row = count_primes(page)
    expect(row).to_have_attribute("data-state", "running")
    owner_of_the_newest(own_console).kill()
    expect(row).to_have_attribute("data-state", "interrupted", timeout=30_000)
    expect(row).to_contain_text("The process that ran it is gone.")
    page.get_by_role("button", name="Start again: Count").first.click()
    expect(row).to_have_attribute("data-state", "running")
    own_console.serving.reload()
    expect(row).to_have_attribute("data-state", "interrupted", timeout=20_000)
    expect(row).to_contain_text("The server was stopped or restarted.")


def owner_of_the_newest(console: Console) -> psutil.Process:
    with closing(sqlite3.connect(console.data / "console.db")) as db:
        query = "SELECT owner FROM tasks WHERE state = 'running' ORDER BY id DESC LIMIT 1"
        row = wait_for(lambda: db.execute(query).fetchone(), "a running task")
    return psutil.Process(int(row[0].split("-")[-2]))


def test_tabs_that_follow_one_task_all_have_its_result(visitor: NewVisitor) -> None:
    session = visitor()
    page = session.open("/tasks")
    row = count_primes(page, 3_000_000)
    expect(page).to_have_url(re.compile(r"#task-\d+$"))
    path = "/tasks" + page.url[page.url.index("#") :]
    pages = [page, *(session.open(path) for _ in range(2))]
    for each in pages:
        expect(rows(each).first.locator(".result")).to_contain_text("216,816", timeout=30_000)
    assert row.is_visible()


@pytest.mark.parametrize("path", ["/dashboard", "/tasks"])
def test_page_works_where_storage_is_blocked(visitor: NewVisitor, path: str) -> None:
    session = visitor()
    session.expects("willReadFrequently")
    session.context.add_init_script(BLOCKED)
    page = session.open(path)
    if path == "/dashboard":
        page.get_by_role("button", name="1 min", exact=True).click()
        expect(page.get_by_role("button", name="1 min", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )
        expect(page.locator('[data-figure="cpu"]')).to_have_text(re.compile(r"^\d"))


# As a browser that lets no site keep anything does.
BLOCKED = """
Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("The operation is insecure.", "SecurityError"); },
});
"""

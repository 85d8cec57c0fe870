"""Notifications, in tabs on both workers, and what was before them."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from .consoles import Console
from .visitors import DANGER, NewVisitor, is_untouched

# Pages of a headless browser are all in front: a test says which is not.
AWAY = "Object.defineProperty(document, 'hidden', {get: () => window.isAway ?? false})"


def notes(page: Page) -> Locator:
    return page.locator(".notes > li")


def send(page: Page, message: str, level: str = "info") -> None:
    page.get_by_label("Message").fill(message)
    page.get_by_label("Level").select_option(level)
    page.get_by_role("button", name="Send").click()


def test_what_one_tab_sends_is_seen_on_the_other_worker(
    console: Console, visitor: NewVisitor
) -> None:
    tabs = []
    for number in (0, 1):
        with console.one_worker(number):
            tabs.append(visitor().open("/"))
    for sender, other, message in ((*tabs, "there"), (*tabs[::-1], "and back")):
        send(sender, message, "warning")
        for page in (sender, other):
            expect(notes(page).first).to_contain_text(message)
            expect(notes(page).first.locator(".tag")).to_have_text("warning")
        expect(sender.get_by_label("Message")).to_be_focused()
        expect(sender.get_by_label("Message")).to_have_value("")
    for page in tabs:
        expect(page.locator("#activity .workers > li")).to_have_count(2)


def test_history_is_there_after_a_reload(console: Console, visitor: NewVisitor) -> None:
    at = "2026-01-01T12:00:00Z"
    messages = [{"message": f"Number {n}", "level": "info", "at": at} for n in range(30)]
    console.publish("notifications", *messages)
    page = visitor().open("/")
    expect(notes(page).first).to_contain_text("Number 29")
    send(page, "the last one", "success")
    expect(notes(page).first).to_contain_text("the last one")
    page.reload()
    expect(notes(page).first).to_contain_text("the last one")
    before = notes(page).all_inner_texts()
    page.get_by_role("button", name="Show older ones").click()
    expect(notes(page).locator(".text").filter(has_text=re.compile("^Number 0$"))).to_have_count(1)
    assert notes(page).all_inner_texts()[: len(before)] == before
    assert len(set(notes(page).evaluate_all("items => items.map(item => item.dataset.id)"))) == (
        notes(page).count()
    )


def test_tabs_of_one_visitor_see_the_same(visitor: NewVisitor) -> None:
    session = visitor()
    first, second = session.open("/"), session.open("/")
    send(second, "one of two")
    for page in (first, second):
        expect(notes(page).filter(has_text="one of two")).to_have_count(1)
    first.close()
    send(second, "one of one")
    expect(notes(second).first).to_contain_text("one of one")


def test_text_stays_text(visitor: NewVisitor) -> None:
    session = visitor()
    page, other = session.open("/"), session.open("/")
    send(page, DANGER, "error")
    for each in (page, other):
        expect(notes(each).first.locator(".text")).to_have_text(DANGER)
        assert is_untouched(each)
    page.reload()
    expect(notes(page).first.locator(".text")).to_have_text(DANGER)
    assert is_untouched(page)


def test_refused_message_is_explained(visitor: NewVisitor) -> None:
    session = visitor()
    session.expects(r"status of 422")
    page = session.open("/")
    field = page.get_by_label("Message")
    # What the form itself lets pass, and the server does not.
    field.evaluate("field => field.removeAttribute('maxlength')")
    count = notes(page).count()
    field.fill("x" * 201)
    field.press("Enter")
    expect(page.locator("#notifications .problem")).to_contain_text("at most 200 characters")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_be_focused()
    assert notes(page).count() == count


def test_unread_ones_are_counted_in_the_title(console: Console, visitor: NewVisitor) -> None:
    session = visitor()
    session.context.add_init_script(AWAY)
    page, other = (session.open("/") for _ in range(2))
    page.evaluate("window.isAway = true")
    for number in (1, 2):
        console.post("/api/notify", {"message": f"unread {number}"})
        expect(page).to_have_title(f"({number}) Overview · Console")
    expect(notes(other).first).to_contain_text("unread 2")
    expect(other.locator("#arrived")).to_contain_text("info: unread 2")
    assert other.title() == "Overview · Console"
    page.evaluate("window.isAway = false; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page).to_have_title("Overview · Console")

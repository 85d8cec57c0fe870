"""The viewer of logs in browsers: what is found, what is held back, and how much is kept."""

from __future__ import annotations

from pathlib import Path

from e2e.waiting import wait_for
from playwright.sync_api import Page, expect

from .consoles import Console
from .visitors import DANGER, NewVisitor, Visitor

# Kept lines, as logs.js has it.
KEPT = 2000


def log_of(session: Visitor, file: Path, text: str) -> Page:
    file.write_text(text)
    return session.open(f"/logs?file={file}&level=INFO")


def append(file: Path, text: str) -> None:
    with file.open("a") as appended:
        appended.write(text)


def test_log_is_searched(console: Console, visitor: NewVisitor) -> None:
    file = console.folder / "searched.txt"
    session = visitor(permissions=["clipboard-read", "clipboard-write"])
    page = log_of(session, file, f"first (a)\n{DANGER}\nERROR second (b)\n")
    lines = page.locator(".log p")
    expect(lines).to_have_text(["first (a)", DANGER, "ERROR second (b)"])
    assert page.title() == "Logs · Console"
    field = page.get_by_role("searchbox")
    field.fill("(")
    expect(page.locator(".search output")).to_have_text("2 lines")
    page.get_by_label("Regular expression").check()
    expect(page.locator(".search .problem")).to_contain_text("no regular expression")
    field.fill("SEC[o]nd|nothing")
    expect(page.locator(".log mark")).to_have_text(["second"])
    expect(page.locator(".search .problem")).to_be_hidden()
    page.get_by_label("Only matching lines").check()
    expect(lines.filter(visible=True)).to_have_count(1)
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "ERROR second (b)"
    field.fill("")
    page.get_by_label("From level").select_option("ERROR")
    expect(lines).to_have_text(["ERROR second (b)"])
    page.reload()
    expect(lines).to_have_text(["ERROR second (b)"])


def test_log_is_held_back_and_cleared(console: Console, visitor: NewVisitor) -> None:
    file = console.folder / "held.txt"
    page = log_of(visitor(), file, "one\n")
    pause = page.locator("[name=pause]")
    expect(page.locator(".log p")).to_have_count(1)
    pause.click()
    append(file, "two\nthree\n")
    expect(pause).to_have_text("Resume (2)")
    expect(pause).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".log p")).to_have_count(1)
    pause.click()
    expect(page.locator(".log p")).to_have_text(["one", "two", "three"])
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".log p")).to_have_count(0)
    file.unlink()
    expect(page.locator(".log .note")).to_contain_text("not there")
    append(file, "again\n")
    expect(page.locator(".log p").last).to_have_text("again")


def test_long_log_stays_bounded_and_keeps_its_place(console: Console, visitor: NewVisitor) -> None:
    file = console.folder / "long.txt"
    page = log_of(visitor(), file, "begin\n")
    append(file, "".join(f"line {number}\n" for number in range(10_000)))
    lines = page.locator(".log p")
    expect(lines.last).to_have_text("line 9999")
    assert lines.count() <= KEPT
    expect(lines.last).to_be_in_viewport()
    page.locator(".log").focus()
    page.keyboard.press("Home")
    expect(lines.first).to_be_in_viewport()
    append(file, "x\n" * 12)
    newer = page.locator(".newer")
    # A failed look of `expect` draws an outline of all rows, which holds the page up.
    wait_for(lambda: newer.text_content() == "12 new lines ↓", "the count of new lines", 20)
    newer.click()
    expect(lines.last).to_be_in_viewport()
    expect(newer).to_be_hidden()

"""A session in several tabs: when it begins or ends in one of them, all of them show it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from .visitors import NewVisitor, pill

TELL_TWICE = """
const channel = new BroadcastChannel("session");
channel.postMessage("changed");
channel.postMessage("changed");
"""


def test_signing_out_in_one_tab_leaves_public_panels_of_others_live(visitor: NewVisitor) -> None:
    session = visitor()
    session.expects("status of 403")
    first = session.sign_in("bob")
    others = [session.open(path) for path in ("/", "/dashboard", "/prices")]
    for page in others:
        expect(page.locator(".account summary")).to_contain_text("bob")
    first.locator(".account summary").click()
    first.get_by_role("button", name="Sign out").click()
    for page in others:
        expect(page.locator(".account")).to_have_count(0)
        expect(pill(page)).to_have_text("Live")


def test_page_begins_anew_once(visitor: NewVisitor) -> None:
    """However many tell it to: a page that reloads while it reloads may crash in Chromium."""
    session = visitor()
    page, other = (session.open(path) for path in ("/dashboard", "/prices"))
    asked: list[str] = []
    page.on(
        "request", lambda sent: asked.append(sent.url) if sent.is_navigation_request() else None
    )
    with page.expect_navigation():
        other.evaluate(TELL_TWICE)
    expect(pill(page)).to_have_text("Live")
    assert asked == [page.url]


def test_signing_in_shows_in_other_tabs(visitor: NewVisitor) -> None:
    session = visitor()
    session.expects("status of 403")
    other = session.open("/dashboard")
    session.sign_in("bob")
    expect(other.locator(".account summary")).to_contain_text("bob")
    expect(pill(other)).to_have_text("Live")


def test_session_that_ends_without_a_tab_begins_the_page_anew(visitor: NewVisitor) -> None:
    """As when an administrator ends it: no tab tells the others."""
    session = visitor()
    session.expects("status of 401", "status of 403")
    page = session.sign_in("bob")
    expect(pill(page)).to_have_text("Live")
    answer = session.context.request.post(f"{session.console.url}/api/logout")
    assert answer.ok
    expect(page.locator(".account")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("Orders belong to an account")


def test_forms_work_without_scripts(visitor: NewVisitor) -> None:
    page = visitor(java_script_enabled=False).open("/login?next=/orders", state=None)
    sign_in_by_form(page, "wrong")
    expect(page).to_have_url(re.compile(r"/login\?next=/orders$"))
    expect(page.locator(".problem:visible")).to_contain_text("There is no account")
    sign_in_by_form(page, "bob-buys-too")
    expect(page).to_have_url(re.compile(r"/orders$"))
    page.get_by_label("Item").fill("Without a script")
    page.get_by_role("button", name="Place order").click()
    expect(page).to_have_url(re.compile(r"/orders$"))
    expect(page.locator("h1")).to_have_text("Orders")
    bob = visitor().sign_in("bob")
    expect(bob.locator(".orders > li").first).to_contain_text("Without a script")
    page.locator(".account summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.locator("h1")).to_have_text("Overview")


def sign_in_by_form(page: Page, password: str) -> None:
    page.get_by_label("Account", exact=True).fill("bob")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()

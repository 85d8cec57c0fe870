"""A session in several tabs: when it begins or ends in one of them, all of them show it."""

from __future__ import annotations

from playwright.sync_api import expect

from .visitors import NewVisitor, pill


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

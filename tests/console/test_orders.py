"""Orders in browsers: who may see them, two sessions that see the same, and how a session ends."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from .consoles import Console
from .visitors import DANGER, NewVisitor, is_untouched, pill


def place(page: Page, item: str) -> int:
    """Order something; return the order's number."""
    page.get_by_label("Item").fill(item)
    button = page.get_by_role("button", name="Place order")
    button.click()
    order = page.locator(".orders > li").filter(has_text=item)
    expect(order).to_have_count(1)
    # It may come with the stream first; until there is the answer, a click does nothing.
    expect(button).not_to_have_attribute("aria-busy", "true")
    return int(order.get_attribute("data-order") or 0)


def row(page: Page, order: int) -> Locator:
    return page.locator(f'.orders > li[data-order="{order}"]')


def taken(place: Locator) -> Locator:
    return place.locator('.steps > li[data-taken="yes"]')


def test_strangers_are_asked_to_sign_in(console: Console, visitor: NewVisitor) -> None:
    session = visitor()
    session.expects("status of 401")
    page = session.open("/orders", state=None)
    expect(page.locator("main")).to_contain_text("Orders belong to an account")
    status = page.evaluate("fetch('/api/orders').then((answer) => answer.status)")
    assert status == 401
    page.locator("main").get_by_role("link", name="Sign in").click()
    expect(page).to_have_url(f"{console.url}/login?next=/orders")
    page.wait_for_load_state()
    page.get_by_label("Account", exact=True).fill("alice")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.locator(".problem:visible")).not_to_be_empty()
    page.get_by_label("Password").fill("alice-buys")
    page.get_by_label("Password").press("Enter")
    expect(page).to_have_url(f"{console.url}/orders")
    expect(pill(page)).to_have_text("Live")


def test_operator_moves_an_order_on_and_its_owner_sees_it(
    console: Console, visitor: NewVisitor
) -> None:
    with console.one_worker(0):
        alice = visitor().sign_in("alice")
        expect(pill(alice)).to_have_text("Live")
    with console.one_worker(1):
        olga = visitor().sign_in("olga")
        expect(pill(olga)).to_have_text("Live")
    number = place(alice, "A lamp")
    expect(row(olga, number)).to_contain_text("A lamp, for alice")
    alice.get_by_role("link", name=f"Order {number}", exact=True).click()
    expect(pill(alice)).to_have_text("Live")
    for count, step in enumerate(("packed", "shipped", "delivered"), 2):
        olga.get_by_role("button", name=f"Mark order {number} {step}").click()
        expect(taken(alice.locator("#order"))).to_have_count(count)
        expect(taken(row(olga, number))).to_have_count(count)
    expect(alice.locator("#order .steps")).to_contain_text(re.compile("delivered.*by olga"))
    expect(row(olga, number).get_by_role("button")).to_have_count(0)


def test_what_is_written_while_an_order_is_on_its_way_stays(visitor: NewVisitor) -> None:
    page = visitor().sign_in("alice")
    expect(pill(page)).to_have_text("Live")
    place(page, "A pot")
    fields = {name: page.get_by_label(name) for name in ("Item", "Quantity")}
    expect(fields["Item"]).to_have_value("")
    for name, written, item in (("Quantity", "5", "A cup"), ("Item", "A jug", "A bowl")):
        fields["Item"].fill(item)
        send = "(field, written) => { field.form.requestSubmit(); field.value = written; }"
        fields[name].evaluate(send, written)
        button = page.get_by_role("button", name="Place order")
        expect(page.locator(".orders > li").filter(has_text=item)).to_have_count(1)
        expect(button).not_to_have_attribute("aria-busy", "true")
        expect(fields[name]).to_have_value(written)


def test_others_see_nothing_of_it(visitor: NewVisitor) -> None:
    number = place(visitor().sign_in("alice"), "A secret")
    session = visitor()
    session.expects("status of 404")
    bob = session.sign_in("bob")
    expect(pill(bob)).to_have_text("Live")
    expect(row(bob, number)).to_have_count(0)
    bob.goto(f"{session.console.url}/orders/{number}")
    expect(bob.locator("h1")).to_have_text("Not found")


def test_signing_out_ends_the_streams_of_other_tabs(visitor: NewVisitor) -> None:
    session = visitor()
    session.expects("status of 401", "status of 403")
    first = session.sign_in("bob")
    second = session.open("/orders")
    first.locator(".account summary").click()
    first.get_by_role("button", name="Sign out").click()
    expect(first.get_by_role("link", name="Sign in").first).to_be_visible()
    link = second.locator("main").get_by_role("link", name="Sign in")
    expect(link).to_have_attribute("href", "/login?next=/orders")
    expect(second.locator("#orders")).to_have_count(0)


def test_text_stays_text(visitor: NewVisitor) -> None:
    item = DANGER[:80]
    alice, olga = visitor().sign_in("alice"), visitor().sign_in("olga")
    expect(pill(olga)).to_have_text("Live")
    number = place(alice, item)
    for page in (alice, olga):
        expect(row(page, number)).to_contain_text(item)
        assert is_untouched(page)
    alice.get_by_role("link", name=f"Order {number}", exact=True).click()
    expect(alice.locator(".title")).to_contain_text(item)
    assert is_untouched(alice)

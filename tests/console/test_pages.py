"""Every panel on a desktop, on a phone and in the dark: it fits, it works, nothing is refused.

`CONSOLE_SCREENSHOTS` names a folder to keep the pictures in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .consoles import Console
from .visitors import DANGER, MOTION, NewVisitor, is_untouched, pill

FORMS: dict[str, dict[str, Any]] = {
    "desktop": {**MOTION, "viewport": {"width": 1280, "height": 900}},
    "dark": {**MOTION, "viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "phone": {
        **MOTION,
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}
# Each with something of it that has to be filled when its picture is taken.
PANELS = {
    "overview": ("/", ".notes > li"),
    "dashboard": ("/dashboard", "#workers tbody tr"),
    "logs": ("/logs", ".log p"),
    "tasks": ("/tasks", ".tasks > li"),
    "prices": ("/prices", ".chart svg"),
    "scores": ("/scores", ".results li"),
    "orders": ("/orders", ".orders > li"),
    "about": ("/about", "#facts > div"),
}
# What can be used and has no name that a screen reader could say.
UNNAMED = """() => [...document.querySelectorAll("button, a, input, select, [tabindex='0']")]
  .filter((each) => each.checkVisibility())
  .filter((each) => !["aria-label", "aria-labelledby"].some((name) => each.hasAttribute(name)))
  .filter((each) => !(each.innerText || each.labels?.length || each.querySelector("img")))
  .map((each) => each.outerHTML)"""
# Words that nothing breaks, and text that would do something.
LONG = "w" * 150


@pytest.fixture(name="filled", scope="module")
def fill(console: Console) -> Console:
    """A console with something in each panel."""
    for message in ("Version 2.4 is out", LONG, DANGER):
        console.post("/api/notify", {"message": message, "level": "warning"})
    console.append("INFO begins", f"ERROR {LONG}{LONG}", f"WARNING {DANGER}")
    console.post("/api/tasks", {"kind": "count", "limit": 20_000})
    return console


def fits(page: Page) -> bool:
    root = "document.documentElement"
    return bool(page.evaluate(f"{root}.scrollWidth <= {root}.clientWidth"))


def keep(page: Page, folder: Path, name: str) -> None:
    kept = Path(os.environ.get("CONSOLE_SCREENSHOTS", folder))
    kept.mkdir(parents=True, exist_ok=True)
    (kept / f"{name}.png").write_bytes(page.screenshot())


@pytest.mark.parametrize("form", FORMS)
def test_panels_fit(filled: Console, visitor: NewVisitor, form: str, tmp_path: Path) -> None:
    session = visitor(**FORMS[form])
    page = session.sign_in("alice")
    page.get_by_label("Item").fill(LONG[:80])
    page.get_by_role("button", name="Place order").click()
    expect(page.locator(".orders > li").first).to_contain_text(LONG[:80])
    for name, (path, content) in PANELS.items():
        page.goto(f"{filled.url}{path}")
        expect(page.locator(content).first).to_be_visible(timeout=20_000)
        expect(page.locator(f'nav a[href="{path}"]')).to_have_attribute("aria-current", "page")
        keep(page, tmp_path, f"{name}-{form}")
        assert fits(page), name
        assert is_untouched(page), name
        assert page.evaluate(UNNAMED) == [], name
        if form == "phone":
            page.set_viewport_size({"width": 360, "height": 740})
            assert fits(page), f"{name} at 360 pixels"


def test_about_tells_what_serves(filled: Console, visitor: NewVisitor) -> None:
    page = visitor().open("/about", state=None)
    facts = page.locator("#facts")
    expect(facts).to_contain_text("gunicorn")
    process = facts.locator("div").filter(has_text="Process").locator("dd")
    assert int(process.inner_text()) in filled.serving.workers()
    expect(page.locator("#routes code", has_text="GET /api/metrics")).to_have_count(1)
    expect(page.locator("#connection summary")).to_have_text("No stream")


def test_panels_are_reached_and_used_by_keyboard(filled: Console, visitor: NewVisitor) -> None:
    page = visitor().open("/")
    keys = page.keyboard
    keys.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    expect(page.get_by_text("Skip to the content")).to_be_in_viewport()
    keys.press("Enter")
    keys.press("Tab")
    expect(page.get_by_label("Message")).to_be_focused()
    keys.type("by keyboard")
    keys.press("Enter")
    expect(page.locator(".notes > li").first).to_contain_text("by keyboard")
    page.reload()
    go_to(page, "Dashboard")
    expect(page).to_have_url(f"{filled.url}/dashboard")
    expect(pill(page)).to_have_text("Live")
    reach(page, "button", "1 min")
    expect(page.get_by_role("button", name="1 min", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    go_to(page, "Logs")
    expect(pill(page)).to_have_text("Live")
    reach(page, "button", "Pause")
    expect(page.locator("[name=pause]")).to_have_attribute("aria-pressed", "true")
    reach(page, "button", "Live", element="summary")
    expect(page.locator("#connection .sheet")).to_be_visible()
    keys.press("Escape")
    expect(page.locator("#connection .sheet")).to_be_hidden()


def go_to(page: Page, title: str) -> None:
    reach(page, "link", title, element="a")
    expect(page.locator("h1")).to_have_text(title)


def reach(page: Page, what: str, text: str, element: str | None = None) -> None:
    """Press Tab until something is focused that has a text, then Enter."""
    focused = f"document.activeElement.matches('{element or what}') && document.activeElement"
    page.evaluate("document.activeElement.blur()")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(f"({focused} || document.body.firstElementChild).innerText") == text:
            break
    else:
        raise AssertionError(f"No {what} {text!r} is reached by the Tab key.")
    page.keyboard.press("Enter")


def test_sign_in_by_keyboard(filled: Console, visitor: NewVisitor) -> None:
    page = visitor().open("/login?next=/orders", state=None)
    expect(page.get_by_label("Account", exact=True)).to_be_focused()
    page.keyboard.type("alice")
    page.keyboard.press("Tab")
    page.keyboard.type("alice-buys")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Item")).to_be_visible()
    page.get_by_label("Item").focus()
    page.keyboard.type("A desk")
    page.keyboard.press("Enter")
    expect(page.locator(".orders > li").first).to_contain_text("A desk")


def test_a_fault_would_be_noticed(filled: Console, visitor: NewVisitor) -> None:
    session = visitor()
    session.expects("violat|is not defined|said by a test")
    page = session.open("/about", state=None)
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "document.title = 'gone'";
          document.body.append(script);
          console.error("said by a test");
          setTimeout(() => undefinedName, 0);
        }"""
    )
    page.wait_for_function("() => true")
    for text in ("violation of script-src", "said by a test", "undefinedName"):
        assert any(text in fault for fault in session.faults), session.faults
    assert page.title() == "About · Console"

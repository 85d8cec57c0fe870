"""Somebody with a browser: a session with its tabs, in which nothing may go wrong unnoticed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, expect

from .consoles import Console

# Refusals of the policy are told to the page alone where a report is all that is asked for.
WATCH = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`violation of ${event.violatedDirective} by ${event.blockedURI}`);
});
"""
# Text that would do something in a page that took it for markup.
DANGER = "<img src=x onerror=document.title='gone'></script><script>document.title='gone'</script>"
PASSWORDS = {"alice": "alice-buys", "bob": "bob-buys-too", "olga": "olga-ships"}

# How a browser is that shows what moves.
MOTION = {"reduced_motion": "no-preference"}

NewVisitor = Callable[..., "Visitor"]


class Visitor:
    """Opens pages of a console; notes what is said on their consoles, and what is not caught."""

    def __init__(self, context: BrowserContext, console: Console) -> None:
        self.context = context
        self.console = console
        self.faults: list[str] = []
        self._expected: list[str] = []
        context.set_default_timeout(15_000)
        context.add_init_script(WATCH)
        context.on("console", self._note)
        context.on("weberror", lambda error: self.faults.append(str(error.error)))

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(f"{message.text} ({message.page and message.page.url})")

    def expects(self, *patterns: str) -> None:
        """Name what the browser itself says of requests that are meant to fail."""
        self._expected += patterns

    @property
    def unexpected(self) -> list[str]:
        return [
            fault
            for fault in self.faults
            if not any(re.search(pattern, fault) for pattern in self._expected)
        ]

    def open(self, path: str, state: str | None = "Live") -> Page:
        """Open a tab, and wait until its first stream is in this state."""
        page = self.context.new_page()
        page.goto(self.console.url + path)
        if state is not None:
            expect(pill(page)).to_have_text(state)
        return page

    def sign_in(self, name: str, path: str = "/orders") -> Page:
        page = self.open(f"/login?next={path}", state=None)
        page.get_by_label("Account", exact=True).fill(name)
        page.get_by_label("Password").fill(PASSWORDS[name])
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.locator(".account summary")).to_contain_text(name)
        page.wait_for_load_state()
        return page


def pill(page: Page) -> Locator:
    """The state of the first stream of a panel."""
    return page.locator("main .state").first


def is_untouched(page: Page) -> bool:
    """Tell whether no text has become markup."""
    found: Any = page.evaluate("[document.title === 'gone', document.images.length]")
    # The brand is the one image of the layout.
    return bool(found == [False, 1])

"""The explorer in a real browser, against a real server: its pages, forms and calls."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from flask_sse_routes.explorer import FOLDER

from .explorer_pages import OpenPage, call, make_open_page, make_visit, open_stream, serve_shop
from .serving import TESTS, Serving

__all__ = ["make_open_page", "make_visit", "serve_shop"]

# The text of an element, line by line as it is shown.
LINES = """(element) => {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const lines = new Map();
  const range = document.createRange();
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (let i = 0; i < node.length; i += 1) {
      range.setStart(node, i);
      range.setEnd(node, i + 1);
      const { top } = range.getBoundingClientRect();
      lines.set(top, (lines.get(top) ?? "") + node.data[i]);
    }
  }
  return [...lines.values()];
}"""


def order(page: Page, customer: str = "Ada") -> None:
    page.get_by_label("customer").fill(customer)
    page.get_by_label("address").fill('{"street": "Elm"}')


def test_a_form_is_filled_and_called(visit: OpenPage) -> None:
    page = visit("place_order")
    order(page)
    page.get_by_label("amount").fill("7")
    page.get_by_label("size").select_option("large")
    page.get_by_label("express").check()
    page.get_by_label("newsletter").select_option("false")
    page.get_by_label("due").fill("2026-12-24")
    page.get_by_label("null").check()
    for text in ("one", "two", "three"):
        page.get_by_role("button", name="Add an item").click()
        page.get_by_label(re.compile(r"^Item \d$")).last.fill(text)
    page.get_by_label("Remove item 2").click()
    result = call(page)
    expect(result.locator(".status")).to_have_text("200 OK")
    expect(result).to_contain_text(re.compile(r"\d+ ms"))
    expect(result).to_contain_text("bytes")
    # As it was sent: a number that JavaScript would round is not rounded.
    expect(result.locator("pre")).to_contain_text('"order_id": 12345678901234567890')
    assert json.loads(result.locator("pre").inner_text()) == {
        "order_id": 12345678901234567890,
        "customer": "Ada",
        "amount": 7,
        "price": "9.50",
        "size": "large",
        "shipping": "post",
        "express": True,
        "newsletter": False,
        "due": "2026-12-24",
        "labels": ["one", "three"],
        "address": {"street": "Elm", "town": "Springfield"},
        "note": None,
    }
    result.get_by_text(re.compile(r"\d+ headers")).click()
    expect(result.locator("dt", has_text="content-type")).to_be_visible()


def test_faults_are_shown_at_their_fields(visit: OpenPage) -> None:
    page = visit("place_order")
    page.get_by_label("customer").fill("A")
    page.get_by_label("amount").fill("100")
    expect(call(page).locator(".status")).to_contain_text("422")
    fields = {name: page.locator(f'[data-field="{name}"]') for name in ("customer", "amount")}
    expect(fields["customer"].locator(".fault")).to_contain_text("at least 2 characters")
    expect(fields["amount"].locator(".fault")).to_contain_text("less than or equal to 99")
    expect(page.locator('[data-field="address"] .fault')).to_contain_text("Field required")
    expect(page.locator('[data-field="size"] .fault')).to_be_hidden()
    customer = page.get_by_label("customer")
    expect(customer).to_be_focused()
    expect(customer).to_have_attribute("aria-invalid", "true")
    order(page)
    page.get_by_label("amount").fill("1")
    expect(call(page).locator(".status")).to_contain_text("200")
    expect(page.locator(".field .fault:visible")).to_have_count(0)


def test_what_cannot_be_sent_is_told_at_its_field(visit: OpenPage) -> None:
    page = visit("place_order")
    page.get_by_label("address").fill("{street}")
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.locator('[data-field="address"] .fault')).to_contain_text("not JSON")
    expect(page.locator(".result")).to_have_count(0)
    page.get_by_role("link", name="/orders/{order_id}").click()
    page.get_by_role("button", name="Call", exact=True).click()
    expect(page.locator('[data-field="order_id"] .fault')).to_have_text("The path needs it.")


def test_the_input_may_be_written_as_json(visit: OpenPage) -> None:
    page = visit("place_order")
    order(page)
    page.get_by_role("button", name="Edit as JSON").click()
    text = page.get_by_label("The input as JSON")
    assert json.loads(text.input_value()) == {"customer": "Ada", "address": {"street": "Elm"}}
    text.fill('{"customer": "Bob", "note": "", "address": {"street": "Oak"}}')
    expect(call(page).locator("pre")).to_contain_text('"note": ""')
    page.get_by_role("button", name="Edit as JSON").click()
    expect(page.get_by_label("customer")).to_have_value("Bob")


def test_path_and_query_take_the_input(visit: OpenPage) -> None:
    page = visit("read_order")
    page.get_by_label("order_id").fill("7")
    page.get_by_label("verbose").uncheck()
    for text in ("a&b", "c"):
        page.get_by_role("button", name="Add an item").click()
        page.get_by_label(re.compile(r"^Item \d$")).last.fill(text)
    line = page.locator(".lines code")
    expect(line).to_contain_text("/api/orders/7?fields=a%26b&fields=c&verbose=false")
    expect(call(page).locator("pre")).to_contain_text('"a&b"')
    page.get_by_role("link", name="/admin/files").click()
    page.get_by_label("name").fill("a b/c?.txt")
    expect(call(page).locator("pre")).to_contain_text('"a b/c?.txt"')


def test_headers_go_with_every_call_and_stay_in_the_tab(visit: OpenPage) -> None:
    page = visit("secret")
    expect(page.locator("article")).to_contain_text("Asks for token")
    expect(call(page).locator(".status")).to_contain_text("401")
    page.get_by_role("button", name="Headers").click()
    dialog = page.get_by_role("dialog", name="Headers for all calls")
    dialog.get_by_label("Value").fill("Bearer open\nsesame".replace("\n", "\u2028"))
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be sent")
    dialog.get_by_label("Value").fill("Bearer open sesame")
    dialog.get_by_role("button", name="Save").click()
    expect(dialog).to_be_hidden()
    expect(page.locator(".lines code")).to_contain_text("-H 'Authorization: Bearer open sesame'")
    expect(call(page).locator("pre")).to_have_text('"treasure"')
    page.reload()
    expect(call(page).locator("pre")).to_have_text('"treasure"')
    other = visit("secret")
    expect(call(other).locator(".status")).to_contain_text("401")


def test_all_of_it_works_by_keyboard(visit: OpenPage) -> None:
    page = visit()
    page.keyboard.press("/")
    expect(page.get_by_label("Filter routes")).to_be_focused()
    page.keyboard.type("count")
    expect(page.locator("nav li:visible")).to_have_count(1)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="/countdown")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="countdown")).to_be_focused()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.get_by_label("start").evaluate("(one) => one === document.activeElement"):
            break
    outline = "(one) => getComputedStyle(one).outlineStyle"
    assert page.get_by_label("start").evaluate(outline) == "solid"
    page.keyboard.press("Control+A")
    page.keyboard.type("5")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Open the stream")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".stream .state")).to_have_text("ended")
    expect(page.locator("tbody tr")).to_have_count(6)
    expect(page.get_by_role("status")).to_contain_text("Stream ended")


def test_routes_are_grouped_found_and_linked(visit: OpenPage) -> None:
    page = visit("old_order")
    expect(page.get_by_role("heading", name="old_order")).to_be_visible()
    expect(page.locator("article .deprecated")).to_be_visible()
    groups = page.locator("nav h2")
    expect(groups).to_have_text(["Orders", "Live", "Routes", "admin"])
    page.get_by_label("Filter routes").fill("sse post")
    expect(page.locator("nav li:visible")).to_have_count(1)
    expect(groups.filter(visible=True)).to_have_text(["Live"])
    page.goto(f"{page.url.partition('#')[0]}#no_such_route")
    expect(page.get_by_role("heading", name="Choose a route")).to_be_visible()


@pytest.mark.parametrize("language", ["curl", "Python"])
def test_lines_do_what_the_page_does(visit: OpenPage, tmp_path: Path, language: str) -> None:
    page = visit("place_order")
    order(page, customer='O\'Neil "$(id)" \\ü')
    page.get_by_label("null").check()
    page.locator(".lines").get_by_label(language).check()
    lines = page.locator(".lines code").inner_text()
    shown = json.loads(call(page).locator("pre").inner_text())
    assert shown["customer"] == 'O\'Neil "$(id)" \\ü'
    command = [sys.executable, "-c", lines] if language == "Python" else ["bash", "-c", lines]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert run.returncode == 0, run.stderr
    if language == "Python":
        assert run.stdout.strip() == repr(shown)
    else:
        assert json.loads(run.stdout.partition("\n\n")[2]) == shown


def test_it_works_below_another_root(serve: Callable[..., Serving], open_page: OpenPage) -> None:
    serving = serve("clients.explored:app", environment={"SCRIPT_NAME": "/shop"})
    page = open_page(f"{serving.url}/shop/api/explorer/#countdown")
    assert page.url == f"{serving.url}/shop/api/explorer#countdown"
    expect(open_stream(page).locator(".state")).to_have_text("ended")
    page.get_by_role("link", name="/admin/stats").click()
    expect(call(page).locator(".status")).to_contain_text("200")


@pytest.mark.parametrize("width", [1280, 390])
def test_paths_are_broken_after_slashes(visit: OpenPage, width: int) -> None:
    """A word is broken only where it is longer than the line."""
    page = visit(viewport={"width": width, "height": 800})
    paths = page.locator("nav .path")
    assert paths.evaluate_all("all => all.every((each) => each.scrollWidth <= each.clientWidth)")
    path = paths.filter(has_text="attachments")
    assert path.inner_text() == "/admin/shipments/{shipment}/documents/{attachment}/attachments"
    assert len(path.evaluate(LINES)) > 1
    for line in path.evaluate(LINES)[:-1]:
        assert line.endswith("/")


def test_narrow_screens_need_no_sideways_scrolling(visit: OpenPage) -> None:
    page = visit("", viewport={"width": 360, "height": 740})
    names = page.locator("nav a").evaluate_all("(links) => links.map((link) => link.hash)")
    for name in ["#", *names]:
        page.evaluate("(hash) => { location.hash = hash; }", name)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360, name
    stream = page.locator(".stream")
    page.get_by_role("link", name="All routes").click()
    page.get_by_role("link", name="/ticks").click()
    open_stream(page)
    expect(stream.locator("tbody tr").nth(3)).to_be_attached()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_its_scripts_have_types(
    program: Callable[[str], str], node_modules: Callable[[str], Path], tmp_path: Path
) -> None:
    static = FOLDER.parent
    (tmp_path / "client.d.ts").write_text(
        f'import type {{ ConnectOptions }} from "{static}/client/types.js";\n'
        f'import type {{ Client }} from "{static}/client/connect.js";\n'
        "export function connect(baseUrl: string | URL, options?: ConnectOptions): Client;\n"
    )
    options = {
        "allowJs": True,
        "checkJs": True,
        "lib": ["es2022", "dom", "dom.iterable", "dom.asynciterable"],
        "module": "es2022",
        "moduleResolution": "bundler",
        "noEmit": True,
        "noImplicitReturns": True,
        "noUncheckedIndexedAccess": True,
        "noUnusedLocals": True,
        "noUnusedParameters": True,
        "skipLibCheck": True,
        # What they import as ../client.js is made by the server.
        "rootDirs": [str(static), str(tmp_path)],
        "strict": True,
        "target": "es2022",
        "types": [],
    }
    config = {"compilerOptions": options, "include": [f"{FOLDER}/*.js"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    compiler = node_modules("typescript") / "bin" / "tsc"
    run = subprocess.run(
        [program("node"), compiler, "-p", tmp_path], capture_output=True, text=True, timeout=120
    )
    assert (run.returncode, run.stdout) == (0, "")

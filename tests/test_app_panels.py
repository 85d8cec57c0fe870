"""The panels of tasks and logs in Chromium, served by two workers of gunicorn."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from clients.conftest import missing
from clients.serving import Serving
from e2e.chromium import chromium_at
from e2e.waiting import wait_for
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

# Kept lines, as logs.js has it.
KEPT = 2000
DANGER = "<img src=x onerror=document.title='gone'></script><script>document.title='gone'</script>"


@pytest.fixture(name="chromium", scope="module")
def start_chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        missing("chromium")
    with chromium_at(str(path)) as browser:
        yield browser


@pytest.fixture(name="folder", scope="module")
def make_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("console")


@pytest.fixture(name="serving", scope="module")
def serve(folder: Path) -> Iterator[Serving]:
    environment = {
        "FLASK_DATA_FOLDER": str(folder / "data"),
        "FLASK_LOG_FILES": f'["{folder}/*.txt"]',
        "FLASK_OPEN_TO_ALL": "1",
    }
    serving = Serving("app:create_app()", folder, workers=2, environment=environment)
    yield serving
    serving.kill()
    assert "Traceback" not in serving.log


@pytest.fixture(name="context")
def open_context(chromium: Browser) -> Iterator[BrowserContext]:
    """Tabs in which nothing may be said on the console, as the policy's refusals are."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "net::ERR" not in message.text:
            said.append(message.text)

    context.on("console", note)
    context.on("weberror", lambda error: said.append(str(error.error)))
    yield context
    context.close()
    assert said == []


def opened(context: BrowserContext, serving: Serving, path: str) -> Page:
    page = context.new_page()
    page.goto(f"{serving.url}/{path}")
    expect(page.locator("main .state").first).to_have_text("Live")
    return page


def newest(page: Page) -> Locator:
    return page.locator(".tasks > li").first


def start_count(page: Page) -> None:
    page.locator("#count button").click()
    expect(newest(page)).to_have_attribute("data-state", "running")


def test_task_goes_on_while_the_page_is_away(context: BrowserContext, serving: Serving) -> None:
    page, other = (opened(context, serving, "tasks") for _ in range(2))
    start_count(page)
    expect(newest(other)).to_have_attribute("data-state", "running")
    assert re.search(r"#task-\d+$", page.url)
    page.reload()
    expect(newest(page).locator("progress")).to_be_visible()
    expect(newest(page).get_by_role("button", expanded=True)).to_be_visible()
    other.get_by_role("button", name="Cancel: Count").click()
    for each in (page, other):
        expect(newest(each)).to_have_attribute("data-state", "cancelled")
    other.get_by_role("button", name="Start again: Count").first.click()
    expect(newest(page)).to_have_attribute("data-state", "running")
    expect(newest(page)).to_have_attribute("data-state", "done", timeout=60_000)
    newest(page).locator(".name").press("Enter")
    expect(newest(page).locator(".result")).to_contain_text("1,270,607")


def test_own_table_is_summed_up(context: BrowserContext, serving: Serving) -> None:
    page = opened(context, serving, "tasks")
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
    rows = newest(page).locator(".result tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(2)).to_contain_text(DANGER)
    assert page.title() == "Tasks · Console"
    field.set_input_files({"name": "huge.csv", "mimeType": "text/csv", "buffer": b"x" * 2_000_001})
    expect(problem).to_contain_text("2,000,000 is the most")


def owner_of_the_newest(folder: Path) -> psutil.Process:
    with closing(sqlite3.connect(folder / "data" / "console.db")) as db:
        query = "SELECT owner FROM tasks WHERE state = 'running' ORDER BY id DESC LIMIT 1"
        row = wait_for(lambda: db.execute(query).fetchone(), "a running task")
    return psutil.Process(int(row[0].split("-")[-2]))


def test_task_of_a_killed_worker_is_interrupted(
    context: BrowserContext, serving: Serving, folder: Path
) -> None:
    page = opened(context, serving, "tasks")
    start_count(page)
    owner_of_the_newest(folder).send_signal(signal.SIGKILL)
    expect(newest(page)).to_have_attribute("data-state", "interrupted", timeout=30_000)
    expect(newest(page)).to_contain_text("The process that ran it is gone.")
    expect(page.get_by_role("button", name="Start again: Count").first).to_be_enabled()


def test_task_of_a_reloaded_worker_is_interrupted_at_once(
    context: BrowserContext, serving: Serving
) -> None:
    page = opened(context, serving, "tasks")
    start_count(page)
    serving.reload()
    expect(newest(page)).to_have_attribute("data-state", "interrupted", timeout=20_000)
    expect(newest(page)).to_contain_text("The server was stopped or restarted.")


def log_of(context: BrowserContext, serving: Serving, file: Path, text: str) -> Page:
    file.write_text(text)
    return opened(context, serving, f"logs?file={file}&level=INFO")


def append(file: Path, text: str) -> None:
    with file.open("a") as appended:
        appended.write(text)


def test_log_is_searched(context: BrowserContext, serving: Serving, folder: Path) -> None:
    file = folder / "searched.txt"
    page = log_of(context, serving, file, f"first (a)\n{DANGER}\nERROR second (b)\n")
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


def test_log_is_held_back_and_cleared(
    context: BrowserContext, serving: Serving, folder: Path
) -> None:
    file = folder / "held.txt"
    page = log_of(context, serving, file, "one\n")
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


def test_long_log_stays_bounded_and_keeps_its_place(
    context: BrowserContext, serving: Serving, folder: Path
) -> None:
    file = folder / "long.txt"
    page = log_of(context, serving, file, "begin\n")
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

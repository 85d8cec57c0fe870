"""The dashboard: figures that are true, charts that move, values that can be read without eyes."""

from __future__ import annotations

import re
import time
from datetime import datetime

import psutil
import pytest
from e2e.waiting import wait_for
from playwright.sync_api import Locator, Page, expect

from .consoles import Console
from .visitors import MOTION, NewVisitor

MIB = 1024 * 1024
# What stands where no value has come yet.
NOTHING = "\u2013"
CHARTS = ["cpu", "memory", "network", "disks"]
READ = re.compile(r"^(\d\d):(\d\d):(\d\d): CPU \d+\.\d %$")
DAY = 24 * 60 * 60
PARTS = ("hour", "minute", "second")
# How often a page draws a canvas: each time it is cleared.
COUNT = """
window.drawn = 0;
const clear = CanvasRenderingContext2D.prototype.clearRect;
CanvasRenderingContext2D.prototype.clearRect = function (...all) {
  window.drawn += 1;
  return clear.apply(this, all);
};
"""


def figure(page: Page, name: str) -> Locator:
    return page.locator(f'[data-figure="{name}"]')


def number(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", text))


def pointed_at(chart: Locator) -> datetime | None:
    """Return the time of day that is pointed at, as that of today."""
    found = READ.match(chart.get_attribute("aria-valuetext") or "")
    if found is None:
        return None
    return datetime.now().replace(**dict(zip(PARTS, map(int, found.groups()), strict=True)))


def is_older(moment: datetime | None, seconds: float) -> bool:
    return moment is not None and (datetime.now() - moment).total_seconds() % DAY > seconds


def picture(page: Page, name: str) -> str:
    drawn: str = page.locator(f"#chart-{name}").evaluate("canvas => canvas.toDataURL()")
    return drawn


def is_blank(page: Page, name: str) -> bool:
    blank: bool = page.locator(f"#chart-{name}").evaluate(
        "canvas => !canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)"
        ".data.some(Boolean)"
    )
    return blank


@pytest.fixture(name="page")
def open_page(visitor: NewVisitor) -> Page:
    session = visitor(**MOTION)
    # What the browser advises who looks at a canvas as these tests do.
    session.expects("willReadFrequently")
    page = session.open("/dashboard")
    expect(figure(page, "cpu")).not_to_have_text(NOTHING)
    return page


def test_figures_are_those_of_the_machine(console: Console, page: Page) -> None:
    memory, disk = psutil.virtual_memory(), psutil.disk_usage("/")
    shown = number(figure(page, "memory").inner_text())
    assert shown == pytest.approx(100 * (1 - memory.available / memory.total), abs=10)
    assert figure(page, "memory-bytes").inner_text().endswith(f" {memory.total / 2**30:.1f} GiB")
    assert number(figure(page, "disk").inner_text()) == pytest.approx(disk.percent, abs=3)
    assert 0 <= number(figure(page, "cpu").inner_text()) <= 100
    expect(page.locator("#cores > li")).to_have_count(psutil.cpu_count() or 1)
    expect(page.locator("#workers tbody tr")).to_have_count(2)
    pids = page.locator("#workers tbody th").all_inner_texts()
    assert {int(pid) for pid in pids} == console.serving.workers()
    for row in page.locator("#workers tbody tr").all():
        pid, _, _, held = row.locator("th, td").all_inner_texts()
        assert number(held) == pytest.approx(
            psutil.Process(int(pid)).memory_info().rss / MIB, abs=15
        )


def test_cpu_follows_what_is_done(page: Page) -> None:
    end = time.monotonic() + 2.5
    while time.monotonic() < end:
        pass
    wait_for(lambda: number(figure(page, "cpu").inner_text()) > 30, "a busy core")


def test_open_streams_are_counted(page: Page, visitor: NewVisitor) -> None:
    counts = page.locator("#workers tbody td:nth-of-type(1)")

    def open_streams() -> int:
        return sum(int(text) for text in counts.all_inner_texts())

    wait_for(lambda: open_streams() >= 1, "this stream")
    before = open_streams()
    others = [visitor().open("/dashboard") for _ in range(3)]
    wait_for(lambda: open_streams() >= before + 3, "three more")
    for other in others:
        other.close()
    wait_for(lambda: open_streams() <= before, "none of the three")


def test_charts_are_drawn_and_move(page: Page) -> None:
    page.get_by_role("button", name="1 min", exact=True).click()
    before = {name: picture(page, name) for name in CHARTS}
    for name in CHARTS:
        page.locator(f"#chart-{name}").scroll_into_view_if_needed()
        wait_for(lambda name=name: picture(page, name) != before[name], f"{name} to move")
        assert not is_blank(page, name)


def test_new_tab_begins_with_what_was_before(page: Page, visitor: NewVisitor) -> None:
    chart = page.locator("#chart-cpu")
    wait_for(lambda: chart.press("Home") or is_older(pointed_at(chart), 3), "values of 3 s")
    other = visitor().open("/dashboard")
    began = datetime.fromtimestamp(other.evaluate("performance.timeOrigin / 1000"))
    chart = other.locator("#chart-cpu")
    chart.press("Home")
    oldest = wait_for(lambda: pointed_at(chart), "a value")
    assert oldest is not None
    assert 1 < (began - oldest).total_seconds() % DAY < 3600


def test_values_are_read_by_keyboard_and_pointer(page: Page) -> None:
    chart = page.locator("#chart-cpu")
    expect(chart).to_have_attribute("role", "slider")
    wait_for(lambda: chart.press("Home") or is_older(pointed_at(chart), 3), "values of 3 s")
    chart.press("End")
    expect(chart).to_have_attribute("aria-valuetext", READ)
    first = chart.get_attribute("aria-valuetext")
    chart.press("ArrowLeft")
    expect(chart).not_to_have_attribute("aria-valuetext", first or "")
    chart.press("Escape")
    expect(chart).to_have_attribute("aria-valuetext", "now; arrow keys go back")
    network = page.locator("#chart-network")
    network.hover()
    box = network.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 12, box["y"] + 40)
    expect(page.locator('[data-value="received"]')).to_contain_text("/s")


def test_values_are_in_a_table(page: Page) -> None:
    page.locator("#values summary").press("Enter")
    rows = page.locator("#values tbody tr")
    expect(rows).to_have_count(8)
    memory = page.locator('#values [data-row="memory"] td')
    expect(memory.first).to_have_text(re.compile(r"^\d+\.\d %$"))
    now, least, mean, most = (number(text) for text in memory.all_inner_texts())
    assert least <= mean <= most
    assert least <= now <= most
    sent = page.locator('#values [data-row="sent"] td').first
    expect(sent).to_have_text(re.compile(r"^[\d.]+ ([KMG]i)?B/s$"))


def test_time_is_chosen_and_remembered(page: Page) -> None:
    button = page.get_by_role("button", name="1 h")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="5 min", exact=True)).to_have_attribute(
        "aria-pressed", "false"
    )
    page.reload()
    expect(button).to_have_attribute("aria-pressed", "true")


def test_charts_change_with_the_colours_and_the_width(page: Page) -> None:
    chart = page.locator("#chart-memory")
    levels = """canvas => {
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      let [sum, count] = [0, 0];
      for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3] < 200) continue;
        sum += (data[i] + data[i + 1] + data[i + 2]) / 3;
        count += 1;
      }
      return sum / count;
    }"""
    page.get_by_label("Colours").select_option("light")
    wait_for(lambda: is_blank(page, "memory") or chart.evaluate(levels) > 190, "pale rules")
    page.get_by_label("Colours").select_option("dark")
    wait_for(lambda: chart.evaluate(levels) < 120, "dark rules")
    width = chart.evaluate("canvas => canvas.width")
    page.set_viewport_size({"width": 700, "height": 900})
    wait_for(lambda: chart.evaluate("canvas => canvas.width") != width, "its width")


def test_nothing_is_drawn_out_of_sight_and_little_without_motion(visitor: NewVisitor) -> None:
    session = visitor(viewport={"width": 1280, "height": 500}, reduced_motion="reduce")
    session.context.add_init_script(COUNT)
    page = session.open("/dashboard")
    expect(figure(page, "cpu")).not_to_have_text(NOTHING)
    page.get_by_role("button", name="1 min", exact=True).click()
    before = page.evaluate("drawn")
    page.wait_for_timeout(2000)
    # Two of four charts, at each sample and each second.
    assert 0 < page.evaluate("drawn") - before <= 20
    page.evaluate("document.body.style.setProperty('padding-top', '5000px')")
    page.wait_for_timeout(500)
    before = page.evaluate("drawn")
    page.wait_for_timeout(1500)
    assert page.evaluate("drawn") == before

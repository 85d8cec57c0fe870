"""The uses that the project names, in Chromium, by native `EventSource` and by `$sse`, on each
server that people use."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from .serving import OURS, Serving
from .tabs import Asking

SERVERS = {"sseworker": OURS, "gevent": "gevent", "flask": "flask"}
NAMED = ["progress", "snapshot", "goal"]
# Both keep the same: what came, as [name, data].
OPEN = {
    "native": """async ([name, input, named]) => {
        const source = new EventSource(`/api/${name}?${new URLSearchParams(input)}`);
        const seen = { source, opened: 0, events: [], end: undefined };
        source.onopen = () => { seen.opened += 1; };
        const parsed = (text) => { try { return JSON.parse(text); } catch { return text; } };
        const keep = (event) => seen.events.push([event.type, parsed(event.data)]);
        for (const type of ["message", ...named]) source.addEventListener(type, keep);
        source.addEventListener("end", (event) => { seen.end = JSON.parse(event.data); });
        window.seen = seen;
    }""",
    "$sse": """async ([name, input]) => {
        const { $sse } = await import("/api/client.js");
        const seen = { opened: 0, events: [], end: undefined };
        seen.source = $sse[name](input, {
            onOpen() { seen.opened += 1; },
            onEvent({ event, data }) { seen.events.push([event, data]); },
            onEnd(data) { seen.end = data; },
        });
        window.seen = seen;
    }""",
}


class Stream:
    """A stream that a page follows, by one client or the other."""

    def __init__(self, page: Page, client: str, name: str, **input: Any) -> None:
        self.page = page
        page.evaluate(OPEN[client], [name, input, NAMED])

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(condition, timeout=15_000)

    def events(self, count: int) -> list[list[Any]]:
        """Wait for so many events, and return all that came."""
        self.wait(f"seen.events.length >= {count}")
        return list(self.page.evaluate("seen.events"))

    def wait_for_open(self) -> None:
        self.wait("seen.source.readyState === 1")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the log is read from."""
    path = tmp_path_factory.mktemp("tutorial") / "server.log"
    path.write_text("first\nsecond\n")
    return path


def start(worker: str, folder: Path, log: Path, port: int = 0) -> Serving:
    return Serving(
        "clients.tutorial_app:app",
        folder,
        worker=worker,
        port=port,
        settings={"SSE_RETRY": 200, "SSE_BROKER_URL": f"sqlite:///{folder}/channels.db"},
        environment={"TUTORIAL_LOG": str(log)},
    )


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, log: Path
) -> Iterator[Serving]:
    serving = start(SERVERS[request.param], tmp_path_factory.mktemp("server"), log)
    yield serving
    serving.kill()


@pytest.fixture(scope="module")
def tab(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def page(tab: Page, server: Serving) -> Page:
    """A page of the server; going there ends what was open in the tab."""
    tab.goto(server.url)
    return tab


@pytest.fixture
def asking(server: Serving) -> Asking:
    return Asking(server.port)


@pytest.mark.parametrize("client", OPEN)
class TestTutorial:
    def test_live_notifications(self, page: Page, asking: Asking, client: str) -> None:
        stream = Stream(page, client, "notifications")
        stream.wait_for_open()
        for text in ("One", "Two"):
            asking.post("/api/notify", text=text)
        assert stream.events(2) == [["message", {"text": "One"}], ["message", {"text": "Two"}]]

    def test_stock_prices(self, page: Page, asking: Asking, client: str) -> None:
        for name, data in Stream(page, client, "stocks", symbol="PY").events(3):
            assert (name, data["symbol"]) == ("message", "PY")
            assert 90 < data["price"] < 110

    def test_server_logs(self, page: Page, asking: Asking, client: str, log: Path) -> None:
        lines = log.read_text().splitlines()
        stream = Stream(page, client, "log")
        stream.events(len(lines))
        with log.open("a") as file:
            file.write(f"one more for {client}\n")
        lines.append(f"one more for {client}")
        assert stream.events(len(lines)) == [["message", line] for line in lines]

    def test_progress_of_a_long_task(self, page: Page, asking: Asking, client: str) -> None:
        before = len(asking.get("/api/runs"))
        stream = Stream(page, client, "work", steps=4)
        stream.wait("seen.source.readyState === 2")
        percents = [["progress", {"percent": percent}] for percent in (25, 50, 75, 100)]
        assert stream.events(4) == percents
        assert page.evaluate("seen.end") == {"steps": 4}
        assert asking.get("/api/runs")[before:] == [4]

    def test_sports_scores(self, page: Page, asking: Asking, client: str) -> None:
        stream = Stream(page, client, "scores")
        [[name, standing]] = stream.events(1)
        assert name == "snapshot"
        standing["away"] += 1
        assert asking.post("/api/goal", team="away") == standing
        assert stream.events(2)[1] == ["goal", {"team": "away", **standing}]

    def test_dashboard(self, page: Page, asking: Asking, client: str) -> None:
        stream = Stream(page, client, "dashboard")
        stream.wait_for_open()
        asking.post("/api/goal", team="home")
        asking.post("/api/notify", text="A goal!")
        (first, goal), second = stream.events(2)
        assert (first, goal["team"]) == ("goal", "home")
        assert second == ["message", {"text": "A goal!"}]


@pytest.mark.parametrize("worker", SERVERS.values(), ids=SERVERS)
def test_a_restart(chromium: Browser, tmp_path: Path, worker: str) -> None:
    """Both clients come back by themselves and go on where they were."""
    log = tmp_path / "server.log"
    log.write_text("first\n")
    server = start(worker, tmp_path, log)
    context = chromium.new_context()
    try:
        told = [_open(context.new_page(), server, client, "notifications") for client in OPEN]
        read = [_open(context.new_page(), server, client, "log") for client in OPEN]
        Asking(server.port).post("/api/notify", text="Before")
        for stream in (*told, *read):
            stream.events(1)
        server.kill()
        with log.open("a") as file:
            file.write("second\n")
        server = start(worker, tmp_path, log, server.port)
        Asking(server.port).post("/api/notify", text="After")
        for stream in told:
            assert [data["text"] for _, data in stream.events(2)] == ["Before", "After"]
        for stream in read:
            assert [data for _, data in stream.events(2)] == ["first", "second"]
            stream.wait("seen.opened === 2")
    finally:
        context.close()
        server.kill()


def _open(page: Page, server: Serving, client: str, name: str) -> Stream:
    page.goto(server.url)
    stream = Stream(page, client, name)
    stream.wait_for_open()
    return stream

"""The benchmark: what it counts, computes and draws is right, and what it starts it ends.

Nothing here says how fast anything is.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import proc
from benchmarks.catalogue import PEERS, Peer
from benchmarks.chart import svg
from benchmarks.environments import Compiled, NodeEnvironment, PythonEnvironment, run
from benchmarks.errors import Unavailable, last_line
from benchmarks.processes import Process
from benchmarks.programs import compiled
from benchmarks.progress import Progress
from benchmarks.report import Setting, markdown, number
from benchmarks.results import Result, Results
from benchmarks.rig import Sizes
from benchmarks.scenarios import SCENARIOS

ROOT = Path(__file__).parents[1]

SETTING = Setting("A machine", 3, Sizes(), {"ours": {"flask": "3.1"}}, {})


@pytest.fixture(name="home", scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder for the programs; without a C compiler there is nothing to test."""
    if shutil.which("cc") is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("there is no C compiler (cc)")
    return tmp_path_factory.mktemp("bench")


def results(*found: tuple[str, str, int, float], metric: str = "cpu_us") -> Results:
    return Results([Result(key, peer, run, {metric: value}) for key, peer, run, value in found])


class TestProc:
    def test_a_name_may_hold_spaces_and_brackets(self) -> None:
        fields = ["S", "1", "7", "42", *"0" * 7, "100", "50", "200", "100", "20"]
        stat = proc.parse_stat(f"4711 (a (b) c) d) {' '.join(fields)}")
        assert stat == (4711, 42, 300 / proc.TICKS)

    def test_sizes_are_found_by_their_whole_name(self) -> None:
        text = "VmHWMore:\t 1 kB\nVmHWM:\t  200 kB\n"
        assert proc.parse_kib(text, "VmHWM") == 200
        assert proc.parse_kib(text, "Vm") == 0

    def test_the_clock_of_a_process_is_its_processor_time(self) -> None:
        before = time.process_time()
        read = time.clock_gettime(proc.clock_of(os.getpid()))
        assert before <= read <= time.process_time()

    def test_a_session_is_all_that_a_process_started(self, tmp_path: Path, eventually: Any) -> None:
        with (tmp_path / "log").open("wb") as log:
            process = Process(["sh", "-c", "sleep 600 & sleep 600"], log=log)
            session = {process.session}
            try:
                eventually(lambda: len(list(proc.stats(session))) == 3)
                assert proc.memory_kib(session) > 0
                assert proc.peak_kib(session) >= proc.memory_kib(session) // 2
                assert proc.cpu_seconds(session) > 0
                assert process.alive
            finally:
                process.end()
        assert not process.alive
        eventually(lambda: not list(proc.stats(session)))


class TestProcesses:
    def test_what_is_left_of_a_process_that_ended_is_killed(
        self, tmp_path: Path, eventually: Any
    ) -> None:
        with (tmp_path / "log").open("wb") as log:
            process = Process(["sh", "-c", "sleep 600 & exit 3"], log=log)
            session = {process.session}
            eventually(lambda: not process.alive)
            assert len(list(proc.stats(session))) == 2  # a zombie, and what it started
            assert process.end() == 3
        eventually(lambda: not list(proc.stats(session)))

    def test_it_runs_on_the_core_it_is_given(self, tmp_path: Path) -> None:
        core = max(os.sched_getaffinity(0))
        script = "import os; print(*os.sched_getaffinity(0))"
        with (tmp_path / "log").open("w+b") as log:
            assert Process([sys.executable, "-c", script], log=log, core=core).wait() == 0
        assert (tmp_path / "log").read_text() == f"{core}\n"


class TestEnvironments:
    def test_the_last_line_is_the_reason(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match=r"^sh: no such package$"):
            run(["sh", "-c", "echo looking; echo no such package; echo; exit 1"], tmp_path)

    def test_silence_is_a_reason_too(self) -> None:
        assert last_line(" \n") == "it says nothing"

    def test_node_may_be_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Unavailable, match="node is not installed"):
            NodeEnvironment("any", ("any",), "better_sse.mjs").prepare(tmp_path)

    def test_a_compiler_may_be_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(Unavailable, match="no C compiler"):
            compiled("floor", tmp_path)

    def test_what_could_not_be_installed_is_tried_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ran: list[list[str]] = []

        def install(command: list[Any], folder: Path) -> None:
            ran.append([str(part) for part in command])
            if "pip" in ran[-1]:
                raise Unavailable("no network")

        monkeypatch.setattr("benchmarks.environments.run", install)
        environment = PythonEnvironment("peer", ("some-package",), alike=("flask",))
        for _ in range(2):
            with pytest.raises(Unavailable, match="no network"):
                environment.prepare(tmp_path)
        assert [("venv" in command, "pip" in command) for command in ran] == [
            (True, False),
            (False, True),
        ] * 2
        assert re.fullmatch(r"flask==[\d.]+", ran[1][-1])

    def test_a_peer_that_cannot_be_had_is_skipped(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rare = Peer(
            key="rare",
            title="A rare peer",
            environment=Compiled("floor"),
            command=(),
            needs=("no-such-program",),
        )
        monkeypatch.setitem(PEERS, "rare", rare)
        benchmark = command.Benchmark(["rare", "floor"], ["paced"], 1, Sizes(), home)
        benchmark.prepare()
        assert benchmark.skipped == {"rare": "no-such-program is not installed"}
        assert list(benchmark.programs) == ["floor"]


class TestResults:
    def test_ratios_are_taken_inside_each_run(self) -> None:
        ours = [("paced", "ours", run, value) for run, value in enumerate([10, 90, 30])]
        floor = [("paced", "floor", run, value) for run, value in enumerate([10, 30, 20])]
        found = results(*ours, *floor)
        assert found.median("paced", "ours", "cpu_us") == 30
        assert found.ratio("paced", "ours", "floor", "cpu_us") == 1.5  # of 1, 3 and 1.5

    def test_a_run_that_one_of_them_lacks_has_no_ratio(self) -> None:
        found = results(("paced", "ours", 0, 8), ("paced", "ours", 1, 6), ("paced", "floor", 1, 3))
        assert found.ratio("paced", "ours", "floor", "cpu_us") == 2
        assert found.ratio("paced", "ours", "raw-flask", "cpu_us") is None
        assert found.ratio("burst", "ours", "floor", "cpu_us") is None

    def test_nothing_is_divided_by_zero(self) -> None:
        found = results(("idle", "ours", 0, 5), ("idle", "floor", 0, 0))
        assert found.ratio("idle", "ours", "floor", "cpu_us") is None

    def test_the_worst_is_the_largest(self) -> None:
        found = results(*[("paced", "ours", run, value) for run, value in enumerate([0, 7, 0])])
        assert found.median("paced", "ours", "cpu_us") == 0
        assert found.worst("paced", "ours", "cpu_us") == 7
        assert found.worst("paced", "floor", "cpu_us") is None


def cells(report: str, title: str) -> list[str]:
    """The cells of the first row of a report that begins with a title."""
    line = next(line for line in report.splitlines() if line.startswith(f"| {title} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


class TestReport:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "-"),
            (0, "0"),
            (0.0042, "0.004"),
            (0.5, "0.50"),
            (9.996, "10.0"),
            (99.96, "100"),
            (1234567.8, "1,234,568"),
        ],
    )
    def test_figures_have_the_digits_that_mean_something(
        self, value: float | None, text: str
    ) -> None:
        assert number(value) == text

    def test_a_row_has_the_figure_and_its_ratios(self) -> None:
        values = {"cpu_us": 12.0, "p50_ms": 3.0, "p99_ms": 4.0, "late_s": 0.0, "lost": 0}
        found = Results(
            [
                Result("paced", "ours", 0, values),
                Result("paced", "ours", 1, {**values, "lost": 3}),
                Result("paced", "floor", 0, {**values, "cpu_us": 8.0}),
                Result("paced", "raw-flask", 0, {**values, "cpu_us": 24.0}),
            ]
        )
        report = markdown(found, SETTING, ["floor", "ours", "raw-flask"])
        title = PEERS["ours"].title
        expected = [title, "12.0", "1.50", "0.50", "3.00", "4.00", "0", "3"]
        assert cells(report, title) == expected
        assert f"- {title}: flask 3.1" in report
        assert "### Back to back" not in report

    def test_what_was_skipped_or_failed_says_why(self) -> None:
        found = results(("paced", "floor", 0, 8))
        found.add(Result("paced", "fastapi", 0, failure="the server ended: a | b"))
        setting = Setting("A machine", 1, Sizes(), {}, {"flask-sse": "redis-server is missing"})
        report = markdown(found, setting, ["floor", "flask-sse", "fastapi", "better-sse"])
        skipped, failed = cells(report, PEERS["flask-sse"].title), cells(report, "FastAPI, uvicorn")
        assert skipped[1] == "skipped: redis-server is missing"
        assert failed[1] == "failed: the server ended: a / b"
        assert cells(report, PEERS["better-sse"].title)[1] == "not measured"
        rows = [line for line in report.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in rows}) == 1

    def test_one_failure_does_not_hide_the_other_runs(self) -> None:
        found = results(("paced", "floor", 0, 8))
        found.add(Result("paced", "floor", 1, failure="the server ended"))
        report = markdown(found, SETTING, ["floor"])
        assert cells(report, PEERS["floor"].title)[1] == "8.00"

    def test_who_takes_no_part_has_no_row(self) -> None:
        found = results(("channels", "ours", 0, 9))
        report = markdown(found, SETTING, ["ours", "raw-flask"])
        assert "\n| raw Flask" not in report


def elements(picture: str, kind: str) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter(f"{{http://www.w3.org/2000/svg}}{kind}"))


class TestChart:
    def test_bars_are_as_long_as_their_figures(self) -> None:
        found = results(("paced", "floor", 0, 10), ("paced", "ours", 0, 20))
        picture = svg(found, ["floor", "ours", "raw-flask"])
        bars = [bar for bar in elements(picture, "rect") if "bar" in str(bar.get("class"))]
        floor, ours = bars
        assert ours.get("class") == "bar ours"
        assert float(ours.get("width", 0)) == pytest.approx(2 * float(floor.get("width", 0)), 0.01)
        words = [str(text.text) for text in elements(picture, "text")]
        assert [PEERS["floor"].title, "10.0", PEERS["ours"].title, "20.0"] == words[-4:]

    def test_everything_is_inside(self) -> None:
        found = results(*[("paced", peer, 0, 1e6 + place) for place, peer in enumerate(PEERS)])
        picture = svg(found, list(PEERS))
        ground = elements(picture, "rect")[0]
        for text in elements(picture, "text"):
            assert 0 < float(text.get("y", 0)) < float(ground.get("height", 0))
            # No letter of the font is wider than this on average.
            width = 7.6 * len(str(text.text))
            assert float(text.get("x", 0)) + width < float(ground.get("width", 0))

    def test_it_is_readable_in_the_dark(self) -> None:
        style = str(elements(svg(results(("paced", "floor", 0, 1)), ["floor"]), "style")[0].text)
        light, _, dark = style.partition("@media (prefers-color-scheme: dark)")
        names = set(re.findall(r"--[a-z]+(?=:)", light))
        assert (
            names
            == set(re.findall(r"--[a-z]+(?=:)", dark))
            == set(re.findall(r"var\((--[a-z]+)\)", style))
        )

    def test_without_figures_there_is_none(self) -> None:
        assert svg(Results([Result("paced", "floor", 0, failure="why")]), ["floor"]) == ""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestProgress:
    def test_a_terminal_has_one_line(self) -> None:
        stream = Terminal()
        progress = Progress(4, stream)
        progress.step("first")
        progress.done()
        progress.step("second")
        shown = stream.getvalue()
        assert "\n" not in shown
        last = shown.rsplit("\r", 1)[1]
        assert re.match(r"\[######\.{18}\] 1/4 0:00, about 0:0\d left  second", last)
        progress.note("something")
        assert "\r\x1b[Ksomething\n" in stream.getvalue()

    def test_elsewhere_each_step_has_a_line(self) -> None:
        stream = io.StringIO()
        progress = Progress(2, stream)
        for label in ("first", "second"):
            progress.step(label)
            progress.tick()
            progress.done()
        progress.clear()
        assert stream.getvalue() == "[1/2] first\n[2/2] second\n"


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


class Script:
    """A server that answers each connection with the same bytes, in pieces of some size."""

    def __init__(self, answer: bytes, piece: int, requests: int = 1) -> None:
        self._answer = answer
        self._piece = piece
        self._requests = requests
        self.asked: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection, contextlib.suppress(ConnectionError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for _ in range(self._requests):
                    request = connection.recv(65536)
                    if not request:
                        return
                    self.asked.append(request)
                    for start in range(0, len(self._answer), self._piece):
                        connection.sendall(self._answer[start : start + self._piece])

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)):
            pass
        self._thread.join()
        self._listener.close()


Serve = Callable[..., Script]


@pytest.fixture(name="serve")
def serve() -> Iterator[Serve]:
    started: list[Script] = []

    def start(answer: bytes, piece: int = 65536, requests: int = 1) -> Script:
        started.append(Script(answer, piece, requests))
        return started[-1]

    yield start
    for script in started:
        script.close()


def chunked(body: bytes, size: int) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%X;note\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


class TestLoad:
    @pytest.fixture(name="count")
    def count(self, home: Path) -> Callable[..., dict[str, Any]]:
        """Run the generator until it ends by itself; return its result."""

        def count(port: int, **options: object) -> dict[str, Any]:
            wanted = {"port": port, "limit": 20, **options}
            done = subprocess.run(
                [compiled("load", home), *(f"{key}={value}" for key, value in wanted.items())],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=True,
                timeout=60,
            )
            said = [json.loads(line) for line in done.stdout.splitlines()]
            assert [each["what"] for each in said[-2:]] == ["ready", "result"]
            result: dict[str, Any] = said[-1]
            return result

        return count

    BODY = b"".join(
        [
            b":\nretry: 1500\n",
            b'event: ready\ndata: {"pad":"no number"}\n\n',
            *(b'data: {"pad":"x","seq": %d}\n\n' % seq for seq in (0, 1, 4, 4, 2)),
            b'id: 5\r\ndata: {"seq":5}\r\n\r\n: beat\n',
            b'data: {"seq":6}\n',  # its blank line never comes
        ]
    )

    @pytest.mark.parametrize("piece", [1, 7, 65536])
    @pytest.mark.parametrize("framing", ["to the end", "in chunks", "by length"])
    def test_events_are_checked(
        self, count: Callable[..., dict[str, Any]], serve: Serve, framing: str, piece: int
    ) -> None:
        answer = (
            HEAD
            + {
                "to the end": b"\r\n" + self.BODY,
                "in chunks": b"transfer-encoding: chunked\r\n\r\n" + chunked(self.BODY, 11),
                "by length": b"Content-Length: %d\r\n\r\n%b" % (len(self.BODY), self.BODY),
            }[framing]
        )
        found = count(serve(answer, piece).port, events=100)
        expected = {
            "connected": 1,
            "closed": 1,
            "done": 0,
            "refused": 0,
            "events": 6,
            "others": 1,
            "comments": 2,
            "gaps": 1,
            "missing": 2,
            "repeats": 1,
            "backwards": 1,
        }
        assert {key: found[key] for key in expected} == expected

    def test_it_ends_when_each_client_has_its_events(
        self, count: Callable[..., dict[str, Any]], serve: Serve
    ) -> None:
        script = serve(HEAD + b"\r\n" + b"".join(b'data: {"seq":%d}\n\n' % n for n in range(5)))
        found = count(script.port, clients=3, channels=2, events=5, path="/events?channel=*")
        assert (found["done"], found["events"], found["gaps"]) == (3, 15, 0)
        paths = sorted(asked.split()[1] for asked in script.asked)
        assert paths == [b"/events?channel=0"] * 2 + [b"/events?channel=1"]

    def test_the_latency_is_the_age_of_an_event(
        self, count: Callable[..., dict[str, Any]], serve: Serve
    ) -> None:
        stamp = time.monotonic_ns() - 2_000_000_000
        script = serve(HEAD + b'\r\ndata: {"seq":0,"ts":%d}\n\n' % stamp)
        found = count(script.port, events=1)
        assert 2000 * 0.96 < found["p50_ms"] <= 1.04 * (time.monotonic_ns() - stamp) / 1e6
        assert found["max_ms"] == pytest.approx(found["mean_ms"], abs=0.001)

    @pytest.mark.parametrize("framing", ["in chunks", "by length"])
    def test_requests_follow_each_other_on_one_connection(
        self, count: Callable[..., dict[str, Any]], serve: Serve, framing: str
    ) -> None:
        answer = (
            b"HTTP/1.1 200 OK\r\n"
            + {
                "in chunks": b"Transfer-Encoding: chunked\r\n\r\n" + chunked(b'{"a":1}', 3),
                "by length": b"Content-Length: 7\r\n\r\n" + b'{"a":1}',
            }[framing]
        )
        script = serve(answer, requests=1_000_000)
        found = count(script.port, requests=0.1)
        assert found["responses"] > 1
        assert (found["sent"], found["closed"], found["refused"]) == (1, 0, 0)
        assert len(script.asked) - 2 <= found["responses"] + 1 <= len(script.asked)

    def test_an_error_is_counted(self, count: Callable[..., dict[str, Any]], serve: Serve) -> None:
        script = serve(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        assert count(script.port, events=1)["refused"] == 1


def start(home: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    """Run the command as a user does, with a folder for temporary files of its own."""
    scratch = out / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", "--out", str(out), *options],
        cwd=ROOT,
        env={**os.environ, "BENCH_HOME": str(home), "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class TestCommand:
    def test_it_measures_and_reports(self, home: Path, tmp_path: Path) -> None:
        scenarios = ["paced", "flood", "stream50", "json"]
        process = start(
            home,
            tmp_path,
            *("--peers", "floor,ours", "--scenarios", ",".join(scenarios), "--runs", "1"),
            *("--clients", "10", "--seconds", "0.4", "--events", "20", "--idle-n", "10"),
        )
        report, progress = process.communicate(timeout=240)
        assert process.returncode == 0, progress
        data = json.loads((tmp_path / "results.json").read_text())
        found = {(each["scenario"], each["peer"]): each.get("values") for each in data["results"]}
        taking_part = {
            (key, peer)
            for key in scenarios
            for peer in ("floor", "ours")
            if SCENARIOS[key].takes(PEERS[peer])
        }
        assert set(found) == taking_part
        for (key, peer), values in found.items():
            assert values is not None, (key, peer, progress)
            assert all(metric.key in values for metric in SCENARIOS[key].metrics)
            for fault in ("lost", "repeats", "backwards", "disconnected"):
                assert values.get(fault, 0) == 0, (key, peer, fault)
            assert values["cpu_us"] > 0
        assert found["paced", "ours"]["deliveries"] == 10 * 8
        assert (tmp_path / "results.md").read_text() == report.removesuffix("\n")
        assert "[1/2] Preparing C floor" in progress
        assert f"[7/7] Plain JSON: {PEERS['ours'].title}" in progress
        assert len(elements((tmp_path / "results.svg").read_text(), "rect")) == 1 + len(found)
        assert list((tmp_path / "scratch").iterdir()) == []

    @pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    def test_an_interruption_ends_what_it_started(
        self, home: Path, tmp_path: Path, eventually: Any, by: signal.Signals
    ) -> None:
        # Made before: a compiler that is interrupted is no concern here.
        programs = {str(compiled(name, home)) for name in ("floor", "load")}

        def running() -> dict[str, int]:
            found = {}
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):  # ended meanwhile
                    name = (folder / "cmdline").read_bytes().partition(b"\0")[0].decode()
                    found[name] = int(folder.name)
            return {name: found[name] for name in programs & set(found)}

        sizes = ("--clients", "10", "--seconds", "600", "--idle-n", "10")
        options = ("--peers", "floor", "--scenarios", "paced", *sizes)
        with start(home, tmp_path, *options) as process:
            try:
                eventually(lambda: running().keys() == programs, limit=60)
                process.send_signal(by)
                process.communicate(timeout=60)
                eventually(lambda: not running())
            finally:
                process.kill()
                for left in running().values():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(left, signal.SIGKILL)
        if by is not signal.SIGKILL:
            assert process.returncode == 130
            assert list((tmp_path / "scratch").iterdir()) == []

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            (["--peers", "floor,nobody"], "'nobody' is none of floor, ours"),
            (["--scenarios", "all"], "'all' is none of paced"),
            (["--runs", "0"], "above 0"),
            (["--idle-n", "100000"], "at most 25,000"),
        ],
    )
    def test_it_says_what_it_does_not_understand(
        self, options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as ended:
            command.main(options)
        assert ended.value.code == 2
        assert complaint in capsys.readouterr().err

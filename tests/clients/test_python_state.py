"""How long a stream waits, what it remembers, and that reading needs only what it says."""

from __future__ import annotations

import ast
import ssl
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path

import httpx
import pytest

import flask_sse_routes.client
from flask_sse_routes.client import RouteError
from flask_sse_routes.client.backoff import Backoff, retry_after
from flask_sse_routes.client.calls import Call
from flask_sse_routes.client.events import parsed
from flask_sse_routes.client.seen import MOST, Seen
from flask_sse_routes.client.state import StreamState
from flask_sse_routes.wire import Decoder

GET = Call("GET", "http://host/feed")
STREAM = {"Content-Type": "Text/Event-Stream; charset=utf-8"}


def never() -> bool:
    return False


def longest(retry: int | None = None) -> Backoff:
    backoff = Backoff(lambda: 1.0)
    backoff.retry = retry
    return backoff


def test_waits_double_up_to_a_bound_and_begin_anew() -> None:
    backoff = longest()
    waits = [backoff.after_loss() for _ in range(50)]
    assert waits[:6] == [1.5, 3, 6, 12, 24, 30]
    assert set(waits[6:]) == {30}
    backoff.went_well()
    assert backoff.after_loss() == 1.5


def test_waits_are_anywhere_between_nothing_and_the_longest() -> None:
    draws = iter([0.0, 0.5, 0.999])
    backoff = Backoff(lambda: next(draws))
    assert [backoff.after_loss() for _ in range(3)] == [0, 1.5, pytest.approx(5.994)]
    assert len({Backoff().after_loss() for _ in range(20)}) > 10


@pytest.mark.parametrize(
    ("retry", "wait"), [(0, 0.1), (50, 0.1), (400, 0.4), (10_000, 10), (2**31 - 1, 60)]
)
def test_the_servers_retry_is_kept_within_bounds(retry: int, wait: float) -> None:
    assert longest(retry).after_loss() == wait


def test_what_the_server_asks_for_is_kept_at_least() -> None:
    assert Backoff(lambda: 0.0).as_told(7) == 7
    assert 7 < longest().as_told(7) <= 8.5
    assert longest().as_told(10**9) <= 3601.5
    assert Backoff(lambda: 0.0).after_refusal() == 1.5


def test_who_is_told_to_come_again_and_again_comes_more_and_more_seldom() -> None:
    state = StreamState(GET, max_event_bytes=1000, backoff=longest())
    waits = []
    for _ in range(7):
        state.refused(503, {"Retry-After": "0"}, b"")
        waits.append(state.wait)
    assert waits == [1.5, 3, 6, 12, 24, 30, 30]


def test_a_refused_stream_is_patient_for_a_while() -> None:
    state = StreamState(GET, max_event_bytes=1000, backoff=longest())
    waits = []
    for text in [b"retry: 500\n\n"] * 6 + [b"data: 1\n\n"] + [b"retry: 500\n\n"] * 2:
        refusal = {} if b"data" in text else {"SSE-Refused": "capacity"}
        assert state.accepts(200, {**STREAM, **refusal})
        list(state.feed(text, never))
        state.ended()
        waits.append(state.wait)
    assert waits == [1, 1, 1, 4.5, 8.5, 16.5, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("3", 3),
        (" 3 ", 3),
        ("0", 0),
        ("9" * 5000, 9_999_999_999),
        ("soon", None),
        ("-3", None),
        ("\u0663", None),
        ("Wed, 99 Foo", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, 0) == seconds


def test_retry_after_a_date() -> None:
    now = time.time()
    assert retry_after(formatdate(now + 100), now) == pytest.approx(100, abs=1)
    assert retry_after(formatdate(now - 100), now) == 0


def test_ids_are_forgotten_in_time() -> None:
    seen = Seen()
    assert [seen.add("a"), seen.add("a")] == [False, True]
    for number in range(MOST):
        assert not seen.add(str(number))
    assert not seen.add("a")
    assert [seen.add("x" * 10_000), seen.add("x" * 10_000)] == [False, False]


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "[NaN]", "", "{", "[" * 100_000, "9" * 5000, "'a'"]
)
def test_what_is_no_json_stays_text(text: str) -> None:
    assert parsed(text) == text


def test_a_decoder_begins_with_the_id_that_it_is_given() -> None:
    decoder = Decoder(last_event_id="7")
    assert [event.id for event in decoder.feed(b"data: 1\n\nid: 8\ndata: 2\n\n")] == ["7", "8"]
    assert decoder.last_event_id == "8"


@pytest.mark.parametrize(
    ("heartbeat", "silence"),
    [
        ("15", 45),
        ("0.5", 1.5),
        ("", None),
        ("0", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("4e9", 3600),
        ("1e308", None),
    ],
)
def test_silence_is_three_heartbeats(heartbeat: str, silence: float | None) -> None:
    state = StreamState(GET, max_event_bytes=1000)
    assert state.accepts(200, {**STREAM, "SSE-Heartbeat": heartbeat})
    assert state.silence == silence


def test_a_server_that_is_not_who_it_should_be_is_not_asked_again() -> None:
    state = StreamState(GET, max_event_bytes=1000)
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = ssl.SSLCertVerificationError()
    with pytest.raises(httpx.ConnectError):
        state.lost(error)
    state.lost(httpx.ConnectError("refused"))


def test_a_working_stream_comes_back_soon_and_a_broken_one_later() -> None:
    state = StreamState(GET, max_event_bytes=1000, backoff=longest())
    waits = []
    for text in (b"", b"", b"data: 1\n\n", b""):
        assert state.accepts(200, STREAM)
        list(state.feed(text, never))
        state.ended()
        waits.append(state.wait)
    assert waits == [1.5, 3, 1.5, 3]


@pytest.mark.parametrize(
    "text",
    [
        "event: ready\nid: 1\ndata: {}\n\n",
        "event: error\ndata: {}\n\n",
        "event: reset\nid: 1\ndata: {}\n\n",
    ],
)
def test_a_stream_that_fails_once_it_has_begun_comes_back_later_each_time(text: str) -> None:
    backoff = longest()
    state = StreamState(GET, max_event_bytes=1000, backoff=backoff)
    waits = []
    for _ in range(4):
        assert state.accepts(200, STREAM)
        list(state.feed(f"retry: 100\n{text}".encode(), never))
        state.ended()
        waits.append(state.wait)
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8])


def test_a_silent_connection_that_stood_for_long_has_not_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    state = StreamState(GET, max_event_bytes=1000, backoff=longest())
    waits = []
    for seconds in (1, 1, 60, 1):
        assert state.accepts(200, STREAM)
        now[0] += seconds
        state.ended()
        waits.append(state.wait)
    now[0] += 60
    state.lost(httpx.ConnectError("refused"))
    assert [*waits, state.wait] == [1.5, 3, 1.5, 3, 6]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_only_a_get_is_repeated(method: str) -> None:
    state = StreamState(Call(method, "http://host/job"), max_event_bytes=1000)
    assert state.accepts(200, STREAM)
    with pytest.raises(RouteError, match=f"{method} is not repeated"):
        state.ended()
    with pytest.raises(RouteError, match=f"{method} is not repeated"):
        state.lost(httpx.ReadTimeout("silent"))


def test_it_imports_neither_flask_nor_pydantic_by_itself() -> None:
    folder = Path(flask_sse_routes.client.__file__).parent
    found = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                found.add(node.module)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition(".")[0])
            elif isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
    assert found - sys.stdlib_module_names == {"httpx", "errors", "logs", "wire"}


def test_without_httpx_it_says_what_to_install() -> None:
    program = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "httpx" else find(name, *rest)
import flask_sse_routes.client
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert "needs httpx: pip install 'flask_sse_routes[client]'" in run.stderr

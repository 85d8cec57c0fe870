"""The `sse` kind: the head, what a handler may yield, the end of a stream, and who is let in."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import math
import re
import threading
import time
import weakref
from collections.abc import Generator, Iterable, Iterator
from io import BytesIO
from typing import Any

import pydantic
import pytest
from flask import Flask, Response, abort, request
from werkzeug.exceptions import ServiceUnavailable

from flask_sse_routes import (
    Context,
    DeclarationError,
    Event,
    EventError,
    OutputError,
    Subscription,
    define_hook,
    define_route,
)
from flask_sse_routes.extension import runtime_of, this_app
from flask_sse_routes.testing import sse_client

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
    "SSE-Heartbeat": "15",
}
RETRY = re.compile(rb"retry: (\d+)\n")
EVENT_SOURCE = {"Accept": "text/event-stream"}
PROBLEM = "application/problem+json"


class Progress(pydantic.BaseModel):
    percent: int


@dataclasses.dataclass
class Done:
    total: int


def ticks() -> Iterator[int]:
    yield 1
    yield 2


def wait_for_ever(ctx: Context) -> Iterator[int]:
    ctx.sleep(3600)
    yield 1


def first_then_wait(ctx: Context) -> Iterator[int]:
    yield 1
    ctx.sleep(3600)


def sse(handler: Any = ticks, **options: Any) -> Any:
    return define_route(handler, kind="sse", **options)


@pytest.fixture(name="events")
def read_events(make_app: Any) -> Any:
    """All events of a stream whose handler yields these values."""

    def read(*values: Any, handler: Any = None, config: Any = None, **options: Any) -> Any:
        def replay() -> Iterator[Any]:
            yield from values

        app = make_app({"it": sse(handler or replay, **options)}, **(config or {}))
        with sse_client(app).open("/api/it") as stream:
            assert stream.status == 200
            return list(stream)

    return read


def data_of(events: list[Event]) -> list[Any]:
    return [json.loads(event.data) for event in events]


# --- the head


def test_the_head_of_a_stream(make_app: Any, wsgi: Any) -> None:
    response = wsgi(make_app({"it": sse()}), "/api/it", headers=EVENT_SOURCE)
    assert response.status == 200
    assert dict(response.headers) == HEADERS
    assert len(response.headers) == len(HEADERS)


def test_the_first_chunk_of_a_silent_stream_is_one_retry_line(make_app: Any, wsgi: Any) -> None:
    app = make_app({"it": sse(wait_for_ever, open_timeout=0)})
    times = []
    for _ in range(30):
        response = wsgi(app, "/api/it")
        match = RETRY.fullmatch(response.chunk())
        assert match is not None
        times.append(int(match[1]))
        response.close()
    assert all(1125 <= each <= 1875 for each in times)
    assert len(set(times)) > 10


def test_retry_comes_from_the_configuration(make_app: Any, wsgi: Any) -> None:
    app = make_app({"it": sse()}, SSE_RETRY=40_000)
    match = RETRY.match(wsgi(app, "/api/it").rest())
    assert match is not None
    assert 30_000 <= int(match[1]) <= 50_000


def test_no_blank_line_follows_the_retry_line(make_app: Any, wsgi: Any) -> None:
    body = wsgi(make_app({"it": sse()}), "/api/it").rest()
    assert RETRY.sub(b"", body, count=1) == (
        b"data: 1\n\ndata: 2\n\nevent: end\nid: ~end\ndata: null\n\n"
    )


def test_what_is_ready_together_leaves_in_one_chunk(make_app: Any, wsgi: Any) -> None:
    def burst(ctx: Context) -> Iterator[int]:
        yield from range(20)
        ctx.sleep(3600)

    response = wsgi(make_app({"it": sse(burst)}), "/api/it")
    chunks: list[bytes] = []
    while b"data: 19\n" not in b"".join(chunks):
        chunks.append(response.chunk())
    assert len(chunks) < 10
    response.close()


def test_the_head_leaves_with_the_first_event(make_app: Any, wsgi: Any) -> None:
    begun = time.monotonic()
    response = wsgi(make_app({"it": sse(first_then_wait, open_timeout=60)}), "/api/it")
    assert b"data: 1\n" in response.chunk()
    assert time.monotonic() - begun < 10
    response.close()


@pytest.mark.parametrize("by", ["option", "configuration"])
def test_the_head_leaves_after_the_open_timeout(make_app: Any, wsgi: Any, by: str) -> None:
    config = {"SSE_OPEN_TIMEOUT": 0.3} if by == "configuration" else {"SSE_OPEN_TIMEOUT": 60}
    options = {"open_timeout": 0.3} if by == "option" else {}
    app = make_app({"it": sse(wait_for_ever, **options)}, **config)
    begun = time.monotonic()
    response = wsgi(app, "/api/it")
    assert 0.25 < time.monotonic() - begun < 10
    assert RETRY.fullmatch(response.chunk())
    response.close()


@pytest.mark.parametrize("blocked", ["sleep", "elsewhere"])
def test_heartbeats_while_the_handler_is_blocked(
    make_app: Any, wsgi: Any, eventually: Any, blocked: str
) -> None:
    gate = threading.Event()

    def handler(ctx: Context) -> Iterator[int]:
        yield 1
        if blocked == "sleep":
            ctx.sleep(3600)
        gate.wait()

    response = wsgi(make_app({"it": sse(handler)}, SSE_HEARTBEAT=0.05), "/api/it")
    assert response.headers["SSE-Heartbeat"] == "0.05"
    assert response.chunk().endswith(b"data: 1\n\n")
    assert [response.chunk() for _ in range(3)] == [b":\n"] * 3
    gate.set()
    response.close()


def test_no_heartbeat_while_events_flow(make_app: Any) -> None:
    def handler(ctx: Context) -> Iterator[int]:
        for n in range(20):
            yield n
            ctx.sleep(0.02)

    with sse_client(make_app({"it": sse(handler)}, SSE_HEARTBEAT=2)).open("/api/it") as stream:
        assert len(list(stream)) == 21
        assert stream.heartbeats == 0


def test_head_requests_get_the_head_alone(make_app: Any) -> None:
    ran: list[int] = []

    def handler() -> Iterator[int]:
        ran.append(1)
        yield 1

    response = make_app({"it": sse(handler)}).test_client().head("/api/it")
    assert (response.status_code, response.data, ran) == (200, b"", [])
    assert HEADERS.items() <= dict(response.headers).items()


# --- what a handler may yield


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ({"a": [1, 2.5, None]}, {"a": [1, 2.5, None]}),
        ("text", "text"),
        ("two\nlines\r", "two\nlines\r"),
        (0, 0),
        (None, None),
        ("", ""),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (decimal.Decimal("1.10"), "1.10"),
        (math.nan, None),
        (Progress(percent=1), {"percent": 1}),
        (Done(2), {"total": 2}),
        (Event({"a": 1}), {"a": 1}),
        (Event(None), None),
        (Event("text"), "text"),
    ],
)
def test_a_value_is_a_message_in_json(events: Any, value: Any, parsed: Any) -> None:
    got, end = events(value)
    assert (got.event, got.id, json.loads(got.data)) == ("message", "", parsed)
    assert (end.event, end.id, end.data) == ("end", "~end", "null")


def test_an_event_has_name_id_and_retry(make_app: Any) -> None:
    def handler() -> Iterator[Event]:
        yield Event(1, event="tick", id="7")
        yield Event(retry=4321)
        yield Event(comment="a note")
        yield Event(2)

    with sse_client(make_app({"it": sse(handler)})).open("/api/it") as stream:
        got = list(stream)
        assert [(e.event, e.id, e.data) for e in got] == [
            ("tick", "7", "1"),
            ("message", "7", "2"),
            ("end", "7~end", "null"),
        ]
        assert stream.retry == 4321
        assert b"retry: 4321\n: a note\ndata: 2\n\n" in stream.raw


def test_raw_text_is_not_encoded(events: Any) -> None:
    got = events(Event(raw="<b>\r\nhi\r</b>", event="html"))[0]
    assert (got.event, got.data) == ("html", "<b>\nhi\n</b>")


NAMED = {"progress": Progress, "done": Done}


def test_declared_types_name_their_events(events: Any) -> None:
    got = events(
        Progress(percent=1),
        Event({"percent": "2"}, event="progress", id="2"),
        Done(3),
        {"percent": 4},
        Event(5, event="other"),
        events=NAMED,
    )
    assert [(e.event, json.loads(e.data)) for e in got] == [
        ("progress", {"percent": 1}),
        ("progress", {"percent": 2}),
        ("done", {"total": 3}),
        ("message", {"percent": 4}),
        ("other", 5),
        ("end", None),
    ]


def test_output_types_the_message(events: Any) -> None:
    got = events(
        {"percent": "1"}, Progress(percent=2), Event({"percent": 3}, id="3"), output=Progress
    )
    assert data_of(got[:-1]) == [{"percent": 1}, {"percent": 2}, {"percent": 3}]


@pytest.mark.parametrize(
    "hint",
    [
        Iterator[Progress],
        Iterable[Progress],
        Generator[Progress, None, None],
        Iterator[Progress | Event],
        Iterator[Progress | Done],
    ],
)
def test_the_annotation_types_the_message(events: Any, hint: Any) -> None:
    def handler():  # type: ignore[no-untyped-def]  # annotated below
        yield {"percent": "1"}
        yield Event({"percent": "2"})
        yield {"percent": "many"}

    handler.__annotations__["return"] = hint
    named = {"done": Done} if "Done" in str(hint) else {}
    *got, error = events(handler=handler, events=named)
    assert data_of(got) == [{"percent": 1}, {"percent": 2}]
    assert error.event == "error"


def test_an_annotation_may_allow_none(events: Any) -> None:
    def handler() -> Iterator[int | None]:
        yield 1
        yield None
        yield "many"  # type: ignore[misc]  # wrong on purpose

    one, none, error = events(handler=handler)
    assert data_of([one, none]) == [1, None]
    assert error.event == "error"


def test_a_wrong_message_is_an_error_event(events: Any) -> None:
    first, error = events({"percent": 1}, {"percent": "secret"}, {"percent": 3}, output=Progress)
    assert json.loads(first.data) == {"percent": 1}
    assert (error.event, json.loads(error.data)["status"]) == ("error", 500)
    assert "secret" not in error.data


def test_validation_can_be_off(events: Any) -> None:
    got = events({"percent": "many"}, output=Progress, config={"SSE_VALIDATE_OUTPUT": False})
    assert data_of(got) == [{"percent": "many"}, None]


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (lambda: Event(1, event="end"), EventError),
        (lambda: Event(1, event="error"), EventError),
        (lambda: Event(1, event="a\nb"), EventError),
        (lambda: Event(1, id="a b"), EventError),
        (lambda: Event(1, id="7~end"), EventError),
        (lambda: Event(1, id=7), EventError),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: Event(1, retry=-1), EventError),
        (lambda: Event(comment="a\nb"), EventError),
        (lambda: Event(event="named"), EventError),
        (lambda: Event(raw="x" * 2000), EventError),
        (lambda: "x" * 2000, EventError),
        (lambda: object(), OutputError),
        (lambda: "\ud800", OutputError),
        (lambda: Event(raw="\ud800"), EventError),
    ],
)
def test_what_cannot_be_sent_is_raised_at_the_yield(make_app: Any, value: Any, error: Any) -> None:
    seen: list[Any] = []

    def handler() -> Iterator[Any]:
        yield "fine"
        try:
            yield value()
        except BaseException as raised:
            seen.append(type(raised))
            raise
        finally:
            seen.append("finally")

    app = make_app({"it": sse(handler)}, SSE_MAX_EVENT_BYTES=1000)
    with sse_client(app).open("/api/it") as stream:
        first, last = list(stream)
    assert (first.data, last.event) == ('"fine"', "error")
    document = json.loads(last.data)
    assert (document["status"], document["title"]) == (500, "Internal Server Error")
    assert seen == [error, "finally"]


def test_a_first_event_that_cannot_be_sent_is_an_http_status(make_app: Any) -> None:
    route = sse(lambda: iter([Event(1, event="end")]))
    response = make_app({"it": route}).test_client().get("/api/it")
    assert (response.status_code, response.content_type) == (500, PROBLEM)
    with pytest.raises(EventError, match="'end' is reserved"):
        make_app({"it": route}, TESTING=True).test_client().get("/api/it")


# --- handlers that are no generators


@pytest.mark.parametrize("made", [[1, 2], (1, 2), iter([1, 2]), range(1, 3), map(int, "12")])
def test_a_plain_function_may_return_an_iterable(events: Any, made: Any) -> None:
    assert data_of(events(handler=lambda: made)) == [1, 2, None]


def test_a_plain_function_runs_in_the_request(make_app: Any) -> None:
    def handler() -> Iterable[str]:
        names = request.args.getlist("name")
        return (f"hello {name}" for name in names)

    app = make_app({"it": sse(handler)})
    with sse_client(app).open("/api/it?name=a&name=b") as stream:
        assert data_of(list(stream)) == ["hello a", "hello b", None]


@pytest.mark.parametrize("value", [{"a": 1}, "text", b"bytes", None, 5, Response("x")])
def test_what_is_no_stream_is_refused_at_the_first_call(make_app: Any, value: Any) -> None:
    if isinstance(value, Response):
        value = object()
    app = make_app({"it": sse(lambda: value)})
    assert app.test_client().get("/api/it").status_code == 500
    app.testing = True
    with pytest.raises(DeclarationError) as caught:
        app.test_client().get("/api/it")
    for word in ("'it'", type(value).__name__, "yields", "kind='http'"):
        assert word in str(caught.value)
    assert runtime_of(app).streams.stats().streams == 0


def test_input_is_validated_before_the_stream_opens(make_app: Any) -> None:
    def handler(n: int) -> Iterator[int]:
        yield n

    app = make_app({"it": sse(handler)})
    response = app.test_client().get("/api/it?n=x")
    assert (response.status_code, response.content_type) == (422, PROBLEM)
    with sse_client(app).open("/api/it?n=4") as stream:
        assert stream.json() == 4


def test_a_stream_by_post(make_app: Any) -> None:
    def handler(words: list[str]) -> Iterator[str]:
        yield from words

    app = make_app({"it": sse(handler, method="POST")})
    with sse_client(app).open("/api/it", method="POST", json={"words": ["a", "b"]}) as stream:
        assert data_of(list(stream)) == ["a", "b", None]


# --- the end of a stream


def test_the_return_value_is_the_data_of_end(events: Any) -> None:
    def handler() -> Iterator[Any]:
        yield Event(1, id="k3f9-1")
        return {"total": decimal.Decimal("2.5")}

    end = events(handler=handler)[-1]
    assert (end.event, end.id, end.data) == ("end", "k3f9-1~end", '{"total":"2.5"}')


def test_an_empty_stream_ends_too(events: Any) -> None:
    assert [(e.event, e.id) for e in events()] == [("end", "~end")]


def test_a_return_value_that_cannot_be_sent_is_an_error(events: Any) -> None:
    def handler() -> Iterator[Any]:
        yield 1
        return object()

    assert [e.event for e in events(handler=handler)] == ["message", "error"]


@pytest.mark.parametrize("how", ["header", "query"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_finished_stream_stays_finished(make_app: Any, how: str, method: str) -> None:
    ran: list[str] = []

    def handler(n: int) -> Iterator[int]:
        ran.append("handler")
        yield n

    hook = define_hook(before=lambda ctx: ran.append("hook"))
    app = make_app({"it": sse(handler, method=method, hooks=[hook])})
    headers = {"Last-Event-ID": "7~end"} if how == "header" else {}
    query = "?last_event_id=7~end" if how == "query" else ""
    response = app.test_client().open(f"/api/it{query}", method=method, headers=headers)
    assert (response.status_code, response.data, ran) == (204, b"", [])


def test_the_suffix_alone_is_an_end(make_app: Any) -> None:
    client = make_app({"it": sse()}).test_client()
    assert client.get("/api/it", headers={"Last-Event-ID": "~end"}).status_code == 204


def test_an_id_that_has_it_elsewhere_is_no_end(make_app: Any) -> None:
    app = make_app({"it": sse()})
    with sse_client(app).open("/api/it", last_event_id="~end5") as stream:
        assert stream.status == 200


def test_on_end_reconnect_sends_no_end_and_answers_no_204(make_app: Any, wsgi: Any) -> None:
    app = make_app({"it": sse(on_end="reconnect")})
    response = wsgi(app, "/api/it", headers={"Last-Event-ID": "7~end"})
    assert response.status == 200
    assert RETRY.sub(b"", response.rest(), count=1) == b"data: 1\n\ndata: 2\n\n"


def test_on_end_reconnect_lets_a_client_come_back_after_an_error(events: Any) -> None:
    def handler() -> Iterator[Any]:
        yield Event(1, id="7")
        raise ValueError

    error = events(handler=handler, on_end="reconnect")[-1]
    assert (error.event, error.id) == ("error", "7")


# --- drain


def ends_soon(app: Flask, path: str, method: str, *, everything: bool = False) -> list[str]:
    """What still comes of a stream after its first event, once the process drains."""
    with sse_client(app).open(path, method=method) as stream:
        stream.next()
        runtime_of(app).streams.drain(everything=everything)
        return [event.event for event in stream]


def a_little_longer(ctx: Context) -> Iterator[int]:
    yield 1
    ctx.sleep(0.1)
    yield 2


@pytest.mark.parametrize(
    ("method", "drain", "rest"),
    [
        ("GET", None, []),
        ("GET", "finish", ["message", "end"]),
        ("POST", None, ["message", "end"]),
        ("POST", "now", []),
    ],
)
def test_what_drains_at_once_and_what_may_finish(
    make_app: Any, method: str, drain: str | None, rest: list[str]
) -> None:
    app = make_app({"it": sse(a_little_longer, method=method, drain=drain)})
    assert ends_soon(app, "/api/it", method) == rest


def test_in_the_end_everything_drains(make_app: Any) -> None:
    app = make_app({"it": sse(first_then_wait, drain="finish")})
    assert ends_soon(app, "/api/it", "GET", everything=True) == []


def test_a_drained_stream_says_when_to_come_back(make_app: Any, wsgi: Any) -> None:
    app = make_app({"it": sse(first_then_wait)})
    response = wsgi(app, "/api/it")
    assert b"data: 1\n\n" in response.chunk()
    runtime_of(app).streams.drain()
    match = RETRY.fullmatch(response.rest())
    assert match is not None
    assert 500 <= int(match[1]) <= 3000


def test_what_is_buffered_is_sent_before_a_drain(make_app: Any, wsgi: Any, eventually: Any) -> None:
    put: list[int] = []

    def handler(ctx: Context) -> Iterator[int]:
        yield 1
        yield 2
        put.append(2)
        ctx.sleep(3600)

    app = make_app({"it": sse(handler)})
    response = wsgi(app, "/api/it")
    eventually(lambda: put)
    runtime_of(app).streams.drain()
    body = response.rest()
    assert re.fullmatch(rb"retry: \d+\ndata: 1\n\ndata: 2\n\nretry: \d+\n", body)


def test_max_duration_lets_the_client_come_back(make_app: Any, wsgi: Any) -> None:
    response = wsgi(make_app({"it": sse(first_then_wait, max_duration=0.05)}), "/api/it")
    body = response.rest()
    assert body.startswith(b"retry: ")
    assert body.count(b"\n\n") == 1
    *_, last = RETRY.findall(body)
    assert body.endswith(b"retry: %b\n" % last)
    assert 500 <= int(last) <= 3000


# --- admission


def test_a_full_process_tells_an_event_source_to_come_back(make_app: Any, wsgi: Any) -> None:
    ran: list[int] = []

    def handler(ctx: Context) -> Iterator[int]:
        ran.append(1)
        yield 1
        ctx.sleep(3600)

    app = make_app({"it": sse(handler)}, SSE_MAX_STREAMS=1)
    with sse_client(app).open("/api/it") as stream:
        stream.next()
        refused = wsgi(app, "/api/it", headers={"Accept": "text/event-stream, */*;q=0.1"})
        assert (refused.status, refused.headers["SSE-Refused"]) == (200, "capacity")
        assert refused.headers["Content-Type"] == HEADERS["Content-Type"]
        assert refused.headers["Cache-Control"] == HEADERS["Cache-Control"]
        match = RETRY.fullmatch(refused.rest())
        assert match is not None
        assert 3000 <= int(match[1]) <= 10_000
        assert len(ran) == 1


@pytest.mark.parametrize(
    ("method", "headers"),
    [("GET", {}), ("GET", {"Accept": "*/*"}), ("POST", EVENT_SOURCE)],
)
def test_a_full_process_answers_503_to_everything_else(
    make_app: Any, method: str, headers: dict[str, str]
) -> None:
    app = make_app(
        {"it": sse(first_then_wait), "other": sse(first_then_wait, method=method, path="/other")},
        SSE_MAX_STREAMS=1,
    )
    with sse_client(app).open("/api/it") as stream:
        stream.next()
        response = app.test_client().open("/api/other", method=method, headers=headers)
        assert (response.status_code, response.content_type) == (503, PROBLEM)
        assert int(response.headers["Retry-After"]) > 0
        assert "SSE-Refused" not in response.headers


def test_refusals_are_retried_at_different_times(make_app: Any, wsgi: Any) -> None:
    app = make_app({"it": sse(first_then_wait)}, SSE_MAX_STREAMS=1)
    with sse_client(app).open("/api/it") as stream:
        stream.next()
        bodies = {wsgi(app, "/api/it", headers=EVENT_SOURCE).rest() for _ in range(20)}
        assert len(bodies) > 5


def fails() -> Iterator[int]:
    raise ValueError
    yield 1


@pytest.mark.parametrize("handler", [ticks, first_then_wait, fails, lambda: {"no": "stream"}])
def test_the_place_comes_back(make_app: Any, eventually: Any, handler: Any) -> None:
    app = make_app({"it": sse(handler), "ok": sse()}, SSE_MAX_STREAMS=1)
    for _ in range(3):
        with sse_client(app).open("/api/it"):
            pass
        eventually(lambda: runtime_of(app).streams.stats().streams == 0)
    with sse_client(app).open("/api/ok") as stream:
        assert "SSE-Refused" not in stream.headers
        assert stream.json() == 1


def test_the_limit_per_client_counts_by_address(make_app: Any) -> None:
    app = make_app({"it": sse(first_then_wait)}, SSE_MAX_STREAMS_PER_CLIENT=1)

    def open_from(address: str) -> Any:
        return sse_client(app).open("/api/it", environ_overrides={"REMOTE_ADDR": address})

    with open_from("10.0.0.1") as one, open_from("10.0.0.2") as two, open_from("10.0.0.1") as three:
        assert "SSE-Refused" not in one.headers
        assert "SSE-Refused" not in two.headers
        assert three.headers["SSE-Refused"] == "capacity"


def test_the_limit_per_client_counts_by_identity(make_app: Any, eventually: Any) -> None:
    app = make_app(
        {"it": sse(first_then_wait)},
        SSE_MAX_STREAMS_PER_CLIENT=2,
        identify=lambda request: request.args["who"],
    )
    client = sse_client(app)
    with (
        client.open("/api/it?who=a"),
        client.open("/api/it?who=a"),
        client.open("/api/it?who=a") as third,
        client.open("/api/it?who=b") as other,
    ):
        assert third.headers["SSE-Refused"] == "capacity"
        assert other.json() == 1
    eventually(lambda: runtime_of(app).streams.stats().streams == 0)
    with client.open("/api/it?who=a") as again:
        assert again.json() == 1


def claims(_: Any) -> dict[str, int]:
    return {"id": 1}


def test_an_identity_of_any_type_will_do_without_a_limit_per_client(
    make_app: Any, eventually: Any
) -> None:
    app = make_app({"it": sse(first_then_wait)}, SSE_MAX_STREAMS=1, identify=claims)
    for _ in range(3):
        eventually(lambda: runtime_of(app).streams.stats().streams == 0)
        with sse_client(app).open("/api/it") as stream:
            assert stream.json() == 1


def test_an_identity_that_cannot_be_counted_is_an_error_that_takes_no_place(make_app: Any) -> None:
    identities: list[Any] = [{"id": 1}, {"id": 1}, "a"]
    app = make_app(
        {"it": sse(first_then_wait)},
        SSE_MAX_STREAMS=1,
        SSE_MAX_STREAMS_PER_CLIENT=1,
        TESTING=True,
        identify=lambda request: identities.pop(0),
    )
    for _ in range(2):
        with pytest.raises(TypeError, match=r"identify=.*dict.*SSE_MAX_STREAMS_PER_CLIENT"):
            app.test_client().get("/api/it")
    with sse_client(app).open("/api/it") as stream:
        assert stream.json() == 1


def test_a_stream_that_nobody_can_keep_time_of_takes_no_place(
    make_app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[int] = []

    def handler() -> Iterator[int]:
        ran.append(1)
        yield 1

    def no_thread_left() -> Any:
        raise RuntimeError("can't start new thread")

    app = make_app({"it": sse(handler)}, SSE_MAX_STREAMS=1)
    with monkeypatch.context() as patch:
        patch.setattr("flask_sse_routes.stream.get_clock", no_thread_left)
        for _ in range(2):
            assert app.test_client().get("/api/it").status_code == 500
            assert runtime_of(app).streams.open() == []
    assert ran == []
    with sse_client(app).open("/api/it") as stream:
        assert stream.json() == 1


def follow_news() -> Subscription:
    owner = runtime_of(this_app()).owner
    assert owner is not None
    return owner.subscribe("news")


@pytest.mark.parametrize(("handler", "followed"), [(follow_news, ["news"]), (ticks, [])])
def test_a_failure_before_the_stream_is_made_leaves_nothing(
    make_app: Any,
    eventually: Any,
    monkeypatch: pytest.MonkeyPatch,
    handler: Any,
    followed: list[str],
) -> None:
    ends: list[Any] = []
    rings: list[list[str]] = []
    error = RuntimeError("no stream today")

    def no_stream(*args: Any, **options: Any) -> Any:
        rings.append(list(hub.rings))
        raise error

    cleanup = define_hook(cleanup=lambda ctx: ends.append((ctx.outcome, ctx.error)))
    app = make_app({"it": sse(handler, hooks=[cleanup])}, SSE_MAX_STREAMS=1)
    hub, streams = runtime_of(app).channels.hub, runtime_of(app).streams
    with monkeypatch.context() as patch:
        patch.setattr("flask_sse_routes.kinds.opening.Stream", no_stream)
        for _ in range(2):
            assert app.test_client().get("/api/it").status_code == 500
            assert (hub.rings, hub._followers, streams.open()) == ({}, {}, [])
    assert rings == [followed] * 2
    assert ends == [("error", error)] * 2
    with sse_client(app).open("/api/it") as stream:
        assert "SSE-Refused" not in stream.headers
        stream.next()
    eventually(lambda: len(ends) == 3)


def test_it_is_checked_after_the_before_hooks(make_app: Any) -> None:
    outcomes: list[str | None] = []
    hook = define_hook(
        before=lambda ctx: abort(401) if ctx.request.args.get("deny") else None,
        cleanup=lambda ctx: outcomes.append(ctx.outcome),
    )
    app = make_app({"it": sse(first_then_wait, hooks=[hook])}, SSE_MAX_STREAMS=1)
    with sse_client(app).open("/api/it") as stream:
        stream.next()
        assert app.test_client().get("/api/it?deny=1", headers=EVENT_SOURCE).status_code == 401
        assert app.test_client().get("/api/it", headers=EVENT_SOURCE).status_code == 200
        assert outcomes == ["rejected", "rejected"]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_an_unavailable_hook_is_answered_likewise(make_app: Any, wsgi: Any, status: int) -> None:
    hook = define_hook(before=lambda ctx: abort(status))
    app = make_app({"it": sse(hooks=[hook])})
    response = wsgi(app, "/api/it", headers=EVENT_SOURCE)
    assert (response.status, response.headers["SSE-Refused"]) == (200, "unavailable")
    match = RETRY.fullmatch(response.rest())
    assert match is not None
    assert 3000 <= int(match[1]) <= 10_000
    plain = app.test_client().get("/api/it")
    assert (plain.status_code in (status, 503), plain.content_type) == (True, PROBLEM)
    assert int(plain.headers["Retry-After"]) > 0


def test_a_hooks_own_retry_after_is_kept(make_app: Any) -> None:
    def busy(ctx: Context) -> None:
        raise ServiceUnavailable("Back in a minute.", retry_after=60)

    response = make_app({"it": sse(hooks=[define_hook(before=busy)])}).test_client().get("/api/it")
    assert response.headers["Retry-After"] == "60"
    assert response.json["detail"] == "Back in a minute."


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429])
def test_other_refusals_of_a_hook_stay_as_they_are(make_app: Any, status: int) -> None:
    app = make_app({"it": sse(hooks=[define_hook(before=lambda ctx: abort(status))])})
    response = app.test_client().get("/api/it", headers=EVENT_SOURCE)
    assert (response.status_code, response.content_type) == (status, PROBLEM)
    assert "SSE-Refused" not in response.headers


# --- servers that cannot


def test_gunicorns_sync_worker_is_refused(make_app: Any, wsgi: Any, caplog: Any) -> None:
    sync = {"SERVER_SOFTWARE": "gunicorn/27.0.1", "wsgi.multithread": False}
    app = make_app({"it": sse(), "hello": define_route(lambda: 1)})
    assert wsgi(app, "/api/it", **sync).status == 500
    (message,) = [r.getMessage() for r in caplog.records if "gunicorn" in r.getMessage()]
    assert "'it'" in message
    assert "-k gevent or -k gthread" in message
    assert wsgi(app, "/api/hello", **sync).status == 200
    threaded = wsgi(app, "/api/it", **{**sync, "wsgi.multithread": True})
    assert threaded.status == 200
    assert threaded.rest()


@pytest.mark.threads
def test_an_unpatched_pywsgi_is_refused(make_app: Any, wsgi: Any, caplog: Any) -> None:
    pywsgi_input = type("Input", (BytesIO,), {"__module__": "gevent.pywsgi"})
    response = wsgi(make_app({"it": sse()}), "/api/it", **{"wsgi.input": pywsgi_input()})
    assert response.status == 500
    assert "monkey.patch_all()" in caplog.text


@pytest.mark.parametrize("how", ["ends", "leaves"])
def test_a_stream_that_is_over_is_freed_at_once(
    make_app: Any, eventually: Any, no_gc: None, how: str
) -> None:
    kept: list[weakref.ref[threading.Event]] = []

    def handler(ctx: Context) -> Iterator[int]:
        ctx.state.thing = threading.Event()
        kept.append(weakref.ref(ctx.state.thing))
        yield from first_then_wait(ctx) if how == "leaves" else ticks()

    with sse_client(make_app({"it": sse(handler)})).open("/api/it") as stream:
        assert stream.json() == 1
        if how == "ends":
            list(stream)
    eventually(lambda: kept[0]() is None)

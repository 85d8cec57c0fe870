"""`reauthorize=seconds`: the `before` hooks ask again while a stream is open."""

from __future__ import annotations

import json
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import (
    Flask,
    Request,
    abort,
    current_app,
    g,
    has_request_context,
    make_response,
    request,
    session,
    url_for,
)
from flask.logging import default_handler

from flask_sse_routes import (
    BrokerUnavailable,
    Context,
    DeclarationError,
    Event,
    StreamError,
    Subscription,
    concurrency,
    define_hook,
    define_route,
    hook,
)
from flask_sse_routes.extension import runtime_of, this_app
from flask_sse_routes.hooks import Hook
from flask_sse_routes.kinds import opening
from flask_sse_routes.kinds.reauthorizing import Reauthorizer
from flask_sse_routes.testing import TestStream, sse_client

# What routes say, the shortest there is, and what it stands for in most tests (seconds).
SHORTEST, OFTEN = 0.1, 0.025
Ask = Callable[[Context], Any]


def first_then_wait(ctx: Context) -> Iterator[int]:
    yield 1
    ctx.sleep(3600)


def follow_news() -> Subscription:
    owner = runtime_of(this_app()).owner
    assert owner is not None
    return owner.subscribe("news")


HANDLERS = {"generator": first_then_wait, "subscription": follow_news}


@pytest.fixture(name="handler", params=HANDLERS)
def handler(request: pytest.FixtureRequest) -> Any:
    return HANDLERS[request.param]


class Door:
    """A hook that lets a stream in, and does what it is told each time that it is asked again."""

    def __init__(self, again: Ask | None = None) -> None:
        self.contexts: list[Context] = []
        self.again = again
        self.hook = define_hook("door", before=self._before)

    @property
    def asked(self) -> int:
        return len(self.contexts)

    def _before(self, ctx: Context) -> Any:
        self.contexts.append(ctx)
        return self.again(ctx) if self.again is not None and self.asked > 1 else None


def sse(handler: Any, *hooks: Hook, **options: Any) -> Any:
    return define_route(handler, kind="sse", hooks=hooks, **({"reauthorize": SHORTEST} | options))


@pytest.fixture(autouse=True)
def time_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens at each turn is looked at, and not how long one takes."""

    def make(call: Any, ctx: Context, stream: Any, seconds: float) -> Reauthorizer:
        return Reauthorizer(call, ctx, stream, seconds * OFTEN / SHORTEST)

    monkeypatch.setattr(opening, "Reauthorizer", make)


def open_it(app: Flask, **options: Any) -> TestStream:
    stream = sse_client(app).open("/api/it", **options)
    assert stream.next().event in ("message", "ready")
    return stream


def ended(app: Flask) -> dict[str, int]:
    return dict(runtime_of(app).streams.stats().ended)


def check_failed(stream: TestStream, status: int) -> dict[str, Any]:
    """It ended with one terminal error, whose problem document is returned."""
    (event,) = list(stream)
    assert event.event == "error"
    assert str(event.id).endswith("~end")
    document: dict[str, Any] = json.loads(event.data)
    assert document["status"] == status
    stream.close()
    return document


def check_sent_away(stream: TestStream) -> None:
    """It ended without a word that is final, and said when to come back."""
    assert list(stream) == []
    assert 500 <= (stream.retry or 0) <= 3000
    assert not stream.last_event_id.endswith("~end")
    stream.close()


# --- asking


def test_the_hooks_are_asked_again_and_again(
    make_app: Any, handler: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "Reauthorizer", Reauthorizer)
    door = Door()
    app = make_app({"it": sse(handler, door.hook)})
    with open_it(app):
        assert door.asked == 1
        begun = time.monotonic()
        eventually(lambda: door.asked >= 4)
        assert time.monotonic() - begun >= 3 * SHORTEST * 0.9
        assert ended(app) == {}
    eventually(lambda: ended(app) == {"disconnected": 1})
    assert len({id(ctx) for ctx in door.contexts}) == door.asked


@pytest.mark.parametrize("option", [None, 3600])
def test_or_not(make_app: Any, handler: Any, eventually: Any, option: Any) -> None:
    rare, often = Door(), Door()
    routes = {
        "it": sse(handler, rare.hook, reauthorize=option),
        "often": sse(handler, often.hook),
    }
    app = make_app(routes)
    with open_it(app), sse_client(app).open("/api/often"):
        eventually(lambda: often.asked > 3)
        assert rare.asked == 1


def test_the_hooks_of_every_owner_are_asked_in_order(make_app: Any, eventually: Any) -> None:
    steps: list[str] = []

    def note(name: str) -> Hook:
        return define_hook(
            before=lambda ctx: steps.append(f"+{name}"),
            after=lambda ctx: steps.append("after, which is for http"),
            cleanup=lambda ctx: steps.append(f"-{name}"),
        )

    route = sse(first_then_wait, note("route"))
    app = make_app({"it": route}, app_hooks=[note("app")], hooks=[note("blueprint")])
    with open_it(app):
        eventually(lambda: len(steps) >= 3 + 12)
    entered, left = ["+app", "+blueprint", "+route"], ["-route", "-blueprint", "-app"]
    assert steps[:15] == [*entered, *entered, *left, *entered, *left]
    eventually(lambda: steps.count("+app") == steps.count("-app"))


def test_a_hook_is_asked_in_a_request_of_what_the_client_sent(
    make_app: Any, handler: Any, eventually: Any
) -> None:
    seen: list[Any] = []

    def look(ctx: Context) -> None:
        assert ctx.request is request._get_current_object()  # type: ignore[attr-defined]  # a proxy
        told = request.headers, request.cookies, request.args
        seen.append(
            [
                *map(dict, told), request.method, request.url, request.full_path,
                request.root_path, request.scheme, request.host, request.remote_addr,
                request.view_args, request.endpoint, request.blueprint, str(request.user_agent),
                request.url_rule, dict(session), url_for(".it", n=9), ctx.url_for(".it", n=9),
                ctx.user, ctx.last_event_id, ctx.sent_id, ctx.route.name, current_app.name,
                request.authorization, request.is_json, request.accept_mimetypes.best,
            ]
        )  # fmt: skip

    def take_n(n: int, ctx: Context) -> Any:
        return handler(ctx) if handler is first_then_wait else handler()

    routes = {"it": sse(take_n, define_hook(before=look), path="/it/<int:n>")}
    app = make_app(routes, identify=lambda request: session["user"], SECRET_KEY="secret")

    @app.post("/login")
    def login() -> str:
        session["user"] = "ann"
        return "in"

    client = app.test_client()
    client.post("/login", base_url="https://example.org/mounted")
    headers = {"Authorization": "Bearer abc", "X-More": "ö", "Last-Event-ID": "e-1"}
    with sse_client(client).open(
        "/api/it/7?q=ä&q=b",
        base_url="https://example.org/mounted",
        headers=headers,
        environ_overrides={"REMOTE_ADDR": "192.0.2.7"},
    ) as stream:
        stream.next()
        eventually(lambda: len(seen) >= 3)
    assert "session" in seen[0][1]
    assert (seen[0][10], seen[0][15], seen[0][18]) == ({"n": 7}, {"user": "ann"}, "ann")
    assert all(each == seen[0] for each in seen)


def test_each_time_has_contexts_of_its_own(make_app: Any, handler: Any, eventually: Any) -> None:
    dirty: list[bool] = []
    torn_down: list[str] = []

    def before(ctx: Context) -> None:
        dirty.append("mark" in g)
        g.mark = True

    app = make_app({"it": sse(handler, define_hook(before=before))})
    app.teardown_request(lambda error: torn_down.append(request.path))
    with open_it(app):
        eventually(lambda: len(torn_down) > 3)
    eventually(lambda: len(torn_down) == len(dirty))
    assert not any(dirty)
    assert set(torn_down) == {"/api/it"}
    assert not has_request_context()


def test_input_and_state_are_those_of_the_stream(make_app: Any, eventually: Any) -> None:
    inputs: list[Any] = []

    def count(ctx: Context) -> None:
        inputs.append(ctx.input.n)
        ctx.state.count = getattr(ctx.state, "count", 0) + 1

    def tell(n: int, ctx: Context) -> Iterator[int]:
        yield n
        while True:
            ctx.sleep(0.02)
            yield ctx.state.count

    app = make_app({"it": sse(tell, define_hook(before=count), method="POST")})
    with sse_client(app).open("/api/it", method="POST", json={"n": 7}) as stream:
        assert stream.json() == 7
        eventually(lambda: stream.json() >= 3)
    assert set(inputs) == {7}


@pytest.mark.parametrize(
    "read", [lambda: request.get_data(), lambda: request.get_json(), lambda: request.values]
)
def test_a_body_that_is_gone_is_no_empty_one(
    make_app: Any, caplog: pytest.LogCaptureFixture, read: Any
) -> None:
    """A hook that checks what is in it would check nothing."""
    bodies: list[Any] = []
    door = define_hook(before=lambda ctx: bodies.append(read()))
    app = make_app({"it": sse(lambda ctx: first_then_wait(ctx), door, method="POST")})
    sent = {"data": {"n": 7}} if "values" in read.__code__.co_names else {"json": {"n": 7}}
    stream = open_it(app, method="POST", **sent)
    document = check_failed(stream, 500)
    assert len(bodies) == 1
    assert document["error_id"] in caplog.text
    assert "ctx.input" in caplog.text


def test_a_request_without_a_body_has_an_empty_one(
    make_app: Any, handler: Any, eventually: Any
) -> None:
    bodies: list[Any] = []

    def read(ctx: Context) -> None:
        form = dict(request.form), dict(request.values), dict(request.files)
        bodies.append((*form, request.get_data(), request.get_json(silent=True)))

    app = make_app({"it": sse(handler, define_hook(before=read))})
    with open_it(app):
        eventually(lambda: len(bodies) >= 3)
    assert set(map(str, bodies)) == {str(({}, {}, {}, b"", None))}


def test_the_apps_own_log_works_in_a_hook(
    make_app: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    eventually: Any,
) -> None:
    """By default Flask writes it to what the server gives with the request (PEP 3333)."""
    door = Door(lambda ctx: current_app.logger.error("asked again"))
    app = make_app({"it": sse(first_then_wait, door.hook)})
    monkeypatch.setattr(app.logger, "handlers", [default_handler])
    with open_it(app):
        eventually(lambda: door.asked >= 3)
    told = capsys.readouterr().err
    assert "asked again" in told
    assert "Logging error" not in told


# --- refusals


@pytest.mark.parametrize("status", [401, 403, 410, 429, 500])
def test_a_refusal_ends_the_stream_for_good(
    make_app: Any, handler: Any, eventually: Any, status: int
) -> None:
    door = Door(lambda ctx: abort(status, "Your token has expired."))
    app = make_app({"it": sse(handler, door.hook)})
    with open_it(app) as stream:
        document = check_failed(stream, status)
        assert document["detail"] == "Your token has expired."
        last = stream.last_event_id
    eventually(lambda: ended(app) == {"error": 1})
    assert door.asked == 2
    # An EventSource comes back all the same, and is told to stop (WHATWG HTML section 9.2.3).
    assert sse_client(app).open("/api/it", last_event_id=last).status == 204


def test_a_refusal_may_be_a_stream_error(make_app: Any, handler: Any) -> None:
    def refuse(ctx: Context) -> None:
        raise StreamError("Paid until today.", status=402)

    app = make_app({"it": sse(handler, Door(refuse).hook)})
    assert check_failed(open_it(app), 402)["detail"] == "Paid until today."


def test_a_refusal_may_be_a_response(
    make_app: Any, handler: Any, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    door = Door(lambda ctx: abort(make_response({"login": "/login"}, 401)))
    app = make_app({"it": sse(handler, door.hook)})
    check_failed(open_it(app), 401)
    eventually(lambda: ended(app) == {"error": 1})
    assert caplog.text == ""


def unavailable(status: int) -> Ask:
    return lambda ctx: abort(status)


def no_broker(ctx: Context) -> None:
    raise BrokerUnavailable("It is away.")


@pytest.mark.parametrize(
    "again",
    [
        unavailable(502),
        unavailable(503),
        unavailable(504),
        lambda ctx: abort(make_response("later", 503)),
        no_broker,
    ],
    ids=["502", "503", "504", "response", "broker"],
)
def test_an_unavailable_hook_sends_the_client_away_to_come_back(
    make_app: Any, handler: Any, eventually: Any, again: Ask
) -> None:
    """It says nothing about the client."""
    door = Door(again)
    app = make_app({"it": sse(handler, door.hook)})
    check_sent_away(open_it(app))
    eventually(lambda: ended(app) == {"shutdown": 1})
    assert door.asked == 2


def test_where_errors_let_the_client_come_back_it_is_refused_then(make_app: Any) -> None:
    door = Door(lambda ctx: abort(401))
    app = make_app({"it": sse(first_then_wait, door.hook, on_end="reconnect")})
    with open_it(app) as stream:
        (error,) = list(stream)
        assert (error.event, json.loads(error.data)["status"]) == ("error", 401)
        assert not stream.last_event_id.endswith("~end")
    assert sse_client(app).open("/api/it").status == 401


def test_a_token_that_has_run_out_ends_its_stream_and_no_other(
    make_app: Any, eventually: Any
) -> None:
    until: dict[str, float] = {}

    def check(ctx: Context) -> None:
        if time.monotonic() > until.get(ctx.request.headers["X-Token"], 0):
            abort(401)

    app = make_app({"it": sse(first_then_wait, define_hook(before=check))})
    until["short"], until["long"] = time.monotonic() + 0.3, time.monotonic() + 3600
    lasting = open_it(app, headers={"X-Token": "long"})
    check_failed(open_it(app, headers={"X-Token": "short"}), 401)
    assert sse_client(app).open("/api/it", headers={"X-Token": "short"}).status == 401
    eventually(lambda: ended(app) == {"error": 1})
    assert runtime_of(app).streams.stats().streams == 1
    lasting.close()


# --- who it is


class Identity:
    """An `identify` that can be told to say something else."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self.asked = 0

    def __call__(self, request: Request) -> Any:
        assert request.path == "/api/it"
        self.asked += 1
        return self.user() if callable(self.user) else self.user


@pytest.mark.parametrize(("was", "now"), [("ann", "bob"), ("ann", None), (None, "ann"), (1, 2)])
def test_another_user_ends_the_stream(
    make_app: Any, handler: Any, was: Any, now: Any, eventually: Any
) -> None:
    door, identify = Door(), Identity(was)
    app = make_app({"it": sse(handler, door.hook)}, identify=identify)
    stream = open_it(app)
    eventually(lambda: door.asked >= 2)
    identify.user = now
    check_failed(stream, 403)
    eventually(lambda: ended(app) == {"error": 1})
    assert {ctx.user for ctx in door.contexts} == {was}, "no hook was asked about another"


def test_the_same_user_by_value_stays(make_app: Any, handler: Any, eventually: Any) -> None:
    door, identify = Door(), Identity(lambda: {"id": [7]})
    app = make_app({"it": sse(handler, door.hook)}, identify=identify)
    with open_it(app):
        eventually(lambda: identify.asked >= 4)
        assert ended(app) == {}


def test_who_it_is_is_asked_where_there_are_no_hooks(make_app: Any, handler: Any) -> None:
    identify = Identity("ann")
    app = make_app({"it": sse(handler)}, identify=identify)
    stream = open_it(app)
    identify.user = None
    check_failed(stream, 403)


def test_an_identify_may_refuse(make_app: Any, handler: Any) -> None:
    identify = Identity("ann")
    app = make_app({"it": sse(handler)}, identify=identify)
    stream = open_it(app)
    identify.user = lambda: abort(401)
    check_failed(stream, 401)


# --- failures


def fail(ctx: Context) -> None:
    raise LookupError("the secret of the database")


def test_a_failing_hook_ends_the_stream_and_is_logged(
    make_app: Any, handler: Any, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    door = Door(fail)
    app = make_app({"it": sse(handler, door.hook)})
    stream = open_it(app)
    document = check_failed(stream, 500)
    assert b"secret" not in stream.raw
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert document["error_id"] in record.getMessage()
    assert "the secret of the database" in record.getMessage()
    assert "\n" not in record.getMessage()
    eventually(lambda: ended(app) == {"error": 1})
    assert door.asked == 2


def test_a_hook_that_answers_is_an_error_as_at_the_opening(
    make_app: Any, handler: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app({"it": sse(handler, Door(lambda ctx: "an answer").hook)})
    check_failed(open_it(app), 500)
    assert "TypeError" in caplog.text


class Halt(BaseException):
    """What `except Exception` does not catch, as gevent's Timeout."""


@pytest.mark.parametrize("error", [Halt, SystemExit, GeneratorExit, KeyboardInterrupt])
def test_a_hook_that_ends_in_any_other_way_ends_the_stream(
    make_app: Any, handler: Any, caplog: pytest.LogCaptureFixture, error: Any
) -> None:
    def halt(ctx: Context) -> None:
        raise error("enough")

    app = make_app({"it": sse(handler, Door(halt).hook)})
    document = check_failed(open_it(app), 500)
    assert document["error_id"] in caplog.text
    assert "enough" in caplog.text


@pytest.mark.gevent
def test_a_check_that_takes_too_long_ends_the_stream(
    make_app: Any, handler: Any, caplog: pytest.LogCaptureFixture
) -> None:
    import gevent

    def slow(ctx: Context) -> None:
        with gevent.Timeout(0.01):
            time.sleep(60)

    app = make_app({"it": sse(handler, Door(slow).hook)})
    check_failed(open_it(app), 500)
    assert "Timeout" in caplog.text


def test_where_no_task_can_be_started_it_does_not_stay_unasked(
    make_app: Any, handler: Any, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    door, make_task = Door(), concurrency.task
    failed: list[str] = []

    def task(function: Any, name: str) -> Any:
        if name == "sse-reauthorize" and not failed:
            failed.append(name)
            raise RuntimeError("can't start new thread")
        return make_task(function, name)

    monkeypatch.setattr(concurrency, "task", task)
    app = make_app({"it": sse(handler, door.hook)})
    with open_it(app) as stream:
        eventually(lambda: failed)
        eventually(lambda: door.asked > 1 or ended(app) == {"shutdown": 1})
        if door.asked == 1:
            check_sent_away(stream)


def test_a_failing_cleanup_is_logged_and_nothing_else(
    make_app: Any, caplog: pytest.LogCaptureFixture, eventually: Any
) -> None:
    door, cleaned = Door(), []

    def cleanup(ctx: Context) -> None:
        cleaned.append(ctx.outcome)
        raise LookupError("no cleanup")

    app = make_app({"it": sse(first_then_wait, door.hook, define_hook(cleanup=cleanup))})
    with open_it(app):
        eventually(lambda: door.asked >= 3)
    eventually(lambda: ended(app) == {"disconnected": 1})
    eventually(lambda: caplog.text.count("Cleanup of hook") == len(cleaned))
    assert set(cleaned) == {"completed", "disconnected"}


# --- cleanup


class Visits:
    """How often hooks were entered and left, and what their cleanups saw."""

    def __init__(self, again: Ask | None = None) -> None:
        self.again = again
        self.entered = 0
        self.left: list[tuple[str | None, type[BaseException] | None]] = []
        self.inside: list[int] = []
        phases = {"before": self._before, "cleanup": self._cleanup}
        self.hooks = {"phases": define_hook(**phases), "generator": hook(self._generator)}

    def _before(self, ctx: Context) -> None:
        self.entered += 1
        if self.entered > 2 and self.again is not None:
            self.again(ctx)

    def _cleanup(self, ctx: Context) -> None:
        self.left.append((ctx.outcome, ctx.error and type(ctx.error)))

    def _generator(self, ctx: Context) -> Iterator[None]:
        self.entered += 1
        number = self.entered
        self.inside.append(number)
        try:
            if number > 2 and self.again is not None:
                self.again(ctx)
            yield
            self._cleanup(ctx)
        finally:
            self.inside.remove(number)

    @property
    def outcomes(self) -> list[str | None]:
        return [outcome for outcome, _ in self.left]


@pytest.mark.parametrize("form", ["phases", "generator"])
def test_each_time_is_cleaned_up_once(
    make_app: Any, handler: Any, eventually: Any, form: str
) -> None:
    visits = Visits()
    app = make_app({"it": sse(handler, visits.hooks[form])})
    with open_it(app):
        eventually(lambda: visits.entered >= 4)
        assert set(visits.outcomes) == {"completed"}
    eventually(lambda: len(visits.left) == visits.entered)
    assert visits.outcomes.count("disconnected") == 1
    assert set(visits.outcomes) == {"completed", "disconnected"}
    assert visits.inside == []


@pytest.mark.parametrize(
    ("again", "outcome", "end"),
    [
        (lambda ctx: abort(401), "rejected", "error"),
        (lambda ctx: abort(503), "rejected", "shutdown"),
        (fail, "error", "error"),
    ],
    ids=["refused", "unavailable", "failed"],
)
def test_the_last_time_is_cleaned_up_before_the_stream_is(
    make_app: Any, handler: Any, eventually: Any, again: Ask, outcome: str, end: str
) -> None:
    visits, around = Visits(again), Visits()
    app = make_app({"it": sse(handler, around.hooks["generator"], visits.hooks["phases"])})
    with open_it(app) as stream:
        list(stream)
    eventually(lambda: ended(app) == {end: 1})
    assert visits.outcomes == around.outcomes == ["completed", outcome, end]
    errors = [error for _, error in visits.left]
    assert errors[0] is None
    assert errors[1] is not None
    assert (errors[2] is None) == (end == "shutdown")
    assert (visits.entered, around.entered, around.inside) == (3, 3, [])


def test_only_hooks_that_were_asked_are_cleaned_up(make_app: Any, eventually: Any) -> None:
    door, behind = Door(lambda ctx: abort(401)), Visits()
    app = make_app({"it": sse(first_then_wait, door.hook, behind.hooks["phases"])})
    check_failed(open_it(app), 401)
    eventually(lambda: behind.outcomes == ["error"])
    assert behind.entered == 1


def test_another_user_is_none_of_the_hooks_business(make_app: Any, eventually: Any) -> None:
    visits, identify = Visits(), Identity("ann")
    app = make_app({"it": sse(first_then_wait, visits.hooks["phases"])}, identify=identify)
    stream = open_it(app)
    identify.user = "bob"
    check_failed(stream, 403)
    eventually(lambda: len(visits.left) == visits.entered)
    assert visits.outcomes[-1] == "error"
    assert set(visits.outcomes[:-1]) <= {"completed"}


# --- time


class Gate:
    """A hook that waits inside, each time that it is asked again."""

    def __init__(self) -> None:
        self.asked = self.most = 0
        self._inside = 0
        self.entered, self.opened = threading.Event(), threading.Event()
        self.left: list[str | None] = []
        self.hook = define_hook(before=self._before, cleanup=self._cleanup)

    def _before(self, ctx: Context) -> None:
        self.asked += 1
        if self.asked == 1:
            return
        self._inside += 1
        self.most = max(self.most, self._inside)
        self.entered.set()
        assert self.opened.wait(15)
        self._inside -= 1

    def _cleanup(self, ctx: Context) -> None:
        self.left.append(ctx.outcome)


def count_on(ctx: Context) -> Iterator[int]:
    n = 0
    while True:
        yield n
        n += 1
        ctx.sleep(0.02)


def test_a_slow_hook_does_not_hold_up_events(make_app: Any, eventually: Any) -> None:
    gate = Gate()
    app = make_app({"it": sse(count_on, gate.hook)})
    with open_it(app) as stream:
        assert gate.entered.wait(10)
        for _ in range(6):  # 0.12 s, several times its turn
            stream.next()
        assert (gate.asked, gate.most) == (2, 1), "it does not overlap with itself"
        gate.opened.set()
        eventually(lambda: gate.asked >= 4)
    assert gate.most == 1


def test_a_slow_hook_does_not_hold_up_heartbeats_or_other_streams(
    make_app: Any, handler: Any, eventually: Any
) -> None:
    gate, door = Gate(), Door()
    routes = {"it": sse(handler, gate.hook), "other": sse(handler, door.hook)}
    app = make_app(routes, SSE_HEARTBEAT=0.05)
    with open_it(app) as stream, sse_client(app).open("/api/other"):
        assert gate.entered.wait(10)
        asked, beats = door.asked, stream.heartbeats
        eventually(lambda: door.asked >= asked + 3)
        eventually(lambda: stream.heartbeats >= beats + 3)
        assert (gate.asked, gate.most) == (2, 1)
        gate.opened.set()


def test_a_stream_may_end_while_a_hook_is_asked(
    make_app: Any, handler: Any, eventually: Any
) -> None:
    gate, door = Gate(), Door()
    routes = {"it": sse(handler, gate.hook), "other": sse(handler, door.hook)}
    app = make_app(routes)
    with sse_client(app).open("/api/other"):
        with open_it(app):
            assert gate.entered.wait(10)
        eventually(lambda: ended(app) == {"disconnected": 1})
        assert gate.left == ["disconnected"]
        gate.opened.set()
        eventually(lambda: len(gate.left) == 2)
        asked = door.asked
        eventually(lambda: door.asked >= asked + 3)
        assert (gate.asked, len(gate.left)) == (2, 2)


def leave(app: Flask, stream: TestStream) -> None:
    stream.close()


def drain(app: Flask, stream: TestStream) -> None:
    for each in runtime_of(app).streams.open():
        if each.route == "api.it":
            each.close("shutdown")


def revoke(app: Flask, stream: TestStream) -> None:
    runtime_of(app).streams.revoke("ann", None)


def run_out(app: Flask, stream: TestStream) -> None:
    """It has a `max_duration`."""


@pytest.mark.parametrize("end", [leave, drain, revoke, run_out])
def test_nothing_is_asked_after_the_stream_has_ended(
    make_app: Any, handler: Any, eventually: Any, end: Any
) -> None:
    visits, clock = Visits(), Door()
    duration = 0.2 if end is run_out else None
    routes = {
        "it": sse(handler, visits.hooks["phases"], max_duration=duration),
        "clock": sse(handler, clock.hook),
    }
    app = make_app(routes, identify=lambda r: "ann" if r.path == "/api/it" else None)
    with sse_client(app).open("/api/clock"):
        with open_it(app) as stream:
            eventually(lambda: visits.entered >= 2)
            end(app, stream)
            list(stream)
        eventually(lambda: sum(ended(app).values()) == 1)
        eventually(lambda: len(visits.left) == visits.entered)
        entered, asked = visits.entered, clock.asked
        eventually(lambda: clock.asked >= asked + 3)
        assert visits.entered == entered


def test_nothing_is_asked_after_the_handler_has_ended(make_app: Any, eventually: Any) -> None:
    visits, clock = Visits(), Door()

    def brief() -> Iterator[int]:
        yield 1

    routes = {
        "it": sse(brief, visits.hooks["phases"]), "clock": sse(first_then_wait, clock.hook)
    }  # fmt: skip
    app = make_app(routes)
    with sse_client(app).open("/api/clock"), open_it(app) as stream:
        assert [event.event for event in stream] == ["end"]
        eventually(lambda: visits.outcomes == ["completed"])
        asked = clock.asked
        eventually(lambda: clock.asked >= asked + 3)
    assert (visits.entered, len(visits.left)) == (1, 1)


def test_a_head_request_is_not_asked_again(make_app: Any, eventually: Any) -> None:
    door, clock = Door(), Door()
    app = make_app({"it": sse(first_then_wait, door.hook), "clock": sse(follow_news, clock.hook)})
    assert app.test_client().head("/api/it").status_code == 200
    with sse_client(app).open("/api/clock"):
        eventually(lambda: clock.asked > 3)
    assert door.asked == 1


def test_a_stream_that_is_over_is_not_kept_until_its_time(
    make_app: Any, handler: Any, eventually: Any, no_gc: None
) -> None:
    kept: list[weakref.ref[threading.Event]] = []

    def before(ctx: Context) -> None:
        ctx.state.thing = threading.Event()
        kept.append(weakref.ref(ctx.state.thing))

    app = make_app({"it": sse(handler, define_hook(before=before), reauthorize=3600)})
    with open_it(app):
        assert kept[0]() is not None
    eventually(lambda: kept[0]() is None)


# --- the declaration


@pytest.mark.parametrize(
    "value", [0, 0.05, -1, True, False, "5", "often", [1], math.nan, math.inf, -math.inf, 1e12]
)
def test_what_is_no_time_is_refused(make_app: Any, value: Any) -> None:
    with pytest.raises(DeclarationError, match=r"Route 'it': reauthorize=.* seconds, 0\.1 or more"):
        make_app({"it": sse(first_then_wait, reauthorize=value)})


@pytest.mark.parametrize("value", [None, 0.1, 1, 2.5, 86_400])
def test_what_is_a_time(make_app: Any, value: Any) -> None:
    app = make_app({"it": sse(first_then_wait, reauthorize=value)})
    with open_it(app):
        pass


def test_it_is_an_option_of_streams(make_app: Any) -> None:
    with pytest.raises(DeclarationError, match="unknown option 'reauthorize' for kind 'http'"):
        make_app({"it": define_route(lambda: 1, reauthorize=1)})


def test_events_go_on_while_it_is_asked(make_app: Any, eventually: Any) -> None:
    """A subscription's, with nothing lost and nothing twice."""
    door = Door()
    app = make_app({"it": sse(follow_news, door.hook)})
    owner = runtime_of(app).owner
    assert owner is not None
    with open_it(app) as stream:
        ids = []
        got: list[Event] = []
        while door.asked < 4:
            ids.append(owner.publish("news", len(ids)))
            got.append(stream.next())
        assert [event.id for event in got] == ids


def test_what_the_app_does_before_each_request_is_done_again(
    make_app: Any, handler: Any, eventually: Any
) -> None:
    """What a hook reads of `g` is there; a refusal of the app's own counts, too."""
    allowed = [True]

    def ask(ctx: Context) -> None:
        if g.user != "ann":
            abort(403)

    app = make_app({"it": sse(handler, define_hook(before=ask), reauthorize=0.1)})
    asked: list[str] = []

    @app.before_request
    def load() -> Any:
        if not allowed[0]:
            return "no", 401
        g.user = "ann"
        asked.append(g.user)
        return None

    with open_it(app) as stream:
        eventually(lambda: len(asked) >= 3)
        allowed[0] = False
        last = list(stream)[-1]
        assert (last.event, json.loads(last.data)["status"]) == ("error", 401)

"""Hooks: their order, who may refuse, and the cleanup that runs exactly once."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, abort, current_app, g, has_request_context

from flask_sse_routes import (
    Context,
    DeclarationError,
    RouteBlueprint,
    SSERoutes,
    compose_hooks,
    define_hook,
    define_route,
    hook,
)
from flask_sse_routes.concurrency import cooperative
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.hooks import Hook, HookRun
from flask_sse_routes.testing import sse_client

STREAMS = 200


class Journal:
    """What hooks did, in order, and what their cleanups saw."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.ends: list[tuple[str | None, BaseException | None]] = []

    @property
    def outcomes(self) -> list[str | None]:
        return [outcome for outcome, _ in self.ends]

    def hook(self, name: str, refuse: int | None = None, answer: Any = None) -> Hook:
        def before(ctx: Context) -> Any:
            self.steps.append(f"before {name}")
            if refuse is not None:
                abort(refuse)
            return answer

        def after(ctx: Context) -> None:
            self.steps.append(f"after {name}")

        return define_hook(name, before=before, after=after, cleanup=self.cleanup(name))

    def cleanup(self, name: str) -> Callable[[Context], None]:
        def cleanup(ctx: Context) -> None:
            self.steps.append(f"cleanup {name}")
            self.ends.append((ctx.outcome, ctx.error))

        return cleanup


@pytest.fixture(name="journal")
def make_journal() -> Journal:
    return Journal()


def nested_app(journal: Journal, kind: str, handler: Any) -> Flask:
    """An app whose one route has hooks of four owners around it."""
    app = Flask("application")
    SSERoutes(app, hooks=[journal.hook("app")])
    route = define_route(
        handler, kind=kind, hooks=[journal.hook("route 1"), journal.hook("route 2")]
    )
    inner = RouteBlueprint("inner", __name__, {"it": route}, hooks=[journal.hook("inner")])
    outer = RouteBlueprint("outer", __name__, hooks=[journal.hook("outer")], url_prefix="/api")
    outer.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(outer)
    return app


OWNERS = ["app", "outer", "inner", "route 1", "route 2"]
BEFORE = [f"before {owner}" for owner in OWNERS]
AFTER = [f"after {owner}" for owner in reversed(OWNERS)]
CLEANUP = [f"cleanup {owner}" for owner in reversed(OWNERS)]


def test_the_order_of_an_http_route(journal: Journal) -> None:
    def handler() -> None:
        journal.steps.append("handler")

    client = nested_app(journal, "http", handler).test_client()
    assert client.get("/api/inner/it").status_code == 200
    assert journal.steps == [*BEFORE, "handler", *AFTER, *CLEANUP]
    assert journal.outcomes == ["completed"] * len(OWNERS)


def test_the_order_of_an_sse_route_which_has_no_after(journal: Journal) -> None:
    def handler() -> Iterator[int]:
        journal.steps.append("handler")
        yield 1
        journal.steps.append("handler ends")

    with sse_client(nested_app(journal, "sse", handler)).open("/api/inner/it") as stream:
        assert [event.event for event in stream] == ["message", "end"]
    assert journal.steps == [*BEFORE, "handler", "handler ends", *CLEANUP]
    assert journal.outcomes == ["completed"] * len(OWNERS)


def test_input_is_validated_before_any_hook(make_app: Any, journal: Journal) -> None:
    def handler(n: int) -> int:
        return n

    app = make_app({"it": define_route(handler, hooks=[journal.hook("route")])})
    assert app.test_client().get("/api/it?n=x").status_code == 422
    assert journal.steps == []


def test_hooks_see_the_validated_input(make_app: Any) -> None:
    seen = []

    def handler(n: int) -> int:
        return n

    app = make_app(
        {
            "it": define_route(
                handler, hooks=[define_hook(before=lambda ctx: seen.append(ctx.input.n))]
            )
        }
    )
    assert app.test_client().get("/api/it?n=5").json == 5
    assert seen == [5]


def route(kind: str, **options: Any) -> Any:
    def ticks() -> Iterator[int]:
        yield 1

    def one() -> int:
        return 1

    return define_route(ticks if kind == "sse" else one, kind=kind, **options)


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_a_refusal_cleans_up_only_what_was_entered(
    make_app: Any, journal: Journal, kind: str
) -> None:
    hooks = [journal.hook("a"), journal.hook("b", refuse=401), journal.hook("c")]
    response = make_app({"it": route(kind, hooks=hooks)}).test_client().get("/api/it")
    assert response.status_code == 401
    assert response.content_type == "application/problem+json"
    assert journal.steps == ["before a", "before b", "cleanup b", "cleanup a"]
    assert journal.outcomes == ["rejected", "rejected"]
    error = journal.ends[0][1]
    assert getattr(error, "code", None) == 401


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_a_failing_before_is_an_error(make_app: Any, journal: Journal, kind: str) -> None:
    hooks = [journal.hook("a"), define_hook(before=lambda ctx: 1 / 0), journal.hook("c")]
    response = make_app({"it": route(kind, hooks=hooks)}).test_client().get("/api/it")
    assert response.status_code == 500
    assert journal.steps == ["before a", "cleanup a"]
    assert journal.outcomes == ["error"]
    assert isinstance(journal.ends[0][1], ZeroDivisionError)


def test_before_may_answer_an_http_request(make_app: Any, journal: Journal) -> None:
    hooks = [journal.hook("a"), journal.hook("b", answer={"cached": True}), journal.hook("c")]
    response = make_app({"it": route("http", hooks=hooks)}).test_client().get("/api/it")
    assert response.json == {"cached": True}
    assert journal.steps == ["before a", "before b", "after b", "after a", "cleanup b", "cleanup a"]
    assert journal.outcomes == ["completed", "completed"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [(Response("teapot", 418), 418), (({"a": 1}, 202), 202), (({"a": 1}, 203, {"X-A": "1"}), 203)],
)
def test_before_may_answer_as_a_handler_does(
    make_app: Any, journal: Journal, answer: Any, status: int
) -> None:
    app = make_app({"it": route("http", hooks=[journal.hook("a", answer=answer)])})
    assert app.test_client().get("/api/it").status_code == status


def test_before_may_not_answer_an_sse_request(make_app: Any, journal: Journal) -> None:
    hooks = [journal.hook("a", answer={"cached": True})]
    app = make_app({"it": route("sse", hooks=hooks)}, TESTING=True)
    with pytest.raises(TypeError, match=r"'it'.*before.*cached.*abort"):
        app.test_client().get("/api/it")
    assert journal.steps == ["before a", "cleanup a"]
    assert journal.outcomes == ["error"]


def test_after_may_replace_the_response(make_app: Any) -> None:
    def wrap(ctx: Context) -> None:
        assert ctx.response is not None
        ctx.response = Response(b"<%s>" % ctx.response.get_data(), 202)

    hooks = [define_hook("outer", after=wrap), define_hook("inner", after=wrap)]
    response = make_app({"it": route("http", hooks=hooks)}).test_client().get("/api/it")
    assert (response.status_code, response.get_data()) == (202, b"<<1>>")


def test_after_may_change_the_response(make_app: Any) -> None:
    def mark(ctx: Context) -> None:
        assert ctx.response is not None
        ctx.response.headers["X-Mark"] = "1"

    app = make_app({"it": route("http", hooks=[define_hook(after=mark)])})
    assert app.test_client().get("/api/it").headers["X-Mark"] == "1"


def test_after_does_not_run_when_the_handler_fails(make_app: Any, journal: Journal) -> None:
    def fails() -> None:
        abort(409, "taken")

    app = make_app({"it": define_route(fails, hooks=[journal.hook("a")])})
    assert app.test_client().get("/api/it").status_code == 409
    assert journal.steps == ["before a", "cleanup a"]
    assert journal.outcomes == ["error"]


def test_a_failing_after_is_an_error(make_app: Any, journal: Journal) -> None:
    hooks = [journal.hook("a"), define_hook(after=lambda ctx: 1 / 0)]
    app = make_app({"it": route("http", hooks=hooks)})
    assert app.test_client().get("/api/it").status_code == 500
    assert journal.outcomes == ["error"]


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_cleanup_has_a_fresh_app_context(make_app: Any, eventually: Any, kind: str) -> None:
    seen: list[Any] = []

    def before(ctx: Context) -> None:
        g.mark = "the request's"
        ctx.state.mark = "shared"

    def cleanup(ctx: Context) -> None:
        seen.append((current_app.name, g.get("mark"), ctx.state.mark, ctx.route.name))

    app = make_app({"it": route(kind, hooks=[define_hook(before=before, cleanup=cleanup)])})
    with app.test_client().get("/api/it") as response:
        assert response.get_data()
    eventually(lambda: seen)
    assert seen == [("application", None, "shared", "it")]


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_a_failing_cleanup_is_logged_and_nothing_else(
    make_app: Any, journal: Journal, eventually: Any, kind: str, caplog: Any
) -> None:
    def bad(ctx: Context) -> None:
        raise RuntimeError("cleanup went wrong")

    hooks = [journal.hook("a"), define_hook("bad one", cleanup=bad), journal.hook("c")]
    app = make_app({"it": route(kind, hooks=hooks)}, TESTING=True)
    with app.test_client().get("/api/it") as response:
        assert response.status_code == 200
        assert response.get_data()
    eventually(lambda: len(journal.ends) == 2)
    assert journal.steps[-2:] == ["cleanup c", "cleanup a"]
    assert journal.outcomes == ["completed", "completed"]
    (record,) = [r for r in caplog.records if "bad one" in r.getMessage()]
    assert record.levelno == logging.ERROR
    assert "cleanup went wrong" in caplog.text


@pytest.mark.parametrize("kind", ["http", "sse"])
@pytest.mark.parametrize("error", [GeneratorExit, SystemExit])
def test_a_cleanup_that_ends_in_any_other_way_does_not_stop_the_others(
    make_app: Any, journal: Journal, eventually: Any, kind: str, error: type[BaseException]
) -> None:
    def waits(ctx: Context) -> None:
        ctx.sleep(0.001)
        raise error

    hooks = [journal.hook("a"), define_hook("waits", cleanup=waits)]
    app = make_app({"it": route(kind, hooks=hooks)})
    with app.test_client().get("/api/it") as response:
        assert response.get_data()
    eventually(lambda: journal.outcomes == ["completed"])


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_a_teardown_that_fails_after_cleanup_is_logged(
    make_app: Any, journal: Journal, eventually: Any, kind: str, caplog: Any
) -> None:
    def mark(ctx: Context) -> None:
        g.cleaned = True

    app = make_app({"it": route(kind, hooks=[journal.hook("a"), define_hook(cleanup=mark)])})

    @app.teardown_appcontext
    def fail(_: BaseException | None) -> None:
        if "cleaned" in g:
            raise RuntimeError("teardown went wrong")

    with app.test_client().get("/api/it") as response:
        assert response.status_code == 200
        assert response.get_data()
    eventually(lambda: "teardown went wrong" in caplog.text)
    assert journal.outcomes == ["completed"]
    eventually(lambda: not runtime_of(app).streams.open())


def test_cleanup_of_a_disconnected_stream_may_sleep(
    make_app: Any, journal: Journal, eventually: Any
) -> None:
    def waits(ctx: Context) -> None:
        ctx.sleep(0.001)

    hooks = [journal.hook("a"), define_hook("waits", cleanup=waits)]
    app = make_app({"it": define_route(first_then_wait, kind="sse", hooks=hooks)})
    with sse_client(app).open("/api/it") as stream:
        stream.next()
    eventually(lambda: journal.outcomes == ["disconnected"])


# --- how hooks are declared


def test_setup_makes_a_factory(make_app: Any) -> None:
    seen: list[Any] = []
    made: list[tuple[int, str]] = []

    def setup(limit: int, *, unit: str = "s") -> tuple[int, str]:
        made.append((limit, unit))
        return made[-1]

    limit = define_hook(
        "limit",
        setup=setup,
        before=lambda ctx, state: seen.append(("before", state)),
        after=lambda ctx, state: seen.append(("after", state)),
        cleanup=lambda ctx, state: seen.append(("cleanup", state)),
    )
    app = make_app({"it": route("http", hooks=[limit(5), limit(6, unit="m")])})
    assert made == [(5, "s"), (6, "m")]
    for _ in range(2):
        seen.clear()
        app.test_client().get("/api/it")
        assert seen == [
            ("before", (5, "s")),
            ("before", (6, "m")),
            ("after", (6, "m")),
            ("after", (5, "s")),
            ("cleanup", (6, "m")),
            ("cleanup", (5, "s")),
        ]
    assert len(made) == 2


def test_setup_may_return_none(make_app: Any) -> None:
    seen: list[Any] = []
    nothing = define_hook(setup=lambda: None, before=lambda ctx, state: seen.append(state))
    make_app({"it": route("http", hooks=[nothing()])}).test_client().get("/api/it")
    assert seen == [None]


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_a_generator_hook(make_app: Any, journal: Journal, eventually: Any, kind: str) -> None:
    @hook
    def timed(ctx: Context) -> Iterator[None]:
        journal.steps.append("before timed")
        yield
        journal.steps.append(f"after timed {ctx.outcome}")

    app = make_app({"it": route(kind, hooks=[journal.hook("a"), timed])})
    with app.test_client().get("/api/it") as response:
        assert response.get_data()
    eventually(lambda: journal.ends)
    steps = [step for step in journal.steps if step != "after a"]
    assert steps == ["before a", "before timed", "after timed completed", "cleanup a"]


ANNOTATED = """
from collections.abc import Generator, Iterator
from flask_sse_routes import Context, define_route, hook

@hook
def short(ctx: Context) -> Iterator[None]:
    yield

@hook
def long(ctx: Context) -> Generator[None, None, None]:
    yield

define_route(lambda: 1, hooks=[short, long])
"""


@pytest.mark.threads
def test_a_generator_hook_is_annotated_as_a_context_manager_is(tmp_path: Path) -> None:
    options = ["--config-file=", f"--cache-dir={tmp_path}", "--follow-imports=silent", "--strict"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "-c", ANNOTATED],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_a_generator_hook_may_refuse_before_its_yield(
    make_app: Any, journal: Journal, kind: str
) -> None:
    @hook
    def guard(ctx: Context) -> Iterator[None]:
        try:
            abort(403, "not you")
            yield
        finally:
            journal.steps.append("finally")

    app = make_app({"it": route(kind, hooks=[journal.hook("a"), guard])})
    response = app.test_client().get("/api/it")
    assert (response.status_code, response.json["detail"]) == (403, "not you")
    assert journal.steps == ["before a", "finally", "cleanup a"]
    assert journal.outcomes == ["rejected"]


def test_a_generator_hook_may_answer_by_returning(make_app: Any) -> None:
    @hook
    def cached(ctx: Context) -> Iterator[None]:
        if ctx.request.args.get("cached"):
            return {"cached": True}
        yield
        return None

    client = make_app({"it": route("http", hooks=[cached])}).test_client()
    assert client.get("/api/it?cached=1").json == {"cached": True}
    assert client.get("/api/it").json == 1


def test_a_generator_hook_that_yields_twice_is_logged(
    make_app: Any, journal: Journal, caplog: Any
) -> None:
    @hook
    def twice(ctx: Context) -> Iterator[None]:
        try:
            yield
            yield
        finally:
            journal.steps.append("closed")

    app = make_app({"it": route("http", hooks=[journal.hook("a"), twice])})
    assert app.test_client().get("/api/it").status_code == 200
    assert journal.steps[-2:] == ["closed", "cleanup a"]
    assert "twice" in caplog.text
    assert "more than once" in caplog.text


def test_composed_hooks_keep_all_phases(make_app: Any, journal: Journal) -> None:
    both = compose_hooks(journal.hook("a"), compose_hooks(journal.hook("b"), journal.hook("c")))
    make_app({"it": route("http", hooks=[both, journal.hook("d")])}).test_client().get("/api/it")
    assert [step.split()[1] for step in journal.steps] == [*"abcd", *"dcba", *"dcba"]


async def waits(ctx: Context) -> None: ...


def yields(ctx: Context) -> Iterator[None]:
    yield


# Neither a function nor a hook, whatever its type says.
FIVE: Any = 5


@pytest.mark.parametrize(
    ("declare", "sentence"),
    [
        (lambda: define_hook("h"), "'h' does nothing.*before, after or cleanup"),
        (lambda: define_hook("h", before=FIVE), "'h'.*before.*callable.*5"),
        (lambda: define_hook("h", before=waits), "'h'.*before.*async def"),
        (
            lambda: define_hook("h", setup=waits, before=lambda ctx, s: None),
            "'h'.*setup.*async def",
        ),
        (lambda: define_hook("h", before=yields), "'h'.*before.*generator.*@hook"),
        (lambda: define_hook("h", cleanup=lambda: None), r"'h'.*cleanup.*\(ctx\)"),
        (lambda: define_hook("h", after=lambda ctx, state: None), r"'h'.*after.*\(ctx\)"),
        (
            lambda: define_hook("h", setup=dict, after=lambda ctx: None),
            r"'h'.*after.*\(ctx, state\)",
        ),
        (lambda: hook(lambda ctx: None), "lambda.*@hook.*generator function"),
        (lambda: hook(waits), "waits.*async def"),  # type: ignore[arg-type]  # wrong on purpose
        (lambda: compose_hooks(FIVE), "compose_hooks.*define_hook.*5"),
        (lambda: SSERoutes(hooks=[FIVE]), "SSERoutes.*define_hook.*5"),
        (lambda: RouteBlueprint("api", __name__, hooks=[FIVE]), "'api'.*define_hook.*5"),
    ],
)
def test_a_mistake_in_a_hook_says_what_to_do(declare: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(DeclarationError, match=sentence):
        declare()


# --- exactly once, whatever happens


def first_then_wait(ctx: Context) -> Iterator[int]:
    yield 1
    ctx.sleep(60)
    yield 2


def wait_then_first(ctx: Context) -> Iterator[int]:
    ctx.sleep(60)
    yield 1


def counted(make_app: Any, journal: Journal, handler: Any, **options: Any) -> Flask:
    app: Flask = make_app(
        {"it": define_route(handler, kind="sse", hooks=[journal.hook("a")], **options)}
    )
    return app


def settled(app: Flask, journal: Journal, eventually: Any) -> list[str | None]:
    """The outcomes once every stream is over; a second cleanup would have come by then."""
    eventually(lambda: journal.ends)
    eventually(lambda: not runtime_of(app).streams.open())
    return journal.outcomes


def test_once_at_the_end(make_app: Any, journal: Journal, eventually: Any) -> None:
    app = counted(make_app, journal, lambda: iter([1, 2]))
    with sse_client(app).open("/api/it") as stream:
        assert len(list(stream)) == 3
    assert settled(app, journal, eventually) == ["completed"]


def fails_later() -> Iterator[int]:
    yield 1
    raise ValueError("later")


def fails_at_once() -> Iterator[int]:
    raise ValueError("at once")
    yield 1


def aborts_later() -> Iterator[int]:
    yield 1
    abort(409)


def aborts_at_once() -> Iterator[int]:
    abort(409)
    yield 1


def fails_when_called() -> list[int]:
    raise ValueError("when called")


def aborts_when_called() -> list[int]:
    abort(409)


def returns_no_iterable() -> dict[str, int]:
    return {"a": 1}


@pytest.mark.parametrize(
    "handler",
    [
        fails_later,
        fails_at_once,
        aborts_later,
        aborts_at_once,
        fails_when_called,
        aborts_when_called,
        returns_no_iterable,
    ],
)
def test_once_after_an_error(
    make_app: Any, journal: Journal, eventually: Any, handler: Any
) -> None:
    app = counted(make_app, journal, handler)
    with sse_client(app).open("/api/it") as stream:
        list(stream)
    assert settled(app, journal, eventually) == ["error"]
    assert isinstance(journal.ends[0][1], Exception)


def test_once_after_a_head_request_which_opens_no_stream(
    make_app: Any, journal: Journal, eventually: Any
) -> None:
    app = counted(make_app, journal, first_then_wait)
    response = app.test_client().head("/api/it")
    assert (response.status_code, response.get_data()) == (200, b"")
    assert response.content_type == "text/event-stream; charset=utf-8"
    assert settled(app, journal, eventually) == ["completed"]
    assert sum(runtime_of(app).streams.stats().ended.values()) == 0


@pytest.mark.parametrize("open_timeout", [0, 0.05])
def test_once_when_closed_before_the_first_event(
    make_app: Any, journal: Journal, eventually: Any, wsgi: Any, open_timeout: float
) -> None:
    app = counted(make_app, journal, wait_then_first, open_timeout=open_timeout)
    response = wsgi(app, "/api/it")
    assert response.status == 200
    response.close()
    response.close()
    assert settled(app, journal, eventually) == ["disconnected"]


def test_once_when_the_response_is_dropped_before_it_is_sent(
    make_app: Any, journal: Journal, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = counted(make_app, journal, wait_then_first, open_timeout=0)
    # What is logged would keep the traceback, and so the response. All apps share the logger.
    monkeypatch.setattr(app.logger, "disabled", True)

    @app.after_request
    def fail(response: Response) -> Response:
        raise ValueError("after_request went wrong")

    assert app.test_client().get("/api/it").status_code == 500
    gc.collect()
    assert len(settled(app, journal, eventually)) == 1


@pytest.mark.parametrize("handler", [first_then_wait, wait_then_first])
def test_once_after_a_disconnect(
    make_app: Any, journal: Journal, eventually: Any, handler: Any
) -> None:
    app = counted(make_app, journal, handler, open_timeout=0.01)
    with sse_client(app).open("/api/it") as stream:
        if handler is first_then_wait:
            stream.next()
    assert settled(app, journal, eventually) == ["disconnected"]


def test_once_after_a_failing_write(
    make_app: Any, journal: Journal, eventually: Any, wsgi: Any
) -> None:
    """A server that cannot write the chunk it was given closes the iterable."""
    app = counted(make_app, journal, first_then_wait)
    response = wsgi(app, "/api/it")
    assert b"data: 1" in response.chunk()
    response.close()
    assert settled(app, journal, eventually) == ["disconnected"]


def test_once_after_max_duration(make_app: Any, journal: Journal, eventually: Any) -> None:
    app = counted(make_app, journal, first_then_wait, max_duration=0.05)
    with sse_client(app).open("/api/it") as stream:
        assert [event.event for event in stream] == ["message"]
        assert 500 <= (stream.retry or 0) <= 3000
    assert settled(app, journal, eventually) == ["shutdown"]


def test_once_after_a_shutdown(make_app: Any, journal: Journal, eventually: Any) -> None:
    app = counted(make_app, journal, first_then_wait)
    with sse_client(app).open("/api/it") as stream:
        stream.next()
        runtime_of(app).streams.drain()
        assert list(stream) == []
        assert 500 <= (stream.retry or 0) <= 3000
    assert settled(app, journal, eventually) == ["shutdown"]


@pytest.mark.gevent
def test_once_when_the_greenlet_is_killed(make_app: Any, journal: Journal, eventually: Any) -> None:
    import gevent

    ran: list[str] = []
    tasks: list[Any] = []

    def handler(ctx: Context) -> Iterator[int]:
        tasks.append(gevent.getcurrent())
        try:
            yield 1
            gevent.sleep(60)
        finally:
            ran.append("finally")

    app = counted(make_app, journal, handler)
    with sse_client(app).open("/api/it") as stream:
        stream.next()
        tasks[0].kill()
        assert list(stream) == []
    assert len(settled(app, journal, eventually)) == 1
    assert ran == ["finally"]


@pytest.mark.gevent
@pytest.mark.parametrize("handler", ["queue", "event", "sleep", "socket"])
def test_a_blocked_handler_is_interrupted_where_it_blocks(
    make_app: Any, journal: Journal, eventually: Any, handler: str
) -> None:
    import queue
    import socket
    import time

    ends: list[str] = []
    pair = socket.socketpair()
    blocks: dict[str, Callable[[], Any]] = {
        "queue": queue.Queue().get,
        "event": threading.Event().wait,
        "sleep": lambda: time.sleep(60),
        "socket": lambda: pair[0].recv(1),
    }

    def waits() -> Iterator[int]:
        try:
            yield 1
            blocks[handler]()
        except Exception:
            ends.append("swallowed")
        finally:
            ends.append("finally")

    app = counted(make_app, journal, waits)
    with sse_client(app).open("/api/it") as stream:
        stream.next()
    eventually(lambda: ends, 2)
    assert settled(app, journal, eventually) == ["disconnected"]
    assert ends == ["finally"]
    for each in pair:
        each.close()


@pytest.mark.threads
def test_on_threads_the_connection_is_freed_at_once_and_cleanup_waits(
    make_app: Any, journal: Journal, eventually: Any, wsgi: Any
) -> None:
    gate, left = threading.Event(), threading.Event()

    def blocks() -> Iterator[int]:
        try:
            yield 1
            gate.wait()
            yield 2
        finally:
            journal.steps.append("handler ends")
            left.set()

    app = counted(make_app, journal, blocks)
    response = wsgi(app, "/api/it")
    response.chunk()
    response.close()  # returns, though the handler cannot be interrupted
    assert not left.is_set()
    assert journal.steps == ["before a"]
    gate.set()
    assert settled(app, journal, eventually) == ["disconnected"]
    assert journal.steps == ["before a", "handler ends", "cleanup a"]


def test_once_each_while_ends_race(make_app: Any, eventually: Any, wsgi: Any) -> None:
    """Half of the streams end by themselves just as another thread closes them."""
    gate = threading.Event()
    ends: dict[str, list[str | None]] = {str(n): [] for n in range(STREAMS)}

    def handler(n: str) -> Iterator[str]:
        yield n
        gate.wait()
        if int(n) % 5 == 0:
            raise ValueError(n)
        yield n

    def cleanup(ctx: Context) -> None:
        ends[ctx.input.n].append(ctx.outcome)

    app = make_app({"it": define_route(handler, kind="sse", hooks=[define_hook(cleanup=cleanup)])})
    responses = [wsgi(app, f"/api/it?n={n}") for n in range(STREAMS)]
    assert all(b"data: " in response.chunk() for response in responses)
    streams = runtime_of(app).streams.open()
    assert len(streams) == STREAMS

    def close_all() -> None:
        gate.wait()
        for index, stream in enumerate(streams):
            stream.close(("disconnected", "shutdown")[index % 2])

    closer = threading.Thread(target=close_all, daemon=True)
    closer.start()
    gate.set()
    for response in responses:
        response.rest()
        response.close()
    closer.join()
    eventually(lambda: not runtime_of(app).streams.open())
    assert all(len(seen) == 1 for seen in ends.values()), ends
    allowed = {"completed", "error", "disconnected", "shutdown"}
    assert {seen[0] for seen in ends.values()} <= allowed


def test_cleanup_asked_for_by_many_at_once_runs_once() -> None:
    seen: list[str] = []
    run = HookRun((define_hook(cleanup=lambda ctx: seen.append("cleanup")),), None)
    run.before()
    threads = [threading.Thread(target=run.cleanup) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.cleanup()
    assert seen == ["cleanup"]


def test_cleanup_of_a_stream_has_no_request_context(
    make_app: Any, journal: Journal, eventually: Any
) -> None:
    seen: list[bool] = []
    watch = define_hook(cleanup=lambda ctx: seen.append(has_request_context()))
    app = make_app({"it": route("sse", hooks=[watch])})
    with sse_client(app).open("/api/it") as stream:
        list(stream)
    eventually(lambda: seen)
    assert seen == [False]


def test_this_run_is_of_one_form() -> None:
    """The marks `gevent` and `threads` rest on this."""
    assert cooperative() == (threading.Event.__module__ != "threading")

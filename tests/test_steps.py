"""Contexts of a stream's steps: what works between two yields, what raises, what is not held."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
import sqlalchemy
from flask import (
    Flask,
    current_app,
    g,
    has_app_context,
    has_request_context,
    request,
    session,
    url_for,
)
from sqlalchemy import orm

from flask_sse_routes import Context, ContextError, define_route
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.testing import sse_client

MODES = ("step", "stream", "none")


def sse(handler: Any, **options: Any) -> Any:
    return define_route(handler, kind="sse", **options)


def values(app: Flask, path: str = "/api/it") -> list[Any]:
    """The data of a stream's messages; the stream must end well."""
    with sse_client(app).open(path) as stream:
        *events, last = list(stream)
    assert last.event == "end", last
    return [flask.json.loads(event.data) for event in events]


# --- the default: an app context for each step


def test_each_step_has_an_app_context_of_its_own(make_app: Any) -> None:
    def handler() -> Iterator[Any]:
        for n in range(3):
            found = g.get("n")
            g.n = n
            yield [current_app.name, found, has_request_context()]

    assert values(make_app({"it": sse(handler)})) == [["application", None, False]] * 3


def test_g_lasts_from_one_yield_to_the_next(make_app: Any) -> None:
    def handler() -> Iterator[Any]:
        g.n = 1
        yield g.n
        g.n = 2
        yield g.n

    assert values(make_app({"it": sse(handler)})) == [1, 2]


def test_teardown_runs_at_every_yield(make_app: Any, eventually: Any) -> None:
    torn: list[str] = []
    gate = threading.Event()

    def handler() -> Iterator[int]:
        g.step = "first"
        yield 1
        g.step = "second"
        yield 2
        gate.wait()
        g.step = "third"

    app = make_app({"it": sse(handler)})

    @app.teardown_appcontext
    def teardown(error: BaseException | None) -> None:
        if "step" in g:
            torn.append(g.step)

    with sse_client(app).open("/api/it") as stream:
        assert [stream.json(), stream.json()] == [1, 2]
        eventually(lambda: torn == ["first", "second"])
        gate.set()
        list(stream)
    assert torn == ["first", "second", "third"]


def test_teardown_runs_when_the_step_fails_or_is_closed(make_app: Any, eventually: Any) -> None:
    torn: list[Any] = []

    def handler(ctx: Context, how: str) -> Iterator[int]:
        yield 1
        g.step = how
        if how == "fails":
            raise ValueError
        ctx.sleep(3600)

    app = make_app({"it": sse(handler)})

    @app.teardown_appcontext
    def teardown(error: BaseException | None) -> None:
        if "step" in g:
            torn.append(g.step)

    for how in ("fails", "closed"):
        with sse_client(app).open(f"/api/it?how={how}") as stream:
            stream.next()
        eventually(lambda how=how: how in torn)
    assert torn == ["fails", "closed"]


def test_finally_blocks_have_an_app_context_too(make_app: Any, eventually: Any) -> None:
    seen: list[str] = []

    def handler(ctx: Context) -> Iterator[int]:
        try:
            yield 1
            yield 2
            ctx.sleep(3600)
        finally:
            seen.append(current_app.name)

    with sse_client(make_app({"it": sse(handler)})).open("/api/it") as stream:
        stream.next()
    eventually(lambda: seen)
    assert seen == ["application"]


USES: dict[str, Any] = {
    "request": lambda: request.args,
    "request, truth": lambda: request.method,
    "session": lambda: session.get("a"),
    "url_for": lambda: url_for("api.it"),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("when", ["first step", "later step", "plain function"])
def test_the_request_is_not_there_and_the_message_says_what_is(
    make_app: Any, use: str, when: str, caplog: Any
) -> None:
    def generator() -> Iterator[Any]:
        if when == "later step":
            yield 1
        yield repr(USES[use]())

    def plain() -> Iterable[Any]:
        return (repr(USES[use]()) for _ in range(1))

    app = make_app({"it": sse(plain if when == "plain function" else generator)}, SECRET_KEY="x")
    if when == "later step":
        with sse_client(app).open("/api/it") as stream:
            assert [event.event for event in stream] == ["message", "error"]
        message = caplog.text
    else:
        app.testing = True
        with pytest.raises(ContextError) as caught:
            app.test_client().get("/api/it")
        message = str(caught.value)
    for word in ("'it'", "ctx.request", "ctx.url_for", "context='stream'"):
        assert word in message


def test_other_runtime_errors_are_left_alone(make_app: Any) -> None:
    def handler() -> Iterator[int]:
        raise RuntimeError("my own")
        yield 1

    app = make_app({"it": sse(handler)}, TESTING=True)
    with pytest.raises(RuntimeError, match=r"^my own$"):
        app.test_client().get("/api/it")


@pytest.mark.parametrize("mode", MODES)
def test_an_error_is_not_its_own_cause(make_app: Any, mode: str) -> None:
    def handler() -> Iterator[int]:
        raise RuntimeError("my own")
        yield 1

    app = make_app({"it": sse(handler, context=mode)}, TESTING=True)
    with pytest.raises(RuntimeError, match=r"^my own$") as caught:
        app.test_client().get("/api/it")
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_error_below_a_pushed_context_is_the_handlers_own(make_app: Any) -> None:
    def handler() -> Iterator[int]:
        current_app.app_context().push()
        raise ValueError("my own")
        yield 1

    with pytest.raises(ValueError, match=r"^my own$"):
        make_app({"it": sse(handler)}, TESTING=True).test_client().get("/api/it")


def test_a_plain_function_runs_in_the_request_and_its_iteration_in_steps(make_app: Any) -> None:
    def handler() -> Iterable[Any]:
        g.mark = "the request's"
        found = [has_request_context(), request.args["a"], session.get("x")]

        def rest() -> Iterator[Any]:
            yield found
            yield [has_request_context(), g.get("mark"), current_app.name]

        return rest()

    app = make_app({"it": sse(handler)}, SECRET_KEY="x")
    assert values(app, "/api/it?a=1") == [[True, "1", None], [False, None, "application"]]


# --- the whole request, or nothing


def test_the_request_can_be_held_for_the_whole_stream(make_app: Any, eventually: Any) -> None:
    torn: list[str] = []

    def handler(ctx: Context) -> Iterator[Any]:
        g.mark = []
        for n in range(2):
            g.mark.append(n)
            yield [request.args["a"], session["user"], url_for(".it"), g.mark, ctx.request.path]
            ctx.sleep(0.02)

    app = make_app({"it": sse(handler, context="stream")}, SECRET_KEY="x")

    @app.teardown_appcontext
    def teardown(error: BaseException | None) -> None:
        if "mark" in g:
            torn.append("torn")

    client = app.test_client()
    with client.session_transaction() as stored:
        stored["user"] = "me"
    with sse_client(client).open("/api/it?a=1") as stream:
        got = [stream.json(), stream.json()]
        assert torn == []
        list(stream)
    eventually(lambda: torn == ["torn"])
    same = ["1", "me", "/api/it"]
    assert got == [[*same, [0], "/api/it"], [*same, [0, 1], "/api/it"]]


def test_a_stream_can_run_bare(make_app: Any) -> None:
    def handler() -> Iterator[Any]:
        for _ in range(2):
            yield [has_app_context(), has_request_context()]

    app = make_app({"it": sse(handler, context="none")})
    assert values(app) == [[False, False]] * 2


@pytest.mark.parametrize("mode", MODES)
def test_no_context_is_left_on_the_server(make_app: Any, wsgi: Any, mode: str) -> None:
    def handler(ctx: Context) -> Iterator[int]:
        yield 1
        ctx.sleep(3600)

    response = wsgi(make_app({"it": sse(handler, context=mode)}), "/api/it")
    assert response.chunk()
    assert not has_app_context()
    response.close()
    assert not has_app_context()


# --- a context left pushed at a yield


def pushes(kind: str, seen: list[str], first: bool) -> Any:
    def handler(ctx: Context) -> Iterator[int]:
        app: Any = ctx._app
        make = {"app": ctx.app_context, "request": app.test_request_context}[kind]
        if not first:
            yield 0
        try:
            with make():
                yield 1
                yield 2
        finally:
            seen.append("finally")

    return handler


@pytest.mark.parametrize("mode", ["step", "stream"])
@pytest.mark.parametrize("kind", ["app", "request"])
def test_a_context_left_pushed_at_a_yield_is_an_error_that_says_so(
    make_app: Any, kind: str, mode: str
) -> None:
    seen: list[str] = []
    app = make_app({"it": sse(pushes(kind, seen, first=True), context=mode)}, TESTING=True)
    with sse_client(app).open("/api/it") as stream:
        assert [event.event for event in stream] in (["error"], ["message", "error"])
    assert seen == ["finally"]


@pytest.mark.parametrize("mode", ["step", "stream"])
@pytest.mark.parametrize("kind", ["app", "request"])
def test_the_log_says_what_was_left_pushed(
    make_app: Any, kind: str, mode: str, caplog: Any, eventually: Any
) -> None:
    seen: list[str] = []
    app = make_app({"it": sse(pushes(kind, seen, first=False), context=mode)})
    with sse_client(app).open("/api/it") as stream:
        events = [event.event for event in stream]
    assert events[-1] == "error"
    assert events.count("message") <= 2
    assert seen == ["finally"]
    for word in ("'it'", "still pushed", "before the yield"):
        assert word in caplog.text
    eventually(lambda: not runtime_of(app).streams.open())


# --- an idle stream holds nothing


@pytest.fixture(name="engine")
def make_engine(tmp_path: Path) -> Iterator[sqlalchemy.Engine]:
    engine = sqlalchemy.create_engine(
        f"sqlite:///{tmp_path / 'data.db'}",
        poolclass=sqlalchemy.QueuePool,
        pool_size=5,
        max_overflow=0,
        pool_timeout=2,
    )
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE number (n INTEGER)"))
        connection.execute(sqlalchemy.text("INSERT INTO number VALUES (42)"))
    yield engine
    engine.dispose()


def test_two_hundred_streams_that_query_share_five_connections(
    make_app: Any, wsgi: Any, engine: Any, eventually: Any
) -> None:
    sessions = orm.scoped_session(
        orm.sessionmaker(engine), scopefunc=lambda: id(g._get_current_object())
    )
    asked: dict[str, int] = {}
    failed: list[BaseException] = []

    def query() -> Any:
        return sessions.execute(sqlalchemy.text("SELECT n FROM number")).scalar()

    def often(ctx: Context, name: str) -> Iterator[Any]:
        while True:
            try:
                value = query()
            except Exception as error:
                failed.append(error)
                raise
            asked[name] = asked.get(name, 0) + 1
            yield value
            ctx.sleep(0.5)

    app = make_app({"it": sse(often), "plain": define_route(query)})

    @app.teardown_appcontext
    def remove(error: BaseException | None) -> None:
        sessions.remove()

    streams = [wsgi(app, f"/api/it?name={n}") for n in range(200)]
    assert {stream.status for stream in streams} == {200}
    client = app.test_client()
    until = time.monotonic() + 1.8
    answered = 0
    while time.monotonic() < until or min(asked.values()) < 3:
        response = client.get("/api/plain")
        assert (response.status_code, response.json) == (200, 42), failed
        answered += 1
        assert time.monotonic() < until + 60
        time.sleep(0.02)
    assert failed == []
    assert answered > 5
    assert len(asked) == 200
    assert runtime_of(app).streams.stats().streams == 200
    for stream in streams:
        stream.close()
    eventually(lambda: not runtime_of(app).streams.open())
    assert engine.pool.checkedout() == 0

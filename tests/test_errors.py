"""Errors: problem documents before the first byte, error events after it, and what is not told."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import pytest
from flask import Blueprint, Flask, Response, abort, jsonify
from werkzeug.exceptions import Conflict, HTTPException, NotFound

from flask_sse_routes import (
    Context,
    Event,
    RouteBlueprint,
    StreamClosed,
    StreamError,
    define_hook,
    define_route,
)
from flask_sse_routes.errors import problem
from flask_sse_routes.testing import sse_client

PROBLEM = "application/problem+json"
SECRET = "password=hunter2\r\n2026-01-01 INFO a line that never was"


def ticks() -> Iterator[int]:
    yield 1


def number(n: int) -> int:
    return n


def routes(handler: Any = ticks, **options: Any) -> dict[str, Any]:
    return {
        "it": define_route(handler, kind="sse", **options),
        "number": define_route(number, method="POST"),
    }


def raises(error: BaseException | Callable[[], Any], *before: Any, wait: float = 0) -> Any:
    """A generator handler that yields some events and then fails."""

    def handler(ctx: Context) -> Iterator[Any]:
        yield from before
        ctx.sleep(wait)
        if callable(error):
            error()
        else:
            raise error

    return handler


def last_event(make_app: Any, handler: Any, *, config: Any = None, **options: Any) -> Event:
    app = make_app(routes(handler, **options), **(config or {}))
    with sse_client(app).open("/api/it") as stream:
        assert stream.status == 200
        *_, last = list(stream)
        return last


def problem_of(response: Any) -> Any:
    assert response.content_type == PROBLEM
    document = json.loads(response.data)
    assert document["status"] == response.status_code
    assert {"type", "title", "status"} <= document.keys()
    return document


# --- the document


def test_a_problem_document() -> None:
    assert problem(404) == {"type": "about:blank", "title": "Not Found", "status": 404}
    assert problem(409, "taken", title="No", extra=1) == {
        "type": "about:blank",
        "title": "No",
        "status": 409,
        "detail": "taken",
        "extra": 1,
    }
    assert problem(499)["title"]


@pytest.mark.parametrize("status", [399, 600, 200, 0])
def test_a_stream_error_has_the_status_of_an_error(status: int) -> None:
    with pytest.raises(ValueError, match=str(status)):
        StreamError("no", status=status)


def test_stream_closed_is_no_exception_that_handlers_swallow() -> None:
    assert issubclass(StreamClosed, GeneratorExit)
    assert not issubclass(StreamClosed, Exception)


# --- before the first byte


def send_json(app: Flask, data: bytes) -> Any:
    return app.test_client().post("/api/number", data=data, content_type="application/json")


REQUESTS: dict[str, tuple[Callable[[Flask], Any], int]] = {
    "404": (lambda app: app.test_client().get("/api/nothing"), 404),
    "404 below": (lambda app: app.test_client().get("/api/it/nothing"), 404),
    "404 of the prefix": (lambda app: app.test_client().get("/api"), 404),
    "405": (lambda app: app.test_client().get("/api/number"), 405),
    "405 of a stream": (lambda app: app.test_client().post("/api/it"), 405),
    "415": (lambda app: app.test_client().post("/api/number", data="n", content_type="a/b"), 415),
    "400": (lambda app: send_json(app, b"{"), 400),
    "422": (lambda app: send_json(app, b"{}"), 422),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_every_failure_inside_the_prefix_is_a_problem(make_app: Any, name: str) -> None:
    send, status = REQUESTS[name]
    app = make_app(routes())
    response = send(app)
    document = problem_of(response)
    assert document["status"] == status
    assert document["detail"]
    assert ("errors" in document) == (status == 422)


def test_a_405_names_the_allowed_methods(make_app: Any) -> None:
    response = make_app(routes()).test_client().get("/api/number")
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


@pytest.mark.parametrize("path", ["/", "/nothing", "/apix", "/apix/it", "/other/api/it"])
def test_outside_the_prefix_nothing_changes(make_app: Any, path: str) -> None:
    response = make_app(routes()).test_client().get(path)
    assert (response.status_code, response.mimetype) == (404, "text/html")


def test_other_views_are_left_alone(make_app: Any) -> None:
    app = make_app(routes())

    @app.get("/plain")
    def plain() -> None:
        abort(409)

    other = Blueprint("other", __name__, url_prefix="/other")
    other.get("/it")(lambda: abort(410))
    app.register_blueprint(other)
    assert app.test_client().get("/plain").mimetype == "text/html"
    assert app.test_client().get("/other/it").mimetype == "text/html"


@pytest.mark.parametrize("prefix", [None, "", "/"])
def test_an_empty_prefix_claims_only_the_routes_own_errors(make_app: Any, prefix: Any) -> None:
    client = make_app(routes(), prefix=prefix).test_client()
    assert client.get("/nothing").mimetype == "text/html"
    assert client.post("/number").content_type == PROBLEM


def test_a_prefix_with_a_variable_is_a_prefix(make_app: Any) -> None:
    def handler(tenant: str) -> str:
        return tenant

    app = make_app({"it": define_route(handler)}, prefix="/t/<tenant>")
    assert app.test_client().get("/t/a/it").json == "a"
    assert app.test_client().get("/t/a/nothing").content_type == PROBLEM
    assert app.test_client().get("/t").mimetype == "text/html"


def test_a_redirect_to_the_slash_is_no_error(make_app: Any) -> None:
    app = make_app({"it": define_route(lambda: 1, path="/it/")})
    response = app.test_client().get("/api/it")
    assert response.status_code == 308
    assert response.headers["Location"].endswith("/api/it/")


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_an_abort_is_a_problem(make_app: Any, kind: str) -> None:
    def handler() -> Any:
        abort(409, "It is taken.")

    response = make_app({"it": define_route(handler, kind=kind)}).test_client().get("/api/it")
    assert problem_of(response) == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "It is taken.",
    }


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_an_abort_with_a_response_is_that_response(make_app: Any, kind: str) -> None:
    def handler() -> Any:
        abort(Response("teapot", 418, mimetype="text/plain"))

    response = make_app({"it": define_route(handler, kind=kind)}).test_client().get("/api/it")
    assert (response.status_code, response.data) == (418, b"teapot")


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (lambda: abort(409, "taken"), 409, "taken"),
        (StreamError("over quota", status=429), 429, "over quota"),
        (StreamError("odd", status=499), 499, "odd"),
        (StreamError("broken"), 500, "broken"),
    ],
)
def test_an_exception_before_the_first_event_keeps_its_status(
    make_app: Any, error: Any, status: int, detail: str
) -> None:
    response = make_app(routes(raises(error), open_timeout=60)).test_client().get("/api/it")
    document = problem_of(response)
    assert (response.status_code, document["detail"]) == (status, detail)


def test_a_stream_error_in_an_http_handler_has_its_status(make_app: Any) -> None:
    def handler() -> Any:
        raise StreamError("over quota", status=429)

    response = make_app({"it": define_route(handler)}).test_client().get("/api/it")
    assert problem_of(response)["detail"] == "over quota"


def test_a_comment_is_sent_before_the_error_that_follows_it(make_app: Any) -> None:
    handler = raises(lambda: abort(409), Event(comment="begun"))
    assert last_event(make_app, handler).event == "error"


# --- after the first byte


@pytest.mark.parametrize(
    ("error", "status", "title", "detail"),
    [
        (lambda: abort(409, "taken"), 409, "Conflict", "taken"),
        (StreamError("over quota", status=429), 429, "Too Many Requests", "over quota"),
        (StreamError("broken"), 500, "Internal Server Error", "broken"),
    ],
)
def test_an_error_ends_the_stream_with_its_document(
    make_app: Any, error: Any, status: int, title: str, detail: str
) -> None:
    last = last_event(make_app, raises(error, Event(1, id="7")))
    assert (last.event, last.id) == ("error", "7~end")
    assert json.loads(last.data) == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
    }


def test_an_error_after_the_open_timeout_comes_as_an_event(make_app: Any) -> None:
    last = last_event(make_app, raises(StreamError("late"), wait=0.1), open_timeout=0)
    assert (last.event, last.id) == ("error", "~end")


@pytest.mark.parametrize("config", [{}, {"TESTING": True}])
def test_testing_does_not_change_what_a_begun_stream_sends(make_app: Any, config: Any) -> None:
    assert last_event(make_app, raises(ValueError(SECRET), 1), config=config).event == "error"


# --- what is not told, and where it is


def the_record(caplog: pytest.LogCaptureFixture) -> logging.LogRecord:
    """The one error of all loggers: a request's is the app's, a stream's the package's."""
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    return record


def check_generic(document: Any, caplog: Any) -> None:
    assert document["status"] == 500
    assert "hunter2" not in json.dumps(document)
    message = the_record(caplog).getMessage()
    assert document["error_id"] in message
    assert "hunter2" in message
    assert "ValueError" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("kind", ["http", "sse"])
def test_an_unexpected_exception_is_told_to_the_log_alone(
    make_app: Any, caplog: Any, kind: str
) -> None:
    def handler() -> Any:
        raise ValueError(SECRET)

    response = make_app({"it": define_route(handler, kind=kind)}).test_client().get("/api/it")
    assert response.status_code == 500
    check_generic(problem_of(response), caplog)


def test_an_unexpected_exception_of_a_stream_is_told_to_the_log_alone(
    make_app: Any, caplog: Any
) -> None:
    last = last_event(make_app, raises(ValueError(SECRET), 1))
    assert last.event == "error"
    check_generic(json.loads(last.data), caplog)
    assert "test_errors.py" in the_record(caplog).getMessage()


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_a_handler_cannot_end_the_process(
    make_app: Any, eventually: Any, kind: type[BaseException], caplog: Any
) -> None:
    ends: list[Any] = []
    cleanup = define_hook(cleanup=lambda ctx: ends.append((ctx.outcome, repr(ctx.error))))
    last = last_event(make_app, raises(kind("hunter2"), 1), hooks=[cleanup])
    assert (last.event, json.loads(last.data)["status"]) == ("error", 500)
    assert kind.__name__ in the_record(caplog).getMessage()
    eventually(lambda: ends)
    assert ends[0][0] == "error"
    assert kind.__name__ in ends[0][1]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_nor_before_its_first_event(make_app: Any, kind: type[BaseException]) -> None:
    response = make_app(routes(raises(kind("hunter2")))).test_client().get("/api/it")
    assert problem_of(response)["status"] == 500


class Conflicting(HTTPException):
    code = 409
    description = "taken"
    errors: ClassVar[Any] = {1, object()}


def conflict() -> None:
    raise Conflicting


def test_the_errors_of_another_exception_are_its_own_affair(make_app: Any) -> None:
    last = last_event(make_app, raises(conflict, 1))
    document = json.loads(last.data)
    assert (last.event, document["status"], document["detail"]) == ("error", 409, "taken")
    assert "errors" not in document
    response = make_app(routes(raises(conflict))).test_client().get("/api/it")
    assert "errors" not in problem_of(response)


@pytest.mark.parametrize("on_end", ["stop", "reconnect"])
def test_an_error_that_cannot_be_sent_is_another_error(
    make_app: Any, on_end: str, caplog: Any
) -> None:
    last = last_event(make_app, raises(lambda: abort(409, "\ud800"), 1), on_end=on_end)
    assert (last.event, json.loads(last.data)["status"]) == ("error", 500)
    assert json.loads(last.data)["error_id"] in caplog.text


def test_a_path_cannot_forge_a_line_of_the_log(make_app: Any, caplog: Any) -> None:
    def handler(word: str) -> None:
        raise ValueError(word)

    app = make_app({"it": define_route(handler, path="/it/<word>")})
    app.test_client().get("/api/it/x%0A2026-01-01%20ERROR%20forged%0D%C2%85")
    assert len(the_record(caplog).getMessage().splitlines()) == 1


def test_debug_tells_the_client(make_app: Any) -> None:
    app = make_app(routes(raises(ValueError(SECRET), 1)))
    app.debug = True
    with sse_client(app).open("/api/it") as stream:
        assert stream.json() == 1
        assert "hunter2" in stream.json()["detail"]


@pytest.mark.parametrize("kind", ["http", "sse"])
@pytest.mark.parametrize("mode", ["testing", "debug"])
def test_an_unexpected_exception_reaches_the_debugger_and_the_test(
    make_app: Any, kind: str, mode: str
) -> None:
    def handler() -> Any:
        raise ValueError(SECRET)

    app = make_app({"it": define_route(handler, kind=kind)})
    setattr(app, mode, True)
    with pytest.raises(ValueError, match="hunter2"):
        app.test_client().get("/api/it")


def test_it_reaches_the_test_from_a_generator_too(make_app: Any) -> None:
    app = make_app(routes(raises(ValueError(SECRET))), TESTING=True)
    with pytest.raises(ValueError, match="hunter2"):
        app.test_client().get("/api/it")


def test_aborts_are_not_propagated_under_testing(make_app: Any) -> None:
    app = make_app(routes(raises(lambda: abort(409))), TESTING=True)
    assert app.test_client().get("/api/it").status_code == 409


# --- a user's error handlers win


def custom(error: BaseException) -> Any:
    return jsonify(mine=type(error).__name__), getattr(error, "code", None) or 500


def fails() -> Any:
    raise KeyError("x")


def conflicts() -> Any:
    abort(409)


def app_with(handlers: Any, *, late: bool = False, on_blueprint: bool = False) -> Flask:
    app = Flask("application")
    api = RouteBlueprint("api", __name__, url_prefix="/api")
    for kind in ("http", "sse"):
        for handler in (fails, conflicts):
            route = define_route(handler, kind=kind)
            api.add_route(f"{kind}_{handler.__name__}", route)
    target: Any = api if on_blueprint else app
    if late:
        app.register_blueprint(api)
    for key in handlers:
        target.register_error_handler(key, custom)
    if not late:
        app.register_blueprint(api)
    return app


@pytest.mark.parametrize("kind", ["http", "sse"])
@pytest.mark.parametrize("place", ["app", "app, late", "blueprint"])
@pytest.mark.parametrize("key", [409, Conflict, HTTPException, Exception])
def test_a_users_handler_of_a_refusal_wins(key: Any, place: str, kind: str) -> None:
    app = app_with([key], late=place == "app, late", on_blueprint=place == "blueprint")
    response = app.test_client().get(f"/api/{kind}_conflicts")
    assert (response.status_code, response.json) == (409, {"mine": "Conflict"})


@pytest.mark.parametrize("kind", ["http", "sse"])
@pytest.mark.parametrize("place", ["app", "app, late", "blueprint"])
@pytest.mark.parametrize(
    ("key", "mine"),
    [
        (KeyError, "KeyError"),
        (LookupError, "KeyError"),
        (Exception, "KeyError"),
        (500, "InternalServerError"),
        (HTTPException, "InternalServerError"),
    ],
)
def test_a_users_handler_of_a_failure_wins(key: Any, mine: str, place: str, kind: str) -> None:
    app = app_with([key], late=place == "app, late", on_blueprint=place == "blueprint")
    response = app.test_client().get(f"/api/{kind}_fails")
    assert (response.status_code, response.json) == (500, {"mine": mine})


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("key", [404, NotFound, HTTPException, Exception])
def test_a_users_handler_of_a_404_wins(key: Any, late: bool) -> None:
    client = app_with([key], late=late).test_client()
    assert client.get("/api/nothing").json == {"mine": "NotFound"}
    assert client.get("/nothing").json == {"mine": "NotFound"}


def test_a_handler_of_one_status_leaves_the_others(make_app: Any) -> None:
    app = app_with([404])
    assert app.test_client().get("/api/nothing").json == {"mine": "NotFound"}
    assert app.test_client().get("/api/http_conflicts").content_type == PROBLEM


def test_a_users_handler_wins_for_a_stream_that_has_not_begun(make_app: Any) -> None:
    app = make_app(routes(raises(KeyError("x"))))
    app.register_error_handler(KeyError, lambda error: ("mine", 418))
    assert app.test_client().get("/api/it").data == b"mine"


# --- a failing handler leaves nothing behind


def test_the_handlers_finally_runs_before_the_error_is_answered(make_app: Any) -> None:
    ran: list[str] = []

    def handler() -> Iterator[int]:
        try:
            yield 1
            raise ValueError
        finally:
            ran.append("finally")

    assert last_event(make_app, handler).event == "error"
    assert ran == ["finally"]


def test_an_error_comes_at_once(make_app: Any) -> None:
    begun = time.monotonic()
    app = make_app(routes(raises(lambda: abort(409)), open_timeout=60))
    assert app.test_client().get("/api/it").status_code == 409
    assert time.monotonic() - begun < 10

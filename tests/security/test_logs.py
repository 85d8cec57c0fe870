"""What a request brings never forges a line of the log, and what the log says never leaves."""

from __future__ import annotations

import functools
import json
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import (
    Blueprint,
    Flask,
    abort,
    copy_current_request_context,
    current_app,
    got_request_exception,
)
from werkzeug.exceptions import HTTPException, InternalServerError

import flask_sse_routes
from flask_sse_routes import RouteBlueprint, StreamError, define_hook, define_route
from flask_sse_routes.logs import MODE, Log, one_line
from flask_sse_routes.testing import sse_client

FORGED = "x\r\n2026-01-01 ERROR forged\x85\u2028\u2029\x0b\x0c\x1b[31m\x00\u202egnp\u2066\u200f\\n"
SECRET = "hunter2"


def is_one_line(text: str) -> bool:
    return text.isprintable() and len(text.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("caf\u00e9 \u65e5\u672c", "caf\u00e9 \u65e5\u672c"),
        ("a\nb", "a\\nb"),
        ("a\\nb", "a\\\\nb"),
        ("a\r\n\tb", "a\\r\\n\\tb"),
        ("\u202e", "\\u202e"),
        ("\ud800", "\\ud800"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_a_text_on_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_whatever_is_logged_is_one_line(caplog: Any) -> None:
    class Hostile:
        def __repr__(self) -> str:
            return FORGED

    log = Log("flask_sse_routes.test")
    caplog.set_level(logging.DEBUG, "flask_sse_routes.test")
    for write in (log.debug, log.info, log.warning, log.error):
        write("%s | %r | %s | %r | %d | %.1f", FORGED, FORGED, Hostile(), Hostile(), 7, 0.5)
    log.warning("%s", FORGED, error=ValueError(FORGED))
    log.error("%s", FORGED, error=ValueError(FORGED))
    assert len(caplog.records) == 6
    for record in caplog.records:
        assert is_one_line(logging.Formatter().format(record))
        assert record.filename == "test_logs.py"
    assert "ValueError: x\\r" in caplog.messages[-1]
    assert "7 | 0.5" in caplog.messages[0]


def test_what_cannot_be_written_does_not_lose_its_line(caplog: Any, capsys: Any) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError(FORGED)

        __repr__ = __str__

    log = Log("flask_sse_routes.test")
    log.error("%s failed, error_id 7: %r %s", "it", Mute(), Mute(), error=Mute())
    assert "it failed, error_id 7: <Mute> <Mute>: " in caplog.text
    assert is_one_line(caplog.messages[0])
    assert capsys.readouterr().err == ""


def test_debug_mode_has_the_usual_traceback(caplog: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(MODE, "debug", True)
    error = ValueError(FORGED)
    Log("flask_sse_routes.test").error("%s failed", FORGED, error=error)
    (record,) = caplog.records
    assert is_one_line(record.getMessage())
    assert record.exc_info[1] is error


@pytest.mark.parametrize("debug", [True, False])
def test_the_app_says_which_mode_it_is(make_app: Any, monkeypatch: Any, debug: bool) -> None:
    monkeypatch.setattr(MODE, "debug", not debug)
    app = make_app({"it": define_route(lambda: 1)}, DEBUG=debug)
    assert app.test_client().get("/api/it").status_code == 200
    assert app.extensions["flask_sse_routes"].config
    assert debug == MODE.debug


def test_nothing_of_the_package_logs_in_any_other_way() -> None:
    """But for the hub's stack, which holds code alone, and what servers' own loggers are for."""
    folder = Path(flask_sse_routes.__file__).parent
    allowed = {"logs.py", "stalls.py", "streams.py", "gunicorn/worker.py"}
    others = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if "getLogger(" in path.read_text()
    }
    assert others - allowed == set()


# --- what requests bring, through a whole app


def wait_then_fail(word: str) -> Any:
    yield 1
    raise ValueError(f"{SECRET} {word}")


def fail_at_once(word: str) -> Any:
    raise ValueError(f"{SECRET} {word}")


def close_badly(word: str) -> Any:
    try:
        yield 1
        yield 2
    finally:
        raise ValueError(f"{SECRET} {word}")


def fail_in_cleanup(ctx: Any) -> None:
    raise ValueError(f"{SECRET} {ctx.request.args['word']}")


def broker_away(word: str) -> Any:
    raise flask_sse_routes.BrokerUnavailable(f"{SECRET} {word}")


ROUTES = {
    "late": define_route(wait_then_fail, kind="sse"),
    "early": define_route(fail_at_once, kind="sse"),
    "http": define_route(fail_at_once),
    "cleanup": define_route(lambda word: 1, hooks=[define_hook("tidy", cleanup=fail_in_cleanup)]),
    "closing": define_route(close_badly, kind="sse"),
    "broker": define_route(broker_away),
    "broker_stream": define_route(broker_away, kind="sse"),
}

# How many events are read of those that begin.
STREAMS = {"late": 2, "closing": 1}


@pytest.mark.parametrize("name", ROUTES)
def test_a_secret_stays_in_the_log_on_one_line(
    make_app: Any, caplog: Any, eventually: Any, name: str
) -> None:
    app = make_app(ROUTES)

    def lines() -> list[logging.LogRecord]:
        ours = ("flask_sse_routes", app.logger.name)
        return [each for each in caplog.records if each.name.startswith(ours)]

    if name in STREAMS:
        with sse_client(app).open(f"/api/{name}", query_string={"word": FORGED}) as stream:
            events = iter(stream)
            sent = "".join(str(next(events).data) for _ in range(STREAMS[name]))[1:]
    else:
        sent = app.test_client().get(f"/api/{name}", query_string={"word": FORGED}).text
    assert SECRET not in sent
    eventually(lines)
    assert any(SECRET in record.getMessage() for record in lines())
    for record in lines():
        assert is_one_line(logging.Formatter().format(record))
    if name in ("late", "early", "http"):
        assert json.loads(sent)["error_id"] in caplog.text


# --- nor does Flask write a traceback of many lines where the package answers


def answer_500(error: Any) -> Any:
    return "mine", 500


def fail_again(error: Any) -> Any:
    raise RuntimeError(FORGED) from error


@pytest.mark.parametrize("path", ["http", "early", "plain"])
@pytest.mark.parametrize(
    ("handled", "handler"), [(None, None), (500, answer_500), (ValueError, fail_again)]
)
def test_a_failure_is_one_line_of_the_whole_log(
    make_app: Any, caplog: Any, path: str, handled: Any, handler: Any
) -> None:
    app = make_app(ROUTES)
    if handled:
        app.register_error_handler(handled, handler)
    plain = RouteBlueprint("more", __name__, url_prefix="/api")
    plain.route("/plain", endpoint="plain")(lambda: fail_at_once(FORGED))
    app.register_blueprint(plain)
    response = app.test_client().get(f"/api/{path}", query_string={"word": FORGED})
    assert response.status_code == 500
    (record,) = caplog.records
    assert record.name == app.logger.name  # whose handlers may mail it
    line = logging.Formatter().format(record)
    assert is_one_line(line)
    assert f"GET /api/{path} failed" in line
    assert "Traceback" in line
    assert SECRET in line
    if handler is answer_500:
        assert response.text == "mine"
    else:
        assert json.loads(response.text)["error_id"] in line


def test_views_of_others_are_logged_as_usual(make_app: Any, caplog: Any) -> None:
    app = make_app(ROUTES)
    other = Blueprint("other", __name__, url_prefix="/other")
    other.route("/it", endpoint="it")(lambda: fail_at_once("x"))
    app.register_blueprint(other)
    assert app.test_client().get("/other/it").status_code == 500
    (record,) = caplog.records
    assert record.name == app.logger.name
    assert record.exc_info[0] is ValueError


def test_an_app_that_logs_in_its_own_way_keeps_it(caplog: Any) -> None:
    told: list[Any] = []

    class Telling(Flask):
        def log_exception(self, exc_info: Any) -> None:
            told.append(exc_info[1])

    app = Telling("application")
    app.register_blueprint(RouteBlueprint("api", __name__, ROUTES, url_prefix="/api"))
    sent = app.test_client().get("/api/http?word=x").json
    assert [str(each) for each in told] == [f"{SECRET} x"]
    (record,) = caplog.records
    assert sent["error_id"] in record.getMessage()
    assert "Traceback" not in record.getMessage()


@pytest.mark.parametrize("by_name", [False, True])
def test_what_an_app_has_caught_and_logged_is_not_what_it_answers(
    make_app: Any, caplog: Any, by_name: bool
) -> None:
    def away() -> Any:
        try:
            return fail_at_once(FORGED)
        except ValueError:
            caught = sys.exc_info()
            if by_name:
                current_app.log_exception(exc_info=caught)
            else:
                current_app.log_exception(caught)
            abort(409, "later")

    response = make_app({"away": define_route(away)}).test_client().get("/api/away")
    assert response.status_code == 409
    sent = json.loads(response.text)
    assert (sent["status"], sent["detail"]) == (409, "later")
    (record,) = caplog.records
    assert is_one_line(logging.Formatter().format(record))


def test_what_is_answered_has_its_own_line(make_app: Any, caplog: Any) -> None:
    """Not that of another failure, which the app has caught and logged before."""

    def mixed() -> Any:
        try:
            raise KeyError("caught")
        except KeyError:
            current_app.log_exception(sys.exc_info())
        raise InternalServerError(original_exception=ValueError(FORGED))

    sent = make_app({"it": define_route(mixed)}).test_client().get("/api/it").json
    caught, answered = map(logging.Formatter().format, caplog.records)
    assert "caught" in caught
    assert sent["error_id"] not in caught
    assert sent["error_id"] in answered
    assert "ValueError: x\\r" in answered
    assert is_one_line(answered)


def test_a_refusal_keeps_its_status_whatever_it_came_of(make_app: Any, caplog: Any) -> None:
    class Unpaid(HTTPException):
        code = 402
        description = "pay first"
        original_exception = ValueError(SECRET)

    def unpaid() -> Any:
        try:
            raise Unpaid.original_exception
        except ValueError:
            current_app.log_exception(sys.exc_info())
        raise Unpaid

    answer = make_app({"it": define_route(unpaid)}).test_client().get("/api/it")
    assert answer.status_code == 402
    assert (answer.json["status"], answer.json["detail"]) == (402, "pay first")


def test_a_thread_of_the_request_may_log_what_fails_in_it(
    make_app: Any, caplog: Any, eventually: Any
) -> None:
    """While a handler of the log has the request's own failure, and is slow."""
    begun, over = threading.Event(), threading.Event()

    def side() -> None:
        try:
            assert begun.wait(10)
            raise KeyError("side")
        except KeyError:
            current_app.log_exception(sys.exc_info())
        finally:
            over.set()

    threads: list[threading.Thread] = []

    def fails() -> Any:
        threads.append(threading.Thread(target=copy_current_request_context(side)))
        threads[0].start()
        raise ValueError("main")

    class Slow(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            """In place of `emit`, which no two threads are in."""
            if "ValueError: main" in record.getMessage():
                begun.set()
                assert over.wait(10)
            return True

    app = make_app({"it": define_route(fails)})
    slow = Slow()
    app.logger.addHandler(slow)
    try:
        sent = app.test_client().get("/api/it").json
    finally:
        app.logger.removeHandler(slow)
        threads[0].join()
    of_main = [line for line in caplog.messages if "ValueError: main" in line]
    assert [sent["error_id"] in line for line in of_main] == [True]


EXC_INFO: dict[str, Callable[[BaseException], Any]] = {
    "exception": lambda error: error,
    "tuple": lambda error: sys.exc_info(),
    "empty tuple": lambda error: (None, None, None),
    "true": lambda error: True,
    "text": lambda error: "boom",
    "none": lambda error: None,
}


@pytest.mark.parametrize("given", EXC_INFO)
@pytest.mark.parametrize("path", ["/api/it", "/plain"])
def test_an_app_may_log_whatever_logging_takes(
    make_app: Any, caplog: Any, given: str, path: str
) -> None:
    def caught() -> str:
        try:
            raise ValueError(FORGED)
        except ValueError as error:
            current_app.log_exception(EXC_INFO[given](error))
        return "handled"

    app = make_app({"it": define_route(caught)})
    app.add_url_rule("/plain", view_func=caught)
    assert app.test_client().get(path).status_code == 200
    (record,) = caplog.records
    line = logging.Formatter().format(record)
    assert ("ValueError" in line) == (given not in ("none", "empty tuple"))
    if path != "/plain":
        assert is_one_line(line)


@pytest.mark.parametrize("name", ["http", "late"])
def test_an_app_beside_one_in_debug_mode_is_not_in_it(
    make_app: Any, caplog: Any, eventually: Any, name: str
) -> None:
    def fail(app: Flask) -> logging.LogRecord:
        caplog.clear()
        with sse_client(app).open(f"/api/{name}", query_string={"word": FORGED}) as stream:
            assert stream.status == (200 if name in STREAMS else 500)
            assert name not in STREAMS or [each.event for each in stream][-1] == "error"
        eventually(lambda: caplog.records)
        (record,) = caplog.records
        return record

    app, other = make_app(ROUTES), make_app(ROUTES, DEBUG=True, PROPAGATE_EXCEPTIONS=False)
    for _ in range(2):
        assert is_one_line(logging.Formatter().format(fail(app)))
        assert fail(other).exc_info[0] is ValueError


def test_a_logger_of_another_kind_gets_what_flask_gives_it(make_app: Any, caplog: Any) -> None:
    told: list[Any] = []

    class Teller:
        def error(self, message: str, *, exc_info: Any) -> None:
            told.append(exc_info[1])

    app = make_app(ROUTES)
    app.logger = Teller()
    sent = app.test_client().get("/api/http?word=x")
    assert sent.status_code == 500
    assert [str(each) for each in told] == [f"{SECRET} x"]
    (record,) = caplog.records
    assert sent.json["error_id"] in record.getMessage()


@pytest.mark.parametrize("named_alike", [True, False])
def test_a_way_to_log_that_all_apps_are_given_is_kept(
    make_app: Any, monkeypatch: Any, named_alike: bool
) -> None:
    told: list[Any] = []

    def log_exception(app: Flask, exc_info: Any) -> None:
        told.append(exc_info[1])

    if named_alike:
        log_exception = functools.wraps(Flask.log_exception)(log_exception)
    monkeypatch.setattr(Flask, "log_exception", log_exception)
    assert make_app(ROUTES).test_client().get("/api/http?word=x").status_code == 500
    assert [str(each) for each in told] == [f"{SECRET} x"]


def test_teardown_functions_see_what_failed(make_app: Any) -> None:
    app = make_app(ROUTES)
    seen: list[Any] = []
    app.teardown_request(seen.append)
    assert app.test_client().get("/api/http?word=x").status_code == 500
    assert [str(each) for each in seen] == [f"{SECRET} x"]


def test_what_is_propagated_is_not_logged(make_app: Any, caplog: Any) -> None:
    app = make_app(ROUTES, PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(ValueError, match=SECRET):
        app.test_client().get("/api/http?word=x")
    assert caplog.records == []


# --- and reporters of exceptions get them all the same


@pytest.fixture
def reported() -> Any:
    found: list[Any] = []

    def keep(sender: Any, exception: BaseException, **_: Any) -> None:
        found.append((sender, exception, current_app.name))

    got_request_exception.connect(keep)
    yield found
    got_request_exception.disconnect(keep)


@pytest.mark.parametrize("name", ["late", "early", "http"])
def test_an_exception_is_signalled_once(
    make_app: Any, reported: Any, eventually: Any, name: str
) -> None:
    app = make_app(ROUTES)
    if name == "late":
        with sse_client(app).open("/api/late?word=x") as stream:
            assert [each.event for each in stream][-1] == "error"
    else:
        assert app.test_client().get(f"/api/{name}?word=x").status_code == 500
    eventually(lambda: reported)
    ((sender, exception, current),) = reported
    assert (sender, str(exception), current) == (app, f"{SECRET} x", "application")


def test_what_is_meant_for_clients_is_not_signalled(make_app: Any, reported: Any) -> None:
    def refused() -> Any:
        yield 1
        abort(409)

    def failed() -> Any:
        yield 1
        raise StreamError("for you", status=503)

    app = make_app({n.__name__: define_route(n, kind="sse") for n in (refused, failed)})
    for name in ("refused", "failed"):
        with sse_client(app).open(f"/api/{name}") as stream:
            assert [each.event for each in stream][-1] == "error"
    assert reported == []


def test_a_receiver_that_fails_is_logged(make_app: Any, caplog: Any, eventually: Any) -> None:
    def receiver(sender: Any, **_: Any) -> None:
        raise RuntimeError("receiver")

    got_request_exception.connect(receiver)
    try:
        with sse_client(make_app(ROUTES)).open("/api/late?word=x") as stream:
            assert [each.event for each in stream][-1] == "error"
        eventually(lambda: "A receiver of got_request_exception failed" in caplog.text)
    finally:
        got_request_exception.disconnect(receiver)

"""What a running app answers the doctor, and nobody else."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask import Flask
from werkzeug.exceptions import Unauthorized
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_sse_routes import define_hook
from flask_sse_routes.diagnosis import (
    AGE,
    EVENTS,
    HEADER,
    LONGEST,
    MOST,
    PATH,
    SEEN,
    Order,
    read_order,
    sign,
)
from flask_sse_routes.testing import sse_client

URL = f"/api{PATH}"
FACTS = Order("facts", "n")


@pytest.fixture(name="app")
def app(make_app: Any) -> Flask:
    made: Flask = make_app(SECRET_KEY="right")
    return made


def token(order: Order = FACTS, key: str | None = "right") -> str:
    signer = Flask("signer")
    signer.secret_key = key
    return sign(signer, order) or ""


def ask(app: Flask, text: str, **headers: str) -> Any:
    return app.test_client().get(URL, headers={HEADER: text, **headers})


def test_who_holds_a_token_gets_the_facts(app: Flask) -> None:
    answer = ask(app, token(), Last_Event_ID=SEEN)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["nonce"] == "n"
    assert answer.json["last_event_id"] is True
    assert answer.json["named"] is True
    assert answer.json["tls"] is False


def test_an_address_that_no_proxy_has_named(app: Flask) -> None:
    assert ask(app, token(), X_Forwarded_For="192.0.2.1").json["named"] is False
    assert ask(app, token(), X_Forwarded_For="192.0.2.1, 127.0.0.1").json["named"] is None
    assert ask(app, token()).json["last_event_id"] is False


def test_an_address_that_was_taken_from_a_proxy(app: Flask) -> None:
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)  # type: ignore[method-assign]  # as WSGI has it
    assert ask(app, token(), X_Forwarded_For="192.0.2.1, 198.51.100.7").json["named"] is True
    assert ask(app, token(), X_Forwarded_For="127.0.0.1").json["named"] is None


def test_everybody_else_gets_404(app: Flask) -> None:
    right = token()
    for text in (
        "",
        "x",
        "a.b.c",
        token(key="wrong"),
        right[:-1],
        f"{right}x",
        right[1:],
        "\u00e9",
    ):
        assert ask(app, text).status_code == 404


def test_a_token_in_the_query_is_none(app: Flask) -> None:
    client = app.test_client()
    assert client.get(URL, query_string={HEADER: token()}).status_code == 404
    assert client.post(URL, headers={HEADER: token()}).status_code == 405


@pytest.mark.parametrize("key", [None, ""])
def test_without_a_key_nobody_gets_anything(make_app: Any, key: str | None) -> None:
    app = make_app(SECRET_KEY=key)
    assert sign(app, FACTS) is None
    for text in (token(), token(key="x"), ""):
        assert ask(app, text).status_code == 404


def test_a_token_is_good_for_a_minute(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    text, now = token(), time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + AGE - 2)
    assert ask(app, text).status_code == 200
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: now + AGE + 2)
    assert ask(app, text).status_code == 404


def refuse(*_: Any) -> Any:
    raise Unauthorized


def test_no_hook_and_nothing_of_the_app_runs(make_app: Any) -> None:
    hook = define_hook("refuse", before=refuse)
    app = make_app(SECRET_KEY="right", hooks=[hook], app_hooks=[hook], identify=refuse)
    headers = {HEADER: token(Order("stream", "n", 0.0))}
    with sse_client(app).open(URL, headers=headers) as stream:
        events = list(stream)
    assert [each.event for each in events] == ["message"] * EVENTS + ["end"]
    assert events[0].data == '{"nonce":"n","number":0}'


def test_streams_of_the_doctor_are_few(app: Flask) -> None:
    headers = {HEADER: token(Order("stream", "n", 60.0)), "Accept": "text/event-stream"}
    client = sse_client(app)
    streams = [client.open(URL, headers=headers) for _ in range(MOST)]
    try:
        with client.open(URL, headers=headers) as refused:
            assert refused.headers["SSE-Refused"] == "unavailable"
            assert list(refused) == []
    finally:
        for stream in streams:
            stream.close()
    with client.open(URL, headers=headers) as again:
        assert again.next().event == "message"


def test_they_count_among_the_apps_own(make_app: Any) -> None:
    app = make_app(SECRET_KEY="right", SSE_MAX_STREAMS=1)
    headers = {HEADER: token(Order("stream", "n", 60.0)), "Accept": "text/event-stream"}
    with (
        sse_client(app).open(URL, headers=headers),
        sse_client(app).open(URL, headers=headers) as refused,
    ):
        assert refused.headers["SSE-Refused"] == "capacity"


def test_no_stream_of_the_doctor_lasts_for_ever(app: Flask) -> None:
    order = read_order(app, token(Order("stream", "n", 1e9)))
    assert order is not None
    assert order.seconds == LONGEST


def test_no_document_tells_of_it(app: Flask) -> None:
    client = app.test_client()
    for document in ("openapi.json", "client.js"):
        assert "doctor" not in client.get(f"/api/{document}").text

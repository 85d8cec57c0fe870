"""A `Last-Event-ID` is chosen by whoever asks: it comes back in no header, no body, no log."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import quote

import pytest

from flask_sse_routes import Context, SSERoutes, define_route
from flask_sse_routes.context import MAX_LAST_EVENT_ID
from flask_sse_routes.extension import runtime_of

MARK = "MARKER"
HOSTILE = [
    f"{MARK}-1",
    f"{MARK}-99999999999999999999",
    f"-{MARK}",
    f"{MARK}\r\nSet-Cookie: stolen=1",
    f"{MARK}\x00",
    f"{MARK}\u0085\u00e9",
    MARK * 11_000,
    f"{MARK} x",
    f"{MARK}~end",
    f"~end{MARK}",
]


@pytest.fixture
def app(make_app: Any) -> Any:
    sse = SSERoutes()
    seen: list[str | None] = []

    def generator(ctx: Context) -> Any:
        seen.append(ctx.last_event_id)
        yield 1

    def fails() -> Any:
        yield from ()
        raise LookupError("no")

    routes = {
        "generator": define_route(generator, kind="sse"),
        "follow": define_route(lambda: sse.subscribe("c"), kind="sse", max_duration=0.05),
        "listen": define_route(lambda: sse.listen("c"), kind="sse", max_duration=0.05),
        "fails": define_route(fails, kind="sse"),
    }
    app = make_app(routes)
    app.seen = seen
    yield app
    runtime_of(app).channels.close()


@pytest.mark.parametrize("name", ["generator", "follow", "listen", "fails"])
@pytest.mark.parametrize("way", ["header", "query"])
def test_it_is_never_reflected(app: Any, wsgi: Any, caplog: Any, name: str, way: str) -> None:
    caplog.set_level(logging.DEBUG)
    for text in HOSTILE:
        if way == "header":
            response = wsgi(app, f"/api/{name}", HTTP_LAST_EVENT_ID=text)
        else:
            query = f"last_event_id={quote(text, encoding='latin-1')}"
            response = wsgi(app, f"/api/{name}", QUERY_STRING=query)
        assert response.status in (200, 204) or name == "fails"
        body = response.rest()
        response.close()
        assert MARK.encode() not in body
        assert MARK not in str(response.headers)
    ours = [each for each in caplog.records if each.name.startswith("flask_sse_routes")]
    assert not [each for each in ours if MARK in each.getMessage()]


@pytest.mark.parametrize(
    ("length", "is_read"),
    [(MAX_LAST_EVENT_ID, True), (MAX_LAST_EVENT_ID + 1, False), (100 * MAX_LAST_EVENT_ID, False)],
)
def test_its_length_is_limited(app: Any, wsgi: Any, length: int, is_read: bool) -> None:
    text = "7" * length
    response = wsgi(app, "/api/generator", HTTP_LAST_EVENT_ID=text)
    response.rest()
    response.close()
    assert app.seen == [text if is_read else None]

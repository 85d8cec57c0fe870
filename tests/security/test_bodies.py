"""The body of a request is read up to a limit, and never beyond it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Flask, request

from flask_sse_routes import Context, define_hook, define_route

LIMIT = 1000
ran: list[str] = []


class Endless(io.RawIOBase):
    """A body without a length, which notes how much of it was read."""

    def __init__(self, body: bytes) -> None:
        self._body = io.BytesIO(body)
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self._body.readinto(buffer)
        self.taken += count
        return count


def echo(word: str) -> int:
    ran.append("handler")
    return len(word)


def stream(word: str) -> Any:
    yield len(word)


def keep(ctx: Context) -> dict[str, Any]:
    return {"json": ctx.request.get_json(), "word": len(ctx.input["word"])}


@pytest.fixture
def site(make_app: Any) -> Any:
    def make(**config: Any) -> Flask:
        hook = define_hook(before=lambda ctx: ran.append("hook"))
        ran.clear()
        app: Flask = make_app(
            {
                "json": define_route(echo, method="POST", hooks=[hook]),
                "stream": define_route(stream, kind="sse", method="POST", hooks=[hook]),
                "keep": define_route(keep, method="PUT", input=dict[str, Any]),
                "raw": define_route(lambda ctx: len(ctx.request.get_data()), method="POST"),
            },
            **{"SSE_MAX_BODY_BYTES": LIMIT, **config},
        )
        return app

    return make


def json_body(size: int) -> bytes:
    return b'{"word":"%s"}' % (b"x" * (size - len('{"word":""}')))


def form_body(size: int) -> bytes:
    return b"word=" + b"x" * (size - len("word="))


def multipart_body(size: int) -> bytes:
    head = b'--b\r\nContent-Disposition: form-data; name="word"\r\n\r\n'
    return head + b"x" * (size - len(head) - len(b"\r\n--b--\r\n")) + b"\r\n--b--\r\n"


BODIES = {
    "application/json": json_body,
    "application/x-www-form-urlencoded": form_body,
    "multipart/form-data; boundary=b": multipart_body,
}


def send(app: Flask, path: str, kind: str, body: bytes, how: str, method: str = "POST") -> Any:
    options: dict[str, Any] = {"data": body, "content_type": kind}
    taken = None
    if how == "chunked":
        taken = Endless(body)
        environ = {"wsgi.input": taken, "wsgi.input_terminated": True, "CONTENT_TYPE": kind}
        options = {"environ_overrides": environ, "headers": {"Transfer-Encoding": "chunked"}}
    answer = app.test_client().open(path, method=method, **options)
    return answer, taken


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("how", ["length", "chunked"])
def test_at_the_limit_and_beyond(site: Any, kind: str, how: str) -> None:
    app = site()
    for path in ("/api/json", "/api/stream"):
        answer, _ = send(app, path, kind, BODIES[kind](LIMIT), how)
        assert answer.status_code == 200, answer.data
        ran.clear()
        for size in (LIMIT + 1, 100 * LIMIT):
            answer, taken = send(app, path, kind, BODIES[kind](size), how)
            assert answer.status_code == 413
            assert answer.content_type == "application/problem+json"
            assert str(LIMIT) in answer.json["detail"]
            assert taken is None or taken.taken <= LIMIT + 1
        assert ran == []


def test_what_follows_the_limit_is_not_left_out_in_silence(site: Any) -> None:
    """A body that is whole where it is cut would be taken for all that was sent."""
    body = json_body(LIMIT) + b" " * 50
    assert send(site(), "/api/json", "application/json", body, "chunked")[0].status_code == 413


@pytest.mark.parametrize("coding", ["Chunked", "identity", "gzip, chunked"])
def test_a_length_beside_a_transfer_coding_is_not_believed(site: Any, coding: str) -> None:
    """The coding overrides it (RFC 9112, section 6.3), whatever the server makes of the two."""
    for size, status in ((LIMIT, 200), (100 * LIMIT, 413)):
        taken = Endless(json_body(size))
        environ = {"wsgi.input": taken, "wsgi.input_terminated": True, "CONTENT_LENGTH": "13"}
        answer = (
            site()
            .test_client()
            .post(
                "/api/json",
                content_type="application/json",
                headers={"Transfer-Encoding": coding},
                environ_overrides=environ,
            )
        )
        assert answer.status_code == status
        assert taken.taken <= LIMIT + 1


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_flasks_own_limit_holds_where_it_is_less(site: Any, how: str) -> None:
    app = site(MAX_CONTENT_LENGTH=100)
    assert send(app, "/api/json", "application/json", json_body(100), how)[0].status_code == 200
    for size in (101, LIMIT):
        answer, taken = send(app, "/api/json", "application/json", json_body(size), how)
        assert answer.status_code == 413
        assert taken is None or taken.taken <= 101
    larger = site(MAX_CONTENT_LENGTH=100 * LIMIT)
    assert (
        send(larger, "/api/json", "application/json", json_body(2 * LIMIT), how)[0].status_code
        == 413
    )


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_what_is_set_for_one_request_counts_alone(site: Any, how: str) -> None:
    app = site(MAX_CONTENT_LENGTH=100)

    @app.before_request
    def let_uploads_in() -> None:
        request.max_content_length = 2 * LIMIT

    for size, status in [(2 * LIMIT, 200), (2 * LIMIT + 1, 413)]:
        answer, _ = send(app, "/api/json", "application/json", json_body(size), how)
        assert answer.status_code == status


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_there_may_be_none(site: Any, how: str) -> None:
    app = site(SSE_MAX_BODY_BYTES=None)
    body = json_body(3_000_000)
    assert send(app, "/api/json", "application/json", body, how)[0].json == len(body) - 11


def test_it_is_a_mebibyte_by_default(make_app: Any) -> None:
    app = make_app({"json": define_route(echo, method="POST")})
    for size, status in ((2**20, 200), (2**20 + 1, 413)):
        answer, _ = send(app, "/api/json", "application/json", json_body(size), "length")
        assert answer.status_code == status


@pytest.mark.parametrize("how", ["length", "chunked"])
def test_a_handler_may_read_the_body_again(site: Any, how: str) -> None:
    answer, _ = send(site(), "/api/keep", "application/json", json_body(500), how, "PUT")
    assert answer.json == {"json": {"word": "x" * 489}, "word": 489}


def test_what_a_handler_reads_itself_is_its_own_affair(site: Any) -> None:
    answer, _ = send(site(), "/api/raw", "application/octet-stream", b"x" * 5000, "length")
    assert answer.json == 5000


@pytest.mark.parametrize("touch", [lambda: request.get_data(), lambda: request.stream])
def test_what_the_app_has_read_before_is_read(site: Any, touch: Any) -> None:
    app = site()
    app.before_request(lambda: touch() and None)
    answer, _ = send(app, "/api/json", "application/json", json_body(500), "chunked")
    assert answer.json == 489

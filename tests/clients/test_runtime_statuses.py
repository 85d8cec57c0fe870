"""What `$sse` and `$api` make of statuses, types and redirects, in Node and in Chromium."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest
from e2e.waiting import wait_for

from .little import STREAM, Asked, Little
from .programs import Program, data, told

PROBLEM = {"Content-Type": "application/problem+json"}
PATH = "/api/stream"
# Long enough for the client to come back if it does, with the times of these tests.
GRACE = 0.25
# What a browser does not tell from a lost connection is tried again, with waits that double.
SOON = 0.01
ENDED = "event: end\nid: 9~end\ndata: null\n\n"


def base(little: Little) -> str:
    return f"{little.url}/api"


def stays_away(little: Little, count: int, path: str = PATH) -> None:
    """Nobody comes back: asked with the wait of a first attempt behind it."""
    with pytest.raises(AssertionError, match="Not within"):
        little.wait_for(path, count + 1, GRACE)
    assert len(little.of(path)) == count


@pytest.mark.parametrize("status", [401, 403, 404, 410, 400, 422])
def test_refusal_ends_it_with_the_problem(client: Program, little: Little, status: int) -> None:
    problem = f'{{"title": "No", "status": {status}, "detail": "Not for you.", "error_id": "x"}}'
    little.on(PATH, lambda asked: asked.reply(status, PROBLEM, problem))
    client.open(base(little))
    ((error,),) = told(client, "error")
    assert (error["name"], error["status"], error["title"]) == ("RouteError", status, "No")
    assert (error["detail"], error["problem"]["error_id"]) == ("Not for you.", "x")
    assert client.state()[0] == 2
    stays_away(little, 1)


def test_refusal_without_a_problem(client: Program, little: Little) -> None:
    little.on(PATH, lambda asked: asked.reply(403, {"Content-Type": "text/html"}, "<h1>No</h1>"))
    client.open(base(little))
    ((error,),) = told(client, "error")
    assert (error["status"], error["title"], error["detail"]) == (403, "Forbidden", None)


def test_refusal_whose_body_never_ends(client: Program, little: Little) -> None:
    def answer(asked: Asked) -> None:
        asked.reply(403, PROBLEM)
        for _ in range(1_000):
            asked.write(b"x" * 65536)

    little.on(PATH, answer)
    client.open(base(little))
    ((error,),) = told(client, "error")
    assert error["status"] == 403


def test_204_ends_it_in_good_order(client: Program, little: Little) -> None:
    little.on(PATH, lambda asked: asked.reply(204))
    client.open(base(little))
    told(client, "end")
    assert [kind for kind, *_ in client.log] == ["end"]
    stays_away(little, 1)


@pytest.mark.parametrize("type_", ["text/html", "text/event-streams", "application/json", None])
def test_another_type_fails(client: Program, little: Little, type_: str | None) -> None:
    headers = {"Content-Type": type_} if type_ else {}
    little.on(PATH, lambda asked: asked.reply(200, headers, "data: 1\n\n"))
    client.open(base(little))
    ((error,),) = told(client, "error")
    assert "instead of text/event-stream" in error["detail"]
    assert data(client) == []
    stays_away(little, 1)


@pytest.mark.parametrize("type_", ["text/event-stream;charset=utf-8", "TEXT/Event-Stream ; a=b"])
def test_the_type_may_have_parameters(client: Program, little: Little, type_: str) -> None:
    little.on(PATH, lambda asked: asked.reply(200, {"Content-Type": type_}, "data: 1\n\n" + ENDED))
    client.open(base(little))
    told(client, "end")
    assert data(client) == [1]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408, 425])
def test_what_may_pass_is_tried_again(client: Program, little: Little, status: int) -> None:
    def answer(asked: Asked) -> None:
        if asked.number == 1:
            asked.reply(status, {"Retry-After": "0"}, "<h1>Later</h1>")
        else:
            asked.stream("data: 1\n\n" + ENDED)

    little.on(PATH, answer)
    client.open(base(little))
    told(client, "end")
    assert [kind for kind, *_ in client.log] == ["open", "event", "end"]


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_kept(client: Program, little: Little, form: str) -> None:
    def answer(asked: Asked) -> None:
        if asked.number > 1:
            asked.stream(ENDED)
            return
        # A date has whole seconds, so it may be up to one less.
        at = datetime.now(timezone.utc) + timedelta(seconds=2)
        after = "1" if form == "seconds" else format_datetime(at, usegmt=True)
        asked.reply(503, {"Retry-After": after})

    little.on(PATH, answer)
    client.open(base(little))
    told(client, "end")
    first, second = little.of(PATH)
    assert 0.95 <= second.at - first.at < 6


def test_refused_stream_comes_back_when_it_was_told(client: Program, little: Little) -> None:
    def answer(asked: Asked) -> None:
        if asked.number == 1:
            asked.stream("retry: 700\n", SSE_Refused="capacity")
        else:
            asked.stream("data: 1\n\n" + ENDED)

    little.on(PATH, answer)
    client.open(base(little))
    told(client, "end")
    first, second = little.of(PATH)
    assert 0.65 <= second.at - first.at < 2
    assert [kind for kind, *_ in client.log] == ["open", "event", "end"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_followed(client: Program, little: Little, status: int) -> None:
    little.on(PATH, lambda asked: asked.reply(status, {"Location": "/elsewhere"}))
    little.on("/elsewhere", lambda asked: asked.stream("data: 1\n\n" + ENDED))
    client.open(base(little), connect={"headers": {"Authorization": "Bearer x"}})
    told(client, "end")
    assert data(client) == [1]
    assert little.of("/elsewhere")[-1].headers["authorization"] == "Bearer x"


@pytest.mark.parametrize("hops", [1, 2])
def test_no_credential_reaches_another_origin(
    client: Program, little: Little, other: Little, hops: int
) -> None:
    where = f"{other.url}/there" if hops == 1 else "/then"
    little.on(PATH, lambda asked: asked.reply(307, {"Location": where}))
    little.on("/then", lambda asked: asked.reply(302, {"Location": f"{other.url}/there"}))
    other.on("/there", lambda asked: asked.stream("data: 1\n\n" + ENDED))
    secrets = {"Authorization": "Bearer x", "X-Api-Key": "secret"}
    client.open(base(little), connect={"headers": secrets})
    told(client, "end")
    assert data(client) == [1]
    for asked in other.asked:
        assert not {"authorization", "x-api-key", "cookie"} & asked.headers.keys()
    assert little.of(PATH)[0].headers["x-api-key"] == "secret"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}], ids=["plain", "secret"])
def test_redirect_loop_ends(client: Program, little: Little, headers: dict[str, str]) -> None:
    little.on(PATH, lambda asked: asked.reply(302, {"Location": PATH}))
    client.open(base(little), connect={"headers": headers}, luck=SOON)
    ((error,),) = told(client, "error", seconds=30)
    assert "loop" in error["detail"]
    assert client.state()[0] == 2
    assert len(little.of(PATH)) < 150


@pytest.mark.parametrize("location", ["data:text/event-stream,data:1", "ftp://x/"])
def test_redirect_to_what_is_no_place(client: Program, little: Little, location: str) -> None:
    little.on(PATH, lambda asked: asked.reply(302, {"Location": location}))
    client.open(base(little), luck=SOON)
    ((error,),) = told(client, "error", seconds=30)
    assert "redirects" in error["detail"]


@pytest.mark.parametrize("headers", [{}, {"X-Api-Key": "secret"}], ids=["plain", "secret"])
def test_call_follows_redirects_without_credentials(
    client: Program, little: Little, other: Little, headers: dict[str, str]
) -> None:
    little.on("/api/echo", lambda asked: asked.reply(302, {"Location": f"{other.url}/there"}))
    other.on("/there", lambda asked: asked.reply(200, {"Content-Type": "application/json"}, "7"))
    answer = client.call(base(little), "echo", input={"word": "a"}, connect={"headers": headers})
    assert answer == ["value", 7]
    assert all("x-api-key" not in asked.headers for asked in other.asked)


def test_post_that_is_redirected(client: Program, little: Little) -> None:
    little.on("/api/post", lambda asked: asked.reply(307, {"Location": "/there"}))
    little.on("/there", lambda asked: asked.stream("data: 1\n\n" + ENDED))
    client.open(base(little), "post", input={"a": 1})
    told(client, "end")
    assert [(asked.method, asked.body) for asked in little.of("/there")] == [("POST", b'{"a":1}')]
    assert len(little.of("/api/post")) == 1


def test_last_event_id_comes_and_goes(client: Program, little: Little) -> None:
    bodies = ["id: 5\ndata: a\n\n", "data: b\n\n", "id:\ndata: c\n\n", ENDED]
    little.on(PATH, lambda asked: asked.stream("retry: 10\n" + bodies[asked.number - 1]))
    client.open(base(little))
    told(client, "end")
    sent = [asked.headers.get("last-event-id") for asked in little.of(PATH)]
    assert sent == [None, "5", "5", None]
    assert data(client) == ["a", "b", "c"]


def test_partial_block_is_dropped(client: Program, little: Little) -> None:
    def answer(asked: Asked) -> None:
        if asked.number == 1:
            asked.stream("retry: 10\nid: 1\ndata: a\n\nid: 2\nevent: odd\ndata: b\n")
        else:
            asked.stream("id: 2\ndata: c\n\n" + ENDED)

    little.on(PATH, answer)
    client.open(base(little))
    told(client, "end")
    events = [values for kind, *values in client.log if kind == "event"]
    assert events == [["message", "a", "1"], ["message", "c", "2"]]
    assert little.of(PATH)[1].headers["last-event-id"] == "1"


def test_what_came_before_is_dropped(client: Program, little: Little) -> None:
    bodies = [
        "id: 1\ndata: a\n\nid: 2\ndata: b\n\n",
        "id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: c\n\n" + ENDED,
    ]
    little.on(PATH, lambda asked: asked.stream("retry: 10\n" + bodies[asked.number - 1]))
    client.open(base(little))
    told(client, "end")
    assert data(client) == ["a", "b", "c"]


def test_an_id_that_names_no_single_event_drops_none(client: Program, little: Little) -> None:
    """A server may tell where it is, and no more, with each event."""
    bodies = ["id: 1\ndata: a\n\nid: 1\ndata: b\n\n", "id: 1\ndata: c\n\n" + ENDED]
    little.on(PATH, lambda asked: asked.stream("retry: 10\n" + bodies[asked.number - 1]))
    client.open(base(little))
    told(client, "end")
    assert data(client) == ["a", "b", "c"]


@pytest.mark.parametrize("what", ["open", "event", "error", "end", "reset"])
def test_closed_in_a_handler_it_stays_closed(client: Program, little: Little, what: str) -> None:
    body = "event: error\ndata: {}\n\n" if what == "error" else "data: 1\n\n"
    body = 'event: reset\nid: 1\ndata: {"reason": "epoch"}\n\n' if what == "reset" else body
    body = ENDED if what == "end" else body
    little.on(PATH, lambda asked: asked.stream("retry: 10\n" + body))
    client.open(base(little), closes={"on": what})
    told(client, what)
    assert client.state()[0] == 2
    stays_away(little, 1)
    assert client.log[-1][0] in (what, "state")


def test_error_that_is_not_the_end(client: Program, little: Little) -> None:
    problem = '{"title": "Bad", "status": 500, "detail": "Sorry."}'
    bodies = [f"event: error\ndata: {problem}\n\n", ENDED]
    little.on(PATH, lambda asked: asked.stream("retry: 10\n" + bodies[asked.number - 1]))
    client.open(base(little))
    told(client, "end")
    assert [kind for kind, *_ in client.log] == ["open", "error", "open", "end"]
    assert told(client, "error")[0][0]["detail"] == "Sorry."


@pytest.mark.parametrize("iterate", [False, True], ids=["handlers", "loop"])
def test_error_that_is_the_end(client: Program, little: Little, iterate: bool) -> None:
    problem = '{"title": "Gone", "status": 410, "detail": "It was given up."}'
    body = f"data: 1\n\nevent: error\nid: ~end\ndata: {problem}\n\ndata: 2\n\n"
    little.on(PATH, lambda asked: asked.stream("retry: 10\n" + body))
    client.open(base(little), iterate=iterate)
    ((error,),) = told(client, "error")
    assert (error["status"], error["detail"]) == (410, "It was given up.")
    assert data(client) == [1]
    stays_away(little, 1)


def test_silence_of_three_heartbeats_reconnects(client: Program, little: Little) -> None:
    def answer(asked: Asked) -> None:
        if asked.number > 1:
            asked.stream(ENDED, SSE_Heartbeat="0.3")
            return
        asked.stream("retry: 10\nid: 4\ndata: 1\n\n", SSE_Heartbeat="0.3")
        asked.wait_until_gone()

    little.on(PATH, answer)
    client.open(base(little))
    told(client, "end")
    first, second = little.of(PATH)
    assert 0.85 < second.at - first.at < 4
    assert second.headers["last-event-id"] == "4"


def test_heartbeats_are_no_silence(client: Program, little: Little) -> None:
    def answer(asked: Asked) -> None:
        asked.stream("retry: 10\n", SSE_Heartbeat="0.3")
        for _ in range(6):
            asked.write(":\n")
            # The time of the test itself: a client that counts wrongly is away by then.
            asked.handler.connection.settimeout(0.25)
            with pytest.raises(TimeoutError):
                asked.handler.connection.recv(1)
        asked.write(ENDED)

    little.on(PATH, answer)
    client.open(base(little))
    told(client, "end")
    assert len(little.of(PATH)) == 1


@pytest.mark.parametrize("ending", ["cut", "502", "503"])
def test_post_is_not_repeated(client: Program, little: Little, ending: str) -> None:
    def answer(asked: Asked) -> None:
        if ending == "cut":
            asked.stream("retry: 10\ndata: 1\n\n")
        else:
            asked.reply(int(ending), {"Retry-After": "0"})

    little.on("/api/post", answer)
    client.open(base(little), "post", input={"a": [1]})
    ((error,),) = told(client, "error")
    if ending == "cut":
        assert "a POST is not repeated" in error["detail"]
    else:
        assert error["status"] == int(ending)
    stays_away(little, 1, "/api/post")
    assert little.of("/api/post")[0].body == b'{"a":[1]}'


def test_post_to_nobody(client: Program, little: Little, other: Little) -> None:
    gone = base(other)
    other.close()
    client.open(gone, "post")
    ((error,),) = told(client, "error")
    assert "not repeated" in error["detail"]


def test_headers_are_asked_for_each_time(client: Program, little: Little) -> None:
    bodies = ["data: 1\n\n", "data: 2\n\n", ENDED]
    little.on(PATH, lambda asked: asked.stream("retry: 10\n" + bodies[asked.number - 1]))
    client.open(base(little), connect={"headersTold": {"failsAt": 2}})
    told(client, "end")
    sent = [asked.headers["authorization"] for asked in little.of(PATH)]
    assert sent == ["Bearer 1", "Bearer 3", "Bearer 4"]
    assert len(told(client, "error")) == 1


def test_calls_tell_problems(client: Program, little: Little) -> None:
    problem = '{"title": "Bad", "status": 422, "errors": [{"loc": ["a"], "msg": "m", "type": "t"}]}'
    little.on("/api/say", lambda asked: asked.reply(422, PROBLEM, problem))
    what, error = client.call(base(little), "say", input={"word": "é"})
    assert (what, error["status"]) == ("error", 422)
    assert error["errors"] == [{"loc": ["a"], "msg": "m", "type": "t"}]
    (asked,) = little.asked[-1:]
    assert (asked.body.decode(), asked.headers["content-type"]) == (
        '{"word":"é"}',
        "application/json",
    )


@pytest.mark.parametrize(
    ("type_", "body", "value"),
    [
        ("application/json", "[1]", [1]),
        ("application/vnd.x+json", "null", None),
        ("text/plain", "[1]", "[1]"),
        ("image/png", "1234", "Blob 4"),
        ("application/json", "", None),
    ],
)
def test_calls_return_values(
    client: Program, little: Little, type_: str, body: str, value: Any
) -> None:
    little.on("/api/echo", lambda asked: asked.reply(200, {"Content-Type": type_}, body))
    assert client.call(base(little), "echo", input={"word": "a"}) == ["value", value]


def test_calls_of_nobody(client: Program, other: Little) -> None:
    gone = base(other)
    other.close()
    what, error = client.call(gone, "echo", input={})
    assert (what, error["name"], error["status"]) == ("error", "RouteError", 0)


def test_input_finds_its_place(client: Program, little: Little) -> None:
    little.on("/api/remove/a%20b%2Fc%3F", lambda asked: asked.reply(204))
    sent = {"word": "a b/c?", "tag": ["x", "y&"], "none": None, "yes": True, "n": 0}
    assert client.call(base(little), "remove", input=sent) == ["value", None]
    (asked,) = (one for one in little.asked if one.method == "DELETE")
    assert asked.query == "tag=x&tag=y%26&yes=true&n=0"


@pytest.mark.parametrize("number", ["..", "a/../../b", "."])
def test_paths_are_not_left(client: Program, little: Little, number: str) -> None:
    client.open(base(little), "vector", input={"number": number})
    ((thrown,),) = told(client, "thrown")
    assert thrown.startswith('TypeError: vector: "." and ".." are no part of a path')
    assert not [one for one in little.asked if one.path.startswith("/api/v")]


def test_a_path_leads_to_no_other_host(client: Program, little: Little) -> None:
    path = "/api/vector//127.0.0.1/x"
    little.on(path, lambda asked: asked.reply(200, STREAM, ENDED))
    client.open(base(little), "vector", input={"number": "/127.0.0.1/x"})
    told(client, "end")
    wait_for(lambda: little.of(path), "the request")

"""What the Python clients do after each kind of answer, end and loss, against real sockets."""

from __future__ import annotations

import time
from email.utils import formatdate

import httpx
import pytest

from flask_sse_routes.concurrency import cooperative

from .python_readers import READERS, Reader
from .scripted import Scripted, answer, end, problem, stream

ONE = "id: 1\ndata: 1\n\n"
TWO = "id: 2\ndata: 2\n\n"
# asyncio has a loop of its own, for which gevent is no place.
KINDS = ["blocking"] if cooperative() else ["blocking", "asyncio"]


@pytest.fixture(params=KINDS)
def read(request: pytest.FixtureRequest) -> Reader:
    return READERS[request.param]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server names no time, come back soon."""
    monkeypatch.setattr("flask_sse_routes.client.backoff.USUAL", 0.05)


def test_events_are_read_up_to_the_end(read: Reader) -> None:
    begin = f"event: ready\nid: 0\ndata: {{}}\n\n{ONE}"
    note = 'event: note\nid: 2\ndata: "a"\n\ndata: no JSON\n\n'
    with Scripted(
        stream(f'{begin}{note}event: end\nid: 2~end\ndata: {{"total": 3}}\n\n')
    ) as server:
        story = read(server.url)
    assert [(e.event, e.data, e.id) for e in story.events] == [
        ("message", 1, "1"),
        ("note", "a", "2"),
        ("message", "no JSON", "2"),
    ]
    assert (story.error, story.result, story.last_event_id) == (None, {"total": 3}, "2~end")
    assert len(server.requests) == 1
    assert server.requests[0].headers["accept"] == "text/event-stream"
    assert "last-event-id" not in server.requests[0].headers


def test_a_lost_stream_goes_on_where_it_was(read: Reader) -> None:
    with Scripted(stream(f"{ONE}id: 2\ndata: never finis"), stream(TWO), end()) as server:
        story = read(server.url)
    assert (story.data, story.error) == ([1, 2], None)
    sent = [request.headers.get("last-event-id") for request in server.requests]
    assert sent == [None, "1", "2"]


def test_reset_and_snapshot_are_events_and_ready_moves_the_position(read: Reader) -> None:
    reset = 'event: reset\nid: 5\ndata: {"reason": "trimmed"}\n\n'
    snapshot = "event: snapshot\nid: 5\ndata: [1]\n\n"
    with Scripted(
        stream("event: ready\nid: 3\ndata: {}\n\n"), stream(reset + snapshot), end()
    ) as s:
        story = read(s.url)
    assert [(e.event, e.id) for e in story.events] == [("reset", "5"), ("snapshot", "5")]
    assert [r.headers.get("last-event-id") for r in s.requests] == [None, "3", "5"]


def test_what_was_seen_is_dropped_and_what_has_no_id_is_not(read: Reader) -> None:
    without = "data: same\n\ndata: same\n\n"
    with Scripted(stream(ONE + TWO + without), stream(ONE + TWO + without), end(ONE)) as server:
        assert read(server.url).data == [1, 2, "same", "same", "same", "same"]


def test_events_without_ids_after_a_return_keep_the_position(read: Reader) -> None:
    with Scripted(stream(ONE), stream("data: x\n\n"), end()) as server:
        story = read(server.url)
    assert [(e.data, e.id) for e in story.events] == [(1, "1"), ("x", "1")]
    assert server.requests[2].headers["last-event-id"] == "1"


def test_an_empty_id_takes_the_position_back(read: Reader) -> None:
    with Scripted(stream(ONE), stream("id:\ndata: x\n\n"), end()) as server:
        read(server.url)
    sent = [request.headers.get("last-event-id") for request in server.requests]
    assert sent == [None, "1", None]


def test_a_position_of_another_run_is_sent(read: Reader) -> None:
    with Scripted(end()) as server:
        read(server.url, after="7")
    assert server.requests[0].headers["last-event-id"] == "7"


def test_an_id_that_no_header_can_carry_is_not_sent(read: Reader) -> None:
    with Scripted(stream("id: a\x01b\ndata: 1\n\n"), stream("id: \u00e4\ndata: 2\n\n"), end()) as s:
        assert read(s.url).data == [1, 2]
    assert all("last-event-id" not in request.headers for request in s.requests)


# Statuses


def test_204_stops_for_good(read: Reader) -> None:
    with Scripted(stream(ONE), answer(204)) as server:
        story = read(server.url)
    assert (story.data, story.error, len(server.requests)) == ([1], None, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_refusal_is_raised_and_not_asked_again(read: Reader, status: int) -> None:
    with Scripted(stream(ONE), problem(status, title="No", detail="Not you.")) as server:
        story = read(server.url)
    failure = story.failure
    assert (failure.status, failure.title, failure.detail) == (status, "No", "Not you.")
    assert (story.data, len(server.requests)) == ([1], 2)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503])
def test_what_may_pass_is_asked_again(read: Reader, status: int) -> None:
    page = answer(status, "<h1>Bad</h1>", Content_Type="text/html")
    with Scripted(stream(ONE), page, page, end(TWO)) as server:
        story = read(server.url)
    assert (story.data, story.error, len(server.requests)) == ([1, 2], None, 4)
    # What a stream gets over by asking again is for `on_retry`.
    assert story.told == []
    assert server.requests[3].headers["last-event-id"] == "1"


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_kept(read: Reader, status: int) -> None:
    with Scripted(answer(status, Retry_After="1"), end()) as server:
        assert read(server.url).error is None
    first, second = server.requests
    assert 1 <= second.at - first.at < 3


def test_retry_after_may_be_a_date(read: Reader) -> None:
    with Scripted(lambda _: answer(503, Retry_After=formatdate(time.time() + 2)), end()) as server:
        read(server.url)
    first, second = server.requests
    assert 0.5 <= second.at - first.at < 4


@pytest.mark.parametrize("kind", ["text/html", "application/json", "", "text/event-stream-not"])
def test_a_wrong_media_type_fails(read: Reader, kind: str) -> None:
    with Scripted(answer(200, ONE, Content_Type=kind)) as server:
        story = read(server.url)
    assert story.failure.title == "Not an event stream"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [201, 206, 304])
def test_other_successes_are_no_stream(read: Reader, status: int) -> None:
    with Scripted(answer(status, Content_Type="text/event-stream")) as server:
        assert read(server.url).failure.status == status
    assert len(server.requests) == 1


def test_a_refusal_for_now_is_kept_to_its_time(read: Reader) -> None:
    full = stream("retry: 700\n", SSE_Refused="capacity")
    with Scripted(full, end(ONE)) as server:
        assert read(server.url).data == [1]
    first, second = server.requests
    assert 0.7 <= second.at - first.at < 2


# Errors


def test_a_terminal_error_is_raised(read: Reader) -> None:
    said = '{"type": "about:blank", "title": "Gone", "status": 410, "detail": "Sold."}'
    with Scripted(stream(f"{ONE}event: error\nid: 1~end\ndata: {said}\n\n")) as server:
        story = read(server.url)
    failure = story.failure
    assert (failure.status, failure.title, failure.detail) == (410, "Gone", "Sold.")
    assert failure.problem["type"] == "about:blank"
    assert (story.data, len(server.requests)) == ([1], 1)


def test_an_error_that_is_not_terminal_is_told(read: Reader) -> None:
    said = 'event: error\ndata: {"title": "Oops", "status": 500}\n\n'
    with Scripted(stream(ONE + said), end(TWO)) as server:
        story = read(server.url)
    assert (story.data, story.error) == ([1, 2], None)
    assert [error.title for error in story.told] == ["Oops"]


def test_a_post_is_not_repeated(read: Reader) -> None:
    with Scripted(stream(ONE)) as server:
        story = read(server.url, "job")
    assert (story.failure.status, story.failure.title) == (0, "Connection lost")
    assert "POST is not repeated" in str(story.failure)
    assert (story.data, len(server.requests)) == ([1], 1)


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_refused_post_is_not_repeated(read: Reader, status: int) -> None:
    with Scripted(answer(status, Retry_After="0")) as server:
        assert read(server.url, "job").failure.status == status
    assert len(server.requests) == 1


def test_a_post_that_ends_is_read_like_any_other(read: Reader) -> None:
    with Scripted(end(ONE)) as server:
        story = read(server.url, "job")
    assert (story.data, story.error) == ([1], None)
    assert server.requests[0].headers["content-type"] == "application/json"
    assert server.requests[0].body == b"{}"


# Connections


def test_silence_for_three_heartbeats_is_a_lost_connection(read: Reader) -> None:
    with Scripted(stream(ONE, hold=True, SSE_Heartbeat="0.2"), end(TWO)) as server:
        assert read(server.url).data == [1, 2]
    first, second = server.requests
    assert 0.6 <= second.at - first.at < 3


def test_a_stream_may_be_silent_for_longer_than_a_request(read: Reader) -> None:
    with Scripted(stream(ONE, hold=True, SSE_Heartbeat="0.4"), end(TWO)) as server:
        assert read(server.url, timeout=0.3).data == [1, 2]
    first, second = server.requests
    assert second.at - first.at >= 1.2


def test_a_server_that_is_not_there_is_waited_for(read: Reader) -> None:
    with Scripted(end()) as gone:
        url = gone.url
    began = time.monotonic()
    appeared: list[Scripted] = []

    def headers() -> dict[str, str]:
        if len(tries) == 3:
            appeared.append(_at(gone.port))
        tries.append(time.monotonic())
        return {}

    tries: list[float] = []
    try:
        assert read(url, headers=headers).error is None
    finally:
        for server in appeared:
            server.close()
    assert len(tries) >= 4
    assert time.monotonic() - began < 10


def test_headers_are_asked_for_anew(read: Reader) -> None:
    tokens = iter("abc")
    with Scripted(stream(ONE), stream(TWO), end()) as server:
        read(server.url, headers=lambda: {"Authorization": f"Bearer {next(tokens)}"})
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer a", "Bearer b", "Bearer c"]


def test_a_fault_of_the_request_is_not_tried_again(read: Reader) -> None:
    with Scripted(end()) as server:
        story = read(server.url, headers={"X-Broken": "a\nb"})
    assert isinstance(story.error, httpx.LocalProtocolError)
    assert not server.requests


@pytest.mark.parametrize("status", [200, 502])
def test_what_cannot_be_decoded_is_a_lost_connection(read: Reader, status: int) -> None:
    kind = "text/event-stream" if status == 200 else "text/html"
    bad = answer(status, "retry: 10\n\n", Content_Encoding="gzip", Content_Type=kind)
    with Scripted(stream(ONE), bad, end(TWO)) as server:
        story = read(server.url)
    assert (story.data, story.error, len(server.requests)) == ([1, 2], None, 3)


@pytest.mark.parametrize("heartbeat", ["4e9", "1e308"])
def test_heartbeats_may_be_as_rare_as_can_be(read: Reader, heartbeat: str) -> None:
    with Scripted(stream(ONE, SSE_Heartbeat=heartbeat), end(TWO)) as server:
        story = read(server.url)
    assert (story.data, story.error) == ([1, 2], None)


# Bounds


@pytest.mark.parametrize(
    "text", ["data: " + "x" * 3000, "data: 1\n" * 3000, ": " + "x" * 3000, "x" * 3000]
)
def test_what_is_too_large_fails_once(read: Reader, text: str) -> None:
    with Scripted(stream(ONE + text, hold=True)) as server:
        story = read(server.url, max_event_bytes=2000)
    assert story.failure.title == "Event too large"
    assert "max_bytes=2000" in str(story.failure)
    assert (story.data, len(server.requests)) == ([1], 1)


def test_redirects_are_followed(read: Reader) -> None:
    moved = [answer(status, Location="/elsewhere") for status in (301, 302, 303, 307, 308)]
    with Scripted(*moved, end(ONE)) as server:
        story = read(server.url, headers={"Authorization": "Bearer a"})
    assert story.data == [1]
    assert [r.target for r in server.requests] == ["/feed", *["/elsewhere"] * 5]
    assert {r.headers["authorization"] for r in server.requests} == {"Bearer a"}


def test_a_circle_of_redirects_ends(read: Reader) -> None:
    with Scripted(answer(302, Location="/feed")) as server:
        story = read(server.url)
    assert story.failure.title == "Redirect not followed"
    assert len(server.requests) == 11


def test_nothing_of_the_users_goes_to_another_origin(read: Reader) -> None:
    with Scripted(stream(ONE), end(TWO)) as other:
        moved = answer(307, Location=f"{other.url}/there?x=1", Set_Cookie="c=1")
        with Scripted(moved) as server:
            url = server.url.replace("//", "//user:word@")
            headers = {"Authorization": "Bearer a", "X-Key": "b", "Cookie": "d=2"}
            story = read(url, headers=headers)
        assert [r.target for r in other.requests] == ["/there?x=1"] * 2
        for request in other.requests:
            assert not {"authorization", "x-key", "cookie"} & request.headers.keys()
            assert request.headers["host"] == f"127.0.0.1:{other.port}"
            assert request.headers["accept"] == "text/event-stream"
        assert other.requests[1].headers["last-event-id"] == "1"
    assert story.data == [1, 2]
    assert len(server.requests) == 2


def test_a_way_back_home_carries_nothing_either(read: Reader) -> None:
    with (
        Scripted(lambda _: answer(302, Location=f"{home.url}/back")) as other,
        Scripted(answer(302, Location=other.url), end(ONE)) as home,
    ):
        assert read(home.url, headers={"Authorization": "Bearer a"}).data == [1]
    assert "authorization" in home.requests[0].headers
    assert "authorization" not in home.requests[1].headers


def test_an_http_clients_own_credentials_stay_at_home() -> None:
    with Scripted(end(ONE)) as other, Scripted(answer(302, Location=other.url)) as server:
        own = {"X-Key": "b"}
        with httpx.Client(auth=("user", "word"), headers=own, cookies={"c": "1"}) as http:
            assert READERS["blocking"](server.url, http=http).data == [1]
    assert {"authorization", "x-key", "cookie"} <= server.requests[0].headers.keys()
    assert not {"authorization", "x-key", "cookie"} & other.requests[0].headers.keys()


def test_input_of_a_body_does_not_go_to_another_origin(read: Reader) -> None:
    with Scripted(end()) as other, Scripted(answer(307, Location=other.url)) as server:
        assert "another origin" in str(read(server.url, "job").failure)
    assert not other.requests


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "javascript:alert(1)", "http://127.0.0.1:99999/"]
)
def test_redirects_to_no_web_server_are_refused(read: Reader, location: str) -> None:
    with Scripted(answer(302, Location=location)) as server:
        assert read(server.url).failure.title == "Redirect not followed"
    assert len(server.requests) == 1


def test_the_addresss_own_credentials_are_sent(read: Reader) -> None:
    with Scripted(end(ONE)) as server:
        read(server.url.replace("//", "//user:word@"))
    assert server.requests[0].headers["authorization"] == "Basic dXNlcjp3b3Jk"


def _at(port: int) -> Scripted:
    return Scripted(end(), port=port)

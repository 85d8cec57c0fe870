"""`Last-Event-ID`: whatever a client says, in header and query, to every sort of route."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from channels.sites import Site
from hypothesis import given
from hypothesis import strategies as st

from flask_sse_routes import Context, Event, define_route
from flask_sse_routes.wire import Decoder

from .effort import effort

ROUTES = ["follow?channel=mine", "relay?x=1", "echo?x=1"]
SECRET = "of nobody's business"
# What a WSGI server hands on is text of latin-1 characters.
latin = st.text(st.characters(max_codepoint=255), max_size=60)
numbers = st.sampled_from(["0", "1", "3", "4", "00", "-1", "99", "9" * 18, "9" * 30, "1e3", "\xb2"])


def make_site() -> Site:
    def relay() -> Any:
        for event in site.sse.listen("mine"):
            yield Event(event.data, id=event.id)

    def echo(ctx: Context) -> Any:
        yield [ctx.last_event_id]

    routes = {
        "relay": define_route(relay, kind="sse", open_timeout=0),
        "echo": define_route(echo, kind="sse"),
    }
    site = Site(routes)
    for n in range(4):
        site.publish(["mine", "secret"][n % 2], SECRET if n % 2 else n)
    return site


@pytest.fixture(name="site", scope="module")
def shared_site() -> Any:
    site = make_site()
    yield site
    site.close()


@st.composite
def ids(draw: st.DrawFn) -> tuple[str, str]:
    """A text in two parts: whether the log's epoch stands in between is for the test to say."""
    before = draw(st.sampled_from(["", "", "", " ", "x", "0"]))
    ends = [numbers, latin, numbers.map("{}~end".format)]
    return before, draw(st.one_of(latin, *[end.map("-{}".format) for end in ends]))


texts = st.none() | ids()


def first_events(response: Any) -> list[Event]:
    decoder = Decoder()
    while chunk := response.chunk():
        if events := decoder.feed(chunk):
            return events
    return []


@given(
    route=st.sampled_from(ROUTES),
    header=texts,
    query=texts,
    real=st.booleans(),
    method=st.sampled_from(["GET", "GET", "GET", "HEAD"]),
)
@effort(200)
def test_any_position_gets_an_answer_and_nothing_of_others(
    site: Site, wsgi: Any, route: str, header: Any, query: Any, real: bool, method: str
) -> None:
    epoch = site.sse.publish("mine", 1).split("-")[0] if real else "gone"
    given_header = None if header is None else header[0] + epoch + header[1]
    given_query = None if query is None else query[0] + epoch + query[1]
    path = f"/api/{route}"
    if given_query is not None:
        path += f"&last_event_id={quote(given_query, encoding='latin-1')}"
    environ = {} if given_header is None else {"HTTP_LAST_EVENT_ID": given_header}
    response = wsgi(site.app, path, method=method, **environ)
    assert response.status in (200, 204)
    ended = [t for t in (given_header, given_query) if t is not None and t.strip().endswith("~end")]
    assert response.status == 200 or ended
    assert not any(SECRET in value for value in response.headers.values())
    if response.status == 200 and method == "GET":
        events = first_events(response)
        assert events
        assert not any(SECRET in event.data for event in events)
        assert not any(event.event == "error" for event in events)
    response.close()

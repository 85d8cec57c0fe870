"""From what a handler yields to its frame, and back without a loss."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flask_sse_routes import Event, EventError, OutputError, define_route
from flask_sse_routes.codec import EventCodec, EventTypes
from flask_sse_routes.schema import OutputSchema
from flask_sse_routes.testing import sse_client
from flask_sse_routes.wire import Decoder

OWNER = "Route 'it'"
EXAMPLES = 1_000


class Progress(pydantic.BaseModel):
    percent: int


class Detailed(Progress):
    note: str = ""


@dataclasses.dataclass
class Done:
    total: int


def codec(
    message: Any = None,
    named: dict[str, Any] | None = None,
    *,
    max_bytes: int = 1000,
    validate: bool = True,
    fallback: Any = None,
) -> EventCodec:
    schema = OutputSchema(OWNER, message) if message is not None else None
    events = {name: OutputSchema(OWNER, type_) for name, type_ in (named or {}).items()}
    return EventCodec(
        EventTypes(OWNER, schema, events), max_bytes=max_bytes, validate=validate, fallback=fallback
    )


def frame(value: Any, **options: Any) -> bytes:
    return codec(**options).event(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1}, b'{"a":1}'),
        ("text", b'"text"'),
        ("two\r\nlines", rb'"two\r\nlines"'),
        (None, b"null"),
        (True, b"true"),
        (0, b"0"),
        ([], b"[]"),
        (Progress(percent=5), b'{"percent":5}'),
        (Done(3), b'{"total":3}'),
        ("\x85\u2028\u2029é", rb'"\u0085\u2028\u2029' + 'é"'.encode()),
    ],
)
def test_any_value_is_a_message_in_json(value: Any, text: bytes) -> None:
    assert frame(value) == b"data: " + text + b"\n\n"


def test_an_event_has_its_fields_in_one_block() -> None:
    event = Event({"a": 1}, event="tick", id="7", retry=10, comment="note")
    lines = frame(event).decode().split("\n")
    assert sorted(lines[:-3]) == [": note", "event: tick", "id: 7", "retry: 10"]
    assert lines[-3:] == ['data: {"a":1}', "", ""]


def test_raw_text_is_sent_as_it_is() -> None:
    assert frame(Event(raw="a\rb\r\nc\n")) == b"data: a\ndata: b\ndata: c\ndata: \n\n"


@pytest.mark.parametrize("event", [Event(retry=5), Event(comment="note")])
def test_without_data_no_blank_line_follows(event: Event) -> None:
    assert not frame(event).endswith(b"\n\n")


NAMED = {"progress": Progress, "done": Done}


@pytest.mark.parametrize(
    ("value", "head"),
    [
        (Progress(percent=1), b"event: progress\n"),
        (Detailed(percent=1), b"event: progress\n"),
        (Done(1), b"event: done\n"),
        ({"percent": 1}, b"data: "),
        (Event({"percent": "1"}, event="progress"), b"event: progress\n"),
        (Event(5, event="other"), b"event: other\n"),
    ],
)
def test_the_type_of_a_value_names_its_event(value: Any, head: bytes) -> None:
    assert frame(value, named=NAMED).startswith(head)


def test_the_exact_type_wins_over_its_base() -> None:
    named = {"progress": Progress, "detailed": Detailed}
    assert frame(Detailed(percent=1), named=named).startswith(b"event: detailed\n")
    assert frame(Progress(percent=1), named=named).startswith(b"event: progress\n")


def test_a_named_event_is_validated_by_its_type() -> None:
    assert b'{"percent":1}' in frame(Event({"percent": "1"}, event="progress"), named=NAMED)
    with pytest.raises(OutputError, match=r"Route 'it'.*percent"):
        frame(Event({"percent": "x"}, event="progress"), named=NAMED)


def test_a_message_is_validated_by_its_type() -> None:
    assert frame({"percent": "1"}, message=Progress) == b'data: {"percent":1}\n\n'
    with pytest.raises(OutputError, match=r"Route 'it'.*percent"):
        frame({"a": 1}, message=Progress)


def test_validation_can_be_off() -> None:
    assert frame({"a": 1}, message=Progress, validate=False) == b'data: {"a":1}\n\n'


def test_what_pydantic_does_not_know_goes_to_the_fallback() -> None:
    assert frame([object()], fallback=lambda value: "seen") == b'data: ["seen"]\n\n'
    with pytest.raises(OutputError, match="object"):
        frame(object())


@pytest.mark.parametrize("name", ["ready", "snapshot", "reset", "error", "end", "", "a\nb", "a\0"])
def test_event_names_that_are_refused(name: str) -> None:
    with pytest.raises(EventError):
        frame(Event(1, event=name))


@pytest.mark.parametrize(
    "id_", ["", "a b", "a\n", "\x7f", "é", "x" * 257, "5~end", "~end", 5, "a\0"]
)
def test_ids_that_are_refused(id_: Any) -> None:
    with pytest.raises(EventError):
        frame(Event(1, id=id_))


@pytest.mark.parametrize("id_", ["1", "x" * 256, "!~", "a~end~", "k3f9-1042"])
def test_ids_that_are_sent(id_: str) -> None:
    assert f"id: {id_}\n".encode() in frame(Event(1, id=id_))


@pytest.mark.parametrize(
    "make", [lambda n: "x" * (n - 2), lambda n: Event(raw="x" * n), lambda n: Event("x" * (n - 2))]
)
@pytest.mark.parametrize("message", [None, str])
def test_the_size_of_an_events_data_is_limited(make: Any, message: Any) -> None:
    assert frame(make(1000), message=message).startswith(b"data: ")
    for size in (1001, 100_000):
        with pytest.raises(EventError, match=r"Route 'it'.*SSE_MAX_EVENT_BYTES.*1000"):
            frame(make(size), message=message)


@pytest.mark.parametrize("message", [None, str])
def test_the_size_of_the_terminal_event_is_limited(message: Any) -> None:
    assert b"x" * 998 in codec(message=message).end("x" * 998)
    for size in (999, 100_000):
        with pytest.raises(EventError, match=r"Route 'it'.*SSE_MAX_EVENT_BYTES.*1000"):
            codec(message=message).end("x" * size)


def test_the_size_counts_bytes_and_not_characters() -> None:
    with pytest.raises(EventError, match="SSE_MAX_EVENT_BYTES"):
        frame("é" * 600)


def test_the_terminal_event_carries_the_last_id() -> None:
    it = codec()
    assert it.end(None) == b"event: end\nid: ~end\ndata: null\n\n"
    it.event(Event(1, id="7"))
    it.event({"without": "id"})
    assert it.end({"a": 1}) == b'event: end\nid: 7~end\ndata: {"a":1}\n\n'
    assert it.error({"status": 500}) == b'event: error\nid: 7~end\ndata: {"status":500}\n\n'
    assert it.plain_error({"status": 500}) == b'event: error\ndata: {"status":500}\n\n'


# --- nothing is lost on the way

TEXT = st.text(max_size=30) | st.text(
    alphabet="\r\n\0\x85\u2028\u2029\ufeff :aé\U0010ffff", max_size=30
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=6,
)
CUTS = st.lists(st.integers(0, 400), max_size=6)


def exact(value: Any) -> str:
    """JSON text that tells 1 from 1.0 and 0.0 from -0.0, which `==` does not."""
    return json.dumps(value)


def decode(data: bytes, cuts: list[int]) -> list[Event]:
    """What a client reads when the bytes arrive in pieces."""
    decoder = Decoder()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)]
    return [event for piece in pieces for event in decoder.feed(piece)]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(value=JSON, cuts=CUTS)
def test_any_json_value_arrives_as_it_was_yielded(value: Any, cuts: list[int]) -> None:
    data = frame(value, max_bytes=10**6)
    (event,) = decode(data, cuts)
    assert (event.event, event.id) == ("message", "")
    assert exact(json.loads(event.data)) == exact(value)
    # Clients that split lines as Python does lose nothing either.
    assert data.decode().splitlines() == [*data.decode().split("\n")[:-1]]


@settings(max_examples=500, deadline=None)
@given(text=st.text(max_size=60) | TEXT, cuts=CUTS)
def test_raw_text_arrives_with_its_line_ends_as_lf(text: str, cuts: list[int]) -> None:
    (event,) = decode(frame(Event(raw=text), max_bytes=10**6), cuts)
    assert event.data == re.sub("\r\n?", "\n", text)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(JSON, min_size=8, max_size=20), raws=st.lists(TEXT, max_size=8))
def test_a_stream_carries_them_from_yield_to_decoder(
    make_app: Any, values: list[Any], raws: list[str]
) -> None:
    def handler() -> Iterator[Any]:
        yield from values
        yield from (Event(raw=raw, event="raw") for raw in raws)
        return values

    with sse_client(make_app({"it": define_route(handler, kind="sse")})).open("/api/it") as stream:
        events = list(stream)
    end = events.pop()
    messages = [event.data for event in events if event.event == "message"]
    assert [exact(json.loads(data)) for data in messages] == [exact(value) for value in values]
    texts = [event.data for event in events if event.event == "raw"]
    assert texts == [re.sub("\r\n?", "\n", raw) for raw in raws]
    assert (end.event, exact(json.loads(end.data))) == ("end", exact(values))

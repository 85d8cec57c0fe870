"""The codec against the parse vectors, a plain reading of the standard, and itself."""

from __future__ import annotations

import base64
import copy
import enum
import itertools
import json
import pickle
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_sse_routes.errors import EventError
from flask_sse_routes.wire import (
    END_SUFFIX,
    HEARTBEAT,
    MAX_RETRY,
    MISSING,
    RESERVED_EVENTS,
    Decoder,
    Event,
    check,
    data_frame,
    encode,
    escape_json,
    retry_line,
)

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "parse-vectors.json").read_text("utf-8")
)
BYTEWISE_LIMIT = 3_000


def chunks_of(vector: dict[str, Any]) -> list[bytes]:
    return [chunk_bytes(chunk) for chunk in vector["chunks"]]


def chunk_bytes(chunk: Any) -> bytes:
    if isinstance(chunk, str):
        return chunk.encode()
    if "b64" in chunk:
        return base64.b64decode(chunk["b64"])
    return (chunk["repeat"] * chunk["times"]).encode()


def expected_events(vector: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = []
    for event in vector["expected"]["events"]:
        data = event["data"]
        if not isinstance(data, str):
            data = data["repeat"] * data["times"] + data.get("then", "")
        found += [(event["event"], data, event["id"])] * event.get("times", 1)
    return found


def plain(events: list[Event]) -> list[tuple[str | None, Any, str | None]]:
    return [(event.event, event.data, event.id) for event in events]


def decode(*chunks: bytes, max_bytes: int | None = None) -> tuple[list[Event], Decoder]:
    decoder = Decoder(max_bytes=max_bytes)
    return [event for chunk in chunks for event in decoder.feed(chunk)], decoder


def one_by_one(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


def split(stream: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(stream):
            return
        yield stream[at : at + size]
        at += size


def assert_decodes(vector: dict[str, Any], chunks: list[bytes]) -> None:
    events, decoder = decode(*chunks)
    expected = vector["expected"]
    assert plain(events) == expected_events(vector)
    assert decoder.last_event_id == expected["last_event_id"]
    if expected["retry"] == "*":
        assert decoder.retry is None or 0 <= decoder.retry <= MAX_RETRY
    else:
        assert decoder.retry == expected["retry"]


# The vectors


def each(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=[v["name"] for v in vectors])


def test_the_vectors_are_all_there() -> None:
    assert len(VECTORS) == 104
    assert sum("after_chunk" in vector["expected"] for vector in VECTORS) >= 5


@each(VECTORS)
def test_vector_as_given(vector: dict[str, Any]) -> None:
    assert_decodes(vector, chunks_of(vector))


@each([vector for vector in VECTORS if "after_chunk" in vector["expected"]])
def test_vector_dispatches_at_the_chunk_that_completes(vector: dict[str, Any]) -> None:
    decoder = Decoder()
    counts = itertools.accumulate(len(decoder.feed(chunk)) for chunk in chunks_of(vector))
    assert list(counts) == vector["expected"]["after_chunk"]


@each(VECTORS)
def test_vector_joined(vector: dict[str, Any]) -> None:
    assert_decodes(vector, [b"".join(chunks_of(vector))])


@each([v for v in VECTORS if sum(map(len, chunks_of(v))) <= BYTEWISE_LIMIT])
def test_vector_byte_by_byte(vector: dict[str, Any]) -> None:
    assert_decodes(vector, one_by_one(b"".join(chunks_of(vector))))


@each([v for v in VECTORS if sum(map(len, chunks_of(v))) <= BYTEWISE_LIMIT])
def test_vector_with_empty_chunks_between(vector: dict[str, Any]) -> None:
    stream = b"".join(chunks_of(vector))
    assert_decodes(vector, [part for byte in one_by_one(stream) for part in (b"", byte)])


@each(VECTORS)
def test_vector_encoded_again(vector: dict[str, Any]) -> None:
    """What was read is sent and read again, unless it has what may not be sent."""
    read, _ = decode(*chunks_of(vector))
    sent: list[Event] = []
    frames = b""
    for event in read:
        if may_be_sent(event):
            sent.append(replace(event, id=event.id or None))
            frames += encode(sent[-1])
        else:
            with pytest.raises(EventError):
                encode(replace(event, id=event.id or None))
    # An event without an id has that of the event before it.
    ids = itertools.accumulate((event.id for event in sent), lambda last, own: own or last)
    again, _ = decode(frames)
    assert plain(again) == [
        (event.event, event.data, id_ or "") for event, id_ in zip(sent, ids, strict=True)
    ]


def may_be_sent(event: Event) -> bool:
    """Any text as data; on one line what is a name; in a header what is an id."""
    return "\0" not in str(event.event) and re.fullmatch("[!-~]{0,256}", str(event.id)) is not None


# Event


def test_missing_data_is_not_none() -> None:
    assert Event().data is MISSING
    assert Event(None).data is None
    assert Event(None) != Event()
    assert repr(MISSING) == "MISSING"


def test_an_event_survives_copy_and_pickle() -> None:
    event = Event(comment="x")
    assert copy.deepcopy(event) == pickle.loads(pickle.dumps(event)) == event
    assert pickle.loads(pickle.dumps(event)).data is MISSING


def test_an_event_is_frozen_and_takes_no_other_attribute() -> None:
    event = Event("x")
    with pytest.raises(AttributeError):
        event.data = "y"  # type: ignore[misc]  # wrong on purpose
    assert not hasattr(event, "__dict__")


@pytest.mark.parametrize("data", ["a", None, 0])
def test_data_and_raw_together_are_refused(data: Any) -> None:
    with pytest.raises(EventError, match="data or raw, not both"):
        Event(data, raw="b")


def test_raw_is_keyword_only() -> None:
    with pytest.raises(TypeError):
        Event("a", None, None, None, None, "b")  # type: ignore[call-arg]  # wrong on purpose


# encode


class Name(str, enum.Enum):
    TICK = "tick"


class Delay(int, enum.Enum):
    LONG = 5000


@pytest.mark.parametrize(
    ("event", "frame"),
    [
        (Event("x"), b"data: x\n\n"),
        (Event(raw="x"), b"data: x\n\n"),
        (Event(""), b"data: \n\n"),
        (Event(raw=" x "), b"data:  x \n\n"),
        (
            Event("x", event="tick", id="k3f9-1", retry=0, comment="why"),
            b": why\nevent: tick\nid: k3f9-1\nretry: 0\ndata: x\n\n",
        ),
        (Event(raw="a\nb\rc\r\nd"), b"data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (Event(raw="a\n\rb"), b"data: a\ndata: \ndata: b\n\n"),
        (Event(raw="\r\n"), b"data: \ndata: \n\n"),
        (Event(raw="a\n"), b"data: a\ndata: \n\n"),
        (Event(raw="a\x0b\x0c\x1c\x1d\x1eb"), b"data: a\x0b\x0c\x1c\x1d\x1eb\n\n"),
        (Event(raw="a\x85b\u2028c\u2029d"), "data: a\x85b\u2028c\u2029d\n\n".encode()),
        (Event("a\x00b"), b"data: a\x00b\n\n"),
        (Event(raw="\ufeffx"), b"data: \xef\xbb\xbfx\n\n"),
        (Event("豆腐 \U0001f680"), "data: 豆腐 \U0001f680\n\n".encode()),
        (Event("x", event="a b:c \u2028"), "event: a b:c \u2028\ndata: x\n\n".encode()),
        (Event("x", event=Name.TICK, retry=Delay.LONG), b"event: tick\nretry: 5000\ndata: x\n\n"),
        (Event(comment="ping"), b": ping\n"),
        (Event(comment=""), b": \n"),
        (Event(retry=MAX_RETRY), b"retry: 2147483647\n"),
        (Event(comment="c", retry=20), b": c\nretry: 20\n"),
    ],
)
def test_encode(event: Event, frame: bytes) -> None:
    assert encode(event) == frame


@pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
def test_encode_sends_the_reserved_names(name: str) -> None:
    assert encode(Event("{}", event=name)) == b"event: %s\ndata: {}\n\n" % name.encode()


@pytest.mark.parametrize("stem", ["5", "k" * 256, ""])
def test_encode_sends_the_id_of_a_finished_stream(stem: str) -> None:
    ended = stem + END_SUFFIX
    assert encode(Event("null", id=ended)) == b"id: %s\ndata: null\n\n" % ended.encode()


# Wrong in ways that a type checker would not let pass.
FIVE: Any = 5
BYTES: Any = b"ab"
BAD_RETRIES: list[Any] = [-1, MAX_RETRY + 1, True, 1.5, "20", "1\r\ndata: x"]

REFUSED = [
    (Event(), "is empty"),
    (Event(id="1"), "id='1' without data"),
    (Event(event="a"), "event='a' without data"),
    (Event(event="a", comment="c", retry=1), "event='a' without data"),
    (Event("x", event=""), "event is empty"),
    *[(Event("x", event=f"a{bad}b"), "event=.* CR, LF or NUL") for bad in "\r\n\0"],
    (Event("x", event="a\n"), "event=.* CR, LF or NUL"),
    (Event("x", event=FIVE), "event must be a str, not int"),
    (Event("x", event="\ud800"), r"event contains the lone surrogate '\\ud800' at index 0"),
    *[(Event("x", id=f"a{bad}b"), "printable ASCII") for bad in "\r\n\0 \t\x1f\x7f\xe9\u2028"],
    (Event("x", id=""), "printable ASCII"),
    (Event("x", id="a\n"), "printable ASCII"),
    (Event("x", id="k" * 257), "printable ASCII"),
    (Event("x", id="\ud800"), "printable ASCII"),
    (Event("x", id=FIVE), r"id must be a str, not int: write id=str\("),
    *[(Event("x", retry=bad), "retry=.* milliseconds") for bad in BAD_RETRIES],
    *[(Event("x", comment=f"a{bad}b"), "comment=.* CR, LF or NUL") for bad in "\r\n\0"],
    (Event(comment="\n"), "comment=.* CR, LF or NUL"),
    (Event("x", comment="a\udfff"), "comment contains the lone surrogate"),
    (Event("x", comment=BYTES), "comment must be a str, not bytes"),
    (Event(raw="ab\udc00"), r"raw contains the lone surrogate '\\udc00' at index 2"),
    (Event(raw=BYTES), "raw must be a str, not bytes"),
]


@pytest.mark.parametrize(("event", "why"), REFUSED)
@pytest.mark.parametrize("refuse", [encode, check])
def test_what_would_break_the_wire_is_refused(
    refuse: Callable[[Event], object], event: Event, why: str
) -> None:
    with pytest.raises(EventError, match=why):
        refuse(event)


@pytest.mark.parametrize("data", [None, 1, b"x", {"a": 1}, ["x"]])
def test_encode_wants_text(data: object) -> None:
    with pytest.raises(EventError, match=f"data is {type(data).__name__}, but only text"):
        encode(Event(data))


def test_encode_refuses_a_surrogate_in_data() -> None:
    with pytest.raises(EventError, match=r"data contains the lone surrogate '\\udbff' at index 1"):
        encode(Event("豆\udbff"))


def test_a_refusal_quotes_only_a_little() -> None:
    with pytest.raises(EventError) as refused:
        encode(Event("x", id="k" * 100_000))
    assert len(str(refused.value)) < 200


# check


@pytest.mark.parametrize(
    "event",
    [
        Event({"any": object()}),
        Event(None, event="tick", id="!~", retry=0, comment=""),
        Event(raw="x\r\n\0", id="k" * 256),
        Event("x", id="~end-1"),
        Event("x", event="End"),
        Event(comment="x"),
        Event(retry=1),
    ],
)
def test_check_lets_a_handler_send(event: Event) -> None:
    check(event)


@pytest.mark.parametrize("name", sorted(RESERVED_EVENTS))
def test_check_refuses_a_reserved_name(name: str) -> None:
    with pytest.raises(EventError, match=f"event='{name}' is reserved"):
        check(Event("x", event=name))


@pytest.mark.parametrize("bad", ["5~end", "~end", "k" * 256 + "~end"])
def test_check_refuses_the_suffix_of_a_finished_stream(bad: str) -> None:
    with pytest.raises(EventError, match="marks a finished stream"):
        check(Event("x", id=bad))


# The hot path


def test_data_frame() -> None:
    assert data_frame(b'{"a":1}') == b'data: {"a":1}\n\n'


@pytest.mark.parametrize("milliseconds", [0, 1500, MAX_RETRY])
def test_retry_line(milliseconds: int) -> None:
    assert retry_line(milliseconds) == f"retry: {milliseconds}\n".encode()


@pytest.mark.parametrize("milliseconds", [-1, MAX_RETRY + 1, True, 1.5])
def test_retry_line_refuses(milliseconds: Any) -> None:
    with pytest.raises(EventError, match="milliseconds"):
        retry_line(milliseconds)


def test_a_heartbeat_dispatches_nothing_and_splits_nothing() -> None:
    events, _ = decode(HEARTBEAT, b"data: a\n", HEARTBEAT, b"data: b\n\n", HEARTBEAT)
    assert plain(events) == [("message", "a\nb", "")]


def test_escape_json_returns_ascii_as_it_is() -> None:
    text = b'{"a":"\\u2028"}'
    assert escape_json(text) is text


def test_escape_json_escapes_the_three_line_ends_of_others() -> None:
    value = "a\x85b\u2028c\u2029d \x84\u2027\u202aé豆\U0001f680\\"
    escaped = escape_json(json.dumps(value, ensure_ascii=False).encode())
    assert escaped == '"a\\u0085b\\u2028c\\u2029d \x84\u2027\u202aé豆\U0001f680\\\\"'.encode()
    assert json.loads(escaped) == value
    assert len(escaped.decode().splitlines()) == 1


def test_escape_json_after_a_backslash() -> None:
    value = "\\\u2028\\\\\x85"
    assert json.loads(escape_json(json.dumps(value, ensure_ascii=False).encode())) == value


# The decoder's bounds


@pytest.mark.parametrize("limit", [8, 100, 5_000])
@pytest.mark.parametrize("pieces", [lambda stream: [stream], one_by_one], ids=["joined", "bytes"])
@pytest.mark.parametrize("field", [b"data:", b"data: "])
def test_max_bytes_of_data_in_one_line(
    limit: int, pieces: Callable[[bytes], list[bytes]], field: bytes
) -> None:
    def stream(size: int) -> list[bytes]:
        return pieces(field + b"x" * size + b"\n\n")

    events, _ = decode(*stream(limit), max_bytes=limit)
    assert [len(event.data) for event in events] == [limit]
    for size in (limit + 1, 100 * limit):
        with pytest.raises(EventError, match=f"max_bytes={limit}"):
            decode(*stream(size), max_bytes=limit)


@pytest.mark.parametrize("limit", [9, 99, 4_999])
@pytest.mark.parametrize("pieces", [lambda stream: [stream], one_by_one], ids=["joined", "bytes"])
def test_max_bytes_of_data_in_many_lines(
    limit: int, pieces: Callable[[bytes], list[bytes]]
) -> None:
    def stream(lines: int) -> list[bytes]:
        return pieces(b"data: y\n" * lines + b"\n")

    fits = (limit + 1) // 2
    events, _ = decode(*stream(fits), max_bytes=limit)
    assert [len(event.data) for event in events] == [limit]
    for lines in (fits + 1, 100 * fits):
        with pytest.raises(EventError, match=f"max_bytes={limit}"):
            decode(*stream(lines), max_bytes=limit)


def test_max_bytes_counts_empty_data_lines() -> None:
    with pytest.raises(EventError):
        decode(*itertools.repeat(b"data\n", 100), max_bytes=50)


@pytest.mark.parametrize("start", [b"", b"data: ", b": ", b"id: ", b"unknown"])
def test_an_endless_line_is_refused_before_it_ends(start: bytes) -> None:
    decoder = Decoder(max_bytes=1_000)
    decoder.feed(start)
    decoder.feed(b"x" * (1_000 - len(start)))
    with pytest.raises(EventError, match="max_bytes=1000"):
        decoder.feed(b"x" * 7)


def test_max_bytes_starts_anew_with_every_event_and_leaves_comments_out() -> None:
    stream = (b": 45678\n:\n" * 100 + b"data: 12345678\n:\n\n") * 100
    for chunks in ([stream], one_by_one(stream)):
        events, _ = decode(*chunks, max_bytes=8)
        assert [event.data for event in events] == ["12345678"] * 100


def test_events_before_an_oversized_one_are_handed_out() -> None:
    decoder = Decoder(max_bytes=10)
    events = decoder.feed(
        b"id: 1\ndata: a\n\nid: 2\ndata: " + b"x" * 11 + b"\n\nid: 3\ndata: c\n\n"
    )
    assert plain(events) == [("message", "a", "1")]
    assert decoder.last_event_id == "1"
    for chunk in (b"", b"data: d\n\n"):
        with pytest.raises(EventError, match="max_bytes=10"):
            decoder.feed(chunk)


def test_a_giant_retry_is_clamped() -> None:
    _, decoder = decode(b"retry: " + b"9" * 100_000 + b"\n")
    assert decoder.retry == MAX_RETRY
    _, decoder = decode(b"retry: " + b"0" * 100_000 + b"15\n")
    assert decoder.retry == 15
    for milliseconds in (MAX_RETRY - 1, MAX_RETRY, MAX_RETRY + 1, 10**10):
        _, decoder = decode(b"retry: %d\n" % milliseconds)
        assert decoder.retry == min(milliseconds, MAX_RETRY)


def test_an_event_handed_out_is_not_touched_by_the_next() -> None:
    decoder = Decoder()
    (first,) = decoder.feed(b"id: 1\nevent: a\ndata: x\n\nid: 2\ndata: y")
    decoder.feed(b"\n\n")
    assert plain([first]) == [("a", "x", "1")]
    assert decoder.last_event_id == "2"


# The decoder's cost


def seconds(chunks: list[bytes]) -> float:
    def once() -> float:
        start = time.process_time()
        decode(*chunks)
        return time.process_time() - start

    return min(once() for _ in range(3))


@pytest.mark.parametrize(
    "chunks",
    [
        lambda size: one_by_one(b"data: " + b"x" * size + b"\n\n"),
        lambda size: [b"data: y\n"] * size + [b"\n"],
        lambda size: [b"x" * 32] * size,
        lambda size: [b"data: y\n" * size + b"\n"],
        lambda size: [b"data: y\n\n" * size],
    ],
    ids=["line in bytes", "event in lines", "line in chunks", "one event", "many events"],
)
def test_cost_grows_no_faster_than_the_stream(chunks: Callable[[int], list[bytes]]) -> None:
    # Sixteen times the bytes: linear is 16, quadratic 256.
    small, large = chunks(4_000), chunks(64_000)
    assert seconds(large) < 64 * seconds(small)


# Properties

# Strategies of few draws, so that ten thousand examples take seconds.
TRICKY = "\r\n\0 :x\x0b\x0c\x1c\x1e\x85\u2028\u2029\ufeff\ufffd\ufffe豆\U0001f680"
CHARACTERS = st.characters(exclude_categories=["Cs"])
TEXT = st.text(TRICKY, max_size=40) | st.text(CHARACTERS, max_size=40)
SIZES = st.binary(min_size=1, max_size=4).map(lambda sizes: [1 + size % 12 for size in sizes])
WORD = st.text(TRICKY, max_size=12) | st.text(CHARACTERS, max_size=12)
JSON = st.recursive(
    st.sampled_from([None, False, True]) | st.integers() | st.floats(allow_nan=False) | WORD,
    lambda values: st.lists(values, max_size=2) | st.dictionaries(WORD, values, max_size=2),
    max_leaves=3,
)
# As many that mean something on the wire as that do not.
LETTERS = [*"\r\n\0: \ufeff\x85\u2028\u2029\x0b\x0c\x1c", "\r\n", "data: ", "id: 1\n"]
LETTERS += list('aZ09\\"é豆🙂\u202e\U0010ffff')
PIECES = [b"data", b"event", b"id", b"retry", b":", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"\0"]
PIECES += [b"\xef", b"\xbb", b"\xbf", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xf0\x9f", b"\xff"]
PIECES += [b"0", b"17", b"x", b"data: x\n", b"id: 7\n", b"\xc2\x85", "豆".encode()]
SSEISH = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)


@settings(max_examples=500, deadline=None)
@given(text=TEXT, sizes=SIZES)
def test_raw_text_round_trips(text: str, sizes: list[int]) -> None:
    events, _ = decode(*split(encode(Event(raw=text)), sizes))
    assert plain(events) == [("message", re.sub("\r\n|\r", "\n", text), "")]


def test_ten_thousand_texts_round_trip() -> None:
    """Beside the above, which searches more cleverly and more slowly."""
    chance = random.Random(1)
    for _ in range(10_000):
        text = "".join(chance.choices(LETTERS, k=chance.randrange(40)))
        sizes = [chance.randint(1, 12) for _ in range(chance.randint(1, 4))]
        events, _ = decode(*split(encode(Event(raw=text)), sizes))
        assert plain(events) == [("message", re.sub("\r\n|\r", "\n", text), "")]


@settings(max_examples=1_000, deadline=None)
@given(value=JSON, ascii_only=st.booleans(), sizes=SIZES)
def test_json_round_trips(value: Any, ascii_only: bool, sizes: list[int]) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    frame = data_frame(escape_json(text.encode()))
    (event,), _ = decode(*split(frame, sizes))
    # Compared as text, for which 1, 1.0 and true differ.
    assert json.dumps(json.loads(event.data), ensure_ascii=ascii_only) == text
    assert frame.decode().splitlines() == [f"data: {event.data}", ""]


@settings(deadline=None)
@given(
    text=TEXT,
    name=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1),
    id=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=256),
    retry=st.integers(0, MAX_RETRY),
    sizes=SIZES,
)
def test_all_fields_round_trip(text: str, name: str, id: str, retry: int, sizes: list[int]) -> None:
    frame = encode(Event(text, event=name, id=id, retry=retry, comment=name))
    events, decoder = decode(*split(frame, sizes))
    assert plain(events) == [(name, re.sub("\r\n|\r", "\n", text), id)]
    assert (decoder.last_event_id, decoder.retry) == (id, retry)


def read_as_the_standard_says(
    stream: bytes,
) -> tuple[list[tuple[str, str, str]], str, int | None]:
    """WHATWG HTML sections 9.2.5 and 9.2.6, word for word and all at once."""
    lines = re.split("\r\n|\r|\n", stream.decode("utf-8", "replace").removeprefix("\ufeff"))[:-1]
    events, last_event_id, retry = [], "", None
    data, event_type, id_buffer = "", "", ""
    for line in lines:
        if line == "":
            last_event_id = id_buffer
            if data != "":
                events.append((event_type or "message", data.removesuffix("\n"), last_event_id))
            data, event_type = "", ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data += value + "\n"
        elif name == "event":
            event_type = value
        elif name == "id" and "\0" not in value:
            id_buffer = value
        elif name == "retry" and re.fullmatch("[0-9]+", value):
            retry = min(int(value), MAX_RETRY)
    return events, last_event_id, retry


@settings(max_examples=2_000, deadline=None)
@given(stream=SSEISH, sizes=SIZES)
def test_any_split_reads_as_the_standard_says(stream: bytes, sizes: list[int]) -> None:
    for chunks in ([stream], one_by_one(stream), list(split(stream, sizes))):
        events, decoder = decode(*chunks)
        found = plain(events), decoder.last_event_id, decoder.retry
        assert found == read_as_the_standard_says(stream)


@settings(max_examples=1_000, deadline=None)
@given(stream=st.binary(max_size=200), sizes=SIZES)
def test_arbitrary_bytes_never_raise(stream: bytes, sizes: list[int]) -> None:
    events, decoder = decode(*split(stream, sizes))
    assert (plain(events), decoder.last_event_id, decoder.retry) == read_as_the_standard_says(
        stream
    )


def fits(stream: bytes, limit: int) -> bool:
    """Whether no line, and no event's data, of the stream is over the limit."""
    size = 0
    for line in re.split(b"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf")):
        if line == b"":
            size = 0
        elif len(line) > limit + len(b"data: "):
            return False
        elif (match := re.fullmatch(b"data(?:: ?(.*))?", line, re.DOTALL)) is not None:
            size += len(match[1] or b"") + 1
            if size - 1 > limit:
                return False
    return True


@settings(max_examples=1_000, deadline=None)
@given(stream=SSEISH, limit=st.integers(0, 20), sizes=SIZES)
def test_a_bound_refuses_or_changes_nothing(stream: bytes, limit: int, sizes: list[int]) -> None:
    for chunks in ([stream], list(split(stream, sizes))):
        if fits(stream, limit):
            assert decode(*chunks, max_bytes=limit)[0] == decode(stream)[0]
        else:
            with pytest.raises(EventError):
                decode(*chunks, b"", max_bytes=limit)

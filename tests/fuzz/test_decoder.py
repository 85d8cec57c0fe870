"""`Decoder` and `encode`: any bytes in any pieces, against a naive reading of the standard."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from brokers.redis_server import program
from hypothesis import given
from hypothesis import strategies as st

import flask_sse_routes
from flask_sse_routes.errors import EventError
from flask_sse_routes.wire import MAX_RETRY, Decoder, Event, encode

from .effort import TIMES, effort
from .naive import Naive
from .streams import cut, cuts, streams

HERE = Path(__file__).parent
CLIENT = Path(flask_sse_routes.__file__).parent / "static" / "client"
# Streams that one Node process reads.
BATCH = 400

Found = tuple[str | None, Any, str | None]


def plain(events: list[Event]) -> list[Found]:
    return [(event.event, event.data, event.id) for event in events]


def fed(chunks: list[bytes], **options: Any) -> tuple[list[Found], Decoder]:
    decoder = Decoder(**options)
    return plain([event for chunk in chunks for event in decoder.feed(chunk)]), decoder


@given(streams, cuts, st.sampled_from(["", "k-1"]))
@effort(400)
def test_any_bytes_in_any_pieces_say_what_the_standard_says(
    stream: bytes, at: list[int], last_event_id: str
) -> None:
    wanted = Naive(stream, last_event_id)
    retry = None if wanted.retry is None else min(wanted.retry, MAX_RETRY)
    for chunks in ([stream], cut(stream, at), [bytes([byte]) for byte in stream]):
        events, decoder = fed(chunks, last_event_id=last_event_id)
        assert events == wanted.events
        assert (decoder.last_event_id, decoder.retry) == (wanted.last_event_id, retry)


def held_by(decoder: Decoder) -> int:
    """The bytes of the stream that are in memory."""
    parts = (decoder._partial, decoder._head or b"", *decoder._data)
    return sum(map(len, parts)) + len(decoder._event) + len(decoder._id)


@given(streams, cuts, st.integers(0, 40), st.integers(1, 50))
@effort(250)
def test_what_is_held_is_bounded_and_what_was_whole_is_not_lost(
    stream: bytes, at: list[int], limit: int, times: int
) -> None:
    stream *= times
    whole, decoder, events = Naive(stream).events, Decoder(max_bytes=limit), []
    refused = False
    for chunk in cut(stream, at):
        try:
            found = decoder.feed(chunk)
        except EventError:
            refused = True
            assert not decoder._partial
            assert not decoder._data
        else:
            assert not refused, "one that has refused goes on"
            events += plain(found)
        # A line, the lines of data before it, an event's name and an id.
        assert held_by(decoder) <= 4 * (limit + len("data: "))
    assert events == whole[: len(events)]
    assert all(len(data.encode()) <= limit for _, data, _ in events if "\ufffd" not in data)
    if not refused and not decoder._refusal:
        assert events == whole


@given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.integers(0, 40), cuts)
@effort(100)
def test_the_limit_is_that_of_all_data_of_an_event(
    sizes: list[int], limit: int, at: list[int]
) -> None:
    stream = b"".join(b"data: %s\n" % (b"x" * size) for size in sizes) + b"\n"
    decoder, events = Decoder(max_bytes=limit), []
    with contextlib.suppress(EventError):
        for chunk in cut(stream, at):
            events += decoder.feed(chunk)
    assert bool(events) == (sum(sizes) + len(sizes) - 1 <= limit)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
line_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"))
ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=256)
sent = st.builds(
    Event,
    raw=texts,
    event=st.none() | line_texts.filter(bool),
    id=st.none() | ids,
    retry=st.none() | st.integers(0, MAX_RETRY),
    comment=st.none() | line_texts,
)


@given(st.lists(sent, max_size=6), cuts)
@effort(300)
def test_what_is_encoded_comes_back(events: list[Event], at: list[int]) -> None:
    wanted: list[Found] = []
    last, retry = "", None
    for event in events:
        last = event.id if event.id is not None else last
        retry = event.retry if event.retry is not None else retry
        text = str(event.raw).replace("\r\n", "\n").replace("\r", "\n")
        wanted.append((event.event or "message", text, last))
    found, decoder = fed(cut(b"".join(map(encode, events)), at))
    assert found == wanted
    assert (decoder.last_event_id, decoder.retry) == (last, retry)


def some_streams(count: int) -> list[list[bytes]]:
    """Return streams in pieces, drawn as for a test."""
    drawn: list[list[bytes]] = []

    @given(streams, cuts)
    @effort(count)
    def draw(stream: bytes, at: list[int]) -> None:
        drawn.append(cut(stream, at))

    draw()
    return drawn


def test_the_browser_client_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    parser = tmp_path / "parser.js"
    parser.write_text((CLIENT / "parser.js").read_text())
    drawn = some_streams(BATCH)
    assert len(drawn) > BATCH // 2
    given_to_node = json.dumps([[chunk.hex() for chunk in chunks] for chunks in drawn])
    command = [program("node"), str(HERE / "js" / "decode.mjs"), parser.as_uri()]
    answer = subprocess.run(
        command, input=given_to_node, capture_output=True, text=True, timeout=60 * max(TIMES, 1)
    )
    assert answer.returncode == 0, answer.stderr
    for chunks, read in zip(drawn, json.loads(answer.stdout), strict=True):
        wanted = Naive(b"".join(chunks))
        assert [tuple(event) for event in read["events"]] == wanted.events, chunks
        assert read["last"] == wanted.last_event_id
        assert is_same_number(read["retry"], wanted.retry)


def is_same_number(read: float | None, wanted: int | None) -> bool:
    """JavaScript's numbers are floats; JSON has none for those that are too large."""
    if wanted is None or wanted > sys.float_info.max:
        return read is None
    return read is not None and float(read) == float(wanted)

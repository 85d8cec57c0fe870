"""Rings and frames: how much of them leaves at once, and that a frame says what was published."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_sse_routes import rings
from flask_sse_routes.bodies import make_body
from flask_sse_routes.brokers.base import Entry, Position
from flask_sse_routes.rings import Ring, count_fitting, event_in, frame_of, portion_of
from flask_sse_routes.wire import Decoder

RESERVED = {"ready", "snapshot", "reset", "error", "end"}
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1).filter(
    lambda name: name not in RESERVED
)


@given(data=DATA, name=st.none() | NAMES, seq=st.integers(1, 10**17))
def test_a_frame_says_what_was_published(data: Any, name: str | None, seq: int) -> None:
    frame = frame_of("k3f9", Entry(seq, "a", make_body(data, name)))
    event = event_in(frame)
    assert (event.data, event.event, event.id) == (data, name, f"k3f9-{seq}")
    (received,) = Decoder().feed(frame)
    assert (received.event, received.id) == (name or "message", event.id)
    assert json.loads(received.data) == data


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("\ndata: x", "id: x"), ("\n\nid: 1-1", "data: "), ("", " "), (None, "event: "),
        ("id: 3", None), ({"\ndata: ": "\n"}, "data"), ("\u0085\u2028", "\u2028"),
        ("id: k-1\ndata: 2", "id: k-1"),
    ],
)  # fmt: skip
def test_a_frame_is_not_mistaken(data: Any, name: str | None) -> None:
    event = event_in(frame_of("k", Entry(7, "a", make_body(data, name))))
    assert (event.data, event.event, event.id) == (data, name, "k-7")


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"\nnot json", b"\xff\n1", b"\n\xff", b"\n1\n\n2", b"1"]
)
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # json's and unicode's own
        event_in(frame_of("k", Entry(1, "a", body)))


def filled(sizes: list[int], *, start: int = 1, step: int = 1) -> Ring:
    """Return a ring whose frames have these sizes, with every `step`th seq."""
    ring = Ring(0)
    for n, size in enumerate(sizes):
        seq = start + n * step
        ring.add(seq, str(seq).encode().ljust(size, b"."))
    return ring


def portions(chosen: list[Ring]) -> list[list[bytes]]:
    """Return what a subscriber is handed, one portion after the other."""
    position, found = Position("k", 0), []
    while True:
        portion = portion_of(chosen, position)
        assert portion is not None
        assert portion.data == b"".join(portion.frames)
        if not portion.frames:
            assert portion.until == position
            return found
        assert portion.until.seq > position.seq
        position = portion.until
        found.append(portion.frames)


def seqs_of(found: list[list[bytes]]) -> list[int]:
    return [int(frame.rstrip(b".")) for frames in found for frame in frames]


def test_a_portion_is_bounded_in_bytes_and_in_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings, "HANDFUL", 10)
    monkeypatch.setattr(rings, "HANDFUL_BYTES", 1000)
    sizes = [10] * 25 + [400] * 5 + [1000, 1001, 5000, 10, 990, 10, 10] + [100] * 10
    found = portions([filled(sizes)])
    assert seqs_of(found) == list(range(1, len(sizes) + 1))
    assert all(len(frames) <= 10 for frames in found)
    assert all(sum(map(len, frames)) <= 1000 for frames in found if len(frames) > 1)
    assert [len(frames) for frames in found] == [10, 10, 7, 2, 1, 1, 1, 1, 2, 10, 2]


@pytest.mark.parametrize("count", [2, 3])
def test_a_portion_of_several_rings_is_bounded_likewise(
    monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(rings, "HANDFUL", 10)
    monkeypatch.setattr(rings, "HANDFUL_BYTES", 1000)
    chosen = [
        filled([size] * 50, start=n + 1, step=count)
        for n, size in enumerate([10, 900, 2000][:count])
    ]
    found = portions(chosen)
    assert seqs_of(found) == list(range(1, 50 * count + 1))
    assert all(sum(map(len, frames)) <= 1000 for frames in found if len(frames) > 1)


@given(sizes=st.lists(st.integers(0, 2 * rings.HANDFUL_BYTES), max_size=20))
def test_what_fits_is_as_much_as_may_be_and_at_least_one(sizes: list[int]) -> None:
    frames = [bytes(size) for size in sizes]
    count = count_fitting(frames)
    assert count == 0 if not sizes else count >= 1
    assert count == 1 or sum(sizes[:count]) <= rings.HANDFUL_BYTES
    assert count == len(sizes) or sum(sizes[: count + 1]) > rings.HANDFUL_BYTES


def test_small_frames_are_bounded_by_their_number() -> None:
    assert count_fitting([b"."] * (rings.HANDFUL + 1)) == rings.HANDFUL
    assert count_fitting([b"."] * rings.HANDFUL) == rings.HANDFUL


def test_a_ring_that_does_not_reach_back_has_no_portion() -> None:
    ring, whole = filled([10] * 8), filled([10] * 8)
    ring.halve()
    assert (ring.since, ring.seqs, ring.size) == (4, [5, 6, 7, 8], 40)
    assert portion_of([ring, whole], Position("k", 3)) is None
    portion = portion_of([ring, filled([])], Position("k", 4))
    assert portion is not None
    assert portion.until == Position("k", 8)


def test_halving_ends_with_nothing_and_keeps_the_place() -> None:
    ring = filled([10])
    ring.halve()
    assert (ring.since, ring.seqs, ring.frames, ring.size) == (1, [], [], 0)
    ring.halve()
    assert ring.since == 1


def test_a_ring_forgets_by_number_and_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings, "RING_ENTRIES", 10)
    monkeypatch.setattr(rings, "RING_BYTES", 1000)
    ring = filled([1] * 100)
    assert len(ring.seqs) <= 10
    assert ring.seqs == list(range(ring.since + 1, 101))
    ring = filled([300] * 100)
    assert ring.size <= 1000
    ring.add(101, bytes(5000))
    assert ring.seqs[-1] == 101
    assert ring.size == sum(map(len, ring.frames))

"""Strategies: bytes of event streams, sound and broken, and ways to cut them."""

from __future__ import annotations

from hypothesis import strategies as st

ENDS = ["\n", "\r", "\r\n"]
NAMES = ["data", "event", "id", "retry", "", "Data", "datum", " data", "data ", "\ufeffdata"]
SEPARATORS = [":", ": ", ":  ", "", "::", " : "]
# What readers of lines and of numbers are known to take for something else.
ODD = "\x00\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\ufeff\u0661\xb2:~ 09-+a\U0001f680\u8c46"

texts = st.text(max_size=12)
odd_texts = st.text(st.sampled_from(ODD), max_size=8)
numbers = st.sampled_from(
    ["0", "7", "0" * 30 + "1", "2147483647", "2147483648", "9" * 40, "9" * 5000]
)
values = st.one_of(texts, odd_texts, numbers)

lines = st.builds(
    lambda name, separator, value, end: name + separator + value.replace("\n", "") + end,
    st.sampled_from(NAMES),
    st.sampled_from(SEPARATORS),
    values,
    st.sampled_from([*ENDS, "\n\n", "\r\r", "\n\r", "\r\n\r\n", ""]),
).map(str.encode)

# Sequences that are cut, too long, out of range or of surrogates.
BROKEN = [
    b"\xff",
    b"\xc3",
    b"\xe2\x82",
    b"\xf0\x9f\x92",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xef\xbb",
    b"\xf4\x90",
]
pieces = st.one_of(lines, st.sampled_from(BROKEN), st.binary(max_size=6), st.just(b"\xef\xbb\xbf"))
streams = st.lists(pieces, max_size=12).map(b"".join)


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    """Cut a stream at places, taken modulo its length; empty chunks come about."""
    marks = sorted(place % (len(stream) + 1) for place in at)
    return [
        stream[start:end] for start, end in zip([0, *marks], [*marks, len(stream)], strict=True)
    ]


cuts = st.lists(st.integers(0, 10_000), max_size=12)

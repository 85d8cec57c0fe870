"""Texts and values that a stream has to carry unharmed, and what a browser must make of them."""

from typing import Any

TEXTS = [
    "",
    " leading and trailing ",
    "line separator \u2028, paragraph separator \u2029, next line \u0085",
    "nul \0 inside",
    "emoji \U0001f9d1\U0001f3fd\u200d\U0001f680 and \U0001d11e",
    "combining e\u0301, right to left \u05d0\u05d1, byte order mark \ufeff",
    "quotes \" ' ` and back\\slash \\n",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "data: looks like a field\n\nid: 7\n: comment",
    "a\nb\rc\r\nd",
    "\r\n",
    "\n",
    "ends in CR\r",
]
VALUES: list[Any] = [
    *TEXTS,
    None,
    True,
    0,
    -1.5,
    1e300,
    [],
    {},
    [[], {"": None}, [[1, "two", None]]],
    {"__proto__": {"polluted": True}, "\u2028": "\u0085", "a\r\nb": "\0"},
]


def as_received(raw: str) -> str:
    """Return a raw text as a client reads it: CR and CRLF are line ends like LF (9.2.6)."""
    return raw.replace("\r\n", "\n").replace("\r", "\n")

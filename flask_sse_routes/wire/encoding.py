"""The bytes that are sent: an `Event`'s, a heartbeat's, a `retry:` line's.

Floor 0: runs for every event that is sent. The format is narrower than WHATWG HTML section 9.2,
"Server-sent events", allows, because clients are.
"""

from __future__ import annotations

from typing import Final

from ..errors import EventError
from .event import Event, has_data
from .rules import check_fields, check_retry, check_text

HEARTBEAT: Final = b":\n"


def encode(event: Event) -> bytes:
    """The event's bytes: LF line ends, one space after a colon, closed by a blank line.

    The text is split into `data:` lines at CR, LF and CRLF alone, the line ends of WHATWG HTML
    section 9.2.5. Without data it is a comment and/or `retry` line, and no blank line follows:
    several clients dispatch an empty event at one. Reserved names and ids are let pass here.

    Raises:
        EventError: `data` is not text; nothing is set; `event` or `id` without data; CR, LF or NUL
            in `event` or `comment`; an empty `event`; an `id` that is not 1 to 256 printable ASCII
            characters (and `END_SUFFIX`); a `retry` out of range; a lone surrogate anywhere.
    """
    check_fields(event)
    lines = []
    # Concatenated, not formatted: format() of a member of a str enum is not always its value.
    if event.comment is not None:
        lines.append(": " + event.comment)
    if event.event is not None:
        lines.append("event: " + event.event)
    if event.id is not None:
        lines.append("id: " + event.id)
    if event.retry is not None:
        lines.append("retry: " + str(int(event.retry)))
    if has_data(event):
        text = _text(event).replace("\r\n", "\n").replace("\r", "\n")
        lines += ["data: " + text.replace("\n", "\ndata: "), ""]
    return ("\n".join(lines) + "\n").encode()


def data_frame(json: bytes) -> bytes:
    """The frame of an unnamed event.

    Args:
        json: a JSON text in UTF-8 that contains no CR and no LF (not checked: JSON escapes both
            in strings, so only an indenting encoder writes them).
    """
    return b"data: " + json + b"\n\n"


def escape_json(json: bytes) -> bytes:
    """The same JSON text with U+0085, U+2028 and U+2029 as `\\u` escapes: several clients take
    them for line ends, which WHATWG HTML section 9.2.5 does not.

    Args:
        json: a JSON text in UTF-8.
    """
    if json.isascii():
        return json
    json = json.replace(b"\xc2\x85", b"\\u0085")
    return json.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")


def retry_line(milliseconds: int) -> bytes:
    """The line that sets a client's reconnection time, without a blank line.

    Raises:
        EventError: not an `int` of 0 to 2**31 - 1 milliseconds.
    """
    check_retry(milliseconds)
    return b"retry: %d\n" % milliseconds


def _text(event: Event) -> str:
    if event.raw is not None:
        return check_text("raw", event.raw)
    if not isinstance(event.data, str):
        kind = type(event.data).__name__
        raise EventError(
            f"data is {kind}, but only text can be encoded: turn it into JSON text first"
        )
    return check_text("data", event.data)

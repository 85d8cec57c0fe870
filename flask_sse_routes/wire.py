"""The codec: `Event` to event-stream bytes and back.

Floor 0: values only, no Flask, no socket, no clock, no threads. Runs for every event that is sent
(`data_frame`, `encode`) or received (`Decoder`). The format is that of WHATWG HTML section 9.2,
"Server-sent events"; on the way out it is narrower than the standard allows, because clients are.
"""

from __future__ import annotations

import enum
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from reprlib import repr as shown
from typing import Any, ClassVar, Final

from .errors import EventError

RESERVED_EVENTS: Final = frozenset({"ready", "snapshot", "reset", "error", "end"})
END_SUFFIX: Final = "~end"
MAX_RETRY: Final = 2**31 - 1
HEARTBEAT: Final = b":\n"

_BOM: Final = b"\xef\xbb\xbf"
_LINE_BREAKER: Final = re.compile(r"[\r\n\0]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ID: Final = re.compile(rf"[!-~]{{1,256}}(?:{END_SUFFIX})?")
# In a line of `max_bytes` of data these bytes come on top.
_FIELD_ROOM: Final = len(b"data: ")


class _Missing(enum.Enum):
    """A one-member enum, so that copies and pickles of the sentinel stay identical to it."""

    MISSING = enum.auto()

    def __repr__(self) -> str:
        return self.name


MISSING: Final = _Missing.MISSING


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream, to be sent or as received (WHATWG HTML section 9.2).

    Args:
        data: any value; a route sends it JSON-encoded. `Event(None)` sends JSON `null`, an event
            whose `data` was not given carries none. A received event has the text (`str`).
        event: the event's name (`str`); `None` sends none, which clients read as `message`.
        id: the position that a client sends back as `Last-Event-ID` (`str`, 1 to 256 printable
            ASCII characters without space). As received: the last id so far, maybe empty.
        retry: reconnection time in milliseconds (`int`, 0 to 2**31 - 1).
        comment: text (`str`) of a comment line, which clients ignore.
        raw: text (`str`) sent as it is instead of `data`; CR and CRLF arrive as LF.

    Raises:
        EventError: both `data` and `raw` were given. The other rules are those of `check`.
    """

    data: Any = MISSING
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None
    raw: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.raw is not None and self.data is not MISSING:
            raise EventError(
                "an Event takes data or raw, not both: data is JSON-encoded, raw is sent as it is"
            )


def check(event: Event) -> None:
    """Refuse what a handler may not send.

    Raises:
        EventError: a field that would break the stream (see `encode`), `event` is one of
            `RESERVED_EVENTS`, or `id` ends in `END_SUFFIX`.
    """
    _check_fields(event)
    if event.raw is not None:
        _check_text("raw", event.raw)
    if event.event in RESERVED_EVENTS:
        reserved = ", ".join(sorted(RESERVED_EVENTS))
        raise EventError(f"event={event.event!r} is reserved ({reserved}): choose another name")
    if event.id is not None and event.id.endswith(END_SUFFIX):
        raise EventError(
            f"id={shown(event.id)} ends in {END_SUFFIX!r}, which marks a finished stream: "
            "choose another id"
        )


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
    _check_fields(event)
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
    if _has_data(event):
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
    _check_retry(milliseconds)
    return b"retry: %d\n" % milliseconds


def _has_data(event: Event) -> bool:
    return event.raw is not None or event.data is not MISSING


def _text(event: Event) -> str:
    if event.raw is not None:
        return _check_text("raw", event.raw)
    if not isinstance(event.data, str):
        kind = type(event.data).__name__
        raise EventError(
            f"data is {kind}, but only text can be encoded: turn it into JSON text first"
        )
    return _check_text("data", event.data)


def _check_fields(event: Event) -> None:
    if event.event is not None:
        _check_line("event", event.event)
        if not event.event:
            raise EventError(
                "event is empty, which clients read as 'message': leave it out or name it"
            )
    if event.id is not None:
        _check_id(event.id)
    if event.retry is not None:
        _check_retry(event.retry)
    if event.comment is not None:
        _check_line("comment", event.comment)
    if not _has_data(event):
        _check_without_data(event)


def _check_without_data(event: Event) -> None:
    for name, value in (("event", event.event), ("id", event.id)):
        if value is not None:
            raise EventError(
                f"{name}={shown(value)} without data, which clients ignore: give the Event data"
            )
    if event.retry is None and event.comment is None:
        raise EventError("the Event is empty: give it data, raw, retry or comment")


def _check_id(value: object) -> None:
    if not isinstance(value, str):
        raise EventError(f"id must be a str, not {type(value).__name__}: write id=str(...)")
    if not _ID.fullmatch(value):
        raise EventError(
            f"id={shown(value)} must be 1 to 256 printable ASCII characters without a space"
        )


def _check_retry(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_RETRY:
        raise EventError(f"retry={shown(value)} must be an int of 0 to {MAX_RETRY} milliseconds")


def _check_line(name: str, value: object) -> None:
    if _LINE_BREAKER.search(_check_text(name, value)):
        raise EventError(
            f"{name}={shown(value)} must not contain CR, LF or NUL: remove or replace them"
        )


def _check_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise EventError(f"{name} must be a str, not {type(value).__name__}")
    if not value.isascii() and (found := _SURROGATE.search(value)):
        raise EventError(
            f"{name} contains the lone surrogate {found[0]!a} at index {found.start()}, "
            "which UTF-8 cannot carry: remove or replace it"
        )
    return value


class Decoder:
    """Bytes of an event stream to `Event`s, exact to WHATWG HTML section 9.2.6; never waits.

    One decoder reads one connection. What is unfinished when the connection ends is discarded with
    the decoder, as the standard asks.

    Args:
        max_bytes: the most bytes of data that one event may have, and that one line may have beside
            its field name; what is held in memory is bounded by it. `None` sets no bound.

    Attributes:
        last_event_id: what a reconnect must send as `Last-Event-ID` (`str`); empty: no header.
        retry: the last accepted reconnection time in milliseconds, at most 2**31 - 1; `None`: none.
    """

    __slots__ = (
        "_after_cr",
        "_data",
        "_event",
        "_head",
        "_id",
        "_max_bytes",
        "_partial",
        "_refusal",
        "_size",
        "last_event_id",
        "retry",
    )

    def __init__(self, *, max_bytes: int | None = None) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        self._max_bytes = sys.maxsize if max_bytes is None else max_bytes
        self._head: bytes | None = b""
        self._partial = bytearray()
        self._after_cr = False
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""
        self._id = ""
        self._refusal: str | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that these bytes complete, in order.

        Each has `data: str`, `event: str` (`message` by default) and `id: str` (the last id so
        far, maybe empty). Any bytes are accepted; invalid UTF-8 becomes U+FFFD.

        Raises:
            EventError: a line or an event is over `max_bytes`, now and at every later call. Events
                that were complete before it in the same chunk are returned first; then it is the
                next call that raises, so none of them is lost.
        """
        if self._refusal is not None:
            raise EventError(self._refusal)
        events: list[Event] = []
        try:
            for line in self._lines(chunk):
                self._read(line, events)
            self._check_size(len(self._partial) - _FIELD_ROOM)
        except EventError as error:
            self._refuse(str(error))
            if not events:
                raise
        return events

    def _lines(self, chunk: bytes) -> list[bytes]:
        """The lines that the chunk completes; what is left over waits in `_partial`."""
        if self._head is not None:
            chunk = self._without_bom(self._head + chunk)
        if not chunk:
            return []
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        # Of bytes, unlike of str, splitlines knows CR, LF and CRLF only.
        lines = chunk.splitlines()
        rest = lines.pop() if lines and not chunk.endswith((b"\n", b"\r")) else b""
        if lines and self._partial:
            lines[0] = bytes(self._partial) + lines[0]
            self._partial.clear()
        self._partial += rest
        return lines

    def _without_bom(self, head: bytes) -> bytes:
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._head = head
            return b""
        self._head = None
        return head.removeprefix(_BOM)

    def _read(self, line: bytes, events: list[Event]) -> None:
        if not line:
            self._dispatch(events)
            return
        self._check_size(len(line) - _FIELD_ROOM)
        name, _, value = line.partition(b":")
        # A comment has an empty name, so it is as unknown as any other field.
        read = self._FIELDS.get(name)
        if read is not None:
            read(self, value[1:] if value.startswith(b" ") else value)

    def _dispatch(self, events: list[Event]) -> None:
        self.last_event_id = self._id
        data, event = self._data, self._event
        self._data, self._size, self._event = [], 0, ""
        if data:
            # Decoded as a whole: no UTF-8 sequence, whole or broken, reaches over a line end.
            text = b"\n".join(data).decode("utf-8", "replace")
            events.append(Event(text, event or "message", self._id))

    def _read_data(self, value: bytes) -> None:
        self._size += len(value) + 1
        self._check_size(self._size - 1)
        self._data.append(value)

    def _read_event(self, value: bytes) -> None:
        self._event = value.decode("utf-8", "replace")

    def _read_id(self, value: bytes) -> None:
        if b"\0" not in value:
            self._id = value.decode("utf-8", "replace")

    def _read_retry(self, value: bytes) -> None:
        if value.isdigit():
            # Cut first: int() raises at some thousands of digits.
            digits = value.lstrip(b"0")[: len(str(MAX_RETRY)) + 1]
            self.retry = min(int(digits or b"0"), MAX_RETRY)

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise EventError(
                f"the stream sent a line or an event of over max_bytes={self._max_bytes} bytes"
            )

    def _refuse(self, why: str) -> None:
        self._refusal = why
        self._partial.clear()
        self._data.clear()

    _FIELDS: ClassVar[dict[bytes, Callable[[Decoder, bytes], None]]] = {
        b"data": _read_data,
        b"event": _read_event,
        b"id": _read_id,
        b"retry": _read_retry,
    }

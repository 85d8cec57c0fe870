"""`Decoder`: the bytes of an event stream back to `Event`s.

Floor 0: it is fed by whoever reads the socket, chunk by chunk, and bounds what it holds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import ClassVar, Final

from ..errors import EventError
from .event import Event
from .rules import MAX_RETRY

_BOM: Final = b"\xef\xbb\xbf"
# In a line of `max_bytes` of data these bytes come on top.
_FIELD_ROOM: Final = len(b"data: ")


class Decoder:
    """Bytes of an event stream to `Event`s, exact to WHATWG HTML section 9.2.6; never waits.

    One decoder reads one connection. What is unfinished when the connection ends is discarded with
    the decoder, as the standard asks.

    Args:
        max_bytes: the most bytes of data that one event may have, and that one line may have beside
            its field name; what is held in memory is bounded by it. `None` sets no bound.
        last_event_id: the id that events have until the stream sets one.

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

    def __init__(self, *, max_bytes: int | None = None, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry: int | None = None
        self._max_bytes = sys.maxsize if max_bytes is None else max_bytes
        self._head: bytes | None = b""
        self._partial = bytearray()
        self._after_cr = False
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""
        self._id = last_event_id
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

"""From what a handler yields to the frames of its stream.

Floor 1. `EventTypes` is built once per route; `EventCodec` belongs to one stream, because
the terminal event carries the last id that the stream sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import wire
from .errors import EventError, OutputError
from .schema import Fallback, OutputSchema, dump
from .wire import Event


class EventTypes:
    """The declared types of a route's events: of unnamed ones, and of named ones."""

    def __init__(
        self,
        owner: str,
        message: OutputSchema | None,
        named: Mapping[str, OutputSchema],
    ) -> None:
        self.owner = owner
        self.message = message
        self.named = named
        self.typed = [(s.type, name) for name, s in named.items() if isinstance(s.type, type)]

    def name_of(self, value: Any) -> str | None:
        """Return the event name whose declared type `value` is an instance of."""
        exact = type(value)
        for type_, name in self.typed:
            if exact is type_:
                return name
        # A dict is an instance of nothing but dict here: plain containers are messages.
        return next((n for t, n in self.typed if t not in PLAIN and isinstance(value, t)), None)

    def text(self, value: Any, event: str | None, fallback: Fallback, validate: bool) -> bytes:
        """Return the JSON text of an event's data."""
        schema = self.message if event is None else self.named.get(event)
        if schema is None or not validate:
            return self.dump(value, fallback)
        return schema.dump(value, fallback)

    def dump(self, value: Any, fallback: Fallback) -> bytes:
        """Return the JSON text of data without a type."""
        try:
            return dump(value, fallback)
        except OutputError as error:
            raise OutputError(f"{self.owner}: {error}") from error


PLAIN = (object, dict, list, tuple, str, int, float, bool, bytes)


class EventCodec:
    """Encodes the events of one stream, and remembers the last id it gave out."""

    __slots__ = ("_fallback", "_max_bytes", "_plain", "_types", "_validate", "last_id")

    def __init__(
        self, types: EventTypes, *, max_bytes: int, validate: bool, fallback: Fallback
    ) -> None:
        self._types = types
        self._max_bytes = max_bytes
        self._validate = validate
        self._fallback = fallback
        self._plain = types.message is None and not types.typed
        self.last_id = ""

    def event(self, value: Any) -> bytes:
        """Encode what a handler yielded. Raises `EventError` or `OutputError`."""
        if isinstance(value, Event):
            return self._explicit(value)
        if self._plain:  # the common case, kept short
            text = self._types.dump(value, self._fallback)
            if len(text) <= self._max_bytes and text.isascii():
                return wire.data_frame(text)
        name = self._types.name_of(value)
        text = self._text(value, name)
        return wire.data_frame(text) if name is None else self._named(name, text)

    def end(self, value: Any) -> bytes:
        """Encode the terminal `end` event with a generator's return value."""
        text = wire.escape_json(self._types.dump(value, self._fallback))
        self._check_size(len(text))
        return self._terminal("end", text)

    def error(self, document: dict[str, Any]) -> bytes:
        """Encode the terminal `error` event with a problem document (RFC 9457)."""
        return self._terminal("error", wire.escape_json(dump(document)))

    def plain_error(self, document: dict[str, Any]) -> bytes:
        """Encode an `error` event that lets the client reconnect."""
        return self._named("error", wire.escape_json(dump(document)))

    def _explicit(self, event: Event) -> bytes:
        wire.check(event)
        if event.id is not None:
            self.last_id = event.id
        if event.raw is not None or event.data is wire.MISSING:
            self._check_size(len((event.raw or "").encode("utf-8", "surrogatepass")))
            return wire.encode(event)
        text = self._text(event.data, event.event).decode()
        return wire.encode(
            Event(
                raw=text,
                event=event.event,
                id=event.id,
                retry=event.retry,
                comment=event.comment,
            )
        )

    def _text(self, value: Any, name: str | None) -> bytes:
        text = wire.escape_json(self._types.text(value, name, self._fallback, self._validate))
        self._check_size(len(text))
        return text

    def _check_size(self, size: int) -> None:
        if size > self._max_bytes:
            raise EventError(
                f"{self._types.owner}: an event of {size} bytes is larger than "
                f"SSE_MAX_EVENT_BYTES ({self._max_bytes}); send less, or raise it."
            )

    def _terminal(self, name: str, text: bytes) -> bytes:
        id_ = f"{self.last_id}{wire.END_SUFFIX}".encode()
        return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), id_, text)

    def _named(self, name: str, text: bytes) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (name.encode(), text)

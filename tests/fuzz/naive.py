"""A decoder that reads like the standard: all of the stream at once, character by character.

WHATWG HTML sections 9.2.5 and 9.2.6, in their words and order, without a thought of speed.
"""

from __future__ import annotations

from typing import NamedTuple


class Found(NamedTuple):
    """One event: name, data, and the last event ID when it was dispatched."""

    event: str
    data: str
    id: str


class Naive:
    """What one stream says. An unfinished line, and an unfinished event, are discarded."""

    def __init__(self, stream: bytes, last_event_id: str = "") -> None:
        self.events: list[Found] = []
        self.last_event_id = self._id = last_event_id
        self.retry: int | None = None
        self._data = ""
        self._type = ""
        text = stream.decode("utf-8", "replace")
        if text[:1] == "\N{ZERO WIDTH NO-BREAK SPACE}":
            text = text[1:]
        for line in _lines(text):
            self._process(line)

    def _process(self, line: str) -> None:
        if line == "":
            self._dispatch()
        elif line[0] == ":":
            return
        elif ":" in line:
            colon = line.index(":")
            field, value = line[:colon], line[colon + 1 :]
            if value[:1] == " ":
                value = value[1:]
            self._field(field, value)
        else:
            self._field(line, "")

    def _field(self, field: str, value: str) -> None:
        if field == "event":
            self._type = value
        elif field == "data":
            self._data += value + "\n"
        elif field == "id":
            if "\0" not in value:
                self._id = value
        elif field == "retry" and value and all(each in "0123456789" for each in value):
            self.retry = _number(value)

    def _dispatch(self) -> None:
        self.last_event_id = self._id
        if self._data == "":
            self._type = ""
            return
        data = self._data[:-1]
        self.events.append(Found(self._type or "message", data, self.last_event_id))
        self._data = self._type = ""


def _lines(text: str) -> list[str]:
    lines, line, at = [], "", 0
    while at < len(text):
        each = text[at]
        if each in "\r\n":
            lines.append(line)
            line = ""
            at += 2 if text[at : at + 2] == "\r\n" else 1
        else:
            line += each
            at += 1
    return lines


def _number(digits: str) -> int:
    """A base-ten integer of any length, which int() would not read."""
    value = 0
    for each in digits:
        value = value * 10 + "0123456789".index(each)
    return value

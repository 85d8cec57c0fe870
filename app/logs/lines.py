"""A line of a log as people read it: when, how severe, from where, and what.

Lines of the server's own log say all of that; in others the level is looked for, and the rest is
shown as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from pydantic import BaseModel

# Characters of one line that are sent, and of all the last lines together.
LONGEST = 4000
MOST_TEXT = 200_000
# Lines that are read at a time, where the last ones are looked for.
PART = 250
OURS = re.compile(r"(\S{24}) ([A-Z]{1,16}) ([0-9]{1,10}) (\S{1,200}): (.*)")
SEVERITIES = {
    "TRACE": 10,
    "DEBUG": 10,
    "INFO": 20,
    "NOTICE": 20,
    "WARN": 30,
    "WARNING": 30,
    "ERR": 40,
    "ERROR": 40,
    "CRIT": 50,
    "CRITICAL": 50,
    "ALERT": 50,
    "EMERG": 50,
    "FATAL": 50,
    "PANIC": 50,
}
# In capitals anywhere near the beginning; else only where it is marked as a level.
WORDS = "|".join(SEVERITIES)
LEVEL = re.compile(rf"\b({WORDS})\b|(?:\[|<|level[\"']?[=:]\s?[\"']?)((?i:{WORDS}))\b")
NEAR = 200
STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Control characters are shown as their pictures; a tab is one that text has.
PICTURES = {code: 0x2400 + code for code in range(32) if code != 9} | {127: 0x2421}


class LogLine(BaseModel):
    """`cut` is how many characters of a very long line are left out."""

    at: datetime | None = None
    level: str | None = None
    severity: int
    process: int | None = None
    logger: str | None = None
    message: str
    cut: int = 0


class Lines:
    """Reads lines in their order: one that is indented belongs to the one before it."""

    def __init__(self) -> None:
        self._severity = SEVERITIES["INFO"]

    def read(self, raw: bytes) -> LogLine:
        text = STYLE.sub("", raw.decode("utf-8", "replace").rstrip("\r\n")).translate(PICTURES)
        shown, cut = text[:LONGEST], max(len(text) - LONGEST, 0)
        line = _ours(shown, cut) or _foreign(shown, cut, self._severity)
        self._severity = line.severity
        return line

    def severe(self, raw: Iterable[bytes], least: int) -> list[LogLine]:
        """Read lines; return those that are severe enough."""
        return [line for line in map(self.read, raw) if line.severity >= least]


def backwards(raw: list[bytes], lines: Lines, least: int) -> Iterator[list[LogLine]]:
    """Read lines part by part, the last part first; yield what is severe enough of each.

    `lines` reads the last part, so that it can go on after it.
    """
    end = len(raw)
    while end:
        begin = max(end - PART, 0)
        while begin and _is_indented(raw[begin]):
            begin -= 1
        yield lines.severe(raw[begin:end], least)
        end, lines = begin, Lines()


def last_of(found: list[LogLine], most: int) -> list[LogLine]:
    """Return the last lines, no more than fit into one event."""
    begin, room = len(found), MOST_TEXT
    while begin and len(found) - begin < most and room >= len(found[begin - 1].message):
        begin -= 1
        room -= len(found[begin].message)
    return found[begin:]


def _is_indented(raw: bytes) -> bool:
    return STYLE.sub("", raw[:NEAR].decode("utf-8", "replace"))[:1] in (" ", "\t")


def _ours(text: str, cut: int) -> LogLine | None:
    found = OURS.fullmatch(text)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found[1].replace("Z", "+00:00"))
    except ValueError:
        return None
    return LogLine(
        at=at,
        level=found[2],
        severity=SEVERITIES.get(found[2], SEVERITIES["INFO"]),
        process=int(found[3]),
        logger=found[4],
        message=found[5],
        cut=cut,
    )


def _foreign(text: str, cut: int, before: int) -> LogLine:
    found = LEVEL.search(text[:NEAR])
    if found is not None:
        level = (found[1] or found[2]).upper()
        return LogLine(level=level, severity=SEVERITIES[level], message=text, cut=cut)
    severity = before if text[:1] in (" ", "\t") else SEVERITIES["INFO"]
    return LogLine(severity=severity, message=text, cut=cut)

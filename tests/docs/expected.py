"""What a page says that a command prints, compared with what it printed."""

from __future__ import annotations

import re

EPOCH = re.compile(r"\b[0-9a-f]{8}(?=-\d+\b)")
# What differs from run to run. A stream begins with 1500 ms or 25 % more or less; one that a server
# ends says 500 to 3000. Any other number was asked for, and is as it stands.
RETRY_FIRST = r"retry: (?:112[5-9]|11[3-9]\d|1[2-7]\d\d|18[0-6]\d|187[0-5])"
RETRY_LATER = r"retry: (?:[5-9]\d\d|[12]\d\d\d|3000)"
SECONDS = r"\b(?:in|after) \d+\.\d+ ?s\b"
SPLIT = re.compile(rf"\.\.\.|{SECONDS}|{EPOCH.pattern}")
INTERRUPT = "^C"


class Epochs:
    """Epochs of channel ids: those that a page shows, and those that really came."""

    def __init__(self) -> None:
        self.real: dict[str, str] = {}

    def replace(self, text: str) -> str:
        return EPOCH.sub(lambda found: self.real.get(found[0], found[0]), text)

    def bind(self, found: dict[str, str]) -> bool:
        """Note what was found; different epochs of a page have to be different."""
        merged = {**self.real, **found}
        if len(set(merged.values())) != len(merged):
            return False
        self.real = merged
        return True


def lines_of(text: str) -> list[str]:
    """Lines without what no reader sees: spaces at their ends, empty ones around them."""
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n").split("\n")


class Expected:
    """The lines below a command."""

    def __init__(self, lines: list[str], epochs: Epochs, *, begins: bool = True) -> None:
        """`begins` is false for what a command prints after lines that were compared before."""
        given = lines_of("\n".join(lines))
        self.interrupted = given[-1] == INTERRUPT
        if self.interrupted:
            given = lines_of("\n".join(given[:-1]))
        self._lines = [] if given == [""] else given
        self._epochs = epochs
        self._begins = begins

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def all_of(self, printed: str) -> bool:
        """Whether these lines are all that was printed."""
        return self._match(self._pattern(self._lines), "\n".join(lines_of(printed)))

    def begin(self, printed: str) -> bool:
        """Whether the complete lines of what was printed so far begin with these."""
        return self.length_in(printed) is not None

    def length_in(self, printed: str) -> int | None:
        """How many of the characters printed these lines take, if it begins with them."""
        if not self._lines:
            return 0
        whole = printed[: printed.rfind("\n") + 1]
        skipped = len(whole) - len(whole.lstrip("\n"))
        pattern = self._pattern(self._lines, end=r"[ ]*\n")
        found = pattern.match(whole, skipped)
        return found.end() if found and self._bind(found) else None

    def within(self, printed: str) -> bool:
        """Whether these lines were printed in this order, whatever came between them."""
        rest = printed.splitlines()
        for line in (line for line in self._lines if line != "..."):
            pattern = self._pattern([line], end=r"[ ]*")
            while rest and not self._match(pattern, rest[0]):
                rest.pop(0)
            if not rest:
                return False
            rest.pop(0)
        return True

    def _match(self, pattern: re.Pattern[str], text: str) -> bool:
        found = pattern.fullmatch(text)
        return bool(found) and self._bind(found)

    def _bind(self, found: re.Match[str]) -> bool:
        return self._epochs.bind({key[1:]: value for key, value in found.groupdict().items()})

    def _pattern(self, lines: list[str], end: str = "") -> re.Pattern[str]:
        seen: set[str] = set()
        parts = []
        for number, line in enumerate(lines):
            last = number == len(lines) - 1
            if line == "...":
                parts.append(r"(?:.*\n)*?.*" if last else r"(?:.*\n)*?")
            else:
                text = self._line(line, seen, first=self._begins and not number)
                parts.append(text + ("" if last else r"[ ]*\n"))
        return re.compile("".join(parts) + end)

    def _line(self, line: str, seen: set[str], *, first: bool) -> str:
        retry = RETRY_FIRST if first else RETRY_LATER
        if re.fullmatch(retry, line):
            return retry
        pattern, place = "", 0
        for found in SPLIT.finditer(line):
            pattern += re.escape(line[place : found.start()]) + self._piece(found[0], seen)
            place = found.end()
        return pattern + re.escape(line[place:])

    def _piece(self, piece: str, seen: set[str]) -> str:
        if piece == "...":
            return ".*?"
        if re.fullmatch(SECONDS, piece):
            return SECONDS
        if piece in self._epochs.real:
            return re.escape(self._epochs.real[piece])
        if piece in seen:
            return f"(?P=e{piece})"
        seen.add(piece)
        return f"(?P<e{piece}>[0-9a-f]{{8}})"

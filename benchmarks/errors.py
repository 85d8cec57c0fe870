"""What goes wrong without being a fault of the benchmark; their texts end up in the report."""

from __future__ import annotations


class Unavailable(Exception):
    """Something that a peer needs cannot be had here."""


class Failed(Exception):
    """A measurement came to nothing."""


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"

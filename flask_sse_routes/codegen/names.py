"""Names of generated types: identifiers, each given once, none of them taken already.

Floor 1. Components have names that pydantic made: `Order`, `Order-Input`, `Page_int_`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_WORD = re.compile(r"\w+")
_ASCII_WORD = re.compile(r"[a-zA-Z0-9_]+")
_OTHER = re.compile(r"[^a-zA-Z0-9_]")
# Only where nothing but space stands before it: elsewhere it may be part of a string.
_COMMENT = re.compile(r"^\s*/\*.*?\*/|(?:^|\s)//.*?$", re.DOTALL | re.MULTILINE)


class Names:
    """Gives out names; `taken` are those that mean something else where they are to stand."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)

    def give(self, wanted: str) -> str:
        """Return the name that is wanted, or one near it that nobody has."""
        name = wanted
        if name in self._taken:
            name = f"{wanted}Type"
        number = 2
        while name in self._taken:
            name, number = f"{wanted}Type{number}", number + 1
        self._taken.add(name)
        return name


def component_names(components: dict[str, dict[str, Any]], names: Names) -> dict[str, str]:
    """Return an identifier for each component."""
    return {key: names.give(_identifier(key, components[key])) for key in sorted(components)}


def operation_name(operation: str, what: str) -> str:
    """Return the name of something that belongs to an operation: `AdminStatsEvent`."""
    return _joined(re.split(r"[._]", operation)) + what


def words_of(script: str) -> set[str]:
    """Return every word of a script, but for those in its comments."""
    return set(_WORD.findall(_COMMENT.sub("", script)))


def _identifier(key: str, schema: dict[str, Any]) -> str:
    """Return `Order`, `OrderInput`, and for the title `Page[int]` also `PageInt`."""
    base, _, mode = key.partition("-")
    title = schema.get("title", "")
    name = _joined(_ASCII_WORD.findall(title)) if "[" in title else _OTHER.sub("_", base)
    name += _OTHER.sub("_", mode)
    return name if name.isidentifier() else f"_{name}"


def _joined(words: Iterable[str]) -> str:
    return "".join(word[:1].upper() + word[1:] for word in words)

"""Which values the texts of a query string, a form or a path stand for.

Floor 1. Read from a type when a route is registered, used on every request. Pydantic makes
numbers of texts where a type asks for any number; where a type lists its values, as `Literal`
and enumerations do, it takes those alone, and no text is among them but for what is one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]
Resolve = Callable[[Schema], Schema]
# A text that has to have one of these may be none of the listed ones.
FORMS = frozenset({"format", "pattern", "minLength", "maxLength", "contentMediaType"})
UNIONS = ("anyOf", "oneOf", "allOf")


class Texts:
    """What the texts of one field stand for."""

    def __init__(self, schema: Schema, resolve: Resolve, *, lists: bool = True) -> None:
        members = list(_members(schema, resolve))
        arrays = [each for each in members if each.get("type") == "array" and not _listed(each)]
        listed = [value for each in members for value in _listed(each)]
        # A text comes before what it could be read as.
        self._keeps_all = any(map(_is_any_text, members))
        self._kept = frozenset(value for value in listed if isinstance(value, str))
        self._values = {_key(value): value for value in listed if _is_scalar(value)}
        # No list has lists in it here: a type may be within itself.
        self._items = list(_items(arrays, resolve)) if lists else []

    def value(self, text: Any) -> Any:
        """Return the listed value whose JSON a text is, any other text as it is."""
        if not self._values or self._keeps_all or not isinstance(text, str) or text in self._kept:
            return text
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return self._values.get(_key(found), text) if _is_scalar(found) else text

    def values(self, texts: list[str]) -> list[Any]:
        """Return what the texts of a list stand for."""
        if not self._items:
            return texts
        last = len(self._items) - 1
        return [self._items[min(at, last)].value(text) for at, text in enumerate(texts)]


def _members(schema: Any, resolve: Resolve) -> Iterator[Schema]:
    """Yield the members of a union, and of the unions in it, or the schema alone."""
    schema = resolve(schema) if isinstance(schema, dict) else {}
    members = next((schema[key] for key in UNIONS if key in schema), None)
    if members is None:
        yield schema
    for member in members or ():
        yield from _members(member, resolve)


def _listed(schema: Schema) -> list[Any]:
    return [schema["const"]] if "const" in schema else schema.get("enum", [])


def _is_any_text(schema: Schema) -> bool:
    if {"const", "enum"} & schema.keys():
        return False
    return schema.get("type", "string") == "string" and not FORMS & schema.keys()


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (bool, int, float))


def _key(value: Any) -> tuple[bool, Any]:
    """Return what tells values apart as JSON does: `1` is `1.0`, but `true` is neither."""
    return isinstance(value, bool), value if _is_scalar(value) else None


def _items(arrays: list[Schema], resolve: Resolve) -> Iterator[Texts]:
    """Yield what the items of lists are, place by place; the last one is for all that follow."""
    places = max((len(each.get("prefixItems", ())) for each in arrays), default=-1)
    for at in range(places + 1):
        yield Texts({"anyOf": [_item(each, at) for each in arrays]}, resolve, lists=False)


def _item(array: Schema, at: int) -> Any:
    fixed = array.get("prefixItems", ())
    return fixed[at] if at < len(fixed) else array.get("items", {"const": None})

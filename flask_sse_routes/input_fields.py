"""The fields of an input type, by each name that they may have.

Floor 1. A JSON schema knows one name of a field; pydantic's own schema knows its aliases, and
which fields are read by functions of the app's.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from .queries import calls_function
from .texts import Texts

Schema = dict[str, Any]
# Where pydantic keeps the schema that another one is about.
INNER = ("schema", "choices", "steps", "lax_schema", "python_schema")
# Pydantic's schemas that have fields, which are there by name or in a row.
RECORDS = frozenset({"model-fields", "typed-dict", "dataclass-args"})


class Fields:
    """The fields of an input, by each name that they may have: a JSON schema knows only one."""

    def __init__(self, core_schema: Any, document: dict[str, Any]) -> None:
        self._document = document
        # The schemas of a field, one for each member of a union that has it.
        self.parts: dict[str, list[Any]] = {}
        for name, part in _properties(document, document):
            self.parts.setdefault(name, []).append(part)
        # Where fields are that have their place in a list: how it is called, and which place.
        self._places: dict[str, dict[int, list[Any]]] = {}
        self._left_alone: set[str] = set()
        for name, field in core_fields(core_schema):
            self._add(name, places(name, field), alone=calls_function(field["schema"]))

    def _rows(self) -> dict[str, list[Any]]:
        """Return the schemas of lists that hold fields."""
        return {name: [_row(found)] for name, found in self._places.items()}

    def lists(self) -> frozenset[str]:
        """Return the names that may be repeated."""
        named = {**self._rows(), **self.parts}
        return frozenset(n for n, each in named.items() if _is_array(each[-1], self._document))

    def readers(self) -> dict[str, Texts]:
        """Return how the texts of each name are read."""
        named = {**self._rows(), **self.parts}
        return {name: self._texts(name, each) for name, each in named.items()}

    def others(self) -> Texts:
        """Return how the texts of all other names are read."""
        found = _resolve(self._document, self._document).get("additionalProperties")
        return self._texts("", [found if isinstance(found, dict) else {}])

    def _texts(self, name: str, parts: list[Any]) -> Texts:
        # As they are where a function reads them.
        known = [] if name in self._left_alone else parts
        return Texts({"anyOf": known}, lambda part: _resolve(part, self._document))

    def _add(self, name: str, ways: list[list[Any]], *, alone: bool) -> None:
        names = [way[0] for way in ways if len(way) == 1]
        known: list[Any] = next((self.parts[n] for n in (*names, name) if n in self.parts), [{}])
        for each in names:
            self.parts.setdefault(each, known)
        for way in ways:
            if len(way) == 2 and isinstance(way[1], int):
                self._places.setdefault(way[0], {})[way[1]] = known
        if alone:
            self._left_alone.update(way[0] for way in ways)


def _row(places: dict[int, list[Any]]) -> dict[str, Any]:
    fixed = [{"anyOf": places.get(at, [{}])} for at in range(max(places) + 1)]
    return {"type": "array", "prefixItems": fixed, "items": {}}


def _properties(
    part: dict[str, Any], document: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the fields of an object, or of all objects of a union."""
    part = _resolve(part, document)
    yield from part.get("properties", {}).items()
    for choice in _choices(part):
        yield from _properties(choice, document)


def _resolve(part: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    reference = part.get("$ref")
    if reference is None:
        return part
    return typing.cast("dict[str, Any]", document["$defs"][reference.rpartition("/")[2]])


def _choices(part: dict[str, Any]) -> list[dict[str, Any]]:
    return part.get("anyOf") or part.get("oneOf") or part.get("allOf") or []


def _is_array(part: dict[str, Any], document: dict[str, Any]) -> bool:
    part = _resolve(part, document)
    if {"const", "enum"} & part.keys():
        return False  # a list that is one of an enumeration's values is no list of texts
    return part.get("type") == "array" or any(_is_array(c, document) for c in _choices(part))


def core_fields(core_schema: Any) -> Iterator[tuple[str, Schema]]:
    """Yield the fields of an input type, of all members of a union, as pydantic knows them."""
    known: dict[str, Any] = {}
    seen: set[str] = set()
    waiting = [core_schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, tuple)):
            waiting += part
        elif not isinstance(part, dict):
            continue  # the label of a choice
        elif part.get("type") in RECORDS:
            yield from _named(part["fields"])
        elif part.get("type") == "definition-ref":
            if part["schema_ref"] not in seen:
                seen.add(part["schema_ref"])
                waiting.append(known.get(part["schema_ref"]))
        else:
            known.update((each["ref"], each) for each in part.get("definitions", ()))
            inner = (part[key] for key in INNER if key in part)
            waiting += (list(i.values()) if _is_tagged(part, i) else i for i in inner)


def _is_tagged(part: Schema, inner: Any) -> bool:
    return part.get("type") == "tagged-union" and isinstance(inner, dict)


def _named(fields: Any) -> Iterator[tuple[str, Schema]]:
    if isinstance(fields, dict):
        yield from fields.items()
    else:
        yield from ((field["name"], field) for field in fields)


def places(name: str, field: Schema) -> list[list[Any]]:
    """Return where a field may be: each time a name, and the way below it."""
    alias = field.get("validation_alias", name)
    if not isinstance(alias, list):
        return [[alias]]
    return alias if isinstance(alias[0], list) else [alias]

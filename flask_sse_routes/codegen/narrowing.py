"""What one JSON schema allows and another does not.

Floor 1. `Comparison.gaps` tells why values of the `narrow` schema may not fit the `wide` one.
For input, clients break when the new type is not as wide as the old one; for output, when
the old one is not as wide as the new one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..queries import choices
from . import limits

Schema = dict[str, Any]
Document = dict[str, Any]
# So many differences within a type are told where it occurs again.
AGAIN = 8
# Types whose values are few.
VALUES: dict[str, list[Any]] = {"null": [None], "boolean": [True, False]}
TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


class Gap(NamedTuple):
    """One reason: where, of which sort (see `diff.SENTENCES`), and what does not fit."""

    where: str
    sort: str
    what: str = ""


# Which way two schemas are compared, and the ids of both.
Pair = tuple[str, int, int]
Find = Callable[[Schema, Schema, str], Iterator[Gap]]


class Comparison:
    """Compares schemas of two documents; `named_by_narrow` tells whose fields may be missing."""

    def __init__(self, wide: Document, narrow: Document, *, named_by_narrow: bool) -> None:
        self._wide = wide
        self._narrow = narrow
        self._named_by_narrow = named_by_narrow
        self._open: set[Pair] = set()
        # What was found in pairs, which are kept lest other schemas get their ids.
        self._told: dict[Pair, tuple[Schema, Schema, list[Gap]]] = {}

    def gaps(self, wide: Any, narrow: Any, where: str = "") -> Iterator[Gap]:
        """Yield why values of `narrow` may not fit `wide`."""
        wide, narrow = resolved(self._wide, wide), resolved(self._narrow, narrow)
        return self._once(self._unions, wide, narrow, where)

    def _once(self, find: Find, wide: Schema, narrow: Schema, where: str) -> Iterator[Gap]:
        """Yield what `find` does, but compare a pair only once, wherever it occurs."""
        pair = (find.__name__, id(wide), id(narrow))
        if pair in self._open:
            return  # a type within itself
        if pair in self._told:
            found = self._told[pair][2][:AGAIN]
        else:
            self._open.add(pair)
            found = list(find(wide, narrow, ""))
            self._open.discard(pair)
            self._told[pair] = (wide, narrow, found)
        for gap in found:
            yield gap._replace(where=_joined(where, gap.where))

    def _unions(self, wide: Schema, narrow: Schema, where: str) -> Iterator[Gap]:
        allowed, found = self._members(self._wide, wide), self._members(self._narrow, narrow)
        if len(allowed) == len(found) == 1:
            yield from self._once(self._plain, allowed[0], found[0], where)
            return
        for member in found:
            values = _split(member)
            amiss = [each for each in values if all(self._tried(allowed, each, where))]
            if len(amiss) < len(values):
                yield from (Gap(where, "value", named(each)) for each in amiss)
            else:
                yield from self._amiss(allowed, member, where)

    def _amiss(self, allowed: list[Schema], member: Schema, where: str) -> list[Gap]:
        """Return why a member of a union fits none of the other's."""
        tried = self._tried(allowed, member, where)
        alike = [gaps for gaps, each in zip(tried, allowed, strict=True) if _alike(each, member)]
        return alike[0] if len(alike) == 1 else [Gap(where, "value", named(member))]

    def _tried(self, allowed: list[Schema], member: Schema, where: str) -> list[list[Gap]]:
        return [list(self._once(self._plain, each, member, where)) for each in allowed]

    def _members(self, document: Document, schema: Schema) -> list[Schema]:
        """Return the members of a union, and of the unions in it, or the schema alone."""
        schema = resolved(document, schema)
        if isinstance(schema.get("type"), list):
            return [{**schema, "type": each} for each in schema["type"]]
        if "allOf" in schema:
            return [self._merged(document, schema)]
        members = choices(schema)
        if not members:
            return [schema]
        return [found for each in members for found in self._members(document, each)]

    def _merged(self, document: Document, schema: Schema) -> Schema:
        merged: Schema = {k: v for k, v in schema.items() if k != "allOf"}
        for part in schema["allOf"]:
            for member in self._members(document, part):
                properties = {**merged.get("properties", {}), **member.get("properties", {})}
                required = [*merged.get("required", ()), *member.get("required", ())]
                merged = {**merged, **member, "properties": properties, "required": required}
        return merged

    def _plain(self, wide: Schema, narrow: Schema, where: str) -> Iterator[Gap]:
        types, found = _types(wide), _types(narrow)
        if not found <= types:
            yield Gap(where, "value", named(narrow) if found != TYPES else f"all but {named(wide)}")
            return
        yield from _values(wide, narrow, where)
        yield from _limits(wide, narrow, where)
        if "contentSchema" in wide:
            text = narrow.get("contentSchema", {})
            yield from self.gaps(wide["contentSchema"], text, where)
        if found == {"array"}:
            yield from self._items(wide, narrow, where)
        if found == {"object"}:
            yield from self._objects(wide, narrow, where)

    def _items(self, wide: Schema, narrow: Schema, where: str) -> Iterator[Gap]:
        fixed, found = wide.get("prefixItems", []), narrow.get("prefixItems", [])
        for at in range(max(len(fixed), len(found))):
            one, other = (part[at] if at < len(part) else {} for part in (fixed, found))
            yield from self.gaps(one, other, f"{where}[{at}]")
        if isinstance(wide.get("items"), dict):
            yield from self.gaps(wide["items"], narrow.get("items", {}), f"{where}[]")

    def _objects(self, wide: Schema, narrow: Schema, where: str) -> Iterator[Gap]:
        allowed, found = wide.get("properties", {}), narrow.get("properties", {})
        for name in allowed:
            if name in found:
                yield from self.gaps(allowed[name], found[name], _below(where, name))
        for name in wide.get("required", ()):
            if name not in narrow.get("required", ()):
                sort = "required" if name in found else "required new"
                yield Gap(_below(where, name), sort)
        named_by, other = (narrow, wide) if self._named_by_narrow else (wide, narrow)
        for name in named_by.get("properties", {}):
            if name not in other.get("properties", {}):
                sort = "required gone" if name in named_by.get("required", ()) else "gone"
                yield Gap(_below(where, name), sort)
        yield from self._others(wide, narrow, where)

    def _others(self, wide: Schema, narrow: Schema, where: str) -> Iterator[Gap]:
        rest, found = (part.get("additionalProperties", True) for part in (wide, narrow))
        if rest is False and found is not False:
            yield Gap(where, "others")
        elif isinstance(rest, dict) and found is not False:
            yield from self.gaps(rest, found, _below(where, "*"))


def resolved(document: Document, schema: Any) -> Schema:
    """Return the schema that is meant: `true` and references are looked up."""
    seen: set[str] = set()
    while isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        if schema["$ref"] in seen:
            return {}
        seen.add(schema["$ref"])
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found.get(part.replace("~1", "/").replace("~0", "~"), {})
        schema = found
    if schema is False:
        return {"not": {}}
    return schema if isinstance(schema, dict) else {}


def named(schema: Schema) -> str:
    """Return what a schema allows, in a word or two."""
    values = _listed(schema)
    if values is not None:
        return ", ".join(map(_shown, values))
    if "title" in schema and schema.get("type") == "object":
        return str(schema["title"])
    types = _types(schema)
    return "any value" if types == TYPES else " or ".join(sorted(types - {"integer"} or types))


def _joined(where: str, rest: str) -> str:
    return where + rest if not rest or rest.startswith("[") else _below(where, rest)


def _below(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _listed(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _split(schema: Schema) -> list[Schema]:
    """Return one schema for each value that a schema lists, or the schema alone."""
    values = _all_values(schema)
    if values is None or len(values) < 2:
        return [schema]
    rest = {key: value for key, value in schema.items() if key not in ("enum", "type")}
    return [{**rest, "const": value} for value in values]


def _all_values(schema: Schema) -> list[Any] | None:
    """Return all values that a schema allows, `None` where they cannot be listed."""
    values = _listed(schema)
    return VALUES.get(schema.get("type", "")) if values is None else values


def _types(schema: Schema) -> frozenset[str]:
    type_ = schema.get("type")
    if isinstance(type_, str):
        return frozenset({"integer", "number"} if type_ == "number" else {type_})
    values = _listed(schema)
    if values is not None:
        return frozenset(map(_type_of, values))
    return frozenset({"object"}) if "properties" in schema else TYPES


def _type_of(value: Any) -> str:
    kinds: list[tuple[type, str]] = [
        (bool, "boolean"),
        (int, "integer"),
        (float, "number"),
        (str, "string"),
        (list, "array"),
        (dict, "object"),
    ]
    return next((name for type_, name in kinds if isinstance(value, type_)), "null")


def _alike(wide: Schema, narrow: Schema) -> bool:
    """Tell whether two members of unions are meant to be the same."""
    return _types(wide) == _types(narrow) and wide.get("title") == narrow.get("title")


def _values(wide: Schema, narrow: Schema, where: str) -> Iterator[Gap]:
    allowed, found = _listed(wide), _all_values(narrow)
    if allowed is None:
        return
    if found is None:
        yield Gap(where, "value", f"all but {named(wide)}")
    for value in found or ():
        if not any(value == each and _type_of(value) == _type_of(each) for each in allowed):
            yield Gap(where, "value", _shown(value))


def _limits(wide: Schema, narrow: Schema, where: str) -> Iterator[Gap]:
    values = _listed(narrow)
    if values is None:
        integers = _types(narrow) == {"integer"}
        for what in limits.beyond(wide, narrow, integers=integers):
            yield Gap(where, "value", what)
    for value in values or ():
        if _is_beyond(wide, value):
            yield Gap(where, "value", _shown(value))


def _is_beyond(wide: Schema, value: Any) -> bool:
    """Tell whether a single value is beyond limits; of texts' forms nothing is known."""
    known = {key: limit for key, limit in wide.items() if key not in limits.FORMS}
    own = limits.of_value(value)
    return own is not None and any(limits.beyond(known, own, integers=False))

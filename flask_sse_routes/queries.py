"""What a query string can carry of the values that a JSON schema allows.

Floor 1. Runs when a route is registered and when clients are made. A query has fields of text,
and a list repeats its field: null and an empty list are no field at all, and neither objects
nor lists within lists have a form there.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Any

Schema = dict[str, Any]
# In the order in which a schema is looked through.
CHOICES = ("anyOf", "oneOf")
# The whole of an input, among the names of its fields.
WHOLE = ""
# Steps of pydantic's that may read what a schema does not tell of.
FUNCTIONS = frozenset({"function-before", "function-wrap", "function-plain"})


def resolve(schema: Schema, components: dict[str, Schema]) -> Schema:
    """Return what a schema refers to, or itself."""
    while "$ref" in schema:
        schema = components[component_of(schema)]
    return schema


def component_of(schema: Schema) -> str:
    """Return the component that a schema refers to."""
    name: str = schema["$ref"].rpartition("/")[2]
    return name


def choices(schema: Schema) -> list[Schema]:
    """Return the schemas of which one has to fit; empty for a schema that is no union."""
    return next((schema[key] for key in CHOICES if key in schema), [])


def carried(schema: Schema, components: dict[str, Schema], *, null: bool = False) -> Schema | None:
    """Return the schema of what a field can be in a query, `None` where it can be nothing.

    `null`: whether null is kept, as another word for no field. A schema of which all can be sent
    is returned itself.
    """
    return _Carrier(components, null=null, lists=True).of(schema)


class _Carrier:
    """Narrows schemas; `lists` tells whether they may be those of lists."""

    def __init__(self, components: dict[str, Schema], *, null: bool, lists: bool) -> None:
        self._components = components
        self._null = null
        self._lists = lists
        # The references that led here: a type adds nothing to itself.
        self._inside: list[str] = []

    def of(self, schema: Schema) -> Schema | None:
        for key, narrow in _NARROWERS.items():
            if key in schema:
                return narrow(self, schema)
        return schema

    def _reference(self, schema: Schema) -> Schema | None:
        name = component_of(schema)
        if name in self._inside:
            return None
        self._inside.append(name)
        found = self.of(self._components[name])
        self._inside.pop()
        if found is None or found is self._components[name]:
            return None if found is None else schema
        return {**found, **{key: value for key, value in schema.items() if key != "$ref"}}

    def _union(self, schema: Schema) -> Schema | None:
        members = choices(schema)
        found = [self.of(member) for member in members]
        if all(each is member for each, member in zip(found, members, strict=True)):
            return schema
        kept = [each for each in found if each is not None]
        rest = {k: v for k, v in schema.items() if k not in (*CHOICES, "discriminator")}
        if len(kept) < 2:
            return {**kept[0], **rest} if kept else None
        return {**rest, "anyOf": kept}

    def _const(self, schema: Schema) -> Schema | None:
        return schema if self._is_text(schema["const"]) else None

    def _enum(self, schema: Schema) -> Schema | None:
        kept = [value for value in schema["enum"] if self._is_text(value)]
        if len(kept) == len(schema["enum"]):
            return schema
        return {**schema, "enum": kept} if kept else None

    def _typed(self, schema: Schema) -> Schema | None:
        if schema["type"] == "array":
            return self._array(schema)
        unfit = schema["type"] == "object" or (schema["type"] == "null" and not self._null)
        return None if unfit else schema

    def _array(self, schema: Schema) -> Schema | None:
        if not self._lists:
            return None
        inner = _Carrier(self._components, null=False, lists=False)
        found = dict(schema)
        if isinstance(schema.get("items"), dict):
            found["items"] = inner.of(schema["items"])
        if "prefixItems" in schema:
            found["prefixItems"] = [inner.of(each) for each in schema["prefixItems"]]
        if found.get("items", {}) is None or None in found.get("prefixItems", ()):
            return None
        return schema if found == schema else found

    def _is_text(self, value: Any) -> bool:
        return self._null if value is None else not isinstance(value, (list, tuple, dict))


# The first key that a schema has decides.
_NARROWERS: dict[str, Callable[[_Carrier, Schema], Schema | None]] = {
    "$ref": _Carrier._reference,
    "const": _Carrier._const,
    "enum": _Carrier._enum,
    "anyOf": _Carrier._union,
    "oneOf": _Carrier._union,
    "type": _Carrier._typed,
}


def unfillable(schema: Schema, components: dict[str, Schema], given: frozenset[str]) -> str | None:
    """Return the field of an input that no query can fill, `WHOLE` for all of it, or `None`.

    `given` are the fields that come from elsewhere.
    """
    schema = resolve(schema, components)
    if members := choices(schema):
        faults = [unfillable(member, components, given) for member in members]
        return None if None in faults else faults[0]
    if not takes_fields(schema, components):
        return WHOLE
    fields = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in given and carried(fields.get(name, {}), components) is None:
            return str(name)
    return None


def reads_more(core_schema: Any) -> bool:
    """Tell whether a function of the app's takes part in reading: it may make much of a text."""
    return calls_function(core_schema) or any(map(_asks_its_enum, _parts(core_schema)))


def calls_function(core_schema: Any) -> bool:
    """Tell whether validators of the app's are given what was sent, before it is read."""
    return any(each.get("type") in FUNCTIONS for each in _parts(core_schema))


def takes_fields(schema: Schema, components: dict[str, Schema]) -> bool:
    """Tell whether an input is an object, or may be one: fields come from several places."""
    schema = resolve(schema, components)
    if members := choices(schema):
        return any(takes_fields(member, components) for member in members)
    return schema.get("type", "object") == "object" and not {"const", "enum"} & schema.keys()


def _asks_its_enum(part: dict[str, Any]) -> bool:
    """Tell whether an enumeration of the app's says itself what values it does not know are."""
    if part.get("type") != "enum":
        return False
    missing = part["cls"]._missing_
    return missing.__func__ not in (enum.Enum._missing_.__func__, enum.Flag._missing_.__func__)  # type: ignore[attr-defined]  # of a class method


def _parts(core_schema: Any) -> Iterator[dict[str, Any]]:
    waiting = [core_schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting += [inner for key, inner in part.items() if key != "serialization"]
        elif isinstance(part, (list, tuple)):
            waiting += part

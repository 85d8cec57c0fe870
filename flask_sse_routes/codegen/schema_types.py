"""From JSON schemas to the types of a language; what all languages have in common.

Floor 1. Everything that pydantic writes is understood; what a language has no type for is
the nearest wider one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

Schema = Mapping[str, Any]


class SchemaTypes:
    """Writes types; `names` are those of the components that schemas refer to."""

    # The type that says nothing, and that of no value at all.
    unknown: ClassVar[str]
    never: ClassVar[str]
    # By the `type` of a schema.
    plain: ClassVar[Mapping[str, str]]

    def __init__(self, names: Mapping[str, str], components: Mapping[str, Schema]) -> None:
        self.names = names
        self.components = components

    def of(self, schema: Any) -> str:
        """Return the type of a schema."""
        if not isinstance(schema, Mapping):
            return self.never if schema is False else self.unknown
        for key, write in _WRITERS.items():
            if key in schema:
                return write(self, schema)
        return self.unknown

    def union(self, types: Iterable[str]) -> str:
        """Return the union of types, each once."""
        members = dict.fromkeys(types)
        if self.unknown in members:
            return self.unknown
        return " | ".join(members) or self.never

    def resolved(self, schema: Any) -> Schema:
        """Return what a schema refers to, or itself."""
        seen: set[str] = set()
        while isinstance(schema, Mapping) and "$ref" in schema and schema["$ref"] not in seen:
            seen.add(schema["$ref"])
            schema = self.components[component_of(schema)]
        return schema if isinstance(schema, Mapping) else {}

    def literals(self, values: list[Any]) -> str:
        """Return the type of some values."""
        raise NotImplementedError

    def array(self, schema: Schema) -> str:
        """Return the type of an array."""
        raise NotImplementedError

    def record(self, schema: Schema) -> str:
        """Return the type of an object with properties, which no component stands for."""
        raise NotImplementedError

    def map(self, keys: Any, values: list[Any]) -> str:
        """Return the type of an object by the schemas of its keys and of its values."""
        raise NotImplementedError

    def intersection(self, parts: list[Any]) -> str:
        """Return the type of what fits several schemas."""
        raise NotImplementedError

    def _reference(self, schema: Schema) -> str:
        return self.names[component_of(schema)]

    def _const(self, schema: Schema) -> str:
        return self.literals([schema["const"]])

    def _enum(self, schema: Schema) -> str:
        return self.literals(schema["enum"])

    def _any_of(self, schema: Schema) -> str:
        return self.union(self.of(choice) for choice in choices_of(schema))

    def _all_of(self, schema: Schema) -> str:
        parts = schema["allOf"]
        return self.of(parts[0]) if len(parts) == 1 else self.intersection(parts)

    def _typed(self, schema: Schema) -> str:
        kind = schema["type"]
        if isinstance(kind, list):
            return self.union(self._typed({**schema, "type": each}) for each in kind)
        if kind == "array":
            return self.array(schema)
        if kind == "object":
            return self.record(schema) if schema.get("properties") else self._map(schema)
        return self.plain.get(kind, self.unknown)

    def _map(self, schema: Schema) -> str:
        patterns = list(schema.get("patternProperties", {}).values())
        others = schema.get("additionalProperties", not patterns)
        values = [*patterns, *([] if others is False else [others])]
        return self.map(schema.get("propertyNames", True), values)


# The first key that a schema has decides.
_WRITERS: dict[str, Callable[[SchemaTypes, Schema], str]] = {
    "$ref": SchemaTypes._reference,
    "const": SchemaTypes._const,
    "enum": SchemaTypes._enum,
    "anyOf": SchemaTypes._any_of,
    "oneOf": SchemaTypes._any_of,
    "allOf": SchemaTypes._all_of,
    "type": SchemaTypes._typed,
}


def component_of(schema: Schema) -> str:
    """Return the component that a schema refers to."""
    name: str = schema["$ref"].rpartition("/")[2]
    return name


def choices_of(schema: Schema) -> list[Any]:
    """Return the schemas of which one must fit."""
    return list(schema.get("anyOf") or schema.get("oneOf") or ())


def is_record(schema: Any) -> bool:
    """Whether a schema is that of an object whose properties are known, maybe none."""
    return isinstance(schema, Mapping) and schema.get("type") == "object" and "properties" in schema

"""JSON schemas as TypeScript types.

Floor 1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from .schema_types import Schema, SchemaTypes, is_record

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


class TypeScriptTypes(SchemaTypes):
    """Writes the types of an API."""

    unknown = "unknown"
    never = "never"
    plain: ClassVar[Mapping[str, str]] = {
        "string": "string",
        "integer": "number",
        "number": "number",
        "boolean": "boolean",
        "null": "null",
    }

    def declaration(self, component: str) -> str:
        """Return the exported declaration of a component."""
        name, schema = self.names[component], self.components[component]
        comment = doc_comment(schema.get("description"))
        if is_record(schema):
            return f"{comment}export interface {name} {{\n{self._members(schema)}}}\n"
        return f"{comment}export type {name} = {self.of(schema)};\n"

    def literals(self, values: list[Any]) -> str:
        return self.union(literal(value) for value in values)

    def array(self, schema: Schema) -> str:
        if not schema.get("prefixItems") and schema.get("maxItems") != 0:
            return f"{_grouped(self.of(schema.get('items', True)))}[]"
        return self._tuple(schema, schema.get("prefixItems", []))

    def record(self, schema: Schema) -> str:
        return f"{{ {'; '.join(self._fields(schema).values())} }}"

    def map(self, keys: Any, values: list[Any]) -> str:
        value = self.union(map(self.of, values))
        key = self.of(keys)
        # Written out, not Record<...>, which must not refer to the type that it is part of.
        if key in (self.unknown, "string"):
            return f"{{ [key: string]: {value} }}"
        # In quotes, as JSON's keys are, also where the type is one of numbers.
        return f"{{ [key in `${{{key}}}`]?: {value} }}"

    def intersection(self, parts: list[Any]) -> str:
        return " & ".join(_grouped(self.of(part)) for part in parts)

    def _tuple(self, schema: Schema, first: list[Any]) -> str:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        parts = [
            self.of(part) if place < least else f"{_grouped(self.of(part))}?"
            for place, part in enumerate(first)
        ]
        rest = schema.get("items", True)
        if rest is not False and (most is None or most > len(first)):
            parts.append(f"...{_grouped(self.of(rest))}[]")
        return f"[{', '.join(parts)}]"

    def _members(self, schema: Schema) -> str:
        comments = {name: _comment_of(part) for name, part in schema["properties"].items()}
        fields = self._fields(schema).items()
        return "".join(f"{comments.get(name, '')}  {field};\n" for name, field in fields)

    def _fields(self, schema: Schema) -> dict[str, str]:
        required = set(schema.get("required", ()))
        fields = {
            name: f"{property_name(name)}{'' if name in required else '?'}: {self.of(part)}"
            for name, part in schema["properties"].items()
        }
        if schema.get("additionalProperties"):
            # No narrower: it holds for the named ones too.
            fields["[key]"] = "[key: string]: unknown"
        return fields


def literal(value: Any) -> str:
    """Return the type of one value."""
    if isinstance(value, Mapping):
        parts = (f"{property_name(key)}: {literal(part)}" for key, part in value.items())
        return f"{{ {'; '.join(parts)} }}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "number"
    return json.dumps(value)


def property_name(name: str) -> str:
    """Return a name as an object's type takes it, in quotes where it needs them."""
    return name if _IDENTIFIER.fullmatch(name) else json.dumps(name)


def doc_comment(*texts: str | None, indent: str = "") -> str:
    """Return a comment of paragraphs, or nothing where there are none."""
    told = "\n\n".join(text.strip() for text in texts if text and text.strip())
    lines = told.replace("*/", "*\\/").splitlines()
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{indent}/** {lines[0]} */\n"
    body = "".join(f"{indent} * {line}".rstrip() + "\n" for line in lines)
    return f"{indent}/**\n{body}{indent} */\n"


def _comment_of(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return ""
    deprecated = "@deprecated" if schema.get("deprecated") else None
    return doc_comment(schema.get("description"), deprecated, indent="  ")


def _grouped(type_: str) -> str:
    return f"({type_})" if " | " in type_ or " & " in type_ else type_

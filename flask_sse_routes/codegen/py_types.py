"""JSON schemas as Python types.

Floor 1. They are those of values as `json.loads` makes them: an array is a list.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from .schema_types import Schema, SchemaTypes, is_record

# What annotations are made of. A field or method of such a name would hide it in its class.
WORDS = frozenset({"str", "int", "float", "bool", "None", "list", "dict", "Any", "Literal"})
OWN_WORDS = WORDS | {"NotRequired", "Stream", "AsyncStream", "StreamEvent", "Unpack", "overload"}
_WORD = re.compile(r"\w+")


class PythonTypes(SchemaTypes):
    """Writes the types of an API."""

    unknown = "Any"
    never = "Any"
    plain: ClassVar[Mapping[str, str]] = {
        "string": "str",
        "integer": "int",
        "number": "float",
        "boolean": "bool",
        "null": "None",
    }

    def declaration(self, component: str) -> str:
        """Return the declaration of a component."""
        name, schema = self.names[component], self.components[component]
        if not is_record(schema):
            return f"{_comment(schema, '')}{name}: TypeAlias = {text(self.of(schema))}\n"
        return self.typed_dict(name, schema)

    def typed_dict(self, name: str, schema: Schema) -> str:
        """Return the declaration of an object's type."""
        fields = {field: self._field(schema, field) for field in schema["properties"]}
        hiding = fields.keys() & {word for t in fields.values() for word in _WORD.findall(t)}
        if hiding or not all(map(is_plain_name, fields)):
            return self._functional(name, schema, fields)
        told = docstring(schema.get("description"))
        body = "".join(
            f"{_comment(schema['properties'][field])}    {field}: {type_}\n"
            for field, type_ in fields.items()
        )
        parts = [part for part in (told, body) if part]
        return f"class {name}(TypedDict):\n" + ("\n".join(parts) or "    pass\n")

    def _functional(self, name: str, schema: Schema, fields: dict[str, str]) -> str:
        lines = (f"        {text(field)}: {_late(type_)},\n" for field, type_ in fields.items())
        arguments = f"    {text(name)},\n    {{\n{''.join(lines)}    }},\n"
        return f"{_comment(schema, '')}{name} = TypedDict(\n{arguments})\n"

    def literals(self, values: list[Any]) -> str:
        exact = [text(value) for value in values if _is_exact(value)]
        members = [f"Literal[{', '.join(dict.fromkeys(exact))}]"] if exact else []
        return self.union([*members, *(_wider(v) for v in values if not _is_exact(v))])

    def array(self, schema: Schema) -> str:
        items = schema.get("items", not schema.get("prefixItems"))
        parts = [*schema.get("prefixItems", ()), *([] if items is False else [items])]
        return f"list[{self.union(map(self.of, parts))}]"

    def record(self, schema: Schema) -> str:
        return "dict[str, Any]"

    def map(self, keys: Any, values: list[Any]) -> str:
        known = self.resolved(keys)
        named = known.get("enum", [known.get("const")])
        key = self.of(keys) if all(isinstance(name, str) for name in named) else "str"
        return f"dict[{key}, {self.union(map(self.of, values))}]"

    def intersection(self, parts: list[Any]) -> str:
        return "Any"

    def _field(self, schema: Schema, name: str) -> str:
        type_ = self.of(schema["properties"][name])
        return type_ if name in schema.get("required", ()) else f"NotRequired[{type_}]"


def text(value: Any) -> str:
    """Return a value as Python writes it, a text in double quotes where they do."""
    if isinstance(value, str) and value.isprintable() and not set(value) & {'"', "\\"}:
        return f'"{value}"'
    return repr(value)


def is_plain_name(name: str) -> bool:
    """Whether a class body can have an attribute of that name."""
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")


def docstring(told: str | None, indent: str = "    ") -> str:
    """Return a docstring, or nothing where there is nothing to tell."""
    lines = (told or "").strip().splitlines()
    if not lines:
        return ""
    escaped = [line.replace("\\", "\\\\").replace('"""', '\\"\\"\\"') for line in lines]
    if len(lines) == 1 and not escaped[0].endswith('"'):
        return f'{indent}"""{escaped[0]}"""\n'
    body = "".join(f"{indent}{line}".rstrip() + "\n" for line in escaped[1:])
    return f'{indent}"""{escaped[0]}\n{body}{indent}"""\n'


def _comment(schema: Any, indent: str = "    ") -> str:
    told = schema.get("description") if isinstance(schema, Mapping) else None
    return "".join(
        f"{indent}# {line}".rstrip() + "\n" for line in (told or "").strip().splitlines()
    )


def _late(type_: str) -> str:
    """Return a type to be read later: what it names may come further down."""
    if type_.startswith("NotRequired["):
        return f"NotRequired[{text(type_[12:-1])}]"
    return text(type_)


def _is_exact(value: Any) -> bool:
    return value is None or isinstance(value, (str, int))


def _wider(value: Any) -> str:
    if isinstance(value, float):
        return "float"
    return "list[Any]" if isinstance(value, (list, tuple)) else "dict[str, Any]"

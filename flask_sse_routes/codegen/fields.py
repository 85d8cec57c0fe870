"""The fields of an input type, as a query string, a form and a path can hold them.

Floor 1. Text knows no null and no objects: what a document says of a field has to be what a
client can send there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..queries import CHOICES, choices, resolve
from .definitions import Schema

NULL: Schema = {"type": "null"}


class Field(NamedTuple):
    """A field of an object."""

    schema: Schema
    required: bool


def fields_of(schema: Schema, components: dict[str, Schema]) -> dict[str, Field]:
    """Return the fields of an object, or of all objects of a union."""
    schema = resolve(schema, components)
    required = schema.get("required", ())
    found = {n: Field(s, n in required) for n, s in schema.get("properties", {}).items()}
    for part in schema.get("allOf", ()):
        found.update(fields_of(part, components))
    members = [fields_of(choice, components) for choice in choices(schema)]
    for name in dict.fromkeys(name for member in members for name in member):
        found[name] = _united([member.get(name) for member in members])
    return found


def _united(fields: Iterable[Field | None]) -> Field:
    """Return one field for those of a union's members."""
    fields = list(fields)
    schemas: list[Schema] = []
    for field in fields:
        if field is not None and field.schema not in schemas:
            schemas.append(field.schema)
    schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
    return Field(schema, all(field is not None and field.required for field in fields))


def without(schema: Schema, names: frozenset[str], components: dict[str, Schema]) -> Schema:
    """Return the schema of an object less some of its fields, or the schema itself."""
    if names.isdisjoint(fields_of(schema, components)):
        return schema
    schema = dict(resolve(schema, components))
    # It would refer to members that keep those fields; without it several of them may fit.
    if schema.pop("discriminator", None) is not None and "oneOf" in schema:
        schema["anyOf"] = schema.pop("oneOf")
    for key in (*CHOICES, "allOf"):
        if key in schema:
            schema[key] = [without(part, names, components) for part in schema[key]]
    if "properties" in schema:
        schema["properties"] = {n: s for n, s in schema["properties"].items() if n not in names}
        schema["required"] = [name for name in schema.get("required", ()) if name not in names]
    return schema


def needs_fields(schema: Schema, names: frozenset[str], components: dict[str, Schema]) -> bool:
    """Tell whether an object, of whichever member of a union, has to have a field not named."""
    schema = resolve(schema, components)
    if not names.issuperset(schema.get("required", ())):
        return True
    if any(needs_fields(part, names, components) for part in schema.get("allOf", ())):
        return True
    members = choices(schema)
    return bool(members) and all(needs_fields(each, names, components) for each in members)


def as_text(schema: Schema) -> Schema:
    """Return the schema of a field in a place where null means that it is absent."""
    schema = {k: v for k, v in schema.items() if not (k == "default" and v is None)}
    if isinstance(schema.get("items"), dict):
        schema["items"] = as_text(schema["items"])
    if "enum" in schema:
        schema["enum"] = [value for value in schema["enum"] if value is not None]
    for key in CHOICES:
        if key in schema:
            kept = [as_text(choice) for choice in schema.pop(key) if choice != NULL]
            return {**kept[0], **schema} if len(kept) == 1 else {**schema, key: kept}
    return schema


def is_array(schema: Schema, components: dict[str, Schema]) -> bool:
    """Tell whether a list is among what a schema allows."""
    return any(part.get("type") == "array" for part in _parts(schema, components))


def is_text(
    schema: Schema, components: dict[str, Schema], inside: frozenset[str] = frozenset()
) -> bool:
    """Tell whether a form can hold what a schema allows: plain values, and lists of them.

    `inside` are the references that led here: a type within itself is no text.
    """
    for part, within in _parts_within(schema, components, inside):
        unfit = part.get("type") in ("object", "null")
        if unfit or not part.keys() & {"type", "enum", "const"}:
            return False
        if "items" in part and not is_text(part["items"], components, within):
            return False
    return True


def _parts(schema: Schema, components: dict[str, Schema]) -> Iterator[Schema]:
    """Yield the members of a union, and of the unions in it, or the schema alone."""
    return (part for part, _ in _parts_within(schema, components, frozenset()))


def _parts_within(
    schema: Schema, components: dict[str, Schema], inside: frozenset[str]
) -> Iterator[tuple[Schema, frozenset[str]]]:
    """Yield the parts and the references around each; `{}` stands for a type within itself."""
    while "$ref" in schema:
        reference = schema["$ref"]
        if reference in inside:
            yield {}, inside
            return
        inside |= {reference}
        schema = components[reference.rpartition("/")[2]]
    members = [*choices(schema), *schema.get("allOf", ())]
    if not members:
        yield schema, inside
    for member in members:
        yield from _parts_within(member, components, inside)

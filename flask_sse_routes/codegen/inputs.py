"""The input of operations as clients have to give it.

Floor 1. The schema of a route's input does not tell all: variables of the path always have to
be there, those of the prefixes around a blueprint too, and a query string cannot carry all that
a type allows.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from ..queries import CHOICES, carried, choices, component_of, takes_fields
from .catalogue import Catalogue, Operation, Variable
from .components import references
from .definitions import TEMPLATE, Definitions, Schema
from .fields import fields_of, is_array
from .names import operation_name
from .parameters import CONVERTERS

EMPTY = "An empty list is the same as none: the default applies."
EMPTY_REQUIRED = "An empty list is the same as none, and cannot be sent."
LEFT_OUT = "{} is not here: its input is no object, which could hold the variables of its path."


def callable_part(catalogue: Catalogue) -> tuple[Catalogue, list[str]]:
    """Return what clients can call, and a sentence about each operation that they cannot."""
    kept = [operation for operation in catalogue.operations if _is_callable(operation)]
    left_out = [o for o in catalogue.operations if not _is_callable(o)]
    told = [LEFT_OUT.format(operation.name) for operation in left_out]
    return replace(catalogue, operations=tuple(kept)), told


def _is_callable(operation: Operation) -> bool:
    """Tell whether clients can give all that a URL needs: they take its variables from objects."""
    schema = operation.route.input_schema
    if schema is None or not operation.variables:
        return True
    return takes_fields(schema.document, schema.document.get("$defs", {}))


def client_definitions(catalogue: Catalogue) -> Definitions:
    """Return the schemas of all operations, of their input as clients have to give it."""
    definitions = Definitions.of(catalogue)
    schemas, components = dict(definitions.schemas), dict(definitions.components)
    uses = Counter(
        reference.rpartition("/")[2]
        for reference in references([*schemas.values(), *components.values()])
    )
    for operation in catalogue.operations:
        found = _Input(operation, definitions, components, uses).schema()
        if found is not None:
            schemas[operation.name, "input"] = found
    return Definitions(schemas, components)


class _Input:
    """The input of one operation; what is changed goes to `components`."""

    def __init__(
        self,
        operation: Operation,
        definitions: Definitions,
        components: dict[str, Schema],
        uses: Counter[str],
    ) -> None:
        self._operation = operation
        self._schema = definitions.input(operation)
        self._known = definitions.components
        self._components = components
        self._uses = uses
        self._in_query = not operation.takes_body
        fields = fields_of(self._schema, self._known) if self._schema is not None else {}
        self._fields = {name: field.schema for name, field in fields.items()}
        self._variables = {each.name: self._variable(each) for each in operation.variables}

    def schema(self) -> Schema | None:
        """Return the schema, `None` where there is nothing to give."""
        if self._schema is not None:
            return self._of(self._schema, "Input", own=True) or self._schema
        return self._added("Input", self._path()) if self._variables else None

    def _variable(self, variable: Variable) -> Schema:
        known = self._fields.get(variable.name)
        if known is None:
            return CONVERTERS.get(variable.converter, {"type": "string"})
        return carried(known, self._known) or known

    def _of(self, schema: Schema, what: str, *, own: bool) -> Schema | None:
        """Return what can be given of a schema, itself if all of it can, `None` for nothing.

        `own` tells whether nothing else refers to it.
        """
        if "$ref" in schema:
            return self._reference(schema, what, own=own)
        if choices(schema):
            return self._union(schema, own=own)
        if "properties" in schema:
            return self._record(schema)
        if schema.get("type") == "object":
            return self._map(schema)
        return self._other(schema)

    def _reference(self, schema: Schema, what: str, *, own: bool) -> Schema | None:
        name = component_of(schema)
        own = own and self._uses[name] == 1
        found = self._of(self._known[name], what, own=own)
        if found is None or found is self._known[name]:
            return None if found is None else schema
        if not own:
            return self._added(what, {k: v for k, v in found.items() if k != "title"})
        self._components[name] = found
        return schema

    def _added(self, what: str, schema: Schema) -> Schema:
        name = operation_name(self._operation.name, what)
        while name in self._components:
            name += "_"
        self._components[name] = schema
        return {"$ref": TEMPLATE.format(model=name)}

    def _union(self, schema: Schema, *, own: bool) -> Schema | None:
        members = choices(schema)
        found = [self._of(each, _member_name(each), own=own) for each in members]
        if all(each is member for each, member in zip(found, members, strict=True)):
            return schema
        rest = {k: v for k, v in schema.items() if k not in (*CHOICES, "discriminator")}
        kept = [each for each in found if each is not None]
        return {**rest, "anyOf": kept} if kept else None

    def _record(self, schema: Schema) -> Schema:
        required = {*schema.get("required", ()), *self._variables}
        fields = {
            name: self._field(part, required=name in required)
            for name, part in schema["properties"].items()
            if name not in self._variables
        }
        kept = {name: part for name, part in fields.items() if part is not None}
        # In the order of the declaration, behind what it lacks.
        order = [*(n for n in self._variables if n not in schema["properties"])]
        order += [n for n in schema["properties"] if n in kept or n in self._variables]
        whole = {**kept, **self._variables}
        found = {name: whole[name] for name in order}
        if found == schema["properties"] and len(required) == len(schema.get("required", ())):
            return schema
        needed = [name for name in order if name in required]
        return {**schema, "properties": found, "required": needed}

    def _field(self, schema: Any, *, required: bool) -> Schema | None:
        """Return what can be given of a field, `None` where it can only be left out."""
        if not self._in_query or not isinstance(schema, dict):
            return schema  # type: ignore[no-any-return]  # `true` is a schema too
        if carried(schema, self._known) is None:
            return schema if required else None
        default_is_null = not required and schema.get("default", ...) is None
        found = carried(schema, self._known, null=default_is_null) or schema
        if is_array(found, self._known) and schema.get("default") != []:
            return _told(found, EMPTY_REQUIRED if required else EMPTY)
        return found

    def _map(self, schema: Schema) -> Schema:
        values = schema.get("additionalProperties", True)
        if self._in_query and isinstance(values, dict):
            # Of fields that nobody has named, a query's first one counts.
            found = carried(values, self._known)
            one = found is not None and not is_array(found, self._known)
            values = found if one else False
        if self._variables:
            return {**schema, **self._path(), "additionalProperties": values}
        if values == schema.get("additionalProperties", True):
            return schema
        return {**schema, "additionalProperties": values}

    def _other(self, schema: Schema) -> Schema | None:
        """Return the schema of what is no object, or of what can be anything."""
        if {"type", "const", "enum", "allOf"}.isdisjoint(schema):
            return {**self._path(), "additionalProperties": True} if self._variables else schema
        if "allOf" not in schema:
            # What is no object can hold neither fields nor variables.
            unfit = self._in_query or self._variables or schema.get("type") == "null"
            return None if unfit else schema
        return {"allOf": [schema, self._path()]} if self._variables else schema

    def _path(self) -> Schema:
        names = list(self._variables)
        return {"type": "object", "properties": dict(self._variables), "required": names}


def _member_name(schema: Schema) -> str:
    return component_of(schema).partition("-")[0] if "$ref" in schema else "Input"


def _told(schema: Schema, note: str) -> Schema:
    told = schema.get("description")
    return {**schema, "description": f"{told}\n\n{note}" if told else note}

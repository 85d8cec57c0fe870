"""What an operation takes: parameters of the path and the query, and the body.

Floor 1. A field that is a variable of the path stands there alone; the others come in the
query string, or in the body for POST, PUT and PATCH.
"""

from __future__ import annotations

from typing import Any

from ..queries import choices, resolve
from .catalogue import Operation, Variable
from .definitions import Schema
from .fields import Field, as_text, fields_of, is_array, is_text, needs_fields, without

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
HEADER = "Last-Event-ID"
LAST_EVENT_ID = "last_event_id"
# What Werkzeug's converters let pass; where the input has the field, its type says more.
CONVERTERS: dict[str, Schema] = {
    "int": {"type": "integer", "minimum": 0},
    "float": {"type": "number", "minimum": 0},
    "uuid": {"type": "string", "format": "uuid"},
}
RESUME = "The id of the last event that the client has; the stream goes on after it."
RESUME_HEADERLESS = f"{RESUME} For clients that cannot set headers."


class Taken:
    """The input of one operation; `schema` is that of its type."""

    def __init__(
        self, operation: Operation, schema: Schema | None, components: dict[str, Schema]
    ) -> None:
        self._operation = operation
        self._schema = schema
        self._components = components
        self._fields = fields_of(schema, components) if schema is not None else {}
        self._in_path = frozenset(variable.name for variable in operation.variables)

    def parameters(self, path_names: list[str]) -> list[dict[str, Any]]:
        """Return the parameters; `path_names` are what the path's template calls its variables."""
        variables = zip(self._operation.variables, path_names, strict=True)
        found = [self._of_path(variable, name) for variable, name in variables]
        if not self._operation.takes_body:
            found += self._of_query()
        if self._operation.answer.streams:
            found += self._of_position()
        return found

    def body(self) -> dict[str, Any] | None:
        """Return the request body, `None` where there is nothing to send in it."""
        rest = {name: field for name, field in self._fields.items() if name not in self._in_path}
        if self._schema is None or not self._operation.takes_body:
            return None
        if self._fields and not rest:
            return None
        schema = without(self._schema, self._in_path, self._components)
        content = {JSON: {"schema": schema}}
        if rest and all(is_text(as_text(f.schema), self._components) for f in rest.values()):
            content[FORM] = {"schema": _form(schema, self._components)}
        required = not rest or needs_fields(self._schema, self._in_path, self._components)
        return {"required": required, "content": content}

    def _of_path(self, variable: Variable, name: str) -> dict[str, Any]:
        field = self._fields.get(variable.name)
        floor = CONVERTERS.get(variable.converter, {"type": "string"})
        schema = floor if field is None else as_text(field.schema)
        if schema.get("type") == floor["type"] != "string":
            schema = {"minimum": 0, **schema}
        if schema.get("type") == "string":
            schema = {"minLength": 1, **schema}
        schema.pop("default", None)  # a path without it is another path
        return _parameter(name, "path", Field(schema, required=True))

    def _of_query(self) -> list[dict[str, Any]]:
        fields = {n: f for n, f in self._fields.items() if n not in self._in_path}
        found = []
        for name, field in fields.items():
            schema = as_text(field.schema)
            if is_array(schema, self._components):
                least = {"minItems": 1} if field.required else {}  # an empty one cannot be sent
                listed = _parameter(name, "query", Field({**least, **schema}, field.required))
                found.append({**listed, "style": "form", "explode": True})
            else:
                found.append(_parameter(name, "query", Field(schema, field.required)))
        return found or self._of_open_query()

    def _of_open_query(self) -> list[dict[str, Any]]:
        """Return one parameter for a mapping whose keys are not known beforehand."""
        schema = resolve(self._schema or {}, self._components)
        if not isinstance(schema.get("additionalProperties"), dict):
            return []
        whole = _parameter("input", "query", Field(schema, required=False))
        return [{**whole, "style": "form", "explode": True}]

    def _of_position(self) -> list[dict[str, Any]]:
        text = Field({"type": "string"}, required=False)
        found = [{**_parameter(HEADER, "header", text), "description": RESUME}]
        if LAST_EVENT_ID not in self._fields:
            query = _parameter(LAST_EVENT_ID, "query", text)
            found.append({**query, "description": RESUME_HEADERLESS})
        return found


def _parameter(name: str, place: str, field: Field) -> dict[str, Any]:
    schema = dict(field.schema)
    parameter: dict[str, Any] = {"name": name, "in": place, "required": field.required}
    for key in ("description", "deprecated"):
        if key in schema:
            parameter[key] = schema.pop(key)
    return {**parameter, "schema": schema}


def _form(schema: Schema, components: dict[str, Schema]) -> Schema:
    """Return the schema of a form: fields of text, of which none can be null."""
    members = choices(resolve(schema, components))
    if members:
        return {"anyOf": [_form(member, components) for member in members]}
    fields = fields_of(schema, components)
    return {
        "type": "object",
        "properties": {name: as_text(field.schema) for name, field in fields.items()},
        "required": [name for name, field in fields.items() if field.required],
    }

"""The JSON schemas of a catalogue's types, with one set of definitions for all of them.

Floor 1. Types of the same name in different modules, and types whose input differs from
their output, get names of their own; pydantic sees to that.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from .catalogue import Catalogue, Operation

Schema = dict[str, Any]
# An operation's name, and a place in it: `input`, `output` or `event NAME`.
Place = tuple[str, str]
TEMPLATE = "#/components/schemas/{model}"
# Keywords whose values are no schemas, and the one whose keys are no keywords.
VALUES = frozenset({"default", "examples", "example", "const", "enum"})
NAMES = "properties"


class Definitions(NamedTuple):
    """Schemas by place, and the definitions that they refer to by name."""

    schemas: dict[Place, Schema]
    components: dict[str, Schema]

    @classmethod
    def of(cls, catalogue: Catalogue, template: str = TEMPLATE) -> Definitions:
        """Collect the schemas of all operations; `template` is the form of references."""
        inputs = [
            ((operation.name, place), mode, adapter)
            for operation in catalogue.operations
            for place, mode, adapter in _adapters(operation)
        ]
        found, document = TypeAdapter.json_schemas(inputs, ref_template=template)
        schemas = {key: _sayable(schema) for (key, _), schema in found.items()}
        return cls(schemas, _sayable_each(document.get("$defs", {})))

    def input(self, operation: Operation) -> Schema | None:
        """Return the schema of an operation's input."""
        return self.schemas.get((operation.name, "input"))

    def output(self, operation: Operation) -> Schema | None:
        """Return the schema of a response's document, or of an unnamed event's data."""
        return self.schemas.get((operation.name, "output"))

    def events(self, operation: Operation) -> dict[str, Schema]:
        """Return the schemas of an operation's named events."""
        names = operation.answer.events or {}
        return {name: self.schemas[operation.name, f"event {name}"] for name in names}


def _adapters(operation: Operation) -> list[tuple[str, Any, TypeAdapter[Any]]]:
    answer = operation.answer
    found: list[tuple[str, Any, TypeAdapter[Any]]] = []
    if operation.route.input_schema is not None:
        found.append(("input", "validation", operation.route.input_schema.adapter))
    if answer.schema is not None:
        found.append(("output", "serialization", answer.schema.adapter))
    for name, schema in (answer.events or {}).items():
        found.append((f"event {name}", "serialization", schema.adapter))
    return found


def _sayable(part: Any) -> Any:
    """Return a part of a schema without what JSON has no word for: infinity and NaN."""
    if isinstance(part, list):
        return [_sayable(each) for each in part]
    if not isinstance(part, dict):
        return part
    kept: Schema = {}
    for key, value in part.items():
        if key == NAMES:
            kept[key] = _sayable_each(value)
        elif not (key in VALUES or isinstance(value, float)):
            kept[key] = _sayable(value)
        elif _is_json(value):
            kept[key] = value
    return kept


def _sayable_each(schemas: dict[str, Any]) -> dict[str, Any]:
    return {name: _sayable(schema) for name, schema in schemas.items()}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True

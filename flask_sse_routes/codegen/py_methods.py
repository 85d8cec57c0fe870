"""An operation as a method of a typed Python client.

Floor 1. Input is given by keyword, so its type is that of `**input`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .catalogue import Operation
from .definitions import Definitions
from .names import Names, operation_name
from .py_types import PythonTypes, docstring, is_plain_name, text
from .schema_types import Schema, choices_of, component_of, is_record
from .stream_events import stream_events

_WORD = re.compile(r"\w+")


class Method(NamedTuple):
    """What the methods of an operation, of the one client and of the asyncio one, have alike."""

    operation: Operation
    # The type of `**input`, each of them if there are several; empty where there is none.
    inputs: tuple[str, ...]
    # The type of the response's document, or of the stream's events.
    result: str
    # The names of all routes: in their classes they mean nothing else.
    methods: set[str]

    def text(self, asynchronous: bool) -> str:
        """Return the method as a member of a class."""
        route = self.operation.route
        if not is_plain_name(route.name):
            call = f"getattr(..., {text(route.name)})"
            return f"    # A class cannot name this one: {call}(...)\n\n"
        told = "\n\n".join(filter(None, [route.summary, route.description]))
        body = f"\n{docstring(told, ' ' * 8)}" if told else " ...\n"
        overload = "    @overload\n" if len(self.inputs) > 1 else ""
        heads = [self._head(given, asynchronous) for given in self.inputs or ("",)]
        return "".join(f"{overload}    {head}{body}\n" for head in heads)

    def _head(self, given: str, asynchronous: bool) -> str:
        parameters = f"self, /, **input: {given}" if given else "self"
        name = self.operation.route.name
        if self.operation.answer.streams:
            kind = "AsyncStream" if asynchronous else "Stream"
            kind = f"_client.{kind}" if kind in self.methods else kind
            return f"def {name}({parameters}) -> {kind}[{self.result}]:"
        return f"{'async ' if asynchronous else ''}def {name}({parameters}) -> {self.result}:"


class Methods:
    """Makes methods, and the declarations of the types that they are about."""

    def __init__(
        self, definitions: Definitions, types: PythonTypes, names: Names, methods: set[str]
    ) -> None:
        """`methods` are the names that classes have as methods, where they mean nothing else."""
        self._definitions = definitions
        self._types = types
        self._names = names
        self._methods = methods
        self.declarations: list[str] = []

    def of(self, operation: Operation) -> Method:
        """Return the method of an operation."""
        schema = self._definitions.input(operation)
        inputs = dict.fromkeys(self._inputs(operation, schema)) if schema is not None else {}
        if "Any" in inputs:
            inputs = {"Any": None}
        shown = tuple(self._shown(operation, "Input", given) for given in inputs)
        return Method(operation, shown, self._result(operation), self._methods)

    def _inputs(self, operation: Operation, schema: Schema) -> Iterator[str]:
        found = self._types.resolved(schema)
        if self._is_open(operation, found):
            values = [*found["properties"].values(), found["additionalProperties"]]
            yield self._types.union(map(self._types.of, values))
        elif is_record(found):
            yield f"Unpack[{self._record(operation, schema)}]"
        elif choices_of(found):
            for choice in choices_of(found):
                if choice.get("type") != "null":
                    yield from self._inputs(operation, choice)
        elif found.get("type") == "object":
            values = found.get("additionalProperties", True)
            yield self._types.of(values)
        else:
            yield "Any"

    def _is_open(self, operation: Operation, schema: Schema) -> bool:
        """Whether it is a mapping of any names, beside the variables of the path."""
        names = {variable.name for variable in operation.variables}
        return bool(
            is_record(schema)
            and names.issuperset(schema["properties"])
            and schema.get("additionalProperties")
        )

    def _record(self, operation: Operation, schema: Schema) -> str:
        if "$ref" in schema:
            return self._types.names[component_of(schema)]
        name = self._names.give(operation_name(operation.name, "Input"))
        self.declarations.append(self._types.typed_dict(name, schema))
        return name

    def _result(self, operation: Operation) -> str:
        if operation.answer.streams:
            return self._alias(operation, "Event", self._event(operation))
        output = self._definitions.output(operation)
        return self._shown(operation, "Output", "Any" if output is None else self._types.of(output))

    def _shown(self, operation: Operation, what: str, type_: str) -> str:
        """Return a type as a class can name it: one with a method `list` has no `list[int]`."""
        hidden = self._methods.intersection(_WORD.findall(type_))
        if not hidden or type_.startswith("Unpack["):
            return type_
        return self._alias(operation, what, type_)

    def _event(self, operation: Operation) -> str:
        declared = stream_events(self._definitions, operation)
        if declared is None:
            return "StreamEvent[str, Any]"
        events = {name: self._types.of(schema) for name, schema in declared.items()}
        members = {**events, "snapshot": "Any", "reset": "ResetData"}
        return " | ".join(
            f"StreamEvent[Literal[{text(name)}], {data}]" for name, data in members.items()
        )

    def _alias(self, operation: Operation, what: str, type_: str) -> str:
        name = self._names.give(operation_name(operation.name, what))
        self.declarations.append(f"{name}: TypeAlias = {_folded(type_)}\n")
        return name


def _folded(type_: str) -> str:
    """Return a type as a text, a union of events with one of them a line."""
    parts = type_.split(" | StreamEvent[")
    if len(parts) == 1:
        return text(type_)
    lines = [parts[0], *(f" | StreamEvent[{part}" for part in parts[1:])]
    return "(\n" + "".join(f"    {text(line)}\n" for line in lines) + ")"

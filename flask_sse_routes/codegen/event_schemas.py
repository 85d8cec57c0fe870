"""The events of a stream as JSON schemas, in the form that OpenAPI 3.2 gives to them.

Floor 1. An event is an object of its fields; its data is a string that holds JSON
(OpenAPI 3.2, "Special Considerations for Server-Sent Events").
"""

from __future__ import annotations

from typing import NamedTuple

from ..wire.rules import RESERVED_EVENTS
from .catalogue import Operation
from .components import Components
from .definitions import Definitions, Schema
from .names import operation_name

ID: Schema = {"type": "string"}
RETRY: Schema = {
    "description": "Milliseconds to wait before reconnecting.",
    "type": "integer",
    "minimum": 0,
}
OBJECT: Schema = {"type": "object"}
RESET: Schema = {
    "type": "object",
    "properties": {"reason": {"type": "string", "enum": ["trimmed", "epoch"]}},
    "required": ["reason"],
}


class Own(NamedTuple):
    """An event that the package sends by itself."""

    name: str
    description: str
    data: Schema


READY = Own("ready", "Where the stream begins: a client can come back to its id.", OBJECT)
SNAPSHOT = Own("snapshot", "The state of things; the events after its id follow.", {})
LOST = Own("reset", "Events were lost that can be told no more: read the state anew.", RESET)
END = Own("end", "The stream is finished: do not come back. Its data is its result.", {})


def event_schema(
    operation: Operation, definitions: Definitions, components: Components, problem: Schema
) -> Schema:
    """Return the schema of one event of an operation's stream; `problem` is that of errors."""
    error = Own("error", "The stream has failed.", problem)
    own = [READY, SNAPSHOT, LOST, error]
    if operation.answer.stays_finished:
        own.append(END)
    members = [*_declared(operation, definitions), *(_own(components, each) for each in own)]
    name = operation_name(operation.name, "Event")
    return components.schema(name, {"title": name, "oneOf": members})


def _declared(operation: Operation, definitions: Definitions) -> list[Schema]:
    message, named = definitions.output(operation), definitions.events(operation)
    if message is None and not named:
        others: Schema = {"type": "string", "not": {"enum": sorted(RESERVED_EVENTS)}}
        return [_event({"event": others}, {}, ["data"])]
    members = [_named(name, schema) for name, schema in named.items()]
    if message is not None:
        # What has no name is a message to clients, and may be called so.
        unnamed: Schema = {"type": "string", "const": "message"}
        members.insert(0, _event({"event": unnamed}, message, ["data"]))
    return members


def _own(components: Components, own: Own) -> Schema:
    title = f"{own.name.capitalize()}Event"
    schema = {"title": title, "description": own.description, **_named(own.name, own.data)}
    # Its prefix keeps it apart from the event type of a route of that name.
    return components.schema(f"SSE{title}", schema)


def _named(name: str, data: Schema) -> Schema:
    return _event({"event": {"type": "string", "const": name}}, data, ["event", "data"])


def _event(event: Schema, data: Schema, required: list[str]) -> Schema:
    text: Schema = {"type": "string", "contentMediaType": "application/json"}
    if data:
        text["contentSchema"] = data
    properties = {**event, "data": text, "id": ID, "retry": RETRY}
    return {"type": "object", "properties": properties, "required": required}

"""What an operation answers: its document or its stream, and problem documents (RFC 9457).

Floor 1.
"""

from __future__ import annotations

from typing import Any

from ..errors import PROBLEM_TYPE
from .catalogue import Operation
from .components import Components
from .definitions import Definitions, Schema
from .event_schemas import event_schema

PROBLEM: Schema = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "default": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "error_id": {
            "type": "string",
            "description": "The server's log has the details under this id.",
        },
    },
    "required": ["type", "title", "status"],
}
FAULT: Schema = {
    "title": "Fault",
    "type": "object",
    "properties": {
        "loc": {
            "description": "Where in the input it is.",
            "type": "array",
            "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        },
        "msg": {"type": "string"},
        "type": {"type": "string"},
    },
    "required": ["loc", "msg", "type"],
}
HEARTBEAT = {
    "description": "Seconds of silence after which the server sends a comment line. A client "
    "that hears nothing for three times as long has lost the connection.",
    "required": True,
    "schema": {"type": "number", "exclusiveMinimum": 0},
}
REFUSED = {
    "description": "Why this stream has no events: the client is to come back after `retry`.",
    "schema": {"type": "string", "enum": ["capacity", "unavailable"]},
}
RETRY_AFTER = {
    "description": "Seconds after which to come back.",
    "schema": {"type": "integer", "minimum": 0},
}


class Responses:
    """Writes the responses of operations; `stream_key` is where the type of events stands."""

    def __init__(self, definitions: Definitions, components: Components, stream_key: str) -> None:
        self._definitions = definitions
        self._components = components
        self._stream_key = stream_key

    def of(self, operation: Operation, *, has_input: bool, guarded: bool) -> dict[str, Any]:
        """Return the responses by status."""
        found = self._stream(operation) if operation.answer.streams else self._answer(operation)
        if guarded:
            found["401"] = self._problem("Unauthorized", "The client has to say who it is.")
            found["403"] = self._problem("Forbidden", "The client may not do this.")
        if has_input:
            found["422"] = self._problem("InvalidInput", "The input does not fit.", self._faults())
        found["default"] = self._problem("Problem", "What went wrong.")
        return dict(sorted(found.items()))

    def _answer(self, operation: Operation) -> dict[str, Any]:
        schema = self._definitions.output(operation)
        content = {operation.answer.media_type: {"schema": {} if schema is None else schema}}
        return {"200": {"description": "The result.", "content": content}}

    def _stream(self, operation: Operation) -> dict[str, Any]:
        problem = self._components.schema("Problem", PROBLEM)
        event = event_schema(operation, self._definitions, self._components, problem)
        found: dict[str, Any] = {
            "200": {
                "description": "A stream of events.",
                "headers": {"SSE-Heartbeat": HEARTBEAT, "SSE-Refused": REFUSED},
                "content": {operation.answer.media_type: {self._stream_key: event}},
            }
        }
        if operation.answer.stays_finished:
            found["204"] = {"description": "The client has had the end of this stream already."}
        again = {"headers": {"Retry-After": RETRY_AFTER}}
        found["503"] = self._problem("Unavailable", "No stream can be opened now.", **again)
        return found

    def _faults(self) -> Schema:
        problem = self._components.schema("Problem", PROBLEM)
        fault = self._components.schema("Fault", FAULT)
        errors: Schema = {
            "type": "object",
            "properties": {"errors": {"type": "array", "items": fault}},
            "required": ["errors"],
        }
        return self._components.schema("InvalidInput", {"allOf": [problem, errors]})

    def _problem(
        self, name: str, description: str, schema: Schema | None = None, **members: Any
    ) -> dict[str, Any]:
        schema = schema or self._components.schema("Problem", PROBLEM)
        content = {PROBLEM_TYPE: {"schema": schema}}
        response = {"description": description, **members, "content": content}
        return self._components.response(name, response)

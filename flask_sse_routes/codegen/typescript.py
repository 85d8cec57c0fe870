"""A blueprint's client in TypeScript, as one file that needs no other.

Floor 1. The types and the routes come first; the runtime of the browser client follows.
"""

from __future__ import annotations

import json

from .catalogue import Catalogue, Operation
from .header import header
from .inputs import callable_part, client_definitions
from .names import Names, component_names, operation_name, words_of
from .namespaces import Namespace
from .runtime import runtime
from .schema_types import Schema, choices_of
from .script_table import script_table
from .stream_events import stream_events
from .ts_types import TypeScriptTypes, doc_comment, property_name

# What types must not be called, beside all that occurs in the runtime.
RESERVED = words_of(
    """
    abstract any as asserts async await bigint boolean break case catch class const continue
    debugger declare default delete do else enum export extends false finally for from function
    get global if implements import in infer instanceof interface intrinsic is keyof let module
    namespace never new null number object of out override package private protected public
    readonly return satisfies set static string super switch symbol this throw true try type typeof
    undefined unique unknown using var void while with yield
    Api Extract Promise Record Sse connect routes
    """
)
_ABOUT = """\
Return the routes as functions. `baseUrl` is where they are: the server and the blueprint's
prefix, {prefix} here.
"""
_CONNECT = """\
export function connect(
  baseUrl: string | URL,
  options?: ConnectOptions,
): { readonly $api: Api; readonly $sse: Sse } {
  return createClient(routes, baseUrl, options) as unknown as { $api: Api; $sse: Sse };
}
"""


def typescript_file(catalogue: Catalogue, blueprint: str) -> str:
    """Return the text of the file."""
    return _TypeScriptFile(catalogue).text(blueprint)


class _TypeScriptFile:
    def __init__(self, catalogue: Catalogue) -> None:
        catalogue, self._left_out = callable_part(catalogue)
        self._catalogue = catalogue
        self._runtime = runtime("ts")
        self._definitions = client_definitions(catalogue)
        components = self._definitions.components
        self._names = Names(RESERVED | words_of(self._runtime))
        self._types = TypeScriptTypes(component_names(components, self._names), components)
        self._streams = [o for o in catalogue.operations if o.answer.streams]
        self._events = {
            o.name: self._names.give(operation_name(o.name, "Event")) for o in self._streams
        }

    def text(self, blueprint: str) -> str:
        told = (*header("typescript", blueprint), *self._left_out)
        head = "".join(f"// {line}\n" for line in told)
        parts = [
            f"{head}/* eslint-disable */\n",
            *(self._types.declaration(name) for name in sorted(self._types.components)),
            *map(self._event_type, self._streams),
            self._interface("Api", [o for o in self._catalogue.operations if not o.answer.streams]),
            self._interface("Sse", self._streams),
            self._connect(),
            f"const routes: Record<string, RouteRow> = {script_table(self._catalogue)};\n",
            self._runtime,
        ]
        return "\n".join(parts)

    def _connect(self) -> str:
        told = _ABOUT.format(prefix=json.dumps(self._catalogue.prefix or "none"))
        return doc_comment(told) + _CONNECT

    def _event_type(self, operation: Operation) -> str:
        comment = f"/** What `$sse.{operation.name}` tells. */\n"
        declared = stream_events(self._definitions, operation)
        name = self._events[operation.name]
        if declared is None:
            return f"{comment}export type {name} = SseEvent;\n"
        events = {key: self._types.of(schema) for key, schema in declared.items()}
        members = {**events, "snapshot": "unknown", "reset": "ResetData"}
        lines = (f"\n  | SseEvent<{json.dumps(key)}, {data}>" for key, data in members.items())
        return f"{comment}export type {name} ={''.join(lines)};\n"

    def _interface(self, name: str, operations: list[Operation]) -> str:
        return f"export interface {name} {{\n{self._members(Namespace.of(operations), '  ')}}}\n"

    def _members(self, space: Namespace, indent: str) -> str:
        lines = [self._method(operation, indent) for operation in space.operations]
        for name, inner in space.spaces.items():
            members = self._members(inner, f"{indent}  ")
            lines.append(f"{indent}readonly {property_name(name)}: {{\n{members}{indent}}};\n")
        return "".join(lines)

    def _method(self, operation: Operation, indent: str) -> str:
        route = operation.route
        deprecated = "@deprecated" if route.deprecated else None
        comment = doc_comment(route.summary, route.description, deprecated, indent=indent)
        given = f"{self._input(operation)}, {self._options(operation)}"
        return f"{comment}{indent}{_method_name(route.name)}({given}): {self._result(operation)};\n"

    def _input(self, operation: Operation) -> str:
        schema = self._definitions.input(operation)
        if schema is None:
            return "input?: Record<string, never>"
        optional = "?" if self._may_be_empty(schema) else ""
        return f"input{optional}: {self._types.of(schema)}"

    def _options(self, operation: Operation) -> str:
        event = self._events.get(operation.name)
        return f"options?: StreamOptions<{event}>" if event else "options?: CallOptions"

    def _result(self, operation: Operation) -> str:
        event = self._events.get(operation.name)
        if event:
            return f"StreamConnection<{event}>"
        output = self._definitions.output(operation)
        return f"Promise<{'unknown' if output is None else self._types.of(output)}>"

    def _may_be_empty(self, schema: Schema) -> bool:
        schema = self._types.resolved(schema)
        if schema.get("type") == "object":
            return not schema.get("required")
        return any(map(self._may_be_empty, choices_of(schema)))


def _method_name(name: str) -> str:
    """Return a name as a method's: some mean something else there."""
    return json.dumps(name) if name in ("new", "constructor") else property_name(name)

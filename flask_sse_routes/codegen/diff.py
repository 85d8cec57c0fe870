"""What has changed for clients between two OpenAPI documents of a blueprint.

Floor 1. Operations are the same when their `operationId` is: that is how clients call them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .narrowing import Comparison, Document, Gap, Schema, named, resolved
from .parameters import HEADER, LAST_EVENT_ID

EVENT_STREAM = "text/event-stream"
METHODS = ("get", "post", "put", "patch", "delete")
# Stands for the events of a stream that declares none: they may have any name.
ANY_EVENT = ""
# By what a gap is: how it breaks clients in input and in output, and what its reverse is called
# there. An empty one is told elsewhere.
SENTENCES: dict[str, tuple[str, str, str, str]] = {
    "value": ("no longer takes {}", "may now be {}", "now takes {}", "can no longer be {}"),
    "required": ("is now required", "may now be missing", "is optional now", "is always there now"),
    "required new": ("is new and required", "", "", ""),
    "gone": ("was removed", "was removed", "was added", "was added"),
    "required gone": ("was removed", "was removed", "", "was added"),
    "others": (
        "no longer takes fields of other names",
        "",
        "now takes fields of other names",
        "",
    ),
}


class Change(NamedTuple):
    """One difference, and whether clients of the old document may break by it."""

    operation: str
    text: str
    breaking: bool

    def __str__(self) -> str:
        return f"{self.operation}: {self.text}"


class Described(NamedTuple):
    """An operation as a document describes it."""

    method: str
    path: str
    members: dict[str, Any]

    @property
    def line(self) -> str:
        """Return method and path, without what variables are called."""
        return f"{self.method.upper()} {self.path}"


def changes(old: Document, new: Document) -> list[Change]:
    """Return the differences, operation by operation, in the order of the old document."""
    before, after = _operations(old), _operations(new)
    found = list(_servers(old, new))
    for name, operation in before.items():
        if name in after:
            found += _Pair(old, new, name, operation, after[name]).changes()
        else:
            found.append(Change(name, "was removed", breaking=True))
    found += [Change(name, "was added", breaking=False) for name in after if name not in before]
    return found


class _Pair:
    """One operation in both documents."""

    def __init__(
        self, old: Document, new: Document, name: str, before: Described, after: Described
    ) -> None:
        self._old, self._new = old, new
        self._name = name
        self._before, self._after = before, after

    def changes(self) -> Iterator[Change]:
        if self._before.line != self._after.line:
            yield self._change(f"{self._before.line} is now {self._after.line}")
        if self._after.members.get("deprecated") and not self._before.members.get("deprecated"):
            yield self._change("is deprecated now", breaking=False)
        yield from self._security()
        before = _fields(self._old, self._before.members)
        yield from self._input(before, _fields(self._new, self._after.members))
        yield from self._bodies()
        yield from self._answer()

    def _change(self, text: str, *, breaking: bool = True) -> Change:
        return Change(self._name, text, breaking)

    def _security(self) -> Iterator[Change]:
        before, after = (
            _alternatives(document, operation)
            for document, operation in ((self._old, self._before), (self._new, self._after))
        )
        lost = [each for each in before if not any(other <= each for other in after)]
        won = [each for each in after if not any(other <= each for other in before)]
        if lost:
            text = " or ".join(" and ".join(sorted(n for n, _ in each)) for each in after)
            yield self._change(f"security now asks for {text}")
        elif won:
            yield self._change("security lets in more clients", breaking=False)

    def _bodies(self) -> Iterator[Change]:
        old = resolved(self._old, self._before.members.get("requestBody", {}))
        new = resolved(self._new, self._after.members.get("requestBody", {}))
        found = list(self._input(_body(self._old, old), _body(self._new, new)))
        yield from found
        newly = new.get("required", False) and not old.get("required", False)
        if newly and not any(change.breaking for change in found):
            yield self._change("its body is now required")
        yield from self._media(old.get("content", {}), new.get("content", {}))

    def _media(self, before: dict[str, Any], after: dict[str, Any]) -> Iterator[Change]:
        if not (before and after):
            return  # its fields tell of it
        for media in before:
            if media not in after:
                yield self._change(f"no longer takes {media}")
        for media in after:
            if media not in before:
                yield self._change(f"now takes {media}", breaking=False)

    def _input(self, before: Schema, after: Schema) -> Iterator[Change]:
        breaking = Comparison(self._new, self._old, named_by_narrow=True)
        yield from self._told(breaking.gaps(after, before), 0, "input")
        added = Comparison(self._old, self._new, named_by_narrow=True)
        yield from self._told(added.gaps(before, after), 2, "input")

    def _output(self, before: Any, after: Any, label: str) -> Iterator[Change]:
        breaking = Comparison(self._old, self._new, named_by_narrow=False)
        yield from self._told(breaking.gaps(before, after), 1, label)
        added = Comparison(self._new, self._old, named_by_narrow=False)
        yield from self._told(added.gaps(after, before), 3, label)

    def _told(self, gaps: Iterator[Gap], column: int, label: str) -> Iterator[Change]:
        for gap in gaps:
            sentence = SENTENCES[gap.sort][column].format(gap.what)
            if sentence:
                place = f"{label} {gap.where}".rstrip()
                yield self._change(f"{place} {sentence}", breaking=column < 2)

    def _answer(self) -> Iterator[Change]:
        before = _content(self._old, self._before.members)
        after = _content(self._new, self._after.members)
        for media, found in before.items():
            if media not in after:
                yield self._change(f"answers {', '.join(after) or 'nothing'} instead of {media}")
            elif media == EVENT_STREAM:
                yield from self._events(_item(found), _item(after[media]))
            else:
                schema = after[media].get("schema", {})
                yield from self._output(found.get("schema", {}), schema, "output")

    def _events(self, before: Schema, after: Schema) -> Iterator[Change]:
        old, new = _events(self._old, before), _events(self._new, after)
        if ANY_EVENT in new and ANY_EVENT not in old:
            yield self._change("its events may now have any name and data")
        if ANY_EVENT in old and ANY_EVENT not in new:
            yield self._change("its events are declared now", breaking=False)
        for name, data in old.items():
            if name in new:
                yield from self._output(data, new[name], f"event {name}".rstrip())
            elif ANY_EVENT not in (name, *new):
                yield self._change(f"event {name} was removed")
        for name in new:
            if name not in old and name != ANY_EVENT:
                yield self._change(f"event {name} was added", breaking=False)


def _operations(document: Document) -> dict[str, Described]:
    found = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                described = Described(method, _shape(path), methods[method])
                found[methods[method].get("operationId", described.line)] = described
    return found


def _shape(path: str) -> str:
    """Return a path with its variables numbered: their names are those of input fields."""
    parts = path.split("{")
    return parts[0] + "".join(
        f"{{{n}}}{part.partition('}')[2]}" for n, part in enumerate(parts[1:], 1)
    )


def _servers(old: Document, new: Document) -> Iterator[Change]:
    before, after = (_server(document) for document in (old, new))
    if before != after and before is not None and after is not None:
        yield Change("servers", f"{before} is now {after}", breaking=True)


def _server(document: Document) -> str | None:
    return next((server["url"] for server in document.get("servers", ())), None)


def _fields(document: Document, members: dict[str, Any]) -> Schema:
    """Return the parameters as the fields of one object, without those of a stream's transport."""
    parameters = [resolved(document, each) for each in members.get("parameters", [])]
    if any(each["name"] == HEADER for each in parameters):
        parameters = [p for p in parameters if p["name"] not in (HEADER, LAST_EVENT_ID)]
    return {
        "type": "object",
        "properties": {each["name"]: each.get("schema", {}) for each in parameters},
        "required": [each["name"] for each in parameters if each.get("required")],
    }


def _body(document: Document, body: dict[str, Any]) -> Schema:
    """Return the schema of the first form that a body may have."""
    for media in body.get("content", {}).values():
        return resolved(document, media.get("schema", {}))
    return {"type": "object"}


def _content(document: Document, members: dict[str, Any]) -> dict[str, Any]:
    response = resolved(document, members.get("responses", {}).get("200", {}))
    content: dict[str, Any] = response.get("content", {})
    return content


def _item(media: dict[str, Any]) -> Schema:
    """Return the schema of one event: 3.1 has no place of its own for it."""
    schema: Schema = media.get("itemSchema", media.get("schema", {}))
    return schema


def _events(document: Document, schema: Schema) -> dict[str, Any]:
    """Return the schemas of events' data by their names."""
    schema = resolved(document, schema)
    found = {}
    for each in schema.get("oneOf", [schema]):
        properties = resolved(document, each).get("properties", {})
        event = resolved(document, properties.get("event", {}))
        found[_event_name(event)] = properties.get("data", {}).get("contentSchema", {})
    return found


def _event_name(event: Schema) -> str:
    if not event:
        return "message"
    return ANY_EVENT if "not" in event else event.get("const", named(event))


def _alternatives(document: Document, operation: Described) -> list[frozenset[tuple[str, str]]]:
    """Return the combinations of schemes that let a client in, each with what it is."""
    asked = operation.members.get("security", document.get("security", [])) or [{}]
    schemes = document.get("components", {}).get("securitySchemes", {})
    return [
        frozenset((name, repr(sorted(schemes.get(name, {}).items()))) for name in each)
        for each in asked
    ]

"""The components of a document: what its parts refer to by name.

Floor 1. The package's own stand beside those of the app's types, under names that are free.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .definitions import Schema


class Components:
    """Collects components while a document is written."""

    def __init__(self, schemas: dict[str, Schema]) -> None:
        self.schemas = dict(schemas)
        self.responses: dict[str, Any] = {}
        self.security_schemes: dict[str, Any] = {}
        self._named: dict[str, str] = {}

    def schema(self, name: str, schema: Schema) -> Schema:
        """Add a schema unless that was done before, and return a reference to it."""
        if name not in self._named:
            self._named[name] = _free(name, self.schemas)
            self.schemas[self._named[name]] = schema
        return {"$ref": f"#/components/schemas/{self._named[name]}"}

    def response(self, name: str, response: dict[str, Any]) -> dict[str, Any]:
        """Add a response unless that was done before, and return a reference to it."""
        self.responses.setdefault(name, response)
        return {"$ref": f"#/components/responses/{name}"}

    def security_scheme(self, name: str, scheme: dict[str, Any]) -> str:
        """Add a security scheme and return its name: another one may have it already."""
        known = self.security_schemes
        key = name
        while known.get(key, scheme) != scheme:
            key += "_"
        known[key] = scheme
        return key

    def used(self, paths: dict[str, Any]) -> dict[str, Any]:
        """Return those that the paths refer to, themselves or by others."""
        kept: set[str] = set()
        waiting = [paths, self.responses]
        while waiting:
            found = {reference.rpartition("/")[2] for reference in references(waiting.pop())}
            new = (found & self.schemas.keys()) - kept
            kept |= new
            waiting += [self.schemas[name] for name in new]
        parts = {
            "schemas": {name: s for name, s in self.schemas.items() if name in kept},
            "responses": self.responses,
            "securitySchemes": self.security_schemes,
        }
        return {key: part for key, part in parts.items() if part}


def references(part: Any) -> Iterator[str]:
    """Yield the targets of all references in a part of a document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def _free(name: str, taken: dict[str, Schema]) -> str:
    while name in taken:
        name += "_"
    return name

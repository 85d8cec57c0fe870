"""A catalogue as an OpenAPI document.

Floor 1. Format 3.2 tells the type of a stream's events (`itemSchema`); 3.1 knows no such
thing, so there it stands as the stream's `schema`, where tools for 3.1 look for it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ..routes import Route
from .catalogue import Catalogue, Operation
from .components import Components
from .definitions import Definitions
from .discriminators import drop_doubtful
from .parameters import Taken
from .responses import Responses
from .rows import routes_table
from .security import requirements

# By format: what the document says of itself, and where the type of a stream's events stands.
FORMATS = {"3.2": ("3.2.0", "itemSchema"), "3.1": ("3.1.0", "schema")}


def openapi(catalogue: Catalogue, format: str = "3.2") -> dict[str, Any]:
    """Return the document, without `servers`. `format` is `"3.2"` or `"3.1"`."""
    return _Writer(catalogue, format).document()


def server_path(prefix: str) -> str:
    """Return the path of the server for a blueprint's prefix: as far as it has no variables.

    They are parameters of every path, since those of a server have no types.
    """
    return prefix[: _first_variable(prefix)]


def _first_variable(prefix: str) -> int:
    at = prefix.find("<")
    return len(prefix) if at < 0 else prefix.rfind("/", 0, at)


class _Writer:
    """Writes one document."""

    def __init__(self, catalogue: Catalogue, format: str) -> None:
        self._catalogue = catalogue
        self._version, stream_key = FORMATS[format]
        self._definitions = Definitions.of(catalogue)
        self._rows = routes_table(catalogue)
        self._components = Components(self._definitions.components)
        self._responses = Responses(self._definitions, self._components, stream_key)

    def document(self) -> dict[str, Any]:
        catalogue = self._catalogue
        paths = self._paths()
        tags = dict.fromkeys(tag for each in catalogue.operations for tag in each.route.tags)
        document = {
            "openapi": self._version,
            "info": {"title": catalogue.title, "version": catalogue.version},
            **({"tags": [{"name": tag} for tag in tags]} if tags else {}),
            # Where an operation names no scheme, its hooks declare none.
            "security": [],
            "paths": paths,
            "components": self._components.used(paths),
        }
        drop_doubtful(document, self._components.schemas)
        return document

    def _paths(self) -> dict[str, Any]:
        """Return the operations by path and method.

        Paths that differ in the names of their variables only are one to OpenAPI; so are two
        that differ in their converters only, of which the first is told.
        """
        paths: dict[str, dict[str, Any]] = {}
        firsts: dict[str, Operation] = {}
        rest = self._catalogue.prefix[_first_variable(self._catalogue.prefix) :]
        for operation in self._catalogue.operations:
            whole = replace(operation, rule=f"{rest}{operation.rule}")
            first = firsts.setdefault(whole.shape, whole)
            methods = paths.setdefault(first.path, {})
            if whole.route.method.lower() not in methods:
                names = [variable.name for variable in first.variables]
                methods[whole.route.method.lower()] = self._operation(whole, names)
        return paths

    def _operation(self, operation: Operation, path_names: list[str]) -> dict[str, Any]:
        route, schema = operation.route, self._definitions.input(operation)
        taken = Taken(operation, schema, self._components.schemas)
        security = requirements(operation.hooks, self._components)
        responses = self._responses.of(
            operation, has_input=schema is not None, guarded=bool(security)
        )
        row = self._rows[operation.name]
        members = {
            "operationId": operation.name,
            # Its place below the prefix in its own words; the path may have another method's.
            "x-client": {"path": row["path"], "variables": row["variables"]},
            **_texts(route),
            "tags": list(route.tags),
            "deprecated": route.deprecated,
            "security": security,
            "parameters": taken.parameters(path_names),
            "requestBody": taken.body(),
        }
        return {**_present(members.items()), "responses": responses}


def _present(members: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in members if value}


def _texts(route: Route) -> dict[str, Any]:
    """Return summary and description: those declared, else the handler's docstring."""
    text = _docstring(route.handler)
    first, _, rest = text.partition("\n")
    return {
        "summary": route.summary or first,
        "description": route.description or (text if route.summary else rest.strip()),
    }


def _docstring(handler: Callable[..., Any]) -> str:
    while isinstance(handler, functools.partial):
        handler = handler.func
    return inspect.getdoc(handler) or ""

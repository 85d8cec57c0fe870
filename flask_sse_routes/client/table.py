"""What a client knows of the routes: their method, path and kind, by dotted name.

Floor 3. Generated clients bring the table along; others read it from a blueprint's OpenAPI
document at first use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

METHODS = frozenset({"get", "post", "put", "patch", "delete"})
BODY_METHODS = frozenset({"post", "put", "patch"})
EVENT_STREAM = "text/event-stream"
VARIABLE = re.compile(r"\{(\+?)([^{}]+)\}")


class RouteRow(TypedDict):
    """One route: `path` is a template below the client's URL, `/orders/{order_id}`.

    The value of `{+name}` may hold slashes. `body` tells whether input goes to a JSON body
    rather than to the query string, `streams` whether the answer is a stream of events.
    """

    method: str
    path: str
    variables: list[str]
    body: bool
    streams: bool


Table = Mapping[str, RouteRow]
Json = Mapping[str, Any]


def table_of(document: Any, source: str) -> dict[str, RouteRow]:
    """Return the routes of an OpenAPI document. Raises `ValueError` if it is none."""
    try:
        return dict(_rows(document))
    except ValueError as error:
        raise ValueError(f"{source} is not an OpenAPI document: {error}") from error


def _rows(document: Any) -> Iterator[tuple[str, RouteRow]]:
    paths = _object(document, "the whole").get("paths")
    for path, item in _object(paths, "paths").items():
        # Extensions may stand beside the paths.
        if not path.startswith("/"):
            continue
        for method, operation in _object(item, path).items():
            if method in METHODS and "operationId" in _object(operation, f"{method} of {path}"):
                shared = _parameters(item, path)
                yield _name(operation, path), _row(path, method, operation, shared)


def _row(path: str, method: str, operation: Json, shared: list[Json]) -> RouteRow:
    place = f"{method} of {path}"
    template, variables = _place(path, operation, [*shared, *_parameters(operation, place)])
    return RouteRow(
        method=method.upper(),
        path=template,
        variables=variables,
        body=method in BODY_METHODS,
        streams=_streams(operation, place),
    )


def _place(path: str, operation: Json, parameters: list[Json]) -> tuple[str, list[str]]:
    """Return the template below the client's URL, and its variables.

    The document's own paths begin further up where the blueprint's prefix has variables, and
    name the variables alike for all methods; `x-client` has each operation's own.
    """
    if "x-client" in operation:
        own = _object(operation["x-client"], f"x-client of {path}")
        template, variables = own.get("path"), own.get("variables")
        if not isinstance(template, str) or variables != _variables(template):
            raise ValueError(f"x-client of {path} has no path with its variables.")
        return template, _variables(template)
    spanning = {str(p.get("name")) for p in parameters if p.get("allowReserved")}

    def marked(found: re.Match[str]) -> str:
        mark = "+" if found[1] or found[2] in spanning else ""
        return f"{{{mark}{found[2]}}}"

    return VARIABLE.sub(marked, path), _variables(path)


def _variables(template: str) -> list[str]:
    return [name for _, name in VARIABLE.findall(template)]


def _name(operation: Json, path: str) -> str:
    name = operation["operationId"]
    if not isinstance(name, str):
        raise ValueError(f"an operationId of {path} is no text.")
    return name


def _parameters(holder: Json, place: str) -> list[Json]:
    parameters = holder.get("parameters", [])
    if not isinstance(parameters, list):
        raise ValueError(f"the parameters of {place} are no list.")
    return [_object(parameter, f"a parameter of {place}") for parameter in parameters]


def _streams(operation: Json, place: str) -> bool:
    responses = _object(operation.get("responses", {}), f"responses of {place}")
    return any(
        EVENT_STREAM in _object(_object(response, place).get("content", {}), f"content of {place}")
        for status, response in responses.items()
        if str(status).startswith("2") or status == "default"
    )


def _object(value: Any, place: str) -> Json:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} is no object.")
    return value

"""The explorer: a page that calls a blueprint's routes.

Floor 2. The page is at `<prefix>/explorer`, what it consists of below `<prefix>/explorer/`;
all of its URLs are relative, so that it works wherever the app is mounted. It is on in debug
mode, or as `SSE_EXPLORER` says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flask import Response, abort, redirect, request

from .codegen.catalogue import Catalogue, Operation
from .codegen.definitions import Definitions
from .codegen.inputs import client_definitions
from .codegen.openapi import openapi
from .codegen.rows import routes_table
from .extension import runtime_of, this_app

FOLDER = Path(__file__).parent / "static" / "explorer"
# Said here: what `mimetypes` knows differs from machine to machine, and browsers are strict.
TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
# A variable of the URL that no prefix around it is likely to have.
FILE = "explorer_file"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


ROUTES = "routes.json"

# Answers with what `described` says of a blueprint.
Told = Callable[[], Response]


def views() -> Iterator[tuple[str, str, Callable[[Told], Any]]]:
    """Yield the path, the endpoint and the view of everything that the page consists of."""
    yield "/explorer", "explorer", _page
    yield "/explorer/", "explorer-slash", _page
    yield f"/explorer/<{FILE}>", "explorer-file", _file


def described(catalogue: Catalogue) -> str:
    """Return what `describe` does, as JSON."""
    return json.dumps(describe(catalogue), allow_nan=False)


def describe(catalogue: Catalogue) -> dict[str, Any]:
    """Return what the page knows of a blueprint: its routes, and the schemas of their types."""
    definitions = client_definitions(catalogue)
    rows, said = routes_table(catalogue), _said(catalogue)
    return {
        "title": catalogue.title,
        "version": catalogue.version,
        "routes": [
            {
                **rows[operation.name],
                **_row(operation, definitions),
                "summary": said.get(operation.name, {}).get("summary"),
                "description": said.get(operation.name, {}).get("description"),
            }
            for operation in catalogue.operations
        ],
        "definitions": definitions.components,
    }


def _said(catalogue: Catalogue) -> dict[str, dict[str, Any]]:
    """Return the operations of the OpenAPI document: what it says of a route, the page says."""
    paths = openapi(catalogue)["paths"].values()
    return {operation["operationId"]: operation for path in paths for operation in path.values()}


def _row(operation: Operation, definitions: Definitions) -> dict[str, Any]:
    route = operation.route
    return {
        "name": operation.name,
        "group": route.tags[0] if route.tags else ".".join(operation.namespace),
        "kind": route.kind,
        "deprecated": route.deprecated,
        "input": definitions.input(operation),
        "output": definitions.output(operation),
        "events": definitions.events(operation),
        "security": {
            name: dict(scheme) for hook in operation.hooks for name, scheme in hook.security.items()
        },
    }


def _page(_told: Told) -> Any:
    _refuse_when_off()
    if request.path.endswith("/"):
        # Relative URLs would start one folder too deep.
        return redirect("../explorer", 308)
    return _served("explorer.html")


def _file(told: Told) -> Any:
    _refuse_when_off()
    name = (request.view_args or {})[FILE]
    return _with_headers(told()) if name == ROUTES else _served(name)


def _served(name: str) -> Response:
    if name not in {path.name for path in FOLDER.iterdir()}:
        abort(404)
    path = FOLDER / name
    response = Response(path.read_bytes(), content_type=f"{TYPES[path.suffix]}; charset=utf-8")
    response.add_etag()
    response.make_conditional(request)
    return _with_headers(response)


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    # A newer package must not meet files of an older one.
    response.headers["Cache-Control"] = "no-cache"
    return response


def _refuse_when_off() -> None:
    app = this_app()
    wanted = runtime_of(app).config.explorer
    if not (app.debug if wanted is None else wanted):
        abort(404)

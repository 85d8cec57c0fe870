"""`client.js`: the runtime of the browser client, and the routes that it calls.

Floor 1.
"""

from __future__ import annotations

import json
from typing import Any

from .catalogue import Catalogue, Operation


def client_module(catalogue: Catalogue) -> str:
    """Return an ES module that exports `$api` and `$sse`."""
    return f"export const routes = {json.dumps(routes_table(catalogue), indent=2)};\n"


def routes_table(catalogue: Catalogue) -> dict[str, Any]:
    """Return what a client has to know of each route, by its name."""
    return {operation.name: _row(operation) for operation in catalogue.operations}


def _row(operation: Operation) -> dict[str, Any]:
    return {
        "method": operation.route.method,
        "path": operation.path,
        "variables": [variable.name for variable in operation.variables],
        "body": operation.takes_body,
        "streams": operation.answer.streams,
    }

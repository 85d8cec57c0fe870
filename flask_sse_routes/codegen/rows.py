"""What a script has to know of each route to call it.

Floor 1.
"""

from __future__ import annotations

from typing import Any

from .catalogue import Catalogue, Operation


def routes_table(catalogue: Catalogue) -> dict[str, Any]:
    """Return a row for each route, by its name."""
    return {operation.name: _row(operation) for operation in catalogue.operations}


def _row(operation: Operation) -> dict[str, Any]:
    return {
        "method": operation.route.method,
        "path": _path(operation),
        "variables": [variable.name for variable in operation.variables],
        "body": operation.takes_body,
        "streams": operation.answer.streams,
    }


def _path(operation: Operation) -> str:
    """Return the template; `{+name}` (RFC 6570) stands for a value that may hold slashes."""
    path = operation.path
    for variable in operation.variables:
        if variable.spans_segments:
            path = path.replace(f"{{{variable.name}}}", f"{{+{variable.name}}}")
    return path

"""The routes as JavaScript and TypeScript write them.

Floor 1.
"""

from __future__ import annotations

import json
from typing import Any

from .catalogue import Catalogue
from .rows import routes_table
from .ts_types import property_name


def script_table(catalogue: Catalogue) -> str:
    """Return an object literal, one route a line."""
    rows = routes_table(catalogue).items()
    return "{\n" + "".join(f"  {_key(name)}: {_row(row)},\n" for name, row in rows) + "}"


def _key(name: str) -> str:
    """Return a name as a key; that one would set the object's prototype."""
    return '["__proto__"]' if name == "__proto__" else property_name(name)


def _row(row: dict[str, Any]) -> str:
    return f"{{ {', '.join(f'{key}: {json.dumps(value)}' for key, value in row.items())} }}"

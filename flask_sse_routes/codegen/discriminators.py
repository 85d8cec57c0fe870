"""Which unions of a document may say by what field their members are told apart.

Floor 1. Runs when an OpenAPI document is written. That field is optional where the member gives
it a default, as pydantic's users do; OpenAPI 3.2 asks for a `defaultMapping` then (section
4.26), which tells less than the constants of the members do, and 3.1 does not know it.
"""

from __future__ import annotations

from typing import Any

from .definitions import VALUES, Schema


def drop_doubtful(part: Any, schemas: dict[str, Schema]) -> None:
    """Take away the discriminators, here and below, whose field some member may leave out."""
    if isinstance(part, list):
        for each in part:
            drop_doubtful(each, schemas)
    elif isinstance(part, dict):
        if _is_doubtful(part, schemas):
            del part["discriminator"]
        for key, value in part.items():
            if key not in VALUES:
                drop_doubtful(value, schemas)


def _is_doubtful(union: dict[str, Any], schemas: dict[str, Schema]) -> bool:
    found = union.get("discriminator")
    if not isinstance(found, dict) or "propertyName" not in found:
        return False
    members = (reference.rpartition("/")[2] for reference in found.get("mapping", {}).values())
    name = found["propertyName"]
    return any(name not in schemas.get(member, {}).get("required", ()) for member in members)

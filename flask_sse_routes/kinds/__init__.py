"""The registry of route kinds; `http` and `sse` are two entries like any other.

Floor 2. A third kind is one file and a call of `register_kind` before its routes are
added to a blueprint.
"""

from __future__ import annotations

from ..errors import DeclarationError
from .base import Call, Kind
from .http import HttpKind
from .sse import SseKind

__all__ = ["Call", "Kind", "get_kind", "register_kind"]

_KINDS: dict[str, Kind] = {}


def register_kind(name: str, kind: Kind) -> None:
    """Make `define_route(kind=name)` known. Raises `DeclarationError` for a name in use."""
    if not isinstance(kind, Kind):
        raise DeclarationError(f"Kind {name!r} must be an instance of a Kind, not {kind!r}.")
    if name in _KINDS:
        raise DeclarationError(f"Kind {name!r} is registered already; choose another name.")
    _KINDS[name] = kind


def get_kind(name: str, owner: str) -> Kind:
    """Return a registered kind; `owner` names the route in the `DeclarationError`."""
    try:
        return _KINDS[name]
    except (KeyError, TypeError):
        known = ", ".join(repr(each) for each in sorted(_KINDS))
        raise DeclarationError(
            f"{owner}: kind={name!r} is not known; use {known}, or register_kind() it first."
        ) from None


register_kind("http", HttpKind())
register_kind("sse", SseKind())

"""A catalogue as an OpenAPI document.

Floor 1.
"""

from __future__ import annotations

from typing import Any

from .catalogue import Catalogue


def openapi(catalogue: Catalogue, version: str = "3.2.0") -> dict[str, Any]:
    """Return the document, without `servers`."""
    return {"openapi": version, "info": {"title": catalogue.title, "version": catalogue.version}}

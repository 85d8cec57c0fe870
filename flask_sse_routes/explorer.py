"""The explorer: a page that calls a blueprint's routes.

Floor 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from flask import abort

from .codegen.catalogue import Catalogue


def views() -> Iterator[tuple[str, str, Callable[[Catalogue], Any]]]:
    """Yield the path, the endpoint and the view of everything that the page consists of."""
    yield "/explorer", "explorer", _page


def _page(_catalogue: Catalogue) -> Any:
    abort(404)

"""What a handler's own code names, of which the doctor concludes what the handler uses.

Floor 3. What the functions do that it calls is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType
from typing import Any


def named_by(handler: Any) -> Iterator[str]:
    """Yield the globals and attributes that a function names, and those within it."""
    code = getattr(handler, "__code__", None)
    if code is not None:
        yield from _names(code)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)

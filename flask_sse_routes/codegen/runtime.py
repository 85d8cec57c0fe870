"""The browser client's runtime in one piece, for files that need no other.

Floor 1. Its modules are read when a client is generated; each comes after those it imports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

FOLDER = Path(__file__).parents[1] / "static" / "client"
ENTRY = "connect"
# Those whose types are the generated module's own.
PUBLIC = frozenset({"types", "errors"})
_IMPORT = re.compile(r'^import\b[^;]*?from "\./(?P<module>\w+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=\w)", re.MULTILINE)
_EXPORTED_CODE = re.compile(r"^export (?=(?:async )?function |const )", re.MULTILINE)


Suffix = Literal["ts", "js"]


def runtime(suffix: Suffix) -> str:
    """Return `createClient` and everything that it needs."""
    names = dict.fromkeys(_ordered(ENTRY, suffix))
    return "\n".join(_stripped(name, suffix) for name in names)


def _ordered(name: str, suffix: Suffix) -> Iterator[str]:
    for found in _IMPORT.finditer(_source(name, suffix)):
        yield from _ordered(found["module"], suffix)
    yield name


def _source(name: str, suffix: Suffix) -> str:
    return (FOLDER / f"{name}.{suffix}").read_text(encoding="utf-8")


def _stripped(name: str, suffix: Suffix) -> str:
    exports = _EXPORTED_CODE if name in PUBLIC else _EXPORT
    return exports.sub("", _IMPORT.sub("", _source(name, suffix)))

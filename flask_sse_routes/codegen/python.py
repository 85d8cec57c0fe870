"""A blueprint's client in Python, as one file over `flask_sse_routes.client`.

Floor 1. It has types and the table of the routes; what it does is the package's.
"""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterator
from typing import Any, NamedTuple

from .catalogue import Catalogue
from .header import header
from .inputs import callable_part, client_definitions
from .names import Names, component_names, words_of
from .namespaces import Namespace
from .py_methods import Method, Methods
from .py_types import OWN_WORDS, PythonTypes, is_plain_name, text
from .rows import routes_table

_IMPORTS = """\
from __future__ import annotations

import sys
from typing import Any, Literal, Protocol, TypeAlias, overload

from flask_sse_routes import client as _client
from flask_sse_routes.client import (
    AsyncClient,
    AsyncStream,
    Client,
    RouteError,
    RouteRow,
    Stream,
    StreamEvent,
)

if sys.version_info >= (3, 12):
    from typing import NotRequired, TypedDict, Unpack
else:
    from typing_extensions import NotRequired, TypedDict, Unpack

__all__ = ["ROUTES", "RouteError", "connect", "connect_async"]
"""
# One input type of several may be a wider form of another.
_PRAGMAS = """\
# ruff: noqa
# fmt: off
# mypy: disable-error-code="overload-cannot-match"
"""
_RESET = '''\
class ResetData(TypedDict):
    """Why a stream could not go on where it was left."""

    reason: str
'''
_CONNECT = '''\
def connect(url: str, **options: Any) -> Client[Api, Sse]:
    """Return a client; `url` is where the routes are: the server and the blueprint's prefix,
    {prefix} here. `options` are those of `flask_sse_routes.client.connect`.
    """
    return _client.connect(url, routes=ROUTES, **options)


def connect_async(url: str, **options: Any) -> AsyncClient[AsyncApi, AsyncSse]:
    """Return a client for asyncio; its parameters are those of `connect`."""
    return _client.connect_async(url, routes=ROUTES, **options)
'''
RESERVED = (
    frozenset({*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "ROUTES"})
    | frozenset({"Api", "Sse", "AsyncApi", "AsyncSse"})
    | OWN_WORDS
    | words_of(_IMPORTS + _RESET + _CONNECT)
)


def python_file(catalogue: Catalogue, blueprint: str) -> str:
    """Return the text of the file."""
    catalogue, left_out = callable_part(catalogue)
    definitions = client_definitions(catalogue)
    # A class that has a method of a type's name could not mean the type any more.
    spoken = {part for operation in catalogue.operations for part in operation.name.split(".")}
    names = Names(RESERVED | spoken)
    types = PythonTypes(component_names(definitions.components, names), definitions.components)
    methods = Methods(definitions, types, names, spoken)
    made = {operation.name: methods.of(operation) for operation in catalogue.operations}
    classes = list(_classes(catalogue, made, names))
    parts = [
        f"{_head(blueprint, left_out)}\n{_IMPORTS}",
        *(types.declaration(name) for name in sorted(definitions.components)),
        _RESET,
        *methods.declarations,
        *classes,
        f"ROUTES: dict[str, RouteRow] = {_table(routes_table(catalogue))}\n",
        _CONNECT.format(prefix=text(catalogue.prefix or "none")),
    ]
    return "\n\n".join(parts)


def _head(blueprint: str, left_out: list[str]) -> str:
    told = "\n\n".join((*header("python", blueprint), *left_out))
    return f'"""{told}\n"""\n\n{_PRAGMAS}'


class Side(NamedTuple):
    """One of the four trees of classes."""

    asynchronous: bool
    streams: bool

    def class_name(self, path: tuple[str, ...]) -> str:
        """Return the name of the class of a namespace, if it is free."""
        head = "Async" if self.asynchronous else ""
        words = (part[:1].upper() + part[1:] for part in path)
        return f"{head}{''.join(words)}{'Sse' if self.streams else 'Api'}"

    def described(self, path: tuple[str, ...]) -> str:
        """Return what its class is about."""
        return ".".join(["client", "sse" if self.streams else "api", *path])


SIDES = [Side(asynchronous, streams) for asynchronous in (False, True) for streams in (False, True)]


def _classes(catalogue: Catalogue, made: dict[str, Method], names: Names) -> Iterator[str]:
    for side in SIDES:
        chosen = [o for o in catalogue.operations if o.answer.streams is side.streams]
        known: dict[tuple[str, ...], str] = {}
        for space in Namespace.of(chosen).walk():
            wanted = side.class_name(space.path)
            known[space.path] = names.give(wanted) if space.path else wanted
            yield _class(side, space, known, made)


def _class(
    side: Side, space: Namespace, known: dict[tuple[str, ...], str], made: dict[str, Method]
) -> str:
    spaces = [
        f"    {name}: {known[inner.path]}\n"
        for name, inner in space.spaces.items()
        if is_plain_name(name)
    ]
    methods = [made[operation.name].text(side.asynchronous) for operation in space.operations]
    told = f'    """The routes of `{side.described(space.path)}`."""\n'
    body = "\n".join(["".join(part) for part in (spaces, methods) if part])
    return f"class {known[space.path]}(Protocol):\n{told}\n{body}".rstrip() + "\n"


def _table(rows: dict[str, Any]) -> str:
    lines = (f"    {text(name)}: {_row(row)},\n" for name, row in rows.items())
    return f"{{\n{''.join(lines)}}}"


def _row(row: dict[str, Any]) -> str:
    parts = (f"{text(key)}: {_value(value)}" for key, value in row.items())
    return f"{{{', '.join(parts)}}}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(text, value))}]"
    return text(value)

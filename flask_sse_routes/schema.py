"""Types of input and output: from request values to Python, from Python to JSON text.

Floor 1; pydantic does the work. Schemas are built once, when a route is registered, and
used on every request and every event.
"""

from __future__ import annotations

import collections.abc
import copy
import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import GetJsonSchemaHandler, PydanticUserError, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError, to_json

from .errors import DeclarationError, InputError, OutputError
from .input_fields import Fields

Fallback = Callable[[Any], Any] | None


def dump(value: Any, fallback: Fallback = None) -> bytes:
    """Serialise any value to JSON: ISO 8601 dates, Decimal as text, NaN as null.

    `fallback` is asked for types that pydantic does not know. Raises `OutputError`.
    """
    try:
        return to_json(value, by_alias=True, inf_nan_mode="null", fallback=fallback)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise OutputError(f"{type(value).__name__} cannot be sent as JSON: {error}") from error


class InputSchema:
    """What a route takes: a type, and how a request's fields map onto it."""

    def __init__(self, adapter: TypeAdapter[Any], document: dict[str, Any]) -> None:
        self.adapter = adapter
        self.document = document
        found = Fields(adapter.core_schema, document)
        self.fields = frozenset(found.parts)
        self._lists = found.lists()
        self._texts = found.readers()
        self._others = found.others()

    @classmethod
    def of_type(cls, owner: str, type_: Any) -> InputSchema:
        """Build the schema of an `input=` type; `owner` names the route in errors."""
        adapter = _adapter(owner, "input", _by_name(type_))
        return cls(adapter, _document(owner, "input", adapter, "validation"))

    @classmethod
    def of_parameters(
        cls, owner: str, name: str, parameters: list[inspect.Parameter], hints: Mapping[str, Any]
    ) -> InputSchema:
        """Build the schema of a handler's parameters: annotations are types, defaults defaults.

        `name` is what documents call it.
        """
        fields = [(p.name, hints.get(p.name, Any), _field(p)) for p in parameters]
        model = dataclasses.make_dataclass(name, fields, kw_only=True)
        return cls.of_type(owner, model)

    def collect(self, values: Any) -> dict[str, Any]:
        """Read a query string or form: a repeated key fills a list, else its first value counts."""
        return {
            key: self._texts[key].values(values.getlist(key))
            if key in self._lists
            else self.value(key, values.get(key))
            for key in values
        }

    def value(self, name: str, text: Any) -> Any:
        """Return what the text of a single field stands for, see `Texts`."""
        return self._texts.get(name, self._others).value(text)

    def validate(self, data: Any) -> Any:
        """Return the input object. Raises `InputError`."""
        try:
            return self.adapter.validate_python(data)
        except ValidationError as error:
            raise InputError(_faults(error)) from error


class OutputSchema:
    """The type of a response or of an event's data."""

    def __init__(self, owner: str, type_: Any) -> None:
        self.type = type_
        self._owner = owner
        self.adapter = _adapter(owner, "output", type_)
        self.document = _document(owner, "output", self.adapter, "serialization")

    def dump(self, value: Any, fallback: Fallback = None) -> bytes:
        """Validate and serialise. Raises `OutputError`."""
        try:
            checked = self.adapter.validate_python(value, from_attributes=True)
            return self.adapter.dump_json(checked, by_alias=True, fallback=fallback)
        except ValidationError as error:
            faults = "; ".join(f"{_place(f['loc'])}{f['msg']}" for f in _faults(error))
            raise OutputError(f"{self._owner}: not what it declared: {faults}") from error
        except (PydanticSerializationError, ValueError, RecursionError) as error:
            raise OutputError(f"{self._owner}: cannot be sent as JSON: {error}") from error


def _place(loc: list[Any]) -> str:
    return ".".join(map(str, loc)) + ": " if loc else ""


def _faults(error: ValidationError) -> list[dict[str, Any]]:
    return [
        {"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]}
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    ]


def _field(parameter: inspect.Parameter) -> Any:
    default = parameter.default
    if default is inspect.Parameter.empty:
        return dataclasses.field()
    if isinstance(default, FieldInfo):
        return default
    if type(default).__hash__ is None:
        return dataclasses.field(default_factory=lambda: copy.deepcopy(default))
    return dataclasses.field(default=default)


def _adapter(owner: str, what: str, type_: Any) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(type_)
    except (PydanticUserError, TypeError, NameError) as error:
        first = str(error).splitlines()[0]
        raise DeclarationError(
            f"{owner}: pydantic cannot use {type_!r} as {what}: {first}"
        ) from error


def _document(owner: str, what: str, adapter: TypeAdapter[Any], mode: Any) -> dict[str, Any]:
    try:
        return adapter.json_schema(by_alias=True, mode=mode)
    except PydanticUserError as error:
        first = str(error).splitlines()[0]
        raise DeclarationError(f"{owner}: {what} has no JSON schema: {first}") from error


class _ByName:
    """Has a named tuple described as an object: its fields come by their names."""

    def __init__(self, type_: Any) -> None:
        self._type = type_

    def __get_pydantic_json_schema__(
        self, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        row = handler.resolve_ref_schema(handler(core_schema))
        names, defaults = self._type._fields, self._type._field_defaults
        return {
            "title": self._type.__name__,
            "type": "object",
            "properties": dict(zip(names, row.get("prefixItems", ()), strict=True)),
            "required": [name for name in names if name not in defaults],
            "additionalProperties": False,
        }


def _by_name(type_: Any) -> Any:
    """Return a type of input with its named tuples, which pydantic reads from objects too."""
    members = union_members(type_)
    if not any(map(_is_named_tuple, members)):
        return type_
    named = (Annotated[m, _ByName(m)] if _is_named_tuple(m) else m for m in members)
    return typing.Union[tuple(named)]  # noqa: UP007  # of members that are known now only


def _is_named_tuple(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, tuple) and hasattr(type_, "_fields")


def type_hints(owner: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Return a handler's resolved annotations. Raises `DeclarationError`."""
    target: Any = function
    while isinstance(target, functools.partial):
        target = target.func
    if inspect.isclass(target):
        target = target.__init__
    elif not inspect.isroutine(target):
        target = type(target).__call__
    try:
        return typing.get_type_hints(inspect.unwrap(target), include_extras=True)
    except Exception as error:
        raise DeclarationError(
            f"{owner}: an annotation of its handler cannot be read ({error}). "
            "Import the name at run time, or give input= and output= instead."
        ) from error


ITERATORS = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
)


def yielded_type(hint: Any) -> Any:
    """Return T of `Iterator[T]`, `Iterable[T]`, `Generator[T, ...]`, else `None`."""
    arguments = typing.get_args(hint)
    return arguments[0] if typing.get_origin(hint) in ITERATORS and arguments else None


def union_members(type_: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the type alone."""
    origin = typing.get_origin(type_)
    return typing.get_args(type_) if origin in (typing.Union, types.UnionType) else (type_,)

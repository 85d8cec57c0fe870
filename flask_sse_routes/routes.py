"""Routes as data: what `define_route` returns and everything else reads.

Floor 1. A `Route` is frozen. `bind` runs once per route, when it is added to a blueprint:
it gives the route its name, reads the handler's signature and refuses what cannot work.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, overload

from . import schema
from .codec import EventTypes
from .errors import DeclarationError
from .hooks import AnyHook, Hook, flatten
from .queries import WHOLE, reads_more, unfillable
from .schema import InputSchema, OutputSchema

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
# Their input comes in the body, that of the others in the query string.
BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
# These names below a blueprint's prefix belong to the package; `then` would make `$api` a promise.
TAKEN_NAMES = frozenset({"then", "client.js", "openapi.json", "explorer"})
OWN_PARAMETERS = frozenset({"input", "ctx"})
# A variable of a URL rule, as Werkzeug reads it: arguments of a converter may hold anything.
VARIABLE = re.compile(
    r"<(?:(?P<converter>[a-zA-Z_][a-zA-Z0-9_]*)(?:\(.*?\))?:)?(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)>"
)
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

Handler = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One declared route.

    Made by `define_route`; `name` and the fields below it are filled in when the route is
    added to a blueprint, by `bind` and by its kind's `check`.
    """

    handler: Handler
    kind: str = "http"
    method: str = "GET"
    path: str | None = None
    input: Any = None
    output: Any = None
    events: Mapping[str, Any] = field(default_factory=dict)
    hooks: tuple[Hook, ...] = ()
    summary: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    parameters: tuple[str, ...] = ()
    returns: Any = None
    input_schema: InputSchema | None = None
    output_schema: OutputSchema | None = None
    event_types: EventTypes | None = None

    @property
    def rule(self) -> str:
        """The URL rule below the blueprint's prefix."""
        return self.path if self.path is not None else f"/{self.name}"

    @property
    def owner(self) -> str:
        """How error messages name this route."""
        return f"Route {self.name!r}" if self.name else f"Route of {_title(self.handler)}"

    def call(self, ctx: Any) -> Any:
        """Call the handler with what its parameters ask for."""
        arguments = {name: self._argument(name, ctx) for name in self.parameters}
        return self.handler(**arguments)

    def _argument(self, name: str, ctx: Any) -> Any:
        if name == "ctx":
            return ctx
        return ctx.input if name == "input" else getattr(ctx.input, name)


@overload
def define_route(handler: Handler, **options: Any) -> Route: ...


@overload
def define_route(handler: None = None, **options: Any) -> Callable[[Handler], Route]: ...


def define_route(
    handler: Handler | None = None,
    *,
    kind: str = "http",
    method: str = "GET",
    path: str | None = None,
    input: Any = None,
    output: Any = None,
    events: Mapping[str, Any] | None = None,
    hooks: Iterable[AnyHook] = (),
    summary: str | None = None,
    description: str | None = None,
    tags: Iterable[str] = (),
    deprecated: bool = False,
    **kind_options: Any,
) -> Route | Callable[[Handler], Route]:
    """Declare a route; without a handler, return a decorator that does.

    `kind` is `"http"`, `"sse"` or a registered one, which also says what `kind_options`
    mean. `path` is a Flask URL rule below the blueprint's prefix, by default the route's
    name. `input`, `output` and the values of `events` are types that
    `pydantic.TypeAdapter` takes. The declaration is checked when it is added to a
    `RouteBlueprint`. Raises `DeclarationError`.
    """

    def declare(handler: Handler) -> Route:
        owner = f"Route of {_title(handler)}"
        if not isinstance(events or {}, Mapping):
            raise DeclarationError(f"{owner}: events= maps names to types, not {events!r}.")
        return Route(
            handler=handler,
            kind=kind,
            method=method,
            path=path,
            input=input,
            output=output,
            events=MappingProxyType(dict(events or {})),
            hooks=flatten(hooks, owner),
            summary=summary,
            description=description,
            tags=tuple(tags),
            deprecated=deprecated,
            options=MappingProxyType(kind_options),
        )

    return declare if handler is None else declare(handler)


def compose_routes(*mappings: Mapping[str, Route]) -> dict[str, Route]:
    """Merge mappings of routes. Raises `DeclarationError` for a name that occurs twice."""
    merged: dict[str, Route] = {}
    for mapping in mappings:
        for name, route in mapping.items():
            if name in merged:
                raise DeclarationError(f"Route {name!r} is defined twice; rename one of them.")
            merged[name] = route
    return merged


def bind(declared: Any, name: str) -> Route:
    """Name a route, check what does not depend on its kind, and read its handler."""
    if not isinstance(declared, Route):
        raise DeclarationError(
            f"Route {name!r} is {declared!r}; make it with define_route(handler=...)."
        )
    _check_name(name)
    route = replace(declared, name=name)
    _check_handler(route)
    _check_method_and_path(route)
    hints = schema.type_hints(route.owner, route.handler)
    parameters = _parameters(route)
    route = replace(
        route,
        parameters=tuple(p.name for p in parameters if _is_filled(route, p)),
        input_schema=_input_schema(route, parameters, hints),
        returns=hints.get("return"),
    )
    _check_path_variables(route)
    return route


def _title(handler: Any) -> str:
    return getattr(handler, "__qualname__", None) or repr(handler)


def _check_name(name: Any) -> None:
    if name in TAKEN_NAMES:
        raise DeclarationError(f"Route name {name!r} is taken by the package; choose another.")
    if not isinstance(name, str) or not name.isidentifier():
        raise DeclarationError(
            f"Route name {name!r} is not an identifier; use letters, digits and underscores, "
            "and path= for another URL."
        )
    if name.startswith("_"):
        raise DeclarationError(
            f"Route name {name!r} begins with an underscore; clients keep such names for "
            "themselves. Leave it away, and use path= for another URL."
        )


def _check_handler(route: Route) -> None:
    handler = route.handler
    if not callable(handler):
        raise DeclarationError(f"{route.owner}: its handler {handler!r} is not callable.")
    while isinstance(handler, functools.partial):
        handler = handler.func
    for each in (handler, type(handler).__call__):
        if inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each):
            raise DeclarationError(
                f"{route.owner}: its handler is `async def`; write a plain function or "
                "generator, gevent makes its waiting cooperative."
            )


def _check_method_and_path(route: Route) -> None:
    if route.method not in METHODS:
        raise DeclarationError(
            f"{route.owner}: method={route.method!r} is not one of {', '.join(METHODS)} "
            "(HEAD and OPTIONS are answered by themselves)."
        )
    if route.path is not None and not str(route.path).startswith("/"):
        raise DeclarationError(f"{route.owner}: path={route.path!r} must begin with '/'.")
    if set("{}%") & set(VARIABLE.sub("", route.rule)):
        raise DeclarationError(
            f"{route.owner}: path={route.path!r} has one of {{ }} %, which documents and clients "
            "could not tell from a variable or an escape; variables are <name>."
        )


def _parameters(route: Route) -> list[inspect.Parameter]:
    try:
        found = list(inspect.signature(route.handler).parameters.values())
    except ValueError as error:
        raise DeclarationError(
            f"{route.owner}: its handler has no readable signature; wrap it in a function."
        ) from error
    bound = _bound_keywords(route.handler)
    found = [parameter for parameter in found if parameter.name not in bound]
    for parameter in found:
        if parameter.kind in _VARIADIC:
            raise DeclarationError(
                f"{route.owner}: its handler takes {parameter}, which nothing fills; name its "
                "parameters (a decorator needs functools.wraps)."
            )
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise DeclarationError(
                f"{route.owner}: parameter {parameter.name!r} is positional-only, and handlers "
                "are called by name; remove the '/'."
            )
    return found


def _bound_keywords(handler: Any) -> set[str]:
    """Return the parameters that a partial has filled: no client may fill them again."""
    bound: set[str] = set()
    while isinstance(handler, functools.partial):
        bound.update(handler.keywords)
        handler = handler.func
    return bound


def _is_filled(route: Route, parameter: inspect.Parameter) -> bool:
    """Tell whether the package passes this parameter; one that it cannot must have a default."""
    name = parameter.name
    if name == "ctx" or (name == "input" and route.input is not None):
        return True
    if name == "input":
        raise DeclarationError(
            f"{route.owner}: its handler takes `input`, but there is no input= type to fill it; "
            "give one, or name the single fields as parameters."
        )
    if route.input is None:
        return True
    if parameter.default is inspect.Parameter.empty:
        raise DeclarationError(
            f"{route.owner}: nothing fills the parameter {name!r}; with input= a handler takes "
            "`input` and `ctx`."
        )
    return False


def _input_schema(
    route: Route, parameters: list[inspect.Parameter], hints: Mapping[str, Any]
) -> InputSchema | None:
    if route.input is not None:
        return InputSchema.of_type(route.owner, route.input)
    fields = [p for p in parameters if p.name not in OWN_PARAMETERS]
    if not fields:
        return None
    name = "".join(part.capitalize() for part in route.name.split("_")) + "Input"
    return InputSchema.of_parameters(route.owner, name, fields, hints)


def _check_path_variables(route: Route) -> None:
    fields = route.input_schema.fields if route.input_schema else frozenset()
    for name in (found["name"] for found in VARIABLE.finditer(route.rule)):
        if name not in fields:
            raise DeclarationError(
                f"{route.owner}: the path variable {name!r} of {route.rule!r} is not in its "
                "input; add a parameter or input field of that name."
            )


def check_query(route: Route, given: frozenset[str]) -> None:
    """Refuse input that no query string could bring; `given` are the fields that the URL has."""
    found = route.input_schema
    if found is None or route.method in BODY_METHODS or reads_more(found.adapter.core_schema):
        return
    name = unfillable(found.document, found.document.get("$defs", {}), given)
    if name is None:
        return
    owner = f"{route.owner}: the input of a {route.method} route comes in the query string, which"
    if name == WHOLE:
        raise DeclarationError(
            f"{owner} consists of fields; make the whole of input={route.input!r} a field of a "
            'model or a parameter of the handler, or use method="POST".'
        )
    raise DeclarationError(
        f"{owner} cannot carry {name!r}: no objects, no lists within lists, no null. Give it a "
        'default, or use method="POST".'
    )

"""`RouteBlueprint`: a Flask blueprint whose views are declared routes.

Floor 2. Routes are checked when they are added; they meet the app, its hooks and the
blueprint's place in it when the blueprint is registered.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from flask import Blueprint, after_this_request, request
from flask.blueprints import BlueprintSetupState
from flask.wrappers import Response
from werkzeug.exceptions import HTTPException, ServiceUnavailable

from . import diagnosis, health
from .cors import CORS
from .documents import document_views, joined
from .errors import BrokerUnavailable, DeclarationError, StreamError
from .extension import Placed, runtime_of, this_app
from .hooks import AnyHook, Hook, flatten
from .kinds import Call, get_kind
from .logs import Log
from .policies import NOTHING, PRIVATE, Policy, declared, keep_private, refuse_foreign
from .routes import VARIABLE, Route, bind, define_route
from .streams import PROCESS

log = Log(__name__)

F = TypeVar("F", bound=Callable[..., Any])
# Variables of these converters are tried before those of all others.
TRIED_FIRST = ("int", "float")
# Werkzeug takes several for one.
SLASHES = re.compile("/{2,}")


class RouteBlueprint(Blueprint):
    """A blueprint of declared routes: a mapping, decorators, or both.

    `hooks` run for each of its routes, and of the blueprints nested in it, after the app's
    and before a route's own. `title` and `version` are for its documents. `cors` are origins
    whose pages may use it, a list or a `CORS`; by default there are none. With `check_origin` its
    routes refuse what pages of all other origins send; plain views, added with `route`, have
    neither hooks nor this check. Both hold for nested blueprints that do not say otherwise.
    Everything else is as in `flask.Blueprint`. Raises `DeclarationError` for a route that cannot
    work.
    """

    def __init__(
        self,
        name: str,
        import_name: str,
        routes: Mapping[str, Route] | None = None,
        *,
        hooks: Iterable[AnyHook] = (),
        title: str | None = None,
        version: str | None = None,
        cors: CORS | str | Iterable[str] | None = None,
        check_origin: bool | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, import_name, **options)
        self.title = title
        self.version = version
        self.policy = declared(f"RouteBlueprint {name!r}", cors, check_origin)
        self.hooks = flatten(hooks, f"RouteBlueprint {name!r}")
        self.routes: dict[str, Route] = {}
        self.record(_introduce)
        for route_name, route in (routes or {}).items():
            self.add_route(route_name, route)

    def add_route(self, name: str, route: Route) -> Route:
        """Check a route and add it under `name`; return it complete."""
        route = bind(route, name)
        kind = get_kind(route.kind, route.owner)
        route = kind.check(route)
        if name in self.routes:
            raise DeclarationError(f"Route {name!r} is defined twice; rename one of them.")
        if route.method == "GET" and _shape(route.rule) in OWN_SHAPES:
            raise DeclarationError(
                f"{route.owner}: GET {route.rule} is the package's own below every RouteBlueprint; "
                "give the route another path= or method=."
            )
        for other in self.routes.values():
            if (other.method, _unnamed(other.rule)) == (route.method, _unnamed(route.rule)):
                raise DeclarationError(
                    f"{route.owner}: {route.method} {route.rule} is {other.owner.lower()} already; "
                    "give one of them another path= or method=."
                )

        def add(state: BlueprintSetupState) -> None:
            hooks = (*_inherited_hooks(state), *route.hooks)
            rule = joined(state.url_prefix, route.rule)
            kind.check_place(route, _variables(state, rule))
            full_name, runtime = _full_name(state), runtime_of(state.app)
            runtime.place(Placed(full_name, route, rule, hooks))
            try:
                view = _view(route, hooks, runtime.policies.of([full_name]))
                state.add_url_rule(route.rule, name, view, methods=[route.method])
            except (ValueError, LookupError) as error:
                raise DeclarationError(
                    f"{route.owner}: Flask refuses path={route.rule!r}: {error}"
                ) from error

        self.record(add)
        self.routes[name] = route
        return route

    def http(self, path: str | None = None, **options: Any) -> Callable[[F], F]:
        """Declare the decorated function an http route; its name is the route's."""
        return self._decorator("http", path, options)

    def sse(self, path: str | None = None, **options: Any) -> Callable[[F], F]:
        """Declare the decorated generator function an sse route; its name is the route's."""
        return self._decorator("sse", path, options)

    def _decorator(self, kind: str, path: str | None, options: dict[str, Any]) -> Callable[[F], F]:
        if callable(path):
            raise DeclarationError(f"Write @{self.name}.{kind}(), with parentheses.")
        name = options.pop("name", None)

        def decorate(function: F) -> F:
            route = define_route(function, kind=kind, path=path, **options)
            self.add_route(name or function.__name__, route)
            return function

        return decorate


def _introduce(state: BlueprintSetupState) -> None:
    """Make the blueprint known to the app's runtime, which is set up if there is none."""
    name = _full_name(state)
    if state.name_prefix and state.name.startswith("_"):
        raise DeclarationError(
            f"RouteBlueprint {state.name!r} is nested in another, and its name begins with an "
            "underscore; clients keep such names for themselves. Leave it away."
        )
    runtime_of(state.app).add_blueprint(name, state.url_prefix, _policy(state))
    for path, endpoint, view in _own_views(name):
        state.add_url_rule(path, endpoint, view, methods=["GET"])


def _own_views(name: str) -> tuple[tuple[str, str, Callable[..., Any]], ...]:
    """Return the path, the endpoint and the view of what the package serves for a blueprint."""
    return (*document_views(name), *diagnosis.views(), *health.views())


def _unnamed(rule: str) -> str:
    """Return a URL rule whose variables have no names: of two alike, the second never answers."""
    rule = VARIABLE.sub(lambda found: f"{found[0].removesuffix(found['name'] + '>')}>", rule)
    return SLASHES.sub("/", rule)


def _shape(rule: str) -> str:
    """Return a URL rule without the names of variables: of two alike, the first one answers."""
    rule = VARIABLE.sub(lambda found: found[0] if found["converter"] in TRIED_FIRST else "<>", rule)
    return SLASHES.sub("/", rule)


OWN_SHAPES = frozenset(_shape(path) for path, _, _ in _own_views(""))


def _policy(state: BlueprintSetupState) -> Policy:
    blueprint = state.blueprint
    return blueprint.policy if isinstance(blueprint, RouteBlueprint) else NOTHING


def _full_name(state: BlueprintSetupState) -> str:
    return f"{state.name_prefix}.{state.name}".lstrip(".")


def _variables(state: BlueprintSetupState, rule: str) -> frozenset[str]:
    """Return the variables that requests for a rule bring, from wherever they come."""
    whole = f"{state.subdomain or ''}{rule}"
    found = (variable["name"] for variable in VARIABLE.finditer(whole))
    return frozenset({*found, *state.url_defaults})


def _inherited_hooks(state: BlueprintSetupState) -> tuple[Hook, ...]:
    """Return the hooks of the blueprints around a route, from the outermost in."""
    hooks: list[Hook] = []
    parts = _full_name(state).split(".")
    for length in range(1, len(parts) + 1):
        blueprint = state.app.blueprints.get(".".join(parts[:length]))
        if isinstance(blueprint, RouteBlueprint):
            hooks.extend(blueprint.hooks)
    return tuple(hooks)


def _view(route: Route, hooks: tuple[Hook, ...], policy: Policy) -> Callable[..., Response]:
    kind = get_kind(route.kind, route.owner)
    streams = kind.describe(route).streams

    def view(**_variables: Any) -> Response:
        app = this_app()
        runtime = runtime_of(app)
        all_hooks = (*runtime.hooks, *hooks)
        actual = request._get_current_object()  # type: ignore[attr-defined]  # a proxy
        PROCESS.note(actual.environ)
        if all_hooks or runtime.identify is not None or policy.check_origin:
            actual.environ[PRIVATE] = True
            # Before any after_request function: a default of the whole app is for what has none.
            after_this_request(keep_private)
        if policy.check_origin:
            refuse_foreign(actual, policy.cors)
        try:
            return kind.respond(Call(app, runtime, route, all_hooks, actual, streams))
        except StreamError as error:
            raise _as_http(error) from error
        except BrokerUnavailable as error:
            log.warning("%s: %s", route.owner, error)
            raise ServiceUnavailable("The broker does not answer.", retry_after=3) from error

    return view


def _as_http(error: StreamError) -> HTTPException:
    """Return the HTTP form of an error that came before the first event."""
    refusal = HTTPException(error.detail)
    refusal.code = error.status
    return refusal

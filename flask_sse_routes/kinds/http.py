"""The `http` kind: the handler returns once, the response is one JSON document.

Floor 2.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Annotated, Any, get_args, get_origin

from flask.wrappers import Response
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as WerkzeugResponse

from ..codegen.catalogue import Answer
from ..errors import DeclarationError
from ..hooks import HookRun
from ..routes import Route
from ..schema import OutputSchema, dump, union_members
from .base import Call, Kind

JSON_TYPE = "application/json"
BODILESS = frozenset({204, 205, 304})


class HttpKind(Kind):
    """One request, one response."""

    def check(self, route: Route) -> Route:
        route = super().check(route)
        if route.events:
            raise DeclarationError(f"{route.owner}: events= needs kind='sse'.")
        if inspect.isgeneratorfunction(inspect.unwrap(route.handler)):
            raise DeclarationError(
                f"{route.owner}: its handler yields; declare it with kind='sse', or return a list."
            )
        declared = route.output if route.output is not None else _returned(route)
        if declared is None:
            return route
        return replace(route, output_schema=OutputSchema(route.owner, declared))

    def respond(self, call: Call) -> Response:
        ctx = call.context()
        call.read_input(ctx)
        if not call.hooks:
            return _response(call, call.route.call(ctx), call.route.output_schema)
        run = HookRun(call.hooks, ctx)
        outcome, error = "error", None
        try:
            try:
                answer = run.before()
            except HTTPException:
                outcome = "rejected"
                raise
            if answer is not None:
                ctx.response = _response(call, answer, None)
            else:
                result = call.route.call(ctx)
                ctx.response = _response(call, result, call.route.output_schema)
            run.after()
            outcome = "completed"
            return ctx.response
        except BaseException as raised:
            error = raised
            raise
        finally:
            call.cleanup(run, ctx, outcome, error)

    def describe(self, route: Route) -> Answer:
        if any(_is_response(member) for member in union_members(route.returns)):
            return Answer()
        return Answer(media_type=JSON_TYPE, schema=route.output_schema)


def _returned(route: Route) -> Any:
    """Return the type that the handler's annotation gives the response, if it gives one."""
    if route.returns in (None, Any, type(None), inspect.Signature.empty):
        return None
    for member in union_members(route.returns):
        # A tuple is (body, status, headers), and what is a Response already has no schema.
        if _allows_tuple(member) or _is_response(member):
            return None
    return route.returns


def _is_response(type_: Any) -> bool:
    return isinstance(type_, type) and issubclass(type_, WerkzeugResponse)


def _allows_tuple(type_: Any) -> bool:
    """Tell whether a plain tuple is among what a type allows."""
    if get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    return any((get_origin(member) or member) is tuple for member in union_members(type_))


def _response(call: Call, value: Any, schema: OutputSchema | None) -> Response:
    if isinstance(value, WerkzeugResponse):
        return call.app.make_response(value)
    status = headers = None
    # A named tuple is a value; a plain one is Flask's, unless the declared type is a tuple.
    if type(value) is tuple and not (schema and _allows_tuple(schema.type)):
        value, status, headers = _parts(call.route, value)
    if isinstance(value, WerkzeugResponse):
        response = call.app.make_response(value)
    else:
        response = call.app.response_class(_body(call, value, schema), mimetype=JSON_TYPE)
    if status is not None:
        response.status = status  # Werkzeug takes 404, HTTPStatus and "404 NOT FOUND"
        if not 100 <= response.status_code <= 599:
            raise ValueError(f"{call.route.owner} returned the status {status!r}.")
    if headers:
        response.headers.update(headers)
    if response.status_code in BODILESS:
        response.set_data(b"")
    return response


def _parts(route: Route, value: tuple[Any, ...]) -> tuple[Any, Any, Any]:
    """Split what a handler returned as Flask does: body, status, headers."""
    if len(value) == 3:
        return value
    if len(value) == 2:
        body, second = value
        is_headers = isinstance(second, (dict, list)) or hasattr(second, "items")
        return (body, None, second) if is_headers else (body, second, None)
    raise TypeError(
        f"{route.owner} returned a tuple of {len(value)}; return (body, status, headers), a "
        "list, or declare output=."
    )


def _body(call: Call, value: Any, schema: OutputSchema | None) -> bytes:
    fallback = call.runtime.fallback
    if schema is None or not call.runtime.config.validate_output:
        return dump(value, fallback)
    return schema.dump(value, fallback)

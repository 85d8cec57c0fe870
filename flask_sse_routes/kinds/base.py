"""What a kind of route is: one object with `check`, `respond`, `describe` and its options.

Floor 2. `check` runs when a route is added to a blueprint, `check_place` when the blueprint is
registered, `respond` for every request, inside the request context, `describe` when a blueprint
is registered, and when documents and clients are made.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from flask import Flask
from flask.wrappers import Request, Response
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from ..addresses import client_of
from ..body_limit import bound
from ..codegen.catalogue import Answer
from ..config import Config
from ..context import Context
from ..errors import DeclarationError, InputError
from ..hooks import Hook, HookRun
from ..logs import Log
from ..problems import InvalidInput
from ..routes import BODY_METHODS, Route, check_query
from ..schema import Fallback
from ..streams import Streams

log = Log(__name__)

# JSON's grammar lets one half of a pair pass, but it is no text that could be sent again.
SURROGATE = re.compile(r"\\u[dD]")


class Runtime(Protocol):
    """What a kind needs of the app that a route is registered with."""

    streams: Streams
    identify: Any
    # What a kind has worked out about a route, by the `id` of the route, which it keeps.
    rules: dict[int, Any]

    def obey(self) -> None:
        """Be ready for revocations."""

    @property
    def config(self) -> Config:
        """The app's configuration."""

    @property
    def fallback(self) -> Fallback:
        """What serialises a type that pydantic does not know."""

    @property
    def max_streams(self) -> int | None:
        """The number of streams that may be open in this process."""


@dataclass(slots=True)
class Call:
    """One request to one route."""

    app: Flask
    runtime: Runtime
    route: Route
    hooks: tuple[Hook, ...]
    request: Request
    # Whether the answer is a stream, whose transport has a word of its own in the query.
    streams: bool = False

    @property
    def address(self) -> str | None:
        """The client's address, behind the proxies that `SSE_TRUSTED_PROXIES` names."""
        proxies = self.runtime.config.trusted_proxies
        forwarded = self.request.environ.get("HTTP_X_FORWARDED_FOR", "") if proxies else ""
        return client_of(self.request.remote_addr, forwarded, proxies)

    @property
    def endpoint(self) -> str:
        """The route's name with those of the blueprints around it."""
        return self.request.endpoint or self.route.name

    def context(self) -> Context:
        """Return a new context for this call."""
        return self.context_of(self.request)

    def context_of(self, request: Request) -> Context:
        """Return a new context for a request like this call's."""
        return Context(self.app, self.route, request, self.runtime.identify)

    def read_input(self, ctx: Context) -> None:
        """Validate the request's input into `ctx.input`. Raises `HTTPException`."""
        schema = self.route.input_schema
        if schema is None:
            return
        try:
            ctx.input = schema.validate(self._data())
        except InputError as error:
            raise InvalidInput(error) from error

    def _data(self) -> Any:
        data = self._body() if self.request.method in BODY_METHODS else self._query()
        if self.request.view_args and isinstance(data, dict):
            return {**data, **self._variables(self.request.view_args)}
        return data

    def _variables(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """Return those that the input has: a blueprint's prefix may have others."""
        schema = self.route.input_schema
        assert schema is not None
        return {n: schema.value(n, value) for n, value in found.items() if n in schema.fields}

    def _query(self) -> dict[str, Any]:
        schema = self.route.input_schema
        assert schema is not None
        data = schema.collect(self.request.args)
        if self.streams and "last_event_id" not in schema.fields:
            data.pop("last_event_id", None)  # the transport's own, see context.last_event_id
        return data

    def _body(self) -> Any:
        request, schema = self.request, self.route.input_schema
        assert schema is not None
        bound(request, self.runtime.config.max_body_bytes)
        if request.is_json:
            return self._json()
        if request.mimetype in ("application/x-www-form-urlencoded", "multipart/form-data"):
            return schema.collect(request.form)
        if not request.mimetype and not request.content_length:
            return {}
        raise UnsupportedMediaType("Send application/json or a form.")

    def _json(self) -> Any:
        try:
            text = self.request.get_data().decode()
            data = self.app.json.loads(text)
            if SURROGATE.search(text):
                json.dumps(data, ensure_ascii=False).encode()
            return data
        except (ValueError, RecursionError) as error:
            raise BadRequest("The body is not valid JSON.") from error

    def cleanup(self, run: HookRun, ctx: Context, outcome: str, error: Any = None) -> None:
        """Run the cleanup hooks in an app context of their own."""
        ctx.outcome = outcome
        ctx.error = error
        try:
            if run.needs_cleanup:
                with self.app.app_context():
                    run.cleanup()
        except Exception as failure:
            what = "%s: a teardown function failed after cleanup"
            log.error(what, self.route.owner, error=failure, debug=self.app.debug)
        finally:
            ctx.error = None  # its traceback holds the context: a cycle


class Kind:
    """A kind of route. Subclass it, and give an instance to `register_kind`.

    `options` are the names that `define_route` takes for this kind, with their defaults.
    """

    options: ClassVar[Mapping[str, Any]] = {}

    def check(self, route: Route) -> Route:
        """Refuse what cannot work, and return the route with its options complete.

        Raises `DeclarationError`.
        """
        for name in route.options:
            if name not in self.options:
                raise DeclarationError(self._unknown(route, name))
        return replace(route, options={**self.options, **route.options})

    def check_place(self, route: Route, variables: frozenset[str]) -> None:
        """Refuse what cannot work where the route is; it runs when its blueprint is registered.

        `variables` are those of the whole URL, with the prefixes around the route. By default a
        query string has to be able to bring the input of a GET or DELETE. Raises
        `DeclarationError`.
        """
        check_query(route, variables)

    def respond(self, call: Call) -> Response:
        """Answer a request."""
        raise NotImplementedError

    def describe(self, route: Route) -> Answer:
        """Tell documents and clients what a checked route sends; by default, anything."""
        return Answer()

    def _unknown(self, route: Route, name: str) -> str:
        sentence = f"{route.owner}: unknown option {name!r} for kind {route.kind!r}"
        near = difflib.get_close_matches(name, [*self.options, *COMMON_OPTIONS], n=1)
        return f"{sentence}; did you mean {near[0]!r}?" if near else f"{sentence}."


COMMON_OPTIONS = [
    "kind",
    "method",
    "path",
    "input",
    "output",
    "events",
    "hooks",
    "summary",
    "description",
    "tags",
    "deprecated",
]

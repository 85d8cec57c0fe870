"""What a blueprint serves beside its routes: `client.js`, `openapi.json` and the explorer.

Floor 2. They are made from the routes at the first request for each, and kept: as bytes, but
for what depends on where the app is mounted.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from flask import Flask, request
from flask.wrappers import Response

from . import explorer
from .codegen.catalogue import Catalogue, Operation
from .codegen.javascript import client_module
from .codegen.openapi import openapi, server_path
from .extension import AppRuntime, runtime_of, this_app
from .kinds import get_kind

JAVASCRIPT = "text/javascript; charset=utf-8"
JSON = "application/json"

View = Callable[..., Any]
T = TypeVar("T")


class Text(NamedTuple):
    """A document as it is sent, and its SHA-256 digest in base 64."""

    body: bytes
    content_type: str
    digest: str

    @classmethod
    def of(cls, text: str, content_type: str) -> Text:
        """Encode a text."""
        body = text.encode()
        return cls(body, content_type, base64.b64encode(hashlib.sha256(body).digest()).decode())


def document_views(blueprint: str) -> Iterator[tuple[str, str, View]]:
    """Yield the path, the endpoint and the view of each document of a blueprint.

    No route can have such an endpoint: its name would be no identifier, or is taken.
    """
    yield "/client.js", "client-js", lambda **_: _client(blueprint)
    yield "/openapi.json", "openapi-json", lambda **_: _openapi(blueprint)
    for path, endpoint, view in explorer.views():
        yield path, endpoint, _with_routes(view, blueprint)


def catalogue_of(app: Flask, blueprint: str) -> Catalogue:
    """Return what a registered blueprint offers, with what is nested in it.

    `blueprint` is its full name: `api`, or `outer.inner`.
    """
    runtime = runtime_of(app)
    prefix = runtime.blueprints[blueprint]
    operations = _operations(runtime, blueprint, len(prefix))
    around = app.blueprints[blueprint]
    title, version = getattr(around, "title", None), getattr(around, "version", None)
    return Catalogue.of(title or around.name, version or "0", prefix, operations)


def joined(prefix: str | None, rule: str) -> str:
    """Return a URL rule below a prefix, as Flask joins them."""
    return f"{(prefix or '').rstrip('/')}/{rule.lstrip('/')}"


def serve(text: Text) -> Response:
    """Answer with a text that changes only when the app does.

    The digest that `integrity=` of a script element takes is in `Repr-Digest` (RFC 9530).
    """
    response = this_app().response_class(text.body, content_type=text.content_type)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Repr-Digest"] = f"sha-256=:{text.digest}:"
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(text.digest)
    return response.make_conditional(request)  # type: ignore[return-value]  # it returns itself


def _client(blueprint: str) -> Response:
    def make() -> Text:
        return Text.of(client_module(_catalogue(blueprint)), JAVASCRIPT)

    return serve(_kept(("client.js", blueprint), make))


def _openapi(blueprint: str) -> Response:
    """Answer with the document; where the app is mounted is known in a request only."""

    def make() -> Text:
        document = _kept(("openapi", blueprint), lambda: openapi(_catalogue(blueprint)))
        prefix = request.script_root + server_path(runtime_of(this_app()).blueprints[blueprint])
        whole = {**document, "servers": [{"url": prefix or "/"}]}
        return Text.of(json.dumps(whole, indent=2, allow_nan=False), JSON)

    return serve(make() if request.script_root else _kept(("openapi.json", blueprint), make))


def _with_routes(view: Callable[[explorer.Told], Any], blueprint: str) -> View:
    def make() -> Text:
        return Text.of(explorer.described(_catalogue(blueprint)), JSON)

    return lambda **_: view(lambda: serve(_kept((explorer.ROUTES, blueprint), make)))


def _catalogue(blueprint: str) -> Catalogue:
    return _kept(("catalogue", blueprint), lambda: catalogue_of(this_app(), blueprint))


def _kept(key: tuple[str, str], make: Callable[[], T]) -> T:
    runtime = runtime_of(this_app())
    documents = runtime.documents
    if key not in documents:
        with runtime.documents_lock():
            if key not in documents:
                documents[key] = make()
    found: T = documents[key]
    return found


def _operations(runtime: AppRuntime, blueprint: str, cut: int) -> Iterator[Operation]:
    for placed in runtime.placed:
        if not f"{placed.blueprint}.".startswith(f"{blueprint}."):
            continue
        nested = placed.blueprint[len(blueprint) + 1 :]
        kind = get_kind(placed.route.kind, placed.route.owner)
        yield Operation(
            namespace=tuple(nested.split(".")) if nested else (),
            route=placed.route,
            rule=placed.rule[cut:],
            hooks=(*runtime.hooks, *placed.hooks),
            answer=kind.describe(placed.route),
        )

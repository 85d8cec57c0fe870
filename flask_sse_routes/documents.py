"""What a blueprint serves beside its routes: `client.js`, `openapi.json` and the explorer.

Floor 2. They are made from the routes at the first request for each, and kept.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

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


def document_views(blueprint: str) -> Iterator[tuple[str, str, View]]:
    """Yield the path, the endpoint and the view of each document of a blueprint.

    No route can have such an endpoint: its name would be no identifier, or is taken.
    """
    yield "/client.js", "client-js", lambda **_: _client(blueprint)
    yield "/openapi.json", "openapi-json", lambda **_: _openapi(blueprint)
    for path, endpoint, view in explorer.views():
        yield path, endpoint, _with_catalogue(view, blueprint)


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


def serve(text: str, content_type: str) -> Response:
    """Answer with a text that changes only when the app does.

    The digest that `integrity=` of a script element takes is in `Repr-Digest` (RFC 9530).
    """
    body = text.encode()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    response = this_app().response_class(body, content_type=content_type)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Repr-Digest"] = f"sha-256=:{digest}:"
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(digest)
    return response.make_conditional(request)  # type: ignore[return-value]  # it returns itself


def _client(blueprint: str) -> Response:
    text = _kept(("client.js", blueprint), lambda: client_module(_catalogue(blueprint)))
    return serve(text, JAVASCRIPT)


def _openapi(blueprint: str) -> Response:
    document = _kept(("openapi.json", blueprint), lambda: openapi(_catalogue(blueprint)))
    # Where the app is mounted is known in a request only.
    prefix = request.script_root + server_path(runtime_of(this_app()).blueprints[blueprint])
    return serve(json.dumps({**document, "servers": [{"url": prefix or "/"}]}, indent=2), JSON)


def _with_catalogue(view: Callable[[Catalogue], Any], blueprint: str) -> View:
    return lambda **_: view(_catalogue(blueprint))


def _catalogue(blueprint: str) -> Catalogue:
    return catalogue_of(this_app(), blueprint)


def _kept(key: tuple[str, str], make: Callable[[], Any]) -> Any:
    documents = runtime_of(this_app()).documents
    if key not in documents:
        documents[key] = make()
    return documents[key]


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

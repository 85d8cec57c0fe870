"""Finding the app behind a URL: its probe below a prefix, or a stream that anybody may open.

Floor 3. The app's own prefixes are tried below the URL's path, at it and above it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Flask

from ..diagnosis import HEADER, PATH, SEEN, Facts, Order, sign
from ..extension import runtime_of
from .exchange import Exchange
from .target import Target
from .watch import Tick, Watch

# Seconds for a document to come.
PATIENCE = 10.0
# What a proxy says where the app behind it does not answer.
AWAY = (502, 503, 504)


class Unreachable(Exception):
    """Nothing answers at the URL."""


class Redirected(Exception):
    """What answers at the URL sends clients to another server."""


class Probe(NamedTuple):
    """Where the running app answers the doctor, and what it says of itself."""

    path: str
    facts: Facts


class Documented(NamedTuple):
    """A stream of an OpenAPI document; `is_open`: without input and credentials."""

    path: str
    is_open: bool


def find_probe(target: Target, app: Flask | None, tick: Tick) -> Probe | None:
    """Look for the app's probe. Raises `Unreachable` or `Redirected`."""
    for place in places(target, app):
        nonce = secrets.token_hex(8)
        token = sign(app, Order("facts", nonce)) if app is not None else None
        if token is None:
            return None
        headers = {HEADER: token, "Last-Event-ID": SEEN}
        facts = _facts(fetch(target, f"{place}{PATH}", tick, headers), nonce)
        if facts is not None:
            return Probe(f"{place}{PATH}", facts)
    return None


def find_streams(target: Target, app: Flask | None, tick: Tick) -> list[str]:
    """Return the URL's own path if a stream is there, or those that anybody may open."""
    for place in places(target, app):
        streams = list(streams_of(fetch(target, f"{place}/openapi.json", tick)))
        if any(f"{place}{stream.path}" == target.path for stream in streams):
            return [target.path + target.query]
        if found := [f"{place}{stream.path}" for stream in streams if stream.is_open]:
            return found
    return []


def places(target: Target, app: Flask | None) -> list[str]:
    """Return the paths at which a blueprint may be."""
    prefixes = sorted(set(runtime_of(app).blueprints.values())) if app is not None else ["/api"]
    fixed = [prefix for prefix in prefixes if "<" not in prefix]
    below = [target.path + prefix for prefix in fixed]
    above = [
        target.path[: target.path.index(f"{prefix}/") + len(prefix)]
        for prefix in fixed
        if prefix and f"{prefix}/" in target.path
    ]
    return list(dict.fromkeys([*below, target.path, *above]))


def fetch(target: Target, path: str, tick: Tick, headers: dict[str, str] | None = None) -> Any:
    """Return the JSON document at a path; `None` where there is none.

    Raises `Unreachable` or `Redirected`.
    """
    watch = Watch(Exchange(target, path, {"Accept": "application/json", **(headers or {})}))
    try:
        watch.until(lambda: watch.is_stream, PATIENCE, tick)
    finally:
        watch.close()
    if watch.end is not None and watch.end.error is not None and watch.head_at is None:
        raise Unreachable(str(watch.end.error)) from watch.end.error
    if watch.head_at is None:
        raise Unreachable(f"no answer within {PATIENCE:g} s")
    if watch.status in AWAY:
        raise Unreachable(f"status {watch.status}")
    _refuse_elsewhere(target, watch)
    try:
        return json.loads(watch.body) if watch.status == 200 else None
    except ValueError:
        return None


def _refuse_elsewhere(target: Target, watch: Watch) -> None:
    """Refuse a redirection to another server, from HTTP to HTTPS for example."""
    parts = urlsplit(watch.headers.get("Location", "")) if 300 <= watch.status < 400 else None
    if parts is None or not parts.hostname or not parts.scheme:
        return
    if (parts.scheme, parts.hostname) != (target.scheme, target.host):
        port = f":{parts.port}" if parts.port is not None else ""
        raise Redirected(f"{parts.scheme}://{parts.hostname}{port}")


def streams_of(document: Any) -> Iterator[Documented]:
    """Yield the streams that an OpenAPI document has."""
    paths = document.get("paths", {}) if isinstance(document, dict) else {}
    for path, item in paths.items():
        operation = item.get("get", {})
        content = operation.get("responses", {}).get("200", {}).get("content", {})
        if "text/event-stream" in content:
            needs = _required(operation.get("parameters", ()))
            yield Documented(path, is_open=not needs and not operation.get("security"))


def _required(parameters: Iterable[Any]) -> bool:
    return any(each.get("required") for each in parameters)


def _facts(document: Any, nonce: str) -> Facts | None:
    try:
        facts = Facts(**document)
    except TypeError:  # it is something else
        return None
    return facts if facts.nonce == nonce else None

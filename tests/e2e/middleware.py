"""WSGI middleware of the application under test: one that wraps bodies, one that does not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def wrapping(app: Application) -> Application:
    """Pass bodies on chunk by chunk, as what measures or signs them does."""

    def pass_on(body: Iterable[bytes]) -> Iterator[bytes]:
        closing = getattr(body, "close", None)
        with contextlib.ExitStack() as stack:
            if closing is not None:
                stack.callback(closing)
            yield from body

    return lambda environ, start_response: pass_on(app(environ, start_response))


def headers(app: Application) -> Application:
    """Add a header to each response and leave its body alone."""

    def call(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, fields: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, [*fields, ("X-Middleware", "yes")], *error)

        return app(environ, start)

    return call


MIDDLEWARE = {"wrapping": wrapping, "headers": headers}

"""What `flask sse doctor` asks of a running server: facts, and a stream with events at known times.

Floor 2. Below each blueprint's prefix, for whoever shows a token that was signed with the app's
`SECRET_KEY` within the last minute; to everybody else, and to everybody where there is no such key,
a GET answers 404. Nothing of the app runs or is told: only how its server is set up.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from flask import Flask, abort, request
from flask.wrappers import Response
from itsdangerous import BadSignature, URLSafeTimedSerializer

from .addresses import client_of
from .concurrency import cooperative
from .context import Context
from .extension import runtime_of, this_app
from .hooks import define_hook, flatten
from .kinds import Call, get_kind
from .routes import Route, bind, define_route

PATH = "/sse-doctor"
# A header and not the query string, which access logs keep.
HEADER = "SSE-Doctor"
SALT = "flask_sse_routes.doctor"
# Seconds for which a token is good, and that a stream may last.
AGE, LONGEST = 60, 900.0
# Streams that one process serves at once.
MOST = 8
# What a stream says first: so many events, with so many seconds between them.
EVENTS, EVERY = 4, 0.25
# What the doctor sends as the id that it has seen last.
SEEN = "doctor-1"


class Order(NamedTuple):
    """What is asked for: `facts`, or a `stream` that is silent for some seconds before it ends."""

    what: str
    nonce: str
    seconds: float = 0.0


class Facts(NamedTuple):
    """How the process that answered is set up, and how the question reached it.

    `worker` is `sync`, `threads`, `gevent` or `SSEWorker`; `named` tells whether the client's
    address is one of those that the proxies have named, or nobody has named any: `None` where the
    client and the proxy may be one machine.
    """

    nonce: str
    server: str
    worker: str
    processes: bool
    protocol: str
    tls: bool
    descriptors: int | None
    last_event_id: bool
    named: bool | None


def sign(app: Flask, order: Order) -> str | None:
    """Return the token of an order; `None` where the app has no `SECRET_KEY`."""
    return str(_serializer(app).dumps(list(order))) if app.secret_key else None


def views() -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield the path, the endpoint and the view, whose endpoint no route can have."""
    yield PATH, "sse-doctor", _answer


def _answer(**_variables: Any) -> Response:
    app = this_app()
    order = read_order(app, request.headers.get(HEADER, ""))
    if order is None:
        abort(404)
    if order.what == "facts":
        text = json.dumps(_facts(order)._asdict())
        headers = {"Cache-Control": "no-store"}
        return app.response_class(text, content_type="application/json", headers=headers)
    actual = request._get_current_object()  # type: ignore[attr-defined]  # a proxy
    call = _ProbeCall(app, runtime_of(app), _PROBE, _PLACES, actual)
    return get_kind("sse", _PROBE.owner).respond(call)


def _serializer(app: Flask) -> Any:
    return URLSafeTimedSerializer(app.secret_key or "", salt=SALT)


def read_order(app: Flask, token: str) -> Order | None:
    """Return the order of a token; `None` where it is not good."""
    if not app.secret_key:
        return None
    try:
        what, nonce, seconds = _serializer(app).loads(token, max_age=AGE)
    except (BadSignature, ValueError):
        return None
    return Order(what, nonce, min(float(seconds), LONGEST))


def _facts(order: Order) -> Facts:
    environ = request.environ
    return Facts(
        nonce=order.nonce,
        server=environ.get("SERVER_SOFTWARE", ""),
        worker=_worker(environ),
        processes=bool(environ.get("wsgi.multiprocess")),
        protocol=environ.get("SERVER_PROTOCOL", ""),
        tls=isinstance(environ.get("gunicorn.socket"), ssl.SSLSocket),
        descriptors=_descriptors(),
        last_event_id=request.headers.get("Last-Event-ID") == SEEN,
        named=_is_named(environ),
    )


def _descriptors() -> int | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _worker(environ: dict[str, Any]) -> str:
    if cooperative():
        return "SSEWorker" if "flask_sse_routes.gunicorn.worker" in sys.modules else "gevent"
    return "threads" if environ.get("wsgi.multithread") else "sync"


def _is_named(environ: dict[str, Any]) -> bool | None:
    said, address = environ.get("HTTP_X_FORWARDED_FOR", ""), environ.get("REMOTE_ADDR", "")
    proxies = runtime_of(this_app()).config.trusted_proxies
    if client_of(address, said, proxies) not in (address, None):
        return True
    if not said or address not in {each.strip() for each in said.split(",")}:
        return not said
    before = environ.get("werkzeug.proxy_fix.orig", {}).get("REMOTE_ADDR", address)
    return None if before == address and _is_near(address) else True


def _is_near(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return False


class _ProbeCall(Call):
    """A call that asks nobody who it is, and takes its order along."""

    __slots__ = ()

    def context(self) -> Context:
        ctx = Context(self.app, self.route, self.request)
        ctx.state.order = read_order(self.app, self.request.headers.get(HEADER, ""))
        if ctx.state.order is None:  # its time was up just now
            abort(404)
        return ctx


def _probe(ctx: Context) -> Iterator[Any]:
    order: Order = ctx.state.order
    for number in range(EVENTS):
        yield {"nonce": order.nonce, "number": number}
        ctx.sleep(EVERY)
    ctx.sleep(order.seconds)


_open: set[int] = set()


def _enter(ctx: Context) -> None:
    if len(_open) >= MOST:
        abort(503, "The doctor is in this process already.")
    _open.add(id(ctx))


_PLACES = flatten(
    [define_hook("places", before=_enter, cleanup=lambda ctx: _open.discard(id(ctx)))],
    "The doctor",
)


def _route() -> Route:
    route = bind(define_route(_probe, kind="sse", context="none", path=PATH), "sse_doctor")
    return get_kind("sse", route.owner).check(route)


_PROBE = _route()

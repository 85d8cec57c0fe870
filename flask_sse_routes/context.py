"""The `Context` that handlers and hooks receive, and the request as it is after the view.

Floor 2. A `Context` lives as long as its request, or as its stream; it never holds on to
the server's objects once the view has returned.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import MappingProxyType, SimpleNamespace
from typing import Any
from urllib.parse import quote

from flask import Flask
from flask.wrappers import Request, Response

from . import concurrency
from .routes import Route
from .sockets import client_socket
from .sources import GeneratorSource

VIEW_ATTRIBUTES = frozenset(
    {
        "accept_mimetypes",
        "args",
        "authorization",
        "base_url",
        "cookies",
        "full_path",
        "headers",
        "host",
        "is_secure",
        "method",
        "path",
        "query_string",
        "remote_addr",
        "root_path",
        "scheme",
        "url",
        "url_root",
        "user_agent",
    }
)
# The query parameter that stands in for the header; a name that needs no escapes.
PARAMETER = "last_event_id"
# Ids longer than this were not handed out by this package (256 and the `~end` suffix).
MAX_LAST_EVENT_ID = 260
# What `flask.url_for` leaves as it is in an anchor.
ANCHOR_SAFE = "%!#$&'()*+,/:;=?@"


class RequestView:
    """A frozen view of a request whose view function has returned.

    It has `method`, `url`, `headers`, `cookies`, `args`, `remote_addr`, `view_args` and
    what follows from them; a body is not kept.
    """

    __slots__ = ("_request", "endpoint", "view_args")
    _request: Request
    endpoint: str | None
    view_args: Mapping[str, Any]

    def __init__(self, request: Request) -> None:
        environ = {k: v for k, v in request.environ.items() if isinstance(v, str)}
        plain = Request(environ, populate_request=False, shallow=True)
        object.__setattr__(self, "_request", plain)
        object.__setattr__(self, "endpoint", request.endpoint)
        object.__setattr__(self, "view_args", MappingProxyType(dict(request.view_args or {})))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("ctx.request is a frozen view; keep what changes in ctx.state.")

    def __getattr__(self, name: str) -> Any:
        if name not in VIEW_ATTRIBUTES:
            raise AttributeError(
                f"ctx.request has no {name!r} once the view has returned: read it before the "
                "first yield of a plain function, or in a before hook, and keep it in ctx.state."
            )
        return getattr(self._request, name)


def environ_of(view: RequestView) -> dict[str, Any]:
    """Return what a new request like a view's is made of: the texts of its WSGI environ."""
    return dict(view._request.environ)


# The context of the handler that runs in the current task; for `SSERoutes.listen`.
CURRENT: ContextVar[Context | None] = ContextVar("flask_sse_routes_context", default=None)


class Context:
    """What a handler or hook may know and do about its request.

    `route`, `input` (the validated input object or `None`), `state` (a namespace that
    hooks and the handler share), `last_event_id` (text or `None`; `sent_id` is what the client
    sent as such, whatever it is), `response` (http, in `after`), `outcome`, `error`, `events_sent`
    and `bytes_sent` (in `cleanup`, the last two of a stream).
    """

    __slots__ = (
        "_app",
        "_identify",
        "_request",
        "_sent",
        "_source",
        "_user",
        "error",
        "input",
        "last_event_id",
        "outcome",
        "response",
        "route",
        "sent_id",
        "state",
    )

    def __init__(
        self,
        app: Flask,
        route: Route,
        request: Request,
        identify: Callable[[Request], Any] | None = None,
    ) -> None:
        self.route = route
        self.input: Any = None
        self.state = SimpleNamespace()
        self.sent_id = sent_id(request)
        self.last_event_id = position_in(self.sent_id)
        self.response: Response | None = None
        self.outcome: str | None = None
        self.error: BaseException | None = None
        self._app = app
        self._request: Request | RequestView = request
        self._identify = identify
        self._user: Any = None
        self._source: GeneratorSource | None = None
        self._sent = (0, 0)

    @property
    def request(self) -> Any:
        """The Werkzeug request; a `RequestView` of it once the view has returned."""
        return self._request

    @property
    def user(self) -> Any:
        """Who asks, by `SSERoutes(identify=...)`; `None` without it."""
        if self._identify is not None and isinstance(self._request, Request):
            identify, self._identify = self._identify, None
            self._user = identify(self._request)
        return self._user

    @property
    def events_sent(self) -> int:
        """How many events a stream that is over has sent, its terminal one included."""
        return self._sent[0]

    @property
    def bytes_sent(self) -> int:
        """How many bytes a stream that is over has sent, heartbeats included."""
        return self._sent[1]

    def note_sent(self, events: int, size: int) -> None:
        """Note what the stream has sent, for its cleanup hooks."""
        self._sent = (events, size)

    @property
    def connected(self) -> bool:
        """Whether the client still waits for this response or stream."""
        if self._source is not None:
            return not self._source.closed.is_set()
        socket = client_socket(self._request.environ) if self._has_environ else None
        return socket is None or not socket.closed_by_peer()

    @property
    def _has_environ(self) -> bool:
        return isinstance(self._request, Request)

    def sleep(self, seconds: float) -> None:
        """Wait. Raises `StreamClosed` as soon as the stream is over."""
        if self._source is None:
            time.sleep(seconds)
        else:
            self._source.sleep(seconds)

    def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call `function(*args)` and return its result; under gevent in a real thread.

        For computing and for C code that blocks: heartbeats and other clients go on
        meanwhile. The function has an app context of its own and should not count on the
        request's.
        """
        return concurrency.run(self._in_app_context, function, *args)

    def _in_app_context(self, function: Callable[..., Any], *args: Any) -> Any:
        with self._app.app_context():
            return function(*args)

    def app_context(self) -> AbstractContextManager[Any]:
        """Return a new app context, to be used in a `with` that holds no `yield`."""
        return self._app.app_context()

    def url_for(
        self,
        endpoint: str,
        *,
        _anchor: str | None = None,
        _method: str | None = None,
        _scheme: str | None = None,
        _external: bool | None = None,
        **values: Any,
    ) -> str:
        """Build a URL as `flask.url_for` does in the request; also works during a stream."""
        request = self._request
        if endpoint.startswith("."):
            blueprint = (request.endpoint or "").rpartition(".")[0]
            endpoint = f"{blueprint}{endpoint}" if blueprint else endpoint[1:]
        self._app.inject_url_defaults(endpoint, values)
        plain = request if isinstance(request, Request) else request._request
        adapter = self._app.create_url_adapter(plain)
        assert adapter is not None
        external = _scheme is not None if _external is None else _external
        url = adapter.build(endpoint, values, _method, external, url_scheme=_scheme)
        return url if _anchor is None else f"{url}#{quote(_anchor, safe=ANCHOR_SAFE)}"

    @property
    def resumes_from(self) -> str | None:
        """The client's position; where it sent what is none, a text that no broker hands out."""
        return "?" if self.last_event_id is None and self.sent_id else self.last_event_id

    @property
    def source(self) -> GeneratorSource | None:
        """The running handler's source, if it is a generator of an sse route."""
        return self._source

    def settle(self, source: GeneratorSource | None) -> None:
        """Let go of the server's request; from now on there is a stream."""
        _ = self.user  # asked for while there still is a request to ask
        self._source = source

    def freeze_request(self) -> None:
        """Keep a view of the request in its place."""
        if isinstance(self._request, Request):
            self._request = RequestView(self._request)


def sent_id(request: Request) -> str:
    """Return what the client sent as its position, as it is; may be empty.

    It comes in the `Last-Event-ID` header (WHATWG HTML section 9.2), or as a query
    parameter from clients that cannot set headers.
    """
    environ = request.environ
    header: str = environ.get("HTTP_LAST_EVENT_ID", "")
    if header or PARAMETER not in environ.get("QUERY_STRING", ""):
        return header
    return request.args.get(PARAMETER) or ""


def position_in(text: str) -> str | None:
    """Return the position that a client resumes from, or `None`.

    A client may send anything: what this package cannot have handed out is no position.
    """
    if not text or len(text) > MAX_LAST_EVENT_ID or not text.isascii() or not text.isprintable():
        return None
    return None if " " in text else text

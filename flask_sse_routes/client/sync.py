"""`connect` and `Client`: for programs that block, in threads or greenlets.

Floor 3. A client has no thread of its own.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

import httpx

from .answers import answering, value_of
from .calls import Call
from .failures import RouteError
from .names import Namespace
from .redirects import Headers
from .retries import OnRetry
from .settings import (
    JSON_HEADERS,
    MAX_EVENT_BYTES,
    NEW_CONNECTIONS,
    NO_LIMITS,
    TIMEOUT,
    Settings,
    Timeouts,
)
from .state import OnError
from .stream import Stream
from .table import Table, table_of

Api = TypeVar("Api", covariant=True)
Sse = TypeVar("Sse", covariant=True)


def connect(
    url: str,
    *,
    routes: Table | None = None,
    headers: Headers | Callable[[], Headers] | None = None,
    timeout: float | httpx.Timeout | None = None,
    transport: httpx.BaseTransport | None = None,
    http: httpx.Client | None = None,
    max_event_bytes: int = MAX_EVENT_BYTES,
    on_error: OnError | None = None,
    on_retry: OnRetry | None = None,
) -> Client[Any, Any]:
    """Return a client of the blueprint at `url`, such as `http://host/api`.

    Args:
        routes: what is there, by dotted name; without, it is read from `<url>/openapi.json` when
            it is first needed.
        headers: sent with every request; a callable is called again for every one of them.
        timeout: seconds for a connection to open and for each part of an answer, by default 30,
            or the `http` client's. How long a stream may be silent is the server's to say.
        transport: an httpx transport; `httpx.WSGITransport(app)` needs no server.
        http: an httpx client to send with, which is not closed with this one.
        max_event_bytes: the most bytes of data in one event.
        on_error: called with the `RouteError` of each `error` event that does not end its stream.
        on_retry: called with a `RetryNotice` each time that a stream's connection was lost or
            refused, before the stream waits to come back; to close the stream there ends it.

    Raises `ValueError`.
    """
    if transport is not None and http is not None:
        raise ValueError("Give transport or http, not both: an http client has its transport.")
    settings = Settings.of(
        url,
        routes=routes,
        headers=headers,
        timeout=timeout,
        max_event_bytes=max_event_bytes,
        on_error=on_error,
        on_retry=on_retry,
    )
    if http is not None:
        return Client(settings, http, http, owned=False)
    if transport is not None:
        own = httpx.Client(timeout=timeout or TIMEOUT, transport=transport)
        return Client(settings, own, own, owned=True)
    tls = httpx.create_ssl_context()
    own, lasting = (
        httpx.Client(timeout=timeout or TIMEOUT, limits=limits, verify=tls)
        for limits in (NO_LIMITS, NEW_CONNECTIONS)
    )
    lasting.cookies = own.cookies.jar
    return Client(settings, own, lasting, owned=True)


class Client(Generic[Api, Sse]):
    """A client of one blueprint, made by `connect`; any number of threads may use it.

    `client.api.name(**input)` returns what the route answers or raises `RouteError`;
    `client.sse.name(**input)` returns a `Stream`. Routes of nested blueprints are at
    `client.api.admin.stats(...)`. A context manager.
    """

    def __init__(
        self, settings: Settings, http: httpx.Client, lasting: httpx.Client, *, owned: bool
    ) -> None:
        """`lasting` sends the requests of streams, `http` the others."""
        self._settings = settings
        self._http = http
        self._lasting = lasting
        self._owned = owned
        self._table = settings.routes
        self._lock = threading.Lock()
        self._streams: weakref.WeakSet[Stream[Any]] = weakref.WeakSet()
        url = settings.url
        self._api: Any = Namespace(url, self._routes, False, self._ask)
        self._sse: Any = Namespace(url, self._routes, True, self._stream)

    @property
    def api(self) -> Api:
        """The routes that answer once."""
        api: Api = self._api
        return api

    @property
    def sse(self) -> Sse:
        """The routes that stream."""
        sse: Sse = self._sse
        return sse

    def close(self) -> None:
        """Close every stream, also those that other threads read, and all connections."""
        with self._lock:
            streams = list(self._streams)
        for stream in streams:
            stream.close()
        if self._owned:
            self._http.close()
            self._lasting.close()

    def __enter__(self) -> Client[Api, Sse]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, call: Call, own: Headers, extensions: dict[str, Any]) -> httpx.Response:
        return self._send(self._lasting, call, own, extensions)

    def _send(
        self, http: httpx.Client, call: Call, own: Headers, extensions: dict[str, Any]
    ) -> httpx.Response:
        """Return the head of the answer, behind all redirects; its body has yet to be read."""
        given = self._settings.headers
        headers = given() if callable(given) else given
        journey = self._settings.journey(call, own, headers, extensions)
        while True:
            request = journey.request(http)
            with journey.sending():
                response = http.send(request, **journey.options)
            try:
                if not journey.goes_on(response.status_code, response.headers):
                    return response
            except RouteError:
                response.close()
                raise
            response.close()

    def _ask(self, call: Call) -> Any:
        with answering(call):
            response = self._send(self._http, call, JSON_HEADERS, {"timeout": self._timeouts()})
            with contextlib.closing(response):
                response.read()
        return value_of(response)

    def _timeouts(self) -> Timeouts:
        return self._settings.timeouts(self._http)

    def _stream(self, call: Call) -> Stream[Any]:
        stream: Stream[Any] = Stream(self._settings.stream(call), self._open, self._timeouts)
        with self._lock:
            self._streams.add(stream)
        return stream

    def _routes(self) -> Table:
        if self._table is None:
            call = Call("GET", f"{self._settings.url}/openapi.json")
            self._table = table_of(self._ask(call), call.url)
        return self._table

"""`connect_async` and `AsyncClient`: for asyncio programs.

Floor 3. The same as in `sync`, but for the sending.
"""

from __future__ import annotations

import contextlib
import inspect
import weakref
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

import httpx

from .aiostream import AsyncStream
from .answers import answering, value_of
from .calls import Call
from .failures import RouteError
from .names import Namespace
from .redirects import Headers
from .retries import OnRetry
from .settings import (
    JSON_HEADERS,
    MAX_EVENT_BYTES,
    NO_LIMITS,
    TIMEOUT,
    Settings,
    Timeouts,
)
from .state import OnError
from .table import Table, table_of

Api = TypeVar("Api", covariant=True)
Sse = TypeVar("Sse", covariant=True)


def connect_async(
    url: str,
    *,
    routes: Table | None = None,
    headers: Headers | Callable[[], Headers | Awaitable[Headers]] | None = None,
    timeout: float | httpx.Timeout | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    http: httpx.AsyncClient | None = None,
    max_event_bytes: int = MAX_EVENT_BYTES,
    on_error: OnError | None = None,
    on_retry: OnRetry | None = None,
) -> AsyncClient[Any, Any]:
    """Return a client of the blueprint at `url`, to be used by `async with`.

    The arguments are those of `connect`; `headers` and `on_retry` may also be `async def`
    functions.
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
        return AsyncClient(settings, http, owned=False)
    own = httpx.AsyncClient(timeout=timeout or TIMEOUT, transport=transport, limits=NO_LIMITS)
    return AsyncClient(settings, own, owned=True)


class AsyncClient(Generic[Api, Sse]):
    """A client of one blueprint, made by `connect_async`, for one event loop.

    `await client.api.name(**input)` returns what the route answers or raises `RouteError`;
    `client.sse.name(**input)` returns an `AsyncStream`. `async with` reads the routes if it
    was not given any.
    """

    def __init__(self, settings: Settings, http: httpx.AsyncClient, *, owned: bool) -> None:
        self._settings = settings
        self._http = http
        self._owned = owned
        self._table = settings.routes
        self._streams: weakref.WeakSet[AsyncStream[Any]] = weakref.WeakSet()
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

    async def aclose(self) -> None:
        """Close every stream, also those that other tasks read, and all connections."""
        for stream in list(self._streams):
            await stream.aclose()
        if self._owned:
            await self._http.aclose()

    async def __aenter__(self) -> AsyncClient[Api, Sse]:
        if self._table is None:
            call = Call("GET", f"{self._settings.url}/openapi.json")
            try:
                self._table = table_of(await self._ask(call), call.url)
            except BaseException:
                await self.aclose()
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _send(self, call: Call, own: Headers, extensions: dict[str, Any]) -> httpx.Response:
        """Return the head of the answer, behind all redirects; its body has yet to be read."""
        given: Any = self._settings.headers
        headers = given() if callable(given) else given
        if inspect.isawaitable(headers):
            headers = await headers
        journey = self._settings.journey(call, own, headers, extensions)
        while True:
            request = journey.request(self._http)
            with journey.sending():
                response = await self._http.send(request, **journey.options)
            try:
                if not journey.goes_on(response.status_code, response.headers):
                    return response
            except RouteError:
                await response.aclose()
                raise
            await response.aclose()

    async def _ask(self, call: Call) -> Any:
        with answering(call):
            response = await self._send(call, JSON_HEADERS, {"timeout": self._timeouts()})
            async with contextlib.aclosing(response):
                await response.aread()
        return value_of(response)

    def _timeouts(self) -> Timeouts:
        return self._settings.timeouts(self._http)

    def _stream(self, call: Call) -> AsyncStream[Any]:
        stream: AsyncStream[Any] = AsyncStream(
            self._settings.stream(call), self._send, self._timeouts
        )
        self._streams.add(stream)
        return stream

    def _routes(self) -> Table:
        if self._table is None:
            raise RuntimeError("The routes are not known yet: write `async with` around it.")
        return self._table

"""`AsyncStream`: the events of one stream, for asyncio programs.

Floor 3. It is read, and waits, in the task that iterates it; the rules are `StreamState`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, TypeVar

import httpx

from .calls import Call
from .redirects import Headers
from .settings import MAX_ERROR_BYTES, Timeouts
from .state import StreamState

E = TypeVar("E", covariant=True)
S = TypeVar("S", bound="AsyncStream[Any]")

Send = Callable[[Call, Headers, dict[str, Any]], Awaitable[httpx.Response]]


class AsyncStream(Generic[E]):
    """The events of one stream, for `async for` and `async with`; otherwise like `Stream`."""

    def __init__(self, state: StreamState, send: Send, timeouts: Callable[[], Timeouts]) -> None:
        self._state = state
        self._send = send
        self._timeouts = timeouts
        self._closing = asyncio.Event()
        self._response: httpx.Response | None = None
        # Events, and a `None` for each connection that was accepted.
        self._steps: Any = self._run()

    @property
    def last_event_id(self) -> str:
        """The position behind the last event; `after` takes it in another program run."""
        return self._state.last_event_id

    @property
    def result(self) -> Any:
        """What the server's generator returned, once the stream has come to its end."""
        return self._state.result

    def after(self: S, last_event_id: str) -> S:
        """Begin behind this position; to be called before anything else."""
        self._state.last_event_id = last_event_id
        return self

    def __aiter__(self) -> AsyncIterator[E]:
        return self

    async def __anext__(self) -> E:
        async for event in self._steps:
            if event is not None:
                found: E = event
                return found
        raise StopAsyncIteration

    async def __aenter__(self: S) -> S:
        await anext(self._steps, None)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the stream; its iteration ends, also one that waits in another task."""
        self._closing.set()
        if not self._steps.ag_running:
            await self._steps.aclose()
        elif self._response is not None:
            # Another task runs it, and ends it without its connection.
            await self._response.aclose()

    async def _run(self) -> AsyncGenerator[Any, None]:
        state = self._state
        while self._goes_on():
            try:
                response = await self._open()
                if response is not None:
                    yield None
                    async for chunk in response.aiter_bytes():
                        for event in state.feed(chunk, self._closing.is_set):
                            yield event
                        if not self._goes_on():
                            return
                    if not self._closing.is_set():
                        state.ended()
            except httpx.RequestError as error:
                if self._closing.is_set():
                    return
                state.lost(error)
            finally:
                await self._hang_up()
            await self._pause()

    def _goes_on(self) -> bool:
        return not (self._state.over or self._closing.is_set())

    async def _open(self) -> httpx.Response | None:
        """Send one request; return its response if it is the stream."""
        state, timeouts = self._state, self._timeouts()
        await self._unless_closed(self._ask({"timeout": timeouts}))
        response = self._response
        if response is None or self._closing.is_set():
            return None
        if state.accepts(response.status_code, response.headers):
            # The connection reads it anew when it begins with the body.
            timeouts["read"] = state.silence
            return response
        body = await _some(response)
        if not self._closing.is_set():
            state.refused(response.status_code, response.headers, body)
        return None

    async def _ask(self, extensions: dict[str, Any]) -> None:
        state = self._state
        self._response = await self._send(state.call, state.headers(), extensions)

    async def _unless_closed(self, work: Coroutine[Any, Any, None]) -> None:
        tasks = [asyncio.ensure_future(each) for each in (work, self._wait_for_close())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not tasks[0].cancelled():
            tasks[0].result()

    async def _wait_for_close(self) -> None:
        await self._closing.wait()

    async def _pause(self) -> None:
        answer = self._state.tell_retry()
        if inspect.isawaitable(answer):
            await answer
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._closing.wait(), self._state.wait)

    async def _hang_up(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            await response.aclose()


async def _some(response: httpx.Response) -> bytes:
    """Return the beginning of a body that is read for its message only."""
    body = b""
    with contextlib.suppress(httpx.RequestError):
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) >= MAX_ERROR_BYTES:
                break
    return body

"""A TCP proxy with faults: it delays, throttles, holds back everything, and cuts connections.

It runs in a thread of its own and knows nothing of what passes through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from e2e.client import Address

T = TypeVar("T")

PIECE = 64 * 1024
# Sent in place of a goodbye: what was not read yet is thrown away at the other end as well.
ABORT = struct.pack("ii", 1, 0)


class Link:
    """Listens from entry to exit; `address` is where clients connect in place of the server."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._open: dict[asyncio.StreamWriter, asyncio.StreamWriter] = {}
        self._delay = 0.0
        self._rate: float | None = None
        self.address: Address = ("127.0.0.1", 0)
        # How many connections there have been.
        self.count = 0

    def __enter__(self) -> Link:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def delay(self, seconds: float) -> None:
        """Let each piece wait so long before it goes on."""
        self._delay = seconds

    def throttle(self, rate: float | None) -> None:
        """Let pass so many bytes a second in each direction of each connection."""
        self._rate = rate

    def freeze(self) -> None:
        """Hold back everything: connections stay open, nothing arrives, nobody says goodbye."""
        self._call(self._flow(False))

    def thaw(self) -> None:
        """Let pass again, with all that was held back."""
        self._call(self._flow(True))

    def cut(self, *, abort: bool = True) -> int:
        """End every connection at both ends, with a reset or a goodbye; return how many."""
        return self._call(self._cut(abort))

    def _call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)

    async def _listen(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self.address = self._server.sockets[0].getsockname()[:2]

    async def _flow(self, flows: bool) -> None:
        if flows:
            self._flowing.set()
        else:
            self._flowing.clear()

    async def _cut(self, abort: bool) -> int:
        ends = list(self._open.items())
        for pair in ends:
            for writer in pair:
                _drop(writer, abort)
        return len(ends)

    async def _close(self) -> None:
        self._server.close()
        await self._cut(True)
        self._flowing.set()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        try:
            there, back = await asyncio.open_connection(*self._target)
        except (OSError, asyncio.CancelledError):
            _drop(writer, True)
            return
        self._open[writer] = back
        try:
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        except (OSError, asyncio.CancelledError):
            # Whichever side is gone, the other one learns of it.
            pass
        finally:
            self._open.pop(writer, None)
            for each in (writer, back):
                _drop(each, False)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            if self._delay or self._rate:
                await asyncio.sleep(self._delay + len(piece) / (self._rate or float("inf")))
            await self._flowing.wait()
            writer.write(piece)
            await writer.drain()
        raise ConnectionResetError("one end has closed")


def _drop(writer: asyncio.StreamWriter, abort: bool) -> None:
    """Close one end; with `abort` the peer gets a reset."""
    if abort:
        with contextlib.suppress(OSError):
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        writer.transport.abort()
    else:
        writer.close()

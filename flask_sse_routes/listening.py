"""`SSERoutes.listen`: the events of channels as a loop in Python gets them.

Floor 2. In a stream's handler it follows the stream's position and ends with the stream;
elsewhere it is on its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from .context import CURRENT, Context
from .followers import ChannelReader
from .publishing import Channels
from .rings import special_frame
from .schema import dump
from .sources import GeneratorSource
from .wire import Event


class Listening(Iterator[Event]):
    """Events from the moment it is made; waits for the next one. `close` ends it."""

    def __init__(self, reader: ChannelReader, ctx: Context | None) -> None:
        self._reader = reader
        self._ctx = ctx
        self._source: GeneratorSource | None = None
        self._events: deque[Event] = deque()
        self.channels = reader.channels
        self._find_source()

    def __next__(self) -> Event:
        self._find_source()
        while True:
            while self._events:
                event = self._events.popleft()
                if self._is_for_python(event):
                    return event
            self._reader.signal.clear()
            self._events.extend(self._reader.take_events())
            if not self._events:
                self._wait()

    def _find_source(self) -> None:
        """Belong to the stream; a handler that only returns what it makes of this has none yet."""
        if self._source is None and self._ctx is not None and self._ctx.source is not None:
            self._source = self._ctx.source
            self._source.listens(self)

    def _is_for_python(self, event: Event) -> bool:
        """Tell the client what is for it alone; a gap without a client is an event."""
        if event.event not in ("ready", "reset"):
            return True
        if self._source is None:
            return event.event == "reset"
        self._source.resets += event.event == "reset"
        self._source.inject(special_frame(event.event, str(event.id), dump(event.data)))
        return False

    def _wait(self) -> None:
        if self._reader.ended:
            raise StopIteration
        if self._source is not None:
            self._source.wait(self._reader.signal)
        else:
            self._reader.signal.wait()

    def close(self) -> None:
        """Follow no more; calling it again does nothing."""
        self._reader.close("shutdown")

    def __del__(self) -> None:
        self.close()


def listen(channels: Channels, names: tuple[str, ...], after: str | None = None) -> Listening:
    """Follow channels from now on, or from where the current stream's client is."""
    ctx = CURRENT.get()
    if after is None and ctx is not None:
        after = ctx.resumes_from
    return Listening(channels.reader(names, after), ctx)

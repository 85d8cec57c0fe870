"""A client of declared routes for Python programs: plain threads, gevent and asyncio.

Floor 3; it needs httpx (the extra `client`). `state` decides what happens after an answer, an
end or a lost connection, and knows no socket; the streams and clients send, read and wait.
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("httpx") is None:
    raise ImportError("flask_sse_routes.client needs httpx: pip install 'flask_sse_routes[client]'")

from .aio import AsyncClient, connect_async
from .aiostream import AsyncStream
from .events import StreamEvent
from .failures import RouteError
from .retries import RetryNotice
from .stream import Stream
from .sync import Client, connect
from .table import RouteRow

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "Client",
    "RetryNotice",
    "RouteError",
    "RouteRow",
    "Stream",
    "StreamEvent",
    "connect",
    "connect_async",
]

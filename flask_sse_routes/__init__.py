"""Server-sent events for Flask teams that live without asyncio.

Declare routes with `define_route`, of kind `http` or `sse`; put them into a
`RouteBlueprint`; register it. Handlers are plain functions and generators.
"""

from .blueprint import RouteBlueprint
from .config import Config
from .context import Context
from .errors import (
    ConfigError,
    ContextError,
    DeclarationError,
    EventError,
    OutputError,
    StreamClosed,
    StreamError,
)
from .extension import SSERoutes
from .hooks import compose_hooks, define_hook, hook
from .kinds import Call, Kind, register_kind
from .routes import Route, compose_routes, define_route
from .streams import Stats
from .wire import Event

__all__ = [
    "Call",
    "Config",
    "ConfigError",
    "Context",
    "ContextError",
    "DeclarationError",
    "Event",
    "EventError",
    "Kind",
    "OutputError",
    "Route",
    "RouteBlueprint",
    "SSERoutes",
    "Stats",
    "StreamClosed",
    "StreamError",
    "compose_hooks",
    "compose_routes",
    "define_hook",
    "define_route",
    "hook",
    "register_kind",
]

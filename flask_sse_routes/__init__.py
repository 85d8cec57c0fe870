"""Server-sent events for Flask teams that live without asyncio.

Declare routes with `define_route`, of kind `http` or `sse`; put them into a
`RouteBlueprint`; register it. Handlers are plain functions and generators.
"""

from .blueprint import RouteBlueprint
from .brokers import broker_from_url
from .config import Config
from .context import Context
from .cors import CORS
from .errors import (
    BrokerUnavailable,
    ConfigError,
    ContextError,
    DeclarationError,
    EventError,
    OutputError,
    PositionGone,
    StreamClosed,
    StreamError,
)
from .extension import SSERoutes
from .hooks import compose_hooks, define_hook, hook
from .kinds import Call, Kind, register_kind
from .policies import check_origin
from .routes import Route, compose_routes, define_route
from .subscriptions import Subscription
from .tallies import Stats
from .wire import Event

__all__ = [
    "CORS",
    "BrokerUnavailable",
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
    "PositionGone",
    "Route",
    "RouteBlueprint",
    "SSERoutes",
    "Stats",
    "StreamClosed",
    "StreamError",
    "Subscription",
    "broker_from_url",
    "check_origin",
    "compose_hooks",
    "compose_routes",
    "define_hook",
    "define_route",
    "hook",
    "register_kind",
]

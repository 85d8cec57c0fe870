"""Server-sent events for Flask teams that live without asyncio.

Declare routes with `define_route`, of kind `http` or `sse`; put them into a
`RouteBlueprint`; register it. Handlers are plain functions and generators.

A name is imported when it is first used: gunicorn's arbiter and pytest import parts of this
package, and should not keep, or have before gevent patches, the Flask of the moment.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Where each of them is defined.
HOMES = {
    "BrokerUnavailable": "errors",
    "CORS": "cors",
    "Call": "kinds",
    "Config": "config",
    "ConfigError": "errors",
    "Context": "context",
    "ContextError": "errors",
    "DeclarationError": "errors",
    "Event": "wire",
    "EventError": "errors",
    "Kind": "kinds",
    "OutputError": "errors",
    "PositionGone": "errors",
    "Route": "routes",
    "RouteBlueprint": "blueprint",
    "SSERoutes": "extension",
    "Stats": "tallies",
    "StreamClosed": "errors",
    "StreamError": "errors",
    "Subscription": "subscriptions",
    "broker_from_url": "brokers",
    "check_origin": "policies",
    "compose_hooks": "hooks",
    "compose_routes": "routes",
    "define_hook": "hooks",
    "define_route": "routes",
    "hook": "hooks",
    "register_kind": "kinds",
}


if not TYPE_CHECKING:  # to a type checker every name would be there, misspelt ones, too

    def __getattr__(name: str) -> Any:
        if name not in HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f".{HOMES[name]}", __name__), name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Brokers: where published events are kept, and how processes learn of new ones.

Floor 1. `broker_from_url` makes one from its URL, in an app or without any (a cron job, a task
queue). A driver is imported only when its broker is made.
"""

from __future__ import annotations

import re

from ..errors import ConfigError
from .base import Broker

ALLOWED = (
    "memory://, sqlite:///relative/path, sqlite:////absolute/path, "
    "redis://[user:password@]host[:port][/db], rediss://... (TLS) or unix:///path/of/socket"
)
# Valkey's own names for the same URLs.
REDIS_SCHEMES = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
    "valkeys": "rediss",
}


def broker_from_url(url: str, *, history: int = 1000, history_age: float = 3600.0) -> Broker:
    """Return the broker that a URL names; nothing is connected or opened yet.

    `history` (entries) and `history_age` (seconds) say how much is kept per channel. As in
    SQLAlchemy, `sqlite:///` is followed by a path that is relative to the working directory,
    or absolute and then has a fourth slash. Raises `ConfigError`.
    """
    if not history >= 1 or not history_age > 0:
        raise ConfigError(
            f"A broker keeps history=1 or more entries (not {history!r}) for history_age= more "
            f"than 0 seconds (not {history_age!r})."
        )
    scheme, separator, rest = url.partition("://")
    kind = scheme.lower()
    if kind == "memory" and separator and not rest:
        from .memory import MemoryBroker

        return MemoryBroker(history=history, history_age=history_age)
    if kind == "sqlite" and separator:
        from .sqlite import SqliteBroker

        return SqliteBroker(_sqlite_path(rest), history=history, history_age=history_age)
    if kind in REDIS_SCHEMES and separator:
        return _redis_broker(f"{REDIS_SCHEMES[kind]}://{rest}", history, history_age)
    # What follows the scheme may hold a password and is not shown.
    unknown = f"; not {scheme}://..." if re.fullmatch(r"[\w+.-]{1,20}", scheme) else ""
    raise ConfigError(f"A broker's URL is {ALLOWED}{unknown}.")


def _sqlite_path(rest: str) -> str:
    path = rest.removeprefix("/")
    if not rest.startswith("/") or not path or path.endswith("/") or "?" in path or "\0" in path:
        raise ConfigError(
            f"sqlite://{rest} names no file: write sqlite:///relative/path or, with four slashes, "
            "sqlite:////absolute/path, and no options."
        )
    if path == ":memory:":
        raise ConfigError("sqlite:///:memory: cannot be shared: write memory:// instead.")
    return path


def _redis_broker(url: str, history: int, history_age: float) -> Broker:
    try:
        from .redis import RedisBroker
    except ModuleNotFoundError as error:
        if error.name != "redis":
            raise
        raise ConfigError(
            "A redis:// broker needs the package redis: pip install 'flask_sse_routes[redis]'"
        ) from error
    address = r"unix://[^/]*/[^?#].*" if url.startswith("unix:") else r"\w+://[^/?#]+(/\d*)?(\?.*)?"
    if not re.fullmatch(address, url):
        raise ConfigError(
            "A redis:// URL is redis://[user:password@]host[:port][/db], db being a number, or "
            "unix:///path/to/socket."
        )
    try:
        return RedisBroker(url, history=history, history_age=history_age)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"The URL of the Redis broker is not right: {error}") from error

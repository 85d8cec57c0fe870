"""The configuration: one frozen dataclass, read from a mapping and from the environment.

Floor 0. `Config.read` runs when an app is set up (so that a mistake fails early) and once
more at the first request, which freezes it.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping
from typing import Any

from .addresses import Network, trusted
from .errors import ConfigError

PREFIX = "SSE_"
ENV_PREFIX = "FLASK_SSE_"
# A day: browsers keep the value in a signed 32-bit number, and nobody means to wait longer.
LONGEST_RETRY = 86_400_000
# Read by the flask-sse package; an app that moves over may still set it.
FOREIGN_KEYS = frozenset({"SSE_REDIS_URL"})


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """The `SSE_*` keys, without their prefix and in lower case.

    Times are seconds, except `retry`, which is milliseconds as on the wire. `None` means
    "no limit".
    """

    heartbeat: float = 15.0
    retry: int = 1500
    open_timeout: float = 0.25
    send_timeout: float = 30.0
    max_streams: int | None = None
    max_streams_per_client: int | None = None
    max_event_bytes: int = 1024 * 1024
    max_body_bytes: int | None = 1024 * 1024
    trusted_proxies: tuple[Network | str, ...] = ()
    broker_url: str = "memory://"
    history: int = 1000
    history_age: float = 3600.0
    validate_output: bool = True
    # `None`: in debug mode.
    explorer: bool | None = None

    @classmethod
    def read(cls, mapping: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Config:
        """Build a `Config` from `SSE_*` keys; `FLASK_SSE_*` in `environ` win over them.

        Raises `ConfigError` for an unknown key (it names the nearest) and for a bad value.
        """
        found = {k: v for k, v in mapping.items() if k.startswith(PREFIX)}
        for key, text in (environ or {}).items():
            if key.startswith(ENV_PREFIX):
                found[key.removeprefix("FLASK_")] = _parse(text)
        known = {PREFIX + f.name.upper(): f.name for f in dataclasses.fields(cls)}
        values = {}
        for key, value in found.items():
            if key in FOREIGN_KEYS:
                continue
            if key not in known:
                raise ConfigError(_unknown(key, list(known)))
            values[known[key]] = _CHECKS[known[key]](key, value)
        return cls(**values)


def _parse(text: str) -> Any:
    """Read an environment value as JSON, else as text, like Flask's `from_prefixed_env`."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _unknown(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
    return f"Unknown configuration key {key!r}: did you mean {near!r}?"


def _seconds(key: str, value: Any) -> float:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value <= 0:
        raise ConfigError(f"{key} must be a number of seconds greater than 0, not {value!r}")
    return float(value)


def _wait(key: str, value: Any) -> float:
    return 0.0 if value == 0 and value is not False else _seconds(key, value)


def _count(key: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{key} must be a whole number of at least 1, not {value!r}")
    return value


def _milliseconds(key: str, value: Any) -> int:
    if _count(key, value) > LONGEST_RETRY:
        raise ConfigError(f"{key} must be at most {LONGEST_RETRY} milliseconds, not {value!r}")
    return int(value)


def _limit(key: str, value: Any) -> int | None:
    return None if value is None else _count(key, value)


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{key} must be True or False, not {value!r}")
    return value


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{key} must be a text that is not empty, not {value!r}")
    return value


_CHECKS: dict[str, Any] = {
    "heartbeat": _seconds,
    "retry": _milliseconds,
    "open_timeout": _wait,
    "send_timeout": _seconds,
    "max_streams": _limit,
    "max_streams_per_client": _limit,
    "max_event_bytes": _count,
    "max_body_bytes": _limit,
    "trusted_proxies": trusted,
    "broker_url": _text,
    "history": _count,
    "history_age": _seconds,
    "validate_output": _flag,
    "explorer": lambda key, value: None if value is None else _flag(key, value),
}

"""`Settings`: what `connect` was told, checked once.

Floor 3. A value that both clients read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from .calls import Call
from .redirects import Credentials, Headers, Journey
from .retries import OnRetry
from .state import OnError, StreamState
from .table import Table

# Seconds for a connection to open, and for each part of an answer; a stream's silence is measured
# in heartbeats instead.
TIMEOUT = 30.0
MAX_EVENT_BYTES = 16 * 1024 * 1024
# An error's text beyond this is not read.
MAX_ERROR_BYTES = 64 * 1024
NO_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=20)
# What has been closed in another thread is found by the opening of its connection.
NEW_CONNECTIONS = httpx.Limits(max_connections=None, max_keepalive_connections=0)
JSON_HEADERS = {"Accept": "application/json, */*;q=0.5"}

Timeouts = dict[str, float | None]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options of a client. `url` has no slash at its end and no credentials."""

    url: str
    credentials: Credentials | None
    headers: Headers | Callable[[], Any]
    timeout: float | httpx.Timeout | None
    max_event_bytes: int
    on_error: OnError | None
    on_retry: OnRetry | None
    routes: Table | None

    @classmethod
    def of(
        cls,
        url: str,
        *,
        headers: Headers | Callable[[], Any] | None,
        max_event_bytes: int,
        **options: Any,
    ) -> Settings:
        """Check the options of `connect`. Raises `ValueError`."""
        if max_event_bytes < 1:
            raise ValueError(f"max_event_bytes={max_event_bytes!r} must be 1 or more.")
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(f"{url!r} is no URL: {error}") from error
        if "?" in url or "#" in url:
            raise ValueError(f"{url!r} is no base URL: it has a query or a fragment.")
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError(f"{url!r} is not the URL of a blueprint, such as http://host/api.")
        has_user = bool(parsed.userinfo)
        return cls(
            url=str(parsed.copy_with(userinfo=b"")).rstrip("/"),
            credentials=(parsed.username, parsed.password) if has_user else None,
            headers=headers or {},
            max_event_bytes=max_event_bytes,
            **options,
        )

    def timeouts(self, http: httpx.Client | httpx.AsyncClient) -> Timeouts:
        """Return the timeouts of one request, which may be changed until its answer is read."""
        given = http.timeout if self.timeout is None else httpx.Timeout(self.timeout)
        return dict(given.as_dict())

    def journey(
        self, call: Call, own: Headers, headers: Headers, extensions: dict[str, Any]
    ) -> Journey:
        """Return the requests of a call. `own` are the protocol's headers, `headers` the user's."""
        return Journey(
            call, own=own, headers=headers, credentials=self.credentials, extensions=extensions
        )

    def stream(self, call: Call) -> StreamState:
        """Return the state of a stream that has not begun."""
        return StreamState(
            call,
            max_event_bytes=self.max_event_bytes,
            on_error=self.on_error,
            on_retry=self.on_retry,
        )

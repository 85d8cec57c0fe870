"""`Journey`: the requests that one call takes, its own and those that redirects ask for.

Floor 3. It makes requests and reads heads; whoever has a connection sends them. Methods
change as RFC 9110 section 15.4 allows and browsers do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

import httpx

from .calls import Call
from .failures import RouteError

MAX_REDIRECTS = 10
MAX_PORT = 65535
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# They ask for a GET in the place of a POST; 303 in the place of anything.
BECOMES_GET = frozenset({301, 302})

Headers = Mapping[str, str]
Credentials = tuple[str, str]


class SendOptions(TypedDict, total=False):
    """How a request of a journey is sent; without `auth` by the HTTP client's own."""

    stream: bool
    follow_redirects: bool
    auth: Credentials | None


class Journey:
    """From a call to the response that is no redirect.

    Abroad, at another origin than the first, only what the protocol needs is sent: none of the
    user's headers, cookies or credentials, and no input that is in a body.
    """

    def __init__(
        self,
        call: Call,
        *,
        own: Headers,
        headers: Headers,
        credentials: Credentials | None,
        extensions: dict[str, Any],
    ) -> None:
        """`own` are the protocol's headers, `headers` the user's."""
        self._call = call
        self._url = httpx.URL(call.url)
        self._method = call.method
        self._body = call.body
        self._own = httpx.Headers(own)
        self._headers = headers
        self._credentials = credentials
        self._extensions = extensions
        self._abroad = False
        self._redirects = 0

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """Return the next request."""
        if self._abroad:
            return httpx.Request(
                self._method, self._url, headers=self._own, extensions=self._extensions
            )
        headers = httpx.Headers(self._headers)
        headers.update(self._own)
        if self._body is not None:
            headers["Content-Type"] = "application/json"
        return http.build_request(
            self._method,
            self._url,
            headers=headers,
            content=self._body,
            extensions=self._extensions,
        )

    @property
    def options(self) -> SendOptions:
        """How the next request is to be sent."""
        options = SendOptions(stream=True, follow_redirects=False)
        if self._abroad or self._credentials is not None:
            options["auth"] = None if self._abroad else self._credentials
        return options

    @contextlib.contextmanager
    def sending(self) -> Iterator[None]:
        """Around the sending: httpx reads a redirect's address though it does not follow it.

        Raises `RouteError` where that is none.
        """
        try:
            yield
        except (httpx.InvalidURL, httpx.RemoteProtocolError) as error:
            if not isinstance(error, httpx.InvalidURL) and not isinstance(
                error.__context__, httpx.InvalidURL
            ):
                raise
            raise self._refusal(0, "its address is no URL") from error

    def goes_on(self, status: int, headers: Headers) -> bool:
        """Tell whether another request follows this response.

        Raises `RouteError` for a redirect that is not followed.
        """
        location = headers.get("Location")
        if status not in REDIRECTS or location is None:
            return False
        self._redirects += 1
        if self._redirects > MAX_REDIRECTS:
            raise self._refusal(status, f"there were over {MAX_REDIRECTS} redirects")
        target = self._target(status, location)
        if status == 303 or (status in BECOMES_GET and self._method == "POST"):
            self._method, self._body = "GET", None
        if _origin(target) != _origin(self._url):
            self._abroad = True
            if self._body is not None:
                raise self._refusal(status, f"the input would go to another origin, {target.host}")
        self._url = target
        return True

    def _target(self, status: int, location: str) -> httpx.URL:
        try:
            target = self._url.join(location).copy_with(userinfo=b"")
        except (httpx.InvalidURL, ValueError) as error:
            raise self._refusal(status, f"{location[:200]!r} is no URL") from error
        is_web = target.scheme in ("http", "https") and target.host
        if not is_web or (target.port or 0) > MAX_PORT:
            raise self._refusal(status, f"{location[:200]!r} is no address of a web server")
        return target

    def _refusal(self, status: int, why: str) -> RouteError:
        return RouteError(status, "Redirect not followed", f"{self._call}: {why}.")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Return scheme, host and port; httpx leaves out a port that is the scheme's own."""
    return url.scheme, url.host, url.port

"""Where the doctor looks from outside: a URL, taken apart.

Floor 3.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

# Seconds for a connection to open.
CONNECT = 10.0


class Target(NamedTuple):
    """A server, and the path below which the app is, without a slash at its end.

    `query` begins with its question mark.
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str
    headers: dict[str, str]

    @classmethod
    def of(cls, url: str, headers: dict[str, str] | None = None) -> Target:
        """Take a URL apart; a user in it becomes a header. Raises `ValueError`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("A URL is http://host or https://host, a port and a path if need be.")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        query = f"?{parts.query}" if parts.query else ""
        sent = dict(headers or {})
        if parts.username is not None:
            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            sent["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
        return cls(parts.scheme, parts.hostname, port, parts.path.rstrip("/"), query, sent)

    @property
    def shown(self) -> str:
        """The URL as it may be shown."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = self.port == (443 if self.scheme == "https" else 80)
        return f"{self.scheme}://{host}{'' if default else f':{self.port}'}{self.path}"

    def connection(self, protocols: tuple[str, ...] = ("http/1.1",)) -> http.client.HTTPConnection:
        """Return a connection that is not open yet; `protocols` are what TLS offers."""
        if self.scheme == "http":
            return http.client.HTTPConnection(self.host, self.port, timeout=CONNECT)
        # A private authority is trusted by the variable SSL_CERT_FILE, as OpenSSL has it.
        context = ssl.create_default_context()
        context.set_alpn_protocols(list(protocols))
        return http.client.HTTPSConnection(self.host, self.port, timeout=CONNECT, context=context)

    def offers_http2(self) -> bool:
        """Tell whether a browser would speak HTTP/2 with it, which none does without TLS."""
        if self.scheme == "http":
            return False
        connection = self.connection(("h2", "http/1.1"))
        try:
            connection.connect()
            sock = connection.sock
            return isinstance(sock, ssl.SSLSocket) and sock.selected_alpn_protocol() == "h2"
        finally:
            connection.close()

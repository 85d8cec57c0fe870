"""Origins (RFC 6454): how declarations and browsers write them, and when two are the same.

Floor 0. `declared` runs when a blueprint is made, `read` for each request that names an origin.
An origin has one way to be written here: lower case, and no port where it is the scheme's own.
"""

from __future__ import annotations

import ipaddress
import re

from .errors import DeclarationError

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
# What a browser sends: host names are ASCII by then, an IPv6 address has its brackets.
ORIGIN = re.compile(
    r"([a-z][a-z0-9+.-]*)://([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?",
    re.IGNORECASE,
)


def read(text: str | None) -> str | None:
    """Return an origin in its one form; `None` for what is none, and for `null`."""
    if not text or not text.isascii():
        return None
    found = ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme, host = found[1].lower(), _host(found[2].lower())
    port = int(found[3]) if found[3] else None
    if host is None or (port is not None and port > 65_535):
        return None
    own = port is None or port == DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}" if own else f"{scheme}://{host}:{port}"


def _host(text: str) -> str | None:
    """Return a host as browsers write it: of an IPv6 address the shortest form."""
    if not text.startswith("["):
        return text
    try:
        return f"[{ipaddress.IPv6Address(text[1:-1])}]"
    except ValueError:
        return None


def declared(text: object) -> str:
    """Return an origin that somebody wrote down. Raises `DeclarationError`, which says how."""
    found = read(text) if isinstance(text, str) else None
    if found is not None:
        return found
    raise DeclarationError(f"cors=: {text!r} is no origin: {_advice(text)}.")


def _advice(text: object) -> str:
    if not isinstance(text, str):
        return "an origin is a text such as 'https://shop.example'"
    if text == "null":
        return "every sandboxed frame and local file has the origin null, whoever wrote it"
    if "*" in text:
        return "there are no patterns; list each origin, or '*' alone for everybody"
    if "://" not in text:
        return "it begins with a scheme, as in 'https://shop.example'"
    if "@" in text:
        return "it has no user name or password"
    if re.search(r"[/?#]", text.partition("://")[2]):
        return "it ends with the host or port; leave the slash and what follows away"
    if not text.isascii():
        return "browsers send the ASCII form of a host name, which begins with 'xn--'"
    return "it is a scheme, a host and perhaps a port, as in 'https://shop.example:8443'"


def is_same_host(origin: str, host: str, *, secure: bool) -> bool:
    """Tell whether an origin in its one form is that of a request's `Host`.

    Behind a proxy that ends TLS an app may take https for http: where the request is not known
    to be secure, either scheme of the origin will do.
    """
    scheme = origin.partition("://")[0]
    if scheme not in ("http", "https") or (secure and scheme != "https"):
        return False
    return read(f"{scheme}://{host}") == origin

"""The address of a client behind proxies, and which proxies are believed.

Floor 0. `trusted` reads `SSE_TRUSTED_PROXIES` when an app is set up, `client_of` runs when a
stream opens. Whatever a header says, the result is an address or what the server itself knows.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterator
from typing import Any

from .errors import ConfigError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# In a list of proxies: one that comes through a Unix socket, which has no address.
UNIX = "unix"
# Bits of an IPv6 address that one household or machine is given; it chooses the others freely.
IPV6_PREFIX = 64


def trusted(key: str, value: Any) -> tuple[Network | str, ...]:
    """Return the proxies of a list, or of a text with commas. Raises `ConfigError`."""
    if isinstance(value, str):
        value = [each.strip() for each in value.split(",") if each.strip()]
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise ConfigError(f"{key} must be a list of addresses and networks, not {value!r}")
    return tuple(_proxy(key, each) for each in value)


def _proxy(key: str, value: Any) -> Network | str:
    if value == UNIX:
        return UNIX
    if not isinstance(value, (str, ipaddress.IPv4Network, ipaddress.IPv6Network)):
        raise ConfigError(f"{key} has {value!r}: write addresses and networks as text")
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise ConfigError(
            f"{key}: {error}; write addresses such as '10.0.0.7', networks such as '10.0.0.0/8', "
            "or 'unix' for a proxy that comes through a Unix socket"
        ) from None


def client_of(peer: str | None, forwarded: str, proxies: tuple[Network | str, ...]) -> str | None:
    """Return the address of the client.

    `peer` is who the server is connected with. `X-Forwarded-For` is read from the right, where
    the nearest proxy writes, for as long as a proxy of the list has written it.
    """
    address = _address(peer or "")
    for hop in _hops(forwarded):
        if not _is_trusted(address, proxies):
            break
        before = _address(hop)
        if before is None:
            break
        address = before
    return peer or None if address is None else str(address)


def counted(address: str | None) -> str | None:
    """Return what streams of an address are counted by: itself, or its IPv6 network."""
    found = _address(address or "")
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(found), IPV6_PREFIX), strict=False))
    return address


def _hops(forwarded: str) -> Iterator[str]:
    """Yield what the header names, from the right."""
    while forwarded:
        forwarded, _, hop = forwarded.rpartition(",")
        yield hop.strip()


# A client that reconnects, or a proxy, comes again and again.
@functools.lru_cache(maxsize=1024)
def _address(text: str) -> Address | None:
    """Read an address, which some proxies write with a port, or with the zone of an interface."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_trusted(address: Address | None, proxies: tuple[Network | str, ...]) -> bool:
    if address is None:
        return UNIX in proxies
    return any(address in each for each in proxies if not isinstance(each, str))

"""`CORS`: which other origins may read what a blueprint answers (Fetch standard, section 3.2).

Floor 0: values only. What is wrong with a list is refused when it is made; requests are judged
by `policies`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from . import origins as names
from .errors import DeclarationError

ANYBODY = "*"
# Request headers that clients of streams and of JSON routes send.
ALLOWED = ("Last-Event-ID", "Content-Type")
# Response headers that client.js reads.
EXPOSED = ("SSE-Heartbeat", "SSE-Refused", "Retry-After")
# A header's name (RFC 9110, section 5.6.2).
TOKEN = re.compile(r"[A-Za-z0-9!#$%&'+.^_`|~-]+")
DAY = 86_400


@dataclass(frozen=True, init=False)
class CORS:
    """Origins whose pages may use a blueprint: an allow-list, compared exactly.

    `origins` are such as `"https://shop.example"`, or `"*"` alone for everybody. `credentials`
    lets cookies come along. `headers` are request headers to be allowed beside `Last-Event-ID`
    and `Content-Type`, `Authorization` for example; `expose` are response headers to be read
    beside `SSE-Heartbeat`, `SSE-Refused` and `Retry-After`. A browser keeps what a preflight was
    told for `max_age` seconds. Raises `DeclarationError`.
    """

    origins: frozenset[str]
    credentials: bool
    headers: tuple[str, ...]
    expose: tuple[str, ...]
    max_age: int
    anybody: bool = field(repr=False)

    def __init__(
        self,
        origins: str | Iterable[str] = (),
        *,
        credentials: bool = False,
        headers: Iterable[str] = (),
        expose: Iterable[str] = (),
        max_age: int = 600,
    ) -> None:
        listed = _list("origins", origins)
        anybody = ANYBODY in listed
        if anybody and len(listed) > 1:
            raise DeclarationError("cors=: '*' is everybody; leave the other origins away.")
        if anybody and credentials:
            raise DeclarationError(
                "cors=: '*' with credentials=True would let every page act as the user who visits "
                "it, and browsers refuse it; list the origins."
            )
        _check(credentials, max_age)
        found = frozenset(listed if anybody else map(names.declared, listed))
        values = {
            "origins": found,
            "credentials": credentials,
            "headers": _header_names("headers", headers, ALLOWED),
            "expose": _header_names("expose", expose, EXPOSED),
            "max_age": max_age,
            "anybody": anybody,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, declared: Any) -> CORS | None:
        """Return what `cors=` of a blueprint means: a `CORS`, a list of origins, or not set."""
        return declared if declared is None or isinstance(declared, CORS) else cls(declared)

    def lets_in(self, origin: str | None) -> str | None:
        """Return the origin that an `Origin` header names, if it is in the list."""
        found = names.read(origin)
        return found if found in self.origins else None

    def answer(self, origin: str | None) -> dict[str, str]:
        """Return the headers of an answer to a request from `origin`; none where it is foreign."""
        allowed = ANYBODY if self.anybody else self.lets_in(origin)
        if allowed is None:
            return {}
        found = {"Access-Control-Allow-Origin": allowed}
        if self.credentials:
            found["Access-Control-Allow-Credentials"] = "true"
        return {**found, "Access-Control-Expose-Headers": ", ".join(self.expose)}

    def preflight(self, methods: Iterable[str]) -> dict[str, str]:
        """Return what a preflight is told beside `answer`."""
        return {
            "Access-Control-Allow-Methods": ", ".join(sorted(methods)),
            "Access-Control-Allow-Headers": ", ".join(self.headers),
            "Access-Control-Max-Age": str(self.max_age),
        }


def _check(credentials: Any, max_age: Any) -> None:
    if not isinstance(credentials, bool):
        raise DeclarationError(f"cors=: credentials={credentials!r} must be True or False.")
    whole = isinstance(max_age, int) and not isinstance(max_age, bool)
    if not whole or not 0 <= max_age <= DAY:
        raise DeclarationError(f"cors=: max_age={max_age!r} must be 0 to {DAY} seconds.")


def _list(name: str, values: Any) -> list[Any]:
    if isinstance(values, str):
        return [values]
    if not isinstance(values, Iterable) or isinstance(values, bytes):
        raise DeclarationError(f"cors=: {name} is a list of texts, or a CORS(), not {values!r}.")
    return list(values)


def _header_names(name: str, values: Any, always: tuple[str, ...]) -> tuple[str, ...]:
    listed = _list(name, values)
    for each in listed:
        if not isinstance(each, str) or not TOKEN.fullmatch(each):
            raise DeclarationError(
                f"cors=: {name} has {each!r}, which is no name of a header; list each, such as "
                "'Authorization'."
            )
    known = {each.lower() for each in always}
    return (*always, *dict.fromkeys(each for each in listed if each.lower() not in known))

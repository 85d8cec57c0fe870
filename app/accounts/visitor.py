"""Who makes a request: the account and session that its signed cookie leads to."""

from typing import cast

from flask import Request, g, session

from .store import Visitor, find_visitor

__all__ = ["Visitor", "current_visitor", "identify", "session_token"]


def session_token() -> str | None:
    """Return the token in the cookie of the current request."""
    token = session.get("token")
    return token if isinstance(token, str) else None


def current_visitor() -> Visitor | None:
    """Return who makes the current request."""
    if "visitor" not in g:
        token = session_token()
        g.visitor = find_visitor(token) if token else None
    return cast("Visitor | None", g.visitor)


def identify(_request: Request) -> Visitor | None:
    """`ctx.user`, for streams, whose number per client is counted, and for hooks."""
    return current_visitor()

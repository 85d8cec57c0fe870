"""The routes of a session: sign in, sign out, and who is signed in."""

import logging
import math
from typing import Annotated

from flask import abort, session
from pydantic import BaseModel, StringConstraints
from werkzeug.exceptions import TooManyRequests

from flask_sse_routes import BrokerUnavailable, Context, define_route

from ..extensions import sse
from ..hooks import REAUTHORIZE
from . import passwords, store, throttle
from .store import Role, Visitor
from .visitor import current_visitor, session_token

log = logging.getLogger(__name__)

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=64)
]
Password = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SignedIn(BaseModel):
    account: str
    role: Role


def login(ctx: Context, name: Name, password: Password) -> SignedIn:
    keys = throttle.keys(name, ctx.request.remote_addr)
    wait = math.ceil(throttle.begin(keys))
    if wait:
        raise TooManyRequests(f"Too many attempts: try again in {wait} s.", retry_after=wait)
    account = store.find_account(name)
    # Hashing takes a while and is C: in a thread, so that this worker's streams go on.
    right = ctx.run(passwords.fits, account and account.password, password)
    token = store.open_session(account) if account and right else None
    if account is None or token is None:
        abort(401, "There is no account of this name with this password.")
    throttle.succeeded(keys)
    _enter(token)
    return SignedIn(account=account.name, role=account.role)


def _enter(token: str) -> None:
    _leave()
    session["token"] = token
    session.permanent = True


def _leave() -> None:
    """End the session of this browser, and its streams in every process."""
    visitor, token = current_visitor(), session_token()
    session.clear()
    if token is not None:
        store.close_session(token)
    if visitor is not None:
        _end_streams(visitor)


def _end_streams(visitor: Visitor) -> None:
    try:
        sse.revoke(user=visitor)
    except BrokerUnavailable as error:
        # Their hooks find no session when they are asked again.
        log.warning("Streams of %s end %d s late: %s", visitor.account, REAUTHORIZE, error)


def logout() -> None:
    _leave()


def signed_in_as() -> SignedIn | None:
    visitor = current_visitor()
    return SignedIn(account=visitor.account, role=visitor.role) if visitor else None


routes = {
    "login": define_route(login, method="POST", summary="Sign in; the session is a cookie"),
    "logout": define_route(
        logout, method="POST", summary="Sign out; ends the session's streams everywhere"
    ),
    "session": define_route(signed_in_as, summary="Who is signed in, if anybody"),
}

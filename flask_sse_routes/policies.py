"""What a blueprint lets other origins do: `cors=`, `check_origin=`, and who may keep its answers.

Floor 2. A policy is fixed when its blueprint is registered. Preflights are answered before
anything of the app runs, origins are checked before a route's hooks, and every answer gets its
headers when it is complete, refusals and problem documents as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from flask import Flask, request
from flask.wrappers import Request, Response
from werkzeug.exceptions import Forbidden

from . import origins
from .cors import CORS
from .errors import DeclarationError
from .hooks import Hook, define_hook

# In the environ of a request: its answer is for one client alone.
PRIVATE = "flask_sse_routes.private"
# A browser keeps it, if at all, only to ask whether it is still so; a proxy does not.
FOR_ONE = "private, no-cache"
# How the names of all headers begin that let other origins in.
OF_CORS = "access-control-"
OF_A_PREFLIGHT = ("Access-Control-Request-Method", "Access-Control-Request-Headers")


class Policy(NamedTuple):
    """What holds for the routes of a blueprint; what is not set is that of the one around it."""

    cors: CORS | None = None
    check_origin: bool | None = None

    def within(self, outer: Policy) -> Policy:
        """Return this policy, completed by that of the blueprint around it."""
        checks = outer.check_origin if self.check_origin is None else self.check_origin
        return Policy(outer.cors if self.cors is None else self.cors, checks)


NOTHING = Policy()


def declared(owner: str, cors: Any, check_origin: Any) -> Policy:
    """Return what a blueprint says for itself. Raises `DeclarationError`."""
    if check_origin is not None and not isinstance(check_origin, bool):
        raise DeclarationError(
            f"{owner}: check_origin={check_origin!r} must be True or False; origins that may ask "
            "are listed in cors=."
        )
    return Policy(CORS.of(cors), check_origin)


class Policies:
    """The policies of an app's blueprints by their full names."""

    def __init__(self) -> None:
        self._by_name: dict[str, Policy] = {}
        # Whether any of them lets in other origins.
        self.any_cors = False

    def add(self, name: str, policy: Policy) -> Policy:
        """Note a blueprint's own policy; return what holds there. Raises `DeclarationError`."""
        around = (name[:end] for end in reversed(range(len(name))) if name[end] == ".")
        whole = policy.within(self.of(around))
        if whole.check_origin and whole.cors is not None and whole.cors.anybody:
            raise DeclarationError(
                f"RouteBlueprint {name!r}: check_origin=True keeps other origins out, and cors='*' "
                "lets all of them in; list the origins."
            )
        self._by_name[name] = whole
        self.any_cors |= whole.cors is not None
        return whole

    def of(self, names: Iterable[str]) -> Policy:
        """Return the policy of the first of some blueprints that has one."""
        return next((self._by_name[n] for n in names if n in self._by_name), NOTHING)


def install(app: Flask, policies: Policies, asked_blueprints: Callable[[], list[str]]) -> None:
    """Have an app answer preflights and finish its answers."""

    def before() -> Any:
        if not policies.any_cors or request.method != "OPTIONS":
            return None
        return None if policies.of(asked_blueprints()).cors is None else _preflight(app)

    def after(response: Response) -> Response:
        if PRIVATE in request.environ:
            keep_private(response)  # an app's function may have made another response
        cors = policies.of(asked_blueprints()).cors if policies.any_cors else None
        if cors is not None:
            _grant(response, cors)
        return response

    # Before the app's own, which may ask for what no preflight brings.
    app.before_request_funcs.setdefault(None, []).insert(0, before)
    # Flask calls the first last: whatever others have granted, the list decides.
    app.after_request_funcs.setdefault(None, []).insert(0, after)


def keep_private(response: Response) -> Response:
    """Have no cache keep an answer that is for one client, unless it says itself who may."""
    response.headers.setdefault("Cache-Control", FOR_ONE)
    return response


def is_preflight(asked: Request) -> bool:
    """Tell whether a browser asks what it may ask (Fetch standard, section 3.2.2)."""
    fields = asked.headers
    return asked.method == "OPTIONS" and "Origin" in fields and OF_A_PREFLIGHT[0] in fields


def _preflight(app: Flask) -> Response | None:
    if not is_preflight(request) or request.routing_exception is not None:
        return None
    return app.make_default_options_response()


def _grant(response: Response, cors: CORS) -> None:
    for name in {name for name, _ in response.headers if name.lower().startswith(OF_CORS)}:
        del response.headers[name]
    if not cors.anybody:
        response.vary.add("Origin")
    response.headers.update(cors.answer(request.headers.get("Origin")))
    if is_preflight(request):
        _complete(response, cors)


def _complete(response: Response, cors: CORS) -> None:
    for name in OF_A_PREFLIGHT:
        response.vary.add(name)
    if "Access-Control-Allow-Origin" in response.headers:
        response.headers.update(cors.preflight(response.allow))


def refuse_foreign(asked: Request, cors: CORS | None) -> None:
    """Refuse what a page of another origin has its visitor's browser send.

    `Sec-Fetch-Site` decides, and `Origin` where a browser sends no such header. A client that
    sends neither is no browser, or an old one that asks for a page. Raises `Forbidden`.
    """
    origin = asked.headers.get("Origin")
    if cors is not None and cors.lets_in(origin):
        return
    site = asked.headers.get("Sec-Fetch-Site")
    if site is None and origin is not None:
        named = origins.read(origin)
        own = named is not None and origins.is_same_host(named, asked.host, secure=asked.is_secure)
        site = "same-origin" if own else "cross-site"
    if site not in (None, "same-origin", "none"):
        raise Forbidden("This request comes from a page of another origin.")


def check_origin(cors: CORS | str | Iterable[str] = ()) -> Hook:
    """Return a hook that refuses requests from pages of other origins, with 403.

    For single routes; `RouteBlueprint(check_origin=True)` is for all of a blueprint. `cors` are
    origins that may ask all the same. Raises `DeclarationError`.
    """
    allowed = CORS.of(cors)
    if allowed is not None and allowed.anybody:
        raise DeclarationError("check_origin: '*' would let every page in; list the origins.")
    return define_hook("check_origin", before=lambda ctx: refuse_foreign(ctx.request, allowed))

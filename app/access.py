"""Who may see the console: everybody where it is open, else who has signed in.

It is asked before each request, whatever it is for, so that a page or a route is closed unless it
is named here. What is for operators alone is guarded where it is: by hooks, and by `pages`.
"""

from flask import Flask, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from .accounts.visitor import current_visitor
from .settings import is_open

# What the page to sign in consists of and calls; the doctor has a token of its own, and whether
# the worker is well is no secret.
FOR_STRANGERS = {
    "static",
    "pages.login",
    "api.login",
    "api.logout",
    "api.session",
    "api.client-js",
    "api.sse-doctor",
    "api.sse-health",
}


def ask_to_sign_in() -> ResponseReturnValue | None:
    # Without an endpoint there is nothing to see.
    if request.endpoint is None or request.endpoint in FOR_STRANGERS or is_open():
        return None
    if current_visitor() is None:
        if request.blueprint == "api":
            abort(401, "Sign in first.")
        return redirect(url_for("pages.login", next=request.path))
    return None


def init_app(app: Flask) -> None:
    app.before_request(ask_to_sign_in)

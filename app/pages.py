"""The pages: one for each panel, one for each order, and the one to sign in."""

import re
from functools import partial
from typing import Any

from flask import (
    Blueprint,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from .accounts.demo import DEMO_ACCOUNTS
from .accounts.store import all_accounts
from .accounts.visitor import current_visitor
from .api import api
from .orders.hooks import visible
from .panels import PANELS, Panel
from .settings import demo_is_on

# Nothing that a browser could take for another site.
PLAIN_PATH = re.compile(r"/|(?:/[a-z0-9-]+)+")

pages = Blueprint("pages", __name__)


@pages.app_context_processor
def shell() -> dict[str, Any]:
    """What the layout shows on every page."""
    return {
        "panels": PANELS,
        "visitor": current_visitor(),
        "has_explorer": current_app.config["SSE_EXPLORER"] or current_app.debug,
    }


def show(panel: Panel) -> str:
    return render_template(f"panels/{panel.name}.html", panel=panel, routes=api.routes.values())


for panel in PANELS:
    pages.add_url_rule(panel.path, panel.name, partial(show, panel))


@pages.get("/orders/<int:order_id>")
def order(order_id: int) -> ResponseReturnValue:
    visitor = current_visitor()
    if visitor is None:
        return redirect(url_for(".login", next=request.path))
    if order_id >= 2**53:
        abort(404)
    return render_template("order.html", order=visible(order_id, visitor), within="orders")


@pages.get("/login")
def login() -> ResponseReturnValue:
    after = _local(request.args.get("next"))
    if current_visitor() is not None:
        return redirect(after)
    demo = DEMO_ACCOUNTS if demo_is_on() else ()
    return render_template("login.html", after=after, demo=demo, is_empty=not all_accounts())


def _local(path: str | None) -> str:
    """Return where to go after signing in: to a page of this site, whatever the link says."""
    return path if path and PLAIN_PATH.fullmatch(path) else "/"


@pages.get("/<name>")
def unknown(name: str) -> str:
    """Any other page at the top: those of the API have answers of their own."""
    abort(404)


@pages.after_request
def keep_no_copy(response: Response) -> Response:
    """After signing out, going back must not show what belongs to an account."""
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.errorhandler(NotFound)
def not_found(error: NotFound) -> tuple[str, int]:
    return render_template("missing.html", error=error), 404

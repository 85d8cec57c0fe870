"""The pages: one for each panel, one for each order, the one to sign in, and those of errors."""

import re
from functools import partial
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    g,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, SecurityError

from .accounts.demo import DEMO_ACCOUNTS
from .accounts.store import all_accounts
from .accounts.visitor import Visitor, current_visitor
from .api import api
from .orders.hooks import visible
from .panels import PANELS, Panel
from .settings import demo_is_on, is_open

# Nothing that a browser could take for another site.
PLAIN_PATH = re.compile(r"/|(?:/[a-z0-9-]+)+")

pages = Blueprint("pages", __name__)


@pages.app_context_processor
def shell() -> dict[str, Any]:
    """What the layout shows on every page."""
    visitor = current_visitor()
    panels = [panel for panel in PANELS if is_for(panel, visitor)]
    has_explorer = current_app.config["SSE_EXPLORER"] or current_app.debug
    return {"panels": panels, "visitor": visitor, "has_explorer": panels and has_explorer}


def is_for(panel: Panel, visitor: Visitor | None) -> bool:
    if visitor is None or is_open():
        return is_open()
    return visitor.role == "operator" or not panel.is_for_operators


def show(panel: Panel) -> str:
    if not is_for(panel, current_visitor()):
        abort(403, "This is for operators.")
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
    after = local(request.args.get("next"))
    if current_visitor() is not None:
        return redirect(after)
    demo = DEMO_ACCOUNTS if demo_is_on() else ()
    return render_template("login.html", after=after, demo=demo, is_empty=not all_accounts())


def local(path: str | None) -> str:
    """Return where to go after signing in: to a page of this site, whatever the link says."""
    return path if path and PLAIN_PATH.fullmatch(path) else "/"


@pages.after_request
def keep_no_copy(response: Response) -> Response:
    """After signing out, going back must not show what belongs to an account."""
    response.headers["Cache-Control"] = "no-store"
    return response


def error_page(error: HTTPException) -> ResponseReturnValue:
    """Return what a browser gets in place of a page."""
    if isinstance(error, SecurityError):
        return error  # of a host that no link could lead to
    failed = error.code is None or error.code >= 500
    if failed:
        g.visitor = None  # to look it up may be what fails
    response = error.get_response(request.environ)
    response.set_data(render_template("failed.html" if failed else "refused.html", error=error))
    response.content_type = "text/html; charset=utf-8"
    return keep_no_copy(response)  # type: ignore[arg-type]  # what it has both kinds have


def init_app(app: Flask) -> None:
    """Answer errors with pages; those of the API stay what `flask_sse_routes` makes of them."""
    problems = app.error_handler_spec[None][None][HTTPException]

    def answer(error: HTTPException) -> Any:
        is_api = request.path.startswith(f"{api.url_prefix}/")
        return problems(error) if is_api else error_page(error)

    app.register_error_handler(HTTPException, answer)

"""Forms that are sent without a script, because it is switched off or has not been loaded yet.

A browser then shows whatever the route answers: for it that is the page to go on with, and what
went wrong is said there. Programs and scripts get the route's own answer, as always. Where a form
comes from is checked as for every request, by `security`.
"""

from flask import Flask, Request, Response, flash, redirect, request, url_for
from werkzeug.exceptions import HTTPException

from .pages import local
from .security import is_own

TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")
# The page that the form of a route is on, and the one that comes after it.
PAGES = {
    "api.login": ("pages.login", None),
    "api.logout": ("pages.overview", "pages.overview"),
    "api.notify": ("pages.overview", "pages.overview"),
    "api.place_order": ("pages.orders", "pages.orders"),
}


def is_plain_form(request: Request) -> bool:
    """Tell whether a request is a form that a browser sends by itself."""
    answers = request.accept_mimetypes.best_match(["application/json", "text/html"])
    return request.mimetype in TYPES and answers == "text/html"


def lead_on(response: Response) -> Response:
    """Answer a form with the page that comes next (303, RFC 9110 section 15.4.4)."""
    pages = PAGES.get(request.endpoint or "")
    if pages is None or not is_plain_form(request) or not is_own(request):
        return response
    wanted = _after()
    if response.status_code < 400:
        to = url_for(pages[1]) if pages[1] else wanted
    else:
        flash(_words(response))
        to = url_for(pages[0], next=None if wanted == "/" else wanted)
    led = redirect(to, 303)
    if "Retry-After" in response.headers:
        led.headers["Retry-After"] = response.headers["Retry-After"]
    return led  # type: ignore[return-value]  # Flask's own kind


def _after() -> str:
    """Return the page that the form names; one that is too long, for example, is not read."""
    try:
        return local(request.form.get("after"))
    except HTTPException:
        return "/"


def _words(response: Response) -> str:
    """Say what went wrong in a sentence, as form.js does."""
    problem = response.get_json(silent=True) or {}
    faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.get("errors", ())]
    return "; ".join(faults) or problem.get("detail") or problem.get("title") or response.status


def init_app(app: Flask) -> None:
    app.after_request(lead_on)

"""What every request is checked for and every response carries, whichever route it is.

Cookies are sent along with requests that other sites make: one that could change something has to
come from this site's own pages, or from no browser at all.
"""

from urllib.parse import urlsplit

from flask import Flask, Request, Response, abort, request
from flask.sessions import SecureCookieSessionInterface

HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def is_own(request: Request) -> bool:
    """Tell whether a request is from a page of this site, or from something else than a browser.

    Browsers say where a request comes from by `Sec-Fetch-Site`, older ones by `Origin`.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc == request.host
    except ValueError:
        return False


def refuse_other_sites() -> None:
    if request.method not in SAFE_METHODS and not is_own(request):
        abort(403, "This request comes from a page of another site.")


def add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


class Sessions(SecureCookieSessionInterface):
    """The cookie keeps to https where it was set by https."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return super().get_cookie_secure(app) or request.is_secure


def init_app(app: Flask) -> None:
    app.session_interface = Sessions()
    app.before_request(refuse_other_sites)
    app.after_request(add_headers)

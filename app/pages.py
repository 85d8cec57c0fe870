"""The one page, and the headers that every response carries."""

from flask import Blueprint, Flask, Response, render_template

from .api import routes

HEADERS = {
    "Content-Security-Policy": "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

pages = Blueprint("pages", __name__)


@pages.get("/")
def console() -> str:
    return render_template("console.html", routes=routes)


def add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def init_app(app: Flask) -> None:
    app.register_blueprint(pages)
    app.after_request(add_headers)

"""Configuration: defaults, what the environment says (`FLASK_...`), what the caller says.

Read once per process, by `create_app`. Everything that is kept lies in one folder: `instance/`, or
`instance/demo/` with the demo accounts, so that they and their data never mix with real ones.
"""

import os
import secrets
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from werkzeug.middleware.proxy_fix import ProxyFix

DEFAULTS = {
    # Accounts whose passwords stand on the login page.
    "DEMO_ACCOUNTS": False,
    # Whether panels other than orders are for everybody; `None`: with the demo accounts.
    "OPEN_TO_ALL": None,
    # How many proxies in front tell the client's address by X-Forwarded-For.
    "TRUSTED_PROXIES": 0,
    "MAX_CONTENT_LENGTH": 64 * 1024,
    # Of one process; a page has up to two, a client is a session or an address.
    "SSE_MAX_STREAMS": 800,
    "SSE_MAX_STREAMS_PER_CLIENT": 100,
    "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),
    "SESSION_COOKIE_NAME": "console",
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SAMESITE": "Lax",
    # A stream's answer needs no cookie.
    "SESSION_REFRESH_EACH_REQUEST": False,
}
WORDS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
# What browsers on this machine call it. Another site's name, made to lead here, is none of them.
LOOPBACK = (".localhost", "127.0.0.1")


def configure(app: Flask, config: Mapping[str, Any]) -> None:
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env()
    app.config.from_mapping(config)
    demo = app.config["DEMO_ACCOUNTS"] = flag("DEMO_ACCOUNTS", app.config["DEMO_ACCOUNTS"])
    opened = app.config["OPEN_TO_ALL"]
    app.config["OPEN_TO_ALL"] = demo if opened is None else flag("OPEN_TO_ALL", opened)
    app.config["TRUSTED_HOSTS"] = _hosts(app.config.get("TRUSTED_HOSTS"), demo)
    folder = _folder(app)
    # A file that all workers share; `FLASK_SSE_BROKER_URL` names another broker, Redis for one.
    app.config.setdefault("SSE_BROKER_URL", f"sqlite:///{folder / 'events.db'}")
    app.config.setdefault("SSE_EXPLORER", demo or None)
    app.config["SECRET_KEY"] = app.config["SECRET_KEY"] or secret_key(folder / "secret_key")
    proxies = int(app.config["TRUSTED_PROXIES"])
    if proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as Flask's documentation does
            app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0
        )


def flag(key: str, value: Any) -> bool:
    """Read a setting that turns something on or off: a word that is neither turns nothing on.

    Raises `ValueError`.
    """
    if (known := WORDS.get(str(value).lower())) is None:
        raise ValueError(f"{key} is one of {', '.join(WORDS)}, in small or capitals, not {value!r}")
    return known


def _hosts(given: Any, demo: bool) -> list[str] | None:
    """Return the names that this site answers to; `None` for any. In a text commas part them."""
    if given is None:
        return list(LOOPBACK) if demo else None
    names = given.split(",") if isinstance(given, str) else given
    return [str(name).strip() for name in names]


def _folder(app: Flask) -> Path:
    default = Path(app.instance_path) / ("demo" if app.config["DEMO_ACCOUNTS"] else "")
    folder = Path(app.config.setdefault("DATA_FOLDER", str(default)))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def data_folder() -> Path:
    """Return the folder of the current application's files."""
    return Path(current_app.config["DATA_FOLDER"])


def secret_key(path: Path) -> str:
    """Return what the file holds; the first process that asks makes it, whole or not at all."""
    if not path.exists():
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        made = Path(name)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_hex(32))
            _link(made, path)
        finally:
            made.unlink()
    return path.read_text().strip()


def _link(made: Path, path: Path) -> None:
    """Give a file its name, unless another process was first."""
    try:
        path.hardlink_to(made)
    except FileExistsError:
        return


def demo_is_on() -> bool:
    """Tell whether the current application has the demo accounts."""
    return bool(current_app.config["DEMO_ACCOUNTS"])


def is_open() -> bool:
    """Tell whether the current application shows its panels to everybody."""
    return bool(current_app.config["OPEN_TO_ALL"])

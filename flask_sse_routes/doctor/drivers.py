"""Checks of drivers that wait in C, where gevent cannot switch to anybody else.

Floor 3. One counts as used when the app has imported it, or names it in a database URL.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from .deployment import Deployment
from .finding import Finding, found

# Modules, by the name that SQLAlchemy has for the driver, and what serves instead.
DRIVERS = {
    "psycopg2": ("psycopg2", "psycopg (version 3), or psycogreen.gevent.patch_psycopg() at start"),
    "mysqldb": ("MySQLdb", "PyMySQL"),
    "mysqlconnector": ("_mysql_connector", "PyMySQL, or use_pure=True"),
    "mariadbconnector": ("mariadb", "PyMySQL"),
    "pymssql": ("pymssql", "python-tds"),
    "pyodbc": ("pyodbc", "a driver in Python, or ctx.run() around each query"),
    "cx_oracle": ("cx_Oracle", "oracledb in its thin mode"),
    "ibm_db_sa": ("ibm_db", "ctx.run() around each query"),
    "pylibmc": ("pylibmc", "pymemcache"),
    "pycurl": ("pycurl", "urllib3, requests or httpx"),
    "confluent_kafka": ("confluent_kafka", "kafka-python, or ctx.run() around each poll"),
}


def check_drivers(deployment: Deployment) -> Iterator[Finding]:
    """Look for such drivers in an app that gevent serves."""
    if not deployment.is_gevent:
        return
    named = set(_named(deployment.app.config))
    for name, (module, instead) in DRIVERS.items():
        if (module in sys.modules or name in named) and not _is_patched(module):
            yield found(
                "blocking-driver",
                f"The app uses {module}, which gevent does not patch.",
                f"Use {instead}; or gunicorn's gthread worker.",
            )


def _named(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the drivers that the app's database URLs name, or mean by default."""
    binds = config.get("SQLALCHEMY_BINDS") or {}
    for url in (config.get("SQLALCHEMY_DATABASE_URI"), *binds.values()):
        driver = _driver(url.get("url") if isinstance(url, Mapping) else url)
        if driver:
            yield driver


def _driver(url: Any) -> str | None:
    try:
        from sqlalchemy import make_url

        return str(make_url(url).get_dialect().driver) if url else None
    except Exception:  # no SQLAlchemy, which would be needed to use it; or a URL that it refuses
        return None


def _is_patched(module: str) -> bool:
    """Tell whether a driver has been taught to wait with gevent."""
    if module != "psycopg2":
        return False
    extensions: Any = sys.modules.get("psycopg2.extensions")
    if extensions is not None and getattr(extensions, "get_wait_callback", lambda: None)():
        return True
    # It is called in a hook of gunicorn's, where it belongs, and so not in this process.
    return "psycogreen" in sys.modules or importlib.util.find_spec("psycogreen") is not None

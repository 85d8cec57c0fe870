"""The demo's accounts in tests: all have one password, which is quick to check.

`quick_passwords` holds for every test of a module that imports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash

from app.accounts import passwords, store
from tests.app_fixtures import logging_restored

PASSWORD = "correct horse"
CLAIM = {"name": "ann", "password": PASSWORD}
WRONG = "There is no account of this name with this password."
# A hash is slow on purpose; those of tests are quick ones.
SLOW, QUICK = passwords.METHOD, "scrypt:1024:8:1"
HASH = generate_password_hash(PASSWORD, QUICK)


@pytest.fixture(autouse=True)
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "METHOD", QUICK)
    with logging_restored():
        yield


@pytest.fixture(name="client")
def make_client(app: Flask) -> FlaskClient:
    return app.test_client()


def with_accounts(app: Flask, **roles: Any) -> Flask:
    """Add accounts to an application: the role of each by its name."""
    with app.app_context():
        for name, role in roles.items():
            store.add_account(name, role, HASH)
    return app


def sign_in(client: FlaskClient, name: str = "ann", password: str = PASSWORD) -> Any:
    return client.post("/api/login", json={"name": name, "password": password})


def who(client: FlaskClient) -> Any:
    return client.get("/api/session").get_json()

"""The console's forms as browsers send them without a script, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.orders import store as orders
from tests.app_accounts import CLAIM, WRONG, make_client, quick_passwords, who, with_accounts
from tests.app_fixtures import make_console

__all__ = ["make_client", "quick_passwords"]

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(name="app")
def make_app(tmp_path: Path) -> Flask:
    return with_accounts(make_console(tmp_path), ann="customer")


def send(client: FlaskClient, route: str, headers: dict[str, str] = BROWSER, **data: Any) -> Any:
    return client.post(f"/api/{route}", data=data, headers=headers, content_type=FORM)


def led_to(answer: Any) -> str:
    assert answer.status_code == 303
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return str(answer.headers["Location"])


def test_signing_in_and_out_leads_to_pages(client: FlaskClient) -> None:
    assert led_to(send(client, "login", after="/orders", **CLAIM)) == "/orders"
    assert who(client) == {"account": "ann", "role": "customer"}
    assert led_to(send(client, "logout")) == "/"
    assert who(client) is None


@pytest.mark.parametrize(
    "after", ["//evil.example/", "https://evil.example/", "/\\evil.example", ""]
)
def test_signing_in_leads_to_this_site(client: FlaskClient, after: str) -> None:
    assert led_to(send(client, "login", after=after, **CLAIM)) == "/"


def test_what_was_wrong_is_said_on_the_page_once(client: FlaskClient) -> None:
    answer = send(client, "login", name="ann", password="<b>", after="/orders")
    assert led_to(answer) == "/login?next=/orders"
    assert who(client) is None
    assert [WRONG in client.get("/login").text for _ in range(2)] == [True, False]
    assert led_to(send(client, "login", name="ann", password="")) == "/login"
    assert "password: " in client.get("/login").text


def test_form_that_is_too_long_is_said_to_be(client: FlaskClient) -> None:
    assert led_to(send(client, "login", name="ann", password="x" * 70_000)) == "/login"
    assert "65536 bytes at most" in client.get("/login").text


def test_order_is_placed(app: Flask, client: FlaskClient) -> None:
    assert led_to(send(client, "orders", item="Lamp", quantity="2")) == "/orders"
    assert "Sign in first." in client.get("/orders").text
    send(client, "login", **CLAIM)
    assert led_to(send(client, "orders", item="Lamp", quantity="2")) == "/orders"
    assert led_to(send(client, "orders", item="Lamp", quantity="100")) == "/orders"
    assert "quantity: " in client.get("/orders").text
    with app.app_context():
        order = orders.find(1)
        assert order is not None
        assert (order.account, order.item, order.quantity) == ("ann", "Lamp", 2)
        assert orders.find(2) is None


def test_programs_get_the_answer_of_the_route(client: FlaskClient) -> None:
    for accept in ("*/*", "application/json"):
        answer = send(client, "login", headers={"Accept": accept}, **CLAIM)
        assert answer.get_json() == {"account": "ann", "role": "customer"}
    script = client.post("/api/login", json=CLAIM, headers=BROWSER)
    assert script.get_json() == {"account": "ann", "role": "customer"}


@pytest.mark.parametrize(
    "origin", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}]
)
def test_form_of_another_site_is_refused(client: FlaskClient, origin: dict[str, str]) -> None:
    answer = send(client, "login", headers={**BROWSER, **origin}, **CLAIM)
    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert "Set-Cookie" not in answer.headers
    assert who(client) is None

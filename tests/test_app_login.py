"""The demo's accounts, in this process: signing in and out, what slows guesses, the commands."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.security import check_password_hash, generate_password_hash

from app.accounts import passwords, store, throttle
from app.extensions import sse
from flask_sse_routes import BrokerUnavailable
from flask_sse_routes.testing import TestStream, sse_client
from tests.app_accounts import (
    CLAIM,
    HASH,
    SLOW,
    WRONG,
    make_client,
    quick_passwords,
    sign_in,
    who,
    with_accounts,
)
from tests.app_fixtures import make_console

__all__ = ["make_client", "quick_passwords"]


@pytest.fixture(name="app")
def make_app(tmp_path: Path) -> Flask:
    return with_accounts(make_console(tmp_path), ann="customer", oskar="operator")


@pytest.fixture(name="clock")
def stop_clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The time that attempts are counted by: `clock.now` can be set."""
    clock = SimpleNamespace(now=1_000_000.0)
    monkeypatch.setattr(throttle, "time", SimpleNamespace(time=lambda: clock.now))
    return clock


def token_of(client: FlaskClient) -> str:
    cookie = client.get_cookie("console")
    assert cookie is not None
    return cookie.value


def test_session_begins_and_ends(client: FlaskClient) -> None:
    assert who(client) is None
    answer = sign_in(client)
    assert answer.get_json() == {"account": "ann", "role": "customer"}
    assert who(client) == {"account": "ann", "role": "customer"}
    assert "ann" in client.get("/").text
    assert client.post("/api/logout").status_code == 200
    assert who(client) is None
    assert client.get_cookie("console") is None
    assert client.post("/api/logout").status_code == 200


def test_cookie_is_kept_from_scripts_and_other_sites(client: FlaskClient) -> None:
    cookie = sign_in(client).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    secure = client.post("/api/login", json=CLAIM, base_url="https://localhost")
    assert "Secure" in secure.headers["Set-Cookie"]
    assert "Set-Cookie" not in client.get("/api/hello").headers


@pytest.mark.parametrize("name", ["ann", " Ann\n", "ANN"])
def test_name_is_read_kindly_and_the_password_is_not(client: FlaskClient, name: str) -> None:
    assert sign_in(client, name).status_code == 200
    assert sign_in(client, name, "correct horse ").status_code == 401


@pytest.mark.parametrize(
    "body", [{}, {"name": "ann"}, {"name": "ann", "password": ""}, {**CLAIM, "name": "x" * 65}]
)
def test_claim_is_checked(client: FlaskClient, body: dict[str, str]) -> None:
    assert client.post("/api/login", json=body).status_code == 422


def test_unknown_account_is_answered_like_a_wrong_password(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes: list[str] = []

    def check(hashed: str, password: str) -> bool:
        hashes.append(hashed)
        return check_password_hash(hashed, password)

    monkeypatch.setattr(passwords, "check_password_hash", check)
    known, unknown = sign_in(client, "ann", "wrong"), sign_in(client, "nobody", "wrong")
    assert known.status_code == unknown.status_code == 401
    assert known.get_json() == unknown.get_json()
    assert known.get_json()["detail"] == WRONG
    assert hashes[0] == HASH
    assert not check_password_hash(hashes[1], "wrong")


def test_hash_of_nobody_is_as_slow_as_a_real_one() -> None:
    real, nobodys = generate_password_hash("x", SLOW).split("$"), passwords.NOBODYS.split("$")
    assert nobodys[0] == real[0] == SLOW
    assert [len(part) for part in nobodys] == [len(part) for part in real]


def test_guesses_at_an_account_from_an_address_wait_longer_and_longer(
    client: FlaskClient, clock: SimpleNamespace
) -> None:
    for _ in range(throttle.LIMITS["both"].free):
        assert sign_in(client, "ann", "wrong").status_code == 401
    waits = []
    for _ in range(8):
        early = sign_in(client)
        assert early.status_code == 429
        waits.append(int(early.headers["Retry-After"]))
        assert f"in {waits[-1]} s" in early.get_json()["detail"]
        clock.now += waits[-1]
        assert sign_in(client, "ann", "wrong").status_code == 401
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert sign_in(client, "oskar").status_code == 200
    clock.now += 60
    assert sign_in(client).status_code == 200
    for _ in range(throttle.LIMITS["both"].free):
        assert sign_in(client, "ann", "wrong").status_code == 401


def at(client: FlaskClient, address: str, password: str = "correct horse") -> Any:
    claim = {"name": "ann", "password": password}
    return client.post("/api/login", json=claim, environ_base={"REMOTE_ADDR": address})


def test_guesses_from_one_address_keep_nobody_waiting_elsewhere(
    client: FlaskClient, clock: SimpleNamespace
) -> None:
    for _ in range(throttle.LIMITS["address"].free):
        while (answer := at(client, "192.0.2.66", "wrong")).status_code == 429:
            clock.now += int(answer.headers["Retry-After"])
    assert at(client, "192.0.2.66").status_code == 429
    assert at(client, "192.0.2.7").status_code == 200
    # What the owner does takes nothing back of what somebody else did.
    assert at(client, "192.0.2.66").status_code == 429


def test_guesses_from_many_addresses_slow_an_account_down(
    app: Flask, client: FlaskClient, clock: SimpleNamespace
) -> None:
    with app.app_context():
        for number in range(throttle.LIMITS["account"].free + 10):
            clock.now += number >= throttle.LIMITS["account"].free
            assert throttle.begin(throttle.keys("ann", f"198.51.100.{number}")) == 0
    early = at(client, "192.0.2.7")
    assert (early.status_code, early.headers["Retry-After"]) == (429, "1")
    clock.now += 1
    assert at(client, "192.0.2.7").status_code == 200


def test_guesses_from_an_address_have_to_wait_whatever_the_name(
    app: Flask, client: FlaskClient, clock: SimpleNamespace
) -> None:
    with app.app_context():
        for number in range(throttle.LIMITS["address"].free):
            assert throttle.begin(throttle.keys(f"name{number}", "127.0.0.1")) == 0
    assert sign_in(client).status_code == 429
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.post("/api/login", json=CLAIM, environ_base=elsewhere).status_code == 200
    clock.now += throttle.FORGOTTEN_AFTER + 1
    assert sign_in(client).status_code == 200


def test_success_takes_back_one_failure_of_the_address_alone(app: Flask) -> None:
    with app.app_context():
        keys = throttle.keys("ann", "127.0.0.1")
        for _ in range(throttle.LIMITS["address"].free - 1):
            assert throttle.begin([throttle.address_key("127.0.0.1")]) == 0
        for _ in range(3):
            assert throttle.begin(keys) == 0
            throttle.succeeded(keys)
        assert throttle.begin(keys) == 0
        assert throttle.begin(keys) > 0


def test_attempts_at_once_are_no_way_around(app: Flask) -> None:
    together = threading.Barrier(12)
    let_in: list[bool] = []

    def attempt() -> None:
        together.wait()
        with app.app_context():
            let_in.append(throttle.begin(throttle.keys("ann", "127.0.0.1")) == 0)

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(let_in) == throttle.LIMITS["both"].free


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        (None, "no address", False),
    ],
)
def test_addresses_of_one_network_count_together(
    one: str | None, other: str | None, same: bool
) -> None:
    assert (throttle.keys("ann", one) == throttle.keys("ann", other)) == same
    assert (throttle.address_key(one) == throttle.address_key(other)) == same


def test_copied_cookie_is_worth_nothing_after_signing_out(app: Flask, client: FlaskClient) -> None:
    sign_in(client)
    thief = app.test_client()
    thief.set_cookie("console", token_of(client))
    assert who(thief) == {"account": "ann", "role": "customer"}
    client.post("/api/logout")
    assert who(thief) is None
    assert thief.get("/api/orders").status_code == 401


def test_signing_in_again_ends_the_session_before(app: Flask, client: FlaskClient) -> None:
    sign_in(client)
    before = token_of(client)
    sign_in(client, "oskar")
    assert who(client) == {"account": "oskar", "role": "operator"}
    old = app.test_client()
    old.set_cookie("console", before)
    assert who(old) is None


def test_signing_out_is_done_where_the_broker_is_away(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(**_: Any) -> None:
        raise BrokerUnavailable("away")

    sign_in(client)
    monkeypatch.setattr(sse, "revoke", away)
    assert sign_in(client, "oskar").status_code == 200
    assert who(client) == {"account": "oskar", "role": "operator"}
    assert client.post("/api/logout").status_code == 200
    assert who(client) is None
    assert caplog.text.count("late: away") == 2


def test_cookie_of_another_key_is_nobodys(app: Flask, tmp_path: Path) -> None:
    forger = make_console(tmp_path, SECRET_KEY="guessed").test_client()
    sign_in(forger)
    client = app.test_client()
    client.set_cookie("console", token_of(forger))
    assert who(client) is None


def test_session_expires_on_the_server(tmp_path: Path) -> None:
    app = make_console(tmp_path, PERMANENT_SESSION_LIFETIME=-1)
    with app.app_context():
        store.add_account("ann", "customer", HASH)
        token = store.open_session(store.Account("ann", "customer", HASH))
        assert token is not None
        assert store.find_visitor(token) is None


def test_password_that_changes_while_it_is_checked_opens_nothing(app: Flask) -> None:
    with app.app_context():
        assert store.open_session(store.Account("ann", "customer", "another hash")) is None


def test_tokens_and_passwords_are_hashed(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    sign_in(client)
    with client.session_transaction() as session:
        token = session["token"]
    kept = b"".join(file.read_bytes() for file in tmp_path.glob("console.db*"))
    assert b"ann" in kept
    assert token.encode() not in kept
    assert b"correct horse" not in kept


def test_stream_is_refused_without_a_session(client: FlaskClient) -> None:
    for path in ("/api/orders", "/api/orders/1"):
        response = client.get(path, headers={"Accept": "text/event-stream"})
        assert (response.status_code, response.mimetype) == (401, "application/problem+json")
        assert response.get_json()["detail"] == "Sign in first."


def last_of(stream: TestStream) -> Any:
    """The event that a stream ends with."""
    *_, last = list(stream)
    assert last.event == "error"
    assert last.id.endswith("~end")
    return json.loads(last.data)


def test_signing_out_ends_the_streams_of_the_session_in_every_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    one, two = (make_console(tmp_path, SSE_BROKER_URL=url) for _ in range(2))
    with one.app_context():
        store.add_account("ann", "customer", HASH)
    here, elsewhere, there = one.test_client(), two.test_client(), two.test_client()
    sign_in(here)
    elsewhere.set_cookie("console", token_of(here))
    sign_in(there)
    opened = [sse_client(client).open("/api/orders") for client in (here, elsewhere, there)]
    same, other_process, other_session = opened
    for stream in opened:
        assert stream.next().event == "snapshot"
    here.post("/api/logout")
    assert last_of(same)["status"] == 403
    assert last_of(other_process)["status"] == 403
    there.post("/api/orders", json={"item": "Lamp"})
    assert other_session.json()["item"] == "Lamp"
    for stream in opened:
        stream.close()


@pytest.mark.parametrize(
    ("after", "to"),
    [
        ("/orders", "/orders"),
        ("/orders/12", "/orders/12"),
        ("/orders?x=1", "/"),
        ("/orders\n", "/"),
        ("", "/"),
        ("orders", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("https://evil.example/orders", "/"),
        ("javascript:alert(1)", "/"),
        ("///evil.example", "/"),
        ("http://[", "/"),
    ],
)
def test_signing_in_leads_to_a_page_of_this_site(client: FlaskClient, after: str, to: str) -> None:
    page = client.get("/login", query_string={"next": after}).text
    assert f'name="after" value="{to}"' in page
    sign_in(client)
    assert client.get("/login", query_string={"next": after}).headers["Location"] == to


def test_login_page_shows_demo_accounts_only_where_they_are(tmp_path: Path) -> None:
    demo = make_console(tmp_path / "demo", DEMO_ACCOUNTS=True)
    text = demo.test_client().get("/login").text
    assert "alice-buys" in text
    for account in ("alice", "bob", "olga"):
        assert f'data-name="{account}"' in text
    assert sign_in(demo.test_client(), "olga", "olga-ships").get_json()["role"] == "operator"
    real = make_console(tmp_path / "real")
    text = real.test_client().get("/login").text
    assert "alice-buys" not in text
    assert "flask accounts add NAME" in text
    assert sign_in(real.test_client(), "olga", "olga-ships").status_code == 401


def test_login_page_is_plain_where_there_are_accounts(client: FlaskClient) -> None:
    assert "flask accounts add" not in client.get("/login").text


def test_demo_accounts_are_made_once(tmp_path: Path) -> None:
    for _ in range(2):
        app = make_console(tmp_path, DEMO_ACCOUNTS=True)
    with app.app_context():
        assert [account.name for account in store.all_accounts()] == ["alice", "bob", "olga"]


def command(app: Flask, *words: str, typed: str | None = None) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=["accounts", *words], input=typed)
    return done.exit_code, done.output


TWICE = "long enough\nlong enough\n"


def test_list_without_accounts_says_how_to_add_one(tmp_path: Path) -> None:
    code, output = command(make_console(tmp_path), "list")
    assert (code, output) == (0, "No account yet; add one with: flask accounts add NAME\n")


def test_accounts_are_added_listed_and_removed(app: Flask, client: FlaskClient) -> None:
    code, output = command(app, "add", "zoe", "--role", "operator", typed=TWICE)
    assert (code, output.splitlines()[-1]) == (0, "Added zoe (operator).")
    assert "long enough" not in output
    assert sign_in(client, "zoe", "long enough").get_json()["role"] == "operator"
    code, output = command(app, "list")
    assert [line.split() for line in output.splitlines()] == [
        ["ann", "customer"],
        ["oskar", "operator"],
        ["zoe", "operator"],
    ]
    assert command(app, "remove", "zoe") == (0, "Removed zoe.\n")
    assert who(client) is None
    assert sign_in(client, "zoe", "long enough").status_code == 401


@pytest.mark.parametrize(
    ("words", "typed", "says"),
    [
        (["add", "ann"], TWICE, "There is an account 'ann' already."),
        (["add", "No Name"], TWICE, "'No Name' is no account name"),
        (["add", "zoe"], "short\nshort\n", "at least 8 characters"),
        (["add", "zoe", "--role", "king"], None, "'king' is not one of"),
        (["remove", "zoe"], None, "There is no account 'zoe'."),
        (["password", "zoe"], None, "There is no account 'zoe'."),
    ],
)
def test_commands_say_what_is_wrong(
    app: Flask, words: list[str], typed: str | None, says: str
) -> None:
    code, output = command(app, *words, typed=typed)
    assert code != 0
    assert says in output
    assert "zoe" not in command(app, "list")[1]


@pytest.mark.parametrize("words", [["password", "ann"], ["remove", "ann"]])
def test_commands_end_sessions_and_their_streams(
    app: Flask, client: FlaskClient, words: list[str]
) -> None:
    sign_in(client)
    with sse_client(client).open("/api/orders") as stream:
        assert stream.next().event == "snapshot"
        assert command(app, *words, typed=TWICE)[0] == 0
        assert last_of(stream)["status"] == 403
    assert who(client) is None
    assert sign_in(client).status_code == 401

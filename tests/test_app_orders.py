"""The demo's orders, in this process: whose they are, their steps, and who hears of them."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from e2e.waiting import wait_for
from flask import Flask, abort
from flask.testing import FlaskClient

from app import database, extensions, posting
from app.accounts import store as accounts
from app.hooks import REAUTHORIZE
from app.orders import outbox
from app.orders import store as kept
from flask_sse_routes import BrokerUnavailable
from flask_sse_routes.testing import TestStream, fake_clock, sse_client
from tests.app_fixtures import logging_restored, make_console

# Nobody signs in with it.
HASH = "of no password"
STATES = ["placed", "packed", "shipped", "delivered"]
NONE_SUCH = "There is no such order."

As = Callable[[str], FlaskClient]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    with logging_restored():
        yield


def shop(folder: Path, **config: Any) -> Flask:
    app = make_console(folder, **config)
    with app.app_context():
        for name, role in (("ann", "customer"), ("bea", "customer"), ("oskar", "operator")):
            if accounts.find_account(name) is None:
                accounts.add_account(name, role, HASH)  # type: ignore[arg-type]  # as it says
    return app


@pytest.fixture(name="app")
def make_app(tmp_path: Path) -> Flask:
    return shop(tmp_path)


@pytest.fixture(name="as_")
def make_as(app: Flask) -> As:
    return lambda name: signed_in(app, name)


def signed_in(app: Flask, name: str) -> FlaskClient:
    client = app.test_client()
    with app.app_context():
        account = accounts.find_account(name)
        assert account is not None
        token = accounts.open_session(account)
    with client.session_transaction() as session:
        session["token"] = token
    return client


def place(client: FlaskClient, item: str = "Lamp", quantity: int = 1) -> int:
    answer = client.post("/api/orders", json={"item": item, "quantity": quantity})
    assert answer.status_code == 200
    return int(answer.get_json()["id"])


def advance(client: FlaskClient, order: int) -> Any:
    return client.post(f"/api/orders/{order}/advance")


def opened(client: FlaskClient, path: str = "/api/orders", **options: Any) -> TestStream:
    return sse_client(client).open(path, **options)


def first(stream: TestStream) -> Any:
    """What a stream that begins anew starts with."""
    event = stream.next()
    assert event.event == "snapshot"
    return json.loads(event.data)


def test_order_takes_its_steps_and_says_who_and_when(as_: As) -> None:
    order = place(as_("ann"), "Lamp", 3)
    oskar = as_("oskar")
    for number in range(1, 4):
        moved = advance(oskar, order).get_json()
        assert moved["state"] == STATES[number]
    assert [step["state"] for step in moved["steps"]] == STATES
    assert [step["by"] for step in moved["steps"]] == ["ann", "oskar", "oskar", "oskar"]
    times = [step["at"] for step in moved["steps"]]
    assert times == sorted(times)
    assert (moved["account"], moved["item"], moved["quantity"]) == ("ann", "Lamp", 3)
    over = advance(oskar, order)
    assert (over.status_code, over.get_json()["detail"]) == (
        409,
        "This order has been delivered.",
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "item"),
        ({"item": "  "}, "item"),
        ({"item": "x" * 81}, "item"),
        ({"item": "Lamp", "quantity": 0}, "quantity"),
        ({"item": "Lamp", "quantity": 100}, "quantity"),
        ({"item": "Lamp", "quantity": 1.5}, "quantity"),
    ],
)
def test_order_is_checked(as_: As, body: dict[str, Any], field: str) -> None:
    answer = as_("ann").post("/api/orders", json=body)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["loc"] == [field]


def test_nothing_without_a_session(app: Flask, as_: As) -> None:
    order = place(as_("ann"))
    stranger = app.test_client()
    answers = [
        stranger.get("/api/orders"),
        stranger.get(f"/api/orders/{order}"),
        stranger.post("/api/orders", json={"item": "Lamp"}),
        advance(stranger, order),
    ]
    assert [answer.status_code for answer in answers] == [401] * 4
    page = stranger.get(f"/orders/{order}")
    assert (page.status_code, page.headers["Location"]) == (302, f"/login?next=/orders/{order}")
    assert "Sign in" in stranger.get("/orders").text


def test_order_of_another_account_does_not_exist(as_: As) -> None:
    order = place(as_("ann"), "Secret lamp")
    bea = as_("bea")
    for path in (f"/api/orders/{order}", f"/api/orders/{order + 1}"):
        answer = bea.get(path)
        assert (answer.status_code, answer.get_json()["detail"]) == (404, NONE_SUCH)
    pages = [bea.get(f"/orders/{number}") for number in (order, order + 1, 2**53, 2**80)]
    assert [page.status_code for page in pages] == [404] * 4
    assert "Secret lamp" not in "".join(page.text for page in pages)
    assert as_("ann").get(f"/orders/{order}").status_code == 200
    assert as_("oskar").get(f"/orders/{order}").status_code == 200


def test_only_operators_move_orders_on(as_: As) -> None:
    ann = as_("ann")
    order = place(ann)
    refused = advance(ann, order)
    assert (refused.status_code, refused.get_json()["detail"]) == (403, "This is for operators.")
    missing = advance(as_("oskar"), order + 1)
    assert (missing.status_code, missing.get_json()["detail"]) == (404, NONE_SUCH)
    with opened(ann) as stream:
        assert [order["state"] for order in first(stream)] == ["placed"]


def test_everyone_follows_what_they_may_see(as_: As) -> None:
    ann, bea, oskar = as_("ann"), as_("bea"), as_("oskar")
    old = place(ann, "Old lamp")
    with opened(ann) as one, opened(bea) as other, opened(oskar) as all_:
        assert [order["id"] for order in first(one)] == [old]
        assert first(other) == []
        assert [order["id"] for order in first(all_)] == [old]
        new = place(bea, "New lamp")
        advance(oskar, old)
        advance(oskar, new)
        told = [
            [stream.json() for _ in range(n)] for stream, n in ((one, 1), (other, 2), (all_, 3))
        ]
    seen = [[(order["id"], order["state"]) for order in orders] for orders in told]
    assert seen[0] == [(old, "packed")]
    assert seen[1] == [(new, "placed"), (new, "packed")]
    assert seen[2] == [(new, "placed"), (old, "packed"), (new, "packed")]


def test_one_order_is_followed_alone(as_: As) -> None:
    ann, oskar = as_("ann"), as_("oskar")
    one, other = place(ann, "One"), place(ann, "Other")
    with opened(ann, f"/api/orders/{one}") as stream:
        assert first(stream)["item"] == "One"
        for order in (other, one, other, one):
            advance(oskar, order)
        told = [stream.json() for _ in range(2)]
    assert [(order["id"], order["state"]) for order in told] == [(one, "packed"), (one, "shipped")]


def test_stream_that_comes_back_misses_nothing(as_: As) -> None:
    ann, oskar = as_("ann"), as_("oskar")
    order = place(ann)
    with opened(ann) as stream:
        first(stream)
        position = stream.last_event_id
    for _ in range(3):
        advance(oskar, order)
    with opened(ann, last_event_id=position) as stream:
        assert [stream.json()["state"] for _ in range(3)] == STATES[1:]
        new = place(ann)
        assert stream.json()["id"] == new


def test_newest_orders_come_first_and_are_not_too_many(
    as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "BURST", 60)
    ann = as_("ann")
    placed = [place(ann) for _ in range(51)]
    with opened(ann) as stream:
        assert [order["id"] for order in first(stream)] == placed[:0:-1]


def test_processes_tell_each_other(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    one, two = (shop(tmp_path, SSE_BROKER_URL=url) for _ in range(2))
    with opened(signed_in(one, "ann")) as stream:
        assert first(stream) == []
        order = place(signed_in(two, "ann"))
        advance(signed_in(two, "oskar"), order)
        assert [stream.json()["state"] for _ in range(2)] == STATES[:2]


def test_steps_taken_at_once_are_told_in_their_order(app: Flask, as_: As) -> None:
    order = place(as_("ann"))
    operators = [as_("oskar") for _ in range(6)]
    together = threading.Barrier(6)
    statuses: list[int] = []

    def move(client: FlaskClient) -> None:
        together.wait()
        statuses.append(advance(client, order).status_code)

    with opened(as_("ann")) as stream:
        first(stream)
        threads = [threading.Thread(target=move, args=[client]) for client in operators]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [stream.json()["state"] for _ in range(3)] == STATES[1:]
    assert sorted(statuses) == [200] * 3 + [409] * 3


def test_change_is_kept_and_told_later_where_the_broker_is_away(
    as_: As, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ann, oskar = as_("ann"), as_("oskar")
    publish = extensions.sse.publish
    with opened(ann) as stream:
        first(stream)

        def away(*_: Any) -> str:
            raise BrokerUnavailable("away")

        monkeypatch.setattr(extensions.sse, "publish", away)
        order = place(ann)
        assert advance(oskar, order).get_json()["state"] == "packed"
        assert "told later: away" in caplog.text
        monkeypatch.setattr(extensions.sse, "publish", publish)
        advance(oskar, order)
        assert [stream.json()["state"] for _ in range(3)] == STATES[:3]


def test_what_could_not_be_told_is_told_although_nobody_asks(
    as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.02)
    ann = as_("ann")
    publish, tries = extensions.sse.publish, iter(range(5))

    def away_at_first(*arguments: Any) -> str:
        if next(tries, None) is not None:
            raise BrokerUnavailable("away")
        return publish(*arguments)

    with opened(ann) as stream:
        first(stream)
        monkeypatch.setattr(extensions.sse, "publish", away_at_first)
        order = place(ann)
        assert stream.json()["id"] == order
    assert next(tries, None) is None


def test_order_that_is_kept_is_answered_where_the_outbox_is_busy(
    as_: As, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a customer would order again."""
    ann = as_("ann")
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    with opened(ann) as stream, closing(_connection(tmp_path)) as other:
        first(stream)
        place_in_database = kept.place

        def place_and_lock(*arguments: Any) -> Any:
            order = place_in_database(*arguments)
            other.execute("BEGIN IMMEDIATE")
            return order

        monkeypatch.setattr(kept, "place", place_and_lock)
        order = place(ann)
        other.execute("COMMIT")
        assert stream.json()["id"] == order


def test_slow_broker_does_not_hold_the_database(
    as_: As, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = as_("ann")
    publish, asked, answers = extensions.sse.publish, threading.Event(), threading.Event()

    def slow(*arguments: Any) -> str:
        asked.set()
        assert answers.wait(20)
        return publish(*arguments)

    monkeypatch.setattr(extensions.sse, "publish", slow)
    placing = threading.Thread(target=lambda: place(ann))
    with opened(ann) as stream, closing(_connection(tmp_path)) as other:
        first(stream)
        placing.start()
        assert asked.wait(20)
        try:
            other.execute("BEGIN IMMEDIATE")
            other.execute("COMMIT")
            # Who comes in between waits for nobody: its message goes out after the others.
            place(ann, "Another lamp")
        finally:
            answers.set()
            placing.join()
        assert [stream.json()["item"] for _ in range(2)] == ["Lamp", "Another lamp"]


def test_message_is_told_once_where_it_was_not_forgotten_in_time(
    as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process dies after it has published and before it could note that."""
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.02)
    ann, oskar = as_("ann"), as_("oskar")
    forget, failures = outbox._forget, iter([503] * 3)

    def fail_at_first(*arguments: Any) -> None:
        if next(failures, None) is not None:
            abort(503, "The database is busy.")
        forget(*arguments)

    with opened(ann) as stream, opened(oskar) as all_:
        assert [first(each) for each in (stream, all_)] == [[], []]
        monkeypatch.setattr(outbox, "_forget", fail_at_first)
        order = place(ann)
        wait_for(lambda: next(failures, None) is None, "all failures")
        advance(oskar, order)
        for each in (stream, all_):
            assert [each.json()["state"] for _ in range(2)] == STATES[:2]


def _connection(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "console.db", isolation_level=None, check_same_thread=False)


def test_orders_of_an_account_are_limited(as_: As, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_UNDER_WAY", 3)
    monkeypatch.setattr(kept, "DELIVERED_KEPT", 2)
    ann, bea, oskar = as_("ann"), as_("bea"), as_("oskar")
    orders = [place(ann) for _ in range(3)]
    full = ann.post("/api/orders", json={"item": "Lamp"})
    assert full.status_code == 409
    assert "3 of your orders are under way" in full.get_json()["detail"]
    others = place(bea)
    for _ in range(3):
        for order in orders:
            advance(oskar, order)
    last = place(ann)
    with opened(oskar) as stream:
        assert [order["id"] for order in first(stream)] == [last, others, *orders[:0:-1]]


def test_orders_at_once_are_limited(as_: As, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "INTERVAL", 3600)
    ann = as_("ann")
    for _ in range(posting.BURST):
        place(ann)
    refused = ann.post("/api/orders", json={"item": "Lamp"})
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 3000
    place(as_("bea"))


def test_what_a_process_left_untold_is_told_to_who_follows(
    as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when it dies after a change is kept, and nobody opens a stream or changes anything."""
    ann, oskar = as_("ann"), as_("oskar")
    with fake_clock() as clock, opened(ann) as stream:
        first(stream)
        with monkeypatch.context() as patch:
            patch.setattr(outbox, "deliver", lambda: None)
            order = place(ann)
        clock.advance(REAUTHORIZE)
        assert stream.json()["state"] == "placed"
        with opened(ann, f"/api/orders/{order}") as one:
            first(one)
            with monkeypatch.context() as patch:
                patch.setattr(outbox, "deliver", lambda: None)
                advance(oskar, order)
            stream.close()
            clock.advance(REAUTHORIZE)
            assert one.json()["state"] == "packed"


def test_order_that_is_kept_is_answered_where_the_lock_cannot_be_had(
    as_: As, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of another user, for example, who ran a command in this folder."""
    monkeypatch.setattr(outbox, "FIRST_PAUSE", 0.02)
    ann = as_("ann")
    lock = tmp_path / "orders.lock"
    with opened(ann) as stream:
        first(stream)
        lock.mkdir()
        order = place(ann)
        assert "told later" in caplog.text
        lock.rmdir()
        assert stream.json()["id"] == order


def test_what_was_left_untold_is_told_when_somebody_asks(
    app: Flask, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = as_("ann")
    with opened(ann) as stream:
        first(stream)
        with monkeypatch.context() as patch:
            patch.setattr(outbox, "deliver", lambda: None)
            place(ann)
        with opened(ann) as newcomer:
            assert [order["state"] for order in first(newcomer)] == ["placed"]
        assert stream.json()["state"] == "placed"


def test_log_says_how_each_stream_ended(
    app: Flask, as_: As, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app.streams")
    ann = as_("ann")
    with opened(ann) as stream:
        first(stream)
    app.test_client().get("/api/orders")
    ann.get("/api/orders/7")
    with opened(ann) as stream:
        first(stream)
        ann.post("/api/logout")
        assert [event.event for event in stream] == ["error"]
    lines = [record.message for record in caplog.records if record.name == "app.streams"]
    said = [line.partition(" after ")[0] for line in lines]
    assert said == ["orders disconnected", "orders rejected", "order rejected", "orders error"]


def test_item_is_text_on_the_page(as_: As) -> None:
    ann = as_("ann")
    order = place(ann, "<img src=x onerror=alert(1)></script>")
    text = ann.get(f"/orders/{order}").text
    assert "&lt;img src=x onerror=alert(1)&gt;&lt;/script&gt;" in text
    assert "<img src=x" not in text

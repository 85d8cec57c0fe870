"""The demo's settings: what turns something on, the names it answers to, how much it lets in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app import posting
from app.settings import flag
from flask_sse_routes.testing import sse_client
from tests.app_fixtures import logging_restored, make_console

NAMES = ["console.example", ".of.example"]


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    with logging_restored():
        yield


@pytest.mark.parametrize("text", ["0", "false", "False", "FALSE", "no", "No", "off", "Off"])
def test_words_for_off_turn_the_demo_accounts_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("FLASK_DEMO_ACCOUNTS", text)
    app = make_console(tmp_path, OPEN_TO_ALL=None)
    assert (app.config["DEMO_ACCOUNTS"], app.config["OPEN_TO_ALL"]) == (False, False)
    claim = {"name": "olga", "password": "olga-ships"}
    assert app.test_client().post("/api/login", json=claim).status_code == 401


@pytest.mark.parametrize("text", ["1", "true", "True", "yes", "on"])
def test_words_for_on_turn_the_demo_accounts_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("FLASK_DEMO_ACCOUNTS", text)
    app = make_console(tmp_path, OPEN_TO_ALL=None)
    assert (app.config["DEMO_ACCOUNTS"], app.config["OPEN_TO_ALL"]) == (True, True)


@pytest.mark.parametrize("value", ["", "nope", "2", "maybe", 2, -1, None, [], 0.5])
def test_any_other_word_is_refused_with_a_sentence(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ValueError, match="DEMO_ACCOUNTS is one of 1, true, yes, on, 0, false, no"):
        make_console(tmp_path, DEMO_ACCOUNTS=value)
    with pytest.raises(ValueError, match="OPEN_TO_ALL is one of"):
        flag("OPEN_TO_ALL", value)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("console.localhost", 200),
        ("rebound.example", 400),
        ("rebound.example:8000", 400),
        ("127.0.0.1.rebound.example", 400),
        ("", 400),
    ],
)
def test_demo_answers_to_names_of_this_machine_alone(
    tmp_path: Path, host: str, status: int
) -> None:
    client = make_console(tmp_path, DEMO_ACCOUNTS=True).test_client()
    for path in ("/", "/api/hello", "/nothing/here", "/api/nothing"):
        answer = client.get(path, headers={"Host": host})
        expected = 404 if "nothing" in path and status == 200 else status
        assert answer.status_code == expected, path
    body = {"message": "from another site"}
    assert client.post("/api/notify", json=body, headers={"Host": host}).status_code == status


@pytest.mark.parametrize("given", [NAMES, ", ".join(NAMES)])
def test_names_are_as_configured(tmp_path: Path, given: Any) -> None:
    client = make_console(tmp_path, TRUSTED_HOSTS=given).test_client()
    for host, status in (("console.example", 200), ("x.of.example", 200), ("localhost", 400)):
        assert client.get("/api/hello", headers={"Host": host}).status_code == status
    anybody = make_console(tmp_path).test_client()
    assert anybody.get("/api/hello", headers={"Host": "any.example"}).status_code == 200


def test_streams_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = make_console(tmp_path).config
    assert 1 < config["SSE_MAX_STREAMS_PER_CLIENT"] < config["SSE_MAX_STREAMS"] < 1024
    monkeypatch.setenv("FLASK_SSE_MAX_STREAMS_PER_CLIENT", "1")
    client = make_console(tmp_path).test_client()
    with sse_client(client).open("/api/notifications") as stream:
        assert stream.next().event == "snapshot"
        refused = client.get("/api/notifications", headers={"Accept": "text/event-stream"})
        assert refused.headers["SSE-Refused"]


def test_posts_of_a_client_are_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "INTERVAL", 3600)
    monkeypatch.setattr(posting, "BURST", 5)
    client = make_console(tmp_path).test_client()
    task = {"kind": "count", "limit": 20_000}
    table = {"title": "Table", "text": "a,b\n1,2\n3,4\n"}
    posts = [("notify", {"message": "one"}), ("tables", table), ("tasks", task)]
    for path, body in posts:
        assert client.post(f"/api/{path}", json=body).status_code == 200, path
    again = "tasks/1/repeat"
    assert [client.post(f"/api/{again}").status_code for _ in range(2)] == [200, 200]
    for path, body in [*posts, (again, None)]:
        refused = client.post(f"/api/{path}", json=body)
        assert (refused.status_code, "Retry-After" in refused.headers) == (429, True), path

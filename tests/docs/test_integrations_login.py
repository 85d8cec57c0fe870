"""The guide to Flask-Login: who gets a stream, and what ends it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from clients.conftest import missing
from clients.serving import Serving
from flask.testing import FlaskClient

from flask_sse_routes.testing import TestStream, sse_client

from .integrations import imported, lay_out, serve, stream

try:
    import flask_login
except ImportError:
    flask_login = None  # type: ignore[assignment]  # the fixtures tell

PAGE = "guides/flask-login.md"
# A hash that takes no time.
QUICK = {"hash(password)": 'hash(password, "pbkdf2:sha256:1")'}
OFTEN = {"reauthorize=60": "reauthorize=0.1"}
# One stream for the session's own channel too, as the page says at its end.
BY_SESSION = {
    "from flask import Flask, abort": "import secrets\n\nfrom flask import Flask, abort, session",
    "    login_user(user)\n": "    login_user(user)\n    session['number'] = secrets.token_hex()\n",
    'sse.subscribe(f"inbox:{ctx.user}")': (
        'sse.subscribe(f"inbox:{ctx.user}", f"session:{session["number"]}")'.replace('"n', "'n")
    ).replace('r"]', "r']"),
    "    logout_user()\n    sse.revoke(user=ctx.user)": (
        "    sse.revoke(channel=f\"session:{session['number']}\")\n    logout_user()"
    ),
}

Load = Callable[..., ModuleType]


@pytest.fixture(autouse=True)
def needed() -> None:
    if flask_login is None:
        missing("flask-login")


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Import the page's module into this process, with lines of it replaced."""
    with ExitStack() as stack:

        def make(replace: Mapping[str, str] | None = None) -> ModuleType:
            lay_out(tmp_path, PAGE, "inbox.py", replace={**QUICK, **(replace or {})})
            return stack.enter_context(imported(tmp_path / "inbox.py"))

        yield make


def log_in(module: ModuleType, name: str) -> FlaskClient:
    """A browser in which somebody has logged in."""
    client: FlaskClient = module.app.test_client()
    answer = client.post("/api/log_in", json={"name": name, "password": f"{name}'s secret"})
    assert answer.json == {"user": name}
    return client


def ready(opened: AbstractContextManager[TestStream]) -> TestStream:
    found = opened.__enter__()
    assert found.next().event == "ready"
    return found


def open_inbox(client: FlaskClient) -> TestStream:
    return ready(sse_client(client).open("/api/inbox"))


def status_of_end(opened: TestStream) -> tuple[str | None, int]:
    last = opened.next()
    return last.event, json.loads(last.data)["status"]


class Visitor:
    """Somebody who is logged in to a server."""

    def __init__(self, serving: Serving, name: str) -> None:
        self._serving = serving
        self._headers = {"Content-Type": "application/json"}
        answer = self.post("/api/log_in", name=name, password=f"{name}'s secret")
        self._headers["Cookie"] = str(answer.getheader("Set-Cookie")).partition(";")[0]

    def post(self, path: str, **body: Any) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self._serving.port, timeout=10)
        connection.request("POST", path, json.dumps(body), self._headers)
        response = connection.getresponse()
        response.read()
        connection.close()
        assert response.status == 200
        return response

    def follow(self, target: str) -> Any:
        return stream(self._serving, target, headers={"Cookie": self._headers["Cookie"]})


def test_a_logout_ends_the_streams_of_all_workers(tmp_path: Path) -> None:
    lay_out(tmp_path, PAGE, "inbox.py")
    broker = {"SSE_BROKER_URL": f"sqlite:///{tmp_path}/events.db"}
    serving = serve(tmp_path, "inbox", workers=2, settings=broker)
    try:
        ada, bob = Visitor(serving, "ada"), Visitor(serving, "bob")
        theirs = [ada.follow(f"/api/{path}") for path in ("inbox", "documents/1/edits") * 5]
        others = bob.follow("/api/inbox")
        for each in (*theirs, others):
            assert each.next().event.event == "ready"
        ada.post("/api/log_out")
        for each in theirs:
            last = each.next()
            assert (last.event.event, last.json["status"]) == ("error", 403)
            each.read_to_end()
            each.close()
        bob.post("/api/write", to="bob", text="still here")
        assert others.next().json == {"from": "bob", "text": "still here"}
        others.close()
    finally:
        serving.kill()


def test_nobody_and_others_are_refused(load: Load) -> None:
    module = load()
    for path in ("/api/inbox", "/api/documents/1/edits"):
        answer = module.app.test_client().get(path)
        assert (answer.status_code, answer.json["detail"]) == (401, "Log in first.")
    ada = log_in(module, "ada")
    assert [ada.get(f"/api/documents/{n}/edits").status_code for n in (2, 3)] == [404, 404]
    with sse_client(ada).open("/api/documents/1/edits") as opened:
        assert opened.next().event == "ready"


def lock(module: ModuleType) -> None:
    module.users["ada"].locked = True


def expire(module: ModuleType) -> None:
    module.app.permanent_session_lifetime = timedelta(seconds=-1)


@pytest.mark.parametrize("change", [lock, expire])
def test_a_user_who_may_no_longer_loses_the_stream(
    load: Load, change: Callable[[ModuleType], None]
) -> None:
    module = load(replace=OFTEN)
    with open_inbox(log_in(module, "ada")) as opened:
        change(module)
        assert status_of_end(opened)[0] == "error"


def test_hooks_that_ask_again_see_no_logout(load: Load, eventually: Callable[..., None]) -> None:
    """The cookie that opened the stream is as good as before: the page says so."""
    module = load(replace=OFTEN | {"    sse.revoke(user=ctx.user)": "    #"})
    ada = log_in(module, "ada")
    with open_inbox(ada) as opened:
        assert ada.post("/api/log_out").status_code == 200
        assert ada.get("/api/inbox").status_code == 401
        loaded: list[str] = []
        module.login_manager.user_loader(lambda id: loaded.append(id) or module.load_user(id))
        eventually(lambda: len(loaded) > 2)
        with module.app.app_context():
            module.sse.publish("inbox:ada", "still open")
        assert opened.json() == "still open"


def test_an_end_for_one_browser_alone(load: Load) -> None:
    module = load(replace=BY_SESSION)
    here, there = log_in(module, "ada"), log_in(module, "ada")
    with open_inbox(here) as first, open_inbox(there) as second:
        assert here.post("/api/log_out").status_code == 200
        assert status_of_end(first) == ("error", 403)
        there.post("/api/write", json={"to": "ada", "text": "still here"})
        assert second.json() == {"from": "ada", "text": "still here"}
    assert here.get("/api/inbox").status_code == 401


def test_a_user_that_is_an_object_is_not_found(load: Load) -> None:
    module = load(replace={"current_user.get_id()": "current_user._get_current_object()"})
    with open_inbox(log_in(module, "ada")) as opened, module.app.app_context():
        module.sse.revoke(user="ada")
        module.sse.publish(f"inbox:{module.users['ada']}", "still open")
        assert opened.json() == "still open"


def test_a_generator_has_no_current_user(load: Load) -> None:
    module = load()

    def greet(ctx: Any) -> Iterator[Any]:
        yield [ctx.user, flask_login.current_user == None]  # noqa: E711  # it is a proxy

    route = module.define_route(greet, kind="sse")
    module.app.register_blueprint(module.RouteBlueprint("greet", "greet", {"greet": route}))
    with sse_client(log_in(module, "ada")).open("/greet") as opened:
        assert opened.json() == ["ada", True]


@pytest.mark.parametrize(("login_view", "status"), [("api.log_in", 500), (None, 401)])
def test_a_redirect_is_no_stream(load: Load, login_view: str | None, status: int) -> None:
    """What the page says of Flask-Login's own decorator."""
    module = load(
        replace={
            "from flask_login import": "import flask_login\nfrom flask_login import",
            "def inbox(": "@flask_login.login_required\ndef inbox(",
            'kind="sse", hooks=[logged_in], reauthorize=60': 'kind="sse"',
        }
    )
    module.login_manager.login_view = login_view
    answer = module.app.test_client().get("/api/inbox")
    assert answer.status_code == status

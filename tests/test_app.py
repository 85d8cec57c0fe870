"""The demo application, in this process: its pages, its files and what every request meets."""

from __future__ import annotations

import re
import stat
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from app import create_app
from app.panels import PANELS
from app.settings import secret_key
from tests.app_fixtures import logging_restored, make_console

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PATHS = [panel.path for panel in PANELS]
IMPORT = re.compile(r'(?:from|import) "(\.[^"]+)"')


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    with logging_restored():
        yield


@pytest.fixture(name="app")
def make_app(tmp_path: Path) -> Flask:
    return make_console(tmp_path)


@pytest.fixture(name="client")
def make_client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(name="demo", scope="module")
def make_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The demo, with an operator signed in."""
    with logging_restored():
        client = make_console(tmp_path_factory.mktemp("demo"), DEMO_ACCOUNTS=True).test_client()
        _sign_in(client, "alice", "alice-buys")
        client.post("/api/orders", json={"item": "Lamp"})
        _sign_in(client, "olga", "olga-ships")
        yield client


@pytest.fixture(name="pages", scope="module")
def read_pages(demo: FlaskClient) -> dict[str, Page]:
    """Every page that there is, as a stranger, a customer and an operator see it."""
    client = demo.application.test_client()
    pages = {path: Page(client.get(path).text) for path in [*PATHS, "/login", "/missing"]}
    for name, password in (("alice", "alice-buys"), ("olga", "olga-ships")):
        _sign_in(client, name, password)
        for path in [*PATHS, "/orders/1"]:
            pages[f"{path} as {name}"] = Page(client.get(path).text)
    return pages


def _sign_in(client: FlaskClient, name: str, password: str) -> None:
    answer = client.post("/api/login", json={"name": name, "password": password})
    assert answer.status_code == 200


class Page(HTMLParser):
    """What a page refers to, what the policy would refuse, and what a reader finds its way by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.inline: list[str] = []
        self.tags: list[str] = []
        self.current: list[str] = []
        self.labelled: set[str | None] = set()
        self.unnamed: list[tuple[str, str | None]] = []
        self.forms: list[dict[str, str | None]] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self._open.append(tag)
        self.references += [given[name] or "" for name in ("src", "href") if name in given]
        self.inline += [f"<{tag} {name}>" for name in given if self._is_inline(name)]
        self.current += ["aria-current"] if "aria-current" in given else []
        is_named = not given.keys().isdisjoint(("aria-label", "aria-labelledby"))
        is_labelled = tag in ("input", "select") and "label" in self._open
        is_hidden = given.get("type") == "hidden"
        wants_name = tag in ("nav", "section", "input", "select") and not is_hidden
        if wants_name and not is_named and not is_labelled:
            self.unnamed.append((tag, given.get("id")))
        if tag == "form":
            self.forms.append(given)
        if tag == "label":
            self.labelled.add(given.get("for"))

    @staticmethod
    def _is_inline(name: str) -> bool:
        return name == "style" or name.startswith("on")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in ("script", "style") and data.strip():
            self.inline.append(f"<{self._open[-1]}>{data}")

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open and self._open.pop() != tag:
            pass


def static_files(app: Flask) -> dict[str, str]:
    """The text of every static file, by its URL."""
    folder = Path(app.static_folder or "")
    files = (file for file in folder.rglob("*") if file.is_file())
    return {f"/static/{file.relative_to(folder)}": file.read_text() for file in files}


def test_pages_keep_to_the_policy(client: FlaskClient, pages: dict[str, Page]) -> None:
    assert len(pages) > 3 * len(PATHS)
    for path, page in pages.items():
        assert page.inline == [], path
        assert page.references, path
        assert all(re.match(r"/(?!/)|#main$", reference) for reference in page.references), path
    for path in ["/", "/missing", "/api/hello", "/api/missing", "/static/console.css"]:
        with client.get(path) as response:
            assert response.headers["Content-Security-Policy"] == POLICY
            assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_explorer_keeps_its_own_headers(demo: FlaskClient) -> None:
    response = demo.get("/api/explorer")
    assert response.status_code == 200
    assert "form-action 'none'" in response.headers["Content-Security-Policy"]


def test_pages_have_landmarks_headings_and_labels(pages: dict[str, Page]) -> None:
    for path, page in pages.items():
        assert (page.tags.count("main"), page.tags.count("h1")) == (1, 1), path
        assert "nav" in page.tags, path
        headings = [tag for tag in page.tags[page.tags.index("main") :] if tag in ("h1", "h2")]
        assert headings[0] == "h1", path
        assert [one for one in page.unnamed if one[1] not in page.labelled - {None}] == [], path
        assert len(page.current) == (path not in ("/login", "/missing")), path


def test_forms_keep_what_is_typed_out_of_addresses(app: Flask, pages: dict[str, Page]) -> None:
    """A browser that runs no script sends them as they are."""
    posted = {f"/api{route.rule}" for route in app.blueprints["api"].routes.values()}  # type: ignore[attr-defined]  # a RouteBlueprint
    forms = [form for page in pages.values() for form in page.forms]
    assert len(forms) > 5
    for form in forms:
        if form.get("role") != "search":
            assert form.get("method") == "post"
            assert form.get("action") in posted


def test_every_link_and_file_of_a_page_is_there(demo: FlaskClient, pages: dict[str, Page]) -> None:
    found = {reference for page in pages.values() for reference in page.references}
    for reference in found - {"#main"}:
        with demo.get(reference) as response:
            assert response.status_code in (200, 302), reference


def test_every_static_file_is_used_and_every_import_is_there(
    app: Flask, pages: dict[str, Page]
) -> None:
    files = static_files(app)
    used = {reference for page in pages.values() for reference in page.references}
    for file, text in files.items():
        if file.endswith(".js"):
            for target in IMPORT.findall(text):
                folder = Path(file).parent
                used.add(_resolved(folder / target))
    assert files.keys() - used == set()
    assert {name for name in used if name.startswith("/static/")} - files.keys() == set()


def _resolved(path: Path) -> str:
    parts: list[str] = []
    for part in path.parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/" + "/".join(parts[1:])


def test_scripts_show_text_as_text_and_styles_load_nothing(app: Flask) -> None:
    for file, text in static_files(app).items():
        dangers = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "://"]
        if file.endswith(".css"):
            dangers = ["@import", "url("]
        elif not file.endswith(".js"):
            continue
        assert [danger for danger in dangers if danger in text] == [], file


def test_pages_are_not_kept(client: FlaskClient) -> None:
    for path in ["/", "/login", "/missing"]:
        assert client.get(path).headers["Cache-Control"] == "no-store"


def test_missing_page_is_a_page_and_missing_route_a_problem(client: FlaskClient) -> None:
    page = client.get("/missing")
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "<h1>Not found</h1>" in page.text
    route = client.get("/api/missing")
    assert (route.status_code, route.mimetype) == (404, "application/problem+json")


def test_about_lists_every_route(app: Flask, client: FlaskClient) -> None:
    text = client.get("/about").text
    routes = app.blueprints["api"].routes  # type: ignore[attr-defined]  # a RouteBlueprint
    assert len(routes) >= 16
    for route in routes.values():
        rule = route.rule.replace("<", "&lt;").replace(">", "&gt;")
        assert f"<code>{route.method} /api{rule}</code>" in text


def test_plain_routes_answer(client: FlaskClient) -> None:
    assert client.get("/api/hello").get_json() == {"hello": "world"}
    info = client.get("/api/info").get_json()
    assert info["flask"].startswith("3.")
    assert info["pid"] > 0
    assert info["uptime"] >= 0


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("countdown?start=0", "start"),
        ("countdown?start=3601", "start"),
        ("countdown?start=soon", "start"),
        ("history?limit=0", "limit"),
        ("orders/0", "order_id"),
        ("orders/9007199254740992", "order_id"),
    ],
)
def test_query_is_checked(client: FlaskClient, path: str, field: str) -> None:
    response = client.get(f"/api/{path}")
    assert response.status_code == 422
    assert response.mimetype == "application/problem+json"
    assert [error["loc"] for error in response.get_json()["errors"]] == [[field]]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost:81"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://["}, 403),
    ],
)
def test_other_sites_change_nothing(
    client: FlaskClient, headers: dict[str, str], status: int
) -> None:
    body = {"message": "from somewhere"}
    response = client.post("/api/notify", json=body, headers=headers)
    assert response.status_code == status
    assert len(client.get("/api/history", headers=headers).get_json()) == (status == 200)
    if status == 403:
        assert response.mimetype == "application/problem+json"


def test_secret_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    made: list[str] = []
    path = tmp_path / "secret_key"
    together = threading.Barrier(8)

    def make() -> None:
        together.wait()
        made.append(secret_key(path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len(set(made)) == 1
    assert len(made[0]) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_secret_key_outlives_the_process_unless_one_is_given(tmp_path: Path) -> None:
    keys = [make_console(tmp_path, SECRET_KEY=None).config["SECRET_KEY"] for _ in range(2)]
    assert keys[0] == keys[1] == (tmp_path / "secret_key").read_text()
    assert make_console(tmp_path, SECRET_KEY="given").config["SECRET_KEY"] == "given"


def test_database_is_for_its_owner_alone(client: FlaskClient, tmp_path: Path) -> None:
    assert client.get("/login").status_code == 200
    files = list(tmp_path.glob("console.db*"))
    assert files
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_defaults_are_files_that_workers_share(monkeypatch: pytest.MonkeyPatch) -> None:
    real = create_app({"TESTING": True})
    monkeypatch.setenv("FLASK_DEMO_ACCOUNTS", "1")
    demo = create_app({"TESTING": True})
    for app, folder in ((real, "instance"), (demo, "demo")):
        broker = app.config["SSE_BROKER_URL"]
        assert broker == f"sqlite:///{app.config['DATA_FOLDER']}/events.db"
        assert Path(app.config["DATA_FOLDER"]).name == folder
    assert (real.config["SSE_EXPLORER"], demo.config["SSE_EXPLORER"]) == (None, True)
    assert real.config["SECRET_KEY"] != demo.config["SECRET_KEY"]


@pytest.mark.parametrize(("proxies", "address"), [(0, "10.0.0.1"), (1, "203.0.113.9")])
def test_proxies_are_believed_only_where_they_are(
    tmp_path: Path, proxies: int, address: str
) -> None:
    app = make_console(tmp_path, TRUSTED_PROXIES=proxies)
    app.add_url_rule("/address", view_func=lambda: f"{request.remote_addr} {request.scheme}")
    headers = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9", "X-Forwarded-Proto": "https"}
    environ: dict[str, Any] = {"REMOTE_ADDR": "10.0.0.1"}
    answer = app.test_client().get("/address", headers=headers, environ_base=environ).text
    assert answer == f"{address} {'https' if proxies else 'http'}"

"""The explorer in this process: when it is on, what it sends, and that it works anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient

from flask_sse_routes import RouteBlueprint, define_hook, define_route
from flask_sse_routes.explorer import FOLDER

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "connect-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
FILES = sorted(path.name for path in FOLDER.iterdir())
SCRIPTS = [name for name in FILES if name.endswith(".js")]
PATHS = ["explorer", "explorer/", "explorer/explorer.js", "explorer/routes.json"]
IMPORT = re.compile(r'^import .*"([^"]+)";$', re.MULTILINE)


def hello(name: str = "you") -> str:
    """Greet somebody.

    In a friendly way.
    """
    return name


def ticks() -> Iterator[int]:
    yield 1


key = define_hook(before=lambda ctx: None, security={"key": {"type": "http", "scheme": "basic"}})
inner_routes = {"stats": define_route(lambda: "stats"), "tagged": define_route(hello, tags=["Tag"])}
routes = {
    "hello": define_route(hello),
    "ticks": define_route(
        ticks, kind="sse", events={"done": int}, summary="Tick", deprecated=True, hooks=[key]
    ),
}


def app_of(prefix: str | None = "/api", **config: Any) -> Flask:
    app = Flask("application")
    app.config.update(config)
    api = RouteBlueprint("api", __name__, routes, title="Shop")
    api.register_blueprint(RouteBlueprint("inner", __name__, inner_routes, url_prefix="/inner"))
    app.register_blueprint(api, url_prefix=prefix)
    return app


@pytest.fixture(name="client")
def client() -> FlaskClient:
    return app_of(SSE_EXPLORER=True).test_client()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "config", [{}, {"SSE_EXPLORER": None}, {"SSE_EXPLORER": False, "DEBUG": True}]
)
def test_it_is_off(path: str, config: dict[str, Any]) -> None:
    response = app_of(**config).test_client().get(f"/api/{path}")
    assert (response.status_code, response.content_type) == (404, "application/problem+json")
    assert json.loads(response.data)["status"] == 404


@pytest.mark.parametrize("config", [{"SSE_EXPLORER": True}, {"DEBUG": True}])
def test_it_is_on(config: dict[str, Any]) -> None:
    response = app_of(**config).test_client().get("/api/explorer")
    assert response.status_code == 200
    assert response.content_type == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", ["explorer", *(f"explorer/{name}" for name in FILES), PATHS[-1]])
def test_everything_has_the_headers(client: FlaskClient, path: str) -> None:
    with client.get(f"/api/{path}") as response:
        assert response.status_code == 200
        policy = response.headers["Content-Security-Policy"].split("; ")
        assert dict(directive.split(" ", 1) for directive in policy) == POLICY
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-cache"
        assert response.data


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("explorer.css", "text/css; charset=utf-8"),
        ("explorer.js", "text/javascript; charset=utf-8"),
        ("explorer.svg", "image/svg+xml; charset=utf-8"),
        ("routes.json", "application/json"),
    ],
)
def test_types_are_what_browsers_ask_for(client: FlaskClient, name: str, content_type: str) -> None:
    with client.get(f"/api/explorer/{name}") as response:
        assert response.content_type == content_type


def test_what_did_not_change_is_not_sent_again(client: FlaskClient) -> None:
    with client.get("/api/explorer/explorer.js") as response:
        etag = response.headers["ETag"]
    again = client.get("/api/explorer/explorer.js", headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "name", ["none.js", "none", "..", "..%2f..%2fpy.typed", "..%5cexplorer.js", ".js", "a/b.js"]
)
def test_there_are_no_other_files(client: FlaskClient, name: str) -> None:
    response = client.get(f"/api/explorer/{name}")
    assert (response.status_code, response.content_type) == (404, "application/problem+json")


class Page(HTMLParser):
    """What a page refers to, and what of it would be inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.inline: list[str] = []
        self.open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open = tag
        for name, value in attrs:
            if name in {"href", "src"}:
                self.urls.append(value or "")
            if name == "style" or name.startswith("on"):
                self.inline.append(f"<{tag} {name}>")

    def handle_data(self, data: str) -> None:
        if self.open in {"script", "style"} and data.strip():
            self.inline.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.open = ""


def test_nothing_is_inline(client: FlaskClient) -> None:
    page = Page(client.get("/api/explorer").text)
    assert page.urls
    assert not page.inline


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_make_no_markup_and_run_no_text(name: str) -> None:
    text = (FOLDER / name).read_text()
    dangers = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc"
    assert not re.search(dangers, text)
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_import_what_is_served(client: FlaskClient, name: str) -> None:
    for target in IMPORT.findall((FOLDER / name).read_text()):
        assert target.startswith("."), target
        with client.get(urljoin(f"/api/explorer/{name}", target)) as response:
            assert response.status_code == 200, target


@pytest.mark.parametrize("root", ["", "/mounted"])
@pytest.mark.parametrize(
    ("prefix", "page"),
    [
        ("/api", "/api/explorer"),
        (None, "/explorer"),
        ("/", "/explorer"),
        ("/v1/<tenant>/api", "/v1/t/api/explorer"),
        ("/api", "/api/inner/explorer"),
    ],
)
def test_its_urls_work_wherever_it_is(prefix: str | None, page: str, root: str) -> None:
    client = app_of(prefix, SSE_EXPLORER=True).test_client()

    def get(url: str) -> Any:
        assert url.startswith(f"{root}/")
        return client.get(url.removeprefix(root), environ_overrides={"SCRIPT_NAME": root})

    urls = [url for url in Page(get(f"{root}{page}").text).urls if not url.startswith("#")]
    assert "explorer/explorer.js" in urls
    for url in [*urls, "explorer/routes.json"]:
        with get(urljoin(f"{root}{page}", url)) as response:
            assert response.status_code == 200, url


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("prefix", ["/api", None])
def test_a_slash_too_many_leads_to_the_page(prefix: str | None, strict: bool) -> None:
    app = app_of(prefix, SSE_EXPLORER=True)
    app.url_map.strict_slashes = strict
    for rule in app.url_map.iter_rules():
        rule.strict_slashes = strict
    path = f"{prefix or ''}/explorer"
    client = app.test_client()
    response = client.get(f"{path}/", environ_overrides={"SCRIPT_NAME": "/mounted"})
    assert response.status_code == 308
    assert urljoin(f"/mounted{path}/", response.headers["Location"]) == f"/mounted{path}"
    assert client.get(path).status_code == 200


def test_it_knows_the_routes(client: FlaskClient) -> None:
    found = client.get("/api/explorer/routes.json").get_json()
    assert (found["title"], found["version"]) == ("Shop", "0")
    rows = {row["name"]: row for row in found["routes"]}
    assert list(rows) == ["hello", "ticks", "inner.stats", "inner.tagged"]
    greeting = rows["hello"]
    assert (greeting["summary"], greeting["description"]) == (
        "Greet somebody.",
        "In a friendly way.",
    )
    assert (greeting["method"], greeting["path"], greeting["streams"]) == ("GET", "/hello", False)
    name = greeting["input"]["$ref"].rpartition("/")[2]
    assert found["definitions"][name]["properties"]["name"]["default"] == "you"
    assert {name: row["group"] for name, row in rows.items()} == {
        "hello": "",
        "ticks": "",
        "inner.stats": "inner",
        "inner.tagged": "Tag",
    }
    stream = rows["ticks"]
    assert (stream["kind"], stream["streams"], stream["deprecated"]) == ("sse", True, True)
    assert stream["summary"] == "Tick"
    assert stream["events"] == {"done": {"type": "integer"}}
    assert stream["security"] == {"key": {"type": "http", "scheme": "basic"}}


def test_a_nested_blueprint_has_a_page_of_its_own(client: FlaskClient) -> None:
    found = client.get("/api/inner/explorer/routes.json").get_json()
    assert [row["name"] for row in found["routes"]] == ["stats", "tagged"]


def test_what_the_page_knows_is_not_sent_twice(client: FlaskClient) -> None:
    etag = client.get("/api/explorer/routes.json").headers["ETag"]
    again = client.get("/api/explorer/routes.json", headers={"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")

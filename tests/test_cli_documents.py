"""`flask sse openapi`, `flask sse diff` and `flask sse routes`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_sse_routes import RouteBlueprint, SSERoutes, define_hook, define_route
from flask_sse_routes.cli import sse_cli

signed_in = define_hook("signed_in", before=lambda ctx: None)
timed = define_hook("timed", cleanup=lambda ctx: None)

Run = Callable[..., Any]
ORDER_PATH = "/api/orders/<int:order_id>"


def ticks(interval: float, limit: int = 3) -> Iterator[int]:
    yield from range(limit)


def order(order_id: int) -> str:
    return str(order_id)


def app_of(*blueprints: RouteBlueprint) -> Flask:
    app = Flask("application")
    SSERoutes(app, hooks=[timed])
    for blueprint in blueprints:
        app.register_blueprint(blueprint)
    return app


def runner(app: Flask) -> Run:
    app.cli.add_command(sse_cli)

    def run(*arguments: str) -> Any:
        result = app.test_cli_runner().invoke(args=["sse", *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        return result

    return run


def shop(**more: Any) -> RouteBlueprint:
    routes = {
        "order": define_route(order, path="/orders/<int:order_id>", hooks=[signed_in]),
        "ticks": define_route(ticks, kind="sse"),
        **more,
    }
    inner = RouteBlueprint("admin", __name__, url_prefix="/admin")
    inner.add_route("log", define_route(kind="sse", handler=lambda: iter([]), events={"a": int}))
    api = RouteBlueprint("api", __name__, routes, url_prefix="/api", title="Shop", version="2")
    api.register_blueprint(inner)
    return api


@pytest.fixture(name="run")
def run() -> Run:
    return runner(app_of(shop()))


def test_the_document_is_the_one_that_is_served() -> None:
    app = app_of(shop())
    result = runner(app)("openapi")
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == app.test_client().get("/api/openapi.json").json


def test_a_nested_blueprint_by_its_name(run: Run) -> None:
    document = json.loads(run("openapi", "api.admin").stdout)
    assert document["paths"].keys() == {"/log"}
    assert document["servers"] == [{"url": "/api/admin"}]


def test_the_format(run: Run) -> None:
    assert json.loads(run("openapi", "--format", "3.1").stdout)["openapi"] == "3.1.0"
    assert run("openapi", "--format", "2.0").exit_code == 2


def test_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    assert run("openapi", "-o", path).exit_code == 0
    assert path.read_text() == run("openapi").stdout
    again = run("openapi", "-o", path)
    assert (again.exit_code, again.stdout) == (0, "")
    assert "up to date" in again.stderr
    assert run("openapi", "-o", tmp_path / "none" / "x.json").exit_code == 1


def test_several_blueprints() -> None:
    other = RouteBlueprint("other", __name__, url_prefix="/other")
    run = runner(app_of(shop(), other))
    result = run("openapi")
    assert result.exit_code == 1
    assert "api" in result.stderr
    assert "other" in result.stderr
    assert json.loads(run("openapi", "other").stdout)["paths"] == {}
    assert run("openapi", "othre").exit_code == 1


def test_no_blueprint() -> None:
    assert runner(app_of())("openapi").exit_code == 1


@pytest.fixture(name="old")
def old(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "old.json"
    run("openapi", "-o", path)
    return path


def test_no_difference(run: Run, old: Path) -> None:
    for arguments in ([old], [old, old], [old, "api"], [old, "--all"]):
        result = run("diff", *arguments)
        assert (result.exit_code, result.output) == (0, "")


def test_what_breaks(old: Path) -> None:
    def posted(interval: float, unit: str) -> Iterator[str]:
        yield "x"

    run = runner(app_of(shop(ticks=define_route(posted, kind="sse"), new=define_route(order))))
    result = run("diff", old)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "ticks: input unit is new and required",
        "ticks: input limit was removed",
        "ticks: event message may now be string",
    ]
    everything = run("diff", old, "--all").stdout.splitlines()
    assert "compatible\tnew: was added" in everything
    assert [line for line in everything if line.startswith("breaking\t")] == [
        f"breaking\t{line}" for line in result.stdout.splitlines()
    ]


def test_what_does_not_break(old: Path) -> None:
    run = runner(app_of(shop(new=define_route(lambda: 1))))
    result = run("diff", old, "api")
    assert (result.exit_code, result.output) == (0, "")


def test_two_files_need_no_app(run: Run, old: Path, tmp_path: Path) -> None:
    document = json.loads(old.read_text())
    del document["paths"]["/orders/{order_id}"]
    new = tmp_path / "new.json"
    new.write_text(json.dumps(document))
    result = run("diff", old, new)
    assert (result.exit_code, result.stdout) == (1, "order: was removed\n")
    assert run("diff", new, old).exit_code == 0


def test_a_document_of_3_1_tells_events_too(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    run("openapi", "--format", "3.1", "-o", path)
    assert (run("diff", path).exit_code, run("diff", path).output) == (0, "")

    def words(interval: float, limit: int = 3) -> Iterator[str]:
        yield "x"

    changed = runner(app_of(shop(ticks=define_route(words, kind="sse"))))("diff", path)
    assert (changed.exit_code, changed.stdout) == (1, "ticks: event message may now be string\n")


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "{}", '{"openapi": "3.0.3", "paths": {}}', '{"openapi": "3.2.0"}']
)
def test_unreadable_files(run: Run, old: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(text)
    for arguments in ([path], [old, path]):
        result = run("diff", *arguments)
        assert result.exit_code == 2
        assert str(path) in result.stderr
    assert run("diff", tmp_path / "missing.json").exit_code == 2
    assert run("diff", old, tmp_path / "missing.json").exit_code == 2
    assert run("diff", tmp_path).exit_code == 2


def test_a_file_and_a_blueprint_are_too_much(run: Run, old: Path) -> None:
    assert run("diff", old, old, "api").exit_code == 2
    assert run("diff", old, "nobody").exit_code == 1


def test_routes_in_columns(run: Run) -> None:
    result = run("routes")
    assert result.exit_code == 0
    lines = [line.split("  ") for line in result.stdout.splitlines()]
    assert [[cell.strip() for cell in line if cell] for line in lines] == [
        ["NAME", "KIND", "METHOD", "PATH", "INPUT", "EVENTS", "HOOKS"],
        ["api.order", "http", "GET", ORDER_PATH, "order_id", "-", "timed, signed_in"],
        ["api.ticks", "sse", "GET", "/api/ticks", "interval, limit?", "message", "timed"],
        ["api.admin.log", "sse", "GET", "/api/admin/log", "-", "a", "timed"],
    ]
    for heading in ("KIND", "METHOD", "PATH", "INPUT", "EVENTS", "HOOKS"):
        column = result.stdout.index(heading)
        assert {line[column - 2 : column] for line in result.stdout.splitlines()} == {"  "}


def test_routes_as_json(run: Run) -> None:
    rows = json.loads(run("routes", "--json").stdout)
    assert rows[0] == {
        "name": "api.order",
        "kind": "http",
        "method": "GET",
        "path": ORDER_PATH,
        "input": ["order_id"],
        "events": [],
        "hooks": ["timed", "signed_in"],
    }
    assert [row["name"] for row in rows] == ["api.order", "api.ticks", "api.admin.log"]


def test_an_app_without_routes() -> None:
    assert runner(app_of())("routes").stdout.split() == [
        "NAME",
        "KIND",
        "METHOD",
        "PATH",
        "INPUT",
        "EVENTS",
        "HOOKS",
    ]
    assert json.loads(runner(app_of())("routes", "--json").stdout) == []


@pytest.mark.parametrize(
    "paths",
    [{"/x": None}, {"/x": {"get": None}}, {"/x": {"get": {"parameters": [{"$ref": "#/no"}]}}}],
)
def test_a_document_with_a_part_of_another_shape(run: Run, tmp_path: Path, paths: Any) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps({"openapi": "3.2.0", "paths": {}, "servers": []}))
    bad.write_text(json.dumps({"openapi": "3.2.0", "paths": paths}))
    assert run("diff", good, good).exit_code == 0
    for given, which in (((bad, bad), "OLD"), ((bad, good), "OLD"), ((good, bad), "NEW")):
        result = run("diff", *given)
        assert (result.exit_code, result.exception.__class__) == (2, SystemExit)
        assert f"The {which} document has something that OpenAPI does not allow" in result.output


def test_a_folder_of_a_blueprint_s_name(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("openapi", "-o", tmp_path / "old.json")
    (tmp_path / "api").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run("diff", "old.json", "api").exit_code == 0

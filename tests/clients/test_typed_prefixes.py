"""Generated clients of blueprints whose prefixes have variables, and input that goes to a query."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_sse_routes.codegen.python import python_file
from flask_sse_routes.codegen.typescript import typescript_file
from flask_sse_routes.documents import catalogue_of
from flask_sse_routes.explorer import describe

from . import prefixed_app
from .compilers import ROOT, mypy, tsc_command
from .serving import Serving

TYPES = Path(__file__).parent / "types"
PLACE = {"tenant": "acme", "org_id": 5, "room": "a b"}
EXPECTED: dict[str, Any] = {
    "where": PLACE,
    "count": [PLACE, 3],
    "pay": [PLACE, {"amount": 2}],
    "share": [PLACE, {"word": "a"}],
    "unshared": [{"tenant": "acme"}, {"word": "a"}],
    "tags": [PLACE, {"a": 1}],
    "whatever": [PLACE, {"b": [1]}],
    "item": [3, "none"],
    "search": [2, None, ["a"], [1], None, None],
    "ticks": [0, 1],
}
NOTE = "An empty list is the same as none: the default applies."


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    started = Serving("clients.prefixed_app:app", tmp_path_factory.mktemp("server"))
    yield f"{started.url}/acme/api"
    started.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prefixed")
    catalogue = catalogue_of(prefixed_app.app, "api")
    (folder / "prefixed_api.ts").write_text(typescript_file(catalogue, "api"))
    (folder / "prefixed_api.py").write_text(python_file(catalogue, "api"))
    (folder / "package.json").write_text('{"type": "module"}')
    for name in ("prefixed.ts", "prefixed.py"):
        shutil.copy(TYPES / name, folder)
    return folder


def output(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def test_the_typescript_client(
    program: Callable[[str], str], node_modules: Callable[[str], Path], folder: Path, url: str
) -> None:
    flags = ["--moduleResolution", "bundler", "--skipLibCheck", "--outDir", "out", "prefixed.ts"]
    output([*tsc_command(program, node_modules), *flags], folder)
    found = output([program("node"), "out/prefixed.js", url], folder)
    assert json.loads(found) == EXPECTED


def test_the_python_client(folder: Path, url: str) -> None:
    text = (folder / "prefixed.py").read_text()
    (folder / "unmarked.py").write_text(text.replace("# type: ignore", "# wrong: "))
    assert mypy(folder, "prefixed.py") == ""
    refused = {int(line.split(":")[1]) for line in mypy(folder, "unmarked.py").splitlines()}
    assert refused == {n for n, line in enumerate(text.splitlines(), 1) if "type: ignore" in line}
    found = output([sys.executable, "prefixed.py", url], folder, PYTHONPATH=f"{ROOT}:{folder}")
    assert json.loads(found) == EXPECTED


def test_an_empty_list_is_told_of(folder: Path) -> None:
    typescript = (folder / "prefixed_api.ts").read_text()
    assert f"/** {NOTE} */\n  words?: string[];" in typescript
    assert (
        f"# {NOTE}\n    words: NotRequired[list[str]]" in (folder / "prefixed_api.py").read_text()
    )


def test_a_type_that_others_use_stays_as_it_is(folder: Path) -> None:
    typescript = (folder / "prefixed_api.ts").read_text()
    assert "export interface Shared {\n  word: string;\n}" in typescript
    assert "RoomsShareInput {\n  org_id: number;\n  room: string;\n  word: string;\n}" in typescript


def test_a_list_with_variables_of_a_prefix_cannot_be_given(folder: Path) -> None:
    typescript, python = ((folder / f"prefixed_api.{end}").read_text() for end in ("ts", "py"))
    told = "rooms.bulk is not here: its input is no object"
    assert f"// {told}" in typescript
    assert told in python.split('"""')[1]
    assert " & " not in typescript.partition("const routes")[0]
    for text in (typescript, python):
        assert text.count("bulk") == 1
        assert "either" in text


def test_the_explorer_asks_for_the_variables() -> None:
    described = describe(catalogue_of(prefixed_app.app, "api"))
    (where,) = (each for each in described["routes"] if each["name"] == "rooms.where")
    schema = described["definitions"][where["input"]["$ref"].rpartition("/")[2]]
    assert schema["required"] == ["org_id", "room"]

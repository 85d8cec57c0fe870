"""The modules of the browser client's runtime by themselves, on Node, and how they are made."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import flask_sse_routes

from .programs import JS, client_text

FOLDER = Path(flask_sse_routes.__file__).parent / "static" / "client"
VECTORS = Path(__file__).parents[1] / "data" / "parse-vectors.json"

FindProgram = Callable[[str], str]


def run(*command: str, cwd: Path | None = None) -> str:
    found = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """The runtime where Node knows that its files are modules."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for path in FOLDER.glob("*.js"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_parser_keeps_all_vectors(program: FindProgram, modules: Path) -> None:
    script, parser = str(JS / "vectors.mjs"), str(modules / "parser.js")
    *wrong, count = run(program("node"), script, parser, str(VECTORS)).splitlines()
    assert wrong == []
    assert int(count) > 2 * len(json.loads(VECTORS.read_text()))


def test_parts(program: FindProgram, modules: Path) -> None:
    assert run(program("node"), str(JS / "parts.mjs"), modules.as_uri()) == "ok\n"


def test_sources_compile_to_what_is_shipped(
    program: FindProgram, node_modules: Callable[[str], Path], tmp_path: Path
) -> None:
    compiler = node_modules("typescript") / "bin" / "tsc"
    run(program("node"), str(compiler), "-p", str(FOLDER), "--outDir", str(tmp_path))
    compiled = {path.name: path.read_text() for path in tmp_path.glob("*.js")}
    assert compiled == {path.name: path.read_text() for path in FOLDER.glob("*.js")}
    assert compiled.keys() == {f"{path.stem}.js" for path in FOLDER.glob("*.ts")}


def test_compiler_is_strict() -> None:
    options = json.loads((FOLDER / "tsconfig.json").read_text())["compilerOptions"]
    wanted = ("strict", "exactOptionalPropertyTypes", "noUncheckedIndexedAccess")
    assert all(options[name] is True for name in wanted)


def test_module_is_one_file_that_runs_nothing_it_was_given() -> None:
    text = client_text()
    assert not re.search(r"^import|import\(", text, re.MULTILINE)
    for word in ("innerHTML", "eval(", "new Function", "document."):
        assert word not in text


def test_names_of_modules_do_not_clash(program: FindProgram, tmp_path: Path) -> None:
    module = tmp_path / "client.mjs"
    module.write_text(client_text())
    look = f"import('{module.as_uri()}').then((m) => console.log(Object.keys(m).join()))"
    assert run(program("node"), "-e", look) == "$api,$sse,RouteError,connect\n"

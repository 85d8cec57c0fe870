"""Types made at random: what the server sends and takes fits the generated ones."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from flask_sse_routes import RouteBlueprint, define_route
from flask_sse_routes.codegen.catalogue import Catalogue
from flask_sse_routes.codegen.python import python_file
from flask_sse_routes.codegen.typescript import typescript_file
from flask_sse_routes.documents import catalogue_of

from .compilers import mypy, tsc_command
from .random_types import Maker, Typed

SEED = 20240229
COUNT = 120


@pytest.fixture(scope="module")
def types() -> list[Typed]:
    maker = Maker(SEED)
    return [maker.type(random.Random(number).randint(0, 3)) for number in range(COUNT)]


@pytest.fixture(scope="module")
def values(types: list[Typed]) -> list[Any]:
    return [typed.json() for typed in types]


@pytest.fixture(scope="module")
def catalogue(types: list[Typed]) -> Catalogue:
    api = RouteBlueprint("api", __name__)
    for number, typed in enumerate(types):
        api.add_route(f"out{number}", define_route(handler=lambda: None, output=typed.type))
        api.add_route(f"in{number}", define_route(handler=taking(typed.type), method="POST"))
    app = Flask(__name__)
    app.register_blueprint(api)
    return catalogue_of(app, "api")


def taking(type_: Any) -> Callable[..., None]:
    def handler(value: Any) -> None:
        pass

    handler.__annotations__ = {"value": type_, "return": None}
    return handler


def test_values_fit_typescript_types(
    program: Callable[[str], str],
    node_modules: Callable[[str], Path],
    tmp_path: Path,
    catalogue: Catalogue,
    values: list[Any],
) -> None:
    lines = ['import type { Api } from "./api.js";', "export async function use(api: Api) {"]
    for number, value in enumerate(values):
        text = json.dumps(value)
        lines.append(f"  const v{number}: Awaited<ReturnType<Api['out{number}']>> = {text};")
        lines.append(f"  await api.in{number}({{ value: {text} }}); void v{number};")
    (tmp_path / "api.ts").write_text(typescript_file(catalogue, "api"))
    (tmp_path / "use.ts").write_text("\n".join([*lines, "}"]))
    command = tsc_command(program, node_modules)
    options = ["--noEmit", "--skipLibCheck", "--moduleResolution", "bundler", "use.ts"]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.stdout, done.returncode) == ("", 0)


def test_values_fit_python_types(tmp_path: Path, catalogue: Catalogue, values: list[Any]) -> None:
    lines = ["from api import Api", "def use(api: Api) -> None:"]
    for number, value in enumerate(values):
        lines.append(f"    v{number} = api.out{number}()")
        lines.append(f"    v{number} = {value!r}")
        lines.append(f"    api.in{number}(value={value!r})")
    (tmp_path / "api.py").write_text(python_file(catalogue, "api"))
    (tmp_path / "use.py").write_text("\n".join(lines))
    assert mypy(tmp_path, "use.py") == ""

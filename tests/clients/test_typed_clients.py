"""Generated clients: what their compilers accept and refuse, and how they do against a server."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flask_sse_routes.client import RouteError
from flask_sse_routes.codegen.javascript_file import javascript_file
from flask_sse_routes.codegen.python import python_file
from flask_sse_routes.codegen.typescript import typescript_file
from flask_sse_routes.documents import catalogue_of

from . import odd_app, typed_app
from .compilers import mypy, tsc_command
from .serving import Serving

TYPES = Path(__file__).parent / "types"
# `run.ts` uses top-level await, and files import each other as Node will find them.
MORE = ["--skipLibCheck", "--moduleResolution", "bundler", "--outDir", "out"]
EXPECTED: dict[str, Any] = {
    "hello": {"hello": "world"},
    "order": [7, "long", "2024-02-29T12:00:00Z", [0, ""], {"kind": "card", "number": "1"}],
    "orders": 3,
    "created": {"kind": "cash", "amount": "2"},
    "paid": "card",
    "tree": "0",
    "file": "a/b c",
    "odd": {"a-b": 1, "class": "x", "$": None},
    "stats": {"streams": 1},
    "refused": [422, "Unprocessable Entity", [["limit"]]],
    "built": [0, 50, "done"],
    "failed": [0, 50, [507, "no disk left"]],
    "handled": [[5, "message"], [6, "message"], [7, "message"], "over"],
}

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    started = Serving("clients.typed_app:app", tmp_path_factory.mktemp("server"))
    yield started
    started.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client in every language, and the programs that use it."""
    folder = tmp_path_factory.mktemp("clients")
    odd = catalogue_of(odd_app.app, "odd")
    (folder / "odd.ts").write_text(typescript_file(odd, "odd"))
    (folder / "odd.py").write_text(python_file(odd, "odd"))
    (folder / "odd.js").write_text(javascript_file(odd, "odd"))
    catalogue = catalogue_of(typed_app.app, "api")
    (folder / "api.ts").write_text(typescript_file(catalogue, "api"))
    (folder / "api.py").write_text(python_file(catalogue, "api"))
    (folder / "javascript").mkdir()
    (folder / "javascript" / "api.js").write_text(javascript_file(catalogue, "api"))
    (folder / "package.json").write_text('{"type": "module"}')
    for path in TYPES.iterdir():
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def tsc(
    folder: Path, program: Callable[[str], str], node_modules: Callable[[str], Path]
) -> Callable[..., str]:
    """Run the compiler in the folder; return what it says, which is nothing if all is well."""
    command = tsc_command(program, node_modules)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=120
        )
        assert bool(done.returncode) == bool(done.stdout), done
        return done.stdout

    return run


@pytest.fixture(scope="module")
def compiled(tsc: Callable[..., str], folder: Path) -> Path:
    """The folder of the compiled client and programs; what must be refused has been."""
    assert tsc(*MORE, "usage.ts", "run.ts") == ""
    return folder / "out"


def node(program: Callable[[str], str], script: Path, url: str) -> Any:
    done = subprocess.run(
        [program("node"), str(script), url], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_the_typescript_files_compile_alone(tsc: Callable[..., str]) -> None:
    flags = ["--noUnusedLocals", "--noImplicitOverride", "--lib", "es2022,dom"]
    assert tsc("--noEmit", *flags, "api.ts", "odd.ts") == ""


def test_every_line_that_must_be_refused_is(compiled: Path) -> None:
    text = (TYPES / "usage.ts").read_text()
    assert text.count("// @ts-expect-error: ") > 25  # tsc refuses one that is not needed
    assert (compiled / "usage.js").is_file()


def test_the_typescript_client_runs_on_node(
    program: Callable[[str], str], serving: Serving, compiled: Path
) -> None:
    assert node(program, compiled / "run.js", f"{serving.url}/api") == EXPECTED


def test_the_javascript_client_runs_on_node(
    program: Callable[[str], str], serving: Serving, compiled: Path, folder: Path
) -> None:
    shutil.copy(compiled / "run.js", folder / "javascript")
    assert node(program, folder / "javascript" / "run.js", f"{serving.url}/api") == EXPECTED


def test_mypy_accepts_the_python_client_and_refuses_wrong_use(folder: Path) -> None:
    text = (folder / "usage.py").read_text()
    (folder / "unmarked.py").write_text(text.replace("# type: ignore", "# wrong: "))
    said = mypy(folder, "odd.py", "usage.py", "unmarked.py").splitlines()
    assert {line.split(":")[0] for line in said} == {"unmarked.py"}
    refused = {int(line.split(":")[1]) for line in said}
    assert refused == {n for n, line in enumerate(text.splitlines(), 1) if "type: ignore" in line}


@pytest.fixture
def generated(folder: Path) -> ModuleType:
    """The Python client, imported."""
    return imported(folder / "api.py")


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generated_client", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_name_of_a_route_means_anything_else(
    program: Callable[[str], str], folder: Path
) -> None:
    names = {*odd_app.ROUTE_NAMES, "fields", "models", "progress", "admin", "lists"}
    names |= {"either", "anything", "counts"}
    script = folder / "names.js"
    script.write_text(
        'import { connect } from "./odd.js";\n'
        'const { $api, $sse } = connect("http://127.0.0.1/odd");\n'
        "const found = [$api, $sse, $api.admin.get].map((space) => Object.keys(space));\n"
        "console.log(JSON.stringify(found));\n"
    )
    api, sse, inner = node(program, script, "")
    assert {*api, *sse} == names
    assert {*inner} < names
    assert set(imported(folder / "odd.py").ROUTES) >= names - {"admin", "lists"}


def test_the_python_client_runs(generated: ModuleType, serving: Serving) -> None:
    with generated.connect(f"{serving.url}/api") as client:
        assert python_results(client.api, client.sse) == EXPECTED


def python_results(api: Any, sse: Any) -> dict[str, Any]:
    order = api.order(order_id=7, verbose=True)
    with pytest.raises(RouteError) as refused:
        api.orders(limit="many")
    numbers = sse.numbers(start=5)
    return {
        "hello": api.hello(),
        "order": [order[key] for key in ("id", "note", "at", "point", "payment")],
        "orders": len(api.orders(limit=3, color=["red", "blue"])["items"]),
        "created": api.create(color="blue", payment={"kind": "cash", "amount": 2})["payment"],
        "paid": api.pay(kind="card", number="1"),
        "tree": api.tree(depth=2)["children"][0]["children"][0]["name"],
        "file": api.file(name="a/b c"),
        "odd": api.odd(**{"a-b": 1, "class": "x", "$": None}),
        "stats": api.admin.stats(),
        "refused": [
            refused.value.status,
            refused.value.title,
            [fault["loc"] for fault in refused.value.errors],
        ],
        "built": built(sse.build(steps=2)),
        "failed": built(sse.build(steps=2, fail=True)),
        "handled": [*([event.data, event.event] for event in numbers), numbers.result],
    }


def built(stream: Any) -> list[Any]:
    seen: list[Any] = []
    try:
        # What came before the error stays in the list.
        seen.extend(e.data["percent"] if e.event == "progress" else e.event for e in stream)
    except RouteError as error:
        seen.append([error.status, error.detail])
    return seen


def test_the_asyncio_client_runs(generated: ModuleType, serving: Serving) -> None:
    async def run() -> list[Any]:
        async with generated.connect_async(f"{serving.url}/api") as client:
            stats = await client.api.admin.stats()
            return [stats, [event.data async for event in client.sse.numbers(start=1)]]

    assert asyncio.run(run()) == [{"streams": 1}, [1, 2, 3]]

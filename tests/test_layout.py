"""The shape of the package: imports go down the floors, the public names are these, the wheel
ships the package alone, and importing it starts nothing."""

from __future__ import annotations

import ast
import configparser
import email
import graphlib
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Iterator
from email.message import Message
from pathlib import Path
from typing import NamedTuple

import pytest

import flask_sse_routes

ROOT = Path(__file__).parents[1]
NAME = "flask_sse_routes"
PACKAGE = ROOT / NAME

# A module may import its own floor and those below. A package counts as one module here.
FLOORS = {
    0: {"addresses", "config", "cors", "errors", "logs", "origins", "wire"},
    1: {
        "bodies",
        "brokers",
        "catching",
        "channels",
        "clock",
        "codec",
        "codegen",
        "concurrency",
        "connections",
        "delivery",
        "followers",
        "groups",
        "hooks",
        "input_fields",
        "lag",
        "observers",
        "offload",
        "orders",
        "peer",
        "publishing",
        "pulse",
        "queries",
        "reports",
        "rings",
        "routes",
        "schema",
        "sockets",
        "sources",
        "stalls",
        "stream",
        "streams",
        "subscriptions",
        "tallies",
        "texts",
        "timing",
        "wheel",
    },
    2: {
        "blueprint",
        "body_limit",
        "context",
        "diagnosis",
        "documents",
        "explorer",
        "extension",
        "failures",
        "kinds",
        "health",
        "listening",
        "metrics",
        "policies",
        "problems",
        "steps",
        "tracing",
        "transport",
    },
    3: {"cli", "client", "contract", "doctor", "gunicorn", "pytest_plugin", "testing"},
}
FLOOR_OF = {module: floor for floor, modules in FLOORS.items() for module in modules}

# What the package imports beside the standard library, from which floor up or in which modules.
THIRD_PARTY: dict[str, int | set[str]] = {
    "pydantic": 1,
    "pydantic_core": 1,
    "flask": 2,
    "werkzeug": 2,
    "gevent": {"concurrency", "gunicorn"},
    "itsdangerous": {"diagnosis"},
    "gunicorn": {"doctor", "gunicorn"},
    "pytest": {"contract", "pytest_plugin"},
    "opentelemetry": {"tracing"},
    "prometheus_client": {"gunicorn", "metrics"},
    "redis": {"brokers"},
    "sqlalchemy": {"doctor"},
    "click": {"cli", "doctor"},
    "httpx": {"client"},
}
# Values neither read a clock nor wait.
NOT_ON_FLOOR_0 = {"asyncio", "queue", "select", "selectors", "socket", "threading", "time"}
# gevent replaces names inside these modules: one that was bound before stays unpatched.
PATCHED = {"queue", "select", "selectors", "socket", "ssl", "subprocess", "threading", "time"}

PUBLIC = [
    "BrokerUnavailable",
    "CORS",
    "Call",
    "Config",
    "ConfigError",
    "Context",
    "ContextError",
    "DeclarationError",
    "Event",
    "EventError",
    "Kind",
    "OutputError",
    "PositionGone",
    "Route",
    "RouteBlueprint",
    "SSERoutes",
    "Stats",
    "StreamClosed",
    "StreamError",
    "Subscription",
    "broker_from_url",
    "check_origin",
    "compose_hooks",
    "compose_routes",
    "define_hook",
    "define_route",
    "hook",
    "register_kind",
]


class Import(NamedTuple):
    """One imported module, and whether names were taken out of it (`from x import y`)."""

    target: str
    line: int
    names: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def runtime_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but what stands under `if TYPE_CHECKING:`, which never runs."""
    yield node
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        children = node.orelse
    for child in children:
        yield from runtime_nodes(child)


def base_of(node: ast.ImportFrom, path: Path) -> str:
    """The module that `from ... import` names, with its dots resolved."""
    if not node.level:
        return node.module or ""
    folder = path.parents[node.level - 1].relative_to(ROOT)
    return ".".join([*folder.parts, *([node.module] if node.module else [])])


def imports(source: str, path: Path) -> Iterator[Import]:
    """What a module imports, anywhere in it; `from . import x` counts as the module `x`."""
    for node in runtime_nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, names=False)
        elif isinstance(node, ast.ImportFrom):
            base = base_of(node, path)
            for alias in node.names:
                submodule = f"{base}.{alias.name}"
                found = submodule if submodule in MODULES else base
                yield Import(found, node.lineno, names=found == base)


IMPORTS = {name: list(imports(path.read_text(), path)) for name, path in MODULES.items()}


def unit(module: str) -> str:
    """The row of the table that a module belongs to; the package itself has an empty one."""
    return module.split(".")[1] if "." in module else ""


def floor(module: str) -> int:
    """The floor of a module; the package's `__init__` only names what floors 0 to 2 offer."""
    return FLOOR_OF[unit(module)] if unit(module) else 2


def inner(module: str) -> Iterator[Import]:
    return (found for found in IMPORTS[module] if found.target.split(".")[0] == NAME)


def outer(module: str) -> Iterator[tuple[str, int]]:
    for found in IMPORTS[module]:
        top = found.target.split(".")[0]
        if top != NAME:
            yield top, found.line


def test_every_module_has_a_floor() -> None:
    units = {unit(module) for module in MODULES} - {""}
    unlisted, gone = sorted(units - FLOOR_OF.keys()), sorted(FLOOR_OF.keys() - units)
    assert not unlisted, "Give these modules a floor in the table of this test."
    assert not gone, "The table of this test lists modules that exist no more."
    assert sum(map(len, FLOORS.values())) == len(FLOOR_OF), "A module stands on two floors."


def test_imports_go_downward() -> None:
    wrong = [
        f"{module}:{found.line} (floor {floor(module)}) imports {found.target}"
        for module in MODULES
        for found in inner(module)
        if found.target == NAME or floor(found.target) > floor(module)
    ]
    assert not wrong, "Import from the module that defines it, on the same floor or below."


def test_no_import_cycle() -> None:
    graph = {module: {found.target for found in inner(module)} for module in MODULES}
    graphlib.TopologicalSorter(graph).prepare()


def third_party_allowed(top: str, module: str) -> bool:
    where = THIRD_PARTY.get(top, set())
    return floor(module) >= where if isinstance(where, int) else unit(module) in where


def test_third_party_imports_stay_where_they_belong() -> None:
    wrong = [
        f"{module}:{line} imports {top}"
        for module in MODULES
        for top, line in outer(module)
        if top not in sys.stdlib_module_names and not third_party_allowed(top, module)
    ]
    assert not wrong, "The table THIRD_PARTY of this test says who may import what."


def test_floor_0_has_no_clock_and_no_threads() -> None:
    wrong = [
        f"{module}:{line} imports {top}"
        for module in MODULES
        if floor(module) == 0
        for top, line in outer(module)
        if top in NOT_ON_FLOOR_0
    ]
    assert not wrong, "Floor 0 holds values: what waits or tells the time goes to floor 1."


def test_names_that_gevent_patches_are_looked_up_when_called() -> None:
    wrong = [
        f"{module}:{found.line} takes names from {found.target}"
        for module in MODULES
        for found in IMPORTS[module]
        if found.names and found.target.split(".")[0] in PATCHED
    ]
    assert not wrong, "Write `import threading` and `threading.Event()`: patching may come later."


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os.path, time", ["os.path", "time"]),
        ("from time import sleep", ["time"]),
        ("def f():\n  import gevent", ["gevent"]),
        ("from . import wire", [f"{NAME}.wire"]),
        ("from .wire import Event", [f"{NAME}.wire"]),
        (f"from {NAME} import wire, Event", [f"{NAME}.wire", NAME]),
        ("from .kinds import sse", [f"{NAME}.kinds.sse"]),
        ("if TYPE_CHECKING:\n  import a\nelse:\n  import b", ["b"]),
        ("if typing.TYPE_CHECKING:\n  import a", []),
        ("try:\n  import a\nexcept ImportError:\n  import b", ["a", "b"]),
    ],
)
def test_imports_are_read_as_python_does(source: str, expected: list[str]) -> None:
    assert [found.target for found in imports(source, PACKAGE / "blueprint.py")] == expected


def test_relative_imports_count_from_the_folder() -> None:
    found = list(imports("from ..wire import Event\nfrom . import http", PACKAGE / "kinds/sse.py"))
    assert [one.target for one in found] == [f"{NAME}.wire", f"{NAME}.kinds.http"]


def test_public_names() -> None:
    assert sorted(flask_sse_routes.__all__) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_documented(name: str) -> None:
    doc = getattr(flask_sse_routes, name).__doc__ or ""
    # A dataclass without a docstring is given its signature for one.
    assert doc.strip(), f"{name} has no docstring."
    assert not doc.startswith(f"{name}("), f"{name} has only a generated docstring."


@pytest.mark.parametrize("module", MODULES)
def test_module_says_what_it_holds_and_on_which_floor(module: str) -> None:
    doc = ast.get_docstring(ast.parse(MODULES[module].read_text())) or ""
    assert doc, f"{module} has no docstring."
    said = re.search(r"\bfloor (\d)", doc, re.IGNORECASE)
    if unit(module):
        assert said, f"{module} does not name its floor."
        assert int(said[1]) == floor(module)


def test_import_starts_nothing() -> None:
    program = f"""
import threading, sys
import {NAME}
heavy = sorted({{"asyncio", "gevent", "gunicorn", "pytest"}} & sys.modules.keys())
threads = [thread.name for thread in threading.enumerate()]
print(heavy, threads)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == "[] ['MainThread']\n"


def test_public_names_are_found_where_they_are_defined() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    written = {
        alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert written == flask_sse_routes.HOMES
    assert sorted(written) == PUBLIC
    assert set(dir(flask_sse_routes)) >= set(PUBLIC)
    with pytest.raises(AttributeError, match="has no attribute 'route'"):
        flask_sse_routes.route  # noqa: B018  # the look is the test


def test_type_checkers_find_names_that_are_not_there(tmp_path: Path) -> None:
    """A module whose `__getattr__` they see has every name for them."""
    late = {NAME: "Event", f"{NAME}.testing": "no_sse_leaks", f"{NAME}.gunicorn": "SSEWorker"}
    use = tmp_path / "use.py"
    use.write_text("".join(f"from {module} import {late[module]}, Misspelt\n" for module in late))
    options = ["--config-file=", f"--cache-dir={tmp_path}", "--follow-imports=skip"]
    files = [str(MODULES[module]) for module in late]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *files, str(use)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    faults = [line for line in run.stdout.splitlines() if " error: " in line]
    assert len(faults) == len(late), run.stdout + run.stderr
    assert all('no attribute "Misspelt"' in line for line in faults)


@pytest.mark.parametrize("module", ["", ".pytest_plugin", ".gunicorn.drain", ".gunicorn.worker"])
def test_arbiter_and_pytest_import_no_flask(module: str) -> None:
    program = f"import sys, {NAME}{module}; print({{'flask', 'pydantic'}} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel, built in a copy of the tree as `pip wheel` would, without a network."""
    tree = tmp_path_factory.mktemp("tree") / "project"
    made = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")
    shutil.copytree(ROOT, tree, ignore=made)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    run = subprocess.run(
        [sys.executable, "-c", build, str(tree)],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    (path,) = tree.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def declared_version() -> str:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config["metadata"]["version"]


@pytest.fixture
def metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return email.message_from_string(wheel.read(name).decode())


def test_wheel_ships_the_package_whole_and_its_plugin_alone(wheel: zipfile.ZipFile) -> None:
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    files = (path for path in PACKAGE.rglob("*") if path.is_file())
    source = {
        path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts
    }
    assert shipped == source
    assert f"{NAME}/py.typed" in shipped


def test_wheel_metadata(metadata: Message) -> None:
    assert metadata["Version"] == declared_version()
    assert metadata["License-File"] == "LICENSE"
    assert str(metadata.get_payload()).strip() == (ROOT / "README.md").read_text().strip()


def test_wheel_requires_flask_and_pydantic_alone(metadata: Message) -> None:
    always = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {re.split(r"[^\w-]", line)[0] for line in always} == {"flask", "pydantic"}


def test_changes_name_the_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGES.md").read_text(), re.MULTILINE)
    assert headings[0] == declared_version()

"""Where the peers' programs come from: each has an environment of its own in the cache folder.

It is made when it is first needed, by pip or npm from their registries, and made anew when what
it should hold has changed. What cannot be made raises `Unavailable` with the reason.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .errors import Unavailable, last_line
from .processes import Process
from .programs import HERE, compiled

# Says what an environment holds; without it, the environment was left half made.
RECORD = "installed.json"

Versions = dict[str, str]


class Environment(Protocol):
    """What a peer is started from."""

    def prepare(self, home: Path) -> str:
        """Make it unless it is there; return the path of the program in it."""

    def versions(self, home: Path) -> Versions:
        """Tell what it holds, by name."""


def require(*programs: str) -> None:
    """Check that the programs are on the path."""
    for name in programs:
        if shutil.which(name) is None:
            raise Unavailable(f"{name} is not installed")


def run(command: Sequence[str | Path], folder: Path) -> None:
    """Run a command in a folder; what it says is kept there, and its last line on failure told."""
    path = folder / "log.txt"
    with path.open("ab") as log:
        process = Process(command, log=log, cwd=folder)
        try:
            status = process.wait()
        finally:
            process.end()
    if status:
        raise Unavailable(f"{Path(command[0]).name}: {last_line(path.read_text(errors='replace'))}")


def installed_here(*names: str) -> Versions:
    """The versions of those of the packages that the running interpreter has."""
    found: Versions = {}
    for name in names:
        if importlib.util.find_spec(name) is not None:
            found[name] = importlib.metadata.version(name)
    return found


class ThisEnvironment:
    """The interpreter that runs the benchmark, with the checkout as it is."""

    PACKAGES = ("flask", "gunicorn", "gevent", "pydantic")

    def prepare(self, home: Path) -> str:
        for name in self.PACKAGES:
            if importlib.util.find_spec(name) is None:
                raise Unavailable(f"{name} is not installed; it comes with the extra 'server'")
        return sys.executable

    def versions(self, home: Path) -> Versions:
        return installed_here(*self.PACKAGES)


@dataclass(frozen=True)
class Compiled:
    """A C program of this folder."""

    name: str

    def prepare(self, home: Path) -> str:
        return str(compiled(self.name, home))

    def versions(self, home: Path) -> Versions:
        return {}


@dataclass(frozen=True)
class PythonEnvironment:
    """A virtualenv. What is named in `alike` gets the version that this project runs with."""

    name: str
    packages: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()

    def prepare(self, home: Path) -> str:
        folder = home / self.name
        python = folder / "bin" / "python"
        wanted = {"python": platform.python_version(), "packages": self._requirements()}
        if _recorded(folder).get("wanted") != wanted or not python.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            run([sys.executable, "-m", "venv", folder], folder)
            quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
            run([python, "-m", "pip", "install", *quiet, *self._requirements()], folder)
            _record(folder, {"wanted": wanted, "versions": _pip_versions(python)})
        return str(python)

    def versions(self, home: Path) -> Versions:
        found = _recorded(home / self.name)["versions"]
        names = [name.partition("[")[0] for name in (*self.packages, *self.alike)]
        return {name: found[name] for name in names if name in found}

    def _requirements(self) -> list[str]:
        here = installed_here(*self.alike)
        same = [f"{name}=={here[name]}" if name in here else name for name in self.alike]
        return [*self.packages, *same]


@dataclass(frozen=True)
class NodeEnvironment:
    """A folder with packages of npm and a script of this folder, which finds them there."""

    name: str
    packages: tuple[str, ...]
    script: str

    def prepare(self, home: Path) -> str:
        require("node", "npm")
        folder = home / self.name
        wanted = {"packages": list(self.packages)}
        if _recorded(folder).get("wanted") != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            (folder / "package.json").write_text('{"private": true}\n')
            run(["npm", "install", "--no-audit", "--no-fund", *self.packages], folder)
            versions = {name: _npm_version(folder, name) for name in self.packages}
            _record(folder, {"wanted": wanted, "versions": versions})
        return str(shutil.copy(HERE / "peers" / self.script, folder))

    def versions(self, home: Path) -> Versions:
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
        found: Versions = _recorded(home / self.name)["versions"]
        return {"node": node.stdout.strip().removeprefix("v"), **found}


def _recorded(folder: Path) -> dict[str, Any]:
    try:
        recorded: dict[str, Any] = json.loads((folder / RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return recorded


def _record(folder: Path, what: dict[str, Any]) -> None:
    (folder / RECORD).write_text(json.dumps(what, indent=2) + "\n")


def _pip_versions(python: Path) -> Versions:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "list", "--format=json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {package["name"].lower(): package["version"] for package in json.loads(listed)}


def _npm_version(folder: Path, name: str) -> str:
    package = json.loads((folder / "node_modules" / name / "package.json").read_text())
    return str(package["version"])

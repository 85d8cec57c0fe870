"""Commands that a page shows and no test runs: they fetch from a network or build a machine.

They are checked against this project's own files, so that none names what is not there.
"""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Callable

from .blocks import ROOT

EXTRAS = re.compile(r"\[([\w,-]+)\]")
NAME = "flask_sse_routes"


def _setup() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    return config


def _pip(command: str) -> str | None:
    """Every extra exists, and every package is one that the tests have."""
    extras = _setup()["options.extras_require"]
    given = [name for found in EXTRAS.finditer(command) for name in found[1].split(",")]
    if unknown := [name for name in given if name not in extras]:
        return f"no such extra: {unknown}"
    words = command.replace("'", " ").replace('"', " ").split()[2:]
    plain = [word for word in words if re.fullmatch(r"[A-Za-z][\w.-]*", word) and word != "install"]
    listed = " ".join([*extras.values(), _setup()["options"]["install_requires"], NAME]).lower()
    missing = [name for name in plain if name.lower().replace("_", "-") not in _dashed(listed)]
    return f"not among what the tests install: {missing}" if missing else None


def _dashed(text: str) -> str:
    return text.replace("_", "-")


def _make(command: str) -> str | None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    given = [word for word in command.split("make ", 1)[1].split("#")[0].split() if "=" not in word]
    unknown = [name for name in given if not name.startswith("-") and name not in targets]
    return f"no such target of the Makefile: {unknown}" if unknown else None


def _npm(command: str) -> str | None:
    listed = json.loads((ROOT / "tests" / "node" / "package.json").read_text())
    known = {**listed.get("dependencies", {}), **listed.get("devDependencies", {})}
    words = command.split("install", 1)[1].split()
    unknown = [name for name in words if not name.startswith("-") and name not in known]
    return f"not in tests/node/package.json: {unknown}" if unknown else None


def _nothing(command: str) -> str | None:
    return None


RULES: tuple[tuple[str, Callable[[str], str | None]], ...] = (
    (r"(?:python3? -m )?pip install\b", _pip),
    (r"(?:\w+=\S+ )*make \w+", _make),
    (r"npm (?:install|i)\b", _npm),
    (r"python3? -m venv\b", _nothing),
    (r"(?:\.|source) \S*/bin/activate$", _nothing),
    (r"git clone\b", _nothing),
    (r"(?:sudo )?apt-get install\b", _nothing),
)


def check(command: str) -> tuple[bool, str | None]:
    """Whether a command is one that is not run, and what is wrong with it."""
    for pattern, rule in RULES:
        if re.match(pattern, command):
            return True, rule(command)
    return False, None

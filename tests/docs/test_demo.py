"""The lines of the README that start the demo: each is run by make, with this interpreter."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from .blocks import README, ROOT, blocks
from .commands import Command, environment, wait_for
from .console import split
from .ports import Ports
from .servers import answers, connects

LINES = [
    text.split("#")[0].strip()
    for block in blocks(README)
    if block.language == "console"
    for text, _ in split(block)
    if re.search(r"\bmake run\b", text)
]


@pytest.fixture
def installed(tmp_path: Path) -> list[str]:
    """What tells make that everything is installed, and which interpreter to take."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return [f"BIN={python.parent}", f"RUN_READY={python}"]


@contextmanager
def running(text: str, folder: Path, variables: dict[str, str]) -> Iterator[Command]:
    command = Command(text, folder, environment(folder, variables), background=True)
    try:
        yield command
    finally:
        command.kill()


def status_of(port: str) -> int:
    with closing(HTTPConnection("127.0.0.1", int(port), timeout=30)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().status


@pytest.mark.parametrize("line", LINES)
def test_the_demo_starts(
    line: str, installed: list[str], tmp_path: Path, program: Callable[[str], str]
) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    ports = Ports()
    port = ports.used("9000" if "PORT=9000" in line else "8000")
    variables = {"FLASK_DATA_FOLDER": str(tmp_path / "data"), "MAKEFLAGS": "", "PORT": port}
    make = ports.replace(f"{line} -C {ROOT} {' '.join(installed)}")
    redis = f"{program('redis-server')} --port {ports.used('6379')} --save ''"
    with running(redis, folder, {}), running(make, folder, variables) as demo:
        assert wait_for(lambda: connects(ports.used("6379")))
        assert wait_for(lambda: demo.ended or answers(demo)), demo.printed
        assert status_of(port) == 200, demo.printed


def test_the_lines_are_there() -> None:
    assert len(LINES) == 3


def test_where_it_listens_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT"):
        monkeypatch.delenv(name, raising=False)
    assert runpy.run_path(str(ROOT / "gunicorn.conf.py"))["bind"] == "127.0.0.1:8000"

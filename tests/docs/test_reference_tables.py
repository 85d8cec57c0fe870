"""The tables of the reference say what the code says."""

from __future__ import annotations

import ast
import dataclasses
import re
from typing import Any

import flask_sse_routes
from flask_sse_routes import Config
from flask_sse_routes.config import PREFIX
from flask_sse_routes.kinds.sse import SseKind

from .blocks import path_of


def table(page: str, begins: str) -> dict[str, Any]:
    """The first two columns of the table whose head begins so, read as Python values."""
    _, _, text = path_of(page).read_text().partition(begins)
    assert text, f"{page} has no table {begins!r}."
    rows = re.findall(r"^\| `(\w+)` \| `(.+?)` \|", text.partition("\n\n")[0], re.MULTILINE)
    return {name: ast.literal_eval(value) for name, value in rows}


def test_configuration_keys_and_defaults() -> None:
    fields = dataclasses.fields(Config)
    expected = {PREFIX + field.name.upper(): field.default for field in fields}
    assert table("reference/configuration.md", "| key | default | unit |") == expected


def test_options_of_a_stream() -> None:
    assert table("reference/configuration.md", "| option | default |") == SseKind.options


def test_every_public_name_has_its_place() -> None:
    text = path_of("reference/api.md").read_text()
    named = set(re.findall(r"^::: flask_sse_routes\.(\w+)$", text, re.MULTILINE))
    assert set(flask_sse_routes.__all__) - {"__version__"} <= named

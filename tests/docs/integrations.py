"""What the tests of the integration guides share: a page's files in a folder, and servers of them.

A guide's example is taken as it stands; a test that shows what a line of it is good for replaces
that line, and fails where the page does not have it any more.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from clients.serving import TESTS, Serving
from e2e.client import Stream

from tests.docs.blocks import block


def lay_out(
    folder: Path, page: str, *titles: str, replace: Mapping[str, str] | None = None
) -> None:
    """Write blocks of a page to a folder, each under its title."""
    texts = {title: block(page, title) for title in titles}
    for old, new in (replace or {}).items():
        assert any(old in text for text in texts.values()), f"{page} has no {old!r} any more."
        texts = {title: text.replace(old, new) for title, text in texts.items()}
    for title, text in texts.items():
        path = folder / title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def serve(folder: Path, app: str, **options: Any) -> Serving:
    """Start a server of an app that lies in a folder."""
    path = {"PYTHONPATH": f"{TESTS.parent}:{TESTS}:{folder}"}
    environment = {**path, **options.pop("environment", {})}
    return Serving(f"{app}:app", folder, environment=environment, **options)


def stream(serving: Serving, target: str, **options: Any) -> Stream:
    """Open a stream of a server."""
    return Stream(("127.0.0.1", serving.port), target, **options)


@contextmanager
def imported(path: Path) -> Iterator[ModuleType]:
    """Import a file of a page into this process, for as long as the block lasts."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[path.stem]

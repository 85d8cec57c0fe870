"""Fixtures: programs that must be there, servers of a test's own, a browser, and clients in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e.chromium import chromium_at
from playwright.sync_api import Browser

from .little import Little
from .programs import InChromium, InNode, Program, client_text, serve_client
from .serving import Serving

ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / "tests" / "node" / "node_modules"


def missing(what: str) -> None:
    """Skip a test that lacks something; where CI runs, fail it."""
    give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    give_up(f"{what} is not installed")


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """Return the path of an installed program, such as `node` or `chromium`."""

    def find(name: str) -> str:
        path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if path is None:
            missing(name)
        return str(path)

    return find


@pytest.fixture(scope="session")
def node_modules() -> Callable[[str], Path]:
    """Return the folder of a package that `make test` installs from `tests/node/package.json`."""

    def find(name: str) -> Path:
        if not (NODE_MODULES / name).is_dir():
            missing(f"the npm package {name}")
        return NODE_MODULES / name

    return find


@pytest.fixture(scope="session")
def no_authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder of certificates."""
    return tmp_path_factory.mktemp("authorities")


@pytest.fixture(autouse=True)
def without_authorities(monkeypatch: pytest.MonkeyPatch, no_authorities: Path) -> None:
    """Have no Python client read the authorities of the web, which takes longer than most tests."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(no_authorities))


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Serving]]:
    """Start servers: `serve("clients.shop:app", worker="gevent", settings={"SSE_RETRY": 100})`."""
    started: list[Serving] = []

    def start(app: str, **options: object) -> Serving:
        started.append(Serving(app, tmp_path_factory.mktemp("server"), **options))  # type: ignore[arg-type]  # checked there
        return started[-1]

    yield start
    for serving in started:
        serving.kill()


@pytest.fixture(scope="module")
def chromium(program: Callable[[str], str]) -> Iterator[Browser]:
    """A headless browser for the tests of a module; each should open a context of its own."""
    with chromium_at(program("chromium")) as browser:
        yield browser


@pytest.fixture(scope="session")
def module_text() -> str:
    """The browser client's module, for the routes of `programs.py`."""
    return client_text()


@pytest.fixture(scope="module")
def node(
    program: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory, module_text: str
) -> Iterator[InNode]:
    """A process of Node for the tests of a module."""
    module = tmp_path_factory.mktemp("node") / "client.mjs"
    module.write_text(module_text)
    made = InNode(program("node"), module)
    yield made
    made.quit()


@pytest.fixture(scope="module")
def home() -> Iterator[Little]:
    """What the page in Chromium comes from."""
    server = Little()
    yield server
    server.close()


@pytest.fixture
def little(home: Little, module_text: str) -> Iterator[Little]:
    """A server that answers as the test says."""
    home.answers.clear()
    serve_client(home, module_text)
    yield home
    home.reset()


@pytest.fixture
def other() -> Iterator[Little]:
    """A server of another origin."""
    server = Little()
    yield server
    server.close()


@pytest.fixture(scope="module")
def in_page(chromium: Browser, home: Little) -> Iterator[InChromium]:
    page = chromium.new_page()
    yield InChromium(page, home)
    page.close()


@pytest.fixture(params=["node", "chromium"])
def client(
    request: pytest.FixtureRequest, node: InNode, in_page: InChromium, little: Little
) -> Iterator[Program]:
    """The browser client where it runs: in Node, and in a page."""
    made: Program = node if request.param == "node" else in_page
    made.begin()
    yield made
    made.end()

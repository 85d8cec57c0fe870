"""The kit as a pytest plugin, in a small project of a user whose warnings are errors."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

pytest_plugins = "pytester"

ROOT = Path(__file__).parents[1]

INI = """
[pytest]
filterwarnings = error
"""

CONFTEST = """
import sys

# What the plugins of pytest have imported by now.
EARLY = {"flask", "gevent", "pydantic", "flask_sse_routes.testing"} & sys.modules.keys()

import pytest
from flask import Flask
from flask_sse_routes import RouteBlueprint, SSERoutes, define_route

def job(ctx):
    yield {"percent": 50}
    ctx.sleep(3600)

@pytest.fixture
def app():
    app = Flask(__name__)
    SSERoutes(app)
    routes = {"job": define_route(kind="sse", handler=job)}
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    return app

@pytest.fixture(autouse=True)
def nothing_leaks(no_sse_leaks):
    pass
"""

SUITE = """
def test_an_event(sse_client):
    with sse_client.open("/api/job") as stream:
        assert stream.json() == {"percent": 50}
    assert stream.outcome == "disconnected"

def test_the_clock(sse_client, sse_clock):
    with sse_client.open("/api/job") as stream:
        sse_clock.advance(3600)
        assert stream.heartbeats == 239
        assert [event.event for event in stream] == ["message", "end"]

def test_a_socket(sse_server, sse_clock):
    with sse_server.open("/api/job") as stream:
        stream.next()
        sse_clock.advance(15)
        stream.wait_for_heartbeat()
"""

LAZY = """
from conftest import EARLY

def test_nothing_was_imported_before_a_test_asked_for_it():
    assert EARLY == set()
"""

BESIDE = """
import pytest
from flask import request, url_for

# pytest-flask pushes a context for each test, which is its own.
def test_both(sse_client, client, client_class=None):
    assert request.path == "/"
    assert client.get("/api/nothing").status_code == 404
    with sse_client.open("/api/job") as stream:
        stream.next()
    assert client.get("/api/nothing").json["status"] == 404

def test_a_context_of_its_own(client):
    assert url_for("api.job") == "/api/job"
"""

# The last test of its process: the context that it leaves is in the way of others.
LEAK = """
def test_leak(app):
    app.app_context().push()
"""

OFF = """
def test_off(sse_client):
    pass
"""

PATCHED = "from gevent import monkey; monkey.patch_all()\n"
BY_HAND = 'pytest_plugins = ["flask_sse_routes.testing.plugin"]\n'
IMPORTED = "from flask_sse_routes.testing import no_sse_leaks\n"
# By the name of its entry point; what else is installed is not asked, which takes its time.
PLUGIN = ("-p", "flask_sse_routes")


@pytest.fixture(name="project")
def a_project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project beside an installation of the package, which its entry points make one."""
    declared = configparser.ConfigParser()
    declared.read(ROOT / "setup.cfg")
    entry = declared["options.entry_points"]["pytest11"]
    installed = pytester.mkdir("installed")
    info = installed / "kit-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kit\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pytest11]\n{entry}\n")
    monkeypatch.setenv("PYTHONPATH", f"{installed}:{ROOT}")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makeini(INI)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_suite=SUITE)
    return pytester


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "no:cacheprovider", *options)


def test_on_threads_and_lazily(project: pytest.Pytester) -> None:
    project.makepyfile(test_lazy=LAZY)
    assert run(project, *PLUGIN).parseoutcomes() == {"passed": 4}


def test_under_gevent_and_named_by_hand_alone(project: pytest.Pytester) -> None:
    project.makeconftest(PATCHED + BY_HAND + CONFTEST)
    assert run(project).parseoutcomes() == {"passed": 3}


def test_beside_other_plugins_and_named_by_hand_as_well(project: pytest.Pytester) -> None:
    """In a process of pytest-xdist, with the contexts of pytest-flask."""
    project.makeconftest(BY_HAND + CONFTEST + IMPORTED)
    project.makepyfile(test_beside=BESIDE, test_suite=SUITE + LEAK)
    done = run(project, *PLUGIN, "-p", "flask", "-p", "xdist", "-n", "1")
    assert done.parseoutcomes() == {"passed": 6, "errors": 1}
    done.stdout.fnmatch_lines(
        ["*ERROR at teardown of test_leak*", "*A Flask context is still pushed."]
    )


def test_turned_off(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    project.makeconftest("")
    project.makepyfile(test_suite=OFF)
    others = ("-p", "no:flask", "-p", "no:hypothesispytest", "-p", "no:schemathesis")
    done = run(project, "-p", "no:flask_sse_routes", *others)
    assert done.parseoutcomes() == {"errors": 1}
    done.stdout.fnmatch_lines(["*fixture 'sse_client' not found"])

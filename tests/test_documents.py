"""How the documents of a blueprint are made: whole, and once, whoever asks at the same time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from flask_sse_routes import RouteBlueprint, SSERoutes, define_route, documents, explorer

ASKING = 4
PATHS = ["/api/client.js", "/api/openapi.json", "/api/explorer/routes.json"]
# Set up before gevent has patched anything: what blocks is made after that, or does not yield.
GREENLETS = """
import gevent, threading
from gevent import monkey
from flask import Flask
from flask_sse_routes import RouteBlueprint, define_route, documents

app = Flask(__name__)
app.register_blueprint(
    RouteBlueprint("api", __name__, {"hello": define_route(lambda: 1)}, url_prefix="/api")
)
monkey.patch_all()
made, real = [], documents.client_module

def slow(catalogue):
    made.append(1)
    gevent.sleep(0.05)
    return real(catalogue)

documents.client_module = slow
asked = [gevent.spawn(app.test_client().get, "/api/client.js") for _ in range(4)]
gevent.joinall(asked, timeout=20, raise_error=True)
print(len(made), len({each.value.data for each in asked}))
"""


def an_app() -> Flask:
    app = Flask("application")
    SSERoutes(app)
    app.debug = True  # the explorer is on
    routes = {f"route{n}": define_route(lambda n=1: n) for n in range(20)}
    app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
    return app


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is made, and give the other threads time to come."""
    counts: Counter[str] = Counter()

    def counted(module: Any, name: str) -> None:
        real = getattr(module, name)

        def slow(*arguments: Any) -> Any:
            counts[name] += 1
            time.sleep(0.05)
            return real(*arguments)

        monkeypatch.setattr(module, name, slow)

    counted(documents, "client_module")
    counted(documents, "openapi")
    counted(documents, "catalogue_of")
    counted(explorer, "described")
    return counts


def test_each_document_is_made_once_and_is_whole(made: Counter[str]) -> None:
    app, together = an_app(), threading.Barrier(ASKING * len(PATHS))

    def ask(path: str) -> tuple[str, int, bytes]:
        together.wait(10)
        answer = app.test_client().get(path)
        return path, answer.status_code, answer.data

    with ThreadPoolExecutor(ASKING * len(PATHS)) as threads:
        found = list(threads.map(ask, PATHS * ASKING))
    assert len(set(found)) == len(PATHS)
    assert {status for _, status, _ in found} == {200}
    alone = an_app().test_client()
    assert {(path, alone.get(path).data) for path in PATHS} == {(p, data) for p, _, data in found}
    assert made == dict.fromkeys(made, 2)  # one for each app
    assert len(made) == 4


def test_no_app_waits_for_the_documents_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = an_app(), an_app()
    waiting, may_go_on = threading.Event(), threading.Event()
    real = documents.client_module

    def slow(catalogue: Any) -> str:
        waiting.set()
        assert may_go_on.wait(20)
        return real(catalogue)

    monkeypatch.setattr(documents, "client_module", slow)
    with ThreadPoolExecutor(2) as threads:
        held = threads.submit(one.test_client().get, PATHS[0])
        try:
            assert waiting.wait(10)
            assert threads.submit(other.test_client().get, PATHS[1]).result(10).status_code == 200
        finally:
            may_go_on.set()
        assert held.result(10).status_code == 200


def test_greenlets_wait_for_one_another_where_gevent_came_late() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.split(), done.returncode) == (["1", "1"], 0), done.stderr

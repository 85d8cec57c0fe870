"""The warning about a handler that holds up gevent's hub; in a patched process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SCRIPT = """
from gevent import monkey; monkey.patch_all()
import logging, sys, time
logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s")
from flask import Flask
from flask_sse_routes import RouteBlueprint, define_route
from flask_sse_routes.testing import sse_client

def busy_work(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(1000))

def holds_up():
    yield 1
    time.sleep(0.1)
    busy_work({seconds})
    yield 2

def in_a_thread(ctx):
    yield 1
    ctx.run(busy_work, {seconds})
    yield 2

app = Flask("application")
routes = {{"it": define_route({handler}, kind="sse")}}
app.register_blueprint(RouteBlueprint("api", __name__, routes, url_prefix="/api"))
with sse_client(app).open("/api/it") as stream:
    print([stream.json(60), stream.json(60)])
time.sleep(1)
"""


def run(handler: str, seconds: float) -> tuple[str, str]:
    script = SCRIPT.format(handler=handler, seconds=seconds)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def test_a_stalled_hub_is_logged_with_its_stack() -> None:
    out, err = run("holds_up", 2.5)
    assert out == "[1, 2]\n"
    (warning,) = [line for line in err.splitlines() if line.startswith("WARNING")]
    assert "stood still" in warning
    assert "ctx.run()" in warning
    assert "in busy_work" in err
    assert "in holds_up" in err


def test_a_handler_that_waits_or_computes_beside_the_hub_is_not_logged() -> None:
    out, err = run("in_a_thread", 2.0)
    assert out == "[1, 2]\n"
    assert "in busy_work" not in err


@pytest.mark.threads
def test_on_threads_there_is_nothing_to_watch() -> None:
    from flask_sse_routes.stalls import StallWatch

    watch = StallWatch()
    watch.start()
    assert not watch._started

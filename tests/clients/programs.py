"""What runs the browser client: Node, or a page in Chromium; both tell what happens to a stream."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any, Protocol

from e2e.waiting import wait_for
from flask import Flask
from playwright.sync_api import Page

from flask_sse_routes import RouteBlueprint, SSERoutes, define_route
from flask_sse_routes.codegen.javascript import client_module
from flask_sse_routes.documents import catalogue_of

from .little import Little

JS = Path(__file__).parent / "js"
PAGE = "<!doctype html><title>A page</title>"


def numbers() -> Any:
    yield 1


def echo(word: str) -> str:
    return word


def on_path(number: str) -> Any:
    yield number


ROUTES = {
    "stream": define_route(numbers, kind="sse"),
    "post": define_route(numbers, kind="sse", method="POST"),
    "vector": define_route(on_path, kind="sse", path="/vector/<path:number>"),
    "echo": define_route(echo),
    "say": define_route(echo, method="POST"),
    "remove": define_route(echo, method="DELETE", path="/remove/<word>"),
}


def client_text() -> str:
    """The module that an app with `ROUTES` serves."""
    app = Flask("application")
    SSERoutes(app)
    app.register_blueprint(RouteBlueprint("api", __name__, ROUTES, url_prefix="/api"))
    return client_module(catalogue_of(app, "api"))


def serve_client(little: Little, text: str) -> None:
    """Have a server hand out the module and a page beside it."""
    script = {"Content-Type": "text/javascript"}
    little.on("/api/client.js", lambda asked: asked.reply(200, script, text))
    watch = (JS / "watch.mjs").read_text()
    little.on("/watch.mjs", lambda asked: asked.reply(200, script, watch))
    little.on("/", lambda asked: asked.reply(200, {"Content-Type": "text/html"}, PAGE))
    little.on("/favicon.ico", lambda asked: asked.reply(204))


class Program(Protocol):
    """A client that runs somewhere."""

    def begin(self) -> None: ...

    def open(self, base: str, name: str = "stream", **spec: Any) -> None: ...

    def call(self, base: str, name: str, **spec: Any) -> list[Any]: ...

    @property
    def log(self) -> list[list[Any]]: ...

    def close(self) -> None: ...

    def state(self) -> tuple[int, str]: ...

    def end(self) -> None: ...


def told(program: Program, what: str, count: int = 1, seconds: float = 15) -> list[list[Any]]:
    """Wait until something was told a number of times; return what was told with it."""

    def found() -> list[list[Any]] | None:
        entries = [values for kind, *values in program.log if kind == what]
        return entries if len(entries) >= count else None

    try:
        return wait_for(found, f"{count} times {what}", seconds) or []
    except AssertionError as error:
        raise AssertionError(f"{error} Told: {program.log}") from None


def data(program: Program) -> list[Any]:
    """The data of all events so far."""
    return [values[1] for kind, *values in program.log if kind == "event"]


class InNode:
    """A process of Node; `begin` and `end` stand around each test."""

    def __init__(self, node: str, module: Path) -> None:
        self._process = subprocess.Popen(
            [node, str(JS / "run.mjs"), module.as_uri()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._run = 0
        self.log: list[list[Any]] = []

    def begin(self) -> None:
        self._run += 1
        self.log = []

    def open(self, base: str, name: str = "stream", *, connect: Any = None, **spec: Any) -> None:
        self._say("open", base=base, spec={"name": name, **spec}, connect=connect or {})

    def call(self, base: str, name: str, *, connect: Any = None, **spec: Any) -> list[Any]:
        self._say("call", base=base, spec={"name": name, **spec}, connect=connect or {})
        wait_for(lambda: self.log, "an answer")
        return self.log[0]

    def close(self) -> None:
        self._say("close")

    def state(self) -> tuple[int, str]:
        count = len([1 for entry in self.log if entry[0] == "state"])
        self._say("state")
        state, last_event_id = told(self, "state", count + 1)[-1]
        return state, last_event_id

    def end(self) -> None:
        self.close()
        self._run += 1

    def quit(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _say(self, what: str, **wanted: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps({'do': what, 'run': self._run, **wanted})}\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                run, *entry = json.loads(line)
            except ValueError:
                run, entry = self._run, ["trouble", line]
            if run == self._run:
                self.log.append(entry)


OPEN = """async ([base, spec, options]) => {
    const { connect } = await import("/api/client.js");
    const { connectOptions, watch } = await import("/watch.mjs");
    window.told = [];
    const client = connect(base, connectOptions(options));
    window.connection = watch(client, spec, (value) => told.push(value));
}"""
CALL = """async ([base, spec, options]) => {
    const { connect } = await import("/api/client.js");
    const { ask } = await import("/watch.mjs");
    let result = null;
    await ask(connect(base, options), spec, (value) => { result = value; });
    return result;
}"""


class InChromium:
    """A page whose origin is a little server's."""

    def __init__(self, page: Page, home: Little) -> None:
        self._page = page
        self._home = home

    def begin(self) -> None:
        self._page.goto(self._home.url)

    @property
    def log(self) -> list[list[Any]]:
        found: list[list[Any]] = self._page.evaluate("told")
        return found

    def open(self, base: str, name: str = "stream", *, connect: Any = None, **spec: Any) -> None:
        self._page.evaluate(OPEN, [base, {"name": name, **spec}, connect or {}])

    def call(self, base: str, name: str, *, connect: Any = None, **spec: Any) -> list[Any]:
        result: list[Any] = self._page.evaluate(CALL, [base, {"name": name, **spec}, connect or {}])
        return result

    def close(self) -> None:
        self._page.evaluate("connection.close()")

    def state(self) -> tuple[int, str]:
        state, last = self._page.evaluate("[connection.readyState, connection.lastEventId]")
        return state, last

    def end(self) -> None:
        self._page.goto("about:blank")

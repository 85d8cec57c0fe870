"""The application under test: one route for each way in which a handler can behave.

Every request names a `key`; what happens to it goes to the journal under that key. The
configuration comes from the environment (`FLASK_SSE_*`).
"""

import contextlib
import hashlib
import os
import sys
import time
import uuid
from collections.abc import Generator, Iterator
from typing import Any, Literal

from flask import Flask, Request, Response, abort, request

from flask_sse_routes import (
    Context,
    Event,
    RouteBlueprint,
    SSERoutes,
    Subscription,
    define_hook,
    define_route,
)

from .census import census
from .journal import note
from .middleware import MIDDLEWARE
from .samples import TEXTS, VALUES


def identify(request: Request) -> str | None:
    return request.headers.get("X-User")


sse = SSERoutes(identify=identify)
# The greenlets that serve requests, and those that run handlers, by key.
greenlets: dict[str, Any] = {}
handlers: dict[str, Any] = {}


def remember(ctx: Context) -> None:
    ctx.state.key = ctx.request.args.get("key", "")
    ctx.state.run = uuid.uuid4().hex
    note(ctx.state.key, "before", run=ctx.state.run)
    keep_greenlet(greenlets, ctx.state.key)


def keep_greenlet(kept: dict[str, Any], key: str) -> None:
    if "gevent" in sys.modules:
        import gevent

        kept[key] = gevent.getcurrent()


def forget(ctx: Context) -> None:
    greenlets.pop(ctx.state.key, None)
    note(ctx.state.key, "cleanup", run=ctx.state.run, outcome=ctx.outcome)


record = define_hook("record", before=remember, cleanup=forget)


@contextlib.contextmanager
def noted(ctx: Context) -> Iterator[None]:
    """Note that the handler runs, and that its `finally` blocks have run."""
    note(ctx.state.key, "opened", last_event_id=ctx.last_event_id)
    keep_greenlet(handlers, ctx.state.key)
    try:
        yield
    finally:
        handlers.pop(ctx.state.key, None)
        note(ctx.state.key, "finally")


def sleeper(
    ctx: Context, how: Literal["time", "ctx"], seconds: float = 60, first: bool = True
) -> Iterator[Any]:
    with noted(ctx):
        if first:
            yield "asleep"
        (time.sleep if how == "time" else ctx.sleep)(seconds)
        yield "awake"


def ticker(ctx: Context, count: int = 1_000_000, every: float = 0.2) -> Iterator[Event]:
    """Count on from where the client has been; `at` is the moment of the yield."""
    first = int(ctx.last_event_id or -1) + 1
    with noted(ctx):
        for n in range(first, first + count):
            yield Event({"n": n, "at": time.monotonic()}, id=str(n))
            ctx.sleep(every)


def finite(ctx: Context, count: int = 3) -> Generator[int, None, str]:
    with noted(ctx):
        yield from range(count)
    return "the end"


def failing(ctx: Context, after: int) -> Iterator[int]:
    with noted(ctx):
        yield from range(after)
        raise LookupError("the password is hunter2")


def rejected(ctx: Context) -> Iterator[None]:
    with noted(ctx):
        yield None


def compute_in_python(seconds: float) -> int:
    deadline, turns = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        turns += sum(i * i for i in range(1000))
    return turns


def compute_in_c(seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 500_000)


COMPUTE = {"python": compute_in_python, "c": compute_in_c}


def crunch(ctx: Context, how: Literal["python", "c"], seconds: float, aside: bool) -> Iterator[str]:
    with noted(ctx):
        yield "begun"
        if aside:
            ctx.run(COMPUTE[how], seconds)
        else:
            COMPUTE[how](seconds)
        yield "done"


def flood(ctx: Context, size: int = 256 * 1024, count: int = 400) -> Iterator[Event]:
    with noted(ctx):
        for _ in range(count):
            yield Event(raw="x" * size)


def samples() -> Iterator[Event]:
    for value in VALUES:
        yield Event(value, event="json")
    for text in TEXTS:
        yield Event(raw=text, event="raw")


def tidy_up(ctx: Context) -> None:
    """Clean up for longer than an interpreter that stops would wait."""
    time.sleep(2.5)
    note(ctx.state.key, "tidied")


def refuse(ctx: Context) -> None:
    abort(401, "Not you.")


def ping() -> dict[str, int]:
    return {"pid": os.getpid()}


def nap(seconds: float) -> str:
    time.sleep(seconds)
    return "rested"


def stats() -> dict[str, Any]:
    return sse.stats()._asdict()


def large() -> list[str]:
    return ["a text that compresses well"] * 500


def kill(victim: str, handler: bool = False) -> bool:
    """Kill the greenlet that serves another request, or the one that runs its handler."""
    (handlers if handler else greenlets)[victim].kill(block=False)
    return True


def follow(channel: list[str]) -> Subscription:
    return sse.subscribe(*channel)


def deaf(channel: list[str]) -> Subscription:
    """A subscriber that wants nothing of what it follows."""
    return sse.subscribe(*channel, where=lambda event: False)


def publish(channel: str, data: Any = None, count: int = 1) -> list[str]:
    return [sse.publish(channel, data) for _ in range(count)]


def revoke(user: str | None = None, channel: str | None = None) -> bool:
    sse.revoke(user, channel)
    return True


def stream(handler: Any, **options: Any) -> Any:
    return define_route(handler, kind="sse", **options)


routes = {
    "sleeper": stream(sleeper),
    "ticker": stream(ticker),
    "job": stream(ticker, method="POST"),
    "lasting": stream(ticker, max_duration=1.0),
    "finite": stream(finite),
    "failing": stream(failing),
    "rejected": stream(rejected, hooks=[define_hook(before=refuse)]),
    "crunch": stream(crunch),
    "flood": stream(flood),
    "samples": stream(samples),
    "follow": stream(follow),
    "deaf": stream(deaf),
    "untidy": stream(follow, hooks=[define_hook(cleanup=tidy_up)]),
    "rotating": stream(follow, max_duration=1.0),
    "publish": define_route(publish, method="POST"),
    "revoke": define_route(revoke, method="POST"),
    "census": define_route(census),
    "ping": define_route(ping),
    "nap": define_route(nap),
    "stats": define_route(stats),
    "large": define_route(large),
    "kill": define_route(kill, method="POST", path="/kill/<victim>"),
}


def create_app() -> Flask:
    app = Flask(__name__)
    sse.init_app(app)
    if os.environ.get("E2E_EXTENSIONS"):
        add_extensions(app)
    if "E2E_MIDDLEWARE" in os.environ:
        app.wsgi_app = MIDDLEWARE[os.environ["E2E_MIDDLEWARE"]](app.wsgi_app)  # type: ignore[method-assign]  # as Flask's own docs do
        app.after_request(decorate)
    app.before_request(note_request)
    app.add_url_rule("/", "page", lambda: "<!doctype html><title>e2e</title>")
    app.register_blueprint(
        RouteBlueprint("api", __name__, routes, hooks=[record], url_prefix="/api")
    )
    return app


def note_request() -> None:
    """Note also what no hook sees: the reconnect that is answered with 204."""
    note(request.args.get("key", ""), "request", sent_id=request.headers.get("Last-Event-ID"))


def decorate(response: Response) -> Response:
    """Add to the head what apps add to it."""
    response.headers["X-After-Request"] = "yes"
    response.set_cookie("seen", "yes")
    return response


def add_extensions(app: Flask) -> None:
    """Turn on what other projects use beside this package, event streams included."""
    from flask_compress import Compress
    from flask_cors import CORS

    app.config["COMPRESS_MIMETYPES"] = ["application/json", "text/event-stream"]
    app.config["COMPRESS_MIN_SIZE"] = 1
    Compress(app)
    CORS(app, origins=["https://elsewhere.example"])


app = create_app()

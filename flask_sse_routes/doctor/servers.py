"""Checks of the server: can it stream at all, and does it have room for streams?

Floor 3.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

from .deployment import Deployment
from .finding import NOTE, WARNING, Finding, found
from .settings import Settings

WORKER = "flask_sse_routes.gunicorn.SSEWorker"
USE_IT = f'worker_class = "{WORKER}" in gunicorn.conf.py'
DRAIN = "from flask_sse_routes.gunicorn import post_worker_init in gunicorn.conf.py"
# Descriptors of a worker that are no streams: listeners, log files, databases, plain requests.
SPARE = 100


def check_worker(deployment: Deployment) -> Iterator[Finding]:
    """Look at the class of the workers, and at what it needs."""
    worker = deployment.worker
    if worker == "sync":
        yield _sync(deployment)
    elif worker in ("threads", "gevent") and _is_gunicorn(deployment):
        yield found(
            "worker-class",
            f"gunicorn's own {'gthread' if worker == 'threads' else worker} worker serves the "
            "streams.",
            f"{USE_IT}.",
        )
    if deployment.is_gevent:
        yield from _missing()


def check_http2(deployment: Deployment) -> Iterator[Finding]:
    """Look for HTTP/2, or TLS, that ends at gunicorn."""
    facts, settings = deployment.facts, deployment.settings
    by_facts = facts is not None and facts.protocol.startswith("HTTP/2")
    if by_facts or (settings is not None and settings.http2):
        yield http2_at_gunicorn()
    tls = facts.tls if facts is not None else settings is not None and settings.tls
    if tls and deployment.worker == "SSEWorker":
        yield found(
            "tls-at-gunicorn",
            "gunicorn ends TLS itself (certfile, keyfile).",
            "End TLS at a proxy in front of gunicorn, and remove certfile and keyfile.",
        )


def http2_at_gunicorn() -> Finding:
    """Return the finding, which a probe may come to as well."""
    return found(
        "http2-at-gunicorn",
        "gunicorn itself speaks HTTP/2.",
        'http_protocols = "h1" in gunicorn.conf.py, and HTTP/2 at a proxy in front of it.',
    )


def check_drain(deployment: Deployment) -> Iterator[Finding]:
    """Look for what ends streams when a worker of gunicorn's own stops."""
    settings = deployment.settings
    if settings is None or settings.drains or deployment.worker not in ("threads", "gevent"):
        return
    what = f"{settings.source} does not call post_worker_init of flask_sse_routes.gunicorn."
    yield found("no-drain", what, f"{DRAIN}.")


def check_room(deployment: Deployment) -> Iterator[Finding]:
    """Look for room: threads and connections for as many streams as there may be."""
    settings, streams = deployment.settings, deployment.config.max_streams
    if settings is not None and deployment.worker == "threads":
        yield from _threads(settings, streams)
    if settings is not None and deployment.worker == "gevent":
        yield from _connections(settings, streams)


def _is_gunicorn(deployment: Deployment) -> bool:
    facts = deployment.facts
    return facts is None or facts.server.startswith("gunicorn")


def _sync(deployment: Deployment) -> Finding:
    facts = deployment.facts
    if facts is None or _is_gunicorn(deployment):
        what = f"gunicorn's sync worker serves the app, as {deployment.source} has it."
        return found("sync-worker", what, f"{USE_IT}; or -k gthread --threads 50, or -k gevent.")
    return found(
        "sync-worker",
        f"The server ({facts.server}) has one thread, and gevent has not patched it.",
        "gunicorn with SSEWorker; for gevent.pywsgi, gevent.monkey.patch_all() first of all.",
    )


def _missing() -> Iterator[Finding]:
    for name in ("gevent", "packaging"):
        if importlib.util.find_spec(name) is None:
            yield found(
                name,
                f"The package {name} is not installed, and the worker class is gevent's.",
                f"pip install {name}, or pip install 'flask_sse_routes[server]'.",
            )


def _threads(settings: Settings, streams: int | None) -> Iterator[Finding]:
    threads = settings.threads
    if streams is not None and streams >= threads:
        yield found(
            "threads",
            f"SSE_MAX_STREAMS is {streams}, and each worker has {_counted(threads)}.",
            f"threads = {streams + 2} in gunicorn.conf.py, or a lower SSE_MAX_STREAMS.",
        )
    elif streams is None and not settings.drains:
        yield found(
            "threads",
            f"Each worker has {_counted(threads)}, and nothing keeps streams from taking all.",
            f"{DRAIN}, which leaves two of them free; or SSE_MAX_STREAMS = {max(1, threads - 2)}.",
        )
    elif streams is None and threads <= 3:
        yield found(
            "threads",
            f"Each worker has {_counted(threads)}: one stream at a time is let in.",
            "threads = 50 in gunicorn.conf.py.",
            WARNING,
        )


def _counted(threads: int) -> str:
    return f"{threads} thread{'s' if threads != 1 else ''}"


def _connections(settings: Settings, streams: int | None) -> Iterator[Finding]:
    if streams is not None and streams >= settings.worker_connections:
        yield found(
            "worker-connections",
            f"SSE_MAX_STREAMS is {streams}, worker_connections is {settings.worker_connections}.",
            f"worker_connections = {streams + SPARE} in gunicorn.conf.py, or a lower "
            "SSE_MAX_STREAMS.",
        )


def check_descriptors(deployment: Deployment) -> Iterator[Finding]:
    """Compare the files that may be open with the streams that there may be."""
    limit, streams = _limit(deployment), deployment.config.max_streams
    if streams is None or limit is None or limit < 0 or limit >= streams + SPARE:
        return
    who = "A worker" if deployment.facts is not None else "This shell, and what it starts,"
    yield found(
        "descriptors",
        f"{who} may open {limit} files; SSE_MAX_STREAMS is {streams}.",
        f"LimitNOFILE={streams * 2 + SPARE} in the systemd unit, or ulimit -n "
        f"{streams * 2 + SPARE} before gunicorn.",
    )


def _limit(deployment: Deployment) -> int | None:
    if deployment.facts is not None:
        return deployment.facts.descriptors
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def check_timeouts(deployment: Deployment) -> Iterator[Finding]:
    """Look at the times after which gunicorn kills."""
    settings = deployment.settings
    if settings is None or deployment.worker == "sync":
        return
    if settings.graceful_timeout <= 2:
        yield found(
            "graceful-timeout",
            f"graceful_timeout is {settings.graceful_timeout} s.",
            "graceful_timeout = 30 in gunicorn.conf.py.",
        )
    if settings.timeout == 0:
        yield found(
            "timeout",
            "timeout is 0: a worker that hangs is never replaced.",
            "timeout = 30 in gunicorn.conf.py; it does not limit streams.",
            NOTE,
        )
    elif settings.timeout < 10 and deployment.is_gevent:
        yield found(
            "timeout",
            f"timeout is {settings.timeout} s.",
            "timeout = 30 in gunicorn.conf.py; it does not limit streams.",
        )

"""Checks of `max_requests`, by which gunicorn replaces its workers.

Floor 3.
"""

from __future__ import annotations

from collections.abc import Iterator

from .deployment import Deployment
from .finding import FAULT, WARNING, Finding, found
from .settings import Settings

# Below that, a worker lives for minutes where it is busy.
FEW = 1000
# A worker that may have that many times the streams is replaced again before all are back.
FAR = 5


def check_recycling(deployment: Deployment) -> Iterator[Finding]:
    """Look whether workers are replaced too often for streams, and all at once."""
    settings = deployment.settings
    if settings is None or not settings.max_requests or deployment.worker == "sync":
        return
    room = _room(deployment, settings)
    if room is not None and settings.max_requests <= room:
        severity = FAULT if settings.max_requests * FAR <= room else WARNING
        yield _too_few(settings, severity, f"and a worker may have {room} streams, each a request")
    elif settings.max_requests < FEW:
        yield _too_few(settings, WARNING, "which a busy worker has had within minutes")
    if settings.workers > 1 and not settings.max_requests_jitter:
        yield found(
            "max-requests-jitter",
            f"{settings.workers} workers have max_requests and no max_requests_jitter.",
            f"max_requests_jitter = {max(1, settings.max_requests // 5)} in gunicorn.conf.py.",
        )


def _room(deployment: Deployment, settings: Settings) -> int | None:
    """Return how many streams a worker may have; `None` where they do not count as requests."""
    if deployment.worker == "SSEWorker":
        return None
    if deployment.config.max_streams is not None:
        return deployment.config.max_streams
    return settings.threads if deployment.worker == "threads" else settings.worker_connections


def _too_few(settings: Settings, severity: str, why: str) -> Finding:
    return found(
        "max-requests",
        f"max_requests is {settings.max_requests}, {why}.",
        "max_requests = 0 in gunicorn.conf.py, or 10000 and more; with SSEWorker streams do not "
        "count.",
        severity,
    )

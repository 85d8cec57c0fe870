"""All checks of the inside, in the order in which their findings are told.

Floor 3. A new check is a function and a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .brokers import check_broker, unknown_sharing
from .databases import check_pool
from .deployment import Deployment
from .drivers import check_drivers
from .finding import Finding
from .keys import check_keys, unknown_address
from .recycling import check_recycling
from .servers import (
    check_descriptors,
    check_drain,
    check_http2,
    check_room,
    check_timeouts,
    check_worker,
)


class Check(NamedTuple):
    """A check, and what it looks at; `needs` is what has to be known of the server."""

    subject: str
    run: Callable[[Deployment], Iterator[Finding]]
    needs: str = "anything"

    def can_look(self, deployment: Deployment) -> bool:
        """Tell whether what it needs is known."""
        if deployment.settings is not None or self.needs == "nothing":
            return True
        return self.needs == "anything" and deployment.facts is not None


CHECKS = (
    Check("the worker class and its packages", check_worker),
    Check("HTTP/2 and TLS at gunicorn", check_http2),
    Check("drain", check_drain, "settings"),
    Check("room for streams", check_room, "settings"),
    Check("descriptors", check_descriptors),
    Check("timeouts", check_timeouts, "settings"),
    Check("max_requests", check_recycling, "settings"),
    Check("drivers", check_drivers),
    Check("the broker", check_broker, "nothing"),
    Check("the database pool", check_pool, "nothing"),
    Check("SSE_* keys", check_keys, "nothing"),
)


def look_inside(deployment: Deployment) -> tuple[list[Finding], list[str], list[str]]:
    """Return the findings, what was looked at, and what could not be."""
    findings: list[Finding] = []
    seen: list[str] = []
    unseen: list[str] = []
    for check in CHECKS:
        if not check.can_look(deployment):
            unseen.append(check.subject)
            continue
        findings.extend(check.run(deployment))
        seen.append(check.subject)
    return findings, seen, unseen


def gaps(deployment: Deployment) -> list[str]:
    """Return what checks could not judge, and why."""
    return [*unknown_sharing(deployment), *unknown_address(deployment)]

"""All checks of the inside, in the order in which their findings are told.

Floor 3. A new check is a function and a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from .brokers import check_broker
from .databases import check_pool
from .deployment import Deployment
from .drivers import check_drivers
from .finding import Finding
from .keys import check_keys
from .recycling import check_recycling
from .servers import check_drain, check_http2, check_room, check_timeouts, check_worker


class Check(NamedTuple):
    """A check, and what it looks at; `served` where something has to be known of the server."""

    subject: str
    run: Callable[[Deployment], Iterator[Finding]]
    served: bool = True


CHECKS = (
    Check("the worker class and its packages", check_worker),
    Check("HTTP/2 and TLS at gunicorn", check_http2),
    Check("drain", check_drain),
    Check("room for streams", check_room),
    Check("timeouts", check_timeouts),
    Check("max_requests", check_recycling),
    Check("drivers", check_drivers),
    Check("the broker", check_broker, served=False),
    Check("the database pool", check_pool, served=False),
    Check("SSE_* keys", check_keys, served=False),
)


def look_inside(deployment: Deployment) -> tuple[list[Finding], list[str], list[str]]:
    """Return the findings, what was looked at, and what could not be."""
    findings: list[Finding] = []
    seen: list[str] = []
    unseen: list[str] = []
    known = deployment.settings is not None or deployment.facts is not None
    for check in CHECKS:
        if check.served and not known:
            unseen.append(check.subject)
            continue
        findings.extend(check.run(deployment))
        seen.append(check.subject)
    return findings, seen, unseen

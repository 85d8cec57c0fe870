"""What a load balancer asks a worker: whether it would take another stream.

Floor 2. Below each blueprint's prefix, for everybody, and without a figure: 200, or 503 with the
reason. Answers within about a second, whatever the broker does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from flask.wrappers import Response

from .extension import AppRuntime, runtime_of, this_app

PATH = "/sse-health"
# Seconds after which a load balancer may ask again.
RETRY_AFTER = 5


def views() -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Yield the path, the endpoint and the view, whose endpoint no route can have."""
    yield PATH, "sse-health", _answer


def _answer(**_variables: Any) -> Response:
    app = this_app()
    reason = _reason(runtime_of(app))
    facts = {"status": "ok"} if reason is None else {"status": "unavailable", "reason": reason}
    response = app.response_class(json.dumps(facts), content_type="application/json")
    if reason is not None:
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_AFTER)
    response.headers["Cache-Control"] = "no-store"
    return response


def _reason(runtime: AppRuntime) -> str | None:
    """Return why this worker would not take another stream; `None` if it would."""
    if runtime.streams.draining:
        return "draining"
    if runtime.streams.is_full(runtime.max_streams):
        return "full"
    return None if runtime.channels.pulse.beats() else "broker"

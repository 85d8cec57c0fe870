"""How a stream is refused so that its client comes back later instead of giving up.

Floor 2. An EventSource ends for good at a 503 (WHATWG HTML section 9.2.3); it is told when
to come back by a stream that says nothing else. Everybody else gets the 503.
"""

from __future__ import annotations

import random
from typing import Any

from flask.wrappers import Response
from werkzeug.exceptions import ServiceUnavailable

from ..errors import BrokerUnavailable
from ..logs import Log
from ..timing import TRY_LATER, retry_between
from ..transport import stream_response
from .base import Call

log = Log(__name__)

# Answers of a hook that say nothing about the client: it comes back, and is asked then.
UNAVAILABLE = frozenset({502, 503, 504})
EVENT_STREAM = "text/event-stream"


def refuse(call: Call, why: str, detail: str | None, retry_after: Any = None) -> Response:
    """Return, or raise, the answer to a client that is to come back; `why` is for its header."""
    if not _is_event_source(call):
        raise ServiceUnavailable(detail, retry_after=retry_after or random.randint(3, 10))
    heartbeat = call.runtime.config.heartbeat
    return stream_response(
        call.app.response_class, retry_between(TRY_LATER), heartbeat, SSE_Refused=why
    )


def refuse_without_broker(call: Call, error: BrokerUnavailable) -> Response:
    """Return, or raise, the answer while the broker is away."""
    log.warning("%s refused: %s", call.route.owner, error)
    call.runtime.streams.count_refusal(call.endpoint, "broker")
    return refuse(call, "unavailable", "The broker does not answer.")


def _is_event_source(call: Call) -> bool:
    return call.request.method == "GET" and any(
        media == EVENT_STREAM for media, _ in call.request.accept_mimetypes
    )

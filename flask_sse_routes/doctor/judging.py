"""What the streams that were watched tell: held back, compressed, cut off, or as they should be.

Floor 3. Functions of what a `Watch` has seen; none of them waits.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from ..diagnosis import EVENTS, EVERY
from .asking import Probe
from .finding import WARNING, Finding, found
from .watch import Watch

# Seconds that an answer may take beside what it is asked to.
SLACK = 5.0
# Events that arrive within this part of the time that they were sent in were held back.
TOGETHER = 0.4
# Seconds between bytes that were not sent together.
APART = EVERY * TOGETHER
# What the problem document of a server says that cannot stream.
REFUSES = "not set up for event streams"
# What a stream shows that lives through its own silence.
SILENCE = "how silence is passed on"
UNBUFFERED = (
    "Let the proxy obey X-Accel-Buffering, or turn buffering off: in nginx remove "
    "proxy_ignore_headers, or set proxy_buffering off; in the location."
)
UNCOMPRESSED = (
    "Take text/event-stream out of what the proxy compresses: in nginx out of gzip_types."
)


def held_back(watch: Watch) -> bool:
    """Tell whether events that were sent one by one came together, or not at all."""
    times = [each.at for each in watch.messages]
    if len(times) < EVENTS:
        return not watch.finished
    return times[-1] - times[0] < (EVENTS - 1) * EVERY * TOGETHER


def judge_head(watch: Watch, path: str) -> Iterator[Finding]:
    """Look at an answer that may be no stream."""
    why = watch.headers.get("SSE-Refused")
    if watch.is_stream and why is None:
        return
    if watch.head_at is None:
        how = watch.end.error if watch.end is not None else "nothing came in time"
        yield found("unreachable", f"{path} was not answered: {how}.", "Look at the proxy's log.")
    elif watch.status == 200 and why is None:
        yield found(
            "content-type",
            f"{path} comes as {watch.headers.get('Content-Type', 'no type')}.",
            "Let the proxy keep Content-Type as the app sends it.",
        )
    elif REFUSES in watch.body.decode(errors="replace"):
        yield found(
            "sync-worker",
            f"{path}: the server says that it is not set up for event streams.",
            'worker_class = "flask_sse_routes.gunicorn.SSEWorker" in gunicorn.conf.py; for '
            "gevent.pywsgi, gevent.monkey.patch_all() first of all.",
        )
    else:
        said = f"SSE-Refused: {why}" if why is not None else f"status {watch.status}"
        yield found(
            "refused",
            f"{path} was refused: {said}.",
            "For capacity raise SSE_MAX_STREAMS; for unavailable look at the app's log; for 401 "
            "and 403 give credentials with --header.",
        )


def is_overdue(watch: Watch, heartbeat: float) -> bool:
    """Tell whether a stream is open, and has been silent for longer than it can be by itself."""
    return watch.end is None and watch.silence(time.monotonic()) > _most(heartbeat)


def heard(watch: Watch, heartbeat: float) -> bool:
    """Tell whether a heartbeat ended a silence."""
    by_its_end = watch.finished and watch.longest > _most(heartbeat)
    return watch.longest >= heartbeat * 0.9 and not by_its_end


def untold(watch: Watch, path: str, heartbeat: float) -> Iterator[str]:
    """Yield what a stream of the app's own has not shown."""
    if watch.finished and watch.spurts(APART) < 2:
        yield f"whether events are held back: all of {path} came at once, at its end."
    if not heard(watch, heartbeat):
        how = (
            f"was not silent until a heartbeat came, which one does after {heartbeat:g} s"
            if watch.is_open
            else f"ended after {watch.age:.1f} s"
        )
        yield f"{SILENCE}: {path} {how}; give the URL of a stream that stays open."


def _most(heartbeat: float) -> float:
    """Return for how long a stream can be silent by itself."""
    return heartbeat * 1.5 + SLACK / 10


def judge_silence(watch: Watch, heartbeat: float, known: bool) -> Iterator[Finding]:
    """Look at a stream that had little to say; `known`: it is held back, as was said before."""
    if watch.finished or (not watch.is_stream and not (known and watch.end is not None)):
        return
    if watch.end is None:
        if not known and is_overdue(watch, heartbeat):
            yield found(
                "buffering",
                f"No heartbeat came for so long; one is sent every {heartbeat:g} s.",
                UNBUFFERED,
            )
    elif not watch.drained:
        yield _cut(watch, watch.end.at, heartbeat)


def _cut(watch: Watch, at: float, heartbeat: float) -> Finding:
    silence, age = watch.silence(at), at - watch.began
    # No silence that a heartbeat ends was lived through, and this was the longest.
    if watch.longest < heartbeat * 0.9 and watch.longest < silence:
        return found(
            "idle-timeout",
            f"A stream was cut after {silence:.1f} s of silence; the heartbeat comes after "
            f"{heartbeat:g} s.",
            f"A longer timeout at the proxy (in nginx proxy_read_timeout {heartbeat * 4:.0f}s; "
            f"in the location), or SSE_HEARTBEAT = {max(1, int(silence / 2))}.",
        )
    return found(
        "cut",
        f"A stream was cut after {age:.1f} s, {silence:.1f} s after the last bytes.",
        "Raise the limit on a whole response at the proxy or balancer; or max_duration= on the "
        "routes, below that, so that streams end cleanly before.",
    )


def judge_position(probe: Probe) -> Iterator[Finding]:
    """Look whether a client can say what it has seen."""
    if not probe.facts.last_event_id:
        yield found(
            "last-event-id",
            "The request header Last-Event-ID did not reach the app.",
            "Let the proxy pass it on.",
        )


def judge_origin(watch: Watch) -> Iterator[Finding]:
    """Look whether it is the stream that was asked for."""
    nonces = {_nonce(each.event.data) for each in watch.messages}
    if nonces - {watch.nonce}:
        yield found(
            "caching",
            "A stream came that was sent to somebody else before.",
            "Turn the cache off for the app's paths, or let it obey Cache-Control: no-store.",
        )


def _nonce(text: str) -> str | None:
    try:
        found_: str | None = json.loads(text).get("nonce")
    except (AttributeError, ValueError):
        return None
    return found_


def late_finding(watch: Watch) -> Finding:
    """Return the finding for events that were held back."""
    how = "together, at the end" if watch.arrivals else "not at all"
    return found("buffering", f"Events that were sent {EVERY:g} s apart arrived {how}.", UNBUFFERED)


def silent_finding(path: str) -> Finding:
    """Return the finding for a stream of which nothing has come."""
    return found("buffering", f"{path}: nothing of it came within {2 * SLACK:g} s.", UNBUFFERED)


def gathered(watch: Watch) -> bool:
    """Tell whether bytes that cannot be read came together, though events were sent one by one."""
    return watch.spurts(APART) < EVENTS


def judge_coding(watch: Watch, *, late: bool | None) -> Iterator[Finding]:
    """Look whether a stream is compressed; `late`: its events did not come one by one, if known."""
    if watch.encoding is None:
        return
    how = {
        True: "and its events came together or not at all",
        False: "though its events came one by one",
        None: "and what that does to its events was not to be seen",
    }[late]
    yield found(
        "compression",
        f"A stream arrived with Content-Encoding: {watch.encoding}, {how}.",
        UNCOMPRESSED,
        None if late else WARNING,
    )

"""A finding: what is wrong, why that matters and how to mend it; and the codes that there are.

Floor 3. The tables in docs/guides/doctor.md have the same codes in the same order.
"""

from __future__ import annotations

from typing import NamedTuple

FAULT, WARNING, NOTE = "fault", "warning", "note"
SEVERITIES = (FAULT, WARNING, NOTE)


class Code(NamedTuple):
    """A kind of finding: how bad it can be, the worst first, and why it matters."""

    severities: tuple[str, ...]
    why: str


CODES = {
    # From outside.
    "unreachable": Code((FAULT,), "Nobody gets a stream from a server that gives no answer."),
    "redirected": Code(
        (WARNING,), "What was asked for is elsewhere: nothing is known of the way to it."
    ),
    "refused": Code((FAULT,), "Clients are told to come back later, or to stay away."),
    "buffering": Code(
        (FAULT,), "A proxy that collects a response delivers events late, or all at the end."
    ),
    "compression": Code(
        (FAULT, WARNING),
        "A compressor collects events until a block is full, or costs memory for each open stream.",
    ),
    "idle-timeout": Code(
        (FAULT,),
        "A quiet stream is cut before its heartbeat, so its client reconnects again and again.",
    ),
    "cut": Code((FAULT,), "Something between ends responses by their age, however alive they are."),
    "content-type": Code(
        (FAULT,), "A browser gives up for good on a stream that is not text/event-stream."
    ),
    "caching": Code((FAULT,), "A cache gives one client the events that were meant for another."),
    "last-event-id": Code(
        (FAULT,), "A client that comes back cannot say what it has seen, and loses the rest."
    ),
    "six-connections": Code(
        (NOTE,),
        "Over HTTP/1.1 a browser opens six connections to a host, in all its tabs together: the "
        "seventh stream waits.",
    ),
    "client-address": Code(
        (WARNING,), "All clients count as one, and share the streams that a single one may open."
    ),
    "no-stream": Code((WARNING,), "Without a stream to watch, nothing is known of the way to it."),
    # The server.
    "sync-worker": Code((FAULT,), "A sync worker serves one request at a time and cannot stream."),
    "http2-at-gunicorn": Code(
        (FAULT,),
        "gunicorn serves the streams of one HTTP/2 connection one after another: a second event "
        "stream waits for the end of the first.",
    ),
    "packaging": Code((FAULT,), "gunicorn's gevent worker imports it without requiring it."),
    "gevent": Code((FAULT,), "The worker cannot start without it."),
    "blocking-driver": Code(
        (FAULT,), "It waits in C where gevent cannot switch: each query stops a whole worker."
    ),
    "threads": Code((FAULT, WARNING), "Each stream holds a thread; plain requests need some, too."),
    "no-drain": Code(
        (WARNING,), "A worker that stops cuts its streams off, or waits for them in vain."
    ),
    "max-requests": Code(
        (FAULT, WARNING),
        "A recycled worker sends all of its clients away, and each comes back as a request.",
    ),
    "max-requests-jitter": Code(
        (WARNING,), "Workers that share the load are recycled together, and all clients come back."
    ),
    "graceful-timeout": Code(
        (WARNING,), "The last two seconds are for cleaning up: nothing is left for streams to end."
    ),
    "timeout": Code(
        (WARNING, NOTE), "gunicorn kills a worker that was held up for so long, with its streams."
    ),
    "worker-connections": Code(
        (WARNING,), "Each stream holds a connection of the worker: plain requests find none."
    ),
    "descriptors": Code((WARNING,), "Each stream holds a file descriptor; then nothing opens."),
    "worker-class": Code(
        (NOTE,), "SSEWorker serves an idle stream in under 3 KiB, without a thread or a greenlet."
    ),
    "tls-at-gunicorn": Code(
        (NOTE,), "SSEWorker cannot take such connections over: each stream holds a greenlet."
    ),
    # The application.
    "memory-broker": Code(
        (FAULT, NOTE),
        "Each process would have channels of its own, and a client misses the others'.",
    ),
    "broker-unavailable": Code((FAULT,), "Nothing can be published or followed without it."),
    "redis-version": Code((FAULT,), "The scripts of the broker need commands of Redis 6.2."),
    "redis-eviction": Code(
        (FAULT, WARNING),
        "Redis may remove history before its time: clients that resume get resets.",
    ),
    "redis-cluster": Code((NOTE,), "All channels lie on one shard: further ones take no load."),
    "network-file": Code(
        (FAULT,), "SQLite's shared memory and locks do not work between machines."
    ),
    "database-pool": Code(
        (FAULT, WARNING),
        "A stream that holds its context keeps its database connection to the end.",
    ),
    "heartbeat": Code(
        (WARNING,), "Proxies cut connections that are silent for 50 to 60 s, some clients after 45."
    ),
    "explorer": Code((NOTE,), "Whoever reaches the application sees and calls its routes by it."),
}


class Finding(NamedTuple):
    """One finding; `what` and `mend` are sentences about this deployment."""

    code: str
    severity: str
    what: str
    mend: str

    @property
    def why(self) -> str:
        """Why it matters."""
        return CODES[self.code].why


def found(code: str, what: str, mend: str, severity: str | None = None) -> Finding:
    """Return a finding; without a severity, of the worst that its code has."""
    return Finding(code, severity or CODES[code].severities[0], what, mend)

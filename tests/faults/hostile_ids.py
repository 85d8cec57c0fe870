"""A thousand positions that nobody was given, sent to gunicorn byte by byte as they are.

Servers refuse some of them before the application sees them (64 KB, a NUL, a line end): those count
as well. Half of them come as `Last-Event-ID`, half in the query.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import quote

from channels.test_hostile_ids import hostile
from e2e.client import Address
from e2e.servers import Server

from flask_sse_routes.wire import Decoder

from .scenario import Figure, Rig, Scenario, at_least, none, told
from .workers import KINDS, pids, serve

CLIENTS = 4
# Seconds without a byte after which a client gives up.
PATIENCE = 10.0
SECRET = "nobody's business"
# Shorter ones are in every response by chance.
TELLING = 6
# Characters of a line that gunicorn does not read to its end.
TOO_LONG = 4000


@dataclass
class Answers:
    """What became of the requests to one server."""

    statuses: Counter[int] = field(default_factory=Counter)
    leaks: int = 0
    reflections: int = 0
    unanswered: int = 0
    # Refused before all was sent, so that the refusal itself may get lost.
    cut: int = 0
    # Streams that began with anything but a `reset`, or what came after an id that was handed out.
    misled: int = 0

    def note(self, text: str, known: frozenset[str], response: bytes) -> None:
        head, found, body = response.partition(b"\r\n\r\n")
        if not found:
            self.unanswered += len(text) < TOO_LONG
            self.cut += len(text) >= TOO_LONG
            return
        status = int(head.split(b" ", 2)[1])
        self.statuses[status] += 1
        self.leaks += SECRET.encode() in response
        seen = head + body if status == 200 else head
        raw = text.encode("latin-1", "replace")
        tells = len(raw.strip()) >= TELLING and not any(text.strip() in id_ for id_ in known)
        self.reflections += tells and raw.strip() in seen
        if status == 200:
            (first, *_) = _events(body) or [None]
            # A field of spaces alone is none.
            self.misled += first != "reset" and text.strip() not in {"", *known}


def run(rig: Rig) -> Sequence[Figure]:
    figures = []
    for kind in KINDS:
        rig.say(f"positions for {kind}")
        server = serve(rig, kind=kind, heartbeat=60)
        figures += _figures(rig, kind, server)
        server.kill()
    return figures


def _figures(rig: Rig, kind: str, server: Server) -> list[Figure]:
    workers = pids(server)
    ids = [
        server.tell("/api/publish", channel=("mine", "theirs")[n % 2], data=(n, SECRET)[n % 2])
        for n in range(11)
    ]
    epoch, newest = ids[-1].split("-")
    known = frozenset(f"{epoch}-{n}" for n in range(int(newest) + 1))
    texts, answers = hostile(epoch, int(newest))[:: rig.pick(3, 1)], Answers()
    texts += ids[1::2]
    with ThreadPoolExecutor(CLIENTS) as pool:
        requests = (request(text, in_header=n % 2 == 0) for n, text in enumerate(texts))
        for text, response in zip(
            texts, pool.map(lambda r: ask(server.address, r), requests), strict=True
        ):
            answers.note(text, known, response)
    return [
        told(f"{kind}: positions", len(texts)),
        none(f"{kind}: requests without an answer", answers.unanswered),
        none(
            f"{kind}: answers that blame the server",
            sum(n for status, n in answers.statuses.items() if status >= 500),
        ),
        at_least(f"{kind}: streams", answers.statuses[200], len(texts) // 2),
        told(f"{kind}: requests refused", len(texts) - answers.statuses[200]),
        none(f"{kind}: events of another channel", answers.leaks),
        none(f"{kind}: positions that came back", answers.reflections),
        none(f"{kind}: wrong beginnings", answers.misled),
        none(f"{kind}: workers that ended", len(workers - pids(server))),
        none(f"{kind}: faults in the log", server.log.count("Traceback")),
    ]


def request(text: str, *, in_header: bool) -> bytes:
    """A request for a stream from a position; a header takes bytes as they are."""
    query, header = "", b""
    if in_header:
        header = b"Last-Event-ID: %s\r\n" % text.encode("latin-1", "replace")
    else:
        query = f"&last_event_id={quote(text, encoding='latin-1', errors='replace')}"
    head = f"GET /api/follow?channel=mine{query} HTTP/1.1\r\nHost: localhost\r\n"
    return head.encode() + b"Accept: text/event-stream\r\n" + header + b"\r\n"


def ask(address: Address, what: bytes) -> bytes:
    """Send a request; return the response, of a stream up to its first event."""
    with socket.create_connection(address, PATIENCE) as connection:
        response = b""
        try:
            connection.sendall(what)
            while not _has_begun(response) and (piece := connection.recv(65_536)):
                response += piece
        except (TimeoutError, ConnectionError):  # it may refuse before it has read all
            pass
        return response


def _has_begun(response: bytes) -> bool:
    head, found, body = response.partition(b"\r\n\r\n")
    return bool(found) and (not head.startswith(b"HTTP/1.1 200") or bool(_events(body)))


def _events(body: bytes) -> list[str | None]:
    """The names of the events; the sizes of chunks around them are no field of any."""
    return [event.event for event in Decoder().feed(body)]


SCENARIO = Scenario(
    key="hostile-ids",
    title="Positions that nobody was given",
    promise=(
        "1,000 hostile Last-Event-IDs (64 KB, NUL, CR/LF, negative, future, another channel's, "
        "non-ASCII): never a 5xx, never another channel's data."
    ),
    seconds=15,
    run=run,
)

"""The thousand hostile positions on Redis, whose scripts count in doubles, and on the wire."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from brokers.redis_server import RedisServer
from e2e.servers import Server

from flask_sse_routes.wire import Decoder, Event

from . import servers
from .sites import Site
from .test_hostile_ids import LAST, check_history, check_streams, handed_out, hostile

# What no header line may have, or is more of it than gunicorn takes.
BROKEN = re.compile(r"[\0-\x08\n-\x1f\x7f]|.{8000}", re.DOTALL)


@pytest.fixture(name="redis_url", scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.kill()


@pytest.fixture(name="redis_site")
def redis_site(make_site: Any, redis_url: str) -> Site:
    site: Site = make_site(SSE_BROKER_URL=redis_url)
    return site


@pytest.fixture(name="server", params=servers.KINDS)
def server(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[Server]:
    server = servers.start(kind=request.param, folder=tmp_path, url=redis_url, workers=1)
    yield server
    server.kill()


@pytest.mark.parametrize("way", ["header", "query"])
def test_hostile_positions(redis_site: Site, wsgi: Any, way: str) -> None:
    check_streams(redis_site, wsgi, way)


def test_hostile_positions_in_a_history(redis_site: Site) -> None:
    check_history(redis_site)


def test_hostile_positions_on_the_wire(server: Server) -> None:
    worker = server.worker()
    servers.publish(server, "mine", 1)
    servers.publish(server, "secret", "secret")
    (newest,) = servers.publish(server, "mine", LAST)
    epoch, seq = newest.split("-")
    # Each kind of worker takes its part of the thousand.
    part = [f"channels-{kind}" for kind in servers.KINDS].index(server.kind)
    texts = hostile(epoch, int(seq))[part :: len(servers.KINDS)]
    refused = []
    for text in texts:
        status, events = ask(server, "", f"Last-Event-ID: {text}\r\n")
        if status == 200:
            check_answer(text, events, newest)
        else:
            assert BROKEN.search(text), text
            refused.append((status, text))
    assert 0 < len(refused) < len(texts) / 2
    for status, text in refused:
        assert 400 <= status < 500, text
        query = quote(text, encoding="latin-1", errors="replace")[:3000]
        status, events = ask(server, f"&last_event_id={query}", "")
        assert status == 200, text
        check_answer(text, events, newest)
    assert server.worker() == worker
    assert "Traceback" not in server.log


def ask(server: Server, query: str, header: str) -> tuple[int, list[Event]]:
    """Send a request as it is; return its status, and the events up to the one to stop at."""
    head = f"GET /api/follow?channel=mine{query} HTTP/1.1\r\nHost: localhost\r\n{header}"
    with socket.create_connection(server.address, timeout=10) as connection:
        connection.sendall(f"{head}Accept: text/event-stream\r\n\r\n".encode("latin-1"))
        response = http.client.HTTPResponse(connection)
        response.begin()
        decoder = Decoder()
        events: list[Event] = []
        while response.status == 200 and not (events and is_enough(events)):
            piece = response.read1(65_536)
            assert piece, "the stream ended"
            events += decoder.feed(piece)
        return response.status, events


def is_enough(events: list[Event]) -> bool:
    return events[0].event in ("ready", "reset") or json.loads(events[-1].data) == LAST


def check_answer(text: str, events: list[Event], newest: str) -> None:
    assert not any("secret" in event.data for event in events), text
    if events[0].event == "ready":  # its line ended before it began
        assert not text.partition("\r\n")[0].strip(), text
    elif events[0].event == "reset":
        assert json.loads(events[0].data) == {"reason": "epoch"}
        assert [event.id for event in events] == [newest]
    else:
        assert text.strip() in handed_out(newest), text

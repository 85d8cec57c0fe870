"""The thousand hostile positions on Redis, which counts in doubles, and over a real server."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from brokers.redis_server import RedisServer

from flask_sse_routes import broker_from_url
from flask_sse_routes.wire import Decoder, Event

from . import servers
from .sites import Site
from .test_hostile_ids import (
    LAST,
    check_history,
    check_streams,
    handed_out,
    hostile,
)

# What a server may say of a header that no server has to take.
REFUSALS = (400, 431)


@pytest.fixture(name="redis_url", scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.kill()


@pytest.fixture(name="redis_site")
def redis_site(make_site: Any, redis_url: str) -> Site:
    site: Site = make_site(SSE_BROKER_URL=redis_url)
    return site


@pytest.mark.parametrize("way", ["header", "query"])
def test_hostile_positions(redis_site: Site, wsgi: Any, way: str) -> None:
    check_streams(redis_site, wsgi, way)


def test_hostile_positions_in_a_history(redis_site: Site) -> None:
    check_history(redis_site)

"""Behind the proxies of the guides, the application of the guide knows its clients' addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from e2e.waiting import wait_for

from .flavours import OF_THE_SHOP, running
from .proxies import Proxy
from .shop import Shop

CLAIM = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The application, with room for one stream of each client."""
    settings = {"FLASK_SSE_MAX_STREAMS_PER_CLIENT": "1"}
    with Shop(tmp_path_factory.mktemp("shop"), settings=settings) as found:
        yield found


@pytest.fixture(scope="module")
def fronts(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Proxy]]:
    with running(lambda: tmp_path_factory.mktemp("proxy")) as get:
        yield {name: get(OF_THE_SHOP[name], shop.port) for name in OF_THE_SHOP}


@pytest.mark.parametrize("name", OF_THE_SHOP)
def test_address_of_the_client(fronts: dict[str, Proxy], name: str) -> None:
    """It is the one that the client has, whatever it claims; `https` has not been used."""
    with fronts[name].ask("/probe", CLAIM, source="127.0.0.2") as response:
        found = json.loads(response.read())
    assert found["address"] == "127.0.0.2"
    assert found["scheme"] == "http"


@pytest.mark.parametrize("name", OF_THE_SHOP)
def test_each_client_has_its_own_limit(shop: Shop, fronts: dict[str, Proxy], name: str) -> None:
    front = fronts[name]
    wait_for(lambda: shop.streams == 0, "the places are free again")
    wanted = {"Accept": "text/event-stream"}
    with front.ask("/api/orders", wanted, source="127.0.0.3") as first:
        assert "SSE-Refused" not in first.headers
        assert first.readline().startswith(b"retry: ")
        with front.ask("/api/orders", {**wanted, **CLAIM}, source="127.0.0.3") as second:
            assert second.headers["SSE-Refused"] == "capacity"
        with front.ask("/api/orders", wanted, source="127.0.0.4") as other:
            assert "SSE-Refused" not in other.headers

"""HTTP/2 as its guide has it: many streams over one connection, which Chromium opens."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.waiting import wait_for
from playwright.sync_api import Browser, Page

from .blocks import block
from .flavours import CADDY, NGINX, OF_THE_SHOP, Flavour, program, running
from .proxies import Proxy, adapt
from .shop import Shop

PAGE = "guides/http2.md"
MANY = 12
# More than these, and HTTP/1.1 has no connection for them.
SIX = 6
OPEN = """(count) => {
    window.got = Array(count).fill(0);
    window.sources = window.got.map((_, n) => {
        const source = new EventSource("/api/orders?" + n);
        source.onmessage = () => { window.got[n] += 1; };
        return source;
    });
}"""
OPENED = "window.sources.filter((source) => source.readyState === 1).length"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with Shop(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate that signs itself, its key, and both in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    command = (
        f"{program('openssl')} req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        " -keyout shop.key -out shop.crt"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    both = (folder / "shop.crt").read_text() + (folder / "shop.key").read_text()
    (folder / "shop.pem").write_text(both)
    return folder


def nginx(certificate: Path) -> Flavour:
    files = {
        "listen 443": "listen 127.0.0.1:{port}",
        "/etc/ssl/certs/shop.pem": f"{certificate}/shop.crt",
        "/etc/ssl/private/shop.key": f"{certificate}/shop.key",
        "127.0.0.1:8000": NGINX["127.0.0.1:8000"],
    }
    return Flavour("nginx", "guides/http2.md", "shop-tls.conf", files)


def haproxy(certificate: Path) -> Flavour:
    line = adapt(
        block("guides/http2.md", "bind.cfg"),
        {":443": "127.0.0.1:{port}", "/etc/haproxy/shop.pem": f"{certificate}/shop.pem"},
    )
    plain = OF_THE_SHOP["haproxy"]
    files = {old: new for old, new in plain.replacements.items() if old != "bind :80"}
    return replace(plain, replacements={"    bind :80\n": line, **files})


def caddy(certificate: Path) -> Flavour:
    """It makes its certificate itself, with an authority of its own for a name such as this."""
    options = "skip_install_trust\n\tauto_https disable_redirects\n\t"
    changed = {
        "shop.example": "https://localhost:{port}",
        "grace_period 10s": options + CADDY["grace_period 10s"],
    }
    return replace(OF_THE_SHOP["caddy"], replacements={**CADDY, **changed})


MAKERS: dict[str, Callable[[Path], Flavour]] = {
    "nginx": nginx,
    "haproxy": haproxy,
    "caddy": caddy,
}


@pytest.fixture(scope="module")
def proxies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Proxy]]:
    with running(lambda: tmp_path_factory.mktemp("proxy")) as get:
        yield get


@pytest.fixture(scope="module", params=MAKERS)
def front(
    request: pytest.FixtureRequest,
    shop: Shop,
    certificate: Path,
    proxies: Callable[..., Proxy],
) -> Proxy:
    return proxies(MAKERS[request.param](certificate), shop.port)


def open_page(browser: Browser, url: str) -> Page:
    page = browser.new_context(ignore_https_errors=True).new_page()
    page.goto(f"{url}/page")
    return page


def test_the_check_of_the_guide(front: Proxy, tmp_path: Path) -> None:
    (tmp_path / ".curlrc").write_text("insecure\n")
    script = adapt(block(PAGE, "check.sh"), {"shop.example": f"localhost:{front.address[1]}"})
    environment = {**os.environ, "HOME": str(tmp_path), "CURL_HOME": str(tmp_path)}

    def version() -> str:
        run = subprocess.run(
            ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=20
        )
        return run.stdout

    # Caddy makes its certificate after it has begun to listen.
    wait_for(lambda: version() == "2\n", "HTTP/2 is spoken")


def test_many_streams_share_a_connection(front: Proxy, shop: Shop, chromium: Browser) -> None:
    page = open_page(chromium, f"https://localhost:{front.address[1]}")
    page.evaluate(OPEN, MANY)
    page.wait_for_function(f"{OPENED} === {MANY}")
    for count in (1, 2):
        shop.order("tea")
        page.wait_for_function(f"window.got.every((got) => got === {count})")
    probe = page.evaluate("fetch('/probe').then((answer) => answer.json())")
    assert (probe["scheme"], probe["streams"]) == ("https", MANY)
    protocols = page.evaluate(
        "performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol)"
    )
    assert set(protocols) == {"h2"}
    page.context.close()
    wait_for(lambda: shop.streams == 0, "the streams' end reaches the application")
    if front.kind == "nginx":
        seen = (front.folder / "seen.log").read_text().splitlines()
        streams = [line.split() for line in seen if line.endswith("/api/orders")]
        assert len(streams) == MANY
        assert len({connection for connection, *_ in streams}) == 1


def test_http1_has_six_connections(
    shop: Shop, proxies: Callable[..., Proxy], chromium: Browser
) -> None:
    """The limit that the guide speaks of: the seventh waits until one of the six ends."""
    front = proxies(OF_THE_SHOP["nginx"], shop.port)
    page = open_page(chromium, front.url)
    page.evaluate(OPEN, SIX + 1)
    page.wait_for_function(f"{OPENED} === {SIX}")
    shop.order("tea")
    page.wait_for_function(f"window.got.filter((got) => got === 1).length === {SIX}")
    assert page.evaluate(OPENED) == SIX
    page.evaluate("window.sources.find((source) => source.readyState === 1).close()")
    page.wait_for_function(f"{OPENED} === {SIX} && window.sources.at(-1).readyState === 1")
    page.context.close()
    wait_for(lambda: shop.streams == 0, "the streams' end reaches the application")


def test_tabs_share_a_stream(shop: Shop, chromium: Browser) -> None:
    script = block(PAGE, "shared.js")
    context = chromium.new_context()
    said: list[tuple[Page, str]] = []
    tabs = [context.new_page() for _ in range(3)]
    for tab in tabs:
        tab.on("console", lambda message, tab=tab: said.append((tab, message.text)))
        tab.goto(f"{shop.url}/page")
        tab.add_script_tag(content=script, type="module")
    wait_for(lambda: shop.streams == 1, "a stream is open")

    def heard() -> bool:
        shop.order("tea")
        tabs[0].wait_for_timeout(50)  # Playwright tells of the console while it waits
        return {tab for tab, text in said if text == "tea"} == set(tabs)

    wait_for(heard, "each tab has got an order")
    assert shop.streams == 1
    context.close()
    wait_for(lambda: shop.streams == 0, "the stream's end reaches the application")

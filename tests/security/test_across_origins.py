"""A real browser on a page of another origin: let in by the list, or told nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from clients.little import Little
from clients.serving import Serving
from playwright.sync_api import Browser, Page

from .sites import ALLOWED

# What a page of another origin finds out, by all means that it has.
FIND_OUT = """async (base) => {
    const told = {};
    told.native = await new Promise((resolve) => {
        const source = new EventSource(`${base}/numbers`, {withCredentials: true});
        source.onmessage = (event) => { resolve(event.data); source.close(); };
        source.onerror = () => { resolve("nothing"); source.close(); };
    });
    told.fetch = await fetch(`${base}/mine`, {credentials: "include"})
        .then((response) => response.json(), () => "nothing");
    const ask = {credentials: "include", method: "POST", body: '{"word":"x"}',
        headers: {"Content-Type": "application/json", "X-Token": "1"}};
    told.post = await fetch(`${base}/say`, ask).then((answer) => answer.json(), () => "nothing");
    try {
        const {connect} = await import(`${base}/client.js`);
        const {$api, $sse} = connect(base, {credentials: "include"});
        told.api = await $api.mine();
        told.numbers = [];
        const connection = $sse.numbers();
        const limit = setTimeout(() => connection.close(), 15000);
        for await (const {data} of connection) {
            told.numbers.push(data.number);
            if (data.number >= 8) break;
        }
        clearTimeout(limit);
        const stranger = connect(base, {credentials: "omit"});
        told.refusal = await stranger.$api.mine().catch((error) => [error.status, error.title]);
    } catch (error) {
        told.client = error.constructor.name;
    }
    return told;
}"""


@pytest.fixture
def site(serve: Callable[..., Serving], little: Little) -> Serving:
    """A server that lets pages of `little` in, and no others."""
    settings = {"SSE_HEARTBEAT": 1, "SSE_RETRY": 100}
    return serve("security.sites:app", settings=settings, environment={ALLOWED: little.url})


def visit(chromium: Browser, site: Serving, page_url: str) -> Page:
    """Open a page in a browser whose user is signed in at the site."""
    context = chromium.new_context()
    url = f"http://127.0.0.1:{site.port}"
    context.add_cookies([{"name": "user", "value": "ann", "url": url}])
    page = context.new_page()
    page.goto(page_url)
    return page


def test_pages_of_other_origins(
    chromium: Browser, site: Serving, little: Little, other: Little
) -> None:
    """With cookies, a preflight for Last-Event-ID, and a stream that comes back meanwhile."""
    base = f"http://127.0.0.1:{site.port}/api"
    page = visit(chromium, site, little.url)
    assert page.evaluate(FIND_OUT, base) == {
        "native": '{"user":"ann","number":1}',
        "fetch": {"user": "ann"},
        "post": "x",
        "api": {"user": "ann"},
        "numbers": [1, 2, 3, 4, 5, 6, 7, 8],
        "refusal": [401, "Unauthorized"],
    }
    page.context.close()

    html = {"Content-Type": "text/html"}
    other.on("/", lambda asked: asked.reply(200, html, "<!doctype html><title>Evil</title>"))
    page = visit(chromium, site, other.url)
    nothing: dict[str, Any] = page.evaluate(FIND_OUT, base)
    assert nothing == {
        "native": "nothing",
        "fetch": "nothing",
        "post": "nothing",
        "client": "TypeError",
    }
    page.context.close()

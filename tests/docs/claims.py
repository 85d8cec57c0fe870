"""Blocks that a test of their own uses: page, then title, then that test.

What needs a browser, a compiler or a proxy is not run by the page's own run. The test reads the
block with `block(page, title)`; `test_claims.py` fails where the block or the test is not there.
"""

from __future__ import annotations

CLAIMS: dict[str, dict[str, str]] = {
    "README.md": {
        "client.js": "tests/clients/test_readme.py::test_both_pages_count_down",
        "native.js": "tests/clients/test_readme.py::test_both_pages_count_down",
    },
    "guides/caddy.md": {"Caddyfile": "tests/docs/flavours.py::FLAVOURS"},
    "guides/gunicorn.md": {
        "gthread.conf.py": "tests/docs/test_proxies_restarts.py::test_gthread",
        "shop.service": "tests/docs/test_proxies_restarts.py::test_systemd",
    },
    "guides/haproxy.md": {"haproxy.cfg": "tests/docs/flavours.py::FLAVOURS"},
    "guides/http2.md": {
        "bind.cfg": "tests/docs/test_proxies_http2.py::haproxy",
        "check.sh": "tests/docs/test_proxies_http2.py::test_the_check_of_the_guide",
        "shared.js": "tests/docs/test_proxies_http2.py::test_tabs_share_a_stream",
        "shop-tls.conf": "tests/docs/test_proxies_http2.py::nginx",
    },
    "guides/htmx.md": {
        "static/errors.js": "tests/docs/test_integrations_htmx.py::test_a_task_runs_once",
        "templates/index.html": "tests/docs/test_integrations_htmx.py::test_a_list_and_a_task",
        "templates/index4.html": "tests/docs/test_integrations_htmx.py::test_htmx_4",
        "templates/orders.html": "tests/docs/test_integrations_htmx.py::test_a_list_and_a_task",
    },
    "guides/llm.md": {
        "static/chat.html": "tests/docs/test_integrations_llm.py::test_a_page_shows_the_answer",
        "static/chat.js": "tests/docs/test_integrations_llm.py::test_a_page_shows_the_answer",
        "upstream.py": "tests/docs/test_integrations_llm.py::RELAYED",
    },
    "guides/metrics.md": {
        "alerts.yml": "tests/docs/test_metrics_guide.py::test_alerts",
        "prometheus.yml": "tests/docs/test_metrics_guide.py::test_scraping",
    },
    "guides/nginx.md": {
        "minimal.conf": "tests/docs/flavours.py::FLAVOURS",
        "nginx.conf": "tests/docs/test_proxies_reloads.py::test_nginx_gives_up_waiting",
        "shop.conf": "tests/docs/flavours.py::FLAVOURS",
    },
    "guides/react.md": {
        "Build": "tests/docs/test_integrations_react.py::commands",
        "src/Room.tsx": "tests/docs/test_integrations_react.py::test_one_stream_is_open",
        "src/main.tsx": "tests/docs/test_integrations_react.py::test_one_stream_is_open",
        "src/useStream.ts": "tests/docs/test_integrations_react.py::test_one_stream_is_open",
        "static/index.html": "tests/docs/test_integrations_react.py::test_one_stream_is_open",
        "tsconfig.json": "tests/docs/test_integrations_react.py::commands",
    },
    "guides/rolling-restarts.md": {
        "blue-green.cfg": "tests/docs/test_proxies_restarts.py::start_blue_green",
        "deployment.yaml": "tests/docs/test_proxies_restarts.py::test_kubernetes",
        "switch.sh": "tests/docs/test_proxies_restarts.py::switch",
    },
    "reference/clients.md": {
        "handlers.js": "tests/clients/test_readme.py::test_handlers",
    },
    "tutorial/clients.md": {
        "board.ts": "tests/docs/test_tutorial_browser.py::test_the_typed_client",
        "static/board.html": "tests/docs/test_tutorial_browser.py::test_both_pages_of_orders",
        "static/counter.html": "tests/docs/test_tutorial_browser.py::test_both_pages_of_orders",
    },
    "tutorial/errors.md": {
        "errors.js": "tests/docs/test_tutorial_browser.py::test_listening_to_errors",
    },
    "tutorial/events.md": {
        "listening.js": "tests/docs/test_tutorial_browser.py::test_listening_to_names",
    },
    "tutorial/first-route.md": {
        "static/index.html": "tests/docs/test_tutorial_browser.py::test_the_first_page",
    },
}


def claimed(page: str) -> dict[str, str]:
    """Titles of a page that are claimed, with the test that uses each."""
    return CLAIMS.get(page, {})

"""A good deployment: nothing is found, and it is said what was looked at."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from .deployments import Site, certificate


@pytest.fixture(scope="module")
def url(site: Site, program: Callable[[str], str]) -> str:
    """nginx speaks HTTP/2 to browsers and HTTP/1.1 to gunicorn."""
    certificate(program("openssl"), site.folder)
    tls = f"""
        ssl_certificate {site.folder}/cert.pem;
        ssl_certificate_key {site.folder}/key.pem;
    """
    port, block = site.location('proxy_set_header Connection "";', " ssl http2", tls)
    site.nginx(program("nginx"), block)
    site.environment["SSL_CERT_FILE"] = f"{site.folder}/cert.pem"
    return f"https://127.0.0.1:{port}"


def test_nothing_is_found_in_a_good_deployment(site: Site, url: str) -> None:
    verdict = site.doctor(url)
    assert verdict.report["findings"] == []
    assert verdict.report["not_looked_at"] == []
    assert f"streams of the app's probe at {url}" in verdict.report["looked_at"]
    assert verdict.status == 0


def test_nothing_is_found_by_a_stream_of_the_apps_own(site: Site, url: str) -> None:
    verdict = site.doctor(url, SHOP_SECRET="of another shop")
    assert verdict.report["findings"] == []
    assert f"the stream /api/orders at {url}" in verdict.report["looked_at"]
    (unseen,) = verdict.report["not_looked_at"]
    assert "another SECRET_KEY" in unseen


def test_it_says_in_words_what_it_waits_for_and_what_it_looked_at(site: Site, url: str) -> None:
    command = [sys.executable, "-m", "flask", "--app", site.app, "sse", "doctor", url]
    run = subprocess.run(
        [*command, "--seconds", "1"],
        cwd=site.folder,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0
    assert "Waiting for a silent stream, for 1 s (heartbeats come every 1.5 s)" in run.stderr
    assert run.stdout.startswith("Looked at: the worker class")
    assert "Not looked at: how silence is passed on: --seconds 1 is less than" in run.stdout
    assert run.stdout.endswith("Nothing was found in what was looked at.\n")


def test_a_certificate_that_is_not_trusted_is_a_server_that_cannot_be_reached(
    site: Site, url: str
) -> None:
    verdict = site.doctor(url, SSL_CERT_FILE="/dev/null")
    assert verdict.codes == {"unreachable": "fault"}
    assert "SSL_CERT_FILE" in verdict.of("unreachable")["mend"]
    assert verdict.status == 1

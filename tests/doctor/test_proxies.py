"""Proxies that break streams, in front of a good deployment; and the note of plain HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flask_sse_routes.doctor.outside import Restarted

from .deployments import HEARTBEAT, Site, Verdict
from .odd_proxy import OddProxy

# What every deployment without TLS has.
PLAIN = {"six-connections": "note"}
IGNORES = "proxy_ignore_headers X-Accel-Buffering; proxy_buffering on;"
GZIP = "gzip on; gzip_proxied any; gzip_types text/event-stream; gzip_min_length 0;"
LOCATIONS = {
    "good": "",
    "buffering": IGNORES,
    "gzip": GZIP,
    "both": f"{IGNORES} {GZIP}",
    "timeout": "proxy_read_timeout 1s;",
    "elsewhere": "return 301 https://shop.invalid$request_uri;",
    "nothing": "return 404;",
    "away": "return 502;",
    "forwards": "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
}
FAULTS = {
    "gzip": "compression",
    "br": "compression",
    "age": "cut",
    "cache": "caching",
    "id": "last-event-id",
    "type": "content-type",
}
# Those that are looked at without the app's probe, too.
PUBLIC = ("good", "buffering", "timeout", "elsewhere")


@pytest.fixture(scope="module")
def odd_urls(site: Site) -> Iterator[dict[str, str]]:
    """A proxy for each of the faults that nginx would not be talked into."""
    proxies = {fault: OddProxy(site.port, fault) for fault in (*FAULTS, "zstd")}
    yield {fault: proxy.url for fault, proxy in proxies.items()}
    for proxy in proxies.values():
        proxy.stop()


@pytest.fixture(scope="module")
def verdicts(
    site: Site, program: Callable[[str], str], odd_urls: dict[str, str]
) -> dict[str, Verdict]:
    """One nginx with a port for each of the locations, and what the doctor says of them all."""
    found = {name: site.location(settings) for name, settings in LOCATIONS.items()}
    site.nginx(program("nginx"), "\n".join(block for _, block in found.values()))
    urls = {name: f"http://127.0.0.1:{port}" for name, (port, _) in found.items()}
    runs = {name: _run(url) for name, url in urls.items()}
    runs |= {f"{name}, public": _run(urls[name], secret=None) for name in PUBLIC}
    runs |= {f"odd {fault}": _run(url) for fault, url in odd_urls.items()}
    runs["busy"] = _run(f"{odd_urls['age']}/api/ticks?every=0.2", secret=None)
    runs["odd br, public"] = _run(f"{odd_urls['br']}/api/orders", secret=None)
    runs["short"] = _run(f"{urls['good']}/api/bake", secret=None)
    runs["short, held back"] = _run(f"{urls['buffering']}/api/bake", secret=None)
    runs["hasty"] = _run(urls["good"], seconds=1)
    runs["forwards"] = _run(urls["forwards"], SSE_MAX_STREAMS_PER_CLIENT=3)
    runs["quiet"] = _run(f"{odd_urls['gzip']}/api/orders", secret=None)
    return site.doctors(**runs)


def _run(url: str, **options: Any) -> Callable[[Site], Verdict]:
    return lambda site: site.examine(url, **options)


def test_an_nginx_as_it_comes_is_good(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts["good"]
    assert (verdict.codes, verdict.status) == (PLAIN, 0)


@pytest.mark.parametrize("name", ["buffering", "buffering, public"])
def test_an_nginx_that_buffers(verdicts: dict[str, Verdict], name: str) -> None:
    verdict = verdicts[name]
    assert verdict.codes == {"buffering": "fault", **PLAIN}
    assert (
        "remove proxy_ignore_headers, or set proxy_buffering off;"
        in (verdict.of("buffering")["mend"])
    )
    assert verdict.status == 1


def test_a_stream_that_ends_soon_is_followed_by_one_that_stays_open(
    verdicts: dict[str, Verdict],
) -> None:
    for name in ("good, public", "buffering, public", "timeout, public"):
        report = verdicts[name].report
        assert [each.split()[2] for each in report["looked_at"][-2:]] == [
            "/api/bake",
            "/api/orders",
        ]
        assert [each.partition(":")[0] for each in report["not_looked_at"]] == [
            "the running server itself"
        ]
    assert verdicts["good, public"].codes == PLAIN


def test_a_stream_that_ends_soon_does_not_show_how_silence_is_passed_on(
    verdicts: dict[str, Verdict],
) -> None:
    _, silence = verdicts["short"].report["not_looked_at"]
    assert silence.startswith("how silence is passed on: /api/bake ended after 0.9")
    assert silence.endswith("give the URL of a stream that stays open.")
    assert verdicts["short"].codes == PLAIN


def test_a_stream_that_comes_at_once_does_not_show_whether_it_was_held_back(
    verdicts: dict[str, Verdict],
) -> None:
    verdict = verdicts["short, held back"]
    _, buffering, silence = verdict.report["not_looked_at"]
    assert buffering.startswith("whether events are held back: all of /api/bake came at once")
    assert silence.startswith("how silence is passed on")
    assert verdict.codes == PLAIN


def test_less_than_a_heartbeat_shows_nothing_of_silence(verdicts: dict[str, Verdict]) -> None:
    (silence,) = verdicts["hasty"].report["not_looked_at"]
    assert silence.startswith("how silence is passed on: --seconds 1 is less than the 1.5 s")
    assert verdicts["good"].report["not_looked_at"] == []


def test_a_client_on_the_proxys_machine_has_its_address(verdicts: dict[str, Verdict]) -> None:
    (address,) = verdicts["forwards"].report["not_looked_at"]
    assert address.startswith("whether the app sees its clients' addresses")


def test_an_nginx_that_compresses_what_it_passes_on(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts["gzip"]
    assert verdict.codes == {"compression": "warning", **PLAIN}
    assert "gzip_types" in verdict.of("compression")["mend"]
    assert verdict.status == 0


def test_an_nginx_that_compresses_and_buffers(verdicts: dict[str, Verdict]) -> None:
    assert verdicts["both"].codes == {"buffering": "fault", "compression": "fault", **PLAIN}


@pytest.mark.parametrize("name", ["timeout", "timeout, public"])
def test_an_nginx_that_is_less_patient_than_the_heartbeat(
    verdicts: dict[str, Verdict], name: str
) -> None:
    verdict = verdicts[name]
    assert verdict.codes == {"idle-timeout": "fault", **PLAIN}
    assert f"after {HEARTBEAT:g} s" in verdict.of("idle-timeout")["what"]
    assert "proxy_read_timeout" in verdict.of("idle-timeout")["mend"]
    assert verdict.status == 1


@pytest.mark.parametrize(("fault", "code"), FAULTS.items())
def test_a_proxy_with_a_fault(verdicts: dict[str, Verdict], fault: str, code: str) -> None:
    verdict = verdicts[f"odd {fault}"]
    assert verdict.codes == {code: "fault", **PLAIN}
    assert verdict.status == 1


def test_a_busy_stream_that_is_cut(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts["busy"]
    assert verdict.codes == {"cut": "fault", **PLAIN}
    assert any(each.startswith("the stream /api/ticks at") for each in verdict.report["looked_at"])
    assert "every=" not in verdict.text


def test_a_stream_of_the_apps_own_that_is_compressed(verdicts: dict[str, Verdict]) -> None:
    assert verdicts["quiet"].codes == {"compression": "fault", **PLAIN}


def test_a_compression_that_only_browsers_can_read(verdicts: dict[str, Verdict]) -> None:
    assert "Content-Encoding: br, and its events came together" in verdicts["odd br"].text
    assert verdicts["odd zstd"].codes == {"compression": "warning", **PLAIN}
    assert "zstd, though its events came one by one" in " ".join(verdicts["odd zstd"].text.split())
    assert verdicts["odd br, public"].codes == {"compression": "warning", **PLAIN}


def test_a_server_that_is_restarted_meanwhile(site: Site) -> None:
    proxy = OddProxy(site.port, "restart")
    try:
        with pytest.raises(Restarted):
            site.examine(proxy.url)
    finally:
        proxy.stop()


def test_a_redirection_to_another_server(verdicts: dict[str, Verdict]) -> None:
    assert verdicts["elsewhere"].codes == {"redirected": "warning"}
    assert verdicts["elsewhere, public"].codes == {"redirected": "warning", **PLAIN}
    for name in ("elsewhere", "elsewhere, public"):
        assert "https://shop.invalid" in verdicts[name].of("redirected")["mend"]
        assert "streams: " in verdicts[name].report["not_looked_at"][-1]


def test_an_app_that_is_not_there(verdicts: dict[str, Verdict]) -> None:
    verdict = verdicts["nothing"]
    assert verdict.codes == {"no-stream": "warning", **PLAIN}
    (unseen,) = verdict.report["not_looked_at"]
    assert "another app" in unseen


def test_a_proxy_without_an_app(verdicts: dict[str, Verdict]) -> None:
    assert verdicts["away"].codes == {"unreachable": "fault"}
    assert "502" in verdicts["away"].of("unreachable")["what"]


def test_nobody_answers(site: Site) -> None:
    verdict = site.examine("http://user:hidden@127.0.0.1:1/api")
    assert verdict.codes == {"unreachable": "fault"}
    assert "hidden" not in verdict.text
    assert verdict.status == 1

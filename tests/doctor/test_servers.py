"""gunicorns that break streams, as they run: found by their settings and from outside."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from .deployments import Site, certificate

DRAIN = "from flask_sse_routes.gunicorn import post_worker_init\n"
HIDING = '''\
"""Hides a package from everybody."""

import sys
from importlib.machinery import PathFinder


class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == "packaging" else super().find_spec(name, path, target)


sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
'''


def url_of(site: Site, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{site.port}"


def test_a_sync_worker(deploy: Callable[..., Site]) -> None:
    site = deploy("worker_class = 'sync'").start()
    url = url_of(site)
    said = site.doctors(
        inside=lambda site: site.doctor(),
        probe=lambda site: site.doctor(url, elsewhere=True),
        public=lambda site: site.doctor(url, elsewhere=True, SHOP_SECRET=""),
    )
    assert said["inside"].codes == {"sync-worker": "fault"}
    assert "gunicorn.conf.py" in said["inside"].of("sync-worker")["what"]
    assert "SSEWorker" in said["inside"].of("sync-worker")["mend"]
    assert said["probe"].codes == {"sync-worker": "fault", "six-connections": "note"}
    assert "the running server" in said["probe"].of("sync-worker")["what"]
    assert said["public"].codes == said["probe"].codes
    assert [verdict.status for verdict in said.values()] == [1, 1, 1]


def test_http2_at_gunicorn(deploy: Callable[..., Site], program: Callable[[str], str]) -> None:
    if importlib.util.find_spec("h2") is None:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("h2 is not installed")
    site = deploy("""\
        worker_class = "flask_sse_routes.gunicorn.SSEWorker"
        certfile, keyfile = "cert.pem", "key.pem"
        http_protocols = "h2,h1"
    """)
    certificate(program("openssl"), site.folder)
    url, trusted = url_of(site.start(), "https"), f"{site.folder}/cert.pem"
    said = site.doctors(
        inside=lambda site: site.doctor(),
        outside=lambda site: site.doctor(url, elsewhere=True, SSL_CERT_FILE=trusted),
    )
    for verdict in said.values():
        assert verdict.codes == {"http2-at-gunicorn": "fault", "tls-at-gunicorn": "note"}
        assert "http_protocols" in verdict.of("http2-at-gunicorn")["mend"]
        assert verdict.status == 1


def test_a_broker_in_memory_with_two_workers(deploy: Callable[..., Site]) -> None:
    site = deploy(f"{DRAIN}worker_class = 'gevent'\nworkers = 2")
    site.environment["FLASK_SSE_BROKER_URL"] = "memory://"
    url = url_of(site.start())
    said = site.doctors(
        inside=lambda site: site.doctor(),
        outside=lambda site: site.doctor(url, elsewhere=True),
    )
    assert said["inside"].codes == {"memory-broker": "fault", "worker-class": "note"}
    assert "sqlite:" in said["inside"].of("memory-broker")["mend"]
    assert said["outside"].codes == {**said["inside"].codes, "six-connections": "note"}
    assert [verdict.status for verdict in said.values()] == [1, 1]


def test_a_worker_without_packaging(deploy: Callable[..., Site]) -> None:
    site = deploy()
    (site.folder / "sitecustomize.py").write_text(HIDING)
    verdict = site.doctor()
    assert verdict.codes == {"packaging": "fault"}
    assert "pip install packaging" in verdict.of("packaging")["mend"]
    assert verdict.status == 1
    command = [sys.executable, "-m", "gunicorn", site.app]
    run = subprocess.run(
        command, cwd=site.folder, env=site.environment, capture_output=True, text=True, timeout=30
    )
    assert run.returncode != 0, "gunicorn starts without it: the finding is wrong"
    assert "No module named 'packaging'" in run.stderr


def test_a_driver_that_gevent_does_not_patch(deploy: Callable[..., Site]) -> None:
    site = deploy(app="shop_with_mysql:app")
    (site.folder / "MySQLdb.py").write_text("paramstyle = 'format'\n")
    (site.folder / "shop_with_mysql.py").write_text("import MySQLdb\nfrom doctor.shop import app\n")
    verdict = site.doctor()
    assert verdict.codes == {"blocking-driver": "fault"}
    assert "MySQLdb" in verdict.of("blocking-driver")["what"]
    assert verdict.status == 1


def test_max_requests_too_low_for_streams(deploy: Callable[..., Site]) -> None:
    settings = f"{DRAIN}worker_class = 'gevent'\nmax_requests = 50"
    verdict = deploy(settings).doctor()
    assert verdict.codes == {"max-requests": "fault", "worker-class": "note"}
    assert "max_requests is 50" in verdict.of("max-requests")["what"]
    assert verdict.status == 1


def test_a_command_line_that_the_settings_do_not_have(deploy: Callable[..., Site]) -> None:
    site = deploy(f"{DRAIN}workers = 1\nmax_requests = 50")
    site.environment["FLASK_SSE_MAX_STREAMS"] = "40"
    url = url_of(site.start("-k", "gthread", "--threads", "50"))
    said = site.doctors(
        alone=lambda site: site.doctor(url),
        repeated=lambda site: site.doctor(url, GUNICORN_CMD_ARGS="-k gthread --threads 20"),
    )
    assert said["alone"].codes == {"worker-class": "note", "six-connections": "note"}
    (unseen,) = said["alone"].report["not_looked_at"]
    assert unseen == (
        "drain, room for streams, timeouts, max_requests: gunicorn.conf.py says sync, the server "
        "runs threads: repeat its command line in GUNICORN_CMD_ARGS."
    )
    assert said["repeated"].codes["threads"] == "fault"
    assert said["repeated"].report["not_looked_at"] == []


def test_an_app_that_cannot_be_loaded_leaves_the_outside(deploy: Callable[..., Site]) -> None:
    site = deploy().start()
    (site.folder / "wsgi.py").write_text("")
    command = [sys.executable, "-c", "from flask_sse_routes.cli import sse_cli; sse_cli()"]
    run = subprocess.run(
        [*command, "doctor", url_of(site), "--seconds", "1"],
        cwd=site.folder,
        env=site.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    assert "Only the outside is looked at. Failed to find Flask application" in run.stderr
    assert "no app was loaded here" in run.stdout
    assert "the stream /api/orders" in " ".join(run.stdout.split())

"""A real Redis, or none, behind the broker's URL; and what is not shown of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from e2e.waiting import wait_for

from .deployments import Site, free_port, is_open

PASSWORD = "hidden"


@pytest.fixture
def redis_port(program: Callable[[str], str], tmp_path: Path) -> Iterator[int]:
    """A Redis that removes what it likes when it is full."""
    port = free_port()
    options = ["--port", str(port), "--save", "", "--requirepass", PASSWORD]
    options += ["--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [program("redis-server"), *options], cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        wait_for(lambda: is_open(port), "redis answers")
        yield port
    finally:
        process.terminate()
        process.wait(10)


def test_a_redis_that_removes_history(deploy: Callable[..., Site], redis_port: int) -> None:
    url = f"redis://:{PASSWORD}@127.0.0.1:{redis_port}/0"
    verdict = deploy().doctor(FLASK_SSE_BROKER_URL=url)
    assert verdict.codes == {"redis-eviction": "fault"}
    assert "allkeys-lru" in verdict.of("redis-eviction")["what"]
    assert PASSWORD not in verdict.text


def test_no_redis(deploy: Callable[..., Site]) -> None:
    url = f"redis://user:{PASSWORD}@127.0.0.1:1/0?password={PASSWORD}"
    verdict = deploy().doctor(FLASK_SSE_BROKER_URL=url)
    assert verdict.codes == {"broker-unavailable": "fault"}
    assert "redis://***@127.0.0.1:1/0" in verdict.text
    assert PASSWORD not in verdict.text
    assert verdict.status == 1

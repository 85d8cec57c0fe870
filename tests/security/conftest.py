"""Fixtures of other tests, for what needs a real server, a browser or a program."""

from brokers.conftest import redis_server, shared_redis
from clients.conftest import chromium, home, little, module_text, other, program, serve
from e2e.conftest import key, launch, pytest_runtest_makereport

__all__ = [
    "chromium",
    "home",
    "key",
    "launch",
    "little",
    "module_text",
    "other",
    "program",
    "pytest_runtest_makereport",
    "redis_server",
    "serve",
    "shared_redis",
]

"""gunicorn's settings, as gunicorn itself would read them in this folder.

Floor 3. From its configuration file, then from `GUNICORN_CMD_ARGS`, which wins; what stands on the
command line of a running server is known to nobody else.
"""

from __future__ import annotations

import importlib
import os
import runpy
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ConfigError
from ..gunicorn import post_worker_init
from .handlers import named_by

# Names of worker classes, by what serves their streams.
WORKERS = {
    "SSEWorker": "SSEWorker",
    "GeventWorker": "gevent",
    "ThreadWorker": "threads",
    "SyncWorker": "sync",
}
SHORT = {"gevent": "gevent", "gthread": "threads", "sync": "sync"}
NOT_HTTP2 = ("", "off")


class Settings(NamedTuple):
    """What matters for streams. `worker` is as in `Facts`, or `other`; `source` is for people."""

    source: str
    worker: str
    workers: int = 1
    threads: int = 1
    worker_connections: int = 1000
    max_requests: int = 0
    max_requests_jitter: int = 0
    timeout: int = 30
    graceful_timeout: int = 30
    drains: bool = True
    tls: bool = False
    http2: bool = False


def read_settings(path: str | None = None) -> Settings | None:
    """Read what there is; `None` where there is nothing, or no gunicorn.

    Raises `ConfigError` for settings that gunicorn would refuse.
    """
    try:
        from gunicorn.config import Config, get_default_config_file
    except ModuleNotFoundError:
        if path is None:
            return None
        raise ConfigError("gunicorn is not installed here, which reads its settings.") from None
    config = Config(prog="gunicorn")
    arguments = _arguments(config)
    location = path or arguments.get("config") or get_default_config_file()
    if location is None and not arguments and "WEB_CONCURRENCY" not in os.environ:
        return None
    try:
        if location is not None:
            _apply(config, _variables(location))
        _apply(config, arguments)
    except Exception as error:
        raise ConfigError(
            f"gunicorn would not read {location or 'its settings'}: {error}"
        ) from error
    return _settings(config, location)


def _arguments(config: Any) -> dict[str, Any]:
    try:
        found = vars(config.parser().parse_args(config.get_cmd_args_from_env()))
    except SystemExit:
        raise ConfigError("gunicorn would not read GUNICORN_CMD_ARGS; see above.") from None
    return {k: v for k, v in found.items() if v is not None and k != "args"}


def _variables(location: str) -> dict[str, Any]:
    if location.startswith("python:"):
        return vars(importlib.import_module(location.removeprefix("python:")))
    return runpy.run_path(location.removeprefix("file:"), run_name="__config__")


def _apply(config: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name in config.settings:
            config.set(name, value)


def _settings(config: Any, location: str | None) -> Settings:
    worker = _kind(config.settings["worker_class"].get())
    return Settings(
        source=_source(location),
        worker="threads" if worker == "sync" and config.threads > 1 else worker,
        workers=config.workers,
        threads=config.threads,
        worker_connections=config.worker_connections,
        max_requests=config.max_requests,
        max_requests_jitter=config.max_requests_jitter,
        timeout=config.timeout,
        graceful_timeout=config.graceful_timeout,
        drains=_calls_ours(config.post_worker_init),
        tls=bool(config.is_ssl),
        http2=_speaks_http2(config),
    )


def _calls_ours(hook: Any) -> bool:
    """Tell whether a hook is the package's own, or a function that names it."""
    if hook is post_worker_init:
        return True
    globals_, named = getattr(hook, "__globals__", {}), set(named_by(hook))
    by_another_name = any(globals_.get(name) is post_worker_init for name in named)
    return by_another_name or post_worker_init.__name__ in named


def _source(location: str | None) -> str:
    if location is None:
        return "GUNICORN_CMD_ARGS" if "GUNICORN_CMD_ARGS" in os.environ else "WEB_CONCURRENCY"
    return location.removeprefix(f"{Path.cwd()}{os.sep}")


def _kind(worker_class: Any) -> str:
    """Return what serves the streams of a worker class, given by name or as a class."""
    if isinstance(worker_class, str):
        if worker_class in SHORT:
            return SHORT[worker_class]
        module, _, name = worker_class.rpartition(".")
        if name in WORKERS:
            return WORKERS[name]
        try:
            worker_class = getattr(importlib.import_module(module), name)
        except (AttributeError, ImportError, ValueError):
            return "other"
    names = [each.__name__ for each in worker_class.__mro__]
    return next((WORKERS[name] for name in names if name in WORKERS), "other")


def _speaks_http2(config: Any) -> bool:
    """Tell whether it would speak HTTP/2; versions before 25 cannot and have no such setting."""
    if "http_protocols" not in config.settings or "h2" not in config.http_protocols:
        return False
    cleartext = getattr(config, "http2_cleartext", "off") if not config.is_ssl else ""
    return bool(config.is_ssl) or cleartext not in NOT_HTTP2

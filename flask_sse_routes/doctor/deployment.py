"""What the doctor looks at: the app, its gunicorn settings, and facts of the running server.

Floor 3. Facts win over settings, which may be those of another folder or another command line.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask

from ..config import Config
from ..diagnosis import Facts
from ..extension import AppRuntime, runtime_of
from .settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Deployment:
    """An app as it is served; `settings` and `facts` are `None` where nothing is known."""

    app: Flask
    settings: Settings | None = None
    facts: Facts | None = None

    @property
    def runtime(self) -> AppRuntime:
        """What the extension knows of the app."""
        return runtime_of(self.app)

    @property
    def config(self) -> Config:
        """The `SSE_*` keys."""
        return self.runtime.config

    @property
    def worker(self) -> str | None:
        """What serves the streams: `sync`, `threads`, `gevent`, `SSEWorker` or `other`."""
        if self.facts is not None:
            return self.facts.worker
        return self.settings.worker if self.settings is not None else None

    @property
    def is_gevent(self) -> bool:
        """Whether gevent has to be able to switch in what the app calls."""
        return self.worker in ("gevent", "SSEWorker")

    @property
    def several(self) -> bool:
        """Whether several processes serve the app."""
        if self.facts is not None:
            return self.facts.processes
        return self.settings is not None and self.settings.workers > 1

    @property
    def source(self) -> str:
        """Where it is known from, for people."""
        if self.facts is not None:
            return "the running server"
        return self.settings.source if self.settings is not None else ""

"""A running console: gunicorn with two workers, its files in a folder of its own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psutil
from clients.serving import Serving
from e2e.waiting import wait_for

from flask_sse_routes import broker_from_url
from flask_sse_routes.bodies import make_body


class Console:
    def __init__(self, folder: Path, *, port: int = 0, **environment: str) -> None:
        """Keywords in capitals are configuration."""
        self.folder = folder
        self.data = folder / "data"
        self.log_file = folder / "app.txt"
        self.log_file.touch()
        ours = {
            "FLASK_DEMO_ACCOUNTS": "1",
            "FLASK_DATA_FOLDER": str(self.data),
            "FLASK_LOG_FILES": json.dumps([f"{folder}/*.txt"]),
            "FLASK_SSE_RETRY": "200",
        }
        self.environment = {
            **ours,
            **{f"FLASK_{key}": value for key, value in environment.items()},
        }
        self.serving = self._serve(port)

    def _serve(self, port: int) -> Serving:
        # A worker that is held up for a test is not to be taken for one that hangs.
        patience = ["--timeout", "120"]
        app = "app:create_app()"
        return Serving(
            app, self.folder, *patience, workers=2, port=port, environment=self.environment
        )

    def restart(self) -> None:
        """Start it again where it was, after it was killed."""
        self.serving = self._serve(self.serving.port)

    @property
    def url(self) -> str:
        return self.serving.url

    def post(self, path: str, body: Any) -> Any:
        """What another program does."""
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(self.url + path, json.dumps(body).encode(), headers)) as answer:
            return json.load(answer)

    def publish(self, channel: str, *events: Any) -> None:
        """Publish as a process beside the server does, whether that runs or not."""
        broker = broker_from_url(f"sqlite:///{self.data / 'events.db'}")
        for event in events:
            broker.append(channel, make_body(event))
        broker.close()

    def append(self, *lines: str) -> None:
        """Write lines to the log file."""
        with self.log_file.open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))

    @contextlib.contextmanager
    def one_worker(self, number: int) -> Iterator[int]:
        """Have the first (0) or the second (1) worker take all that comes; yield its pid."""
        wait_for(lambda: len(self.serving.workers()) == 2, "both workers")
        pids = sorted(self.serving.workers())
        other = psutil.Process(pids[1 - number])
        other.suspend()
        try:
            yield pids[number]
        finally:
            other.resume()

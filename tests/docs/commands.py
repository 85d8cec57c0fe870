"""Commands of a page in processes of their own: what they print, and that they end."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Read by what is started; the surroundings of the tests must not reach it.
FOREIGN = re.compile(
    r"FLASK_|GUNICORN_|WERKZEUG_|PYTEST_|WEB_CONCURRENCY|HOST$|PORT$|PYTHON|.*_proxy$",
    re.IGNORECASE,
)
LIMIT = 30.0
LOOK = 0.01
# `export` and `cd` of one command hold for the next one in its terminal.
REMEMBER = 'trap \'export -p > "$DOCS_STATE"\' EXIT; . "$DOCS_STATE"; cd "$PWD" || exit\n'
RECALL = '. "$DOCS_STATE"; cd "$PWD" || exit\n'
OPERATOR = re.compile(r"[|;&<>]")


def wait_for(condition: Callable[[], object], seconds: float = LIMIT) -> bool:
    """Wait until a condition holds; tell whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(LOOK)
    return True


def environment(folder: Path, more: dict[str, str]) -> dict[str, str]:
    """What commands of a page find: this project, no settings of the tests, and no network."""
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    # In a terminal curl shows no progress of what it prints.
    (home / ".curlrc").write_text("silent\nshow-error\n")
    kept = {key: value for key, value in os.environ.items() if not FOREIGN.match(key)}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}:/usr/sbin",
        "HOME": str(home),
        "PWD": str(folder),
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9"),
        "no_proxy": "127.0.0.1,localhost",
        **more,
    }


def _in_background(text: str) -> str:
    """A script that becomes the command, so that a signal reaches it and not a shell around it."""
    return RECALL + (text if OPERATOR.search(text) else f"exec env {text}")


class Command:
    """A command that runs; what it has printed so far, and how much of that was compared."""

    def __init__(
        self,
        text: str,
        folder: Path,
        environment: dict[str, str],
        state: Path | None = None,
        *,
        background: bool,
    ) -> None:
        """`state` has what was exported in the terminal before, and where that stands."""
        self.text = text
        self.seen = 0
        self._log = folder.parent / f"log-{time.monotonic_ns()}"
        script = _in_background(text) if background else REMEMBER + text
        if state is None:
            state = folder.parent / f"state-{time.monotonic_ns()}"
            state.write_text(f"PWD='{folder}'\n")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", script],
                cwd=folder,
                env={**environment, "DOCS_STATE": str(state)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def printed(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def interrupt(self) -> None:
        """Press Ctrl-C, which reaches all that the command has started."""
        self._signal_all(signal.SIGINT)
        self._end(5)

    def stop(self) -> None:
        """End it as a service is ended; what it leaves behind, or is too slow, is killed."""
        # gunicorn loses the signal in a worker that still loads, and waits for it much longer.
        self.process.terminate()
        self._end(4)

    def kill(self) -> None:
        """End it at once, and all that it has started."""
        self._end(0)

    def _end(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        self._signal_all(signal.SIGKILL)
        self.process.wait(10)

    def _signal_all(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

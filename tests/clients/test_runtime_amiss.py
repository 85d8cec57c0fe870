"""Streams that nobody reads, clients that were made amiss, and what is left of closed ones."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from .little import Asked, Little
from .programs import JS, client_text

EVENTS = "".join(f"id: {number}\ndata: {number}\n\n" for number in range(1000))
END = 'event: end\nid: 999~end\ndata: "all"\n\n'


def test_it_says_so_and_leaves_nothing(program: Callable[[str], str], tmp_path: Path) -> None:
    module = tmp_path / "client.mjs"
    module.write_text(client_text())
    little = Little()
    try:
        little.on("/api/stream", lambda asked: asked.stream(EVENTS + END))
        little.on("/api/vector/cut", cut)
        command = [program("node"), str(JS / "amiss.mjs"), str(module), f"{little.url}/api"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        little.close()
    assert found.returncode == 0, found.stderr
    # Milliseconds from `close()` to the end of the process; a heartbeat comes after 20 s.
    assert int(found.stdout) < 5000


def cut(asked: Asked) -> None:
    asked.stream("retry: 20\n\ndata: 1\n\n", SSE_Heartbeat="20")

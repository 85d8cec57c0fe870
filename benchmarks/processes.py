"""Processes that the benchmark starts: each in a session of its own, ended with all it started.

A process that has ended stays unreaped until `end`, so that its id, which is the session's, can
mean nobody else. Should the benchmark be killed, the kernel ends what it started.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Process:
    """A command whose standard input is a pipe, and whose output goes where it is told."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: IO[bytes],
        output: IO[bytes] | int | None = None,
        core: int | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        def settle() -> None:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if core is not None:
                os.sched_setaffinity(0, {core})

        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=log if output is None else output,
            stderr=log,
            cwd=cwd,
            env=env,
            preexec_fn=settle,
            start_new_session=True,
        )

    @property
    def session(self) -> int:
        """The id of the process and of its session."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process itself still runs."""
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self._process.returncode is None and not os.waitid(os.P_PID, self.session, flags)

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def wait(self) -> int:
        """Wait until the process has ended; return its status."""
        os.waitid(os.P_PID, self.session, os.WEXITED | os.WNOWAIT)
        return self.end()

    def end(self) -> int:
        """Kill the process and all that shares its group, and return its status."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.session, signal.SIGKILL)
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
        return self._process.returncode

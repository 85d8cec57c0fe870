"""What goes on in a thread of its own while a scenario runs, and ends with it."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TypeVar

T = TypeVar("T", bound="Work")

# Seconds that the last step may take once it is to end.
LAST = 20.0


class Work:
    """Runs `_run` from entry to exit; what went wrong there is raised at the exit.

    `_run` returns soon after `_end` is set.
    """

    def __init__(self) -> None:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._guarded, daemon=True)
        self.failure: BaseException | None = None

    def __enter__(self: T) -> T:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join(LAST)
        self.check()
        assert not self._thread.is_alive(), f"{type(self).__name__} does not end"

    def check(self) -> None:
        """Raise what has ended it, if anything has."""
        if self.failure is not None:
            raise self.failure

    def _guarded(self) -> None:
        try:
            self._run()
        except BaseException as error:
            self.failure = error

    def _run(self) -> None:
        raise NotImplementedError

"""Ports: a page says 5000 or 8000, its run uses free ones, and nobody sees a difference."""

from __future__ import annotations

import re
import socket

WRITTEN = re.compile(
    r"""(?P<before>
        (?:127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1?\]):   # a host
      | --port[ =] | -p[ ]                                # options
      | (?:--bind|-b)[ =]:
      | \bPORT=
      | \b(?:port|listen)[ ]*=[ ]*(?=\d{4,5}\b)           # app.run(port=8000)
    )(?P<port>[1-9]\d{3,4})\b""",
    re.VERBOSE,
)


class Ports:
    """The ports of one page, as written and as used."""

    def __init__(self) -> None:
        self._used: dict[str, str] = {}

    def used(self, written: int | str) -> str:
        """The free port that stands for a written one."""
        key = str(written)
        if key not in self._used:
            self._used[key] = str(self._free())
        return self._used[key]

    def replace(self, text: str) -> str:
        """A text of the page with free ports in the place of those written there."""
        return WRITTEN.sub(lambda found: found["before"] + self.used(found["port"]), text)

    def restore(self, printed: str) -> str:
        """What was printed, with the ports that the page speaks of."""
        for written, used in self._used.items():
            printed = re.sub(rf"\b{used}\b", written, printed)
        return printed

    def written_in(self, text: str) -> list[str]:
        return [found["port"] for found in WRITTEN.finditer(text)]

    @staticmethod
    def _free() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
            return port

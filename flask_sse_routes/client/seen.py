"""`Seen`: the ids of the events that a stream has handed out lately.

Floor 3. Bounded, whatever a server sends.
"""

from __future__ import annotations

# A server replays at most its history, 1000 entries by default.
MOST = 5000
# Longer ids than this package's are not worth their memory.
LONGEST = 300


class Seen:
    """A set of ids that forgets its oldest."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def add(self, id_: str) -> bool:
        """Note an id; tell whether it was there already."""
        if id_ in self._ids:
            return True
        if len(id_) <= LONGEST:
            self._ids[id_] = None
            if len(self._ids) > MOST:
                del self._ids[next(iter(self._ids))]
        return False

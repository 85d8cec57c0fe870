"""A board: numbered posts in memory that any number of streams in this process follow.

The newest posts are kept, so a stream that comes back continues after the last one its client saw.
An id names the board as well as the post: after a restart the numbers begin again, and an id of the
old board is answered with the recent posts.
"""

import re
import secrets
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask_sse_routes import Context, Event

T = TypeVar("T")

# Seconds. A thread cannot be interrupted where it waits, so it looks this often for its client.
PATIENCE = 0.5


@dataclass(frozen=True)
class Post(Generic[T]):
    id: str
    number: int
    body: T


class Board(Generic[T]):
    def __init__(self, keep: int = 200) -> None:
        self._name = secrets.token_hex(4)
        self._posts: deque[Post[T]] = deque(maxlen=keep)
        self._newest = 0
        self._changed = threading.Condition()

    def post(self, body: T) -> Post[T]:
        with self._changed:
            self._newest += 1
            post = Post(f"{self._name}-{self._newest}", self._newest, body)
            self._posts.append(post)
            self._changed.notify_all()
            return post

    def recent(self, count: int) -> list[Post[T]]:
        """The last `count` posts, oldest first."""
        return self._after(self._newest - count)

    def follow(self, ctx: Context, recent: int) -> Iterator[Event]:
        """What came after `ctx.last_event_id`, else the last `recent` posts; then every new one."""
        position = self._position(ctx.last_event_id, recent)
        while True:
            for post in self._wait(position):
                position = post.number
                yield Event(post.body, id=post.id)
            ctx.sleep(0)

    def _position(self, last_event_id: str | None, recent: int) -> int:
        seen = re.fullmatch(rf"{self._name}-([0-9]{{1,15}})", last_event_id or "")
        return min(int(seen[1]), self._newest) if seen else self._newest - recent

    def _wait(self, position: int) -> list[Post[T]]:
        with self._changed:
            self._changed.wait_for(lambda: self._newest > position, timeout=PATIENCE)
        return self._after(position)

    def _after(self, position: int) -> list[Post[T]]:
        with self._changed:
            return [post for post in self._posts if post.number > position]

"""A Redis of a run's own, servers of two workers each on it, and clients of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from brokers.redis_server import RedisServer
from channels import servers
from channels.followers import Follower
from e2e.servers import Server
from e2e.waiting import wait_for

from .acknowledged import HISTORY, Publisher
from .scenario import Rig

CHANNELS = ("a", "b")
LAST = "the last one"
WORKERS = 2
APPEND_ONLY = ("--appendonly", "yes", "--appendfsync", "always")


class RedisSite:
    """What a scenario with Redis has; everything ends with the run."""

    def __init__(
        self,
        rig: Rig,
        *options: str,
        kinds: Sequence[str] = ("sseworker",),
        restless: int = 0,
    ) -> None:
        """`options` are those of Redis, `kinds` those of workers, of a server for each.

        `restless`: clients of each server that leave and come back by chance.
        """
        rig.program("redis-server")
        self._rig = rig
        self.redis = RedisServer(self._folder("redis"), *options)
        rig.later(self.redis.kill)
        self.servers = [self._start(kind) for kind in kinds]
        self.steady = [
            self._follow(server, channels)
            for server in self.servers
            for channels in (("b",), CHANNELS)
        ]
        self.restless = [
            self._follow(server, CHANNELS[n % 2 :], patience=1, seed=n)
            for server in self.servers
            for n in range(restless)
        ]
        wait_for(lambda: all(f.events for f in self.everybody), "everybody is ready", 20)
        self.publisher = Publisher(self.redis.url, CHANNELS)
        rig.later(self.publisher.close)

    @property
    def everybody(self) -> list[Follower]:
        return self.steady + self.restless

    def followed(self) -> set[int]:
        """The workers that the steady follow; one that serves nobody follows nothing."""
        return {pid for follower in self.steady for pid in follower.workers}

    def notes(self, text: str) -> int:
        """How often the servers have said so in their logs."""
        return sum(server.log.count(text) for server in self.servers)

    def beats(self) -> list[int]:
        """The heartbeats that each of the steady has had."""
        return [follower.heartbeats for follower in self.steady]

    def finish(self) -> None:
        """Have everybody go once they have all; raise what went wrong with any of them."""
        self.publisher.say_goodbye(LAST, lambda: all(f.done or f.failure for f in self.everybody))
        for follower in self.everybody:
            follower.join(1)

    def _folder(self, name: str) -> Path:
        folder = self._rig.folder / name
        folder.mkdir()
        return folder

    def _start(self, kind: str) -> Server:
        settings = {"FLASK_SSE_HISTORY": HISTORY}
        server = servers.start(self._folder(kind), self.redis.url, WORKERS, kind=kind, **settings)
        self._rig.later(server.kill)
        return server

    def _follow(
        self,
        server: Server,
        channels: tuple[str, ...],
        *,
        patience: float | None = None,
        seed: int = 0,
    ) -> Follower:
        follower = Follower(server.port, channels, f'"{LAST}"', patience, seed).start()
        self._rig.later(follower.stop)
        return follower

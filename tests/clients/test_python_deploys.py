"""The Python clients across restarts and crashes of a real server: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from e2e.publisher import Publisher
from e2e.waiting import wait_for

from flask_sse_routes.client import RouteError, connect, connect_async

from .bad_gateway import Gateway
from .serving import Serving

Serve = Callable[..., Serving]


class Reader:
    """A client that reads the news in a thread of its own, by blocking or by asyncio."""

    def __init__(self, url: str, asynchronous: bool) -> None:
        self.ids: list[str] = []
        self.error: BaseException | None = None
        self._url = url
        self._begun, self._stop = threading.Event(), threading.Event()
        self._client = None if asynchronous else connect(url)
        run = self._run_async if asynchronous else self._run
        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        assert self._begun.wait(15)

    def leave(self) -> None:
        self._stop.set()
        if self._client is not None:
            self._client.close()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        assert self._client is not None
        try:
            with self._client.sse.news() as news:
                self._begun.set()
                for event in news:
                    self.ids.append(event.id)
        except BaseException as error:
            self.error = error

    def _run_async(self) -> None:
        try:
            asyncio.run(self._read())
        except BaseException as error:
            self.error = error

    async def _read(self) -> None:
        async with connect_async(self._url) as client, client.sse.news() as news:
            leaving = asyncio.ensure_future(self._leave(news))
            self._begun.set()
            async for event in news:
                self.ids.append(event.id)
            await leaving

    async def _leave(self, news: Any) -> None:
        while not self._stop.is_set():
            await asyncio.sleep(0.02)
        await news.aclose()


class Job:
    """A POST stream that another thread reads."""

    def __init__(self, url: str, journal: Path) -> None:
        self.error: BaseException | None = None
        self.numbers: list[int] = []
        self._client = connect(url)
        self._journal = journal
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        wait_for(lambda: self.numbers, "the job has begun")

    @property
    def pid(self) -> int:
        (pid,) = self._journal.read_text().split()
        return int(pid)

    def check_ran_once(self) -> None:
        """It was lost, it says so, and it was not begun again."""
        self._thread.join(15)
        self._client.close()
        assert isinstance(self.error, RouteError)
        assert (self.error.status, self.error.title) == (0, "Connection lost")
        assert self.numbers == list(range(len(self.numbers)))
        assert self.pid

    def _run(self) -> None:
        try:
            for event in self._client.sse.job(journal=str(self._journal)):
                self.numbers.append(event.data)
        except BaseException as error:
            self.error = error


@pytest.fixture
def site(serve: Serve, tmp_path: Path) -> Iterator[tuple[Serving, Publisher, Gateway]]:
    """Two workers that share a broker, a proxy in front, and somebody who publishes."""
    broker = f"sqlite:///{tmp_path}/events.db"
    settings = {"SSE_BROKER_URL": broker, "SSE_RETRY": 300, "SSE_HEARTBEAT": 1}
    serving = serve("clients.news_app:app", workers=2, settings=settings)
    publisher = Publisher(broker, "news", rate=50)
    with Gateway(serving.port) as gateway:
        yield serving, publisher, gateway
    publisher.stop()


def check(readers: list[Reader], publisher: Publisher) -> None:
    """Everybody has all that was published since the last of them came, once and in order."""
    publisher.stop()
    last = publisher.ids[-1]
    try:
        wait_for(lambda: all(r.error or r.ids[-1:] == [last] for r in readers), "the rest", 30)
    finally:
        for reader in readers:
            reader.leave()
    for reader in readers:
        assert reader.error is None
        assert reader.ids == publisher.ids[publisher.ids.index(reader.ids[0]) :]
        assert len(reader.ids) > 100


def test_a_proxy_that_answers_502_while_the_workers_are_replaced(
    site: tuple[Serving, Publisher, Gateway], tmp_path: Path
) -> None:
    serving, publisher, gateway = site
    readers = [Reader(f"{gateway.url}/api", asynchronous=n % 2 == 1) for n in range(4)]
    job = Job(f"{gateway.url}/api", tmp_path / "journal")
    before = serving.workers()
    with gateway.refuse(seconds=3):
        serving.reload()
        # A slow machine starts the new workers before it ends the old ones' streams.
        wait_for(lambda: gateway.refused >= len(readers), "everybody was refused", 20)
    wait_for(lambda: not before & serving.workers(), "the workers are new ones", 15)
    check(readers, publisher)
    job.check_ran_once()


def test_workers_that_are_killed(site: tuple[Serving, Publisher, Gateway], tmp_path: Path) -> None:
    serving, publisher, _ = site
    url = f"{serving.url}/api"
    readers = [Reader(url, asynchronous=n % 2 == 1) for n in range(4)]
    job = Job(url, tmp_path / "journal")
    for victim in (job.pid, *(serving.workers() - {job.pid})):
        psutil.Process(victim).send_signal(signal.SIGKILL)
        wanted = [len(reader.ids) + 50 for reader in readers]
        wait_for(functools.partial(have_read, readers, wanted), "they are back", 20)
    check(readers, publisher)
    job.check_ran_once()


def test_both_clients_against_one_server(serve: Serve) -> None:
    url = f"{serve('clients.news_app:app').url}/api"
    with connect(url) as client:
        assert [event.data for event in client.sse.count(to=4)] == [0, 1, 2, 3]
        assert client.api.double(number=4) == {"doubled": 8}
        with pytest.raises(RouteError) as refused:
            client.sse.count(to="many").__enter__()
    assert (refused.value.status, refused.value.errors[0]["loc"]) == (422, ["to"])
    assert asyncio.run(by_asyncio(url)) == ([0, 1, 2, 3], {"doubled": 8}, 422)


async def by_asyncio(url: str) -> tuple[list[int], Any, int]:
    async with connect_async(url) as client:
        counted = [event.data async for event in client.sse.count(to=4)]
        doubled = await client.api.double(number=4)
        try:
            await client.api.double(number="x")
        except RouteError as error:
            return counted, doubled, error.status
    raise AssertionError("It took what is no number.")


def have_read(readers: list[Reader], wanted: list[int]) -> bool:
    return all(len(reader.ids) >= n for reader, n in zip(readers, wanted, strict=True))

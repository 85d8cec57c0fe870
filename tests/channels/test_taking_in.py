"""What this process has published itself: into the rings at once, and not read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from flask_sse_routes import channels, publishing
from flask_sse_routes.brokers.base import Entry, Merged, Position
from flask_sse_routes.brokers.memory import MemoryBroker
from flask_sse_routes.brokers.sqlite import SqliteBroker
from flask_sse_routes.channels import ChannelHub
from flask_sse_routes.followers import ChannelSource

from .sites import Site, take

pytestmark = pytest.mark.gevent

MakeSite = Callable[..., Site]


@pytest.fixture(name="read")
def read(monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """What the tails of all sites have read from their broker."""
    found: list[Entry] = []
    for kind in (MemoryBroker, SqliteBroker):
        monkeypatch.setattr(kind, "poll", noting(kind.poll, found))
    return found


def noting(poll: Callable[..., Merged], found: list[Entry]) -> Callable[..., Merged]:
    def noted(*args: Any) -> Merged:
        merged = poll(*args)
        found.extend(merged.entries)
        return merged

    return noted


def test_it_is_not_read_back(make_site: MakeSite, broker_url: str, read: list[Entry]) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    with site.open("a") as stream, site.open("a", "b") as other:
        stream.next(), other.next()
        ids = [site.publish("a", n) for n in range(20)]
        for each in (stream, other):
            assert [event.id for event in take(each, 20)] == ids
        assert read == []


def test_what_others_have_stored_before_comes_first(
    make_site: MakeSite, tmp_path: Path, read: list[Entry]
) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    here, there = make_site(SSE_BROKER_URL=url), make_site(SSE_BROKER_URL=url)
    with here.open("a") as stream, there.open("a") as other:
        stream.next(), other.next()
        ids = [site.publish("a", n) for n, site in enumerate((there, here, here, there) * 5)]
        for each in (stream, other):
            assert [event.id for event in take(each, len(ids))] == ids
    assert read, "what others store is read"


def test_another_thread_may_publish(make_site: MakeSite, broker_url: str) -> None:
    from gevent import get_hub

    site = make_site(SSE_BROKER_URL=broker_url)
    with site.open("a") as stream:
        stream.next()
        ids = [site.publish("a", 0)]
        ids += [get_hub().threadpool.apply(site.publish, ("a", n)) for n in range(3)]
        ids += [site.publish("a", 4)]
        assert [event.id for event in take(stream, 5)] == ids


class Loud(MemoryBroker):
    """A class of somebody's own."""

    def append(self, channel: str, body: bytes) -> Position:
        return super().append(channel, body.upper())


def test_an_append_of_the_apps_own_is_what_counts(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "broker_from_url", lambda url, **options: Loud())
    site = make_site()
    with site.open("a") as stream:
        stream.next()
        site.publish("a", "words")
        assert stream.next().data == '"WORDS"'


class Deaf(MemoryBroker):
    """Another: what it has stored is not what is read."""

    def poll(self, channels: Iterable[str], after: int, limit: int) -> Merged:
        merged = super().poll(channels, after, limit)
        found = [entry._replace(body=entry.body.lower()) for entry in merged.entries]
        return merged._replace(entries=found)


def test_nor_is_a_reading_of_its_own_left_out(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "broker_from_url", lambda url, **options: Deaf())
    site = make_site()
    with site.open("a") as stream:
        stream.next()
        site.publish("a", "WORDS")
        assert stream.next().data == '"words"'


def test_many_are_woken_by_the_tail(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, read: list[Entry]
) -> None:
    monkeypatch.setattr(channels, "FEW", 1)
    site = make_site()
    with site.open("a") as stream, site.open("a", "b") as other, site.open("b") as third:
        stream.next(), other.next(), third.next()
        ids = [site.publish("a", n) for n in range(3)]
        for each in (stream, other):
            assert [event.id for event in take(each, 3)] == ids
        assert [str(Position(ids[0].split("-")[0], entry.seq)) for entry in read] == ids


class EndedError(BaseException):
    """Ends whoever publishes."""


def test_a_publisher_that_is_ended_keeps_nobody_asleep(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site()
    with site.open("a") as stream, site.open("a", "b") as other:
        stream.next(), other.next()
        wake, ends = ChannelSource.wake, [EndedError()]

        def ended(source: ChannelSource) -> None:
            if ends:
                raise ends.pop()
            wake(source)

        monkeypatch.setattr(ChannelSource, "wake", ended)
        with pytest.raises(EndedError):
            site.publish("a", 0)
        assert not ends
        assert [len(take(each, 1)) for each in (stream, other)] == [1, 1]


def test_what_cannot_be_taken_in_is_read(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, read: list[Entry]
) -> None:
    absorb, failures = ChannelHub._absorb, [MemoryError("a fault")]

    def fragile(hub: ChannelHub, *args: Any) -> Any:
        sources = absorb(hub, *args)
        if failures:
            raise failures.pop()
        return sources

    site = make_site()
    with site.open("a") as stream:
        stream.next()
        monkeypatch.setattr(ChannelHub, "_absorb", fragile)
        ids = [site.publish("a", n) for n in range(3)]
        assert [event.id for event in take(stream, 3)] == ids
    assert len(read) >= 1
    assert not failures

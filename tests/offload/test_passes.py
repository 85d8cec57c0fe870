"""What happens between two sends of one pass of a group."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flask_sse_routes import rings

from .sites import Client, Site, wait_for

pytestmark = pytest.mark.gevent

Interlude = Callable[..., list[bool]]


def check_all(site: Site, clients: list[Client], done: list[bool]) -> None:
    """Everybody has got everything once, before and after one more event."""
    wait_for(lambda: done, "the interlude")
    wait_for(lambda: site.seen_all(*clients), [client.ids for client in clients])
    site.publish("a")
    wait_for(lambda: site.seen_all(*clients), [client.ids for client in clients])
    assert [client.counts() for client in clients] == [client.received() for client in clients]
    wait_for(lambda: all(client.group for client in clients), "all in a group")
    assert len({client.group for client in clients}) == 1


@pytest.mark.parametrize("who", [0, 1, 2, 5], ids=["first", "sent-to", "next", "last"])
def test_one_goes_away(site: Site, interlude: Interlude, who: int) -> None:
    crowd = site.crowd(6, "a")
    gone = crowd.pop(who)

    def act() -> None:
        gone.read()
        gone.leave()
        wait_for(lambda: len(site.offload) == 5)

    done = interlude(act)
    site.publish("a")
    check_all(site, crowd, done)
    assert len(gone.ids) == (who < 2)
    assert gone.counts() == gone.received()


def test_all_behind_go_away(site: Site, interlude: Interlude) -> None:
    crowd = site.crowd(6, "a")

    def act() -> None:
        for client in crowd[2:]:
            client.leave()
        wait_for(lambda: len(site.offload) == 2)

    done = interlude(act)
    site.publish("a")
    check_all(site, crowd[:2], done)
    assert [client.counts() for client in crowd[2:]] == [client.received() for client in crowd[2:]]


def test_all_go_away(site: Site, interlude: Interlude) -> None:
    crowd = site.crowd(6, "a")

    def act() -> None:
        for client in crowd:
            client.leave()
        wait_for(lambda: len(site.offload) == 0)

    done = interlude(act)
    site.publish("a")
    wait_for(lambda: done)
    wait_for(lambda: all(client.closed.is_set() for client in crowd))
    assert not site.offload._groups
    again = site.crowd(2, "a")
    site.publish("a")
    wait_for(lambda: site.seen_all(*again))


def test_the_group_is_disbanded(site: Site, interlude: Interlude) -> None:
    crowd = site.crowd(6, "a")

    def act() -> None:
        group = crowd[0].group
        assert group is not None
        group.disband()

    done = interlude(act)
    site.publish("a")
    check_all(site, crowd, done)
    assert {len(client.ids) for client in crowd} == {2}


def test_it_is_disbanded_in_the_second_of_several_portions(
    site: Site, interlude: Interlude, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rings, "HANDFUL", 2)
    crowd = site.crowd(6, "a")

    def act() -> None:
        group = crowd[0].group
        assert group is not None
        group.disband()

    first, second = interlude(lambda: None, after=4), interlude(act)
    for _ in range(7):
        site.publish("a")
    wait_for(lambda: first)
    check_all(site, crowd, second)
    assert {len(client.ids) for client in crowd} == {8}


@pytest.mark.parametrize("after", [2, 4, 6])
def test_a_new_epoch_begins(site: Site, interlude: Interlude, after: int) -> None:
    crowd = site.crowd(6, "a")

    def act() -> None:
        site.broker.die()
        wait_for(lambda: site.hub.has_passed(site.broker.newest()))

    done = interlude(act, after=after)
    site.publish("a")
    check_all(site, crowd, done)
    assert [len(client.ids) for client in crowd] == [2] * after + [1] * (6 - after)
    assert {tuple(client.names) for client in crowd} == {("ready", "reset")}
    assert site.streams.stats().resets == 6


def test_more_is_published(site: Site, interlude: Interlude) -> None:
    crowd = site.crowd(6, "a")

    def act() -> None:
        for _ in range(3):
            site.publish("a")
        wait_for(lambda: site.hub.has_passed(site.broker.newest()))

    done = interlude(act)
    site.publish("a")
    check_all(site, crowd, done)
    assert {len(client.ids) for client in crowd} == {5}


def test_more_is_published_than_the_rings_hold(
    site: Site, interlude: Interlude, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rings, "RING_ENTRIES", 4)
    crowd = site.crowd(6, "a")

    def act() -> None:
        for _ in range(20):
            site.publish("a")
        wait_for(lambda: site.hub.has_passed(site.broker.newest()))
        crowd[1].read()
        crowd[1].stream.close("shutdown")
        crowd[4].leave()
        wait_for(lambda: len(site.offload) == 5)

    done = interlude(act)
    site.publish("a")
    check_all(site, [crowd[n] for n in (0, 2, 3, 5)], done)
    assert len(crowd[1].read().ids) == 1
    assert not crowd[4].ids


@pytest.mark.parametrize("back", [0, 1], ids=["fresh", "resumes"])
def test_somebody_comes(site: Site, interlude: Interlude, back: int) -> None:
    crowd = site.crowd(6, "a")
    came: list[Client] = []
    ids = [site.publish("a")]
    wait_for(lambda: site.seen_all(*crowd))

    def act() -> None:
        came.extend(site.open("a", after=ids[0] if back else None) for _ in range(3))

    done = interlude(act)
    ids.append(site.publish("a"))
    wait_for(lambda: done)
    check_all(site, [*crowd, *came], done)
    assert {len(client.ids) for client in came} == {1 + back}
    assert {len(client.ids) for client in crowd} == {3}


@pytest.mark.parametrize("who", [1, 4], ids=["sent-to", "behind"])
@pytest.mark.parametrize("end", ["close", "fail"])
def test_one_is_ended(site: Site, interlude: Interlude, end: str, who: int) -> None:
    crowd = site.crowd(6, "a")
    one = crowd.pop(who)

    def act() -> None:
        if end == "close":
            one.stream.close("shutdown")
        else:
            one.stream.fail(RuntimeError("x"))

    done = interlude(act)
    site.publish("a")
    check_all(site, crowd, done)
    wait_for(lambda: one.read().over)
    assert one.counts() == one.received()
    assert one.stream.outcome == ("shutdown" if end == "close" else "error")


@pytest.mark.usefixtures("breathless")
@pytest.mark.parametrize("who", [0, 1, 2, 5], ids=["first", "second", "third", "last"])
def test_one_stalls(site: Site, who: int) -> None:
    crowd = site.crowd(6, "a")
    others = [client for client in crowd if client is not crowd[who]]
    while crowd[who].connection.rest is None:
        site.publish("a", 1000)
        wait_for(lambda: site.seen_all(*others))
    assert crowd[who].group is None
    check_all(site, crowd, [True])


def test_counters_are_right_while_a_pass_goes_on(site: Site, interlude: Interlude) -> None:
    crowd = site.crowd(6, "a")

    def act() -> None:
        assert site.streams.stats().streams == 6  # whoever asks has all of them counted
        crowd[5].leave()
        wait_for(lambda: len(site.offload) == 5)

    done = interlude(act)
    site.publish("a")
    check_all(site, crowd[:5], done)
    wait_for(lambda: site.streams.stats().streams == 5)
    received = [client.received() for client in crowd]
    stats = site.streams.stats()
    assert stats.events == sum(events for events, _, _ in received)
    assert stats.bytes == sum(size for _, size, _ in received)

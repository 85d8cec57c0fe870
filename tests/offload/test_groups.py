"""Who is in a group, who leaves it, and who is not taken."""

from __future__ import annotations

from typing import Any

import pytest

from flask_sse_routes import channels, rings
from flask_sse_routes.followers import ChannelSource, Follower

from .sites import Client, Site, wait_for

pytestmark = pytest.mark.gevent

# More than is on the way to a client that does not read.
MUCH = 30_000


def settled(site: Site, *clients: Client) -> None:
    wait_for(lambda: site.seen_all(*clients), [client.ids[-3:] for client in clients])


def together(site: Site, *clients: Client) -> None:
    """All have got everything, and are served as one."""
    settled(site, *clients)
    wait_for(lambda: all(client.group for client in clients), "all in a group")
    assert len({client.group for client in clients}) == 1


def test_one_alone_makes_no_group(site: Site) -> None:
    alone, other = site.open("a"), site.open("b")
    for _ in range(3):
        site.publish("a")
        site.publish("b")
        settled(site, alone, other)
    assert alone.group is None
    assert other.group is None
    assert not site.offload._groups


def test_a_group_is_for_the_same_channels(site: Site) -> None:
    ones, twos = site.crowd(3, "a"), site.crowd(2, "a", "b")
    assert ones[0].group is not twos[0].group
    for channel in "abab":
        site.publish(channel)
    together(site, *ones)
    together(site, *twos)
    assert site.offload._keys == {(site.hub, ("a",)): 3, (site.hub, ("a", "b")): 2}


def test_who_filters_is_in_no_group(site: Site) -> None:
    crowd = site.crowd(2, "a")
    source = ChannelSource(
        site.hub, ("a",), where=lambda event: int(event.data.split()[0]) % 2 == 1
    )
    source.open(None, None)
    odd = site.serve(source)
    ids = [site.publish("a") for _ in range(10)]
    settled(site, *crowd)
    wait_for(lambda: len(odd.read().ids) == 5)
    assert odd.ids == ids[1::2]
    assert odd.group is None


def test_the_members_are_sent_the_same_in_one_write(site: Site) -> None:
    crowd = site.crowd(4, "a")
    before = [client.wire.sends for client in crowd]
    for _ in range(20):
        site.publish("a")
    together(site, *crowd)
    assert {client.wire.sends - sends for client, sends in zip(crowd, before, strict=True)} == {1}
    assert len({client.raw.split(b"\n", 1)[1][-200:] for client in crowd}) == 1


@pytest.mark.parametrize("ring", [4, 4096], ids=["small-rings", "rings"])
def test_who_stalls_leaves_and_comes_back(
    site: Site, monkeypatch: pytest.MonkeyPatch, ring: int
) -> None:
    monkeypatch.setattr(rings, "RING_ENTRIES", ring)
    monkeypatch.setattr(channels, "PAGE", 3)
    slow, *others = site.crowd(3, "a")
    group = slow.group
    while slow.connection.rest is None:
        site.publish("a", 1500)
        settled(site, *others)
    rest = slow.connection.rest
    assert slow.group is None
    assert slow.connection in site.offload._stuck
    for _ in range(25):
        site.publish("a", 500)
        settled(site, *others)
    assert all(client.group is group for client in others)
    assert slow.connection.rest is rest, "it is left alone"
    together(site, slow, *others)
    assert slow.group is group
    assert slow.connection not in site.offload._stuck
    assert slow.names == ["ready"]
    assert slow.counts() == slow.received()
    site.publish("a")
    together(site, slow, *others)


def test_a_send_that_takes_nothing_is_made_again(site: Site) -> None:
    held, other = site.crowd(2, "a")
    held.wire.faults.append(BlockingIOError())
    site.publish("a")
    together(site, held, other)
    assert held.counts() == held.received()


def test_all_stall_at_once(site: Site) -> None:
    crowd = site.crowd(5, "a")
    site.publish("a", MUCH)
    wait_for(lambda: not site.offload._groups, "nobody is left in the group")
    for _ in range(5):
        site.publish("a")
    together(site, *crowd)
    assert [client.counts() for client in crowd] == [client.received() for client in crowd]


def test_a_group_that_falls_behind_the_rings_is_disbanded(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = site.crowd(4, "a", "b")
    group = crowd[0].group
    monkeypatch.setattr(rings, "RING_ENTRIES", 4)
    monkeypatch.setattr(rings, "HANDFUL", 3)
    for _ in range(40):
        site.publish("a")
        site.publish("b")
    together(site, *crowd)
    assert crowd[0].group is not group
    assert {tuple(client.names) for client in crowd} == {("ready",)}
    assert [client.counts() for client in crowd] == [client.received() for client in crowd]


def test_a_group_that_has_lost_history_is_told(
    make_site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site: Site = make_site(history=10)
    crowd = site.crowd(3, "a")
    monkeypatch.setattr(rings, "RING_ENTRIES", 4)
    for _ in range(40):
        site.publish("a")
    together(site, *crowd)
    site.publish("a")
    together(site, *crowd)
    assert {tuple(client.names) for client in crowd} == {("ready", "reset")}
    assert [client.stream.source.resets for client in crowd] == [1, 1, 1]
    assert site.streams.stats().resets == 3


@pytest.mark.parametrize("resumes", [False, True], ids=["fresh", "resumes"])
@pytest.mark.parametrize("members", [0, 2], ids=["no-group", "group"])
def test_who_is_ahead_of_the_tail_is_not_taken(site: Site, members: int, resumes: bool) -> None:
    crowd = site.crowd(members, "a") if members else [site.open("a")]
    settled(site, *crowd)
    site.broker.hold_up()
    ids = [site.publish("a") for _ in range(6)]
    ahead = [site.open("a", after=ids[3] if resumes else None) for _ in range(2)]
    wait_for(lambda: all(b"\n" in client.read().raw for client in ahead))
    wait_for(lambda: not site.offload._ready)
    assert [client.group for client in ahead] == [None, None]
    site.broker.gate.set()
    wait_for(lambda: site.hub.has_passed(site.broker.newest()), "the tail has read on")
    settled(site, *crowd, *ahead)
    ids.append(site.publish("a"))
    together(site, *crowd, *ahead)
    assert [client.ids for client in ahead] == [ids[4:] if resumes else ids[6:]] * 2
    assert [client.ids for client in crowd] == [ids] * len(crowd)


@pytest.mark.parametrize("resumes", [False, True], ids=["fresh", "resumes"])
def test_who_is_ahead_of_a_group_that_is_to_be_served_is_not_taken(
    site: Site, resumes: bool
) -> None:
    crowd = site.crowd(2, "a")
    site.broker.hold_up()
    ids = [site.publish("a") for _ in range(6)]
    ahead = site.open("a", after=ids[5] if resumes else None)
    wait_for(lambda: b"\n" in ahead.read().raw and not site.offload._ready)
    # The tail goes first: it passes the newcomer, and wakes the group behind it in the row.
    site.broker.gate.set()
    ahead.connection.mark()
    wait_for(lambda: site.hub.has_passed(site.broker.newest()), "the tail has read on")
    settled(site, *crowd)
    ids.append(site.publish("a"))
    together(site, *crowd, ahead)
    assert ahead.ids == ids[6:]


def test_a_newcomer_at_another_id_of_the_same_place_joins(site: Site) -> None:
    """What was published on channels that nobody of them follows makes no difference."""
    follower = site.open("b")
    crowd = site.crowd(2, "a")
    for _ in range(5):
        site.publish("b")
    settled(site, follower)
    late = site.open("a")
    together(site, late, *crowd)
    site.publish("a")
    together(site, late, *crowd)
    assert len(late.ids) == 1


@pytest.mark.parametrize("end", ["close", "fail", "revoke", "leave"])
def test_one_that_ends_leaves_the_others_in_the_group(site: Site, end: str) -> None:
    one, *others = site.crowd(4, "a")
    group = one.group
    site.publish("a")
    together(site, one, *others)
    if end == "close":
        one.stream.close("shutdown")
    elif end == "fail":
        one.stream.fail(RuntimeError("x"))
    elif end == "revoke":
        one.stream.user = "u"
        site.streams.revoke("u", "a")
    else:
        one.leave()
    wait_for(one.closed.is_set)
    site.publish("a")
    together(site, *others)
    assert {client.group for client in others} == {group}
    outcomes = {"close": "shutdown", "leave": "disconnected"}
    assert one.stream.outcome == outcomes.get(end, "error")
    if end != "leave":
        wait_for(lambda: one.read().over)
        last = b"event: error\ndata: 1\n\n" if end != "close" else b"\n"
        assert one.raw.endswith(last)
        assert one.raw.count(b"retry: ") == (2 if end == "close" else 1)
        assert len(one.ids) == 1 + (end != "close")  # an error is an event without a new id
    assert site.offload._keys == {(site.hub, ("a",)): 3}


def test_the_end_of_a_member_comes_after_what_was_published_before(site: Site) -> None:
    one, *others = site.crowd(3, "a")
    ids = [site.publish("a")]
    wait_for(lambda: site.seen_all(*others))
    one.stream.close("shutdown")
    wait_for(lambda: one.read().over)
    assert one.ids == ids
    assert one.counts() == one.received()


def test_a_group_ends_with_its_hub(site: Site) -> None:
    crowd = site.crowd(3, "a")
    site.publish("a")
    together(site, *crowd)
    site.hub.close()
    wait_for(lambda: all(client.read().over for client in crowd))
    assert {client.stream.outcome for client in crowd} <= {"shutdown", None}
    wait_for(lambda: all(client.closed.is_set() for client in crowd))
    assert [client.stream.outcome for client in crowd] == ["shutdown"] * 3


def test_a_new_epoch_is_told_to_each_member_once(site: Site) -> None:
    crowd = site.crowd(3, "a")
    site.publish("a")
    together(site, *crowd)
    for _ in range(2):
        site.broker.die()
        for _ in range(3):
            site.publish("a")
        settled(site, *crowd)
        site.publish("a")
        together(site, *crowd)
    assert {tuple(client.names) for client in crowd} == {("ready", "reset", "reset")}
    assert [client.counts() for client in crowd] == [client.received() for client in crowd]


def test_a_log_that_has_lost_its_end_is_told_to_each_member(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = site.crowd(3, "a")
    for _ in range(5):
        site.publish("a")
    settled(site, *crowd)
    read_page = site.hub.read_page

    def read_late(source: Follower) -> None:
        """By now the log is as long as it was."""
        for _ in range(10):
            site.broker.append("a", b"\n1")
        read_page(source)

    monkeypatch.setattr(site.hub, "read_page", read_late)
    site.broker.lose_all()
    wait_for(lambda: all("reset" in client.read().names for client in crowd))
    site.broker.append("a", b"\n1")
    wait_for(lambda: all(len(client.read().ids) == 6 for client in crowd))
    assert {tuple(client.names) for client in crowd} == {("ready", "reset")}
    assert {client.ids[-1].split("-")[1] for client in crowd} == {"1"}

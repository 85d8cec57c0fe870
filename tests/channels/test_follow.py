"""Following: where a stream begins, what it brings in which order, and how it goes on."""

from __future__ import annotations

import json
import random
import threading
from typing import Any

import pytest

from flask_sse_routes import Subscription, define_route, rings
from flask_sse_routes.extension import runtime_of
from flask_sse_routes.testing import StreamTimeout
from flask_sse_routes.wire import Decoder

from .sites import FlakyBroker, MortalBroker, Site, events_of, numbers, take

BEHIND = 1500


def test_a_stream_without_a_position_begins_with_ready_and_has_one_then(
    make_site: Any, broker_url: str
) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    old = site.publish("a", "old")
    with site.open("a") as stream:
        ready = stream.next()
        assert (ready.event, ready.data, ready.id) == ("ready", "{}", old)
    missed = site.publish("a", "missed")
    with site.open("a", after=ready.id) as stream:
        assert stream.next().id == missed


def test_a_late_joiner_gets_nothing_old(make_site: Any, broker_url: str) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    with site.open("a", "b") as early:
        early.next()
        ids = [site.publish("ab"[n % 2], n) for n in range(10)]
        assert [event.id for event in take(early, 10)] == ids
        with site.open("a", "b") as late:
            assert late.next().event == "ready"
            next_id = site.publish("b", "new")
            assert late.next().id == next_id
        assert early.next().id == next_id


def test_events_of_several_channels_come_in_one_order(make_site: Any, broker_url: str) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    with site.open("a", "b", "c") as stream, site.open("b") as other:
        stream.next(), other.next()
        ids = [(c, site.publish(c, c)) for c in random.Random(1).choices("abcd", k=300)]
        mine = [id_ for c, id_ in ids if c != "d"]
        assert [event.id for event in take(stream, len(mine))] == mine
        bs = [id_ for c, id_ in ids if c == "b"]
        assert [event.id for event in take(other, len(bs))] == bs


def test_every_id_that_was_handed_out_resumes_exactly_there(
    make_site: Any, broker_url: str
) -> None:
    site = make_site(SSE_BROKER_URL=broker_url)
    with site.open("a", "b") as stream:
        handed_out = [stream.next()]
        for n in range(30):
            site.publish("abc"[n % 3], n)
        handed_out += take(stream, 20)
    for place, event in enumerate(handed_out[:-1]):
        rest = [each.id for each in handed_out[place + 1 :]]
        for how in ({"after": event.id}, {"query": event.id}):
            with site.open("a", "b", **how) as again:
                assert [each.id for each in take(again, len(rest))] == rest
    last = handed_out[-1].id
    with site.open("a", "b", after=last) as again:
        with pytest.raises(StreamTimeout):
            again.next(0.05)
        new = site.publish("a", "new")
        assert again.next().id == new


def test_one_position_holds_on_all_channels(site: Site) -> None:
    ids = [site.publish("ab"[n % 2], n) for n in range(10)]
    with site.open("b", after=ids[4]) as stream:
        assert [event.id for event in take(stream, 3)] == ids[5::2]


def test_the_header_wins_over_the_query(site: Site) -> None:
    ids = [site.publish("a", n) for n in range(4)]
    with site.open("a", after=ids[2], query=ids[0]) as stream:
        assert stream.next().id == ids[3]


def test_after_wins_over_what_the_client_sent(make_site: Any) -> None:
    site: Site
    routes = {
        "later": define_route(lambda id: site.sse.subscribe("a", after=id), kind="sse"),
    }
    site = make_site(routes)
    ids = [site.publish("a", n) for n in range(4)]
    with site.client.open(f"/api/later?id={ids[0]}", last_event_id=ids[2]) as stream:
        assert [event.id for event in take(stream, 3)] == ids[1:]


def test_a_handler_that_fails_on_an_id_does_not_make_a_stream(make_site: Any) -> None:
    def refuse(channel: str) -> Subscription:
        return site.sse.subscribe(channel)

    site: Site = make_site({"one": define_route(refuse, kind="sse")})
    stream = site.client.open("/api/one?channel=%00")
    assert stream.status >= 400
    stream.close()
    assert site.sse.stats().streams == 0


def test_trimmed_history_is_a_reset(make_site: Any) -> None:
    site = make_site(SSE_HISTORY=10)
    ids = [site.publish("a", n) for n in range(30)]
    with site.open("a", after=ids[19]) as stream:
        assert [event.id for event in take(stream, 10)] == ids[20:]
    with site.open("a", after=ids[18]) as stream:
        event = stream.next()
        assert (event.event, json.loads(event.data)) == ("reset", {"reason": "trimmed"})
        assert event.id == ids[-1]
        new = site.publish("a", "new")
        assert stream.next().id == new
        assert site.sse.stats().resets == 1
    with site.open("b", after=ids[0]) as stream:
        quiet = site.publish("b", "nothing of it was ever removed")
        assert stream.next().id == quiet
    assert site.sse.stats().resets == 1


@pytest.mark.parametrize("made_up", ["gone-3", "{epoch}-99999", "garbage"])
def test_a_position_of_another_log_is_a_reset(site: Site, made_up: str) -> None:
    newest = site.publish("a", 1)
    made_up = made_up.format(epoch=newest.split("-")[0])
    with site.open("a", after=made_up) as stream:
        event = stream.next()
        assert (event.event, event.id) == ("reset", newest)
        assert json.loads(event.data) == {"reason": "epoch"}
        new = site.publish("a", 2)
        assert stream.next().id == new
    assert site.sse.stats().resets == 1


def test_an_open_stream_is_told_of_a_new_epoch(make_site: Any, mortal: MortalBroker) -> None:
    site = make_site()
    site.publish("a", 1)
    with site.open("a") as stream, site.open("b") as other:
        before = stream.next().id
        other.next()
        mortal.die()
        for each in (stream, other):
            event = each.next()
            assert (event.event, json.loads(event.data)) == ("reset", {"reason": "epoch"})
            assert str(event.id).split("-")[0] != str(before).split("-")[0]
        new = site.publish("a", 2)
        assert stream.next().id == new
        assert site.sse.stats().resets == 2
    with site.open("a", after=before) as stream:
        assert stream.next().event == "reset"


def test_a_page_of_an_older_epoch_takes_nothing_away(make_site: Any, mortal: MortalBroker) -> None:
    """The page is asked for in one epoch and answered in the next, after the tail has told it."""
    site = make_site()
    ids = [site.publish("a", n) for n in range(BEHIND)]
    with site.open("a") as keeper:
        keeper.next()
        mortal.hold = range(2, BEHIND)  # not the first page, which is read at the opening
        with site.open("a", after=ids[0]) as stream:
            rest = [stream.next()]
            assert mortal.held.wait(10)
            mortal.die()
            assert keeper.next().event == "reset"
            new = [site.publish("a", f"new {n}") for n in range(5)]
            assert [event.id for event in take(keeper, 5)] == new
            mortal.gate.set()
            while rest[-1].id != new[-1]:
                rest.append(stream.next())
            place = max(n for n, event in enumerate(rest) if event.event == "reset")
            assert [event.id for event in rest[place + 1 :]] == new


def test_a_reader_that_fell_off_the_ring_goes_on_from_the_broker(
    make_site: Any, broker_url: str, monkeypatch: pytest.MonkeyPatch, wsgi: Any, eventually: Any
) -> None:
    monkeypatch.setattr(rings, "RING_ENTRIES", 16)
    site = make_site(SSE_BROKER_URL=broker_url, SSE_HISTORY=10_000, SSE_HEARTBEAT=0.5)
    slow = wsgi(site.app, "/api/follow?channel=a&channel=b")
    assert events_of(slow, 1)[0].event == "ready"
    ids = [site.publish("ab"[n % 3 == 0], n) for n in range(BEHIND)]
    ring = site.channels.hub.rings["a"]
    eventually(lambda: ring.since > BEHIND / 2)
    assert len(ring.seqs) <= 17
    assert [event.id for event in events_of(slow, BEHIND)] == ids
    new = site.publish("a", "new")
    assert events_of(slow, 1)[0].id == new
    assert site.sse.stats().resets == 0


def test_a_reader_that_fell_off_the_history_is_reset(
    make_site: Any, monkeypatch: pytest.MonkeyPatch, wsgi: Any, eventually: Any
) -> None:
    monkeypatch.setattr(rings, "RING_ENTRIES", 16)
    site = make_site(SSE_HISTORY=50, SSE_HEARTBEAT=0.5)
    slow = wsgi(site.app, "/api/follow?channel=a")
    assert events_of(slow, 1)[0].event == "ready"
    ids = [site.publish("a", n) for n in range(200)]
    eventually(lambda: site.channels.hub.rings["a"].since > 100)
    event = events_of(slow, 1)[0]
    assert (event.event, event.id) == ("reset", ids[-1])
    assert json.loads(event.data) == {"reason": "trimmed"}
    assert site.sse.stats().resets == 1


def test_what_is_ready_together_leaves_in_one_write(site: Site, wsgi: Any, eventually: Any) -> None:
    response = wsgi(site.app, "/api/follow?channel=a")
    events_of(response, 1)
    for n in range(50):
        site.publish("a", n)
    eventually(lambda: len(site.channels.hub.rings["a"].seqs) == 50)
    assert len(Decoder().feed(response.chunk())) == 50


def test_more_than_leaves_at_once_comes_in_order_from_uneven_channels(
    make_site: Any, wsgi: Any, eventually: Any
) -> None:
    site = make_site(SSE_HEARTBEAT=0.5)
    response = wsgi(site.app, "/api/follow?channel=a&channel=b")
    events_of(response, 1)
    ids = [site.publish(channel, n) for channel in "aba" for n in range(400)]
    eventually(lambda: len(site.channels.hub.rings["a"].seqs) == 800)
    assert [event.id for event in events_of(response, 1200)] == ids


def test_an_event_that_comes_while_a_channel_is_new_to_the_tail_is_told_at_once(
    make_site: Any, flaky: FlakyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tail is reading for others when the channel's first stream opens."""
    read, gate = flaky.poll, threading.Event()

    def poll(channels: Any, after: int, limit: int) -> Any:
        channels = tuple(channels)
        if "a" not in channels:
            gate.wait()
        return read(channels, after, limit)

    monkeypatch.setattr(flaky, "poll", poll)
    site = make_site()
    with site.open("b") as first, site.open("a") as stream:
        first.next(), stream.next()
        new = site.publish("a", "new")
        gate.set()
        assert stream.next().id == new


def test_a_frame_is_encoded_once_for_all(site: Site, wsgi: Any, eventually: Any) -> None:
    readers = [wsgi(site.app, "/api/follow?channel=a") for _ in range(2)]
    for reader in readers:
        events_of(reader, 1)
    site.publish("a", {"n": 1})
    eventually(lambda: site.channels.hub.rings["a"].frames)
    frame = site.channels.hub.rings["a"].frames[0]
    assert [reader.chunk() for reader in readers] == [frame, frame]


def test_nobody_left_means_no_ring(site: Site) -> None:
    with site.open("a") as one, site.open("a", "b") as two:
        one.next(), two.next()
        assert {"a", "b"} <= set(site.channels.hub.rings)
    assert not {"a", "b"} & set(site.channels.hub.rings)


def test_a_stream_that_opens_while_the_process_drains_is_sent_elsewhere(
    make_site: Any, eventually: Any
) -> None:
    site = make_site()
    runtime_of(site.app).streams.draining = True
    with site.open("a") as stream:
        assert [e for e in stream if e.event == "end"] == []
    eventually(lambda: site.sse.stats().streams == 0)
    assert site.sse.stats().ended == {"shutdown": 1}


def test_a_broker_that_stumbles_once_does_not_silence_its_streams(
    make_site: Any, flaky: FlakyBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault in a broker is no `BrokerUnavailable`; whoever follows is not left in the dark."""
    site = make_site()
    original, stumbled = flaky.poll, []

    def poll(channels: Any, after: int, limit: int) -> Any:
        if after and not stumbled:
            stumbled.append(after)
            raise RuntimeError("a fault in a broker")
        return original(channels, after, limit)

    with site.open("a") as stream:
        stream.next()
        site.publish("a", 1)
        stream.next()
        monkeypatch.setattr(flaky, "poll", poll)
        site.publish("a", 2)
        new = site.publish("a", 3)
        assert new in [event.id for event in take(stream, 2)]
    assert stumbled


def test_the_seqs_of_a_stream_only_grow(site: Site) -> None:
    with site.open("a", "b", "c") as stream:
        for n in range(100):
            site.publish("cab"[n % 3], n)
        seqs = numbers(take(stream, 101))
    assert seqs == sorted(set(seqs))

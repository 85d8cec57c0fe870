"""A thousand positions that nobody was given: no failure, nothing of another channel."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

import pytest

from flask_sse_routes import Event, PositionGone, define_route
from flask_sse_routes.wire import Decoder

from .sites import Site

COUNT = 1000
LAST = "last"


def hostile(epoch: str, newest: int) -> list[str]:
    """Return positions as WSGI servers hand them on: text of latin-1 characters."""
    chance = random.Random(7)
    fixed = [
        "\0", "\r\n", "1\r\nevent: x\r\ndata: y", "-1", f"{epoch}--1", f"{epoch}-", "-", "--", " ",
        f"{epoch}-{newest + 1}", f"{epoch}-{2**63}", f"{epoch}-{2**64}", f"{epoch}-{10**17}",
        f"{epoch}-1e3", f"{epoch}-0x1", f"{epoch}-01", f"{epoch}-+1", f" {epoch}-1", f"{epoch}-1 ",
        f"{epoch.upper()}-1x", f"{epoch}-\xb2", f"{epoch}-1\0", f"{epoch}-1\n", "ä\xff\x80", "%00",
        "\u00e2\u0080\u00a8", "x" * 256, "x" * 257, "x" * 65_536, f"{'0' * 5000}-1", f"{epoch}-1;",
        "../../etc/passwd", "' OR 1=1 --", "{}", "null", "*", "$", ">", "+", "-1-1", "0-0",
    ]  # fmt: skip
    letters = [chr(n) for n in range(256)]
    while len(fixed) < COUNT:
        kind = chance.randrange(4)
        if kind == 0:
            text = "".join(chance.choices(letters, k=chance.randrange(1, 80)))
        elif kind == 1:
            text = f"{chance.getrandbits(32):08x}-{chance.randrange(10 ** chance.randrange(1, 30))}"
        elif kind == 2:
            text = f"{epoch}-{newest + chance.randrange(1, 10 ** chance.randrange(1, 20))}"
        else:
            at = chance.randrange(len(epoch) + 2)
            real = f"{epoch}-1"
            text = real[:at] + chance.choice(letters[:48] + letters[122:]) + real[at:]
        fixed.append(text)
    return fixed


def first_events(response: Any) -> list[Any]:
    """Read a stream up to the event that was published last."""
    decoder, events = Decoder(), []
    while not events or (events[0].event != "reset" and json.loads(events[-1].data) != LAST):
        chunk = response.chunk()
        assert chunk
        events += decoder.feed(chunk)
    return events


def first_event(response: Any) -> Any:
    """Read a stream up to its first event."""
    decoder, events = Decoder(), []
    while not events:
        chunk = response.chunk()
        assert chunk
        events += decoder.feed(chunk)
    return events[0]


def published_on(site: Site) -> str:
    """Publish on a channel and on one that is nobody's business; return the last id."""
    for n in range(10):
        site.publish(("mine", "secret")[n % 2], f"secret {n}" if n % 2 else n)
    return site.publish("mine", LAST)


def check_streams(site: Site, wsgi: Any, way: str, every: int = 1) -> None:
    """Resume from one hostile position after the other, as `Last-Event-ID` or in the query."""
    newest = published_on(site)
    epoch, seq = newest.split("-")
    resets, texts = 0, hostile(epoch, int(seq))[::every]
    for text in texts:
        if way == "header":
            response = wsgi(site.app, "/api/follow?channel=mine", HTTP_LAST_EVENT_ID=text)
        else:
            query = quote(text, encoding="latin-1", errors="replace")
            response = wsgi(site.app, f"/api/follow?channel=mine&last_event_id={query}")
        assert response.status == 200, text
        assert "Last-Event-ID" not in response.headers
        assert not text.strip() or text not in str(response.headers) or len(text) < 3
        events = first_events(response)
        assert not any("secret" in event.data for event in events), text
        if events[0].event == "reset":
            resets += 1
            assert json.loads(events[0].data) == {"reason": "epoch"}
            assert [event.id for event in events] == [newest]
        else:  # a position that might have been handed out
            assert text.strip() in handed_out(newest), text
        response.close()
    assert resets > 0.9 * len(texts)
    assert site.sse.stats().resets == resets


def check_history(site: Site) -> None:
    """Ask for what came after one hostile position after the other."""
    newest = published_on(site)
    epoch, seq = newest.split("-")
    for text in hostile(epoch, int(seq)):
        if text in handed_out(newest):
            events = site.sse.history("mine", after=text)
            assert not any("secret" in str(event.data) for event in events), text
        else:
            with pytest.raises(PositionGone, match="epoch"):
                site.sse.history("mine", after=text)


def handed_out(newest: str) -> set[str]:
    """Return the ids before an id, and the one that an empty log has."""
    epoch, seq = newest.split("-")
    return {f"{epoch}-{n}" for n in range(int(seq))}


@pytest.mark.parametrize("way", ["header", "query"])
def test_hostile_positions(make_site: Any, broker_url: str, wsgi: Any, way: str) -> None:
    check_streams(make_site(SSE_BROKER_URL=broker_url), wsgi, way, 1 if way == "header" else 3)


def test_hostile_positions_in_a_history(make_site: Any, broker_url: str) -> None:
    check_history(make_site(SSE_BROKER_URL=broker_url))


@pytest.mark.parametrize("text", ["~end", "x~end", "gone-1~end", "x" * 300 + "~end"])
def test_an_end_that_was_never_sent_is_an_end(site: Site, wsgi: Any, text: str) -> None:
    assert wsgi(site.app, "/api/follow?channel=a", HTTP_LAST_EVENT_ID=text).status == 204


def test_an_id_of_another_channel_is_a_position_like_any(site: Site, wsgi: Any) -> None:
    """Ids are places in one log: a client learns where it is, and nothing of what is there."""
    first = site.publish("mine", 1)
    others = site.publish("secret", "x")
    site.publish("mine", 2)
    site.publish("mine", LAST)
    epoch = first.split("-")[0]
    unknown = [f"{epoch}-999", "gone-2"]

    def answer(id_: str) -> list[Any]:
        events = first_events(wsgi(site.app, "/api/follow?channel=mine", HTTP_LAST_EVENT_ID=id_))
        return [(event.event, event.data) for event in events]

    assert answer(others) == answer(first) == [("message", "2"), ("message", f'"{LAST}"')]
    assert answer(unknown[0]) == answer(unknown[1]) == [("reset", '{"reason":"epoch"}')]


def test_a_listening_handler_survives_them_too(make_site: Any, wsgi: Any) -> None:
    def relay() -> Any:
        for event in site.sse.listen("mine"):
            yield Event(event.data, id=event.id)

    site: Site = make_site(
        {"relay": define_route(relay, kind="sse", open_timeout=0)}, SSE_HISTORY=100
    )
    site.publish("mine", 1)
    newest = site.publish("secret", "secret")
    resets = 0
    for text in hostile(newest.split("-")[0], 2)[:100]:
        response = wsgi(site.app, "/api/relay", HTTP_LAST_EVENT_ID=text)
        assert response.status == 200
        event = first_event(response)
        if event.event == "reset":
            resets += 1
            assert json.loads(event.data) == {"reason": "epoch"}
            assert event.id == newest
        else:  # a position that might have been handed out
            assert text.strip() == f"{newest.split('-')[0]}-0", text
        response.close()
    assert resets > 90
    assert site.sse.stats().resets == resets

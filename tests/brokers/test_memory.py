"""The memory broker: what it keeps is bounded, and what it forgets is known."""

from __future__ import annotations

import pytest

from flask_sse_routes.brokers import memory
from flask_sse_routes.brokers.memory import SWEEP_EVERY, MemoryBroker


def kept(broker: MemoryBroker) -> int:
    return sum(len(channel.entries) for channel in broker._log()._channels.values())


def test_a_channel_that_nobody_reads_is_trimmed() -> None:
    broker = MemoryBroker(history=10)
    for _ in range(100):
        broker.append("a", b"x")
    assert kept(broker) == 10


def test_channels_used_once_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(memory.time, "monotonic", lambda: now)
    broker = MemoryBroker(history_age=1)
    for n in range(20 * SWEEP_EVERY):
        now += 0.01
        broker.append(f"channel {n}", b"x")
    # Those of the last second, and as many as come between two sweeps.
    assert kept(broker) <= 100 + SWEEP_EVERY
    assert len(broker._log()._channels) == kept(broker)


def test_what_was_trimmed_long_ago_is_forgotten_with_care(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_CHANNELS", 3)
    monkeypatch.setattr(memory, "SWEEP_EVERY", 1)
    now = 0.0
    monkeypatch.setattr(memory.time, "monotonic", lambda: now)
    broker = MemoryBroker(history_age=1)
    seqs = [broker.append(f"channel {n}", b"x").seq for n in range(6)]
    now = 2.0
    for _ in range(10):
        broker.append("other", b"x")
    for n, seq in enumerate(seqs):
        # A channel that is not known may have been any of those forgotten.
        assert broker.read(f"channel {n}", 0, 10).trimmed == max(seq, seqs[2])
    assert broker.read("new", 0, 10).trimmed == seqs[2]
    assert broker.read("other", 0, 10).trimmed == 0
    broker.append("channel 0", b"y")
    broker.append("channel 5", b"y")
    assert broker.read("channel 0", 0, 10).trimmed == seqs[2]
    assert broker.read("channel 5", 0, 10).trimmed == seqs[5]


def test_a_ring_may_leave_one_out() -> None:
    broker = MemoryBroker()
    one, other = broker.listen(), broker.listen()
    broker.ring(but=one)
    woken = [listener for listener in (one, other) if listener._signal.is_set()]
    assert woken == [other]

"""One batch alone is merged as it would be among others."""

from __future__ import annotations

import pytest

from flask_sse_routes.brokers import base
from flask_sse_routes.brokers.base import Batch, Entry, Merged


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("limit", [1, 3, 10])
@pytest.mark.parametrize("trimmed", [0, 4, 5, 6])
@pytest.mark.parametrize("size", [1, 30, 100])
def test_one_batch_alone(
    count: int, limit: int, trimmed: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "PAGE_BYTES", 60)
    entries = [Entry(6 + n, "news", b"x" * size) for n in range(min(count, limit))]
    batch = Batch("e", entries, trimmed, 6 + count)
    alone = base.alone("news", batch, 5, limit)
    assert alone == base.merge({"news": batch}, 5, limit)
    assert alone.trimmed == ({"news": 6} if trimmed == 6 else {})


def test_what_is_cut_is_known_up_to_its_last_entry() -> None:
    entries = [Entry(6, "news", b"a"), Entry(8, "news", b"b")]
    batch = Batch("e", entries, 0, 12)
    assert base.alone("news", batch, 5, 2) == Merged("e", entries, 8, 12, {})
    assert base.alone("news", batch, 5, 3) == Merged("e", entries, 12, 12, {})


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
@pytest.mark.parametrize("page", [1, 2, 3, 10])
@pytest.mark.parametrize("newest", [5, 6, 7])
def test_entries_that_came_after_the_newest_was_read_wait(
    limit: int, page: int, newest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or they would be sent again: the next poll begins at `until`."""
    monkeypatch.setattr(base, "PAGE_BYTES", page)
    entries = [Entry(seq, "news", b"x") for seq in (6, 7, 8, 9)][:limit]
    batch = Batch("e", entries, 0, newest)
    alone = base.alone("news", batch, 5, limit)
    assert alone == base.merge({"news": batch}, 5, limit)
    assert all(entry.seq <= alone.until for entry in alone.entries)

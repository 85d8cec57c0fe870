"""What followers saw of a log, held against what was acknowledged: each fault is found."""

from __future__ import annotations

import pytest
from channels.followers import Follower

from flask_sse_routes import Event

from .epochs import Findings, compare

STORED = [("a", "x-2"), ("b", "x-3"), ("a", "x-4"), ("a", "y-1"), ("a", "y-2")]


def found(*ids: str) -> Findings:
    """What one finds who follows `a`: `+x-1` is the first position, `!x-1` that of a reset."""
    names = {"+": "ready", "!": "reset"}
    events = [Event("1", event=names.get(id_[0], "message"), id=id_.lstrip("+!")) for id_ in ids]
    return compare([Follower(0, ("a",), "", events=events)], STORED)


@pytest.mark.parametrize(
    ("ids", "lost", "twice", "unordered", "unannounced", "resets"),
    [
        (("+x-1", "x-2", "x-4", "!y-0", "y-1", "y-2"), 0, 0, 0, 0, 1),
        (("+x-3", "x-4"), 0, 0, 0, 0, 0),
        (("+x-1", "x-2"), 0, 0, 0, 0, 0),
        (("+x-1", "x-4"), 1, 0, 0, 0, 0),
        (("!y-0", "y-2"), 1, 0, 0, 0, 1),
        (("+x-1", "x-2", "x-2", "x-4"), 0, 1, 0, 0, 0),
        (("+x-1", "x-4", "x-2", "x-4"), 0, 1, 1, 0, 0),
        (("+x-1", "x-2", "x-4", "y-1"), 0, 0, 1, 1, 0),
        (("x-2", "x-4"), 0, 0, 0, 1, 0),
    ],
)
def test_what_is_found(
    ids: tuple[str, ...], lost: int, twice: int, unordered: int, unannounced: int, resets: int
) -> None:
    findings = found(*ids)
    assert (findings.lost, findings.twice, findings.unordered) == (lost, twice, unordered)
    assert (findings.unannounced, findings.resets.total()) == (unannounced, resets)
    assert findings.seen == len([id_ for id_ in ids if id_[0] not in "+!"])

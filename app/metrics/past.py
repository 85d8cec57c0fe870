"""What the charts of a new stream begin with, read from what has been published.

Two channels keep it, which all workers share and which outlive them: one of seconds, one of spans
of ten seconds.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from ..extensions import sse
from .model import FIGURES, Metrics, Past, Points, Spans, figures

# Seconds that each channel is asked for, and the most entries that this can be.
RECENT, LONG_AGO = 15 * 60, 60 * 60
MOST = 1000
# Seconds that a sample counts as that of now.
FRESH = 3.0


class Row(NamedTuple):
    at: float
    data: dict[str, Any]


def spans_of(channel: str) -> str:
    return f"{channel}:spans"


def past(channel: str) -> Past:
    rows = list(_since(channel, RECENT))
    return Past(
        latest=_latest(rows),
        figures=list(FIGURES),
        points=_points(rows),
        spans=_spans(channel),
    )


def _latest(rows: list[Row]) -> Metrics | None:
    if rows and rows[-1].at > time.time() - FRESH:
        with suppress(ValidationError):
            return Metrics.model_validate(rows[-1].data)
    return None


def _points(rows: list[Row]) -> Points:
    points = Points(at=[], rows=[])
    for row in rows:
        # Another version of this program may have published it.
        with suppress(LookupError, TypeError):
            points.rows.append(figures(row.data))
            points.at.append(row.at)
    return points


def _spans(channel: str) -> Spans:
    spans = Spans(at=[], low=[], mean=[], high=[])
    for at, data in _since(spans_of(channel), LONG_AGO):
        if all(len(data[name]) == len(FIGURES) for name in ("low", "mean", "high")):
            spans.at.append(at)
            spans.low.append(data["low"])
            spans.mean.append(data["mean"])
            spans.high.append(data["high"])
    return spans


def _since(channel: str, seconds: float) -> Iterator[Row]:
    """Read what has been published in the last so many seconds, oldest first."""
    begin, before = time.time() - seconds, 0.0
    for event in sse.history(channel, limit=MOST):
        at = _seconds(event.data["at"])
        # The clock may have been set back.
        if at > max(begin, before):
            yield Row(at, event.data)
            before = at


def _seconds(moment: str) -> float:
    # Before Python 3.11 the `Z` is not understood.
    return round(datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp(), 3)

"""The chart of a report: what each scenario used of the bound that is nearest, and time series.

An SVG that needs nothing else, has a ground of its own and follows the reader's light or dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.chart import STYLE

from .report import Report, Result, thin
from .scenario import Figure, number

WIDTH, MARGIN, TITLE = 820, 24, 262
BAR, STEP, HEAD = 14, 38, 64
ROOM = WIDTH - 2 * MARGIN - TITLE
PLOT = 110
MORE = """
.broken { fill: #cf222e; }
.bound { stroke: var(--soft); stroke-dasharray: 3 3; }
.line { fill: none; stroke: var(--ours); stroke-width: 1.5; }
"""


def svg(report: Report) -> str:
    """Draw the scenarios that have figures."""
    measured = [result for result in report.results.values() if result.figures]
    curves = [(r, name, points) for r in measured for name, points in r.series.items()]
    height = HEAD + STEP * len(measured) + (PLOT + 50) * len(curves) + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">',
        '<title id="title">What each scenario used of its bounds</title>',
        f"<style>{STYLE}{MORE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>',
        _text(MARGIN, MARGIN + 6, "How much of its bound each scenario used", "title"),
        _text(MARGIN, MARGIN + 26, "the figure that came nearest; the dashed line is the bound"),
    ]
    for place, result in enumerate(measured):
        lines += _row(result, HEAD + STEP * place)
    top = HEAD + STEP * len(measured)
    for result, name, points in curves:
        lines += _curve(f"{result.title}: {name}", thin(points), top)
        top += PLOT + 50
    return "\n".join([*lines, "</svg>", ""])


def share(figure: Figure) -> float:
    """How much of its bound a figure has used; what must not be has used none, or too much."""
    if not figure.held:
        return max(1.1, figure.value / figure.most if figure.most else 1.1)
    if figure.least is None and figure.most:
        return figure.value / figure.most
    return 0.0


def _row(result: Result, top: int) -> Iterator[str]:
    nearest = max(result.figures, key=share)
    used, bounds = share(nearest), [figure for figure in result.figures if figure.hold]
    held = sum(figure.held for figure in bounds)
    full = 0.5 * ROOM
    look = "bar ours" if result.held else "broken"
    left, width = MARGIN + TITLE, max(2.0, full * min(used, 1.2))
    yield _text(MARGIN, top + 14, result.title)
    yield _text(MARGIN, top + 29, f"{held} of {len(bounds)} bounds held", "soft")
    yield f'<rect class="{look}" x="{left}" y="{top + 4}" width="{width:.1f}" height="{BAR}"/>'
    x = left + full
    yield f'<line class="bound" x1="{x:g}" x2="{x:g}" y1="{top}" y2="{top + 22}"/>'
    if used:
        text = f"{nearest.name}: {number(nearest.value)} {nearest.unit}".rstrip()
        yield _text(left, top + 32, f"{text}, {nearest.hold}", "soft")


def _curve(title: str, points: Sequence[tuple[float, float]], top: int) -> Iterator[str]:
    seconds, most = max(points[-1][0], 1.0), max(value for _, value in points) * 1.2 or 1.0
    width = WIDTH - 2 * MARGIN
    places = (
        f"{MARGIN + width * at / seconds:.1f},{top + 30 + PLOT * (1 - value / most):.1f}"
        for at, value in points
    )
    yield _text(MARGIN, top + 18, title, "title")
    yield f'<polyline class="line" points="{" ".join(places)}"/>'
    ends = f"{number(points[0][1])} at first, {number(points[-1][1])} after {seconds:.0f} s"
    yield _text(MARGIN, top + PLOT + 44, f"from 0 to {number(most)}; {ends}", "soft")


def _text(x: float, y: float, text: str, look: str = "soft") -> str:
    return f'<text class="{look}" x="{x:g}" y="{y:g}">{escape(text)}</text>'

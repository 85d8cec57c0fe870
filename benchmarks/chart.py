"""The chart: one panel of bars for each scenario, as an SVG that needs nothing else.

It has a ground of its own and follows the reader's choice of light or dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from .catalogue import FLOOR, PEERS
from .report import number
from .results import Results
from .scenarios import SCENARIOS, Scenario

WIDTH = 760
MARGIN = 24
LABELS = 262
FIGURES = 78
BAR = 14
STEP = 23
HEAD = 60
GAP = 18

STYLE = """
:root { --ground: #ffffff; --ink: #1f2328; --soft: #59636e; --ours: #0969da; --bar: #afb8c1;
  --floor: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --ground: #0d1117; --ink: #e6edf3; --soft: #9198a1;
  --ours: #58a6ff; --bar: #484f58; --floor: #8b949e; } }
.ground { fill: var(--ground); }
text { fill: var(--ink); font: 13px system-ui, sans-serif; }
.title { font-size: 15px; font-weight: 600; }
.soft { fill: var(--soft); font-size: 12px; }
.figure { font-variant-numeric: tabular-nums; }
.bar { fill: var(--bar); }
.bar.floor { fill: var(--floor); }
.bar.ours { fill: var(--ours); }
"""


@dataclass(frozen=True)
class Bar:
    """A peer and its figure."""

    peer: str
    value: float

    @property
    def look(self) -> str:
        if PEERS[self.peer].ours:
            return "bar ours"
        return "bar floor" if self.peer == FLOOR else "bar"


@dataclass(frozen=True)
class Panel:
    """A scenario's bars."""

    scenario: Scenario
    bars: Sequence[Bar]

    @property
    def height(self) -> int:
        return HEAD + STEP * len(self.bars) + GAP


def svg(results: Results, peers: Sequence[str]) -> str:
    """The chart of all scenarios that have a figure; empty where none has."""
    panels = list(_panels(results, peers))
    if not panels:
        return ""
    height = MARGIN + sum(panel.height for panel in panels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-labelledby="title">',
        '<title id="title">Benchmarks of flask_sse_routes and its peers</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>',
    ]
    top = MARGIN
    for panel in panels:
        lines += _draw(panel, top)
        top += panel.height
    return "\n".join([*lines, "</svg>", ""])


def _panels(results: Results, peers: Iterable[str]) -> Iterator[Panel]:
    for scenario in SCENARIOS.values():
        metric = scenario.metrics[0].key
        medians = [(peer, results.median(scenario.key, peer, metric)) for peer in peers]
        bars = [Bar(peer, value) for peer, value in medians if value is not None]
        if bars:
            yield Panel(scenario, bars)


def _draw(panel: Panel, top: int) -> Iterator[str]:
    scenario = panel.scenario
    better = "more is better" if scenario.more_is_better else "less is better"
    yield _text(MARGIN, top + 14, scenario.title, "title")
    yield _text(MARGIN, top + 34, f"{scenario.metrics[0].title}, {better}", "soft")
    longest = max(max(bar.value for bar in panel.bars), 0) or 1
    room = WIDTH - 2 * MARGIN - LABELS - FIGURES
    for place, bar in enumerate(panel.bars):
        y = top + HEAD + STEP * place
        width = max(2.0, room * bar.value / longest)
        left = MARGIN + LABELS
        yield _text(MARGIN, y, PEERS[bar.peer].title)
        yield (
            f'<rect class="{bar.look}" x="{left}" y="{y - BAR + 3}" '
            f'width="{width:.1f}" height="{BAR}" rx="2"/>'
        )
        yield _text(left + width + 8, y, number(bar.value), "figure")


def _text(x: float, y: float, text: str, look: str = "") -> str:
    kind = f' class="{look}"' if look else ""
    return f'<text{kind} x="{x:g}" y="{y:g}">{escape(text)}</text>'

"""`flask sse top`: a live table of the streams of every worker.

Floor 3. It asks over the broker once a second; see `reports`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence

import click
from flask.cli import with_appcontext

from ..errors import BrokerUnavailable
from ..logs import one_line
from ..reports import Survey
from .channels import shared_runtime
from .workers import Worker, Workers

# Seconds between two questions.
EVERY = 1.0
# Questions after the first that `--once` puts at most, to a worker that is slow to answer.
TIMES = 5
HEAD = (
    *("HOST", "PID", "STREAMS", "EVENTS/S", "BYTES/S", "BEATS"),
    *("ENDED", "REFUSED", "DROPS", "RESETS", "STATE"),
)
# Left out from the first on where a terminal is too narrow.
SPARE = ("RESETS", "BEATS", "DROPS", "REFUSED", "ENDED", "BYTES/S", "HOST", "EVENTS/S")
GAP = "  "
OUTCOMES = ("completed", "disconnected", "error", "shutdown")
NOBODY = (
    "No worker answers. One listens from its first stream on; is SSE_BROKER_URL the same as theirs?"
)


@click.command("top")
@click.option("--once", is_flag=True, help="Print the table once, after two seconds.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line, instead of a table.")
@with_appcontext
def top(once: bool, as_json: bool) -> None:
    """Show the streams of every worker, each second; ENDED counts c(ompleted), d(isconnected),
    e(rror) and s(hutdown). A worker is seen once it has opened a stream.
    """
    runtime = shared_runtime()
    try:
        survey, workers = Survey(runtime.channels.hub), Workers()
        _ask(survey, workers)
        if once:
            _ask_until_known(survey, workers)
            _show(workers.rows(), as_json=as_json)
        else:
            _watch(survey, workers, as_json=as_json)
    except BrokerUnavailable as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        pass


def _ask(survey: Survey, workers: Workers) -> None:
    survey.ask()
    for answer in survey.collect(EVERY):
        workers.note(answer)


def _ask_until_known(survey: Survey, workers: Workers) -> None:
    """Ask again, for what happens in a second, until every worker has answered twice."""
    for _ in range(TIMES):
        _ask(survey, workers)
        if all(row.events_per_second is not None for row in workers.rows()):
            return


def _watch(survey: Survey, workers: Workers, *, as_json: bool) -> None:
    while True:
        _show(workers.rows(), as_json=as_json)
        try:
            _ask(survey, workers)
        except BrokerUnavailable as error:
            click.echo(f"The broker does not answer: {error}", err=True)
            survey.collect(EVERY)


def _show(rows: Sequence[Worker], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"workers": [dataclasses.asdict(row) for row in rows]}))
    else:
        size = None
        if sys.stdout.isatty():
            click.echo("\x1b[H\x1b[J", nl=False)
            size = shutil.get_terminal_size()
        click.echo(table(rows, size))
    sys.stdout.flush()


def table(rows: Sequence[Worker], size: os.terminal_size | None = None) -> str:
    """Return the table as text, its columns as wide as what is in them.

    Of one that is larger than the terminal, columns that say less are left out, and workers.
    """
    if not rows:
        return NOBODY
    lines = [HEAD, *map(_cells, rows)]
    if len(rows) > 1:
        lines.append(_sum(rows))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    shown = _fitting(widths, size.columns) if size else range(len(HEAD))
    text = [_aligned([line[c] for c in shown], [widths[c] for c in shown]) for line in lines]
    return "\n".join(_shortened(text, size.lines) if size else text)


def _fitting(widths: Sequence[int], room: int) -> Sequence[int]:
    """Return the columns that are shown in so many characters."""
    shown = list(range(len(HEAD)))
    for name in SPARE:
        if sum(widths[column] + len(GAP) for column in shown) - len(GAP) <= room:
            break
        shown.remove(HEAD.index(name))
    return shown


def _shortened(lines: list[str], room: int) -> list[str]:
    """Leave out what does not fit above the cursor, but not the head and the sum."""
    hidden = len(lines) - room + 2
    if hidden <= 1 or room < 5:
        return lines
    return [*lines[: -hidden - 1], f"... {hidden} more", lines[-1]]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Texts to the left, figures to the right."""
    ends = (0, len(cells) - 1)
    padded = (
        cell.ljust(width) if column in ends else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return GAP.join(padded).rstrip()


def _cells(row: Worker) -> tuple[str, ...]:
    counts = (row.refused, row.dropped, row.resets)
    return (
        one_line(row.host),
        str(row.pid),
        f"{row.streams:,}",
        _rate(row.events_per_second),
        _rate(row.bytes_per_second),
        f"{row.heartbeats:,}",
        _ended(row),
        *(f"{count:,}" for count in counts),
        row.state,
    )


def _sum(rows: Sequence[Worker]) -> tuple[str, ...]:
    """Return the line of all workers that answer; rates of those that have one."""
    rows = [row for row in rows if row.state != "silent"]
    ended = {outcome: sum(row.ended.get(outcome, 0) for row in rows) for outcome in OUTCOMES}
    whole = Worker(
        host="all",
        pid=0,
        state="",
        streams=sum(row.streams for row in rows),
        events_per_second=_sum_of(row.events_per_second for row in rows),
        bytes_per_second=_sum_of(row.bytes_per_second for row in rows),
        heartbeats=sum(row.heartbeats for row in rows),
        ended=ended,
        refused=sum(row.refused for row in rows),
        dropped=sum(row.dropped for row in rows),
        resets=sum(row.resets for row in rows),
    )
    cells = _cells(whole)
    return (cells[0], "", *cells[2:])


def _sum_of(rates: Iterable[float | None]) -> float | None:
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else None


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:,.0f}"


def _ended(row: Worker) -> str:
    return " ".join(f"{outcome[0]}{row.ended.get(outcome, 0)}" for outcome in OUTCOMES)

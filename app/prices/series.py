"""The prices by company and month, read once per process from the file that has them."""

import functools
from datetime import date, datetime
from typing import Literal, NamedTuple

from ..replay import rows

Symbol = Literal["AAPL", "AMZN", "GOOG", "IBM", "MSFT"]
SYMBOLS: tuple[Symbol, ...] = ("AAPL", "AMZN", "GOOG", "IBM", "MSFT")
FILE = "stocks.csv"


class Table(NamedTuple):
    """`prices` has one entry per month for each symbol; `None` before the company was listed."""

    months: list[date]
    prices: dict[str, list[float | None]]


@functools.cache
def table() -> Table:
    known: dict[str, dict[date, float]] = {symbol: {} for symbol in SYMBOLS}
    for row in rows(FILE):
        month = datetime.strptime(row["date"], "%b %d %Y").date()
        known[row["symbol"]][month] = float(row["price"])
    months = sorted({month for prices in known.values() for month in prices})
    return Table(months, {symbol: [known[symbol].get(m) for m in months] for symbol in SYMBOLS})


def first_of(symbol: str) -> int:
    """Return the index of the first month that has a price of this company."""
    return next(i for i, price in enumerate(table().prices[symbol]) if price is not None)

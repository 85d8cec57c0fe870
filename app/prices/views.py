"""The routes of prices: a plain generator, which finds out where the replay is by itself, and the
same for who joins others that follow it already.
"""

from collections.abc import Iterator
from datetime import date
from typing import Annotated

from pydantic import BaseModel, Field

from flask_sse_routes import Context, Event, define_route

from ..hooks import REAUTHORIZE, log_end
from .clock import Position, now, position_of, until_next_tick
from .series import SYMBOLS, Symbol, first_of, table

Symbols = Annotated[list[Symbol], Field(min_length=1, max_length=2 * len(SYMBOLS))]


class Quote(BaseModel):
    """The price of a company at the end of a month, in dollars; changes in percent.

    `change` is against the month before, `total` since the company's first month in the data.
    """

    symbol: Symbol
    price: float
    change: float | None
    total: float


class Month(BaseModel):
    """What came next."""

    number: int
    month: date
    quotes: list[Quote]


class Begun(BaseModel):
    """Where the replay is, and every month of this round up to there."""

    of: int
    last: date
    months: list[Month]


def prices(ctx: Context, symbols: Symbols = list(SYMBOLS)) -> Iterator[Event]:  # noqa: B006  # never changed
    """Replay month-end prices of 2000 to 2010, a month every second, for everybody alike.

    A client that comes back within the round gets the months that it missed; any other begins anew.
    """
    chosen = list(dict.fromkeys(symbols))
    shown = _resumed(ctx.last_event_id, now())
    while True:
        here = now()
        if shown is None or shown.round != here.round:
            yield _sent("begun", _begun(here, chosen), here)
        else:
            for number in range(shown.month + 1, here.month + 1):
                position = Position(here.round, number)
                yield _sent("month", _month(number, chosen), position)
        shown = here
        ctx.sleep(until_next_tick())


def prices_so_far(symbols: Symbols = list(SYMBOLS)) -> Begun:  # noqa: B006  # never changed
    return _begun(now(), list(dict.fromkeys(symbols)))


def _resumed(last_event_id: str | None, here: Position) -> Position | None:
    """Return where a client goes on, `None` where it has to begin anew."""
    seen = position_of(last_event_id)
    return seen if seen and seen.round == here.round and seen.month <= here.month else None


def _sent(name: str, data: BaseModel, position: Position) -> Event:
    return Event(data, event=name, id=position.id)


def _begun(here: Position, symbols: list[Symbol]) -> Begun:
    months = [_month(number, symbols) for number in range(here.month + 1)]
    return Begun(of=len(table().months), last=table().months[-1], months=months)


def _month(number: int, symbols: list[Symbol]) -> Month:
    quotes = [quote for symbol in symbols if (quote := _quote(symbol, number))]
    return Month(number=number, month=table().months[number], quotes=quotes)


def _quote(symbol: Symbol, number: int) -> Quote | None:
    prices = table().prices[symbol]
    price, first = prices[number], prices[first_of(symbol)]
    if price is None or first is None:
        return None
    before = prices[number - 1] if number else None
    change = _percent(price, before) if before else None
    return Quote(symbol=symbol, price=price, change=change, total=_percent(price, first))


def _percent(price: float, before: float) -> float:
    return round(100 * (price / before - 1), 2)


routes = {
    "prices": define_route(
        prices,
        kind="sse",
        events={"begun": Begun, "month": Month},
        hooks=[log_end],
        reauthorize=REAUTHORIZE,
        summary="Month-end prices of 2000 to 2010, replayed",
    ),
    "prices_so_far": define_route(
        prices_so_far, path="/prices/so-far", summary="The months that have been replayed"
    ),
}

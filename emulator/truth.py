"""What is so, to hold a client's state against: the book of a market at an instant, and where a client's differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from reactor.single_asset import HyperSynthReactor
from reactor.types import SECOND_NS, Column, Instrument

Levels = Mapping[Decimal, Decimal]


@dataclass(frozen=True, slots=True)
class TrueBook:
    """A book at a boundary, `update_id` being that of the last change in it: quantities by price, the best first."""

    at_ns: int
    update_id: int
    bids: Levels
    asks: Levels


def true_book(market: HyperSynthReactor, at_ns: int) -> TrueBook:
    """The whole book of a market, orders of clients included."""
    book, of = market.book(at_ns), market.instrument
    bids = _levels(of, book.bid_ticks, book.bid_lots)
    asks = _levels(of, book.ask_ticks, book.ask_lots)
    return TrueBook(at_ns, book.update_id, bids, asks)


def _levels(of: Instrument, ticks: Column, lots: Column) -> Levels:
    return {
        Decimal(int(price) * of.tick_size).scaleb(-of.price_decimals): Decimal(
            int(size) * of.lot_size
        ).scaleb(-of.qty_decimals)
        for price, size in zip(ticks, lots, strict=True)
    }


def difference(book: TrueBook, bids: Mapping[str, str], asks: Mapping[str, str]) -> str | None:
    """The first level, from the best on, in which a client's book differs; None where it does not.

    Every level the client holds counts, and every true one between its best and its last. A quantity of 0 is no level.
    """
    for side, true, told in (("bid", book.bids, bids), ("ask", book.asks, asks)):
        held = {Decimal(price): Decimal(size) for price, size in told.items() if Decimal(size)}
        if not held and true:
            return f"the client holds no {side}s"
        for price in _by_rank({*held, *_within(true, held)}, descending=side == "bid"):
            mine, theirs = held.get(price), true.get(price)
            if mine != theirs:
                return f"{side} {price}: the client has {_said(mine)}, the exchange {_said(theirs)}"
    return None


def _within(true: Levels, held: Levels) -> Iterator[Decimal]:
    low, high = min(held, default=Decimal(0)), max(held, default=Decimal(0))
    return (price for price in true if low <= price <= high)


def _by_rank(prices: set[Decimal], *, descending: bool) -> list[Decimal]:
    return sorted(prices, reverse=descending)


def _said(size: Decimal | None) -> str:
    return "none" if size is None else str(size)


def instant(at_ns: int) -> str:
    """An instant as people read it."""
    whole, rest = divmod(at_ns, SECOND_NS)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"

"""What is so, to hold a client's state against: a market's book and trades, an account's orders and fills; and where a
client's book differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from reactor.exchange.orders import Fill, Order, OrderStatus
from reactor.single_asset import HyperSynthReactor
from reactor.types import SECOND_NS, Column, Instrument, Prints, Side
from reactor.values import dataclass

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
    rows = zip(ticks.tolist(), lots.tolist(), strict=True)
    return {_price(of, price): _quantity(of, size) for price, size in rows}


def _price(of: Instrument, ticks: int) -> Decimal:
    return Decimal(ticks * of.tick_size).scaleb(-of.price_decimals)


def _quantity(of: Instrument, lots: int) -> Decimal:
    return Decimal(lots * of.lot_size).scaleb(-of.qty_decimals)


# ---------------------------------------------------------------- trades, orders, fills
@dataclass(frozen=True, slots=True)
class TrueTrade:
    """A trade of a market, clients' own among them; `side` is the taker's."""

    id: int
    at_ns: int
    price: Decimal
    quantity: Decimal
    side: str


@dataclass(frozen=True, slots=True)
class TrueOrder:
    """An order as it stands; `price` is None for a market order, `client_id` the venue's own where none was given, and
    `trigger_price` what it waits for, or did.
    """

    id: int
    client_id: str
    account: str
    symbol: str
    side: str
    price: Decimal | None
    quantity: Decimal
    filled: Decimal
    status: OrderStatus
    created_ns: int
    updated_ns: int
    trigger_price: Decimal | None = None

    @property
    def open(self) -> bool:
        """Whether it rests on the book."""
        return self.status.open

    def __str__(self) -> str:
        at = "at the market" if self.price is None else f"at {self.price}"
        when = "" if self.trigger_price is None else f" when {self.trigger_price} is there"
        return f"{self.side} {self.quantity} {self.symbol} {at}{when}"


@dataclass(frozen=True, slots=True)
class TrueFill:
    """An execution of an account's order, by the id of its trade; a `fee` below 0 is a rebate."""

    trade_id: int
    order_id: int
    account: str
    symbol: str
    side: str
    at_ns: int
    price: Decimal
    quantity: Decimal
    maker: bool
    fee: Decimal
    fee_asset: str


def true_trades(of: Instrument, prints: Prints) -> list[TrueTrade]:
    """The rows of a market's tape."""
    columns = (prints.trade_id, prints.ts_ns, prints.price_ticks, prints.qty_lots, prints.side)
    return [
        TrueTrade(id_, at_ns, _price(of, price), _quantity(of, size), _side(side))
        for id_, at_ns, price, size, side in zip(*(column.tolist() for column in columns), strict=True)
    ]


def true_order(of: Instrument, order: Order) -> TrueOrder:
    """An order on a market's floor."""
    return TrueOrder(
        order.id,
        order.asked.client_id,
        order.asked.account,
        of.symbol,
        _side(order.asked.side),
        None if order.price_ticks is None else _price(of, order.price_ticks),
        _quantity(of, order.qty_lots),
        _quantity(of, order.filled_lots),
        order.status,
        order.created_ns,
        order.updated_ns,
        None if order.asked.trigger is None else _price(of, order.asked.trigger.price_ticks),
    )


def true_fill(of: Instrument, fill: Fill) -> TrueFill:
    """A fill on a market's floor."""
    return TrueFill(
        fill.trade_id,
        fill.order_id,
        fill.account,
        of.symbol,
        _side(fill.side),
        fill.ts_ns,
        _price(of, fill.price_ticks),
        _quantity(of, fill.qty_lots),
        fill.maker,
        Decimal(fill.fee_e8).scaleb(-8),
        fill.fee_asset,
    )


def _side(side: int) -> str:
    return Side(side).name.lower()


# ---------------------------------------------------------------- a client's book


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

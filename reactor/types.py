"""The nouns of the trade, as frozen values: instruments, books, quotes, prints, bars.

Rule: everything is an integer. A price is a number of ticks, a quantity a number of lots, a time a number of
nanoseconds since the Unix epoch; text appears only at the wire. Columns are numpy int64 arrays of equal
length, in time order.

Time is cut into ticks of 10 ms: tick n covers [n * TICK_NS, (n + 1) * TICK_NS). What happened in a tick
becomes visible at its end, the *boundary* (n + 1) * TICK_NS; the virtual clock only ever stands on a
boundary.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.values import dataclass

Column: TypeAlias = NDArray[np.int64]

MS_NS = 1_000_000
SECOND_NS = 1_000 * MS_NS
TICK_NS = 10 * MS_NS
BLOCK_NS = 60 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS
NEVER_NS = 1 << 62


class Side(IntEnum):
    """The aggressor's side of a print; the sign of the flow."""

    BUY = 1
    SELL = -1


class BookSide(IntEnum):
    """Which half of the book a level belongs to."""

    BID = 0
    ASK = 1


class Kind(StrEnum):
    """What is traded."""

    SPOT = "spot"
    PERP = "perp"


class FundingProfile(StrEnum):
    """Which rules fund a perpetual."""

    REAL = "real"  # its venue's own, as published
    CLASSIC = "classic"  # stylised ones: fixed intervals, round caps, and one effect a venue is known for


@dataclass(frozen=True, slots=True)
class Instrument:
    """One market's contract: names, the size of a tick and a lot, and the rules that fund it, if it is a perpetual.

    A price of n ticks is n * tick_size / 10**price_decimals quote units, a quantity of n lots n * lot_size /
    10**qty_decimals base units. `market` names the random streams ("venue:symbol"); `symbol` is the
    venue's native spelling.
    """

    market: str
    symbol: str
    asset: str
    base: str
    quote: str
    kind: Kind
    price_decimals: int
    tick_size: int
    qty_decimals: int
    lot_size: int
    funding: FundingProfile = FundingProfile.REAL

    @property
    def tick_e8(self) -> int:
        """A tick, in 1e-8 quote units."""
        step: int = self.tick_size * 10 ** (8 - self.price_decimals)
        return step

    def __hash__(self) -> int:
        return hash(self.market)  # what is kept of an instrument is asked for with every order


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Equal-length int64 columns; subclasses only name them."""

    __match_args__: ClassVar[
        tuple[str, ...]
    ]  # these names, in order; to ask for `fields` takes longer than to cut

    def __len__(self) -> int:
        return len(getattr(self, self.__match_args__[0]))

    def take(self, rows: Column) -> Self:
        """The rows with these indices, as copies."""
        return type(self)(*(getattr(self, name)[rows] for name in self.__match_args__))

    def cut(self, start: int, stop: int) -> Self:
        """Rows [start, stop), as views."""
        return type(self)(*(getattr(self, name)[start:stop] for name in self.__match_args__))

    @classmethod
    def none(cls) -> Self:
        """No rows."""
        return cls(*(np.zeros(0, np.int64) for _ in cls.__match_args__))

    @classmethod
    def join(cls, parts: list[Self]) -> Self:
        """The parts' rows, one after another."""
        if len(parts) < 2:
            return parts[0] if parts else cls.none()
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in cls.__match_args__))


@dataclass(frozen=True, slots=True, eq=False)
class Quotes(Columns):
    """The best bid and offer after each change."""

    ts_ns: Column
    bid_ticks: Column
    bid_lots: Column
    ask_ticks: Column
    ask_lots: Column
    update_id: Column


@dataclass(frozen=True, slots=True, eq=False)
class Prints(Columns):
    """Trades, one row per matched maker.

    `side` is the aggressor (Side). `trade_id` steps by one from row to row over the whole life of a market;
    `agg_id` steps by one from (market order, price) to the next and is shared by the prints of such a pair,
    which are neighbours. `order_id` steps by one from market order to market order.
    """

    ts_ns: Column
    price_ticks: Column
    qty_lots: Column
    side: Column
    trade_id: Column
    agg_id: Column
    order_id: Column


@dataclass(frozen=True, slots=True, eq=False)
class Liquidations(Columns):
    """Market orders by which an exchange closed a position, one row an order, each filled in full.

    `side` is the order's (Side): a sell closes a long position. `price_ticks` is its limit, the bankruptcy price, never
    better than its worst print; its average price is quote_units / qty_lots ticks, where `quote_units` is the sum of
    price_ticks * qty_lots over its prints. These are the prints with trade ids [first_trade_id, last_trade_id], the
    last one of them of `last_qty_lots`.
    """

    ts_ns: Column
    side: Column
    price_ticks: Column
    qty_lots: Column
    quote_units: Column
    last_qty_lots: Column
    first_trade_id: Column
    last_trade_id: Column
    order_id: Column


@dataclass(frozen=True, slots=True, eq=False)
class Levels(Columns):
    """Changes of price levels: at most one row per (tick, side, price), with the level's quantity at the
    tick's end (0 = gone).

    Sorted by tick, then side, then price. `tick` is absolute (ts_ns // TICK_NS). `update_id` is the id of the
    last book change of that tick and so equal within a tick; it grows from tick to tick and does not move in
    a tick without rows.
    """

    tick: Column
    side: Column
    price_ticks: Column
    qty_lots: Column
    update_id: Column


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What happened on a market in [start_ns, end_ns)."""

    start_ns: int
    end_ns: int
    quotes: Quotes
    prints: Prints
    levels: Levels


@dataclass(frozen=True, slots=True, eq=False)
class BookSnapshot:
    """The whole book at a tick boundary, both sides best price first, no empty level.

    `update_id` is the id of the last change in it.
    """

    ts_ns: int
    update_id: int
    bid_ticks: Column
    bid_lots: Column
    ask_ticks: Column
    ask_lots: Column


@dataclass(frozen=True, slots=True, eq=False)
class Minutes(Columns):
    """Minute rows of the skeleton: the whole bar of each minute, known without generating a block.

    Prices are ticks of prints. Where `n_prints` is 0, open = high = low = close = the close before.
    `quote_units` and `taker_buy_quote_units` are sums of price_ticks * qty_lots. `first_trade_id`,
    `first_agg_id`, `first_order_id` are the ids the minute's first print would get; `update_id` is the book's
    id at the minute's start.
    """

    start_ns: Column
    open_ticks: Column
    high_ticks: Column
    low_ticks: Column
    close_ticks: Column
    n_prints: Column
    volume_lots: Column
    quote_units: Column
    taker_buy_lots: Column
    taker_buy_quote_units: Column
    first_trade_id: Column
    first_agg_id: Column
    first_order_id: Column
    update_id: Column


@dataclass(frozen=True, slots=True, eq=False)
class Seconds(Columns):
    """The 1 s grid of a market: what everybody may know of a second without living through it.

    Row i is the instant `ts_ns` (a whole second). `bid_ticks` is the best bid then, on which the block is
    pinned; `index_e8` is the asset's index price in 1e-8 quote units; `premium_e8` is the impact premium over
    the index, in 1e-8.
    """

    ts_ns: Column
    bid_ticks: Column
    index_e8: Column
    premium_e8: Column


@dataclass(frozen=True, slots=True, eq=False)
class IndexMinutes(Columns):
    """The index over whole minutes, both ends included, in 1e-8 quote units."""

    start_ns: Column
    open_e8: Column
    high_e8: Column
    low_e8: Column
    close_e8: Column

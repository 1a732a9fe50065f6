"""A market written by hand: exact, tiny, and the same interface as the synthetic one.

Wire tests state expected bytes next to the rows they come from; they need a tape whose every number they chose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias, TypeVar

import numpy as np

from reactor.bars import BarSeries
from reactor.types import (
    BLOCK_NS,
    TICK_NS,
    Block,
    BookSnapshot,
    Instrument,
    Levels,
    Minutes,
    Prints,
    Quotes,
    Side,
)

Rows: TypeAlias = Sequence[Sequence[int]]
C = TypeVar("C")


def columns(kind: type[C], rows: Rows, width: int) -> C:
    """Rows of plain integers as a column type."""
    table = np.array(rows, dtype=np.int64).reshape(len(rows), width)
    return kind(*(np.ascontiguousarray(table[:, i]) for i in range(width)))


@dataclass(eq=False)
class HandmadeMarket:
    """Rows are plain tuples.

    quotes: (ts_ns, bid, bid_lots, ask, ask_lots, update_id); prints: (ts_ns, price, lots, side, trade_id, agg_id,
    order_id); levels: (tick, side, price, lots, update_id). `start` is the book before all of them, as (price, lots)
    per side, best first. Minute rows are counted from the prints, from the minute of the origin on.
    """

    instrument: Instrument
    origin_ns: int
    quotes: Rows = ()
    prints: Rows = ()
    levels: Rows = ()
    start_bids: Sequence[tuple[int, int]] = ()
    start_asks: Sequence[tuple[int, int]] = ()
    start_update_id: int = 0
    revision: int = 0
    asked: list[int] = field(default_factory=list)  # where windows began
    _rows: dict[int, Sequence[int]] = field(default_factory=dict, repr=False)  # of minutes counted so far

    def prints_in(self, start_ns: int, end_ns: int) -> Prints:
        return self.window(start_ns, end_ns).prints

    def window(self, start_ns: int, end_ns: int) -> Block:
        self.asked.append(start_ns)

        def inside(rows: Rows) -> Rows:
            return [r for r in rows if start_ns <= r[0] < end_ns]

        ticks = [r for r in self.levels if start_ns <= r[0] * TICK_NS < end_ns]
        return Block(
            start_ns,
            end_ns,
            columns(Quotes, inside(self.quotes), 6),
            columns(Prints, inside(self.prints), 7),
            columns(Levels, ticks, 5),
        )

    @property
    def listed_ns(self) -> int:
        return self.origin_ns - self.origin_ns % BLOCK_NS

    @cached_property
    def bars(self) -> BarSeries:
        return BarSeries(self)

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        first, stop = -(-max(start_ns, self.listed_ns) // BLOCK_NS), end_ns // BLOCK_NS
        return columns(Minutes, [self._minute(k * BLOCK_NS) for k in range(first, stop)], 14)

    def _minute(self, start_ns: int) -> Sequence[int]:
        if start_ns not in self._rows:
            self._rows[start_ns] = self._count(start_ns)
        return self._rows[start_ns]

    def _count(self, start_ns: int) -> Sequence[int]:
        before = [r for r in self.prints if r[0] < start_ns]
        inside = [r for r in self.prints if start_ns <= r[0] < start_ns + BLOCK_NS]
        buys = [r for r in inside if r[3] == Side.BUY]
        _, price, _, _, *last_ids = before[-1] if before else (0, 1, 0, 0, 0, 0, 0)
        prices = [r[1] for r in inside] or [price]
        sums = [
            n for rows in (inside, buys) for n in (sum(r[2] for r in rows), sum(r[1] * r[2] for r in rows))
        ]
        first_ids = inside[0][4:] if inside else [last + 1 for last in last_ids]
        ohlc = (prices[0], max(prices), min(prices), prices[-1])
        return (start_ns, *ohlc, len(inside), *sums, *first_ids, self.update_id(start_ns))

    def prints_from_trade(self, trade_id: int, limit: int, before_ns: int) -> Prints:
        return self._prints_from(4, trade_id, limit, before_ns)

    def prints_from_agg(self, agg_id: int, limit: int, before_ns: int) -> Prints:
        return self._prints_from(5, agg_id, limit, before_ns)

    def _prints_from(self, column: int, first_id: int, limit: int, before_ns: int) -> Prints:
        ids = range(first_id, first_id + limit)
        return columns(Prints, [r for r in self.prints if r[column] in ids and r[0] < before_ns], 7)

    def book(self, at_ns: int) -> BookSnapshot:
        sides: tuple[dict[int, int], dict[int, int]] = (dict(self.start_bids), dict(self.start_asks))
        for tick, side, price, lots, _ in self.levels:
            if tick * TICK_NS < at_ns:
                sides[side].pop(price, None)
                if lots:
                    sides[side][price] = lots
        bids, asks = sorted(sides[0].items(), reverse=True), sorted(sides[1].items())
        bid_columns, ask_columns = (np.array(s, dtype=np.int64).reshape(-1, 2).T for s in (bids, asks))
        return BookSnapshot(at_ns, self.update_id(at_ns), *bid_columns, *ask_columns)

    def update_id(self, at_ns: int) -> int:
        return max([self.start_update_id, *(r[4] for r in self.levels if r[0] * TICK_NS < at_ns)])

    def quote(self, at_ns: int) -> Quotes:
        best = [n for side in (self.start_bids, self.start_asks) for n in (side[0] if side else (0, 0))]
        first = (self.origin_ns, *best, self.start_update_id)
        return columns(Quotes, [first, *(r for r in self.quotes if r[0] < at_ns)][-1:], 6)

    def prints_before(self, at_ns: int, limit: int) -> Prints:
        return columns(Prints, [r for r in self.prints if r[0] < at_ns][-limit:], 7)

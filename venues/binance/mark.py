"""What Binance USD-M tells of a perpetual beside its trades: index and mark price, funding, open interest.

All of it is computed from the market's 1 s grid and its minute rows, second by second, so nothing here lives through
a minute and nothing reads a book. Prices are integers in 1e-8 quote units, rates in 1e-8 unless they are named _e12.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np

from reactor.bars import QUARTER_NS, Interval
from reactor.fixed import nearest
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, DAY_NS, SECOND_NS, Column, Columns
from reactor.values import dataclass
from venues.base import FundingPayments
from venues.binance.rules import funding_of
from venues.funding import HOUR_NS
from venues.spans import Spans

BASIS_SECONDS = 30
SETTLE_SECONDS = 3_600
_SETTLED: WeakKeyDictionary[HyperSynthReactor, dict[int, int]] = WeakKeyDictionary()  # at settlements


# ---------------------------------------------------------------- funding
@dataclass(frozen=True, slots=True, eq=False)
class Settlements(Columns):
    """Funding that was paid: when, at what rate, and at what mark price."""

    ts_ns: Column
    rate_e8: Column
    mark_e8: Column


def settlements(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Settlements:
    """The settlements in [start_ns, end_ns)."""
    rows = funding_of(market.instrument).settlements(market, start_ns, end_ns)
    marks = [_mark_e8(market, at_ns) for at_ns in rows.ts_ns.tolist()]
    return Settlements(rows.ts_ns, nearest(rows.rate_e12, 10_000), np.array(marks, dtype=np.int64))


def payments(market: HyperSynthReactor, start_ns: int, end_ns: int) -> FundingPayments:
    """The same as positions pay them: their value is taken at the mark price.

    https://www.binance.com/en/support/faq/360033525031 (2026-11).
    """
    rows = settlements(market, start_ns, end_ns)
    return FundingPayments(rows.ts_ns, rows.rate_e8 * 10_000, rows.mark_e8, rows.ts_ns)


def _mark_e8(market: HyperSynthReactor, settlement_ns: int) -> int:
    """The mark price at a settlement, the one that the stream tells at that instant; it is kept."""
    kept = _SETTLED.setdefault(market, {})
    if settlement_ns not in kept:
        kept[settlement_ns] = int(mark_prices(market, settlement_ns, settlement_ns + SECOND_NS).mark_e8[0])
    return kept[settlement_ns]


# ---------------------------------------------------------------- index and mark
@dataclass(frozen=True, slots=True, eq=False)
class Marks(Columns):
    """At each of consecutive whole seconds: index, mark, estimated settle price, the rate that would be settled now,
    and when it will be.
    """

    ts_ns: Column
    index_e8: Column
    mark_e8: Column
    settle_e8: Column
    rate_e8: Column
    next_funding_ns: Column


def mark_prices(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Marks:
    """The marks of the whole seconds in [start_ns, end_ns).

    The mark price is the median of three: the index with what is left of the funding rate on it, the index plus the
    mean of the last BASIS_SECONDS of mid - index, and the contract's own price. That is the mid here, a tick above the
    grid's bid being the ask: which side printed last is known only to who lives through the second.
    https://www.binance.com/en/support/faq/360033525071 and the announcement of 2025-09-16 (30 points, one a second).

    The estimated settle price is the mean of an hour of the index: what a contract delivers at, so it means something
    in the last hour before a delivery only; told all the same.
    https://www.binance.com/en/support/faq/360033161972, 2026-11.
    """
    return _MARKS.rows(market, start_ns, end_ns)


def _marks(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Marks:
    grid = market.seconds(start_ns - (SETTLE_SECONDS - 1) * SECOND_NS, end_ns)
    tick_e8 = market.instrument.tick_e8
    mid_e8 = grid.bid_ticks * tick_e8 + tick_e8 // 2
    basis_e8 = moving_average(mid_e8 - grid.index_e8, BASIS_SECONDS)
    settle_e8 = moving_average(grid.index_e8, SETTLE_SECONDS)
    asked = int(np.searchsorted(grid.ts_ns, start_ns))
    ts_ns, index_e8, mid_e8, basis_e8, settle_e8 = (
        column[asked:] for column in (grid.ts_ns, grid.index_e8, mid_e8, basis_e8, settle_e8)
    )

    told = funding_of(market.instrument).forecast(market, ts_ns)
    rate_e8 = nearest(told.rate_e12, 10_000)
    left_e12 = rate_e8 * ((told.next_ns - ts_ns) // SECOND_NS) * 10_000 // (told.interval_h * 3_600)
    # index * left, in two halves: the product of the whole has more than 64 bits
    high, low = index_e8 // 10**6, index_e8 % 10**6
    funded_e8 = index_e8 + (high * left_e12 + low * left_e12 // 10**6) // 10**6
    smooth_e8 = index_e8 + basis_e8
    mark_e8 = np.sort(np.stack((funded_e8, smooth_e8, mid_e8)), axis=0)[1]
    return Marks(ts_ns, index_e8, mark_e8, settle_e8, rate_e8, told.next_ns)


_MARKS: Spans[Marks] = Spans(_marks, lambda rows: rows.ts_ns)


def moving_average(values: Column, n: int) -> Column:
    """Of each value and the n - 1 before it, as far as there are so many, to the nearest integer, halves up."""
    total = np.concatenate([[0], np.cumsum(values)])
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - n, 0)
    return nearest(total[stop] - total[start], stop - start)


# ---------------------------------------------------------------- candles
@dataclass(frozen=True, slots=True, eq=False)
class Candles(Columns):
    """Bars of an untraded price, and the seconds of each that have passed; the last may be running."""

    open_ns: Column
    close_ns: Column
    open_e8: Column
    high_e8: Column
    low_e8: Column
    close_e8: Column
    seconds: Column


@dataclass(frozen=True, slots=True, eq=False)
class Samples(Columns):
    """What bars are made of: the price from each instant on, until the next."""

    ts_ns: Column
    open_e8: Column
    high_e8: Column
    low_e8: Column
    close_e8: Column


@dataclass(frozen=True, slots=True, eq=False)
class Sampling:
    """How a price is known by its seconds, and how by whole minutes, without its seconds.

    What was worked through once is kept: hours of seconds as minutes, days of minutes as quarters of an hour.
    """

    seconds: Callable[[HyperSynthReactor, int, int], Samples]
    minutes: Callable[[HyperSynthReactor, int, int], Samples]
    _kept: WeakKeyDictionary[HyperSynthReactor, dict[tuple[int, int], Samples]] = field(
        default_factory=WeakKeyDictionary, repr=False
    )

    def by_minutes(self, market: HyperSynthReactor, start_ns: int, end_ns: int) -> Samples:
        """Whole minutes [start_ns, end_ns), of their seconds, in pieces of which none crosses a minute."""
        return self._pieces(market, start_ns, end_ns, self.seconds, HOUR_NS, BLOCK_NS)

    def by_quarters(self, market: HyperSynthReactor, start_ns: int, end_ns: int) -> Samples:
        """Whole minutes [start_ns, end_ns), without their seconds, in pieces of which none crosses a quarter."""
        return self._pieces(market, start_ns, end_ns, self.minutes, DAY_NS, QUARTER_NS)

    def _pieces(
        self,
        market: HyperSynthReactor,
        start_ns: int,
        end_ns: int,
        source: Callable[[HyperSynthReactor, int, int], Samples],
        span_ns: int,
        piece_ns: int,
    ) -> Samples:
        """Whole spans in kept pieces, what is left at both ends as it comes."""
        kept = self._kept.setdefault(market, {})

        def whole(span: int) -> Samples:
            if (span_ns, span) not in kept:
                edges = np.arange(span * span_ns, (span + 1) * span_ns + 1, piece_ns)
                pieces = _merge(source(market, span * span_ns, (span + 1) * span_ns), edges)
                if len(kept) == SPANS_KEPT:
                    del kept[next(iter(kept))]
                kept[span_ns, span] = pieces
            return kept[span_ns, span]

        first, last = -(-start_ns // span_ns), end_ns // span_ns
        if first >= last:
            return source(market, start_ns, end_ns)
        # The newest first: what a tape carries from day to day grows from the origin into the past.
        spans = [whole(span) for span in reversed(range(first, last))][::-1]
        head, tail = source(market, start_ns, first * span_ns), source(market, last * span_ns, end_ns)
        return Samples.join([head, *spans, tail])


def candles(
    sampling: Sampling, market: HyperSynthReactor, interval: Interval, starts: Sequence[int], now_ns: int
) -> Candles:
    """The bars that open at these instants, consecutive ones and none after now_ns, as far as they go now.

    Short bars are made of seconds, so they are those of the stream. Long ones are made of minutes, but for the running
    minute: a year of seconds is more than an answer may wait for.
    """
    if not starts:
        return Candles.none()
    edges = np.array([*starts, interval.next(starts[-1])])
    end_ns = min(int(edges[-1]), now_ns + 1)
    minute_ns = end_ns // BLOCK_NS * BLOCK_NS
    pieces = sampling.by_minutes if 0 < interval.length_ns < QUARTER_NS else sampling.by_quarters
    rows = [pieces(market, starts[0], minute_ns), sampling.seconds(market, minute_ns, end_ns)]
    bars = _merge(Samples.join(rows), edges)
    return Candles(
        open_ns=edges[:-1],
        close_ns=edges[1:],
        open_e8=bars.open_e8,
        high_e8=bars.high_e8,
        low_e8=bars.low_e8,
        close_e8=bars.close_e8,
        seconds=-((edges[:-1] - np.minimum(edges[1:], end_ns)) // SECOND_NS),
    )


def _merge(rows: Samples, edges: Column) -> Samples:
    """Rows in time order as bars [edges[i], edges[i + 1]), of those there are any of."""
    bounds = np.searchsorted(rows.ts_ns, edges)
    some = np.flatnonzero(np.diff(bounds))
    first, last = bounds[some], bounds[some + 1] - 1
    return Samples(
        ts_ns=edges[some],
        open_e8=rows.open_e8[first],
        high_e8=np.maximum.reduceat(rows.high_e8, first),
        low_e8=np.minimum.reduceat(rows.low_e8, first),
        close_e8=rows.close_e8[last],
    )


def _flat(ts_ns: Column, value_e8: Column) -> Samples:
    return Samples(ts_ns, value_e8, value_e8, value_e8, value_e8)


def _index_seconds(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Samples:
    grid = market.seconds(start_ns, end_ns)
    return _flat(grid.ts_ns, grid.index_e8)


def _index_minutes(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Samples:
    rows = market.index_minutes(start_ns, end_ns)
    return Samples(rows.start_ns, rows.open_e8, rows.high_e8, rows.low_e8, rows.close_e8)


def _mark_seconds(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Samples:
    marks = mark_prices(market, start_ns, end_ns)
    return _flat(marks.ts_ns, marks.mark_e8)


def _mark_minutes(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Samples:
    """The index moved by the basis, averaged over BASIS_MINUTES minute starts: within a fraction of a basis point."""
    before_ns = start_ns - (BASIS_MINUTES - 1) * BLOCK_NS
    index = market.index_minutes(before_ns, end_ns)
    price_e8 = market.minutes(before_ns, end_ns + BLOCK_NS).open_ticks * market.instrument.tick_e8
    basis_e8 = moving_average(price_e8 - np.append(index.open_e8, index.close_e8[-1:]), BASIS_MINUTES)
    asked = int(np.searchsorted(index.start_ns, start_ns))
    index, opens, closes = index.cut(asked, len(index)), basis_e8[asked:-1], basis_e8[asked + 1 :]
    return Samples(
        index.start_ns,
        index.open_e8 + opens,
        index.high_e8 + np.maximum(opens, closes),
        index.low_e8 + np.minimum(opens, closes),
        index.close_e8 + closes,
    )


def _premium_samples(step_ns: int, market: HyperSynthReactor, start_ns: int, end_ns: int) -> Samples:
    return _flat(np.arange(start_ns, end_ns, step_ns), market.premiums_e8(start_ns, end_ns, step_ns))


BASIS_MINUTES = 3
SPANS_KEPT = 1_024  # of a price and a market
INDEX = Sampling(_index_seconds, _index_minutes)
MARK = Sampling(_mark_seconds, _mark_minutes)
PREMIUM = Sampling(partial(_premium_samples, 5 * SECOND_NS), partial(_premium_samples, BLOCK_NS))


# ---------------------------------------------------------------- open interest
# The tape has no positions. Open interest is taken as the share of the day's volume that the venue showed for BTCUSDT
# on 2026-09-15: 106312.376 open, 169924.020 traded.
_OPEN_SHARE_E3 = 626


def open_interest_lots(market: HyperSynthReactor, at_ns: int) -> int:
    """Open interest at the last minute's end before an instant."""
    return int(open_interests_lots(market, [at_ns])[0])


def open_interests_lots(market: HyperSynthReactor, at_ns: Sequence[int]) -> Column:
    """The same at ascending instants."""
    minutes = np.array(at_ns, dtype=np.int64) // BLOCK_NS * BLOCK_NS
    if not len(minutes):
        return minutes
    rows = market.minutes(int(minutes[0]) - DAY_NS, int(minutes[-1]))
    traded = np.append(0, np.cumsum(rows.volume_lots))
    first, last = np.searchsorted(rows.start_ns, np.stack((minutes - DAY_NS, minutes)))
    lots: Column = (traded[last] - traded[first]) * _OPEN_SHARE_E3 // 1_000
    return lots

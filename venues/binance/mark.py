"""What Binance USD-M tells of a perpetual beside its trades: index and mark price, funding, open interest.

All of it is computed from the market's 1 s grid and its minute rows, second by second, so nothing here lives through
a minute and nothing reads a book. Prices are integers in 1e-8 quote units, rates in 1e-8 unless they are named _e12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, DAY_NS, SECOND_NS, Column, Columns
from venues.funding import Average, FundingModel

BASIS_SECONDS = 30
SETTLE_SECONDS = 3_600


# ---------------------------------------------------------------- funding
@dataclass(frozen=True, slots=True, eq=False)
class BinanceFundingModel(FundingModel):
    """Every 8 h, on the average of 5 s samples weighted linearly towards the newest, within a symbol's caps.

    https://www.binance.com/en/support/faq/360033525031 and the announcement of 2025-09-16. The venue's rules of 2025-05
    and 2026-01, by which a rate at its cap shortens the interval to an hour, are not followed: it stays 8 h.
    """

    interval_h: int = 8
    average: Average = Average.LINEAR
    low_e12: int = -20_000_000_000
    high_e12: int = 20_000_000_000


# A cap is 0.75 times the maintenance margin of the first bracket, 0.4 % for both (so told by /fapi/v1/fundingInfo for
# BTCUSDT, 2026-09-15); other symbols have 2 %.
_MAJOR = BinanceFundingModel(low_e12=-3_000_000_000, high_e12=3_000_000_000)
_OTHER = BinanceFundingModel()
_FUNDING: Mapping[str, BinanceFundingModel] = {"BTC": _MAJOR, "ETH": _MAJOR}


def funding_of(asset: str) -> BinanceFundingModel:
    """The funding of an asset's perpetual."""
    return _FUNDING.get(asset, _OTHER)


@dataclass(frozen=True, slots=True, eq=False)
class Settlements(Columns):
    """Funding that was paid: when, at what rate, and at what mark price."""

    ts_ns: Column
    rate_e8: Column
    mark_e8: Column


def settlements(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Settlements:
    """The settlements in [start_ns, end_ns), each with the mark price told at that instant."""
    rows = funding_of(market.instrument.base).settlements(market, start_ns, end_ns)
    marks = [int(mark_prices(market, at, at + SECOND_NS).mark_e8[0]) for at, _ in rows]
    at_ns, rates = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    return Settlements(at_ns, _nearest(rates, 10_000), np.array(marks, dtype=np.int64))


# ---------------------------------------------------------------- index and mark
@dataclass(frozen=True, slots=True, eq=False)
class Marks(Columns):
    """At each of consecutive whole seconds: index, mark, the rate that would be settled now, and when it will be."""

    ts_ns: Column
    index_e8: Column
    mark_e8: Column
    rate_e8: Column
    next_funding_ns: Column


def mark_prices(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Marks:
    """The marks of the whole seconds in [start_ns, end_ns).

    The mark price is the median of three: the index with what is left of the funding rate on it, the index plus the
    mean of the last BASIS_SECONDS of mid - index, and the contract's own price. That is the mid here, a tick above the
    grid's bid being the ask: which side printed last is known only to who lives through the second.
    https://www.binance.com/en/support/faq/360033525071 and the announcement of 2025-09-16 (30 points, one a second).
    """
    funding, instrument = funding_of(market.instrument.base), market.instrument
    grid = market.seconds(start_ns - (BASIS_SECONDS - 1) * SECOND_NS, end_ns)
    tick_e8 = instrument.tick_size * 10 ** (8 - instrument.price_decimals)
    mid_e8 = grid.bid_ticks * tick_e8 + tick_e8 // 2
    basis_e8 = moving_average(mid_e8 - grid.index_e8, BASIS_SECONDS)
    asked = int(np.searchsorted(grid.ts_ns, start_ns))
    ts_ns, index_e8, mid_e8, basis_e8 = (
        column[asked:] for column in (grid.ts_ns, grid.index_e8, mid_e8, basis_e8)
    )

    interval = ts_ns // funding.interval_ns
    rates_e12 = [funding.predicted_e12(market, ts_ns[interval == number]) for number in np.unique(interval)]
    rate_e8 = _nearest(np.concatenate([np.zeros(0, np.int64), *rates_e12]), 10_000)
    next_ns = (interval + 1) * funding.interval_ns
    left_e12 = rate_e8 * ((next_ns - ts_ns) // SECOND_NS) * 10_000 // (funding.interval_ns // SECOND_NS)
    # index * left, in two halves: the product of the whole has more than 64 bits
    high, low = index_e8 // 10**6, index_e8 % 10**6
    funded_e8 = index_e8 + (high * left_e12 + low * left_e12 // 10**6) // 10**6
    smooth_e8 = index_e8 + basis_e8
    mark_e8 = np.sort(np.stack((funded_e8, smooth_e8, mid_e8)), axis=0)[1]
    return Marks(ts_ns, index_e8, mark_e8, rate_e8, next_ns)


def settle_prices_e8(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Column:
    """The estimated settle price at the whole seconds in [start_ns, end_ns): the mean of an hour of the index.

    What a contract delivers at, so it means something in the last hour before a delivery only; told all the same.
    https://www.binance.com/en/support/faq/360033161972, 2026-11.
    """
    grid = market.seconds(start_ns - (SETTLE_SECONDS - 1) * SECOND_NS, end_ns)
    return moving_average(grid.index_e8, SETTLE_SECONDS)[int(np.searchsorted(grid.ts_ns, start_ns)) :]


def moving_average(values: Column, n: int) -> Column:
    """Of each value and the n - 1 before it, as far as there are so many, to the nearest integer, halves up."""
    total = np.concatenate([[0], np.cumsum(values)])
    stop = np.arange(1, len(values) + 1)
    start = np.maximum(stop - n, 0)
    return _nearest(total[stop] - total[start], stop - start)


# ---------------------------------------------------------------- open interest
# The tape has no positions. Open interest is taken as the share of the day's volume that the venue showed for BTCUSDT
# on 2026-09-15: 106312.376 open, 169924.020 traded.
_OPEN_SHARE_E3 = 626


def open_interest_lots(market: HyperSynthReactor, at_ns: int) -> int:
    """Open interest at the last minute's end before an instant."""
    minute_ns = at_ns // BLOCK_NS * BLOCK_NS
    volume = int(market.minutes(minute_ns - DAY_NS, minute_ns).volume_lots.sum())
    return volume * _OPEN_SHARE_E3 // 1_000


def _nearest(values: Column, divisor: int | Column) -> Column:
    """The nearest integers to values / divisor, halves up."""
    rounded: Column = (2 * values + divisor) // (2 * np.asarray(divisor))
    return rounded

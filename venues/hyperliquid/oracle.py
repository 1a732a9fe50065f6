"""What Hyperliquid tells of a perpetual beside its trades: oracle, mark, premium, funding; and the day so far.

All of it is computed from the market's 1 s grid and its minute rows, an hour at a time, so nothing here lives through
a minute. Oracle prices are in steps of `oracle_step_e8`, impact prices in steps of `impact_step_e8`, marks in ticks,
rates in 1e-10.
"""

from __future__ import annotations

import numpy as np

from reactor.fixed import nearest
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, DAY_NS, SECOND_NS, Column, Columns, Instrument
from reactor.values import dataclass
from venues.hyperliquid.rules import (
    MAIN_DEX,
    MARK_WINDOW_S,
    ORACLE_NS,
    builder_impact_prices,
    builder_premium,
    decimal_places,
    dex_of,
    funding_of,
    impact_prices,
    mark_prices,
    premium,
)
from venues.spans import Spans

RATE_SCALE = 10**10  # funding and premium are told in its parts


def oracle_decimals(instrument: Instrument) -> int:
    """Of oracle prices, which have one even where the market's have none (BTC: "83778.1")."""
    return max(1, instrument.price_decimals)


def oracle_step_e8(instrument: Instrument) -> int:
    """A unit of oracle prices, in 1e-8."""
    return int(10 ** (8 - oracle_decimals(instrument)))


def impact_step_e8(instrument: Instrument) -> int:
    """A unit of impact prices, in 1e-8: they are averages over the book, so not on its ticks."""
    return int(10 ** (8 - decimal_places(instrument)))


# ---------------------------------------------------------------- updates
@dataclass(frozen=True, slots=True, eq=False)
class Updates(Columns):
    """What changes with the oracle, at each of its updates."""

    ts_ns: Column
    funding: Column
    premium: Column
    oracle: Column
    mark: Column
    impact_bid: Column
    impact_ask: Column


def updates(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Updates:
    """The updates in [start_ns, end_ns)."""
    return _UPDATES.rows(market, start_ns, end_ns)


def updates_at(market: HyperSynthReactor, at_ns: Column) -> Updates:
    """The last update at each of ascending instants, none before the listing."""
    first_ns = int(at_ns[0]) // ORACLE_NS * ORACLE_NS
    rows = updates(market, first_ns, int(at_ns[-1]) + 1)
    return rows.take(np.searchsorted(rows.ts_ns, at_ns, side="right") - 1)


def _updates(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Updates:
    instrument = market.instrument
    tick = instrument.tick_e8  # in 1e-8, as all prices from here on
    oracle_step, impact_step = oracle_step_e8(instrument), impact_step_e8(instrument)
    main = dex_of(instrument.symbol) == MAIN_DEX
    impacts_of, premium_of = (impact_prices, premium) if main else (builder_impact_prices, builder_premium)
    first_ns = -(-max(start_ns, market.listed_ns) // ORACLE_NS) * ORACLE_NS
    grid = market.seconds(start_ns - MARK_WINDOW_S * SECOND_NS, end_ns)
    at_ns = np.arange(first_ns, end_ns, ORACLE_NS)
    told = np.searchsorted(grid.ts_ns, at_ns)
    bids = grid.bid_ticks * tick
    marks = mark_prices(grid.index_e8, bids + tick // 2, told)
    oracle = nearest(grid.index_e8[told], oracle_step)
    premiums, impacts = [], []
    columns = (column.tolist() for column in (oracle, bids[told], grid.premium_e8[told]))
    for price, bid, premium_e8 in zip(*columns, strict=True):
        index = price * oracle_step
        bought, sold = impacts_of(index, bid, bid + tick, premium_e8)
        steps = nearest(bought, impact_step), nearest(sold, impact_step)
        premiums.append(premium_of(index, steps[0] * impact_step, steps[1] * impact_step, RATE_SCALE))
        impacts.append(steps)
    impact_bid, impact_ask = np.array(impacts, dtype=np.int64).reshape(-1, 2).T
    return Updates(
        ts_ns=at_ns,
        funding=nearest(funding_of(instrument).forecast(market, at_ns).rate_e12, 100),
        premium=np.array(premiums, dtype=np.int64),
        oracle=oracle,
        mark=nearest(marks, tick),
        impact_bid=impact_bid,
        impact_ask=impact_ask,
    )


_UPDATES: Spans[Updates] = Spans(_updates, lambda rows: rows.ts_ns)


# ---------------------------------------------------------------- the day so far
@dataclass(frozen=True, slots=True, eq=False)
class Days(Columns):
    """At each minute: the price a day ago, and the lots and quote units traded since then."""

    ts_ns: Column
    previous_ticks: Column
    base_lots: Column
    quote_units: Column


def days_at(market: HyperSynthReactor, at_ns: Column) -> Days:
    """The day before the last whole minute, at each of ascending instants."""
    minutes = at_ns // BLOCK_NS * BLOCK_NS
    rows = _DAYS.rows(market, int(minutes[0]), int(minutes[-1]) + 1)
    return rows.take(np.searchsorted(rows.ts_ns, minutes))


def _days(market: HyperSynthReactor, start_ns: int, end_ns: int) -> Days:
    rows = market.minutes(start_ns - DAY_NS - BLOCK_NS, end_ns)  # of the first one only the price
    ends = np.arange(start_ns, end_ns, BLOCK_NS)
    stop = np.searchsorted(rows.start_ns, ends)  # the minutes before each
    first = np.maximum(np.searchsorted(rows.start_ns, ends - DAY_NS), 1)
    lots, units = (np.append(0, np.cumsum(column)) for column in (rows.volume_lots, rows.quote_units))
    first, stop = np.minimum(first, len(rows)), np.maximum(stop, np.minimum(first, len(rows)))
    previous = rows.close_ticks[np.minimum(first - 1, len(rows) - 1)]
    return Days(ends, previous, lots[stop] - lots[first], units[stop] - units[first])


_DAYS: Spans[Days] = Spans(_days, lambda rows: rows.ts_ns, traded=True)

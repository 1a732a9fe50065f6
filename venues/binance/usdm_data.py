"""What Binance USD-M tells under /futures/data: statistics of whole periods of the last 30 days.

Only what the tape knows: open interest, taker volumes and the basis. Who holds which side is not known, so the ratios
of accounts and positions are not there. Nothing here lives through a minute.
https://github.com/binance/binance-connector-python (clients/derivatives_trading_usds_futures/tests/unit/rest_api),
2026-08-21: keys and their order, decimals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from reactor.bars import Interval
from reactor.fixed import nearest
from reactor.single_asset import HyperSynthReactor
from reactor.types import DAY_NS
from venues.base import VenueError
from venues.binance.mark import INDEX, MARK, candles, open_interests_lots
from venues.binance.rest import Call, array, market_of, span
from venues.binance.signing import time_ns
from venues.binance.usdm_rules import CONTRACT_TYPES
from venues.binance.wire import INTERVALS

# ---------------------------------------------------------------- the messages
OPEN_INTEREST = (
    '{"symbol":"<s:symbol>","sumOpenInterest":"<open:e8>","sumOpenInterestValue":"<value:e8>",'
    '"timestamp":<T:time>}'
)
TAKERS = '{"buySellRatio":"<ratio:e4>","buyVol":"<buy:e4>","sellVol":"<sell:e4>","timestamp":<T:time>}'
BASIS = (
    '{"indexPrice":"<i:e8>","contractType":"PERPETUAL","basisRate":"<rate:e4>","futuresPrice":"<p:price>",'
    '"annualizedBasisRate":"","basis":"<basis:e8>","pair":"<s:symbol>","timestamp":<T:time>}'
)

PERIODS: Mapping[str, Interval] = {
    name: INTERVALS[name] for name in ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
}
KEPT_NS = 30 * DAY_NS
MOST = 500
E8 = 10**8


def open_interest_history(call: Call) -> bytes:
    """Open interest at the start of periods, and its value at the mark price of then."""
    market = market_of(call.exchange, call.params["symbol"])
    interval, starts = _starts(call, market)
    lots = open_interests_lots(market, starts)
    open_e8 = lots * market.instrument.lot_size * 10 ** (8 - market.instrument.qty_decimals)
    marks = candles(MARK, market, interval, starts, call.now_ns).open_e8
    # by Python's integers, which do not overflow
    value = [quantity * mark // E8 for quantity, mark in zip(open_e8.tolist(), marks.tolist(), strict=True)]
    columns = {"open": open_e8, "value": np.array(value, dtype=np.int64), "T": np.array(starts, np.int64)}
    return array(call.texts(market, OPEN_INTEREST, columns) if starts else [])


def taker_volumes(call: Call) -> bytes:
    """What takers bought and sold in periods, and the one by the other; 0 where none sold."""
    market = market_of(call.exchange, call.params["symbol"])
    interval, starts = _starts(call, market)
    if not starts:
        return b"[]"
    bars = market.bars.bars(interval, starts[0], starts[-1] + 1, call.now_ns)
    sold = bars.volume_lots - bars.taker_buy_lots
    per_lot = market.instrument.lot_size * 10**4
    scale = 10**market.instrument.qty_decimals
    columns = {
        "ratio": nearest(bars.taker_buy_lots * 10**4, np.maximum(sold, 1)) * (sold > 0),
        "buy": nearest(bars.taker_buy_lots * per_lot, scale),
        "sell": nearest(sold * per_lot, scale),
        "T": bars.open_ns,
    }
    return array(call.texts(market, TAKERS, columns))


def basis(call: Call) -> bytes:
    """The price of a pair's contract at the start of periods, and how far from the index it was."""
    if call.params["contractType"] not in CONTRACT_TYPES:
        raise VenueError("BAD_CONTRACT_TYPE")
    market = call.exchange.market(call.params["pair"])
    if market is None:
        raise VenueError("BAD_PAIR")
    interval, starts = _starts(call, market)
    if call.params["contractType"] != "PERPETUAL" or not starts:
        return b"[]"
    index_e8 = candles(INDEX, market, interval, starts, call.now_ns).open_e8
    price_ticks = market.bars.bars(interval, starts[0], starts[-1] + 1, call.now_ns).open_ticks
    basis_e8 = price_ticks * market.instrument.tick_e8 - index_e8
    columns = {
        "i": index_e8,
        "rate": nearest(basis_e8 * 10**4, index_e8),
        "p": price_ticks,
        "basis": basis_e8,
        "T": np.array(starts, np.int64),
    }
    return array(call.texts(market, BASIS, columns))


def deliveries(call: Call) -> bytes:
    """The prices at which a pair's contracts were delivered: none ever was."""
    if call.exchange.market(call.params["pair"]) is None:
        raise VenueError("BAD_PAIR")
    return b"[]"


# ---------------------------------------------------------------- parameters
def _starts(call: Call, market: HyperSynthReactor) -> tuple[Interval, Sequence[int]]:
    """When the periods asked for start: the newest that are over; from a time on, the oldest. Oldest first."""
    interval = PERIODS.get(call.params["period"])
    limit = int(call.params.get("limit", 30))
    if interval is None:
        raise VenueError("DATA_PARAMETER", name="period")
    if not 0 < limit <= MOST:
        raise VenueError("DATA_PARAMETER", name="limit")
    over_ns = interval.start(call.now_ns)
    kept_ns = call.now_ns - KEPT_NS
    if "startTime" in call.params and time_ns(call.params["startTime"]) < kept_ns:
        raise VenueError("DATA_PARAMETER", name="startTime")
    start_ns, end_ns = span(call, max(kept_ns, market.listed_ns + DAY_NS))
    starts = interval.starts(start_ns, min(end_ns, over_ns))
    return interval, starts[:limit] if "startTime" in call.params else starts[-limit:]

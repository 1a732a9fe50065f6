"""The skeleton: what everybody may know of a market without living through it. (stub: interface only)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reactor.manifest import SimulationManifest
from reactor.types import Column, Instrument, Minutes, Seconds


@dataclass(frozen=True, slots=True, eq=False)
class MinutePlan:
    """Row k of the skeleton as block k must realise it, exactly.

    `bid_ticks` holds the 61 grid points of the minute's best bid, both ends included; at every one of them the ask is
    bid + base spread. With lo and hi the least and greatest of them, and d = hi - lo:
    the first print is at bid_ticks[0] (a sell) or bid_ticks[0] + spread (a buy) as `open_side` says, the last one likewise at
    bid_ticks[60] by `close_side`; the highest print is a buy at hi + spread, the lowest a sell at lo; sells lie in [lo, hi],
    buys in [lo, hi] + spread.
    """

    k: int
    start_ns: int
    bid_ticks: Column
    spread_ticks: int  # base spread
    activity_q16: int  # relative to the market's normal rate; 65536 = normal
    volatility_q16: int  # likewise
    n_orders: int  # market orders: 0, or at least 8
    n_prints: int  # >= n_agg
    n_agg: int  # (order, price) pairs; n_orders <= n_agg <= n_orders + min(d // 4, n_orders // 8)
    open_side: int
    close_side: int
    buy_lots: int  # each side: 0, or at least 4 * n_prints * min_lots
    sell_lots: int
    buy_quote_units: int  # sum of price_ticks * qty_lots; its excess over (lowest price of the side) * lots lies within
    sell_quote_units: int  # [d * lots / 8, d * lots * 7 / 8], so that sizes can always be arranged to meet it
    first_trade_id: int
    first_agg_id: int
    first_order_id: int
    update_id: int  # of the book at the minute's start ...
    next_update_id: int  # ... and at its end; the difference exceeds any number of events of a block


class Skeleton(Protocol):
    """One market's rows, lazily computed day by day, in both directions from the origin."""

    instrument: Instrument
    manifest: SimulationManifest
    origin_ns: int

    def plan(self, k: int) -> MinutePlan: ...
    def minutes(self, start_ns: int, end_ns: int) -> Minutes: ...
    def seconds(self, start_ns: int, end_ns: int) -> Seconds: ...

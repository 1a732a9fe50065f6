"""SyntheticTelemetryUplink: what a venue's back office would tell of a market every second.

The index is the asset's, the mid is the market's, and the difference between the two is the basis that arbitrage
leaves; the premium is what of it lies beyond the impact prices, and what funding is made of. All of it comes from the
market's 1 s grid, so telling a month makes no minute of the tape. Nothing here knows a venue's own mark price.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from reactor.manifest import SimulationManifest
from reactor.types import SECOND_NS, Column, Columns, Instrument, Seconds
from reactor.values import dataclass

MARK_WINDOW_S = 30


@dataclass(frozen=True, slots=True, eq=False)
class Telemetry(Columns):
    """One row a second. Prices are in 1e-8 quote units, `basis_e8` and `premium_e8` relative to the index in 1e-8.

    `mark_e8` is the index plus the average distance of the mid from it over the last 30 s, so that no single quote
    moves it; `basis_e8` is the mid over the index, `premium_e8` the impact premium over it.
    """

    ts_ns: Column
    index_e8: Column
    mid_e8: Column
    mark_e8: Column
    basis_e8: Column
    premium_e8: Column


class Market(Protocol):
    """What telemetry needs of a market: a `MarketSkeleton` has it, and so has a tape."""

    instrument: Instrument

    @property
    def manifest(self) -> SimulationManifest: ...

    def seconds(self, start_ns: int, end_ns: int) -> Seconds: ...


class SyntheticTelemetryUplink:
    """The telemetry of one market, at any time; several markets of one asset share its index to the last digit.

    `SyntheticTelemetryUplink(market.skeleton)` of a market of `MarketOrchestrationCore`.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._tick_e8 = market.instrument.tick_e8
        self._spread_ticks = market.manifest.base_spread_ticks

    def rows(self, start_ns: int, end_ns: int) -> Telemetry:
        """The whole seconds in [start_ns, end_ns), none before the listing."""
        grid = self._market.seconds(start_ns - (MARK_WINDOW_S - 1) * SECOND_NS, end_ns)
        mid_e8 = (2 * grid.bid_ticks + self._spread_ticks) * self._tick_e8 // 2
        away = np.concatenate([np.zeros(1, np.int64), np.cumsum(mid_e8 - grid.index_e8)])
        row = np.arange(len(grid))
        first = np.maximum(row - MARK_WINDOW_S + 1, 0)
        mark_e8 = grid.index_e8 + (away[row + 1] - away[first]) // (row + 1 - first)
        # A difference of up to half of a price (44 bits) times 1e8 (27 bits) would not fit: scale both down first.
        scale = np.maximum(grid.index_e8 >> 36, 1)
        basis_e8 = ((mid_e8 - grid.index_e8) // scale) * 10**8 // (grid.index_e8 // scale)
        rows = Telemetry(grid.ts_ns, grid.index_e8, mid_e8, mark_e8, basis_e8, grid.premium_e8)
        return rows.cut(int(np.searchsorted(grid.ts_ns, start_ns)), len(rows))

"""Liquidations: which market orders of a perpetual's minute closed somebody's position.

Positions are not simulated. An order of the tape is marked as a liquidation the more likely the further the price has
gone against the positions it would close: falling prices liquidate longs, by sells, rising ones shorts, by buys. So
they are rare in calm minutes, one-sided, and come in cascades where the price runs. Marking an order changes nothing
of the tape; all times are nanoseconds since the Unix epoch, all arithmetic is on integers.
"""

from __future__ import annotations

import numpy as np

from reactor.fixed import ONE, begins, exp_q16, fixed_point
from reactor.manifest import SimulationManifest
from reactor.processes import GeometricBrownianMotion
from reactor.rng import Stream
from reactor.types import SECOND_NS, Column, Liquidations, Prints, Seconds

RUN_S = 60  # the price's way over so many seconds before an order is what liquidates
_PACE = fixed_point(1.4)  # log likelihood that one usual deviation of that way adds
_MOST_DEVIATIONS = 4 * ONE
_SPELL_S = 3  # liquidations come in spells of so many seconds, of log-normal likelihood
_SPELL_SIGMA = fixed_point(1.0)
_MARGIN_BP = (
    40  # mean distance of the bankruptcy price: about the least maintenance margin of the great contracts
)


class Liquidator:
    """Marks the liquidations among a market's orders."""

    def __init__(self, manifest: SimulationManifest) -> None:
        self._share_q26 = fixed_point(manifest.liquidation_share, 1 << 26)
        usual = GeometricBrownianMotion(0, manifest.volatility, step_s=RUN_S)
        self._usual_q32 = max(int(usual.deviations_q32(np.zeros(1, np.int64))[0]), 1)

    def among(self, draws: Stream, prints: Prints, grid: Seconds, times_q16: int = ONE) -> Liquidations:
        """Those among whole orders' prints; `grid` holds the seconds from RUN_S before the first print's minute on.

        `times_q16` (Q16) is how many times as likely they are for orders that go the price's way.
        """
        if not len(prints):
            return Liquidations.none()
        first = np.flatnonzero(begins(prints.order_id))
        last = np.append(first[1:], len(prints)) - 1
        second = (prints.ts_ns[first] - int(grid.ts_ns[0])) // SECOND_NS
        side = prints.side[first]
        against = self._against_q16(grid, second, side)
        likelihood = exp_q16(self._log_likelihood_q16(draws, grid, second, against), self._share_q26)
        likelihood = np.where(against > 0, likelihood * times_q16 >> 16, likelihood)
        hit = np.flatnonzero(draws.uniform_q32(len(first)) < likelihood << 6)
        margin_bp_q16 = draws.exponential_q16(len(hit)) * _MARGIN_BP
        first, last, side = first[hit], last[hit], side[hit]
        units = np.concatenate([[0], np.cumsum(prints.price_ticks * prints.qty_lots)])
        lots = np.concatenate([[0], np.cumsum(prints.qty_lots)])
        worst = prints.price_ticks[last]
        return Liquidations(
            ts_ns=prints.ts_ns[first],
            side=side,
            price_ticks=np.maximum(worst + side * ((worst * margin_bp_q16 >> 16) // 10_000), 1),
            qty_lots=lots[last + 1] - lots[first],
            quote_units=units[last + 1] - units[first],
            last_qty_lots=prints.qty_lots[last],
            first_trade_id=prints.trade_id[first],
            last_trade_id=prints.trade_id[last],
            order_id=prints.order_id[first],
        )

    def _against_q16(self, grid: Seconds, second: Column, side: Column) -> Column:
        """How far the price has gone the way of each order, in usual deviations."""
        now, before = grid.bid_ticks[second], grid.bid_ticks[np.maximum(second - RUN_S, 0)]
        way_q16 = (((now - before) << 24) // before << 24) // self._usual_q32
        against: Column = np.clip(way_q16 * side, -_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        return against

    def _log_likelihood_q16(
        self, draws: Stream, grid: Seconds, second: Column, against_q16: Column
    ) -> Column:
        """Over the share in calm, by order: how far the price has gone its way, and how hot its spell."""
        spells = draws.normal_q16(len(grid) // _SPELL_S + 1)[second // _SPELL_S]
        spell_q16 = (spells * _SPELL_SIGMA >> 16) - (_SPELL_SIGMA * _SPELL_SIGMA >> 17)
        likelihood: Column = (against_q16 * _PACE >> 16) + spell_q16
        return likelihood

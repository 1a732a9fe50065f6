"""What market orders do: how many levels and makers each takes, at which prices, and how much.

The minute's counts, extremes, volumes and quote volumes are met exactly; chance only says who gets which share.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reactor.components import (
    ALONE_NS,
    ORDER_LANE,
    QUOTE_LANE,
    Clock,
    Orders,
    Role,
    Steps,
    TouchPath,
    in_lane,
    there_and_back,
)
from reactor.fixed import begins, exclusive, exp_q16, fixed_point, group_of, ordered, rows, share
from reactor.manifest import SimulationManifest
from reactor.rng import Stream
from reactor.settlement import Settlement, SidePrints, settle
from reactor.skeleton import MinutePlan
from reactor.types import Column, Instrument, Side
from reactor.values import dataclass

# The orders at a side's lowest and highest price, and the one whose price is free.
_ENDS = {
    Side.BUY: (Role.BUY_LOW, Role.BUY_HIGH, Role.BUY_FREE),
    Side.SELL: (Role.SELL_LOW, Role.SELL_HIGH, Role.SELL_FREE),
}


@dataclass(frozen=True, slots=True, eq=False)
class Fills:
    """Prints, order by order: the order's row, the price, and which of the order's levels it is (0 = the best)."""

    order: Column
    price_ticks: Column
    level: Column
    lots: Column


@dataclass(frozen=True, slots=True, eq=False)
class Deeper:
    """The levels that orders took beyond the best one, one row each."""

    ts_ns: Column
    side: Column  # of the order
    price_ticks: Column
    lots: Column


@dataclass(frozen=True, slots=True, eq=False)
class Executions:
    """The minute's market orders in time order and their fills."""

    ts_ns: Column
    side: Column
    first: Column  # the row of each order's first fill
    fills: Fills

    def level_begins(self) -> NDArray[np.bool_]:
        """Which fills are the first of an (order, price) pair."""
        return begins(self.fills.order, self.fills.level)

    def deeper(self) -> Deeper:
        """What was taken beyond the best levels."""
        fills, first = self.fills, self.level_begins().nonzero()[0]
        beyond = (fills.level.take(first) > 0).nonzero()[0]
        lots, first = np.add.reduceat(fills.lots, first).take(beyond), first.take(beyond)
        order = fills.order.take(first)
        return Deeper(self.ts_ns.take(order), self.side.take(order), fills.price_ticks.take(first), lots)

    def lots_at_best(self) -> Column:
        """What each order took at the best price."""
        return np.add.reduceat(self.fills.lots * (self.fills.level == 0), self.first)

    def lots(self) -> Column:
        """All that each order took."""
        return np.add.reduceat(self.fills.lots, self.first)


class Matching:
    """Turns orders into fills."""

    _COUNT_BY_SIZE, _COUNT_SKEW = (
        fixed_point(0.65),
        fixed_point(1.2),
    )  # how the makers of an order grow with it, and scatter
    _SIZE_SKEW = fixed_point(1.0)
    _ROUND_SHARE = fixed_point(0.3)

    def __init__(self, manifest: SimulationManifest, instrument: Instrument) -> None:
        self._min_lots, self._max_lots = manifest.min_lots(instrument), manifest.max_lots(instrument)

    def draw(
        self, draws: Stream, plan: MinutePlan, clock: Clock, orders: Orders, steps: Steps
    ) -> tuple[Executions, Steps]:
        """The executions, and the steps of the touch with those added that they need."""
        if not plan.n_orders:
            nothing = np.zeros(0, np.int64)
            return Executions(nothing, nothing, nothing, Fills(*[nothing] * 4)), steps
        levels, best, reach, sweeps = self._levels(plan, orders, TouchPath.of(plan, steps))
        weight = exp_q16(
            (orders.log_size_q16 * self._COUNT_BY_SIZE >> 16)
            + (draws.normal_q16(plan.n_orders) * self._COUNT_SKEW >> 16),
            256,
        )
        weight += 1
        weight[[orders.row_of[Role.BUY_FREE], orders.row_of[Role.SELL_FREE]]] = 0
        makers = levels + share(plan.n_prints - plan.n_agg, weight)
        first, each, side = exclusive(makers), makers.repeat(makers), orders.side.repeat(makers)
        level = (rows(plan.n_prints) - first.repeat(makers)) * levels.repeat(makers) // each
        beyond = level * reach.repeat(makers) // np.maximum(levels - 1, 1).repeat(makers)
        price, lots = best.repeat(makers) + side * beyond, np.zeros(plan.n_prints, np.int64)
        skew = draws.normal_q16(plan.n_prints) * self._SIZE_SKEW >> 16
        size = exp_q16(orders.log_size_q16.repeat(makers) + skew, 1 << 10) // each

        ts_ns = orders.ts_ns.copy()
        for taker, roles in _ENDS.items():
            ends = [orders.row_of[role] for role in roles]
            mine = (side == taker).nonzero()[0]
            low, high, free = mine.searchsorted(first.take(ends)).tolist()
            settled, step = self._settle(
                draws, plan, taker, (low, high, free), price.take(mine), size.take(mine)
            )
            lots[mine] = settled.lots
            price[mine[free]] += settled.free_offset
            slot_ns = clock.slot(settled.grid_point, roles[-1], int(draws.uniform_q16(1)[0]))
            at_ns = in_lane(np.array([slot_ns]), ORDER_LANE)
            ts_ns[ends[-1]] = at_ns[0]
            if step:
                out, back = (in_lane(at_ns + d, QUOTE_LANE) for d in (-ALONE_NS, ALONE_NS))
                sweeps.append(there_and_back(out, back, np.array([step])))

        # Orders have their times now; each takes its fills along.
        ts_ns, in_time = ordered(ts_ns)
        makers = makers.take(in_time)
        starts = exclusive(makers)
        fill = rows(plan.n_prints) + (first.take(in_time) - starts).repeat(makers)
        fills = Fills(group_of(makers), price.take(fill), level.take(fill), lots.take(fill))
        return Executions(ts_ns, orders.side.take(in_time), starts, fills), Steps.join(steps, *sweeps)

    def _levels(
        self, plan: MinutePlan, orders: Orders, path: TouchPath
    ) -> tuple[Column, Column, Column, list[Steps]]:
        """How many levels each order takes, the best price it finds, how many ticks beyond it the last one lies, and
        the steps of sweeps that refill at once.
        """
        buy, bids = orders.side == Side.BUY, plan.bid_ticks
        bid, ask = path.at(np.maximum(orders.ts_ns - 1, -1))
        bid_after, ask_after = path.at(orders.ts_ns)
        best, reach = np.where(buy, ask, bid), np.abs(np.where(buy, ask_after - ask, bid_after - bid))
        for role, price in (
            (Role.BUY_FREE, bids.min() + plan.spread_ticks),
            (Role.SELL_FREE, bids.min()),
        ):
            best[orders.row_of[role]], reach[orders.row_of[role]] = price, 0
        # Levels beyond the first fall to the orders that move the price; those these cannot take, to a sweep from
        # either end of the range.
        beyond = plan.n_agg - plan.n_orders
        taken = min(beyond, int(reach.sum()))
        levels = np.ones(plan.n_orders, np.int64)
        if taken:
            levels += share(taken, reach)
        sweeps = []
        for role, size in (
            (Role.SELL_HIGH, (beyond - taken + 1) // 2),
            (Role.BUY_LOW, (beyond - taken) // 2),
        ):
            if size:
                i = orders.row_of[role]
                levels[i], reach[i] = 1 + size, size
                at_ns, away = orders.ts_ns[i : i + 1], orders.side[i : i + 1] * size
                sweeps.append(there_and_back(at_ns, in_lane(at_ns + ALONE_NS, QUOTE_LANE), away))
        return levels, best, reach, sweeps

    def _settle(
        self,
        draws: Stream,
        plan: MinutePlan,
        side: Side,
        ends: tuple[int, int, int],
        price: Column,
        size: Column,
    ) -> tuple[Settlement, int]:
        """What one side's fills get, given the fills of its `_ENDS`, and how far the touch must step back for the free
        one.
        """
        lowest_bid = int(plan.bid_ticks.min())
        grid = plan.bid_ticks - lowest_bid
        if side == Side.BUY:
            lowest, lots, units = lowest_bid + plan.spread_ticks, plan.buy_lots, plan.buy_quote_units
        else:
            lowest, lots, units = lowest_bid, plan.sell_lots, plan.sell_quote_units
        rounded = draws.chance(len(price), self._ROUND_SHARE)
        prints = SidePrints(side, price - lowest, size, rounded, *ends, span=int(grid.max()))
        settled = settle(prints, lots, units - lowest * lots, (self._min_lots, self._max_lots), grid)
        return settled, settled.free_offset - int(grid[settled.grid_point])

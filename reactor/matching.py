"""What market orders do: how many levels and makers each takes, at which prices, and how much.

The minute's counts, extremes, volumes and quote volumes are met exactly; chance only says who gets which share.
"""

from __future__ import annotations

import numpy as np

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
from reactor.fixed import begins, exclusive, exp_q16, fixed_point, group_of, share, stable_order
from reactor.manifest import SimulationManifest
from reactor.rng import Stream
from reactor.settlement import SidePrints, settle
from reactor.skeleton import MinutePlan
from reactor.types import Column, Instrument, Side
from reactor.values import dataclass

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

    def take(self, rows: Column) -> Fills:
        return Fills(self.order[rows], self.price_ticks[rows], self.level[rows], self.lots[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Executions:
    """The minute's market orders in time order and their fills."""

    ts_ns: Column
    side: Column
    fills: Fills

    def first_fill_of_levels(self) -> Column:
        """Where each (order, price) pair begins among the fills."""
        fills = self.fills
        return np.flatnonzero(begins(fills.order, fills.level))

    def lots_at_best(self) -> Column:
        """What each order took at the best price."""
        return self._by_order(np.where(self.fills.level == 0, self.fills.lots, 0))

    def lots(self) -> Column:
        """All that each order took."""
        return self._by_order(self.fills.lots)

    def _by_order(self, lots: Column) -> Column:
        if not len(lots):
            return lots
        total: Column = np.add.reduceat(lots, np.flatnonzero(begins(self.fills.order)))
        return total


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
            return Executions(nothing, nothing, Fills(*[nothing] * 4)), steps
        levels, best, reach, sweeps = self._levels(plan, orders, TouchPath.of(plan, steps))
        weight = exp_q16(
            (orders.log_size_q16 * self._COUNT_BY_SIZE >> 16)
            + (draws.normal_q16(plan.n_orders) * self._COUNT_SKEW >> 16),
            256,
        )
        weight += 1
        weight[[orders.at(Role.BUY_FREE), orders.at(Role.SELL_FREE)]] = 0
        makers = levels + share(plan.n_prints - plan.n_agg, weight)
        of = group_of(makers)
        level = (np.arange(plan.n_prints) - exclusive(makers)[of]) * levels[of] // makers[of]
        price = best[of] + orders.side[of] * (level * reach[of] // np.maximum(levels[of] - 1, 1))
        skew = draws.normal_q16(plan.n_prints) * self._SIZE_SKEW >> 16
        size = exp_q16(orders.log_size_q16[of] + skew, 1 << 10) // makers[of]

        fills = Fills(of, price, level, np.zeros(plan.n_prints, np.int64))
        ts_ns = orders.ts_ns.copy()
        for side in (Side.BUY, Side.SELL):
            i, at_ns, away = self._settle(draws, plan, clock, orders, fills, size, side)
            ts_ns[i] = at_ns[0]
            if away:
                out, back = (in_lane(at_ns + d, QUOTE_LANE) for d in (-ALONE_NS, ALONE_NS))
                sweeps.append(there_and_back(out, back, np.array([away])))

        in_time = stable_order(ts_ns)
        rank = np.empty_like(in_time)
        rank[in_time] = np.arange(plan.n_orders)
        fills = Fills(rank[of], fills.price_ticks, fills.level, fills.lots)
        return (
            Executions(ts_ns[in_time], orders.side[in_time], fills.take(stable_order(fills.order))),
            Steps.join(steps, *sweeps),
        )

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
            best[orders.at(role)], reach[orders.at(role)] = price, 0
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
                i = orders.at(role)
                levels[i], reach[i] = 1 + size, size
                at_ns, away = orders.ts_ns[i : i + 1], orders.side[i : i + 1] * size
                sweeps.append(there_and_back(at_ns, in_lane(at_ns + ALONE_NS, QUOTE_LANE), away))
        return levels, best, reach, sweeps

    def _settle(
        self,
        draws: Stream,
        plan: MinutePlan,
        clock: Clock,
        orders: Orders,
        fills: Fills,
        size: Column,
        side: Side,
    ) -> tuple[int, Column, int]:
        """Give one side's fills their lots, in place, and its free order a price: the order's row, its instant, and
        how far the touch must step back for it.
        """
        low_role, high_role, free_role = _ENDS[side]
        grid = plan.bid_ticks - plan.bid_ticks.min()
        lowest = int(plan.bid_ticks.min()) + (plan.spread_ticks if side == Side.BUY else 0)
        lots = plan.buy_lots if side == Side.BUY else plan.sell_lots
        units = plan.buy_quote_units if side == Side.BUY else plan.sell_quote_units
        mine = np.flatnonzero(orders.side[fills.order] == side)
        low, high, free = (
            int(np.searchsorted(mine, np.searchsorted(fills.order, orders.at(role))))
            for role in (low_role, high_role, free_role)
        )
        prints = SidePrints(
            side=side,
            offsets=fills.price_ticks[mine] - lowest,
            weights=size[mine],
            rounded=draws.chance(len(mine), self._ROUND_SHARE),
            low=low,
            high=high,
            free=free,
            span=int(grid.max()),
        )
        settled = settle(prints, lots, units - lowest * lots, (self._min_lots, self._max_lots), grid)
        fills.lots[mine] = settled.lots
        fills.price_ticks[mine[free]] += settled.free_offset
        at_ns = np.array([clock.slot(settled.grid_point, free_role, int(draws.uniform_q16(1)[0]))])
        away = settled.free_offset - int(grid[settled.grid_point])
        return orders.at(free_role), in_lane(at_ns, ORDER_LANE), away

"""The pieces a minute is made of: its clock, its market orders, and the moves of the price.

Price comes first and flow is conditional on it: the best bid is pinned to the skeleton's 1 s grid, orders lean the
way the price goes, and queues lean towards the next move. Every piece is a pure function of its stream and the
minute's plan; all times are nanoseconds from the start of the block, all arithmetic is on integers.

Sources of the mechanisms: metaorders with power-law lengths make signs of long memory (Lillo, Mike & Farmer 2005);
predictable orders move the price less (Bouchaud et al. 2004); the queue imbalance foretells the next move (Stoikov
2018).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import IntEnum

import numpy as np

from reactor.fixed import (
    ONE,
    apportion,
    bounded,
    ends,
    exclusive,
    exp_of_q16,
    exp_q16,
    fixed_point,
    group_of,
    increments,
    isqrt,
    lengths,
    logistic_q16,
    ordered,
    pareto_q16,
    quotient,
    rows,
)
from reactor.manifest import SimulationManifest
from reactor.rng import Stream
from reactor.skeleton import MinutePlan
from reactor.types import BLOCK_NS, MS_NS, SECOND_NS, TICK_NS, Column, Instrument, Side
from reactor.values import dataclass

_CELL_NS = 250 * MS_NS
_CELLS, _CELL_TICKS = BLOCK_NS // _CELL_NS, _CELL_NS // TICK_NS
_CASCADE = ((1, 5), (4, 5), (16, 5), (64, 6), (120, 4))  # cells that share a value, its weight in fifths
_SPELL_CELLS = (2, 10, 80)
_SPELL = 47_186  # 0.72 in Q16, the weight of each
_CALM = 13_107  # 0.2 in Q16: activity of a second in which the price stands still
_MEDIAN_EXPONENTIAL = 45_426  # log 2 in Q16


# Kinds of event keep to instants of their own, by the residue modulo 4 ns: so nothing comes between an order (1) and
# the instant before it (0), when the queue it meets is set.
ORDER_LANE, MOVE_LANE, QUOTE_LANE = 1, 2, 3


def in_lane(ts_ns: Column, lane: int) -> Column:
    """Times moved into a lane, by less than 4 ns."""
    return (ts_ns & ~3) | lane


class Role(IntEnum):
    """The orders that make a bar exact, in the order in which they may share a pause. All others are ORDINARY."""

    ORDINARY = -1
    OPEN = 0
    BUY_HIGH = 1
    BUY_LOW = 2
    BUY_FREE = 3
    SELL_HIGH = 4
    SELL_LOW = 5
    SELL_FREE = 6
    CLOSE = 7


ROLES = len(Role) - 1
_LEAST_PAUSE_NS, _LONGEST_PAUSE_NS = 2 * MS_NS, 450 * MS_NS
ALONE_NS = _LEAST_PAUSE_NS // (4 * (ROLES + 2))


# ---------------------------------------------------------------- time
@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """When things happen: more often where the minute is busy, and nothing that moves the price in the pauses.

    A pause lies before every whole second, and one at the start of the block: there the best bid stands at its grid
    point, so that the orders which make the bar exact find the price they need.
    """

    edges: Column  # running intensity at the cells' edges ...
    widths: Column  # ... and between them
    pace_q16: Column  # by cell: how active it is meant to be, over the minute's average; not 1 where there is a burst
    log_heat_q16: Column  # by cell
    log_spell_q16: Column  # by cell: when moves and large orders come in numbers
    trend_q16: Column  # by second: the grid's change over the minute's typical one, within +-3
    head_ns: int  # the pause at the start
    tail_ns: Column  # the pauses at the end of each second
    open_ns: Column  # by second: where the part of it begins that is no pause ...
    room_ns: Column  # ... and how long that is

    def draw(self, draws: Stream, n: int) -> Column:
        """n instants of the minute, ascending."""
        cell, offset, width = self._draw(draws, n)
        return cell * _CELL_NS + offset * _CELL_NS // width

    def ticks(self, draws: Stream, n: int) -> Column:
        """The ticks of n instants, as `draw` has them, at a part of its cost."""
        cell, offset, width = self._draw(draws, n)
        return cell * _CELL_TICKS + quotient(offset * _CELL_TICKS, width)

    def _draw(self, draws: Stream, n: int) -> tuple[Column, Column, Column]:
        """n instants, ascending: the cell of each, and where in the width of its cell's intensity it falls."""
        place = np.sort(draws.words(n, 32)).astype(np.int64)
        place *= int(self.edges[-1]) >> 4
        place >>= 28
        members = increments(place.searchsorted(self.edges[1:]), 0)
        place -= self.edges[:-1].repeat(members)
        return group_of(members), place, self.widths.repeat(members)

    def outside_pauses(self, ts_ns: Column) -> Column:
        """Instants squeezed into the part of their second that is no pause."""
        second = ts_ns // SECOND_NS
        inside = (ts_ns - second * SECOND_NS) * self.room_ns.take(second)
        inside //= SECOND_NS
        inside += self.open_ns.take(second)
        return inside

    def pause_of(self, ts_ns: Column) -> Column:
        """Where the pause begins that follows an instant."""
        return (self.open_ns + self.room_ns).take(ts_ns // SECOND_NS)

    def slot(self, grid_point: int, role: Role, jitter_q16: int) -> int:
        """When the order of a role happens in the pause at a grid point: every role has 2 * ALONE_NS to itself."""
        length = int(self.tail_ns[grid_point - 1]) if grid_point else self.head_ns
        start = grid_point * SECOND_NS - length if grid_point else 0
        part = length // (ROLES + 2)
        return start + part * (role + 1) + (part * jitter_q16 >> 17)

    def at(self, by_cell: Column, ts_ns: Column) -> Column:
        """The value of the cell of each instant; of the first one before the minute."""
        value: Column = by_cell.take(ts_ns // _CELL_NS, mode="clip")
        return value


class Rhythm:
    """Makes the clock of a minute."""

    def __init__(self, manifest: SimulationManifest) -> None:
        self._weight = fixed_point(manifest.activity_burstiness)

    def clock(self, draws: Stream, plan: MinutePlan) -> Clock:
        heat, spell = np.zeros((2, _CELLS), np.int64)
        for width, share in _CASCADE:
            heat += _cells(draws.normal_q16(_CELLS // width + 1) * (self._weight * share // 5) >> 16, width)
        for width in _SPELL_CELLS:
            spell += _cells(draws.normal_q16(_CELLS // width + 1) * _SPELL >> 16, width)
        heat -= int(heat.sum()) // _CELLS
        spell -= len(_SPELL_CELLS) * _SPELL * _SPELL >> 17  # so that the mean of its exponential is 1
        change = bounded(np.diff(plan.bid_ticks), -(1 << 17), 1 << 17)
        typical_q8 = max(math.isqrt((int((change * change).sum()) << 16) // 60), 1)
        trend = bounded((change << 24) // typical_q8, -3 * ONE, 3 * ONE)
        # Where the price moves much, much is done.
        pace = (_CALM + ((ONE - _CALM) * np.abs(trend) >> 16)).repeat(SECOND_NS // _CELL_NS)
        intensity = exp_q16(bounded(heat, -6 * ONE, 4 * ONE)) * pace >> 16
        burst = _pace(plan)
        intensity = np.maximum(np.maximum(intensity, 16) * burst >> 16, 1)
        edges = np.concatenate(((0,), intensity.cumsum()))
        # Pauses are short where orders are many, so that the orders placed in them do not stand out.
        mean_ns = 2 * MS_NS + 6_000 * MS_NS // (plan.n_orders + 8)
        pauses = _LEAST_PAUSE_NS + (draws.exponential_q16(61) * mean_ns >> 16)
        pauses = np.minimum(pauses, _LONGEST_PAUSE_NS)
        head_ns, tail_ns = int(pauses[60]), pauses[:60]
        open_ns = np.arange(60) * SECOND_NS
        room_ns = SECOND_NS - tail_ns
        open_ns[0] += head_ns
        room_ns[0] -= head_ns
        return Clock(edges, intensity, burst, heat, spell, trend, head_ns, tail_ns, open_ns, room_ns)


def _cells(values: Column, width: int) -> Column:
    """Each value for so many cells."""
    return values.repeat(width)[:_CELLS]


def _pace(plan: MinutePlan) -> Column:
    """How active each cell is meant to be, over the minute's average."""
    if not plan.burst:
        return np.full(_CELLS, ONE)
    begin = np.arange(_CELLS) * _CELL_NS
    inside = np.minimum(begin + _CELL_NS, plan.burst.end_ns) - np.maximum(begin, plan.burst.start_ns)
    times = ONE + np.maximum(inside, 0) * (plan.burst.times_q16 - ONE) // _CELL_NS
    pace: Column = np.maximum(times * _CELLS * ONE // int(times.sum()), 1)
    return pace


# ---------------------------------------------------------------- market orders
@dataclass(frozen=True, slots=True, eq=False)
class Orders:
    """A minute's market orders in time order, but the two free ones (BUY_FREE, SELL_FREE) last, at time -1: when they
    happen follows from the sizes.
    """

    ts_ns: Column
    side: Column
    log_size_q16: Column  # over the median order; LEAST for one of the least size
    ordinary: Column  # the rows of those without a role, ascending
    row_of: Mapping[Role, int]  # and of those with one


LEAST = -12 * ONE


RACE_NS = 1_000_000  # median time by which an order of a race follows the one before it


class OrderFlow:
    """Metaorders cut into market orders, and the few orders that make the bar exact."""

    _GAP_TAIL = fixed_point(1 / 0.75)  # gaps within a metaorder have this tail index
    _RACE_SHARE = fixed_point(0.25)  # but so many of them are races: the next order comes at once
    _RACE_SIGMA = fixed_point(0.8)

    def __init__(self, manifest: SimulationManifest) -> None:
        self._length_tail = fixed_point(1 / manifest.metaorder_alpha)
        self._gap_ns = round(manifest.metaorder_gap_ms * MS_NS)
        self._lean = fixed_point(manifest.flow_lean)
        self._size_lean = fixed_point(manifest.trade_size_lean)
        self._sigma, self._tail = (
            fixed_point(manifest.trade_size_sigma),
            fixed_point(1 / manifest.trade_size_alpha),
        )
        self._least_share = fixed_point(manifest.min_size_share)

    def draw(self, draws: Stream, plan: MinutePlan, clock: Clock) -> Orders:
        """Exactly plan.n_orders orders."""
        if not plan.n_orders:
            nothing = np.zeros(0, np.int64)
            return Orders(nothing, nothing, nothing, nothing, {})
        ts_ns, side = self._ordinary(draws, plan, clock, plan.n_orders - ROLES)
        fixed_ns, fixed_side, fixed_roles = self._fixed(draws, plan, clock)
        ordinary = len(ts_ns)
        ts_ns, order = ordered(np.concatenate((ts_ns, fixed_ns)))
        side = np.concatenate((side, fixed_side)).take(order)
        place = rows(len(order))
        lane = np.maximum.accumulate((ts_ns >> 2) - place) + place
        ts_ns = np.concatenate((lane << 2 | ORDER_LANE, (-1, -1)))
        side = np.concatenate((side, (Side.BUY, Side.SELL)))
        row_of = {Role.BUY_FREE: len(order), Role.SELL_FREE: len(order) + 1}
        for row in (order >= ordinary).nonzero()[0].tolist():
            row_of[fixed_roles[int(order[row]) - ordinary]] = row
        sizes = self._sizes(draws, clock, ts_ns, side)
        return Orders(ts_ns, side, sizes, (order < ordinary).nonzero()[0], row_of)

    def _ordinary(self, draws: Stream, plan: MinutePlan, clock: Clock, n: int) -> tuple[Column, Column]:
        length = pareto_q16(draws.exponential_q16(n), self._length_tail)
        ends = np.minimum(-(-length >> 16), 300).cumsum()
        length = increments(np.minimum(ends[: int(ends.searchsorted(n)) + 1], n), 0)
        first = exclusive(length)
        # Signs lean the way the price goes in the second the metaorder starts, and the way the minute's volume does.
        starts = clock.draw(draws, len(length))
        buyers = 2 * (plan.buy_lots * ONE // max(plan.buy_lots + plan.sell_lots, 1) - ONE // 2)
        chance = logistic_q16(buyers + (clock.trend_q16.take(starts // SECOND_NS) * self._lean >> 16))
        side = np.where(draws.chance(len(length), chance), Side.BUY, Side.SELL)
        gap = pareto_q16(np.minimum(draws.exponential_q16(n), 8 * ONE), self._GAP_TAIL)
        gap = (gap >> 8) * self._gap_ns >> 8
        gap = np.minimum(gap, 8 * SECOND_NS) * ONE // max(plan.activity_q16, ONE // 16)
        gap = gap * ONE // clock.at(clock.pace_q16, starts).repeat(length)
        race = exp_q16(draws.normal_q16(n) * self._RACE_SIGMA >> 16, RACE_NS)
        gap = np.where(draws.chance(n, self._RACE_SHARE), race, gap)
        gap[first] = 0
        elapsed = gap.cumsum()
        ts_ns = ((starts - elapsed.take(first)).repeat(length) + elapsed) % BLOCK_NS
        return clock.outside_pauses(ts_ns), side.repeat(length)

    def _fixed(
        self, draws: Stream, plan: MinutePlan, clock: Clock
    ) -> tuple[list[int], list[Side], list[Role]]:
        bids, jitter = plan.bid_ticks, draws.uniform_q16(12).tolist()
        low, high = ((bids == edge).nonzero()[0] for edge in (bids.min(), bids.max()))
        places = (
            (Role.OPEN, plan.open_side, (0,)),
            (Role.BUY_HIGH, Side.BUY, high),
            (Role.BUY_LOW, Side.BUY, low),
            (Role.SELL_HIGH, Side.SELL, high),
            (Role.SELL_LOW, Side.SELL, low),
            (Role.CLOSE, plan.close_side, (60,)),
        )
        times = [
            clock.slot(int(points[jitter[i] * len(points) >> 16]), role, jitter[6 + i])
            for i, (role, _, points) in enumerate(places)
        ]
        return times, [side for _, side, _ in places], [role for role, _, _ in places]

    def _sizes(self, draws: Stream, clock: Clock, ts_ns: Column, side: Column) -> Column:
        n = len(ts_ns)
        size = draws.normal_q16(n) * self._sigma >> 16
        size += (draws.exponential_q16(n) - _MEDIAN_EXPONENTIAL) * self._tail >> 16
        size += clock.at(clock.log_spell_q16, ts_ns) * 3 >> 3
        size += clock.trend_q16.take(ts_ns // SECOND_NS, mode="clip") * side * self._size_lean >> 16
        return np.where(draws.chance(n, self._least_share), LEAST, bounded(size, -8 * ONE, 11 * ONE))


# ---------------------------------------------------------------- the price
@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Changes of the best prices, in any order."""

    ts_ns: Column
    bid: Column
    ask: Column

    @classmethod
    def join(cls, *parts: Steps) -> Steps:
        return cls(
            np.concatenate([p.ts_ns for p in parts]),
            np.concatenate([p.bid for p in parts]),
            np.concatenate([p.ask for p in parts]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class TouchPath:
    """The best prices as step functions: `bid[i]` and `ask[i]` hold from `ts_ns[i]` on. Row 0 is the start of the
    block, at time -1.
    """

    ts_ns: Column
    bid_ticks: Column
    ask_ticks: Column

    @classmethod
    def of(cls, plan: MinutePlan, steps: Steps) -> TouchPath:
        """The path that makes these steps, held within the bar's bounds.

        Where every move shifts the retreating side first, bid <= p <= ask - spread for the path p of finished moves;
        p lies within the bounds, and so holding the sides within them never brings them closer than the spread.
        """
        ts_ns, order = ordered(steps.ts_ns)
        bid = int(plan.bid_ticks[0])
        bids = np.concatenate(((bid,), steps.bid.take(order))).cumsum()
        asks = np.concatenate(((bid + plan.spread_ticks,), steps.ask.take(order))).cumsum()
        lowest, highest = int(plan.bid_ticks.min()), int(plan.bid_ticks.max()) + plan.spread_ticks
        return cls(np.concatenate(((-1,), ts_ns)), np.maximum(bids, lowest), np.minimum(asks, highest))

    def at(self, ts_ns: Column) -> tuple[Column, Column]:
        """Bid and ask at these instants, what happens at the instant included."""
        row = self.ts_ns.searchsorted(ts_ns, side="right") - 1
        return self.bid_ticks.take(row), self.ask_ticks.take(row)

    def along(self, ts_ns: Column) -> tuple[Column, Column]:
        """The same at ascending instants, from -1 on, at a part of the cost of looking each of them up."""
        held = lengths(ts_ns.searchsorted(self.ts_ns), len(ts_ns))
        return self.bid_ticks.repeat(held), self.ask_ticks.repeat(held)


_RECENT = 25  # orders
_WITH_FLOW = fixed_point(0.65)


class PricePath:
    """Moves of the price at market orders and between them, pinned to the 1 s grid."""

    _RACED = 5  # how much likelier an order moves the price that others race after
    _SURPRISE = fixed_point(0.5)  # how much less a predictable order moves the price
    _IMPACT = fixed_point(0.34)  # exponent of a move in the size of its order
    _SIZE_TO_CHANCE = fixed_point(0.22)  # exponent of the chance of a move in the same
    _HEAT = fixed_point(0.45)  # exponent of a move in the activity
    _SIZE_BY_VOLATILITY = fixed_point(0.7)  # in wild minutes moves are larger, ...
    _CHANCE_BY_VOLATILITY = fixed_point(-0.25)  # ... and more, but less than the orders are
    _FAR = fixed_point(0.3)  # and in how far the price goes in their second
    _FOLLOW_SIGMA = fixed_point(1.2)
    _SUBSTEP_NS = 25 * MS_NS

    def __init__(self, manifest: SimulationManifest, instrument: Instrument) -> None:
        self._move_share = fixed_point(manifest.adverse_selection_strength)
        self._requotes = fixed_point(manifest.requote_intensity * 60)
        self._size_q8 = manifest.ticks(manifest.move_size_bp * 256, instrument)
        self._sigma = fixed_point(manifest.move_size_sigma)
        self._joint = fixed_point(manifest.joint_move_share)
        self._follow_ns = max(1, round(manifest.follow_ms * MS_NS))
        # Moves grow with it themselves.
        self._by_volatility = fixed_point(manifest.spread_vol_sensitivity) - self._SIZE_BY_VOLATILITY
        self._by_toxicity = fixed_point(manifest.spread_toxicity_sensitivity)
        self._flickers = fixed_point(manifest.flicker_intensity * 60)
        self._flicker_ns = max(1, round(manifest.flicker_ms * MS_NS))

    def draw(self, draws: Stream, plan: MinutePlan, clock: Clock, orders: Orders) -> Steps:
        """Steps that lead through every grid point, with no step inside a pause."""
        first, low, high = (
            int(tick) for tick in (plan.bid_ticks[0], plan.bid_ticks.min(), plan.bid_ticks.max())
        )
        if low == high:
            nothing = np.zeros(0, np.int64)
            return Steps(nothing, nothing, nothing)
        ts_ns, size_q8 = self._wishes(draws, plan, clock, orders)
        ts_ns, order = ordered(ts_ns)
        change = _pinned(ts_ns // SECOND_NS, size_q8.take(order), np.diff(plan.bid_ticks))
        ts_ns, change = self._in_substeps(draws, plan, clock, ts_ns, change)
        change = increments(bounded(first + change.cumsum(), low, high), first)
        moves = change.nonzero()[0]
        return Steps.join(
            self._two_sided(draws, plan, clock, orders, ts_ns.take(moves), change.take(moves)),
            self._flicker(draws, plan, clock),
        )

    def _wishes(self, draws: Stream, plan: MinutePlan, clock: Clock, orders: Orders) -> tuple[Column, Column]:
        """Times and signed sizes (Q8 ticks, before pinning) of moves: some orders', and some between them."""
        when, side = orders.ts_ns.take(orders.ordinary), orders.side.take(orders.ordinary)
        log_size = orders.log_size_q16.take(orders.ordinary)
        flow = np.concatenate((np.zeros(_RECENT + 1, np.int64), side.cumsum()))
        expected = bounded((flow[_RECENT:-1] - flow[: -_RECENT - 1]) * ONE // 18, -ONE, ONE)
        chance = exp_q16(
            clock.at(clock.log_spell_q16, when)
            + (bounded(log_size, -4 * ONE, 6 * ONE) * self._SIZE_TO_CHANCE >> 16),
            _scaled(self._move_share, self._CHANCE_BY_VOLATILITY, plan),
        )
        chance = chance * (ONE - (self._SURPRISE * expected * side >> 16)) >> 16
        raced = (lengths(when, BLOCK_NS) < 4 * RACE_NS) & ~ends(side)
        chance = np.minimum(np.where(raced, self._RACED * chance, chance), ONE - 2048)
        hit = draws.chance(len(when), chance).nonzero()[0]

        requotes = _scaled(self._requotes, self._CHANCE_BY_VOLATILITY, plan)
        count = draws.count(requotes * plan.activity_q16 >> 16)
        free_ns = clock.outside_pauses(clock.draw(draws, count))
        before = np.concatenate(((1,), side)).take(when.searchsorted(free_ns))
        free_side = np.where(draws.chance(count, _WITH_FLOW), before, -before)
        # One move in every second whose grid points differ, so that there is something to pin.
        change = np.diff(plan.bid_ticks)
        needed = change.nonzero()[0]
        needed_ns = clock.outside_pauses(
            needed * SECOND_NS + (draws.uniform_q32(len(needed)) * SECOND_NS >> 32)
        )
        move_ns = in_lane(np.concatenate((free_ns, needed_ns)), MOVE_LANE)

        ts_ns = np.concatenate((when.take(hit), move_ns))
        sign = np.concatenate((side.take(hit), free_side, np.sign(change.take(needed))))
        log_q16 = clock.at(clock.log_heat_q16, ts_ns) * self._HEAT >> 16
        log_q16 += np.abs(clock.trend_q16.take(ts_ns // SECOND_NS)) * self._FAR >> 16
        log_q16 -= self._FAR * 2 // 3
        log_q16 += np.minimum(draws.normal_q16(len(ts_ns)), 5 * ONE // 2) * self._sigma >> 16
        log_q16[: len(hit)] += np.maximum(log_size.take(hit), 0) * self._IMPACT >> 16
        scale = min(max(self._typical_q8(plan), 1), 1 << 20)
        return ts_ns, sign * bounded(exp_q16(log_q16, scale), 1, 1 << 24)

    def _typical_q8(self, plan: MinutePlan) -> int:
        """The median size of a move, Q8 ticks."""
        return _scaled(self._size_q8, self._SIZE_BY_VOLATILITY, plan)

    def _in_substeps(
        self, draws: Stream, plan: MinutePlan, clock: Clock, ts_ns: Column, change: Column
    ) -> tuple[Column, Column]:
        """Large moves are made in up to six steps, the first at the move's own instant."""
        large = max(6 * self._typical_q8(plan) >> 8, 1)
        steps = bounded(np.abs(change) // large, 1, 6)
        nth, part = _in_parts(change, steps)
        later = draws.exponential_q16(len(nth)) * self._SUBSTEP_NS >> 16
        first_ns = ts_ns.repeat(steps)
        then = np.where(nth == 1, first_ns, _until(first_ns + later, first_ns, clock, MOVE_LANE))
        then, order = ordered(then)
        return then, part.take(order)

    def _two_sided(
        self,
        draws: Stream,
        plan: MinutePlan,
        clock: Clock,
        orders: Orders,
        ts_ns: Column,
        change: Column,
    ) -> Steps:
        """The retreating side moves at once; the other follows a little later, in one to four steps."""
        n = len(ts_ns)
        joint, up = draws.chance(n, self._joint), change > 0
        bid, ask = np.where(joint | ~up, change, 0), np.where(joint | up, change, 0)
        alone = (~joint).nonzero()[0]
        alone_ns, total = ts_ns.take(alone), change.take(alone)
        first, second, third = draws.chance(3 * len(alone), ONE // 2).reshape(3, -1)
        second &= first
        third &= second
        steps = 1 + first + second + third
        wait = draws.normal_q16(len(alone)) * self._FOLLOW_SIGMA
        wait += self._by_volatility * plan.log_volatility_q16
        wait += self._by_toxicity * _one_sided(orders, alone_ns)
        delay = exp_q16(bounded(wait >> 16, -12 * ONE, 12 * ONE), self._follow_ns)
        # The farther a side went, the longer it stays alone.
        far = np.minimum((np.abs(total) << 24) // max(self._typical_q8(plan), 1), 64 * ONE)
        delay = (delay >> 4) * (isqrt(far << 16) >> 4) >> 8
        nth, part = _in_parts(total, steps)
        lead = alone_ns.repeat(steps)
        then = _until(lead + delay.repeat(steps) * nth // steps.repeat(steps), lead, clock, QUOTE_LANE)
        rises = (total > 0).repeat(steps)
        follows = Steps(then, np.where(rises, part, 0), np.where(rises, 0, part))
        return Steps.join(Steps(ts_ns, bid, ask), follows)

    def _flicker(self, draws: Stream, plan: MinutePlan, clock: Clock) -> Steps:
        """One side steps back for a moment and returns."""
        n = draws.count(self._flickers * plan.activity_q16 >> 16)
        out = in_lane(clock.outside_pauses(clock.draw(draws, n)), MOVE_LANE)
        back = _until(out + exp_q16(draws.normal_q16(n), self._flicker_ns), out, clock, QUOTE_LANE)
        size = 1 + (draws.exponential_q16(n) * self._size_q8 >> 24)
        return there_and_back(out, back, np.where(draws.chance(n, ONE // 2), Side.BUY, Side.SELL) * size)


def _scaled(value: int, exponent_q16: int, plan: MinutePlan) -> int:
    """A value times a power of the minute's volatility."""
    return value * exp_of_q16(exponent_q16 * plan.log_volatility_q16 >> 16) >> 16


def _one_sided(orders: Orders, ts_ns: Column) -> Column:
    """How one-sided the orders were before each instant: |buys - sells| of the latest ones over their number, Q16."""
    flow = np.concatenate((np.zeros(_RECENT + 1, np.int64), orders.side.take(orders.ordinary).cumsum()))
    last = orders.ts_ns.take(orders.ordinary).searchsorted(ts_ns) + _RECENT
    lean: Column = np.abs(flow.take(last) - flow.take(last - _RECENT)) * ONE // _RECENT
    return lean


def _in_parts(change: Column, steps: Column) -> tuple[Column, Column]:
    """Each change in so many steps of about the same size: which step of its change each is, from 1, and its size."""
    start = exclusive(steps)
    nth = (1 - start).repeat(steps)
    nth += rows(len(nth))
    done = change.repeat(steps) * nth // steps.repeat(steps)
    part = increments(done, 0)
    part[start] = done.take(start)
    return nth, part


def _until(then_ns: Column, after_ns: Column, clock: Clock, lane: int) -> Column:
    """Later instants held before the pause that follows `after_ns`."""
    return in_lane(np.maximum(np.minimum(then_ns, clock.pause_of(after_ns)), after_ns), lane)


def there_and_back(out_ns: Column, back_ns: Column, size: Column) -> Steps:
    """Steps of one side away from the other and back: of the ask by size > 0, of the bid by size < 0."""
    bid, ask = np.minimum(size, 0), np.maximum(size, 0)
    return Steps(np.concatenate((out_ns, back_ns)), np.concatenate((bid, -bid)), np.concatenate((ask, -ask)))


def _pinned(second: Column, size_q8: Column, change: Column) -> Column:
    """Whole ticks whose sum in second s is change[s], each with the sign of its wish or 0.

    In every second the ups are scaled by a and the downs over a: with up and down the sums of wishes, the ups become
    (change + sqrt(change**2 + 4 * up * down)) / 2. `second` ascends.
    """
    n, falls = len(change), size_q8 < 0
    group, order = ordered(second + n * falls)  # the ups of each second, then the downs of each
    wish, counts = np.abs(size_q8).take(order), np.bincount(group, minlength=2 * n)
    held = counts.nonzero()[0]
    counts = counts.take(held)
    sums = np.zeros(2 * n, np.int64)
    sums[held] = np.add.reduceat(wish, exclusive(counts))
    up, down = np.minimum(sums, 1 << 29).reshape(2, -1)
    ups = (change + isqrt(change * change + (4 * up * down >> 16))) >> 1
    result = np.empty(len(wish), np.int64)
    result[order] = apportion(np.concatenate((ups, ups - change)).take(held), wish, counts)
    return np.where(falls, -result, result)

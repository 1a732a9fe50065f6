"""The touch: when the best quotes change and how much rests there.

A queue leans towards the next move of the price, thins out before it is swept and fills up after; an order takes
from it exactly what it printed. Prices are only read here: the path of the touch is given.
"""

from __future__ import annotations

import numpy as np

from reactor.components import QUOTE_LANE, Clock, TouchPath, in_lane
from reactor.fixed import (
    ONE,
    bounded,
    distinct,
    exp_of_q16,
    exp_q16,
    fixed_point,
    increments,
    lengths,
    logistic_q16,
    quotient,
    rows,
)
from reactor.manifest import SimulationManifest
from reactor.matching import Executions
from reactor.rng import Stream
from reactor.skeleton import MinutePlan
from reactor.types import BLOCK_NS, MS_NS, SECOND_NS, Column, Instrument, Side
from reactor.values import dataclass


@dataclass(frozen=True, slots=True, eq=False)
class Touch:
    """Best prices and their quantities from every event on. Row 0 is the start of the block, at time 0; the other
    times are distinct.
    """

    ts_ns: Column
    bid_ticks: Column
    ask_ticks: Column
    bid_lots: Column
    ask_lots: Column


class Queues:
    """The quantities at the best prices. One side changes at a time, an executed order takes exactly what it took, and
    the last event brings the next keyframe's quantities.
    """

    CLOSE_NS = BLOCK_NS - 8
    _RACE_NS, _RACE_SIGMA = 150_000, fixed_point(2.4)
    _JITTER, _STEP, _THIN = fixed_point(0.06), fixed_point(0.11), fixed_point(0.15)

    def __init__(self, manifest: SimulationManifest, instrument: Instrument) -> None:
        self._rate = fixed_point(manifest.quote_intensity * 60)
        self._per_order, self._per_move = (
            fixed_point(manifest.quotes_per_order),
            fixed_point(manifest.quotes_per_move),
        )
        self._lots = min(manifest.lots(manifest.touch_notional, instrument), (1 << 31) - 1)
        self._sigma = fixed_point(manifest.touch_sigma)
        self._imbalance, self._pull = (
            fixed_point(manifest.imbalance_sigma),
            fixed_point(manifest.imbalance_pull),
        )
        self._fill_ns = max(1, round(manifest.queue_fill_ms * MS_NS))
        self._least = manifest.min_lots(instrument) + 1

    def at_rest(self, draws: Stream) -> tuple[int, int]:
        """Bid and ask quantities of a keyframe."""
        share = int(logistic_q16(draws.normal_q16(1) * self._imbalance >> 16)[0])
        total = exp_of_q16(int(draws.normal_q16(1)[0]) * self._sigma >> 16, self._lots)
        bid, ask = (max(self._least, total * part >> 16) for part in (share, ONE - share))
        return bid, ask

    def draw(
        self,
        draws: Stream,
        plan: MinutePlan,
        clock: Clock,
        executions: Executions,
        path: TouchPath,
        first: tuple[int, int],
        last: tuple[int, int],
    ) -> Touch:
        """The touch through the minute, from the quantities `first` (bid, ask) to `last`."""
        closed = path.ask_ticks[1:] - path.bid_ticks[1:] == plan.spread_ticks
        quotes = self._quote_times(draws, plan, clock, executions.ts_ns, path.ts_ns[1:][closed])
        orders = executions.ts_ns
        ts_ns = distinct(np.concatenate(((0,), path.ts_ns[1:], orders - 1, orders, quotes, (self.CLOSE_NS,))))
        n = len(ts_ns)
        at = ts_ns.searchsorted(orders)
        before = at - 1
        bid, ask = path.along(ts_ns)
        bid_step, ask_step = increments(bid, int(bid[0])), increments(ask, int(ask[0]))

        # A regime lasts from one move to the next.
        moved = (bid_step | ask_step) != 0
        begins = np.concatenate(((0,), moved.nonzero()[0]))
        length = lengths(begins, n)
        nth = (1 - begins).repeat(length)
        nth += rows(n)
        age_q16 = quotient(nth << 16, length.repeat(length))
        next_move = np.concatenate((np.sign((bid_step + ask_step).take(begins[1:])), (0,)))
        noise = draws.normal_q16(n)
        walk = ((noise * np.abs(noise) >> 16) * self._STEP >> 16).cumsum()
        level = draws.normal_q16(len(begins)) * self._imbalance >> 16
        logit = bounded(walk + (level - walk.take(begins)).repeat(length), -7 * ONE // 2, 7 * ONE // 2)
        logit += next_move.repeat(length) * (self._pull * (ONE // 2 + age_q16 * 4 // 5) >> 16)
        log_total = (draws.normal_q16(len(begins)) * self._sigma >> 16).repeat(length)
        log_total += draws.normal_q16(n) * self._JITTER >> 16
        total, share = exp_q16(log_total, self._lots), logistic_q16(logit)

        buy, lots_at_best, lots_taken = (
            executions.side == Side.BUY,
            executions.lots_at_best(),
            executions.lots(),
        )
        unprovoked = ~moved
        unprovoked[at] = unprovoked[before] = False
        coin = draws.chance(n, ONE // 2)
        urge_q16 = age_q16 * age_q16 >> 16
        urge_q16 = urge_q16 * urge_q16 >> 16
        sides = []
        for step, part, maker, mine, ends in (
            (bid_step, share, ~buy, coin, (first[0], last[0])),
            (ask_step, ONE - share, buy, ~coin, (first[1], last[1])),
        ):
            fresh = step.nonzero()[0]
            fresh_ns = np.concatenate(((-SECOND_NS,), ts_ns.take(fresh)))
            since = ts_ns - fresh_ns.repeat(lengths(np.concatenate(((0,), fresh)), n))
            fill = np.minimum(self._THIN + since * ONE // self._fill_ns, ONE)
            lots = (total * part >> 16) * fill >> 16
            lots[fresh] = exp_q16(draws.normal_q16(len(fresh)), 1 << 10) * lots.take(fresh) >> 10
            lots = np.maximum(lots, self._least)
            # The queue that a sweep is about to take thins out first.
            swept = step.take(at) != 0
            hit, kept = (maker & swept).nonzero()[0], (maker & ~swept).nonzero()[0]
            taken, ahead = lots_at_best.take(hit), before.take(hit)
            thinned = np.zeros(len(begins), np.int64)
            thinned[begins.searchsorted(ahead, side="right") - 1] = ONE - np.minimum(
                taken * ONE // lots.take(ahead), ONE
            )
            lots = np.maximum(lots * (ONE - (urge_q16 * thinned.repeat(length) >> 16)) >> 16, self._least)
            lots[ahead] = taken
            lots_taken_here = lots_taken.take(kept)
            rest = np.maximum(lots.take(before.take(kept)), lots_taken_here + 1)
            lots[before.take(kept)] = rest
            lots[at.take(kept)] = rest - lots_taken_here
            touched = (step != 0) | (unprovoked & mine)
            touched[before.compress(maker)] = touched[at.compress(maker)] = True
            touched[0] = touched[-1] = True
            lots[0], lots[-1] = ends
            changes = touched.nonzero()[0]
            sides.append(lots.take(changes).repeat(lengths(changes, n)))
        return Touch(ts_ns, bid, ask, sides[0], sides[1])

    def _quote_times(
        self, draws: Stream, plan: MinutePlan, clock: Clock, orders_ns: Column, moves_ns: Column
    ) -> Column:
        """Clustered unprovoked changes, and the races that follow orders and moves."""
        times = [clock.draw(draws, draws.count(self._rate * plan.activity_q16 >> 16))]
        for causes, mean in ((orders_ns, self._per_order), (moves_ns, self._per_move)):
            n = draws.count(mean * len(causes)) if len(causes) else 0
            cause = causes[draws.below(n, len(causes))]
            times.append(cause + exp_q16(draws.normal_q16(n) * self._RACE_SIGMA >> 16, self._RACE_NS))
        return in_lane(np.minimum(np.concatenate(times), self.CLOSE_NS - 8), QUOTE_LANE)

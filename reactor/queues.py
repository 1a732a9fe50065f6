"""The touch: when the best quotes change and how much rests there.

A queue leans towards the next move of the price, thins out before it is swept and fills up after; an order takes
from it exactly what it printed. Prices are only read here: the path of the touch is given.
"""

from __future__ import annotations

import numpy as np

from reactor.components import QUOTE_LANE, Clock, TouchPath, in_lane
from reactor.fixed import ONE, distinct, exp_q16, fixed_point, increments, logistic_q16
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
        imbalance = draws.normal_q16(1) * self._imbalance >> 16
        return self._shares(imbalance, draws.normal_q16(1) * self._sigma >> 16)

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
        ts_ns = distinct(np.concatenate([[0], path.ts_ns[1:], orders - 1, orders, quotes, [self.CLOSE_NS]]))
        n = len(ts_ns)
        at, before = np.searchsorted(ts_ns, orders), np.searchsorted(ts_ns, orders) - 1
        bid, ask = path.at(ts_ns)
        bid_step, ask_step = increments(bid, int(bid[0])), increments(ask, int(ask[0]))

        # A regime lasts from one move to the next.
        moved = (bid_step != 0) | (ask_step != 0)
        regime, begins = np.cumsum(moved), np.concatenate([[0], np.flatnonzero(moved)])
        length = np.diff(np.append(begins, n))
        age_q16 = ((np.arange(n) - begins[regime] + 1) << 16) // length[regime]
        next_move = np.append(np.sign((bid_step + ask_step)[begins[1:]]), 0)
        noise = draws.normal_q16(n)
        walk = np.cumsum((noise * np.abs(noise) >> 16) * self._STEP >> 16)
        level = draws.normal_q16(len(begins)) * self._imbalance >> 16
        logit = np.clip(level[regime] + walk - walk[begins][regime], -7 * ONE // 2, 7 * ONE // 2)
        logit += next_move[regime] * (self._pull * (ONE // 2 + age_q16 * 4 // 5) >> 16)
        log_total = (draws.normal_q16(len(begins)) * self._sigma >> 16)[regime]
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
            since = ts_ns - np.maximum.accumulate(np.where(step != 0, ts_ns, -SECOND_NS))
            fill = np.minimum(ONE, self._THIN + since * ONE // self._fill_ns)
            lots = (total * part >> 16) * fill >> 16
            fresh = np.flatnonzero(step)
            lots[fresh] = exp_q16(draws.normal_q16(len(fresh)), 1 << 10) * lots[fresh] >> 10
            lots = np.maximum(lots, self._least)
            # The queue that a sweep is about to take thins out first.
            hit, kept = (np.flatnonzero(maker & swept) for swept in (step[at] != 0, step[at] == 0))
            taken = lots_at_best[hit]
            thin = np.full(len(begins), ONE)
            rows = before[hit]
            thin[regime[rows]] = np.minimum(taken * ONE // lots[rows], ONE)
            lots = np.maximum(lots * (ONE - (urge_q16 * (ONE - thin[regime]) >> 16)) >> 16, self._least)
            lots[rows] = taken
            lots[before[kept]] = np.maximum(lots[before[kept]], lots_taken[kept] + 1)
            lots[at[kept]] = lots[before[kept]] - lots_taken[kept]
            touched = (step != 0) | (unprovoked & mine)
            touched[before[maker]] = touched[at[maker]] = True
            touched[[0, -1]] = True
            lots[[0, -1]] = ends
            sides.append(lots[np.maximum.accumulate(np.where(touched, np.arange(n), 0))])
        return Touch(ts_ns, bid, ask, sides[0], sides[1])

    def _shares(self, logit: Column, log_total: Column) -> tuple[int, int]:
        total, share = exp_q16(log_total, self._lots), logistic_q16(logit)
        bid, ask = (max(self._least, int((total * part >> 16)[0])) for part in (share, ONE - share))
        return bid, ask

    def _quote_times(
        self, draws: Stream, plan: MinutePlan, clock: Clock, orders_ns: Column, moves_ns: Column
    ) -> Column:
        """Clustered unprovoked changes, and the races that follow orders and moves."""
        times = [clock.draw(draws, int(draws.poisson(1, self._rate * plan.activity_q16 >> 16)[0]))]
        for causes, mean in ((orders_ns, self._per_order), (moves_ns, self._per_move)):
            n = int(draws.poisson(1, mean * len(causes))[0]) if len(causes) else 0
            cause = causes[draws.below(n, len(causes))]
            times.append(cause + exp_q16(draws.normal_q16(n) * self._RACE_SIGMA >> 16, self._RACE_NS))
        return in_lane(np.minimum(np.concatenate(times), self.CLOSE_NS - 8), QUOTE_LANE)

"""The book behind the touch: where orders rest, what a keyframe shows, and how one keyframe becomes the next.

Depth follows the touch and never leads it: at every tick end nothing stands in front of the best price, and whatever
changes behind it ends, by the last tick, on the next keyframe. Distances are measured away from the touch, so that
both sides are one calculation: the *rank* of a price is the price itself for asks and its negative for bids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reactor.components import Clock
from reactor.fixed import ONE, begins, distinct, ends, exp_q16, fixed_point, stable_order
from reactor.manifest import SimulationManifest
from reactor.matching import Executions
from reactor.rng import Stream
from reactor.skeleton import MinutePlan
from reactor.types import BLOCK_NS, MS_NS, TICK_NS, BookSide, Column, Instrument, Side
from reactor.values import dataclass

TICKS = BLOCK_NS // TICK_NS
_SIZES = 1 << 13
_MAX_UPDATES = 200_000  # of a side and minute, whatever the activity
_TICK_BITS, _KIND_BITS = TICKS.bit_length(), 3
# Where two kinds of row meet in one place, the later one holds.
_GONE, _DEEP, _FALLEN, _ANNOUNCED, _TOUCH = range(5)


@dataclass(frozen=True, slots=True, eq=False)
class SideBook:
    """One side of a keyframe by rank, best first, no empty level."""

    ranks: Column
    lots: Column

    def at(self, ranks: Column) -> Column:
        """The quantities at these ranks, 0 where nothing rests."""
        i = np.minimum(np.searchsorted(self.ranks, ranks), len(self.ranks) - 1)
        return np.where(self.ranks[i] == ranks, self.lots[i], 0)


@dataclass(frozen=True, slots=True, eq=False)
class SideTouch:
    """One side's best rank and its quantity at each tick's end, and in which ticks the side changed at all."""

    ranks: Column
    lots: Column
    changed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SideRows:
    """Changes of one side's levels, in no particular order; at most one per (tick, rank)."""

    ticks: Column
    ranks: Column
    lots: Column


class Depth:
    """Resting places and quantities of one market."""

    def __init__(
        self, manifest: SimulationManifest, instrument: Instrument, draws: Stream, salt: int
    ) -> None:
        self._salt = np.uint64(salt)
        self._grid, self._far_grid = (
            _round(manifest.ticks(bp, instrument)) for bp in (manifest.level_grid_bp, manifest.far_grid_bp)
        )
        self._off_grid = fixed_point(manifest.off_grid_share)
        self._kept = ONE - fixed_point(manifest.cancel_share)
        share = max(((ONE // self._grid) + self._off_grid) * self._kept >> 16, 1)
        self._window = max(manifest.depth_levels * ONE // share, 2 * self._grid, 16)
        self._price = manifest.ticks(10_000, instrument)
        median = manifest.lots(manifest.level_notional, instrument)
        sizes = exp_q16(
            draws.normal_q16(_SIZES) * fixed_point(manifest.level_sigma) >> 16, min(median, (1 << 31) - 1)
        )
        self._sizes = np.maximum(sizes, manifest.min_lots(instrument))
        one_bp_q8 = manifest.ticks(256, instrument)
        decline = np.arange(self._window + 1) * fixed_point(manifest.depth_decay_rate) // one_bp_q8 << 8
        self._decline_q16 = exp_q16(-np.minimum(decline, 8 * ONE))
        self._updates = fixed_point(manifest.book_update_intensity * 60)
        self._far_share = fixed_point(manifest.far_update_share)
        self._distance = manifest.ticks(manifest.update_distance_bp, instrument)
        self._distance_sigma = fixed_point(manifest.update_distance_sigma)

    # ------------------------------------------------------------ keyframes
    def keyframe(self, draws: Stream, side: BookSide, best: int, lots: int) -> SideBook:
        """A whole side at rest around its best price (in ticks)."""
        sign = 1 if side else -1
        price = best + sign * np.arange(1, self._window)
        present = self._in_use(price) & (draws.uniform_q16(len(price)) < self._kept) & (price > 0)
        at = np.flatnonzero(present)
        size = self._size(draws.words(len(price), 16)[at].astype(np.int64), at + 1)
        near = price[at]
        # Walls stand on a coarse grid from far below to far above the price, always the same at the same price.
        edge = best // 16 if sign < 0 else best * 2
        first, last = sorted((best + sign, edge))
        walls = np.arange(-(-first // self._far_grid), last // self._far_grid + 1) * self._far_grid
        walls = walls[walls > 0]
        near, size = near[near % self._far_grid != 0], size[near % self._far_grid != 0]
        ranks = sign * np.concatenate([[best], near, walls])
        order = stable_order(ranks - ranks.min())
        return SideBook(ranks[order], np.concatenate([[lots], size, self._wall(walls)])[order])

    def _in_use(self, price: Column) -> NDArray[np.bool_]:
        """Prices at which orders rest: the round ones, and a fixed share of the others."""
        used: NDArray[np.bool_] = (price % self._grid == 0) | (
            self._hash(price) >> np.uint64(48) < self._off_grid
        )
        return used

    def _wall(self, price: Column) -> Column:
        lots: Column = self._sizes[(self._hash(price) & np.uint64(_SIZES - 1)).astype(np.int64)]
        return lots

    def _hash(self, price: Column) -> NDArray[np.uint64]:
        """64 well-mixed bits of each price (the finaliser of SplitMix64, Steele, Lea & Flood 2014)."""
        x = price.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + self._salt
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
        return mixed

    def _size(self, words: Column, distance: Column) -> Column:
        size = self._sizes[words & (_SIZES - 1)] * self._decline_q16[np.minimum(distance, self._window)] >> 16
        lots: Column = np.maximum(size, 1)
        return lots

    # ------------------------------------------------------------ from one keyframe to the next
    def rows(
        self,
        draws: Stream,
        plan: MinutePlan,
        clock: Clock,
        side: BookSide,
        touch: SideTouch,
        executions: Executions,
        start: SideBook,
        end: SideBook,
    ) -> SideRows:
        """Every change of a side's levels that leads from keyframe `start` along the touch to keyframe `end`."""
        best = np.concatenate([start.ranks[:1], touch.ranks])
        sources = (
            self._touch_rows(touch),
            self._fallen_rows(draws, best),
            self._deep_rows(draws, plan, clock, side, touch),
            self._announced_rows(draws, side, touch, executions),
        )
        tick, rank, lots, kind = (np.concatenate(parts) for parts in zip(*sources, strict=True))
        order = _sorted_rows(tick, rank, kind)
        tick, rank, lots = tick[order], rank[order], lots[order]

        # From tick `settled` on a price stays behind the touch: its last change from then on is the keyframe's.
        behind_from = np.maximum.accumulate(touch.ranks[::-1])[::-1]  # descends
        last_of_rank = np.flatnonzero(ends(rank))
        changed = rank[last_of_rank]
        settled = _first_tick_behind(behind_from, changed)
        done = (tick[last_of_rank] >= settled) & (settled < TICKS)
        lots[last_of_rank[done]] = end.at(changed[done])
        others = distinct(np.concatenate([start.ranks, end.ranks, changed]))
        others = others[(others > touch.ranks[-1]) & ~_among(changed[done], others)]
        settled = _first_tick_behind(behind_from, others)
        then, now = end.at(others), np.where(settled == 0, start.at(others), 0)
        due = np.flatnonzero(then != now)
        due_tick = np.maximum(settled[due], draws.below(len(due), TICKS))

        # Where the touch retreats, whatever it passes over disappears.
        known = distinct(np.concatenate([rank, start.ranks]))
        step = np.flatnonzero(best[1:] > best[:-1])
        low, high = np.searchsorted(known, best[:-1][step]), np.searchsorted(known, best[1:][step])
        count = high - low
        gone_tick = np.repeat(step, count)
        gone = known[np.arange(len(gone_tick)) + np.repeat(low - (np.cumsum(count) - count), count)]

        tick = np.concatenate([tick, due_tick, gone_tick])
        rank = np.concatenate([rank, others[due], gone])
        lots = np.concatenate([lots, then[due], np.zeros(len(gone), np.int64)])
        kind = np.concatenate([np.ones(len(tick) - len(gone), np.int64), np.full(len(gone), _GONE)])
        order = _sorted_rows(tick, rank, kind)
        tick, rank, lots, kind = tick[order], rank[order], lots[order], kind[order]
        first_of_rank = begins(rank)
        previous = np.concatenate([[0], lots[:-1]])
        previous[first_of_rank] = start.at(rank[first_of_rank])
        real = (kind != _GONE) | (previous > 0)
        return SideRows(tick[real], rank[real], lots[real])

    def _touch_rows(self, touch: SideTouch) -> tuple[Column, Column, Column, Column]:
        ticks = np.flatnonzero(touch.changed)
        return ticks, touch.ranks[ticks], touch.lots[ticks], np.full(len(ticks), _TOUCH)

    def _fallen_rows(self, draws: Stream, best: Column) -> tuple[Column, Column, Column, Column]:
        """A best price that was improved upon becomes an ordinary level."""
        ticks = np.flatnonzero(best[1:] < best[:-1])
        ranks = best[ticks]
        words = draws.words(len(ticks), 16).astype(np.int64)
        lots = np.where(self._in_use(np.abs(ranks)), self._size(words, ranks - best[1:][ticks]), 0)
        return ticks, ranks, lots, np.full(len(ticks), _FALLEN)

    def _deep_rows(
        self, draws: Stream, plan: MinutePlan, clock: Clock, side: BookSide, touch: SideTouch
    ) -> tuple[Column, Column, Column, Column]:
        """Orders placed, changed and cancelled behind the touch, most of them near it, some in the far walls."""
        mean = min(self._updates * plan.activity_q16 >> 17, _MAX_UPDATES << 16)
        n = int(draws.poisson(1, mean)[0])
        ticks = clock.draw(draws, n) // TICK_NS
        noise = draws.normal_q16(n) * self._distance_sigma >> 16
        distance = 1 + np.minimum(exp_q16(noise, self._distance), self._window - 2 - self._grid)
        best = touch.ranks[ticks]
        ranks = best + distance
        # Off the places in use: back to the next round one.
        used = self._in_use(np.abs(ranks))
        ranks = np.where(used, ranks, ranks + self._grid - ranks % self._grid)
        far = np.flatnonzero(draws.uniform_q16(n) < self._far_share)
        reach = draws.uniform_q16(len(far)) * draws.uniform_q16(len(far)) >> 16
        steps = 1 + (reach * (np.abs(best[far]) * 9 // 10 // self._far_grid) >> 16)
        ranks[far] = (best[far] // self._far_grid + steps) * self._far_grid
        words = draws.words(n, 16).astype(np.int64)
        lots = np.where(draws.uniform_q16(n) < self._kept, self._size(words, ranks - best), 0)
        valid = np.flatnonzero((ranks > best) & ((side == BookSide.ASK) | (ranks < 0)))
        return ticks[valid], ranks[valid], lots[valid], np.full(len(valid), _DEEP)

    def _announced_rows(
        self, draws: Stream, side: BookSide, touch: SideTouch, executions: Executions
    ) -> tuple[Column, Column, Column, Column]:
        """The deeper levels that orders take stood in the book before, at the quantity that prints."""
        fills, first = executions.fills, executions.first_fill_of_levels()
        aggressor = Side.BUY if side == BookSide.ASK else Side.SELL
        lots = np.add.reduceat(fills.lots, first) if len(first) else fills.lots
        deeper = np.flatnonzero((fills.level[first] > 0) & (executions.side[fills.order[first]] == aggressor))
        taken, lots = first[deeper], lots[deeper]
        lead_ns = 60 * MS_NS + (draws.uniform_q16(len(taken)) * 400 * MS_NS >> 16)
        ticks = np.maximum(executions.ts_ns[fills.order[taken]] - lead_ns, 0) // TICK_NS
        ranks = fills.price_ticks[taken] * (1 if side == BookSide.ASK else -1)
        behind = np.flatnonzero(ranks > touch.ranks[ticks])
        return ticks[behind], ranks[behind], lots[behind], np.full(len(behind), _ANNOUNCED)


def _sorted_rows(tick: Column, rank: Column, kind: Column) -> Column:
    """The rows by (rank, tick), the last kind of each only."""
    place = (rank - rank.min()) << _TICK_BITS | tick
    order = stable_order(place << _KIND_BITS | kind)
    place = place[order]
    last: Column = order[ends(place)]
    return last


def _among(known: Column, values: Column) -> NDArray[np.bool_]:
    """Which of these values are known; both ascend."""
    if not len(known):
        return np.zeros(len(values), np.bool_)
    found: NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, values), len(known) - 1)] == values
    return found


def _first_tick_behind(behind_from: Column, ranks: Column) -> Column:
    """The first tick from whose end on the touch stays better than these ranks; TICKS if it never does."""
    return TICKS - np.searchsorted(behind_from[::-1], ranks, side="left")


def _round(ticks: int) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50, ..."""
    choices: list[int] = [m * 10**e for e in range(10) for m in (1, 2, 5)]
    return min(choices, key=lambda c: max(c, ticks) / min(c, ticks))

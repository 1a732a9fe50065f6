"""The book behind the touch: where orders rest, what a keyframe shows, and how one keyframe becomes the next.

Depth follows the touch and never leads it: at every tick end nothing stands in front of the best price, and whatever
changes behind it ends, by the last tick, on the next keyframe. Distances are measured away from the touch, so that
both sides are one calculation: the *rank* of a price is the price itself for asks and its negative for bids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reactor.components import Clock
from reactor.fixed import (
    NORMAL_Q16,
    ONE,
    distinct_rows,
    ends,
    exclusive,
    exp_q16,
    fixed_point,
    inserted,
    ordered,
    rows,
)
from reactor.manifest import SimulationManifest
from reactor.matching import Deeper
from reactor.rng import Stream
from reactor.skeleton import MinutePlan
from reactor.types import BLOCK_NS, MS_NS, TICK_NS, BookSide, Column, Instrument, Side
from reactor.values import dataclass

TICKS = BLOCK_NS // TICK_NS
_SIZES = 1 << 13
_MAX_UPDATES = 200_000  # of a side and minute, whatever the activity
_LEAST_SLACK = 2_048  # ranks on either side beyond those asked for, when places are looked for anew
_TICK_BITS = TICKS.bit_length()
_TICK_MASK = (1 << _TICK_BITS) - 1


@dataclass(frozen=True, slots=True, eq=False)
class SideBook:
    """One side of a keyframe by rank, best first, no empty level."""

    ranks: Column
    lots: Column


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where orders rest on one side, over the ranks [first, stop)."""

    first: int
    stop: int
    nearest: Column  # of each rank: itself, if orders rest there, else the next round price behind it
    near: Column  # where orders rest, but for walls and what is no price; ascending

    def behind(self, ranks: Column) -> Column:
        """For each rank itself, if orders rest there, else the next round price behind it."""
        return self.nearest.take(ranks - self.first)

    def near_between(self, first: int, stop: int) -> Column:
        """The ranks in [first, stop) at which orders rest, but for walls and what is no price."""
        low, high = self.near.searchsorted((first, stop))
        return self.near[low:high]


@dataclass(frozen=True, slots=True, eq=False)
class SideTouch:
    """One side's best rank and its quantity at each tick's end, and in which ticks the side changed at all."""

    ranks: Column
    lots: Column
    changed: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class SideRows:
    """Changes of one side's levels by rank, then by tick; at most one per (tick, rank)."""

    ticks: Column
    ranks: Column
    lots: Column


class Depth:
    """Resting places and quantities of one market."""

    def __init__(
        self, manifest: SimulationManifest, instrument: Instrument, draws: Stream, salt: int
    ) -> None:
        self._salt = np.uint64(salt)
        self._known_places: dict[BookSide, Places] = {}
        self._known_walls = np.zeros(0, np.int64)
        self._known_distances: NDArray[np.unsignedinteger] | None = None
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
        first, room = sign * best + 1, self._window - 1
        near = self._places(side, first, first + room).near_between(first, first + room)
        kept = (draws.words(room, 16).take(near - first) < self._kept).nonzero()[0]
        near = near.take(kept)
        at = near - first
        size = self._size(draws.words(room, 16).take(at), at + 1)
        # Walls stand on a coarse grid from far below to far above the price, always the same at the same price.
        low, high = sorted((best + sign, best // 16 if sign < 0 else best * 2))
        low, stop = max(-(-low // self._far_grid), 1), high // self._far_grid + 1
        walls = self._walls(stop)[low:stop]
        far = np.arange(low, low + len(walls)) * (sign * self._far_grid)
        ranks = np.concatenate(((sign * best,), near, far))
        lowest = int(ranks.min())
        over, order = ordered(ranks - lowest)
        return SideBook(over + lowest, np.concatenate(((lots,), size, walls)).take(order))

    def _places(self, side: BookSide, first: int, stop: int) -> Places:
        """Where orders rest on a side, over the ranks [first, stop) at least."""
        places = self._known_places.get(side)
        if places is None or not places.first <= first <= stop <= places.stop:
            slack = max(self._window, _LEAST_SLACK)
            places = self._known_places[side] = self._make_places(side, first - slack, stop + slack)
        return places

    def _make_places(self, side: BookSide, first: int, stop: int) -> Places:
        """At the round prices, and at a fixed share of the others."""
        ranks = np.arange(first, stop)
        price = ranks if side else -ranks
        used = (price % self._grid == 0) | (self._hash(price) >> np.uint64(48) < self._off_grid)
        near = used & (price % self._far_grid != 0) & (price > 0)
        behind = np.where(used, ranks, ranks + self._grid - ranks % self._grid)
        return Places(first, stop, behind, ranks.compress(near))

    def _walls(self, n: int) -> Column:
        """The quantities of the walls at 0, 1, 2, ... times their grid, n of them at least."""
        walls = self._known_walls
        if len(walls) < n:
            words = self._hash(np.arange(2 * n) * self._far_grid) & np.uint64(_SIZES - 1)
            walls = self._known_walls = self._sizes.take(words.astype(np.int64))
        return walls

    def _hash(self, price: Column) -> NDArray[np.uint64]:
        """64 well-mixed bits of each price (the finaliser of SplitMix64, Steele, Lea & Flood 2014)."""
        x = price.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + self._salt
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: NDArray[np.uint64] = x ^ (x >> np.uint64(31))
        return mixed

    def _size(self, words: NDArray[np.unsignedinteger], distance: Column) -> Column:
        """Quantities at these distances from the touch, from 16-bit words."""
        size: Column = self._sizes.take(words & (_SIZES - 1))
        size *= self._decline_q16.take(distance, mode="clip")
        size >>= 16
        return np.maximum(size, 1, out=size)

    # ------------------------------------------------------------ from one keyframe to the next
    def rows(
        self,
        draws: Stream,
        plan: MinutePlan,
        clock: Clock,
        side: BookSide,
        touch: SideTouch,
        deeper: Deeper,
        start: SideBook,
        end: SideBook,
    ) -> SideRows:
        """Every change of a side's levels that leads from keyframe `start` along the touch to keyframe `end`."""
        best = np.concatenate((start.ranks[:1], touch.ranks))
        lowest, highest = min(int(best.min()), int(end.ranks[0])), int(best.max())
        places = self._places(side, lowest, highest + self._window)
        fallen = self._fallen_rows(draws, places, best)
        deep = self._deep_rows(draws, plan, clock, side, places, touch)
        announced = self._announced_rows(draws, side, touch, deeper)
        # Where two kinds of row meet in one place, the later one holds. A place is a tick at a rank in one number, and
        # ranks are counted from the lowest from here on.
        sources = (deep, fallen, announced, self._touch_rows(touch))
        tick, rank, lots = (np.concatenate(parts) for parts in zip(*sources, strict=True))
        place, order = ordered((rank - lowest) << _TICK_BITS | tick)
        lots = lots.take(order)
        last_of_rank = ends(place >> _TICK_BITS).nonzero()[0]
        last = place.take(last_of_rank)

        # Every rank known to either keyframe or a change, and what rests there in the keyframes.
        ranks = np.concatenate((start.ranks - lowest, end.ranks - lowest, last >> _TICK_BITS))
        known, row = distinct_rows(ranks)
        n, m = len(start.ranks), len(start.ranks) + len(end.ranks)
        now, then, changed = np.zeros(len(known), np.int64), np.zeros(len(known), np.int64), row[m:]
        now[row[:n]], then[row[n:m]] = start.lots, end.lots

        # From tick `settled` on a price stays behind the touch: its last change from then on is the keyframe's.
        settled = _first_tick_behind(touch.ranks - lowest, known)
        since = settled.take(changed)
        done = ((last & _TICK_MASK >= since) & (since < TICKS)).nonzero()[0]
        finished = changed.take(done)
        lots[last_of_rank.take(done)] = then.take(finished)
        owing = (known > int(touch.ranks[-1]) - lowest) & (then != now * (settled == 0))
        owing[finished] = False
        due = owing.nonzero()[0]
        due_tick = np.maximum(settled.take(due), draws.below(len(due), TICKS))
        due_place = known.take(due) << _TICK_BITS | due_tick

        # Where the touch retreats, whatever it passes over disappears, unless it changes at once or was gone before.
        stands = now > 0
        stands[changed] = True
        standing = stands.nonzero()[0]
        passed, tick = _passed_over(best, known.take(standing) + lowest)
        gone = standing.take(passed)
        gone_place = known.take(gone) << _TICK_BITS | tick
        row, at = inserted(place, gone_place, due_place)
        place, lots = place.take(row), lots.take(row)
        place[at] = np.concatenate((gone_place, due_place))
        lots[at] = np.concatenate((np.zeros(len(gone), np.int64), then.take(due)))
        at = at[: len(gone)]
        before = place.take(at - 1, mode="clip")
        same_rank = (before < gone_place) & (before >> _TICK_BITS == gone_place >> _TICK_BITS)
        real = ends(place)
        real[at] &= np.where(same_rank, lots.take(at - 1, mode="clip"), now.take(gone)) > 0
        place, lots = place.compress(real), lots.compress(real)
        return SideRows(place & _TICK_MASK, (place >> _TICK_BITS) + lowest, lots)

    def _touch_rows(self, touch: SideTouch) -> tuple[Column, Column, Column]:
        ticks = touch.changed.nonzero()[0]
        return ticks, touch.ranks.take(ticks), touch.lots.take(ticks)

    def _fallen_rows(self, draws: Stream, places: Places, best: Column) -> tuple[Column, Column, Column]:
        """A best price that was improved upon becomes an ordinary level."""
        ticks = (best[1:] < best[:-1]).nonzero()[0]
        ranks = best.take(ticks)
        size = self._size(draws.words(len(ticks), 16), ranks - best.take(ticks + 1))
        return ticks, ranks, size * (places.behind(ranks) == ranks)

    def _deep_rows(
        self,
        draws: Stream,
        plan: MinutePlan,
        clock: Clock,
        side: BookSide,
        places: Places,
        touch: SideTouch,
    ) -> tuple[Column, Column, Column]:
        """Orders placed, changed and cancelled behind the touch, most of them near it, some in the far walls."""
        n = draws.count(min(self._updates * plan.activity_q16 >> 17, _MAX_UPDATES << 16))
        ticks = clock.ticks(draws, n)
        best = touch.ranks.take(ticks)
        ranks = places.behind(best + self._distances().take(draws.words(n, 16)))
        far = draws.chance(n, self._far_share).nonzero()[0]
        reach = draws.uniform_q16(len(far)) * draws.uniform_q16(len(far)) >> 16
        far_best = best.take(far)
        steps = 1 + (reach * (np.abs(far_best) * 9 // 10 // self._far_grid) >> 16)
        ranks[far] = (far_best // self._far_grid + steps) * self._far_grid
        lots = self._size(draws.words(n, 16), ranks - best) * draws.chance(n, self._kept)
        if side == BookSide.BID and int(ranks.max(initial=-1)) >= 0:  # nothing is bid at 0 or below
            valid = (ranks < 0).nonzero()[0]
            return ticks.take(valid), ranks.take(valid), lots.take(valid)
        return ticks, ranks, lots

    def _distances(self) -> NDArray[np.unsignedinteger]:
        """The log-normal distances of deep rows from the touch, one for each of the normal quantiles: a table, so that
        none of them costs an exponential.
        """
        if self._known_distances is None:
            most = self._window - 2 - self._grid
            distances = exp_q16(NORMAL_Q16 * self._distance_sigma >> 16, self._distance)
            narrow = np.uint16 if most < ONE - 1 else np.uint32
            self._known_distances = (np.minimum(distances, most) + 1).astype(narrow)
        return self._known_distances

    def _announced_rows(
        self, draws: Stream, side: BookSide, touch: SideTouch, deeper: Deeper
    ) -> tuple[Column, Column, Column]:
        """The deeper levels that orders take stood in the book before, at the quantity that prints."""
        mine = (deeper.side == (Side.BUY if side == BookSide.ASK else Side.SELL)).nonzero()[0]
        lead_ns = 60 * MS_NS + (draws.uniform_q16(len(mine)) * 400 * MS_NS >> 16)
        ticks = np.maximum(deeper.ts_ns.take(mine) - lead_ns, 0) // TICK_NS
        ranks = deeper.price_ticks.take(mine) * (1 if side == BookSide.ASK else -1)
        behind = (ranks > touch.ranks.take(ticks)).nonzero()[0]
        return ticks.take(behind), ranks.take(behind), deeper.lots.take(mine.take(behind))


def _first_tick_behind(touch: Column, ranks: Column) -> Column:
    """The first tick from whose end on the touch stays better than these ranks; TICKS if it never does."""
    worst_from = np.maximum.accumulate(touch[::-1])  # of each tick on, from the last one back
    return TICKS - worst_from.searchsorted(ranks, side="left")


def _passed_over(best: Column, ranks: Column) -> tuple[Column, Column]:
    """Which of these ascending ranks the best one moves beyond, and in which ticks; `best` begins before the first."""
    tick = (best[1:] > best[:-1]).nonzero()[0]
    low, high = ranks.searchsorted(best.take(tick)), ranks.searchsorted(best.take(tick + 1))
    count = high - low
    return rows(int(count.sum())) + (low - exclusive(count)).repeat(count), tick.repeat(count)


def _round(ticks: int) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50, ..."""
    choices: list[int] = [m * 10**e for e in range(10) for m in (1, 2, 5)]
    return min(choices, key=lambda c: max(c, ticks) / min(c, ticks))

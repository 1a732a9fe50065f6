"""The skeleton: what everybody may know of a market without living through it.

An `AssetPath` is the price of an asset, shared by every market that trades it: minute returns (log-volatility
cascade, 24 h season, Merton jumps, a factor common to all assets) and, inside each minute, a bridge on the 1
s grid. A `MarketSkeleton` is one venue's market on it: basis, best bid on the 1 s grid, and one row per
minute with the whole bar, the counts and the id bases, which block k then realises.

Everything is computed lazily, a UTC day at a time, in both directions from the origin. A day is a pure
function of (seed, name, day); only running totals (log price, ids) are carried from day to day. Nothing here
generates a block.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields
from threading import RLock
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from reactor.bends import NONE, Bends
from reactor.fixed import ONE, exclusive, exp_q16, exp_q32, fixed_point, increments, isqrt, logistic_q16
from reactor.manifest import SimulationManifest
from reactor.processes import GeometricBrownianMotion, MertonJumpDiffusion, OrnsteinUhlenbeck
from reactor.rng import Stream, stream
from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    MS_NS,
    SECOND_NS,
    Column,
    IndexMinutes,
    Instrument,
    Minutes,
    Seconds,
    Side,
)
from reactor.values import dataclass

DAY_MINUTES = 1_440
DAY_SECONDS = 86_400
LISTED_DAYS = 400  # history before the origin's day; nothing exists before
MIN_ORDERS = (
    8  # a minute has no market order or at least this many: then its bar can always be realised exactly
)
BURST_ACTIVITY_MAX = 100  # times the normal one; no burst goes beyond
ORIGIN_TRADE_ID = 5_000_000_000
ORIGIN_AGG_ID = 3_500_000_000
ORIGIN_ORDER_ID = 40_000_000_000
ORIGIN_UPDATE_ID = 1_000_000_000_000
_UPDATES_LEAST = 200_000  # update ids of a minute in which nothing happens
_Q32 = 1 << 32
_JUMP_S_Q16 = ONE * 2  # mean seconds that a jump takes, beyond the first, before they are rounded down
_LOG_PRICE_MAX_Q32 = 3 * _Q32  # the price stays within a factor of 20 of the initial one
_BENT_LOG_MAX_Q32 = 7 * _Q32 // 2  # and a bent one within 33, whatever bends add up to
_BASIS_REACH = 6  # deviations beyond which neither basis ever goes

# Cascade of log-volatility: cells of so many minutes, each with a value of its own; long ones span days.
_CELLS_MINUTES = (1, 5, 20, 60, 240, 1_440)
_CELLS_DAYS = (4, 16)
# And of seconds inside a minute, with weights of their own, in Q16 of a level's: what one second does hardly lasts.
_CELLS_SECONDS = ((1, ONE * 13 // 5), (4, ONE * 8 // 5), (15, ONE * 2))
_SEASON_Q16: Column = np.array(
    [round(ONE * math.sin(2 * math.pi * (i / DAY_MINUTES - 0.35))) for i in range(DAY_MINUTES)],
    dtype=np.int64,
)

T = TypeVar("T")


class _Days(Generic[T]):
    """The latest few days of something computed by day, least recently used first out."""

    def __init__(self, make: Callable[[int], T], keep: int) -> None:
        self._make, self._keep = make, keep
        self._days: OrderedDict[int, T] = OrderedDict()

    def __getitem__(self, day: int) -> T:
        if day in self._days:
            self._days.move_to_end(day)
        else:
            self._days[day] = self._make(day)
            if len(self._days) > self._keep:
                self._days.popitem(last=False)
        return self._days[day]


class _Running:
    """Running totals at the start of each day, extended one day at a time in both directions from a first
    day.
    """

    def __init__(self, first_day: int, start: Column, total: Callable[[int], Column]) -> None:
        self._starts, self._total = {first_day: start}, total
        self._low = self._high = first_day

    def __getitem__(self, day: int) -> Column:
        while self._high < day:
            self._starts[self._high + 1] = self._starts[self._high] + self._total(self._high)
            self._high += 1
        while self._low > day:
            self._starts[self._low - 1] = self._starts[self._low] - self._total(self._low - 1)
            self._low -= 1
        return self._starts[day]


@dataclass(frozen=True, slots=True, eq=False)
class AssetDay:
    """An asset's day by minutes: log volatility (Q16), diffusive and jump returns (Q32), the second each jump
    falls on, and how far the path goes beyond its two ends (Q32, not negative).
    """

    log_vol_q16: Column
    diffusion_q32: Column
    jump_q32: Column
    jump_second: Column
    above_q32: Column
    below_q32: Column

    @property
    def returns_q32(self) -> Column:
        return self.diffusion_q32 + self.jump_q32


class AssetPath:
    """The log price of one asset over its initial price, in Q32, 0 at the origin.

    Log-volatility is a multifractal cascade (Mandelbrot, Calvet & Fisher 1997) with a 24 h season; jumps
    follow Merton (1976).
    """

    def __init__(self, seed: int, asset: str, origin_ns: int, manifest: SimulationManifest) -> None:
        assert origin_ns % BLOCK_NS == 0
        self._seed, self._asset, self._manifest = seed, manifest.stream_name(asset), manifest
        self._lock = RLock()
        self._days = _Days(self._make_day, keep=64)
        self._seconds = _Days(self._make_seconds, keep=6)
        by_minute = GeometricBrownianMotion(manifest.drift, manifest.volatility, step_s=60)
        self._by_minute = MertonJumpDiffusion(
            by_minute, manifest.jump_intensity, manifest.jump_mean, manifest.jump_std
        )
        self._by_second = GeometricBrownianMotion(0, manifest.volatility, step_s=1)
        self._own_q16 = fixed_point(math.sqrt(1 - manifest.factor_loading**2))
        day, minute = divmod(origin_ns // BLOCK_NS, DAY_MINUTES)
        before_origin = self._days[day].returns_q32[:minute].sum()
        self._starts = _Running(
            day, np.array([-before_origin]), lambda d: self._days[d].returns_q32.sum(keepdims=True)
        )

    def day(self, day: int) -> AssetDay:
        """The minutes of a UTC day (days since the epoch)."""
        with self._lock:
            return self._days[day]

    def minutes_q32(self, day: int) -> Column:
        """Log price at the 1,441 minute starts of a day, both midnights included."""
        with self._lock:
            start = int(self._starts[day][0])
            path = np.cumsum(np.concatenate([[start], self._days[day].returns_q32]))
            bounded: Column = np.clip(path, -_LOG_PRICE_MAX_Q32, _LOG_PRICE_MAX_Q32)
            return bounded

    def seconds_q32(self, day: int) -> Column:
        """Log price at the 86,401 whole seconds of a day, both midnights included."""
        with self._lock:
            return self._seconds[day]

    def _normal(self, kind: str, day: int, n: int) -> Column:
        """Normal draws of which a share `factor_loading` is common to all assets of the seed."""
        own = stream(self._seed, "asset", self._asset, kind, day).normal_q16(n)
        common = stream(self._seed, "factor", kind, day).normal_q16(n)
        return (common * fixed_point(self._manifest.factor_loading) + own * self._own_q16) >> 16

    def _make_day(self, day: int) -> AssetDay:
        m, cells = self._manifest, _CELLS_MINUTES + _CELLS_DAYS
        counts = [DAY_MINUTES // span for span in _CELLS_MINUTES]
        values = np.split(self._normal("cells", day, sum(counts)), np.cumsum(counts)[:-1])
        values += [self._normal(f"cell-{span}d", day // span, 1) for span in _CELLS_DAYS]
        cascade = sum(np.repeat(column, DAY_MINUTES // len(column)) for column in values)
        log_vol = (fixed_point(m.daily_seasonality) * _SEASON_Q16 + cascade * fixed_point(m.clustering)) >> 16
        # exp(2 * log_vol) averages to one: the manifest's volatility is the root mean square over calm and
        # wild days.
        log_vol = np.clip(log_vol - fixed_point(len(cells) * m.clustering**2), -4 * ONE, 4 * ONE)
        diffusion = self._by_minute.diffusion
        sigma = diffusion.deviations_q32(log_vol)
        diffused = diffusion.returns_q32(self._normal("minute", day, DAY_MINUTES), sigma)
        jumps = stream(self._seed, "asset", self._asset, "jumps", day)
        jump = self._by_minute.jumps_q32(jumps, DAY_MINUTES, log_vol)
        reach = stream(self._seed, "asset", self._asset, "reach", day)
        above, below = (
            _overshoot(diffused + jump, sigma, reach.exponential_q16(DAY_MINUTES)) for _ in range(2)
        )
        return AssetDay(log_vol, diffused, jump, jumps.below(DAY_MINUTES, 60), above, below)

    def _make_seconds(self, day: int) -> Column:
        rows, minutes = self._days[day], self.minutes_q32(day)
        start, end = minutes[:-1], minutes[1:]
        low, high = np.minimum(start, end) - rows.below_q32, np.maximum(start, end) + rows.above_q32
        clustering = self._manifest.clustering
        local = np.zeros(DAY_SECONDS, np.int64)
        for span, weight in _CELLS_SECONDS:
            cells = self._normal(f"cell-{span}s", day, DAY_SECONDS // span)
            local += np.repeat(cells * (fixed_point(clustering) * weight >> 16) >> 16, span)
        local = exp_q16(local - sum(fixed_point((clustering * w / ONE) ** 2) for _, w in _CELLS_SECONDS))
        sigma = np.repeat(self._by_second.deviations_q32(rows.log_vol_q16), 60)
        walk = np.zeros((DAY_MINUTES, 61), dtype=np.int64)
        steps = self._by_second.returns_q32(self._normal("second", day, DAY_SECONDS), (sigma * local) >> 16)
        np.cumsum(steps.reshape(DAY_MINUTES, 60), axis=1, out=walk[:, 1:])
        # The path is nailed to the minute's start, its two extremes and its end, and walks between the nails. A
        # walker covers a distance in its square of time; a jump takes the few seconds between the extremes.
        draws, jumps = stream(self._seed, "asset", self._asset, "touch", day), rows.jump_q32 != 0
        low_first = np.where(
            jumps, rows.jump_q32 > 0, (end >= start) == draws.chance(DAY_MINUTES, ONE * 3 // 4)
        )
        first, second = np.where(low_first, low, high), np.where(low_first, high, low)
        times = [(np.abs(d) >> 12) ** 2 + 1 for d in (first - start, high - low, end - second)]
        times = [(t * (draws.exponential_q16(DAY_MINUTES) + ONE // 4)) >> 12 for t in times]
        at_first = np.where(jumps, 1 + rows.jump_second * 4 // 5, 1 + 57 * times[0] // (sum(times) + 1))
        later = (58 - at_first) * times[1] // (times[1] + times[2] + 1)
        jump_s = draws.exponential_q16(DAY_MINUTES) * _JUMP_S_Q16 >> 32
        at_second = at_first + 1 + np.where(jumps, np.minimum(jump_s, 58 - at_first), later)
        nails = np.stack([np.zeros_like(at_first), at_first, at_second, np.full_like(at_first, 60)])
        miss = np.stack([start, first, second, end]) - np.take_along_axis(walk, nails.T, axis=1).T
        s = np.arange(61)
        leg = (s > at_first[:, None]).astype(np.int64) + (s > at_second[:, None])
        row = np.arange(DAY_MINUTES)[:, None]
        begin, length = nails[leg, row], np.diff(nails, axis=0)[leg, row]
        path = walk + miss[leg, row] + np.diff(miss, axis=0)[leg, row] * (s - begin) // length
        path = np.clip(_fold(path, low, high), -_LOG_PRICE_MAX_Q32, _LOG_PRICE_MAX_Q32)
        return np.append(path[:, :60].ravel(), minutes[-1])


def _within(basis_q32: Column, process: OrnsteinUhlenbeck) -> Column:
    """A basis that keeps to its reach, which hardly one of a billion draws would leave."""
    reach_q32 = _BASIS_REACH * process.deviation_q32
    return np.clip(basis_q32, process.mean_q32 - reach_q32, process.mean_q32 + reach_q32)


def _bent(log_q32: Column, added_q32: Column) -> Column:
    """A log price with what bends add to it, within what prices can be."""
    bent: Column = np.clip(log_q32 + added_q32, -_BENT_LOG_MAX_Q32, _BENT_LOG_MAX_Q32)
    return bent


def _minute_starts(day: int) -> Column:
    """The 1,441 minute starts of a day, both midnights included."""
    return day * DAY_NS + np.arange(DAY_MINUTES + 1) * BLOCK_NS


def _fold(paths: Column, low: Column, high: Column) -> Column:
    """Paths (one a row) with what leaves [low, high] folded back into it."""
    floor, ceiling = low[:, None], high[:, None]
    for _ in range(2):
        paths = ceiling - np.abs(ceiling - paths)
        paths = floor + np.abs(paths - floor)
    return np.clip(paths, floor, ceiling)


def _overshoot(change_q32: Column, sigma_q32: Column, exponential_q16: Column) -> Column:
    """How far a Brownian bridge goes above the higher of its ends: exact law of its maximum, from an
    exponential draw E: (sqrt(change**2 + 2 sigma**2 E) - |change|) / 2.
    """
    change, sigma = np.abs(change_q32) >> 8, sigma_q32 >> 8  # Q24: squares stay below 2**52
    square = change * change + ((sigma * sigma * 2 >> 16) * exponential_q16)
    return (np.maximum(isqrt(np.minimum(square, (1 << 52) - 1)) - change, 0) // 2) << 8


@dataclass(frozen=True, slots=True)
class Burst:
    """A part of a minute, [start_ns, end_ns) from its start, that is `times_q16` (Q16) as active as the rest of it."""

    start_ns: int
    end_ns: int
    times_q16: int


@dataclass(frozen=True, slots=True, eq=False)
class MinutePlan:
    """Row k of the skeleton as block k must realise it, exactly.

    `bid_ticks` holds the 61 grid points of the minute's best bid, both ends included; at every one of them
    the ask is bid + base spread. With lo and hi the least and greatest of them, and d = hi - lo: the first
    print is at bid_ticks[0] (a sell) or bid_ticks[0] + spread (a buy) as `open_side` says, the last one
    likewise at bid_ticks[60] by `close_side`; the highest print is a buy at hi + spread, the lowest a sell at
    lo; sells lie in [lo, hi], buys in [lo, hi] + spread.
    """

    k: int
    start_ns: int
    bid_ticks: Column
    spread_ticks: int  # base spread
    activity_q16: int  # relative to the market's normal rate; 65536 = normal; a burst is in the average
    log_volatility_q16: int  # likewise, as a logarithm: 0 = usual
    n_orders: int  # market orders: 0, or at least MIN_ORDERS
    n_prints: int  # >= n_agg
    n_agg: int  # (order, price) pairs; n_orders <= n_agg <= n_orders + min(d // 4, n_orders // 8)
    open_side: Side
    close_side: Side
    buy_lots: int  # each side: 0, or at least 4 * n_prints * min_lots
    sell_lots: int
    buy_quote_units: (
        int  # sum of price_ticks * qty_lots; its excess over (lowest price of the side) * lots lies within
    )
    sell_quote_units: int  # [d * lots / 8, d * lots * 7 / 8], so that sizes can always be arranged to meet it
    first_trade_id: int
    first_agg_id: int
    first_order_id: int
    update_id: int  # of the book at the minute's start ...
    next_update_id: int  # ... and at its end; the difference exceeds any number of events of a block
    burst: Burst | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Day:
    """A market's day by minutes, without what is carried over from other days and without its 1 s grid."""

    bid_ticks: Column  # best bid at the 1,441 minute starts
    low_ticks: Column  # least and greatest bid of each minute
    high_ticks: Column
    activity_q16: Column
    burst_q16: Column  # how many times as active as the rest of the minute its burst is; 65536: there is none
    burst_ns: Column  # when it begins
    burst_end_ns: Column
    n_orders: Column
    n_agg: Column
    n_prints: Column
    n_updates: Column
    opens_at_ask: NDArray[np.bool_]  # the first print is a buy ...
    closes_at_ask: NDArray[np.bool_]  # ... the last one is
    buy_lots: Column
    sell_lots: Column
    buy_quote_units: Column
    sell_quote_units: Column

    @property
    def counts(self) -> tuple[Column, Column, Column, Column]:
        """What ids are prefix sums of: prints, aggregates, orders, updates."""
        return self.n_prints, self.n_agg, self.n_orders, self.n_updates


class MarketSkeleton:
    """One market's rows, on the path of its asset."""

    def __init__(
        self,
        seed: int,
        instrument: Instrument,
        manifest: SimulationManifest,
        origin_ns: int,
        asset: AssetPath,
        bends: Bends = NONE,
    ) -> None:
        self.instrument, self.manifest, self.origin_ns = instrument, manifest, origin_ns
        self.bends = bends
        self._seed, self._asset, self._lock = seed, asset, RLock()
        self._days = _Days(self._make_day, keep=64)
        self._minutes = _Days(self._make_minutes, keep=64)
        self._minute_bases = _Days(self._make_minute_bases, keep=64)
        self._bases = _Days(self._make_seconds_basis, keep=12)
        self._bids = _Days(self._make_seconds_bid, keep=6)
        self._slow = OrnsteinUhlenbeck(
            manifest.basis_mean_bp * 1e-4, manifest.basis_std_bp * 1e-4, manifest.basis_halflife_s, step_s=60
        )
        self._fast = OrnsteinUhlenbeck(
            0, manifest.basis_fast_std_bp * 1e-4, manifest.basis_fast_halflife_s, step_s=1
        )
        unit = 10**instrument.price_decimals / instrument.tick_size
        self._initial_ticks = fixed_point(manifest.initial_price * unit, 1)
        self._initial_e8 = fixed_point(manifest.initial_price, 10**8)
        self._min_lots = manifest.min_lots(instrument)
        self._max_lots = manifest.max_lots(instrument)
        self._mean_lots = manifest.mean_order_lots(instrument)
        day, minute = divmod(origin_ns // BLOCK_NS, DAY_MINUTES)
        self.listed_ns = (day - LISTED_DAYS) * DAY_NS
        at_origin = np.array([ORIGIN_TRADE_ID, ORIGIN_AGG_ID, ORIGIN_ORDER_ID, ORIGIN_UPDATE_ID])
        midnight = at_origin - np.array([c[:minute].sum() for c in self._days[day].counts])
        self._ids = _Running(day, midnight, lambda d: np.array([c.sum() for c in self._days[d].counts]))

    # ------------------------------------------------------------ the rows
    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        """Rows of the whole minutes in [start_ns, end_ns), none before the listing."""
        first, stop = -(-max(start_ns, self.listed_ns) // BLOCK_NS), end_ns // BLOCK_NS
        with self._lock:
            parts = [
                self._minutes[day].cut(
                    max(first - day * DAY_MINUTES, 0), min(stop - day * DAY_MINUTES, DAY_MINUTES)
                )
                for day in range(first // DAY_MINUTES, -(-stop // DAY_MINUTES))
            ]
        return Minutes.join(parts)

    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        """The 1 s grid at the whole seconds in [start_ns, end_ns), none before the listing."""
        first, stop = -(-max(start_ns, self.listed_ns) // SECOND_NS), -(-end_ns // SECOND_NS)
        parts = []
        with self._lock:
            for day in range(first // DAY_SECONDS, -(-stop // DAY_SECONDS)):
                low, high = max(first - day * DAY_SECONDS, 0), min(stop - day * DAY_SECONDS, DAY_SECONDS)
                at_ns = (day * DAY_SECONDS + np.arange(low, high)) * SECOND_NS
                index, basis = self._asset.seconds_q32(day)[low:high], self._bases[day][low:high]
                if self.bends:
                    index = _bent(index, self.bends.index_q32(at_ns))
                    basis = basis + self.bends.premium_q32(at_ns)
                bids = self._bids[day][low:high]
                parts.append(Seconds(at_ns, bids, self._index_e8(index), self._premium_e8(basis)))
        return Seconds.join(parts)

    def index_minutes(self, start_ns: int, end_ns: int) -> IndexMinutes:
        """The index over the whole minutes in [start_ns, end_ns), none before the listing; no 1 s grid is needed."""
        first, stop = -(-max(start_ns, self.listed_ns) // BLOCK_NS), end_ns // BLOCK_NS
        parts: list[IndexMinutes] = []
        for day in range(first // DAY_MINUTES, -(-stop // DAY_MINUTES)):
            path, rows = self._asset.minutes_q32(day), self._asset.day(day)
            ends = path[:-1], path[1:]
            high, low = np.maximum(*ends) + rows.above_q32, np.minimum(*ends) - rows.below_q32
            logs = [
                np.clip(x, -_LOG_PRICE_MAX_Q32, _LOG_PRICE_MAX_Q32) for x in (path[:-1], high, low, path[1:])
            ]
            if self.bends:
                ends_q32 = self.bends.index_q32(_minute_starts(day))
                least, most = self.bends.index_ranges_q32(day)
                added = ends_q32[:-1], most, least, ends_q32[1:]
                logs = [_bent(x, more) for x, more in zip(logs, added, strict=True)]
            whole = IndexMinutes(
                (day * DAY_MINUTES + np.arange(DAY_MINUTES)) * BLOCK_NS, *(self._index_e8(x) for x in logs)
            )
            minutes = max(first - day * DAY_MINUTES, 0), min(stop - day * DAY_MINUTES, DAY_MINUTES)
            parts.append(whole.cut(*minutes))
        return IndexMinutes.join(parts)

    def minute_of(self, first_id: str, wanted: int, before_ns: int) -> int:
        """The start of the minute that an id falls into, or would: the last one before before_ns whose first id
        (`first_trade_id`, ...) is not above it; the listing's first minute if there is none.
        """
        days = range(self.listed_ns // DAY_NS, (before_ns - 1) // DAY_NS + 1)
        with self._lock:
            i = bisect_right(days, wanted, key=lambda day: getattr(self._minutes[day], first_id)[0])
            rows = self._minutes[days[max(i - 1, 0)]]
        i = int(np.searchsorted(getattr(rows, first_id), wanted, side="right"))
        return int(rows.start_ns[max(i - 1, 0)])

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        """The premium at start_ns, start_ns + step_ns, ... before end_ns (whole seconds), from the basis alone; if
        these are minute starts, without the seconds between.
        """
        by_minute = start_ns % BLOCK_NS == step_ns % BLOCK_NS == 0
        unit_ns = BLOCK_NS if by_minute else SECOND_NS
        first, stop, step = start_ns // unit_ns, -(-end_ns // unit_ns), step_ns // unit_ns
        units = DAY_NS // unit_ns  # of a day
        parts = [np.zeros(0, dtype=np.int64)]
        with self._lock:
            for day in range(first // units, -(-stop // units)):
                basis = np.add(*self._minute_bases[day]) if by_minute else self._bases[day]
                low, high = max(first - day * units, 0), min(stop - day * units, units)
                part = basis[low:high]
                if self.bends:
                    part = part + self.bends.premium_q32((day * units + np.arange(low, high)) * unit_ns)
                parts.append(part)
        return self._premium_e8(np.concatenate(parts)[::step])

    @property
    def premium_limit_e8(self) -> int:
        """No premium lies farther from 0, unless it is bent."""
        m = self.manifest
        reach_bp = abs(m.basis_mean_bp) + _BASIS_REACH * (m.basis_std_bp + m.basis_fast_std_bp)
        return math.ceil(max(reach_bp - m.impact_half_spread_bp, 0) * 1e4) + 2  # what two roundings can add

    @property
    def premium_bent_ns(self) -> int | None:
        """The first instant at which the premium may be bent; None for never."""
        return self.bends.premium_from_ns

    @property
    def funding_changes(self) -> tuple[tuple[int, int], ...]:
        """From when on funding has intervals of how many hours, beyond its own rule; 0: of its own again."""
        return self.bends.funding_changes

    def forced_q16(self, k: int) -> int:
        """How many times as many liquidations minute k has as it would by itself."""
        return self.bends.forced_q16(self.origin_ns + k * BLOCK_NS)

    def plan(self, k: int) -> MinutePlan:
        """Row k, counted from the origin's minute, as its block realises it."""
        day, i = divmod(self.origin_ns // BLOCK_NS + k, DAY_MINUTES)
        with self._lock:
            rows, minutes, bid_ticks = self._days[day], self._minutes[day], self._bids[day]
            log_vol_q16 = self._asset.day(day).log_vol_q16[i : i + 1]
        return MinutePlan(
            k=k,
            start_ns=int(minutes.start_ns[i]),
            bid_ticks=bid_ticks[i * 60 : i * 60 + 61],
            spread_ticks=self.manifest.base_spread_ticks,
            activity_q16=int(rows.activity_q16[i]),
            log_volatility_q16=int(log_vol_q16[0]),
            n_orders=int(rows.n_orders[i]),
            n_prints=int(rows.n_prints[i]),
            n_agg=int(rows.n_agg[i]),
            open_side=Side.BUY if rows.opens_at_ask[i] else Side.SELL,
            close_side=Side.BUY if rows.closes_at_ask[i] else Side.SELL,
            buy_lots=int(rows.buy_lots[i]),
            sell_lots=int(rows.sell_lots[i]),
            buy_quote_units=int(rows.buy_quote_units[i]),
            sell_quote_units=int(rows.sell_quote_units[i]),
            first_trade_id=int(minutes.first_trade_id[i]),
            first_agg_id=int(minutes.first_agg_id[i]),
            first_order_id=int(minutes.first_order_id[i]),
            update_id=int(minutes.update_id[i]),
            next_update_id=int(minutes.update_id[i] + rows.n_updates[i]),
            burst=None
            if rows.burst_q16[i] == ONE
            else Burst(int(rows.burst_ns[i]), int(rows.burst_end_ns[i]), int(rows.burst_q16[i])),
        )

    # ------------------------------------------------------------ prices
    def _bid(self, log_q32: Column) -> Column:
        return np.maximum(exp_q32(log_q32, self._initial_ticks), 1)

    def _index_e8(self, log_q32: Column) -> Column:
        """Initial price * exp(x) in 1e-8 quote units: a 36-bit factor times a price of up to 44 bits, in two
        halves.
        """
        factor = exp_q32(log_q32, 1 << 30)
        high, low = factor >> 18, factor & ((1 << 18) - 1)
        return (high * self._initial_e8 + ((low * self._initial_e8) >> 18)) >> 12

    def _premium_e8(self, basis_q32: Column) -> Column:
        """(max(0, impact bid - index) - max(0, index - impact ask)) / index, with impact prices a fixed
        distance from the mid.
        """
        half = fixed_point(self.manifest.impact_half_spread_bp * 1e-4, _Q32)
        outside = np.maximum(basis_q32 - half, 0) - np.maximum(-basis_q32 - half, 0)
        return (outside * 10**8) >> 32

    # ------------------------------------------------------------ the basis
    def _draws(self, kind: str, day: int) -> Stream:
        return stream(self._seed, "market", self.manifest.stream_name(self.instrument.market), kind, day)

    def _slow_basis(self, day: int) -> Column:
        """The slow basis at the minutes of a day. Midnights are independent draws of the stationary law (the
        half-life is hours at most), joined by the exact bridge.
        """
        start, end = (
            self._slow.stationary_q32(self._draws("basis-midnight", d).normal_q16(1)) for d in (day, day + 1)
        )
        free = self._slow.path_q32(int(start[0]), self._draws("basis", day).normal_q16(DAY_MINUTES))
        return _within(self._slow.bridged_q32(free, int(end[0])), self._slow)

    def _fast_basis(self, day: int) -> Column:
        """The fast basis at the 1,441 minute starts of a day, as usual volatility makes it. Its half-life is
        seconds, so minutes are independent.
        """
        draws = self._draws("fast", day), self._draws("fast", day + 1)
        return self._fast.stationary_q32(
            np.concatenate([draws[0].normal_q16(DAY_MINUTES), draws[1].normal_q16(1)])
        )

    def _basis_width_q16(self, day: int) -> Column:
        """How wide the fast basis is at the same instants, beside the usual: the less settled a price, the wider."""
        today, tomorrow = self._asset.day(day).log_vol_q16, self._asset.day(day + 1).log_vol_q16[:1]
        return exp_q16(np.concatenate([today, tomorrow]) // 2)

    def _make_minute_bases(self, day: int) -> tuple[Column, Column]:
        """The slow and the fast basis at the 1,441 minute starts of a day, both midnights included."""
        fast = self._fast_basis(day) * self._basis_width_q16(day) >> 16
        return self._slow_basis(day), _within(fast, self._fast)

    def _make_seconds_basis(self, day: int) -> Column:
        """The basis at the 86,401 whole seconds of a day: the slow one interpolated, plus an Ornstein-Uhlenbeck of
        seconds that passes through the minutes' fast values.
        """
        (slow, at_minutes), minutes, width = (
            self._minute_bases[day],
            self._fast_basis(day),
            self._basis_width_q16(day),
        )
        draws = self._draws("fast-seconds", day).normal_q16(DAY_SECONDS).reshape(60, DAY_MINUTES)
        fast = self._fast.bridged_q32(self._fast.paths_q32(minutes[:-1], draws), minutes[1:])
        second = np.arange(60)[:, None]
        fast = fast[:60] * (width[:-1] + np.diff(width) * second // 60) >> 16
        grid = slow[:-1] + np.diff(slow) * second // 60 + _within(fast, self._fast)
        return np.append(grid.T.ravel(), slow[-1] + at_minutes[-1])

    # ------------------------------------------------------------ a day without its seconds
    def _make_day(self, day: int) -> _Day:
        """Bent minutes have draws of their own: what bends do to them must not be seen in those of others."""
        rows = self._rows(day, NONE)
        touched = self.bends.touched(day) if self.bends else np.zeros(1, np.bool_)
        if not touched.any():
            return rows
        bent = self._rows(day, self.bends)
        columns = {f.name: (getattr(bent, f.name), getattr(rows, f.name)) for f in fields(_Day)}
        bids = columns.pop("bid_ticks")[0]
        return _Day(bids, **{name: np.where(touched, *both) for name, both in columns.items()})

    def _rows(self, day: int, bends: Bends) -> _Day:
        m, asset, log_price = self.manifest, self._asset.day(day), self._asset.minutes_q32(day)
        slow, fast = self._minute_bases[day]
        ends = log_price[:-1], log_price[1:]
        logs = (
            log_price + slow + fast,
            np.minimum(*ends) - asset.below_q32 + slow[:-1],
            np.maximum(*ends) + asset.above_q32 + slow[:-1],
        )
        if bends:
            added = bends.price_q32(_minute_starts(day)), *bends.ranges_q32(day)
            logs = (_bent(logs[0], added[0]), _bent(logs[1], added[1]), _bent(logs[2], added[2]))
        bid = self._bid(logs[0])
        before, after = bid[:-1], bid[1:]
        low = np.minimum(np.minimum(before, after), self._bid(logs[1]))
        high = np.maximum(np.maximum(before, after), self._bid(logs[2]))
        span = high - low
        draws, apart = self._draws("bent-rows" if bends else "rows", day), bool(bends)
        noise = draws.normal_q16(DAY_MINUTES) * fixed_point(m.count_noise) // ONE - fixed_point(
            m.count_noise**2 / 2
        )
        activity = exp_q16(
            np.clip(
                asset.log_vol_q16 * fixed_point(m.activity_vol_elasticity) // ONE + noise, -4 * ONE, 4 * ONE
            )
        )
        burst_q16, burst_ns, burst_end_ns = self._bursts(day, activity, bends)
        length_ms = (burst_end_ns - burst_ns) // MS_NS
        activity += (activity * (burst_q16 - ONE) >> 16) * length_ms // 60_000
        orders = draws.poisson(
            DAY_MINUTES, (activity * fixed_point(m.trade_intensity_base * 60)) >> 16, apart=apart
        )
        # Too few orders to realise a bar: none or MIN_ORDERS of them, in proportion.
        kept = draws.below(DAY_MINUTES, MIN_ORDERS) < orders
        orders = np.where(orders >= MIN_ORDERS, orders, np.where(kept, MIN_ORDERS, 0))
        most = np.minimum(span // 4, orders // 8)
        extra = np.minimum(
            most, draws.poisson(DAY_MINUTES, orders * fixed_point(m.sweep_levels), apart=apart)
        )
        prints = (
            orders
            + extra
            + draws.poisson(DAY_MINUTES, orders * fixed_point(m.prints_per_order - 1), apart=apart)
        )
        # Heavy-tailed order sizes average out over a minute, what remains is log-normal; buyers prevail when the
        # price rises.
        size = exp_q16(
            draws.normal_q16(DAY_MINUTES) * fixed_point(m.volume_noise) // ONE
            - fixed_point(m.volume_noise**2 / 2),
            1 << 20,
        )
        lots = np.minimum((orders * self._mean_lots * size) >> 20, prints * (self._max_lots // 2))
        lean = (after - before) * ONE // np.maximum(span, 1)
        share = logistic_q16(lean + draws.normal_q16(DAY_MINUTES) * 3 // 8)
        least = 4 * prints * self._min_lots
        buy = np.where(orders > 0, np.maximum((lots * share) >> 16, least), 0)
        sell = np.where(orders > 0, np.maximum(lots - buy, least), 0)
        # Each side's average price lies near the middle of the bar's four prices, and never so near an end that
        # sizes could not be arranged to meet it.
        centre = (before + after - 2 * low + span) * ONE // np.maximum(4 * span, 1)
        quotes = []
        for side_lots, base in ((buy, low + m.base_spread_ticks), (sell, low)):
            above = (side_lots * (centre + draws.normal_q16(DAY_MINUTES) // 16)) >> 16
            quotes.append(base * side_lots + span * np.clip(above, -(-side_lots // 8), side_lots * 7 // 8))
        # More ids than a block can have changes of the book: a move is made in up to six steps, most of which the
        # other side follows, and every one may set off quotes.
        per_order = math.ceil(16 + 2 * m.quotes_per_order + 8 * m.quotes_per_move)
        per_second = m.update_ids_per_second + 3 * m.book_update_intensity + 2 * m.quote_intensity
        per_second += 16 * (m.requote_intensity + m.flicker_intensity) * (1 + m.quotes_per_move)
        return _Day(
            bid_ticks=bid,
            low_ticks=low,
            high_ticks=high,
            activity_q16=activity,
            burst_q16=burst_q16,
            burst_ns=burst_ns,
            burst_end_ns=burst_end_ns,
            n_orders=orders,
            n_agg=orders + extra,
            n_prints=prints,
            n_updates=_UPDATES_LEAST
            + orders * per_order
            + ((activity * fixed_point(60 * per_second, 1)) >> 16),
            opens_at_ask=draws.chance(DAY_MINUTES, ONE // 2),
            closes_at_ask=draws.chance(DAY_MINUTES, ONE // 2),
            buy_lots=buy,
            sell_lots=sell,
            buy_quote_units=quotes[0],
            sell_quote_units=quotes[1],
        )

    def _bursts(self, day: int, activity_q16: Column, bends: Bends) -> tuple[Column, Column, Column]:
        """How many times as active the burst of each minute is, Q16, and when it begins and ends, ns from the minute's
        start.
        """
        m, draws = self.manifest, self._draws("bursts", day)
        hit = draws.chance(DAY_MINUTES, fixed_point(m.burst_probability))
        most = (BURST_ACTIVITY_MAX * ONE << 16) // activity_q16
        times = np.maximum(np.minimum(fixed_point(m.burst_intensity_factor), most), ONE)
        length_ns = round(m.burst_duration_s * SECOND_NS)
        start_ns = draws.uniform_q16(DAY_MINUTES) * ((BLOCK_NS - length_ns) >> 10) >> 6
        times, end_ns = np.where(hit, times, ONE), start_ns + length_ns
        if not bends:
            return times, start_ns, end_ns
        rush, rush_ns, rush_end_ns = bends.rushes(day)
        bent = rush != ONE
        rush = np.maximum(np.minimum(rush, most), ONE)
        return (
            np.where(bent, rush, times),
            np.where(bent, rush_ns, start_ns),
            np.where(bent, rush_end_ns, end_ns),
        )

    # ------------------------------------------------------------ what is carried from day to day
    def _make_minutes(self, day: int) -> Minutes:
        rows, spread = self._days[day], self.manifest.base_spread_ticks
        traded = rows.n_orders > 0
        last = np.maximum.accumulate(np.where(traded, np.arange(DAY_MINUTES), -1))
        close = np.where(last >= 0, self._closes(rows)[last], self._close_before(day))
        first = [start + exclusive(count) for start, count in zip(self._ids[day], rows.counts, strict=True)]
        return Minutes(
            start_ns=day * DAY_NS + np.arange(DAY_MINUTES) * BLOCK_NS,
            open_ticks=np.where(traded, rows.bid_ticks[:-1] + rows.opens_at_ask * spread, close),
            high_ticks=np.where(traded, rows.high_ticks + spread, close),
            low_ticks=np.where(traded, rows.low_ticks, close),
            close_ticks=close,
            n_prints=rows.n_prints,
            volume_lots=rows.buy_lots + rows.sell_lots,
            quote_units=rows.buy_quote_units + rows.sell_quote_units,
            taker_buy_lots=rows.buy_lots,
            taker_buy_quote_units=rows.buy_quote_units,
            first_trade_id=first[0],
            first_agg_id=first[1],
            first_order_id=first[2],
            update_id=first[3],
        )

    def _close_before(self, day: int) -> int:
        """The last print's price before a day, or its first bid where nothing was ever traded."""
        first_bid = int(self._days[day].bid_ticks[0])
        while (day := day - 1) * DAY_NS >= self.listed_ns:
            traded = np.flatnonzero(self._days[day].n_orders)
            if len(traded):
                return int(self._closes(self._days[day])[traded[-1]])
        return first_bid

    def _closes(self, rows: _Day) -> Column:
        return rows.bid_ticks[1:] + rows.closes_at_ask * self.manifest.base_spread_ticks

    # ------------------------------------------------------------ a day by seconds
    def _make_seconds_bid(self, day: int) -> Column:
        """The best bid at the day's 86,401 whole seconds."""
        rows, path, basis = self._days[day], self._asset.seconds_q32(day), self._bases[day]
        # A lagging market shows part of the last second's move only in the next one; at minute starts it has
        # caught up.
        lag = increments(path, int(path[0])) * fixed_point(min(self.manifest.lag_ms / 1000, 1)) // ONE
        lag[::60] = 0
        log = path - lag + basis
        if self.bends:
            added = self.bends.price_q32(day * DAY_NS + np.arange(DAY_SECONDS + 1) * SECOND_NS)
            log, path = _bent(log, added), path + added
        bid = self._bid(log)
        # Inside a minute the bid keeps to the row's range, and touches the ends that lie beyond its own ends.
        inner = bid[:-1].reshape(DAY_MINUTES, 60)[:, 1:]
        touches = path[:-1].reshape(DAY_MINUTES, 60)[:, 1:]
        inner[:] = _fold(inner, rows.low_ticks, rows.high_ticks)
        ends = rows.bid_ticks[:-1], rows.bid_ticks[1:]
        each = np.flatnonzero(rows.high_ticks > np.maximum(*ends))
        inner[each, np.argmax(touches[each], axis=1)] = rows.high_ticks[each]
        each = np.flatnonzero(rows.low_ticks < np.minimum(*ends))
        inner[each, np.argmin(touches[each], axis=1)] = rows.low_ticks[each]
        return bid

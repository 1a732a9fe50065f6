"""Bends: what may be declared of a market beyond its own life: a crash, a rush, an index that goes astray.

A bend is a value. What it does at an instant is a function of that instant alone, so a bent market is as seekable as
any other: the skeleton asks for it where it makes prices, activity and premiums, and all else follows. Bends of a
market add up. Before its first instant a bend changes nothing, to the last bit. All arithmetic is on integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.fixed import ONE, exp_q32
from reactor.types import BLOCK_NS, DAY_NS, SECOND_NS, TICK_NS, Column
from reactor.values import dataclass

Knots: TypeAlias = tuple[tuple[int, int], ...]  # (instant in ns, value), ascending

_Q32 = 1 << 32
_DAY_MINUTES = DAY_NS // BLOCK_NS


def log_q32(share_e6: int) -> int:
    """The logarithm (Q32) of a share in 1e-6, from 0.05 to 20, to the last bit that `exp_q32` tells apart."""
    if not 50_000 <= share_e6 <= 20_000_000:
        raise ValueError(f"{share_e6} is not from 50000 to 20000000")
    wanted = share_e6 * (1 << 24) // 10**6
    low, high = -3 * _Q32, 3 * _Q32
    while low < high:
        middle = (low + high) // 2
        if int(exp_q32(np.array([middle]), 1 << 24)[0]) < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def swing(start_ns: int, legs: Sequence[tuple[int, int]], end_ns: int | None = None) -> Knots:
    """A value that begins at 0 and comes to each leg's (ns after the last, value) in a straight line; the last one
    stays. From `end_ns` on it goes back to 0 within a minute, from wherever it then is.
    """
    knots = [(start_ns, 0)]
    for length_ns, value in legs:
        knots.append((knots[-1][0] + max(length_ns, TICK_NS), value))
    if end_ns is None or (end_ns >= knots[-1][0] and not knots[-1][1]):
        return tuple(knots)
    if end_ns <= start_ns:
        return ()
    value = int(_values(tuple(knots), np.array([end_ns]))[0])
    return (*(knot for knot in knots if knot[0] < end_ns), (end_ns, value), (end_ns + BLOCK_NS, 0))


def _values(knots: Knots, at_ns: Column) -> Column:
    """What knots say at instants: 0 before the first, straight lines between, the last value after it."""
    value = np.zeros(len(at_ns), np.int64)
    for (from_ns, before), (to_ns, after) in pairwise(knots):
        inside = (at_ns >= from_ns) & (at_ns < to_ns)
        # in ticks: a value of 34 bits times a month of nanoseconds would not fit
        way = (at_ns[inside] - from_ns) // TICK_NS
        value[inside] = before + (after - before) * way // max((to_ns - from_ns) // TICK_NS, 1)
    if knots:
        value[at_ns >= knots[-1][0]] = knots[-1][1]
    return value


@dataclass(frozen=True, slots=True)
class Bend:
    """One bend of a market.

    `price_q32` and `index_q32` are added to the logarithms (Q32) of the market's price and of its index. In
    [start_ns, end_ns) the market is `activity_q16` times as active as else, and `forced_q16` times as many of its
    orders are liquidations. Where there are `funding_hours`, a perpetual's funding has intervals of so many, from the
    first settlement in that span to the first after it.
    """

    price_q32: Knots = ()
    index_q32: Knots = ()
    start_ns: int = 0
    end_ns: int = 0
    activity_q16: int = ONE
    forced_q16: int = ONE
    funding_hours: int = 0

    @property
    def parts(self) -> tuple[int, int] | None:
        """From when to when price and index may go different ways; None where they never do."""
        if self.price_q32 == self.index_q32:
            return None
        times = [at_ns for at_ns, _ in (*self.price_q32, *self.index_q32)]
        return min(times), max(times)


@dataclass(frozen=True, slots=True)
class Bends:
    """All bends of a market."""

    each: tuple[Bend, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.each)

    def price_q32(self, at_ns: Column) -> Column:
        """What is added to the logarithm of the price at instants."""
        return self._sum([bend.price_q32 for bend in self.each], at_ns)

    def index_q32(self, at_ns: Column) -> Column:
        """What is added to the logarithm of the index at instants."""
        return self._sum([bend.index_q32 for bend in self.each], at_ns)

    def premium_q32(self, at_ns: Column) -> Column:
        """What is added to the price's distance from the index at instants."""
        return self.price_q32(at_ns) - self.index_q32(at_ns)

    def _sum(self, every: Sequence[Knots], at_ns: Column) -> Column:
        total = np.zeros(len(at_ns), np.int64)
        for knots in every:
            if knots and len(at_ns) and knots[0][0] <= at_ns[-1]:
                total += _values(knots, at_ns)
        return total

    @property
    def premium_from_ns(self) -> int | None:
        """The first instant at which the premium may be another; None where it never is."""
        return min((bend.parts[0] for bend in self.each if bend.parts), default=None)

    @property
    def funding_changes(self) -> tuple[tuple[int, int], ...]:
        """From when on funding has intervals of how many hours, ascending; 0: as many as it would by itself."""
        changes = [
            change
            for bend in self.each
            if bend.funding_hours
            for change in ((bend.start_ns, bend.funding_hours), (bend.end_ns, 0))
        ]
        return tuple(sorted(changes))

    def ranges_q32(self, day: int) -> tuple[Column, Column]:
        """The least and the greatest that is added to the logarithm of the price in each minute of a day."""
        return self._ranges(self.price_q32, day)

    def index_ranges_q32(self, day: int) -> tuple[Column, Column]:
        """Likewise of the index."""
        return self._ranges(self.index_q32, day)

    def _ranges(self, of: Callable[[Column], Column], day: int) -> tuple[Column, Column]:
        seconds = of(day * DAY_NS + np.arange(DAY_NS // SECOND_NS + 1) * SECOND_NS)
        inside = seconds[:-1].reshape(_DAY_MINUTES, -1)
        ends = seconds[60::60]
        return np.minimum(inside.min(axis=1), ends), np.maximum(inside.max(axis=1), ends)

    def rushes(self, day: int) -> tuple[Column, Column, Column]:
        """For each minute of a day: how many times as active the market is (Q16, ONE for as ever), and from when to
        when, in ns from the minute's start. Of two in a minute, the one that was declared last.
        """
        minute_ns = day * DAY_NS + np.arange(_DAY_MINUTES) * BLOCK_NS
        times, start, end = (np.full(_DAY_MINUTES, value) for value in (ONE, 0, 0))
        for bend in self.each:
            if bend.activity_q16 == ONE:
                continue
            first = np.clip(bend.start_ns - minute_ns, 0, BLOCK_NS)
            stop = np.clip(bend.end_ns - minute_ns, 0, BLOCK_NS)
            hit = stop > first
            times[hit], start[hit], end[hit] = bend.activity_q16, first[hit], stop[hit]
        return times, start, end

    def touched(self, day: int) -> NDArray[np.bool_]:
        """Which minutes of a day have another price or activity than by themselves."""
        least, most = self.ranges_q32(day)
        touched: NDArray[np.bool_] = (least != 0) | (most != 0) | (self.rushes(day)[0] != ONE)
        return touched

    def forced_q16(self, start_ns: int) -> int:
        """How many times as many liquidations there are in the minute that begins then."""
        inside = [
            bend for bend in self.each if bend.start_ns < start_ns + BLOCK_NS and bend.end_ns > start_ns
        ]
        return max((bend.forced_q16 for bend in inside), default=ONE)


NONE = Bends()

"""Time as objects: a clock that moves when told to, and how long after an event its news goes out.

Nothing here reads a clock: whoever has a wall clock passes its instants in, and without one virtual time is stepped.
What a latency draws depends on the seed and on what it is drawn for, never on what was asked before.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, Self

import numpy as np

from reactor.fixed import NORMAL_Q16, ONE, exp_q16
from reactor.rng import stream
from reactor.types import MS_NS, TICK_NS, Column
from reactor.values import dataclass

FASTEST: Final = math.inf  # the pace of a clock that never waits
FOREVER_NS: Final = 1 << 63  # later than any instant
DELAY_MAX_NS: Final = (1 << 31) - 1  # about 2.1 s
SIGMA_MAX: Final = 4.0
LATENCY_FORMS: Final = "fixed DELAY, jittery LEAST JITTER, log-normal MEDIAN SIGMA MOST, all but sigma in ms"
_IDS = 4_096  # drawn at a time


# ---------------------------------------------------------------- the clock
class Chronometer:
    """A virtual clock: an instant on a tick's boundary, and the pace at which it should move.

    The pace relates it to some other clock, the wall's say: `due_ns` tells where it should be by now. It gets there by
    `reach` alone, so between two calls nothing moves. At FASTEST it is always due.
    """

    __slots__ = ("_anchor", "_now_ns", "_pace", "paused", "speed")

    def __init__(self, start_ns: int, speed: float = 1.0, *, paused: bool = False) -> None:
        self._now_ns = start_ns - start_ns % TICK_NS
        self.paused = paused
        self.set_speed(speed, 0)

    @property
    def now_ns(self) -> int:
        """The boundary it stands on, in ns since the epoch."""
        return self._now_ns

    def reach(self, at_ns: int) -> None:
        """Move on to a boundary. ValueError when that is none, or past."""
        if at_ns % TICK_NS or at_ns < self._now_ns:
            raise ValueError(f"{at_ns} is no boundary of a tick, or before {self._now_ns}")
        self._now_ns = at_ns

    def set_speed(self, speed: float, wall_ns: int) -> None:
        """So many virtual seconds per second, from here and this wall instant on. ValueError unless above 0."""
        if not speed > 0:
            raise ValueError(f"speed: {speed} is out of range; allowed: above 0")
        self.speed = speed
        self._pace = (0, 1) if speed == FASTEST else speed.as_integer_ratio()
        self.anchor(wall_ns)

    def anchor(self, wall_ns: int) -> None:
        """Count the pace from here and this wall instant on: what was due and not reached is forgiven."""
        self._anchor = (self._now_ns, wall_ns)

    def forgive(self, debt_ns: int, wall_ns: int) -> None:
        """Forgive what was due by this wall instant and not reached, all but so much."""
        if debt_ns < self.due_ns(wall_ns) - self._now_ns < FOREVER_NS // 2:
            self._anchor = (self._now_ns + debt_ns, wall_ns)

    def due_ns(self, wall_ns: int) -> int:
        """The boundary it should have reached at this wall instant; where it stands, when it is paused."""
        if self.paused:
            return self._now_ns
        if self.speed == FASTEST:
            return FOREVER_NS - FOREVER_NS % TICK_NS
        (virtual_ns, anchor_ns), (n, d) = self._anchor, self._pace
        due_ns = virtual_ns + (wall_ns - anchor_ns) * n // d
        return max(self._now_ns, due_ns - due_ns % TICK_NS)

    def wall_ns(self, at_ns: int) -> int:
        """The wall instant from which on a later boundary is due; now or earlier, at FASTEST."""
        (virtual_ns, anchor_ns), (n, d) = self._anchor, self._pace
        return anchor_ns if self.speed == FASTEST else anchor_ns - (virtual_ns - at_ns) * d // n


# ---------------------------------------------------------------- latency
@dataclass(frozen=True, slots=True, eq=False)
class LatencyModel:
    """How long after it happened an event is told, as a distribution.

    `delays_ns` are its quantiles in 65,536 equal slices, ascending, so that a 16-bit word draws one. It is bounded: a
    delay is at most `bound_ns`, the last of them.
    """

    delays_ns: Column

    @classmethod
    def fixed(cls, delay_ns: int) -> Self:
        """Always the same. ValueError outside 0 to DELAY_MAX_NS, here and below."""
        return cls.jittery(delay_ns, 0)

    @classmethod
    def jittery(cls, least_ns: int, jitter_ns: int) -> Self:
        """Uniform on [least_ns, least_ns + jitter_ns]."""
        _check(least_ns, jitter_ns, least_ns + jitter_ns)
        return cls(least_ns + (np.arange(ONE, dtype=np.int64) * jitter_ns // (ONE - 1)))

    @classmethod
    def log_normal(cls, median_ns: int, sigma: float, bound_ns: int) -> Self:
        """exp(normal) with this median; sigma, from 0 to SIGMA_MAX, is that of the logarithm. Cut at bound_ns."""
        _check(median_ns, bound_ns)
        if not 0 <= sigma <= SIGMA_MAX:
            raise ValueError(f"sigma: {sigma} is out of range; allowed: 0 to {SIGMA_MAX:g}")
        exponents = NORMAL_Q16 * round(sigma * ONE) >> 16
        return cls(np.minimum(exp_q16(exponents, median_ns), bound_ns))

    @classmethod
    def parse(cls, text: str) -> Self:
        """A model as one writes it: "fixed 5" ms, "jittery 2 3" (2 to 5 ms), "log-normal 20 0.7 400" (at most 400 ms).

        ValueError on anything else.
        """
        match text.split():
            case ["fixed", delay]:
                return cls.fixed(_ns(delay))
            case ["jittery", least, jitter]:
                return cls.jittery(_ns(least), _ns(jitter))
            case ["log-normal", median, sigma, bound]:
                return cls.log_normal(_ns(median), float(sigma), _ns(bound))
        raise ValueError(f"{text!r} is no latency; allowed: {LATENCY_FORMS}")

    @property
    def bound_ns(self) -> int:
        """No delay is longer."""
        return int(self.delays_ns[-1])

    def of(self, seed: int, *path: str) -> Latency:
        """The latency of one thing, a channel of a market say: what is drawn depends on (seed, path) and an id."""
        return Latency(self, seed, path)


def _ns(ms: str) -> int:
    return round(float(ms) * MS_NS)


def _check(*delays_ns: int) -> None:
    for delay_ns in delays_ns:
        if not 0 <= delay_ns <= DELAY_MAX_NS:
            raise ValueError(f"a delay of {delay_ns} ns is out of range; allowed: 0 to {DELAY_MAX_NS}")


@dataclass(frozen=True, slots=True)
class Latency:
    """When the events of one channel are told: in their order, so that one that is slow holds up the next."""

    model: LatencyModel
    seed: int
    path: tuple[str, ...]

    def delays_ns(self, ids: Column) -> Column:
        """The delay of each event by itself, by its id; ids ascend."""
        if not len(ids):
            return ids
        chunks = range(int(ids[0]) // _IDS, int(ids[-1]) // _IDS + 1)
        words = np.concatenate([_words(self.seed, self.path, chunk) for chunk in chunks])
        drawn: Column = self.model.delays_ns[words[ids - chunks.start * _IDS]]
        return drawn

    def told(self, ts_ns: Column, ids: Column, start_ns: int, end_ns: int) -> tuple[slice, Column]:
        """Which events are told in [start_ns, end_ns), a run of them, and when.

        The events come with their times and ids, both ascending, all there are in [start_ns - bound_ns, end_ns). No
        earlier one matters: whatever its delay, it has been told by start_ns and holds up nobody beyond.
        """
        told_ns = np.maximum.accumulate(ts_ns + self.delays_ns(ids))
        first, stop = np.searchsorted(told_ns, [start_ns, end_ns]).tolist()
        return slice(first, stop), told_ns[first:stop]


@lru_cache(256)
def _words(seed: int, path: tuple[str, ...], chunk: int) -> Column:
    return stream(seed, "latency", *path, chunk).uniform_q16(_IDS)

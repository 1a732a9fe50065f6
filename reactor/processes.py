"""The stochastic processes that prices and bases are made of: small values, each with its exact discretisation.

A process holds its parameters as floats in customary units and steps in fixed point: a log price and a basis are
integers in Q32 (2**32 = 1), normal draws come in Q16 from a `Stream`. No step is an approximation in time: a path
sampled every second has the law of one sampled every minute. Nothing here draws on its own account, except the jumps,
which are told from which stream; so who wants two assets to move together passes in draws that do.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np

from reactor.fixed import ONE, exp_q16, fixed_point, isqrt
from reactor.rng import Stream
from reactor.types import Column
from reactor.values import dataclass

YEAR_S: Final = 365.25 * 86_400
DAY_S: Final = 86_400
_Q32 = 1 << 32
_LEG = 40  # steps of a long mean-reverting path that are walked side by side with those of other legs


@dataclass(frozen=True, slots=True)
class GeometricBrownianMotion:
    """A price whose logarithm is a Brownian motion with drift: d log S = drift dt + volatility dW.

    `drift` is that of the log price a year, `volatility` per square root of a year, a step `step_s` seconds. A step's
    log return is normal with mean drift * dt and variance volatility**2 * dt, whatever dt (Osborne 1959, Black &
    Scholes 1973).
    """

    drift: float
    volatility: float
    step_s: float

    @property
    def drift_q32(self) -> int:
        """Mean log return of a step."""
        return fixed_point(self.drift * self.step_s / YEAR_S, _Q32)

    @property
    def deviation_q32(self) -> int:
        """Standard deviation of the log return of a step."""
        return fixed_point(self.volatility * math.sqrt(self.step_s / YEAR_S), _Q32)

    def deviations_q32(self, log_vol_q16: Column) -> Column:
        """That of steps whose volatility is exp(log_vol) times the usual one; |log_vol| < 20."""
        return exp_q16(log_vol_q16, self.deviation_q32)

    def returns_q32(self, normal_q16: Column, deviations_q32: Column | int | None = None) -> Column:
        """Log returns of steps, from a normal draw each; their deviations are the usual one where left out."""
        deviations = self.deviation_q32 if deviations_q32 is None else deviations_q32
        returns: Column = self.drift_q32 + ((deviations * normal_q16) >> 16)
        return returns


@dataclass(frozen=True, slots=True)
class MertonJumpDiffusion:
    """A geometric Brownian motion and, on top, jumps at the instants of a Poisson process (Merton 1976).

    `intensity` is in jumps a day; the logarithm of a jump is normal with mean `jump_mean` and deviation `jump_std`. The
    jumps of a step are N, Poisson with mean intensity * dt, and their sum is normal with mean N * jump_mean and
    variance N * jump_std**2. They are not compensated: a mean of jumps other than 0 is a drift.
    """

    diffusion: GeometricBrownianMotion
    intensity: float
    jump_mean: float
    jump_std: float

    def jumps_q32(self, draws: Stream, n: int, log_vol_q16: Column | None = None) -> Column:
        """The sum of the jumps in each of n steps, 0 where there was none; their deviations are exp(log_vol) times the
        usual one, where given, |log_vol| < 20.
        """
        counts = draws.poisson(n, fixed_point(self.intensity * self.diffusion.step_s / DAY_S, ONE))
        hit = np.flatnonzero(counts)
        root_q16 = isqrt(counts[hit] << 32)
        spread = ((root_q16 * draws.normal_q16(len(hit)) >> 16) * fixed_point(self.jump_std, _Q32)) >> 16
        if log_vol_q16 is not None:
            spread = spread * exp_q16(log_vol_q16[hit]) >> 16
        jumps = np.zeros(n, dtype=np.int64)
        jumps[hit] = counts[hit] * fixed_point(self.jump_mean, _Q32) + spread
        return jumps

    def returns_q32(self, draws: Stream, n: int) -> Column:
        """Log returns of n steps, jumps included, all from one stream."""
        return self.diffusion.returns_q32(draws.normal_q16(n)) + self.jumps_q32(draws, n)


@dataclass(frozen=True, slots=True)
class OrnsteinUhlenbeck:
    """A value that is drawn back to its mean: dx = -k (x - mean) dt + s dW (Uhlenbeck & Ornstein 1930).

    Given by what it looks like in the long run, `mean` and `deviation` (of x, not of its steps, below 0.25), and by the
    time `halflife_s` in which half of a displacement is forgotten: k = log 2 / halflife. One step is exact: x' = mean +
    a (x - mean) + deviation sqrt(1 - a**2) z, a = 2**(-step / halflife) (Gillespie 1996).
    """

    mean: float
    deviation: float
    halflife_s: float
    step_s: float

    @property
    def decay(self) -> float:
        """What is left of a displacement after a step."""
        return float(0.5 ** (self.step_s / self.halflife_s))

    @property
    def mean_q32(self) -> int:
        return fixed_point(self.mean, _Q32)

    @property
    def deviation_q32(self) -> int:
        return fixed_point(self.deviation, _Q32)

    def stationary_q32(self, normal_q16: Column) -> Column:
        """Values that do not know of each other: draws of the stationary law."""
        values: Column = self.mean_q32 + ((self.deviation_q32 * normal_q16) >> 16)
        return values

    def paths_q32(self, starts_q32: Column, normal_q16: Column) -> Column:
        """Paths side by side, one a column: m starts and n x m draws make n + 1 rows, the first being the starts."""
        noise_q32, decay_q30 = (
            fixed_point(self.deviation * math.sqrt(1 - self.decay**2), _Q32),
            fixed_point(self.decay, 1 << 30),
        )
        shocks = (normal_q16 * noise_q32) >> 16
        path = np.empty((len(shocks) + 1, shocks.shape[1]), dtype=np.int64)
        path[0] = starts_q32 - self.mean_q32
        for i, shock in enumerate(shocks):
            path[i + 1] = ((path[i] * decay_q30) >> 30) + shock
        return path + self.mean_q32

    def path_q32(self, start_q32: int, normal_q16: Column) -> Column:
        """One path of n + 1 points, n a multiple of 40: its legs are walked side by side and then joined."""
        legs = self.paths_q32(np.full(len(normal_q16) // _LEG, self.mean_q32), normal_q16.reshape(-1, _LEG).T)
        legs -= self.mean_q32
        left_q30 = _powers_q30(self.decay, _LEG)
        carried = [start_q32 - self.mean_q32]
        for gained in legs[_LEG].tolist():
            carried.append(((carried[-1] * int(left_q30[_LEG])) >> 30) + gained)
        legs += (left_q30[:, None] * np.array(carried[:-1], dtype=np.int64)) >> 30
        return np.append(legs[:_LEG].T.ravel(), carried[-1]) + self.mean_q32

    def bridged_q32(self, paths_q32: Column, ends_q32: int | Column) -> Column:
        """Paths bent to end at given values: with their draws, exactly the process conditioned on its end.

        One path, or paths one a column; what an end misses is given back along the way as the covariance with the end
        tells (Barczy & Kern 2013).
        """
        n = len(paths_q32) - 1
        weights = _bridge_q30(self.decay, n).reshape(-1, *[1] * (paths_q32.ndim - 1))
        bent: Column = paths_q32 + (((ends_q32 - paths_q32[-1]) * weights) >> 30)
        return bent


@lru_cache(maxsize=64)
def _powers_q30(decay: float, n: int) -> Column:
    return np.array([fixed_point(decay**i, 1 << 30) for i in range(n + 1)], dtype=np.int64)


@lru_cache(maxsize=64)
def _bridge_q30(decay: float, n: int) -> Column:
    """How much of an end's miss falls on step t of n: 0 at the start, 1 at the end."""
    weights = [decay ** (n - t) * (1 - decay ** (2 * t)) / (1 - decay ** (2 * n)) for t in range(n + 1)]
    return np.array([fixed_point(w, 1 << 30) for w in weights], dtype=np.int64)

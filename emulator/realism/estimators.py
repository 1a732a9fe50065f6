"""Estimators of stylized facts: arrays in, a number or an array out.

They know neither markets nor files. What cannot be estimated (no variance, too few values) is NaN, never an exception
and never a warning. Times are int64 ns, ascending; `side` is +1 for a buyer's order and -1 for a seller's.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reactor.types import Column

Floats: TypeAlias = NDArray[np.float64]

_LEAST_IN_TAIL = 20
_LEAST_IN_BIN = 8


def ratio(part: float, whole: float) -> float:
    """part / whole; NaN over zero."""
    return float(part / whole) if whole else math.nan


def mean(values: ArrayLike) -> float:
    """The mean; NaN of nothing."""
    x = np.asarray(values, np.float64)
    return float(x.mean()) if x.size else math.nan


def deviation(values: ArrayLike) -> float:
    """The standard deviation; NaN of nothing."""
    x = np.asarray(values, np.float64)
    return float(x.std()) if x.size else math.nan


def quantile(values: ArrayLike, share: float) -> float:
    """The value below which this share lies; NaN of nothing."""
    x = np.asarray(values, np.float64)
    return float(np.quantile(x, share)) if x.size else math.nan


# ---------------------------------------------------------------- distributions
def variation(values: ArrayLike, weights: ArrayLike | None = None) -> float:
    """The coefficient of variation, deviation over mean. Durations of a Poisson process have 1."""
    x = np.asarray(values, np.float64)
    w = np.ones(x.size) if weights is None else np.asarray(weights, np.float64)
    total = w.sum()
    if not total:
        return math.nan
    centre = (x * w).sum() / total
    return ratio(math.sqrt((np.square(x - centre) * w).sum() / total), float(centre))


def excess_kurtosis(values: ArrayLike) -> float:
    """The fourth standardised moment less 3: 0 for a normal law, 3 for Laplace's."""
    x = np.asarray(values, np.float64)
    if x.size < 2:
        return math.nan
    x = x - x.mean()
    return ratio(float(np.mean(x**4)), float(np.mean(x**2)) ** 2) - 3


def hill(values: ArrayLike, share: float) -> float:
    """The tail index of |values|, from the largest `share` of those that are not 0 (20 at least).

    B. M. Hill, "A simple general approach to inference about the tail of a distribution", Annals of Statistics 3
    (1975) 1163: the inverse of the mean log excess over the first order statistic outside the tail.
    """
    x = np.abs(np.asarray(values, np.float64))
    x = np.sort(x[x > 0])
    k = max(_LEAST_IN_TAIL, int(x.size * share))
    if x.size <= k:
        return math.nan
    return ratio(1.0, float(np.log(x[-k:] / x[-k - 1]).mean()))


def exceedance(values: ArrayLike, at: ArrayLike) -> Floats:
    """P(value > x) for each x of `at`."""
    x = np.sort(np.asarray(values, np.float64))
    if not x.size:
        return np.full(np.shape(at), np.nan)
    return 1 - np.searchsorted(x, np.asarray(at, np.float64), side="right") / x.size


# ---------------------------------------------------------------- counts and clusters
def fano(ts_ns: Column, window_ns: int) -> float:
    """Variance over mean of the counts in windows from the first event on: 1 for a Poisson process, more if events
    cluster. Only whole windows count, and there must be 12.
    """
    windows = int(ts_ns[-1] - ts_ns[0]) // window_ns if len(ts_ns) else 0
    if windows < 12:
        return math.nan
    counts = np.bincount((ts_ns - ts_ns[0]) // window_ns)[:windows]
    return ratio(float(counts.var()), float(counts.mean()))


def branching_ratio(fano_factor: float) -> float:
    """The mean number of events that an event of a Hawkes process sets off, 1 - 1 / sqrt(Fano factor).

    S. J. Hardiman, J.-P. Bouchaud, "Branching-ratio approximation for the self-exciting Hawkes process", Physical
    Review E 90 (2014) 062807, arXiv:1403.5227; the window has to be long against the memory.
    """
    return math.nan if math.isnan(fano_factor) else 1 - 1 / math.sqrt(max(fano_factor, 1.0))


# ---------------------------------------------------------------- memory
def autocorrelation(values: ArrayLike, lags: int) -> Floats:
    """Autocorrelations at lags 0 to `lags`, by the biased estimator (each lag over all values); NaN beyond the series
    or without variance.
    """
    x = np.asarray(values, np.float64)
    found = np.full(lags + 1, np.nan)
    if x.size < 2 or not x.var():
        return found
    size = 1 << (2 * x.size - 1).bit_length()  # room for the series not to meet itself
    power = np.abs(np.fft.rfft(x - x.mean(), size)) ** 2
    covariance = np.fft.irfft(power, size)[: min(x.size, lags + 1)]
    found[: covariance.size] = covariance / covariance[0]
    return found


def decay_exponent(correlations: Floats, first: int, last: int) -> float:
    """The exponent b of correlations ~ lag**-b over lags first to last: a line through the log-spaced means above 0.

    NaN with fewer than five of them. The order signs' exponent: F. Lillo, J. D. Farmer, "The long memory of the
    efficient market", Studies in Nonlinear Dynamics & Econometrics 8 (2004), arXiv:cond-mat/0311053.
    """
    edges = np.unique(np.geomspace(first, last + 1, 12).astype(np.int64))
    lags = np.array([(start + stop - 1) / 2 for start, stop in pairwise(edges)])
    means = np.array([correlations[a:b].mean() for a, b in pairwise(edges)])
    above = means > 0  # NaN is not
    return -slope(np.log(lags[above]), np.log(means[above])) if above.sum() >= 5 else math.nan


def correlation(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's; NaN where either does not vary."""
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if a.size < 2 or a.size != b.size:
        return math.nan
    a, b = a - a.mean(), b - b.mean()
    return ratio(float((a * b).sum()), math.sqrt(float((a * a).sum() * (b * b).sum())))


def slope(x: Floats, y: Floats, weights: Floats | None = None) -> float:
    """The slope of the (weighted) least-squares line."""
    w = np.ones(len(x)) if weights is None else weights
    total = w.sum()
    if not total:
        return math.nan
    dx, dy = x - (w * x).sum() / total, y - (w * y).sum() / total
    return ratio(float((w * dx * dy).sum()), float((w * dx * dx).sum()))


# ---------------------------------------------------------------- sampled paths
def last_before(ts_ns: Column, at_ns: Column) -> Column:
    """The index of the last event before each instant; 0 if there is none yet."""
    return np.maximum(np.searchsorted(ts_ns, at_ns, side="left") - 1, 0)


def last_at(ts_ns: Column, values: Floats, at_ns: Column) -> Floats:
    """The value that holds at each instant, an event at that very instant included."""
    sampled: Floats = values[np.maximum(np.searchsorted(ts_ns, at_ns, side="right") - 1, 0)]
    return sampled


def grid(start_ns: int, end_ns: int, step_ns: int) -> Column:
    """start_ns, start_ns + step_ns, ... before end_ns."""
    return np.arange(start_ns, end_ns, step_ns, dtype=np.int64)


def summed(ts_ns: Column, values: ArrayLike, edges_ns: Column) -> Floats:
    """The sum of the values of the events in each [edge, next edge)."""
    through = np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64))])
    return np.diff(through[np.searchsorted(ts_ns, edges_ns)])


# ---------------------------------------------------------------- queues
def order_flow_imbalance(bid: Column, bid_quantity: Floats, ask: Column, ask_quantity: Floats) -> Floats:
    """What each quote after the first adds to the demand for the asset, in units of quantity.

    R. Cont, A. Kukanov, S. Stoikov, "The price impact of order book events", Journal of Financial Econometrics 12
    (2014) 47, arXiv:1011.6402, equation 4: a queue counts wholly when its price improves, negatively when it is lost,
    and by its change when the price stays.
    """
    demand = np.where(bid[1:] >= bid[:-1], bid_quantity[1:], 0) - np.where(
        bid[1:] <= bid[:-1], bid_quantity[:-1], 0
    )
    supply = np.where(ask[1:] <= ask[:-1], ask_quantity[1:], 0) - np.where(
        ask[1:] >= ask[:-1], ask_quantity[:-1], 0
    )
    added: Floats = demand - supply
    return added


def auc(score: Floats, positive: NDArray[np.bool_]) -> float:
    """P(a positive's score is above a negative's), ties by half: .5 for a score that tells nothing.

    The Mann-Whitney statistic. Of the queue imbalance it says how well it foretells the next move of the mid: S.
    Stoikov, "The micro-price", Quantitative Finance 18 (2018) 1959.
    """
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    positives = int(positive.sum())
    pairs = positives * (len(score) - positives)
    return ratio(float(rank[positive].sum()) - positives * (positives + 1) / 2, pairs)


# ---------------------------------------------------------------- impact
def response(mid: Floats, side: Column, lag: int) -> float:
    """The mean move of the mid, in the direction of an order, until `lag` orders later; `mid` is the one before each.

    J.-P. Bouchaud, Y. Gefen, M. Potters, M. Wyart, "Fluctuations and response in financial markets", Quantitative
    Finance 4 (2004) 176, arXiv:cond-mat/0307332.
    """
    return mean((mid[lag:] - mid[:-lag]) * side[:-lag])


def impact_curve(volume: Floats, move: Floats) -> tuple[Floats, Floats]:
    """Mean |volume| and mean move in its direction, over seven equally filled bins of the upper nine tenths of the net
    signed volumes that are not 0; bins of fewer than eight are left out.

    The square-root law: J. Donier, J. Bonart, "A million metaorder analysis of market impact on the Bitcoin", Market
    Microstructure and Liquidity 1 (2015), arXiv:1412.4503.
    """
    flowed = volume != 0
    size, along = np.abs(volume[flowed]), move[flowed] * np.sign(volume[flowed])
    if not size.size:
        return np.zeros(0), np.zeros(0)
    edges = np.quantile(size, np.linspace(0.1, 1, 8))
    bins = [(size > low) & (size <= high) for low, high in pairwise(edges)]
    filled = [rows for rows in bins if rows.sum() >= _LEAST_IN_BIN]
    return np.array([size[rows].mean() for rows in filled]), np.array([along[rows].mean() for rows in filled])


def concavity(size: Floats, move: Floats) -> float:
    """The exponent of an impact curve, from its points above 0; NaN with fewer than four. .5 is the square root."""
    above = move > 0
    return slope(np.log(size[above]), np.log(move[above])) if above.sum() >= 4 else math.nan

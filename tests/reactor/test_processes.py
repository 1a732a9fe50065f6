"""Processes: their moments are the theory's, whatever the step, and bridges end where they should.

Bounds are about five standard errors of the estimate.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from reactor.processes import DAY_S, YEAR_S, GeometricBrownianMotion, MertonJumpDiffusion, OrnsteinUhlenbeck
from reactor.rng import stream
from reactor.types import Column

Q32 = 2.0**32
N = 400_000


def real(value_q32: Column) -> NDArray[np.float64]:
    return value_q32 / Q32


@pytest.mark.parametrize("step_s", [1, 60, 3_600])
def test_brownian_returns_have_their_mean_and_variance(step_s: int) -> None:
    """Log returns have mean drift dt and variance volatility**2 dt, and normal tails."""
    process = GeometricBrownianMotion(drift=2.0, volatility=0.6, step_s=step_s)
    returns = real(process.returns_q32(stream(1, "gbm", step_s).normal_q16(N)))
    dt = step_s / YEAR_S
    deviation = 0.6 * np.sqrt(dt)
    assert abs(returns.mean() - 2.0 * dt) < 5 * deviation / np.sqrt(N)
    assert abs(returns.std() / deviation - 1) < 5 / np.sqrt(2 * N)
    kurtosis = (((returns - returns.mean()) / returns.std()) ** 4).mean()
    assert abs(kurtosis - 3) < 5 * np.sqrt(24 / N)


def test_brownian_steps_add_up() -> None:
    """Sixty steps of a second have the law of one of a minute: the same mean, and a variance that is the sum."""
    second, minute = (GeometricBrownianMotion(5.0, 0.5, step_s=s) for s in (1, 60))
    assert abs(60 * second.drift_q32 - minute.drift_q32) <= 60
    assert abs(60 * second.deviation_q32**2 / minute.deviation_q32**2 - 1) < 1e-4


def test_volatility_scales_returns() -> None:
    """A log volatility of log 3 makes the same draws three times as large."""
    process = GeometricBrownianMotion(0, 0.5, step_s=60)
    normal = stream(2, "scale").normal_q16(10_000)
    wild = process.deviations_q32(np.full(10_000, round(np.log(3) * 65_536)))
    ratio = real(process.returns_q32(normal, wild)).std() / real(process.returns_q32(normal)).std()
    assert abs(ratio - 3) < 1e-3


@pytest.mark.parametrize(("intensity", "step_s"), [(40.0, 60), (1_000.0, 3_600)])
def test_jumps_have_mertons_moments(intensity: float, step_s: int) -> None:
    """Sums of jumps have mean rate * mean, variance rate * (mean**2 + std**2), and are nowhere at the Poisson rate,
    also where a step has many.
    """
    diffusion = GeometricBrownianMotion(0, 0.1, step_s)
    process = MertonJumpDiffusion(diffusion, intensity, jump_mean=-0.002, jump_std=0.004)
    jumps = real(process.jumps_q32(stream(3, "merton", step_s), N))
    rate = intensity * step_s / DAY_S
    variance = rate * (0.002**2 + 0.004**2)
    assert abs(jumps.mean() + rate * 0.002) < 5 * np.sqrt(variance / N)
    fourth = rate * (0.002**4 + 6 * 0.002**2 * 0.004**2 + 3 * 0.004**4) + 3 * variance**2
    assert abs(jumps.var() - variance) < 5 * np.sqrt((fourth - variance**2) / N)
    # Counts above 8 a step come from the normal law; below, nothing else than the exact rate will do.
    none = np.exp(-rate)
    assert abs((jumps == 0).mean() - none) < 5 * np.sqrt(none / N) + 1e-4


def test_volatility_scales_what_jumps_scatter() -> None:
    """A log volatility of log 3 leaves the mean of a jump as it is and makes its deviation three times as large."""
    process = MertonJumpDiffusion(GeometricBrownianMotion(0, 0.1, step_s=60), 1_000.0, 0.01, 0.001)
    usual = real(process.jumps_q32(stream(3, "merton"), 10_000))
    wild = real(process.jumps_q32(stream(3, "merton"), 10_000, np.full(10_000, round(np.log(3) * 65_536))))
    counts = np.rint(usual / 0.01).astype(int)
    assert np.array_equal(wild == 0, usual == 0)
    once = counts == 1
    assert once.sum() > 1_000
    assert abs((wild[once] - 0.01) - 3 * (usual[once] - 0.01)).max() < 1e-6


def test_merton_adds_its_jumps_to_the_diffusion() -> None:
    """The variance of returns is the diffusion's and the jumps'; without jumps they are the diffusion's returns."""
    diffusion = GeometricBrownianMotion(0, 0.5, step_s=60)
    jumping = MertonJumpDiffusion(diffusion, 400.0, 0.0, 0.001)
    variance = 0.5**2 * 60 / YEAR_S + 400 * 60 / DAY_S * 0.001**2
    assert abs(real(jumping.returns_q32(stream(4, "both"), N)).var() / variance - 1) < 0.03
    calm = MertonJumpDiffusion(diffusion, 0.0, 0.0, 0.001)
    expected = diffusion.returns_q32(stream(4, "none").normal_q16(500))
    assert np.array_equal(calm.returns_q32(stream(4, "none"), 500), expected)


PROCESS = OrnsteinUhlenbeck(mean=0.001, deviation=0.002, halflife_s=300, step_s=60)


def paths(process: OrnsteinUhlenbeck, n: int, m: int, start: float) -> NDArray[np.float64]:
    starts = np.full(m, round(start * Q32))
    return real(process.paths_q32(starts, stream(5, "ou", n).normal_q16(n * m).reshape(n, m)))


def test_displacements_halve_in_a_halflife() -> None:
    """From 0.021 the mean goes to 0.011 in a half-life and to 0.006 in two, towards 0.001."""
    at = paths(PROCESS, 10, 100_000, 0.021).mean(axis=1)
    assert at[[0, 5, 10]] == pytest.approx([0.021, 0.011, 0.006], abs=5 * 0.002 / np.sqrt(100_000))


def test_variance_grows_to_the_stationary_one() -> None:
    """After t it is deviation**2 (1 - 2**(-2 t / halflife))."""
    spread = paths(PROCESS, 40, 100_000, 0.0).std(axis=1)
    for step in (1, 5, 40):
        assert spread[step] == pytest.approx(0.002 * np.sqrt(1 - 4 ** (-step / 5)), rel=0.02)


def test_a_long_path_is_stationary_and_remembers() -> None:
    """One path of many legs: its mean, deviation and autocorrelation, which halves in a half-life, across legs too."""
    path = real(PROCESS.path_q32(PROCESS.mean_q32, stream(6, "long").normal_q16(N)))
    assert len(path) == N + 1
    error = np.sqrt(2 * 300 / np.log(2) / (N * 60))
    assert abs(path.mean() - 0.001) < 5 * 0.002 * error
    assert abs(path.std() / 0.002 - 1) < 5 * error
    away = path - path.mean()
    for steps, left in ((1, 0.5**0.2), (5, 0.5), (10, 0.25)):
        assert abs((away[steps:] * away[:-steps]).mean() / path.var() - left) < 5 * error


def test_walking_in_legs_changes_nothing() -> None:
    """Side by side or step by step, a path is the same but for roundings."""
    normal = stream(7, "legs").normal_q16(1_440)
    start = PROCESS.mean_q32 + 12_345_678
    together = PROCESS.path_q32(start, normal)
    one_by_one = PROCESS.paths_q32(np.array([start]), normal[:, None])[:, 0]
    assert np.abs(together - one_by_one).max() < 100


def test_independent_values_have_the_stationary_law() -> None:
    """Its mean and deviation."""
    values = real(PROCESS.stationary_q32(stream(8, "apart").normal_q16(N)))
    assert abs(values.mean() - 0.001) < 5 * 0.002 / np.sqrt(N)
    assert abs(values.std() / 0.002 - 1) < 5 / np.sqrt(2 * N)


def test_bridges_keep_both_ends_and_the_law_between() -> None:
    """A path whose start and end are draws of the stationary law, independent of each other, varies in the middle as
    the process conditioned on both; one along a column is one alone.
    """
    n, m, half = 20, 100_000, 10
    draws = stream(9, "bridge")
    starts, ends = (PROCESS.stationary_q32(draws.normal_q16(m)) for _ in range(2))
    free = PROCESS.paths_q32(starts, draws.normal_q16(n * m).reshape(n, m))
    bent = PROCESS.bridged_q32(free, ends)
    assert np.array_equal(bent[0], starts)
    assert np.array_equal(bent[-1], ends)
    # Given both ends, the middle has mean c (start + end) and variance s**2 (1 - 2 a**2 / (1 + a**2)), a = decay**half.
    a = PROCESS.decay**half
    c = a / (1 + a**2)
    middle = real(bent[half] - PROCESS.mean_q32)
    expected = c * real(starts + ends - 2 * PROCESS.mean_q32)
    assert (middle - expected).std() == pytest.approx(0.002 * np.sqrt((1 - a**2) / (1 + a**2)), rel=0.02)
    assert np.corrcoef(middle - expected, expected)[0, 1] == pytest.approx(0, abs=5 / np.sqrt(m))
    assert np.array_equal(PROCESS.bridged_q32(free[:, 3], int(ends[3])), bent[:, 3])

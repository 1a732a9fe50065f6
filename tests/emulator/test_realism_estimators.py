"""Estimators of stylized facts, on series whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from emulator.realism import estimators as est
from reactor.types import SECOND_NS

DRAWS = 200_000


@pytest.fixture
def chance() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(20240808))


def test_durations_of_a_poisson_process_vary_as_much_as_their_mean(chance: np.random.Generator) -> None:
    """Coefficient of variation 1, Fano factor 1, nothing that sets off anything."""
    gaps_ns = chance.exponential(0.05 * SECOND_NS, DRAWS).astype(np.int64)
    assert est.variation(gaps_ns) == pytest.approx(1, abs=0.02)
    fano = est.fano(np.cumsum(gaps_ns), SECOND_NS)
    assert fano == pytest.approx(1, abs=0.05)
    assert est.branching_ratio(fano) < 0.03


def test_events_in_groups_have_the_fano_factor_of_their_size(chance: np.random.Generator) -> None:
    """Groups of four at Poisson times: variance over mean is 4, as of a branching ratio of one half."""
    alone_ns = np.cumsum(chance.exponential(0.2 * SECOND_NS, DRAWS).astype(np.int64))
    fano = est.fano(np.repeat(alone_ns, 4), 10 * SECOND_NS)
    assert fano == pytest.approx(4, rel=0.06)
    assert est.branching_ratio(4.0) == 0.5


def test_variation_by_weights() -> None:
    """A weight of two is the value twice; equal values do not vary."""
    assert est.variation([1.0, 4.0], [2, 1]) == pytest.approx(est.variation([1.0, 1.0, 4.0]))
    assert est.variation([3.0, 3.0]) == 0


def test_autocorrelation_of_an_autoregression(chance: np.random.Generator) -> None:
    """AR(1) with coefficient .7 has .7 ** lag."""
    noise = chance.normal(size=DRAWS)
    series = np.empty(DRAWS)
    series[0] = noise[0]
    for i in range(1, DRAWS):
        series[i] = 0.7 * series[i - 1] + noise[i]
    assert est.autocorrelation(series, 8) == pytest.approx(0.7 ** np.arange(9), abs=0.02)


def test_autocorrelation_is_of_the_series_and_not_of_a_circle() -> None:
    """Worked by hand: 1, 2, 3 less their mean is -1, 0, 1, so lag 2 has -1 of 2."""
    assert est.autocorrelation([1.0, 2.0, 3.0], 3)[:3] == pytest.approx([1, 0, -0.5])
    assert math.isnan(est.autocorrelation([1.0, 2.0, 3.0], 3)[3])


@pytest.mark.parametrize("exponent", [0.3, 0.8])
def test_the_exponent_of_a_power_law_of_memory(exponent: float) -> None:
    """Up to what averaging inside a bin of lags bends."""
    correlations = np.r_[1.0, 0.5 * np.arange(1.0, 1_001) ** -exponent]
    assert est.decay_exponent(correlations, 1, 1_000) == pytest.approx(exponent, rel=0.04)


@pytest.mark.parametrize("index", [1.2, 3.0])
def test_hill_finds_the_index_of_a_pareto_law(index: float, chance: np.random.Generator) -> None:
    """Whatever the sign of the values, and whatever share counts as tail."""
    values = chance.pareto(index, DRAWS) + 1
    values *= chance.choice([-1, 1], DRAWS)
    assert est.hill(values, 0.05) == pytest.approx(index, rel=0.04)
    assert est.hill(values, 0.5) == pytest.approx(index, rel=0.02)


def test_kurtosis_of_known_laws(chance: np.random.Generator) -> None:
    """Normal 0, Laplace 3, a coin -2."""
    assert est.excess_kurtosis(chance.normal(size=DRAWS)) == pytest.approx(0, abs=0.05)
    assert est.excess_kurtosis(chance.laplace(size=DRAWS)) == pytest.approx(3, abs=0.25)
    assert est.excess_kurtosis([-1.0, 1.0]) == -2


def test_exceedance_counts_what_is_larger() -> None:
    """And not what is equal."""
    assert est.exceedance([1.0, 2.0, 2.0, 5.0], [0.0, 2.0, 5.0]) == pytest.approx([1, 0.25, 0])


def test_auc_is_how_often_a_positive_scores_higher() -> None:
    """1 when always, 0 when never, one half when scores say nothing; ties count half."""
    rises = np.array([False, False, True, True])
    assert est.auc(np.array([0.1, 0.2, 0.8, 0.9]), rises) == 1
    assert est.auc(np.array([0.9, 0.8, 0.2, 0.1]), rises) == 0
    assert est.auc(np.full(4, 0.5), rises) == 0.5
    assert est.auc(np.array([0.1, 0.5, 0.5, 0.9]), rises) == pytest.approx(3.5 / 4)


def test_order_flow_imbalance_by_hand() -> None:
    """Cont, Kukanov and Stoikov 2014, equation 4, one case a quote."""
    bid = np.array([10, 10, 11, 10, 10])
    bid_lots = np.array([5.0, 8, 3, 6, 6])
    ask = np.array([12, 12, 12, 12, 13])
    ask_lots = np.array([4.0, 4, 4, 4, 9])
    # bid grows by 3; a better bid of 3; the bid of 3 is lost; the ask of 4 is lost
    assert est.order_flow_imbalance(bid, bid_lots, ask, ask_lots).tolist() == [3, 3, -3, 4]


def test_response_is_the_move_that_follows_an_order() -> None:
    """Worked by hand: moves +1, +1, -3 after buy, sell, sell make (1 - 1 + 3) / 3."""
    mid, side = np.array([10.0, 11, 12, 9]), np.array([1, -1, -1, 1])
    assert est.response(mid, side, 1) == 1
    assert est.response(mid, side, 2) == pytest.approx((2 - (-2)) / 2)


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_concavity_of_a_known_law_of_impact(exponent: float, chance: np.random.Generator) -> None:
    """Moves of volume ** exponent, in the direction of the volume."""
    volume = chance.lognormal(0, 1, 20_000) * chance.choice([-1, 1], 20_000)
    size, move = est.impact_curve(volume, np.sign(volume) * np.abs(volume) ** exponent)
    assert len(size) == 7
    assert est.concavity(size, move) == pytest.approx(exponent, abs=0.04)


def test_a_line_through_weighted_points() -> None:
    """What has no weight does not bend it."""
    x = np.array([0.0, 1, 2, 3])
    assert est.slope(x, 2 * x + 1) == pytest.approx(2)
    assert est.slope(x, np.array([1.0, 3, 5, 99]), np.array([1.0, 1, 1, 0])) == pytest.approx(2)


def test_correlation_of_known_series() -> None:
    """1 along, -1 against, 0 across."""
    x = np.array([-1.0, 0, 1])
    assert est.correlation(x, 3 * x + 7) == pytest.approx(1)
    assert est.correlation(x, -x) == pytest.approx(-1)
    assert est.correlation(x, np.abs(x)) == pytest.approx(0)


def test_instants_and_the_events_around_them() -> None:
    """What holds at an instant includes it, what was before does not, and a sum is over [edge, next edge)."""
    ts_ns, values = np.array([10, 20, 20, 30]), np.array([1.0, 2, 3, 4])
    assert est.last_at(ts_ns, values, np.array([10, 20, 29])).tolist() == [1, 3, 3]
    assert est.last_before(ts_ns, np.array([10, 20, 31])).tolist() == [0, 0, 3]
    assert est.summed(ts_ns, values, np.array([0, 20, 30, 40])).tolist() == [1, 5, 4]


_NONE = np.zeros(0)
_NO_TIMES = np.zeros(0, np.int64)


@pytest.mark.parametrize(
    "estimate",
    [
        lambda: est.ratio(1, 0),
        lambda: est.mean(_NONE),
        lambda: est.quantile(_NONE, 0.5),
        lambda: est.variation(_NONE),
        lambda: est.excess_kurtosis(np.ones(5)),
        lambda: est.hill(np.ones(20), 0.05),
        lambda: est.fano(_NO_TIMES, SECOND_NS),
        lambda: est.fano(np.array([0, 11 * SECOND_NS]), SECOND_NS),
        lambda: est.branching_ratio(math.nan),
        lambda: est.autocorrelation(np.ones(9), 1)[1],
        lambda: est.decay_exponent(np.full(101, math.nan), 1, 100),
        lambda: est.correlation(np.ones(3), np.arange(3)),
        lambda: est.slope(np.ones(3), np.arange(3.0)),
        lambda: est.auc(np.ones(3), np.ones(3, np.bool_)),
        lambda: est.response(np.ones(3), np.ones(3, np.int64), 5),
        lambda: est.concavity(*est.impact_curve(_NONE, _NONE)),
    ],
)
def test_what_cannot_be_estimated_is_nan(estimate: Callable[[], float]) -> None:
    """Neither an exception nor a warning."""
    assert math.isnan(estimate())

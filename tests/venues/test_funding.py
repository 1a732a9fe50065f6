"""Funding: the shared formula against worked examples and captured rates, and its schedule."""

import numpy as np
import pytest

from reactor.types import SECOND_NS, Column
from venues.funding import HOUR_NS, Average, FundingModel

EIGHT_HOURS = FundingModel(interval_h=8, average=Average.LINEAR, low_e12=-3 * 10**9, high_e12=3 * 10**9)
FOUR_HOURS = FundingModel(interval_h=4, average=Average.LINEAR, low_e12=-2 * 10**10, high_e12=2 * 10**10)
HOURLY = FundingModel(interval_h=1, average=Average.PLAIN, low_e12=-4 * 10**10, high_e12=4 * 10**10)
DAY_START_NS = 20_454 * 24 * HOUR_NS  # 2026-01-01T00:00Z


class Premiums:
    """A premium for every second, as a function of the second of the day."""

    listed_ns = DAY_START_NS

    def __init__(self, by_second: Column) -> None:
        self.by_second = by_second

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        seconds = (np.arange(start_ns, end_ns, step_ns) - DAY_START_NS) // SECOND_NS
        return self.by_second[seconds % len(self.by_second)]


@pytest.mark.parametrize(
    ("model", "premium_e12", "rate_e12"),
    [
        # inside the damping the rate is the interest: 0.01 % per 8 h, on every interval
        (EIGHT_HOURS, 0, 100_000_000),
        (EIGHT_HOURS, 300_000_000, 100_000_000),
        (FOUR_HOURS, 0, 50_000_000),
        (HOURLY, 0, 12_500_000),
        # captured on Hyperliquid (2026-09-25): these premiums, and 0.0000125 as the rate
        (HOURLY, -187_530_300, 12_500_000),
        (HOURLY, -154_751_800, 12_500_000),
        (HOURLY, -208_390_100, 12_500_000),
        # outside: premium -+ 0.05 %
        (EIGHT_HOURS, 1_000_000_000, 500_000_000),
        (EIGHT_HOURS, -1_000_000_000, -500_000_000),
        (HOURLY, 8_000_000_000, 937_500_000),
        # at the caps
        (EIGHT_HOURS, 9_000_000_000, 3_000_000_000),
        (EIGHT_HOURS, -9_000_000_000, -3_000_000_000),
        (HOURLY, 900_000_000_000, 40_000_000_000),
    ],
)
def test_worked_examples(model: FundingModel, premium_e12: int, rate_e12: int) -> None:
    """clamp(g * (P + clamp(I - P, -d, d)) * h / 8)."""
    assert model.rates_e12(np.array([premium_e12])).tolist() == [rate_e12]


def test_averages_weigh_as_the_venue_says() -> None:
    """Plain: every sample alike; linear: the i-th weighs i."""
    premiums = np.array([100, 0, 50])
    assert HOURLY.averages_e12(premiums).tolist() == [1_000_000, 500_000, 500_000]
    assert EIGHT_HOURS.averages_e12(premiums).tolist() == [1_000_000, 333_333, 416_667]


def test_prediction_becomes_settlement() -> None:
    """The last prediction of an interval is what is settled at its end, and each prediction sees only its past."""
    rng = np.random.default_rng(1)
    market = Premiums(rng.integers(-200_000, 200_000, 86_400) + 300_000)
    end_ns = DAY_START_NS + 16 * HOUR_NS
    at_ns = end_ns - 8 * HOUR_NS + np.arange(0, 8 * 3600, 5) * SECOND_NS
    predicted = EIGHT_HOURS.predicted_e12(market, at_ns)
    assert predicted[-1] == EIGHT_HOURS.settled_e12(market, end_ns)
    alone = [int(EIGHT_HOURS.predicted_e12(market, at_ns[i : i + 1])[0]) for i in (0, 1, 7, 1000)]
    assert [int(predicted[i]) for i in (0, 1, 7, 1000)] == alone


def test_settlements_stand_on_the_schedule() -> None:
    """00, 08 and 16 UTC for eight hours; only intervals that lie whole after the listing; both ends as in range()."""
    market = Premiums(np.full(86_400, 10_000))
    hours = [
        (at - DAY_START_NS) // HOUR_NS
        for at, _ in EIGHT_HOURS.settlements(market, 0, DAY_START_NS + 25 * HOUR_NS)
    ]
    assert hours == [8, 16, 24]
    inside = EIGHT_HOURS.settlements(market, DAY_START_NS + 8 * HOUR_NS, DAY_START_NS + 16 * HOUR_NS)
    assert [at for at, _ in inside] == [DAY_START_NS + 8 * HOUR_NS]
    assert EIGHT_HOURS.next_settlement_ns(DAY_START_NS) == DAY_START_NS + 8 * HOUR_NS
    assert HOURLY.next_settlement_ns(DAY_START_NS - 1) == DAY_START_NS

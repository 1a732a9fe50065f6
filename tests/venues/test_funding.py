"""Funding: the formula against worked examples and captured rates, averages, intervals, and months of every venue."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.single_asset import HyperSynthReactor
from reactor.types import DAY_NS, SECOND_NS, Column, FundingProfile
from reactor.unified_market import MarketOrchestrationCore
from venues.binance.rules import FUNDING as BINANCE
from venues.binance.rules import BinanceFundingModel, SoftCap
from venues.bybit.rules import FUNDING as BYBIT
from venues.bybit.rules import BybitFundingModel, InsuranceFund
from venues.funding import (
    BP_E12,
    HOUR_NS,
    OTHERS,
    Adaptation,
    Average,
    FundingModel,
    Share,
    model_of,
    parameters,
)
from venues.hyperliquid.rules import FUNDING as HYPERLIQUID
from venues.hyperliquid.rules import HyperLiquidFundingModel, Velocity
from venues.okx.rules import FUNDING as OKX
from venues.okx.rules import OKXFundingModel
from venues.registry import FUNDED

REAL, CLASSIC = FundingProfile.REAL, FundingProfile.CLASSIC
DAY_START_NS = 20_454 * 24 * HOUR_NS  # 2026-01-01T00:00Z
EIGHT_HOURS = BinanceFundingModel(cap_e12=30 * BP_E12)
HOURLY = HyperLiquidFundingModel()
MODELS = [
    pytest.param(model, id=f"{row.venue}-{profile}-{asset or 'others'}")
    for row in FUNDED
    for profile, by_asset in row.models.items()
    for asset, model in by_asset.items()
]


@dataclass(eq=False)
class Premiums:
    """A market whose premium is a function of the hour since the day began."""

    by_hour: Callable[[int], int]
    listed_ns: int = DAY_START_NS
    premium_limit_e8: int = 10**8
    premium_bent_ns: int | None = None
    funding_changes: tuple[tuple[int, int], ...] = ()

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        assert start_ns >= self.listed_ns, "there is nothing before the listing"
        hours = range((start_ns - DAY_START_NS) // HOUR_NS, (end_ns - 1 - DAY_START_NS) // HOUR_NS + 1)
        table = np.array([self.by_hour(hour) for hour in hours], dtype=np.int64)
        return table[(np.arange(start_ns, end_ns, step_ns) - DAY_START_NS) // HOUR_NS - hours[0]]


def wild(seed: int, limit_e8: int = 3_000_000) -> Premiums:
    """A market whose premium may be anything up to a limit, anew every hour."""
    draws = np.random.default_rng(seed).integers(-limit_e8, limit_e8, 2_000)
    return Premiums(lambda hour: int(draws[hour]))


def at(hour: float) -> int:
    return DAY_START_NS + round(hour * HOUR_NS)


def hours_of(ts_ns: Column) -> list[int]:
    hours: list[int] = ((ts_ns - DAY_START_NS) // HOUR_NS).tolist()
    return hours


# ---------------------------------------------------------------- the formula
@pytest.mark.parametrize(
    ("model", "premium_e12", "rate_e12"),
    [
        # inside the damping the rate is the interest: 0.01 % per 8 h, on every interval
        (EIGHT_HOURS, 0, 100_000_000),
        (EIGHT_HOURS, 300_000_000, 100_000_000),
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
    """clamp((P + clamp(I - P, -d, d)) * h / 8)."""
    assert model.rates_e12(np.array([premium_e12])).tolist() == [rate_e12]


@pytest.mark.parametrize(
    ("model", "rates_e12"),
    [
        # all of the rate is halved: "for PUMPUSDT, settled every 4 hours, [...] / 2", announcement of 2025-09-16
        (BinanceFundingModel(interval_h=4), [50_000_000, 250_000_000, -250_000_000]),
        # only the interest is: 0.03 % / (24 / 4), announcement of 2025-04 and help page of 2026
        (OKXFundingModel(interval_h=4), [50_000_000, 500_000_000, -500_000_000]),
        (BybitFundingModel(interval_h=4), [50_000_000, 500_000_000, -500_000_000]),
    ],
)
def test_what_half_an_interval_halves(model: FundingModel, rates_e12: list[int]) -> None:
    """Premiums of 0, 0.1 % and -0.1 % on a symbol of four hours."""
    assert model.rates_e12(np.array([0, 1_000_000_000, -1_000_000_000])).tolist() == rates_e12


@pytest.mark.parametrize(
    ("interval_h", "damping_bp", "premium_e12", "rate_e12"),
    [
        # fundingHistory of ETH, 2023-05-12, when it was settled every 8 h (github.com/JKorf/HyperLiquid.Net,
        # GetFundingRateHistory.txt), and of BTC (github.com/hyperliquid-dex/hyperliquid-python-sdk, cassette of
        # test_get_funding_history): damping was 0.03 % then, for a while there was none at all.
        (8, 3, -521_960_000, -221_960_000),
        (8, 3, -913_340_000, -613_340_000),
        (1, 3, 452_950_000, 19_120_000),
        (1, 3, 602_620_000, 37_830_000),
        (1, 0, -100_170_000, -12_520_000),
        (1, 0, 180_810_000, 22_600_000),
        (1, 3, 240_660_000, 12_500_000),
    ],
)
def test_rates_recorded_in_2023(interval_h: int, damping_bp: int, premium_e12: int, rate_e12: int) -> None:
    """With that year's damping, the recorded premiums make the recorded rates, to the last digit told."""
    model = HyperLiquidFundingModel(interval_h=interval_h, damping_e12=damping_bp * BP_E12)
    assert abs(int(model.rates_e12(np.array([premium_e12]))[0]) - rate_e12) <= 10_000


def test_caps_are_what_the_venues_publish() -> None:
    """Of real models in basis points: fundingInfo, documentation, instruments-info; of classic ones as designed."""
    caps = {
        (row.venue, profile.value): [
            model_of(row.models, asset, profile).cap_e12 / BP_E12 for asset in ("BTC", "ETH", "SOL")
        ]
        for row in FUNDED
        for profile in FundingProfile
    }
    assert caps == {
        ("binance-usdm", "real"): [30, 30, 200],
        ("binance-usdm", "classic"): [200, 200, 200],
        ("hyperliquid", "real"): [400, 400, 400],
        ("hyperliquid", "classic"): [400, 400, 400],
        ("okx", "real"): [37.5, 75, 150],
        ("okx", "classic"): [50, 50, 75],
        ("bybit", "real"): [37.5, 37.5, 200],
        ("bybit", "classic"): [100, 100, 250],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"interval_h": 3},
        {"interval_h": 0},
        {"cap_e12": 0},
        {"multiplier_e3": 10_001},
        {"sample_ns": 7 * SECOND_NS},
        {"sample_ns": HOUR_NS // 7_200},
    ],
)
def test_parameters_have_bounds(wrong: Mapping[str, int]) -> None:
    """ValueError beyond them, in subclasses that replace a default too."""
    with pytest.raises(ValueError, match=r"interval|has to be"):
        replace(HOURLY, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="soft_e12 has to be"):
        SoftCap(soft_e12=-1)


# ---------------------------------------------------------------- averages
def test_averages_weigh_as_the_venue_says() -> None:
    """Plain: every sample alike; linear: the i-th weighs i; rolling: so do the last two here."""
    premiums = np.array([100, 0, 50])
    plain, linear, rolling = (replace(EIGHT_HOURS, average=average) for average in Average)
    assert plain.averages_e12(premiums).tolist() == [1_000_000, 500_000, 500_000]
    assert linear.averages_e12(premiums).tolist() == [1_000_000, 333_333, 416_667]
    assert rolling.averages_e12(premiums, 2).tolist() == [1_000_000, 333_333, 333_333]


@given(
    premiums=st.lists(st.integers(-40_000_000, 40_000_000), min_size=1, max_size=60),
    window=st.integers(1, 80),
)
def test_averages_are_those_of_exact_arithmetic(premiums: list[int], window: int) -> None:
    """Weighted means of fractions, rounded once, halves up."""
    for average in Average:
        told = replace(EIGHT_HOURS, average=average).averages_e12(np.array(premiums), window)
        for stop in range(1, len(premiums) + 1):
            part = premiums[max(stop - window, 0) : stop]
            weights = [1] * len(part) if average is Average.PLAIN else range(1, len(part) + 1)
            total = sum(w * p for w, p in zip(weights, part, strict=True))
            assert told[stop - 1] == (Fraction(10_000 * total, sum(weights)) + Fraction(1, 2)) // 1


def test_averages_of_a_whole_interval_do_not_overflow() -> None:
    """5,760 samples of 40 %."""
    assert EIGHT_HOURS.averages_e12(np.full(5_760, 40_000_000))[-1] == 400_000_000_000


def test_a_rolling_average_reaches_across_settlements() -> None:
    """At 17:00 it is of 09:00 to 17:00, of which the last hour weighs most; when settled, of the interval alone.

    https://www.okx.com/help/okx-to-optimize-funding-rate-calculation (2024-01-31): "16:00 | 17:00 | 09:01 - 17:00".
    """
    market = Premiums(lambda hour: 1_000_000 if hour >= 16 else 0)
    model = OKXFundingModel(cap_e12=1_000 * BP_E12)
    minutes = 480
    before = model.forecast(market, np.array([at(16) - 60 * SECOND_NS, at(17) - 60 * SECOND_NS])).rate_e12
    share = sum(range(minutes - 59, minutes + 1)) / sum(range(1, minutes + 1))
    assert before[0] == BP_E12
    assert before[1] == pytest.approx(100 * BP_E12 * share - 5 * BP_E12, abs=1)
    assert model.settlements(market, at(24), at(25)).rate_e12.tolist() == [95 * BP_E12]


# ---------------------------------------------------------------- forecasts and settlements
@pytest.mark.parametrize("model", MODELS)
def test_prediction_becomes_settlement(model: FundingModel) -> None:
    """The last forecast of an interval is what is settled at its end, and when it said; of short and long ones."""
    market = wild(1)
    rows = model.settlements(market, at(0), at(96))
    last = model.forecast(market, rows.ts_ns - model.sample_ns)
    assert last.rate_e12.tolist() == rows.rate_e12.tolist()
    assert last.next_ns.tolist() == rows.ts_ns.tolist()
    assert last.interval_h.tolist() == rows.interval_h.tolist()
    assert len(set(rows.rate_e12.tolist())) > 4


@pytest.mark.parametrize("model", MODELS)
def test_nobody_can_tell_who_asked_before(model: FundingModel) -> None:
    """History asked for last, first, in pieces or at once is the same; so are forecasts, alone or in company."""
    asked = np.arange(at(30), at(58), 1_800 * SECOND_NS)
    whole = replace(model)
    rows, forecast = whole.settlements(wild(2), at(8), at(72)), whole.forecast(wild(2), asked)
    pieces, market = replace(model), wild(2)
    alone = [pieces.forecast(market, asked[i : i + 1]) for i in range(len(asked) - 1, -1, -5)]
    assert [int(f.rate_e12[0]) for f in alone] == forecast.rate_e12[::-5].tolist()
    parts = [pieces.settlements(market, at(a), at(b)) for a, b in ((40, 72), (8, 40))]
    assert [int(t) for part in parts[::-1] for t in part.ts_ns] == rows.ts_ns.tolist()
    assert [int(r) for part in parts[::-1] for r in part.rate_e12] == rows.rate_e12.tolist()


@pytest.mark.parametrize("model", MODELS)
@given(seed=st.integers(0, 2**32), limit_e8=st.integers(1, 20_000_000))
def test_caps_are_never_exceeded(model: FundingModel, seed: int, limit_e8: int) -> None:
    """Neither by what is settled nor by any forecast, however far the premium goes."""
    market = wild(seed, limit_e8)
    rates = [
        *model.settlements(market, at(0), at(24)).rate_e12.tolist(),
        *model.forecast(market, np.arange(at(0), at(24), 600 * SECOND_NS)).rate_e12.tolist(),
    ]
    assert max(map(abs, rates)) <= model.cap_e12


@given(premiums=st.lists(st.integers(-10_000_000, 10_000_000), min_size=2, max_size=2).map(sorted))
def test_rates_rise_with_the_premium(premiums: list[int]) -> None:
    """In every real model, which is what lets a market's limit rule out caps."""
    for row in FUNDED:
        for model in row.models[REAL].values():
            low, high = model.rates_e12(np.array(premiums) * 10_000)
            assert low <= high


# ---------------------------------------------------------------- the calendar
@pytest.mark.parametrize("hours", [1, 2, 4, 8])
def test_intervals_end_at_multiples_of_their_length(hours: int) -> None:
    """00, 08 and 16 UTC for eight hours, and so on: so many in 30 days, whatever the minute one starts to look."""
    model = BinanceFundingModel(interval_h=hours)
    market = Premiums(lambda _: 0)
    rows = model.settlements(market, at(24), at(24 + 30 * 24))
    assert hours_of(rows.ts_ns) == list(range(24, 24 + 30 * 24, hours))
    assert set(rows.interval_h.tolist()) == {hours}
    for now in (24.0, 24.01, 30.77, 31.999):
        period = model.period(market, at(now))
        assert period.start_ns <= at(now) < period.end_ns
        assert (period.start_ns % (hours * HOUR_NS), period.end_ns - period.start_ns) == (0, hours * HOUR_NS)


@pytest.mark.parametrize(
    ("funding", "settled_ms"),
    [
        # fundingRate of BTCUSDT (github.com/JKorf/Binance.Net, GetFundingRates.txt, 2023-11-01), funding/history of
        # ETHPERP (Bybit's documentation, 2022-12-26), funding-rate-history of BTC-USDT-SWAP (2024-01-01)
        (model_of(BINANCE, "BTC"), [1698768000000, 1698796800000]),
        (model_of(BYBIT, "ETH"), [1672041600000]),
        (model_of(OKX, "BTC"), [1704038400000, 1704067200000]),
        # userFunding on Hyperliquid (github.com/hyperliquid-dex/hyperliquid-python-sdk, cassette of 2024-02-20)
        (HOURLY, [1681948800000]),
    ],
)
def test_recorded_settlements_stand_on_the_schedule(funding: FundingModel, settled_ms: list[int]) -> None:
    """What was settled on a venue would be settled at that instant here."""
    young = Premiums(lambda _: 0, listed_ns=(settled_ms[0] // 86_400_000 - 1) * DAY_NS)
    for instant_ns in (ms * 1_000_000 for ms in settled_ms):
        assert funding.settlements(young, instant_ns, instant_ns + 1).ts_ns.tolist() == [instant_ns]
        assert funding.period(young, instant_ns - 1).end_ns == instant_ns


def test_settlements_begin_with_the_first_whole_interval() -> None:
    """A market listed at 01:30 is settled at 16:00 first; both ends are as in range()."""
    market = Premiums(lambda _: 10_000, listed_ns=at(1.5))
    assert hours_of(EIGHT_HOURS.settlements(market, 0, at(33)).ts_ns) == [16, 24, 32]
    assert hours_of(EIGHT_HOURS.settlements(market, at(16), at(24)).ts_ns) == [16]
    assert len(EIGHT_HOURS.settlements(market, 0, at(2))) == 0
    early = EIGHT_HOURS.forecast(market, np.array([at(1.5), at(7.99)]))
    assert (hours_of(early.next_ns), early.rate_e12.tolist()) == ([8, 8], [BP_E12, BP_E12])


# ---------------------------------------------------------------- intervals that follow the rate
def settled_at(model: FundingModel, by_hour: Callable[[int], int], last_hour: int) -> list[int]:
    rows = model.settlements(Premiums(by_hour), at(1), at(last_hour) + 1)
    return hours_of(rows.ts_ns)


def test_binance_settles_hourly_after_a_capped_rate() -> None:
    """Situation 1 of the announcement of 2025-05-02: -0.3 % at 08:00, and the next settlement is at 09:00."""
    assert settled_at(EIGHT_HOURS, lambda _: -1_000_000, 12) == [8, 9, 10, 11, 12]


def test_binance_looks_at_the_settled_rate_only() -> None:
    """Situation 2: -0.3 % at 07:45, -0.25 % at 08:00, and no adjustment."""
    spike = [-340_000] * 7 + [-310_000]
    model, market = EIGHT_HOURS, Premiums(lambda hour: spike[min(hour, 7)] if hour < 8 else 0)
    assert int(model.forecast(market, np.array([at(6.9)])).rate_e12[0]) < -28 * BP_E12
    assert hours_of(model.settlements(market, at(1), at(25)).ts_ns) == [8, 16, 24]


def test_binance_goes_back_to_four_hours_after_sixteen_calm_ones() -> None:
    """Announcement of 2026-01-02: calm from 05:00 to 20:00, in force by 20:15, next payment at 00:00 (UTC+8).

    Here capped until 04:00, calm settlements from 05:00 to 20:00; then every four hours, though the symbol had eight.
    """
    hours = settled_at(EIGHT_HOURS, lambda hour: 3_000_000 if hour < 28 else 0, 44 + 24)
    assert hours == [8, *range(9, 45), 48, 52, 56, 60, 64, 68]
    market = Premiums(lambda hour: 3_000_000 if hour < 28 else 0)
    assert EIGHT_HOURS.settlements(market, at(48), at(49)).rate_e12.tolist() == [BP_E12 // 2]


@pytest.mark.parametrize(("premium_e8", "calm"), [(70_000, True), (250_001, False)])
def test_calm_is_a_quarter_of_a_tenth_of_a_percent(premium_e8: int, calm: bool) -> None:
    """|rate| <= 0.025 % an hour: (0.07 - 0.05) % / 8 is within, (0.250001 - 0.05) % / 8 is not."""
    hours = settled_at(EIGHT_HOURS, lambda hour: 3_000_000 if hour < 8 else premium_e8, 48)
    assert hours == ([*range(8, 25), 28, 32, 36, 40, 44, 48] if calm else [*range(8, 49)])


def test_nothing_is_followed_where_no_rate_can_be_capped() -> None:
    """A limit of 0.3499 % leaves BTC's 0.3 % out of reach: the interval is known without a single premium."""

    def untold(hour: int) -> int:
        raise AssertionError(f"nobody needs the premium of hour {hour}")

    out_of_reach = Premiums(untold, premium_limit_e8=349_999)
    assert EIGHT_HOURS.period(out_of_reach, at(24 * 365)).hours == 8
    with pytest.raises(AssertionError, match="of hour 0"):
        EIGHT_HOURS.period(Premiums(untold, premium_limit_e8=350_000), at(24 * 365))


def test_an_interval_is_averaged_once() -> None:
    """Pages of forecasts of one interval, and a look back at the one before, ask the market for nothing new."""
    asked: list[int] = []
    listener = Premiums(lambda hour: asked.append(hour) or 0, premium_limit_e8=0)  # type: ignore[func-returns-value]
    pages = [np.arange(at(8), at(9), SECOND_NS), np.arange(at(15), at(16), SECOND_NS)]
    for page in [*pages, np.array([at(7)]), *pages]:
        EIGHT_HOURS.forecast(listener, page)
    assert asked == [*range(8, 16), *range(8)]


def test_calm_has_to_be_in_a_row() -> None:
    """An hour that was not calm starts the count anew."""
    hours = settled_at(EIGHT_HOURS, lambda hour: 3_000_000 if hour < 8 or hour == 20 else 0, 48)
    assert hours == [*range(8, 38), 40, 44, 48]


def test_okx_shortens_by_one_step_and_returns_at_once() -> None:
    """The example of the announcement of 2026-04-14: 4 h and 0.375 %; capped at 16:00, next at 18:00, capped again,
    next at 19:00; in the end directly back to 4 h.
    """
    model = OKXFundingModel(interval_h=4, cap_e12=375 * BP_E12 // 10)
    hours = settled_at(model, lambda hour: 2_000_000 if 12 <= hour < 19 else 0, 48)
    assert hours == [4, 8, 12, 16, 18, *range(19, 36), 36, 40, 44, 48]


def test_bybit_settles_hourly_after_a_capped_rate() -> None:
    """Scenario 1 of https://www.prnewswire.com/in/news-releases/bybit-launches-dynamic-settlement-frequency-system-for-
    perpetual-contracts-302598201.html (2025-10-29): 4 h and 2 %, capped at 08:00, the next is at 09:00 (UTC+8).
    """
    model = BybitFundingModel(interval_h=4)
    assert settled_at(model, lambda hour: 3_000_000 if hour < 8 else 0, 28) == [4, *range(5, 25), 28]


@pytest.mark.parametrize(
    "model",
    [HOURLY, model_of(BYBIT, "BTC"), *(model_of(book, OTHERS, CLASSIC) for book in (BINANCE, OKX, BYBIT))],
)
def test_some_intervals_never_change(model: FundingModel) -> None:
    """Hyperliquid's, Bybit's of BTC, and those of classic models."""
    hours = settled_at(model, lambda _: 30_000_000, 72)
    assert hours == list(range(model.interval_h, 73, model.interval_h))


# ---------------------------------------------------------------- effects of the classic models
@pytest.mark.parametrize(("rate_bp", "bent_bp"), [(75, 75), (95, 85), (-95, -85), (325, 200)])
def test_a_soft_cap_halves_the_excess(rate_bp: int, bent_bp: int) -> None:
    """Beyond 0.75 % half of the excess remains, up to the hard cap of 2 %."""
    premium_e12 = rate_bp * BP_E12 + (5 * BP_E12 if rate_bp > 0 else -5 * BP_E12)
    rates = model_of(BINANCE, "BTC", CLASSIC).rates_e12(np.array([premium_e12]))
    assert rates.tolist() == [bent_bp * BP_E12]


@pytest.mark.parametrize(
    ("moved_bp", "multiplier_e3"), [(0, 1_000), (1, 1_300), (-1, 1_300), (5, 2_500), (40, 2_500)]
)
def test_velocity_multiplies_what_moves(moved_bp: int, multiplier_e3: int) -> None:
    """1.0 where the hour's premium is the last hour's, 2.5 where it is 0.05 % away."""
    market = Premiums(lambda hour: 1_000_000 + (10_000 * moved_bp if hour == 10 else 0))
    model = model_of(HYPERLIQUID, "BTC", CLASSIC)
    (rate,) = model.settlements(market, at(11), at(12)).rate_e12.tolist()
    assert rate == (100 + moved_bp - 5) * BP_E12 // 8 * multiplier_e3 // 1_000
    assert Velocity().least_e3 / 1_000 == 1.0


@pytest.mark.parametrize(("stress_bp", "charge_bp"), [(0, 0), (5, 0), (35, 5), (155, 25), (900, 25)])
def test_a_drained_fund_makes_rates_larger(stress_bp: int, charge_bp: int) -> None:
    """A day in which one of three intervals had so much premium: a third of the excess over 0.05 %, of 0.5 %."""
    market = Premiums(lambda hour: 10_000 * stress_bp if 8 <= hour < 16 else 0)
    model = model_of(BYBIT, "BTC", CLASSIC)
    assert model.settlements(market, at(40), at(41)).rate_e12.tolist() == [(1 + charge_bp) * BP_E12]
    assert model.settlements(market, at(48), at(49)).rate_e12.tolist() == [BP_E12]
    assert InsuranceFund().look_back == 3


def test_models_are_of_the_venues_classes() -> None:
    """The public names, and what each shares of an interval."""
    classes = {
        row.venue: {type(m) for by_asset in row.models.values() for m in by_asset.values()} for row in FUNDED
    }
    assert classes == {
        "binance-usdm": {BinanceFundingModel},
        "hyperliquid": {HyperLiquidFundingModel},
        "okx": {OKXFundingModel},
        "bybit": {BybitFundingModel},
    }
    shares = [model_of(book, "BTC").share for book in (BINANCE, HYPERLIQUID, OKX, BYBIT)]
    assert shares == [Share.RATE, Share.RATE, Share.INTEREST, Share.INTEREST]


# ---------------------------------------------------------------- the document
def test_the_tables_of_the_document_are_the_models() -> None:
    """docs/funding.md tells every parameter, with its unit and range, and every model."""
    page = (Path(__file__).parents[2] / "docs" / "funding.md").read_text()
    parts = (FundingModel, Adaptation, SoftCap, Velocity, InsuranceFund)
    told = [
        f"| `{part.__name__}.{name}` | {row['unit']} | {row['range'][0]:,} to {row['range'][1]:,} | {row['effect']} |"
        for part in parts
        for name, row in parameters(part).items()
    ]
    assert re.findall(r"^\| `[A-Z]\w+\.\w+` \|.*$", page, re.MULTILINE) == told
    told = [
        f"| `{venue.venue}` | {profile} | {asset or 'others'} | {model.interval_h} h "
        f"| {model.sample_ns // SECOND_NS} s | {model.average} | {model.share} "
        f"| {model.interest_e12 / 1e10:g} % | {model.cap_e12 / 1e10:g} % "
        f"| {' '.join(f'{a}→{b}' for a, b in model.adaptation.shorter.items()) if model.adaptation else ''} "
        f"| {type(model.effect).__name__ if model.effect else ''} |"
        for venue in FUNDED
        for profile, by_asset in venue.models.items()
        for asset, model in by_asset.items()
    ]
    assert re.findall(r"^\| `[a-z-]+` \| (?:real|classic) \|.*$", page, re.MULTILINE) == told


# ---------------------------------------------------------------- thirty days on the synthetic markets
@cache
def market(venue: str, asset: str, **life: float) -> HyperSynthReactor:
    (row,) = (row for row in FUNDED if row.venue == venue)
    (listing,) = (listing for listing in row.listings if listing.instrument.base == asset)
    manifest = replace(listing.manifest, **life)  # type: ignore[arg-type]  # a few of its parameters are integers
    world = MarketOrchestrationCore(1, DAY_START_NS, [(listing.instrument, manifest)])
    return world.market(listing.instrument.market)


def model(venue: str, asset: str, profile: FundingProfile) -> FundingModel:
    (row,) = (row for row in FUNDED if row.venue == venue)
    return model_of(row.models, asset, profile)


def autocorrelation(values: Column) -> float:
    return float(np.corrcoef(values[:-1], values[1:])[0, 1])


@pytest.mark.parametrize("asset", ["BTC", "ETH", "SOL"])
@pytest.mark.parametrize("profile", FundingProfile)
@pytest.mark.parametrize("venue", [row.venue for row in FUNDED])
def test_thirty_days(venue: str, profile: FundingProfile, asset: str) -> None:
    """As many settlements as hours allow, on the minute, within the caps, near the interest on average, alive."""
    funding = model(venue, asset, profile)
    start_ns = DAY_START_NS + 5 * HOUR_NS + 17 * SECOND_NS  # amid an interval
    rows = funding.settlements(market(venue, asset), start_ns, start_ns + 30 * DAY_NS)
    assert len(rows) == 30 * 24 // funding.interval_h
    assert set(np.diff(rows.ts_ns).tolist()) == {funding.interval_ns}
    assert rows.ts_ns[0] % funding.interval_ns == 0
    assert np.abs(rows.rate_e12).max() <= funding.cap_e12
    per_8h_bp = rows.rate_e12 * 8 / funding.interval_h / BP_E12
    assert -1 < per_8h_bp.mean() < 6
    assert len(set(rows.rate_e12.tolist())) > 5
    assert len(set(pairwise(rows.rate_e12.tolist()))) > 10


@pytest.mark.parametrize(
    ("venue", "steps"),
    [
        ("binance-usdm", {(8, 1), (1, 4), (4, 1)}),
        ("okx", {(8, 4), (4, 2), (2, 1), (4, 8), (2, 8), (1, 8)}),
    ],
)
def test_thirty_days_of_capped_rates(venue: str, steps: set[tuple[int, int]]) -> None:
    """Where the premium wanders by 0.4 %, intervals of BTC change as the venue's rules go, and only after a reason."""
    funding, wandering = model(venue, "BTC", REAL), market(venue, "BTC", basis_std_bp=40.0)
    rows = funding.settlements(wandering, at(24), at(24) + 30 * DAY_NS)
    capped = np.abs(rows.rate_e12) == funding.cap_e12
    assert np.abs(rows.rate_e12).max() == funding.cap_e12
    hours = rows.interval_h.tolist()
    assert {pair for pair in pairwise(hours) if pair[0] != pair[1]} <= steps
    for i in np.flatnonzero(np.diff(rows.interval_h) < 0):
        assert capped[i]
    assert funding.adaptation is not None
    for i in np.flatnonzero(np.diff(rows.interval_h) > 0):
        assert np.abs(rows.rate_e12[max(i - 15, 0) : i + 1]).max() <= funding.adaptation.calm_e12
    assert len(set(hours)) > 1
    later = replace(funding).period(wandering, int(rows.ts_ns[-1]))
    assert later == funding.period(wandering, int(rows.ts_ns[-1]))


@pytest.mark.parametrize("venue", ["binance-usdm", "okx", "bybit"])
def test_three_of_four_eight_hour_rates_are_the_interest(venue: str) -> None:
    """77 % of Binance's of XRPUSDT, 2021-11-18 to 12-18, are 0.01 % to the digit; the others lie on both sides."""
    rates = np.concatenate(
        [
            model(venue, asset, REAL)
            .settlements(market(venue, asset), at(24), at(24) + 300 * DAY_NS)
            .rate_e12
            for asset in ("BTC", "ETH", "SOL")
        ]
    )
    assert 0.68 < np.mean(rates == BP_E12) < 0.86
    assert 0.05 < np.mean(rates < 0) < 0.25
    assert 0.005 < np.mean(rates > BP_E12) < 0.2


@pytest.mark.parametrize("asset", ["BTC", "ETH", "SOL"])
def test_hourly_rates_are_like_recorded_ones(asset: str) -> None:
    """Of BTC on Hyperliquid, 957 hours to 2023-07-17: mean 3.1e-5, deviation 2.5e-5, 15 % exactly 1.25e-5, lag-1
    autocorrelation 0.82 and of the premiums 0.85.
    """
    rows = model("hyperliquid", asset, REAL).settlements(
        market("hyperliquid", asset), at(24), at(24) + 120 * DAY_NS
    )
    rates = rows.rate_e12 / 1e12
    assert 2.3e-5 < rates.mean() < 4.6e-5
    assert 1.9e-5 < rates.std() < 3.1e-5
    assert 0.08 < np.mean(rows.rate_e12 == BP_E12 // 8) < 0.35
    assert 0.76 < autocorrelation(rows.rate_e12) < 0.90
    assert 0.79 < autocorrelation(rows.premium_e12) < 0.90

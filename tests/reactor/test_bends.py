"""Bends: a market that is bent keeps every promise of a market, and is itself until it is bent."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reactor.bends import NONE, Bend, Bends, log_q32, swing
from reactor.feed import SyntheticTelemetryUplink
from reactor.fixed import ONE
from reactor.single_asset import HyperSynthReactor
from reactor.skeleton import AssetPath, MarketSkeleton
from reactor.types import BLOCK_NS, SECOND_NS, Column, Instrument, Side
from tests.reactor.test_single_asset import CHECKS, MANIFESTS, ORIGIN_NS, PERP, SPOT, THIN, as_dicts, same

AT_NS = ORIGIN_NS + 70 * SECOND_NS
FALL = swing(
    AT_NS, [(15 * SECOND_NS, log_q32(700_000)), (10 * SECOND_NS, log_q32(700_000)), (60 * SECOND_NS, 0)]
)
CRASH = Bend(FALL, FALL, AT_NS, AT_NS + 30 * SECOND_NS, 20 * ONE, 50 * ONE)
RUSH = Bend(start_ns=AT_NS, end_ns=AT_NS + 80 * SECOND_NS, activity_q16=10 * ONE)


def market(instrument: Instrument, *bends: Bend) -> HyperSynthReactor:
    manifest = MANIFESTS[instrument]
    asset = AssetPath(7, instrument.asset, ORIGIN_NS, manifest)
    skeleton = MarketSkeleton(7, instrument, manifest, ORIGIN_NS, asset, Bends(bends) if bends else NONE)
    return HyperSynthReactor(skeleton, 7)


def minutes(of: HyperSynthReactor, name: str) -> list[int]:
    column: Column = getattr(of.minutes(ORIGIN_NS, ORIGIN_NS + 6 * BLOCK_NS), name)
    return list(map(int, column))


@pytest.mark.parametrize("instrument", MANIFESTS, ids=lambda i: i.market)
def test_bent_minutes_keep_every_promise(instrument: Instrument) -> None:
    """In the midst of a crash, that of many orders."""
    bent = market(instrument, CRASH)
    for check in CHECKS:
        check(bent, bent.skeleton.plan(1))


@pytest.mark.parametrize("instrument", [PERP, THIN], ids=lambda i: i.market)
def test_what_was_before_a_bend_stays(instrument: Instrument) -> None:
    """To the last bit, also of an earlier bend's minutes when a later one is added."""
    plain, bent = market(instrument), market(instrument, CRASH)
    later = Bend(start_ns=AT_NS + 150 * SECOND_NS, end_ns=AT_NS + 200 * SECOND_NS, activity_q16=50 * ONE)
    both = market(instrument, CRASH, later)
    assert same(plain.block(0), bent.block(0))
    assert same(bent.block(1), both.block(1))
    assert as_dicts(bent.keyframe(2)) == as_dicts(both.keyframe(2))
    assert not same(bent.block(3), both.block(3))


def test_a_crash_falls_as_far_as_it_says_and_comes_back() -> None:
    plain, bent = market(SPOT), market(SPOT, CRASH)
    low = min(minutes(bent, "low_ticks"))
    assert low / min(minutes(plain, "low_ticks")) == pytest.approx(0.7, abs=0.002)
    assert minutes(bent, "close_ticks")[-1] == minutes(plain, "close_ticks")[-1]
    assert minutes(bent, "n_prints")[1] > 5 * minutes(plain, "n_prints")[1]


def test_a_crash_liquidates_longs_alone() -> None:
    fallen = market(PERP, CRASH).liquidations(AT_NS, AT_NS + 15 * SECOND_NS)
    sold = int((fallen.side == Side.SELL).sum())
    assert sold > 100
    assert len(fallen) - sold <= 2


def test_an_index_goes_where_its_market_does_not() -> None:
    """And the premium tells of it, by seconds and by minutes."""
    astray = Bend(index_q32=swing(AT_NS, [(SECOND_NS, log_q32(650_000))], AT_NS + 300 * SECOND_NS))
    plain, bent = market(PERP), market(PERP, astray)
    span = AT_NS + 60 * SECOND_NS, AT_NS + 62 * SECOND_NS
    before, after = (SyntheticTelemetryUplink(of.skeleton).rows(*span) for of in (plain, bent))
    assert (before.mid_e8 == after.mid_e8).all()
    assert after.index_e8[0] / before.index_e8[0] == pytest.approx(0.65, abs=1e-6)
    (premium,) = bent.premiums_e8(ORIGIN_NS + 3 * BLOCK_NS, ORIGIN_NS + 4 * BLOCK_NS, BLOCK_NS).tolist()
    assert premium / 1e8 == pytest.approx(-math.log(0.65), abs=0.01)
    index = bent.index_minutes(ORIGIN_NS, ORIGIN_NS + 6 * BLOCK_NS)
    assert (index.low_e8[1:] < 0.66 * index.low_e8[0]).all()
    assert (index.low_e8 <= np.minimum(index.open_e8, index.close_e8)).all()


def test_a_rush_may_be_in_a_market_where_hardly_anybody_trades() -> None:
    assert sum(minutes(market(THIN, RUSH), "n_prints")[1:3]) > sum(minutes(market(THIN), "n_prints")[1:3])


def test_a_logarithm_is_that_of_exp() -> None:
    for share in (0.05, 0.5, 0.999, 1.0, 3.0):
        assert log_q32(round(share * 10**6)) / 2**32 == pytest.approx(math.log(share), abs=1e-6)
    assert log_q32(10**6) == 0
    with pytest.raises(ValueError, match="49999"):
        log_q32(49_999)


def test_a_swing_that_is_ended_goes_back_from_where_it_is() -> None:
    leg = 10 * SECOND_NS
    assert swing(0, [(leg, 100)], leg // 2) == ((0, 0), (leg // 2, 50), (leg // 2 + BLOCK_NS, 0))
    assert swing(0, [(leg, 100)], 2 * leg) == ((0, 0), (leg, 100), (2 * leg, 100), (2 * leg + BLOCK_NS, 0))
    assert swing(0, [(leg, 100), (leg, 0)], 3 * leg) == ((0, 0), (leg, 100), (2 * leg, 0))
    assert swing(5, [(leg, 100)], 5) == ()

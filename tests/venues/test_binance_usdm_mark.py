"""Index, mark price, funding, open interest and their bars: worked by hand, and against what the streams tell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.bars import Interval
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, DAY_NS, MS_NS, SECOND_NS
from tests.handmade import Rows
from tests.venues.spot import BUY
from tests.venues.usdm import ETH, INSTRUMENT, SOL, market, tape
from venues.binance.mark import (
    INDEX,
    MARK,
    PREMIUM,
    Candles,
    Sampling,
    candles,
    mark_prices,
    moving_average,
    open_interest_lots,
    settlements,
)
from venues.binance.rules import funding_of

HOUR_NS = 3_600 * SECOND_NS
SETTLED_NS = 1_790_352_000 * SECOND_NS  # 2026-09-25 16:00 UTC
INDEX_E8 = 65_000_05000000  # where a bid of 650,000 ticks puts the mid


def perpetual(second: Callable[[int], tuple[int, int, int]], prints: Rows = ()) -> HyperSynthReactor:
    """A market that has been there for three days when funding is settled."""
    return tape(market(origin_ns=SETTLED_NS - 3 * DAY_NS, second=second, prints=prints))


# ---------------------------------------------------------------- the mark price
def moved(at_ns: int, before_ticks: int, last_ticks: int) -> HyperSynthReactor:
    """The bid so many ticks above the index for a long while, and so many in the second at_ns."""
    return perpetual(lambda t: (650_000 + (last_ticks if t == at_ns else before_ticks), INDEX_E8, 0))


@pytest.mark.parametrize(
    ("left_h", "before", "last", "mark_e8", "which"),
    [
        # A premium of nothing makes the rate 0.01 %. Right after a settlement all of it is left: 6.500005 on the index.
        (8, 30, 30, 65_003_05000000, "basis and contract agree on 3"),
        (8, 0, 300, 65_006_55000500, "the contract jumps by 30, the basis by 1: funded"),
        (8, 100, 400, 65_011_05000000, "the contract jumps from 10 to 40, the basis to 11: basis"),
        (8, 400, 100, 65_010_05000000, "and from 40 to 10, the basis to 39: contract"),
        (8, -30, -30, 64_997_05000000, "both are 3 below"),
        # half of it after half the time
        (4, 0, 300, 65_003_30000250, "funded"),
        (4, 0, 0, 65_000_05000000, "basis and contract agree on nothing"),
        (1, 0, 300, 65_001_05000000, "an eighth of it is 0.81, the basis 1: basis"),
    ],
)
def test_the_mark_is_the_median_of_three(
    left_h: int, before: int, last: int, mark_e8: int, which: str
) -> None:
    """Index with the funding that is left, index with the 30 s basis, contract.

    https://www.binance.com/en/support/faq/360033525071, with the basis of 30 points, one a second, of 2025-09-18.
    """
    at_ns = SETTLED_NS + (8 - left_h) * HOUR_NS
    marks = mark_prices(moved(at_ns, before, last), at_ns, at_ns + SECOND_NS)
    assert (marks.index_e8.tolist(), marks.rate_e8.tolist()) == ([INDEX_E8], [10_000])
    assert marks.mark_e8.tolist() == [mark_e8], which


def test_a_basis_is_forgotten_after_30_seconds() -> None:
    """A jump of the contract moves the smooth price by a thirtieth of it a second, and is all in it in the end."""
    at_ns = SETTLED_NS + 8 * HOUR_NS - 60 * SECOND_NS  # so near to it, no funding is left to speak of
    jumped = perpetual(lambda t: (650_000 + 300 * (t >= at_ns), INDEX_E8, 0))
    marks = mark_prices(jumped, at_ns - SECOND_NS, at_ns + 31 * SECOND_NS)
    steps = [0, *(min(n, 30) * 1_00000000 for n in range(1, 32))]
    assert (marks.mark_e8 - INDEX_E8).tolist() == steps


def test_what_is_told_of_a_second_does_not_depend_on_the_rest() -> None:
    """A second asked for alone, or among others over a settlement, is the same."""
    wild = perpetual(lambda t: (650_000 + t // SECOND_NS * 7 % 61, INDEX_E8 + t // SECOND_NS % 17, t % 1_000))
    start_ns = SETTLED_NS - 20 * SECOND_NS
    together = mark_prices(wild, start_ns, start_ns + 40 * SECOND_NS)
    assert together.ts_ns.tolist() == [start_ns + i * SECOND_NS for i in range(40)]
    for i in (0, 19, 20, 39):
        at_ns = start_ns + i * SECOND_NS
        alone = mark_prices(wild, at_ns, at_ns + SECOND_NS)
        for name in ("index_e8", "mark_e8", "settle_e8", "rate_e8", "next_funding_ns"):
            assert getattr(alone, name).tolist() == [getattr(together, name)[i]], name


def test_a_price_too_large_for_64_bits_times_a_rate_is_marked_right() -> None:
    """A contract of a million with a rate at its cap: exact to the last decimal."""
    price = 1_000_000
    dear = perpetual(lambda t: (price * 10 + 50_000 * (t == SETTLED_NS), price * 10**8 + 5_000_000, 10**8))
    marks = mark_prices(dear, SETTLED_NS, SETTLED_NS + SECOND_NS)
    assert marks.rate_e8.tolist() == [300_000]  # 0.3 %
    assert marks.mark_e8.tolist() == [1_003_000_05015000]


def test_the_settle_price_is_an_hour_of_the_index() -> None:
    """The plain mean of its 3,600 seconds, the last one included."""
    rising = perpetual(lambda t: (650_000, t // SECOND_NS * 100, 0))
    now_s = SETTLED_NS // SECOND_NS
    assert mark_prices(rising, SETTLED_NS, SETTLED_NS + SECOND_NS).settle_e8.tolist() == [
        now_s * 100 - 179_950
    ]


@given(st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=80), st.integers(1, 40))
def test_a_moving_average_is_what_its_name_says(values: list[int], n: int) -> None:
    """Of the last n values or as many as there are, halves up."""
    expected = []
    for stop in range(1, len(values) + 1):
        window = values[max(stop - n, 0) : stop]
        expected.append((2 * sum(window) + len(window)) // (2 * len(window)))
    assert moving_average(np.array(values, dtype=np.int64), n).tolist() == expected


# ---------------------------------------------------------------- funding
@pytest.mark.parametrize(
    ("premium_e8", "rate_e8"),
    [
        (0, 10_000),
        (50_000, 10_000),
        (60_000, 10_000),
        (100_000, 50_000),
        (-40_000, 10_000),
        (-100_000, -50_000),
        (349_999, 299_999),
        (-349_999, -299_999),
    ],
)
def test_a_constant_premium_is_settled_by_the_formula(premium_e8: int, rate_e8: int) -> None:
    """P + clamp(0.01 % - P, -0.05 %, 0.05 %), within 0.3 %; predicted all the while, settled in the end.

    https://www.binance.com/en/support/faq/360033525031, 2026-11.
    """
    calm = perpetual(lambda _: (650_000, INDEX_E8, premium_e8))
    rows = settlements(calm, SETTLED_NS - DAY_NS, SETTLED_NS + 1)
    assert rows.ts_ns.tolist() == [SETTLED_NS - 24 * HOUR_NS + n * 8 * HOUR_NS for n in range(4)]
    assert rows.rate_e8.tolist() == [rate_e8] * 4
    assert mark_prices(calm, SETTLED_NS - SECOND_NS, SETTLED_NS + SECOND_NS).rate_e8.tolist() == [rate_e8] * 2


@pytest.mark.parametrize(
    ("premium_e8", "hourly_e8"), [(350_000, 37_500), (9_000_000, 300_000), (-9_000_000, -300_000)]
)
def test_a_rate_at_its_bound_is_settled_every_hour_from_then_on(premium_e8: int, hourly_e8: int) -> None:
    """An eighth of what eight hours would be, within the same 0.3 %; so until it is calm.

    Announcement of 2025-05-02: "reaches the funding rate cap/floor".
    """
    wild = perpetual(lambda _: (650_000, INDEX_E8, premium_e8))
    rows = settlements(wild, SETTLED_NS - 2 * HOUR_NS, SETTLED_NS + 1)
    assert rows.ts_ns.tolist() == [SETTLED_NS + n * HOUR_NS for n in (-2, -1, 0)]
    assert rows.rate_e8.tolist() == [hourly_e8] * 3
    marks = mark_prices(wild, SETTLED_NS, SETTLED_NS + SECOND_NS)
    assert marks.next_funding_ns.tolist() == [SETTLED_NS + HOUR_NS]


def test_the_newest_samples_weigh_most() -> None:
    """The i-th of 5,760 samples weighs i: the second half of an interval is 12,443,040 of its 16,591,680 parts.

    So 0.4 % in it and nothing before average to 0.29998264 %, and 0.05 % are off.
    """
    late = perpetual(lambda t: (650_000, INDEX_E8, 400_000 * (t % (8 * HOUR_NS) >= 4 * HOUR_NS)))
    assert settlements(late, SETTLED_NS, SETTLED_NS + 1).rate_e8.tolist() == [249_983]


def test_what_was_predicted_last_is_settled_and_the_next_one_begins() -> None:
    """Right before a settlement, the settled rate; with it, the next settlement's time and a rate of its own."""
    rising = perpetual(lambda t: (650_000, INDEX_E8, 100_000 + (t - SETTLED_NS) // (60 * SECOND_NS)))
    marks = mark_prices(rising, SETTLED_NS - SECOND_NS, SETTLED_NS + SECOND_NS)
    rows = settlements(rising, SETTLED_NS, SETTLED_NS + 1)
    assert marks.next_funding_ns.tolist() == [SETTLED_NS, SETTLED_NS + 8 * HOUR_NS]
    assert marks.rate_e8.tolist() == [rows.rate_e8[0], 50_000]
    assert rows.rate_e8[0] < 50_000
    assert rows.mark_e8.tolist() == [marks.mark_e8[1]]


def test_rates_are_bounded_by_symbol() -> None:
    """0.3 % where the maintenance margin begins at 0.4 %, 2 % elsewhere."""
    bounds = {i.base: funding_of(i).cap_e12 for i in (INSTRUMENT, ETH, SOL)}
    assert bounds == {"BTC": 3 * 10**9, "ETH": 3 * 10**9, "SOL": 2 * 10**10}


def test_nothing_is_settled_before_a_whole_interval_was_listed() -> None:
    """A market listed at 22:13 has its first settlement at 08:00."""
    young = tape(market(origin_ns=SETTLED_NS + 6 * HOUR_NS + 13 * BLOCK_NS))
    rows = settlements(young, 0, SETTLED_NS + 17 * HOUR_NS)
    assert rows.ts_ns.tolist() == [SETTLED_NS + 16 * HOUR_NS]


# ---------------------------------------------------------------- bars
def zigzag(t: int) -> tuple[int, int, int]:
    """An index that wanders by whole cents, a contract that follows it loosely, premiums of both signs."""
    s = t // SECOND_NS
    steps = s * s % 97 - s % 89
    return 650_000 + s // 60 % 50 + steps // 10, INDEX_E8 + steps * 10**6, s // 5 * 31 % 1_001 - 500


WANDERER = market(
    origin_ns=SETTLED_NS - 3 * DAY_NS,
    second=zigzag,
    prints=[
        (
            SETTLED_NS - 2 * HOUR_NS + i * BLOCK_NS + MS_NS,
            zigzag(SETTLED_NS + i * BLOCK_NS)[0],
            5,
            BUY,
            i,
            i,
            i,
        )
        for i in range(121)
    ],
)
WANDERING = tape(WANDERER)


def bars_of(sampling: Sampling, length_ns: int, first_ns: int, n: int, now_ns: int) -> Candles:
    return candles(
        sampling, WANDERING, Interval(length_ns), range(first_ns, first_ns + n * length_ns, length_ns), now_ns
    )


def test_short_bars_of_the_mark_are_those_of_the_stream() -> None:
    """Open, high, low and close of the marks told from the bar's opening instant on, until before its end."""
    first_ns, now_ns = SETTLED_NS - 9 * BLOCK_NS, SETTLED_NS + 40 * SECOND_NS + 7 * MS_NS
    marks = mark_prices(WANDERING, first_ns, now_ns)
    rows = bars_of(MARK, 3 * BLOCK_NS, first_ns, 4, now_ns)
    assert rows.open_ns.tolist() == [first_ns + i * 3 * BLOCK_NS for i in range(4)]
    assert rows.close_ns.tolist() == [first_ns + (i + 1) * 3 * BLOCK_NS for i in range(4)]
    assert rows.seconds.tolist() == [180, 180, 180, 41]  # an instant tells the second it begins
    for i, values in enumerate(np.split(marks.mark_e8, [180, 360, 540])):
        told = (rows.open_e8[i], rows.high_e8[i], rows.low_e8[i], rows.close_e8[i])
        assert told == (values[0], values.max(), values.min(), values[-1])


@pytest.mark.parametrize("sampling", [INDEX, MARK, PREMIUM], ids=["index", "mark", "premium"])
def test_long_bars_need_no_seconds_but_the_running_minutes(sampling: Sampling) -> None:
    """A quarter of an hour is within what its seconds would tell; only whole minutes and the last one are looked at."""
    first_ns, now_ns = SETTLED_NS - 30 * BLOCK_NS, SETTLED_NS + 2 * BLOCK_NS + 30 * SECOND_NS
    rows = bars_of(sampling, 15 * BLOCK_NS, first_ns, 3, now_ns)
    fine = sampling.seconds(WANDERING, first_ns, now_ns + 1)
    assert rows.seconds.tolist() == [900, 900, 151]
    for i, start_ns in enumerate(rows.open_ns.tolist()):
        of_bar = (fine.ts_ns >= start_ns) & (fine.ts_ns < start_ns + 15 * BLOCK_NS)
        low, high = fine.low_e8[of_bar].min(), fine.high_e8[of_bar].max()
        assert rows.low_e8[i] <= min(rows.open_e8[i], rows.close_e8[i])
        assert rows.high_e8[i] >= max(rows.open_e8[i], rows.close_e8[i])
        slack = {INDEX: 0, PREMIUM: 10**9, MARK: 7 * 10**8}[sampling]
        assert abs(int(rows.low_e8[i] - low)) <= slack
        assert abs(int(rows.high_e8[i] - high)) <= slack


def test_long_bars_of_the_index_have_its_extremes() -> None:
    """They open where the one before closed, and reach as high and as low as the seconds do."""
    rows = bars_of(INDEX, HOUR_NS, SETTLED_NS - 2 * HOUR_NS, 2, SETTLED_NS)
    grid = [zigzag(SETTLED_NS - 2 * HOUR_NS + s * SECOND_NS)[1] for s in range(7_201)]
    assert rows.open_e8.tolist() == [grid[0], grid[3_600]]
    assert rows.close_e8.tolist() == [grid[3_600], grid[7_200]]
    assert rows.high_e8.tolist() == [max(grid[:3_601]), max(grid[3_600:])]
    assert rows.low_e8.tolist() == [min(grid[:3_601]), min(grid[3_600:])]


def test_long_bars_of_the_mark_are_the_index_with_a_smooth_basis() -> None:
    """By hand: prints at 1, 2 and 4 above the index average to 1, 1.5 and 7/3, and then the last three count."""
    flat = perpetual(
        lambda _: (650_000, 65_000_00000000, 0),
        prints=[
            (SETTLED_NS - 3 * DAY_NS + i * BLOCK_NS, 650_000 + 10 * up, 5, BUY, i, i, i)
            for i, up in enumerate((1, 2, 4, 8))
        ],
    )
    start_ns = SETTLED_NS - 3 * DAY_NS
    row = candles(MARK, flat, Interval(15 * BLOCK_NS), [start_ns], start_ns + 3 * BLOCK_NS - 1)
    assert (row.open_e8[0], row.low_e8[0]) == (65_001_00000000, 65_001_00000000)
    told = MARK.minutes(flat, start_ns, start_ns + 3 * BLOCK_NS)
    assert told.open_e8.tolist() == [65_001_00000000, 65_001_50000000, 65_002_33333333]
    assert told.close_e8.tolist() == [65_001_50000000, 65_002_33333333, 65_004_66666667]


def test_no_bar_is_asked_of_nothing() -> None:
    """Where no bar opens there is no row."""
    assert len(candles(MARK, WANDERING, Interval(BLOCK_NS), [], SETTLED_NS)) == 0


def test_a_calendar_month_is_a_long_bar() -> None:
    """Its end is not a length away."""
    start_ns = 1_788_220_800 * SECOND_NS  # 2026-09-01
    row = candles(INDEX, WANDERING, Interval(0), [start_ns], SETTLED_NS)
    assert row.close_ns.tolist() == [1_790_812_800 * SECOND_NS]  # 2026-10-01


# ---------------------------------------------------------------- open interest
def test_open_interest_is_a_share_of_the_days_volume() -> None:
    """As of the last minute's end, from minutes alone: 0.626 of what was traded in the 24 h before."""
    lots = [1_000_000 * (i + 1) for i in range(3)]
    traded = perpetual(
        zigzag,
        prints=[
            (SETTLED_NS - DAY_NS - BLOCK_NS, 650_000, lots[0], BUY, 1, 1, 1),  # too old
            (SETTLED_NS - DAY_NS, 650_000, lots[1], BUY, 2, 2, 2),
            (SETTLED_NS - 1, 650_000, lots[2], BUY, 3, 3, 3),
        ],
    )
    assert open_interest_lots(traded, SETTLED_NS + 59 * SECOND_NS) == 3_130_000
    assert open_interest_lots(traded, SETTLED_NS - 1) == 1_878_000


def test_no_second_and_no_minute_of_it_lives_through_a_block() -> None:
    """Whatever is told here, no window of trades or of the book is looked at."""
    WANDERER.asked.clear()
    mark_prices(WANDERING, SETTLED_NS, SETTLED_NS + 10 * SECOND_NS)
    settlements(WANDERING, SETTLED_NS - DAY_NS, SETTLED_NS)
    open_interest_lots(WANDERING, SETTLED_NS)
    for sampling in (INDEX, MARK, PREMIUM):
        for minutes in (1, 60):
            bars_of(sampling, minutes * BLOCK_NS, SETTLED_NS - HOUR_NS, 1, SETTLED_NS + SECOND_NS)
    assert WANDERER.asked == []

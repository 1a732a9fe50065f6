"""Bars: what a patient clerk would count from the prints, for every interval, zone and instant."""

from dataclasses import fields
from datetime import UTC, datetime

import numpy as np
import pytest

from reactor.bars import Bars, BarSeries, Interval
from reactor.types import BLOCK_NS, DAY_NS, SECOND_NS, Minutes, Prints, Side
from tests.handmade import columns

MINUTE, HOUR, DAY, WEEK, MONTH = (
    Interval(BLOCK_NS),
    Interval(60 * BLOCK_NS),
    Interval(DAY_NS),
    Interval(7 * DAY_NS, anchor_ns=4 * DAY_NS),  # Mondays
    Interval(0),
)
LISTED_NS = 20_454 * DAY_NS  # Thursday, 2026-01-01


class PrintedTape:
    """A tape that is nothing but prints; its minute rows are counted one by one."""

    def __init__(self, days: int, prints_per_day: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.listed_ns = LISTED_NS
        self.end_ns = LISTED_NS + days * DAY_NS
        n = days * prints_per_day
        ts = np.sort(rng.integers(LISTED_NS, self.end_ns, n))
        price = 1000 + np.cumsum(rng.integers(-3, 4, n))
        side = np.where(rng.random(n) < 0.5, Side.BUY, Side.SELL)
        ids = 500 + np.arange(n)
        self.prints = Prints(ts, price, rng.integers(1, 100, n), side, ids, ids, ids)
        self.windows = self.rows = self.revision = 0

    def prints_in(self, start_ns: int, end_ns: int) -> Prints:
        self.windows += 1
        return self.prints.cut(*np.searchsorted(self.prints.ts_ns, [start_ns, end_ns]).tolist())

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        starts = np.arange(-(-max(start_ns, LISTED_NS) // BLOCK_NS), end_ns // BLOCK_NS) * BLOCK_NS
        self.rows += len(starts)
        rows = []
        for start in starts.tolist():
            bar = count(self.prints, start, start + BLOCK_NS)
            first = 500 + int(np.searchsorted(self.prints.ts_ns, start))
            rows.append([start, *bar[2:-2], first, first, first, 0])
        return columns(Minutes, rows, len(fields(Minutes)))


def count(prints: Prints, start_ns: int, end_ns: int, until_ns: int | None = None) -> list[int]:
    """One bar, the slow way."""
    begin, stop = np.searchsorted(prints.ts_ns, [start_ns, until_ns or end_ns]).tolist()
    rows = prints.cut(begin, stop)
    inside = list(zip(*(getattr(rows, f.name).tolist() for f in fields(Prints)), strict=True))
    if not inside:
        price = int(prints.price_ticks[max(begin - 1, 0)])
        return [start_ns, end_ns, price, price, price, price, 0, 0, 0, 0, 0, -1, -1]
    prices, lots = [r[1] for r in inside], [r[2] for r in inside]
    buys = [(p, q) for _, p, q, side, *_ in inside if side == Side.BUY]
    return [
        start_ns,
        end_ns,
        prices[0],
        max(prices),
        min(prices),
        prices[-1],
        len(inside),
        sum(lots),
        sum(p * q for p, q in zip(prices, lots, strict=True)),
        sum(q for _, q in buys),
        sum(p * q for p, q in buys),
        inside[0][4],
        inside[-1][4],
    ]


def table(bars: Bars) -> list[list[int]]:
    rows: list[list[int]] = np.stack([getattr(bars, f.name) for f in fields(Bars)], axis=1).tolist()
    return rows


@pytest.fixture(scope="module")
def tape() -> PrintedTape:
    return PrintedTape(days=4, prints_per_day=700, seed=1)  # half of the minutes have no print


@pytest.mark.parametrize(
    "interval",
    [Interval(n * BLOCK_NS) for n in (1, 3, 5, 15, 60, 240, 720, 1440)]
    + [WEEK, MONTH, Interval(20 * SECOND_NS)],
)
@pytest.mark.parametrize("offset_min", [0, 480, -30, 345])
def test_bars_are_what_the_prints_say(tape: PrintedTape, interval: Interval, offset_min: int) -> None:
    """Every bar of a range, the running one included, equals the count; time zones move the cuts."""
    interval = interval.shifted(offset_min * BLOCK_NS)
    at_ns = LISTED_NS + 3 * DAY_NS + 5 * 60 * BLOCK_NS + 37 * SECOND_NS
    first_ns = at_ns - 20 * interval.length_ns if interval.length_ns < 60 * BLOCK_NS else LISTED_NS + 1
    bars = BarSeries(tape).bars(interval, first_ns if interval.length_ns else 0, at_ns + DAY_NS, at_ns)
    starts = [row[0] for row in table(bars)]
    assert starts == sorted(starts)
    assert all(interval.start(s) == s for s in starts)
    assert len(starts) == 0 or interval.next(starts[-1]) >= at_ns
    for row in table(bars):
        assert row == count(tape.prints, row[0], row[1], min(row[1], at_ns))


@pytest.mark.parametrize("interval", [MINUTE, HOUR, DAY, Interval(SECOND_NS)])
def test_the_running_bar_at_many_instants(tape: PrintedTape, interval: Interval) -> None:
    """At each instant the bar holds exactly the prints before it; at a bar's end the whole bar."""
    minute_ns = LISTED_NS + 2 * DAY_NS + 59 * BLOCK_NS
    at_ns = minute_ns + np.array([1, 2, 15, 30, 45, 60]) * SECOND_NS
    bars = table(BarSeries(tape).running(interval, at_ns))
    for row, at in zip(bars, at_ns.tolist(), strict=True):
        start = interval.start(at - 1)
        assert row == count(tape.prints, start, interval.next(start), at)


def test_a_bar_that_opened_before_the_listing_counts_from_it(tape: PrintedTape) -> None:
    """The first week of a market is the prints there are, however many days of it came before."""
    minute_ns = LISTED_NS + 3 * 60 * BLOCK_NS
    series = BarSeries(tape)
    for at in (minute_ns + 30 * SECOND_NS, minute_ns + BLOCK_NS):
        expected = count(tape.prints, LISTED_NS - 3 * DAY_NS, LISTED_NS + 4 * DAY_NS, at)
        assert table(series.running(WEEK, np.array([at]))) == [expected]
        assert table(series.bars(WEEK, 0, at, at)) == [expected]


def test_rolling_statistics_cover_whole_minutes_and_the_running_one(tape: PrintedTape) -> None:
    """A window of n minutes is the n before the running minute, plus what has happened in it."""
    minute_ns = LISTED_NS + 3 * DAY_NS + 7 * BLOCK_NS
    at_ns = minute_ns + np.array([10, 20]) * SECOND_NS
    for n in (60, 1440):
        for row, at in zip(table(BarSeries(tape).rolling(n, at_ns)), at_ns.tolist(), strict=True):
            assert row[2:] == count(tape.prints, minute_ns - n * BLOCK_NS, at)[2:]


def test_closed_bars_need_no_block(tape: PrintedTape) -> None:
    """Bars and statistics at minute ends come from rows alone."""
    before = tape.windows
    series = BarSeries(tape)
    end_ns = LISTED_NS + 3 * DAY_NS
    series.bars(HOUR, LISTED_NS, end_ns, end_ns)
    series.running(HOUR, np.array([end_ns]))
    series.rolling(1440, np.array([end_ns]))
    assert tape.windows == before


@pytest.mark.parametrize(
    ("interval", "opens"),
    [
        (WEEK, ["2025-12-29", "2026-01-05"]),
        (MONTH, ["2025-12-01", "2026-01-01", "2026-02-01"]),
        (Interval(3 * DAY_NS), ["2025-12-29", "2026-01-01"]),
    ],
)
def test_long_intervals_follow_the_calendar(interval: Interval, opens: list[str]) -> None:
    """Weeks open on Mondays, months on the first, three-day bars every third day since the epoch."""
    instants = [int(datetime.fromisoformat(o).replace(tzinfo=UTC).timestamp()) * SECOND_NS for o in opens]
    assert interval.starts(instants[0], instants[-1] + 1) == instants
    assert interval.start(instants[0] + 1) == instants[0]


def test_nothing_before_the_listing(tape: PrintedTape) -> None:
    """A range before the market existed has no bars."""
    assert len(BarSeries(tape).bars(HOUR, 0, LISTED_NS, LISTED_NS + DAY_NS)) == 0


def test_prepared_days_are_not_made_again(tape: PrintedTape) -> None:
    """Days are prepared newest first, a few at a time, until there are none; bars of them then ask for no rows."""
    series, at_ns = BarSeries(tape), LISTED_NS + 3 * DAY_NS
    expected = table(BarSeries(tape).bars(HOUR, 0, at_ns, at_ns))
    assert [series.prepare(at_ns, 2) for _ in range(3)] == [True, True, False]
    before = tape.rows
    assert table(series.bars(HOUR, 0, at_ns, at_ns)) == expected
    assert tape.rows == before

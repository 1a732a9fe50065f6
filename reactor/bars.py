"""Bars of any interval and statistics over rolling windows, from the skeleton's minute rows.

Only the minute that is still open at the instant asked for needs its block; everything closed comes from
rows, and the rows of long intervals from quarters of an hour that are kept. Intervals below a minute are
counted from prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

import numpy as np

from reactor.types import BLOCK_NS, DAY_NS, SECOND_NS, Column, Columns, Minutes, Prints, Side
from reactor.values import dataclass

QUARTER_NS = 15 * BLOCK_NS
_WHOLES_KEPT = 128  # more than there are intervals and windows
_MINUTES_KEPT = 2


@dataclass(frozen=True, slots=True, eq=False)
class Bars(Columns):
    """Bars [open_ns, close_ns). Without a print, the four prices are the close before and both trade ids -1."""

    open_ns: Column
    close_ns: Column
    open_ticks: Column
    high_ticks: Column
    low_ticks: Column
    close_ticks: Column
    n_prints: Column
    volume_lots: Column
    quote_units: Column
    taker_buy_lots: Column
    taker_buy_quote_units: Column
    first_trade_id: Column
    last_trade_id: Column


_SUMS = ("n_prints", "volume_lots", "quote_units", "taker_buy_lots", "taker_buy_quote_units")


@dataclass(frozen=True, slots=True)
class Interval:
    """How time is cut into bars: pieces of `length_ns` counted from `anchor_ns`, or calendar months
    (length_ns = 0).

    The anchor is the epoch for most, a Monday for weeks; a time zone's bars are anchored at its midnight.
    """

    length_ns: int
    anchor_ns: int = 0

    def shifted(self, offset_ns: int) -> Interval:
        """The same interval in a time zone `offset_ns` ahead of UTC."""
        return Interval(self.length_ns, self.anchor_ns - offset_ns)

    def start(self, ts_ns: int) -> int:
        """The opening instant of the bar that contains ts_ns."""
        if self.length_ns:
            return ts_ns - (ts_ns - self.anchor_ns) % self.length_ns
        day = datetime.fromtimestamp((ts_ns - self.anchor_ns) // SECOND_NS, UTC)
        return _month_ns(day.year, day.month) + self.anchor_ns

    def next(self, start_ns: int) -> int:
        """The opening instant of the bar after the one that opens at start_ns."""
        return start_ns + self.length_ns if self.length_ns else self.start(start_ns + 32 * DAY_NS)

    def starts(self, first_ns: int, stop_ns: int) -> list[int]:
        """The opening instants of the bars that open in [first_ns, stop_ns)."""
        start = self.start(first_ns)
        if start < first_ns:
            start = self.next(start)
        found = []
        while start < stop_ns:
            found.append(start)
            start = self.next(start)
        return found


def _month_ns(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * SECOND_NS


class Tape(Protocol):
    """What bars are made of."""

    @property
    def listed_ns(self) -> int: ...
    @property
    def revision(self) -> int: ...
    def minutes(self, start_ns: int, end_ns: int) -> Minutes: ...
    def prints_in(self, start_ns: int, end_ns: int) -> Prints: ...


class BarSeries:
    """The bars of one market. Safe to use from several threads."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._quarters: dict[int, Bars] = {}  # by day; a market's whole history is a few megabytes
        # What intervals and windows have in common while a minute runs; lru_cache may be called from several threads.
        self._whole = lru_cache(_WHOLES_KEPT)(self._make_whole)
        self._through = lru_cache(_MINUTES_KEPT)(self._make_through)

    def forked(self, tape: Tape) -> BarSeries:
        """The bars of a tape that has been this one so far."""
        fork = BarSeries(tape)
        fork._quarters = dict(self._quarters)  # it is one of these
        return fork

    def forget(self, from_ns: int) -> None:
        """What the tape tells of days that end after an instant has changed."""
        for day in list(self._quarters):
            if (day + 1) * DAY_NS > from_ns:
                del self._quarters[day]

    def bars(self, interval: Interval, first_ns: int, stop_ns: int, at_ns: int) -> Bars:
        """The bars that open in [first_ns, stop_ns) and before at_ns; the last one as far as it goes at
        at_ns.
        """
        listed_ns = self._tape.listed_ns
        starts = interval.starts(max(first_ns, interval.start(listed_ns)), min(stop_ns, at_ns))
        if not starts:
            return Bars.none()
        end_ns = min(interval.next(starts[-1]), at_ns)
        if interval.length_ns and interval.length_ns < BLOCK_NS:
            return self._from_prints(interval, starts, end_ns)
        pieces = self._pieces(max(starts[0], listed_ns), end_ns)
        return _merge(pieces, [*starts, interval.next(starts[-1])])

    def running(self, interval: Interval, at_ns: Column) -> Bars:
        """For each of ascending instants, all within one minute (start, end]: the bar of the instant before
        it, so far.

        An instant that ends a bar sees it whole. Needs the minute's block unless the instants end it.
        """
        return self.running_each([interval], at_ns)[0]

    def running_each(self, intervals: Sequence[Interval], at_ns: Column) -> list[Bars]:
        """The same of several intervals, which have all but their closed minutes in common."""
        minute_ns, before_ns = _open_minute(at_ns), int(at_ns[-1]) - 1
        long = [each for each in intervals if not 0 < each.length_ns < BLOCK_NS]
        found: dict[Interval, Bars] = {}
        if long:
            starts, n = [each.start(before_ns) for each in long], len(at_ns)
            listed_ns, revision = self._tape.listed_ns, self._tape.revision
            wholes = [self._whole(max(start_ns, listed_ns), minute_ns, revision) for start_ns in starts]
            ends = [each.next(start_ns) for each, start_ns in zip(long, starts, strict=True)]
            bars = _extend(wholes, self._partial(minute_ns, at_ns), starts, ends)
            pieces = [bars] if len(long) == 1 else [bars.cut(i * n, (i + 1) * n) for i in range(len(long))]
            found = dict(zip(long, pieces, strict=True))
        return [
            found[each] if each in found else self._running_within(each, minute_ns, at_ns)
            for each in intervals
        ]

    def rolling(self, minutes: int, at_ns: Column) -> Bars:
        """Statistics of the last `minutes` whole minutes and the running one, for ascending instants within
        one minute.
        """
        minute_ns = _open_minute(at_ns)
        start_ns = max(minute_ns - minutes * BLOCK_NS, self._tape.listed_ns)
        whole = self._whole(start_ns, minute_ns, self._tape.revision)
        return _extend([whole], self._partial(minute_ns, at_ns), [start_ns], [minute_ns + BLOCK_NS])

    # ------------------------------------------------------------ pieces
    def _make_whole(self, start_ns: int, end_ns: int, _revision: int) -> Bars:
        """The bar of [start_ns, end_ns), which is whole minutes; none where that is empty."""
        if start_ns >= end_ns:
            return Bars.none()
        return _merge(self._pieces(start_ns, end_ns), [start_ns, end_ns])

    def _make_through(self, minute_ns: int, end_ns: int, _revision: int) -> tuple[Column, Bars]:
        """The instants of a minute's prints before end_ns, and the bar of the first 0, 1, 2, ... of them."""
        prints = self._tape.prints_in(minute_ns, end_ns)
        return prints.ts_ns, _through(prints, self._close_before(minute_ns), minute_ns, BLOCK_NS)

    def _running_within(self, interval: Interval, minute_ns: int, at_ns: Column) -> Bars:
        """`running` for bars shorter than a minute."""
        prints = self._tape.prints_in(minute_ns, int(at_ns[-1]))
        starts = np.array([interval.start(t - 1) for t in at_ns.tolist()])
        return _of_spans(prints, self._close_before(minute_ns), starts, at_ns, interval.length_ns)

    def _pieces(self, start_ns: int, end_ns: int) -> Bars:
        """Consecutive short bars that tile [start_ns, end_ns): whole days by quarters, the rest by minutes,
        the last by prints.
        """
        parts = []
        first_day, last_day = -(-start_ns // DAY_NS), end_ns // DAY_NS
        whole_ns = end_ns - end_ns % BLOCK_NS
        if last_day - first_day < 2:
            parts.append(_of_minutes(self._tape.minutes(start_ns, whole_ns)))
        else:
            parts.append(_of_minutes(self._tape.minutes(start_ns, first_day * DAY_NS)))
            parts.extend(self._days_by_quarters(first_day, last_day))
            parts.append(_of_minutes(self._tape.minutes(last_day * DAY_NS, whole_ns)))
        if whole_ns < end_ns:
            parts.append(self._partial(whole_ns, np.array([end_ns])))
        return Bars.join(parts)

    def prepare(self, at_ns: int, days: int) -> bool:
        """Make the kept rows of up to so many whole days before at_ns that are missing, the newest first; whether
        any were.
        """
        first, last = -(-self._tape.listed_ns // DAY_NS), at_ns // DAY_NS
        missing = [day for day in range(first, last) if day not in self._quarters][-days:]
        for day in reversed(missing):
            self._day_by_quarters(day)
        return bool(missing)

    def _days_by_quarters(self, first_day: int, last_day: int) -> list[Bars]:
        # The newest day first: what is carried from day to day grows from the origin into the past.
        return [self._day_by_quarters(day) for day in reversed(range(first_day, last_day))][::-1]

    def _day_by_quarters(self, day: int) -> Bars:
        if day not in self._quarters:
            start_ns, end_ns = day * DAY_NS, (day + 1) * DAY_NS
            minutes = _of_minutes(self._tape.minutes(start_ns, end_ns))
            self._quarters[day] = _merge(minutes, range(start_ns, end_ns + 1, QUARTER_NS))
        return self._quarters[day]

    def _close_before(self, at_ns: int) -> int:
        """The last price before an instant that starts a minute."""
        row = self._tape.minutes(at_ns - BLOCK_NS, at_ns)
        return (
            int(row.close_ticks[0])
            if len(row)
            else int(self._tape.minutes(at_ns, at_ns + BLOCK_NS).open_ticks[0])
        )

    def _partial(self, minute_ns: int, at_ns: Column) -> Bars:
        """For each instant in the minute (start, end]: the minute's bar so far."""
        if int(at_ns[0]) == minute_ns + BLOCK_NS:
            return _of_minutes(self._tape.minutes(minute_ns, minute_ns + BLOCK_NS))
        # Where the future may change, no more of it is looked at than is asked for.
        revision, last_ns = self._tape.revision, int(at_ns[-1])
        end_ns = -(-last_ns // SECOND_NS) * SECOND_NS if revision else minute_ns + BLOCK_NS
        times, through = self._through(minute_ns, end_ns, revision)
        return through.take(np.searchsorted(times, at_ns))

    def _from_prints(self, interval: Interval, starts: list[int], end_ns: int) -> Bars:
        """Bars shorter than a minute."""
        minute_ns = starts[0] - starts[0] % BLOCK_NS
        prints = self._tape.prints_in(minute_ns, end_ns)
        return _merge(_of_prints(prints, self._close_before(minute_ns)), [*starts, interval.next(starts[-1])])


# ---------------------------------------------------------------- columns
def _open_minute(at_ns: Column) -> int:
    """The start of the minute (start, end] that the instants lie in."""
    before = int(at_ns[0]) - 1
    return before - before % BLOCK_NS


def _of_minutes(rows: Minutes) -> Bars:
    traded = rows.n_prints > 0
    last = rows.first_trade_id + rows.n_prints - 1
    return Bars(
        open_ns=rows.start_ns,
        close_ns=rows.start_ns + BLOCK_NS,
        first_trade_id=np.where(traded, rows.first_trade_id, -1),
        last_trade_id=np.where(traded, last, -1),
        **{f.name: getattr(rows, f.name) for f in fields(Bars)[2:-2]},
    )


def _of_prints(prints: Prints, close_before: int) -> Bars:
    """A bar per print, after one without prints that holds the price before them."""
    n = len(prints) + 1
    price = np.concatenate([[close_before], prints.price_ticks])
    lots = np.concatenate([[0], prints.qty_lots])
    buys = np.concatenate([[0], np.where(prints.side == Side.BUY, prints.qty_lots, 0)])
    ids = np.concatenate([[-1], prints.trade_id])
    time = np.concatenate([prints.ts_ns[:1] - 1, prints.ts_ns]) if n > 1 else np.zeros(1, dtype=np.int64)
    one = (np.arange(n) > 0).astype(np.int64)
    return Bars(time, time, price, price, price, price, one, lots, price * lots, buys, price * buys, ids, ids)


def _through(prints: Prints, close_before: int, start_ns: int, length_ns: int) -> Bars:
    """The bar of the first 0, 1, 2, ... of a span's prints."""
    rows = _of_prints(prints, close_before)
    n = len(rows)
    empty = np.arange(n) == 0
    first, high, low = rows.open_ticks[min(1, n - 1)], rows.high_ticks.copy(), rows.low_ticks.copy()
    high[1:], low[1:] = np.maximum.accumulate(high[1:]), np.minimum.accumulate(low[1:])
    return Bars(
        open_ns=np.full(n, start_ns),
        close_ns=np.full(n, start_ns + length_ns),
        open_ticks=np.where(empty, close_before, first),
        high_ticks=high,
        low_ticks=low,
        close_ticks=rows.close_ticks,
        first_trade_id=np.where(empty, -1, rows.first_trade_id[min(1, n - 1)]),
        last_trade_id=rows.last_trade_id,
        **{name: np.cumsum(getattr(rows, name)) for name in _SUMS},
    )


def _of_spans(prints: Prints, close_before: int, starts_ns: Column, ends_ns: Column, length_ns: int) -> Bars:
    """The bars of [starts_ns[i], ends_ns[i]), as far as they go of their length."""
    rows = _of_prints(prints, close_before)  # row i + 1 is print i's
    first, stop = np.searchsorted(prints.ts_ns, starts_ns), np.searchsorted(prints.ts_ns, ends_ns)
    some = stop > first
    edges = np.stack((first, stop), axis=1)[some].ravel() + 1
    prices = np.append(rows.close_ticks, 0)  # a span may end with the last row

    def within(extreme: np.ufunc) -> Column:
        column = rows.close_ticks[first]
        if len(edges):
            column[some] = extreme.reduceat(prices, edges)[::2]
        return column

    def id_or_none(row: Column) -> Column:
        return np.where(some, rows.first_trade_id[row], -1)

    totals = {name: np.cumsum(getattr(rows, name)) for name in _SUMS}
    return Bars(
        open_ns=starts_ns,
        close_ns=starts_ns + length_ns,
        open_ticks=rows.close_ticks[np.where(some, first + 1, first)],
        high_ticks=within(np.maximum),
        low_ticks=within(np.minimum),
        close_ticks=rows.close_ticks[stop],
        first_trade_id=id_or_none(np.where(some, first + 1, 0)),
        last_trade_id=id_or_none(stop),
        **{name: total[stop] - total[first] for name, total in totals.items()},
    )


def _merge(rows: Bars, edges: Sequence[int]) -> Bars:
    """Rows in time order as bars [edges[i], edges[i + 1]). A row without prints only tells the price before
    it.
    """
    bounds = np.array(edges, dtype=np.int64)
    traded = rows.take(np.flatnonzero(rows.n_prints))
    cut = np.searchsorted(traded.open_ns, bounds)
    first, last = cut[:-1], cut[1:] - 1
    some = last >= first
    before = np.concatenate([rows.close_ticks[:1], traded.close_ticks])[first]
    groups = first[some] - cut[0]
    inside = traded.cut(int(cut[0]), int(cut[-1]))

    def fill(values: Column, empty: Column | int) -> Column:
        column = np.array(np.broadcast_to(empty, len(first)), dtype=np.int64)
        column[some] = values
        return column

    return Bars(
        open_ns=bounds[:-1],
        close_ns=bounds[1:],
        open_ticks=fill(traded.open_ticks[first[some]], before),
        high_ticks=fill(np.maximum.reduceat(inside.high_ticks, groups) if len(groups) else groups, before),
        low_ticks=fill(np.minimum.reduceat(inside.low_ticks, groups) if len(groups) else groups, before),
        close_ticks=fill(traded.close_ticks[last[some]], before),
        first_trade_id=fill(traded.first_trade_id[first[some]], -1),
        last_trade_id=fill(traded.last_trade_id[last[some]], -1),
        **{
            name: fill(np.add.reduceat(getattr(inside, name), groups) if len(groups) else groups, 0)
            for name in _SUMS
        },
    )


def _extend(wholes: Sequence[Bars], current: Bars, opens_ns: Sequence[int], closes_ns: Sequence[int]) -> Bars:
    """Each row of `current` preceded by each of the wholes, of one row or none, as one bar: whole by whole."""
    n = len(current)
    bar = Bars.join([whole if len(whole) else _EMPTY for whole in wholes])
    bar = Bars(*(getattr(bar, f.name)[:, None] for f in fields(Bars)))
    alone, traded = bar.n_prints == 0, current.n_prints > 0
    any_alone = bool(alone.any())
    high, low = np.maximum(bar.high_ticks, current.high_ticks), np.minimum(bar.low_ticks, current.low_ticks)
    new = alone | traded

    def after(both: Column, column: str) -> Column:
        """Of both, of the one that has prints, or of the current one."""
        joint = np.where(traded, both, getattr(bar, column))
        return (np.where(alone, getattr(current, column), joint) if any_alone else joint).ravel()

    return Bars(
        open_ns=np.repeat(opens_ns, n),
        close_ns=np.repeat(closes_ns, n),
        open_ticks=np.where(alone, current.open_ticks, bar.open_ticks).ravel(),
        high_ticks=after(high, "high_ticks"),
        low_ticks=after(low, "low_ticks"),
        close_ticks=np.where(new, current.close_ticks, bar.close_ticks).ravel(),
        first_trade_id=np.where(alone, current.first_trade_id, bar.first_trade_id).ravel(),
        last_trade_id=np.where(new, current.last_trade_id, bar.last_trade_id).ravel(),
        **{name: (getattr(bar, name) + getattr(current, name)).ravel() for name in _SUMS},
    )


_EMPTY = Bars(*(np.zeros(1, np.int64) for _ in fields(Bars)))

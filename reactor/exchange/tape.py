"""The tape as matching asks for it: what rests at one price at one instant, and which minutes can reach a price at all.

Pure caches of a market's tape. A minute is indexed by price once and then answers in microseconds; a day's reach comes
from the skeleton and needs no block.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

import numpy as np

from reactor.fixed import begins, distinct, stable_order
from reactor.manifest import SimulationManifest
from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    SECOND_NS,
    TICK_NS,
    Block,
    BookSide,
    BookSnapshot,
    Column,
    Minutes,
    Prints,
    Seconds,
)

TICKS = BLOCK_NS // TICK_NS
_INDEXES_KEPT = 4
_REACHES_KEPT = 8


class _Skeleton(Protocol):
    @property
    def manifest(self) -> SimulationManifest: ...


class Tape(Protocol):
    """What matching reads of a market."""

    @property
    def origin_ns(self) -> int: ...
    @property
    def skeleton(self) -> _Skeleton: ...
    def keyframe(self, k: int) -> BookSnapshot: ...
    def block(self, k: int) -> Block: ...
    def minutes(self, start_ns: int, end_ns: int) -> Minutes: ...
    def extremes(self, start_ns: int, end_ns: int) -> tuple[Column, Column, Column]: ...
    def seconds(self, start_ns: int, end_ns: int) -> Seconds: ...


class MinuteIndex:
    """One minute of the tape, by price. `tick` counts from the minute's start: what rests at tick n is what ticks
    before n have left.
    """

    def __init__(self, tape: Tape, k: int) -> None:
        self.start_ns = tape.origin_ns + k * BLOCK_NS
        self.block, frame = tape.block(k), tape.keyframe(k)
        self.first_tick = self.start_ns // TICK_NS
        prints = self.block.prints
        # A group: what one market order took at one price. All prints of an order have one instant.
        first = np.flatnonzero(begins(prints.agg_id))
        self.groups = prints.take(first)
        self.group_lots = np.add.reduceat(prints.qty_lots, first) if len(first) else prints.qty_lots
        self.group_stop = np.append(prints.trade_id[first[1:]], prints.trade_id[-1:] + 1)
        row = tape.minutes(self.start_ns, self.start_ns + BLOCK_NS)
        self._ids = int(row.first_trade_id[0]), int(row.first_agg_id[0]), int(row.first_order_id[0])
        self._opening = (
            int(frame.bid_ticks[0]),
            int(frame.bid_lots[0]),
            int(frame.ask_ticks[0]),
            int(frame.ask_lots[0]),
        )
        self._touch = (-1, self._opening)  # the last that was asked for, and when
        self._sides = (
            _SideIndex(-frame.bid_ticks, frame.bid_lots, self.block, BookSide.BID, self.first_tick),
            _SideIndex(frame.ask_ticks, frame.ask_lots, self.block, BookSide.ASK, self.first_tick),
        )

    def lots(self, side: int, price_ticks: int, tick: int) -> int:
        """What rests at a price, 0 where nothing does."""
        return self._sides[side].lots(price_ticks if side else -price_ticks, tick)

    def levels(self, side: int, from_ticks: int, tick: int) -> Iterator[tuple[int, int]]:
        """(price_ticks, lots) of the levels from a price on, away from the touch."""
        sign = 1 if side else -1
        for rank, lots in self._sides[side].levels(sign * from_ticks, tick):
            yield sign * rank, lots

    def touch(self, at_ns: int) -> tuple[int, int, int, int]:
        """(bid_ticks, bid_lots, ask_ticks, ask_lots) that stand when at_ns comes."""
        asked_ns, touch = self._touch
        if asked_ns != at_ns:  # commands come several at a boundary
            touch = self._touch_at(at_ns)
            self._touch = at_ns, touch
        return touch

    def _touch_at(self, at_ns: int) -> tuple[int, int, int, int]:
        quotes = self.block.quotes
        i = int(quotes.ts_ns.searchsorted(at_ns)) - 1
        if i < 0:
            return self._opening
        return (
            int(quotes.bid_ticks[i]),
            int(quotes.bid_lots[i]),
            int(quotes.ask_ticks[i]),
            int(quotes.ask_lots[i]),
        )

    def next_ids(self, at_ns: int) -> tuple[int, int, int]:
        """The ids (trade, aggregate, order) that the first print at or after an instant of this minute gets."""
        groups = self.groups
        i = int(groups.ts_ns.searchsorted(at_ns))
        if i < len(groups):
            return int(groups.trade_id[i]), int(groups.agg_id[i]), int(groups.order_id[i])
        if not i:
            return self._ids
        return int(self.group_stop[-1]), int(groups.agg_id[-1]) + 1, int(groups.order_id[-1]) + 1


class _SideIndex:
    """Rows sorted by (rank, tick); ranks ascend away from the touch. Tick 0 is the keyframe, tick n + 1 the n-th."""

    def __init__(self, ranks: Column, lots: Column, block: Block, side: BookSide, first_tick: int) -> None:
        rows = np.flatnonzero(block.levels.side == side)
        price = block.levels.price_ticks[rows]
        rank = np.concatenate([ranks, price if side else -price])
        self._least = int(rank.min())
        key = (rank - self._least) * (TICKS + 1)
        key[len(ranks) :] += block.levels.tick[rows] - first_tick + 1
        order = stable_order(key)
        self._keys = key[order]
        self._lots = np.concatenate([lots, block.levels.qty_lots[rows]])[order]
        self._ranks: list[int] = distinct(rank).tolist()

    def lots(self, rank: int, tick: int) -> int:
        if rank < self._least:
            return 0
        first = (rank - self._least) * (TICKS + 1)
        i = int(self._keys.searchsorted(first + tick + 1)) - 1
        return int(self._lots[i]) if i >= 0 and self._keys[i] >= first else 0

    def levels(self, rank: int, tick: int) -> Iterator[tuple[int, int]]:
        ranks = self._ranks
        for i in range(bisect_left(ranks, rank), len(ranks)):
            lots = self.lots(ranks[i], tick)
            if lots:
                yield ranks[i], lots


class TapeIndex:
    """The minutes of one market, indexed when asked for. Two threads may ask at once."""

    def __init__(self, tape: Tape) -> None:
        self.origin_ns = tape.origin_ns
        self.halflife_ns = round(tape.skeleton.manifest.impact_decay_halflife_ms * 1_000_000)
        self._tape = tape
        self.minute = lru_cache(_INDEXES_KEPT)(lambda k: MinuteIndex(tape, k))
        self._reach = lru_cache(_REACHES_KEPT)(self._make_reach)

    def at(self, at_ns: int) -> MinuteIndex:
        """The minute that begins at or before a boundary and has not ended then."""
        return self.minute((at_ns - self.origin_ns) // BLOCK_NS)

    def reach(self, minute_ns: int) -> tuple[int, int]:
        """(low, high) of a minute: in it no ask and no print is below, no bid and no print above."""
        lows, highs = self._reach(minute_ns // DAY_NS)
        i = minute_ns % DAY_NS // BLOCK_NS
        return int(lows[i]), int(highs[i])

    def first_in_reach(self, bid_ticks: int | None, ask_ticks: int | None, from_ns: int, upto_ns: int) -> int:
        """The start of the first minute, from the one that begins at from_ns on, that reaches down to bid_ticks or up
        to ask_ticks; upto_ns if none before it does.
        """
        while from_ns < upto_ns:
            lows, highs = self._reach(from_ns // DAY_NS)
            i = from_ns % DAY_NS // BLOCK_NS
            hit = np.zeros(len(lows) - i, np.bool_)
            if bid_ticks is not None:
                hit |= lows[i:] <= bid_ticks
            if ask_ticks is not None:
                hit |= highs[i:] >= ask_ticks
            n = int(hit.argmax())
            if hit[n]:
                return min(from_ns + n * BLOCK_NS, upto_ns)
            from_ns += len(hit) * BLOCK_NS
        return upto_ns

    def reaches(self, minute_ns: int) -> tuple[Column, Column]:
        """`reach` of the minutes from the one that begins at an instant on, until its day is over."""
        lows, highs = self._reach(minute_ns // DAY_NS)
        i = minute_ns % DAY_NS // BLOCK_NS
        return lows[i:], highs[i:]

    def traded(self, start_ns: int, end_ns: int) -> Prints:
        """What was traded in a part of one minute, of an order's prints at one price only the first."""
        groups = self.at(start_ns).groups
        first, stop = groups.ts_ns.searchsorted([start_ns, end_ns]).tolist()
        return groups.cut(first, stop)

    def best(self, start_ns: int, end_ns: int, otherwise: int, *, lowest: bool) -> int:
        """The lowest price, or the highest, of that and all that was traded in [start_ns, end_ns). Minutes that lie
        within whole are not generated for it.
        """
        best = otherwise
        least = min if lowest else max
        while start_ns < end_ns:
            minute_ns = start_ns - start_ns % BLOCK_NS
            whole_ns = end_ns - end_ns % BLOCK_NS
            if start_ns == minute_ns < whole_ns:
                rows = self._tape.minutes(start_ns, whole_ns)
                prices, start_ns = rows.low_ticks if lowest else rows.high_ticks, whole_ns
            else:
                stop_ns = min(minute_ns + BLOCK_NS, end_ns)
                prices, start_ns = self.traded(start_ns, stop_ns).price_ticks, stop_ns
            best = least([best, *prices.tolist()])
        return best

    def _make_reach(self, day: int) -> tuple[Column, Column]:
        start_ns = day * DAY_NS
        starts, least, most = self._tape.extremes(start_ns, start_ns + DAY_NS)
        # The best bid of a minute stays within its points of the 1 s grid, both ends included.
        grid = self._tape.seconds(start_ns, start_ns + DAY_NS + SECOND_NS)
        shape, limits = DAY_NS // BLOCK_NS, np.iinfo(np.int64)
        lows, highs = np.full(shape, limits.min), np.full(shape, limits.max)
        known = (starts - start_ns) // BLOCK_NS
        first = (starts - int(grid.ts_ns[0])) // SECOND_NS
        bids = grid.bid_ticks[first[:, None] + np.arange(BLOCK_NS // SECOND_NS + 1)]
        lows[known] = np.minimum(least, bids.min(axis=1))
        highs[known] = np.maximum(most, bids.max(axis=1))
        return lows, highs

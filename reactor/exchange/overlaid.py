"""OverlaidMarket: a market's public face, its tape with clients' orders laid over it.

It reads as the tape does, and is the tape as long as nobody has traded. Then clients' resting orders stand in the book,
what they took is missing from it, their trades are among the prints, in bars and statistics, and ids are consecutive:
a client's trade shifts the later trade, aggregate and order ids, a change of the book by a client the later update ids.
What is asked for beyond the present is what comes if no client does anything more.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import fields, replace
from functools import cached_property, lru_cache
from itertools import groupby
from operator import itemgetter
from threading import RLock
from typing import Protocol

import numpy as np

from reactor.bars import BarSeries
from reactor.exchange.history import Changes, Laid, Level, Records, columns_of
from reactor.exchange.overlay import Overlay
from reactor.exchange.tape import MinuteIndex, TapeIndex
from reactor.face import Face
from reactor.single_asset import HyperSynthReactor
from reactor.types import (
    BLOCK_NS,
    TICK_NS,
    Block,
    BookSide,
    BookSnapshot,
    Column,
    Levels,
    Liquidations,
    Minutes,
    Prints,
    Quotes,
    Side,
)

_WINDOWS_KEPT = 4
_AHEAD_NS = 2 * BLOCK_NS  # beyond the present, clients' orders are looked ahead for so long


class Source(Protocol):
    """What a face reads of the floor: what happened, and the overlay that it goes on from, a copy of its own."""

    @property
    def revision(self) -> int:
        """Counts the commands that changed something; 0 while nobody has traded."""
        ...

    @property
    def index(self) -> TapeIndex: ...

    def snapshot(self) -> tuple[int, Records, Overlay]:
        """The revision, and both as of it; from any thread."""
        ...


class OverlaidMarket(Face):
    """One market as the public sees it; to be read from any thread. It shares all caches of its tape."""

    def __init__(self, tape: HyperSynthReactor, source: Source) -> None:
        super().__init__(tape)
        self._source = source
        self._lock = RLock()
        self._revision = 0
        self._ahead: tuple[Records, Overlay] | None = None
        self._bars: BarSeries | None = None
        self._windows = lru_cache(_WINDOWS_KEPT)(
            self._make_window
        )  # the channels of a market read the same ones

    # ------------------------------------------------------------ what clients did
    @property
    def revision(self) -> int:
        """Counts commands: what was read at another one may read otherwise now, from the present on."""
        return self._source.revision

    def _records(self, upto_ns: int) -> Records | None:
        """What clients did, and their orders will do, before an instant; None while nobody has traded."""
        if not self._source.revision:
            return None
        with self._lock:
            if self._ahead is None or self._revision != self._source.revision:
                self._revision, records, overlay = self._source.snapshot()
                self._present_ns = overlay.at_ns
            else:
                records, overlay = self._ahead
            upto_ns = min(-(-upto_ns // TICK_NS) * TICK_NS, self._present_ns + _AHEAD_NS)
            if overlay.at_ns < upto_ns:
                overlay.advance(upto_ns)
                outbox = overlay.empty_outbox()
                if outbox.events or outbox.changes:
                    records = records.and_then(*columns_of(outbox.events, outbox.changes))
            self._ahead = records, overlay
            return records

    def liquidations(self, start_ns: int, end_ns: int) -> Liquidations:
        rows, records = self._tape.liquidations(start_ns, end_ns), self._records(end_ns)
        if records is None or not len(rows):
            return rows
        first, _, orders = records.shifts(rows.first_trade_id)
        last, _, _ = records.shifts(rows.last_trade_id)
        return replace(
            rows,
            first_trade_id=rows.first_trade_id + first,
            last_trade_id=rows.last_trade_id + last,
            order_id=rows.order_id + orders,
        )

    # ------------------------------------------------------------ prints and bars
    @property
    def bars(self) -> BarSeries:  # type: ignore[override]
        """Of all prints."""
        if not self._source.revision:
            return self._tape.bars
        if self._bars is None:
            self._bars = self._tape.bars.forked(self)
        return self._bars

    def forget_bars(self, from_ns: int) -> None:
        """Whatever is kept of bars that end after an instant may have changed."""
        if self._bars is not None:
            self._bars.forget(from_ns)

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        rows, records = self._tape.minutes(start_ns, end_ns), self._records(end_ns)
        if records is None or not len(rows):
            return rows
        mine = records.executions
        # The ids that the tape's first print of a minute gets are shifted by all that came before it: executions of the
        # minute itself that come before that print count for the minute's own.
        before = mine.ts_ns.searchsorted(rows.start_ns)
        after = mine.ts_ns.searchsorted(rows.start_ns + BLOCK_NS)
        aggs, orders = (np.concatenate([[0], column])[before] for column in (mine.aggs, mine.orders))
        rows = replace(
            rows,
            first_trade_id=rows.first_trade_id + before,
            first_agg_id=rows.first_agg_id + aggs,
            first_order_id=rows.first_order_id + orders,
            update_id=rows.update_id + records.minute_counts(rows.start_ns),
        )
        return _with_executions(rows, records, before, after) if after[-1] else rows

    def _minute_of(self, first_id: str, wanted: int, before_ns: int) -> int:
        records = self._records(before_ns)
        if records is not None:
            name = first_id.removeprefix("first_")
            mine = records.executions
            n = int(getattr(mine, name).searchsorted(wanted, side="right"))
            shift = {"trade_id": n, "agg_id": int(mine.aggs[n - 1]) if n else 0}[name]
            wanted -= shift + 1  # a client's print may stand at the end of the minute before
        return self._tape._minute_of(first_id, wanted, before_ns)  # noqa: SLF001  # it is a market, too

    def prints(self, k: int) -> Prints:
        start_ns = self.origin_ns + k * BLOCK_NS
        return _with_prints(
            self._tape.prints(k), self._records(start_ns + BLOCK_NS), start_ns, start_ns + BLOCK_NS
        )

    def prints_in(self, start_ns: int, end_ns: int) -> Prints:
        return _with_prints(self._tape.prints_in(start_ns, end_ns), self._records(end_ns), start_ns, end_ns)

    # ------------------------------------------------------------ the book
    def update_id(self, at_ns: int) -> int:
        records = self._records(at_ns)
        return self._tape.update_id(at_ns) + (records.count(at_ns) if records else 0)

    def window(self, start_ns: int, end_ns: int) -> Block:
        revision = self._source.revision
        return self._windows(start_ns, end_ns, revision) if revision else self._tape.window(start_ns, end_ns)

    def _make_window(self, start_ns: int, end_ns: int, _revision: int) -> Block:
        block, records = self._tape.window(start_ns, end_ns), self._records(end_ns)
        if records is None:
            return block
        return _LaidBlock(block, records, self._tape, self._source.index)

    def quote(self, at_ns: int) -> Quotes:
        row, records = self._tape.quote(at_ns), self._records(at_ns)
        if records is None:
            return row
        update_id = row.update_id + records.count(at_ns)
        laid = records.levels(at_ns)
        if not laid:
            return replace(row, update_id=update_id)
        bid, bid_lots, ask, ask_lots = _touch(self._source.index, laid, at_ns)
        stop = int(records.changes.ts_ns.searchsorted(at_ns))
        last_ns = int(records.changes.ts_ns[stop - 1]) if stop else 0
        table = (max(int(row.ts_ns[0]), last_ns), bid, bid_lots, ask, ask_lots, int(update_id[0]))
        return Quotes(*(np.array([value], dtype=np.int64) for value in table))

    def book(self, at_ns: int) -> BookSnapshot:
        book, records = self._tape.book(at_ns), self._records(at_ns)
        if records is None:
            return book
        update_id = self.update_id(at_ns)
        laid = records.levels(at_ns)
        bids, asks = (book.bid_ticks, book.bid_lots), (book.ask_ticks, book.ask_lots)
        if laid:
            own = _own(laid)
            bids = _laid_over(*bids, BookSide.BID, laid, own)
            asks = _laid_over(*asks, BookSide.ASK, laid, own)
        return BookSnapshot(at_ns, update_id, *bids, *asks)


# ---------------------------------------------------------------- prints
def _with_prints(tape: Prints, records: Records | None, start_ns: int, end_ns: int) -> Prints:
    """The tape's prints of [start_ns, end_ns) with clients' among them, and their ids shifted."""
    if records is None or not len(records.executions):
        return tape
    trades, aggs, orders = records.shifts(tape.trade_id)
    shifted = replace(
        tape, trade_id=tape.trade_id + trades, agg_id=tape.agg_id + aggs, order_id=tape.order_id + orders
    )
    mine = records.executions
    own = mine.cut(*mine.ts_ns.searchsorted([start_ns, end_ns]).tolist()).prints
    if not len(own):
        return shifted
    both = Prints.join([shifted, own])
    return both.take(np.argsort(both.trade_id, kind="stable"))


def _with_executions(rows: Minutes, records: Records, before: Column, after: Column) -> Minutes:
    """Minute rows with clients' executions counted: those of row i are before[i] to after[i]."""
    mine = records.executions
    columns = {f.name: getattr(rows, f.name).copy() for f in fields(rows)}
    hit = np.flatnonzero(after > before)
    if len(hit):
        start = int(before[hit[0]])
        own = mine.cut(start, int(after[hit[-1]]))
        first, last, n = before[hit] - start, after[hit] - 1 - start, (after - before)[hit]
        price, lots = own.price_ticks, own.lots
        bought = np.where(own.side == Side.BUY, lots, 0)
        traded = columns["n_prints"][hit] > 0
        first_id = columns["first_trade_id"][hit]
        last_id = first_id + columns["n_prints"][hit] + n - 1
        opens = ~traded | (own.trade_id[first] == first_id)
        closes = ~traded | (own.trade_id[last] == last_id)
        high, low = np.maximum.reduceat(price, first), np.minimum.reduceat(price, first)
        columns["open_ticks"][hit] = np.where(opens, price[first], columns["open_ticks"][hit])
        columns["close_ticks"][hit] = np.where(closes, price[last], columns["close_ticks"][hit])
        columns["high_ticks"][hit] = np.where(traded, np.maximum(high, columns["high_ticks"][hit]), high)
        columns["low_ticks"][hit] = np.where(traded, np.minimum(low, columns["low_ticks"][hit]), low)
        columns["n_prints"][hit] += n
        for name, values in (
            ("volume_lots", lots),
            ("quote_units", price * lots),
            ("taker_buy_lots", bought),
            ("taker_buy_quote_units", price * bought),
        ):
            columns[name][hit] += np.add.reduceat(values, first)
    # A minute without prints stands at the close before it, which may be a client's.
    idle = np.flatnonzero((columns["n_prints"] == 0) & (before > 0))
    newest = before[idle] - 1
    theirs = mine.trade_id[newest] == columns["first_trade_id"][idle] - 1
    for name in ("open_ticks", "high_ticks", "low_ticks", "close_ticks"):
        columns[name][idle[theirs]] = mine.price_ticks[newest[theirs]]
    return Minutes(**columns)


# ---------------------------------------------------------------- levels
def _own(laid: dict[Level, Laid]) -> tuple[int | None, int | None]:
    """The best prices that clients rest at: bid, ask."""
    bids = [price for (side, price), (own, _) in laid.items() if own and side == BookSide.BID]
    asks = [price for (side, price), (own, _) in laid.items() if own and side == BookSide.ASK]
    return max(bids, default=None), min(asks, default=None)


def _met(side: int, price: int, own: tuple[int | None, int | None]) -> bool:
    """Whether a level of the tape would meet what clients rest on the other side: it stays hidden until it trades."""
    if side == BookSide.ASK:
        return own[0] is not None and price <= own[0]
    return own[1] is not None and price >= own[1]


def _shown(
    tape_lots: int, side: int, price: int, laid: dict[Level, Laid], own: tuple[int | None, int | None]
) -> int:
    """What the public sees of a level of the tape."""
    if _met(side, price, own):
        return 0
    hole = laid.get((side, price), (0, 0))[1]
    return max(tape_lots - hole, 0)


def _laid_over(
    ticks: Column, lots: Column, side: BookSide, laid: dict[Level, Laid], own: tuple[int | None, int | None]
) -> tuple[Column, Column]:
    sign = 1 if side else -1
    met = own[0] if side else own[1]
    shown = lots.copy()
    if met is not None:
        shown[sign * ticks <= sign * met] = 0
    touched = {price: state for (s, price), state in laid.items() if s == side}
    prices = np.array(sorted(touched), dtype=np.int64)
    if len(prices):
        at = np.searchsorted(sign * ticks, sign * prices)
        there = (at < len(ticks)) & (ticks[np.minimum(at, len(ticks) - 1)] == prices)
        extra_ticks, extra_lots = [], []
        for price, row, known in zip(prices.tolist(), at.tolist(), there.tolist(), strict=True):
            mine, hole = touched[price]
            if known:
                shown[row] = max(int(shown[row]) - hole, 0) + mine
            elif mine:
                extra_ticks.append(price)
                extra_lots.append(mine)
        ticks, shown = (
            np.append(ticks, extra_ticks).astype(np.int64),
            np.append(shown, extra_lots).astype(np.int64),
        )
    keep = np.flatnonzero(shown)
    keep = keep[np.argsort(sign * ticks[keep], kind="stable")]
    return ticks[keep], shown[keep]


def _deeper(
    minute: MinuteIndex,
    side: BookSide,
    best: int,
    best_lots: int,
    tick: int,
    laid: dict[Level, Laid],
    own: tuple[int | None, int | None],
) -> tuple[int, int]:
    """(price, lots) of the best displayed level of the tape when its best has so many lots; (0, 0) if none is."""
    shown = _shown(best_lots, side, best, laid, own)
    if shown:
        return best, shown
    sign = 1 if side else -1
    for price, lots in minute.levels(side, best + sign, tick):
        shown = _shown(lots, side, price, laid, own)
        if shown:
            return price, shown
    return 0, 0


def _with_own(
    side: BookSide, price: int, lots: int, laid: dict[Level, Laid], own: tuple[int | None, int | None]
) -> tuple[int, int]:
    """The best level of the tape and the clients' together."""
    mine = own[side]
    if mine is None:
        return price, lots
    sign = 1 if side else -1
    if not lots or sign * mine < sign * price:
        return mine, laid[side, mine][0]
    return price, lots + (laid[side, mine][0] if mine == price else 0)


def _touch(index: TapeIndex, laid: dict[Level, Laid], at_ns: int) -> tuple[int, int, int, int]:
    """(bid, its lots, ask, its lots) of the public book at a boundary."""
    minute = index.at(at_ns)
    bid, bid_lots, ask, ask_lots = minute.touch(at_ns)
    own = _own(laid)
    tick = at_ns // TICK_NS - minute.first_tick
    bids = _deeper(minute, BookSide.BID, bid, bid_lots, tick, laid, own)
    asks = _deeper(minute, BookSide.ASK, ask, ask_lots, tick, laid, own)
    return (*_with_own(BookSide.BID, *bids, laid, own), *_with_own(BookSide.ASK, *asks, laid, own))


class _LaidBlock(Block):
    """A window of the tape with clients' orders laid over it; each kind of rows is worked out when it is first read."""

    __slots__ = ("__dict__",)

    def __init__(self, block: Block, records: Records, tape: HyperSynthReactor, index: TapeIndex) -> None:
        object.__setattr__(self, "start_ns", block.start_ns)
        object.__setattr__(self, "end_ns", block.end_ns)
        self.__dict__.update(block=block, records=records, tape=tape, index=index)

    @cached_property
    def prints(self) -> Prints:
        own = self.__dict__
        prints: Prints = _with_prints(own["block"].prints, own["records"], self.start_ns, self.end_ns)
        return prints

    @cached_property
    def quotes(self) -> Quotes:
        own = self.__dict__
        if self._layer is not None:
            return self._layer.quotes()
        quotes: Quotes = own["block"].quotes
        return replace(quotes, update_id=quotes.update_id + own["records"].count(self.start_ns))

    @cached_property
    def levels(self) -> Levels:
        own = self.__dict__
        if self._layer is not None:
            return self._layer.levels()
        levels: Levels = own["block"].levels
        return replace(levels, update_id=levels.update_id + own["records"].count(self.start_ns))

    @cached_property
    def _layer(self) -> _Layer | None:
        """What clients changed of the book; None where that is nothing."""
        own, records = self.__dict__, self.__dict__["records"]
        first, stop = records.changes.ts_ns.searchsorted([self.start_ns, self.end_ns]).tolist()
        laid = records.levels(self.start_ns)
        if first == stop and not laid:
            return None
        return _Layer(
            own["tape"], own["index"], own["block"], records, laid, records.changes.cut(first, stop)
        )


class _Layer:
    """A window of the tape with clients' changes laid over it."""

    def __init__(
        self,
        tape: HyperSynthReactor,
        index: TapeIndex,
        block: Block,
        records: Records,
        laid: dict[Level, Laid],
        changes: Changes,
    ) -> None:
        self._index, self._block = index, block
        self._start_ns, self._end_ns = block.start_ns, block.end_ns
        self._changes = changes
        self._veiled: set[Level] = set()
        self._count = records.count(block.start_ns)
        self._tape_id = tape.update_id(block.start_ns)
        # Phases: from each instant at which something changed until the next, the levels that are not the tape's.
        self._starts: list[int] = [block.start_ns]
        self._phases: list[dict[Level, Laid]] = [laid]
        self._own: list[tuple[int | None, int | None]] = [_own(laid)]
        now = laid
        rows = zip(*(getattr(changes, f.name).tolist() for f in fields(changes)), strict=True)
        for ts_ns, group in groupby(rows, key=itemgetter(0)):
            now = dict(now)
            now.update(((side, price), (own, hole)) for _, side, price, own, hole in group)
            self._starts.append(ts_ns)
            self._phases.append(now)
            self._own.append(_own(now))

    # ------------------------------------------------------------ quotes
    def quotes(self) -> Quotes:
        """The public touch after each change of it."""
        ends = [*self._starts[1:], self._end_ns]
        rows: list[tuple[int, ...]] = []
        for i, (from_ns, to_ns) in enumerate(zip(self._starts, ends, strict=True)):
            if from_ns < to_ns:
                rows += self._quotes_of(self._phases[i], self._own[i], from_ns, to_ns)
        table = np.array(rows, dtype=np.int64).reshape(-1, 5)
        before = (0, *_touch(self._index, self._phases[0], self._start_ns))
        touch = np.concatenate([[before], table])[:, 1:]
        table = table[(touch[1:] != touch[:-1]).any(axis=1)]
        ts_ns = table[:, 0]
        quotes, levels = self._block.quotes, self._block.levels
        by_quotes = np.append(self._tape_id, quotes.update_id)[quotes.ts_ns.searchsorted(ts_ns, side="right")]
        by_levels = np.append(self._tape_id, levels.update_id)[
            levels.tick.searchsorted((ts_ns + 1) // TICK_NS)
        ]
        own = self._count + self._changes.ts_ns.searchsorted(ts_ns, side="right")
        columns = [*table.T, np.maximum(by_quotes, by_levels) + own]
        return Quotes(*map(np.ascontiguousarray, columns))

    def _quotes_of(
        self, laid: dict[Level, Laid], own: tuple[int | None, int | None], from_ns: int, to_ns: int
    ) -> list[tuple[int, ...]]:
        """(ts_ns, bid, bid_lots, ask, ask_lots) at from_ns and wherever the tape's touch changes before to_ns."""
        quotes = self._block.quotes
        first, stop = quotes.ts_ns.searchsorted([from_ns + 1, to_ns]).tolist()
        minute = self._index.at(from_ns - from_ns % TICK_NS)
        ts_ns = np.append(from_ns, quotes.ts_ns[first:stop])
        table = np.concatenate(
            [
                np.array([minute.touch(from_ns + 1)]),
                np.stack([getattr(quotes.cut(first, stop), f.name) for f in fields(Quotes)[1:5]], axis=1),
            ]
        )
        sides = []
        for side, price, lots in (
            (BookSide.BID, table[:, 0], table[:, 1]),
            (BookSide.ASK, table[:, 2], table[:, 3]),
        ):
            shown = lots.copy()
            for best in set(price.tolist()):
                hole = laid.get((side, best), (0, 0))[1]
                if hole:
                    shown[price == best] -= hole
            met = own[1 - side]
            if met is not None:
                shown[(price >= met) if side == BookSide.BID else (price <= met)] = 0
            if (shown <= 0).any():
                return self._quotes_one_by_one(laid, own, ts_ns.tolist(), table.tolist(), to_ns)
            mine = own[side]
            if mine is not None:
                lots_there = laid[side, mine][0]
                shown[price == mine] += lots_there
                better = (price < mine) if side == BookSide.BID else (price > mine)
                sides += [np.where(better, mine, price), np.where(better, lots_there, shown)]
            else:
                sides += [price, shown]
        return list(zip(ts_ns.tolist(), *(c.tolist() for c in sides), strict=True))

    def _quotes_one_by_one(
        self,
        laid: dict[Level, Laid],
        own: tuple[int | None, int | None],
        ts_ns: list[int],
        table: list[list[int]],
        to_ns: int,
    ) -> list[tuple[int, ...]]:
        """Likewise where a best level of the tape is hidden: then the next ones count, which change at ticks' ends."""
        found: list[tuple[int, ...]] = []
        for i, (from_ns, row) in enumerate(zip(ts_ns, table, strict=True)):
            until_ns = ts_ns[i + 1] if i + 1 < len(ts_ns) else to_ns
            tick_ends = range(from_ns - from_ns % TICK_NS + TICK_NS - 1, until_ns, TICK_NS)
            for at_ns in dict.fromkeys((from_ns, *tick_ends)):
                minute = self._index.at(at_ns - at_ns % TICK_NS)
                tick = (at_ns + 1) // TICK_NS - minute.first_tick
                bid = _deeper(minute, BookSide.BID, row[0], row[1], tick, laid, own)
                ask = _deeper(minute, BookSide.ASK, row[2], row[3], tick, laid, own)
                touch = (*_with_own(BookSide.BID, *bid, laid, own), *_with_own(BookSide.ASK, *ask, laid, own))
                found.append((at_ns, *touch))
        return found

    # ------------------------------------------------------------ levels
    def levels(self) -> Levels:
        """All changes of public levels. Where a client changed a level, or the tape one that a client did, there is a
        row, even if the quantity that is seen stays the same: so ids never move in a tick without rows.
        """
        levels, changes = self._block.levels, self._changes
        touched = {level for phase in self._phases for level in phase} | self._hidden()
        if not touched:
            return levels
        key = levels.price_ticks << 1 | levels.side
        theirs = np.isin(key, np.array([price << 1 | side for side, price in touched]))
        rows: dict[Level, dict[int, int]] = {level: {} for level in touched}
        hit = levels.take(np.flatnonzero(theirs))
        for tick, side, price, lots in zip(
            hit.tick.tolist(), hit.side.tolist(), hit.price_ticks.tolist(), hit.qty_lots.tolist(), strict=True
        ):
            rows[side, price][tick] = lots
        events: dict[Level, set[int]] = {}
        change_tick = changes.ts_ns // TICK_NS
        for tick, side, price in zip(
            change_tick.tolist(), changes.side.tolist(), changes.price_ticks.tolist(), strict=True
        ):
            events.setdefault((side, price), set()).add(tick)
        moved = {start_ns // TICK_NS for start_ns in self._starts[1:]}
        table = []
        first = self._index.at(self._start_ns)
        first_tick = self._start_ns // TICK_NS - first.first_tick
        for (side, price), by_tick in rows.items():
            lots = first.lots(side, price, first_tick)
            told = by_tick.keys() | events.get((side, price), set())
            veiled = moved if (side, price) in self._veiled else set()
            before = self._seen(side, price, lots, 0)
            for tick in sorted(told | veiled):
                lots = by_tick.get(tick, lots)
                seen = self._seen(side, price, lots, bisect_left(self._starts, (tick + 1) * TICK_NS) - 1)
                if tick in told or seen != before:
                    table.append((tick, side, price, seen))
                before = seen
        mine = np.array(table, dtype=np.int64).reshape(-1, 4)
        rest = levels.take(np.flatnonzero(~theirs))
        both = np.concatenate(
            [np.stack([rest.tick, rest.side, rest.price_ticks, rest.qty_lots], axis=1), mine]
        )
        both = both[np.lexsort((both[:, 2], both[:, 1], both[:, 0]))]
        tick = both[:, 0]
        tape_id = np.append(self._tape_id, levels.update_id)[levels.tick.searchsorted(tick, side="right")]
        own_id = self._count + changes.ts_ns.searchsorted((tick + 1) * TICK_NS)
        return Levels(*map(np.ascontiguousarray, [*both.T, tape_id + own_id]))

    def _seen(self, side: int, price: int, lots: int, phase: int) -> int:
        laid = self._phases[phase]
        return _shown(lots, side, price, laid, self._own[phase]) + laid.get((side, price), (0, 0))[0]

    def _hidden(self) -> set[Level]:
        """Levels of the tape that meet what clients rest, at some time in the window."""
        levels = self._block.levels
        minute = self._index.at(self._start_ns)
        bid, _, ask, _ = minute.touch(self._start_ns)
        tick = self._start_ns // TICK_NS - minute.first_tick
        found: set[Level] = set()
        for side, best in ((BookSide.BID, bid), (BookSide.ASK, ask)):
            met = [own[1 - side] for own in self._own]
            prices = [price for price in met if price is not None]
            if not prices:
                continue
            limit, sign = (max(prices), 1) if side else (min(prices), -1)
            for price, _ in minute.levels(side, best, tick):
                if sign * price > sign * limit:
                    break
                found.add((side, price))
            near = (levels.side == side) & (sign * levels.price_ticks <= sign * limit)
            found.update((int(side), price) for price in np.unique(levels.price_ticks[near]).tolist())
        self._veiled = found
        return found

"""HyperSynthReactor: one market's tape.

A minute is a pure function of (seed, market, minute): `keyframe(k)` is the whole book at its start, `block(k)` what
happens in it, made from the skeleton's row k and the keyframes at both ends and from nothing else. So any instant is
reached without living through what was before, in any order, with the same bytes. Blocks realise the skeleton's bars
exactly. Whatever is kept between calls is a cache of pure values: two threads may ask at once, and at worst one value
is made twice. Nothing here knows a clock or a client.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np

from reactor.bars import BarSeries
from reactor.components import Clock, OrderFlow, PricePath, Rhythm, Steps, TouchPath
from reactor.depth import TICKS, Depth, SideBook, SideRows, SideTouch
from reactor.fixed import begins, ends, exclusive, radix_order, stable_order
from reactor.liquidations import RUN_S, Liquidator
from reactor.manifest import ManifestError, SimulationManifest
from reactor.matching import Executions, Matching
from reactor.queues import Queues, Touch
from reactor.rng import Stream, stream
from reactor.skeleton import MinutePlan
from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    SECOND_NS,
    TICK_NS,
    Block,
    BookSide,
    BookSnapshot,
    Column,
    IndexMinutes,
    Instrument,
    Kind,
    Levels,
    Liquidations,
    Minutes,
    Prints,
    Quotes,
    Seconds,
)

_BLOCKS_KEPT = 4
_PRINTS_KEPT = 20  # minutes: those of a thousand bars of a second, for whoever asks for them again and again
_KEYFRAMES_KEPT = 8
_BOOKS_KEPT = 4
_MOST_TICKS = 1 << 27  # of the initial price: sort keys hold a price beside a tick and a row number
_PRINTS_LOOKBACK_NS = DAY_NS  # how far back the newest prints are looked for


class Skeleton(Protocol):
    """What a tape is made on: a market's rows, each promised exactly."""

    instrument: Instrument
    manifest: SimulationManifest
    origin_ns: int
    listed_ns: int

    def plan(self, k: int) -> MinutePlan: ...

    def minutes(self, start_ns: int, end_ns: int) -> Minutes: ...

    def seconds(self, start_ns: int, end_ns: int) -> Seconds: ...

    def index_minutes(self, start_ns: int, end_ns: int) -> IndexMinutes: ...

    @property
    def premium_limit_e8(self) -> int: ...

    @property
    def premium_bent_ns(self) -> int | None: ...

    @property
    def funding_changes(self) -> tuple[tuple[int, int], ...]: ...

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column: ...

    def forced_q16(self, k: int) -> int: ...

    def minute_of(self, first_id: str, wanted: int, before_ns: int) -> int: ...


class HyperSynthReactor:
    """One market's tape: a pure function of (seed, market, minute). Minutes are counted from the origin's."""

    def __init__(self, skeleton: Skeleton, seed: int) -> None:
        self.instrument, self.origin_ns = skeleton.instrument, skeleton.origin_ns
        self.skeleton, self._seed = skeleton, seed
        manifest, instrument = skeleton.manifest, skeleton.instrument
        if manifest.ticks(10_000, instrument) > _MOST_TICKS:
            raise ManifestError(
                f"initial_price: {manifest.initial_price} is more than {_MOST_TICKS} ticks of {instrument.market}"
            )
        self.listed_ns = skeleton.listed_ns
        self.bars = BarSeries(self)
        self._rhythm = Rhythm(manifest)
        self._flow = OrderFlow(manifest)
        self._price = PricePath(manifest, instrument)
        self._matching = Matching(manifest, instrument)
        self._queues = Queues(manifest, instrument)
        salt = int(self._draws("places", 0).words(1, 32)[0])
        self._depth = Depth(manifest, instrument, self._draws("sizes", 0), salt)
        self._liquidator = Liquidator(manifest)
        # lru_cache may be called from several threads.
        self._plans = lru_cache(_KEYFRAMES_KEPT)(skeleton.plan)
        self._keyframes = lru_cache(_KEYFRAMES_KEPT)(self._make_keyframe)
        self._executed = lru_cache(_BLOCKS_KEPT)(self._make_executed)
        self._printed = lru_cache(_PRINTS_KEPT)(self._make_prints)
        self._blocks = lru_cache(_BLOCKS_KEPT)(self._make_block)
        self._books = lru_cache(_BOOKS_KEPT)(self._make_book)
        self._liquidated = lru_cache(_BLOCKS_KEPT)(self._make_liquidations)

    @property
    def manifest(self) -> SimulationManifest:
        """The parameters of its life."""
        return self.skeleton.manifest

    @property
    def revision(self) -> int:
        """Counts what changed of the future: nothing ever, of a tape."""
        return 0

    def keyframe(self, k: int) -> BookSnapshot:
        """The whole book at the start of minute k; no block is generated."""
        return self._keyframes(k)

    def block(self, k: int) -> Block:
        """What happens in minute k."""
        return self._blocks(k)

    def prints(self, k: int) -> Prints:
        """The prints of minute k, which can be had without its book."""
        return self._printed(k)

    def prints_in(self, start_ns: int, end_ns: int) -> Prints:
        """The prints in [start_ns, end_ns), as of `window`, but no book is made."""
        prints = Prints.join(
            [self.prints(k) for k in range(self._minute(start_ns), self._minute(end_ns - 1) + 1)]
        )
        return prints.cut(*np.searchsorted(prints.ts_ns, [start_ns, end_ns]).tolist())

    def liquidations(self, start_ns: int, end_ns: int) -> Liquidations:
        """The liquidations in [start_ns, end_ns), in time order; of a perpetual alone, spot has none.

        Their prints are the tape's own, in `block` and `window` whether anybody asks for liquidations or not.
        """
        if self.instrument.kind != Kind.PERP:
            return Liquidations.none()
        parts = []
        for k in range(self._minute(start_ns), self._minute(end_ns - 1) + 1):
            rows = self._liquidated(k)
            parts.append(rows.cut(*np.searchsorted(rows.ts_ns, [start_ns, end_ns]).tolist()))
        return Liquidations.join(parts)

    # ------------------------------------------------------------ the tape at any time
    def window(self, start_ns: int, end_ns: int) -> Block:
        """What happened in [start_ns, end_ns), both tick boundaries, over as many blocks as that takes."""
        parts = [
            _cut(self.block(k), start_ns, end_ns)
            for k in range(self._minute(start_ns), self._minute(end_ns - 1) + 1)
        ]
        if not parts:
            block = self.block(self._minute(start_ns))
            parts = [_cut(block, start_ns, start_ns)]
        return Block(
            start_ns,
            end_ns,
            Quotes.join([b.quotes for b in parts]),
            Prints.join([b.prints for b in parts]),
            Levels.join([b.levels for b in parts]),
        )

    def update_id(self, at_ns: int) -> int:
        """The id of the last book change before the boundary at_ns."""
        k = self._minute(at_ns)
        past = self._levels_before(k, at_ns)
        return int(past.update_id[-1]) if len(past) else self._plans(k).update_id

    def quote(self, at_ns: int) -> Quotes:
        """One row: the best bid and offer at the boundary at_ns."""
        k = self._minute(at_ns)
        start_ns = self._start_ns(k)
        if at_ns > start_ns:
            quotes = self.block(k).quotes
            last = int(np.searchsorted(quotes.ts_ns, at_ns))
            if last:
                return quotes.cut(last - 1, last)
        frame = self.keyframe(k)
        row = (
            start_ns,
            frame.bid_ticks[0],
            frame.bid_lots[0],
            frame.ask_ticks[0],
            frame.ask_lots[0],
            frame.update_id,
        )
        return Quotes(*(np.array([value], dtype=np.int64) for value in row))

    def prints_before(self, at_ns: int, limit: int) -> Prints:
        """The newest `limit` prints before at_ns, ascending; fewer if the day before at_ns has no more."""
        k = self._minute(at_ns)
        parts, found = [], 0
        if at_ns > self._start_ns(k):
            prints = self.prints(k)
            parts.append(prints.cut(0, int(np.searchsorted(prints.ts_ns, at_ns))))
            found = len(parts[0])
        rows = self.minutes(self._start_ns(k) - _PRINTS_LOOKBACK_NS, self._start_ns(k))
        for i in np.flatnonzero(rows.n_prints)[::-1].tolist():
            if found >= limit:
                break
            parts.append(self.prints(self._minute(int(rows.start_ns[i]))))
            found += len(parts[-1])
        if not parts:
            return Prints.none()
        prints = Prints.join(parts[::-1])
        return prints.cut(max(found - limit, 0), found)

    def prints_from_trade(self, trade_id: int, limit: int, before_ns: int) -> Prints:
        """The prints with ids [trade_id, trade_id + limit) that are before before_ns and not before the listing."""
        return self._prints_from("trade_id", trade_id, limit, before_ns)

    def prints_from_agg(self, agg_id: int, limit: int, before_ns: int) -> Prints:
        """Likewise the prints of the aggregates with ids [agg_id, agg_id + limit)."""
        return self._prints_from("agg_id", agg_id, limit, before_ns)

    def _prints_from(self, name: str, first_id: int, limit: int, before_ns: int) -> Prints:
        parts: list[Prints] = []
        start_ns = self._minute_of(f"first_{name}", first_id, before_ns)
        while start_ns < before_ns:
            rows = self.minutes(start_ns, min(start_ns + DAY_NS, before_ns + BLOCK_NS - 1))
            for minute_ns in rows.start_ns[rows.n_prints > 0].tolist():
                prints = self.prints(self._minute(minute_ns))
                first, stop = np.searchsorted(getattr(prints, name), [first_id, first_id + limit])
                stop = min(stop, np.searchsorted(prints.ts_ns, before_ns))
                parts.append(prints.cut(int(first), int(stop)))
                if stop < len(prints):
                    return Prints.join(parts)
            start_ns += DAY_NS
        return Prints.join(parts)

    @property
    def premium_limit_e8(self) -> int:
        """No premium lies farther from 0, unless it is bent."""
        return self.skeleton.premium_limit_e8

    @property
    def premium_bent_ns(self) -> int | None:
        """The first instant at which the premium may be bent; None for never."""
        return self.skeleton.premium_bent_ns

    @property
    def funding_changes(self) -> tuple[tuple[int, int], ...]:
        """From when on funding has intervals of how many hours, beyond its own rule; 0: of its own again."""
        return self.skeleton.funding_changes

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        """The premium at start_ns, start_ns + step_ns, ... before end_ns; no block is generated."""
        return self.skeleton.premiums_e8(start_ns, end_ns, step_ns)

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        """Rows of whole minutes in [start_ns, end_ns); no block is generated."""
        return self.skeleton.minutes(start_ns, end_ns)

    def extremes(self, start_ns: int, end_ns: int) -> tuple[Column, Column, Column]:
        """(start_ns, low, high) of whole minutes in [start_ns, end_ns): no print is outside."""
        rows = self.minutes(start_ns, end_ns)
        return rows.start_ns, rows.low_ticks, rows.high_ticks

    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        """The 1 s grid for whole seconds in [start_ns, end_ns); no block is generated."""
        return self.skeleton.seconds(start_ns, end_ns)

    def index_minutes(self, start_ns: int, end_ns: int) -> IndexMinutes:
        """The index over the whole minutes in [start_ns, end_ns); neither a block nor the 1 s grid is generated."""
        return self.skeleton.index_minutes(start_ns, end_ns)

    def book(self, at_ns: int) -> BookSnapshot:
        """The book at the boundary at_ns: every tick before it applied."""
        return self._books(at_ns)

    def _make_book(self, at_ns: int) -> BookSnapshot:
        k = self._minute(at_ns)
        frame, past = self.keyframe(k), self._levels_before(k, at_ns)
        if not len(past):
            return frame
        columns = []
        for side, ticks, lots in (
            (BookSide.BID, frame.bid_ticks, frame.bid_lots),
            (BookSide.ASK, frame.ask_ticks, frame.ask_lots),
        ):
            rows = np.flatnonzero(past.side == side)
            price = np.concatenate([ticks, past.price_ticks[rows]])
            qty = np.concatenate([lots, past.qty_lots[rows]])
            order = stable_order(price)
            last = order[ends(price[order])]
            last = last[qty[last] > 0]
            columns += [price[last], qty[last]] if side else [price[last][::-1], qty[last][::-1]]
        return BookSnapshot(at_ns, int(past.update_id[-1]), *columns)

    def _levels_before(self, k: int, at_ns: int) -> Levels:
        if at_ns == self._start_ns(k):
            return Levels.none()
        levels = self.block(k).levels
        return levels.cut(0, int(np.searchsorted(levels.tick, at_ns // TICK_NS)))

    def _minute_of(self, first_id: str, wanted: int, before_ns: int) -> int:
        return self.skeleton.minute_of(first_id, wanted, before_ns)

    def _minute(self, at_ns: int) -> int:
        return (at_ns - self.origin_ns) // BLOCK_NS

    def _start_ns(self, k: int) -> int:
        return self.origin_ns + k * BLOCK_NS

    # ------------------------------------------------------------ a minute
    def _draws(self, kind: str, k: int) -> Stream:
        name = self.skeleton.manifest.stream_name(self.instrument.market)
        return stream(self._seed, "block", name, kind, k)

    def _make_keyframe(self, k: int) -> BookSnapshot:
        plan, draws = self._plans(k), self._draws("keyframe", k)
        bid = int(plan.bid_ticks[0])
        bid_lots, ask_lots = self._queues.at_rest(draws)
        bids = self._depth.keyframe(draws, BookSide.BID, bid, bid_lots)
        asks = self._depth.keyframe(draws, BookSide.ASK, bid + plan.spread_ticks, ask_lots)
        return BookSnapshot(plan.start_ns, plan.update_id, -bids.ranks, bids.lots, asks.ranks, asks.lots)

    def _make_block(self, k: int) -> Block:
        """The skeleton's row k realised exactly, on the way from keyframe k to keyframe k + 1."""
        plan, start, end = self._plans(k), self.keyframe(k), self.keyframe(k + 1)
        clock, done, steps = self._executed(k)
        touch = self._queues.draw(
            self._draws("queues", k),
            plan,
            clock,
            done,
            TouchPath.of(plan, steps),
            (int(start.bid_lots[0]), int(start.ask_lots[0])),
            (int(end.bid_lots[0]), int(end.ask_lots[0])),
        )
        tick = touch.ts_ns // TICK_NS
        last_event = np.bincount(tick, minlength=TICKS).cumsum() - 1
        rows, changes, deeper = [], [], done.deeper()
        for side, best, lots in (
            (BookSide.BID, -touch.bid_ticks, touch.bid_lots),
            (BookSide.ASK, touch.ask_ticks, touch.ask_lots),
        ):
            change = begins(best, lots)
            change[0] = False  # what the keyframe shows
            changed = np.zeros(TICKS, np.bool_)
            changed[tick.compress(change)] = True
            changed[-1] = True  # the minute's last change of the book falls into its last tick
            side_touch = SideTouch(best.take(last_event), lots.take(last_event), changed)
            frames = _side_book(start, side), _side_book(end, side)
            draws = self._draws(f"depth-{side.name}", k)
            rows.append(self._depth.rows(draws, plan, clock, side, side_touch, deeper, *frames))
            changes.append(change)
        return _block(plan, touch, (changes[0] | changes[1]).nonzero()[0], self.prints(k), rows)

    def _make_executed(self, k: int) -> tuple[Clock, Executions, Steps]:
        """What market orders do in minute k, and how the touch moves: what a block begins with."""
        plan = self._plans(k)
        clock = self._rhythm.clock(self._draws("clock", k), plan)
        orders = self._flow.draw(self._draws("orders", k), plan, clock)
        steps = self._price.draw(self._draws("price", k), plan, clock, orders)
        return clock, *self._matching.draw(self._draws("matching", k), plan, clock, orders, steps)

    def _make_prints(self, k: int) -> Prints:
        plan, done = self._plans(k), self._executed(k)[1]
        fills = done.fills
        agg = done.level_begins().cumsum()
        return Prints(
            plan.start_ns + done.ts_ns[fills.order],
            fills.price_ticks,
            fills.lots,
            done.side[fills.order],
            plan.first_trade_id + np.arange(len(agg)),
            plan.first_agg_id - 1 + agg,
            plan.first_order_id + fills.order,
        )

    def _make_liquidations(self, k: int) -> Liquidations:
        start_ns = self._start_ns(k)
        grid = self.seconds(start_ns - RUN_S * SECOND_NS, start_ns + BLOCK_NS)
        times_q16 = self.skeleton.forced_q16(k)
        return self._liquidator.among(self._draws("liquidations", k), self.prints(k), grid, times_q16)


def _side_book(frame: BookSnapshot, side: BookSide) -> SideBook:
    return (
        SideBook(-frame.bid_ticks, frame.bid_lots)
        if side == BookSide.BID
        else SideBook(frame.ask_ticks, frame.ask_lots)
    )


def _block(plan: MinutePlan, touch: Touch, quote: Column, prints: Prints, rows: list[SideRows]) -> Block:
    """The columns of a block; `quote` are the touch's rows that are quotes. Update ids count quotes and level changes,
    scaled to the plan's span.
    """
    bids, asks = rows
    tick = np.concatenate((bids.ticks[::-1], asks.ticks))
    price = np.concatenate((-bids.ranks[::-1], asks.ranks))
    lots = np.concatenate((bids.lots[::-1], asks.lots))
    order = radix_order(tick)  # each side's rows ascend by price, and so they do within a tick
    side = (order >= len(bids.ticks)).astype(np.int64)  # BookSide.BID is 0, ASK 1
    tick, price, lots = tick.take(order), price.take(order), lots.take(order)

    quote_ns = touch.ts_ns.take(quote)
    quote_tick = quote_ns // TICK_NS
    levels = np.bincount(tick, minlength=TICKS)
    through = (levels + np.bincount(quote_tick, minlength=TICKS)).cumsum()  # changes up to each tick's end
    span, total = plan.next_update_id - plan.update_id, int(through[-1])
    assert span >= total, "more changes in a minute than update ids"

    def update_id(count: Column) -> Column:
        return plan.update_id + count * span // total

    quote_count = exclusive(levels).take(quote_tick) + np.arange(1, len(quote) + 1)
    start_tick = plan.start_ns // TICK_NS
    return Block(
        plan.start_ns,
        plan.start_ns + BLOCK_NS,
        Quotes(
            plan.start_ns + quote_ns,
            touch.bid_ticks.take(quote),
            touch.bid_lots.take(quote),
            touch.ask_ticks.take(quote),
            touch.ask_lots.take(quote),
            update_id(quote_count),
        ),
        prints,
        Levels(start_tick + tick, side, price, lots, update_id(through).take(tick)),
    )


def _cut(block: Block, start_ns: int, end_ns: int) -> Block:
    """The part of a block that lies in [start_ns, end_ns)."""

    def rows(column: Column, unit_ns: int) -> tuple[int, int]:
        first, stop = np.searchsorted(column, [start_ns // unit_ns, end_ns // unit_ns]).tolist()
        return first, stop

    return Block(
        max(start_ns, block.start_ns),
        min(end_ns, block.end_ns),
        block.quotes.cut(*rows(block.quotes.ts_ns, 1)),
        block.prints.cut(*rows(block.prints.ts_ns, 1)),
        block.levels.cut(*rows(block.levels.tick, TICK_NS)),
    )

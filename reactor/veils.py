"""Veils: a market that is not shown as it is for a while. Trading stops, the book thins out, the listing is new, prices
move in coarser steps.

The tape goes on beneath a veil and never changes because of it; a veil is a face of it, as clients' orders are, and
reads as the tape does. Outside its span it is the tape, but that ids stay consecutive: prints that nobody saw have
none. A veil takes effect at the very tick at which it is laid, and knows nothing of what lies above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.bars import BarSeries
from reactor.face import Face
from reactor.fixed import begins
from reactor.single_asset import HyperSynthReactor
from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    NEVER_NS,
    TICK_NS,
    Block,
    BookSide,
    BookSnapshot,
    Column,
    IndexMinutes,
    Levels,
    Liquidations,
    Minutes,
    Prints,
    Quotes,
    Seconds,
    Side,
)
from reactor.values import dataclass

_ROWS_KEPT = 2 * DAY_NS // BLOCK_NS
Rows: TypeAlias = NDArray[np.bool_]  # which of some rows


class Phase(StrEnum):
    """What may be done on a market."""

    TRADING = "trading"
    HALTED = "halted"  # orders may be cancelled
    CALL = "call"  # and placed, where they only make: an auction is being called
    CLOSED = "closed"  # for good
    UNLISTED = "unlisted"  # not yet known to anybody


@dataclass(frozen=True, slots=True)
class Halt:
    """Nobody trades in [start_ns, end_ns), ticks' boundaries, and the book stands still.

    In the last `call_ns` of it orders are called for, and it ends with an auction: one print, of what would have been
    traded in the meantime, at the price that the market has by then.
    """

    start_ns: int
    end_ns: int = NEVER_NS
    call_ns: int = 0

    @property
    def turns_ns(self) -> tuple[int, ...]:
        """When that changes which may be done."""
        return self.start_ns, self.end_ns - self.call_ns, self.end_ns

    def phase(self, at_ns: int) -> Phase | None:
        """What holds at an instant because of it."""
        if not self.start_ns <= at_ns < self.end_ns:
            return None
        return Phase.CALL if at_ns >= self.end_ns - self.call_ns else Phase.HALTED

    def laid(self, tape: HyperSynthReactor) -> HyperSynthReactor:
        """A market under it."""
        return _Halted(tape, self)


@dataclass(frozen=True, slots=True)
class Closing:
    """Nobody trades from `start_ns` on."""

    start_ns: int

    @property
    def turns_ns(self) -> tuple[int, ...]:
        """When that changes which may be done."""
        return (self.start_ns,)

    def phase(self, at_ns: int) -> Phase | None:
        """What holds at an instant because of it."""
        return Phase.CLOSED if at_ns >= self.start_ns else None

    def laid(self, tape: HyperSynthReactor) -> HyperSynthReactor:
        """A market under it."""
        return _Halted(tape, Halt(self.start_ns))


@dataclass(frozen=True, slots=True)
class Opening:
    """The market is listed at `start_ns`, a whole minute; there is nothing before."""

    start_ns: int

    @property
    def turns_ns(self) -> tuple[int, ...]:
        """When that changes which may be done."""
        return (self.start_ns,)

    def phase(self, at_ns: int) -> Phase | None:
        """What holds at an instant because of it."""
        return Phase.UNLISTED if at_ns < self.start_ns else None

    def laid(self, tape: HyperSynthReactor) -> HyperSynthReactor:
        """A market under it."""
        return _Opened(tape, self.start_ns)


@dataclass(frozen=True, slots=True)
class Thinning:
    """In [start_ns, end_ns) every level shows `share_q16` (Q16) of what rests there, a lot at least."""

    start_ns: int
    end_ns: int
    share_q16: int

    def phase(self, at_ns: int) -> Phase | None:  # noqa: ARG002
        """What holds at an instant because of it: nothing."""
        return None

    def laid(self, tape: HyperSynthReactor) -> HyperSynthReactor:
        """A market under it."""
        return _Thinned(tape, self)


@dataclass(frozen=True, slots=True)
class Coarsening:
    """In [start_ns, end_ns), ticks' boundaries, all prices are whole multiples of so many ticks.

    A level holds what the levels hold that fall on it: bids are rounded down and asks up, so that the book never
    crosses, and what is bought or sold goes to where it rests.
    """

    start_ns: int
    end_ns: int
    step_ticks: int

    def phase(self, at_ns: int) -> Phase | None:  # noqa: ARG002
        """What holds at an instant because of it: nothing."""
        return None

    def laid(self, tape: HyperSynthReactor) -> HyperSynthReactor:
        """A market under it."""
        return _Coarse(tape, self)


Veil: TypeAlias = Halt | Closing | Opening | Thinning | Coarsening


def phase_of(veils: Sequence[Veil], at_ns: int) -> Phase:
    """What may be done under some veils: of those that say anything, what the last one says."""
    phases = [phase for veil in veils if (phase := veil.phase(at_ns)) is not None]
    closed = [phase for phase in phases if phase in (Phase.CLOSED, Phase.UNLISTED)]
    return (closed or phases or [Phase.TRADING])[-1]


def turns_of(veils: Sequence[Veil]) -> list[int]:
    """When what may be done under some veils may change, ascending."""
    turns = {at_ns for veil in veils if isinstance(veil, Halt | Closing | Opening) for at_ns in veil.turns_ns}
    return sorted(turns - {NEVER_NS})


def step_of(veils: Sequence[Veil], at_ns: int) -> int:
    """Of how many ticks prices are multiples under some veils: of those that coarsen it, what the last one says."""
    steps = [
        veil.step_ticks
        for veil in veils
        if isinstance(veil, Coarsening) and veil.start_ns <= at_ns < veil.end_ns
    ]
    return steps[-1] if steps else 1


# ---------------------------------------------------------------- the tape under a veil
class _Veiled(Face):
    """A market's tape under one veil; by itself, the tape."""

    def __init__(self, tape: HyperSynthReactor) -> None:
        super().__init__(tape)
        self.bars = tape.bars


class _Opened(_Veiled):
    """A market from its listing on."""

    def __init__(self, tape: HyperSynthReactor, listed_ns: int) -> None:
        super().__init__(tape)
        self.listed_ns = max(tape.listed_ns, listed_ns)
        self.bars = BarSeries(self)

    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        return self._tape.seconds(max(start_ns, self.listed_ns), end_ns)

    def index_minutes(self, start_ns: int, end_ns: int) -> IndexMinutes:
        return self._tape.index_minutes(max(start_ns, self.listed_ns), end_ns)

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        return self._tape.minutes(max(start_ns, self.listed_ns), end_ns)

    def _minute_of(self, first_id: str, wanted: int, before_ns: int) -> int:
        return max(super()._minute_of(first_id, wanted, before_ns), self.listed_ns)


class _Span(_Veiled):
    """A market whose book is another one in [start_ns, end_ns). In the ticks in which the span begins and ends, the
    book becomes at once what it then is.
    """

    def __init__(self, tape: HyperSynthReactor, start_ns: int, end_ns: int) -> None:
        super().__init__(tape)
        self._from_ns, self._until_ns = start_ns, end_ns

    def _inside(self, at_ns: int) -> bool:
        """Whether what stands at a boundary was left by a tick of the span."""
        return self._from_ns < at_ns <= self._until_ns

    def book(self, at_ns: int) -> BookSnapshot:
        return self._veiled_book(at_ns) if self._inside(at_ns) else self._tape.book(at_ns)

    def quote(self, at_ns: int) -> Quotes:
        return self._veiled_quote(at_ns) if self._inside(at_ns) else self._tape.quote(at_ns)

    def window(self, start_ns: int, end_ns: int) -> Block:
        block = self._tape.window(start_ns, end_ns)
        if end_ns <= self._from_ns:
            return block
        edges = [at_ns for at_ns in (self._from_ns, self._until_ns) if start_ns <= at_ns <= end_ns - TICK_NS]
        quotes, levels = block.quotes, block.levels
        if edges or start_ns < self._until_ns:
            veiled_quotes, veiled_levels = self._veiled(block)
            quotes = Quotes.join([*(self._quotes_at(at_ns) for at_ns in edges), veiled_quotes])
            quotes = quotes.take(np.argsort(quotes.ts_ns, kind="stable")) if edges else quotes
            levels = self._levels(veiled_levels, edges)
        prints = self.prints_in(start_ns, end_ns)
        return Block(start_ns, end_ns, quotes, prints, levels)

    def _quotes_at(self, at_ns: int) -> Quotes:
        """The touch that the span's beginning or end brings about; nothing where it stays."""
        free, veiled = self._tape.quote(at_ns), self._veiled_quote(at_ns)
        before, after = (free, veiled) if at_ns == self._from_ns else (veiled, free)
        touch = fields(Quotes)[1:5]
        if all(getattr(before, f.name)[0] == getattr(after, f.name)[0] for f in touch):
            return Quotes.none()
        return replace(after, ts_ns=np.array([at_ns]), update_id=np.array([self._tape.update_id(at_ns)]))

    def _levels(self, rest: Levels, edges: Sequence[int]) -> Levels:
        for at_ns in edges:
            rest = rest.take(np.flatnonzero(rest.tick != at_ns // TICK_NS))
        parts = [rest, *(self._levels_at(at_ns) for at_ns in edges)]
        levels = Levels.join(parts)
        return levels.take(np.argsort(levels.tick, kind="stable")) if edges else levels

    def _levels_at(self, at_ns: int) -> Levels:
        """The changes of the tick in which the span begins or ends; one at least, where ids went on."""
        before, after = self.book(at_ns), self.book(at_ns + TICK_NS)
        rows: list[tuple[int, int, int]] = []
        for side, ticks, lots in (
            (BookSide.BID, "bid_ticks", "bid_lots"),
            (BookSide.ASK, "ask_ticks", "ask_lots"),
        ):
            old, new = (
                dict(zip(getattr(book, ticks).tolist(), getattr(book, lots).tolist(), strict=True))
                for book in (before, after)
            )
            changed = sorted(price for price in old.keys() | new.keys() if old.get(price) != new.get(price))
            rows += [(int(side), price, new.get(price, 0)) for price in changed]
        if not rows and after.update_id != before.update_id:
            rows = [(int(BookSide.BID), int(after.bid_ticks[0]), int(after.bid_lots[0]))]
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        tick, update_id = np.full(len(rows), at_ns // TICK_NS), np.full(len(rows), after.update_id)
        return Levels(tick, table[:, 0], table[:, 1], table[:, 2], update_id)

    @cached_property
    def _resumed_ids(self) -> Column:
        """The ids (trade, aggregate, order) that the tape's first print after the span has there."""
        return self._ids_at(self._until_ns)

    def _ids_at(self, at_ns: int) -> Column:
        k = self._minute(at_ns)
        prints = self._tape.prints(k)
        i = int(prints.ts_ns.searchsorted(at_ns))
        if i < len(prints):
            return np.array([prints.trade_id[i], prints.agg_id[i], prints.order_id[i]])
        row = self._tape.minutes(self._start_ns(k + 1), self._start_ns(k + 2))
        return np.array([row.first_trade_id[0], row.first_agg_id[0], row.first_order_id[0]])

    def _veiled(self, block: Block) -> tuple[Quotes, Levels]:
        """The changes in a window some of which lies in the span, but for what its beginning and its end bring."""
        quotes, levels = block.quotes, block.levels
        first, last = self._from_ns // TICK_NS, self._until_ns // TICK_NS
        return (
            self._veiled_quotes(quotes, (quotes.ts_ns >= self._from_ns) & (quotes.ts_ns < self._until_ns)),
            self._veiled_levels(levels, (levels.tick >= first) & (levels.tick < last)),
        )

    # ------------------------------------------------------------ what a veil makes of the tape
    def _veiled_book(self, at_ns: int) -> BookSnapshot:
        raise NotImplementedError

    def _veiled_quote(self, at_ns: int) -> Quotes:
        raise NotImplementedError

    def _veiled_quotes(self, quotes: Quotes, inside: Rows) -> Quotes:
        raise NotImplementedError

    def _veiled_levels(self, levels: Levels, inside: Rows) -> Levels:
        raise NotImplementedError


class _Thinned(_Span):
    """A market with less in its book."""

    def __init__(self, tape: HyperSynthReactor, veil: Thinning) -> None:
        super().__init__(tape, veil.start_ns, veil.end_ns)
        self._share_q16 = veil.share_q16

    def _left(self, lots: Column) -> Column:
        left: Column = np.where(lots > 0, np.maximum(lots * self._share_q16 >> 16, 1), 0)
        return left

    def _veiled_book(self, at_ns: int) -> BookSnapshot:
        book = self._tape.book(at_ns)
        return replace(book, bid_lots=self._left(book.bid_lots), ask_lots=self._left(book.ask_lots))

    def _veiled_quote(self, at_ns: int) -> Quotes:
        quote = self._tape.quote(at_ns)
        return replace(quote, bid_lots=self._left(quote.bid_lots), ask_lots=self._left(quote.ask_lots))

    def _veiled_quotes(self, quotes: Quotes, inside: Rows) -> Quotes:
        return replace(
            quotes,
            bid_lots=np.where(inside, self._left(quotes.bid_lots), quotes.bid_lots),
            ask_lots=np.where(inside, self._left(quotes.ask_lots), quotes.ask_lots),
        )

    def _veiled_levels(self, levels: Levels, inside: Rows) -> Levels:
        return replace(levels, qty_lots=np.where(inside, self._left(levels.qty_lots), levels.qty_lots))


class _Coarse(_Span):
    """A market whose prices are on a coarser grid. Ids are the tape's: of two that one order takes at prices that are
    now the same, each is an aggregate still.
    """

    def __init__(self, tape: HyperSynthReactor, veil: Coarsening) -> None:
        super().__init__(tape, veil.start_ns, veil.end_ns)
        self._step = veil.step_ticks
        self.bars = BarSeries(self)
        self._rows = lru_cache(_ROWS_KEPT)(self._make_row)

    def _on_grid(self, ticks: Column, up: Rows | bool) -> Column:
        """Prices on the grid, those of them rounded up that are `up`; nothing is cheaper than a step."""
        step = self._step
        on_grid: Column = np.maximum((ticks + np.where(up, step - 1, 0)) // step * step, step)
        return on_grid

    # ------------------------------------------------------------ the book
    def _veiled_book(self, at_ns: int) -> BookSnapshot:
        book = self._tape.book(at_ns)
        bid_ticks, bid_lots = self._summed(book.bid_ticks, book.bid_lots, up=False)
        ask_ticks, ask_lots = self._summed(book.ask_ticks, book.ask_lots, up=True)
        return BookSnapshot(at_ns, book.update_id, bid_ticks, bid_lots, ask_ticks, ask_lots)

    def _summed(self, ticks: Column, lots: Column, *, up: bool) -> tuple[Column, Column]:
        """Levels of a side, the best one first."""
        coarse = self._on_grid(ticks, up)
        first = np.flatnonzero(begins(coarse))
        return coarse[first], np.add.reduceat(lots, first) if len(first) else lots

    def _veiled_quote(self, at_ns: int) -> Quotes:
        quote, book = self._tape.quote(at_ns), self._veiled_book(at_ns)
        return replace(
            quote,
            bid_ticks=book.bid_ticks[:1],
            bid_lots=book.bid_lots[:1],
            ask_ticks=book.ask_ticks[:1],
            ask_lots=book.ask_lots[:1],
        )

    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        rows = self._tape.seconds(start_ns, end_ns)
        inside = (rows.ts_ns > self._from_ns) & (rows.ts_ns <= self._until_ns)
        return replace(
            rows, bid_ticks=np.where(inside, self._on_grid(rows.bid_ticks, up=False), rows.bid_ticks)
        )

    def _veiled(self, block: Block) -> tuple[Quotes, Levels]:
        from_ns, until_ns = max(block.start_ns, self._from_ns), min(block.end_ns, self._until_ns)
        quotes, levels = block.quotes, block.levels
        if from_ns >= until_ns:
            return quotes, levels
        ticks = levels.tick.searchsorted([from_ns // TICK_NS, until_ns // TICK_NS]).tolist()
        times = quotes.ts_ns.searchsorted([from_ns, until_ns]).tolist()
        book = self._tape.book(from_ns)
        coarse = self._coarse_levels(book, levels.cut(*ticks))
        touch = self._coarse_quotes(book, coarse, quotes.cut(*times), from_ns)
        return (
            Quotes.join([quotes.cut(0, times[0]), touch, quotes.cut(times[1], len(quotes))]),
            Levels.join([levels.cut(0, ticks[0]), coarse, levels.cut(ticks[1], len(levels))]),
        )

    def _coarse_levels(self, book: BookSnapshot, levels: Levels) -> Levels:
        """Changes of the tape's levels, from a book on, as changes of the grid's: each that holds any of them, at every
        tick at which one of them changes.
        """
        sides = np.repeat([BookSide.BID, BookSide.ASK], [len(book.bid_ticks), len(book.ask_ticks)])
        side = np.concatenate([sides, levels.side])
        price = np.concatenate([book.bid_ticks, book.ask_ticks, levels.price_ticks])
        lots = np.concatenate([book.bid_lots, book.ask_lots, levels.qty_lots])
        tick = np.concatenate([np.full(len(sides), -1), levels.tick])
        update_id = np.concatenate([np.full(len(sides), book.update_id), levels.update_id])
        order = np.lexsort((tick, price, side))
        side, price, lots, tick, update_id = (of[order] for of in (side, price, lots, tick, update_id))
        new = begins(side, price)
        more = lots - np.where(new, 0, np.append(0, lots[:-1]))  # than before, at this very price
        coarse = self._on_grid(price, side == BookSide.ASK)
        order = np.lexsort((tick, coarse, side))
        side, coarse, tick, update_id = (of[order] for of in (side, coarse, tick, update_id))
        total = np.cumsum(more[order])
        last = np.append(begins(side, coarse, tick)[1:], [True])
        level = begins(side, coarse)
        before = np.maximum.accumulate(np.where(level, np.arange(len(level)), 0))
        held = total - np.append(0, total)[before]
        rows = np.flatnonzero(last & (tick >= 0))
        rows = rows[np.lexsort((coarse[rows], side[rows], tick[rows]))]
        return Levels(tick[rows], side[rows], coarse[rows], held[rows], update_id[rows])

    def _coarse_quotes(self, book: BookSnapshot, levels: Levels, quotes: Quotes, from_ns: int) -> Quotes:
        """The touch on the grid: at each change of the tape's, and at the end of each tick in which a level changes. A
        level holds what it holds at its tick's end, or more where its best part alone is more before.
        """
        ends_ns = np.unique(levels.tick) * TICK_NS + TICK_NS - 1
        ends_ns = ends_ns[ends_ns >= from_ns]
        ts_ns = np.concatenate([[from_ns - 1], quotes.ts_ns, ends_ns])
        row = quotes.ts_ns.searchsorted(ts_ns, side="right")
        level_row = np.append(levels.tick, NEVER_NS).searchsorted(ts_ns // TICK_NS, side="right") - 1
        level_id = np.append(levels.update_id, book.update_id)[level_row]
        start = self._tape.quote(from_ns)
        known = {
            f.name: np.append(getattr(start, f.name), getattr(quotes, f.name))[row] for f in fields(Quotes)
        }
        known["ts_ns"] = ts_ns
        at_end = np.arange(len(ts_ns)) > len(quotes)
        known["update_id"] = np.where(at_end, np.maximum(known["update_id"], level_id), known["update_id"])
        frame = self._veiled_book(from_ns)
        for side, price, lots, frame_ticks, frame_lots in (
            (BookSide.BID, "bid_ticks", "bid_lots", frame.bid_ticks, frame.bid_lots),
            (BookSide.ASK, "ask_ticks", "ask_lots", frame.ask_ticks, frame.ask_lots),
        ):
            known[price] = self._on_grid(known[price], side == BookSide.ASK)
            mine = levels.take(np.flatnonzero(levels.side == side))
            held = _held(mine, frame_ticks, frame_lots, known[price], ts_ns // TICK_NS)
            known[lots] = np.maximum(known[lots], held)
        touch = Quotes(**known)
        touch = touch.take(np.argsort(touch.ts_ns, kind="stable"))
        changed = begins(touch.bid_ticks, touch.bid_lots, touch.ask_ticks, touch.ask_lots)
        return touch.take(1 + np.flatnonzero(changed[1:]))

    # ------------------------------------------------------------ trades
    def _repriced(self, prints: Prints) -> Prints:
        inside = (prints.ts_ns >= self._from_ns) & (prints.ts_ns < self._until_ns)
        if not inside.any():
            return prints
        coarse = self._on_grid(prints.price_ticks, prints.side == Side.BUY)
        return replace(prints, price_ticks=np.where(inside, coarse, prints.price_ticks))

    def prints(self, k: int) -> Prints:
        return self._repriced(self._tape.prints(k))

    def liquidations(self, start_ns: int, end_ns: int) -> Liquidations:
        rows = self._tape.liquidations(start_ns, end_ns)
        inside = (rows.ts_ns >= self._from_ns) & (rows.ts_ns < self._until_ns)
        if not inside.any():
            return rows
        prints = self.prints_in(start_ns, end_ns)
        price = self._on_grid(rows.price_ticks, rows.side == Side.BUY)
        paid = np.append(0, np.cumsum(prints.price_ticks * prints.qty_lots))
        first, last = (prints.trade_id.searchsorted(of) for of in (rows.first_trade_id, rows.last_trade_id))
        return replace(
            rows,
            price_ticks=np.where(inside, price, rows.price_ticks),
            quote_units=np.where(inside, paid[last + 1] - paid[first], rows.quote_units),
        )

    # ------------------------------------------------------------ bars, which only their prints can tell
    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        rows = self._tape.minutes(start_ns, end_ns)
        if not len(rows) or int(rows.start_ns[-1]) + BLOCK_NS <= self._from_ns:
            return rows
        starts, traded = rows.start_ns, rows.n_prints > 0
        hit = (starts + BLOCK_NS > self._from_ns) & (starts < self._until_ns)
        late = ~traded & (starts >= self._until_ns)  # without a print since the span
        if late.any():
            hit |= late & (rows.first_trade_id == self._resumed_ids[0])
        columns = {f.name: getattr(rows, f.name).copy() for f in fields(Minutes)}
        for i in np.flatnonzero(hit).tolist():
            row = self._rows(int(starts[i])) if traded[i] else self._silent(int(starts[i]))
            for name, value in row.items():
                columns[name][i] = value
        return Minutes(**columns)

    def _make_row(self, start_ns: int) -> dict[str, int]:
        return _row(self.prints(self._minute(start_ns)), 0)

    def _silent(self, start_ns: int) -> dict[str, int]:
        """A minute without prints stands at the last one before it."""
        last = self._repriced(self._tape.prints_before(start_ns, 1))
        return dict.fromkeys(_PRICES, int(last.price_ticks[-1])) if len(last) else {}

    def extremes(self, start_ns: int, end_ns: int) -> tuple[Column, Column, Column]:
        starts, lows, highs = self._tape.extremes(start_ns, end_ns)
        hit = (starts + BLOCK_NS > self._from_ns) & (starts < self._until_ns)
        lows = np.where(hit, np.minimum(self._on_grid(lows, up=False), lows), lows)
        return starts, lows, np.where(hit, np.maximum(self._on_grid(highs, up=True), highs), highs)


def _held(levels: Levels, ticks: Column, lots: Column, price: Column, at_tick: Column) -> Column:
    """What levels of a side hold at the ends of ticks, after changes from a book on; 0 of none."""
    whole = np.concatenate([ticks, levels.price_ticks])
    when = np.concatenate([np.full(len(ticks), -1), levels.tick])
    order = np.lexsort((when, whole))
    whole, when = whole[order], when[order]
    held = np.concatenate([lots, levels.qty_lots])[order]
    known = np.unique(whole)
    first = int(when[when >= 0].min(initial=int(at_tick.min())))
    span = int(max(when.max(initial=0), at_tick.max()) - first + 3)
    key = known.searchsorted(whole) * span + np.where(when < 0, 0, when - first + 1)
    of = known.searchsorted(price)
    there = (of < len(known)) & (known[np.minimum(of, len(known) - 1)] == price)
    i = key.searchsorted(of * span + np.maximum(at_tick - first + 1, 0), side="right") - 1
    mine = there & (i >= 0) & (whole[np.maximum(i, 0)] == price)
    found: Column = np.where(mine, held[np.maximum(i, 0)], 0)
    return found


class _Halted(_Span):
    """A market on which nobody trades for a while."""

    def __init__(self, tape: HyperSynthReactor, veil: Halt) -> None:
        super().__init__(tape, veil.start_ns, veil.end_ns)
        self._auctioned = veil.call_ns > 0
        self.bars = BarSeries(self)

    # ------------------------------------------------------------ the book stands still
    def _veiled_book(self, at_ns: int) -> BookSnapshot:
        return replace(self._tape.book(self._from_ns), ts_ns=at_ns)

    def _veiled_quote(self, at_ns: int) -> Quotes:  # noqa: ARG002
        return self._tape.quote(self._from_ns)

    def _veiled_quotes(self, quotes: Quotes, inside: Rows) -> Quotes:
        return quotes.take(np.flatnonzero(~inside))

    def _veiled_levels(self, levels: Levels, inside: Rows) -> Levels:
        return levels.take(np.flatnonzero(~inside))

    def update_id(self, at_ns: int) -> int:
        return self._tape.update_id(self._from_ns if self._inside(at_ns) else at_ns)

    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        rows = self._tape.seconds(start_ns, end_ns)
        inside = (rows.ts_ns > self._from_ns) & (rows.ts_ns <= self._until_ns)
        if not inside.any():
            return rows
        bid = int(self._tape.quote(self._from_ns).bid_ticks[0])
        return replace(rows, bid_ticks=np.where(inside, bid, rows.bid_ticks))

    # ------------------------------------------------------------ nobody trades
    @cached_property
    def _first_ids(self) -> Column:
        """The ids (trade, aggregate, order) that the first print from the span's beginning on would get."""
        return self._ids_at(self._from_ns)

    @cached_property
    def _fewer(self) -> Column:
        """By how much ids are less after the span than on the tape."""
        missing: Column = self._resumed_ids - self._first_ids
        return missing - 1 if self._auctioned and missing[0] else missing

    @cached_property
    def _last_price(self) -> int:
        """Of the last print before the span."""
        prints = self._tape.prints_before(self._from_ns, 1)
        quote = self._tape.quote(self._from_ns)
        return int(prints.price_ticks[-1] if len(prints) else quote.bid_ticks[0])

    @cached_property
    def _auction(self) -> Prints:
        """The print that ends it; none where nothing would have been traded."""
        if not self._auctioned or not (self._resumed_ids - self._first_ids)[0]:
            return Prints.none()
        lots = self._volume_before(self._until_ns) - self._volume_before(self._from_ns)
        first_ns, stop_ns = (at_ns - at_ns % BLOCK_NS for at_ns in (self._from_ns, self._until_ns))
        lots += int(self._tape.minutes(first_ns, stop_ns).volume_lots.sum())
        quote = self._tape.quote(self._until_ns)
        price, ids = int(quote.ask_ticks[0]), self._first_ids.tolist()
        return Prints(*(np.array([x]) for x in (self._until_ns, price, lots, int(Side.BUY), *ids)))

    def _volume_before(self, at_ns: int) -> int:
        """What the tape trades before an instant of the minute that it lies in, in lots."""
        prints = self._tape.prints(self._minute(at_ns))
        return int(prints.qty_lots[: int(prints.ts_ns.searchsorted(at_ns))].sum())

    def prints(self, k: int) -> Prints:
        start_ns = self._start_ns(k)
        prints = self._tape.prints(k)
        if start_ns + BLOCK_NS <= self._from_ns:
            return prints
        if start_ns >= self._from_ns and start_ns + BLOCK_NS <= self._until_ns:
            return Prints.none()
        before = prints.cut(0, int(prints.ts_ns.searchsorted(self._from_ns)))
        parts = [before]
        if start_ns + BLOCK_NS > self._until_ns:
            after = prints.cut(int(prints.ts_ns.searchsorted(self._until_ns)), len(prints))
            trade, agg, order = self._fewer.tolist()
            parts += [self._auction] if start_ns <= self._until_ns else []
            parts += [
                replace(
                    after,
                    trade_id=after.trade_id - trade,
                    agg_id=after.agg_id - agg,
                    order_id=after.order_id - order,
                )
            ]
        return Prints.join(parts)

    def liquidations(self, start_ns: int, end_ns: int) -> Liquidations:
        rows = self._tape.liquidations(start_ns, end_ns)
        rows = rows.take(np.flatnonzero((rows.ts_ns < self._from_ns) | (rows.ts_ns >= self._until_ns)))
        after = rows.ts_ns >= self._until_ns
        if not after.any():
            return rows
        trade, _, order = self._fewer.tolist()
        return replace(
            rows,
            first_trade_id=rows.first_trade_id - after * trade,
            last_trade_id=rows.last_trade_id - after * trade,
            order_id=rows.order_id - after * order,
        )

    def _minute_of(self, first_id: str, wanted: int, before_ns: int) -> int:
        which = ("first_trade_id", "first_agg_id", "first_order_id").index(first_id)
        if before_ns > self._from_ns and wanted >= self._first_ids[which] and self._until_ns < before_ns:
            wanted += int(self._fewer[which])
        return super()._minute_of(first_id, wanted, before_ns)

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        rows = self._tape.minutes(start_ns, end_ns)
        if not len(rows) or int(rows.start_ns[-1]) + BLOCK_NS <= self._from_ns:
            return rows
        columns = {f.name: getattr(rows, f.name).copy() for f in fields(Minutes)}
        starts = columns["start_ns"]
        within = (starts > self._from_ns) & (starts <= self._until_ns)
        later = starts > self._until_ns
        ids = ("first_trade_id", "first_agg_id", "first_order_id")
        if later.any():
            silent = later & (columns["n_prints"] == 0) & (columns["first_trade_id"] == self._resumed_ids[0])
            price = int(self._auction.price_ticks[0]) if len(self._auction) else self._last_price
            for name in _PRICES:
                columns[name][silent] = price
            for name, fewer in zip(ids, self._fewer.tolist(), strict=True):
                columns[name][later] -= fewer
        for name, first in zip(ids, self._first_ids.tolist(), strict=True):
            columns[name][within] = first
        columns["update_id"][within] = self._tape.update_id(self._from_ns)
        empty = (starts >= self._from_ns) & (starts + BLOCK_NS <= self._until_ns)
        for name in columns.keys() - {"start_ns", "update_id", *ids}:
            columns[name][empty] = self._last_price if name in _PRICES else 0
        partly = (starts + BLOCK_NS > self._from_ns) & (starts <= self._until_ns) & ~empty
        for i in np.flatnonzero(partly).tolist():
            row = _row(self.prints(self._minute(int(starts[i]))), self._last_price)
            for name, value in row.items():
                columns[name][i] = value
        return Minutes(**columns)


_PRICES = ("open_ticks", "high_ticks", "low_ticks", "close_ticks")


def _row(prints: Prints, otherwise_ticks: int) -> dict[str, int]:
    """A minute's bar of its prints; of one without any, it stands at a price."""
    price, lots, bought = prints.price_ticks, prints.qty_lots, prints.side == Side.BUY
    some = len(prints) > 0
    return {
        "open_ticks": int(price[0]) if some else otherwise_ticks,
        "high_ticks": int(price.max()) if some else otherwise_ticks,
        "low_ticks": int(price.min()) if some else otherwise_ticks,
        "close_ticks": int(price[-1]) if some else otherwise_ticks,
        "n_prints": len(prints),
        "volume_lots": int(lots.sum()),
        "quote_units": int((price * lots).sum()),
        "taker_buy_lots": int(lots[bought].sum()),
        "taker_buy_quote_units": int((price * lots)[bought].sum()),
    }

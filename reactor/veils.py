"""Veils: a market that is not shown as it is for a while. Trading stops, the book thins out, the listing is new.

The tape goes on beneath a veil and never changes because of it; a veil is a face of it, as clients' orders are, and
reads as the tape does. Outside its span it is the tape, but that ids stay consecutive: prints that nobody saw have
none. A veil takes effect at the very tick at which it is laid, and knows nothing of what lies above it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reactor.bars import BarSeries
from reactor.face import Face
from reactor.single_asset import HyperSynthReactor
from reactor.types import (
    BLOCK_NS,
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

NEVER_NS = 1 << 62
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


Veil: TypeAlias = Halt | Closing | Opening | Thinning


def phase_of(veils: Sequence[Veil], at_ns: int) -> Phase:
    """What may be done under some veils: of those that say anything, what the last one says."""
    phases = [phase for veil in veils if (phase := veil.phase(at_ns)) is not None]
    closed = [phase for phase in phases if phase in (Phase.CLOSED, Phase.UNLISTED)]
    return (closed or phases or [Phase.TRADING])[-1]


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
            inside = (quotes.ts_ns >= self._from_ns) & (quotes.ts_ns < self._until_ns)
            parts = [*(self._quotes_at(at_ns) for at_ns in edges), self._veiled_quotes(quotes, inside)]
            quotes = Quotes.join(parts)
            quotes = quotes.take(np.argsort(quotes.ts_ns, kind="stable")) if edges else quotes
            levels = self._levels(levels, edges)
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

    def _levels(self, levels: Levels, edges: Sequence[int]) -> Levels:
        first, last = self._from_ns // TICK_NS, self._until_ns // TICK_NS
        inside = (levels.tick >= first) & (levels.tick < last)
        rest = self._veiled_levels(levels, inside)
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
    def _resumed_ids(self) -> Column:
        """Those that the tape's first print after it has there."""
        return self._ids_at(self._until_ns)

    @cached_property
    def _fewer(self) -> Column:
        """By how much ids are less after the span than on the tape."""
        missing: Column = self._resumed_ids - self._first_ids
        return missing - 1 if self._auctioned and missing[0] else missing

    def _ids_at(self, at_ns: int) -> Column:
        k = self._minute(at_ns)
        prints = self._tape.prints(k)
        i = int(prints.ts_ns.searchsorted(at_ns))
        if i < len(prints):
            return np.array([prints.trade_id[i], prints.agg_id[i], prints.order_id[i]])
        row = self._tape.minutes(self._start_ns(k + 1), self._start_ns(k + 2))
        return np.array([row.first_trade_id[0], row.first_agg_id[0], row.first_order_id[0]])

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

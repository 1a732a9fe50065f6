"""What clients' orders have done to a market, for its public face: executions, and changes of price levels.

A `History` is written by the floor, row by row; `Records` are what a reader gets of it, immutable, to be read in any
thread. Executions are kept for good, as the tape is; what happened to the book for KEPT_NS, for nobody may ask for an
older book: before that only the number of changes is known.
"""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from reactor.exchange.overlay import Change, Ended, Execution
from reactor.types import BLOCK_NS, SECOND_NS, Column, Columns, Prints
from reactor.values import dataclass

KEPT_NS = 150 * SECOND_NS
_PRUNE_AT = 4_096  # rows
_FREEZE_AT = 1_024
_EVER_NS = 1 << 62

C = TypeVar("C", bound=Columns)
Level: TypeAlias = tuple[int, int]  # side and price
Laid: TypeAlias = tuple[int, int]  # what clients rest there, and what they took


@dataclass(frozen=True, slots=True, eq=False)
class Executions(Columns):
    """Public prints with a client in them, in order (`Execution`)."""

    ts_ns: Column
    price_ticks: Column
    lots: Column
    side: Column
    trade_id: Column
    agg_id: Column
    order_id: Column
    before_id: Column
    aggs: Column
    orders: Column

    @property
    def prints(self) -> Prints:
        """As the tape writes them."""
        return Prints(
            self.ts_ns, self.price_ticks, self.lots, self.side, self.trade_id, self.agg_id, self.order_id
        )


_WIDTH = len(fields(Executions))
_NO_TRADES = np.zeros(0, np.int64), np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Changes(Columns):
    """Changes of levels, in order (`Change`)."""

    ts_ns: Column
    side: Column
    price_ticks: Column
    own_lots: Column
    hole_lots: Column


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """All executions and the recent changes before an instant. `base` is how levels were before the first change here,
    `counted` changes came before it, and `counts` says how many came before the minutes in which any did.
    """

    executions: Executions
    changes: Changes
    base: Mapping[Level, Laid]
    counted: int
    counts: tuple[tuple[int, int], ...]

    def and_then(self, executions: Executions, changes: Changes) -> Records:
        """With what came after."""
        return Records(
            Executions.join([self.executions, executions]),
            Changes.join([self.changes, changes]),
            self.base,
            self.counted,
            self.counts,
        )

    def count(self, at_ns: int) -> int:
        """How many changes came before an instant."""
        if at_ns >= self._first_ns:
            return self.counted + int(self.changes.ts_ns.searchsorted(at_ns))
        i = bisect_left(self.counts, (at_ns - at_ns % BLOCK_NS, -1))
        return self.counts[i][1] if i < len(self.counts) else self.counted

    def minute_counts(self, start_ns: Column) -> Column:
        """How many changes came before the starts of minutes."""
        minutes = np.array([minute_ns for minute_ns, _ in self.counts], dtype=np.int64)
        before = np.array([*(n for _, n in self.counts), self.counted], dtype=np.int64)
        known = self.counted + self.changes.ts_ns.searchsorted(start_ns)
        return np.where(start_ns >= self._first_ns, known, before[minutes.searchsorted(start_ns)])

    @property
    def _first_ns(self) -> int:
        return int(self.changes.ts_ns[0]) if len(self.changes.ts_ns) else 0

    def levels(self, at_ns: int) -> dict[Level, Laid]:
        """How the levels that clients touched stand when an instant comes, where they are not as the tape has them."""
        stop = int(self.changes.ts_ns.searchsorted(at_ns))
        laid = dict(self.base)
        past = self.changes.cut(0, stop)
        if stop:
            key = past.price_ticks << 1 | past.side
            _, last = np.unique(key[::-1], return_index=True)
            rows = past.take(stop - 1 - last)
            for side, price, own, hole in zip(
                rows.side.tolist(), rows.price_ticks.tolist(), rows.own_lots.tolist(), rows.hole_lots.tolist(),
                strict=True,
            ):  # fmt: skip
                laid[side, price] = own, hole
        return {level: state for level, state in laid.items() if state != (0, 0)}

    def trades_before(self, trade_id: Column) -> Column:
        """By how much the ids of the tape's prints are shifted."""
        return self.executions.before_id.searchsorted(trade_id, side="right")

    def shifts(self, trade_id: Column) -> tuple[Column, Column, Column]:
        """By how much the ids (trade, aggregate, order) of the tape's prints are shifted."""
        n = self.trades_before(trade_id)
        aggs, orders = (
            np.concatenate([[0], column])[n] for column in (self.executions.aggs, self.executions.orders)
        )
        return n, aggs, orders


@dataclass(frozen=True, slots=True)
class HistoryState:
    """What is kept of a history: all executions, as text (base64 of rows of int64, little-endian), the levels that are
    not as the tape has them, as (side, price, own lots, missing lots), and the numbers of changes.
    """

    executions: str
    levels: tuple[tuple[int, int, int, int], ...]
    total: int
    counts: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class History:
    """The records of one market, as the floor writes them."""

    base: dict[Level, Laid] = field(default_factory=dict)
    counted: int = 0
    counts: list[tuple[int, int]] = field(default_factory=list)
    _frozen: Executions = field(default_factory=Executions.none)
    _executions: array[int] = field(default_factory=lambda: array("q"))
    _changes: array[int] = field(default_factory=lambda: array("q"))
    _joined: Executions | None = None  # all of them, until there are more
    _total: int = 0  # changes so far
    _prune_at: int = 5 * _PRUNE_AT  # how long the changes may get

    def write(self, events: Sequence[Execution | Ended], changes: Iterable[Change]) -> None:
        """What happened next."""
        flat = _flat_executions(events) if events else ()
        if flat:
            self._executions.extend(flat)
            self._joined = None
        for change in changes:
            minute_ns = change.ts_ns - change.ts_ns % BLOCK_NS
            if not self.counts or self.counts[-1][0] < minute_ns:
                self.counts.append((minute_ns, self._total))
            self._total += 1
            self._changes.extend(
                (change.ts_ns, change.side, change.price_ticks, change.own_lots, change.hole_lots)
            )
        if len(self._executions) >= _WIDTH * _FREEZE_AT:
            self._frozen = Executions.join([self._frozen, _columns(Executions, self._executions)])
            self._executions = array("q")
        if len(self._changes) >= self._prune_at:
            self._prune(self._changes[-5] - KEPT_NS)

    def _prune(self, before_ns: int) -> None:
        rows = _columns(Changes, self._changes)
        stop = int(rows.ts_ns.searchsorted(before_ns))
        self.base = Records(Executions.none(), rows.cut(0, stop), self.base, 0, ()).levels(before_ns)
        self.counted += stop
        del self._changes[: 5 * stop]
        self._prune_at = max(5 * _PRUNE_AT, 2 * len(self._changes))

    def traded_since(self, from_ns: int) -> bool:
        """Whether there are executions from an instant on."""
        if self._executions:
            return self._executions[-_WIDTH] >= from_ns
        return bool(len(self._frozen)) and int(self._frozen.ts_ns[-1]) >= from_ns

    def trades_in(self, start_ns: int, end_ns: int) -> tuple[Column, Column]:
        """(price_ticks, before_id) of the executions in [start_ns, end_ns), in order: the newest are quickly found."""
        if not self.traded_since(start_ns):
            return _NO_TRADES
        flat, first = self._executions, len(self._executions)
        while first and flat[first - _WIDTH] >= start_ns:
            first -= _WIDTH
        rows = _columns(Executions, flat[first:])
        if not first:
            rows = Executions.join([self._frozen.cut(*self._between(self._frozen, start_ns, end_ns)), rows])
        rows = rows.cut(*self._between(rows, start_ns, end_ns))
        return rows.price_ticks, rows.before_id

    @staticmethod
    def _between(rows: Executions, start_ns: int, end_ns: int) -> tuple[int, int]:
        first, stop = rows.ts_ns.searchsorted([start_ns, end_ns]).tolist()
        return first, stop

    def state(self) -> HistoryState:
        """What there is to go on from."""
        records = self.records()
        table = np.stack([getattr(records.executions, f.name) for f in fields(Executions)], axis=1)
        return HistoryState(
            b64encode(table.astype("<i8").tobytes()).decode(),
            tuple((*level, *laid) for level, laid in records.levels(_EVER_NS).items()),
            self._total,
            records.counts,
        )

    def restore(self, state: HistoryState) -> None:
        """Go on from such a state; what happened to the book before is known no more."""
        flat = np.frombuffer(b64decode(state.executions), dtype="<i8").astype(np.int64)
        self._frozen, self._joined = _columns(Executions, array("q", flat.tolist())), None
        self.base = {(side, price): (own, hole) for side, price, own, hole in state.levels}
        self.counted = self._total = state.total
        self.counts = list(state.counts)

    def records(self) -> Records:
        """All so far."""
        if self._joined is None:
            self._joined = Executions.join([self._frozen, _columns(Executions, self._executions)])
        return Records(
            self._joined,
            _columns(Changes, self._changes),
            dict(self.base),
            self.counted,
            tuple(self.counts),
        )


def columns_of(events: Iterable[Execution | Ended], changes: Iterable[Change]) -> tuple[Executions, Changes]:
    """What happened, as columns."""
    flat = array("q")
    for change in changes:
        flat.extend((change.ts_ns, change.side, change.price_ticks, change.own_lots, change.hole_lots))
    return _columns(Executions, array("q", _flat_executions(events))), _columns(Changes, flat)


def _flat_executions(events: Iterable[Execution | Ended]) -> list[int]:
    flat: list[int] = []
    for e in events:
        if isinstance(e, Execution):
            flat += (
                e.ts_ns, e.price_ticks, e.lots, e.side, e.trade_id, e.agg_id, e.tape_order_id, e.before_id, e.aggs,
                e.orders,
            )  # fmt: skip
    return flat


def _columns(kind: type[C], flat: array[int]) -> C:
    width = len(fields(kind))
    table: NDArray[np.int64] = np.frombuffer(flat.tobytes(), dtype=np.int64).reshape(-1, width)
    return kind(*(np.ascontiguousarray(table[:, i]) for i in range(width)))

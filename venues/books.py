"""The best levels of a book at many instants at once.

Whoever tells the book of a page at each of its boundaries asks here, and no book is made whole but the first.
"""

from __future__ import annotations

import numpy as np

from reactor.fixed import group_of
from reactor.types import TICK_NS, BookSide, BookSnapshot, Column, Levels


class BestLevels:
    """The best `most` levels of both sides at each of ascending boundaries, by what the book is at the first of them,
    and every level that changes from then until the last. Prices and quantities are columns, rows of which are levels.
    """

    def __init__(self, book: BookSnapshot, changes: Levels, ends_ns: Column, most: int) -> None:
        # what the book is at first, bids then asks, then every change
        price = np.concatenate([book.bid_ticks, book.ask_ticks, changes.price_ticks])
        lots = np.concatenate([book.bid_lots, book.ask_lots, changes.qty_lots])
        first = len(book.bid_ticks) + len(book.ask_ticks)
        told = np.searchsorted(changes.tick, ends_ns // TICK_NS)  # how many changes at each boundary
        window = group_of(np.diff(told))
        best = []
        for side, start, begin in (
            (BookSide.BID, -book.bid_ticks, 0),
            (BookSide.ASK, book.ask_ticks, len(book.bid_ticks)),
        ):
            changed = np.flatnonzero(changes.side == side)
            away = changes.price_ticks[changed]
            away = -away if side == BookSide.BID else away
            rows, later = begin + np.arange(len(start)), first + changed
            best.append(_best(start, rows, away, later, window[changed] + 1, len(ends_ns), lots, most))
        used = np.zeros(len(price) + 1, np.bool_)
        for held in best:
            used[held] = True
        used[-1] = False  # of the rows that are not there
        place = np.cumsum(used) - 1
        self._rows = {side: np.where(of >= 0, place[of], -1) for side, of in zip(BookSide, best, strict=True)}
        self.price_ticks, self.qty_lots = price[used[:-1]], lots[used[:-1]]

    def rows(self, side: BookSide, at: Column, n: int) -> tuple[Column, Column]:
        """Of a side, the rows of the best n at these boundaries, counted from 0: where those of each end, and they."""
        rows = self._rows[side][at, :n]
        there = rows >= 0
        return np.cumsum(there.sum(axis=1)), rows[there]


def _best(
    start: Column,
    rows: Column,
    away: Column,
    changes: Column,
    window: Column,
    windows: int,
    lots: Column,
    most: int,
) -> Column:
    """At each of so many boundaries, the rows of the best `most` levels; -1 where there are fewer.

    `start` is how far away the levels are that there are first, ascending, `away` those that change before a boundary,
    `window`; `rows` and `changes` are theirs, of which `lots` tells the quantity. Prices are columns, ordered from the
    best there is, and as many of them as it takes. A later row of a price has a greater number, so the row that holds
    is the greatest until then.
    """
    wanted = 4 * most
    while True:
        whole = wanted >= len(start)
        near = start if whole else start[:wanted]
        inside = np.flatnonzero(away <= near[-1]) if not whole else np.arange(len(away))
        prices = np.unique(np.concatenate([near, away[inside]]))
        holds = np.full((windows, len(prices)), -1)
        holds[0, np.searchsorted(prices, near)] = rows[: len(near)]
        holds[window[inside], np.searchsorted(prices, away[inside])] = changes[inside]
        holds = np.maximum.accumulate(holds)
        there = (holds >= 0) & (lots[holds] > 0)
        place = np.cumsum(there, axis=1)
        if whole or place[:, -1].min() >= most:
            break
        wanted *= 2
    best = np.full((windows, most), -1)
    at, column = np.nonzero(there & (place <= most))
    best[at, place[at, column] - 1] = holds[at, column]
    return best

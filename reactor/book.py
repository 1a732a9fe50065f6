"""A book that is kept up to date: a snapshot, then changes, and the best levels at any moment.

It holds what it is told and judges nothing: that a book never crosses is the tape's business.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from reactor.types import BookSide, BookSnapshot, Levels


class Ladder:
    """Price levels of both sides, best first."""

    def __init__(self, snapshot: BookSnapshot) -> None:
        bids = zip(snapshot.bid_ticks.tolist(), snapshot.bid_lots.tolist(), strict=True)
        asks = zip(snapshot.ask_ticks.tolist(), snapshot.ask_lots.tolist(), strict=True)
        self._lots: tuple[dict[int, int], dict[int, int]] = (dict(bids), dict(asks))
        # bids are ranked by negated price, so that both rankings ascend from the best level
        self._ranks: tuple[list[int], list[int]] = (sorted(-p for p in self._lots[0]), sorted(self._lots[1]))

    def apply(self, levels: Levels) -> None:
        """Apply changes in time order; a quantity of 0 removes the level, whether it was there or not."""
        columns = (levels.side.tolist(), levels.price_ticks.tolist(), levels.qty_lots.tolist())
        for side, price, lots in zip(*columns, strict=True):
            book, ranks = self._lots[side], self._ranks[side]
            rank = -price if side == BookSide.BID else price
            if lots:
                if price not in book:
                    insort(ranks, rank)
                book[price] = lots
            elif book.pop(price, None) is not None:
                del ranks[bisect_left(ranks, rank)]

    def top(self, side: int, n: int) -> list[tuple[int, int]]:
        """The best n levels of a side as (price_ticks, qty_lots), fewer if the side is shorter."""
        book = self._lots[side]
        sign = -1 if side == BookSide.BID else 1
        return [(sign * rank, book[sign * rank]) for rank in self._ranks[side][:n]]

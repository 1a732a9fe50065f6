"""The ladder follows the book."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reactor.book import Ladder
from reactor.types import BookSide, BookSnapshot, Levels
from tests.handmade import columns

CHANGES = st.lists(st.tuples(st.sampled_from(BookSide), st.integers(1, 12), st.integers(0, 3)), max_size=60)


def snapshot(bids: list[tuple[int, int]], asks: list[tuple[int, int]]) -> BookSnapshot:
    arrays = [np.array([pair[i] for pair in side], dtype=np.int64) for side in (bids, asks) for i in (0, 1)]
    return BookSnapshot(0, 0, *arrays)


@given(CHANGES, st.integers(0, 15))
def test_a_ladder_holds_what_a_dictionary_holds(changes: list[tuple[BookSide, int, int]], n: int) -> None:
    """Both sides best first, emptied levels gone, removals of absent levels harmless."""
    bids, asks = [(8, 5), (7, 2)], [(9, 1), (11, 4)]
    ladder, books = Ladder(snapshot(bids, asks)), (dict(bids), dict(asks))
    ladder.apply(
        columns(Levels, [(i, side, price, lots, i) for i, (side, price, lots) in enumerate(changes)], 5)
    )
    for side, price, lots in changes:
        books[side][price] = lots
    for side in BookSide:
        best_first = sorted(((p, q) for p, q in books[side].items() if q), reverse=side == BookSide.BID)
        assert ladder.top(side, n) == best_first[:n]

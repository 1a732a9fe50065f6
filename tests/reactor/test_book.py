"""Ladder: after any changes its best levels are those of a plain dict."""

import itertools

import numpy as np
import pytest

from reactor.book import Ladder
from reactor.types import BookSide, BookSnapshot, Levels


def column(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, dtype=np.int64)


def snapshot(bids: dict[int, int], asks: dict[int, int]) -> BookSnapshot:
    best_first = sorted(bids, reverse=True), sorted(asks)
    return BookSnapshot(
        0,
        0,
        column(*best_first[0]),
        column(*(bids[p] for p in best_first[0])),
        column(*best_first[1]),
        column(*(asks[p] for p in best_first[1])),
    )


def change(side: BookSide, price: int, lots: int) -> Levels:
    return Levels(column(0), column(side), column(price), column(lots), column(1))


def test_best_levels_first_on_both_sides() -> None:
    """Bids descend, asks ascend; a short side gives what it has."""
    ladder = Ladder(snapshot({98: 5, 99: 1, 90: 7}, {101: 2, 105: 3}))
    assert ladder.top(BookSide.BID, 2) == [(99, 1), (98, 5)]
    assert ladder.top(BookSide.ASK, 9) == [(101, 2), (105, 3)]


@pytest.mark.parametrize(
    ("changes", "bids"),
    [
        ([(100, 4)], [(100, 4), (99, 1), (98, 5)]),
        ([(99, 8)], [(99, 8), (98, 5)]),
        ([(99, 0)], [(98, 5)]),
        ([(97, 0)], [(99, 1), (98, 5)]),
        ([(99, 0), (99, 3)], [(99, 3), (98, 5)]),
        ([(99, 0), (98, 0)], []),
    ],
    ids=["new best", "other quantity", "best gone", "absent level gone", "gone and back", "empty side"],
)
def test_a_change_of_the_bids(changes: list[tuple[int, int]], bids: list[tuple[int, int]]) -> None:
    """A quantity replaces, 0 removes, and removing what is not there is no error."""
    ladder = Ladder(snapshot({98: 5, 99: 1}, {101: 2}))
    for price, lots in changes:
        ladder.apply(change(BookSide.BID, price, lots))
    assert ladder.top(BookSide.BID, 10) == bids
    assert ladder.top(BookSide.ASK, 10) == [(101, 2)]


def test_long_histories_agree_with_a_dict() -> None:
    """Two thousand random changes of both sides leave the ladder equal to sorted dicts, at every step."""
    rng = np.random.default_rng(3)
    books: tuple[dict[int, int], dict[int, int]] = ({50: 1}, {150: 1})
    ladder = Ladder(snapshot(*books))
    for _ in range(2_000):
        side = BookSide(int(rng.integers(2)))
        price, lots = int(rng.integers(1, 40)) + 100 * side, int(rng.integers(0, 3))
        ladder.apply(change(side, price, lots))
        books[side].pop(price, None)
        if lots:
            books[side][price] = lots
        for which, depth in itertools.product(BookSide, (1, 5, 100)):
            best = sorted(books[which].items(), reverse=which == BookSide.BID)[:depth]
            assert ladder.top(which, depth) == best

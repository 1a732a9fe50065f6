"""What channels of a market share: made once a page, and the same as if each had made it alone."""

from __future__ import annotations

import gc
from typing import Any, cast
from weakref import ref

import numpy as np
import pytest

from reactor.book import Ladder
from reactor.types import MS_NS, TICK_NS, BookSide
from reactor.unified_market import MarketOrchestrationCore
from tests import worlds
from venues.base import PAGE_NS, Exchange, Topic
from venues.binance import BINANCE, BINANCE_USDM
from venues.binance.wire import MOST_LEVELS
from venues.books import BestLevels
from venues.sheets import SHEETS_KEPT, latest, one_view, revision_of, shared
from venues.wire import Decimal, Each, Picked, Scale, Table, cut, encode

LEVEL = ('"', Decimal("price", Scale(2, 2)), '"')


class Market:
    """A market is what sheets are kept by, as long as nothing changes in it."""

    revision = 0


def test_a_sheet_is_made_once_and_few_are_kept() -> None:
    """By its market, its page and its key; the oldest page goes."""
    made: list[tuple[int, str]] = []
    market, other = cast(Any, Market()), cast(Any, Market())

    def told(of: Any, start_ns: int, key: str) -> int:
        def make() -> int:
            made.append((start_ns, key))
            return len(made)

        return shared(of, start_ns, key, make)

    assert [told(market, n, key) for n in (0, 1) for key in "aba"] == [1, 2, 1, 3, 4, 3]
    assert told(other, 0, "a") == 5
    for n in range(2, SHEETS_KEPT + 1):
        told(market, n, "a")
    assert told(market, SHEETS_KEPT, "a") == told(market, SHEETS_KEPT, "a")
    assert told(market, 0, "a") == len(made), "the first page is no longer there"
    market.revision += 1
    assert told(market, 0, "a") == len(made), "a client has changed the market"


def test_what_is_made_of_a_market_that_changes_meanwhile_is_not_kept_as_the_new_ones() -> None:
    """Of a page that is made beside the thread that changes markets, whose parts may be of the old and the new."""
    market = cast(Any, Market())
    with one_view():
        before = shared(market, 0, "levels", lambda: "old")
        market.revision += 1
        assert shared(market, 0, "table", lambda: f"of {before}") == "of old"
        assert latest(market, 0, "book", lambda: f"of {before}") == "of old"
        assert revision_of(market) == 0
    assert revision_of(market) == 1
    assert shared(market, 0, "table", lambda: "of new") == "of new"
    assert latest(market, 0, "book", lambda: "of new") == "of new"


@pytest.mark.parametrize(
    "topic", [Topic("bookTicker", "BTCUSDT"), Topic("depth", "BTCUSDT", ("100ms",))], ids=str
)
def test_what_is_kept_of_a_market_goes_with_it(topic: Topic) -> None:
    """A process that runs one exchange after another holds the last one."""
    row = BINANCE.listings[0]
    world = MarketOrchestrationCore(
        seed=1, origin_ns=worlds.ORIGIN_NS, markets=[(row.instrument, row.manifest)]
    )
    run = Exchange(world, {"BTCUSDT": row.instrument.market})
    channel = BINANCE.channel(topic, run)
    for start_ns in (worlds.ORIGIN_NS, worlds.ORIGIN_NS + PAGE_NS):
        assert channel.page(start_ns).frames
    market = ref(world.market(row.instrument.market))
    del world, run, channel
    gc.collect()
    assert market() is None


@pytest.mark.parametrize("venue", [BINANCE, BINANCE_USDM], ids=lambda venue: venue.id)
@pytest.mark.parametrize("grid_ms", [50, 100])
def test_the_best_levels_of_a_page_are_those_of_a_book_that_is_kept(venue: Any, grid_ms: int) -> None:
    """At every boundary, of both sides, price and quantity: as a ladder has them that lived through the page."""
    exchange = worlds.exchange(venue)
    grid_ns, start_ns = grid_ms * MS_NS, worlds.ORIGIN_NS + 5 * PAGE_NS
    grid = np.arange(start_ns, start_ns + PAGE_NS + 1, grid_ns)
    for market in exchange:
        ladder, levels = Ladder(market.book(start_ns)), market.window(start_ns, start_ns + PAGE_NS).levels
        best = BestLevels(market.book(start_ns), levels, grid, MOST_LEVELS)
        times = levels.tick * TICK_NS
        for i in range(len(grid)):
            first, stop = np.searchsorted(times, grid[[max(i - 1, 0), i]])
            ladder.apply(levels.cut(int(first), int(stop)))
            for side in BookSide:
                _, rows = best.rows(side, np.array([i]), MOST_LEVELS)
                told = zip(best.price_ticks[rows].tolist(), best.qty_lots[rows].tolist(), strict=True)
                assert list(told) == ladder.top(side, MOST_LEVELS)


def test_rows_of_a_table_are_written_as_they_would_be_alone() -> None:
    """In the order asked for, whichever were asked for before, however often."""
    table = Table({"price": np.array([5, 12_345, 100, 7])})
    assert table.texts(LEVEL, np.array([1, 1, 3])) == ['"123.45"', '"123.45"', '"0.07"']
    assert table.texts(LEVEL, np.array([3, 0])) == ['"0.07"', '"0.05"']
    assert table.texts((Decimal("price", Scale(0, 0)),), np.array([2])) == ["100"]
    assert table.texts(LEVEL, np.array([], np.int64)) == []


def test_lists_that_share_a_table_are_cut_like_others() -> None:
    """Each message has its rows, none where it has none."""
    lists = Picked(np.array([2, 2, 3]), np.array([0, 1, 1]), Table({"price": np.array([5, 6])}))
    parts = ("[", Each("levels", LEVEL), "]")
    assert encode(parts, {"levels": lists}) == [b'["0.05","0.06"]', b"[]", b'["0.06"]']
    assert encode(parts, cut({"levels": lists}, 1, 3)) == [b"[]", b'["0.06"]']

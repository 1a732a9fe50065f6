"""The tape of every preset: no crossed book, minutes that join up, bars and ids of the skeleton, for all who ask."""

from __future__ import annotations

from dataclasses import fields
from hashlib import blake2b
from multiprocessing import get_context

import numpy as np
import pytest

from emulator.presets import get_preset
from reactor.runner import Run, Runner
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, SECOND_NS, Block, BookSide, BookSnapshot, Column, Levels, Side
from tests.emulator.test_presets import SEVEN

ORIGIN_NS = 1_767_225_600 * SECOND_NS  # 2026-01-01T00:00Z
LENGTHS = [pytest.param(5, id="5 minutes"), pytest.param(1_440, id="a day", marks=[pytest.mark.long])]


def market(name: str) -> HyperSynthReactor:
    preset = get_preset(name)
    return Runner(Run(11, ORIGIN_NS, preset.instrument, preset.manifest)).market


@pytest.mark.parametrize("minutes", LENGTHS)
@pytest.mark.parametrize("name", SEVEN)
@pytest.mark.timeout(1_200)
def test_minutes_keep_their_promises(name: str, minutes: int) -> None:
    """Over all of them: what is quoted and what rests never crosses, trades are the bar's, ids go up by one."""
    made = market(name)
    rows = made.minutes(ORIGIN_NS, ORIGIN_NS + minutes * BLOCK_NS)
    hashes: dict[int, str] = {}
    next_trade, next_agg = int(rows.first_trade_id[0]), int(rows.first_agg_id[0])
    for k in range(minutes):
        block, start, end = made.block(k), made.keyframe(k), made.keyframe(k + 1)
        if k % 60 == 59:
            hashes[k] = hash_of(block)
        assert (block.quotes.bid_ticks < block.quotes.ask_ticks).all()
        assert (block.quotes.bid_lots > 0).all()
        assert (block.quotes.ask_lots > 0).all()
        for made_so, promised in zip(after(start, block.levels), contents(end), strict=True):
            assert np.array_equal(made_so, promised)
        never_crosses(start, block.levels)
        prints, bar = block.prints, rows.cut(k, k + 1)
        assert np.array_equal(prints.trade_id, next_trade + np.arange(bar.n_prints[0]))
        next_trade += len(prints)
        if not len(prints):
            continue
        assert int(prints.agg_id[0]) == next_agg
        assert set(np.diff(prints.agg_id).tolist()) <= {0, 1}
        next_agg = int(prints.agg_id[-1]) + 1
        prices, lots = prints.price_ticks, prints.qty_lots
        bought = lots * (prints.side == Side.BUY)
        assert (prices[0], prices.max(), prices.min(), prices[-1]) == (
            bar.open_ticks[0],
            bar.high_ticks[0],
            bar.low_ticks[0],
            bar.close_ticks[0],
        )
        assert (lots.sum(), (lots * prices).sum()) == (bar.volume_lots[0], bar.quote_units[0])
        assert (bought.sum(), (bought * prices).sum()) == (
            bar.taker_buy_lots[0],
            bar.taker_buy_quote_units[0],
        )
    if hashes:
        with get_context("spawn").Pool(2) as workers:  # backwards, each minute from nothing, two at a time
            afresh = workers.starmap(hash_made_afresh, [(name, k) for k in sorted(hashes)[::-3]])
        assert afresh == [hashes[k] for k in sorted(hashes)[::-3]]


@pytest.mark.parametrize("name", SEVEN)
def test_seeking_is_walking(name: str) -> None:
    """A minute deep in the day is the same to one who was there before and to one who comes fresh."""
    walked, fresh = market(name), market(name)
    for k in (700, 701, 702):
        walked.block(k)
    a, b = walked.block(702), fresh.block(702)
    for table in ("quotes", "prints", "levels"):
        for column in getattr(a, table).__dataclass_fields__:
            assert np.array_equal(getattr(getattr(a, table), column), getattr(getattr(b, table), column))


def hash_of(block: Block) -> str:
    """Of all its columns."""
    digest = blake2b(digest_size=16)
    for table in (block.quotes, block.prints, block.levels):
        for column in fields(table):
            digest.update(getattr(table, column.name).tobytes())
    return digest.hexdigest()


def hash_made_afresh(name: str, k: int) -> str:
    """Of a minute that is the first its market is asked for."""
    return hash_of(market(name).block(k))


Rows = tuple[Column, Column, Column]


def contents(book: BookSnapshot) -> Rows:
    """Its levels as (side, price, quantity), bids first, by price."""
    side = np.repeat([int(BookSide.BID), int(BookSide.ASK)], [len(book.bid_ticks), len(book.ask_ticks)])
    price = np.concatenate([book.bid_ticks[::-1], book.ask_ticks])
    return side, price, np.concatenate([book.bid_lots[::-1], book.ask_lots])


def after(book: BookSnapshot, levels: Levels) -> Rows:
    """The book with the changes in it: of each price the last one stands."""
    side, price, lots = (
        np.concatenate(both)
        for both in zip(contents(book), (levels.side, levels.price_ticks, levels.qty_lots), strict=True)
    )
    order = np.lexsort((np.arange(len(side)), price, side))
    side, price, lots = side[order], price[order], lots[order]
    stands = np.append((np.diff(side) != 0) | (np.diff(price) != 0), True) & (lots > 0)
    return side[stands], price[stands], lots[stands]


def never_crosses(book: BookSnapshot, levels: Levels) -> None:
    """At the end of every tick the best bid is below the best ask.

    A level stands from a change to the next one of its price; the first instant is before all changes.
    """
    if not len(levels):
        return
    first, last = int(levels.tick[0]), int(levels.tick[-1])
    best = []
    for side, prices, sign in ((BookSide.BID, book.bid_ticks, 1), (BookSide.ASK, book.ask_ticks, -1)):
        rows = np.flatnonzero(levels.side == side)
        price = np.concatenate([prices, levels.price_ticks[rows]])
        tick = np.concatenate([np.full(len(prices), first - 1), levels.tick[rows]])
        stands = np.concatenate([np.ones(len(prices), bool), levels.qty_lots[rows] > 0])
        order = np.lexsort((tick, price))
        price, tick, stands = price[order], tick[order], stands[order]
        until = np.where(np.diff(price, append=-1) == 0, np.append(tick[1:], 0), last + 1)
        span = (tick[stands] - first + 1, until[stands] - first + 1)
        best.append(sign * highest(sign * price[stands], *span, last - first + 2))
    bid, ask = best
    assert (bid < ask).all()


def highest(price: Column, begin: Column, end: Column, length: int) -> Column:
    """At each of so many instants the highest price of those that stand in [begin, end), which is not empty.

    A stretch is covered by two that overlap, each a power of two long; long ones are then halved, down to instants.
    """
    power = np.frexp((end - begin).astype(np.float64))[1] - 1
    covered = np.full((length.bit_length(), length), np.iinfo(np.int64).min // 2)
    np.maximum.at(covered, (power, begin), price)
    np.maximum.at(covered, (power, end - (1 << power)), price)
    for i in range(len(covered) - 1, 0, -1):
        half, stop = 1 << i - 1, max(length - (1 << i) + 1, 0)
        np.maximum(covered[i - 1, :stop], covered[i, :stop], out=covered[i - 1, :stop])
        later = covered[i - 1, half : half + stop]
        np.maximum(later, covered[i, :stop], out=later)
    found: Column = covered[0]
    return found


def test_the_highest_is_found() -> None:
    """As it is by looking at every instant."""
    draws = np.random.default_rng(3)
    begin = np.concatenate([[0], draws.integers(0, 99, 60)])
    end = np.concatenate([[100], begin[1:] + 1 + draws.integers(0, 99 - begin[1:] + 1)])
    price = np.concatenate([[-5], draws.integers(0, 1_000, 60)])
    looked = [price[(begin <= i) & (i < end)].max() for i in range(100)]
    assert highest(price, begin, end, 100).tolist() == looked

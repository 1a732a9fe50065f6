"""The tape of every preset: no crossed book, minutes that join up, bars and ids that are the skeleton's."""

from __future__ import annotations

import numpy as np
import pytest

from emulator.presets import get_preset
from reactor.runner import Run, Runner
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, SECOND_NS, BookSide, BookSnapshot, Column, Levels, Side
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
    next_trade, next_agg = int(rows.first_trade_id[0]), int(rows.first_agg_id[0])
    for k in range(minutes):
        block, start, end = made.block(k), made.keyframe(k), made.keyframe(k + 1)
        assert (block.quotes.bid_ticks < block.quotes.ask_ticks).all()
        assert (block.quotes.bid_lots > 0).all()
        assert (block.quotes.ask_lots > 0).all()
        assert after(start, block.levels) == contents(end)
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


def contents(book: BookSnapshot) -> dict[tuple[int, int], int]:
    sides = ((BookSide.BID, book.bid_ticks, book.bid_lots), (BookSide.ASK, book.ask_ticks, book.ask_lots))
    return {
        (side, price): qty for side, *rows in sides for price, qty in zip(*map(list_of, rows), strict=True)
    }


def after(book: BookSnapshot, levels: Levels) -> dict[tuple[int, int], int]:
    """The book with the changes in it, in order."""
    found = contents(book)
    columns = (list_of(column) for column in (levels.side, levels.price_ticks, levels.qty_lots))
    found.update({(side, price): qty for side, price, qty in zip(*columns, strict=True)})
    return {level: qty for level, qty in found.items() if qty}


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
        best.append(
            sign
            * highest(
                sign * price[stands], tick[stands] - first + 1, until[stands] - first + 1, last - first + 2
            )
        )
    bid, ask = best
    assert (bid < ask).all()


def highest(price: Column, begin: Column, end: Column, length: int) -> Column:
    """At each of so many instants the highest price of those that stand in [begin, end)."""
    order = np.argsort(-price, kind="stable")
    found = np.full(length, np.iinfo(np.int64).min // 2)
    free = np.arange(length + 1)  # the next instant nobody has filled: a forest of pointers

    def find(i: int) -> int:
        while free[i] != i:
            free[i] = free[free[i]]
            i = int(free[i])
        return i

    for row in order.tolist():
        i = find(int(begin[row]))
        while i < end[row]:
            found[i] = price[row]
            free[i] = i + 1
            i = find(i)
        if find(0) == length:
            break
    return found


def list_of(column: Column) -> list[int]:
    values: list[int] = column.tolist()
    return values

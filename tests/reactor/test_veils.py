"""Veils: a market under one is a market all the same, and without a gap in its ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import pytest

from reactor.bars import Interval
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, SECOND_NS, TICK_NS, Instrument, Quotes, Side
from reactor.veils import Closing, Coarsening, Halt, Opening, Phase, Thinning, Veil, phase_of, step_of
from tests.reactor.test_single_asset import ORIGIN_NS, PERP, SPOT, as_dicts, natural, rows_of
from tests.reactor.test_single_asset import THIN as PURR

FROM_NS = ORIGIN_NS + 70 * SECOND_NS + 130 * TICK_NS
UNTIL_NS = ORIGIN_NS + 200 * SECOND_NS + 50 * TICK_NS
END_NS = ORIGIN_NS + 5 * BLOCK_NS
HALT = Halt(FROM_NS, UNTIL_NS)
AUCTION = Halt(FROM_NS, UNTIL_NS, call_ns=60 * SECOND_NS)
THIN = Thinning(FROM_NS, UNTIL_NS, 2_000)
COARSE = Coarsening(FROM_NS, UNTIL_NS, 10)
VEILS: Mapping[str, tuple[Veil, ...]] = {
    "halt": (HALT,),
    "auction": (AUCTION,),
    "thinning": (THIN,),
    "whole minutes": (Halt(ORIGIN_NS + BLOCK_NS, ORIGIN_NS + 3 * BLOCK_NS),),
    "halt in a thinning": (THIN, Halt(FROM_NS + 10 * SECOND_NS, UNTIL_NS - 10 * SECOND_NS)),
    "coarsening": (COARSE,),
    "coarsening from before": (Coarsening(ORIGIN_NS - BLOCK_NS, UNTIL_NS, 7),),
    "halt in a coarsening": (COARSE, Halt(FROM_NS + 10 * SECOND_NS, UNTIL_NS - 10 * SECOND_NS, SECOND_NS)),
    "coarsening of a halt in a thinning": (
        THIN,
        Halt(FROM_NS + 10 * SECOND_NS, UNTIL_NS + 20 * SECOND_NS, SECOND_NS),
        COARSE,
    ),
    "two coarsenings": (COARSE, Coarsening(FROM_NS + 20 * SECOND_NS, UNTIL_NS + 30 * SECOND_NS, 25)),
    "two halts": (HALT, Halt(UNTIL_NS + 20 * SECOND_NS, UNTIL_NS + 40 * SECOND_NS)),
}
CASES = [
    *((PERP, name) for name in VEILS),
    (SPOT, "auction"),
    (PURR, "two halts"),
    (SPOT, "coarsening"),
    (PURR, "coarsening"),
]


def under(instrument: Instrument, *veils: Veil) -> HyperSynthReactor:
    market = natural(instrument)
    for veil in veils:
        market = veil.laid(market)
    return market


def touch_of(quotes: Quotes) -> tuple[int, ...]:
    """The last one's best levels."""
    return tuple(int(getattr(quotes, f.name)[-1]) for f in fields(quotes)[1:5])


@pytest.mark.parametrize(("instrument", "name"), CASES)
def test_changes_make_the_book_and_it_never_crosses(instrument: Instrument, name: str) -> None:
    """Replayed over the minutes of the veil, in pieces."""
    market = under(instrument, *VEILS[name])
    bids, asks = as_dicts(market.book(ORIGIN_NS))
    last_id = market.update_id(ORIGIN_NS)
    step_ns = 25 * SECOND_NS
    for start_ns in range(ORIGIN_NS, END_NS, step_ns):
        levels = market.window(start_ns, start_ns + step_ns).levels
        for tick, side, price, lots, update_id in rows_of(levels):
            assert update_id >= last_id
            last_id = update_id
            book = asks if side else bids
            if lots:
                book[price] = lots
            else:
                book.pop(price, None)
            assert start_ns <= tick * TICK_NS < start_ns + step_ns
        book_ns = start_ns + step_ns
        assert (bids, asks) == as_dicts(market.book(book_ns))
        assert last_id == market.update_id(book_ns)
        assert max(bids) < min(asks)
        best = (max(bids), bids[max(bids)], min(asks), asks[min(asks)])
        assert touch_of(market.quote(book_ns)) == best
        told = market.window(start_ns, book_ns).quotes
        if len(told):
            assert touch_of(told) == best


@pytest.mark.parametrize(("instrument", "name"), CASES)
def test_bars_are_of_prints_whose_ids_have_no_gap(instrument: Instrument, name: str) -> None:
    market = under(instrument, *VEILS[name])
    prints = market.prints_in(ORIGIN_NS, END_NS)
    ids = prints.trade_id.tolist()
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    assert set(prints.agg_id[1:] - prints.agg_id[:-1]) <= {0, 1}
    assert set(prints.order_id[1:] - prints.order_id[:-1]) <= {0, 1}
    rows = market.minutes(ORIGIN_NS, END_NS + BLOCK_NS)
    for i, start_ns in enumerate(rows.start_ns.tolist()[:-1]):
        mine = market.prints_in(start_ns, start_ns + BLOCK_NS)
        assert rows.n_prints[i] == len(mine)
        assert rows.volume_lots[i] == mine.qty_lots.sum()
        assert rows.first_trade_id[i] + len(mine) == rows.first_trade_id[i + 1]
        if len(mine):
            bar = (rows.open_ticks[i], rows.high_ticks[i], rows.low_ticks[i], rows.close_ticks[i])
            price = mine.price_ticks
            assert bar == (price[0], price.max(), price.min(), price[-1])
            assert rows.first_trade_id[i] == mine.trade_id[0]
        elif i:
            assert rows.close_ticks[i] == rows.close_ticks[i - 1]
    found = market.prints_from_trade(ids[len(ids) // 2], 5, END_NS)
    assert found.trade_id.tolist() == ids[len(ids) // 2 : len(ids) // 2 + 5]
    newest = market.prints_before(END_NS, len(ids))
    assert newest.trade_id.tolist() == ids


def test_nothing_happens_in_a_halt() -> None:
    market, tape = under(PERP, HALT), natural(PERP)
    block = market.window(FROM_NS, UNTIL_NS)
    assert not len(block.prints)
    assert not len(block.quotes)
    assert not len(block.levels)
    assert as_dicts(market.book(UNTIL_NS)) == as_dicts(tape.book(FROM_NS))
    after = market.window(UNTIL_NS, UNTIL_NS + TICK_NS)
    assert len(after.levels)
    assert as_dicts(market.book(UNTIL_NS + TICK_NS)) == as_dicts(tape.book(UNTIL_NS + TICK_NS))
    assert len(tape.window(FROM_NS, UNTIL_NS).prints) > 100


def test_an_auction_ends_with_one_print_of_what_was_not_traded() -> None:
    market, tape = under(PERP, AUCTION), natural(PERP)
    first = market.prints_in(UNTIL_NS, UNTIL_NS + SECOND_NS).cut(0, 1)
    assert int(first.ts_ns[0]) == UNTIL_NS
    assert int(first.price_ticks[0]) == int(tape.quote(UNTIL_NS).ask_ticks[0])
    assert int(first.qty_lots[0]) == tape.prints_in(FROM_NS, UNTIL_NS).qty_lots.sum()
    (before,) = market.prints_before(UNTIL_NS, 1).trade_id.tolist()
    assert first.trade_id.tolist() == [before + 1]


def test_a_book_thins_to_its_share_and_comes_back() -> None:
    market, tape = under(PERP, THIN), natural(PERP)
    for at_ns, share in (
        (FROM_NS, 1.0),
        (FROM_NS + TICK_NS, 0.03),
        (UNTIL_NS, 0.03),
        (UNTIL_NS + TICK_NS, 1.0),
    ):
        seen, there = market.book(at_ns).bid_lots.sum(), tape.book(at_ns).bid_lots.sum()
        assert seen / there == pytest.approx(share, abs=0.01)


def test_all_that_a_coarser_market_shows_is_on_its_grid_and_nothing_is_lost() -> None:
    """Bids are rounded down and asks up; what was bought or sold goes to where it rested."""
    market, tape = under(PERP, COARSE), natural(PERP)
    block, fine = market.window(FROM_NS + TICK_NS, UNTIL_NS), tape.window(FROM_NS + TICK_NS, UNTIL_NS)
    for prices in (
        block.prints.price_ticks,
        block.quotes.bid_ticks,
        block.quotes.ask_ticks,
        block.levels.price_ticks,
    ):
        assert len(prices)
        assert not (prices % 10).any()
    assert (block.quotes.bid_ticks < block.quotes.ask_ticks).all()
    bought = fine.prints.side == Side.BUY
    expected = np.where(bought, -(-fine.prints.price_ticks // 10), fine.prints.price_ticks // 10) * 10
    assert block.prints.price_ticks.tolist() == expected.tolist()
    assert rows_of(block.prints)[0][2:] == rows_of(fine.prints)[0][2:]
    for at_ns in (FROM_NS + TICK_NS, UNTIL_NS - 77 * TICK_NS, UNTIL_NS):
        seen, there = market.book(at_ns), tape.book(at_ns)
        assert seen.bid_lots.sum() == there.bid_lots.sum()
        assert seen.ask_lots.sum() == there.ask_lots.sum()
    for at_ns in (FROM_NS, UNTIL_NS + TICK_NS):
        assert as_dicts(market.book(at_ns)) == as_dicts(tape.book(at_ns))


def test_orders_of_a_coarser_market_find_every_minute_that_may_reach_them() -> None:
    market = under(PERP, COARSE)
    starts, lows, highs = market.extremes(ORIGIN_NS, END_NS)
    rows = market.minutes(ORIGIN_NS, END_NS)
    assert starts.tolist() == rows.start_ns.tolist()
    assert (lows <= rows.low_ticks).all()
    assert (highs >= rows.high_ticks).all()


def test_liquidations_are_of_prints_on_the_grid() -> None:
    """Of the prints that they name they are the sum."""
    end_ns = ORIGIN_NS + 60 * BLOCK_NS
    market = under(PERP, Coarsening(ORIGIN_NS, end_ns, 10))
    told = market.liquidations(ORIGIN_NS, end_ns)
    assert len(told)
    prints = market.prints_in(ORIGIN_NS, end_ns)
    for i in range(len(told)):
        mine = (prints.trade_id >= told.first_trade_id[i]) & (prints.trade_id <= told.last_trade_id[i])
        assert int((prints.price_ticks * prints.qty_lots)[mine].sum()) == int(told.quote_units[i])
        worst = prints.price_ticks[mine].max() if told.side[i] == Side.BUY else prints.price_ticks[mine].min()
        assert int(told.side[i]) * (int(told.price_ticks[i]) - int(worst)) >= 0


def test_liquidations_of_a_halt_are_not_told() -> None:
    market, tape = under(PERP, HALT), natural(PERP)
    told = [rows_of(of.liquidations(ORIGIN_NS, END_NS)) for of in (market, tape)]
    assert len(told[0]) <= len(told[1])
    assert not len(market.liquidations(FROM_NS, UNTIL_NS))


def test_a_listing_has_no_past() -> None:
    market = under(PERP, Opening(ORIGIN_NS + BLOCK_NS))
    assert market.listed_ns == ORIGIN_NS + BLOCK_NS
    assert market.minutes(ORIGIN_NS, END_NS).start_ns.tolist()[0] == ORIGIN_NS + BLOCK_NS
    bars = market.bars.bars(Interval(3_600 * SECOND_NS), ORIGIN_NS - 3_600 * SECOND_NS, END_NS, END_NS)
    assert len(bars) == 1
    assert int(bars.n_prints[0]) == int(market.minutes(ORIGIN_NS, END_NS).n_prints.sum())
    assert len(market.prints_before(END_NS, 10**6)) == int(market.minutes(ORIGIN_NS, END_NS).n_prints.sum())


def test_phases() -> None:
    veils = (THIN, AUCTION, Closing(END_NS))
    seen = [
        phase_of(veils, at_ns) for at_ns in (FROM_NS - 1, FROM_NS, UNTIL_NS - SECOND_NS, UNTIL_NS, END_NS)
    ]
    assert seen == [Phase.TRADING, Phase.HALTED, Phase.CALL, Phase.TRADING, Phase.CLOSED]
    assert phase_of((Opening(END_NS), AUCTION), FROM_NS) is Phase.UNLISTED
    coarser = Coarsening(FROM_NS, END_NS, 5)
    steps = [step_of((THIN, COARSE, coarser), at_ns) for at_ns in (FROM_NS - 1, FROM_NS, END_NS)]
    assert steps == [1, 5, 1]

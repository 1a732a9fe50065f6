"""Veils: a market under one is a market all the same, and without a gap in its ids."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from reactor.bars import Interval
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, SECOND_NS, TICK_NS, Instrument
from reactor.veils import Closing, Halt, Opening, Phase, Thinning, Veil, phase_of
from tests.reactor.test_single_asset import ORIGIN_NS, PERP, SPOT, as_dicts, natural, rows_of
from tests.reactor.test_single_asset import THIN as PURR

FROM_NS = ORIGIN_NS + 70 * SECOND_NS + 130 * TICK_NS
UNTIL_NS = ORIGIN_NS + 200 * SECOND_NS + 50 * TICK_NS
END_NS = ORIGIN_NS + 5 * BLOCK_NS
HALT = Halt(FROM_NS, UNTIL_NS)
AUCTION = Halt(FROM_NS, UNTIL_NS, call_ns=60 * SECOND_NS)
THIN = Thinning(FROM_NS, UNTIL_NS, 2_000)
VEILS: Mapping[str, tuple[Veil, ...]] = {
    "halt": (HALT,),
    "auction": (AUCTION,),
    "thinning": (THIN,),
    "whole minutes": (Halt(ORIGIN_NS + BLOCK_NS, ORIGIN_NS + 3 * BLOCK_NS),),
    "halt in a thinning": (THIN, Halt(FROM_NS + 10 * SECOND_NS, UNTIL_NS - 10 * SECOND_NS)),
    "two halts": (HALT, Halt(UNTIL_NS + 20 * SECOND_NS, UNTIL_NS + 40 * SECOND_NS)),
}
CASES = [*((PERP, name) for name in VEILS), (SPOT, "auction"), (PURR, "two halts")]


def under(instrument: Instrument, *veils: Veil) -> HyperSynthReactor:
    market = natural(instrument)
    for veil in veils:
        market = veil.laid(market)
    return market


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
        quote = market.quote(book_ns)
        assert (int(quote.bid_ticks[0]), int(quote.ask_ticks[0])) == (max(bids), min(asks))


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

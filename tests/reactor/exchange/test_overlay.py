"""The rules of the queue, on a tape of a few rows written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reactor.exchange.orders import SelfTrade, Why
from reactor.exchange.overlay import Change, Ended, Execution, Overlay, Resting
from reactor.exchange.tape import TapeIndex
from reactor.manifest import SimulationManifest
from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    MS_NS,
    SECOND_NS,
    TICK_NS,
    Block,
    BookSide,
    BookSnapshot,
    Column,
    Levels,
    Minutes,
    Prints,
    Quotes,
    Seconds,
    Side,
)
from tests.handmade import Rows, columns

BUY, SELL = Side.BUY, Side.SELL
BID, ASK = BookSide.BID, BookSide.ASK
ORIGIN_NS = 20_000 * DAY_NS
FIRST_IDS = (1_000, 500, 200, 9_000)  # trade, aggregate, order, update


@dataclass
class ShortTape:
    """A day whose first minute has these rows; after it nothing happens. Times are ns from its start.

    prints: (ts, price, lots, side, aggregate, order), the last two counted from 0; quotes: (ts, bid, bid_lots, ask,
    ask_lots); levels: (tick, side, price, lots). The book starts at 100 x 10, 99 x 20 against 101 x 10, 102 x 20.
    """

    prints: Rows = ()
    quotes: Rows = ()
    levels: Rows = ()
    low: int = 90
    high: int = 110
    later_bids: Sequence[tuple[int, int]] = ((100, 10), (99, 20))
    origin_ns: int = ORIGIN_NS
    made: list[int] = field(default_factory=list)  # minutes whose block was asked for
    skeleton: Any = field(default_factory=lambda: SimpleNamespace(manifest=SimulationManifest()))

    def keyframe(self, k: int) -> BookSnapshot:
        bids = self.later_bids if k else ((100, 10), (99, 20))
        sides = [np.array(side).T for side in (bids, ((101, 10), (102, 20)))]
        return BookSnapshot(ORIGIN_NS + k * BLOCK_NS, FIRST_IDS[3], *sides[0], *sides[1])

    def block(self, k: int) -> Block:
        self.made.append(k)
        start_ns, trade, agg, order = ORIGIN_NS + k * BLOCK_NS, *FIRST_IDS[:3]
        tick, update = start_ns // TICK_NS, FIRST_IDS[3]
        prints = [
            (start_ns + r[0], *r[1:4], trade + i, agg + r[4], order + r[5]) for i, r in enumerate(self.prints)
        ]
        quotes = [(start_ns + r[0], *r[1:], update + i) for i, r in enumerate(self.quotes)]
        levels = [(tick + r[0], *r[1:], update + r[0]) for r in self.levels]
        kept = slice(0, None if k == 0 else 0)
        return Block(
            start_ns,
            start_ns + BLOCK_NS,
            columns(Quotes, quotes[kept], 6),
            columns(Prints, prints[kept], 7),
            columns(Levels, levels[kept], 5),
        )

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        starts = range(start_ns, end_ns, BLOCK_NS)
        rows = [(ns, 100, self.high, self.low, 100, *[0] * 5, *FIRST_IDS) for ns in starts]
        return columns(Minutes, rows, 14)

    def extremes(self, start_ns: int, end_ns: int) -> tuple[Column, Column, Column]:
        rows = self.minutes(start_ns, end_ns)
        return rows.start_ns, rows.low_ticks, rows.high_ticks

    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        return columns(Seconds, [(ns, 100, 0, 0) for ns in range(start_ns, end_ns, SECOND_NS)], 4)


def overlay(**rows: Any) -> Overlay:
    return Overlay(TapeIndex(ShortTape(**rows)), ORIGIN_NS)


def rest(
    floor: Overlay, number: int, side: Side, price: int, lots: int, account: str = "a", **more: Any
) -> Resting:
    order = Resting(number, account, side, price, lots, **more)
    floor.rest(order)
    return order


def executed(floor: Overlay, upto_ns: int = SECOND_NS) -> list[tuple[int, int, int, int | None]]:
    """(ns from the start, price, lots, maker) of what happens by then."""
    floor.advance(ORIGIN_NS + upto_ns)
    events = floor.empty_outbox().events
    return [
        (e.ts_ns - ORIGIN_NS, e.price_ticks, e.lots, e.maker_id) for e in events if isinstance(e, Execution)
    ]


# ---------------------------------------------------------------- what the tape does to what rests
def test_trades_take_what_is_ahead_and_then_the_order() -> None:
    """6 and 7 lots are sold at its price: of 10 ahead 4 are left, then none, and 3 lots are filled."""
    floor = overlay(prints=[(5, 100, 6, SELL, 0, 0), (7 * MS_NS, 100, 7, SELL, 1, 1)])
    order = rest(floor, 1, BUY, 100, 5)
    assert order.ahead_lots == 10
    assert executed(floor) == [(7 * MS_NS, 100, 3, 1)]
    assert (order.open_lots, order.ahead_lots) == (2, 0)


def test_what_is_cancelled_is_cancelled_all_along_the_queue() -> None:
    """The level goes from 10 to 30, which come behind, then to 15: half of what was ahead went with it."""
    floor = overlay(levels=[(0, BID, 100, 30), (1, BID, 100, 15)])
    order = rest(floor, 1, BUY, 100, 5)
    floor.advance(ORIGIN_NS + TICK_NS)
    assert order.ahead_lots == 10
    floor.advance(ORIGIN_NS + 2 * TICK_NS)
    assert order.ahead_lots == 5


def test_what_was_traded_was_not_cancelled() -> None:
    """4 of 10 lots are sold, and 6 are left: nobody cancelled."""
    floor = overlay(prints=[(5, 100, 4, SELL, 0, 0)], levels=[(0, BID, 100, 6)])
    order = rest(floor, 1, BUY, 100, 5)
    executed(floor)
    assert order.ahead_lots == 6


def test_clients_stand_in_line_with_the_tape_between_them() -> None:
    """10 lots of the tape, a's 5, 8 that came since, b's 5: of 25 lots sold, a gets 5 and b the last 2."""
    floor = overlay(
        levels=[(0, BID, 100, 18)],
        prints=[(2 * TICK_NS, 100, 25, SELL, 0, 0), (3 * TICK_NS, 100, 9, SELL, 1, 1)],
    )
    rest(floor, 1, BUY, 100, 5)
    floor.advance(ORIGIN_NS + TICK_NS)
    rest(floor, 2, BUY, 100, 5, "b")
    assert executed(floor) == [(2 * TICK_NS, 100, 5, 1), (2 * TICK_NS, 100, 2, 2), (3 * TICK_NS, 100, 3, 2)]


@pytest.mark.parametrize(
    ("side", "price", "rows"),
    [
        (BUY, 100, {"prints": [(5, 99, 1, SELL, 0, 0)]}),
        (SELL, 101, {"prints": [(5, 102, 1, BUY, 0, 0)]}),
        (BUY, 100, {"quotes": [(5, 98, 3, 100, 3)]}),
        (SELL, 101, {"quotes": [(5, 103, 3, 104, 3)]}),
    ],
    ids=["sold below", "bought above", "the ask comes to it", "the bid goes beyond it"],
)
def test_what_the_market_goes_through_is_filled_whole(side: Side, price: int, rows: Any) -> None:
    floor = overlay(**rows)
    rest(floor, 1, side, price, 1_000)
    assert executed(floor) == [(5, price, 1_000, 1)]


def test_a_trade_through_comes_after_the_clients_print() -> None:
    """The client's print is the first of that market order, at the better price; later ids are shifted by it."""
    floor = overlay(prints=[(5, 99, 1, SELL, 0, 0)])
    rest(floor, 1, BUY, 100, 3)
    floor.advance(ORIGIN_NS + SECOND_NS)
    (execution,) = floor.empty_outbox().events
    assert isinstance(execution, Execution)
    assert (execution.trade_id, execution.before_id) == (FIRST_IDS[0], FIRST_IDS[0])
    assert (execution.agg_id, execution.tape_order_id) == (FIRST_IDS[1], FIRST_IDS[2])
    assert (execution.aggs, execution.orders) == (1, 0)


def test_a_fill_behind_the_tapes_own_belongs_to_their_aggregate() -> None:
    floor = overlay(prints=[(5, 100, 12, SELL, 0, 0)])
    rest(floor, 1, BUY, 100, 5)
    floor.advance(ORIGIN_NS + SECOND_NS)
    (execution,) = floor.empty_outbox().events
    assert isinstance(execution, Execution)
    assert (execution.lots, execution.trade_id, execution.agg_id) == (2, FIRST_IDS[0] + 1, FIRST_IDS[1])
    assert (execution.aggs, execution.orders) == (0, 0)


def test_a_minute_out_of_reach_is_passed_over_and_the_queue_then_is_what_is_left() -> None:
    """Nothing of the first minute's rows at 80 counts; the next keyframe has 4 lots there."""
    far = ((100, 10), (80, 4))
    tape = ShortTape(levels=[(0, BID, 80, 100)], later_bids=far)
    floor = Overlay(TapeIndex(tape), ORIGIN_NS + TICK_NS)
    order = rest(floor, 1, BUY, 80, 5)
    assert order.ahead_lots == 100
    tape.made.clear()
    floor.advance(ORIGIN_NS + 8 * 60 * BLOCK_NS)
    assert (order.ahead_lots, floor.at_ns) == (100, ORIGIN_NS + 8 * 60 * BLOCK_NS)
    assert not tape.made
    reached = Overlay(
        TapeIndex(ShortTape(levels=[(0, BID, 80, 100)], later_bids=far, low=70)), ORIGIN_NS + TICK_NS
    )
    order = rest(reached, 1, BUY, 80, 5)
    reached.advance(ORIGIN_NS + 2 * BLOCK_NS)
    assert order.ahead_lots == 4


def test_who_joins_a_level_that_nobody_watched_sees_what_is_there() -> None:
    """At 80, out of reach, 100 lots have become 4 when a second order comes: no more than 4 are ahead of either."""
    floor = overlay(levels=[(0, BID, 80, 100), (5, BID, 80, 4)])
    floor.advance(ORIGIN_NS + TICK_NS)
    first = rest(floor, 1, BUY, 80, 5)
    floor.advance(ORIGIN_NS + SECOND_NS)
    assert first.ahead_lots == 100
    second = rest(floor, 2, BUY, 80, 5, "b")
    assert (first.ahead_lots, second.ahead_lots) == (4, 4)


# ---------------------------------------------------------------- taking
def test_a_hole_fills_up_by_halves_in_steps_of_100_ms() -> None:
    """Half-life 1 s: of 1000 lots 933 are missing after 100 ms, 500 after 1 s, 250 after 2 s (1000 * 2 ** -t)."""
    tape = ShortTape(later_bids=((100, 1_000), (99, 20)))
    floor = Overlay(TapeIndex(tape), ORIGIN_NS + BLOCK_NS)
    floor.take(floor.plan("a", SELL, 100, 1_000), "a", 1)
    floor.empty_outbox()
    floor.advance(ORIGIN_NS + BLOCK_NS + 12 * SECOND_NS)
    missing = {
        c.ts_ns - ORIGIN_NS - BLOCK_NS: c.hole_lots
        for c in floor.empty_outbox().changes
        if isinstance(c, Change)
    }
    assert all(ns % (100 * MS_NS) == 0 for ns in missing)
    assert [missing[ms * MS_NS] for ms in (100, 1_000, 2_000)] == [933, 500, 250]
    assert list(missing.values())[-1] == 0
    assert next(iter(floor.levels(BID))) == (100, 1_000, 0)


def test_a_taker_goes_from_level_to_level_and_meets_clients_in_line() -> None:
    """At 100 the tape's 10 come before the client's 5."""
    floor = overlay()
    rest(floor, 1, BUY, 100, 5)
    plan = floor.plan("b", SELL, 99, 17)
    assert [(leg.price_ticks, leg.lots, leg.maker and leg.maker.order_id) for leg in plan.legs] == [
        (100, 10, None),
        (100, 5, 1),
        (99, 2, None),
    ]
    floor.take(plan, "b", 2)
    events = floor.empty_outbox().events
    assert [(e.trade_id, e.agg_id, e.tape_order_id) for e in events if isinstance(e, Execution)] == [
        (1_000, 500, 200),
        (1_001, 500, 200),
        (1_002, 501, 200),
    ]
    assert list(floor.levels(BID)) == [(99, 18, 0)]


def test_an_order_in_a_hole_hides_what_comes_back_until_it_trades_with_it() -> None:
    """The tape's ask at 101 was taken; a bid rests at 101; when the ask comes back it is sold to that bid."""
    floor = overlay()
    floor.take(floor.plan("b", BUY, 101, 10), "b", 1)
    rest(floor, 2, BUY, 101, 7)
    floor.empty_outbox()
    assert next(iter(floor.levels(ASK))) == (102, 20, 0)
    assert executed(floor) == [(100 * MS_NS, 101, 7, 2)]


@pytest.mark.parametrize("rule", [SelfTrade.EXPIRE_TAKER, SelfTrade.EXPIRE_MAKER, SelfTrade.EXPIRE_BOTH])
def test_who_gives_way_when_an_account_meets_itself(rule: SelfTrade) -> None:
    """Behind the tape's 10 lots stands its own order; beyond it are 20 more at 99."""
    floor = overlay()
    rest(floor, 1, BUY, 100, 5)
    plan = floor.plan("a", SELL, 99, 12, self_trade=rule)
    maker_goes = rule is not SelfTrade.EXPIRE_TAKER
    assert plan.clash is (rule is not SelfTrade.EXPIRE_MAKER)
    assert plan.lots == (12 if rule is SelfTrade.EXPIRE_MAKER else 10)
    floor.take(plan, "a", 2)
    ended = [e for e in floor.empty_outbox().events if isinstance(e, Ended)]
    assert ended == ([Ended(ORIGIN_NS, 1, Why.SELF_TRADE)] if maker_goes else [])
    assert (1 in floor.resting) is not maker_goes


def test_a_reduce_only_order_reduces_and_no_more() -> None:
    """Of a position of 3 lots, an order to sell 5 sells 3, and ends; another that finds nothing left ends with it."""
    floor = overlay(prints=[(5, 102, 1, BUY, 0, 0)])
    floor.positions["a"] = 3
    rest(floor, 1, SELL, 101, 5, reduce_only=True)
    rest(floor, 2, SELL, 103, 1, reduce_only=True)
    floor.advance(ORIGIN_NS + SECOND_NS)
    events = floor.empty_outbox().events
    assert [(e.maker_id, e.lots) for e in events if isinstance(e, Execution)] == [(1, 3)]
    assert {e.order_id for e in events if isinstance(e, Ended)} == {1, 2}
    assert floor.positions["a"] == 0
    assert not floor.resting

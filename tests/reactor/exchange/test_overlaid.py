"""The public face of a market that clients trade on: one book, one tape, consecutive ids, under any commands."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from pydantic import TypeAdapter

from reactor.bars import Interval
from reactor.book import Ladder
from reactor.exchange.orders import (
    E8,
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Deposit,
    NewOrder,
    OrderFilled,
    PlaceOrder,
    SelfTrade,
    TimeInForce,
    Told,
)
from reactor.exchange.terms import SPOT, House, Terms
from reactor.exchange.trading import FloorState, TradingFloor
from reactor.manifest import SimulationManifest
from reactor.types import BLOCK_NS, SECOND_NS, TICK_NS, Block, BookSide, BookSnapshot, Columns, Prints, Side
from reactor.unified_market import MarketOrchestrationCore
from tests.reactor.exchange.test_trading import BUY, MARKET, SELL, START_NS, Trader, tape, world

END_NS = START_NS - START_NS % (10 * SECOND_NS) + 40 * SECOND_NS


# ---------------------------------------------------------------- commands at random
@dataclass
class Mob:
    """Clients "a" and "b", who place, amend and cancel near the touch at random instants until END_NS."""

    seed: int
    pause_ns: int = 400_000_000

    def __iter__(self) -> Iterator[tuple[int, Callable[[Trader], Command]]]:
        chance = random.Random(self.seed)  # it is the test's own
        at_ns = START_NS
        while True:
            at_ns += chance.randrange(1, 2 * self.pause_ns // TICK_NS) * TICK_NS
            if at_ns >= END_NS:
                return
            yield at_ns, self._command(chance)

    def _command(self, chance: random.Random) -> Callable[[Trader], Command]:
        account, side = chance.choice("ab"), chance.choice((BUY, SELL))
        away, lots = chance.randrange(-40, 60), int(10 ** chance.uniform(0, 5.8))
        rule = chance.choice(list(SelfTrade))
        terms = chance.choice(list(TimeInForce))
        kind, which = chance.random(), chance.random()

        def command(trader: Trader) -> Command:
            bid, _, ask, _ = trader.touch()
            price = (bid if side == BUY else ask) - side * away
            open_orders = trader.floor.open_orders(account)
            if open_orders and kind > 0.6:
                order = open_orders[int(which * len(open_orders))]
                if kind > 0.9:
                    return CancelOrder(account, MARKET.market, order.id)
                return AmendOrder(account, MARKET.market, order.id, price, lots)
            if kind < 0.02:
                return CancelAll(account)
            limit = None if kind < 0.12 else price
            return PlaceOrder(
                NewOrder(account, MARKET.market, side, limit, lots, time_in_force=terms, self_trade=rule)
            )

        return command


def run(mob: Mob, step_ns: int | None = None) -> tuple[Trader, list[Told]]:
    """Everything that is told until END_NS, time going in steps of that length between commands, or at once."""
    trader = Trader()
    told: list[Told] = []
    for at_ns, command in mob:
        while step_ns is not None and trader.now_ns + step_ns < at_ns:
            told += trader.step(step_ns)
            trader.floor.next_ns()
        told += trader.step(at_ns - trader.now_ns)
        trader.floor.apply(command(trader), at_ns)
    told += trader.step(END_NS - trader.now_ns)
    return trader, told


@pytest.fixture(scope="module", params=[1, 2])
def market(request: pytest.FixtureRequest) -> Trader:
    trader, told = run(Mob(request.param))
    assert sum(isinstance(each.news, OrderFilled) and each.news.fill.maker for each in told) > 5
    return trader


# ---------------------------------------------------------------- properties
def same(first: Columns, second: Columns) -> bool:
    return all(np.array_equal(getattr(first, f.name), getattr(second, f.name)) for f in fields(first))


def public(trader: Trader, start_ns: int, end_ns: int) -> Block:
    return trader.floor.market(MARKET.market).window(start_ns, end_ns)


FROM_NS = START_NS - START_NS % (10 * SECOND_NS)


def test_the_tape_does_not_change(market: Trader) -> None:
    """And the public face does."""
    untouched = Trader().floor.market(MARKET.market).window(FROM_NS, END_NS)
    assert same(untouched.prints, tape().window(FROM_NS, END_NS).prints)
    assert same(untouched.levels, tape().window(FROM_NS, END_NS).levels)
    assert len(public(market, FROM_NS, END_NS).prints) > len(untouched.prints)


def test_ids_are_consecutive_and_time_runs_forward(market: Trader) -> None:
    block = public(market, FROM_NS, END_NS)
    prints = block.prints
    assert set(np.diff(prints.trade_id)) == {1}
    assert set(np.diff(prints.agg_id)) <= {0, 1}
    assert set(np.diff(prints.order_id)) <= {0, 1}
    assert (np.diff(prints.ts_ns) >= 0).all()
    same_agg = np.diff(prints.agg_id) == 0
    assert (np.diff(prints.price_ticks)[same_agg] == 0).all()
    assert (np.diff(prints.order_id)[same_agg] == 0).all()
    same_order = np.diff(prints.order_id) == 0
    assert (np.diff(prints.side)[same_order] == 0).all()
    assert (np.diff(block.quotes.update_id) > 0).all()
    assert (np.diff(block.quotes.ts_ns) > 0).all()


def test_every_fill_is_a_print(market: Trader) -> None:
    prints = public(market, FROM_NS, END_NS).prints
    rows = {
        row[4]: row for row in zip(*(getattr(prints, f.name).tolist() for f in fields(prints)), strict=True)
    }
    fills = [fill for account in "ab" for fill in market.floor.fills(account)]
    assert fills
    for fill in fills:
        ts_ns, price, lots, side, *_ = rows[fill.trade_id]
        aggressor = -fill.side if fill.maker else fill.side
        assert (ts_ns, price, lots, side) == (fill.ts_ns, fill.price_ticks, fill.qty_lots, aggressor)


def test_prints_never_go_through_a_resting_order(market: Trader) -> None:
    """A print of the tape beyond a client's price comes after that client was filled."""
    for account in "ab":
        for order in market.floor.orders(account):
            if order.status.value != "filled" or not order.filled_lots or order.price_ticks is None:
                continue
            prints = tape().window(FROM_NS, END_NS).prints
            rests = (prints.ts_ns >= order.working_ns) & (prints.ts_ns < order.updated_ns)
            beyond = (prints.side == -order.asked.side) & (
                (prints.price_ticks - order.price_ticks) * order.asked.side < 0
            )
            assert not (rests & beyond).any()


def test_windows_join(market: Trader) -> None:
    """However it is cut, the same comes of it."""
    whole = public(market, FROM_NS, END_NS)
    for step_ns in (10 * SECOND_NS, 330_000_000, 7 * SECOND_NS):
        parts = [public(market, ns, min(ns + step_ns, END_NS)) for ns in range(FROM_NS, END_NS, step_ns)]
        for name in ("quotes", "prints", "levels"):
            joined = type(getattr(whole, name)).join([getattr(part, name) for part in parts])
            assert same(joined, getattr(whole, name)), (name, step_ns)


def tops(book: BookSnapshot, n: int) -> list[list[tuple[int, int]]]:
    return [
        list(zip(ticks[:n].tolist(), lots[:n].tolist(), strict=True))
        for ticks, lots in ((book.bid_ticks, book.bid_lots), (book.ask_ticks, book.ask_lots))
    ]


def test_a_kept_book_is_the_book_and_never_crossed(market: Trader) -> None:
    """Snapshot and changes give the book at every boundary, with the same update id, and its best is the quote."""
    face = market.floor.market(MARKET.market)
    levels = face.window(FROM_NS, END_NS).levels
    ladder = Ladder(face.book(FROM_NS))
    tick_of = levels.tick.tolist()
    row = 0
    for at_ns in range(FROM_NS + TICK_NS, END_NS + 1, TICK_NS):
        stop = row
        while stop < len(tick_of) and tick_of[stop] < at_ns // TICK_NS:
            stop += 1
        ladder.apply(levels.cut(row, stop))
        row = stop
        (bid, bid_lots), (ask, ask_lots) = (ladder.top(side, 1)[0] for side in BookSide)
        assert bid < ask
        if at_ns % 70_000_000 == 0:
            book, quote = face.book(at_ns), face.quote(at_ns)
            assert [ladder.top(side, 50) for side in BookSide] == tops(book, 50)
            assert (
                book.update_id
                == face.update_id(at_ns)
                == (levels.update_id[row - 1] if row else book.update_id)
            )
            best = (quote.bid_ticks[0], quote.bid_lots[0], quote.ask_ticks[0], quote.ask_lots[0])
            assert best == (bid, bid_lots, ask, ask_lots)
            assert quote.update_id[0] <= book.update_id


def test_quotes_are_the_best_of_the_book(market: Trader) -> None:
    """At every boundary the newest quote is the best of the book, and no quote is crossed."""
    face = market.floor.market(MARKET.market)
    block = face.window(FROM_NS, END_NS)
    quotes = block.quotes
    assert (quotes.bid_ticks < quotes.ask_ticks).all()
    assert (quotes.bid_lots > 0).all()
    assert (quotes.ask_lots > 0).all()
    ladder = Ladder(face.book(FROM_NS))
    row = 0
    for i in range(len(block.levels)):
        tick = int(block.levels.tick[i])
        if i + 1 < len(block.levels) and block.levels.tick[i + 1] == tick:
            continue
        ladder.apply(block.levels.cut(row, i + 1))
        row = i + 1
        n = int(quotes.ts_ns.searchsorted((tick + 1) * TICK_NS)) - 1
        if n >= 0:
            assert [(int(quotes.bid_ticks[n]), int(quotes.bid_lots[n]))] == ladder.top(BookSide.BID, 1)
            assert [(int(quotes.ask_ticks[n]), int(quotes.ask_lots[n]))] == ladder.top(BookSide.ASK, 1)


def test_bars_count_every_print(market: Trader) -> None:
    """Bars of minutes and of seconds, and the ids they name, are those of the public prints."""
    face = market.floor.market(MARKET.market)
    minute_ns = FROM_NS - FROM_NS % BLOCK_NS
    for length_ns in (BLOCK_NS, SECOND_NS):
        bars = face.bars.bars(Interval(length_ns), minute_ns, END_NS, END_NS)
        for i in range(len(bars)):
            prints = face.window(int(bars.open_ns[i]), min(int(bars.close_ns[i]), END_NS)).prints
            assert len(prints) == bars.n_prints[i]
            if len(prints):
                assert bars.volume_lots[i] == prints.qty_lots.sum()
                assert bars.quote_units[i] == (prints.qty_lots * prints.price_ticks).sum()
                assert bars.taker_buy_lots[i] == prints.qty_lots[prints.side == Side.BUY].sum()
                assert (bars.high_ticks[i], bars.low_ticks[i]) == (
                    prints.price_ticks.max(),
                    prints.price_ticks.min(),
                )
                assert (bars.open_ticks[i], bars.close_ticks[i]) == (
                    prints.price_ticks[0],
                    prints.price_ticks[-1],
                )
                assert (bars.first_trade_id[i], bars.last_trade_id[i]) == (
                    prints.trade_id[0],
                    prints.trade_id[-1],
                )


def test_prints_are_found_by_id_and_from_the_end(market: Trader) -> None:
    face = market.floor.market(MARKET.market)
    prints = face.window(FROM_NS, END_NS).prints
    assert same(face.prints_before(END_NS, 300), prints.cut(len(prints) - 300, len(prints)))
    for i in range(0, len(prints), 97):
        first = int(prints.trade_id[i])
        assert same(face.prints_from_trade(first, 50, END_NS), prints.cut(i, min(i + 50, len(prints))))
        agg = int(prints.agg_id[i])
        found: Prints = face.prints_from_agg(agg, 3, END_NS)
        inside = np.flatnonzero((prints.agg_id >= agg) & (prints.agg_id < agg + 3))
        assert same(found, prints.take(inside))


def test_what_is_foreseen_is_what_comes() -> None:
    """A page made ahead says the same as one made afterwards, as long as no command comes between."""
    trader = Trader()
    bid, lots, ask, _ = trader.touch()
    trader.place(SELL, bid, lots + 10, "b")
    for i in range(5):
        trader.place(BUY, bid - 2 * i, 1_000, time_in_force=TimeInForce.POST_ONLY)
        trader.place(SELL, ask + 2 * i, 1_000)
    start_ns = trader.now_ns - trader.now_ns % (10 * SECOND_NS)
    foreseen = public(trader, start_ns, start_ns + 40 * SECOND_NS)
    while trader.now_ns < start_ns + 40 * SECOND_NS:
        trader.step(70_000_000)
    trader.place(BUY, 1, 1)  # so that what was looked ahead is forgotten
    lived = public(trader, start_ns, start_ns + 40 * SECOND_NS)
    for name in ("quotes", "prints", "levels"):
        assert same(getattr(foreseen, name), getattr(lived, name)), name


@pytest.mark.parametrize("seed", [3])
def test_how_time_passes_changes_nothing(seed: int) -> None:
    """The same commands at the same instants: the same news, whatever the steps."""
    plain: Sequence[Told] = run(Mob(seed))[1]
    assert run(Mob(seed), step_ns=TICK_NS)[1] == plain
    assert run(Mob(seed), step_ns=1_730_000_000)[1] == plain


def test_a_floor_taken_up_again_goes_on_as_before() -> None:
    """From its state, carried by JSON: the same news, and the same public market."""
    mob = list(Mob(4))
    trader = Trader()
    for at_ns, command in mob[: len(mob) // 2]:
        trader.step(at_ns - trader.now_ns)
        trader.floor.apply(command(trader), at_ns)
    trader.floor.news()
    adapter = TypeAdapter(FloorState)
    kept = adapter.validate_json(adapter.dump_json(trader.floor.state()))
    again = Trader()
    again.floor, again.now_ns = TradingFloor(trader.house, world(), START_NS), trader.now_ns
    again.floor.restore(kept)
    assert again.floor.state() == trader.floor.state()
    told: list[list[Told]] = [[], []]
    for at_ns, command in mob[len(mob) // 2 :]:
        for news, one in zip(told, (trader, again), strict=True):
            news.extend(one.step(at_ns - one.now_ns))
            one.floor.apply(command(one), at_ns)
    assert told[0] == told[1]
    assert told[0]
    from_ns = kept.now_ns - kept.now_ns % SECOND_NS + SECOND_NS
    for name in ("quotes", "prints", "levels"):
        first, second = (getattr(public(one, from_ns, END_NS), name) for one in (trader, again))
        assert same(first, second), name
    assert same(public(trader, FROM_NS, END_NS).prints, public(again, FROM_NS, END_NS).prints)


def test_a_minute_without_trades_stands_at_the_last_price_even_a_clients() -> None:
    """On a market where hardly anybody trades, a bar in which nothing happened stands where the one before closed."""
    thin = replace(MARKET, market="spot:THIN", qty_decimals=0)
    quiet = SimulationManifest(initial_price=0.2, trade_intensity_base=0.001, mean_order_notional=60.0)
    quiet_world = MarketOrchestrationCore(7, START_NS - START_NS % BLOCK_NS, [(thin, quiet)])
    house = House({thin.market: Terms(0, 0)}, 1, str)
    floor = TradingFloor(house, quiet_world, START_NS)
    floor.apply(Deposit("a", SPOT, "USDT", 10**9 * E8), START_NS)
    now_ns = START_NS
    for minute in range(12):
        now_ns += BLOCK_NS
        if minute % 4 == 1:
            floor.apply(PlaceOrder(NewOrder("a", thin.market, BUY, None, 10**6)), now_ns)
    face = floor.market(thin.market)
    first_ns = START_NS - START_NS % BLOCK_NS
    bars = face.bars.bars(Interval(BLOCK_NS), first_ns, now_ns, now_ns)
    idle = np.flatnonzero(bars.n_prints[1:] == 0) + 1
    assert len(idle) > 3
    assert (bars.n_prints > 0).sum() >= 3
    for name in ("open_ticks", "high_ticks", "low_ticks", "close_ticks"):
        assert np.array_equal(getattr(bars, name)[idle], bars.close_ticks[idle - 1]), name
    mine = floor.fills("a")[-1].price_ticks
    assert mine in bars.close_ticks.tolist()

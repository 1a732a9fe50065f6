"""The floor: what becomes of orders against the tape, and that nothing but tape and commands decides it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

from reactor.exchange.orders import (
    E8,
    AmendOrder,
    CancelAll,
    CancelOrder,
    Deposit,
    Done,
    Forgotten,
    NewOrder,
    Order,
    OrderEnded,
    OrderFilled,
    OrderStatus,
    PlaceOrder,
    Refusal,
    Refused,
    Remember,
    ScheduleCancel,
    SelfTrade,
    TimeInForce,
    Told,
    Why,
)
from reactor.exchange.terms import PERP, SPOT, House, MarginTier, Terms
from reactor.exchange.trading import TradingFloor
from reactor.manifest import SimulationManifest
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, SECOND_NS, TICK_NS, Instrument, Kind, Side
from reactor.unified_market import MarketOrchestrationCore

BUY, SELL = Side.BUY, Side.SELL
ORIGIN_NS = 1_767_225_600 * SECOND_NS
START_NS = ORIGIN_NS + 3 * BLOCK_NS + 12_340 * 1_000_000
MARKET = Instrument("spot:BTC", "BTCUSDT", "BTC", "BTC", "USDT", Kind.SPOT, 2, 1, 5, 1)


@cache
def world() -> MarketOrchestrationCore:
    return MarketOrchestrationCore(7, ORIGIN_NS, [(MARKET, SimulationManifest())])


def tape() -> HyperSynthReactor:
    return world().market(MARKET.market)


@dataclass
class Trader:
    """A floor of one market and the accounts "a" and "b", both rich; prices are ticks, sizes lots."""

    floor: TradingFloor = field(init=False)
    house: House = field(init=False)
    now_ns: int = START_NS

    def __post_init__(self) -> None:
        self.house = House({MARKET.market: Terms(1_000, 1_000, fee_in_received=True)}, 1, lambda i: f"x{i}")
        self.floor = TradingFloor(self.house, world(), self.now_ns)
        for account in "ab":
            for asset, amount in (("USDT", 10**9), ("BTC", 10**5)):
                self.floor.apply(Deposit(account, SPOT, asset, amount * E8), self.now_ns)
        self.floor.news()

    def place(self, side: Side, price: int | None, lots: int | None, account: str = "a", **more: Any) -> Any:
        order = NewOrder(account, MARKET.market, side, price, lots, **more)
        return self.floor.apply(PlaceOrder(order), self.now_ns)

    def rest(self, side: Side, price: int, lots: int, account: str = "a", **more: Any) -> int:
        """The id of an order that rests whole."""
        order: Order = self.place(side, price, lots, account, **more).order
        assert order.status is OrderStatus.NEW
        return order.id

    def cancel(self, order_id: int, account: str = "a") -> Any:
        return self.floor.apply(CancelOrder(account, MARKET.market, order_id), self.now_ns)

    def order(self, order_id: int, account: str = "a") -> Order:
        order = self.floor.order(account, MARKET.market, order_id)
        assert order is not None
        return order

    def step(self, ns: int) -> Sequence[Told]:
        self.now_ns += ns
        self.floor.advance(self.now_ns)
        return self.floor.news()

    def touch(self) -> tuple[int, int, int, int]:
        """(bid, its lots, ask, its lots) of the tape."""
        book = tape().book(self.now_ns)
        return int(book.bid_ticks[0]), int(book.bid_lots[0]), int(book.ask_ticks[0]), int(book.ask_lots[0])


@pytest.fixture
def trader() -> Trader:
    return Trader()


# ---------------------------------------------------------------- taking
def test_a_market_order_takes_what_is_displayed_best_first(trader: Trader) -> None:
    book = tape().book(trader.now_ns)
    done = trader.place(BUY, None, int(book.ask_lots[:3].sum()) + 1)
    assert [(f.price_ticks, f.qty_lots) for f in done.fills] == [
        *zip(book.ask_ticks[:3].tolist(), book.ask_lots[:3].tolist(), strict=True),
        (int(book.ask_ticks[3]), 1),
    ]
    assert done.order.status is OrderStatus.FILLED


def test_what_was_taken_is_gone_and_comes_back_by_halves(trader: Trader) -> None:
    """Half of it within the half-life of 1 s, as far as the tape still has the level."""
    _, _, ask, lots = trader.touch()
    assert trader.place(BUY, ask, lots).order.status is OrderStatus.FILLED
    assert trader.place(BUY, ask, 1, time_in_force=TimeInForce.IOC).order.filled_lots == 0
    trader.step(SECOND_NS)
    back = int(dict(zip(*(c.tolist() for c in _asks(trader)), strict=True)).get(ask, 0)) - lots // 2
    took = trader.place(BUY, ask, 10**9, time_in_force=TimeInForce.IOC)
    at_ask = sum(f.qty_lots for f in took.fills if f.price_ticks == ask)
    assert at_ask == max(back, 0)


def _asks(trader: Trader) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    book = tape().book(trader.now_ns)
    return book.ask_ticks, book.ask_lots


def test_a_market_order_by_value_spends_at_the_most_that(trader: Trader) -> None:
    _, _, ask, lots = trader.touch()
    units = ask * (lots // 2) + ask - 1
    done = trader.place(BUY, None, None, quote_units=units)
    assert (done.order.qty_lots, done.order.filled_units) == (lots // 2, ask * (lots // 2))


def test_the_terms_of_what_is_left(trader: Trader) -> None:
    """GTC rests, IOC expires, FOK is all or nothing, post-only never takes."""
    _, _, ask, lots = trader.touch()
    killed = trader.place(BUY, ask, lots + 1, time_in_force=TimeInForce.FOK).order
    assert (killed.status, killed.filled_lots, killed.why) == (OrderStatus.EXPIRED, 0, Why.NOT_FILLED_AT_ONCE)
    refused = trader.place(BUY, ask, 1, time_in_force=TimeInForce.POST_ONLY)
    assert refused.refusal is Refusal.WOULD_TAKE
    assert refused.best_ask_ticks == ask
    cut = trader.place(BUY, ask, lots // 2, time_in_force=TimeInForce.FOK).order
    assert cut.status is OrderStatus.FILLED
    left = trader.place(BUY, ask, lots, time_in_force=TimeInForce.IOC).order
    assert (left.status, left.filled_lots) == (OrderStatus.EXPIRED, lots - lots // 2)
    rests = trader.place(BUY, ask, 5).order
    assert (rests.status, rests.open_lots) == (OrderStatus.NEW, 5)


# ---------------------------------------------------------------- clients among each other
def test_two_clients_trade_with_each_other(trader: Trader) -> None:
    """At one price and instant, the maker's price, each told with the same trade id."""
    bid, *_ = trader.touch()
    swept = trader.place(SELL, bid, 10**6, "b", time_in_force=TimeInForce.IOC)
    top = trader.touch()[0]
    maker = trader.rest(BUY, top, 100)
    trader.floor.news()
    done = trader.place(SELL, top, 100, "b")
    assert [(f.price_ticks, f.qty_lots, f.maker) for f in done.fills] == [(top, 100, False)]
    (mine,) = [t.news for t in trader.floor.news() if t.account == "a" and isinstance(t.news, OrderFilled)]
    assert (mine.fill.trade_id, mine.fill.maker, mine.order.id) == (done.fills[0].trade_id, True, maker)
    assert swept.fills[-1].trade_id < done.fills[0].trade_id


@pytest.mark.parametrize(
    ("rule", "taker", "maker"),
    [
        (SelfTrade.EXPIRE_TAKER, OrderStatus.EXPIRED, OrderStatus.NEW),
        (SelfTrade.EXPIRE_MAKER, OrderStatus.NEW, OrderStatus.EXPIRED),
        (SelfTrade.EXPIRE_BOTH, OrderStatus.EXPIRED, OrderStatus.EXPIRED),
        (SelfTrade.NONE, OrderStatus.FILLED, OrderStatus.FILLED),
    ],
)
def test_an_account_does_not_trade_with_itself(
    trader: Trader, rule: SelfTrade, taker: OrderStatus, maker: OrderStatus
) -> None:
    bid, lots, _, _ = trader.touch()
    trader.place(SELL, bid, lots)
    resting = trader.rest(BUY, bid, 7)
    done = trader.place(SELL, bid, 7, self_trade=rule).order
    assert (done.status, trader.order(resting).status) == (taker, maker)
    assert done.why is (Why.SELF_TRADE if taker is OrderStatus.EXPIRED else None)


# ---------------------------------------------------------------- cancelling, amending, timers
def test_a_cancelled_order_is_gone_and_its_money_free(trader: Trader) -> None:
    bid, *_ = trader.touch()
    order_id = trader.rest(BUY, bid - 100, 10)
    assert trader.floor.balance("a", SPOT, "USDT").locked_e8 > 0
    assert trader.cancel(order_id).order.status is OrderStatus.CANCELLED
    assert trader.floor.balance("a", SPOT, "USDT").locked_e8 == 0
    assert trader.cancel(order_id) == Refused(Refusal.UNKNOWN_ORDER)


def test_cancel_all_takes_the_oldest_first(trader: Trader) -> None:
    bid, *_ = trader.touch()
    ids = [trader.rest(BUY, bid - 100 + i, 10) for i in range(3)]
    trader.rest(BUY, bid - 100, 10, "b")
    done = trader.floor.apply(CancelAll("a"), trader.now_ns)
    assert isinstance(done, Done)
    assert [order.id for order in done.orders] == ids
    assert len(trader.floor.open_orders("b")) == 1


def test_an_order_that_shrinks_keeps_its_place_and_one_that_moves_does_not(trader: Trader) -> None:
    bid, *_ = trader.touch()
    first, second = trader.rest(BUY, bid, 50), trader.rest(BUY, bid, 50, "b")

    def amend(price: int, qty: int) -> Any:
        return trader.floor.apply(AmendOrder("a", MARKET.market, first, price, qty), trader.now_ns)

    assert amend(bid, 50) == Refused(Refusal.NO_CHANGE, bid, trader.touch()[2])
    working_ns = trader.order(first).working_ns
    trader.step(TICK_NS)
    assert amend(bid, 20).order.working_ns == working_ns
    assert amend(bid, 60).order.working_ns == trader.now_ns
    while trader.order(second, "b").status is OrderStatus.NEW:
        trader.step(TICK_NS)
    assert trader.order(first).filled_lots == 0 or not trader.order(second, "b").status.open


def test_a_name_is_unique_among_open_orders(trader: Trader) -> None:
    bid, *_ = trader.touch()
    order_id = trader.rest(BUY, bid - 100, 10, client_id="me")
    assert trader.place(BUY, bid - 100, 10, client_id="me").refusal is Refusal.DUPLICATE_CLIENT_ID
    trader.cancel(order_id)
    again = trader.rest(BUY, bid - 100, 10, client_id="me")
    assert trader.floor.order("a", MARKET.market, None, "me") == trader.order(again)


def test_what_is_scheduled_happens_at_its_boundary(trader: Trader) -> None:
    bid, *_ = trader.touch()
    trader.rest(BUY, bid - 100_000, 10)
    at_ns = trader.now_ns + 5 * SECOND_NS
    trader.floor.apply(ScheduleCancel("a", at_ns), trader.now_ns)
    trader.floor.apply(Remember("a", "agent", "0x1", at_ns + 1), trader.now_ns)
    trader.floor.news()
    told = trader.step(10 * SECOND_NS)
    ended, forgotten = (t for t in told if isinstance(t.news, OrderEnded | Forgotten))
    assert isinstance(ended.news, OrderEnded)
    assert (ended.ts_ns, ended.news.order.why) == (at_ns, Why.SCHEDULED)
    assert (forgotten.ts_ns, forgotten.news) == (at_ns + TICK_NS, Forgotten("agent", "0x1"))
    assert trader.floor.remembered("a", "agent") is None


# ---------------------------------------------------------------- reducing
PERP_MARKET = Instrument("perp:BTC", "BTCUSDT", "BTC", "BTC", "USDT", Kind.PERP, 1, 1, 3, 1)


def test_a_reduce_only_order_never_turns_a_position() -> None:
    """A larger one at the market closes it and expires; what waited to reduce it too is gone with it."""
    world = MarketOrchestrationCore(7, ORIGIN_NS, [(PERP_MARKET, SimulationManifest())])
    tiers = (MarginTier(10**9 * E8, 100, 4_000),)
    terms = Terms(200, 500, margin_asset="USDT", tiers=tiers, mark_e8=lambda _: 65_000 * E8)
    floor = TradingFloor(House({PERP_MARKET.market: terms}, 1, str), world, START_NS)
    floor.apply(Deposit("a", PERP, "USDT", 10**7 * E8), START_NS)

    def place(side: Side, price: int | None, lots: int, *, reduce_only: bool = False) -> Any:
        order = NewOrder("a", PERP_MARKET.market, side, price, lots, reduce_only=reduce_only)
        return floor.apply(PlaceOrder(order), START_NS)

    assert place(SELL, None, 5, reduce_only=True).refusal is Refusal.NOTHING_TO_REDUCE
    assert place(BUY, None, 100).order.status is OrderStatus.FILLED
    far = int(world.market(PERP_MARKET.market).quote(START_NS).ask_ticks[0]) + 10_000
    waiting = place(SELL, far, 60, reduce_only=True).order
    closing = place(SELL, None, 250, reduce_only=True).order
    assert (closing.filled_lots, closing.status, closing.why) == (
        100,
        OrderStatus.EXPIRED,
        Why.REDUCED_ENOUGH,
    )
    assert floor.position("a", PERP_MARKET.market).lots == 0
    ended = floor.order("a", PERP_MARKET.market, waiting.id)
    assert ended is not None
    assert (ended.status, ended.why) == (OrderStatus.EXPIRED, Why.REDUCED_ENOUGH)

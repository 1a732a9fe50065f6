"""Orders that wait for a price: they come to the market in the tick in which it comes, whoever looks when."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from reactor.exchange.orders import (
    E8,
    CancelAll,
    CancelOrder,
    Deposit,
    Done,
    Gauge,
    NewOrder,
    OrderEnded,
    OrderFilled,
    OrderPlaced,
    OrderStatus,
    OrderTrails,
    OrderTriggered,
    PlaceOrder,
    PlacePair,
    Refusal,
    Refused,
    TimeInForce,
    Told,
    Trail,
    Trigger,
    Why,
)
from reactor.exchange.terms import PERP, House, MarginTier, Terms
from reactor.exchange.trading import FloorState, TradingFloor
from reactor.exchange.triggers import follow
from reactor.manifest import SimulationManifest
from reactor.types import BLOCK_NS, SECOND_NS, TICK_NS, Instrument, Kind, Side
from reactor.unified_market import MarketOrchestrationCore
from tests.reactor.exchange.test_trading import BUY, ORIGIN_NS, SELL, START_NS

BTC = Instrument("perp:BTC", "BTCUSDT", "BTC", "BTC", "USDT", Kind.PERP, 1, 1, 3, 1)
ETH = Instrument("perp:ETH", "ETHUSDT", "ETH", "ETH", "USDT", Kind.PERP, 2, 1, 3, 1)
END_NS = START_NS + 90 * SECOND_NS
MAX_WAITING = 20


@cache
def world() -> MarketOrchestrationCore:
    manifests = SimulationManifest(), SimulationManifest(initial_price=3_000.0)
    return MarketOrchestrationCore(7, ORIGIN_NS, [*zip((BTC, ETH), manifests, strict=True)])


def mark_ticks(at_ns: int) -> int:
    """A mark that goes up and down by 10 ticks a second, a tick being 0.1 USDT."""
    second = at_ns // SECOND_NS % 40
    return 650_000 + 10 * min(second, 40 - second)


@dataclass
class Pitside:
    """A floor of two perpetuals and the accounts "a" and "b"; prices are ticks, sizes lots."""

    apart: bool = True
    now_ns: int = START_NS
    floor: TradingFloor = field(init=False)

    def __post_init__(self) -> None:
        self.floor = self.new_floor()
        for account in "ab":
            self.floor.apply(Deposit(account, PERP, "USDT", 10**8 * E8), self.now_ns)
        self.floor.news()

    def new_floor(self) -> TradingFloor:
        tiers = (MarginTier(10**10 * E8, 100, 4_000),)

        def terms(tick_e8: int) -> Terms:
            return Terms(
                *(200, 500), margin_asset="USDT", tiers=tiers, mark_e8=lambda ns: mark_ticks(ns) * tick_e8
            )

        each = {BTC.market: terms(E8 // 10), ETH.market: terms(E8 // 100)}
        house = House(each, 1, "x{}".format, max_waiting=MAX_WAITING, triggers_apart=self.apart)
        return TradingFloor(house, world(), self.now_ns)

    def restart(self) -> None:
        """Go on from the state as it is on disk."""
        kept = orjson.loads(orjson.dumps(self.floor.state(), option=orjson.OPT_NON_STR_KEYS))
        self.floor = self.new_floor()
        self.floor.restore(TypeAdapter(FloorState).validate_python(kept))

    def place(
        self,
        side: Side,
        lots: int | None,
        trigger: Trigger | None = None,
        account: str = "a",
        market: str = BTC.market,
        price: int | None = None,
        **more: Any,
    ) -> Any:
        order = NewOrder(account, market, side, price, lots, trigger=trigger, **more)
        return self.floor.apply(PlaceOrder(order), self.now_ns)

    def pair(self, side: Side, lots: int, away: int, account: str = "a", market: str = BTC.market) -> Any:
        """A limit order so far from the last price, and a stop on its other side."""
        last = self.last(market)
        limit = NewOrder(
            *(account, market, side, last - side * away, lots), time_in_force=TimeInForce.POST_ONLY
        )
        stop = NewOrder(account, market, side, None, lots, trigger=Trigger(last + side * away, side is BUY))
        return self.floor.apply(PlacePair(limit, stop), self.now_ns)

    def step(self, ns: int) -> Sequence[Told]:
        self.now_ns += ns
        self.floor.advance(self.now_ns)
        return self.floor.news()

    def last(self, market: str = BTC.market) -> int:
        prints = world().market(market).prints_in(self.now_ns - BLOCK_NS, self.now_ns)
        return int(prints.price_ticks[-1])


@pytest.fixture
def pitside() -> Pitside:
    return Pitside()


def told_of(told: Sequence[Told], kind: type) -> list[Told]:
    return [each for each in told if isinstance(each.news, kind)]


# ---------------------------------------------------------------- when
@pytest.mark.parametrize(("side", "away"), [(BUY, 25), (SELL, -25), (BUY, -25), (SELL, 25)])
def test_it_comes_at_the_end_of_the_tick_in_which_its_price_is_traded(
    pitside: Pitside, side: Side, away: int
) -> None:
    """Stops and take-profits alike; then it is filled at once at the market, by an order of its own."""
    price = pitside.last() + away
    prints = world().market(BTC.market).prints_in(START_NS, END_NS)
    hit = prints.price_ticks >= price if away > 0 else prints.price_ticks <= price
    ts_ns = int(prints.ts_ns[hit.argmax()])
    assert hit.any()
    waiting = pitside.place(side, 5, Trigger(price, rises=away > 0), client_id="mine").order
    assert (waiting.status, pitside.floor.open_orders("a")) == (OrderStatus.WAITING, [])
    told = pitside.step(END_NS - START_NS)
    placed, triggered, comes, *rest = (each for each in told if each.account == "a")
    assert isinstance(placed.news, OrderPlaced)
    assert isinstance(triggered.news, OrderTriggered)
    assert isinstance(comes.news, OrderPlaced)
    assert triggered.ts_ns == comes.ts_ns == ts_ns - ts_ns % TICK_NS + TICK_NS
    assert (comes.news.order.from_id, comes.news.order.asked.client_id) == (waiting.id, "mine")
    assert {each.ts_ns for each in told_of(rest, OrderFilled)} == {triggered.ts_ns}
    known = pitside.floor.order("a", BTC.market, waiting.id)
    assert known is not None
    assert (known.status, known.into_id) == (OrderStatus.TRIGGERED, comes.news.order.id)
    assert pitside.floor.order("a", BTC.market, None, "mine") == pitside.floor.order(
        "a", BTC.market, comes.news.order.id
    )


@pytest.mark.parametrize("rises", [True, False])
def test_the_mark_is_enough_from_the_second_on_in_which_it_is_there(pitside: Pitside, rises: bool) -> None:
    now = mark_ticks(START_NS)
    trigger = Trigger(now + (35 if rises else -35), rises, Gauge.MARK)
    seconds = range(START_NS - START_NS % SECOND_NS, END_NS, SECOND_NS)
    due_ns = next(ns for ns in seconds if (mark_ticks(ns) - trigger.price_ticks) * (1 if rises else -1) >= 0)
    pitside.place(BUY, 5, trigger)
    (triggered,) = told_of(pitside.step(END_NS - START_NS), OrderTriggered)
    assert triggered.ts_ns == due_ns


def test_what_another_client_trades_is_a_price_too(pitside: Pitside) -> None:
    """At the end of the tick that begins with it."""
    book = world().market(BTC.market).book(pitside.now_ns)
    stop = int(book.ask_ticks[3])
    pitside.place(BUY, 5, Trigger(stop, rises=True))
    swept = pitside.place(BUY, int(book.ask_lots[:4].sum()), account="b")
    assert swept.fills[-1].price_ticks == stop
    (triggered,) = told_of(pitside.step(SECOND_NS), OrderTriggered)
    assert triggered.ts_ns == START_NS + TICK_NS


def test_what_is_enough_already_is_refused(pitside: Pitside) -> None:
    last, mark = pitside.last(), mark_ticks(START_NS)
    for trigger in (
        Trigger(last, rises=True),
        Trigger(last, rises=False),
        Trigger(mark, True, Gauge.MARK),
        Trigger(mark, False, Gauge.MARK),
    ):
        assert pitside.place(BUY, 5, trigger).refusal is Refusal.WOULD_TRIGGER
    assert isinstance(pitside.place(BUY, 5, Trigger(last + 1, rises=True)), Done)


# ---------------------------------------------------------------- whoever looks when
def run(steps: Iterator[int], *, apart: bool = True, restarts: bool = False) -> list[Told]:
    """All that is told while two clients place orders with triggers on two markets, time going in such steps."""
    pitside, chance = Pitside(apart), random.Random(3)  # it is the test's own
    told: list[Told] = []
    at_ns = START_NS
    while at_ns < END_NS:
        at_ns += chance.randrange(1, 400) * TICK_NS
        while pitside.now_ns < at_ns:
            told += pitside.step(min(next(steps), at_ns - pitside.now_ns))
            pitside.floor.next_ns()
        if restarts:
            pitside.restart()
        side, account, instrument = chance.choice((BUY, SELL)), chance.choice("ab"), chance.choice((BTC, ETH))
        gauge, away = chance.choice(list(Gauge)), chance.choice((-1, 1)) * chance.randrange(1, 40)
        last = mark_ticks(at_ns) if gauge is Gauge.MARK else pitside.last(instrument.market)
        kind, lots = chance.random(), chance.randrange(1, 1_500)
        trail = (
            Trail(chance.randrange(5, 60), side is BUY, at_once=chance.random() < 0.5) if kind > 0.4 else None
        )
        trigger = Trigger(last + away, away > 0, gauge, trail=trail) if kind < 0.8 else None
        price = pitside.last(instrument.market) - side * away if kind > 0.5 else None
        if kind < 0.2 and not apart:
            pitside.pair(side, lots, abs(away), account, instrument.market)
        else:
            pitside.place(side, lots, trigger, account, instrument.market, price)
        if chance.random() < 0.1:
            pitside.floor.apply(CancelAll(account, waiting=True), at_ns)
        told += pitside.floor.news()
    return told


@pytest.mark.parametrize("apart", [True, False])
def test_nothing_depends_on_when_somebody_looked(apart: bool) -> None:
    """In one go, in steps as uneven as can be, tick by tick now and then, and from what is on disk."""
    told = run(cycle([END_NS]), apart=apart)
    assert len(told_of(told, OrderTriggered)) > 10
    assert len(told_of(told, OrderTrails)) > 3
    assert sum(each.news.order.trailing_ns is not None for each in told_of(told, OrderTriggered)) > 5  # type: ignore[union-attr]
    assert len(told_of(told, OrderFilled)) > 20
    uneven = [TICK_NS, 7 * TICK_NS, SECOND_NS + 3 * TICK_NS, TICK_NS, 61 * TICK_NS, 3 * SECOND_NS]
    assert run(cycle(uneven), apart=apart) == told
    assert run(cycle([113 * TICK_NS]), apart=apart, restarts=True) == told


# ---------------------------------------------------------------- what becomes of it
def test_it_may_come_as_a_limit_order_and_keep_its_id() -> None:
    """In a house that knows one kind of orders."""
    pitside = Pitside(apart=False)
    price = pitside.last() + 25
    order = pitside.place(BUY, 5, Trigger(price, rises=True), price=price - 400, client_id="me").order
    assert pitside.place(BUY, 5, price=price - 400, client_id="me").refusal is Refusal.DUPLICATE_CLIENT_ID
    told = pitside.step(END_NS - START_NS)
    (triggered,) = told_of(told, OrderTriggered)
    known = pitside.floor.order("a", BTC.market, None, "me")
    assert known is not None
    assert (known.id, known.status, known.working_ns) == (order.id, OrderStatus.NEW, triggered.ts_ns)
    assert pitside.floor.apply(CancelAll("a"), pitside.now_ns).orders[0].id == order.id  # type: ignore[union-attr]


def test_one_that_closes_takes_the_position_as_it_is_then(pitside: Pitside) -> None:
    """And is rejected where there is none."""
    pitside.place(BUY, 700)
    price = pitside.last() - 25
    closing = Trigger(price, rises=False, closes=True)
    pitside.place(SELL, None, closing, reduce_only=True)
    pitside.place(SELL, None, closing, "b", reduce_only=True)
    pitside.place(BUY, 34)
    pitside.floor.news()
    told = pitside.step(END_NS - START_NS)
    filled = [each.news.fill for each in told_of(told, OrderFilled) if isinstance(each.news, OrderFilled)]
    assert sum(fill.qty_lots for fill in filled) == 734
    assert pitside.floor.position("a", BTC.market).lots == 0
    (ended,) = told_of(told, OrderEnded)
    assert isinstance(ended.news, OrderEnded)
    assert (ended.account, ended.news.order.status, ended.news.order.refusal) == (
        *("b", OrderStatus.REJECTED),
        Refusal.NOTHING_TO_REDUCE,
    )


def test_one_that_waits_with_a_position_ends_with_it(pitside: Pitside) -> None:
    beside = Trigger(pitside.last() - 10**5, rises=False, closes=True, with_position=True)
    assert pitside.place(SELL, None, beside, reduce_only=True).refusal is Refusal.NO_POSITION
    pitside.place(BUY, 700)
    order = pitside.place(SELL, None, beside, reduce_only=True).order
    pitside.place(SELL, 100)
    assert [each.id for each in pitside.floor.waiting_orders("a")] == [order.id]
    pitside.place(SELL, 1_000)
    ended = pitside.floor.order("a", BTC.market, order.id)
    assert ended is not None
    assert (ended.status, ended.why) == (OrderStatus.EXPIRED, Why.POSITION_CLOSED)


def test_what_cannot_be_placed_when_its_price_comes_is_rejected(pitside: Pitside) -> None:
    """Margin is looked at then, not before."""
    trigger = Trigger(pitside.last() + 25, rises=True)
    order = pitside.place(BUY, 10**9, trigger, price=pitside.last()).order
    told = pitside.step(END_NS - START_NS)
    (ended,) = told_of(told, OrderEnded)
    assert isinstance(ended.news, OrderEnded)
    assert (ended.news.order.id, ended.news.order.status) == (order.id, OrderStatus.REJECTED)
    assert ended.news.order.refusal in (Refusal.INSUFFICIENT_MARGIN, Refusal.LEVERAGE)
    assert pitside.floor.waiting_orders("a") == []


def test_it_may_be_cancelled_and_there_is_a_bound_to_them(pitside: Pitside) -> None:
    """They are apart from orders here: neither a cancel of all orders nor a name concerns both."""
    far = Trigger(pitside.last() + 10**5, rises=True)
    orders = [pitside.place(BUY, 5, far, client_id=f"c{i}").order for i in range(MAX_WAITING)]
    assert pitside.place(BUY, 5, far).refusal is Refusal.TOO_MANY_WAITING
    assert pitside.place(BUY, 5, far, "b", client_id="c0").order.status is OrderStatus.WAITING
    rests = pitside.place(
        BUY, 5, price=pitside.last() - 10**4, client_id="c1", time_in_force=TimeInForce.GTC
    ).order
    cancel = CancelOrder("a", BTC.market, orders[0].id)
    assert pitside.floor.apply(cancel, pitside.now_ns).order.why is Why.ASKED  # type: ignore[union-attr]
    assert pitside.floor.apply(cancel, pitside.now_ns) == Refused(Refusal.UNKNOWN_ORDER)
    assert pitside.floor.apply(CancelAll("a"), pitside.now_ns).orders[0].id == rests.id  # type: ignore[union-attr]
    done = pitside.floor.apply(CancelAll("a", BTC.market, waiting=True), pitside.now_ns)
    assert isinstance(done, Done)
    assert [order.id for order in done.orders] == [order.id for order in orders[1:]]


# ---------------------------------------------------------------- triggers that follow the price
def naive(
    prices: Sequence[int], trail: Trail, start: int | None, rises: bool
) -> tuple[int | None, int | None]:
    """The indices of the price from which on it is followed (-1: from before them all) and of the one that has gone
    back far enough, looked for one by one.
    """
    begun, best = (-1, prices[0]) if start is None else (None, 0)
    for i, price in enumerate(prices):
        if begun is None:
            if price >= start if rises else price <= start:  # type: ignore[operator]
                begun, best = i, price
            continue
        best = min(best, price) if trail.rises else max(best, price)
        back = (price - best if trail.rises else best - price) * 10**6
        if back >= best * trail.callback_e6:
            return begun, i
    return begun, None


@given(
    st.lists(st.integers(9_900, 10_100), min_size=1, max_size=60),
    st.integers(1, 12_000),
    st.booleans(),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_what_has_gone_back_far_enough_is_the_first_of_all_trades_in_whatever_pieces(
    prices: list[int], callback_e6: int, rises: bool, cuts: list[int]
) -> None:
    trail, best, at = Trail(callback_e6, rises), prices[0], 0
    found = None
    for stop in [*sorted(cuts), len(prices)]:
        hit, best = follow(trail, best, np.array(prices[at:stop], np.int64))
        if hit is not None:
            found = at + hit
            break
        at = max(at, min(stop, len(prices)))
    assert found == naive(prices, trail, None, rises)[1]


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize(
    ("away", "callback_e6", "minutes"), [(None, 45, 2), (15, 45, 2), (-15, 45, 2), (None, 2_000, 40)]
)
def test_one_that_follows_comes_in_the_tick_of_the_trade_that_went_back_far_enough(
    side: Side, away: int | None, callback_e6: int, minutes: int
) -> None:
    """From where it is placed, or from a price on; the same whether it is seconds or minutes until then, which pass in
    one step.
    """
    pitside = Pitside()
    last, rises, end_ns = pitside.last(), (away or 0) > 0, START_NS + minutes * BLOCK_NS
    trail = Trail(callback_e6, side is BUY, at_once=away is None)
    prints = world().market(BTC.market).prints_in(START_NS, end_ns)
    start = None if away is None else last + away
    begun, back = naive([last, *prints.price_ticks.tolist()], trail, start, rises)
    assert begun is not None
    assert back is not None
    boundary = [int(ts) - int(ts) % TICK_NS + TICK_NS for ts in prints.ts_ns[[begun - 1, back - 1]].tolist()]
    assert boundary[1] > START_NS + (minutes - 2) * BLOCK_NS // 2  # it takes its time
    order = pitside.place(side, 5, Trigger(start or 0, rises, trail=trail)).order
    told = [each for each in pitside.step(end_ns - START_NS) if each.account == "a"]
    assert [each.ts_ns for each in told_of(told, OrderTriggered)] == boundary[1:]
    assert [each.ts_ns for each in told_of(told, OrderTrails)] == ([] if away is None else boundary[:1])
    known = pitside.floor.order("a", BTC.market, order.id)
    assert known is not None
    assert known.trailing_ns == (START_NS if away is None else boundary[0])
    assert known.asked.trigger is not None
    assert known.asked.trigger.price_ticks == (last if away is None else start)


@pytest.mark.parametrize("rises", [True, False])
def test_one_may_follow_the_mark(rises: bool) -> None:
    """From the second on in which it is there, in its own fineness."""
    pitside = Pitside()
    trail = Trail(100, rises)
    seconds = range(START_NS - START_NS % SECOND_NS + SECOND_NS, END_NS, SECOND_NS)
    marks = [mark_ticks(ns) for ns in seconds]
    start = mark_ticks(START_NS) + (-30 if rises else 30)
    begun, back = naive(marks, trail, start, rises=not rises)
    assert begun is not None
    assert back is not None
    pitside.place(BUY if rises else SELL, 5, Trigger(start, not rises, Gauge.MARK, trail=trail))
    told = pitside.step(END_NS - START_NS)
    assert [each.ts_ns for each in told_of(told, OrderTrails)] == [seconds[begun]]
    assert [each.ts_ns for each in told_of(told, OrderTriggered)] == [seconds[back]]


def test_one_follows_what_other_clients_trade_in_the_order_in_which_they_do(pitside: Pitside) -> None:
    """Up to the fourth ask and back to the bid within one tick is far enough; the other way round it is not."""
    book = world().market(BTC.market).book(pitside.now_ns)
    top, bottom = int(book.ask_ticks[3]), int(book.bid_ticks[0])
    callback_e6 = (top - bottom) * 10**6 // top
    orders = [pitside.place(SELL, 5, Trigger(0, True, trail=Trail(callback_e6, False, at_once=True))).order]
    for side, lots in ((BUY, int(book.ask_lots[:4].sum())), (SELL, 5)):
        pitside.place(side, lots, account="b")
        orders.append(
            pitside.place(SELL, 5, Trigger(0, True, trail=Trail(callback_e6, False, at_once=True))).order
        )
    (first, *_) = told_of(pitside.step(SECOND_NS), OrderTriggered)
    assert (first.ts_ns, first.news.order.id) == (START_NS + TICK_NS, orders[0].id)  # type: ignore[union-attr]


# ---------------------------------------------------------------- families
def family(pitside: Pitside, parent: Any, *aways: int) -> list[Any]:
    """Children of an order, which sell where the price falls or rises by so much."""
    last = pitside.last()
    return [
        pitside.place(SELL, 5, Trigger(last + away, away > 0, parent_id=parent.id)).order for away in aways
    ]


def test_children_look_for_no_price_before_their_parent_is_filled() -> None:
    """Then they do, and the first that is filled has the other cancelled."""
    pitside = Pitside(apart=False)
    parent = pitside.place(BUY, 5, price=pitside.last() - 40).order
    loss, profit = family(pitside, parent, -20, 20)
    prints = world().market(BTC.market).prints_in(START_NS, END_NS)
    low = int(prints.ts_ns[(prints.price_ticks <= pitside.last() - 20).argmax()])
    told = pitside.step(END_NS - START_NS)
    filled = [each.news.order for each in told_of(told, OrderFilled)]  # type: ignore[union-attr]
    (triggered,) = told_of(told, OrderTriggered)
    assert [order.id for order in filled] == [parent.id, triggered.news.order.id]  # type: ignore[union-attr]
    parent_ns = next(each.ts_ns for each in told_of(told, OrderFilled))
    assert low < parent_ns <= triggered.ts_ns
    (ended,) = told_of(told, OrderEnded)
    assert isinstance(ended.news, OrderEnded)
    assert (ended.news.order.why, ended.ts_ns) == (Why.SIBLING_FILLED, triggered.ts_ns)
    assert {ended.news.order.id, filled[1].id} == {loss.id, profit.id}


def test_children_go_with_a_parent_that_is_not_filled() -> None:
    """And a restart knows whose they are."""
    pitside = Pitside(apart=False)
    parent = pitside.place(BUY, 5, price=pitside.last() - 10**5).order
    children = family(pitside, parent, -20, 20)
    pitside.step(1_000 * TICK_NS)
    pitside.restart()
    assert told_of(pitside.step(END_NS - pitside.now_ns), OrderTriggered) == []
    assert len(pitside.floor.waiting_orders("a")) == 2
    pitside.floor.apply(CancelOrder("a", BTC.market, parent.id), pitside.now_ns)
    ended = [each.news.order.id for each in told_of(pitside.floor.news(), OrderEnded)]  # type: ignore[union-attr]
    assert ended == [parent.id, *(child.id for child in children)]
    late = Trigger(pitside.last() + 5, rises=True, parent_id=parent.id)
    assert pitside.place(SELL, 5, late).refusal is Refusal.UNKNOWN_ORDER


# ---------------------------------------------------------------- pairs
@pytest.mark.parametrize("side", [BUY, SELL])
def test_of_a_pair_what_comes_first_ends_the_other(side: Side) -> None:
    """A fill of the one that rests, or the price that the other waits for; each of which comes on one side here."""
    pitside = Pitside(apart=False)
    done = pitside.pair(side, 5, 28)
    assert isinstance(done, Done)
    limit, stop = done.orders
    assert (limit.status, stop.status, limit.pair_id) == (OrderStatus.NEW, OrderStatus.WAITING, stop.pair_id)
    told = pitside.step(END_NS - START_NS)
    filled = [each.news.order.id for each in told_of(told, OrderFilled)]  # type: ignore[union-attr]
    (ended,) = told_of(told, OrderEnded)
    assert isinstance(ended.news, OrderEnded)
    assert (ended.news.order.status, ended.news.order.why) == (OrderStatus.EXPIRED, Why.PARTNER_FIRST)
    assert {filled[0], ended.news.order.id} == {limit.id, stop.id}
    assert ended.number < told_of(told, OrderFilled)[0].number
    assert pitside.floor.open_orders("a") == pitside.floor.waiting_orders("a") == []


def test_a_pair_is_cancelled_together_and_placed_together() -> None:
    pitside = Pitside(apart=False)
    limit, stop = pitside.pair(BUY, 5, 10**4).orders
    pitside.restart()
    pitside.floor.apply(CancelOrder("a", BTC.market, stop.id), pitside.now_ns)
    ended = [each.news.order for each in told_of(pitside.floor.news(), OrderEnded)]  # type: ignore[union-attr]
    assert [(o.id, o.status) for o in ended] == [
        (stop.id, OrderStatus.CANCELLED),
        (limit.id, OrderStatus.CANCELLED),
    ]
    assert pitside.pair(BUY, 5, -(10**4)).refusal is Refusal.WOULD_TAKE
    assert pitside.floor.open_orders("a") == pitside.floor.waiting_orders("a") == []

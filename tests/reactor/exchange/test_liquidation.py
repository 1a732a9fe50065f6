"""Margin on the floor: who is called, who is closed by force, and when funding is settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import pytest

from reactor.exchange.orders import (
    E8,
    Deposit,
    Done,
    Funded,
    Liquidated,
    MarginCalled,
    MoneyMoved,
    NewOrder,
    OrderEnded,
    OrderFilled,
    OrderStatus,
    PlaceOrder,
    SetLeverage,
    SetMarginMode,
    Settlement,
    Told,
    Why,
)
from reactor.exchange.terms import PERP, House, MarginTier, Terms
from reactor.exchange.trading import TradingFloor
from reactor.manifest import SimulationManifest
from reactor.types import BLOCK_NS, SECOND_NS, TICK_NS, Instrument, Kind, Side
from reactor.unified_market import MarketOrchestrationCore

ORIGIN_NS = 1_767_225_600 * SECOND_NS
START_NS = ORIGIN_NS + 3 * BLOCK_NS
FALL_NS = START_NS + 5 * SECOND_NS  # when the mark falls, on a whole second
SETTLED_NS = START_NS + 3 * SECOND_NS
PERPETUAL = Instrument("perp:BTC", "BTCUSDT", "BTC", "BTC", "USD", Kind.PERP, 2, 1, 3, 1)
TIERS = (MarginTier(10**9 * E8, 100, 4_000),)
Kinds = TypeVar("Kinds")


@cache
def world() -> MarketOrchestrationCore:
    return MarketOrchestrationCore(7, ORIGIN_NS, [(PERPETUAL, SimulationManifest())])


class Desk:
    """An account that bought 1 BTC at a leverage of 100 with 1,000 dollars, no fees, and its news since then.

    The mark is where it bought until FALL_NS, and `fall` dollars lower from then on; the tape knows nothing of it.
    """

    def __init__(self, fall: int = 0, side: Side = Side.BUY, *, isolated: bool = False) -> None:
        self.entry_e8 = 0
        house = House({PERPETUAL.market: self.terms(fall * side)}, 1, lambda i: f"x{i}", {}, 800_000)
        self.floor = TradingFloor(house, world(), START_NS)
        self.floor.apply(Deposit("me", PERP, "USD", 1_000 * E8), START_NS)
        self.entry_e8 = self.floor_price()
        self.floor.apply(SetLeverage("me", PERPETUAL.market, 100), START_NS)
        self.floor.apply(SetMarginMode("me", PERPETUAL.market, isolated), START_NS)
        bought = self.floor.apply(PlaceOrder(self.order(side, None, 1_000)), START_NS)
        assert isinstance(bought, Done)
        assert bought.order.status is OrderStatus.FILLED
        self.entry_e8 = bought.order.filled_units * E8 // 100_000
        self.floor.news()

    def floor_price(self) -> int:
        return int(world().market(PERPETUAL.market).quote(START_NS).bid_ticks[-1]) * E8 // 100

    def terms(self, fall: int) -> Terms:
        mark_e8: Callable[[int], int] = lambda at_ns: self.entry_e8 - (fall * E8 if at_ns >= FALL_NS else 0)
        settlement = Settlement(SETTLED_NS, 100_000_000, 60_000 * E8)
        settled: Callable[[int, int], Sequence[Settlement]] = lambda after_ns, upto_ns: (
            [settlement] if after_ns < SETTLED_NS <= upto_ns else []
        )
        return Terms(0, 0, margin_asset="USD", tiers=TIERS, mark_e8=mark_e8, settlements=settled)

    @staticmethod
    def order(side: Side, price: int | None, lots: int) -> NewOrder:
        return NewOrder("me", PERPETUAL.market, side, price, lots)

    def live(self, until_ns: int) -> list[Told]:
        self.floor.advance(until_ns)
        return list(self.floor.news())


def of_kind(told: Sequence[Told], kind: type[Kinds]) -> list[Kinds]:
    return [each.news for each in told if isinstance(each.news, kind)]


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_who_needs_more_than_he_has_is_closed_at_the_next_whole_second(side: Side) -> None:
    """A fall of 780 leaves less than the 0.4 % of about 65,000 that a position needs."""
    desk = Desk(780, side)
    assert not of_kind(desk.live(FALL_NS - TICK_NS), Liquidated)
    told = desk.live(FALL_NS)
    (liquidated,) = of_kind(told, Liquidated)
    assert liquidated.equity_e8 < liquidated.maintenance_e8
    assert [position.lots for position in liquidated.positions] == [side * 1_000]
    fills = [filled.fill for filled in of_kind(told, OrderFilled)]
    assert sum(fill.qty_lots for fill in fills) == 1_000
    assert all(fill.liquidation and not fill.maker and fill.side == -side for fill in fills)
    assert {moved.cause for moved in of_kind(told, MoneyMoved)} == {"liquidation"}
    assert not desk.floor.positions("me")
    assert (
        desk.floor.balance("me", PERP, "USD").total_e8
        == sum(f.realized_e8 for f in fills) + 1_000 * E8 - 6 * side * E8
    )


def test_orders_of_a_liquidated_account_are_cancelled_first() -> None:
    desk = Desk(780)
    placed = desk.floor.apply(PlaceOrder(desk.order(Side.SELL, 9_000_000, 1_000)), START_NS)
    assert isinstance(placed, Done)
    told = desk.live(FALL_NS)
    news = [each.news for each in told]
    (cancelled,) = [ended for ended in of_kind(told, OrderEnded) if ended.order.id == placed.order.id]
    assert (cancelled.order.status, cancelled.order.why) == (OrderStatus.CANCELLED, Why.LIQUIDATION)
    first_fill = next(i for i, each in enumerate(news) if isinstance(each, OrderFilled))
    assert news.index(cancelled) < first_fill


def test_an_isolated_position_is_closed_alone_and_the_wallet_keeps_the_rest() -> None:
    """A hundredth of about 65,000 is its own, of the account's 1,000: a fall of 780 is more than that."""
    desk = Desk(780, isolated=True)
    own_e8 = desk.floor.position("me", PERPETUAL.market).isolated_e8
    assert own_e8 == -(-desk.entry_e8 // 100)
    free_e8 = desk.floor.balance("me", PERP, "USD").free_e8
    told = desk.live(FALL_NS)
    (liquidated,) = of_kind(told, Liquidated)
    assert liquidated.equity_e8 == own_e8 - 6 * E8 - 780 * E8  # 6 of funding
    assert all(filled.fill.liquidation for filled in of_kind(told, OrderFilled))
    assert not desk.floor.positions("me")
    left = desk.floor.balance("me", PERP, "USD")
    assert (left.locked_e8, left.free_e8 >= free_e8) == (0, True)


def test_who_has_nearly_used_up_his_margin_is_called_once_and_keeps_his_position() -> None:
    """A fall of 680 leaves about 314 where about 257 are needed: more than 80 %."""
    desk = Desk(680)
    told = desk.live(FALL_NS + 3 * SECOND_NS)
    (called,) = of_kind(told, MarginCalled)
    assert [position.lots for position in called.positions] == [1_000]
    assert not of_kind(told, Liquidated)
    assert desk.floor.position("me", PERPETUAL.market).lots == 1_000


def test_who_has_enough_hears_nothing() -> None:
    told = Desk(100).live(FALL_NS + 3 * SECOND_NS)
    assert not of_kind(told, MarginCalled)
    assert not of_kind(told, Liquidated)


@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_funding_is_settled_once_at_its_instant(side: Side) -> None:
    """0.01 % of 1 * 60,000."""
    desk = Desk(0, side)
    assert not of_kind(desk.live(SETTLED_NS - TICK_NS), Funded)
    told = desk.live(SETTLED_NS + 3 * SECOND_NS)
    (funded,) = of_kind(told, Funded)
    assert funded.payment.paid_e8 == side * 6 * E8
    assert desk.floor.fundings("me") == [funded.payment]
    assert [moved.delta_e8 for moved in of_kind(told, MoneyMoved)] == [(-side * 6 * E8,)]

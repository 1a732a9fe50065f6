"""The ledger: what orders lock, what fills move, what positions need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reactor.exchange.ledger import Ledger, Pool, Risk
from reactor.exchange.orders import (
    E8,
    Balance,
    Fill,
    NewOrder,
    Order,
    OrderStatus,
    Position,
    Refusal,
    Settlement,
)
from reactor.exchange.terms import PERP, SPOT, House, MarginTier, Terms
from reactor.types import Instrument, Kind, Side

BUY, SELL = Side.BUY, Side.SELL


# Prices in cents, sizes in thousandths: 1 tick * 1 lot is 0.00001 USD.
def instrument(market: str, kind: Kind, quote: str = "USD") -> Instrument:
    return Instrument(market, market, "BTC", "BTC", quote, kind, 2, 1, 3, 1)


TIERS = (
    MarginTier(50_000 * E8, 100, 4_000),
    MarginTier(250_000 * E8, 50, 5_000, 50 * E8),
    MarginTier(1_000_000 * E8, 20, 10_000, 1_300 * E8),
)
RECEIVED = Terms(maker_fee_e6=1_000, taker_fee_e6=1_000, fee_in_received=True)
QUOTE = Terms(maker_fee_e6=1_000, taker_fee_e6=2_000)
MARGINED = Terms(maker_fee_e6=200, taker_fee_e6=500, margin_asset="USD", tiers=TIERS)
OPENING = {(SPOT, "USD"): 1_000 * E8, (SPOT, "BTC"): 2 * E8, (PERP, "USD"): 1_000 * E8}


class Desk:
    """A ledger, marks to set by hand, and orders that number themselves."""

    def __init__(self, house: House | None = None) -> None:
        self.marks = {"perp": 100 * E8, "other": 100 * E8}
        self.house = house or House(
            {"spot": RECEIVED, "quoted": QUOTE, "perp": MARGINED, "other": MARGINED}, 1, str, OPENING
        )
        instruments = [
            instrument(m, Kind.PERP if t.margin_asset else Kind.SPOT) for m, t in self.house.terms.items()
        ]
        self.ledger = Ledger(self.house, instruments, self.marks.__getitem__)
        self.ledger.open("me", funded=True)
        self.orders = 0

    def order(
        self, market: str, side: Side, price: int, lots: int, account: str = "me", **more: object
    ) -> Order:
        self.orders += 1
        asked = replace(NewOrder(account, market, side, price, lots), **more)  # type: ignore[arg-type]
        return Order(self.orders, asked, OrderStatus.NEW, price, lots, 0, 0, 0)

    def refusal(
        self, market: str, side: Side, price: int, lots: int, account: str = "me", **more: object
    ) -> Refusal | None:
        return self.ledger.refusal(self.order(market, side, price, lots, account, **more).asked, price, lots)

    def trade(
        self, market: str, side: Side, price: int, lots: int, *, maker: bool = False, account: str = "me"
    ) -> Fill:
        order = self.order(market, side, price, lots, account)
        return self.ledger.fill(order, 0, 0, price, lots, maker=maker)

    def free(self, asset: str, wallet: str = SPOT) -> int:
        return self.ledger.balance("me", wallet, asset).free_e8

    def total(self, asset: str, wallet: str = SPOT) -> int:
        return self.ledger.balance("me", wallet, asset).total_e8

    def unaccounted(self) -> Mapping[str, int]:
        """By asset, the sum over all accounts and pools."""
        sums = {
            asset: sum(self.ledger.pool_e8(pool, asset) for pool in Pool) for asset in ("USD", "BTC", "EUR")
        }
        for account in self.ledger.accounts():
            for balance in self.ledger.balances(account):
                sums[balance.asset] += balance.total_e8
        return sums


@pytest.fixture
def desk() -> Desk:
    return Desk()


# ---------------------------------------------------------------- spot
def test_a_resting_buy_locks_its_cost_and_a_sell_its_lots(desk: Desk) -> None:
    buy, sell = desk.order("spot", BUY, 10_000, 3_000), desk.order("spot", SELL, 10_000, 500)
    desk.ledger.hold(buy)
    desk.ledger.hold(sell)
    assert desk.ledger.balance("me", SPOT, "USD") == Balance(SPOT, "USD", 1_000 * E8, 300 * E8)
    assert desk.ledger.balance("me", SPOT, "BTC") == Balance(SPOT, "BTC", 2 * E8, E8 // 2)
    desk.ledger.release(buy.id)
    desk.ledger.release(sell.id)
    desk.ledger.release(sell.id)
    assert (desk.free("USD"), desk.free("BTC")) == (1_000 * E8, 2 * E8)


def test_an_order_may_use_all_that_is_free_and_no_lot_more(desk: Desk) -> None:
    assert desk.refusal("spot", BUY, 10_000, 10_000) is None
    assert desk.refusal("spot", BUY, 10_000, 10_001) is Refusal.INSUFFICIENT_BALANCE
    assert desk.refusal("spot", SELL, 10_000, 2_000) is None
    assert desk.refusal("spot", SELL, 10_000, 2_001) is Refusal.INSUFFICIENT_BALANCE
    desk.ledger.hold(desk.order("spot", BUY, 10_000, 9_000))
    assert desk.refusal("spot", BUY, 10_000, 1_000) is None
    assert desk.refusal("spot", BUY, 10_000, 1_001) is Refusal.INSUFFICIENT_BALANCE
    assert desk.refusal("spot", BUY, 1, 1, account="nobody") is Refusal.INSUFFICIENT_BALANCE


def test_a_market_order_by_quote_needs_that_quote(desk: Desk) -> None:
    assert desk.refusal("spot", BUY, 10_000, 1, quote_units=100_000_000) is None
    assert desk.refusal("spot", BUY, 10_000, 1, quote_units=100_000_001) is Refusal.INSUFFICIENT_BALANCE


def test_an_amended_order_may_use_what_it_held(desk: Desk) -> None:
    order = desk.order("spot", BUY, 10_000, 10_000)
    desk.ledger.hold(order)
    assert desk.ledger.refusal(order.asked, 10_000, 1) is Refusal.INSUFFICIENT_BALANCE
    assert desk.ledger.refusal(order.asked, 5_000, 20_000, instead_of=order.id) is None
    assert (
        desk.ledger.refusal(order.asked, 5_000, 20_001, instead_of=order.id) is Refusal.INSUFFICIENT_BALANCE
    )


def test_a_spot_fee_is_paid_in_what_is_received(desk: Desk) -> None:
    bought = desk.trade("spot", BUY, 10_000, 1_000)
    assert (bought.fee_asset, bought.fee_e8) == ("BTC", E8 // 1_000)
    assert (desk.total("USD"), desk.total("BTC")) == (900 * E8, 3 * E8 - E8 // 1_000)
    sold = desk.trade("spot", SELL, 10_000, 1_000)
    assert (sold.fee_asset, sold.fee_e8) == ("USD", E8 // 10)
    assert desk.total("USD") == 1_000 * E8 - E8 // 10
    assert desk.ledger.pool_e8(Pool.FEES, "USD") == E8 // 10


def test_a_maker_fill_takes_its_part_of_the_lock(desk: Desk) -> None:
    order = desk.order("spot", BUY, 10_000, 3_000)
    desk.ledger.hold(order)
    desk.ledger.fill(order, 0, 0, 10_000, 1_000, maker=True)
    assert desk.ledger.balance("me", SPOT, "USD") == Balance(SPOT, "USD", 900 * E8, 200 * E8)
    desk.ledger.fill(order, 0, 0, 10_000, 2_000, maker=True)
    assert desk.ledger.balance("me", SPOT, "USD") == Balance(SPOT, "USD", 700 * E8)


def test_a_fee_in_quote_is_held_with_the_cost_and_never_overdraws(desk: Desk) -> None:
    """1 cent * 1 lot costs 0.00001; a fee of 0.1 % of it is a whole unit of 1e-8, of 0.2 % two."""
    assert desk.refusal("quoted", BUY, 10_000, 10_000) is Refusal.INSUFFICIENT_BALANCE
    lots = 1_000 * E8 // 1_002  # what 1,000 USD buy at 0.00001 with a fee of 0.2 %
    order = desk.order("quoted", BUY, 1, lots)
    assert desk.ledger.refusal(order.asked, 1, lots) is None
    desk.ledger.hold(order)
    desk.ledger.fill(order, 0, 0, 1, lots, maker=False)
    assert 0 <= desk.total("USD") < 1_002
    assert desk.unaccounted() == {"USD": 0, "BTC": 0, "EUR": 0}


# ---------------------------------------------------------------- positions
def test_the_entry_is_the_mean_of_what_opened_the_position(desk: Desk) -> None:
    desk.trade("perp", BUY, 10_000, 1_000)
    desk.trade("perp", BUY, 10_300, 2_000)
    position = desk.ledger.position("me", "perp")
    assert (position.lots, position.entry_units) == (3_000, 3_000 * 10_200)


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_close_realises_its_share_of_the_entry(desk: Desk, side: Side) -> None:
    desk.trade("perp", side, 10_000, 3_000)
    closed = desk.trade("perp", Side(-side), 10_000 + side * 100, 1_000)
    assert closed.realized_e8 == E8
    assert closed.position_before_lots == side * 3_000
    assert desk.ledger.position("me", "perp").entry_units == side * 2_000 * 10_000


def test_a_fill_through_zero_closes_and_opens_at_its_price(desk: Desk) -> None:
    desk.trade("perp", BUY, 10_000, 1_000)
    flipped = desk.trade("perp", SELL, 9_900, 3_000)
    assert flipped.realized_e8 == -E8
    assert desk.ledger.position("me", "perp") == Position(
        "perp", -2_000, -2_000 * 9_900, 20, 0, realized_e8=-E8
    )


def test_what_rounding_keeps_from_a_close_the_next_one_pays(desk: Desk) -> None:
    """Entered at 100.00 and 100.01, 100.005 at the mean: the lots closed at that mean realise 0 in all."""
    desk.trade("perp", BUY, 10_000, 1)
    desk.trade("perp", BUY, 10_001, 1)
    realized = [desk.trade("perp", SELL, price, 1).realized_e8 for price in (10_000, 10_001)]
    assert sum(realized) == 0
    assert realized[0] == -1_000  # -0.005 ticks of 0.00001 each, rounded down to a whole one


def test_fees_of_perps_and_their_profit_move_the_margin_wallet(desk: Desk) -> None:
    taken = desk.trade("perp", BUY, 10_000, 1_000)
    made = desk.trade("perp", SELL, 10_100, 1_000, maker=True)
    assert (taken.fee_e8, made.fee_e8) == (5 * E8 // 100, 202 * E8 // 10_000)
    assert desk.total("USD", PERP) == 1_000 * E8 + E8 - taken.fee_e8 - made.fee_e8
    assert desk.ledger.pool_e8(Pool.MARKET, "USD") == -E8


def test_a_rebate_is_a_fee_below_zero() -> None:
    terms = Desk().house.terms
    rebate = replace(MARGINED, maker_fee_e6=-1, taker_fee_e6=1)
    desk = Desk(House({**terms, "perp": rebate}, 1, str, OPENING))
    assert desk.trade("perp", BUY, 10_000, 1_000, maker=True).fee_e8 == -(E8 // 10_000)
    assert desk.trade("perp", BUY, 1, 1, maker=True).fee_e8 == 0  # a thousandth of a unit is not paid
    assert desk.trade("perp", BUY, 1, 1).fee_e8 == 1  # but owed


# ---------------------------------------------------------------- margin
def test_a_position_needs_its_notional_over_its_leverage(desk: Desk) -> None:
    desk.trade("perp", BUY, 10_000, 1_000)
    assert desk.ledger.position_margin_e8("me", "perp") == 5 * E8
    desk.marks["perp"] = 120 * E8
    assert desk.ledger.unrealized_e8("me", "perp") == 20 * E8
    assert desk.ledger.position_margin_e8("me", "perp") == 6 * E8
    equity = desk.total("USD", PERP) + 20 * E8
    assert desk.ledger.equity_e8("me", "USD") == equity
    assert desk.ledger.available_e8("me", "USD") == equity - 6 * E8


def test_orders_need_margin_by_the_larger_side(desk: Desk) -> None:
    desk.ledger.hold(desk.order("perp", BUY, 10_000, 1_000))
    desk.ledger.hold(desk.order("perp", SELL, 10_000, 3_000))
    assert desk.ledger.order_margin_e8("me", "perp") == 15 * E8
    assert desk.ledger.available_e8("me", "USD") == 985 * E8


def test_orders_that_reduce_a_position_need_none_up_to_its_double(desk: Desk) -> None:
    desk.trade("perp", BUY, 10_000, 1_000)
    sell = desk.order("perp", SELL, 10_000, 2_000)
    desk.ledger.hold(sell)
    assert desk.ledger.order_margin_e8("me", "perp") == 0
    desk.ledger.hold(replace(sell, qty_lots=3_000))
    assert desk.ledger.order_margin_e8("me", "perp") == 5 * E8


def test_an_order_may_use_all_that_is_available_and_no_lot_more(desk: Desk) -> None:
    assert desk.refusal("perp", BUY, 10_000, 200_000) is None  # 20,000 at a leverage of 20
    assert desk.refusal("perp", BUY, 10_000, 200_001) is Refusal.INSUFFICIENT_MARGIN
    assert desk.refusal("perp", BUY, 1, 1, account="nobody") is Refusal.INSUFFICIENT_MARGIN


def test_an_order_beyond_the_mark_needs_what_it_would_lose_at_once(desk: Desk) -> None:
    """At 110, ten above the mark: 5.5 of margin and 10 of loss for each."""
    assert desk.refusal("perp", BUY, 11_000, 64_516) is None
    assert desk.refusal("perp", BUY, 11_000, 64_517) is Refusal.INSUFFICIENT_MARGIN
    assert desk.refusal("perp", SELL, 11_000, 181_818) is None
    assert desk.refusal("perp", SELL, 11_000, 181_819) is Refusal.INSUFFICIENT_MARGIN


def test_who_has_nothing_left_may_still_reduce(desk: Desk) -> None:
    desk.trade("perp", BUY, 10_000, 200_000)
    assert desk.ledger.available_e8("me", "USD") == 0
    assert desk.refusal("perp", SELL, 9_000, 200_000) is None
    assert desk.refusal("perp", BUY, 9_000, 1) is Refusal.INSUFFICIENT_MARGIN


def test_reduce_only_needs_something_to_reduce(desk: Desk) -> None:
    assert desk.refusal("perp", SELL, 10_000, 1, reduce_only=True) is Refusal.NOTHING_TO_REDUCE
    desk.trade("perp", BUY, 10_000, 1)
    assert desk.refusal("perp", SELL, 10_000, 1, reduce_only=True) is None
    assert desk.refusal("perp", BUY, 10_000, 1, reduce_only=True) is Refusal.NOTHING_TO_REDUCE


def test_leverage_is_bounded_by_the_tier_of_what_is_held_and_ordered(desk: Desk) -> None:
    ledger = desk.ledger
    ledger.deposit("me", PERP, "USD", 100_000 * E8)
    assert ledger.set_leverage("me", "perp", 0) is Refusal.LEVERAGE
    assert ledger.set_leverage("me", "perp", 101) is Refusal.LEVERAGE
    assert ledger.set_leverage("me", "perp", 100) is None
    assert desk.refusal("perp", BUY, 10_000, 500_000) is None
    assert desk.refusal("perp", BUY, 10_000, 500_001) is Refusal.LEVERAGE
    assert ledger.set_leverage("me", "perp", 50) is None
    ledger.hold(desk.order("perp", BUY, 10_000, 500_001))
    assert ledger.set_leverage("me", "perp", 51) is Refusal.LEVERAGE
    assert ledger.leverage("me", "perp") == 50


def test_a_lower_leverage_needs_its_margin(desk: Desk) -> None:
    desk.trade("perp", BUY, 10_000, 100_000)
    assert desk.ledger.set_leverage("me", "perp", 11) is None
    assert desk.ledger.set_leverage("me", "perp", 10) is Refusal.INSUFFICIENT_MARGIN


# ---------------------------------------------------------------- margin of its own
@pytest.fixture
def apart() -> Desk:
    """Whose positions of `perp` are isolated, at a leverage of 20."""
    desk = Desk()
    assert desk.ledger.set_margin_mode("me", "perp", isolated=True) is None
    return desk


def own(desk: Desk) -> int | None:
    return desk.ledger.position("me", "perp").isolated_e8


def test_an_isolated_position_takes_its_margin_out_of_the_wallet_and_gives_it_back_by_parts(
    apart: Desk,
) -> None:
    assert own(Desk()) is None
    assert own(apart) == 0
    apart.trade("perp", BUY, 10_000, 1_000)
    assert own(apart) == 5 * E8
    assert (
        apart.free("USD", PERP) == apart.total("USD", PERP) - 5 * E8 == apart.ledger.available_e8("me", "USD")
    )
    apart.trade("perp", SELL, 10_100, 300)
    assert own(apart) == 35 * E8 // 10
    apart.trade("perp", SELL, 9_000, 1_700)  # closes 700, sells 1,000 short
    assert own(apart) == 45 * E8 // 10
    apart.trade("perp", BUY, 9_000, 1_000)
    assert (own(apart), apart.free("USD", PERP)) == (0, apart.total("USD", PERP))


def test_what_a_crossed_position_wins_or_loses_is_no_matter_of_an_isolated_one(apart: Desk) -> None:
    """At 104 it has lost 4 of the 5 that are its own, and nothing else is needed for it."""
    apart.trade("perp", SELL, 10_000, 1_000)
    free = apart.free("USD", PERP)
    apart.marks["perp"] = 104 * E8
    assert apart.ledger.available_e8("me", "USD") == apart.ledger.withdrawable_e8("me", PERP, "USD") == free
    assert apart.ledger.equity_e8("me", "USD") == free + E8
    assert apart.ledger.deposit("me", PERP, "USD", -free) is None
    assert not apart.ledger.due()


def test_an_isolated_position_is_due_alone_and_costs_no_more_than_its_margin(apart: Desk) -> None:
    apart.trade("perp", BUY, 10_000, 1_000)
    free = apart.free("USD", PERP)
    price_e8 = apart.ledger.liquidation_price_e8("me", "perp")
    assert price_e8 is not None
    apart.marks["perp"] = price_e8 + 1
    assert not apart.ledger.due()
    apart.marks["perp"] = price_e8
    (risk,) = apart.ledger.due()
    assert (risk.market, risk.equity_e8) == ("perp", 5 * E8 + price_e8 - 100 * E8)
    order = apart.order("perp", SELL, 9_000, 1_000)  # twice what was set aside is lost, by a gap
    apart.ledger.fill(order, 0, 0, 9_000, 1_000, maker=False, liquidation=True)
    assert apart.total("USD", PERP) == apart.free("USD", PERP) == free
    assert apart.ledger.pool_e8(Pool.INSURANCE, "USD") < 0
    assert not any(apart.unaccounted().values())


def test_margin_goes_to_an_isolated_position_and_back_as_far_as_it_is_to_spare(apart: Desk) -> None:
    ledger = apart.ledger
    assert ledger.move_margin("me", "perp", E8) is Refusal.NO_POSITION
    apart.trade("perp", BUY, 10_000, 1_000)
    free = apart.free("USD", PERP)
    assert ledger.move_margin("me", "perp", free + 1) is Refusal.INSUFFICIENT_MARGIN
    assert ledger.move_margin("me", "perp", free) is None
    assert (own(apart), apart.free("USD", PERP)) == (5 * E8 + free, 0)
    assert ledger.move_margin("me", "perp", -free - 1) is Refusal.INSUFFICIENT_MARGIN
    assert ledger.move_margin("me", "perp", -free) is None
    crossed = Desk()
    crossed.trade("perp", BUY, 10_000, 1_000)
    assert crossed.ledger.move_margin("me", "perp", 1) is Refusal.MARGIN_MODE


def test_the_mode_is_changed_while_there_is_neither_a_position_nor_an_order(apart: Desk) -> None:
    ledger = apart.ledger
    assert ledger.set_margin_mode("me", "perp", isolated=True) is Refusal.NO_CHANGE
    order = apart.order("perp", BUY, 10_000, 1)
    ledger.hold(order)
    assert ledger.set_margin_mode("me", "perp", isolated=False) is Refusal.MARGIN_MODE
    ledger.release(order.id)
    apart.trade("perp", BUY, 10_000, 1)
    assert ledger.set_margin_mode("me", "perp", isolated=False) is Refusal.MARGIN_MODE
    assert ledger.set_leverage("me", "perp", 19) is Refusal.MARGIN_MODE
    assert ledger.set_leverage("me", "perp", 21) is None
    apart.trade("perp", SELL, 10_000, 1)
    assert ledger.set_margin_mode("me", "perp", isolated=False) is None


# ---------------------------------------------------------------- what is needed to keep a position
@pytest.mark.parametrize(
    ("lots", "maintenance_e8"),
    [
        (500_000, 200 * E8),
        (500_001, 2_000_005 * E8 // 10_000),
        (2_500_000, 1_200 * E8),
        (2_500_001, 1_200_001 * E8 // 1_000),
    ],
)
def test_maintenance_is_continuous_from_tier_to_tier(desk: Desk, lots: int, maintenance_e8: int) -> None:
    """At 100: 50,000 and 250,000 are the caps."""
    desk.trade("perp", BUY, 10_000, lots)
    assert desk.ledger.maintenance_e8("me", "perp") == maintenance_e8


# ---------------------------------------------------------------- liquidation
@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("lots", [7, 100_000, 499_999, 2_000_000])
@pytest.mark.parametrize("elsewhere", [0, -3_000, 50_000])
def test_at_its_liquidation_price_an_account_is_due_and_a_cent_before_it_is_not(
    desk: Desk, side: Side, lots: int, elsewhere: int
) -> None:
    desk.ledger.deposit("me", PERP, "USD", lots * E8 // 300)
    desk.trade("perp", side, 10_000, lots)
    if elsewhere:
        desk.trade("other", Side.BUY if elsewhere > 0 else Side.SELL, 10_000, abs(elsewhere))
    price = desk.ledger.liquidation_price_e8("me", "perp")
    if price is None:
        desk.marks["perp"] = 1
        assert side is BUY
        assert not desk.ledger.due()
        return
    desk.marks["perp"] = price
    (risk,) = desk.ledger.due()
    assert risk.equity_e8 < risk.maintenance_e8
    desk.marks["perp"] = price + side * E8 // 100
    assert not desk.ledger.due()


def test_who_holds_nothing_is_never_due(desk: Desk) -> None:
    desk.ledger.hold(desk.order("perp", BUY, 10_000, 1_000))
    assert desk.ledger.liquidation_price_e8("me", "perp") is None
    assert not desk.ledger.due()
    desk.trade("perp", BUY, 10_000, 1_000)
    desk.trade("perp", SELL, 10_000, 1_000)
    desk.marks["perp"] = 1
    assert not desk.ledger.due()


def test_a_call_comes_before_the_liquidation(desk: Desk) -> None:
    """200 at 95.50: worth 1,000 - 10 (the fee) - 900, and 0.4 % of 19,100, that is 76.40, are needed."""
    desk.trade("perp", BUY, 10_000, 200_000)
    desk.marks["perp"] = 9_550 * E8 // 100
    assert desk.ledger.due(800_000) == [Risk("me", "USD", 90 * E8, 7_640 * E8 // 100)]
    assert not desk.ledger.due()
    assert [risk.account for risk in desk.ledger.due(mark_e8=lambda _: 95 * E8)] == ["me"]


def test_the_insurance_pays_what_a_liquidated_account_cannot(desk: Desk) -> None:
    desk.trade("perp", BUY, 10_000, 200_000)
    desk.trade("perp", SELL, 9_400, 200_000)
    short = -desk.total("USD", PERP)
    assert short > 200 * E8
    assert desk.ledger.cover("me", "USD") == short
    assert desk.total("USD", PERP) == 0
    assert desk.ledger.pool_e8(Pool.INSURANCE, "USD") == -short
    assert desk.unaccounted() == {"USD": 0, "BTC": 0, "EUR": 0}


@pytest.mark.parametrize(
    ("price", "forced_e8", "left_e8"),
    [(9_900, 99 * E8, 68_110 * E8 // 100), (9_515, 10_485 * E8 // 1_000, 0)],
)
def test_a_forced_fill_costs_more_as_far_as_the_wallet_goes(price: int, forced_e8: int, left_e8: int) -> None:
    """200 bought at 100 leave 990 of 1,000. Sold at 99 they leave 990 - 200 - 9.90 = 780.10, at 95.15 990 - 970 - 9.515
    = 10.485; 0.5 % more would be 99 and 95.15.
    """
    terms = Desk().house.terms
    forced = replace(MARGINED, liquidation_fee_e6=5_000)
    desk = Desk(House({**terms, "perp": forced}, 1, str, OPENING))
    desk.trade("perp", BUY, 10_000, 200_000)
    order = desk.order("perp", SELL, price, 200_000)
    fill = desk.ledger.fill(order, 0, 0, price, 200_000, maker=False, liquidation=True)
    assert fill.fee_e8 == price * E8 // 1_000 + forced_e8
    assert desk.total("USD", PERP) == left_e8
    assert desk.ledger.pool_e8(Pool.INSURANCE, "USD") == forced_e8
    assert desk.unaccounted() == {"USD": 0, "BTC": 0, "EUR": 0}


# ---------------------------------------------------------------- funding and wallets
def test_longs_pay_what_shorts_get_and_the_house_keeps_the_rounding(desk: Desk) -> None:
    desk.ledger.open("you", funded=True)
    desk.trade("perp", BUY, 10_000, 333)
    desk.trade("perp", SELL, 10_000, 333, account="you")
    settlement = Settlement(5, 100_000_001, 10_000_000_001)  # 0.0100000001 % of 33.30000000333
    paid = [p.paid_e8 for p in desk.ledger.settle("perp", settlement)]
    assert paid == [333_001, -333_000]
    assert desk.ledger.pool_e8(Pool.FUNDING, "USD") == 1
    assert desk.ledger.position("me", "perp").funding_e8 == 333_001
    assert desk.ledger.settle("other", settlement) == []


def test_money_moves_between_wallets_and_accounts(desk: Desk) -> None:
    ledger = desk.ledger
    assert ledger.transfer("me", "USD", 1_001 * E8, SPOT, PERP) is Refusal.INSUFFICIENT_BALANCE
    assert ledger.transfer("me", "USD", 400 * E8, SPOT, PERP) is None
    assert (desk.total("USD"), desk.total("USD", PERP)) == (600 * E8, 1_400 * E8)
    assert ledger.transfer("me", "USD", 100 * E8, PERP, PERP, to_account="you") is None
    assert ledger.balances("you") == [Balance(PERP, "USD", 100 * E8)]
    assert ledger.deposit("you", PERP, "USD", -101 * E8) is Refusal.INSUFFICIENT_BALANCE
    assert ledger.deposit("you", PERP, "USD", -100 * E8) is None
    assert ledger.transfer("me", "USD", -1, SPOT, PERP) is Refusal.INSUFFICIENT_BALANCE
    assert ledger.transfer("none", "USD", 1, SPOT, PERP) is Refusal.INSUFFICIENT_BALANCE


@pytest.mark.parametrize(
    ("kept_notional_e6", "withdrawable_e8"),
    [(None, 99_470 * E8 // 100), (100_000, 99_445 * E8 // 100)],
)
def test_profit_may_be_taken_out_only_where_the_house_allows(
    kept_notional_e6: int | None, withdrawable_e8: int
) -> None:
    """1 bought at 100 for a fee of 0.05 is worth 105, and needs 5.25 at a leverage of 20, or 10.50 to stay."""
    desk = Desk(replace(Desk().house, kept_notional_e6=kept_notional_e6))
    desk.trade("perp", BUY, 10_000, 1_000)
    desk.marks["perp"] = 105 * E8
    assert desk.ledger.available_e8("me", "USD") == 99_970 * E8 // 100
    assert desk.ledger.withdrawable_e8("me", PERP, "USD") == withdrawable_e8


# ---------------------------------------------------------------- news
def test_a_step_tells_the_balances_and_positions_it_changed_once(desk: Desk) -> None:
    desk.ledger.moved("me", "deposit")
    order = desk.order("spot", BUY, 10_000, 1_000)
    desk.ledger.hold(order)
    locked = desk.ledger.moved("me", "order")
    assert locked is not None
    assert (locked.balances, locked.delta_e8) == ((Balance(SPOT, "USD", 1_000 * E8, 100 * E8),), (0,))
    assert desk.ledger.moved("me", "order") is None
    desk.ledger.fill(order, 7, 0, 10_000, 1_000, maker=True)
    filled = desk.ledger.moved("me", "order")
    assert filled is not None
    assert filled.delta_e8 == (-100 * E8, E8 - E8 // 1_000)
    desk.ledger.hold(desk.order("perp", BUY, 10_000, 1_000))
    assert desk.ledger.moved("me", "order") is None
    desk.trade("perp", BUY, 10_000, 1_000)
    opened = desk.ledger.moved("me", "order")
    assert opened is not None
    assert [p.lots for p in opened.positions] == [1_000]
    assert [b.wallet for b in opened.balances] == [PERP]
    assert desk.ledger.moved("nobody", "order") is None


def test_queries_of_an_account_that_is_not_there_say_that_it_has_nothing(desk: Desk) -> None:
    ledger = desk.ledger
    assert not ledger.exists("nobody")
    assert (ledger.balances("nobody"), ledger.positions("nobody")) == ([], [])
    assert ledger.balance("nobody", SPOT, "USD") == Balance(SPOT, "USD", 0)
    assert ledger.position("nobody", "perp") == Position("perp", 0, 0, 20, 0)
    assert ledger.available_e8("nobody", "USD") == ledger.equity_e8("nobody", "USD") == 0
    assert ledger.liquidation_price_e8("nobody", "perp") is None
    assert ledger.accounts() == ["me"]

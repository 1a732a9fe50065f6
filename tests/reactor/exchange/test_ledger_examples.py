"""The ledger against what venues say and what they were seen to do: their worked examples, and recorded accounts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from reactor.exchange.ledger import Ledger
from reactor.exchange.orders import E8, Fill, NewOrder, Order, OrderStatus, Refusal, Settlement
from reactor.exchange.terms import PERP, House, MarginTier, Terms
from reactor.types import Instrument, Kind, Side


def e8(text: str) -> int:
    """An amount with at most eight decimals."""
    amount = Decimal(text) * E8
    assert amount == int(amount), text
    return int(amount)


def tiers(*rows: tuple[int, int, str, str]) -> tuple[MarginTier, ...]:
    """Of (cap, leverage, rate in percent, maintenance amount)."""
    return tuple(
        MarginTier(cap * E8, leverage, int(Decimal(rate) * 10_000), e8(amount))
        for cap, leverage, rate, amount in rows
    )


class Account:
    """One account, by decimals: its perpetuals' (decimals of prices, of sizes, terms), their marks, its wallet."""

    def __init__(
        self,
        wallet: str,
        marks: Mapping[str, str],
        markets: Mapping[str, tuple[int, int, Terms]],
        kept: int | None = None,
    ) -> None:
        self.marks = {market: e8(mark) for market, mark in marks.items()}
        self.markets = markets
        house = House({m: terms for m, (_, _, terms) in markets.items()}, 1, str, {}, 0, kept)
        instruments = [
            Instrument(m, m, m, m, "USD", Kind.PERP, price_decimals, 1, qty_decimals, 1)
            for m, (price_decimals, qty_decimals, _) in markets.items()
        ]
        self.ledger = Ledger(house, instruments, self.marks.__getitem__)
        self.ledger.deposit("a", PERP, "USD", e8(wallet))

    def _order(self, market: str, size: str, price: str) -> Order:
        """Buys a size above 0, sells one below."""
        price_decimals, qty_decimals, _ = self.markets[market]
        lots, ticks = Decimal(size) * 10**qty_decimals, Decimal(price) * 10**price_decimals
        assert (lots, ticks) == (int(lots), int(ticks))
        side = Side.BUY if lots > 0 else Side.SELL
        asked = NewOrder("a", market, side, int(ticks), abs(int(lots)))
        return Order(1, asked, OrderStatus.NEW, int(ticks), abs(int(lots)), 0, 0, 0)

    def trade(self, market: str, size: str, price: str, *, maker: bool = False) -> Fill:
        order = self._order(market, size, price)
        assert order.price_ticks is not None
        return self.ledger.fill(order, 0, 1, order.price_ticks, order.qty_lots, maker=maker)

    def refusal(self, market: str, size: str, price: str) -> Refusal | None:
        order = self._order(market, size, price)
        assert order.price_ticks is not None
        return self.ledger.refusal(order.asked, order.price_ticks, order.qty_lots)

    def liquidation(self, market: str) -> Decimal:
        price = self.ledger.liquidation_price_e8("a", market)
        assert price is not None
        return Decimal(price) / E8


def free(margin: tuple[MarginTier, ...], step_e8: int = 1) -> Terms:
    """Terms without fees."""
    return Terms(0, 0, quote_step_e8=step_e8, margin_asset="USD", tiers=margin)


# ---------------------------------------------------------------- Binance
# Leverage and margin of BTCUSDT, https://www.binance.com/tr/support/announcement/86cf9aa472574b8cb2e05bb751c2a9a6
# (2021-03-18), and maintenance amounts of the example below.
BTC_2021 = tiers(
    (50_000, 125, "0.4", "0"),
    (250_000, 100, "0.5", "50"),
    (1_000_000, 50, "1", "1300"),
    (10_000_000, 20, "2.5", "16300"),
    (20_000_000, 10, "5", "266300"),
)
ETH_2021 = tiers(
    (10_000, 100, "0.5", "0"),
    (100_000, 75, "0.65", "15"),
    (500_000, 50, "1", "365"),
    (1_000_000, 25, "2", "5365"),
    (2_000_000, 10, "5", "35365"),
    (5_000_000, 5, "10", "135365"),
)


def test_binance_liquidates_the_example_of_its_formula_at_its_prices() -> None:
    """https://www.binance.com/en/support/faq/b3c689c1f50a44cabb3a84e663b81d93, as of 2021 (its figures also in
    freqtrade's tests): TMM 71,200.81144 and 356,512.508, UPNL -56,354.57 and -448,192.89.
    """
    account = Account(
        "1535443.01",
        {"BTC": "31967.27", "ETH": "1335.18"},
        {"BTC": (2, 3, free(BTC_2021)), "ETH": (2, 3, free(ETH_2021))},
    )
    account.trade("BTC", "109.488", "32481.98")
    account.trade("ETH", "3683.979", "1456.84")
    assert account.ledger.maintenance_e8("a", "BTC") == e8("71200.811444")
    assert account.ledger.maintenance_e8("a", "ETH") == e8("356512.508122")
    assert account.ledger.unrealized_e8("a", "BTC") == e8("-56354.56848")
    assert account.ledger.unrealized_e8("a", "ETH") == e8("-448192.88514")
    assert account.liquidation("BTC").quantize(Decimal("0.01")) == Decimal("26316.89")
    assert account.liquidation("ETH").quantize(Decimal("0.01")) == Decimal("1153.26")


@pytest.mark.parametrize(
    ("notional", "maintenance"),
    [("264000", "1340"), ("500000", "3700"), ("50000", "200"), ("250000", "1200")],
)
def test_binance_maintenance_is_a_rate_of_the_notional_less_an_amount(
    notional: str, maintenance: str
) -> None:
    """The same page: 1 % at 264,000, and a maintenance amount of 1,300 at 500,000."""
    account = Account("100000", {"BTC": "1000"}, {"BTC": (2, 3, free(BTC_2021))})
    account.trade("BTC", str(Decimal(notional) / 1_000), "1000")
    assert account.ledger.maintenance_e8("a", "BTC") == e8(maintenance)


@pytest.mark.parametrize(("size", "cost"), [("1", "462.665"), ("-1", "469.205")])
def test_binance_asks_for_initial_margin_and_the_loss_an_order_opens_with(size: str, cost: str) -> None:
    """Leverage 20, order price 9,253.30, mark 9,259.84: 462.66 of margin and, for the short, 6.54 of open loss.
    https://www.binance.com/en/support/faq/87fa7ee33b574f7084d42bd2ce2e463b, 2024-11.
    """
    enough, short = (
        Account(wallet, {"BTC": "9259.84"}, {"BTC": (2, 3, free(BTC_2021))})
        for wallet in (cost, str(Decimal(cost) - Decimal("0.00000001")))
    )
    assert enough.refusal("BTC", size, "9253.30") is None
    assert short.refusal("BTC", size, "9253.30") is Refusal.INSUFFICIENT_MARGIN


def test_binance_took_the_fee_of_a_recorded_fill() -> None:
    """ACCOUNT_UPDATE of 2024-02-23: a wallet at 0 is at -0.05106850 after 0.005 at 51068.50, 0.02 % for a maker."""
    account = Account(
        "0", {"BTC": "51068.40"}, {"BTC": (2, 3, Terms(200, 500, margin_asset="USD", tiers=BTC_2021))}
    )
    fill = account.trade("BTC", "0.005", "51068.50", maker=True)
    assert fill.fee_e8 == e8("0.05106850")
    assert account.ledger.balance("a", PERP, "USD").total_e8 == e8("-0.05106850")
    assert account.ledger.unrealized_e8("a", "BTC") == e8("-0.0005")


def test_binance_called_a_recorded_account_that_it_did_not_liquidate() -> None:
    """MARGIN_CALL of 2020-04-24: 1.327 ETH, mark 187.17127, wallet 3.16812045, unrealised -1.166074, maintenance
    1.614445.
    """
    margin = tiers((10_000, 75, "0.65", "0"))
    account = Account("3.16812045", {"ETH": "187.17127"}, {"ETH": (2, 3, free(margin))})
    account.trade("ETH", "1.327", "188.05")
    assert str(account.ledger.unrealized_e8("a", "ETH")) == "-116607471"  # -1.166074 71
    assert str(account.ledger.maintenance_e8("a", "ETH")) == "161444579"  # 1.614445 79
    assert len(account.ledger.due(800_000)) == 1
    assert not account.ledger.due()


@pytest.mark.parametrize(("size", "paid"), [("10", "65"), ("-10", "-65")])
def test_binance_longs_pay_the_rate_of_their_notional_at_the_mark(size: str, paid: str) -> None:
    """https://www.binance.com/en/support/faq/360033525031 (2026-11): 0.01 % of 10 * 65,000."""
    account = Account("100000", {"BTC": "65000"}, {"BTC": (1, 3, free(BTC_2021))})
    account.trade("BTC", size, "60000")
    (payment,) = account.ledger.settle("BTC", Settlement(0, 100_000_000, e8("65000")))
    assert payment.paid_e8 == e8(paid)


# ---------------------------------------------------------------- Hyperliquid
HYPERLIQUID = free(tiers((150_000_000, 40, "1.25", "0")), step_e8=100)


def test_hyperliquid_told_this_of_a_recorded_account() -> None:
    """clearinghouseState of 2026-02-03: 0.00061 BTC worth 47.66235 at a leverage of 20, unrealised -2.82848, account
    value 179.007426, margin used 2.383117, maintenance 0.595779, withdrawable 174.241191, no liquidation price.
    """
    account = Account("181.835906", {"BTC": "78135"}, {"BTC": (1, 5, HYPERLIQUID)}, kept=100_000)
    account.trade("BTC", "0.00029", "82771.8")
    account.trade("BTC", "0.00032", "82771.9")
    ledger = account.ledger
    assert ledger.unrealized_e8("a", "BTC") == e8("-2.82848")
    assert ledger.equity_e8("a", "USD") == e8("179.007426")
    assert ledger.position_margin_e8("a", "BTC") == e8("2.3831175")
    assert ledger.maintenance_e8("a", "BTC") // 100 == 595_779
    assert ledger.withdrawable_e8("a", PERP, "USD") == e8("174.241191")
    assert ledger.liquidation_price_e8("a", "BTC") is None


@pytest.mark.parametrize(
    ("size", "price"), [("-0.1", "69135.80246914"), ("0.1", "50632.91139241"), ("-0.5", "61234.56790123")]
)
def test_hyperliquid_liquidates_at_the_price_of_its_formula(size: str, price: str) -> None:
    """By its formula: liq_price = price - side * margin_available / position_size / (1 - l * side), with
    l = 1 / 80 and margin_available = 1,000 - 60,000 * size / 80.
    https://hyperliquid.gitbook.io/hyperliquid-docs/trading/liquidations (2026-11).
    """
    account = Account("1000", {"BTC": "60000"}, {"BTC": (1, 5, HYPERLIQUID)})
    account.trade("BTC", size, "60000")
    assert abs(account.liquidation("BTC") - Decimal(price)) < Decimal("0.000001")


@pytest.mark.parametrize(("size", "paid"), [("0.5", "0.375"), ("-0.5", "-0.375"), ("0.00001", "0.000008")])
def test_hyperliquid_longs_pay_the_rate_of_their_size_at_the_oracle_price(size: str, paid: str) -> None:
    """position_size * oracle_price * funding_rate, https://hyperliquid.gitbook.io/hyperliquid-docs/trading/funding
    (2026-11), in millionths: 0.0000125 of 0.5 * 60,000; 0.0000075 is rounded against who pays.
    """
    account = Account("1000", {"BTC": "61000"}, {"BTC": (1, 5, HYPERLIQUID)})
    account.trade("BTC", size, "60000")
    (payment,) = account.ledger.settle("BTC", Settlement(0, 12_500_000, e8("60000")))
    assert payment.paid_e8 == e8(paid)

"""The bot on a clock that stands until the test moves it: every run is the same, to the last fill."""

import eth_account
import pytest
from bot import DipBuyer
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

pytestmark = pytest.mark.emulator(venues=["hyperliquid"])
KEY = "0x" + "11" * 32  # any key trades
ORDERS = {"venue": "hyperliquid", "endpoint": "/exchange"}


@pytest.fixture
def bot(exchange):
    exchange.configure(Info)
    info = Info(skip_ws=True)
    return DipBuyer(Exchange(eth_account.Account.from_key(KEY), timeout=60), info, "BTC", 0.01)


def trade(exchange, bot, steps):
    for _ in range(steps):
        bot.step()
        exchange.clock.advance(10)


def test_its_order_follows_the_market(exchange, bot):
    trade(exchange, bot, 12)
    (order,) = exchange.orders("hyperliquid", symbol="BTC")
    mid = next(iter(exchange.truth.book("hyperliquid", "BTC").bids))
    assert 0.99 * float(mid) < order.price <= mid
    exchange.assert_no_orphan_orders()


@pytest.mark.parametrize("kind", ["http.status", "http.drop", "http.html_body"])
def test_orders_are_accepted_and_answered_with_an_error(exchange, bot, kind):
    """As on 2025-07-29, when bots that tried again doubled their positions."""
    exchange.faults.add(kind, carried_out=True, every_n=2, **ORDERS)
    trade(exchange, bot, 12)
    assert len(exchange.faults.hits) > 1
    exchange.assert_no_duplicate_orders()
    exchange.assert_no_orphan_orders()
    assert len(exchange.orders("hyperliquid")) == 1


def test_a_bot_that_tries_again_blindly_is_found_out(exchange, bot):
    exchange.faults.add("http.status", carried_out=True, count=1, **ORDERS)
    limit = {"limit": {"tif": "Gtc"}}
    with pytest.raises(Exception):
        bot.exchange.order("BTC", True, 0.01, 60000, limit)
    bot.exchange.order("BTC", True, 0.01, 60000, limit)
    with pytest.raises(AssertionError, match="was answered with 500, and placed it again"):
        exchange.assert_no_duplicate_orders()

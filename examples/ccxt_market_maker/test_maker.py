"""The market maker against an exchange that is well, and against one that is not."""

import asyncio
from contextlib import asynccontextmanager, suppress

import ccxt.pro
import pytest
from maker import MarketMaker

# Ten virtual seconds a second; the clock runs by itself, as a bot's own does.
pytestmark = pytest.mark.emulator(venues=["binance-usdm"], paused=False, speed=10)
VENUE, MARKET, SYMBOL = "binance-usdm", "BTCUSDT", "BTC/USDT:USDT"


@asynccontextmanager
async def quoting(exchange, maker=MarketMaker):
    """A maker at work on the exchange, from its first quotes on."""
    async with exchange.configure(ccxt.pro.binanceusdm({"enableRateLimit": False})) as client:
        bot = maker(client, SYMBOL)
        work = asyncio.create_task(bot.run())
        try:
            await until(lambda: bot.quoted or work.done())
            yield bot
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work


async def until(done):
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.02)


async def at_rest(exchange, bot):
    """Stop the market when the maker has a quote on either side of it."""

    def stopped():
        exchange.clock.pause()
        if bot.quoted and len(exchange.orders(VENUE, "demo", MARKET)) == 2:
            return True
        exchange.clock.resume()
        return False

    await until(stopped)


async def test_it_quotes_both_sides_of_the_market(exchange):
    async with quoting(exchange) as bot:
        await at_rest(exchange, bot)
        orders = exchange.orders(VENUE, "demo", MARKET)
        book = exchange.truth.book(VENUE, MARKET)
    assert sorted(order.side for order in orders) == ["buy", "sell"]
    buy, sell = sorted(order.price for order in orders)
    assert buy < next(iter(book.asks)) and sell > next(iter(book.bids))


async def test_an_answer_that_never_comes_is_asked_after(exchange):
    """The venue takes the order and its answer is lost: 2025-07-29, and any day with a timeout in it."""
    exchange.faults.add(
        "http.status",
        venue=VENUE,
        endpoint="/fapi/v1/order",
        carried_out=True,
        status=503,
        body="{}",
        count=1,
    )
    async with quoting(exchange) as bot:
        assert exchange.faults.hits
        await at_rest(exchange, bot)
        exchange.assert_no_duplicate_orders()
        exchange.assert_no_orphan_orders()


async def test_a_cut_socket_is_opened_again(exchange):
    async with quoting(exchange):
        exchange.faults.add("ws.drop", venue=VENUE, count=1)
        await until(lambda: exchange.faults.hits)
        await exchange.assert_reconnected_async(within_seconds=60)
        await exchange.assert_resubscribed_async(within_seconds=60)


async def test_too_many_requests_are_not_answered_with_more(exchange):
    """What the judgement is for: this maker does not wait as it is told."""
    exchange.faults.add("http.429", venue=VENUE, endpoint="/fapi/v1/order", retry_after_s=60, count=1)
    async with quoting(exchange):
        with pytest.raises(
            AssertionError, match="after a 429 to POST /fapi/v1/order had told it to wait 60 s"
        ):
            exchange.assert_respected_limits()

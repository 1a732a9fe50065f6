"""The keeper's book held against the exchange's own, after whatever happens to its stream."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from binance import AsyncClient
from keeper import BookKeeper

pytestmark = pytest.mark.emulator(venues=["binance"], paused=False, speed=10)


@asynccontextmanager
async def keeping(exchange):
    """A keeper at work, from its first book on."""
    exchange.configure(AsyncClient)
    client = await AsyncClient.create()
    keeper = BookKeeper(client, "BTCUSDT")
    work = asyncio.create_task(keeper.run())
    try:
        await until(lambda: keeper.book is not None)
        yield keeper
    finally:
        exchange.clock.resume()  # a socket of the library ends at its next message
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        await client.close_connection()


async def until(done):
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.02)


async def in_sync(exchange, keeper):
    """Go on until the keeper has a book of five seconds later, stop the market, and have it read what it was sent."""
    later_ns = exchange.clock.now_ns + 5_000_000_000
    await until(lambda: exchange.clock.now_ns > later_ns)
    last = exchange.truth.sequence("binance", "BTCUSDT", later_ns)
    await until(lambda: keeper.book is not None and keeper.book.last >= last)
    exchange.clock.pause()
    told_ns = exchange.clock.now_ns // 100_000_000 * 100_000_000
    last = exchange.truth.sequence("binance", "BTCUSDT", told_ns)
    await until(lambda: keeper.book.last == last)
    exchange.assert_book_in_sync("binance", "BTCUSDT", keeper.book.bids, keeper.book.asks)


async def test_a_book_is_kept(exchange):
    async with keeping(exchange) as keeper:
        await in_sync(exchange, keeper)
        assert keeper.snapshots == 1


@pytest.mark.parametrize("kind", ["md.gap", "md.reorder", "md.dup"])
async def test_a_book_is_kept_whatever_becomes_of_a_message(exchange, kind):
    async with keeping(exchange) as keeper:
        exchange.faults.add(kind, venue="binance", channel="depth", every_n=5, count=3)
        await until(lambda: len(exchange.faults.hits) == 3)
        await in_sync(exchange, keeper)


async def test_a_book_is_kept_though_snapshots_fail(exchange):
    async with keeping(exchange) as keeper:
        exchange.faults.add("http.status", venue="binance", endpoint="/api/v3/depth", count=2)
        exchange.faults.add("md.gap", venue="binance", channel="depth", count=1)
        await until(lambda: keeper.snapshots == 4)
        await in_sync(exchange, keeper)


async def test_a_cut_socket_is_opened_again(exchange):
    async with keeping(exchange) as keeper:
        before = keeper.book
        exchange.connections.kick("binance-1")
        await exchange.assert_reconnected_async(within_seconds=60)
        await exchange.assert_resubscribed_async(within_seconds=60)
        await until(lambda: keeper.book not in (None, before))
        await in_sync(exchange, keeper)

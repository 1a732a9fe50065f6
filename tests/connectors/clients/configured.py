"""Clients that `configure` alone points at an emulator. Arguments: CLIENT PATH..., folders of it and of its needs.

Exits 0 only if the client read a book and traded, where it can, and nobody looked for any host but this one.
"""

import asyncio
import os
import sys
import time
from collections import Counter

CLIENT, *PATHS = sys.argv[1:]
sys.path += PATHS
PATIENCE_S = 400
LOCAL = {"127.0.0.1", "localhost", "::1", "0.0.0.0", "", None}

elsewhere = []


def stay(event, arguments):
    """An audit hook that lets nobody look for another host; what a library swallows is remembered."""
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        host = arguments[0] if event == "socket.getaddrinfo" else arguments[1][0]
        host = host.decode() if isinstance(host, bytes) else host
        if host not in LOCAL:
            elsewhere.append(host)
            raise OSError(f"it looked for {host}")


sys.addaudithook(stay)


async def trade(client, symbol):
    """ccxt: an order over REST, and over the socket; both cancelled."""
    last = (await client.fetch_ticker(symbol))["last"]
    price = client.price_to_precision(symbol, last * 0.97)
    for place, cancel in (
        (client.create_order, client.cancel_order),
        (client.create_order_ws, client.cancel_order_ws),
    ):
        order = await place(symbol, "limit", "buy", 0.002, float(price))
        await cancel(order["id"], symbol)
    assert await client.fetch_open_orders(symbol) == []


async def ccxt_books(client, *symbols):
    markets = await client.load_markets()
    for symbol in symbols:
        assert symbol in markets, list(markets)
        book = await client.watch_order_book(symbol)
        assert book["bids"][0][0] < book["asks"][0][0]
        assert (await client.watch_trades(symbol))[0]["symbol"] == symbol


async def ccxt_object(exchange):
    """One object, two venues."""
    import ccxt.pro

    ccxt.Exchange.timeout = 60_000
    async with exchange.configure(ccxt.pro.binance()) as client:
        await ccxt_books(client, "BTC/USDT", "BTC/USDT:USDT")
        await trade(client, "BTC/USDT")
        await trade(client, "BTC/USDT:USDT")
    async with exchange.configure(ccxt.pro.binance(), "binance") as client:
        await ccxt_books(client, "BTC/USDT")
        assert not any(market["swap"] for market in client.markets.values())
    async with exchange.configure(ccxt.pro.hyperliquid()) as client:
        await ccxt_books(client, "BTC/USDC:USDC")


async def ccxt_class(exchange):
    """Of a class, all that are made of it; of one that does not wait, too."""
    import ccxt.pro

    ccxt.Exchange.timeout = 60_000
    for kind, symbol in ((ccxt.pro.binanceusdm, "BTC/USDT:USDT"), (ccxt.pro.hyperliquid, "BTC/USDC:USDC")):
        assert exchange.configure(kind) is kind
        exchange.configure(kind)
        async with kind({"newUpdates": True}) as client:
            await ccxt_books(client, symbol)
            assert client.newUpdates
            if kind is ccxt.pro.binanceusdm:
                await trade(client, symbol)
    client = exchange.configure(ccxt.binance)({"enableRateLimit": False})
    assert client.fetch_balance()["USDT"]["total"] == 1_000_000
    assert len(client.fetch_order_book("BTC/USDT")["bids"]) == 100


async def python_binance_class(exchange):
    from binance import AsyncClient, BinanceSocketManager

    AsyncClient.REQUEST_TIMEOUT = 60
    exchange.configure(AsyncClient)
    client = await AsyncClient.create("test-key", "test-secret")
    await python_binance(client, BinanceSocketManager(client, max_queue_size=10_000))


async def python_binance_object(exchange):
    """What was made before, for a testnet, without keys."""
    from binance import AsyncClient, BinanceSocketManager

    AsyncClient.REQUEST_TIMEOUT = 60
    client = AsyncClient(testnet=True)
    sockets = BinanceSocketManager(client, max_queue_size=10_000)
    assert exchange.configure(sockets) is sockets
    await python_binance(client, sockets)


async def python_binance(client, sockets):
    limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.002"}
    async with sockets.user_socket() as user, sockets.depth_socket("BTCUSDT") as spot:
        assert (await spot.recv())["e"] == "depthUpdate"
        price = f"{float((await client.get_symbol_ticker(symbol='BTCUSDT'))['price']) * 0.97:.2f}"
        order = await client.create_order(**limit, price=price)
        assert (await user.recv())["i"] == order["orderId"]
        await client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
        assert (await client.ws_get_order_book(symbol="BTCUSDT", limit=5))["bids"]
    async with sockets.futures_depth_socket("BTCUSDT") as futures:
        assert len((await futures.recv())["data"]["b"]) == 10
    price = f"{float((await client.futures_symbol_ticker(symbol='BTCUSDT'))['price']) * 0.97:.1f}"
    order = await client.futures_create_order(**limit, price=price)
    await client.futures_cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
    assert (await client.ws_futures_get_order_book(symbol="BTCUSDT", limit=5))["bids"]
    await client.close_connection()


async def python_binance_thread(exchange):
    await asyncio.to_thread(python_binance_waiting, exchange)


def python_binance_waiting(exchange):
    """A client that does not wait, and a socket in a thread of the library's own."""
    import queue

    from binance import Client, ThreadedWebsocketManager

    heard = queue.Queue()
    threaded = exchange.configure(ThreadedWebsocketManager)()
    threaded.start()
    threaded.start_trade_socket(heard.put, "BTCUSDT")
    assert heard.get(timeout=PATIENCE_S)["e"] == "trade"
    threaded.stop()
    Client.REQUEST_TIMEOUT = 60
    account = exchange.configure(Client()).get_account()
    assert {"asset": "BTC", "free": "10.00000000", "locked": "0.00000000"} in account["balances"]


async def hyperliquid_sdk(exchange):
    await asyncio.to_thread(hyperliquid_sdk_waiting, exchange)


def hyperliquid_sdk_waiting(exchange):
    import queue

    import eth_account
    from hyperliquid.exchange import Exchange
    from hyperliquid.info import Info
    from hyperliquid.utils import constants

    exchange.configure(Info)
    for info in (Info(), exchange.configure(Info(constants.TESTNET_API_URL))):
        books = queue.Queue()
        info.subscribe({"type": "l2Book", "coin": "BTC"}, books.put)
        bids, asks = books.get(timeout=PATIENCE_S)["data"]["levels"]
        assert float(bids[0]["px"]) < float(asks[0]["px"])
        info.disconnect_websocket()
    trader = Exchange(eth_account.Account.create(), constants.MAINNET_API_URL)
    price = round(float(trader.info.all_mids()["BTC"]) * 0.9)
    order = trader.order("BTC", True, 0.01, price, {"limit": {"tif": "Gtc"}})
    (status,) = order["response"]["data"]["statuses"]
    assert trader.cancel("BTC", status["resting"]["oid"])["status"] == "ok"


async def unicorn(exchange):
    await asyncio.to_thread(unicorn_waiting, exchange)


def unicorn_waiting(exchange):
    from unicorn_binance_local_depth_cache import BinanceLocalDepthCacheManager

    exchange.configure(BinanceLocalDepthCacheManager)
    for venue in ("binance.com", "binance.com-futures"):
        caches = BinanceLocalDepthCacheManager(exchange=venue, init_interval=0.5, warn_on_update=False)
        try:
            caches.create_depthcache("BTCUSDT")
            give_up = time.monotonic() + PATIENCE_S
            while not caches.is_depth_cache_synchronized("BTCUSDT"):
                assert time.monotonic() < give_up, "it never found its place"
                time.sleep(0.1)
            # Both sides are taken in one after the other, so that a look between them may find them crossed.
            while caches.get_bids("BTCUSDT")[0][0] >= caches.get_asks("BTCUSDT")[0][0]:
                assert time.monotonic() < give_up, "crossed"
        finally:
            caches.stop_manager()


async def binance_sdk(exchange):
    """Binance's own, REST."""
    await asyncio.to_thread(binance_sdk_waiting, exchange)


def binance_sdk_waiting(exchange):
    from binance.spot import Spot as Connector
    from binance_sdk_derivatives_trading_usds_futures import derivatives_trading_usds_futures as usdm
    from binance_sdk_spot.spot import Spot

    for client in (exchange.configure(Connector()), exchange.configure(Connector)()):
        assert len(client.depth("BTCUSDT", limit=5)["bids"]) == 5
        assert client.account()["canTrade"]
    exchange.configure(Spot)
    assert len(Spot().rest_api.depth("BTCUSDT", limit=5).data().bids) == 5
    futures = exchange.configure(usdm.DerivativesTradingUsdsFutures())
    assert len(futures.rest_api.order_book("BTCUSDT", limit=5).data().bids) == 5
    assert futures.rest_api.futures_account_balance_v3().data()
    assert Spot().rest_api.get_account().data().can_trade


async def cryptofeed_class(exchange):
    """Over TLS, which it insists on; two venues at once."""
    from cryptofeed import FeedHandler
    from cryptofeed.defines import L2_BOOK, TRADES
    from cryptofeed.exchanges import Binance, BinanceFutures

    heard, enough = Counter(), asyncio.Event()

    def hear(*what):
        heard[what] += 1
        if len(heard) == 4 and min(heard.values()) > 2:
            enough.set()

    async def book(told, _at):
        bids, asks = told.book.bids, told.book.asks
        assert bids.index(0)[0] < asks.index(0)[0]
        hear(told.exchange, "book")

    async def trade(told, _at):
        hear(told.exchange, "trade")

    handler = FeedHandler(config={"log": {"filename": os.devnull, "level": "WARNING"}})
    for kind, symbol in ((Binance, "BTC-USDT"), (BinanceFutures, "BTC-USDT-PERP")):
        feed = exchange.configure(kind)
        callbacks = {L2_BOOK: book, TRADES: trade}
        handler.add_feed(feed(symbols=[symbol], channels=list(callbacks), callbacks=callbacks))
    loop = asyncio.get_running_loop()
    handler.run(start_loop=False, install_signal_handlers=False)
    await enough.wait()
    await handler.stop_async(loop=loop)


async def main():
    from emulator import Emulator

    async with Emulator(seed=7, paused=False, tls=CLIENT.startswith("cryptofeed")) as exchange:
        await asyncio.wait_for(globals()[CLIENT](exchange), PATIENCE_S)


asyncio.run(main())
assert elsewhere == [], elsewhere

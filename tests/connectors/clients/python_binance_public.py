"""python-binance keeps a book and reads trades. Arguments: HTTP WS. Exits 0 if all of it held together."""

import asyncio
import json
import sys

from binance import AsyncClient, BinanceSocketManager
from binance.ws.depthcache import DepthCacheManager

BOOKS, TRADES = 30, 20


async def read(http, ws):
    AsyncClient.API_URL = f"{http}/api"  # class attributes are the client's only way to another host
    BinanceSocketManager.STREAM_URL = f"{ws}/"
    client = await AsyncClient.create()
    sockets = BinanceSocketManager(client)
    try:
        symbols = (await client.get_exchange_info())["symbols"]
        assert "BTCUSDT" in [s["symbol"] for s in symbols]
        snapshots = 0
        ask_for_book = client.get_order_book

        async def counted(**params):
            nonlocal snapshots
            snapshots += 1
            return await ask_for_book(**params)

        client.get_order_book = counted
        async with DepthCacheManager(client, "BTCUSDT", bm=sockets, ws_interval=100) as depth:
            for _ in range(BOOKS):
                cache = await depth.recv()
                assert cache.get_bids()[0][0] < cache.get_asks()[0][0], "crossed"
        # One to begin with, one more because it asks before it listens; a gap would be hidden behind a third.
        assert snapshots <= 2, "the cache lost its place"
        async with sockets.trade_socket("BTCUSDT") as stream:
            ids = [(await stream.recv())["t"] for _ in range(TRADES)]
        assert ids == list(range(ids[0], ids[0] + TRADES)), "trades missing"
    finally:
        await client.close_connection()
    return {"markets": len(symbols), "books": BOOKS, "snapshots": snapshots, "trades": TRADES}


print(json.dumps(asyncio.run(read(*sys.argv[1:]))))

"""python-binance stays with a perpetual's mark prices. Arguments: HTTP WS. See lasting.py for what it tells."""

import asyncio
import sys
from pathlib import Path

from binance import AsyncClient, BinanceSocketManager

sys.path.insert(0, str(Path(__file__).parent))
from lasting import Heard

SECOND_MS = 1_000


async def stay(http, ws):
    AsyncClient.API_URL, AsyncClient.FUTURES_URL = f"{http}/api", f"{http}/fapi"
    BinanceSocketManager.STREAM_URL = BinanceSocketManager.FSTREAM_URL = f"{ws}/"
    client = await AsyncClient.create()
    heard = Heard(SECOND_MS)
    asked = heard.tell_aside()
    # A socket with 100 unread messages ends; a step of hours has more.
    sockets = BinanceSocketManager(client, max_queue_size=1_000_000)
    async with sockets.symbol_mark_price_socket("BTCUSDT", fast=True) as stream:
        while asked.is_alive():
            told = await stream.recv()
            if told.get("e") == "error":
                heard.cuts += 1
            else:
                heard.at(told["data"]["E"])
    await client.close_connection()


asyncio.run(stay(*sys.argv[1:]))

"""ccxt stays with a spot market's minutes. Arguments: HTTP WS. See lasting.py for what it tells."""

import asyncio
import sys
from pathlib import Path

import ccxt.pro

sys.path.insert(0, str(Path(__file__).parent))
from lasting import Heard

MINUTE_MS = 60_000


async def stay(http, ws):
    api = {"public": f"{http}/api/v3", "private": f"{http}/api/v3", "ws": {"spot": f"{ws}/stream/ws"}}
    settings = {"urls": {"api": api}, "newUpdates": True, "options": {"fetchMarkets": {"types": ["spot"]}}}
    exchange = ccxt.pro.binance(settings)
    heard = Heard(MINUTE_MS)
    asked = heard.tell_aside()
    while asked.is_alive():
        try:
            for row in await exchange.watch_ohlcv("BTC/USDT", "1m"):
                heard.at(row[0])
        except ccxt.NetworkError:
            heard.cuts += 1
    await exchange.close()


asyncio.run(stay(*sys.argv[1:]))

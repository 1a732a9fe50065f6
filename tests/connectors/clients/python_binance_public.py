"""python-binance reads a market. Arguments: MARKET PART HTTP WS. Exits 0 only if all of it held together.

MARKET is "spot" or "usdm"; PART is "books", for books and trades, or "bars", for candles, tickers and funding.
"""

import asyncio
import json
import sys
from decimal import Decimal
from itertools import pairwise

from binance import AsyncClient, BinanceSocketManager
from binance.ws.depthcache import DepthCacheManager

BOOKS, TRADES, CANDLES = 30, 20, 3
MINUTE_MS, EIGHT_HOURS_MS = 60_000, 8 * 3_600_000


# ---------------------------------------------------------------- books and trades
async def spot_books(client, sockets):
    snapshots = []
    ask_for_book = client.get_order_book

    async def kept(**params):
        snapshots.append(await ask_for_book(**params))
        return snapshots[-1]

    client.get_order_book = kept
    read = 0
    async with DepthCacheManager(client, "BTCUSDT", bm=sockets, ws_interval=100) as depth:
        while read < BOOKS:
            cache = await depth.recv()
            # What it had not yet read when it asked is older than the answer, and it takes that in all the same.
            if depth._last_update_id >= snapshots[-1]["lastUpdateId"]:
                assert cache.get_bids()[0][0] < cache.get_asks()[0][0], "crossed"
                read += 1
    # One to begin with, one more because it asks before it listens; a gap would be hidden behind a third.
    assert len(snapshots) <= 2, "the cache lost its place"
    async with sockets.trade_socket("BTCUSDT") as stream:
        ids = [(await stream.recv())["t"] for _ in range(TRADES)]
    assert ids == list(range(ids[0], ids[0] + TRADES)), "trades missing"
    return {"books": BOOKS, "snapshots": snapshots, "trades": TRADES}


async def usdm_books(client, sockets):
    async with sockets.futures_depth_socket("BTCUSDT") as stream:
        events = [(await stream.recv())["data"] for _ in range(BOOKS)]
    assert all(b["pu"] == a["u"] for a, b in pairwise(events)), "a book is missing"
    assert all(Decimal(e["b"][0][0]) < Decimal(e["a"][0][0]) for e in events), "crossed"
    assert all(len(e["b"]) == len(e["a"]) == 10 for e in events), "not a whole book"
    book = await client.futures_order_book(symbol="BTCUSDT", limit=1000)
    assert book["lastUpdateId"] >= events[-1]["u"], "REST is behind the stream"
    async with sockets.aggtrade_futures_socket("BTCUSDT") as stream:
        trades = [(await stream.recv())["data"] for _ in range(TRADES)]
    assert [t["a"] for t in trades] == list(range(trades[0]["a"], trades[0]["a"] + TRADES)), "trades missing"
    assert all(b["f"] == a["l"] + 1 for a, b in pairwise(trades)), "prints missing"
    return {"books": BOOKS, "trades": TRADES}


# ---------------------------------------------------------------- candles and tickers
async def watch(stream):
    """Candles that closed, the trades of a while, and tickers, of a combined socket."""
    candles, trades, tickers = {}, [], []
    async with stream as socket:
        while len(candles) < CANDLES + 2:
            data = (await socket.recv())["data"]
            if data["e"] == "kline" and data["k"]["x"]:
                k = data["k"]
                candles[k["t"]] = [
                    k[key] for key in ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
                ]
            elif data["e"] == "trade":
                trades.append(data)
            elif data["e"] == "24hrTicker":
                tickers.append(data)
    # Nobody heard all of the first minute, and the last candle was told before the last trades of its minute.
    closed = sorted(candles)[1:-1]
    assert len(closed) >= CANDLES, "minutes are missing"
    assert all(b["t"] == a["t"] + 1 for a, b in pairwise(trades)), "trades missing"
    assert len(tickers) >= CANDLES, "tickers are missing"
    for at in closed:
        inside = [t for t in trades if at <= t["T"] < at + MINUTE_MS]
        prices = [Decimal(t["p"]) for t in inside]
        told = [Decimal(value) for value in candles[at][1:6]]
        volume = sum(Decimal(t["q"]) for t in inside)
        assert told == [prices[0], max(prices), min(prices), prices[-1], volume], "not made of the trades"
        assert candles[at][8] == len(inside), "not so many trades"
    for ticker in tickers:
        before = [t for t in trades if t["T"] < ticker["E"]]
        if before:
            assert ticker["c"] == before[-1]["p"], "a price of its own"
    found = {"candles": len(closed), "trades": len(trades), "tickers": len(tickers)}
    return [candles[at] for at in closed], found


async def spot_bars(client, sockets):
    candles, found = await watch(
        sockets.multiplex_socket(["btcusdt@kline_1m", "btcusdt@trade", "btcusdt@ticker"])
    )
    span = {"symbol": "BTCUSDT", "interval": "1m", "startTime": candles[0][0], "endTime": candles[-1][0]}
    assert await client.get_klines(**span) == candles, "streamed and fetched candles differ"
    assert await client.get_ui_klines(**span) == candles
    days = await client.get_historical_klines("BTCUSDT", "1d", candles[0][0] - 90 * 24 * 60 * MINUTE_MS)
    assert [b[0] - a[0] for a, b in pairwise(days)] == [24 * 60 * MINUTE_MS] * (len(days) - 1), (
        "days out of step"
    )
    assert 89 <= len(days) <= 91, "a day is missing"
    average = await client.get_avg_price(symbol="BTCUSDT")
    assert abs(float(average["price"]) / float(candles[-1][4]) - 1) < 0.05, "two different markets"
    assert (await client.get_ticker(symbol="BTCUSDT"))["count"] > 0
    assert {row["symbol"] for row in await client.get_symbol_ticker()} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    old = await client.get_historical_trades(symbol="BTCUSDT", limit=5, fromId=1)
    assert [row["id"] for row in old] == list(range(old[0]["id"], old[0]["id"] + 5))
    async with sockets.miniticker_socket() as stream:
        assert {row["s"] for row in await stream.recv()} <= {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    return found | {"days": len(days)}


async def usdm_bars(client, sockets):
    # On futures `trade` is a stream of the category "public", the others of "market".
    names = ["btcusdt@kline_1m", "btcusdt@trade", "btcusdt@ticker"]
    candles, found = await watch(sockets.futures_multiplex_socket(names, category="market"))
    span = {"interval": "1m", "startTime": candles[0][0], "endTime": candles[-1][0]}
    assert await client.futures_klines(symbol="BTCUSDT", **span) == candles, (
        "streamed and fetched candles differ"
    )
    pair = {"pair": "BTCUSDT", "contractType": "PERPETUAL"}
    assert await client.futures_continuous_klines(**pair, **span) == candles
    for fetch, key in (
        (client.futures_mark_price_klines, "symbol"),
        (client.futures_index_price_klines, "pair"),
        (client.futures_premium_index_klines, "symbol"),
    ):
        rows = await fetch(**{key: "BTCUSDT"}, interval="1h", limit=100)
        assert [b[0] - a[0] for a, b in pairwise(rows)] == [60 * MINUTE_MS] * 99, "an hour is missing"
    told, asked = {"T": 0}, {"nextFundingTime": 1}
    async with sockets.symbol_mark_price_socket("BTCUSDT") as stream:
        while asked["nextFundingTime"] != told["T"]:  # but for a settlement between both, they are one
            told = (await stream.recv())["data"]
            asked = await client.futures_mark_price(symbol="BTCUSDT")
    assert told["T"] % EIGHT_HOURS_MS == 0, "funding at an odd time"
    assert abs(Decimal(asked["markPrice"]) / Decimal(told["p"]) - 1) < Decimal("0.05"), "two marks"
    paid = await client.futures_funding_rate(symbol="BTCUSDT", limit=50)
    assert [b["fundingTime"] - a["fundingTime"] for a, b in pairwise(paid)] == [EIGHT_HOURS_MS] * 49
    assert paid[-1]["fundingTime"] + EIGHT_HOURS_MS == told["T"], "a settlement is missing"
    assert Decimal((await client.futures_open_interest(symbol="BTCUSDT"))["openInterest"]) > 0
    async with sockets.kline_futures_socket("BTCUSDT") as stream:
        assert (await stream.recv())["ct"] == "PERPETUAL"
    async with sockets.all_mark_price_socket() as stream:
        assert len((await stream.recv())["data"]) == 3
    return found | {"settlements": len(paid)}


PARTS = {("spot", "books"): spot_books, ("spot", "bars"): spot_bars}
PARTS |= {("usdm", "books"): usdm_books, ("usdm", "bars"): usdm_bars}


async def read(market, part, http, ws):
    # Class attributes are the client's only way to another host.
    AsyncClient.API_URL, AsyncClient.FUTURES_URL = f"{http}/api", f"{http}/fapi"
    BinanceSocketManager.STREAM_URL = BinanceSocketManager.FSTREAM_URL = f"{ws}/"
    client = await AsyncClient.create(requests_params={"timeout": 60})
    # A socket with 100 unread messages ends; a fast minute has more.
    sockets = BinanceSocketManager(client, max_queue_size=100_000)
    try:
        info = await (client.get_exchange_info() if market == "spot" else client.futures_exchange_info())
        assert "BTCUSDT" in [s["symbol"] for s in info["symbols"]]
        return {"markets": len(info["symbols"])} | await PARTS[market, part](client, sockets)
    finally:
        await client.close_connection()


print(json.dumps(asyncio.run(read(*sys.argv[1:]))))

"""ccxt reads a venue. Arguments: VENUE PART HTTP WS. Exits 0 only if all of it held together.

PART is "books", for books and trades, or "bars", for candles, tickers and funding.
"""

import asyncio
import json
import sys
from decimal import Decimal
from itertools import pairwise

import ccxt.pro

BOOKS, TRADES, REST_BOOKS = {"binance": 30, "binance-usdm": 30, "hyperliquid": 3}, 20, 40
KEPT = {"tradesLimit": 100_000}  # beyond its 1,000, which a fast minute fills between two turns of its loop
USUAL = {"newUpdates": True, "timeout": 60_000}  # ms, for the machine may be busy
CANDLES, MINUTE_MS, HOUR_MS = 3, 60_000, 3_600_000


def binance(http, ws):
    # ccxt takes a socket for a spot one only if its URL contains "/stream" (ccxt.pro.binance.is_spot_url).
    api = {"public": f"{http}/api/v3", "private": f"{http}/api/v3", "ws": {"spot": f"{ws}/stream/ws"}}
    options = {"fetchMarkets": {"types": ["spot"]}, **KEPT}
    return ccxt.pro.binance({"urls": {"api": api}, "options": options, **USUAL})


def binance_usdm(http, ws):
    # This one must end in "/ws", so that ccxt puts "public" or "market" before it.
    api = {"fapiPublic": f"{http}/fapi/v1", "fapiPrivate": f"{http}/fapi/v1", "ws": {"linear": f"{ws}/ws"}}
    options = {"fetchMarkets": {"types": ["linear"]}, **KEPT}
    return ccxt.pro.binanceusdm({"urls": {"api": api}, "options": options, **USUAL})


def hyperliquid(http, ws):
    api = {"public": http, "private": http, "ws": {"public": f"{ws}/ws"}}
    options = {"fetchMarkets": {"types": ["swap", "spot"]}, **KEPT}
    return ccxt.pro.hyperliquid({"urls": {"api": api}, "options": options, **USUAL})


VENUES = {
    "binance": (binance, "BTC/USDT"),
    "binance-usdm": (binance_usdm, "BTC/USDT:USDT"),
    "hyperliquid": (hyperliquid, "BTC/USDC:USDC"),
}


# ---------------------------------------------------------------- books and trades
def top(book):
    return [[tuple(level[:2]) for level in book[side][:20]] for side in ("bids", "asks")]


async def books(exchange, venue, symbol):
    seen, same = {}, 0
    for _ in range(BOOKS[venue]):
        book = await exchange.watch_order_book(symbol)  # raises on a gap
        assert book["bids"][0][0] < book["asks"][0][0], "crossed"
        seen[book["nonce"]] = top(book)
    if book["nonce"] is not None:  # the venue numbers its books: one number, one book
        asked = 0
        while asked < REST_BOOKS or not same:  # which of both is ahead is nobody's to say
            asked += 1
            ask, watch = exchange.fetch_order_book(symbol, 100), exchange.watch_order_book(symbol)
            rest, streamed = await asyncio.gather(ask, watch)
            seen[streamed["nonce"]] = top(streamed)
            if rest["nonce"] in seen:
                assert top(rest) == seen[rest["nonce"]], "REST and stream disagree"
                same += 1
    rest = await exchange.fetch_order_book(symbol)
    assert rest["bids"][0][0] < rest["asks"][0][0], "crossed"
    assert abs(rest["bids"][0][0] / book["bids"][0][0] - 1) < 0.05, "two different markets"

    trades = []
    while len(trades) < TRADES:
        trades += await exchange.watch_trades(symbol)
    ids = [trade["id"] for trade in trades]
    assert len(set(ids)) == len(ids), "a trade came twice"
    assert all(a["timestamp"] <= b["timestamp"] for a, b in pairwise(trades)), "trades out of order"
    if venue != "hyperliquid":
        assert [int(i) for i in ids] == list(range(int(ids[0]), int(ids[0]) + len(ids))), "trades missing"
    return {"books": BOOKS[venue], "rest_books_equal": same, "trades": len(trades)}


# ---------------------------------------------------------------- candles, tickers, funding
async def bars(exchange, venue, symbol):
    candles, trades, tickers, over_ms = {}, [], [], []

    async def watch_candles():
        while len(candles) < CANDLES + 2:
            candles.update((row[0], row[1:]) for row in await exchange.watch_ohlcv(symbol, "1m"))

    async def watch_trades():
        while not over_ms or trades[-1]["timestamp"] < over_ms[-1]:
            trades.extend(await exchange.watch_trades(symbol))

    async def watch_tickers():
        while not over_ms or len(tickers) < CANDLES:
            tickers.append(await exchange.watch_ticker(symbol))

    trades += await exchange.watch_trades(symbol)
    listening = [asyncio.create_task(watch()) for watch in (watch_trades, watch_tickers)]
    await watch_candles()
    # Of a minute that nobody heard all of, or that is not over, there is nothing to compare. Trades are on a socket
    # of their own, which may be behind the candles': what is over is what a later trade has come after.
    closed = [at for at in sorted(candles)[:-1] if at > trades[0]["timestamp"]]
    over_ms.append(closed[-1] + MINUTE_MS)
    await asyncio.gather(*listening)

    assert len(closed) >= CANDLES, "minutes are missing"
    until = {"until": closed[-1] + MINUTE_MS - 1}
    fetched = await exchange.fetch_ohlcv(symbol, "1m", since=closed[0], limit=len(closed), params=until)
    assert [[at, *candles[at]] for at in closed] == fetched, "streamed and fetched candles differ"
    for at, candle in zip(closed, fetched, strict=True):
        assert counted(at, trades) == candle, f"not made of the trades: {candle}, {counted(at, trades)}"

    hours = await exchange.fetch_ohlcv(
        symbol, "1h", since=closed[0] - 900 * HOUR_MS, limit=500, params={"until": closed[0] - 400 * HOUR_MS}
    )
    assert len(hours) == 500, "an hour is missing"
    assert all(b[0] == a[0] + HOUR_MS for a, b in pairwise(hours)), "hours out of step"

    last = {trade["timestamp"]: trade["price"] for trade in trades}
    known = [ticker for ticker in tickers if trades[0]["timestamp"] < (ticker["timestamp"] or 0) <= max(last)]
    for ticker in known:  # a venue that dates its tickers tells the last price with them
        assert ticker["last"] == last[max(at for at in last if at < ticker["timestamp"])], (
            "a price of its own"
        )
    fetched = await exchange.fetch_ticker(symbol)
    for ticker in (*tickers, fetched):
        assert (
            abs((ticker["last"] or ticker["close"] or ticker["info"]["midPx"]) / trades[-1]["price"] - 1)
            < 0.05
        )
        assert ticker["quoteVolume"] > 0, "nothing was traded for a day"
    assert set(await exchange.fetch_tickers()) == set(exchange.symbols), "a market has no ticker"
    found = {"candles": len(closed), "trades": len(trades), "tickers": len(tickers), "dated": len(known)}
    return found | (await funding(exchange, venue, symbol) if exchange.market(symbol)["swap"] else {})


def counted(at, trades):
    """A candle as a client makes it of trades, in the numbers of the wire."""
    inside = [trade for trade in trades if at <= trade["timestamp"] < at + MINUTE_MS]
    prices = [trade["price"] for trade in inside]
    volume = sum(Decimal(trade["info"].get("q") or trade["info"]["sz"]) for trade in inside)
    return [at, prices[0], max(prices), min(prices), prices[-1], float(volume)]


async def funding(exchange, venue, symbol):
    every_ms = {"binance-usdm": 8, "hyperliquid": 1}[venue] * HOUR_MS
    rate = await exchange.fetch_funding_rate(symbol)
    assert abs(rate["fundingRate"]) < 0.01, rate["fundingRate"]
    assert abs(rate["markPrice"] / rate["indexPrice"] - 1) < 0.01, "mark and index are far apart"
    assert rate["fundingTimestamp"] % every_ms == 0, "funding at an odd time"
    since = rate["fundingTimestamp"] - 21 * every_ms
    until = {"until": rate["fundingTimestamp"]}
    history = await exchange.fetch_funding_rate_history(symbol, since=since, limit=20, params=until)
    times = [row["timestamp"] // 1_000 for row in history]
    assert [(b - a) * 1_000 for a, b in pairwise(times)] == [every_ms] * 19, "a settlement is missing"
    assert (await exchange.fetch_open_interest(symbol))["openInterestAmount"] > 0
    if venue == "binance-usdm":
        marked = await exchange.watch_mark_price(symbol)
        assert abs(float(marked["markPrice"]) / rate["markPrice"] - 1) < 0.05
        for fetch in (
            exchange.fetch_mark_ohlcv,
            exchange.fetch_index_ohlcv,
            exchange.fetch_premium_index_ohlcv,
        ):
            rows = await fetch(symbol, "1m", limit=60)
            assert [b[0] - a[0] for a, b in pairwise(rows)] == [MINUTE_MS] * 59, "a minute is missing"
            assert all(row[3] <= min(row[1], row[4]) <= max(row[1], row[4]) <= row[2] for row in rows)
    return {"rate": rate["fundingRate"], "settlements": len(history)}


PARTS = {"books": books, "bars": bars}


async def read(venue, part, http, ws):
    make, symbol = VENUES[venue]
    async with make(http, ws) as exchange:
        markets = await exchange.load_markets()
        assert symbol in markets, list(markets)
        return {"markets": len(markets)} | await PARTS[part](exchange, venue, symbol)


print(json.dumps(asyncio.run(read(*sys.argv[1:]))))

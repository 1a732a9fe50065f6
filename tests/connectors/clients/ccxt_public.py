"""ccxt reads a venue's book and trades. Arguments: VENUE HTTP WS. Exits 0 only if every reading held together."""

import asyncio
import json
import sys
from itertools import pairwise

import ccxt.pro

BOOKS, TRADES, REST_BOOKS = {"binance": 30, "hyperliquid": 3}, 20, 40


def binance(http, ws):
    # ccxt takes a socket for a spot one only if its URL contains "/stream" (ccxt.pro.binance.is_spot_url).
    api = {"public": f"{http}/api/v3", "private": f"{http}/api/v3", "ws": {"spot": f"{ws}/stream/ws"}}
    options = {"fetchMarkets": {"types": ["spot"]}}
    return ccxt.pro.binance({"urls": {"api": api}, "newUpdates": True, "options": options})


def hyperliquid(http, ws):
    api = {"public": http, "private": http, "ws": {"public": f"{ws}/ws"}}
    options = {"fetchMarkets": {"types": ["swap", "spot"]}}
    return ccxt.pro.hyperliquid({"urls": {"api": api}, "newUpdates": True, "options": options})


VENUES = {"binance": (binance, "BTC/USDT"), "hyperliquid": (hyperliquid, "BTC/USDC:USDC")}


def top(book):
    return [[tuple(level[:2]) for level in book[side][:20]] for side in ("bids", "asks")]


async def read(venue, http, ws):
    make, symbol = VENUES[venue]
    async with make(http, ws) as exchange:
        markets = await exchange.load_markets()
        assert symbol in markets, list(markets)

        seen, same = {}, 0
        for _ in range(BOOKS[venue]):
            book = await exchange.watch_order_book(symbol)  # raises on a gap
            assert book["bids"][0][0] < book["asks"][0][0], "crossed"
            seen[book["nonce"]] = top(book)
        if book["nonce"] is not None:  # the venue numbers its books: one number, one book
            for _ in range(REST_BOOKS):
                ask, watch = exchange.fetch_order_book(symbol, 100), exchange.watch_order_book(symbol)
                rest, streamed = await asyncio.gather(ask, watch)
                seen[streamed["nonce"]] = top(streamed)
                if rest["nonce"] in seen:
                    assert top(rest) == seen[rest["nonce"]], "REST and stream disagree"
                    same += 1
            assert same, "REST never named a book that was streamed"
        rest = await exchange.fetch_order_book(symbol)
        assert rest["bids"][0][0] < rest["asks"][0][0], "crossed"
        assert abs(rest["bids"][0][0] / book["bids"][0][0] - 1) < 0.05, "two different markets"

        trades = []
        while len(trades) < TRADES:
            trades += await exchange.watch_trades(symbol)
        ids = [trade["id"] for trade in trades]
        assert len(set(ids)) == len(ids), "a trade came twice"
        assert all(a["timestamp"] <= b["timestamp"] for a, b in pairwise(trades)), "trades out of order"
        if venue == "binance":
            assert [int(i) for i in ids] == list(range(int(ids[0]), int(ids[0]) + len(ids))), "trades missing"
    return {"markets": len(markets), "books": BOOKS[venue], "rest_books_equal": same, "trades": len(trades)}


print(json.dumps(asyncio.run(read(*sys.argv[1:]))))

"""The Hyperliquid SDK reads a coin. Arguments: PART HTTP WS. Exits 0 only if all of it held together.

PART is "books", for books and trades, or "bars", for candles, contexts and funding.
"""

import json
import queue
import sys
from decimal import Decimal
from itertools import pairwise

from hyperliquid.info import Info

BOOKS, TRADES, CANDLES, WAIT_S = 3, 20, 3, 60
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def subscribed(info, **subscription):
    told = queue.Queue()
    info.subscribe(subscription, told.put)
    return told


# ---------------------------------------------------------------- books and trades
def books(info):
    books = subscribed(info, type="l2Book", coin="BTC")
    trades = subscribed(info, type="trades", coin="BTC")
    times = []
    for _ in range(BOOKS):
        data = books.get(timeout=WAIT_S)["data"]
        bids, asks = data["levels"]
        assert float(bids[0]["px"]) < float(asks[0]["px"]), "crossed"
        times.append(data["time"])
    assert times == sorted(set(times)), "books out of order"
    prints = []
    while len(prints) < TRADES:
        prints += trades.get(timeout=WAIT_S)["data"]
    assert len({p["tid"] for p in prints}) == len(prints), "a trade came twice"
    snapshot = info.l2_snapshot("BTC")
    assert len(snapshot["levels"][0]) == 20, "not a whole book"
    return {"books": BOOKS, "trades": len(prints)}


# ---------------------------------------------------------------- candles, contexts, funding
def bars(info):
    trades = subscribed(info, type="trades", coin="BTC")
    contexts = subscribed(info, type="activeAssetCtx", coin="BTC")
    spot = subscribed(info, type="activeAssetCtx", coin="PURR/USDC")
    mids = subscribed(info, type="allMids")
    stream = subscribed(info, type="candle", coin="BTC", interval="1m")
    candles = {}
    while len(candles) < CANDLES + 2:
        candle = stream.get(timeout=WAIT_S)["data"]
        candles[candle["t"]] = candle
    prints = []
    while not trades.empty():
        prints += trades.get()["data"]

    # Nobody heard all of the first minute, and the last one is not over.
    closed = sorted(candles)[1:-1]
    fetched = info.candles_snapshot("BTC", "1m", closed[0], closed[-1])
    assert [candles[at] for at in closed] == fetched, "streamed and fetched candles differ"
    for candle in fetched:
        inside = [p for p in prints if candle["t"] <= p["time"] <= candle["T"]]
        prices = [Decimal(p["px"]) for p in inside]
        told = [Decimal(candle[key]) for key in "ohlcv"]
        volume = sum(Decimal(p["sz"]) for p in inside)
        assert told == [prices[0], max(prices), min(prices), prices[-1], volume], "not made of the trades"
        assert candle["n"] == len(inside), "not so many trades"
    hours = info.candles_snapshot("BTC", "1h", closed[0] - 500 * HOUR_MS, closed[0])
    assert [b["t"] - a["t"] for a, b in pairwise(hours)] == [HOUR_MS] * 500, "an hour is missing"

    context = contexts.get(timeout=WAIT_S)["data"]["ctx"]
    assert abs(float(context["markPx"]) / float(context["oraclePx"]) - 1) < 0.01, (
        "mark and oracle are far apart"
    )
    assert float(context["impactPxs"][0]) < float(context["impactPxs"][1]), "crossed"
    assert spot.get(timeout=WAIT_S)["data"]["coin"] == "PURR/USDC"
    assert set(mids.get(timeout=WAIT_S)["data"]["mids"]) == set(info.all_mids()) == set(info.coin_to_asset)
    meta, now = info.meta_and_asset_ctxs()
    assert [coin["name"] for coin in meta["universe"]] == ["BTC", "ETH", "SOL"]
    assert [set(row) for row in now] == [set(context)] * 3, "contexts of another shape"

    paid = info.funding_history("BTC", closed[0] - 24 * HOUR_MS)
    hours = [row["time"] // HOUR_MS for row in paid]
    assert hours == list(range(hours[0], hours[0] + len(paid))), "a settlement is missing"
    assert len(paid) >= 24
    return {"candles": len(closed), "trades": len(prints), "settlements": len(paid)}


PARTS = {"books": books, "bars": bars}


def read(part, http, _ws):
    info = Info(http, timeout=WAIT_S)  # the socket's URL is made from this one
    found = PARTS[part](info)
    info.disconnect_websocket()
    return {"markets": len(info.coin_to_asset)} | found


print(json.dumps(read(*sys.argv[1:])), flush=True)

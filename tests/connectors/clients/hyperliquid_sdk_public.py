"""The Hyperliquid SDK reads books and trades. Arguments: HTTP WS. Exits 0 only if every reading held together."""

import json
import queue
import sys

from hyperliquid.info import Info

BOOKS, TRADES, WAIT_S = 3, 20, 20


def read(http, _ws):
    info = Info(http, timeout=WAIT_S)  # the socket's URL is made from this one
    books, trades = queue.Queue(), queue.Queue()
    info.subscribe({"type": "l2Book", "coin": "BTC"}, books.put)
    info.subscribe({"type": "trades", "coin": "BTC"}, trades.put)
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
    info.disconnect_websocket()
    return {"markets": len(info.coin_to_asset), "books": BOOKS, "trades": len(prints)}


print(json.dumps(read(*sys.argv[1:])), flush=True)

"""A market maker written with the Hyperliquid SDK. Arguments: CONTROL HTTP. Exits 0 only if its books are right.

It steps the emulator's clock through two hours with a settlement of funding each, quotes both sides, and believes
nothing but its subscriptions. At the end its own view of orders, fills, funding, money and position must be the
venue's, to the last unit.
"""

import json
import sys
import threading
import urllib.request
from decimal import Decimal

import eth_account
import websocket
from hyperliquid.exchange import Exchange
from hyperliquid.info import Info

COIN, STEP_S, HOURS, SIZE, EDGE = "BTC", 120, 2, 0.005, 0.0002
INVENTORY = 0.02  # it likes to have, so that it is there when funding is paid
WALLET = eth_account.Account.from_key("0x" + "5" * 64)


def post(url, **body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


class Books:
    """What the subscriptions have told."""

    def __init__(self, info):
        self.orders, self.fills, self.funding = {}, {}, {}
        self.socket, self.all_heard = info.ws_manager.ws, threading.Event()
        self.socket.on_pong = lambda *_: self.all_heard.set()
        user = WALLET.address
        info.subscribe({"type": "orderUpdates", "user": user}, lambda told: self.hear_orders(told["data"]))
        info.subscribe({"type": "userFills", "user": user}, lambda told: self.hear_fills(told["data"]))
        info.subscribe({"type": "userFundings", "user": user}, lambda told: self.hear_funding(told["data"]))

    def hear_orders(self, updates):
        for update in updates:
            self.orders[update["order"]["oid"]] = update

    def hear_fills(self, told):
        for fill in told["fills"]:
            assert (fill["tid"], fill["oid"]) not in self.fills, "a fill came twice"
            self.fills[fill["tid"], fill["oid"]] = fill

    def hear_funding(self, told):
        for payment in told["fundings"]:
            assert payment["time"] not in self.funding, "a payment came twice"
            self.funding[payment["time"]] = payment

    @property
    def position(self):
        return sum(Decimal(f["sz"]) * (1 if f["side"] == "B" else -1) for f in self.fills.values())

    @property
    def money(self):
        """Without what the position is worth."""
        paid = sum(
            Decimal(f["sz"]) * Decimal(f["px"]) * (1 if f["side"] == "B" else -1) + Decimal(f["fee"])
            for f in self.fills.values()
        )
        return 1_000_000 - paid + sum(Decimal(p["usdc"]) for p in self.funding.values())

    def settle(self):
        """Until all was heard that was said: the answer to a ping comes after it."""
        self.all_heard.clear()
        self.socket.send(b"", opcode=websocket.ABNF.OPCODE_PING)
        assert self.all_heard.wait(60)


def price(value):
    """Five significant figures."""
    return float(f"{value:.5g}")


def main(control, http):
    exchange = Exchange(WALLET, http)
    info, user = Info(http), WALLET.address
    books = Books(info)
    assert exchange.market_open(COIN, True, INVENTORY)["response"]["data"]["statuses"][0]["filled"]
    for _ in range(HOURS * 3600 // STEP_S):
        post(f"{control}/clock/advance", seconds=STEP_S)
        books.settle()
        bids, asks = info.l2_snapshot(COIN)["levels"]
        mine = [{"coin": COIN, "oid": i} for i, o in books.orders.items() if o["status"] == "open"]
        if mine:
            exchange.bulk_cancel(mine)
        lean = (float(books.position) - INVENTORY) * EDGE / SIZE / 4  # sells cheaper the more it has
        quotes = [
            (True, float(bids[0]["px"]) * (1 - EDGE - lean)),
            (False, float(asks[0]["px"]) * (1 + EDGE - lean)),
        ]
        asked = [
            {
                "coin": COIN, "is_buy": is_buy, "sz": SIZE, "limit_px": price(at), "reduce_only": False,
                "order_type": {"limit": {"tif": "Alo"}},
            }
            for is_buy, at in quotes
        ]  # fmt: skip
        exchange.bulk_orders(asked)
        books.settle()

    # its books against the venue's
    fills = {(f["tid"], f["oid"]): f for f in info.user_fills(user)}
    assert fills == {
        key: {k: v for k, v in f.items() if k in fills[key]} for key, f in books.fills.items()
    }, "fills"
    assert all(f["crossed"] == (f["oid"] == min(books.orders)) for f in fills.values()), (
        "it took, but for its inventory"
    )
    still = {i for i, o in books.orders.items() if o["status"] == "open"}
    assert {o["oid"] for o in info.open_orders(user)} == still, "open orders"
    for oid, told in books.orders.items():
        asked = info.query_order_by_oid(user, oid)["order"]
        assert (asked["status"], asked["order"]["sz"]) == (told["status"], told["order"]["sz"]), (asked, told)
        filled = sum(Decimal(f["sz"]) for f in fills.values() if f["oid"] == oid)
        assert Decimal(asked["order"]["origSz"]) - Decimal(asked["order"]["sz"]) == filled, (asked, filled)
    paid = {row["time"]: row["delta"] for row in info.user_funding_history(user, 0)}
    assert {t: p["usdc"] for t, p in books.funding.items()} == {t: p["usdc"] for t, p in paid.items()}, (
        "funding"
    )
    state = info.user_state(user)
    (held,) = [row["position"] for row in state["assetPositions"]]
    assert Decimal(held["szi"]) == books.position, "the position"
    assert Decimal(state["marginSummary"]["totalRawUsd"]) == books.money, (state, books.money)
    info.disconnect_websocket()
    told = {"orders": len(books.orders), "fills": len(fills), "funding": len(paid), "position": held["szi"]}
    return {"user": user, **told}


print(json.dumps(main(*sys.argv[1:])))

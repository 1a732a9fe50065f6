"""A market maker written with ccxt on Binance USD-M. Arguments: CONTROL HTTP WS. Exits 0 only if its books are right.

It steps the emulator's clock through two hours with a settlement of funding in them, quotes both sides, and believes
nothing but its user stream. At the end its own view of orders, fills, money and position must be the venue's, to the
last unit.
"""

import asyncio
import json
import sys
import urllib.request
from contextlib import suppress
from decimal import Decimal

import ccxt.pro

SYMBOL, STEP_S, HOURS, SIZE, EDGE = "BTC/USDT:USDT", 120, 2, 0.005, 0.0002
INVENTORY = Decimal("0.020")  # it likes to have, so that it is there when funding is paid
KEYS = {"apiKey": "test-key", "secret": "test-secret"}


def post(url, **body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


class Books:
    """What the user stream has told."""

    def __init__(self):
        self.orders, self.fills, self.money, self.position, self.funding = {}, {}, None, Decimal(0), []

    def hear(self, event):
        if event["e"] == "ORDER_TRADE_UPDATE":
            order = event["o"]
            self.orders[order["i"]] = order
            if order["x"] == "TRADE":
                assert order["t"] not in self.fills, "a fill came twice"
                self.fills[order["t"]] = order
        elif event["e"] == "ACCOUNT_UPDATE":
            for row in event["a"]["B"]:
                if row["a"] == "USDT":
                    self.money = Decimal(row["wb"])
            for row in event["a"]["P"]:
                self.position = Decimal(row["pa"])
            if event["a"]["m"] == "FUNDING_FEE":
                self.funding.append(event)


class Maker(ccxt.pro.binanceusdm):
    """ccxt, with an ear on what it is sent."""

    def handle_message(self, client, message):
        if isinstance(message, dict) and message.get("e") in ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"):
            self.options["books"].hear(message)
        return super().handle_message(client, message)


async def settled(exchange):
    """Until all was heard that was said: the answer to a ping comes after it."""
    for client in connected(exchange):
        before = client.lastPong = exchange.milliseconds() - 1
        await client.connection.ping()
        await until(lambda client=client, before=before: client.lastPong > before)


def connected(exchange):
    return [client for client in exchange.clients.values() if client.isConnected]


async def until(done):
    """Look until it is so."""
    while True:
        if done():
            return
        await asyncio.sleep(0.002)


async def main(control, http, ws):
    fapi = {
        f"fapi{side}{v}": f"{http}/fapi/{v.lower() or 'v1'}"
        for side in ("Public", "Private")
        for v in ("", "V2", "V3")
    }
    api = {**fapi, "ws": {"linear": f"{ws}/ws", "ws-api": {"linear": f"{ws}/ws-fapi/v1"}}}
    books = Books()
    options = {"fetchMarkets": {"types": ["linear"]}, "fetchCurrencies": False, "books": books}
    async with Maker(
        {"urls": {"api": api}, **KEYS, "options": options, "enableRateLimit": False, "timeout": 60_000}
    ) as exchange:
        await exchange.load_markets()
        listening = asyncio.create_task(exchange.watch_orders(SYMBOL))
        await until(lambda: any(f"orders:{SYMBOL}" in client.futures for client in connected(exchange)))
        await exchange.create_order(SYMBOL, "market", "buy", float(INVENTORY))
        for step in range(HOURS * 3600 // STEP_S):
            await asyncio.to_thread(post, f"{control}/clock/advance", seconds=STEP_S)
            await settled(exchange)
            if step % 10 == 9:
                await exchange.fapiPrivatePutListenKey()
            quote = (await exchange.fetch_bids_asks([SYMBOL]))[SYMBOL]
            await exchange.cancel_all_orders(SYMBOL)
            lean = float(books.position - INVENTORY) * EDGE / SIZE / 4  # sells cheaper the more it has
            for side, price in (
                ("buy", quote["bid"] * (1 - EDGE - lean)),
                ("sell", quote["ask"] * (1 + EDGE - lean)),
            ):
                with suppress(ccxt.OrderImmediatelyFillable):
                    await exchange.create_order(SYMBOL, "limit", side, SIZE, price, {"postOnly": True})
        await settled(exchange)
        listening.cancel()

        # its books against the venue's
        orders = {int(o["id"]): o for o in await exchange.fetch_orders(SYMBOL, limit=1000)}
        assert orders.keys() == books.orders.keys(), "an order was never told of"
        for i, order in orders.items():
            told, asked = books.orders[i], order["info"]
            assert (told["X"], Decimal(told["z"])) == (asked["status"], Decimal(asked["executedQty"])), i
        trades = {int(t["id"]): t["info"] for t in await exchange.fetch_my_trades(SYMBOL, limit=1000)}
        assert trades.keys() == books.fills.keys(), "a fill was never told of"
        for i, asked in trades.items():
            told = books.fills[i]
            assert [str(told[k]) for k in ("L", "l", "n", "m", "i")] == [
                str(asked[k]) for k in ("price", "qty", "commission", "maker", "orderId")
            ], i
        money = Decimal(1_000_000)
        for asked in trades.values():
            money += Decimal(asked["realizedPnl"]) - Decimal(asked["commission"])
        paid = [
            Decimal(row["income"])
            for row in await exchange.fapiPrivateGetIncome({"incomeType": "FUNDING_FEE"})
        ]
        money += sum(paid)
        (balance,) = [b for b in await exchange.fapiPrivateV2GetBalance() if b["asset"] == "USDT"]
        assert money == books.money == Decimal(balance["balance"]), (money, books.money, balance)
        (risk,) = [p for p in await exchange.fapiPrivateV2GetPositionRisk() if p["symbol"] == "BTCUSDT"]
        held = sum(Decimal(t["qty"]) * (1 if t["side"] == "BUY" else -1) for t in trades.values())
        assert held == books.position == Decimal(risk["positionAmt"]), "the position"
        assert len(books.funding) == len(paid) == 1, "funding"
        assert len({t["orderId"] for t in trades.values() if not t["maker"]}) == 1, (
            "it took, but for its inventory"
        )
        return {"orders": len(orders), "fills": len(trades), "funding": len(paid), "position": str(held)}


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))

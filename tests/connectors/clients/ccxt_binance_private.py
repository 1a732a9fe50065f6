"""ccxt trades on Binance. Arguments: VENUE PART HTTP WS. Exits 0 only if its own view and the venue's are one.

It places, cancels and fills orders over REST and over the WebSocket API, hears of them on its user streams, and adds up
what its trades should have left it with.
"""

import asyncio
import json
import sys
from decimal import Decimal

import ccxt.pro
from ccxt.base.errors import AuthenticationError, ExchangeError, OrderNotFound

KEYS = {"apiKey": "ccxt-key", "secret": "ccxt-secret"}


def binance(http, ws):
    paths = {"public": "api/v3", "private": "api/v3", "sapi": "sapi/v1"}
    api = {name: f"{http}/{path}" for name, path in paths.items()}
    api["ws"] = {"spot": f"{ws}/stream/ws", "ws-api": {"spot": f"{ws}/ws-api/v3"}}
    return ccxt.pro.binance, api, {"fetchMarkets": {"types": ["spot"]}}


def binance_usdm(http, ws):
    paths = {
        f"fapi{side}{v}": f"fapi/{v.lower() or 'v1'}"
        for side in ("Public", "Private")
        for v in ("", "V2", "V3")
    }
    api = {name: f"{http}/{path}" for name, path in paths.items()}
    api["ws"] = {"linear": f"{ws}/ws", "ws-api": {"linear": f"{ws}/ws-fapi/v1"}}
    return ccxt.pro.binanceusdm, api, {"fetchMarkets": {"types": ["linear"]}}


VENUES = {"binance": (binance, "BTC/USDT"), "binance-usdm": (binance_usdm, "BTC/USDT:USDT")}


def make(venue, http, ws, **keys):
    client, api, options = VENUES[venue][0](http, ws)
    more = {"options": {**options, "fetchCurrencies": False}, "newUpdates": True, "timeout": 60_000}
    return client({"urls": {"api": api}, **KEYS, **keys, **more})


async def until(condition, what):
    for _ in range(1_200):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"never heard of {what}")


async def trade(exchange, venue, symbol):
    heard = {"orders": [], "trades": [], "balances": []}

    async def watch(name, ask):
        while True:
            told = await ask()
            heard[name] += map(dict, told) if isinstance(told, list) else [dict(told)]

    listening = [
        asyncio.create_task(watch("orders", lambda: exchange.watch_orders(symbol))),
        asyncio.create_task(watch("trades", lambda: exchange.watch_my_trades(symbol))),
        asyncio.create_task(watch("balances", exchange.watch_balance)),
    ]

    def listens():
        connected = [client for client in exchange.clients.values() if client.isConnected]
        awaited = {name for client in connected for name in client.futures}
        return {f"orders:{symbol}", f"myTrades:{symbol}"} < awaited and any("balance" in x for x in awaited)

    await until(listens, "its own subscriptions")
    before = (await exchange.fetch_balance())["total"]
    last = (await exchange.fetch_ticker(symbol))["last"]
    low = float(exchange.price_to_precision(symbol, last * 0.97))

    # resting orders, over REST and over the WebSocket API
    statuses = lambda i: [o["status"] for o in heard["orders"] if o["id"] == i]
    for place, cancel in (
        (exchange.create_order, exchange.cancel_order),
        (exchange.create_order_ws, exchange.cancel_order_ws),
    ):
        order = await place(symbol, "limit", "buy", 0.002, low)
        assert [o["id"] for o in await exchange.fetch_open_orders(symbol)] == [order["id"]]
        asked = await exchange.fetch_order(order["id"], symbol)
        assert (asked["status"], asked["price"], asked["amount"]) == ("open", low, 0.002)
        await cancel(order["id"], symbol)
        await until(lambda i=order["id"]: statuses(i) == ["open", "canceled"], "an order and its cancel")
    for price in (low, low):
        await exchange.create_order(symbol, "limit", "buy", 0.002, price, {"postOnly": True})
    await exchange.cancel_all_orders(symbol)
    assert await exchange.fetch_open_orders(symbol) == []

    # one that follows the price
    how = {"trailingPercent": 5, **({"stopLossOrTakeProfit": "stopLoss"} if venue == "binance" else {})}
    follows = await exchange.create_order(symbol, "market", "sell", 0.002, None, how)
    row = follows["info"]
    if venue == "binance":
        assert (row["type"], row["trailingDelta"]) == ("STOP_LOSS", 500)
        assert (await exchange.cancel_order(follows["id"], symbol))["status"] == "canceled"
    else:
        assert (row["orderType"], row["callbackRate"]) == ("TRAILING_STOP_MARKET", "5.0")
        waiting = await exchange.fetch_open_orders(symbol, params={"trigger": True})
        assert [order["id"] for order in waiting] == [follows["id"]]
        await exchange.cancel_order(follows["id"], symbol, {"trigger": True})

    # trades
    filled = [await exchange.create_order(symbol, "market", "buy", 0.01)]
    if venue == "binance-usdm":
        await exchange.set_leverage(7, symbol)
        (position,) = await exchange.fetch_positions([symbol])
        assert (position["contracts"], position["side"]) == (0.01, "long")
        (rank,) = await exchange.fetch_positions_adl_rank([symbol])
        assert rank["info"]["adlQuantile"].keys() == {"LONG", "SHORT", "BOTH"}
    filled += [await exchange.create_order_ws(symbol, "market", "sell", 0.004)]
    crossing = float(exchange.price_to_precision(symbol, last * 0.96))
    filled += [await exchange.create_order(symbol, "limit", "sell", 0.006, crossing, {"timeInForce": "IOC"})]
    await until(lambda: all("closed" in statuses(o["id"]) for o in filled), "fills")

    # what is told and what is asked is one
    trades = await exchange.fetch_my_trades(symbol)
    key = lambda t: (t["id"], t["order"], t["side"], t["price"], t["amount"], t["fee"]["cost"])
    await until(lambda: len(heard["trades"]) == len(trades), "trades")
    assert sorted(map(key, heard["trades"])) == sorted(map(key, trades))
    assert {t["order"] for t in trades} == {o["id"] for o in filled}
    after = (await exchange.fetch_balance())["total"]
    expected = {asset: Decimal(str(amount)) for asset, amount in before.items()}
    for told in trades:
        row, sign = told["info"], 1 if told["side"] == "buy" else -1
        expected[row["commissionAsset"]] -= Decimal(row["commission"])
        if venue == "binance":
            expected["BTC"] += sign * Decimal(row["qty"])
            expected["USDT"] -= sign * Decimal(row["quoteQty"])
        else:
            expected["USDT"] += Decimal(row["realizedPnl"])
    assert {asset: Decimal(str(amount)) for asset, amount in after.items()} == expected
    await until(lambda: heard["balances"][-1]["total"]["USDT"] == after["USDT"], "the balance")
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    return {"orders": len(heard["orders"]), "trades": len(trades), "balances": len(heard["balances"])}


async def refused(exchange, text, *order):
    try:
        await exchange.create_order(*order)
    except ExchangeError as refusal:
        if text not in str(refusal):
            raise
    else:
        raise AssertionError(f"{order} was not refused")


async def refusals(exchange, venue, symbol, http, ws):
    last = (await exchange.fetch_ticker(symbol))["last"]
    poor, many, tiny, few = "insufficient balance", 100, "Filter failure: NOTIONAL", 0.0001
    if venue == "binance-usdm":
        poor, many, tiny, few = "Margin is insufficient", 400, "notional must be no smaller than 50", 0.001
    low, lower = (exchange.price_to_precision(symbol, last * part) for part in (0.97, 0.5))
    await refused(exchange, poor, symbol, "limit", "buy", many, low)
    await refused(exchange, tiny, symbol, "limit", "buy", few, lower)
    try:
        await exchange.cancel_order("1", symbol)
    except OrderNotFound:
        pass
    else:
        raise AssertionError("an order that is not there was cancelled")
    async with make(venue, http, ws, secret="wrong") as forger:
        try:
            await forger.fetch_balance()
        except AuthenticationError:
            return
    raise AssertionError("a wrong signature was taken")


async def main(venue, _part, http, ws):
    symbol = VENUES[venue][1]
    async with make(venue, http, ws) as exchange:
        await exchange.load_markets()
        found = await trade(exchange, venue, symbol)
        await refusals(exchange, venue, symbol, http, ws)
        return found


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))

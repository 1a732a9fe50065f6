"""python-binance trades. Arguments: MARKET PART HTTP WS. Exits 0 only if its own view and the venue's are one.

MARKET is "spot" or "usdm". Orders go over REST and over the WebSocket API; an account's socket tells of them.
"""

import asyncio
import json
import sys
from decimal import Decimal

from binance import AsyncClient, BinanceSocketManager
from binance.exceptions import BinanceAPIException

KEY, SECRET = "python-binance-key", "python-binance-secret"
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.002"}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}


async def hear(stream, kind, count):
    """So many events of a kind, of whatever else is told."""
    events = []
    while len(events) < count:
        message = await asyncio.wait_for(stream.recv(), 60)
        event = message.get("event", message)
        if event["e"] == kind:
            events.append(event)
    return events


async def refused(request, code):
    try:
        await request
    except BinanceAPIException as refusal:
        if refusal.code != code:
            raise
    else:
        raise AssertionError(f"not refused with {code}")


async def spot(client, sockets):
    before = {row["asset"]: Decimal(row["free"]) for row in (await client.get_account())["balances"]}
    low = f"{float((await client.get_symbol_ticker(symbol='BTCUSDT'))['price']) * 0.97:.2f}"
    async with sockets.user_socket() as stream:
        resting = await client.create_order(**LIMIT, price=low)
        one = {"symbol": "BTCUSDT", "orderId": resting["orderId"]}
        assert (await client.get_order(**one))["status"] == "NEW"
        assert [o["orderId"] for o in await client.get_open_orders(symbol="BTCUSDT")] == [resting["orderId"]]
        await client.cancel_order(**one)
        overs = await client.ws_create_order(**LIMIT, price=low)
        await client.ws_cancel_order(symbol="BTCUSDT", orderId=overs["orderId"])
        reports = await hear(stream, "executionReport", 4)
        assert [(r["i"], r["x"]) for r in reports] == [
            (order["orderId"], x) for order in (resting, overs) for x in ("NEW", "CANCELED")
        ]
        await client.create_test_order(**LIMIT, price=low)
        done = [await client.create_order(**MARKET), await client.create_order(**{**MARKET, "side": "SELL"})]
        fills = sum(len(order["fills"]) for order in done)
        reports = [r for r in await hear(stream, "executionReport", fills + 2) if r["x"] == "TRADE"]
    trades = await client.get_my_trades(symbol="BTCUSDT")
    assert [(r["t"], r["L"], r["l"], r["n"]) for r in reports] == [
        (t["id"], t["price"], t["qty"], t["commission"]) for t in trades
    ]
    for trade in trades:
        sign = 1 if trade["isBuyer"] else -1
        before["BTC"] += sign * Decimal(trade["qty"])
        before["USDT"] -= sign * Decimal(trade["quoteQty"])
        before[trade["commissionAsset"]] -= Decimal(trade["commission"])
    after = {row["asset"]: Decimal(row["free"]) for row in (await client.get_account())["balances"]}
    assert after == before, "the trades do not add up to the balances"
    await refused(client.create_order(**{**LIMIT, "quantity": "100"}, price=low), -2010)
    await refused(client.cancel_order(**one), -2011)
    await refused(client.get_order(symbol="BTCUSDT", orderId=1), -2013)
    return {"trades": len(trades)}


async def usdm(client, sockets):
    before = {row["asset"]: Decimal(row["balance"]) for row in await client.futures_account_balance()}
    low = f"{float((await client.futures_mark_price(symbol='BTCUSDT'))['markPrice']) * 0.97:.1f}"
    async with sockets.futures_user_socket() as stream:
        resting = await client.futures_create_order(**LIMIT, price=low)
        one = {"symbol": "BTCUSDT", "orderId": resting["orderId"]}
        assert (await client.futures_get_order(**one))["status"] == "NEW"
        changed = await client.futures_modify_order(**one, side="BUY", quantity="0.003", price=low)
        assert changed["origQty"] == "0.003"
        await client.futures_cancel_order(**one)
        updates = await hear(stream, "ORDER_TRADE_UPDATE", 3)
        assert [u["o"]["x"] for u in updates] == ["NEW", "AMENDMENT", "CANCELED"]
        await client.futures_change_leverage(symbol="BTCUSDT", leverage=9)
        assert (await hear(stream, "ACCOUNT_CONFIG_UPDATE", 1))[0]["ac"] == {"s": "BTCUSDT", "l": 9}
        await client.futures_create_order(**MARKET)
        (position,) = await client.futures_position_information(symbol="BTCUSDT")
        assert position["positionAmt"] == "0.010"
        moved = (await hear(stream, "ACCOUNT_UPDATE", 1))[0]["a"]
        assert (moved["m"], moved["P"][0]["pa"], moved["P"][0]["ep"]) == (
            "ORDER",
            "0.010",
            position["entryPrice"],
        )
        await client.futures_create_order(**{**MARKET, "side": "SELL", "reduceOnly": "true"})
        await hear(stream, "ACCOUNT_UPDATE", 1)
    trades = await client.futures_account_trades(symbol="BTCUSDT")
    for trade in trades:
        before["USDT"] += Decimal(trade["realizedPnl"]) - Decimal(trade["commission"])
    after = {row["asset"]: Decimal(row["balance"]) for row in await client.futures_account_balance()}
    assert after == before, "the trades do not add up to the balances"
    paid = sum(Decimal(row["income"]) for row in await client.futures_income_history())
    assert before["USDT"] == 1_000_000 + paid, "income does not add up to the balance"
    await refused(client.futures_create_order(**{**LIMIT, "quantity": "400"}, price=low), -2019)
    # what it sends to the service of conditional orders
    stop = {**MARKET, "type": "STOP_MARKET"}
    await refused(client.futures_create_order(**stop, stopPrice=low), -2021)
    follows = {**MARKET, "type": "TRAILING_STOP_MARKET", "side": "SELL", "callbackRate": "5"}
    waiting = [
        await client.futures_create_order(**{**stop, "side": "SELL"}, stopPrice=low),
        await client.futures_create_order(**follows),
    ]
    listed = await client.futures_get_open_algo_orders(symbol="BTCUSDT")
    assert [(o["algoId"], o["algoStatus"]) for o in listed] == [(o["algoId"], "NEW") for o in waiting]
    assert listed[1]["callbackRate"] == "5.0"
    for order in waiting:
        await client.futures_cancel_algo_order(algoId=order["algoId"])
    assert await client.futures_get_open_algo_orders(symbol="BTCUSDT") == []
    return {"trades": len(trades)}


async def main(market, _part, http, ws):
    # Class attributes are the client's only way to another host.
    AsyncClient.API_URL, AsyncClient.FUTURES_URL = f"{http}/api", f"{http}/fapi"
    AsyncClient.WS_API_URL, AsyncClient.WS_FUTURES_URL = f"{ws}/ws-api/v3", f"{ws}/ws-fapi/v1"
    BinanceSocketManager.STREAM_URL = BinanceSocketManager.FSTREAM_URL = f"{ws}/"
    client = await AsyncClient.create(KEY, SECRET, requests_params={"timeout": 60})
    try:
        return await {"spot": spot, "usdm": usdm}[market](client, BinanceSocketManager(client))
    finally:
        await client.close_connection()


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))

"""Trading on Binance spot: what is answered, what an account is told, and every reason to refuse.

Keys and their order are those of https://github.com/binance/binance-spot-api-docs (rest-api.md, web-socket-api.md,
user-data-stream.md, errors.md), 2026-07-21, and of messages recorded in 2026 (https://github.com/roq-trading/roq-binance).
"""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reactor.exchange.orders import E8, Deposit
from reactor.exchange.terms import SPOT
from reactor.types import SECOND_NS
from tests.venues.trader import OTHERS, START_NS, Socket, Trader
from venues.base import HttpRequest
from venues.binance import BINANCE
from venues.binance.spot_api import KEYED_ROUTES
from venues.limits import Usage

ORDER, NOW_MS = "/api/v3/order", START_NS // 10**6
LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "60000",
}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
FIRST = 55_472_337_221  # the first order's id


@pytest.fixture
def trader() -> Trader:
    return Trader(BINANCE)


@cache
def idle() -> Trader:
    """One whose requests are all refused, so that it may be shared."""
    return Trader(BINANCE)


def text(answer: Any) -> str:
    return json.dumps(answer, separators=(",", ":"))


def touch(trader: Trader) -> tuple[int, int]:
    """The best bid and the best ask, in ticks of a cent."""
    market = trader.exchange.market("BTCUSDT")
    assert market is not None
    quote = market.quote(trader.now_ns)
    return int(quote.bid_ticks[0]), int(quote.ask_ticks[0])


def price(ticks: int) -> str:
    return f"{ticks // 100}.{ticks % 100:02}"


def listen(trader: Trader) -> Socket:
    socket = trader.connect("/ws-api/v3")
    assert socket.signed("userDataStream.subscribe.signature")["result"] == {"subscriptionId": 0}
    return socket


def events(socket: Socket) -> list[Any]:
    return [message["event"] for message in socket.take()]


# ---------------------------------------------------------------- what is answered
ACK = (
    '{"symbol":"BTCUSDT","orderId":55472337221,"orderListId":-1,"clientOrderId":"mine",'
    '"transactTime":1767225780000'
)
RESULT = (
    ',"price":"60000.00000000","origQty":"0.01000000","executedQty":"0.00000000","origQuoteOrderQty":"0.00000000",'
    '"cummulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY",'
    '"workingTime":1767225780000,'
)
STP = '"selfTradePreventionMode":"EXPIRE_MAKER"}'


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ACK + RESULT + '"fills":[],' + STP),
        ({"newOrderRespType": "ACK"}, ACK + "}"),
        ({"newOrderRespType": "RESULT"}, ACK + RESULT + STP),
        ({"newOrderRespType": "FULL"}, ACK + RESULT + '"fills":[],' + STP),
        (
            {"strategyId": 37, "strategyType": 1_000_000, "newOrderRespType": "RESULT"},
            ACK + RESULT + '"strategyId":37,"strategyType":1000000,' + STP,
        ),
    ],
)
def test_a_resting_order(trader: Trader, params: dict[str, object], expected: str) -> None:
    assert text(trader.ask("POST", ORDER, **LIMIT, newClientOrderId="mine", **params)) == expected


def test_a_maker_is_answered_with_an_acknowledgement(trader: Trader) -> None:
    maker = {**LIMIT, "type": "LIMIT_MAKER", "newClientOrderId": "mine"}
    del maker["timeInForce"]
    assert text(trader.ask("POST", ORDER, **maker)) == ACK + "}"


def test_an_order_is_told_alike_by_queries_until_it_is_cancelled(trader: Trader) -> None:
    trader.ask("POST", ORDER, **LIMIT, newClientOrderId="mine")
    told = (
        '{"symbol":"BTCUSDT","orderId":55472337221,"orderListId":-1,"clientOrderId":"mine","price":"60000.00000000",'
        '"origQty":"0.01000000","executedQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"NEW",'
        '"timeInForce":"GTC","type":"LIMIT","side":"BUY","stopPrice":"0.00000000","icebergQty":"0.00000000",'
        '"time":1767225780000,"updateTime":1767225780000,"isWorking":true,"workingTime":1767225780000,'
        '"origQuoteOrderQty":"0.00000000",' + STP
    )
    assert text(trader.ask("GET", ORDER, symbol="BTCUSDT", origClientOrderId="mine")) == told
    assert text(trader.ask("GET", "/api/v3/openOrders", symbol="BTCUSDT")) == f"[{told}]"
    assert text(trader.ask("GET", "/api/v3/allOrders", symbol="BTCUSDT")) == f"[{told}]"
    assert trader.ask("GET", "/api/v3/openOrders", symbol="ETHUSDT") == []
    trader.step(SECOND_NS)
    cancelled = trader.ask("DELETE", ORDER, symbol="BTCUSDT", orderId=FIRST, newClientOrderId="enough")
    assert text(cancelled) == (
        '{"symbol":"BTCUSDT","origClientOrderId":"mine","orderId":55472337221,"orderListId":-1,'
        '"clientOrderId":"enough","transactTime":1767225781000,"price":"60000.00000000","origQty":"0.01000000",'
        '"executedQty":"0.00000000","origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000",'
        '"status":"CANCELED","timeInForce":"GTC","type":"LIMIT","side":"BUY",' + STP
    )
    assert trader.ask("GET", "/api/v3/openOrders") == []
    assert trader.ask("GET", ORDER, symbol="BTCUSDT", orderId=FIRST)["status"] == "CANCELED"


def test_a_market_order_by_what_it_may_cost(trader: Trader) -> None:
    """As many lots as fit, paid for in what was bought, and told of one for one."""
    by_cost = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "1000"}
    done = trader.ask("POST", ORDER, **by_cost)
    spent = sum(round(float(f["price"]) * float(f["qty"]) * E8) for f in done["fills"])
    assert 1000 * E8 - round(float(done["fills"][-1]["price"]) * 1e-5 * E8) <= spent <= 1000 * E8
    assert (done["status"], done["origQuoteOrderQty"]) == ("FILLED", "1000.00000000")
    assert done["cummulativeQuoteQty"] == f"{spent // E8}.{spent % E8:08}"
    trades = trader.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT")
    keys = "symbol id orderId orderListId price qty quoteQty commission commissionAsset time isBuyer isMaker"
    assert list(trades[0]) == [*keys.split(), "isBestMatch"]
    assert [(t["id"], t["price"], t["qty"], t["commission"], t["commissionAsset"]) for t in trades] == [
        (f["tradeId"], f["price"], f["qty"], f["commission"], f["commissionAsset"]) for f in done["fills"]
    ]
    bought = sum(round((float(f["qty"]) - float(f["commission"])) * E8) for f in done["fills"])
    balances = {row["asset"]: row for row in trader.ask("GET", "/api/v3/account")["balances"]}
    assert balances["BTC"]["free"] == f"{10 + bought // E8}.{bought % E8:08}"
    assert balances["USDT"]["free"] == f"{(1_000_000 * E8 - spent) // E8}.{(1_000_000 * E8 - spent) % E8:08}"


def test_the_account_locks_what_its_orders_need(trader: Trader) -> None:
    trader.ask("POST", ORDER, **LIMIT)
    account = trader.ask("GET", "/api/v3/account", omitZeroBalances="true")
    assert account["balances"] == [
        {"asset": "BTC", "free": "10.00000000", "locked": "0.00000000"},
        {"asset": "USDT", "free": "999400.00000000", "locked": "600.00000000"},
        {"asset": "USDC", "free": "1000000.00000000", "locked": "0.00000000"},
    ]
    assert account["commissionRates"] == {
        "maker": "0.00100000",
        "taker": "0.00100000",
        "buyer": "0.00000000",
        "seller": "0.00000000",
    }
    everything = trader.ask("GET", "/api/v3/account")["balances"]
    assert [row["asset"] for row in everything] == ["BTC", "ETH", "SOL", "USDT", "USDC"]


def test_a_test_of_an_order_places_none(trader: Trader) -> None:
    assert trader.ask("POST", f"{ORDER}/test", **LIMIT) == {}
    rates = trader.ask("POST", f"{ORDER}/test", **LIMIT, computeCommissionRates="true")
    assert text(rates) == (
        '{"standardCommissionForOrder":{"maker":"0.00100000","taker":"0.00100000"},'
        '"specialCommissionForOrder":{"maker":"0.00000000","taker":"0.00000000"},'
        '"taxCommissionForOrder":{"maker":"0.00000000","taker":"0.00000000"},'
        '"discount":{"enabledForAccount":false,"enabledForSymbol":false,"discountAsset":"BNB","discount":"0.75000000"}}'
    )
    assert trader.ask("GET", "/api/v3/allOrders", symbol="BTCUSDT") == []


def test_rows_are_the_newest_or_go_on_from_an_id_or_a_time(trader: Trader) -> None:
    for _ in range(3):
        trader.ask("POST", ORDER, **MARKET)
        trader.step(SECOND_NS)
    for path, name, ids in (
        ("/api/v3/allOrders", "orderId", [FIRST, FIRST + 1, FIRST + 2]),
        ("/api/v3/myTrades", "orderId", [FIRST, FIRST + 1, FIRST + 2]),
    ):
        rows = [
            trader.ask("GET", path, symbol="BTCUSDT", **params)
            for params in ({}, {"limit": 2}, {"startTime": NOW_MS + 1_000, "limit": 1}, {"endTime": NOW_MS})
        ]
        found = [[row[name] for row in page] for page in rows]
        assert found == [ids, ids[1:], ids[1:2], ids[:1]], path
    assert [
        o["orderId"] for o in trader.ask("GET", "/api/v3/allOrders", symbol="BTCUSDT", orderId=FIRST + 1)
    ] == [FIRST + 1, FIRST + 2]
    ids = [t["id"] for t in trader.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT")]
    assert [t["id"] for t in trader.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT", fromId=ids[1])] == ids[
        1:
    ]
    assert [t["id"] for t in trader.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT", orderId=FIRST)] == ids[
        :1
    ]


# ---------------------------------------------------------------- what an account is told
def test_a_resting_order_is_reported_and_its_cancel_has_a_name_of_its_own(trader: Trader) -> None:
    socket = listen(trader)
    trader.ask("POST", ORDER, **LIMIT, newClientOrderId="mine")
    report, position = socket.take()
    number = report["event"]["I"]
    assert text(report) == (
        '{"subscriptionId":0,"event":{"e":"executionReport","E":1767225780000,"s":"BTCUSDT","c":"mine","S":"BUY",'
        '"o":"LIMIT","f":"GTC","q":"0.01000000","p":"60000.00000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"",'
        '"x":"NEW","X":"NEW","r":"NONE","i":55472337221,"l":"0.00000000","z":"0.00000000","L":"0.00000000","n":"0",'
        f'"N":null,"T":1767225780000,"t":-1,"I":{number},"w":true,"m":false,"M":false,"O":1767225780000,'
        '"Z":"0.00000000","Y":"0.00000000","Q":"0.00000000","W":1767225780000,"V":"EXPIRE_MAKER"}}'
    )
    assert text(position) == (
        '{"subscriptionId":0,"event":{"e":"outboundAccountPosition","E":1767225780000,"u":1767225780000,'
        '"B":[{"a":"USDT","f":"999400.00000000","l":"600.00000000"}]}}'
    )
    trader.ask("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="mine", newClientOrderId="enough")
    ended, freed = events(socket)
    assert [ended[key] for key in "cCxXw"] == ["enough", "mine", "CANCELED", "CANCELED", False]
    assert ended["I"] > number
    assert freed["B"] == [{"a": "USDT", "f": "1000000.00000000", "l": "0.00000000"}]
    # and one that is given no name is told with the one that was answered
    trader.ask("POST", ORDER, **LIMIT)
    answered = trader.ask("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")[0]["clientOrderId"]
    assert [event["c"] for event in events(socket) if event.get("x") == "CANCELED"] == [answered]


def test_fills_are_reported_one_by_one_until_the_order_is_filled(trader: Trader) -> None:
    socket = listen(trader)
    done = trader.ask("POST", ORDER, **{**MARKET, "quantity": "9", "side": "SELL"})
    reports = [event for event in events(socket) if event["e"] == "executionReport"]
    assert [r["x"] for r in reports] == ["NEW", *["TRADE"] * len(done["fills"])]
    assert [(r["t"], r["L"], r["l"], r["n"], r["N"]) for r in reports[1:]] == [
        (f["tradeId"], f["price"], f["qty"], f["commission"], f["commissionAsset"]) for f in done["fills"]
    ]
    assert {r["X"] for r in reports[1:-1]} == {"PARTIALLY_FILLED"}
    assert (reports[-1]["X"], reports[-1]["z"], reports[-1]["Z"]) == (
        "FILLED",
        "9.00000000",
        done["cummulativeQuoteQty"],
    )
    assert all(after["t"] > before["t"] for before, after in pairwise(reports[1:]))


def test_a_resting_order_is_filled_as_a_maker_when_the_market_comes(trader: Trader) -> None:
    socket = listen(trader)
    bid, _ = touch(trader)
    order = trader.ask("POST", ORDER, **{**LIMIT, "price": price(bid), "quantity": "0.001"})
    socket.take()
    trader.step(120 * SECOND_NS)
    fills = [event for event in events(socket) if event.get("x") == "TRADE"]
    assert {(f["i"], f["m"], f["L"]) for f in fills} == {(order["orderId"], True, f"{price(bid)}000000")}
    assert fills[-1]["X"] == "FILLED"
    assert fills[0]["E"] - fills[0]["T"] in range(11)  # told at the end of the tick it happened in


@pytest.mark.parametrize(
    ("tif", "quantity", "reason"),
    [
        ("IOC", "0.01", "UNFILLED_IOC_QUANTITY_EXPIRED"),
        ("FOK", "0.01", "UNFILLED_FOK_ORDER_EXPIRED"),
        ("FOK", "100", "UNFILLED_FOK_ORDER_EXPIRED"),
    ],
)
def test_what_cannot_be_filled_at_once_expires(trader: Trader, tif: str, quantity: str, reason: str) -> None:
    trader.floor.apply(Deposit("demo", SPOT, "USDT", 10**9 * E8), trader.now_ns)
    trader.floor.news()
    socket = listen(trader)
    _, ask = touch(trader)
    at = ask if quantity == "100" else ask - 1_000
    done = trader.ask(
        "POST", ORDER, **{**LIMIT, "timeInForce": tif, "quantity": quantity, "price": price(at)}
    )
    assert (done["status"], done["executedQty"], done["expiryReason"]) == ("EXPIRED", "0.00000000", reason)
    last = events(socket)[1]
    assert [last[key] for key in ("x", "X", "eR")] == ["EXPIRED", "EXPIRED", reason]


@pytest.mark.parametrize(
    ("mode", "first", "second"),
    [
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "PARTIALLY_FILLED"),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
    ],
)
def test_orders_of_one_account_do_not_trade_with_each_other(
    trader: Trader, mode: str, first: str, second: str
) -> None:
    """A buyer takes what others offer at a price, and then meets his own offer behind theirs."""
    socket = listen(trader)
    market = trader.exchange.market("BTCUSDT")
    assert market is not None
    quote = market.quote(trader.now_ns)
    at = price(int(quote.ask_ticks[0]))
    more = f"{(int(quote.ask_lots[0]) + 1_000) / 10**5:.5f}"
    ids = [trader.ask("POST", ORDER, **{**LIMIT, "side": "SELL", "price": at})["orderId"]]
    buy = {**LIMIT, "price": at, "quantity": more, "selfTradePreventionMode": mode}
    ids.append(trader.ask("POST", ORDER, **buy)["orderId"])
    found = [trader.ask("GET", ORDER, symbol="BTCUSDT", orderId=i)["status"] for i in ids]
    assert found == [first, second]
    prevented = [event for event in events(socket) if event.get("x") == "TRADE_PREVENTION"]
    assert len(prevented) == found.count("EXPIRED_IN_MATCH")


def test_money_from_outside_is_an_update_of_a_balance(trader: Trader) -> None:
    socket = listen(trader)
    trader.floor.apply(Deposit("demo", SPOT, "BTC", -E8), trader.now_ns)
    trader.tell()
    update, position = events(socket)
    assert text(update) == (
        '{"e":"balanceUpdate","E":1767225780000,"a":"BTC","d":"-1.00000000","T":1767225780000}'
    )
    assert position["B"] == [{"a": "BTC", "f": "9.00000000", "l": "0.00000000"}]


def test_nobody_hears_of_another_account(trader: Trader) -> None:
    socket = listen(trader)
    trader.key = next(k for k in trader.exchange.trading.keys.values() if k.account == "other")  # type: ignore[union-attr]
    trader.ask("POST", ORDER, **LIMIT)
    assert socket.take() == []
    trader.key = trader.exchange.trading.keys["test-key"]  # type: ignore[union-attr]
    assert trader.error("GET", ORDER, symbol="BTCUSDT", orderId=FIRST)[1] == -2013


# ---------------------------------------------------------------- cancel and replace
REPLACE = {**LIMIT, "price": "61000", "cancelOrigClientOrderId": "mine"}
GONE = {"code": -2011, "msg": "Unknown order sent."}
TAKES = {"code": -2010, "msg": "Order would immediately match and take."}


@pytest.mark.parametrize(
    ("mode", "there", "takes", "status", "code", "results"),
    [
        ("STOP_ON_FAILURE", True, False, 200, None, ("SUCCESS", "SUCCESS")),
        ("STOP_ON_FAILURE", False, False, 400, -2022, ("FAILURE", "NOT_ATTEMPTED")),
        ("STOP_ON_FAILURE", True, True, 409, -2021, ("SUCCESS", "FAILURE")),
        ("ALLOW_FAILURE", True, False, 200, None, ("SUCCESS", "SUCCESS")),
        ("ALLOW_FAILURE", False, False, 409, -2021, ("FAILURE", "SUCCESS")),
        ("ALLOW_FAILURE", True, True, 409, -2021, ("SUCCESS", "FAILURE")),
        ("ALLOW_FAILURE", False, True, 400, -2022, ("FAILURE", "FAILURE")),
    ],
)
def test_cancel_and_replace(
    trader: Trader,
    mode: str,
    there: bool,
    takes: bool,
    status: int,
    code: int | None,
    results: tuple[str, str],
) -> None:
    """The table of rest-api.md#cancel-an-existing-order-and-send-a-new-order-trade, within the limit of orders."""
    if there:
        trader.ask("POST", ORDER, **LIMIT, newClientOrderId="mine")
    params = {**REPLACE, "cancelReplaceMode": mode}
    if takes:
        params |= {"type": "LIMIT_MAKER", "price": "70000"}
        del params["timeInForce"]
    answer = trader.send("POST", f"{ORDER}/cancelReplace", trader.sign(params))
    body = json.loads(answer.body)
    assert (answer.status, body.get("code")) == (status, code)
    data = body if code is None else body["data"]
    assert list(data) == ["cancelResult", "newOrderResult", "cancelResponse", "newOrderResponse"]
    assert (data["cancelResult"], data["newOrderResult"]) == results
    assert there or data["cancelResponse"] == GONE
    expected: Any = {"FAILURE": TAKES, "NOT_ATTEMPTED": None}
    new = data["newOrderResponse"]
    assert new == expected[results[1]] if results[1] != "SUCCESS" else new["price"] == "61000.00000000"


def test_with_too_many_orders_only_the_cancel_is_done_if_so_asked(trader: Trader) -> None:
    trader.ask("POST", ORDER, **LIMIT, newClientOrderId="mine")
    object.__setattr__(trader.exchange, "usage", Usage(0.01))  # one order in 10 seconds
    trader.ask("POST", ORDER, **LIMIT)
    path, params = f"{ORDER}/cancelReplace", {**REPLACE, "cancelReplaceMode": "ALLOW_FAILURE"}
    too_many = "Too many new orders; current limit is 1 orders per 10 SECOND."
    assert trader.error("POST", ORDER, **LIMIT) == (429, -1015, too_many)
    assert trader.error("POST", path, **params) == (429, -1015, too_many)
    answer = trader.send("POST", path, trader.sign({**params, "orderRateLimitExceededMode": "CANCEL_ONLY"}))
    data = json.loads(answer.body)["data"]
    assert (answer.status, data["cancelResult"]) == (409, "SUCCESS")
    assert data["newOrderResponse"] == {"code": -1015, "msg": too_many}


# ---------------------------------------------------------------- refusals
def mandatory(name: str) -> str:
    return f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def either(one: str, other: str) -> str:
    return f"Param '{one}' or '{other}' must be sent, but both were empty/null!"


def unnecessary(name: str) -> str:
    return f"Parameter '{name}' sent when not required."


def illegal(name: str, legal: str) -> str:
    return f"Illegal characters found in parameter '{name}'; legal range is '{legal}'."


DECIMAL = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
NONE = None  # leaves a parameter out


@pytest.mark.parametrize(
    ("base", "change", "code", "text"),
    [
        # parameters
        *((LIMIT, {name: NONE}, -1102, mandatory(name)) for name in LIMIT),
        (MARKET, {"quantity": NONE}, -1102, either("quantity", "quoteOrderQty")),
        (LIMIT, {"side": "LONG"}, -1117, "Invalid side."),
        (LIMIT, {"type": "STOP"}, -1116, "Invalid orderType."),
        (LIMIT, {"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
        (LIMIT, {"symbol": "BTCEUR"}, -1121, "Invalid symbol."),
        (LIMIT, {"quantity": ""}, -1105, "Parameter 'quantity' was empty."),
        (LIMIT, {"quantity": "1e-3"}, -1100, illegal("quantity", DECIMAL)),
        (LIMIT, {"price": "-1"}, -1100, illegal("price", DECIMAL)),
        (LIMIT, {"newClientOrderId": "my order"}, -1100, illegal("newClientOrderId", "^[a-zA-Z0-9-_]{1,36}$")),
        (LIMIT, {"newClientOrderId": "x" * 37}, -1100, illegal("newClientOrderId", "^[a-zA-Z0-9-_]{1,36}$")),
        (LIMIT, {"quoteOrderQty": "10"}, -1106, unnecessary("quoteOrderQty")),
        (LIMIT, {"stopPrice": "10"}, -1106, unnecessary("stopPrice")),
        (LIMIT, {"type": "LIMIT_MAKER"}, -1106, unnecessary("timeInForce")),
        (MARKET, {"timeInForce": "GTC"}, -1106, unnecessary("timeInForce")),
        (MARKET, {"price": "60000"}, -1106, unnecessary("price")),
        (MARKET, {"quoteOrderQty": "10"}, -1106, unnecessary("quoteOrderQty")),
        (LIMIT, {"quantity": "0.000000001"}, -1111, "Parameter 'quantity' has too much precision."),
        (LIMIT, {"price": "60000.000000001"}, -1111, "Parameter 'price' has too much precision."),
        (LIMIT, {"newOrderRespType": "NONE"}, -1130, "Data sent for parameter 'newOrderRespType' is not valid."),
        (LIMIT, {"strategyType": "999999"}, -1134, "`strategyType` was less than 1000000."),
        (LIMIT, {"color": "red"}, -1104, "Not all sent parameters were read; read '6' parameter(s) but was sent '7'."),
        # filters
        (LIMIT, {"quantity": "0"}, -1013, "Invalid quantity."),
        (LIMIT, {"price": "0.00"}, -1013, "Invalid price."),
        (LIMIT, {"price": "60000.001"}, -1013, "Filter failure: PRICE_FILTER"),
        (LIMIT, {"price": "1000000.01"}, -1013, "Filter failure: PRICE_FILTER"),
        (LIMIT, {"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
        (LIMIT, {"quantity": "9000.00001"}, -1013, "Filter failure: LOT_SIZE"),
        (MARKET, {"quantity": "100.00001"}, -1013, "Filter failure: MARKET_LOT_SIZE"),
        (LIMIT, {"price": "10000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (LIMIT, {"price": "400000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (LIMIT, {"price": "10000", "side": "SELL"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (LIMIT, {"price": "400000", "side": "SELL"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (LIMIT, {"quantity": "0.00008"}, -1013, "Filter failure: NOTIONAL"),
        (LIMIT, {"quantity": "151"}, -1013, "Filter failure: NOTIONAL"),
        (MARKET, {"quantity": "0.00007"}, -1013, "Filter failure: NOTIONAL"),
        (MARKET, {"quantity": NONE, "quoteOrderQty": "4.99"}, -1013, "Filter failure: NOTIONAL"),
        # the engine
        (LIMIT, {"quantity": "17"}, -2010, "Account has insufficient balance for requested action."),
        (MARKET, {"quantity": "11", "side": "SELL"}, -2010, "Account has insufficient balance for requested action."),
        (
            *(LIMIT, {"type": "LIMIT_MAKER", "timeInForce": NONE, "price": "66000"}, -2010),
            "Order would immediately match and take.",
        ),
        # what symbols here do not take
        (LIMIT, {"icebergQty": "0.001"}, -2010, "Iceberg orders are not supported for this symbol."),
        (LIMIT, {"trailingDelta": "100"}, -1106, unnecessary("trailingDelta")),
        (LIMIT, {"pegPriceType": "PRIMARY_PEG"}, -2010, "Pegged orders are not supported for this symbol."),
        (
            *(LIMIT, {"selfTradePreventionMode": "DECREMENT"}, -2010),
            "This symbol does not allow the specified self-trade prevention mode.",
        ),
    ],
)  # fmt: skip
def test_an_order_is_refused_in_the_venues_words(
    base: dict[str, str], change: dict[str, str | None], code: int, text: str
) -> None:
    params = {name: value for name, value in {**base, **change}.items() if value is not None}
    assert idle().error("POST", ORDER, **params) == (400, code, text)


@pytest.mark.parametrize(
    ("method", "path", "params", "code", "text"),
    [
        ("DELETE", "order", {}, -1102, either("origClientOrderId", "orderId")),
        ("DELETE", "order", {"orderId": 1}, -2011, "Unknown order sent."),
        ("DELETE", "order", {"orderId": 1, "cancelRestrictions": "ONLY"}, -1145, "Invalid cancelRestrictions"),
        ("DELETE", "openOrders", {}, -2011, "Unknown order sent."),
        ("GET", "order", {"orderId": 10**19}, -2013, "Order does not exist."),
        ("GET", "order", {"origClientOrderId": "mine"}, -2013, "Order does not exist."),
        (
            *("GET", "allOrders", {"startTime": 0, "endTime": 86_400_001}, -1127),
            "More than 24 hours between startTime and endTime.",
        ),
        ("GET", "myTrades", {"fromId": 1, "startTime": 0}, -1128, "Combination of optional parameters invalid."),
        ("POST", "orderList/oto", {"side": "BUY"}, -1020, "This operation is not supported."),
        ("POST", "orderList/opo", {"side": "BUY"}, -2010, "OPO orders are not supported for this symbol."),
        ("POST", "sor/order", {"side": "BUY"}, -1020, "This operation is not supported."),
        ("PUT", "order/amend/keepPriority", {"newQty": "1"}, -2038, "Order amend is not supported for this symbol."),
    ],
)  # fmt: skip
def test_a_question_is_refused_in_the_venues_words(
    method: str, path: str, params: dict[str, object], code: int, text: str
) -> None:
    assert idle().error(method, f"/api/v3/{path}", symbol="BTCUSDT", **params) == (400, code, text)


def test_what_only_an_order_that_is_there_can_be_refused(trader: Trader) -> None:
    trader.ask("POST", ORDER, **LIMIT, newClientOrderId="mine")
    assert trader.error("POST", ORDER, **LIMIT, newClientOrderId="mine") == (
        400,
        -2010,
        "Duplicate order sent.",
    )
    one = {"symbol": "BTCUSDT", "orderId": FIRST}
    assert trader.error("DELETE", ORDER, **one, cancelRestrictions="ONLY_PARTIALLY_FILLED") == (
        *(400, -2011),
        "Order was not canceled due to cancel restrictions.",
    )
    assert trader.error("GET", ORDER, **one, origClientOrderId="yours") == (
        *(400, -2039),
        "Client order ID is not correct for this order ID.",
    )
    trader.ask("DELETE", ORDER, **one, cancelRestrictions="ONLY_NEW")
    assert trader.error("DELETE", ORDER, **one) == (400, -2011, "Unknown order sent.")
    assert trader.ask("POST", ORDER, **LIMIT, newClientOrderId="mine")["orderId"] == FIRST + 1  # free again


def test_a_symbol_takes_200_open_orders(trader: Trader) -> None:
    for _ in range(200):
        trader.ask("POST", ORDER, **LIMIT)
    assert trader.error("POST", ORDER, **LIMIT) == (400, -1013, "Filter failure: MAX_NUM_ORDERS")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_listen_keys_of_spot_are_gone(trader: Trader, method: str) -> None:
    """Since 2026-02-20."""
    assert trader.send(method, "/api/v3/userDataStream").status == 410


# ---------------------------------------------------------------- limits
def header(trader: Trader, method: str, path: str, **params: object) -> dict[str, str]:
    answer = trader.send(method, path, trader.sign(params))
    return {name.removeprefix("x-mbx-"): value for name, value in answer.headers}


def test_orders_are_counted_until_they_are_filled_and_weigh_only_when_they_fail(trader: Trader) -> None:
    """CHANGELOG.md, 2026-03-23, and faqs/order_count_decrement.md."""
    object.__setattr__(trader.exchange, "usage", Usage())
    first = header(trader, "POST", ORDER, **LIMIT)
    assert (first["used-weight-1m"], first["order-count-10s"], first["order-count-1d"]) == ("0", "1", "1")
    assert header(trader, "POST", ORDER, **MARKET)["order-count-10s"] == "1"
    failed = header(trader, "POST", ORDER, **{**LIMIT, "price": "1"})
    assert (failed["used-weight-1m"], failed["order-count-10s"]) == ("1", "1")
    limits = trader.ask("GET", "/api/v3/rateLimit/order")
    assert [(row["interval"], row["limit"], row["count"]) for row in limits] == [
        ("SECOND", 100, 1),
        ("DAY", 200_000, 1),
    ]
    assert "order-count-10s" not in header(trader, "GET", "/api/v3/openOrders")
    trader.step(10 * SECOND_NS)
    again = header(trader, "POST", ORDER, **LIMIT)
    assert (again["order-count-10s"], again["order-count-1d"]) == ("1", "2")


# ---------------------------------------------------------------- the WebSocket API
def test_methods_answer_as_endpoints_do(trader: Trader) -> None:
    socket = trader.connect("/ws-api/v3")
    placed = socket.signed("order.place", **LIMIT, newClientOrderId="mine", returnRateLimits=False)
    assert text(placed) == f'{{"id":1,"status":200,"result":{ACK}{RESULT}"fills":[],{STP}}}'
    for method, path, params in (
        ("order.status", ORDER, {"symbol": "BTCUSDT", "orderId": FIRST}),
        ("openOrders.status", "/api/v3/openOrders", {}),
        ("allOrders", "/api/v3/allOrders", {"symbol": "BTCUSDT"}),
        ("myTrades", "/api/v3/myTrades", {"symbol": "BTCUSDT"}),
        ("account.status", "/api/v3/account", {}),
        ("account.commission", "/api/v3/account/commission", {"symbol": "BTCUSDT"}),
        ("myAllocations", "/api/v3/myAllocations", {"symbol": "BTCUSDT"}),
        ("account.rateLimits.orders", "/api/v3/rateLimit/order", {}),
    ):
        assert socket.signed(method, **params)["result"] == trader.ask("GET", path, **params), method
    assert socket.signed("openOrders.cancelAll", symbol="BTCUSDT")["result"][0]["status"] == "CANCELED"
    refused = socket.signed("order.cancel", symbol="BTCUSDT", orderId=FIRST, returnRateLimits=False)
    assert text(refused) == '{"id":1,"status":400,"error":{"code":-2011,"msg":"Unknown order sent."}}'


def test_an_order_tells_of_the_limits_of_orders_first(trader: Trader) -> None:
    object.__setattr__(trader.exchange, "usage", Usage())
    limits = trader.connect("/ws-api/v3").signed("order.place", **LIMIT)["rateLimits"]
    assert text(limits) == (
        '[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100,"count":1},'
        '{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":200000,"count":1},'
        '{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000,"count":2}]'
    )


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({}, 400, -1102),
        ({"apiKey": "test-key"}, 400, -1102),
        ({"apiKey": "test-key", "timestamp": NOW_MS}, 400, -1102),
        ({"apiKey": "test-key", "timestamp": NOW_MS, "signature": "ab"}, 400, -1022),
        ({"apiKey": "no-key", "timestamp": NOW_MS, "signature": "ab"}, 401, -2015),
        ({"apiKey": "?", "timestamp": NOW_MS, "signature": "ab"}, 401, -2014),
    ],
)
@pytest.mark.parametrize("method", ["account.status", "userDataStream.subscribe.signature", "session.logon"])
def test_a_method_must_be_signed(method: str, params: dict[str, object], status: int, code: int) -> None:
    answer = idle().connect("/ws-api/v3").call(method, **params)
    assert (answer["status"], answer["error"]["code"]) == (status, code)


def test_streams_of_an_account_come_and_go(trader: Trader) -> None:
    socket = listen(trader)
    again = socket.signed("userDataStream.subscribe.signature")
    assert again["error"] == {"code": -2035, "msg": "User Data Stream subscription already active."}
    assert socket.call("session.subscriptions")["result"] == [{"subscriptionId": 0}]
    assert socket.call("userDataStream.unsubscribe", subscriptionId=7)["error"]["code"] == -2036
    assert socket.call("userDataStream.unsubscribe")["result"] == {}
    assert [text(message) for message in socket.take()] == [
        '{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1767225780000}}'
    ]
    assert socket.accounts == set()
    assert socket.signed("userDataStream.subscribe.signature")["result"] == {"subscriptionId": 1}


def test_only_an_ed25519_key_logs_on(trader: Trader) -> None:
    refused = trader.connect("/ws-api/v3").signed("session.logon")
    assert refused["error"] == {"code": -4056, "msg": "HMAC_SHA256 API key is not supported."}


# ---------------------------------------------------------------- whatever is asked
VALUES = st.sampled_from(
    [
        "",
        "0",
        "1",
        "0.01",
        "60000",
        "BTCUSDT",
        "BUY",
        "LIMIT",
        "MARKET",
        "GTC",
        "IOC",
        "true",
        "1e9",
        "é",
        "-1",
        "9" * 20,
    ]
) | st.text(max_size=8)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_signed_request_makes_it_stumble(data: st.DataObject) -> None:
    """Whatever is asked with a right signature is answered, and an error is one of the venue's."""
    path = data.draw(st.sampled_from(sorted(KEYED_ROUTES)))
    method = data.draw(st.sampled_from(sorted(KEYED_ROUTES[path])))
    names = sorted(KEYED_ROUTES[path][method].params or ["symbol"])
    params = data.draw(st.dictionaries(st.sampled_from(names), VALUES))
    good = data.draw(st.sampled_from([{}, {"symbol": "BTCUSDT"}, LIMIT, MARKET]))
    answer = Trader.send(stumbler(), method, path, stumbler().sign({**good, **params}))
    assert answer.status in (200, 400, 401, 409, 429)
    assert answer.status == 200 or json.loads(answer.body).keys() >= {"code", "msg"}


@cache
def stumbler() -> Trader:
    return Trader(BINANCE)


def test_without_a_floor_no_key_is_known() -> None:
    from tests import worlds  # noqa: PLC0415

    request = HttpRequest("GET", "/api/v3/account", "timestamp=1&signature=ab", {"x-mbx-apikey": "test-key"})
    assert BINANCE.handle(request, worlds.exchange(BINANCE), START_NS).status == 401


# ---------------------------------------------------------------- keys
def test_a_key_says_what_it_may(trader: Trader) -> None:
    """https://developers.binance.com/docs/wallet/account/api-key-permission, 2026-08."""
    told = trader.ask("GET", "/sapi/v1/account/apiRestrictions")
    assert list(told) == [
        *("ipRestrict", "createTime", "enableReading", "enableWithdrawals", "enableInternalTransfer"),
        *("enableMargin", "enableFutures", "permitsUniversalTransfer", "enableVanillaOptions"),
        *(
            "enableFixApiTrade",
            "enableFixReadOnly",
            "enableSpotAndMarginTrading",
            "enablePortfolioMarginTrading",
        ),
    ]
    assert {name for name, may in told.items() if may is True} == {
        *("enableReading", "enableFutures", "enableSpotAndMarginTrading"),
    }
    reader = Trader(BINANCE, key=OTHERS[0])
    told = reader.ask("GET", "/sapi/v1/account/apiRestrictions")
    assert {name for name, may in told.items() if may is True} == {"enableReading"}
    assert trader.ask("GET", "/api/v3/myAllocations", symbol="BTCUSDT") == []

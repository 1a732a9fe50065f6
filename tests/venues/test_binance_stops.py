"""Binance spot's stops and take-profits: orders that wait for the last price, and are told of as any others.

rest-api.md (new order, conditional fields in order responses) and user-data-stream.md of
https://github.com/binance/binance-spot-api-docs, 2026-07-21; keys of an answer as in test_binance_trade.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from reactor.exchange.orders import Trail
from reactor.types import SECOND_NS
from tests.reactor.exchange.test_triggers import naive
from tests.venues.test_binance_usdm_trade import text
from tests.venues.trader import START_NS, Socket, Trader
from venues.binance import BINANCE

ORDER, NOW_MS = "/api/v3/order", START_NS // 10**6
STOP = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_LOSS_LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "59000",
    "stopPrice": "60000",
}
MARKET = {name: value for name, value in STOP.items() if name not in ("price", "timeInForce")} | {
    "type": "STOP_LOSS"
}


@pytest.fixture
def trader() -> Trader:
    return Trader(BINANCE)


def listen(trader: Trader) -> Socket:
    socket = trader.connect("/ws-api/v3")
    socket.signed("userDataStream.subscribe.signature")
    return socket


def reports(socket: Socket) -> list[Any]:
    return [m["event"] for m in socket.take() if m.get("event", {}).get("e") == "executionReport"]


def near(trader: Trader, away: float) -> str:
    """A price that far from the last one."""
    answer = trader.send("GET", "/api/v3/ticker/price", "symbol=BTCUSDT")
    last = json.loads(answer.body)["price"]
    return f"{float(last) + away:.2f}"


def balance(trader: Trader, asset: str) -> tuple[float, float]:
    """(free, locked)."""
    rows = trader.ask("GET", "/api/v3/account")["balances"]
    (row,) = [row for row in rows if row["asset"] == asset]
    return float(row["free"]), float(row["locked"])


def wait(trader: Trader, order_id: int) -> Any:
    """The order once it is at work."""
    for _ in range(120):
        order = trader.ask("GET", ORDER, symbol="BTCUSDT", orderId=order_id)
        if order["isWorking"]:
            return order
        trader.step(10 * SECOND_NS)
    raise AssertionError("the price never came there")


# ---------------------------------------------------------------- waiting
def test_one_waits_among_the_open_orders_and_locks_what_it_needs(trader: Trader) -> None:
    """Answered with ACK unless more is asked for; not at work, so without a time of it."""
    socket = listen(trader)
    acknowledged = trader.ask("POST", ORDER, **STOP, newClientOrderId="mine")
    assert list(acknowledged) == ["symbol", "orderId", "orderListId", "clientOrderId", "transactTime"]
    one = {"symbol": "BTCUSDT", "orderId": acknowledged["orderId"]}
    told = trader.ask("GET", ORDER, **one)
    assert text(told) == (
        f'{{"symbol":"BTCUSDT","orderId":{one["orderId"]},"orderListId":-1,"clientOrderId":"mine",'
        '"price":"59000.00000000","origQty":"0.01000000","executedQty":"0.00000000",'
        '"cummulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC","type":"STOP_LOSS_LIMIT","side":"SELL",'
        '"stopPrice":"60000.00000000","icebergQty":"0.00000000","time":1767225780000,"updateTime":1767225780000,'
        '"isWorking":false,"workingTime":-1,"origQuoteOrderQty":"0.00000000","selfTradePreventionMode":"EXPIRE_MAKER"}'
    )
    assert trader.ask("GET", "/api/v3/openOrders") == [told]
    assert balance(trader, "BTC") == (9.99, 0.01)
    book = json.loads(trader.send("GET", "/api/v3/depth", "symbol=BTCUSDT&limit=5").body)
    assert float(book["asks"][0][0]) > 60_000
    (new,) = reports(socket)
    assert [new[key] for key in ("x", "X", "o", "P", "w")] == [
        *("NEW", "NEW", "STOP_LOSS_LIMIT"),
        *("60000.00000000", False),
    ]
    assert "W" not in new
    gone = trader.ask("DELETE", ORDER, **one, cancelRestrictions="ONLY_NEW")
    assert (gone["status"], gone["stopPrice"]) == ("CANCELED", "60000.00000000")
    assert balance(trader, "BTC") == (10.0, 0.0)
    assert reports(socket)[0]["x"] == "CANCELED"
    assert trader.ask("GET", "/api/v3/openOrders") == []


def test_a_full_answer_has_the_price_it_waits_for_and_no_fills(trader: Trader) -> None:
    placed = trader.ask("POST", ORDER, **MARKET, newOrderRespType="FULL")
    keys = list(placed)
    assert keys[keys.index("side") : keys.index("fills") + 1] == ["side", "stopPrice", "workingTime", "fills"]
    assert (placed["stopPrice"], placed["workingTime"], placed["fills"]) == ("60000.00000000", -1, [])


def test_all_of_a_symbol_are_cancelled_together(trader: Trader) -> None:
    ids = [trader.ask("POST", ORDER, **asked)["orderId"] for asked in (STOP, MARKET)]
    rests = {name: value for name, value in STOP.items() if name != "stopPrice"}
    ids.append(trader.ask("POST", ORDER, **{**rests, "type": "LIMIT", "price": "70000"})["orderId"])
    gone = trader.ask("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert [order["orderId"] for order in gone] == ids


def test_a_buyer_locks_its_price_or_where_it_is_at_the_market_the_stop_s(trader: Trader) -> None:
    free, _ = balance(trader, "USDT")
    trader.ask("POST", ORDER, **{**STOP, "side": "BUY", "price": "71000", "stopPrice": "70000"})
    assert balance(trader, "USDT") == (free - 710, 710)
    trader.ask("POST", ORDER, **{**MARKET, "side": "BUY", "stopPrice": "70000"})
    assert balance(trader, "USDT") == (free - 1410, 1410)
    much = {**STOP, "side": "BUY", "price": "71000", "stopPrice": "70000", "quantity": "20"}
    assert trader.error("POST", ORDER, **much) == (
        *(400, -2010),
        "Account has insufficient balance for requested action.",
    )


# ---------------------------------------------------------------- coming to the market
@pytest.mark.parametrize(
    ("kind", "side", "away"),
    [
        ("STOP_LOSS", "SELL", -1),
        ("STOP_LOSS", "BUY", 1),
        ("TAKE_PROFIT", "SELL", 1),
        ("TAKE_PROFIT", "BUY", -1),
    ],
)
def test_one_at_the_market_is_filled_when_its_price_comes(
    trader: Trader, kind: str, side: str, away: int
) -> None:
    """On the other side of the price it would be triggered at once."""
    asked = {**MARKET, "type": kind, "side": side}
    assert trader.error("POST", ORDER, **{**asked, "stopPrice": near(trader, -away)}) == (
        *(400, -2010),
        "Stop price would trigger immediately.",
    )
    socket = listen(trader)
    order_id = trader.ask("POST", ORDER, **{**asked, "stopPrice": near(trader, away)})["orderId"]
    order = wait(trader, order_id)
    assert (order["status"], order["type"]) == ("FILLED", kind)
    new, works, *fills = reports(socket)
    assert [(r["x"], r["X"], r["w"], "W" in r) for r in (new, works)] == [
        ("NEW", "NEW", False, False),
        ("NEW", "NEW", True, True),
    ]
    assert works["W"] == works["T"] == order["workingTime"] > NOW_MS
    assert {report["x"] for report in fills} == {"TRADE"}
    assert fills[-1]["X"] == "FILLED"
    assert balance(trader, "BTC")[1] == balance(trader, "USDT")[1] == 0


def test_a_limit_order_rests_once_its_price_has_come(trader: Trader) -> None:
    stop = near(trader, 1)
    asked = {**STOP, "side": "BUY", "stopPrice": stop, "price": "60000"}
    order_id = trader.ask("POST", ORDER, **asked)["orderId"]
    order = wait(trader, order_id)
    assert (order["status"], order["type"], order["orderId"]) == ("NEW", "STOP_LOSS_LIMIT", order_id)
    assert order["workingTime"] == order["updateTime"] > order["time"]
    assert [o["orderId"] for o in trader.ask("GET", "/api/v3/openOrders")] == [order_id]
    assert balance(trader, "USDT")[1] == 600
    assert trader.ask("DELETE", ORDER, symbol="BTCUSDT", orderId=order_id)["status"] == "CANCELED"
    assert balance(trader, "USDT")[1] == 0


def test_what_is_lost_in_the_meantime_expires_it(trader: Trader) -> None:
    """A stop at the market locks its own price's worth; where the market asks for more than there is, it expires."""
    free, _ = balance(trader, "USDT")
    stop = near(trader, 1)
    asked = {**MARKET, "side": "BUY", "stopPrice": stop}
    quantity = f"{free / float(stop):.5f}"
    if float(quantity) * float(stop) > free:
        quantity = f"{float(quantity) - 0.00001:.5f}"
    order_id = trader.ask("POST", ORDER, **{**asked, "quantity": quantity})["orderId"]
    socket = listen(trader)
    order = wait(trader, order_id)
    assert (order["status"], order["expiryReason"]) == ("EXPIRED", "EXCHANGE_CANCELED")
    assert [(r["x"], r["X"]) for r in reports(socket)] == [("NEW", "NEW"), ("EXPIRED", "EXPIRED")]
    assert balance(trader, "USDT") == (free, 0)


# ---------------------------------------------------------------- following the price
# https://github.com/binance/binance-spot-api-docs/blob/master/faqs/trailing-stop-faq.md, 2026-07-21
FOLLOW = {name: value for name, value in MARKET.items() if name != "stopPrice"} | {"trailingDelta": 10}


def until(trader: Trader, order_id: int, key: str, never: object) -> Any:
    for _ in range(60):
        trader.step(60 * SECOND_NS)
        order = trader.ask("GET", ORDER, symbol="BTCUSDT", orderId=order_id)
        if order[key] != never:
            return order
    raise AssertionError("the price never came there")


def traded(trader: Trader) -> list[tuple[int, int]]:
    """(ms, ticks of 0.01 USDT) of the public trades since the start."""
    market = trader.exchange.market("BTCUSDT")
    assert market is not None
    prints = market.prints_in(START_NS, trader.now_ns)
    return list(zip((prints.ts_ns // 10**6).tolist(), prints.price_ticks.tolist(), strict=True))


def test_one_that_follows_at_once_says_since_when_and_by_how_much(trader: Trader) -> None:
    """It has no price to wait for, and locks what it needs at the latest one."""
    socket = listen(trader)
    placed = trader.ask("POST", ORDER, **FOLLOW, newClientOrderId="mine", newOrderRespType="RESULT")
    assert text(placed) == (
        f'{{"symbol":"BTCUSDT","orderId":{placed["orderId"]},"orderListId":-1,"clientOrderId":"mine",'
        f'"transactTime":{NOW_MS},"price":"0.00000000","origQty":"0.01000000","executedQty":"0.00000000",'
        '"origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC",'
        f'"type":"STOP_LOSS","side":"SELL","trailingDelta":10,"trailingTime":{NOW_MS},"workingTime":-1,'
        '"selfTradePreventionMode":"EXPIRE_MAKER"}'
    )
    told = trader.ask("GET", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])
    keys = list(told)
    assert keys[keys.index("stopPrice") : keys.index("icebergQty") + 1] == [
        *("stopPrice", "trailingDelta", "trailingTime", "icebergQty"),
    ]
    assert (told["stopPrice"], told["trailingDelta"], told["trailingTime"]) == ("0.00000000", 10, NOW_MS)
    (new,) = reports(socket)
    keys = list(new)
    assert keys[keys.index("P") : keys.index("F")] == ["P", "d"]
    assert keys[keys.index("Q") : keys.index("V")] == ["Q", "D"]
    assert (new["P"], new["d"], new["D"], new["w"]) == ("0.00000000", 10, NOW_MS, False)
    assert trader.ask("DELETE", ORDER, symbol="BTCUSDT", orderId=placed["orderId"])["trailingDelta"] == 10
    free, _ = balance(trader, "USDT")
    last = float(json.loads(trader.send("GET", "/api/v3/ticker/price", "symbol=BTCUSDT").body)["price"])
    trader.ask("POST", ORDER, **{**FOLLOW, "side": "BUY"})
    assert balance(trader, "USDT")[0] == pytest.approx(free - last * 0.01)


@pytest.mark.parametrize(
    ("kind", "side", "away"),
    [
        ("TAKE_PROFIT", "SELL", 5),
        ("STOP_LOSS", "SELL", -5),
        ("STOP_LOSS", "BUY", 5),
        ("TAKE_PROFIT", "BUY", -5),
    ],
)
def test_one_follows_from_its_stop_price_on_and_comes_where_the_price_is_so_many_bips_back(
    trader: Trader, kind: str, side: str, away: int
) -> None:
    """Sold below the highest since, bought above the lowest, whatever the type; the account hears of it at work."""
    stop = near(trader, away)
    socket = listen(trader)
    asked = {**FOLLOW, "type": kind, "side": side, "stopPrice": stop}
    order_id = trader.ask("POST", ORDER, **asked)["orderId"]
    waiting = trader.ask("GET", ORDER, symbol="BTCUSDT", orderId=order_id)
    assert (waiting["stopPrice"], waiting["trailingTime"]) == (f"{float(stop):.8f}", -1)
    order = until(trader, order_id, "isWorking", False)
    trades = traded(trader)
    begun, came = naive(
        [ticks for _, ticks in trades], Trail(1_000, side == "BUY"), round(float(stop) * 100), away > 0
    )
    assert begun is not None
    assert came is not None
    assert order["trailingTime"] == trades[begun][0] // 10 * 10 + 10
    assert order["workingTime"] == trades[came][0] // 10 * 10 + 10
    assert (order["status"], order["type"]) == ("FILLED", kind)
    new, works, *_ = reports(socket)
    assert [("D" in r, r["d"], r["w"]) for r in (new, works)] == [(False, 10, False), (True, 10, True)]
    assert (works["D"], works["W"]) == (order["trailingTime"], order["workingTime"])


# ---------------------------------------------------------------- refusals
def missing(name: str) -> str:
    return f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


EITHER = "Param 'stopPrice' or 'trailingDelta' must be sent, but both were empty/null!"
ILLEGAL = "Illegal characters found in parameter 'trailingDelta'; legal range is '^[0-9]{1,20}$'."


@pytest.mark.parametrize(
    ("base", "change", "code", "said"),
    [
        (STOP, {"stopPrice": None}, -1102, EITHER),
        (STOP, {"price": None}, -1102, missing("price")),
        (STOP, {"timeInForce": None}, -1102, missing("timeInForce")),
        (MARKET, {"quantity": None}, -1102, missing("quantity")),
        (MARKET, {"price": "59000"}, -1106, "Parameter 'price' sent when not required."),
        (MARKET, {"quoteOrderQty": "100"}, -1106, "Parameter 'quoteOrderQty' sent when not required."),
        (MARKET, {"trailingDelta": "9"}, -1013, "Filter failure: TRAILING_DELTA"),
        (MARKET, {"trailingDelta": "2001", "stopPrice": None}, -1013, "Filter failure: TRAILING_DELTA"),
        (MARKET, {"trailingDelta": "1.5"}, -1100, ILLEGAL),
        (STOP, {"stopPrice": "0"}, -1013, "Invalid stopPrice."),
        (STOP, {"stopPrice": "60000.123"}, -1013, "Filter failure: PRICE_FILTER"),
        (STOP, {"stopPrice": "60000.123456789"}, -1111, "Parameter 'stopPrice' has too much precision."),
        (STOP, {"price": "1000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
        (STOP, {"quantity": "11"}, -2010, "Account has insufficient balance for requested action."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_venues_words(
    trader: Trader, base: dict[str, str], change: dict[str, str | None], code: int, said: str
) -> None:
    asked = {name: value for name, value in {**base, **change}.items() if value is not None}
    assert trader.error("POST", ORDER, **asked) == (400, code, said)
    assert trader.ask("GET", "/api/v3/openOrders") == []


def test_five_of_a_symbol_may_wait(trader: Trader) -> None:
    """As its filter says."""
    for _ in range(5):
        trader.ask("POST", ORDER, **STOP)
    assert trader.error("POST", ORDER, **STOP) == (400, -1013, "Filter failure: MAX_NUM_ALGO_ORDERS")
    other = {"symbol": "ETHUSDT", "side": "BUY", "price": "5000", "stopPrice": "4900"}
    trader.ask("POST", ORDER, **{**STOP, **other})

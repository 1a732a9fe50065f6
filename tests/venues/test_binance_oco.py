"""Binance spot's OCO: two orders, of which the one that comes first ends the other.

https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#order-lists, 2026-07-21. Keys of an answer as
by the testnet on 2025-08-06 (https://github.com/ccxt/go-binance/pull/742), of the event as documented.
"""

from __future__ import annotations

from typing import Any

import pytest

from reactor.types import SECOND_NS
from tests.venues.test_binance_real_account import PAIR
from tests.venues.test_binance_stops import balance, listen, near
from tests.venues.test_binance_usdm_trade import text
from tests.venues.trader import Socket, Trader
from venues.binance import BINANCE

OCO, LIST, ORDER = "/api/v3/orderList/oco", "/api/v3/orderList", "/api/v3/order"
SELL = {
    **PAIR,
    "listClientOrderId": "both",
    "aboveClientOrderId": "profit",
    "belowClientOrderId": "loss",
}
OLD = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "quantity": "0.01",
    "price": "60000",
    "stopPrice": "100000",
    "stopLimitPrice": "101000",
    "stopLimitTimeInForce": "GTC",
}


@pytest.fixture
def trader() -> Trader:
    return Trader(BINANCE)


def events(socket: Socket) -> list[Any]:
    told = [m["event"] for m in socket.take() if "event" in m]
    return [event for event in told if event["e"] in ("executionReport", "listStatus")]


def words(told: list[Any]) -> list[tuple[Any, ...]]:
    """What each event says of whom."""
    return [
        (e["L"], e["l"], e["C"]) if e["e"] == "listStatus" else (e["x"], e["X"], e["C"] or e["c"])
        for e in told
    ]


def near_both(trader: Trader, above: float, below: float) -> dict[str, str]:
    """The parameters of a pair that is that near on either side, its loss at the market."""
    rest = {name: value for name, value in SELL.items() if name not in ("belowPrice", "belowTimeInForce")}
    prices = {"abovePrice": near(trader, above), "belowStopPrice": near(trader, -below)}
    return {**rest, "belowType": "STOP_LOSS", **prices}


def until_done(trader: Trader) -> None:
    for _ in range(240):
        trader.step(10 * SECOND_NS)
        if not trader.ask("GET", "/api/v3/openOrders"):
            return
    raise AssertionError("no price came there")


# ---------------------------------------------------------------- placing
def test_both_wait_for_what_comes_first_and_lock_what_one_needs(trader: Trader) -> None:
    socket = listen(trader)
    placed = trader.ask("POST", OCO, **SELL)
    loss, profit = (row["orderId"] for row in placed["orders"])
    assert text(placed) == (
        f'{{"orderListId":{loss},"contingencyType":"OCO","listStatusType":"EXEC_STARTED",'
        '"listOrderStatus":"EXECUTING","listClientOrderId":"both","transactionTime":1767225780000,"symbol":"BTCUSDT",'
        f'"orders":[{{"symbol":"BTCUSDT","orderId":{loss},"clientOrderId":"loss"}},'
        f'{{"symbol":"BTCUSDT","orderId":{profit},"clientOrderId":"profit"}}],"orderReports":['
        f'{{"symbol":"BTCUSDT","orderId":{loss},"orderListId":{loss},"clientOrderId":"loss",'
        '"transactTime":1767225780000,"price":"59000.00000000","origQty":"0.01000000","executedQty":"0.00000000",'
        '"origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC",'
        '"type":"STOP_LOSS_LIMIT","side":"SELL","stopPrice":"60000.00000000","workingTime":-1,'
        '"selfTradePreventionMode":"EXPIRE_MAKER"},'
        f'{{"symbol":"BTCUSDT","orderId":{profit},"orderListId":{loss},"clientOrderId":"profit",'
        '"transactTime":1767225780000,"price":"90000.00000000","origQty":"0.01000000","executedQty":"0.00000000",'
        '"origQuoteOrderQty":"0.00000000","cummulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC",'
        '"type":"LIMIT_MAKER","side":"SELL","workingTime":1767225780000,"selfTradePreventionMode":"EXPIRE_MAKER"}]}'
    )
    assert balance(trader, "BTC") == (9.99, 0.01)
    told = events(socket)
    assert words(told) == [
        ("NEW", "NEW", "loss"),
        ("NEW", "NEW", "profit"),
        ("EXECUTING", "EXEC_STARTED", "both"),
    ]
    assert [event["g"] for event in told] == [loss] * 3
    assert text(told[-1]) == (
        f'{{"e":"listStatus","E":1767225780000,"s":"BTCUSDT","g":{loss},"c":"OCO","l":"EXEC_STARTED",'
        '"L":"EXECUTING","r":"NONE","C":"both","T":1767225780000,"O":['
        f'{{"s":"BTCUSDT","i":{loss},"c":"loss"}},{{"s":"BTCUSDT","i":{profit},"c":"profit"}}]}}'
    )
    counts = trader.ask("GET", "/api/v3/rateLimit/order")
    assert [row["count"] for row in counts] == [2, 2]


def test_a_buyer_locks_what_the_dearer_one_needs(trader: Trader) -> None:
    """Asked for in the old way."""
    placed = trader.ask("POST", "/api/v3/order/oco", **OLD)
    assert [row["type"] for row in placed["orderReports"]] == ["STOP_LOSS_LIMIT", "LIMIT_MAKER"]
    assert balance(trader, "USDT") == (998_990.0, 1_010.0)
    assert len(placed["listClientOrderId"]) == 22
    trader.ask("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert balance(trader, "USDT") == (1_000_000.0, 0.0)


def test_both_may_wait_and_each_form_of_answer_is_given(trader: Trader) -> None:
    both = {**SELL, "aboveType": "TAKE_PROFIT", "aboveStopPrice": "90000", "newOrderRespType": "ACK"}
    del both["abovePrice"]
    placed = trader.ask("POST", OCO, **both)
    assert list(placed["orderReports"][1])[-1] == "transactTime"
    orders = trader.ask("GET", "/api/v3/openOrders")
    assert [(o["type"], o["isWorking"], o["orderListId"]) for o in orders] == [
        ("STOP_LOSS_LIMIT", False, placed["orderListId"]),
        ("TAKE_PROFIT", False, placed["orderListId"]),
    ]
    full = trader.ask(
        "POST", OCO, **{**SELL, "aboveClientOrderId": "c", "belowClientOrderId": "d"}, newOrderRespType="FULL"
    )
    assert full["orderReports"][0]["fills"] == []


UNRELATED = "The relationship of the prices for the orders is not correct."


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"aboveType": None}, -1102, "Mandatory parameter 'aboveType' was not sent, was empty/null, or malformed."),
        ({"abovePrice": None}, -1102, "Mandatory parameter 'abovePrice' was not sent, was empty/null, or malformed."),
        (
            {"belowStopPrice": None},
            *(-1102, "Param 'belowStopPrice' or 'belowTrailingDelta' must be sent, but both were empty/null!"),
        ),
        ({"aboveTimeInForce": "GTC"}, -1106, "Parameter 'aboveTimeInForce' sent when not required."),
        ({"belowStopPrice": "90000", "belowPrice": "90000"}, -2010, UNRELATED),
        ({"abovePrice": "60000"}, -2010, UNRELATED),
        ({"side": "BUY"}, -2010, UNRELATED),
        ({"aboveType": "STOP_LOSS", "aboveStopPrice": "1"}, -2010, "Unsupported order combination"),
        ({"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
        ({"quantity": "11"}, -2010, "Account has insufficient balance for requested action."),
        ({"aboveClientOrderId": "loss"}, -2010, "Duplicate order sent."),
        ({"newOrderRespType": "ALL"}, -1130, "Data sent for parameter 'newOrderRespType' is not valid."),
        ({"belowTrailingDelta": 2_001}, -1013, "Filter failure: TRAILING_DELTA"),
        ({"aboveTrailingDelta": 100}, -1106, "Parameter 'aboveTrailingDelta' sent when not required."),
    ],
)  # fmt: skip
def test_both_are_refused_for_what_is_wrong_with_either(
    trader: Trader, change: dict[str, object], code: int, words: str
) -> None:
    asked = {name: value for name, value in {**SELL, **change}.items() if value is not None}
    assert trader.error("POST", OCO, **asked) == (400, code, words)
    assert trader.ask("GET", "/api/v3/openOrders") == []
    assert balance(trader, "BTC") == (10.0, 0.0)


def test_a_symbol_has_no_more_of_them_than_its_filters_say(trader: Trader) -> None:
    names = ("listClientOrderId", "aboveClientOrderId", "belowClientOrderId")
    unnamed = {name: value for name, value in SELL.items() if name not in names}
    for _ in range(5):
        trader.ask("POST", OCO, **unnamed)
    assert trader.error("POST", OCO, **unnamed) == (400, -1013, "Filter failure: MAX_NUM_ALGO_ORDERS")


# ---------------------------------------------------------------- what comes of them
@pytest.mark.parametrize(("above", "below"), [(20, 5_000), (5_000, 20)])
def test_what_comes_first_ends_the_other_and_the_list(trader: Trader, above: float, below: float) -> None:
    socket = listen(trader)
    placed = trader.ask("POST", OCO, **near_both(trader, above, below))
    events(socket)
    until_done(trader)
    told = events(socket)
    first, other = ("profit", "loss") if above < below else ("loss", "profit")
    assert words(told)[:2] == [("EXPIRED", "EXPIRED", other), ("ALL_DONE", "ALL_DONE", "both")]
    assert told[0]["eR"] == "OCO_TRIGGER"
    rest = words(told)[2:]
    assert rest[0] == (("TRADE", "FILLED", first) if above < below else ("NEW", "NEW", first))
    assert rest[-1] == ("TRADE", "FILLED", first)
    one = trader.ask("GET", LIST, orderListId=placed["orderListId"])
    assert (one["listStatusType"], one["listOrderStatus"]) == ("ALL_DONE", "ALL_DONE")
    assert one["transactionTime"] == told[1]["T"]
    assert balance(trader, "BTC") == (9.99, 0.0)
    assert {t["orderListId"] for t in trader.ask("GET", "/api/v3/myTrades", symbol="BTCUSDT")} == {
        placed["orderListId"]
    }
    gone = ("DELETE", LIST, placed["orderListId"])
    assert trader.error(*gone[:2], symbol="BTCUSDT", orderListId=gone[2]) == (
        400,
        -2011,
        "Unknown order list sent.",
    )


def test_the_stop_of_a_pair_may_follow_the_price(trader: Trader) -> None:
    """Without a price of its own; its coming ends the other as any does."""
    socket = listen(trader)
    follows = {name: value for name, value in near_both(trader, 5_000, 0).items() if name != "belowStopPrice"}
    placed = trader.ask("POST", OCO, **follows, belowTrailingDelta=10)
    stop = placed["orderReports"][0]
    assert (stop["type"], stop["trailingDelta"], stop["trailingTime"]) == (
        "STOP_LOSS",
        10,
        stop["transactTime"],
    )
    events(socket)
    until_done(trader)
    assert words(events(socket))[:3] == [
        ("EXPIRED", "EXPIRED", "profit"),
        ("ALL_DONE", "ALL_DONE", "both"),
        ("NEW", "NEW", "loss"),
    ]
    assert balance(trader, "BTC") == (9.99, 0.0)


@pytest.mark.parametrize("how", ["list", "name", "order", "all"])
def test_they_are_cancelled_together_however_it_is_asked(trader: Trader, how: str) -> None:
    socket = listen(trader)
    placed = trader.ask("POST", OCO, **SELL)
    events(socket)
    match how:
        case "list":
            gone = trader.ask("DELETE", LIST, symbol="BTCUSDT", orderListId=placed["orderListId"])
        case "name":
            gone = trader.ask(
                "DELETE", LIST, symbol="BTCUSDT", listClientOrderId="both", newClientOrderId="gone"
            )
            assert {row["clientOrderId"] for row in gone["orderReports"]} == {"gone"}
        case "order":
            gone = trader.ask("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="loss")
        case _:
            (gone,) = trader.ask("DELETE", "/api/v3/openOrders", symbol="BTCUSDT")
    assert list(gone) == list(placed)
    assert (gone["listStatusType"], gone["orders"]) == ("ALL_DONE", placed["orders"])
    assert [(row["origClientOrderId"], row["status"]) for row in gone["orderReports"]] == [
        ("loss", "CANCELED"),
        ("profit", "CANCELED"),
    ]
    told = words(events(socket))
    assert sorted(told[:2]) == [("CANCELED", "CANCELED", "loss"), ("CANCELED", "CANCELED", "profit")]
    assert told[2:] == [("ALL_DONE", "ALL_DONE", "both")]
    assert balance(trader, "BTC") == (10.0, 0.0)


def test_lists_are_found_by_id_by_name_and_all_together(trader: Trader) -> None:
    first = trader.ask("POST", OCO, **SELL)
    trader.ask("DELETE", LIST, symbol="BTCUSDT", listClientOrderId="both")
    trader.step(SECOND_NS)
    names = {"listClientOrderId": "more", "aboveClientOrderId": "b", "belowClientOrderId": "a"}
    second = trader.ask("POST", OCO, **{**SELL, **names})
    del second["orderReports"]
    assert trader.ask("GET", LIST, origClientOrderId="more") == second
    assert trader.ask("GET", "/api/v3/openOrderList") == [second]
    ids = [first["orderListId"], second["orderListId"]]
    assert [row["orderListId"] for row in trader.ask("GET", "/api/v3/allOrderList")] == ids
    assert [r["orderListId"] for r in trader.ask("GET", "/api/v3/allOrderList", limit=1)] == ids[1:]
    assert [
        r["orderListId"] for r in trader.ask("GET", "/api/v3/allOrderList", fromId=ids[0], limit=1)
    ] == ids[:1]
    at = second["transactionTime"]
    assert [r["orderListId"] for r in trader.ask("GET", "/api/v3/allOrderList", startTime=at)] == ids[1:]
    assert trader.error("GET", LIST, orderListId=1) == (400, -2013, "Order list does not exist.")
    assert trader.error("GET", LIST)[1] == -1102
    assert trader.error("GET", "/api/v3/allOrderList", fromId=1, startTime=1)[1] == -1128
    assert trader.error("DELETE", LIST, symbol="BTCUSDT", orderListId=ids[0])[1] == -2011


def test_a_socket_places_finds_and_cancels_them(trader: Trader) -> None:
    socket = trader.connect("/ws-api/v3")
    placed = socket.signed("orderList.place.oco", **SELL)["result"]
    assert placed["listStatusType"] == "EXEC_STARTED"
    found = socket.signed("orderList.status", orderListId=placed["orderListId"])["result"]
    assert found["orders"] == placed["orders"]
    gone = socket.signed("orderList.cancel", symbol="BTCUSDT", orderListId=placed["orderListId"])["result"]
    assert gone["listOrderStatus"] == "ALL_DONE"

"""Conditional orders of Binance USD-M: what is answered, what an account is told when their price comes, every refusal.

Keys and their order are those of answers recorded on the testnet on 2026-09-14 and of events recorded on 2025-12-11
(venues/binance/usdm_algo.py says by whom); `allAlgoOrders` is as documented, 2026-08, and so are `activatePrice`,
`callbackRate` and `ia`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from reactor.exchange.orders import Trail
from reactor.types import SECOND_NS, TICK_NS
from tests.reactor.exchange.test_triggers import naive
from tests.venues.test_binance_usdm_trade import MARKET, NOW_MS, ORDER, V1, listen, mark, text
from tests.venues.trader import START_NS, Trader
from venues.binance import BINANCE_USDM
from venues.binance.usdm_algo import printed

ALGO, OPEN = f"{V1}/algoOrder", f"{V1}/openAlgoOrders"
STOP = {
    "algoType": "CONDITIONAL",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": "0.010",
    "triggerPrice": "60000",
}
FIRST = 1_000_870_905_906_796  # the first order's id


@pytest.fixture
def trader() -> Trader:
    return Trader(BINANCE_USDM)


def near(trader: Trader, away: float) -> str:
    """A price that far from the last one."""
    last = trader.ask("GET", f"{V1}/ticker/price", symbol="BTCUSDT")["price"]
    return f"{float(last) + away:.1f}"


def wait(trader: Trader, name: str) -> None:
    """Until the price of that one has come."""
    for _ in range(120):
        if trader.ask("GET", ALGO, clientAlgoId=name)["algoStatus"] != "NEW":
            return
        trader.step(10 * SECOND_NS)
    raise AssertionError("the price never came there")


def states(events: list[Any]) -> list[str]:
    return [f"{e['e']} {e['o'].get('x', e['o']['X'])}" for e in events if "o" in e]


# ---------------------------------------------------------------- what is answered
HEAD = (
    '{"algoId":1000870905906796,"clientAlgoId":"mine","algoType":"CONDITIONAL","orderType":"STOP_MARKET",'
    '"symbol":"BTCUSDT","side":"SELL","positionSide":"BOTH","timeInForce":"GTC",'
)
TAIL = (
    '"selfTradePreventionMode":"EXPIRE_MAKER","workingType":"CONTRACT_PRICE","priceMatch":"NONE","closePosition":false,'
    '"priceProtect":false,"reduceOnly":false,"createTime":1767225780000,"updateTime":1767225780000,"triggerTime":0,'
    '"goodTillDate":0}'
)


def test_one_waits_and_is_cancelled(trader: Trader) -> None:
    placed = trader.ask("POST", ALGO, **STOP, clientAlgoId="mine")
    assert text(placed) == (
        f'{HEAD}"quantity":"0.010","algoStatus":"NEW","triggerPrice":"60000.00","price":"0.00","icebergQuantity":null,{TAIL}'
    )
    asked = (
        f'{HEAD}"quantity":"0.010","algoStatus":"NEW","actualOrderId":"","actualPrice":"0.000000",'
        f'"triggerPrice":"60000.00","price":"0.00","icebergQuantity":null,"tpOrderType":"",{TAIL}'
    )
    assert text(trader.ask("GET", ALGO, clientAlgoId="mine")) == asked
    assert text(trader.ask("GET", ALGO, algoId=FIRST)) == asked
    assert text(trader.ask("GET", OPEN)) == (
        f'[{HEAD}"quantity":"0.01","algoStatus":"NEW","actualOrderId":"","actualQty":"0.0","triggerPrice":"60000.0",'
        f'"price":"0.0","icebergQuantity":null,{TAIL}]'
    )
    assert text(trader.ask("GET", f"{V1}/allAlgoOrders", symbol="BTCUSDT")) == (
        f'[{HEAD}"quantity":"0.010","algoStatus":"NEW","actualOrderId":"","actualPrice":"0.0000","triggerPrice":"60000.00",'
        '"price":"0.00","icebergQuantity":null,"tpTriggerPrice":"0.00","tpPrice":"0.00","slTriggerPrice":"0.00",'
        f'"slPrice":"0.00","tpOrderType":"",{TAIL}]'
    )
    trader.step(SECOND_NS)
    gone = trader.ask("DELETE", ALGO, algoid=FIRST)
    assert text(gone) == f'{{"algoId":{FIRST},"clientAlgoId":"mine","code":"200","msg":"success"}}'
    known = trader.ask("GET", ALGO, algoId=FIRST)
    assert (known["algoStatus"], known["updateTime"]) == ("CANCELED", NOW_MS + 1_000)
    assert trader.ask("GET", OPEN, symbol="BTCUSDT") == []
    assert trader.error("DELETE", ALGO, algoId=FIRST) == (400, -2011, "Unknown order sent.")
    assert trader.error("GET", ALGO, algoId=1) == (400, -2013, "Order does not exist.")


def test_they_are_no_orders(trader: Trader) -> None:
    """Asked for, cancelled and counted apart, by names of their own; and they need no margin."""
    before = trader.ask("GET", "/fapi/v3/account")["availableBalance"]
    trader.ask("POST", ALGO, **STOP, clientAlgoId="mine")
    for path in ("openOrders", "allOrders"):
        assert trader.ask("GET", f"{V1}/{path}", symbol="BTCUSDT") == []
    for one in ({"orderId": FIRST - 10**15}, {"origClientOrderId": "mine"}):
        assert trader.error("GET", ORDER, symbol="BTCUSDT", **one)[1] == -2013
        assert trader.error("DELETE", ORDER, symbol="BTCUSDT", **one)[1] == -2011
    trader.ask("DELETE", f"{V1}/allOpenOrders", symbol="BTCUSDT")
    assert len(trader.ask("GET", OPEN)) == 1
    assert trader.ask("GET", "/fapi/v3/account")["availableBalance"] == before
    assert trader.ask("DELETE", f"{V1}/algoOpenOrders", symbol="BTCUSDT") == {
        "code": 200,
        "msg": "The operation of cancel all open order is done.",
    }
    assert trader.ask("GET", OPEN) == []


def test_numbers_of_those_that_wait_are_printed_as_java_prints_a_double() -> None:
    """The first two as recorded, the others as its documents say."""
    texts = {"0.0007": "7.0E-4", "74457.10": "74457.1", "0.00": "0.0", "38": "38.0", "0.001": "0.001"}
    texts |= {"12345678.5": "1.23456785E7", "10000000": "1.0E7", "0.00012": "1.2E-4"}
    assert {number: printed(number) for number in texts} == texts


def test_methods_on_sockets_are_the_same(trader: Trader) -> None:
    api = trader.connect("/ws-fapi/v1")
    placed = api.signed("algoOrder.place", **STOP, clientAlgoId="mine")
    assert (placed["status"], placed["result"]["algoId"]) == (200, FIRST)
    gone = api.signed("algoOrder.cancel", clientAlgoId="mine")
    assert gone["result"] == {"algoId": FIRST, "clientAlgoId": "mine", "code": "200", "msg": "success"}
    assert api.signed("algoOrder.cancel", algoId=FIRST)["error"]["code"] == -2011


# ---------------------------------------------------------------- when its price comes
def test_a_stop_becomes_an_order_and_the_account_is_told(trader: Trader) -> None:
    """In the order of the recording, each event once; the order bears the name, and says what it was."""
    socket = listen(trader)
    trigger = near(trader, -1)
    trader.ask("POST", ALGO, **{**STOP, "triggerPrice": trigger}, clientAlgoId="mine")
    (new,) = socket.take()
    at = NOW_MS
    assert text(new) == (
        f'{{"e":"ALGO_UPDATE","T":{at},"E":{at},"o":{{"caid":"mine","aid":{FIRST},"at":"CONDITIONAL","o":"STOP_MARKET",'
        '"s":"BTCUSDT","S":"SELL","ps":"BOTH","f":"GTC","q":"0.01","X":"NEW","ai":"",'
        f'"tp":"{float(trigger):g}","p":"0","V":"EXPIRE_MAKER","wt":"CONTRACT_PRICE","pm":"NONE","cp":false,"pP":false,'
        '"R":false,"tt":0,"gtd":0,"ia":false}}'
    ).replace(f"{float(trigger):g}", trigger.removesuffix(".0"))
    wait(trader, "mine")
    told = socket.take()
    assert states(told) == [
        "ALGO_UPDATE TRIGGERING",
        "ORDER_TRADE_UPDATE NEW",
        "ALGO_UPDATE TRIGGERED",
        "ORDER_TRADE_UPDATE TRADE",
        "ALGO_UPDATE FINISHED",
    ]
    triggering, order, triggered, fill, finished = (event["o"] for event in told if "o" in event)
    assert (triggering["ai"], triggered["ai"], finished["ai"]) == ("", str(order["i"]), str(order["i"]))
    assert [triggered[key] for key in ("ap", "aq", "act")] == ["0", "0", "MARKET"]
    assert [finished[key] for key in ("aq", "act")] == ["0.01", "MARKET"]
    assert float(finished["ap"]) == float(fill["ap"])
    assert "ap" not in triggering
    assert [order[key] for key in ("c", "o", "ot", "wt", "cp")] == [
        *("mine", "MARKET", "STOP_MARKET"),
        *("CONTRACT_PRICE", False),
    ]
    assert float(order["sp"]) == float(trigger)
    known = trader.ask("GET", ALGO, clientAlgoId="mine")
    assert (known["algoStatus"], known["actualOrderId"]) == ("FINISHED", str(order["i"]))
    assert (known["actualType"], known["actualQty"]) == ("MARKET", "0.010")
    assert known["triggerTime"] == triggering["tt"] == told[0]["T"] > NOW_MS
    child = trader.ask("GET", ORDER, symbol="BTCUSDT", origClientOrderId="mine")
    assert (child["type"], child["origType"], child["status"]) == ("MARKET", "STOP_MARKET", "FILLED")


@pytest.mark.parametrize(
    ("kind", "side", "away"),
    [("STOP", "BUY", 1), ("TAKE_PROFIT", "SELL", 1), ("TAKE_PROFIT_MARKET", "BUY", -1), ("STOP", "SELL", -1)],
)
def test_stops_come_where_the_price_goes_against_and_profits_where_it_goes_with(
    trader: Trader, kind: str, side: str, away: int
) -> None:
    """On the other side of the price both would trigger at once; a limit order then rests at its own price."""
    limit = {} if kind.endswith("MARKET") else {"price": near(trader, -800 if side == "BUY" else 800)}
    asked = {**STOP, "type": kind, "side": side, **limit}
    assert trader.error("POST", ALGO, **{**asked, "triggerPrice": near(trader, -away)}) == (
        *(400, -2021),
        "Order would immediately trigger.",
    )
    trader.ask("POST", ALGO, **{**asked, "triggerPrice": near(trader, away)}, clientAlgoId="mine")
    wait(trader, "mine")
    known = trader.ask("GET", ALGO, clientAlgoId="mine")
    child = trader.ask("GET", ORDER, symbol="BTCUSDT", orderId=known["actualOrderId"])
    assert (known["orderType"], child["origType"]) == (kind, kind)
    if limit:
        assert (known["algoStatus"], child["status"], child["type"]) == ("TRIGGERED", "NEW", "LIMIT")
        assert float(child["price"]) == float(limit["price"])
        trader.ask("DELETE", ORDER, symbol="BTCUSDT", orderId=child["orderId"])
        assert trader.ask("GET", ALGO, clientAlgoId="mine")["algoStatus"] == "FINISHED"
    else:
        assert (known["algoStatus"], child["status"]) == ("FINISHED", "FILLED")


def test_the_mark_may_be_what_counts(trader: Trader) -> None:
    """It comes with the second's mark, as the stream has it."""
    now = mark(trader)
    stop = {**STOP, "triggerPrice": f"{now - 2:.1f}", "workingType": "MARK_PRICE"}
    trader.ask("POST", ALGO, **stop, clientAlgoId="mine")
    for second in range(1, 120):
        trader.step(SECOND_NS)
        state = trader.ask("GET", ALGO, clientAlgoId="mine")
        assert (state["algoStatus"] != "NEW") == (mark(trader) <= float(stop["triggerPrice"]))
        if state["algoStatus"] != "NEW":
            assert state["triggerTime"] == NOW_MS + 1_000 * second
            return
    raise AssertionError("the mark never came there")


# ---------------------------------------------------------------- following the price
TRAIL: dict[str, str | None] = {"type": "TRAILING_STOP_MARKET", "callbackRate": "0.1", "triggerPrice": None}
FOLLOW = {k: v for k, v in {**STOP, **TRAIL}.items() if v is not None}


def last_trade(trader: Trader) -> str:
    return str(trader.ask("GET", f"{V1}/ticker/price", symbol="BTCUSDT")["price"])


def traded_since(trader: Trader, start_ns: int) -> list[tuple[int, int]]:
    """(ms, ticks of 0.1 USDT) of the public trades."""
    market = trader.exchange.market("BTCUSDT")
    assert market is not None
    prints = market.prints_in(start_ns, trader.now_ns)
    return list(zip((prints.ts_ns // 10**6).tolist(), prints.price_ticks.tolist(), strict=True))


def test_one_that_follows_says_from_which_price_on_and_how_far_back(trader: Trader) -> None:
    """Without a price of its own from the latest."""
    last = last_trade(trader)
    placed = trader.ask("POST", ALGO, **FOLLOW, clientAlgoId="mine")
    follows = TAIL.replace(
        '"createTime"', f'"activatePrice":"{float(last):.2f}","callbackRate":"0.1","createTime"'
    )
    head = HEAD.replace("STOP_MARKET", "TRAILING_STOP_MARKET")
    assert text(placed) == (
        f'{head}"quantity":"0.010","algoStatus":"NEW","triggerPrice":"0.00","price":"0.00","icebergQuantity":null,{follows}'
    )
    assert text(trader.ask("GET", ALGO, clientAlgoId="mine")) == (
        f'{head}"quantity":"0.010","algoStatus":"NEW","actualOrderId":"","actualPrice":"0.000000",'
        f'"triggerPrice":"0.00","price":"0.00","icebergQuantity":null,"tpOrderType":"",{follows}'
    )
    listed = {
        **FOLLOW,
        "side": "BUY",
        "activatePrice": "60000",
        "callbackRate": "20",
        "workingType": "MARK_PRICE",
    }
    trader.connect("/ws-fapi/v1").signed("algoOrder.place", **listed, clientAlgoId="other")
    (_, other) = trader.ask("GET", OPEN)
    keys = ("triggerPrice", "activatePrice", "callbackRate", "workingType")
    assert [other[key] for key in keys] == ["0.0", "60000.0", "20.0", "MARK_PRICE"]
    assert [trader.ask("DELETE", ALGO, clientAlgoId=name)["code"] for name in ("mine", "other")] == [
        "200",
        "200",
    ]


def test_one_that_follows_is_told_of_when_it_begins_to_and_comes_where_the_price_is_far_enough_back(
    trader: Trader,
) -> None:
    """From the price that it was to begin at: 0.1 % below the highest since, to the trade."""
    socket = listen(trader)
    begins = near(trader, 5)
    trader.ask("POST", ALGO, **FOLLOW, activatePrice=begins, clientAlgoId="mine")
    for _ in range(60):
        trader.step(60 * SECOND_NS)
        if trader.ask("GET", ALGO, clientAlgoId="mine")["algoStatus"] != "NEW":
            break
    told = socket.take()
    assert states(told) == [
        *("ALGO_UPDATE NEW", "ALGO_UPDATE NEW", "ALGO_UPDATE TRIGGERING", "ORDER_TRADE_UPDATE NEW"),
        *("ALGO_UPDATE TRIGGERED", "ORDER_TRADE_UPDATE TRADE", "ALGO_UPDATE FINISHED"),
    ]
    assert [event["o"]["ia"] for event in told if event["e"] == "ALGO_UPDATE"] == [False, *[True] * 4]
    assert {event["o"]["tp"] for event in told if event["e"] == "ALGO_UPDATE"} == {"0"}
    trades = traded_since(trader, START_NS)
    prices = [ticks for _, ticks in trades]
    begun, came = naive(prices, Trail(1_000, rises=False), round(float(begins) * 10), rises=True)
    assert begun is not None
    assert came is not None
    best = max(prices[begun : came + 1])
    (_, activated, triggering, order, *_) = [event for event in told if "o" in event]
    assert activated["T"] == trades[begun][0] // 10 * 10 + 10
    assert triggering["T"] == trades[came][0] // 10 * 10 + 10
    words = [order["o"][key] for key in ("c", "o", "ot", "sp", "AP", "cr")]
    assert words == ["mine", "MARKET", "TRAILING_STOP_MARKET", f"{best * 999 // 1_000 / 10:.2f}", "0", "0"]
    child = trader.ask("GET", ORDER, symbol="BTCUSDT", origClientOrderId="mine")
    assert (child["type"], child["origType"], child["status"]) == ("MARKET", "TRAILING_STOP_MARKET", "FILLED")


# ---------------------------------------------------------------- closing a position
CLOSE = {k: v for k, v in STOP.items() if k != "quantity"} | {"closePosition": "true"}


def test_one_closes_the_position_as_it_is_then_and_the_other_expires(trader: Trader) -> None:
    """A stop and a profit beside it, as one has them; both are reduce-only, and good till the position ends."""
    no_position = (
        *(400, -4509),
        "Time in Force (TIF) GTE can only be used with open positions. Please ensure that positions are available.",
    )
    assert trader.error("POST", ALGO, **CLOSE) == no_position
    trader.ask("POST", ORDER, **{**MARKET, "quantity": "0.020"})
    assert trader.error("POST", ALGO, **{**CLOSE, "side": "BUY", "triggerPrice": "70000"}) == no_position
    stop = trader.ask("POST", ALGO, **{**CLOSE, "triggerPrice": near(trader, -1)}, clientAlgoId="stop")
    assert [stop[key] for key in ("quantity", "timeInForce", "closePosition", "reduceOnly")] == [
        *("0.000", "GTE_GTC"),
        *(True, True),
    ]
    assert trader.error("POST", ALGO, **CLOSE) == (
        *(400, -4130),
        "An open stop or take profit order with GTE and closePosition in the direction is existing.",
    )
    profit = {**CLOSE, "type": "TAKE_PROFIT_MARKET", "triggerPrice": "80000"}
    trader.ask("POST", ALGO, **profit, clientAlgoId="profit")
    trader.ask("POST", ORDER, **{**MARKET, "quantity": "0.013"})
    socket = listen(trader)
    wait(trader, "stop")
    assert float(trader.ask("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")[0]["positionAmt"]) == 0
    known = trader.ask("GET", ALGO, clientAlgoId="stop")
    assert (known["algoStatus"], known["actualQty"]) == ("FINISHED", "0.033")
    assert trader.ask("GET", ALGO, clientAlgoId="profit")["algoStatus"] == "EXPIRED"
    expired = [e["o"] for e in socket.take() if e["e"] == "ALGO_UPDATE" and e["o"]["X"] == "EXPIRED"]
    assert [(o["caid"], o["cp"], o["f"]) for o in expired] == [("profit", True, "GTE_GTC")]


def test_one_that_cannot_be_placed_is_rejected_and_says_why(trader: Trader) -> None:
    socket = listen(trader)
    stop = {**STOP, "triggerPrice": near(trader, -1), "reduceOnly": "true"}
    trader.ask("POST", ALGO, **stop, clientAlgoId="mine")
    wait(trader, "mine")
    new, triggering, rejected = (event["o"] for event in socket.take())
    assert (new["R"], triggering["X"]) == (True, "TRIGGERING")
    assert (rejected["X"], rejected["rm"], rejected["ai"]) == ("REJECTED", "Reduce Only reject", "")
    assert trader.ask("GET", ALGO, clientAlgoId="mine")["algoStatus"] == "REJECTED"
    assert trader.ask("GET", f"{V1}/allOrders", symbol="BTCUSDT") == []


# ---------------------------------------------------------------- every refusal
SMALL = "Order's notional must be no smaller than 50 (unless you choose reduce only)."


def missing(name: str) -> str:
    return f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"triggerPrice": ""}, -1105, "Parameter 'triggerPrice' was empty."),
        ({"triggerPrice": None}, -1102, missing("triggerprice")),
        ({"quantity": None}, -1102, missing("quantity")),
        ({"type": "STOP"}, -1102, missing("price")),
        ({"algoType": None}, -1102, missing("algoType")),
        ({"algoType": "VP"}, -1130, "Data sent for parameter 'algotype' is not valid."),
        ({"price": "60000"}, -1106, "Parameter 'price' sent when not required."),
        ({"callbackRate": "1"}, -1106, "Parameter 'callbackrate' sent when not required."),
        ({"closePosition": "true"}, -4137, "Quantity must be zero with closePosition equals true"),
        (
            {"type": "STOP", "price": "60000", "quantity": None, "closePosition": "true"},
            *(-4136, "Target strategy invalid for orderType STOP,closePosition true"),
        ),
        ({"type": "LIMIT"}, -1116, "Invalid orderType."),
        ({"type": "TRAILING_STOP_MARKET"}, -1102, missing("callbackrate")),
        ({**TRAIL, "callbackRate": "0.25"}, -2007, "Invalid callBack rate"),
        ({**TRAIL, "callbackRate": "0"}, -2007, "Invalid callBack rate"),
        ({**TRAIL, "callbackRate": "20.1"}, -2007, "Invalid callBack rate"),
        ({**TRAIL, "triggerPrice": "60000"}, -1106, "Parameter 'triggerprice' sent when not required."),
        ({**TRAIL, "activatePrice": "60000"}, -2021, "Order would immediately trigger."),
        ({**TRAIL, "activatePrice": "90000.05"}, -4014, "Price not increased by tick size."),
        ({**TRAIL, "activatePrice": "90000.055"}, -1111, "Precision is over the maximum defined for this asset."),
        (
            {**TRAIL, "quantity": None, "closePosition": "true"},
            *(-4136, "Target strategy invalid for orderType TRAILING_STOP_MARKET,closePosition true"),
        ),
        ({"side": "LONG"}, -1117, "Invalid side."),
        ({"timeInForce": "GTD"}, -1115, "Invalid timeInForce."),
        ({"workingType": "LAST"}, -4031, "Invalid parameter working type: LAST"),
        ({"positionSide": "LONG"}, -4061, "Order's position side does not match user's setting."),
        ({"triggerPrice": "60000.05"}, -4014, "Price not increased by tick size."),
        ({"triggerPrice": "60000.055"}, -1111, "Precision is over the maximum defined for this asset."),
        ({"triggerPrice": "0"}, -4001, "Price less than 0."),
        ({"quantity": "0"}, -4003, "Quantity less than or equal to zero."),
        ({"quantity": "0.001", "triggerPrice": "40000"}, -4164, SMALL),
        ({"clientAlgoId": "é"}, -4015, "Client order id is not valid."),
        ({"clientAlgoId": "taken"}, -4116, "ClientOrderId is duplicated."),
        ({"priceMatch": "QUEUE"}, -5037, "Invalid price match"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_venues_words(
    trader: Trader, changed: dict[str, str | None], code: int, said: str
) -> None:
    trader.ask("POST", ALGO, **STOP, clientAlgoId="taken")
    asked = {name: value for name, value in {**STOP, **changed}.items() if value is not None}
    assert trader.error("POST", ALGO, **asked) == (400, code, said)
    assert len(trader.ask("GET", OPEN)) == 1


def test_200_of_them_may_wait(trader: Trader) -> None:
    """Of all symbols together."""
    other = {**STOP, "symbol": "ETHUSDT", "triggerPrice": "1000", "quantity": "1"}
    for i in range(200):
        trader.step(40 * TICK_NS)
        trader.ask("POST", ALGO, **(STOP if i % 2 else other))
    assert trader.error("POST", ALGO, **STOP) == (400, -4045, "Reach max stop order limit.")
    assert len(json.loads(trader.send("GET", OPEN, trader.sign({})).body)) == 200
    assert len(trader.ask("GET", OPEN, symbol="ETHUSDT")) == 100
    assert trader.now_ns > START_NS

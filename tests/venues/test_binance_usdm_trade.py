"""Trading on Binance USD-M: what is answered, what an account is told by every kind of socket, every reason to refuse.

Keys and their order are those of messages recorded by https://github.com/roq-trading/roq-binance-futures (2021-10 to
2025-12) and of https://developers.binance.com/docs/derivatives/usds-margined-futures, 2026-08.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reactor.exchange.orders import E8, Deposit
from reactor.exchange.terms import PERP
from reactor.types import SECOND_NS
from tests.venues.trader import KEY, OTHERS, START_NS, Socket, Trader
from venues.binance import BINANCE_USDM
from venues.binance.usdm_algo import USDM_ALGO_ROUTES
from venues.binance.usdm_trade import USDM_TRADE_ROUTES
from venues.limits import Usage

V1, NOW_MS = "/fapi/v1", START_NS // 10**6
ORDER = f"{V1}/order"
LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.010",
    "price": "64000",
}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
STOP = {**MARKET, "algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": "70000"}
FIRST = 870_905_906_796  # the first order's id


@pytest.fixture
def trader() -> Trader:
    return Trader(BINANCE_USDM)


@cache
def idle() -> Trader:
    """One whose requests are all refused, so that it may be shared."""
    return Trader(BINANCE_USDM)


def text(answer: Any) -> str:
    return json.dumps(answer, separators=(",", ":"))


def listen_key(trader: Trader) -> str:
    key: str = json.loads(trader.send("POST", f"{V1}/listenKey").body)["listenKey"]
    return key


def listen(trader: Trader) -> Socket:
    return trader.connect("/private/ws", f"listenKey={listen_key(trader)}")


def mark(trader: Trader) -> float:
    return float(trader.ask("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")[0]["markPrice"])


# ---------------------------------------------------------------- what is answered
HEAD = '{"orderId":870905906796,"symbol":"BTCUSDT","status":"NEW","clientOrderId":"mine","price":"64000.00",'
TAIL = (
    '"timeInForce":"GTC","type":"LIMIT","reduceOnly":false,"closePosition":false,"side":"BUY","positionSide":"BOTH",'
    '"stopPrice":"0.00","workingType":"CONTRACT_PRICE","priceProtect":false,"origType":"LIMIT","priceMatch":"NONE",'
    '"selfTradePreventionMode":"EXPIRE_MAKER","goodTillDate":0,'
)


def test_an_order_lives_and_is_cancelled(trader: Trader) -> None:
    placed = trader.ask("POST", ORDER, **LIMIT, newClientOrderId="mine")
    assert text(placed) == (
        f'{HEAD}"origQty":"0.010","executedQty":"0.000","cumQty":"0.000",{TAIL}"updateTime":1767225780000}}'
    )
    told = (
        f'{HEAD}"avgPrice":"0.00000","origQty":"0.010","executedQty":"0.000","cumQuote":"0.00000",{TAIL}'
        '"time":1767225780000,"updateTime":1767225780000}'
    )
    one = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    assert text(trader.ask("GET", ORDER, **one)) == told
    assert text(trader.ask("GET", f"{V1}/openOrder", **one)) == told
    assert text(trader.ask("GET", f"{V1}/openOrders")) == f"[{told}]"
    assert text(trader.ask("GET", f"{V1}/allOrders", symbol="BTCUSDT")) == f"[{told}]"
    trader.step(SECOND_NS)
    cancelled = trader.ask("DELETE", ORDER, **one)
    assert (cancelled["status"], cancelled["updateTime"]) == ("CANCELED", NOW_MS + 1_000)
    assert trader.ask("GET", f"{V1}/openOrders", symbol="BTCUSDT") == []
    assert trader.error("GET", f"{V1}/openOrder", **one) == (400, -2013, "Order does not exist.")
    assert trader.error("DELETE", ORDER, **one) == (400, -2011, "Unknown order sent.")


@pytest.mark.parametrize(
    ("response", "status", "filled"), [("ACK", "NEW", "0.000"), ("RESULT", "FILLED", "0.010")]
)
def test_an_acknowledgement_comes_before_the_match(
    trader: Trader, response: str, status: str, filled: str
) -> None:
    done = trader.ask("POST", ORDER, **MARKET, newOrderRespType=response)
    assert (done["status"], done["executedQty"]) == (status, filled)


def test_an_order_is_changed_in_price_and_quantity(trader: Trader) -> None:
    socket = listen(trader)
    trader.ask("POST", ORDER, **LIMIT)
    socket.take()
    one = {"symbol": "BTCUSDT", "orderId": FIRST, "side": "BUY"}
    changed = trader.ask("PUT", ORDER, **one, quantity="0.020", price="63000")
    assert [changed[key] for key in ("orderId", "price", "origQty", "status")] == [
        FIRST,
        "63000.00",
        "0.020",
        "NEW",
    ]
    (event,) = socket.take()
    assert [event["o"][key] for key in "xXpq"] == ["AMENDMENT", "NEW", "63000.00", "0.020"]
    assert trader.error("PUT", ORDER, **one, quantity="0.020", price="63000") == (
        *(400, -5027),
        "No need to modify the order.",
    )
    assert trader.error("PUT", ORDER, **{**one, "orderId": 1}, quantity="1", price="1")[1] == -2013


def test_what_an_order_was_changed_from_and_to_is_remembered(trader: Trader) -> None:
    """As documented, 2026-08, but for the id."""
    trader.ask("POST", ORDER, **LIMIT, newClientOrderId="mine")
    one = {"symbol": "BTCUSDT", "orderId": FIRST, "side": "BUY"}
    for price, quantity in (("63000.5", "0.020"), ("63000.5", "0.015")):
        trader.step(SECOND_NS)
        trader.ask("PUT", ORDER, **one, quantity=quantity, price=price)
    path = f"{V1}/orderAmendment"
    told = trader.ask("GET", path, symbol="BTCUSDT", origClientOrderId="mine")
    head = f'"symbol":"BTCUSDT","pair":"BTCUSDT","orderId":{FIRST},"clientOrderId":"mine"'
    ids = [row["amendmentId"] for row in told]
    assert text(told) == (
        f'[{{"amendmentId":{ids[0]},{head},"time":{NOW_MS + 1_000},"amendment":{{"price":{{"before":"64000",'
        '"after":"63000.5"},"origQty":{"before":"0.01","after":"0.02"},"count":1}},'
        f'{{"amendmentId":{ids[1]},{head},"time":{NOW_MS + 2_000},"amendment":{{"price":{{"before":"63000.5",'
        '"after":"63000.5"},"origQty":{"before":"0.02","after":"0.015"},"count":2}}]'
    )
    assert ids[0] != ids[1]
    assert trader.ask("GET", path, symbol="BTCUSDT", orderId=FIRST, limit=1) == told[1:]
    assert trader.ask("GET", path, symbol="BTCUSDT", orderId=FIRST, startTime=NOW_MS, limit=1) == told[:1]
    assert trader.error("GET", path, symbol="BTCUSDT", orderId=1)[1] == -2013
    assert trader.error("GET", path, symbol="BTCUSDT")[1] == -1102


def test_a_batch_is_several_orders_each_of_which_may_fail(trader: Trader) -> None:
    batch = [LIMIT, {**LIMIT, "quantity": "0"}, {**LIMIT, "side": None}, "order", {**LIMIT, "quantity": 0.02}]
    answers = trader.ask("POST", f"{V1}/batchOrders", batchOrders=json.dumps(batch))
    assert [a.get("status", a.get("code")) for a in answers] == ["NEW", -4003, -1102, -1130, "NEW"]
    ids = [answers[0]["orderId"], answers[4]["orderId"]]
    changes = [
        {"symbol": "BTCUSDT", "orderId": i, "side": "BUY", "quantity": "0.03", "price": "63000"} for i in ids
    ]
    changed = trader.ask("PUT", f"{V1}/batchOrders", batchOrders=json.dumps(changes))
    assert [(a["orderId"], a["origQty"]) for a in changed] == [(i, "0.030") for i in ids]
    gone = trader.ask("DELETE", f"{V1}/batchOrders", symbol="BTCUSDT", orderIdList=json.dumps([*ids, 1]))
    assert [a.get("status", a.get("code")) for a in gone] == ["CANCELED", "CANCELED", -2011]
    assert trader.error("POST", f"{V1}/batchOrders", batchOrders=json.dumps([LIMIT] * 6)) == (
        *(400, -4082),
        "Invalid number of batch place orders: 6",
    )


@pytest.mark.parametrize("name", ["origClientOrderIdList", "orderidlist", "origclientorderidlist"])
def test_orders_are_named_in_a_list_as_ccxt_writes_it_too(trader: Trader, name: str) -> None:
    """Without capitals, ccxt 4.5.90."""
    orders = [trader.ask("POST", ORDER, **LIMIT) for _ in range(2)]
    field = "orderId" if name == "orderidlist" else "clientOrderId"
    names = json.dumps([order[field] for order in orders])
    gone = trader.ask("DELETE", f"{V1}/batchOrders", symbol="BTCUSDT", **{name: names})
    assert [order["status"] for order in gone] == ["CANCELED"] * 2


def test_all_orders_of_a_symbol_are_cancelled_and_nothing_is_no_error(trader: Trader) -> None:
    done = {"code": 200, "msg": "The operation of cancel all open order is done."}
    trader.ask("POST", ORDER, **LIMIT)
    for _ in range(2):
        assert trader.ask("DELETE", f"{V1}/allOpenOrders", symbol="BTCUSDT") == done
    assert trader.ask("GET", ORDER, symbol="BTCUSDT", orderId=FIRST)["status"] == "CANCELED"


def test_a_countdown_cancels_unless_it_is_renewed(trader: Trader) -> None:
    path = f"{V1}/countdownCancelAll"
    trader.ask("POST", ORDER, **LIMIT)
    for wait_ms in (3_000, 3_000, 0):
        answer = trader.ask("POST", path, symbol="BTCUSDT", countdownTime=wait_ms)
        assert answer == {"symbol": "BTCUSDT", "countdownTime": str(wait_ms)}
        trader.step(2 * SECOND_NS)
    trader.step(10 * SECOND_NS)
    assert len(trader.ask("GET", f"{V1}/openOrders")) == 1
    trader.ask("POST", path, symbol="BTCUSDT", countdownTime=3_000)
    trader.step(3 * SECOND_NS)
    assert trader.ask("GET", f"{V1}/openOrders") == []


# ---------------------------------------------------------------- positions, margin, income
def test_a_position_is_told_alike_everywhere(trader: Trader) -> None:
    """Bought by 0.3 at a price, at 20 times leverage: the sums that the venue's documents give."""
    done = trader.ask("POST", ORDER, **{**MARKET, "quantity": "0.300"}, newOrderRespType="RESULT")
    order = trader.ask("GET", ORDER, symbol="BTCUSDT", orderId=done["orderId"])
    cost_e8 = round(float(order["cumQuote"]) * E8)
    v2 = trader.ask("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")[0]
    (v3,) = trader.ask("GET", "/fapi/v3/positionRisk")
    value_e8 = round(float(v2["markPrice"]) * E8) * 3 // 10
    assert v2["positionAmt"] == v3["positionAmt"] == "0.300"
    assert round(float(v2["notional"]) * E8) == round(float(v3["notional"]) * E8) == value_e8
    assert round(float(v2["unRealizedProfit"]) * E8) == value_e8 - cost_e8
    assert round(float(v2["entryPrice"]) * 0.3 * E8) == cost_e8
    assert (v2["leverage"], v2["marginType"], v2["maxNotionalValue"]) == ("20", "cross", "100000000")
    assert abs(round(float(v3["initialMargin"]) * E8) - value_e8 / 20) <= 1
    assert abs(round(float(v3["maintMargin"]) * E8) - value_e8 * 0.004) <= 1
    account = trader.ask("GET", "/fapi/v2/account")
    fee_e8 = -(-cost_e8 * 5 // 10_000)
    assert account["totalWalletBalance"] == f"{(10**6 * E8 - fee_e8) // E8}.{(10**6 * E8 - fee_e8) % E8:08}"
    assert account["totalMaintMargin"] == v3["maintMargin"]
    assert account["totalInitialMargin"] == v3["initialMargin"]
    assert account["availableBalance"] == trader.ask("GET", "/fapi/v2/balance")[0]["availableBalance"]
    assert [row["symbol"] for row in trader.ask("GET", "/fapi/v3/account")["positions"]] == ["BTCUSDT"]
    assert [row["symbol"] for row in account["positions"]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


def test_closing_realises_a_profit_which_is_income(trader: Trader) -> None:
    trader.ask("POST", ORDER, **MARKET)
    trader.step(60 * SECOND_NS)
    trader.ask("POST", ORDER, **{**MARKET, "side": "SELL", "reduceOnly": "true"})
    trades = trader.ask("GET", f"{V1}/userTrades", symbol="BTCUSDT")
    assert [(t["side"], t["buyer"], t["maker"]) for t in trades] == [
        ("BUY", True, False),
        ("SELL", False, False),
    ]
    bought, sold = (float(t["price"]) for t in trades)
    assert float(trades[1]["realizedPnl"]) == pytest.approx((sold - bought) * 0.01)
    rows = [(row["incomeType"], row["income"]) for row in trader.ask("GET", f"{V1}/income")]
    assert sorted(rows) == sorted(
        [("REALIZED_PNL", trades[1]["realizedPnl"])] * (sold != bought)
        + [("COMMISSION", f"-{t['commission']}") for t in trades]
    )
    assert trader.ask("GET", f"{V1}/income", incomeType="FUNDING_FEE") == []


def test_profit_that_is_not_realised_may_be_ordered_with_and_not_taken_out(trader: Trader) -> None:
    """A long and a short of two accounts: whichever is ahead a minute later."""
    profits = []
    for side, key in (("BUY", KEY), ("SELL", OTHERS[-1])):
        trader.key = key
        trader.ask("POST", ORDER, **{**MARKET, "side": side, "quantity": "1.000"})
    trader.step(60 * SECOND_NS)
    for key in (KEY, OTHERS[-1]):
        trader.key = key
        row = trader.ask("GET", "/fapi/v3/balance")[0]
        profit, available, most = (
            round(float(row[name]) * E8) for name in ("crossUnPnl", "availableBalance", "maxWithdrawAmount")
        )
        assert most == available - max(profit, 0)
        account = trader.ask("GET", "/fapi/v3/account")
        assert (
            account["maxWithdrawAmount"]
            == account["assets"][0]["maxWithdrawAmount"]
            == row["maxWithdrawAmount"]
        )
        profits.append(profit)
    assert max(profits) > 0


def test_funding_is_paid_on_the_hour_and_told_of_balances_alone(trader: Trader) -> None:
    trader.ask("POST", ORDER, **MARKET)
    socket = listen(trader)
    for _ in range(8 * 60 // 50 + 1):  # the key is renewed before it expires
        trader.step(50 * 60 * SECOND_NS)
        trader.send("PUT", f"{V1}/listenKey")
    (event,) = [e for e in socket.take() if e["e"] == "ACCOUNT_UPDATE"]
    (row,) = trader.ask("GET", f"{V1}/income", incomeType="FUNDING_FEE")
    assert row["time"] == (NOW_MS // 28_800_000 + 1) * 28_800_000
    assert (event["a"]["m"], event["a"]["P"], event["a"]["S"]) == ("FUNDING_FEE", [], "BTCUSDT")
    assert list(row) == ["symbol", "incomeType", "income", "asset", "info", "time", "tranId", "tradeId"]
    rates = json.loads(trader.send("GET", f"{V1}/fundingRate", "symbol=BTCUSDT&limit=1").body)
    paid = float(rates[0]["fundingRate"]) * float(rates[0]["markPrice"]) * 0.01
    assert float(row["income"]) == pytest.approx(-paid, abs=1e-7)
    wallet = trader.ask("GET", "/fapi/v2/balance")[0]["balance"]
    assert event["a"]["B"][0]["wb"] == wallet


def test_leverage_is_set_and_told(trader: Trader) -> None:
    socket = listen(trader)
    assert trader.ask("POST", f"{V1}/leverage", symbol="BTCUSDT", leverage=100) == {
        "leverage": 100,
        "maxNotionalValue": "800000",
        "symbol": "BTCUSDT",
    }
    assert [text(event) for event in socket.take()] == [
        '{"e":"ACCOUNT_CONFIG_UPDATE","E":1767225780000,"T":1767225780000,"ac":{"s":"BTCUSDT","l":100}}'
    ]
    for leverage in (0, 151):
        assert trader.error("POST", f"{V1}/leverage", symbol="BTCUSDT", leverage=leverage) == (
            *(400, -4028),
            f"Leverage {leverage} is not valid",
        )
    (row,) = trader.ask("GET", f"{V1}/symbolConfig", symbol="BTCUSDT")
    assert (row["leverage"], row["marginType"]) == (100, "CROSSED")


def test_what_trading_costs_and_needs(trader: Trader) -> None:
    rate = trader.ask("GET", f"{V1}/commissionRate", symbol="BTCUSDT")
    assert (
        text(rate) == '{"symbol":"BTCUSDT","makerCommissionRate":"0.000200","takerCommissionRate":"0.000500"}'
    )
    (row,) = trader.ask("GET", f"{V1}/leverageBracket", symbol="BTCUSDT")
    assert text(row["brackets"][:2]) == (
        '[{"bracket":1,"initialLeverage":150,"notionalCap":300000,"notionalFloor":0,"maintMarginRatio":0.004,"cum":0},'
        '{"bracket":2,"initialLeverage":100,"notionalCap":800000,"notionalFloor":300000,"maintMarginRatio":0.005,'
        '"cum":300}]'
    )
    assert len(trader.ask("GET", f"{V1}/leverageBracket")) == 3


# ---------------------------------------------------------------- what an account is told
def test_a_fill_is_told_in_short_in_full_and_in_money(trader: Trader) -> None:
    socket = listen(trader)
    trader.ask("POST", ORDER, **MARKET, newClientOrderId="mine")
    new, lite, full, money = socket.take()
    (trade,) = trader.ask("GET", f"{V1}/userTrades", symbol="BTCUSDT")
    at, fee = trade["price"], trade["commission"]
    assert text(lite) == (
        '{"e":"TRADE_LITE","E":1767225780000,"T":1767225780000,"s":"BTCUSDT","q":"0.010","p":"0","m":false,"c":"mine",'
        f'"S":"BUY","L":"{at}","l":"0.010","t":{trade["id"]},"i":{FIRST}}}'
    )
    head = (
        '{"e":"ORDER_TRADE_UPDATE","T":1767225780000,"E":1767225780000,"o":{"s":"BTCUSDT","c":"mine","S":"BUY",'
        '"o":"MARKET","f":"GTC","q":"0.010","p":"0",'
    )
    tail = (
        '"m":false,"R":false,"wt":"CONTRACT_PRICE","ot":"MARKET","ps":"BOTH","cp":false,"rp":"0","pP":false,"si":0,'
        '"ss":0,"V":"EXPIRE_MAKER","pm":"NONE","gtd":0,"er":"0"}}'
    )
    assert text(new) == (
        f'{head}"ap":"0","sp":"0","x":"NEW","X":"NEW","i":{FIRST},"l":"0","z":"0","L":"0","n":"0","N":"USDT",'
        f'"T":1767225780000,"t":0,"b":"0","a":"0",{tail}'
    )
    assert text(full) == (
        f'{head}"ap":"{at}0","sp":"0","x":"TRADE","X":"FILLED","i":{FIRST},"l":"0.010","z":"0.010","L":"{at}",'
        f'"n":"{fee}","N":"USDT","T":1767225780000,"t":{trade["id"]},"b":"0","a":"0",{tail}'
    )
    balance = trader.ask("GET", "/fapi/v2/balance")[0]["balance"]
    position = trader.ask("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")[0]
    assert text(money) == (
        '{"e":"ACCOUNT_UPDATE","T":1767225780000,"E":1767225780000,"a":{"B":[{"a":"USDT",'
        f'"wb":"{balance}","cw":"{balance}","bc":"0"}}],"P":[{{"s":"BTCUSDT","pa":"0.010",'
        f'"ep":"{position["entryPrice"]}","cr":"0","up":"{position["unRealizedProfit"]}","mt":"cross","iw":"0",'
        f'"ps":"BOTH","bep":"{position["breakEvenPrice"]}"}}],"m":"ORDER"}}}}'
    )


def test_a_resting_order_moves_no_money_and_tells_what_is_bid(trader: Trader) -> None:
    socket = listen(trader)
    trader.ask("POST", ORDER, **LIMIT)
    trader.ask("DELETE", ORDER, symbol="BTCUSDT", orderId=FIRST)
    placed, ended = socket.take()
    assert [placed["o"][key] for key in ("x", "X", "b", "a")] == ["NEW", "NEW", "640", "0"]
    assert [ended["o"][key] for key in ("x", "X", "b", "a")] == ["CANCELED", "CANCELED", "0", "0"]


@pytest.mark.parametrize(("tif", "reply", "reason"), [("IOC", None, "2"), ("FOK", -5021, "0")])
def test_what_cannot_be_filled_at_once_expires(
    trader: Trader, tif: str, reply: int | None, reason: str
) -> None:
    socket = listen(trader)
    answer = trader.send("POST", ORDER, trader.sign({**LIMIT, "timeInForce": tif}))
    assert json.loads(answer.body).get("code") == reply
    last = socket.take()[-1]["o"]
    assert [last[key] for key in ("x", "X", "er")] == ["EXPIRED", "EXPIRED", reason]


def test_a_deposit_is_told(trader: Trader) -> None:
    socket = listen(trader)
    trader.floor.apply(Deposit("demo", PERP, "USDT", 5 * E8), trader.now_ns)
    trader.tell()
    (event,) = socket.take()
    assert text(event["a"]) == (
        '{"B":[{"a":"USDT","wb":"1000005.00000000","cw":"1000005.00000000","bc":"5.00000000"}],"P":[],"m":"DEPOSIT"}'
    )


def test_an_account_that_loses_too_much_is_called_and_liquidated(trader: Trader) -> None:
    """At 150 times leverage a small account on the wrong side is warned, and its position is closed for it."""
    market = trader.exchange.market("BTCUSDT")
    assert market is not None
    closes = market.minutes(trader.now_ns, trader.now_ns + 600 * 60 * SECOND_NS).close_ticks
    moves = (closes - closes[0]) / closes[0]
    first = int((abs(moves) > 0.006).argmax())
    assert first
    trader.floor.apply(Deposit("demo", PERP, "USDT", -(10**6 - 400) * E8), trader.now_ns)
    trader.ask("POST", f"{V1}/leverage", symbol="BTCUSDT", leverage=150)
    socket = listen(trader)
    wrong = "SELL" if moves[first] > 0 else "BUY"
    trader.ask("POST", ORDER, **{**MARKET, "quantity": "0.700", "side": wrong})
    for _ in range(first + 1):
        trader.step(60 * SECOND_NS)
        trader.send("PUT", f"{V1}/listenKey")
    assert trader.ask("GET", "/fapi/v3/positionRisk") == []
    told = socket.take()
    forced = [e["o"] for e in told if e["e"] == "ORDER_TRADE_UPDATE" and e["o"]["x"] == "CALCULATED"]
    assert forced
    names = {o["c"] for o in forced}
    assert all(name.startswith("autoclose-") for name in names)
    asked = trader.ask("GET", f"{V1}/allOrders", symbol="BTCUSDT")
    assert names < {o["clientOrderId"] for o in asked}
    told_forced = trader.ask("GET", f"{V1}/forceOrders", symbol="BTCUSDT", autoCloseType="LIQUIDATION")
    assert {o["clientOrderId"] for o in told_forced} == names
    assert list(told_forced[0]) == FORCED_KEYS
    assert trader.ask("GET", f"{V1}/forceOrders") == told_forced
    assert trader.ask("GET", f"{V1}/forceOrders", autoCloseType="ADL") == []
    assert trader.error("GET", f"{V1}/forceOrders", autoCloseType="X")[1] == -1130
    calls = [e for e in told if e["e"] == "MARGIN_CALL"]
    assert list(calls[0]) == ["e", "E", "cw", "p"]
    assert list(calls[0]["p"][0]) == ["s", "ps", "pa", "mt", "iw", "mp", "up", "mm"]


# as documented, 2026-08: without pair and cumBase, which are COIN-M's
FORCED_KEYS = [
    *(
        "orderId",
        "symbol",
        "status",
        "clientOrderId",
        "price",
        "avgPrice",
        "origQty",
        "executedQty",
        "cumQuote",
    ),
    *(
        "timeInForce",
        "type",
        "reduceOnly",
        "closePosition",
        "side",
        "positionSide",
        "stopPrice",
        "workingType",
    ),
    *("origType", "time", "updateTime"),
]


def test_who_has_won_most_is_the_first_to_be_reduced(trader: Trader) -> None:
    """Among those on the same side; who has lost is in no queue. 0 to 4, as positions tell it too."""
    adl = f"{V1}/adlQuantile"
    assert trader.ask("GET", adl) == []
    other = Trader(BINANCE_USDM, key=OTHERS[2])
    other.exchange = trader.exchange
    trader.ask("POST", f"{V1}/leverage", symbol="BTCUSDT", leverage=50)
    for one, quantity in ((trader, "0.100"), (other, "0.010")):
        one.ask("POST", ORDER, **{**MARKET, "quantity": quantity})
    for _ in range(120):
        trader.step(60 * SECOND_NS)
        other.now_ns, other.wall_ns = trader.now_ns, trader.wall_ns
        gains = [
            float(one.ask("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")[0]["unRealizedProfit"])
            for one in (trader, other)
        ]
        grades = [one.ask("GET", adl, symbol="BTCUSDT")[0]["adlQuantile"]["BOTH"] for one in (trader, other)]
        assert trader.ask("GET", "/fapi/v3/positionRisk")[0]["adl"] == grades[0]
        if min(gains) > 0:
            assert grades == [4, 2]
            break
        assert [grade > 0 for grade in grades] == [gain > 0 for gain in gains]
    else:
        raise AssertionError("nobody won")
    assert (
        text(trader.ask("GET", adl)) == '[{"symbol":"BTCUSDT","adlQuantile":{"LONG":0,"SHORT":0,"BOTH":4}}]'
    )


def test_nothing_holds_an_account_back(trader: Trader) -> None:
    assert trader.ask("GET", f"{V1}/apiTradingStatus") == {"indicators": {}, "updateTime": NOW_MS}
    assert trader.ask("GET", f"{V1}/feeBurn") == {"feeBurn": False}
    assert trader.ask("GET", f"{V1}/positionMargin/history", symbol="BTCUSDT") == []


def test_an_isolated_position_has_margin_of_its_own_and_is_told_with_it(trader: Trader) -> None:
    """0.3 at 20 times leverage: a twentieth of its cost leaves the crossed wallet, and half comes back with a half."""
    socket, margin = listen(trader), f"{V1}/positionMargin"
    isolated = {"symbol": "BTCUSDT", "marginType": "ISOLATED"}
    assert trader.ask("POST", f"{V1}/marginType", **isolated) == {"code": 200, "msg": "success"}
    assert trader.error("POST", f"{V1}/marginType", **isolated)[1] == -4046
    (event,) = socket.take()
    assert (event["a"]["m"], event["a"]["B"], event["a"]["P"][0]["mt"]) == (
        "MARGIN_TYPE_CHANGE",
        [],
        "isolated",
    )
    assert trader.ask("GET", f"{V1}/symbolConfig", symbol="BTCUSDT")[0]["marginType"] == "ISOLATED"
    assert trader.error("POST", margin, symbol="BTCUSDT", amount="1", type=1)[1] == -4054

    trader.ask("POST", ORDER, **{**MARKET, "quantity": "0.300"})
    order = trader.ask("GET", f"{V1}/allOrders", symbol="BTCUSDT")[-1]
    own_e8 = -(-round(float(order["cumQuote"]) * E8) // 20)
    (row,) = trader.ask("GET", "/fapi/v3/positionRisk")
    assert round(float(row["isolatedWallet"]) * E8) == own_e8
    profit_e8 = round(float(row["unRealizedProfit"]) * E8)
    assert round(float(row["isolatedMargin"]) * E8) == own_e8 + profit_e8
    old = trader.ask("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")[0]
    assert (old["marginType"], old["isolated"], old["isolatedWallet"]) == (
        "isolated",
        True,
        row["isolatedWallet"],
    )
    money = trader.ask("GET", "/fapi/v3/balance")[0]
    cross_e8 = round(float(money["crossWalletBalance"]) * E8)
    assert cross_e8 == round(float(money["balance"]) * E8) - own_e8
    assert (money["crossUnPnl"], money["availableBalance"]) == ("0.00000000", money["crossWalletBalance"])
    told = [e["a"] for e in socket.take() if e["e"] == "ACCOUNT_UPDATE"][-1]
    assert (told["B"][0]["cw"], told["P"][0]["iw"]) == (money["crossWalletBalance"], row["isolatedWallet"])

    # it is liquidated where what is its own is down to the 0.4 % of its value that it needs, whatever else there is
    liquidated, entry = float(row["liquidationPrice"]), float(row["entryPrice"])
    assert own_e8 / E8 + 0.3 * (liquidated - entry) == pytest.approx(0.3 * liquidated * 0.004, abs=1e-4)
    assert trader.ask("POST", margin, symbol="BTCUSDT", amount="100", type=1) == {
        "amount": 100.0,
        "code": 200,
        "msg": "Successfully modify position margin.",
        "type": 1,
    }
    (event,) = socket.take()
    assert (event["a"]["m"], event["a"]["B"][0]["bc"]) == ("MARGIN_TRANSFER", "0")
    (moved,) = trader.ask("GET", f"{margin}/history", symbol="BTCUSDT")
    assert text(moved) == (
        '{"symbol":"BTCUSDT","type":1,"deltaType":"USER_ADJUST","amount":"100.00000000","asset":"USDT",'
        f'"time":{NOW_MS},"positionSide":"BOTH"}}'
    )
    (safer,) = trader.ask("GET", "/fapi/v3/positionRisk")
    assert float(safer["liquidationPrice"]) == pytest.approx(liquidated - 100 / 0.3 / 0.996, abs=1e-3)
    assert trader.error("POST", margin, symbol="BTCUSDT", amount="200", type=2)[1] == -4051
    assert trader.error("POST", margin, symbol="BTCUSDT", amount="1000000", type=1)[1] == -4050
    assert trader.error("POST", margin, symbol="BTCUSDT", amount="1", type=3)[1] == -1130
    assert trader.error("POST", f"{V1}/leverage", symbol="BTCUSDT", leverage=10) == (
        *(400, -4161),
        "Leverage reduction is not supported in Isolated Margin Mode with open positions.",
    )
    trader.ask("POST", ORDER, **{**MARKET, "side": "SELL", "quantity": "0.150"})
    (half,) = trader.ask("GET", "/fapi/v3/positionRisk")
    assert round(float(half["isolatedWallet"]) * E8) == own_e8 + 100 * E8 - (own_e8 + 100 * E8) // 2


def test_funding_of_an_isolated_position_is_of_its_own_margin_and_tells_of_it(trader: Trader) -> None:
    trader.ask("POST", f"{V1}/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    trader.ask("POST", ORDER, **MARKET)
    own, crossed = (
        trader.ask("GET", f"/fapi/v3/{path}")[0][name]
        for path, name in (("positionRisk", "isolatedWallet"), ("balance", "crossWalletBalance"))
    )
    socket = listen(trader)
    for _ in range(8 * 60 // 50 + 1):
        trader.step(50 * 60 * SECOND_NS)
        trader.send("PUT", f"{V1}/listenKey")
    (event,) = [e["a"] for e in socket.take() if e["e"] == "ACCOUNT_UPDATE"]
    (row,) = trader.ask("GET", f"{V1}/income", incomeType="FUNDING_FEE")
    (position,) = event["P"]
    assert (event["m"], position["mt"], event["B"][0]["cw"]) == ("FUNDING_FEE", "isolated", crossed)
    assert float(position["iw"]) == pytest.approx(float(own) + float(row["income"]), abs=1e-8)


# ---------------------------------------------------------------- listen keys
PATHS = ("/private/ws/{}", "/ws/{}", "/private/ws?listenKey={}", "/ws?listenKey={}", "/public/ws/{}")
COMBINED = ("/private/stream?listenKey={}", "/stream?streams={}", "/private/stream?streams={}")


@pytest.mark.parametrize("path", [*PATHS, *COMBINED])
def test_a_listen_key_may_be_spelled_in_many_ways(trader: Trader, path: str) -> None:
    key = listen_key(trader)
    socket = trader.connect(*path.format(key).split("?"))
    trader.ask("POST", ORDER, **LIMIT)
    (message,) = socket.take()
    wrapped = path in COMBINED
    assert (message["data"] if wrapped else message)["e"] == "ORDER_TRADE_UPDATE"
    assert not wrapped or (list(message), message["stream"]) == (["stream", "data"], key)


def test_a_listen_key_is_subscribed_like_a_stream(trader: Trader) -> None:
    key, socket = listen_key(trader), trader.connect("/private/stream")
    assert socket.say({"method": "SUBSCRIBE", "params": [key], "id": "a"}) == {"result": None, "id": "a"}
    assert socket.say({"method": "LIST_SUBSCRIPTIONS", "id": 2}) == {"result": [key], "id": 2}
    trader.ask("POST", ORDER, **LIMIT)
    assert [message["stream"] for message in socket.take()] == [key]
    assert socket.say({"method": "UNSUBSCRIBE", "params": [key], "id": 3}) == {"result": None, "id": 3}
    assert socket.accounts == set()
    trader.ask("DELETE", ORDER, symbol="BTCUSDT", orderId=FIRST)
    assert socket.take() == []


def test_of_an_accounts_events_a_socket_may_want_some(trader: Trader) -> None:
    key = listen_key(trader)
    socket = trader.connect("/private/ws", f"listenKey={key}&events=TRADE_LITE/ACCOUNT_UPDATE")
    trader.ask("POST", ORDER, **MARKET)
    assert [event["e"] for event in socket.take()] == ["TRADE_LITE", "ACCOUNT_UPDATE"]


def test_a_listen_key_lives_for_an_hour_from_when_it_was_last_asked_for(trader: Trader) -> None:
    key = listen_key(trader)
    assert len(key) == 64
    socket = trader.connect("/private/ws", f"listenKey={key}")
    for ask in ("PUT", "POST"):
        trader.step(3_599 * SECOND_NS)
        assert json.loads(trader.send(ask, f"{V1}/listenKey").body) == {"listenKey": key}
    trader.step(3_600 * SECOND_NS)
    expired_ms = trader.now_ns // 10**6
    assert socket.take() == [{"e": "listenKeyExpired", "E": expired_ms, "listenKey": key}]
    trader.ask("POST", ORDER, **LIMIT)
    assert socket.take() == []
    answer = trader.send("PUT", f"{V1}/listenKey")
    assert (answer.status, answer.body) == (400, b'{"code":-1125,"msg":"This listenKey does not exist."}')
    assert listen_key(trader) != key
    assert socket.take() == []


def test_a_listen_key_that_is_given_back_says_nothing_more(trader: Trader) -> None:
    socket = listen(trader)
    assert trader.send("DELETE", f"{V1}/listenKey").body == b"{}"
    trader.ask("POST", ORDER, **LIMIT)
    assert socket.take() == []
    unknown = trader.connect("/private/ws", "listenKey=" + "a" * 64)
    assert unknown.accounts == set()


def test_a_listen_key_takes_a_key_and_no_signature(trader: Trader) -> None:
    assert trader.send("POST", f"{V1}/listenKey", headers={"x-mbx-apikey": ""}).status == 401
    assert trader.send("POST", f"{V1}/listenKey", body=b"subType=None").status == 200


# ---------------------------------------------------------------- refusals
def mandatory(name: str) -> str:
    return f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def either(one: str, other: str) -> str:
    return f"Param '{one}' or '{other}' must be sent, but both were empty/null!"


NONE = None  # leaves a parameter out
ALGO = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
MAKER = (
    "Due to the order could not be executed as maker, the Post Only order will be rejected. "
    "The order will not be recorded in the order history"
)


@pytest.mark.parametrize(
    ("base", "change", "code", "text"),
    [
        *((LIMIT, {name: NONE}, -1102, mandatory(name)) for name in LIMIT),
        (MARKET, {"quantity": NONE}, -1102, mandatory("quantity")),
        (LIMIT, {"side": "LONG"}, -1117, "Invalid side."),
        (LIMIT, {"type": "LIMIT_MAKER"}, -1116, "Invalid orderType."),
        (LIMIT, {"timeInForce": "GTD"}, -1115, "Invalid timeInForce."),
        (LIMIT, {"symbol": "BTCEUR"}, -1121, "Invalid symbol."),
        (MARKET, {"timeInForce": "GTC"}, -1106, "Parameter 'timeinforce' sent when not required."),
        (MARKET, {"price": "64000"}, -1106, "Parameter 'price' sent when not required."),
        (LIMIT, {"stopPrice": "64000"}, -1106, "Parameter 'stopPrice' sent when not required."),
        (LIMIT, {"quantity": "0.0001"}, -1111, "Precision is over the maximum defined for this asset."),
        (LIMIT, {"price": "64000.001"}, -1111, "Precision is over the maximum defined for this asset."),
        (LIMIT, {"reduceOnly": "yes"}, -1130, "Data sent for parameter 'reduceOnly' is not valid."),
        (LIMIT, {"newOrderRespType": "FULL"}, -1136, "Invalid newOrderRespType."),
        (LIMIT, {"price": "0"}, -4001, "Price less than 0."),
        (LIMIT, {"price": "4529764.10"}, -4002, "Price greater than max price."),
        (LIMIT, {"quantity": "0"}, -4003, "Quantity less than or equal to zero."),
        (LIMIT, {"quantity": "1000.001"}, -4005, "Quantity greater than max quantity."),
        (MARKET, {"quantity": "120.001"}, -4005, "Quantity greater than max quantity."),
        (LIMIT, {"price": "100"}, -4013, "Price less than min price."),
        (LIMIT, {"price": "64000.05"}, -4014, "Price not increased by tick size."),
        (LIMIT, {"newClientOrderId": "x" * 37}, -4015, "Client order id length should not be more than 36 chars"),
        (LIMIT, {"newClientOrderId": "my order"}, -4015, "Client order id is not valid."),
        (LIMIT, {"workingType": "LAST"}, -4031, "Invalid parameter working type: LAST"),
        (LIMIT, {"positionSide": "UP"}, -4060, "Invalid position side."),
        (LIMIT, {"positionSide": "LONG"}, -4061, "Order's position side does not match user's setting."),
        *((LIMIT, {"type": kind, "stopPrice": "1"}, -4120, ALGO) for kind in (
            "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")),
        (MARKET, {"closePosition": "true"}, -4136, "Target strategy invalid for orderType MARKET,closePosition true"),
        (
            *(LIMIT, {"quantity": "0.001", "price": "49000"}, -4164),
            "Order's notional must be no smaller than 50 (unless you choose reduce only).",
        ),
        (LIMIT, {"priceMatch": "QUEUE"}, -5037, "Invalid price match"),
        (LIMIT, {"selfTradePreventionMode": "DECREMENT"}, -5039, "Invalid self trade prevention mode"),
        # the engine
        (LIMIT, {"quantity": "500"}, -2019, "Margin is insufficient."),
        (MARKET, {"reduceOnly": "true"}, -2022, "ReduceOnly Order is rejected."),
        (LIMIT, {"timeInForce": "GTX", "price": "66000"}, -5022, MAKER),
    ],
)  # fmt: skip
def test_an_order_is_refused_in_the_venues_words(
    base: dict[str, str], change: dict[str, str | None], code: int, text: str
) -> None:
    params = {name: value for name, value in {**base, **change}.items() if value is not None}
    assert idle().error("POST", ORDER, **params) == (400, code, text)


def test_a_price_may_not_be_too_far_beyond_the_mark(trader: Trader) -> None:
    """1.05 of it for a buyer, 0.95 for a seller; the other way it may be as far as it likes."""
    at = mark(trader)
    for side, factor, code, words in (("BUY", 1.05, -4016, "higher"), ("SELL", 0.95, -4024, "lower")):
        beyond = at * (factor + (0.001 if side == "BUY" else -0.001))
        order = {**LIMIT, "side": side, "price": f"{beyond:.1f}"}
        status, told, message = trader.error("POST", ORDER, **order)
        bound = float(message.rpartition(" ")[2].rstrip("."))
        assert (status, told, message.rpartition(" ")[0]) == (400, code, f"Limit price can't be {words} than")
        assert bound == pytest.approx(at * factor, rel=1e-9)
        away = at * (0.5 if side == "BUY" else 1.5)
        assert trader.ask("POST", ORDER, **{**order, "price": f"{away:.1f}"})["status"] == "NEW"


def test_what_only_an_order_or_a_position_that_is_there_can_be_refused(trader: Trader) -> None:
    trader.ask("POST", ORDER, **LIMIT, newClientOrderId="mine")
    mine = {**LIMIT, "newClientOrderId": "mine"}
    assert trader.error("POST", ORDER, **mine) == (400, -4116, "ClientOrderId is duplicated.")
    margin, dual = f"{V1}/marginType", f"{V1}/positionSide/dual"
    isolated = {"symbol": "BTCUSDT", "marginType": "ISOLATED"}
    upcoming = (400, -4084, "Method is not allowed currently. Upcoming soon.")
    assert trader.error("POST", margin, **isolated)[1] == -4047
    assert trader.error("POST", dual, dualSidePosition="true")[1] == -4067
    trader.ask("DELETE", f"{V1}/allOpenOrders", symbol="BTCUSDT")
    trader.ask("POST", ORDER, **MARKET)
    assert trader.error("POST", margin, **isolated)[1] == -4048
    assert trader.error("POST", dual, dualSidePosition="true")[1] == -4068
    trader.ask("POST", ORDER, **{**MARKET, "side": "SELL"})
    assert trader.ask("POST", margin, **isolated) == {"code": 200, "msg": "success"}
    assert trader.error("POST", dual, dualSidePosition="true") == upcoming


@pytest.mark.parametrize(
    ("method", "path", "params", "code", "text"),
    [
        ("POST", "marginType", {"marginType": "CROSSED"}, -4046, "No need to change margin type."),
        ("POST", "positionSide/dual", {"dualSidePosition": "false"}, -4059, "No need to change position side."),
        (
            *("POST", "multiAssetsMargin", {"multiAssetsMargin": "false"}, -4171),
            "Adjusted asset mode is currently set and does not need to be adjusted repeatedly.",
        ),
        (
            *("POST", "multiAssetsMargin", {"multiAssetsMargin": "true"}, -4084),
            "Method is not allowed currently. Upcoming soon.",
        ),
        (
            *("POST", "positionMargin", {"amount": "1", "type": 1}, -4049),
            "Add margin only support for isolated position.",
        ),
        ("POST", "positionMargin", {"amount": "0", "type": 1}, -4055, "Amount must be positive."),
        ("POST", "positionMargin", {"amount": "1"}, -1102, mandatory("type")),
        ("DELETE", "order", {}, -1102, either("origClientOrderId", "orderId")),
        ("DELETE", "order", {"orderId": 1}, -2011, "Unknown order sent."),
        ("GET", "order", {"orderId": 1}, -2013, "Order does not exist."),
        ("GET", "userTrades", {"startTime": 0, "endTime": 604_800_001}, -4165, "Maximum time interval is 7 days"),
        ("GET", "userTrades", {"fromId": 1, "startTime": 0}, -1128, "Combination of optional parameters invalid."),
    ],
)  # fmt: skip
def test_a_question_is_refused_in_the_venues_words(
    method: str, path: str, params: dict[str, object], code: int, text: str
) -> None:
    assert idle().error(method, f"{V1}/{path}", symbol="BTCUSDT", **params) == (400, code, text)


def test_modes_are_told(trader: Trader) -> None:
    assert trader.ask("GET", f"{V1}/positionSide/dual") == {"dualSidePosition": False}
    assert trader.ask("GET", f"{V1}/multiAssetsMargin") == {"multiAssetsMargin": False}
    assert trader.ask("GET", f"{V1}/accountConfig")["dualSidePosition"] is False


# ---------------------------------------------------------------- limits and the WebSocket API
def test_orders_are_counted_by_ten_seconds_and_by_the_minute(trader: Trader) -> None:
    object.__setattr__(trader.exchange, "usage", Usage())
    answer = trader.send("POST", ORDER, trader.sign(LIMIT))
    assert {"x-mbx-order-count-10s": "1", "x-mbx-order-count-1m": "1"}.items() <= dict(answer.headers).items()
    limits = trader.connect("/ws-fapi/v1").signed("order.place", **LIMIT)["rateLimits"]
    assert text(limits) == (
        '[{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":-1,"count":-1},'
        '{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":2},'
        '{"rateLimitType":"ORDERS","interval":"MINUTE","intervalNum":1,"limit":1200,"count":2}]'
    )


def test_methods_answer_as_endpoints_do(trader: Trader) -> None:
    socket = trader.connect("/ws-fapi/v1")
    assert socket.signed("order.place", **LIMIT)["result"]["orderId"] == FIRST
    one = {"symbol": "BTCUSDT", "orderId": FIRST}
    changed = socket.signed("order.modify", **one, side="BUY", quantity="0.02", price="63000")["result"]
    assert changed["origQty"] == "0.020"
    for method, path, params in (
        ("order.status", ORDER, one),
        ("account.status", "/fapi/v2/account", {}),
        ("v2/account.status", "/fapi/v3/account", {}),
        ("account.balance", "/fapi/v2/balance", {}),
        ("v2/account.balance", "/fapi/v3/balance", {}),
        ("account.position", "/fapi/v2/positionRisk", {"symbol": "BTCUSDT"}),
        ("v2/account.position", "/fapi/v3/positionRisk", {}),
    ):
        assert socket.signed(method, **params)["result"] == trader.ask("GET", path, **params), method
    assert socket.signed("order.cancel", **one)["result"]["status"] == "CANCELED"
    started = socket.call("userDataStream.start", apiKey="test-key")["result"]
    assert started == socket.call("userDataStream.ping", apiKey="test-key")["result"]
    assert socket.call("userDataStream.stop", apiKey="test-key")["result"] == {}
    assert socket.call("userDataStream.ping", apiKey="test-key")["error"]["code"] == -1125
    assert socket.call("userDataStream.start")["error"]["code"] == -1102


VALUES = st.sampled_from(
    [
        "",
        "0",
        "1",
        "0.01",
        "64000",
        "BTCUSDT",
        "BUY",
        "LIMIT",
        "GTC",
        "true",
        "1e9",
        "é",
        "-1",
        "9" * 20,
        "[1]",
        "[{}]",
        "[",
    ]
) | st.text(max_size=8)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_signed_request_makes_it_stumble(data: st.DataObject) -> None:
    """Whatever is asked with a right signature is answered, and an error is one of the venue's."""
    routes = {**USDM_TRADE_ROUTES, **USDM_ALGO_ROUTES}
    path = data.draw(st.sampled_from(sorted(routes)))
    method = data.draw(st.sampled_from(sorted(routes[path])))
    names = sorted(routes[path][method].params or ["symbol"])
    params = data.draw(st.dictionaries(st.sampled_from(names), VALUES))
    good = data.draw(st.sampled_from([{}, {"symbol": "BTCUSDT"}, LIMIT, MARKET, STOP]))
    answer = stumbler().send(method, path, stumbler().sign({**good, **params}))
    assert answer.status in (200, 400, 401, 429)
    assert answer.status == 200 or json.loads(answer.body).keys() >= {"code", "msg"}


@cache
def stumbler() -> Trader:
    return Trader(BINANCE_USDM)

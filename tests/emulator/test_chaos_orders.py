"""Faults of orders and accounts, as a trader on a real venue meets them: what it is told, and what is so."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import closing
from threading import Thread
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from emulator.sdk import Emulator
from tests.trader import KEY, SECRET, Refused, Trader

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
FAR = ORDER | {"price": "30000"}  # rests, for the market is at 65,000
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
NOW_MS = 1_767_225_600_000


@pytest.fixture
def running() -> Iterator[Emulator]:
    with Emulator({"venues": ["binance"]}) as emulator:
        yield emulator


@pytest.fixture
def trader(running: Emulator) -> Iterator[Trader]:
    with closing(Trader(running.url("binance"))) as trader:
        yield trader


@pytest.fixture
def told(running: Emulator) -> Iterator[ClientConnection]:
    """The account's user stream."""
    with connect(running.ws_url("binance") + "/ws-api/v3", max_queue=None) as socket:
        params = {"apiKey": KEY, "timestamp": str(NOW_MS)}
        query = "&".join(f"{name}={value}" for name, value in params.items())
        params["signature"] = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        socket.send(json.dumps({"id": 1, "method": "userDataStream.subscribe.signature", "params": params}))
        assert json.loads(socket.recv(timeout=20))["status"] == 200
        yield socket


def place(trader: Trader, order: dict[str, str]) -> Any:
    return trader.signed("POST", "/api/v3/order", order)


def open_orders(trader: Trader) -> list[str]:
    return [order["clientOrderId"] for order in trader.signed("GET", "/api/v3/openOrders")]


def events(told: ClientConnection) -> list[Any]:
    """What was told until now."""
    found = []
    try:
        while True:
            found.append(json.loads(told.recv(timeout=0.3))["event"])
    except TimeoutError:
        return found


def fills(told: ClientConnection) -> list[int]:
    """The trade ids of fills that were told, in their order."""
    return [event["t"] for event in events(told) if event.get("x") == "TRADE"]


def test_an_order_is_refused_in_the_venues_words(running: Emulator, trader: Trader) -> None:
    """https://github.com/binance/binance-spot-api-docs/blob/master/errors.md, 2026-07-21: -2010."""
    running.faults.add("ord.reject", venue="binance", symbol="BTCUSDT", key="demo", count=1)
    with pytest.raises(Refused) as refused:
        place(trader, FAR)
    said = {"code": -2010, "msg": "Account has insufficient balance for requested action."}
    assert (refused.value.status, refused.value.body) == (400, said)
    assert open_orders(trader) == []
    place(trader, FAR | {"newClientOrderId": "mine"})
    assert open_orders(trader) == ["mine"]


def test_a_rule_may_choose_orders_by_their_owners_id(running: Emulator, trader: Trader) -> None:
    running.faults.add("ord.reject", on_match="^odd")
    for name in ("even-1", "odd-1"):
        try:
            place(trader, FAR | {"newClientOrderId": name})
        except Refused:
            assert name == "odd-1"
    assert open_orders(trader) == ["even-1"]


def test_while_only_makers_may_trade_others_are_refused(running: Emulator, trader: Trader) -> None:
    running.faults.add("ord.post_only_mode")
    with pytest.raises(Refused):
        place(trader, MARKET)
    maker = {name: value for name, value in FAR.items() if name != "timeInForce"}
    place(trader, maker | {"type": "LIMIT_MAKER", "newClientOrderId": "maker"})
    assert open_orders(trader) == ["maker"]


def test_a_cancel_is_lost(running: Emulator, trader: Trader) -> None:
    """The answer says so, the order is open; the next cancel works."""
    placed = place(trader, FAR | {"newClientOrderId": "ghost"})
    running.faults.add("ord.cancel_lost", count=1)
    cancel = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    assert trader.signed("DELETE", "/api/v3/order", cancel)["status"] == "CANCELED"
    assert open_orders(trader) == ["ghost"]
    assert trader.signed("DELETE", "/api/v3/order", cancel)["status"] == "CANCELED"
    assert open_orders(trader) == []


@pytest.mark.parametrize(("kind", "times"), [("ord.fill_event_lost", 0), ("ord.dup_fill_event", 2)])
def test_the_event_of_a_fill_is_lost_or_doubled(
    running: Emulator, trader: Trader, told: ClientConnection, kind: str, times: int
) -> None:
    """REST knows each fill once."""
    running.faults.add(kind, symbol="BTCUSDT", count=1)
    place(trader, MARKET)
    place(trader, MARKET)
    known = [trade["id"] for trade in trader.signed("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT"})]
    assert len(known) == len(set(known)) >= 2
    assert fills(told) == [known[0]] * times + known[1:]


def test_a_user_stream_is_a_stream_like_others(
    running: Emulator, trader: Trader, told: ClientConnection
) -> None:
    """Doubled whole; and of it, only what an expression finds is lost."""
    running.faults.add("md.dup", channel="user", on_match="executionReport")
    lost = running.faults.add("md.drop", channel="user", on_match='"x":"NEW"')
    place(trader, MARKET)
    assert running.faults.rules[1].id == lost
    kinds = [event["e"] for event in events(told)]
    assert kinds.count("executionReport") >= 2
    assert kinds.count("executionReport") % 2 == 0
    assert kinds.count("outboundAccountPosition") >= 1
    assert {hit.channel for hit in running.faults.hits} == {"user"}


def test_an_answer_may_come_after_the_event_of_its_fill(
    running: Emulator, trader: Trader, told: ClientConnection
) -> None:
    running.faults.add("http.hang", endpoint="/api/v3/order", wait_s=1.0)
    answered: list[float] = []

    def ask() -> None:
        place(trader, MARKET)
        answered.append(time.monotonic())

    placing = Thread(target=ask)
    placing.start()
    while json.loads(told.recv(timeout=20))["event"].get("x") != "TRADE":
        pass
    heard = time.monotonic()
    placing.join()
    assert heard < answered[0]


def test_an_order_is_placed_though_its_answer_is_an_error(running: Emulator, trader: Trader) -> None:
    """What a retry makes of it is the bot's: https://github.com/nautechsystems/nautilus_trader/issues/4215."""
    running.faults.add(
        "http.status",
        endpoint="/api/v3/order",
        status=503,
        body='{"code":-1007,"msg":"Timeout waiting for response from backend server."}',
        carried_out=True,
        count=1,
    )
    with pytest.raises(Refused):
        place(trader, FAR | {"newClientOrderId": "there"})
    assert open_orders(trader) == ["there"]


def test_where_only_cancels_are_taken_nothing_else_is(running: Emulator, trader: Trader) -> None:
    placed = place(trader, FAR)
    running.faults.add("ord.cancel_only_mode", venue="binance")
    maker = {name: value for name, value in FAR.items() if name != "timeInForce"} | {"type": "LIMIT_MAKER"}
    for order in (FAR, MARKET, maker):
        with pytest.raises(Refused) as refused:
            place(trader, order)
        assert refused.value.body == {"code": -2010, "msg": "Market is closed."}
    trader.signed("DELETE", "/api/v3/order", {"symbol": "BTCUSDT", "orderId": placed["orderId"]})
    assert open_orders(trader) == []


def test_an_order_that_was_refused_is_there(running: Emulator, trader: Trader) -> None:
    running.faults.add("ord.accepted_but_error", symbol="BTCUSDT", count=1)
    with pytest.raises(Refused) as refused:
        place(trader, FAR | {"newClientOrderId": "ghost"})
    assert refused.value.body["code"] == -2010
    assert open_orders(trader) == ["ghost"]
    place(trader, FAR | {"newClientOrderId": "second"})
    assert open_orders(trader) == ["ghost", "second"]


def test_a_request_that_is_repeated_is_a_duplicate(running: Emulator, trader: Trader) -> None:
    """The order is there, its owner has the answer to the second try."""
    running.faults.add("http.repeated", endpoint="/api/v3/order", count=1)
    with pytest.raises(Refused) as refused:
        place(trader, FAR | {"newClientOrderId": "once"})
    assert refused.value.body == {"code": -2010, "msg": "Duplicate order sent."}
    assert open_orders(trader) == ["once"]


def test_a_clock_that_is_off_rejects_who_signs_by_another(running: Emulator, trader: Trader) -> None:
    """Two minutes ahead, with a window of one: -1021. What time it is, the venue says by the same clock."""
    place(trader, FAR)
    skew = running.faults.add("time.skew", venue="binance", ahead_ms=120_000)
    with pytest.raises(Refused) as refused:
        place(trader, FAR)
    assert refused.value.body["code"] == -1021
    assert trader.public("/api/v3/time") == {"serverTime": NOW_MS + 120_000}
    trader.clock_ms += 120_000
    place(trader, FAR)
    running.faults.remove(skew)
    assert trader.public("/api/v3/time") == {"serverTime": NOW_MS}


def test_a_listen_key_ends_before_its_hour() -> None:
    """The stream says so, and the key is no more: -1125."""
    with (
        Emulator({"venues": ["binance-usdm"]}) as running,
        closing(Trader(running.url("binance-usdm"))) as trader,
    ):
        running.faults.add("user.listenkey_expired", after_s=90)
        key = trader.signed("POST", "/fapi/v1/listenKey")["listenKey"]
        with connect(f"{running.ws_url('binance-usdm')}/private/ws?listenKey={key}") as socket:
            running.clock.advance(60)
            trader.signed("PUT", "/fapi/v1/listenKey")
            running.clock.advance(89)
            with pytest.raises(TimeoutError):
                socket.recv(timeout=0.2)
            running.clock.advance(2)
            told = json.loads(socket.recv(timeout=20))
        assert (told["e"], told["listenKey"]) == ("listenKeyExpired", key)
        with pytest.raises(Refused) as refused:
            trader.signed("PUT", "/fapi/v1/listenKey")
        assert refused.value.body["code"] == -1125


def test_a_cancel_comes_after_the_fill(running: Emulator, trader: Trader, told: ClientConnection) -> None:
    """https://github.com/binance/binance-spot-api-docs/blob/master/errors.md, 2026-07-21: -2011. The fill is a trade of
    the public tape, and the books of all go on.
    """
    bid = trader.public("/api/v3/ticker/bookTicker?symbol=BTCUSDT")["bidPrice"]
    placed = place(trader, ORDER | {"price": bid})
    running.faults.add("ord.cancel_race_fill", symbol="BTCUSDT", count=1)
    cancel = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    with pytest.raises(Refused) as refused:
        trader.signed("DELETE", "/api/v3/order", cancel)
    assert refused.value.body == {"code": -2011, "msg": "Unknown order sent."}
    assert trader.signed("GET", "/api/v3/order", cancel)["status"] == "FILLED"
    (fill,) = trader.signed("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT"})
    assert (fill["price"], fill["isMaker"]) == (bid, True)
    assert fills(told) == [fill["id"]]
    running.clock.advance(1)
    trades = trader.public("/api/v3/trades?symbol=BTCUSDT&limit=1000")
    ids = [trade["id"] for trade in trades]
    assert fill["id"] in ids
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    place(trader, FAR | {"newClientOrderId": "other"})
    trader.signed("DELETE", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": "other"})
    assert open_orders(trader) == []


def test_an_order_works_before_it_is_answered(
    running: Emulator, trader: Trader, told: ClientConnection
) -> None:
    """Of the market that the rule names; questions are answered at once."""
    running.faults.add("ord.slow_ack", symbol="BTCUSDT", wait_s=1.5, count=1)
    answered: list[float] = []

    def ask() -> None:
        place(trader, MARKET)
        answered.append(time.monotonic())

    placing = Thread(target=ask)
    placing.start()
    while json.loads(told.recv(timeout=20))["event"].get("x") != "TRADE":
        pass
    heard = time.monotonic()
    with closing(Trader(running.url("binance"))) as other:
        assert other.signed("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT"})
    assert answered == []
    placing.join()
    assert answered[0] > heard

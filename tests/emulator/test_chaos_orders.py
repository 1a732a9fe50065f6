"""Faults of orders and accounts, as a trader on a real venue meets them: what it is told, and what is so."""

from __future__ import annotations

import hashlib
import hmac
import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from emulator.sdk import Emulator
from tests.patience import PATIENCE_S, said
from tests.trader import KEY, SECRET, Refused, Trader
from tests.venues.wallet import ALICE, limit
from venues.hyperliquid.signing import agent_digest, connection_id

ORDER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
FAR = ORDER | {"price": "30000"}  # rests, for the market is at 65,000
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
NOW_MS = 1_767_225_600_000
LONG_S = 3_600  # beyond the patience of any test


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
    with user_stream(running) as socket:
        yield socket


@contextmanager
def user_stream(running: Emulator) -> Iterator[ClientConnection]:
    """The account's."""
    with connect(running.ws_url("binance") + "/ws-api/v3", max_queue=None) as socket:
        assert subscribe(socket)["status"] == 200
        yield socket


def subscribe(socket: ClientConnection) -> Any:
    """The answer."""
    params = {"apiKey": KEY, "timestamp": str(NOW_MS)}
    query = "&".join(f"{name}={value}" for name, value in params.items())
    params["signature"] = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    socket.send(json.dumps({"id": 1, "method": "userDataStream.subscribe.signature", "params": params}))
    return json.loads(socket.recv(timeout=PATIENCE_S))


def place(trader: Trader, order: dict[str, str]) -> Any:
    return trader.signed("POST", "/api/v3/order", order)


def open_orders(trader: Trader) -> list[str]:
    return [order["clientOrderId"] for order in trader.signed("GET", "/api/v3/openOrders")]


def events(told: ClientConnection) -> list[Any]:
    """What was told until now."""
    return [message["event"] for message in said(told)]


def hear_of_a_trade(told: ClientConnection) -> None:
    while json.loads(told.recv(timeout=PATIENCE_S))["event"].get("x") != "TRADE":
        pass


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
    """And it comes; another one, which is not waited for, has not come when the event is heard."""
    for wait_s in (LONG_S, 0.2):
        running.faults.add("http.hang", endpoint="/api/v3/order", wait_s=wait_s, count=1)
    with ThreadPoolExecutor(1) as thread:
        placing = thread.submit(place, trader, MARKET)
        hear_of_a_trade(told)
        assert not placing.done()
        with closing(Trader(running.url("binance"))) as other:
            late = place(other, MARKET)
        assert late["fills"]
        trader.hang_up()
        assert placing.exception() is not None


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
            assert said(socket) == []
            running.clock.advance(2)
            told = json.loads(socket.recv(timeout=PATIENCE_S))
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
    for wait_s in (LONG_S, 0.2):
        running.faults.add("ord.slow_ack", symbol="BTCUSDT", wait_s=wait_s, count=1)
    with ThreadPoolExecutor(1) as thread:
        placing = thread.submit(place, trader, MARKET)
        hear_of_a_trade(told)
        with closing(Trader(running.url("binance"))) as other:
            assert other.signed("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT"})
            assert not placing.done()
            assert place(other, MARKET)["fills"]
        trader.hang_up()
        assert placing.exception() is not None


def test_an_order_on_a_socket_is_answered_late(running: Emulator, trader: Trader) -> None:
    """After its events and after what is asked later; and no other request waits for it."""
    with user_stream(running) as socket:

        def ask(name: str) -> None:
            params = {**FAR, "apiKey": KEY, "newClientOrderId": name, "timestamp": str(NOW_MS)}
            query = "&".join(f"{key}={value}" for key, value in sorted(params.items()))
            params["signature"] = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
            socket.send(json.dumps({"id": name, "method": "order.place", "params": params}))

        running.faults.add("ord.slow_ack", symbol="BTCUSDT", wait_s=LONG_S, count=1)
        ask("never")
        socket.send(json.dumps({"id": "soon", "method": "time"}))
        events = ["executionReport", "outboundAccountPosition"]
        heard = [json.loads(socket.recv(timeout=PATIENCE_S)) for _ in range(3)]
        assert [each.get("id") or each["event"]["e"] for each in heard] == [*events, "soon"]
        assert open_orders(trader) == ["never"]
        place(trader, FAR | {"newClientOrderId": "quick"})
        assert [each["event"]["e"] for each in said(socket)] == events
        running.faults.add("ord.slow_ack", symbol="BTCUSDT", wait_s=0.2, count=1)
        ask("late")
        *heard, late = (json.loads(socket.recv(timeout=PATIENCE_S)) for _ in range(3))
    assert [each["event"]["e"] for each in heard] == events
    assert (late["id"], late["result"]["clientOrderId"]) == ("late", "late")
    running.assert_no_duplicate_orders()


def act(running: Emulator, order: dict[str, Any], nonce: int, expires: int | None = None) -> Any:
    """Hyperliquid's answer to an order that Alice signs."""
    action = {"type": "order", "orders": [order], "grouping": "na"}
    signature = ALICE.sign(agent_digest(connection_id(action, nonce, None, expires), "b"))
    signed = {"action": action, "nonce": nonce, "signature": signature, "vaultAddress": None}
    signed |= {} if expires is None else {"expiresAfter": expires}
    return post(running, "/exchange", signed)


def post(running: Emulator, path: str, body: object) -> Any:
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(running.url("hyperliquid") + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def test_a_signed_time_is_not_taken(running: Emulator, trader: Trader) -> None:
    """https://github.com/binance/binance-spot-api-docs/blob/master/errors.md, 2026-07-21: -1021. Questions that nobody
    signs are answered, and so are those in which the expression finds nothing.
    """
    running.faults.add("ord.nonce_rejected", venue="binance", key="demo", on_match="quantity=", count=1)
    assert trader.public("/api/v3/time") == {"serverTime": NOW_MS}
    assert open_orders(trader) == []
    with pytest.raises(Refused) as refused:
        place(trader, FAR)
    said = {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}
    assert (refused.value.status, refused.value.body) == (400, said)
    assert open_orders(trader) == []
    place(trader, FAR | {"newClientOrderId": "mine"})
    assert open_orders(trader) == ["mine"]
    assert [hit.identity for hit in running.faults.hits] == [(2,)]


def test_a_signed_time_is_not_taken_on_a_socket(running: Emulator) -> None:
    running.faults.add("ord.nonce_rejected", count=1)
    with connect(running.ws_url("binance") + "/ws-api/v3") as socket:
        refused = subscribe(socket)
        assert (refused["status"], refused["error"]["code"]) == (400, -1021)
        assert subscribe(socket)["status"] == 200


def test_a_nonce_is_not_taken() -> None:
    """As in https://github.com/hummingbot/hummingbot/issues/7737, 2025-08-12."""
    with Emulator({"venues": ["hyperliquid"]}) as running:
        running.faults.add("ord.nonce_rejected", key=ALICE.address, count=1)
        said = {"status": "err", "response": f"Invalid nonce: duplicate nonce {NOW_MS}"}
        assert act(running, limit("30000"), NOW_MS) == said
        asked = {"type": "openOrders", "user": ALICE.address}
        assert post(running, "/info", asked) == []
        assert act(running, limit("30000"), NOW_MS + 1)["status"] == "ok"
        assert [order["limitPx"] for order in post(running, "/info", asked)] == ["30000.0"]


def test_a_venue_whose_clock_is_ahead_finds_actions_expired() -> None:
    with Emulator({"venues": ["hyperliquid"]}) as running:
        assert act(running, limit("30000"), NOW_MS, expires=NOW_MS + 5_000)["status"] == "ok"
        skew = running.faults.add("time.skew", venue="hyperliquid", ahead_ms=6_000)
        late = {"status": "err", "response": "Action already expired"}
        assert act(running, limit("30000"), NOW_MS + 1, expires=NOW_MS + 5_000) == late
        assert post(running, "/info", {"type": "exchangeStatus"})["time"] == NOW_MS + 6_000
        running.faults.remove(skew)
        assert act(running, limit("30000"), NOW_MS + 2, expires=NOW_MS + 5_000)["status"] == "ok"


def test_who_subscribes_again_is_told_old_fills_as_new(running: Emulator, trader: Trader) -> None:
    """The newest of them, in their order, once for each who comes; REST knows each once."""
    running.faults.add("user.snapshot_replays_old_fills", venue="binance", key="demo", fills=2, count=1)
    with user_stream(running) as first:
        for _ in range(3):
            place(trader, MARKET)
        news = fills(first)
    known = [trade["id"] for trade in trader.signed("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT"})]
    assert len(set(known)) == len(known) >= 3
    assert news == known
    with user_stream(running) as again, user_stream(running) as spared:
        assert fills(again) == known[-2:]
        assert fills(spared) == []
        place(trader, MARKET)
        fresh = trader.signed("GET", "/api/v3/myTrades", {"symbol": "BTCUSDT"})[len(known) :]
        assert fills(again) == fills(spared) == [trade["id"] for trade in fresh]


def test_fills_come_without_what_marks_a_snapshot() -> None:
    """After the one that is marked, the same rows, on all the streams of the account by then; the first of these
    does not have the name that the rule wants. https://github.com/nomeida/hyperliquid/issues/34, 2024-12-31.
    """
    with Emulator({"venues": ["hyperliquid"]}) as running:
        running.faults.add("user.snapshot_replays_old_fills", venue="hyperliquid", on_match="userFills")
        assert act(running, limit("70000", tif="Ioc"), NOW_MS)["status"] == "ok"
        with connect(running.ws_url("hyperliquid") + "/ws") as socket:
            for kind in ("userEvents", "userFills"):
                subscription = {"type": kind, "user": ALICE.address}
                socket.send(json.dumps({"method": "subscribe", "subscription": subscription}))
            heard = [json.loads(socket.recv(timeout=PATIENCE_S)) for _ in range(5)]
        assert [each["channel"] for each in heard] == [
            "subscriptionResponse", "subscriptionResponse", "userFills", "user", "userFills",
        ]  # fmt: skip
        snapshot, events, replayed = (each["data"] for each in heard[2:])
        assert snapshot["isSnapshot"] is True
        assert "isSnapshot" not in replayed
        assert replayed["fills"] == events["fills"] == snapshot["fills"]
        assert len(snapshot["fills"]) >= 1


def test_a_listen_key_taken_up_again_brings_old_fills() -> None:
    with (
        Emulator({"venues": ["binance-usdm"]}) as running,
        closing(Trader(running.url("binance-usdm"))) as trader,
    ):
        running.faults.add("user.snapshot_replays_old_fills")
        trader.signed("POST", "/fapi/v1/order", MARKET)
        known = trader.signed("GET", "/fapi/v1/userTrades", {"symbol": "BTCUSDT"})
        key = trader.signed("POST", "/fapi/v1/listenKey")["listenKey"]
        with connect(f"{running.ws_url('binance-usdm')}/private/ws?listenKey={key}") as socket:
            heard = [json.loads(socket.recv(timeout=PATIENCE_S)) for _ in range(2 * len(known))]
        trades = [event["o"]["t"] for event in heard if event["e"] == "ORDER_TRADE_UPDATE"]
        assert trades == [trade["id"] for trade in known]
        assert len(trades) >= 1

"""What Binance says to who has a key, spot and USD-M, against samples of the real thing: types, keys and their order.

As in test_binance_real.py, but what a few samples merely lack is no difference: most are of one order of one account.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.venues.spot import differences, shapes
from tests.venues.test_binance_real import PRIVATE
from tests.venues.trader import Socket, Trader
from venues.binance import BINANCE, BINANCE_USDM

LIMIT = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "62000",
}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
PAIR = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "0.01",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "90000",
    "belowType": "STOP_LOSS_LIMIT",
    "belowStopPrice": "60000",
    "belowPrice": "59000",
    "belowTimeInForce": "GTC",
}
ONE = {"symbol": "BTCUSDT"}


# ---------------------------------------------------------------- a session of each
def spot() -> Iterator[tuple[str, Any]]:
    trader = Trader(BINANCE)
    api = trader.connect("/ws-api/v3")
    yield (
        "ws/wsapi.userDataStream.subscribe.signature",
        (subscribed := api.signed("userDataStream.subscribe.signature")),
    )
    yield "ws/wsapi.userDataStream.subscribe", subscribed
    yield "ws/wsapi.order.test", api.signed("order.test", **LIMIT)
    yield "rest/order.test", trader.ask("POST", "/api/v3/order/test", **LIMIT, computeCommissionRates="true")
    yield "ws/wsapi.order.place", api.signed("order.place", **LIMIT)
    (order,) = trader.ask("GET", "/api/v3/openOrders")
    one = {**ONE, "orderId": order["orderId"]}
    yield "rest/openOrders", [order]
    yield "rest/order.query", trader.ask("GET", "/api/v3/order", **one)
    yield "ws/wsapi.order.status", api.signed("order.status", **one)
    yield "ws/wsapi.openOrders.status", api.signed("openOrders.status", **ONE)
    yield "ws/wsapi.order.cancel", api.signed("order.cancel", **one)
    yield "ws/wsapi.error", api.signed("order.cancel", **one)
    yield "rest/order.place", trader.ask("POST", "/api/v3/order", **MARKET)
    yield "rest/order.cancel", trader.ask("DELETE", "/api/v3/order", **ONE, orderId=_resting(trader))
    replace = {**LIMIT, "cancelReplaceMode": "STOP_ON_FAILURE"}
    old = _resting(trader)
    yield (
        "rest/order.cancelReplace",
        trader.ask("POST", "/api/v3/order/cancelReplace", **replace, cancelOrderId=old),
    )
    yield "rest/openOrders.cancel", trader.ask("DELETE", "/api/v3/openOrders", **ONE)
    yield "rest/orderList.oco", (pair := trader.ask("POST", "/api/v3/orderList/oco", **PAIR))
    trader.ask("DELETE", "/api/v3/orderList", **ONE, orderListId=pair["orderListId"])
    yield (
        "ws/wsapi.order.cancelReplace",
        api.signed("order.cancelReplace", **replace, cancelOrderId=_resting(trader)),
    )
    yield "ws/wsapi.openOrders.cancelAll", api.signed("openOrders.cancelAll", **ONE)
    yield "rest/allOrders", trader.ask("GET", "/api/v3/allOrders", **ONE)
    yield "ws/wsapi.allOrders", api.signed("allOrders", **ONE)
    yield "rest/myTrades", trader.ask("GET", "/api/v3/myTrades", **ONE)
    yield "ws/wsapi.myTrades", api.signed("myTrades", **ONE)
    yield "rest/account", trader.ask("GET", "/api/v3/account")
    yield "ws/wsapi.account.status", api.signed("account.status")
    yield "rest/account.commission", trader.ask("GET", "/api/v3/account/commission", **ONE)
    yield "rest/rateLimit.order", trader.ask("GET", "/api/v3/rateLimit/order")
    yield "ws/wsapi.userDataStream.unsubscribe", api.call("userDataStream.unsubscribe")
    for message in api.take():
        yield f"user/{message['event']['e']}", message
    yield "ws/wsapi.session.status", api.call("session.status")


def _resting(trader: Trader) -> int:
    order_id: int = trader.ask("POST", "/api/v3/order", **LIMIT)["orderId"]
    return order_id


def usdm() -> Iterator[tuple[str, Any]]:
    trader = Trader(BINANCE_USDM)
    api, v1 = trader.connect("/ws-fapi/v1"), "/fapi/v1"
    yield "rest/listenKey", (key := json.loads(trader.send("POST", f"{v1}/listenKey").body))
    user = trader.connect("/private/ws", f"listenKey={key['listenKey']}")
    yield "ws/wsapi.order.place", api.signed("order.place", **LIMIT)
    (order,) = trader.ask("GET", f"{v1}/openOrders")
    one = {**ONE, "orderId": order["orderId"]}
    yield "rest/openOrders", [order]
    yield "rest/openOrder", trader.ask("GET", f"{v1}/openOrder", **one)
    yield "rest/order.query", trader.ask("GET", f"{v1}/order", **one)
    yield "ws/wsapi.order.status", api.signed("order.status", **one)
    change = {**one, "side": "BUY", "quantity": "0.02"}
    yield "ws/wsapi.order.modify", api.signed("order.modify", **change, price="61000")
    yield "rest/order.modify", trader.ask("PUT", f"{v1}/order", **change, price="60000")
    yield "rest/order.cancel", trader.ask("DELETE", f"{v1}/order", **one)
    yield "ws/wsapi.error", api.signed("order.cancel", **one)
    yield "rest/order.place", trader.ask("POST", f"{v1}/order", **MARKET)
    yield (
        "rest/batchOrders",
        (batch := trader.ask("POST", f"{v1}/batchOrders", batchOrders=json.dumps([LIMIT]))),
    )
    yield "ws/wsapi.order.cancel", api.signed("order.cancel", **ONE, orderId=batch[0]["orderId"])
    yield "rest/allOrders", trader.ask("GET", f"{v1}/allOrders", **ONE)
    yield "rest/userTrades", trader.ask("GET", f"{v1}/userTrades", **ONE)
    for name, path in (
        *(
            (name, f"{v1}/{name}")
            for name in ("income", "accountConfig", "symbolConfig", "multiAssetsMargin")
        ),
        *(
            (f"{name}@{v}", f"/fapi/{v}/{name}")
            for name in ("account", "balance", "positionRisk")
            for v in ("v2", "v3")
        ),
        *((name, f"/fapi/v2/{name}") for name in ("account", "balance")),
        ("leverageBracket", f"{v1}/leverageBracket"),
    ):
        yield f"rest/{name}", trader.ask("GET", path)
    yield "rest/commissionRate", trader.ask("GET", f"{v1}/commissionRate", **ONE)
    for name in ("account.balance", "account.position", "account.status"):
        for version in ("", "v2/"):
            yield f"ws/wsapi.{version}{name}", api.signed(f"{version}{name}")
    yield "rest/leverage", trader.ask("POST", f"{v1}/leverage", **ONE, leverage=10)
    yield "rest/allOpenOrders.cancel", trader.ask("DELETE", f"{v1}/allOpenOrders", **ONE)
    yield (
        "rest/countdownCancelAll",
        trader.ask("POST", f"{v1}/countdownCancelAll", **ONE, countdownTime=9_000),
    )
    stop = {**MARKET, "algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": "70000"}
    placed = api.signed("algoOrder.place", **stop)
    yield "ws/wsapi.new_algo_order", placed
    yield (
        "ws/wsapi.cancel_algo_order",
        api.signed("algoOrder.cancel", algoId=placed["result"]["algoId"]),
    )
    for event in user.take():
        yield f"user/{event['e']}", event
    for name in ("start", "ping", "stop"):
        yield f"ws/wsapi.userDataStream.{name}", api.call(f"userDataStream.{name}", apiKey="test-key")


@cache
def said() -> dict[str, list[bytes]]:
    """All that both say, by the key of its samples."""
    found: dict[str, list[bytes]] = {}
    for venue, session in (("binance_spot", spot), ("binance_usdm", usdm)):
        for key, message in session():
            found.setdefault(f"{venue}/{key}", []).append(json.dumps(message).encode())
    return found


# ---------------------------------------------------------------- what differs, and what is not produced, and why
COIN_M = "the recorded sample is of COIN-M, whose orders have other keys"
DIFFERENT: dict[str, tuple[str, str]] = {
    "binance_spot/ws/wsapi.session.status": (r"type null", "the sample is of a session that is logged on"),
    "binance_spot/user/executionReport": (
        r"\$\.N: type string",
        "samples since 2024 are of orders without a fill",
    ),
    "binance_spot/rest/order.cancel": ("orderId", "the recorded sample is of a margin account"),
    "binance_usdm/ws/wsapi.order.cancel": ("priceMatch", COIN_M),
    "binance_usdm/rest/order.cancel": ("key order", COIN_M),
    "binance_usdm/ws/wsapi.new_algo_order": (
        "icebergQuantity: type null",
        "so the testnet answered on 2026-09-14; the sample is of the documents",
    ),
    "binance_usdm/ws/wsapi.account.status": ("key order", "the recorded sample is of COIN-M"),
    "binance_usdm/user/ORDER_TRADE_UPDATE": (
        "'rp' before 'pP'",
        "recorded so in 2021 and captured so in 2026-05; the samples between are of other accounts, or edited",
    ),
    "binance_usdm/user/ACCOUNT_UPDATE": (
        "bep: type string",
        "a string as documented; the sample is of a portfolio margin account",
    ),
}
ABSENT = {
    "binance_spot/rest/listenKey": "gone on 2026-02-20",
    "binance_spot/ws/wsapi.session.logon": "an Ed25519 key: test_a_session_is_logged_on",
    "binance_spot/user/externalLockUpdate": "nothing locks a wallet from outside",
    "binance_spot/user/balanceUpdate": "test_money_from_outside_is_an_update_of_a_balance",
    "binance_usdm/rest/marginType": "every position is crossed; to say so again is an error",
    "binance_usdm/rest/positionSide.dual": "the sample is of a change, and there is but one mode",
    "binance_usdm/rest/forceOrders": "not there yet",
    "binance_usdm/ws/wsapi.session.logon": "an Ed25519 key: test_a_session_is_logged_on",
    "binance_usdm/user/CONDITIONAL_ORDER_TRIGGER_REJECT": "gone on 2025-12-15",
    "binance_usdm/user/GRID_UPDATE": "there are no strategies",
    "binance_usdm/user/STRATEGY_UPDATE": "there are no strategies",
    "binance_usdm/user/MARGIN_CALL": "test_an_account_that_loses_too_much_is_called_and_liquidated",
    "binance_usdm/user/listenKeyExpired": "test_a_listen_key_lives_for_an_hour_from_when_it_was_last_asked_for",
}


def test_messages_have_the_shape_of_real_ones() -> None:
    """No difference that is certain, but those that are told; and these there are."""
    _, samples = shapes()
    found = {
        key: {line for line in differences(key, messages) if line.startswith("E")}
        for key, messages in said().items()
        if key in samples
    }
    untold = {
        key: [line for line in lines if not re.search(DIFFERENT.get(key, ("(?!)", ""))[0], line)]
        for key, lines in found.items()
    }
    assert {key: lines for key, lines in untold.items() if lines} == {}
    assert {key for key, lines in found.items() if lines} == DIFFERENT.keys()


def test_every_private_sample_is_produced_or_explained() -> None:
    """No key of the samples is forgotten, and none that is explained away is produced."""
    _, samples = shapes()
    keys = {key for key in samples if key.startswith("binance_")}
    private = {key for key in keys if "/user/" in key or PRIVATE.match(key.partition("/")[2])}
    shared = {"binance_spot/ws/wsapi.error", "binance_usdm/ws/wsapi.error"}
    assert private == (said().keys() - shared) | ABSENT.keys()
    assert not said().keys() & ABSENT.keys()


# ---------------------------------------------------------------- sessions that are logged on
def logged_on(venue: Any, path: str) -> tuple[Trader, Socket, Any]:
    from base64 import b64encode  # noqa: PLC0415

    from tests.venues.test_binance_signing import ASYMMETRIC  # noqa: PLC0415

    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    trader = Trader(venue, extra_keys=ASYMMETRIC)
    socket = trader.connect(path)
    params = {"apiKey": "ed-key", "timestamp": trader.now_ns // 10**6}
    payload = "&".join(f"{name}={params[name]}" for name in sorted(params)).encode()
    return (
        trader,
        socket,
        socket.call("session.logon", **params, signature=b64encode(key.sign(payload)).decode()),
    )


@pytest.mark.parametrize(
    ("venue", "path", "tail"),
    [
        (BINANCE, "/ws-api/v3", ',"userDataStream":false'),
        (BINANCE_USDM, "/ws-fapi/v1", ""),
    ],
)
def test_a_session_is_logged_on(venue: Any, path: str, tail: str) -> None:
    """Recorded 2025-10 and 2026-01; from then on requests need a timestamp and nothing else."""
    trader, socket, logon = logged_on(venue, path)
    told = json.dumps(logon["result"], separators=(",", ":"))
    assert told == (
        '{"apiKey":"ed-key","authorizedSince":1767225780000,"connectedSince":1767225780000,"returnRateLimits":true,'
        f'"serverTime":1767225780000{tail}}}'
    )
    now = {"timestamp": trader.now_ns // 10**6}
    placed = socket.call("order.place", **{**LIMIT, "price": "62000"}, **now)["result"]
    assert placed["status"] == "NEW"
    assert socket.call("account.status")["error"]["code"] == -1102
    assert socket.call("account.status", **now)["status"] == 200
    others = socket.call("account.status", **now, apiKey="read-key")
    assert others["error"]["code"] == -1102  # which is another's, and signs
    assert socket.call("session.status")["result"]["apiKey"] == "ed-key"
    assert socket.call("session.logout")["result"]["apiKey"] is None
    assert socket.call("account.status", **now)["error"]["code"] == -1102


def test_a_session_that_is_logged_on_subscribes_without_a_signature() -> None:
    trader, socket, _ = logged_on(BINANCE, "/ws-api/v3")
    assert socket.call("userDataStream.subscribe")["result"] == {"subscriptionId": 0}
    assert socket.call("session.status")["result"]["userDataStream"] is True
    trader.ask("POST", "/api/v3/order", **LIMIT)
    assert [message["event"]["e"] for message in socket.take()] == [
        "executionReport",
        "outboundAccountPosition",
    ]
    assert socket.call("session.logout")["result"]["userDataStream"] is False
    assert [message["event"]["e"] for message in socket.take()] == ["eventStreamTerminated"]
    assert socket.call("userDataStream.subscribe")["error"]["code"] == -1102

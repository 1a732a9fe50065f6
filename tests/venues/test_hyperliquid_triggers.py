"""Stops and take-profits on Hyperliquid: what is answered, what the account is told, what belongs together.

Rows of frontendOpenOrders as recorded on 2023-11-16 (tests/cassettes/info_test/test_get_frontend_open_orders.yaml of
https://github.com/hyperliquid-dex/hyperliquid-python-sdk), with the key order and the cloid of newer ones; what becomes
of children as in https://hyperliquid.gitbook.io/hyperliquid-docs/trading/take-profit-and-stop-loss-orders-tp-sl
(2026-11).
"""

from __future__ import annotations

from typing import Any

import pytest

from reactor.types import MS_NS, SECOND_NS
from tests.venues.wallet import ALICE, START_NS, Venue, limit

CLOID = "0x" + "ab" * 16


@pytest.fixture
def venue() -> Venue:
    return Venue()


def trigger(
    tpsl: str,
    at: float,
    *,
    buys: bool = False,
    limit_px: float | None = None,
    size: str = "0.01",
    **more: Any,
) -> dict[str, Any]:
    """A reduce-only order at the market, or at its own price."""
    bound = at * (1.08 if buys else 0.92) if limit_px is None else limit_px
    kind = {"isMarket": limit_px is None, "triggerPx": f"{at:.0f}", "tpsl": tpsl}
    return {"a": 0, "b": buys, "p": f"{bound:.0f}", "s": size, "r": True, "t": {"trigger": kind}, **more}


def act(venue: Venue, grouping: str, *orders: dict[str, Any]) -> list[Any]:
    answer = venue.act(ALICE, {"type": "order", "orders": list(orders), "grouping": grouping})
    statuses: list[Any] = answer["response"]["data"]["statuses"]
    return statuses


def mark(venue: Venue) -> float:
    return float(venue.info("activeAssetData", user=ALICE.address, coin="BTC")["markPx"])


def buy(venue: Venue, size: str = "0.01") -> None:
    assert "filled" in venue.order(ALICE, limit("70000", size, tif="Ioc"))


def position(venue: Venue) -> float:
    rows = venue.info("clearinghouseState", user=ALICE.address)["assetPositions"]
    return float(rows[0]["position"]["szi"]) if rows else 0.0


def status(venue: Venue, oid: int) -> str:
    return str(venue.info("orderStatus", user=ALICE.address, oid=oid)["order"]["status"])


def wait(venue: Venue, oid: int) -> None:
    """Until something becomes of an order."""
    for _ in range(600):
        if status(venue, oid) != "open":
            return
        venue.step(3 * SECOND_NS)
    raise AssertionError("the mark never came there")


# ---------------------------------------------------------------- one by itself
def test_one_waits_as_an_open_order_that_holds_nothing(venue: Venue) -> None:
    buy(venue)
    before = venue.info("clearinghouseState", user=ALICE.address)["withdrawable"]
    placed = venue.order(ALICE, trigger("sl", 50_000, c=CLOID))
    assert list(placed["resting"]) == ["oid", "cloid"]
    oid = placed["resting"]["oid"]
    row = {
        "coin": "BTC", "side": "A", "limitPx": "46000.0", "sz": "0.01", "oid": oid, "timestamp": START_NS // MS_NS,
        "triggerCondition": "Price below 50000.0", "isTrigger": True, "triggerPx": "50000.0", "children": [],
        "isPositionTpsl": False, "reduceOnly": True, "orderType": "Stop Market", "origSz": "0.01", "tif": None,
        "cloid": CLOID,
    }  # fmt: skip
    assert venue.info("frontendOpenOrders", user=ALICE.address) == [row]
    assert list(venue.info("frontendOpenOrders", user=ALICE.address)[0]) == list(row)
    (basic,) = venue.info("openOrders", user=ALICE.address)
    assert (basic["oid"], basic["limitPx"], "triggerPx" in basic) == (oid, "46000.0", False)
    assert venue.info("clearinghouseState", user=ALICE.address)["withdrawable"] == before
    cancel = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]}
    assert venue.act(ALICE, cancel)["response"]["data"]["statuses"] == ["success"]
    assert status(venue, oid) == "canceled"


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (trigger("tp", 90_000), ("Take Profit Market", "Price above 90000.0")),
        (trigger("tp", 40_000, buys=True, r=False), ("Take Profit Market", "Price below 40000.0")),
        (trigger("sl", 90_000, buys=True, r=False), ("Stop Market", "Price above 90000.0")),
        (trigger("sl", 50_000, limit_px=49_000), ("Stop Limit", "Price below 50000.0")),
        (trigger("tp", 90_000, limit_px=91_000), ("Take Profit Limit", "Price above 90000.0")),
    ],
)
def test_the_words_for_what_waits(venue: Venue, order: dict[str, Any], words: tuple[str, str]) -> None:
    venue.order(ALICE, order)
    (row,) = venue.info("frontendOpenOrders", user=ALICE.address)
    assert (row["orderType"], row["triggerCondition"]) == words


def test_a_stop_comes_with_the_mark_and_keeps_its_id(venue: Venue) -> None:
    buy(venue)
    socket = venue.connect()
    socket.subscribe("orderUpdates", user=ALICE.address)
    at = mark(venue) - 3
    oid = venue.order(ALICE, trigger("sl", at))["resting"]["oid"]
    wait(venue, oid)
    rows = [
        row for message in socket.news() if message["channel"] == "orderUpdates" for row in message["data"]
    ]
    told = [(row["status"], row["order"]["oid"], row["order"]["sz"]) for row in rows]
    assert told == [("open", oid, "0.01"), ("triggered", oid, "0.01"), ("filled", oid, "0.0")]
    assert mark(venue) <= round(at)
    (fill, _) = venue.info("userFills", user=ALICE.address)
    assert (fill["oid"], fill["dir"]) == (oid, "Close Long")
    assert position(venue) == 0


def test_a_limit_order_rests_once_it_is_triggered(venue: Venue) -> None:
    at = mark(venue) + 3
    order = trigger("sl", at, buys=True, limit_px=50_000, r=False)
    oid = venue.order(ALICE, order)["resting"]["oid"]
    bids = {level["px"] for level in venue.info("l2Book", coin="BTC")["levels"][0]}
    assert "50000.0" not in bids
    for _ in range(600):
        venue.step(3 * SECOND_NS)
        if venue.floor.open_orders(ALICE.address):
            break
    assert mark(venue) >= round(at)
    (row,) = venue.info("openOrders", user=ALICE.address)
    assert (row["oid"], row["limitPx"]) == (oid, "50000.0")


SPOT = {"a": 10_000, "b": False, "p": "0.1", "s": "100.0", "r": False} | {
    "t": {"trigger": {"isMarket": True, "triggerPx": "0.2", "tpsl": "sl"}}
}


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (trigger("sl", 90_000), "Invalid TP/SL price."),
        (trigger("tp", 50_000), "Invalid TP/SL price."),
        (trigger("sl", 50_000) | {"p": "50001"}, "Invalid TP/SL price."),
        (trigger("sl", 90_000, buys=True) | {"p": "89999"}, "Invalid TP/SL price."),
        (trigger("sl", 50_000, size="0.0"), "Order has zero size."),
        (SPOT, "Invalid TP/SL price."),
    ],
)
def test_one_is_refused_in_the_venues_words(venue: Venue, order: dict[str, Any], error: str) -> None:
    assert venue.order(ALICE, order) == {"error": f"{error} asset={order['a']}"}
    assert venue.info("openOrders", user=ALICE.address) == []


def test_one_that_has_nothing_to_reduce_when_it_comes_is_rejected(venue: Venue) -> None:
    oid = venue.order(ALICE, trigger("sl", mark(venue) - 3))["resting"]["oid"]
    wait(venue, oid)
    assert status(venue, oid) == "reduceOnlyRejected"


def test_one_that_waits_is_modified_like_any_other(venue: Venue) -> None:
    oid = venue.order(ALICE, trigger("sl", 50_000))["resting"]["oid"]
    answer = venue.act(ALICE, {"type": "modify", "oid": oid, "order": trigger("sl", 51_000)})
    assert answer == {"status": "ok", "response": {"type": "default"}}
    (row,) = venue.info("frontendOpenOrders", user=ALICE.address)
    assert (row["triggerPx"], row["oid"] == oid) == ("51000.0", False)
    assert status(venue, oid) == "canceled"


# ---------------------------------------------------------------- what belongs together
def test_an_order_with_its_profit_and_its_stop(venue: Venue) -> None:
    """They wait until it is filled; when one of them is, the other is cancelled."""
    at = mark(venue)
    parent = limit(f"{at - 40:.0f}", "0.01")
    first, *words = act(venue, "normalTpsl", parent, trigger("tp", at + 30), trigger("sl", at - 50))
    oid = first["resting"]["oid"]
    assert words == ["waitingForFill", "waitingForFill"]
    rows = venue.info("frontendOpenOrders", user=ALICE.address)
    assert [row["oid"] for row in rows] == [oid + 2, oid + 1, oid]
    assert [child["oid"] for child in rows[2]["children"]] == [oid + 1, oid + 2]
    assert rows[2]["children"][0] == rows[1]
    wait(venue, oid)
    assert status(venue, oid) == "filled"
    for _ in range(600):
        if position(venue) == 0:
            break
        venue.step(3 * SECOND_NS)
    assert sorted(status(venue, oid + i) for i in (1, 2)) == ["filled", "siblingFilledCanceled"]


def test_children_of_what_is_filled_at_once_wait_for_their_prices(venue: Venue) -> None:
    first, *words = act(
        venue, "normalTpsl", limit("70000", "0.01", tif="Ioc"), trigger("tp", 90_000), trigger("sl", 50_000)
    )
    assert "filled" in first
    assert words == ["waitingForTrigger", "waitingForTrigger"]
    assert len(venue.info("frontendOpenOrders", user=ALICE.address)) == 2


def test_children_go_with_their_parent(venue: Venue) -> None:
    first, *_ = act(venue, "normalTpsl", limit("50000", "0.01"), trigger("tp", 90_000), trigger("sl", 40_000))
    oid = first["resting"]["oid"]
    venue.act(ALICE, {"type": "cancel", "cancels": [{"a": 0, "o": oid}]})
    assert venue.info("openOrders", user=ALICE.address) == []
    assert [status(venue, oid + i) for i in range(3)] == ["canceled"] * 3
    refused = act(venue, "normalTpsl", limit("50000", "0.0"), trigger("tp", 90_000))
    assert refused == [{"error": "Order has zero size. asset=0"}] * 2


def test_those_of_a_position_close_it_as_it_is_then_and_end_with_it(venue: Venue) -> None:
    none = act(venue, "positionTpsl", trigger("sl", 50_000, size="0"))
    assert none == [{"error": "Reduce only order would increase position. asset=0"}]
    buy(venue)
    at = mark(venue)
    profit, loss = act(
        venue, "positionTpsl", trigger("tp", at + 3, size="0"), trigger("sl", 50_000, size="0")
    )
    oids = [each["resting"]["oid"] for each in (profit, loss)]
    for row in venue.info("frontendOpenOrders", user=ALICE.address):
        assert (row["isPositionTpsl"], row["sz"], row["origSz"]) == (True, "0.0", "0.0")
    buy(venue, "0.02")
    wait(venue, oids[0])
    assert position(venue) == 0
    assert [status(venue, oid) for oid in oids] == ["filled", "reduceOnlyCanceled"]


def test_a_grouping_that_there_is_none_of_is_no_action(venue: Venue) -> None:
    signed = venue.signed(ALICE, {"type": "order", "orders": [limit("50000")], "grouping": "oco"})
    assert venue.post("/exchange", signed).status == 422

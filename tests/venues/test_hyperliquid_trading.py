"""Trading on Hyperliquid: signed actions, what becomes of them, and what accounts are told, in the venue's own words.

Texts as in https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/error-responses (2026-11) and as read off
by clients on 2026-10-02; shapes of recorded messages, by tests/venues/golden/hyperliquid/SOURCES.md.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from reactor.exchange.orders import Fill
from reactor.types import BLOCK_NS, MS_NS, SECOND_NS, Instrument, Kind, Side
from tests.venues.wallet import ALICE, BOB, CAROL, START_NS, Venue, Wallet, limit
from venues.hyperliquid.actions import ACTIONS
from venues.hyperliquid.signing import USER_SIGNED
from venues.hyperliquid.wire_user import fill_row

CLOID = "0x" + "ab" * 16
HOUR_NS = 60 * BLOCK_NS


@pytest.fixture
def venue() -> Venue:
    return Venue()


def resting(venue: Venue, wallet: Wallet = ALICE, price: str = "60000", **more: Any) -> int:
    """The id of an order far from the market."""
    return int(venue.order(wallet, limit(price, **more))["resting"]["oid"])


# ---------------------------------------------------------------- orders
def test_an_order_rests_and_is_open_until_it_is_cancelled(venue: Venue) -> None:
    oid = resting(venue, c=CLOID)
    assert venue.info("openOrders", user=ALICE.address) == [
        {
            "coin": "BTC", "side": "B", "limitPx": "60000.0", "sz": "0.01", "oid": oid,
            "timestamp": START_NS // MS_NS, "origSz": "0.01", "cloid": CLOID,
        }
    ]  # fmt: skip
    cancel = {"type": "cancel", "cancels": [{"a": 0, "o": oid}]}
    assert venue.act(ALICE, cancel)["response"] == {"type": "cancel", "data": {"statuses": ["success"]}}
    assert venue.info("openOrders", user=ALICE.address) == []
    assert venue.act(ALICE, cancel)["response"]["data"]["statuses"] == [
        {"error": "Order was never placed, already canceled, or filled. asset=0"}
    ]


def test_an_order_is_cancelled_by_its_cloid(venue: Venue) -> None:
    resting(venue, c=CLOID)
    cancel = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": CLOID}]}
    assert venue.act(ALICE, cancel)["response"]["data"]["statuses"] == ["success"]


def test_what_is_taken_is_filled_and_becomes_a_position(venue: Venue) -> None:
    filled = venue.order(ALICE, limit("70000", "0.5", tif="Ioc", c=CLOID))["filled"]
    assert list(filled) == ["totalSz", "avgPx", "oid", "cloid"]
    assert filled["totalSz"] == "0.5"
    state = venue.info("clearinghouseState", user=ALICE.address)
    (row,) = state["assetPositions"]
    assert row["type"] == "oneWay"
    assert row["position"]["szi"] == "0.5"
    assert row["position"]["entryPx"] == filled["avgPx"]
    assert row["position"]["leverage"] == {"type": "cross", "value": 20}
    fees = sum(float(fill["fee"]) for fill in venue.info("userFills", user=ALICE.address))
    unrealized = float(row["position"]["unrealizedPnl"])
    assert float(state["marginSummary"]["accountValue"]) == pytest.approx(
        1_000_000 - fees + unrealized, abs=1e-5
    )


def test_spot_is_bought_with_what_the_wallet_has(venue: Venue) -> None:
    (pair,) = [row for row in venue.info("spotMeta")["universe"] if row["name"] == "PURR/USDC"]
    asks = venue.info("l2Book", coin="PURR/USDC")["levels"][1]
    order = limit(asks[0]["px"], "100.0", asset=10_000 + pair["index"], tif="Ioc")
    assert venue.order(ALICE, order)["filled"]["totalSz"] == "100.0"
    (fill,) = venue.info("userFills", user=ALICE.address)
    assert (fill["dir"], fill["feeToken"]) == ("Buy", "PURR")
    balances = {
        row["coin"]: row for row in venue.info("spotClearinghouseState", user=ALICE.address)["balances"]
    }
    assert float(balances["PURR"]["total"]) == pytest.approx(100_100 - float(fill["fee"]))
    assert venue.order(ALICE, limit(asks[0]["px"], "99999999.0", asset=10_000 + pair["index"]))["error"] == (
        f"Insufficient spot balance asset={10_000 + pair['index']}"
    )


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (limit("60000.5"), "Price must be divisible by tick size."),
        (limit("60000.12"), "Price must be divisible by tick size."),
        (limit("0"), "Order has invalid price."),
        (limit("60000", "0.000001"), "Order has invalid size."),
        (limit("60000", "0.0"), "Order has zero size."),
        (limit("60000", "0.0001"), "Order must have minimum value of $10."),
        (limit("60000", "900.0"), "Insufficient margin to place order."),
        (limit("2000"), "Order price cannot be more than 95% away from the reference price"),
        (limit("60000", tif="Ioc"), "Order could not immediately match against any resting orders."),
        (limit("60000", reduce=True), "Reduce only order would increase position."),
        (limit("60000", asset=77), "Invalid asset 77"),
        (
            limit("60000") | {"t": {"trigger": {"isMarket": True, "triggerPx": "1", "tpsl": "sl"}}},
            "Invalid TP/SL price.",
        ),
    ],
)
def test_an_order_is_refused_in_the_venues_words(venue: Venue, order: dict[str, Any], error: str) -> None:
    assert venue.order(ALICE, order) == {"error": f"{error} asset={order['a']}"}
    assert venue.info("openOrders", user=ALICE.address) == []


def test_an_order_that_may_only_rest_says_what_it_would_have_met(venue: Venue) -> None:
    bids, asks = venue.info("l2Book", coin="BTC")["levels"]
    assert venue.order(ALICE, limit("70000", tif="Alo"))["error"] == (
        f"Post only order would have immediately matched, bbo was {bids[0]['px']}@{asks[0]['px']}. asset=0"
    )


def test_each_order_of_an_action_is_judged_by_itself(venue: Venue) -> None:
    good, bad, taken = venue.order(ALICE, limit("60000"), limit("60000", "0.0"), limit("70000", tif="Ioc"))
    assert "resting" in good
    assert bad == {"error": "Order has zero size. asset=0"}
    assert taken["filled"]["totalSz"] == "0.01"


def test_a_modified_order_has_another_id_and_the_old_one_is_cancelled(venue: Venue) -> None:
    oid = resting(venue)
    answer = venue.act(ALICE, {"type": "modify", "oid": oid, "order": limit("59000", "0.02")})
    assert answer == {"status": "ok", "response": {"type": "default"}}
    (order,) = venue.info("openOrders", user=ALICE.address)
    assert order["oid"] != oid
    assert (order["limitPx"], order["sz"]) == ("59000.0", "0.02")
    assert venue.info("orderStatus", user=ALICE.address, oid=oid)["order"]["status"] == "canceled"
    again = venue.act(ALICE, {"type": "batchModify", "modifies": [{"oid": oid, "order": limit("59000")}]})
    assert again["response"]["data"]["statuses"] == [
        {"error": "Cannot modify canceled or filled order asset=0"}
    ]


# ---------------------------------------------------------------- who signed
def test_an_address_that_nobody_funded_is_unknown_where_accounts_do_not_open_by_themselves() -> None:
    venue = Venue(auto_fund=False)
    answer = venue.act(ALICE, {"type": "order", "orders": [limit("60000")], "grouping": "na"})
    assert answer == {"status": "err", "response": f"User or API Wallet {ALICE.address} does not exist."}


@pytest.mark.parametrize("source", ["a", "b"])
def test_both_networks_signatures_count(venue: Venue, source: str) -> None:
    venue.info("clearinghouseState", user=ALICE.address)
    assert "resting" in venue.order(ALICE, limit("60000"), source=source)
    assert len(venue.info("openOrders", user=ALICE.address)) == 1


def test_an_agent_trades_for_who_approved_it(venue: Venue) -> None:
    approve = {"type": "approveAgent", "agentAddress": BOB.address, "agentName": "bot", "nonce": 1}
    assert venue.act(ALICE, approve)["status"] == "ok"
    oid = int(venue.order(BOB, limit("60000"))["resting"]["oid"])
    assert [row["oid"] for row in venue.info("openOrders", user=ALICE.address)] == [oid]
    assert venue.info("userRole", user=BOB.address) == {"role": "agent", "data": {"user": ALICE.address}}
    assert venue.info("extraAgents", user=ALICE.address) == [
        {"name": "bot", "address": BOB.address, "validUntil": None}
    ]


def test_a_builder_is_approved_up_to_a_fee(venue: Venue) -> None:
    """In tenths of a basis point."""
    approve = {"type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": CAROL.address, "nonce": 1}
    assert venue.act(ALICE, approve)["status"] == "ok"
    assert venue.info("approvedBuilders", user=ALICE.address) == [CAROL.address]
    assert venue.info("maxBuilderFee", user=ALICE.address, builder=CAROL.address) == 10


def test_a_new_agent_of_a_name_takes_the_old_ones_place(venue: Venue) -> None:
    for agent in (BOB, CAROL):
        venue.act(
            ALICE, {"type": "approveAgent", "agentAddress": agent.address, "agentName": "bot", "nonce": 1}
        )
    assert [row["address"] for row in venue.info("extraAgents", user=ALICE.address)] == [CAROL.address]


def test_a_strangers_key_is_taken_for_an_agent_of_the_account_its_client_looks_at(venue: Venue) -> None:
    """As a bot is configured: its master's address, and a key that the master approved elsewhere."""
    venue.info("clearinghouseState", user=ALICE.address)
    builder = {"type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": CAROL.address, "nonce": 1}
    assert venue.act(BOB, builder)["status"] == "ok"
    venue.order(BOB, limit("60000"), source="a")
    assert len(venue.info("openOrders", user=ALICE.address)) == 1
    assert "resting" in venue.order(CAROL, limit("60000"), client="another")
    assert len(venue.info("openOrders", user=CAROL.address, client="another")) == 1


def test_a_nonce_counts_once_and_not_below_the_hundred_highest(venue: Venue) -> None:
    noop = {"type": "noop"}
    first = venue.nonce + 1
    assert venue.act(ALICE, noop, nonce=first)["status"] == "ok"
    assert venue.act(ALICE, noop, nonce=first)["response"] == f"Invalid nonce: duplicate nonce {first}"
    for nonce in range(first + 10, first + 110):
        assert venue.act(ALICE, noop, nonce=nonce)["status"] == "ok"
    assert venue.act(ALICE, noop, nonce=first + 5)["response"] == (
        f"Invalid nonce: nonce too low {first + 5} < {first + 10}"
    )


def test_nonces_are_times_of_the_last_two_days_or_the_next_one() -> None:
    venue = Venue(strict=True)
    now_ms = venue.now_ns // MS_NS
    old = venue.act(ALICE, {"type": "noop"}, nonce=now_ms - 3 * 86_400_000)
    assert old["response"].startswith("Invalid nonce: nonce too low")
    assert venue.act(ALICE, {"type": "noop"}, nonce=now_ms - 86_400_000)["status"] == "ok"
    assert venue.act(ALICE, {"type": "noop"}, nonce=now_ms + 2 * 86_400_000)["status"] == "err"


def test_a_clock_of_the_clients_own_is_taken_as_it_is(venue: Venue) -> None:
    """Where the virtual clock stands elsewhere than the client's, both move on from where they stood."""
    later = venue.nonce + 400 * 86_400_000
    assert venue.act(ALICE, {"type": "noop"}, nonce=later)["status"] == "ok"
    assert venue.act(ALICE, {"type": "noop"}, nonce=later + 1, expires=later - 1)["response"] == (
        "Action already expired"
    )
    assert venue.act(ALICE, {"type": "noop"}, nonce=later + 2, expires=later + 5_000)["status"] == "ok"


def test_an_action_is_answered_whatever_its_type(venue: Venue) -> None:
    """No action ends in anything but the server's 422 or an answer."""
    for kind in ACTIONS:
        if kind not in USER_SIGNED:
            answer = venue.post("/exchange", venue.signed(ALICE, {"type": kind}))
            assert answer.status in (200, 422), kind
    for kind in ("twapOrder", "vaultTransfer", "createSubAccount"):
        assert venue.act(ALICE, {"type": kind})["status"] == "err"


# ---------------------------------------------------------------- the account
def test_money_goes_from_wallet_to_wallet(venue: Venue) -> None:
    transfer = {"type": "usdClassTransfer", "amount": "250.5", "toPerp": False, "nonce": 1}
    assert venue.act(ALICE, transfer)["status"] == "ok"
    balances = {
        row["coin"]: row for row in venue.info("spotClearinghouseState", user=ALICE.address)["balances"]
    }
    assert balances["USDC"]["total"] == "100250.5"
    assert venue.info("clearinghouseState", user=ALICE.address)["withdrawable"] == "999749.5"
    assert venue.act(ALICE, transfer | {"amount": "9999999", "nonce": 2}) == {
        "status": "err", "response": "Insufficient balance for token transfer",
    }  # fmt: skip


def test_money_is_sent_to_another_account(venue: Venue) -> None:
    venue.act(ALICE, {"type": "usdSend", "destination": BOB.address, "amount": "10", "time": 1})
    assert venue.info("clearinghouseState", user=BOB.address)["withdrawable"] == "1000010.0"


def test_leverage_is_set_within_the_assets_range(venue: Venue) -> None:
    update = {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5}
    assert venue.act(ALICE, update)["status"] == "ok"
    data = venue.info("activeAssetData", user=ALICE.address, coin="BTC")
    assert data["leverage"] == {"type": "cross", "value": 5}
    assert venue.act(ALICE, update | {"leverage": 41})["response"] == "Invalid leverage value"


def test_an_isolated_position_is_worth_its_own_margin(venue: Venue) -> None:
    """At 5 times: a fifth of what was paid is its margin, the rest of its price it owes (rawUsd)."""
    update = {"type": "updateLeverage", "asset": 0, "isCross": False, "leverage": 5}
    assert venue.act(ALICE, update)["status"] == "ok"
    filled = venue.order(ALICE, limit("70000", "0.5", tif="Ioc"))["filled"]
    cost = float(filled["avgPx"]) * 0.5
    state = venue.info("clearinghouseState", user=ALICE.address)
    (row,) = (each["position"] for each in state["assetPositions"])
    assert (row["leverage"]["type"], row["leverage"]["value"]) == ("isolated", 5)
    assert float(row["leverage"]["rawUsd"]) == pytest.approx(-cost * 4 / 5, abs=0.05)  # avgPx is rounded
    used = float(row["positionValue"]) + float(row["leverage"]["rawUsd"])
    assert float(row["marginUsed"]) == pytest.approx(used, abs=1e-5)
    whole, crossed = state["marginSummary"], state["crossMarginSummary"]
    assert float(whole["accountValue"]) - float(crossed["accountValue"]) == pytest.approx(used, abs=1e-5)
    assert (crossed["totalNtlPos"], crossed["totalMarginUsed"]) == ("0.0", "0.0")
    assert (whole["totalMarginUsed"], state["withdrawable"]) == (row["marginUsed"], crossed["accountValue"])
    assert state["crossMaintenanceMarginUsed"] == "0.0"

    more = {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": 100_000_000}
    assert venue.act(ALICE, more)["status"] == "ok"
    (safer,) = (
        each["position"] for each in venue.info("clearinghouseState", user=ALICE.address)["assetPositions"]
    )
    assert float(safer["marginUsed"]) == pytest.approx(used + 100, abs=1e-5)
    # 0.5 of it and its margin are gone at 1.25 % of the value, the maintenance of a leverage of 40 at most
    assert float(row["liquidationPx"]) - float(safer["liquidationPx"]) == pytest.approx(200 / 0.9875, abs=2)
    back = venue.act(ALICE, more | {"ntli": -200_000_000})
    assert back["response"] == "Cannot update margin: insufficient margin"
    switched = venue.act(ALICE, update | {"isCross": True})
    assert switched["response"] == "Cannot switch leverage type with open position."
    assert (
        venue.act(ALICE, more | {"asset": 1})["response"] == "Cannot update margin: position is not isolated"
    )


def test_a_dead_mans_switch_cancels_all(venue: Venue) -> None:
    resting(venue)
    at_ms = (venue.now_ns + 10 * SECOND_NS) // MS_NS
    assert venue.act(ALICE, {"type": "scheduleCancel", "time": at_ms - 9_000})["status"] == "err"
    assert venue.act(ALICE, {"type": "scheduleCancel", "time": at_ms})["status"] == "ok"
    venue.step(11 * SECOND_NS)
    (order,) = venue.info("historicalOrders", user=ALICE.address)
    assert order["status"] == "scheduledCancel"


def test_funding_is_paid_on_the_hour(venue: Venue) -> None:
    venue.order(ALICE, limit("70000", "0.5", tif="Ioc"))
    socket = venue.connect()
    ack, snapshot = socket.subscribe("userFundings", user=ALICE.address)
    assert snapshot["data"] == {"isSnapshot": True, "user": ALICE.address, "fundings": []}
    socket.subscribe("userEvents", user=ALICE.address)
    venue.step(HOUR_NS)
    first, second = socket.news()
    (row,) = first["data"]["fundings"]
    assert list(row) == ["time", "coin", "usdc", "szi", "fundingRate", "nSamples"]
    assert row["szi"] == "0.5"
    assert float(row["usdc"]) * float(row["fundingRate"]) < 0
    assert second == {"channel": "user", "data": {"funding": row}}
    (told,) = venue.info("userFunding", user=ALICE.address, startTime=0)
    assert told["delta"] == {"type": "funding"} | {key: row[key] for key in row if key != "time"}
    assert venue.info("userFunding", user=ALICE.address) == [told]  # a start need not be said
    assert venue.info("userNonFundingLedgerUpdates", user=ALICE.address) == []
    assert ack["data"]["subscription"]["user"] == ALICE.address


# ---------------------------------------------------------------- channels
def test_an_order_is_told_from_its_placing_to_its_end(venue: Venue) -> None:
    socket = venue.connect()
    assert len(socket.subscribe("orderUpdates", user=ALICE.address.upper().replace("0X", "0x"))) == 1
    oid = resting(venue, c=CLOID)
    placed = {
        "coin": "BTC", "side": "B", "limitPx": "60000.0", "sz": "0.01", "oid": oid,
        "timestamp": START_NS // MS_NS, "origSz": "0.01", "cloid": CLOID,
    }  # fmt: skip
    venue.step(SECOND_NS)
    venue.act(ALICE, {"type": "cancel", "cancels": [{"a": 0, "o": oid}]})
    assert socket.news() == [
        {
            "channel": "orderUpdates",
            "data": [{"order": placed, "status": "open", "statusTimestamp": START_NS // MS_NS}],
        },
        {
            "channel": "orderUpdates",
            "data": [{"order": placed, "status": "canceled", "statusTimestamp": START_NS // MS_NS + 1_000}],
        },
    ]


@pytest.mark.parametrize(
    ("order", "status"),
    [
        (limit("70000", tif="Alo"), "badAloPxRejected"),
        (limit("60000", reduce=True), "reduceOnlyRejected"),
        (limit("60000", "900"), "perpMarginRejected"),
        (limit("0.3", "900000", asset=10_000), "insufficientSpotBalanceRejected"),
    ],
)
def test_a_rejected_order_is_told_of_and_kept(venue: Venue, order: dict[str, Any], status: str) -> None:
    """The words: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint, 2026-08."""
    socket = venue.connect()
    socket.subscribe("orderUpdates", user=ALICE.address)
    assert "error" in venue.order(ALICE, order | {"c": CLOID})
    (message,) = socket.news()
    (row,) = message["data"]
    assert (row["status"], row["order"]["cloid"], row["order"]["sz"]) == (
        status,
        CLOID,
        row["order"]["origSz"],
    )
    (past,) = venue.info("historicalOrders", user=ALICE.address)
    assert (past["status"], past["order"]["oid"]) == (status, row["order"]["oid"])
    assert venue.info("orderStatus", user=ALICE.address, oid=CLOID)["order"] == past
    assert venue.info("openOrders", user=ALICE.address) == []


def test_a_fill_is_told_on_every_channel_that_tells_of_it(venue: Venue) -> None:
    socket = venue.connect()
    for kind in ("orderUpdates", "userFills", "userEvents", "clearinghouseState", "webData3"):
        socket.subscribe(kind, user=ALICE.address)
    venue.order(ALICE, limit("70000", tif="Ioc"))
    told = {message["channel"]: message["data"] for message in socket.news()}
    assert list(told) == ["orderUpdates", "userFills", "user", "clearinghouseState", "webData3"]
    assert [row["status"] for row in told["orderUpdates"]] == ["open", "filled"]
    (fill,) = told["userFills"]["fills"]
    assert told["user"] == {"fills": [fill]}
    assert "isSnapshot" not in told["userFills"]
    assert list(fill) == [
        "coin", "px", "sz", "side", "time", "startPosition", "dir", "closedPnl", "hash", "oid", "crossed", "fee",
        "tid", "feeToken", "twapId",
    ]  # fmt: skip
    assert (fill["dir"], fill["crossed"], fill["feeToken"]) == ("Open Long", True, "USDC")


def test_who_subscribes_fills_again_gets_them_again(venue: Venue) -> None:
    venue.order(ALICE, limit("70000", tif="Ioc"))
    for _ in range(2):
        _, snapshot = venue.connect().subscribe("userFills", user=ALICE.address)
        assert snapshot["data"]["isSnapshot"] is True
        assert len(snapshot["data"]["fills"]) == 1


def test_a_resting_order_is_filled_by_the_market(venue: Venue) -> None:
    bids, _ = venue.info("l2Book", coin="BTC")["levels"]
    socket = venue.connect()
    socket.subscribe("userFills", user=ALICE.address)
    oid = resting(venue, price=bids[0]["px"].removesuffix(".0"))
    venue.step(10 * BLOCK_NS)
    fills = [fill for message in socket.news() for fill in message["data"]["fills"]]
    assert fills
    assert {(fill["oid"], fill["crossed"], fill["px"]) for fill in fills} == {(oid, False, bids[0]["px"])}
    assert float(fills[0]["fee"]) == pytest.approx(
        float(fills[0]["px"]) * float(fills[0]["sz"]) * 0.00015, abs=2e-6
    )


def test_unsubscribed_is_silent(venue: Venue) -> None:
    socket = venue.connect()
    socket.subscribe("orderUpdates", user=ALICE.address)
    (gone,) = socket.say(
        {"method": "unsubscribe", "subscription": {"type": "orderUpdates", "user": ALICE.address}}
    )
    assert gone["data"]["method"] == "unsubscribe"
    resting(venue)
    assert socket.news() == []
    assert socket.accounts == set()


def test_ten_users_can_be_watched_and_not_one_more(venue: Venue) -> None:
    socket = venue.connect()
    for number in range(10):
        assert "channel" in socket.subscribe("orderUpdates", user=f"0x{number:040x}")[0]
    assert socket.subscribe("orderUpdates", user=f"0x{99:040x}") == [
        {"channel": "error", "data": "Cannot track more than 10 total users."}
    ]


def test_an_action_is_posted_over_a_socket(venue: Venue) -> None:
    body = venue.signed(ALICE, {"type": "order", "orders": [limit("60000")], "grouping": "na"})
    request = {"method": "post", "id": 7, "request": {"type": "action", "payload": body}}
    (answer,) = venue.connect().say(request)
    assert answer["data"]["id"] == 7
    assert "resting" in answer["data"]["response"]["payload"]["response"]["data"]["statuses"][0]


def test_whoever_is_liquidated_is_told_of_it(venue: Venue) -> None:
    """All is bet against the market at the most leverage: some hour takes it."""
    venue.act(ALICE, {"type": "withdraw3", "destination": ALICE.address, "amount": "990000", "time": 1})
    venue.act(ALICE, {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 40})
    while "filled" in venue.order(ALICE, limit("60000", "0.5", buy=False, tif="Ioc")):
        venue.step(5 * SECOND_NS)
    socket = venue.connect()
    socket.subscribe("userEvents", user=ALICE.address)
    for _ in range(72):
        venue.step(HOUR_NS)
        if not venue.info("clearinghouseState", user=ALICE.address)["assetPositions"]:
            break
    events = [message["data"] for message in socket.news()]
    liquidation = next(event["liquidation"] for event in events if "liquidation" in event)
    assert list(liquidation) == [
        "lid", "liquidator", "liquidated_user", "liquidated_ntl_pos", "liquidated_account_value",
    ]  # fmt: skip
    forced = [fill for event in events for fill in event.get("fills", []) if "liquidation" in fill]
    assert forced[0]["liquidation"]["liquidatedUser"] == ALICE.address
    assert forced[0]["dir"] == "Close Short"


def test_every_question_about_an_account_is_answered(venue: Venue) -> None:
    for kind in (
        "spotClearinghouseState", "frontendOpenOrders", "historicalOrders", "userNonFundingLedgerUpdates", "userFees",
        "userRateLimit", "userRole", "extraAgents", "subAccounts", "userVaultEquities", "userTwapSliceFills",
        "delegations", "portfolio", "userAbstraction", "delegatorSummary", "delegatorHistory", "delegatorRewards",
        "referral", "approvedBuilders", "userToMultiSigSigners", "legalCheck", "isVip", "twapHistory",
    ):  # fmt: skip
        answer = venue.post("/info", {"type": kind, "user": ALICE.address, "startTime": 0})
        assert answer.status == 200, kind
        json.loads(answer.body)
    # The shape of https://github.com/nktkas/hyperliquid, src/api/info/_methods/referral.ts (0.32.2, 2026-11).
    assert venue.info("referral", user=ALICE.address) == {
        "referredBy": None, "cumVlm": "0.0",
        "unclaimedRewards": "0.0", "claimedRewards": "0.0", "builderRewards": "0.0",
        "referrerState": {"stage": "needToTrade", "data": {"required": "10000.0"}},
        "rewardHistory": [], "tokenToState": [],
    }  # fmt: skip


def test_all_of_an_account_is_one_question_and_no_subscription(venue: Venue) -> None:
    """A probe of 2026-08-28, https://github.com/galleonlabs/hypergrok-trading-desk/pull/19; the shape of
    https://github.com/nktkas/hyperliquid, src/api/info/_methods/webData2.ts (0.32.2, 2026-11).
    """
    resting(venue)
    venue.order(ALICE, limit("70000", "0.5", tif="Ioc"))
    data = venue.info("webData2", user=ALICE.address)
    user = {"user": ALICE.address}
    asked = {
        "clearinghouseState": venue.info("clearinghouseState", **user),
        "openOrders": venue.info("frontendOpenOrders", **user),
        "spotState": venue.info("spotClearinghouseState", **user),
        "meta": venue.info("meta"),
        "assetCtxs": venue.info("metaAndAssetCtxs")[1],
        "spotAssetCtxs": venue.info("spotMetaAndAssetCtxs")[1],
    }
    assert len(asked["openOrders"]) == len(asked["clearinghouseState"]["assetPositions"]) == 1
    assert data == {
        **asked,
        "leadingVaults": [], "totalVaultEquity": "0.0", "agentAddress": None, "agentValidUntil": None,
        "cumLedger": asked["clearinghouseState"]["marginSummary"]["accountValue"],
        "serverTime": asked["clearinghouseState"]["time"], "isVault": False, "user": ALICE.address.lower(),
        "twapStates": [],
    }  # fmt: skip
    (refusal,) = venue.connect().subscribe("webData2", user=ALICE.address)
    assert refusal["channel"] == "error"
    assert refusal["data"].startswith("Error parsing JSON into valid websocket request: ")


def test_a_fill_of_auto_deleveraging_says_so() -> None:
    """https://hyperliquid.gitbook.io/hyperliquid-docs/trading/auto-deleveraging, 2026-11."""
    perp = Instrument("hyperliquid:BTC", "BTC", "BTC", "BTC", "USDC", Kind.PERP, 0, 1, 5, 1)
    fill = Fill(
        1, 1, "0x1", perp.market, Side.SELL, 0, 65_000, 100, False, 0, "USDC", position_before_lots=200
    )
    assert fill_row(fill, None, perp, 0)["dir"] == "Close Long"
    assert fill_row(replace(fill, deleveraged=True), None, perp, 0)["dir"] == "Auto-Deleveraging"

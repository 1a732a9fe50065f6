"""What an operator does to accounts, and the log of a run's inputs, by which it is had again."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from emulator.config import ConfigError
from emulator.sdk import Emulator
from tests.patience import PATIENCE_S
from tests.patience import told as heard
from tests.trader import Refused, Trader

LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
FAR = LIMIT | {"price": "30000"}  # rests, for the market is at 65,000
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
MM = {"keys": [{"key": "mm-key", "secret": "mm-secret"}], "balances": {"spot": {"USDT": 1000}}}


@pytest.fixture
def running() -> Iterator[Emulator]:
    with Emulator({"venues": ["binance", "binance-usdm"]}) as emulator:
        yield emulator


def ask(running: Emulator, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """The status and the JSON that the control API answers with."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(running.control_url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)


def free(trader: Trader, asset: str) -> str:
    rows = trader.signed("GET", "/api/v3/account")["balances"]
    return next((row["free"] for row in rows if row["asset"] == asset), "0")


# ---------------------------------------------------------------- accounts
def test_an_account_is_opened_and_trades(running: Emulator) -> None:
    status, row = ask(running, "POST", "/accounts", {"name": "mm", **MM})
    assert (status, row["keys"], row["venues"]) == (201, ["mm-key"], ["binance", "binance-usdm"])
    assert row["money"] == [
        {
            "venue": "binance",
            "wallet": "spot",
            "asset": "USDT",
            "total": "1000.00000000",
            "locked": "0.00000000",
        }
    ]
    with closing(Trader(running.url("binance"), "mm-key", "mm-secret")) as trader:
        assert free(trader, "USDT") == "1000.00000000"
        trader.signed("POST", "/api/v3/order", FAR)
        assert free(trader, "USDT") == "700.00000000"
    assert [each.account for each in running.orders("binance")] == ["mm"]
    assert [each["name"] for each in ask(running, "GET", "/accounts")[1]] == ["demo", "mm"]
    assert running.accounts.list()[1].money[0].locked == "300.00000000"


def test_money_comes_from_nowhere_and_goes_there(running: Emulator) -> None:
    running.accounts.create("mm", **MM)
    with closing(Trader(running.url("binance"), "mm-key", "mm-secret")) as trader:
        running.accounts.fund("mm", "binance", "spot", "BTC", "0.5")
        assert free(trader, "BTC") == "0.50000000"
        funds = {"venue": "binance", "wallet": "spot", "asset": "USDT", "amount": "-400.25"}
        assert ask(running, "POST", "/accounts/mm/fund", funds)[0] == 200
        assert free(trader, "USDT") == "599.75000000"
        too_much = funds | {"amount": "-600"}
        said = "binance refuses: insufficient balance"
        assert ask(running, "POST", "/accounts/mm/fund", too_much) == (422, {"error": said})


def test_a_frozen_account_may_only_cancel(running: Emulator) -> None:
    """https://github.com/binance/binance-spot-api-docs/blob/master/errors.md, 2026-07-21: -2010 and its messages.
    https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code, 2026-08: -4088.
    """
    with (
        closing(Trader(running.url("binance"))) as spot,
        closing(Trader(running.url("binance-usdm"))) as usdm,
    ):
        spot.signed("POST", "/api/v3/order", FAR)
        assert ask(running, "POST", "/accounts/demo/freeze")[1]["frozen"]
        with pytest.raises(Refused) as refused:
            spot.signed("POST", "/api/v3/order", FAR)
        assert refused.value.body == {"code": -2010, "msg": "This action is disabled on this account."}
        with pytest.raises(Refused) as refused:
            usdm.signed("POST", "/fapi/v1/order", FAR)
        assert refused.value.body == {"code": -4088, "msg": "User can not place order currently."}
        assert len(spot.signed("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"})) == 1
        running.accounts.thaw("demo")
        assert spot.signed("POST", "/api/v3/order", FAR)["status"] == "NEW"


def test_orders_are_cancelled_from_outside(running: Emulator) -> None:
    with closing(Trader(running.url("binance"))) as trader:
        first, second, third = (trader.signed("POST", "/api/v3/order", FAR)["orderId"] for _ in range(3))
        status, row = ask(running, "DELETE", f"/orders/{second}?venue=binance")
        assert (status, row["id"], row["status"]) == (200, second, "cancelled")
        assert [row["orderId"] for row in trader.signed("GET", "/api/v3/openOrders")] == [first, third]
        assert [row["id"] for row in ask(running, "DELETE", "/orders?venue=binance")[1]] == [first, third]
        assert trader.signed("GET", "/api/v3/openOrders") == []


def test_orders_that_wait_are_seen_and_cancelled_from_outside(running: Emulator) -> None:
    """Those that a venue keeps apart from its orders, too; alone, and with all."""
    stop = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.01"}
    spot_stop = stop | {"type": "STOP_LOSS", "stopPrice": "30000"}
    apart = stop | {"algoType": "CONDITIONAL", "type": "STOP_MARKET", "triggerPrice": "30000"}
    with (
        closing(Trader(running.url("binance"))) as spot,
        closing(Trader(running.url("binance-usdm"))) as usdm,
    ):
        for _ in range(2):
            spot.signed("POST", "/api/v3/order", spot_stop)
            usdm.signed("POST", "/fapi/v1/algoOrder", apart)
        for venue in ("binance", "binance-usdm"):
            first, second = ask(running, "GET", f"/orders?venue={venue}")[1]
            assert (first["status"], float(first["trigger_price"])) == ("waiting", 30_000)
            status, row = ask(running, "DELETE", f"/orders/{first['id']}?venue={venue}")
            assert (status, row["id"], row["status"]) == (200, first["id"], "cancelled")
            assert [each.id for each in running.orders(venue)] == [second["id"]]
            gone = ask(running, "DELETE", f"/orders?venue={venue}")[1]
            assert [row["id"] for row in gone] == [second["id"]]
        assert spot.signed("GET", "/api/v3/openOrders") == []
        assert usdm.signed("GET", "/fapi/v1/openAlgoOrders") == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/accounts", {"name": "demo"}, 422, "name: there is an account 'demo' already"),
        (
            "POST",
            "/accounts",
            {"name": "a b"},
            422,
            "name: 'a b' is not allowed; allowed: up to 64 letters, digits and . _ -",
        ),
        (
            "POST",
            "/accounts",
            {"name": "x", "keys": [{"key": "test-key", "secret": "s"}]},
            422,
            "keys: 'test-key' is another's",
        ),
        (
            "POST",
            "/accounts",
            {"name": "x", "wealth": 1},
            422,
            "account: {'wealth': 1} is not allowed; allowed: a row of ",
        ),
        ("GET", "/accounts/dem", None, 404, "account: there is no 'dem'; did you mean demo?"),
        (
            "POST",
            "/accounts/demo/fund",
            {"venue": "binance"},
            422,
            "wallet: Field required; asset: Field required; ",
        ),
        (
            "POST",
            "/accounts/demo/fund",
            {"venue": "binance", "wallet": "spot", "asset": "USDT", "amount": "1e10"},
            422,
            "amount: '1e10' is not allowed; allowed: at most 1,000,000,000, with 8 decimals",
        ),
        (
            "POST",
            "/accounts/demo/fund",
            {"venue": "binance", "wallet": "perp", "asset": "USDT", "amount": "1"},
            422,
            "wallet: binance has no perp USDT; known: ",
        ),
        ("DELETE", "/orders/5?venue=binance", None, 404, "order: binance has no open order 5"),
        ("DELETE", "/orders?venue=binanc", None, 422, "venue: 'binanc' is not served; did you mean binance?"),
    ],
)
def test_what_cannot_be_is_one_line(
    quiet_accounts: Emulator, method: str, path: str, body: object, status: int, said: str
) -> None:
    code, answer = ask(quiet_accounts, method, path, body)
    assert code == status
    assert answer["error"].startswith(said)
    assert "\n" not in answer["error"]


@pytest.fixture(scope="module")
def quiet_accounts() -> Iterator[Emulator]:
    """For requests none of which does anything."""
    with Emulator({"venues": ["binance"]}) as emulator:
        yield emulator


def test_accounts_outlive_the_process_with_their_keys(tmp_path: Path) -> None:
    settings = {"venues": ["binance"], "journal": str(tmp_path / "run.journal")}
    with Emulator(settings) as running:
        running.accounts.create("mm", **MM)
        running.accounts.freeze("mm")
    with (
        Emulator(settings) as running,
        closing(Trader(running.url("binance"), "mm-key", "mm-secret")) as trader,
    ):
        assert free(trader, "USDT") == "1000.00000000"
        assert [(row.name, row.frozen) for row in running.accounts.list()] == [("demo", False), ("mm", True)]


# ---------------------------------------------------------------- the log
def test_a_run_is_had_again_from_its_log() -> None:
    """Orders, faults and accounts, each at its instant: the same frames and fills."""
    stream = "/stream?streams=btcusdt@depth@100ms/btcusdt@trade"
    with Emulator(venues=["binance"], seed=7) as first:
        with connect(first.ws_url("binance") + stream, max_queue=None) as socket:
            first.clock.advance(1.5)
            first.faults.add("md.drop", id="gaps", channel="depth", every_n=5)
            first.accounts.create("mm", keys=MM["keys"])
            with closing(Trader(first.url("binance"), "mm-key", "mm-secret")) as trader:
                first.accounts.fund("mm", "binance", "spot", "USDT", "5000")
                trader.signed("POST", "/api/v3/order", MARKET)
                first.clock.advance(2)
                trader.signed("POST", "/api/v3/order", FAR)
                first.faults.remove("gaps")
                first.clock.advance(1)
            told = heard(socket)
        fills, orders, log = first.truth.fills("binance"), first.orders("binance"), first.log()
    assert len(told) > 40
    assert [fill.account for fill in fills] == ["mm"]
    with Emulator.rerun(log) as again:
        with connect(again.ws_url("binance") + stream, max_queue=None) as socket:
            assert again.replay() == 1_767_225_604_500_000_000
            assert heard(socket) == told
        assert (again.truth.fills("binance"), again.orders("binance")) == (fills, orders)
        assert again.log().splitlines()[1:] == log.splitlines()[1:]


def test_the_log_over_http_is_a_line_for_each_input(running: Emulator) -> None:
    with closing(Trader(running.url("binance"))) as trader:
        running.clock.advance(1)
        trader.signed("POST", "/api/v3/order", FAR)
    running.faults.add("md.gap", id="gap", venue="binance")
    with urllib.request.urlopen(running.control_url + "/log", timeout=PATIENCE_S) as answer:
        head, *rows = map(json.loads, answer.read().splitlines())
    assert (head["seed"], head["inputs"], head["settings"]["venues"]) == (1, 3, ["binance", "binance-usdm"])
    assert (rows[0]["command"], rows[0]["what"]["account"]) == ("Remember", "demo")  # what its clock showed
    assert [(row["at_ns"] - head["start_ns"], row["do"]) for row in rows] == [
        (1_000_000_000, "command"),
        (1_000_000_000, "command"),
        (1_000_000_000, "fault"),
    ]
    assert (rows[1]["venue"], rows[1]["command"], rows[1]["what"]["order"]["side"]) == (
        "binance",
        "PlaceOrder",
        1,
    )
    assert rows[2]["what"] == {"id": "gap", "kind": "md.gap", "venue": "binance"}


@pytest.mark.parametrize(
    ("log", "said"),
    [
        ("", "log: line 1: this is no log of a run"),
        ('{"log": 2}', "log: line 1: this is no log of this version"),
        ('{"log": 1, "first": 5}', "log: its first 4 inputs were no longer kept when it was exported"),
        (
            '{"log": 1, "first": 1, "settings": {}, "start_ns": 0, "origin_ns": 0, "now_ns": 0}\n{"do": "x"}',
            "log: line 2: this is no input",
        ),
    ],
)
def test_what_is_no_log_is_one_line(log: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said}$"):
        Emulator.rerun(log)

"""A client's book held against the true one: what passes, and what the first difference is called."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from emulator.sdk import Emulator
from tests.patience import PATIENCE_S
from tests.patience import said as heard
from tests.trader import Trader

DEPTH = "/ws/btcusdt@depth@100ms"


@pytest.fixture
def running() -> Iterator[Emulator]:
    with Emulator({"venues": ["binance", "hyperliquid"]}) as emulator:
        yield emulator


class Keeper:
    """A naive client: a snapshot, and every change after it, whatever its sequence says."""

    def __init__(self, running: Emulator, socket: ClientConnection) -> None:
        url = running.url("binance") + "/api/v3/depth?symbol=BTCUSDT&limit=5000"
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            book = json.load(answer)
        self.bids, self.asks = dict(book["bids"]), dict(book["asks"])
        self._last = book["lastUpdateId"]
        self._socket = socket

    def read(self, count: int) -> None:
        for _ in range(count):
            event: Any = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if event["u"] > self._last:
                self.bids.update(event["b"])
                self.asks.update(event["a"])


def test_a_book_that_was_kept_is_in_sync(running: Emulator) -> None:
    with connect(running.ws_url("binance") + DEPTH, max_queue=None) as socket:
        keeper = Keeper(running, socket)
        running.clock.advance(5)
        keeper.read(50)
        running.assert_book_in_sync("binance", "BTCUSDT", keeper.bids, keeper.asks)
        running.clock.advance(0.05)  # half a cadence on, nothing more was told
        running.assert_book_in_sync("binance", "BTCUSDT", keeper.bids, keeper.asks)


def test_a_naive_keeper_fails_at_a_gap_and_is_told_why(running: Emulator) -> None:
    with connect(running.ws_url("binance") + DEPTH, max_queue=None) as socket:
        keeper = Keeper(running, socket)
        running.faults.add("md.gap", venue="binance", channel="depth", after_n=3, count=1, size=20)
        running.clock.advance(5)
        keeper.read(30)
        said = (
            r"^binance BTCUSDT is out of sync at 2026-01-01T00:00:05\.000Z, update \d+: (bid|ask) [\d.]+: "
            r"the client has ([\d.]+|none), the exchange ([\d.]+|none); faults that hit: md\.gap x 1$"
        )
        with pytest.raises(AssertionError, match=said):
            running.assert_book_in_sync("binance", "BTCUSDT", keeper.bids, keeper.asks)


def test_who_was_told_nothing_more_is_not_blamed(running: Emulator) -> None:
    """The truth is that of the last message that was sent."""
    with connect(running.ws_url("binance") + DEPTH, max_queue=None) as socket:
        keeper = Keeper(running, socket)
        running.faults.add("md.drop", venue="binance", channel="depth", after_n=10)
        running.clock.advance(5)
        keeper.read(10)
        running.assert_book_in_sync("binance", "BTCUSDT", keeper.bids, keeper.asks)


def test_a_book_that_is_told_whole_is_in_sync(running: Emulator) -> None:
    with connect(running.ws_url("hyperliquid") + "/ws", max_queue=None) as socket:
        asked = {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC"}}
        socket.send(json.dumps(asked))
        socket.recv(timeout=PATIENCE_S)
        running.clock.advance(10)
        book = heard(socket)[-1]["data"]
        bids, asks = ({level["px"]: level["sz"] for level in side} for side in book["levels"])
        running.assert_book_in_sync("hyperliquid", "BTC", bids, asks)


@pytest.mark.parametrize("side", ["bids", "asks"])
@pytest.mark.parametrize("change", ["more", "less", "other"])
def test_each_way_of_being_wrong_is_found(running: Emulator, side: str, change: str) -> None:
    running.clock.advance(1)
    book = running.truth.book("binance", "BTCUSDT")
    mine = {
        name: {str(price): str(size) for price, size in levels.items()}
        for name, levels in (("bids", book.bids), ("asks", book.asks))
    }
    running.assert_book_in_sync("binance", "BTCUSDT", mine["bids"], mine["asks"])
    prices = list(mine[side])
    if change == "less":
        del mine[side][prices[1]]
    elif change == "other":
        mine[side][prices[1]] += "1"
    else:
        mine[side]["0.01" if side == "bids" else "999999"] = "1"
    with pytest.raises(AssertionError, match=f"{side[:-1]} .*: the client has "):
        running.assert_book_in_sync("binance", "BTCUSDT", mine["bids"], mine["asks"])


def test_the_truth_over_http(running: Emulator) -> None:
    running.clock.advance(1)
    book = running.truth.book("binance", "BTCUSDT")
    url = running.control_url + "/truth/book?venue=binance&symbol=BTCUSDT"
    with urllib.request.urlopen(f"{url}&at_ns={book.at_ns}", timeout=PATIENCE_S) as answer:
        said = json.load(answer)
    assert (said["at_ns"], said["update_id"]) == (book.at_ns, book.update_id)
    assert said["bids"] == [[str(price), str(size)] for price, size in book.bids.items()]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}&at_ns=5", timeout=PATIENCE_S)
    with refused.value as answer:
        assert json.load(answer) == {"error": "at_ns: 5 is no boundary of a tick between the start and now"}


def ask(running: Emulator, path: str) -> Any:
    with urllib.request.urlopen(running.control_url + path, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def test_the_true_trades_are_those_that_a_socket_is_told_of(running: Emulator) -> None:
    """Clients' own among them, and the same over HTTP."""
    with (
        closing(Trader(running.url("binance"))) as trader,
        connect(running.ws_url("binance") + "/ws/btcusdt@trade", max_queue=None) as socket,
    ):
        running.clock.advance(5)
        market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        order = trader.signed("POST", "/api/v3/order", market)
        running.clock.advance(5)
        told: list[Any] = []
        while not told or told[-1]["T"] < 1_767_225_607_000:
            told.append(json.loads(socket.recv(timeout=PATIENCE_S)))
    rows = [(row["t"], row["p"], row["q"], "sell" if row["m"] else "buy") for row in told]
    trades = running.truth.trades("binance", "BTCUSDT")
    so = [(row.id, f"{row.price:.8f}", f"{row.quantity:.8f}", row.side) for row in trades]
    assert so[: len(rows)] == rows
    (fill, *_) = fills = running.truth.fills("binance", "demo", "BTCUSDT")
    assert [fill.trade_id for fill in fills] == [row["tradeId"] for row in order["fills"]]
    assert {fill.trade_id for fill in fills} <= {trade.id for trade in trades}
    assert (fill.order_id, fill.side, fill.maker) == (order["orderId"], "buy", False)
    assert fill.at_ns == 1_767_225_605_000_000_000
    assert running.truth.fills("binance", upto_ns=fill.at_ns - 10_000_000) == []
    over_http = ask(running, "/truth/fills?venue=binance&account=demo")
    assert [(row["trade_id"], row["price"], row["fee"]) for row in over_http] == [
        (row.trade_id, str(row.price), str(row.fee)) for row in fills
    ]
    since = fill.at_ns - 1_000_000_000
    assert [
        row["id"] for row in ask(running, f"/truth/trades?venue=binance&symbol=BTCUSDT&after_ns={since}")
    ] == [trade.id for trade in trades if trade.at_ns > since]


def test_the_true_sequence_is_that_of_the_stream(running: Emulator) -> None:
    with connect(running.ws_url("binance") + DEPTH, max_queue=None) as socket:
        running.clock.advance(1)
        told = [json.loads(socket.recv(timeout=PATIENCE_S)) for _ in range(10)]
    at_ns = 1_767_225_600_500_000_000
    assert running.truth.sequence("binance", "BTCUSDT", at_ns) == told[4]["u"]
    assert running.truth.sequence("binance", "BTCUSDT") == told[9]["u"]
    assert ask(running, f"/truth/sequence?venue=binance&symbol=BTCUSDT&at_ns={at_ns}") == {
        "update_id": told[4]["u"]
    }


def test_orders_are_told_as_they_stand(running: Emulator) -> None:
    limit = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.5"}
    with closing(Trader(running.url("binance"))) as trader:
        kept, ended = (
            trader.signed("POST", "/api/v3/order", limit | {"price": price, "newClientOrderId": price[:5]})
            for price in ("90000.00", "91000.00")
        )
        trader.signed("DELETE", "/api/v3/order", {"symbol": "BTCUSDT", "orderId": ended["orderId"]})
    (order,) = running.orders("binance", "demo", "BTCUSDT")
    assert (order.id, order.client_id, str(order)) == (
        kept["orderId"],
        "90000",
        "sell 0.50000 BTCUSDT at 90000.00",
    )
    assert [row.status for row in running.orders("binance", only_open=False)] == ["new", "cancelled"]
    assert [row["id"] for row in ask(running, "/orders?venue=binance&account=demo")] == [order.id]
    for path, said in (
        ("/orders?venue=binance&account=nobody", "account: 'nobody' is none of binance's; known: demo"),
        ("/orders?venue=binance&limit=0", "limit: Input should be greater than or equal to 1"),
        (
            "/truth/trades?venue=binance&symbol=BTCUSDT&after_ns=-1",
            "after_ns: -1 is out of range; allowed: 0 to 1767225600000000000",
        ),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(running, path)
        with refused.value as answer:
            assert (answer.status, json.load(answer)) == (422, {"error": said})


def test_what_there_is_not_is_said(running: Emulator) -> None:
    with pytest.raises(ValueError, match="'binanc' is not served; did you mean binance"):
        running.truth.book("binanc", "BTCUSDT")
    with pytest.raises(ValueError, match="'BTCUSD' is not listed; did you mean BTCUSDT"):
        running.truth.book("binance", "BTCUSD")
    with pytest.raises(ValueError, match="at_ns: 5 is no boundary"):
        running.truth.book("binance", "BTCUSDT", 5)

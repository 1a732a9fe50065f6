"""A client's book held against the true one: what passes, and what the first difference is called."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from emulator.sdk import Emulator

DEPTH = "/ws/btcusdt@depth@100ms"


@pytest.fixture
def running() -> Iterator[Emulator]:
    with Emulator({"venues": ["binance", "hyperliquid"]}) as emulator:
        yield emulator


class Keeper:
    """A naive client: a snapshot, and every change after it, whatever its sequence says."""

    def __init__(self, running: Emulator, socket: ClientConnection) -> None:
        url = running.url("binance") + "/api/v3/depth?symbol=BTCUSDT&limit=5000"
        with urllib.request.urlopen(url, timeout=20) as answer:
            book = json.load(answer)
        self.bids, self.asks = dict(book["bids"]), dict(book["asks"])
        self._last = book["lastUpdateId"]
        self._socket = socket

    def read(self, count: int) -> None:
        for _ in range(count):
            event: Any = json.loads(self._socket.recv(timeout=20))
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
        said = {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC"}}
        socket.send(json.dumps(said))
        socket.recv(timeout=20)
        running.clock.advance(10)
        book: Any = None
        while True:
            try:
                book = json.loads(socket.recv(timeout=0.5))["data"]
            except TimeoutError:
                break
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
    with urllib.request.urlopen(f"{url}&at_ns={book.at_ns}", timeout=20) as answer:
        said = json.load(answer)
    assert (said["at_ns"], said["update_id"]) == (book.at_ns, book.update_id)
    assert said["bids"] == [[str(price), str(size)] for price, size in book.bids.items()]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}&at_ns=5", timeout=20)
    with refused.value as answer:
        assert json.load(answer) == {"error": "at_ns: 5 is no boundary of a tick between the start and now"}


def test_what_there_is_not_is_said(running: Emulator) -> None:
    with pytest.raises(ValueError, match="'binanc' is not served; did you mean binance"):
        running.truth.book("binanc", "BTCUSDT")
    with pytest.raises(ValueError, match="'BTCUSD' is not listed; did you mean BTCUSDT"):
        running.truth.book("binance", "BTCUSD")
    with pytest.raises(ValueError, match="at_ns: 5 is no boundary"):
        running.truth.book("binance", "BTCUSDT", 5)

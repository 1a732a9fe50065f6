"""Binance over real sockets: its WebSocket API, its limits, its past and its farewell, as a client meets them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from emulator.sdk import Emulator
from tests.patience import PATIENCE_S

SETTINGS = {
    "venues": ["binance", "binance-usdm"],
    "limits": 0.01,
    "profile": {"binance-usdm": "2025-12"},
}


@pytest.fixture(scope="module")
def exchange() -> Iterator[Emulator]:
    """Spot of today and USD-M of December 2025, with a hundredth of the venue's limits."""
    with Emulator(SETTINGS) as running:
        yield running


def get(exchange: Emulator, path: str, name: str) -> tuple[int, dict[str, str], Any]:
    """The answer to a client of this name."""
    request = urllib.request.Request(exchange.url("binance") + path, headers={"X-Emulator-Client": name})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status, dict(answer.headers), json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), json.load(error)


def test_rest_and_the_websocket_api_answer_alike_on_one_account(exchange: Emulator) -> None:
    """The same bytes at the same time; what one costs the other tells."""
    named = {"X-Emulator-Client": "alike"}
    with connect(exchange.ws_url("binance") + "/ws-api/v3", additional_headers=named) as socket:
        socket.send('{"id":"a","method":"depth","params":{"symbol":"BTCUSDT","limit":5}}')
        told = json.loads(socket.recv(30))
        _, headers, book = get(exchange, "/api/v3/depth?symbol=BTCUSDT&limit=5", "alike")
        socket.send('{"id":"b","method":"ping"}')
        ping = json.loads(socket.recv(30))
    assert (told["id"], told["status"], told["result"]) == ("a", 200, book)
    assert told["rateLimits"][0]["count"] == 2 + 5
    assert headers["x-mbx-used-weight-1m"] == "12"
    assert ping["rateLimits"][0]["count"] == 13


def test_a_greedy_client_is_shut_out_everywhere_and_no_other(exchange: Emulator) -> None:
    """429 first, then 418 over REST, at the handshake, and on the socket it has, which ends."""
    named = {"X-Emulator-Client": "greedy"}
    with connect(exchange.ws_url("binance") + "/ws-api/v3", additional_headers=named) as socket:
        statuses = [get(exchange, "/api/v3/exchangeInfo", "greedy")[0] for _ in range(14)]
        assert statuses == [200] * 2 + [429] * 10 + [418] * 2
        socket.send('{"id":1,"method":"ping"}')
        assert json.loads(socket.recv(30))["status"] == 418
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(30)
        assert ended.value.rcvd is not None
        assert (ended.value.rcvd.code, ended.value.rcvd.reason) == (1008, "Too many requests")
    with pytest.raises(InvalidStatus) as refused:
        connect(exchange.ws_url("binance") + "/ws", additional_headers=named)
    assert refused.value.response.status_code == 418
    assert refused.value.response.headers["retry-after"] == "120"
    assert get(exchange, "/api/v3/ping", "modest")[0] == 200


def test_usdm_of_2025_has_no_categories(exchange: Emulator) -> None:
    """Its streams are where they were, and tell what they told."""
    base = exchange.ws_url("binance-usdm")
    with pytest.raises(InvalidStatus) as refused:
        connect(base + "/market/ws", additional_headers={"X-Emulator-Client": "new"})
    assert refused.value.response.status_code == 404
    with connect(
        base + "/ws/btcusdt@markPrice@1s", additional_headers={"X-Emulator-Client": "old"}
    ) as socket:
        exchange.clock.advance(1)
        assert list(json.loads(socket.recv(30))) == ["e", "E", "s", "p", "P", "i", "r", "T"]


def test_spot_tells_that_its_server_shuts_down() -> None:
    """And closes; at the virtual time that it is."""
    with (
        Emulator({"venues": ["binance"]}) as exchange,
        connect(exchange.ws_url("binance") + "/stream?streams=btcusdt@trade") as socket,
    ):
        now_ms = exchange.clock.now_ns // 1_000_000
        exchange.stop()
        told = {"stream": "!serverShutdown", "data": {"e": "serverShutdown", "E": now_ms}}
        assert json.loads(socket.recv(30)) == told
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(30)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1001

"""What venues say of where things are in their messages, on their own sockets: each bent as it should be."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from websockets.sync.client import connect

from emulator.sdk import Emulator
from tests.patience import PATIENCE_S

HYPERLIQUID = {"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC"}}


@pytest.fixture(scope="module")
def running() -> Any:
    with Emulator() as emulator:
        yield emulator


def heard(running: Emulator, venue: str, path: str, count: int, said: object = None) -> list[Any]:
    """The next messages of a socket's stream."""
    with connect(running.ws_url(venue) + path, max_queue=None) as socket:
        if said is not None:
            socket.send(json.dumps(said))
            socket.recv(timeout=PATIENCE_S)
        running.clock.advance(5)
        return [json.loads(socket.recv(timeout=PATIENCE_S)) for _ in range(count)]


@pytest.mark.parametrize(
    ("venue", "path", "body"),
    [
        ("binance", "/ws/btcusdt@depth@100ms", ()),
        ("binance", "/stream?streams=btcusdt@depth@100ms", ("data",)),
        ("binance-usdm", "/public/ws/btcusdt@depth@100ms", ()),
    ],
)
def test_a_depth_sequence_begins_anew_and_goes_on(
    running: Emulator, venue: str, path: str, body: tuple[str, ...]
) -> None:
    """https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md: U follows the last u."""
    rule = running.faults.add("md.seq_reset", venue=venue, after_n=2, count=1)
    events = heard(running, venue, path, 5)
    running.faults.remove(rule)
    for key in body:
        events = [event[key] for event in events]
    assert events[1]["u"] > events[2]["u"]
    assert min(events[2].get("pu", events[2]["U"]), events[2]["U"]) == 1
    assert all(after["U"] == before["u"] + 1 for before, after in pairwise(events[2:]))


@pytest.mark.parametrize(
    ("venue", "path", "bid", "ask"),
    [
        ("binance", "/ws/btcusdt@bookTicker", ("b",), ("a",)),
        ("binance", "/ws/btcusdt@depth5", ("bids", 0, 0), ("asks", 0, 0)),
        ("binance-usdm", "/public/ws/btcusdt@bookTicker", ("b",), ("a",)),
        ("binance-usdm", "/public/ws/btcusdt@depth5", ("b", 0, 0), ("a", 0, 0)),
        ("hyperliquid", "/ws", ("data", "levels", 0, 0, "px"), ("data", "levels", 1, 0, "px")),
    ],
)
def test_a_best_quote_is_locked(
    running: Emulator, venue: str, path: str, bid: tuple[Any, ...], ask: tuple[Any, ...]
) -> None:
    said = HYPERLIQUID if venue == "hyperliquid" else None
    rule = running.faults.add("md.locked", venue=venue)
    (event,) = heard(running, venue, path, 1, said)
    running.faults.remove(rule)
    prices = []
    for way in (bid, ask):
        at = event
        for key in way:
            at = at[key]
        prices.append(Decimal(at))
    assert prices[0] == prices[1]


@pytest.mark.parametrize(
    ("venue", "path", "way", "said"),
    [
        ("binance", "/ws/btcusdt@trade", ("E",), None),
        ("binance", "/ws/btcusdt@kline_1m", ("k", "t"), None),
        ("binance", "/ws/!miniTicker@arr", (0, "E"), None),
        ("binance-usdm", "/market/ws/btcusdt@aggTrade", ("T",), None),
        ("hyperliquid", "/ws", ("data", "time"), HYPERLIQUID),
    ],
)
def test_times_are_of_an_hour_ago(
    running: Emulator, venue: str, path: str, way: tuple[Any, ...], said: object
) -> None:
    rule = running.faults.add("md.old_timestamp", venue=venue, age_s=3_600)
    (event,) = heard(running, venue, path, 1, said)
    running.faults.remove(rule)
    for key in way:
        event = event[key]
    assert running.clock.now_ns // 1_000_000 - event > 3_500_000

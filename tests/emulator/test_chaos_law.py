"""Chaos is part of the law: ten minutes with faults of every sort hit the same, and say the same, twice."""

from __future__ import annotations

import hashlib
import itertools
import json
from contextlib import ExitStack, closing
from typing import Any

from websockets.sync.client import ClientConnection, connect

from emulator.sdk import Emulator
from tests.patience import PATIENCE_S
from tests.trader import KEY, Refused, Trader

STREAMS = "/stream?streams=btcusdt@depth@100ms/btcusdt@trade/ethusdt@aggTrade/solusdt@kline_1m"
SCRIPT: list[dict[str, Any]] = [
    {"kind": "md.drop", "channel": "trade", "probability": 0.1, "seed": 1},
    {
        "kind": "md.delay",
        "channel": "aggTrade",
        "delay_ms": 50,
        "jitter_ms": 200,
        "seed": 2,
        "duration_s": 300,
    },
    {"kind": "md.gap", "channel": "depth", "at_s": 30, "every_n": 200, "size": 3},
    {"kind": "md.dup", "channel": "depth", "at_s": 60, "probability": 0.02, "seed": 3},
    {"kind": "mkt.burst", "symbol": "SOLUSDT", "at_s": 40, "duration_s": 45, "times": 5},
    {"kind": "mkt.liquidity_void", "symbol": "ETHUSDT", "at_s": 95, "duration_s": 60},
    {"kind": "mkt.halt", "symbol": "BTCUSDT", "at_s": 120, "duration_s": 60},
    {
        "kind": "http.status",
        "endpoint": "/api/v3/order",
        "status": 503,
        "body": "{}",
        "probability": 0.3,
        "seed": 4,
    },
    {"kind": "ord.reject", "symbol": "ETHUSDT", "every_n": 3},
    {"kind": "ord.fill_event_lost", "probability": 0.5, "seed": 5},
    {"kind": "mkt.tick_size", "symbol": "SOLUSDT", "at_s": 200, "duration_s": 100},
]
LIVE: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "fall_pct": 12,
    "fall_s": 30,
    "hold_s": 5,
    "recover_s": 60,
    "times": 3,
}


def placed(trader: Trader, symbol: str, n: int) -> object:
    order = {
        "symbol": symbol,
        "side": "BUY",
        "type": "MARKET",
        "quantity": "0.01",
        "newClientOrderId": f"bot-{n}",
    }
    try:
        answer = trader.signed("POST", "/api/v3/order", order)
    except Refused as refused:
        return refused.body
    return [(fill["price"], fill["qty"], fill["tradeId"]) for fill in answer["fills"]]


def drained(socket: ClientConnection, found: Any) -> int:
    """Take in what was sent until now, which the answer to a question comes after; how many messages."""
    socket.send('{"method": "LIST_SUBSCRIPTIONS", "id": 1}')
    for n in itertools.count():
        message = str(socket.recv(timeout=PATIENCE_S))
        if message.startswith('{"result"'):
            return n
        found.update(message.encode())
    raise AssertionError


def lived() -> tuple[list[object], list[object], str, int]:
    """The hits, the answers to orders, a hash of all frames, and how many there were."""
    frames, answers = hashlib.sha256(), []
    with ExitStack() as stack:
        running = stack.enter_context(Emulator({"venues": ["binance"], "faults": SCRIPT}))
        trader = stack.enter_context(closing(Trader(running.url("binance"), KEY)))
        socket = stack.enter_context(connect(running.ws_url("binance") + STREAMS, max_queue=None))
        count = 0
        for n in range(10):
            answers += [placed(trader, symbol, n) for symbol in ("BTCUSDT", "ETHUSDT")]
            if n == 4:
                running.faults.add("mkt.flash_crash", id="live", **LIVE)
            running.clock.advance(60)
            count += drained(socket, frames)
        hits = [(hit.rule, hit.at_ns, hit.symbol, hit.identity) for hit in running.faults.hits]
    return list(hits), [json.dumps(answer) for answer in answers], frames.hexdigest(), count


def test_two_runs_of_a_mixed_script_are_one() -> None:
    first, second = lived(), lived()
    assert first == second
    hits, _, _, count = first
    assert count > 8_000
    assert {str(hit[0]) for hit in hits if isinstance(hit, tuple)} >= {
        f"rule-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11)
    }
    assert "live" in {hit[0] for hit in hits if isinstance(hit, tuple)}

"""What clients do to a served market: the public sees it, and it is the same however time passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import cycle, pairwise
from typing import Any

import pytest

from tests.listening import listening
from tests.serving import Served, ask, serving
from tests.trader import Refused, Trader

START = "2026-01-05T23:59:48Z"  # half a minute from here goes over midnight
STREAMS = (
    "btcusdt@trade",
    "btcusdt@aggTrade",
    "btcusdt@bookTicker",
    "btcusdt@depth@100ms",
    "btcusdt@kline_1m",
)
DEPTH = "/api/v3/depth?symbol=BTCUSDT&limit=5000"
SESSION = (1.0, 2.37, 9.99, 10.0, 10.01, 14.4, 21.0)  # when something is done, in seconds
SECONDS = 30.0


@dataclass
class Told:
    """What was said to everybody and to the trader."""

    streams: Mapping[str, Sequence[bytes]]
    answers: list[Any] = field(default_factory=list)
    book: Any = None
    trades: Any = None


def at_once(served: Served, seconds: float) -> None:
    served.post("/clock/advance", seconds=seconds)


def in_small_steps(served: Served, seconds: float) -> None:
    left_ms = round(seconds * 1000)
    for step_ms in cycle((10, 370, 90, 1_010)):
        served.post("/clock/advance", seconds=min(step_ms, left_ms) / 1000)
        left_ms -= min(step_ms, left_ms)
        if not left_ms:
            return


def trade(trader: Trader, n: int, book: Any) -> Iterator[Any]:
    """A market maker who also takes: the n-th time it does something, by the book that it sees."""
    bid, ask_ = float(book["bids"][0][0]), float(book["asks"][0][0])
    common = {"symbol": "BTCUSDT"}
    if n % 3 == 2:
        try:
            yield trader.signed("DELETE", "/api/v3/openOrders", common)
        except Refused as refused:  # all were filled
            yield refused.body
    for side, price in (("BUY", bid - n % 2), ("SELL", ask_ + n % 2)):
        order = {
            "side": side,
            "type": "LIMIT",
            "timeInForce": "GTC",
            "price": f"{price:.2f}",
            "quantity": "0.25",
        }
        yield trader.signed("POST", "/api/v3/order", common | order)
    if n % 2:
        yield trader.signed(
            "POST", "/api/v3/order", common | {"side": "BUY", "type": "MARKET", "quantity": "1.5"}
        )


def run(passing: Callable[[Served, float], None]) -> Told:
    with (
        serving("--seed", "11", "--start", START, "--paused") as served,
        listening(served, "binance") as listener,
        closing(Trader(served.venues["binance"]["http"])) as trader,
    ):
        url = served.venues["binance"]["http"]
        listener.subscribe(STREAMS)
        listener.collect()
        answers: list[Any] = []
        now = 0.0
        for n, at in enumerate(SESSION):
            passing(served, at - now)
            trader.clock_ms += round((at - now) * 1000)
            now = at
            answers += trade(trader, n, ask(url + DEPTH))
        passing(served, SECONDS - now)
        trader.clock_ms += round((SECONDS - now) * 1000)
        answers += [
            trader.signed("GET", path, {"symbol": "BTCUSDT"})
            for path in ("/api/v3/myTrades", "/api/v3/allOrders")
        ]
        listener.collect()
        told = {stream: listener.told[stream] for stream in STREAMS}
        trades = ask(url + "/api/v3/trades?symbol=BTCUSDT&limit=1000")
        return Told(told, answers, ask(url + DEPTH), trades)


@pytest.fixture(scope="module")
def plain() -> Told:
    return run(at_once)


def data(told: Told, stream: str) -> list[Any]:
    return [json.loads(payload)["data"] for payload in told.streams[stream]]


def test_own_fills_are_among_the_trades_and_no_id_is_missing(plain: Told) -> None:
    trades = data(plain, "btcusdt@trade")
    assert all(after["t"] == before["t"] + 1 for before, after in pairwise(trades))
    aggregates = data(plain, "btcusdt@aggTrade")
    assert all((b["a"] + 1, b["l"] + 1) == (a["a"], a["f"]) for b, a in pairwise(aggregates))
    public = {trade["t"]: (trade["p"], trade["q"], trade["m"]) for trade in trades}
    mine = plain.answers[-2]
    assert any(fill["isMaker"] for fill in mine)
    assert any(not fill["isMaker"] for fill in mine)
    for fill in mine:
        bought_by_maker = fill["isBuyer"] == fill["isMaker"]
        assert public[fill["id"]] == (fill["price"], fill["qty"], bought_by_maker)
    newest = [(trade["id"], trade["price"], trade["qty"]) for trade in plain.trades]
    assert newest[-300:] == [(trade["t"], trade["p"], trade["q"]) for trade in trades[-300:]]


def test_the_changes_of_depth_chain_and_no_quote_is_crossed(plain: Told) -> None:
    events = data(plain, "btcusdt@depth@100ms")
    assert all(after["U"] == before["u"] + 1 for before, after in pairwise(events))
    assert events[-1]["u"] == plain.book["lastUpdateId"]
    assert all(float(quote["b"]) < float(quote["a"]) for quote in data(plain, "btcusdt@bookTicker"))


def test_how_time_passes_does_not_change_a_byte(plain: Told) -> None:
    """The same commands at the same instants: the same streams, books, fills and orders."""
    told = run(in_small_steps)
    assert told.answers == plain.answers
    assert (told.book, told.trades) == (plain.book, plain.trades)
    for stream in STREAMS:
        assert told.streams[stream] == plain.streams[stream], stream

"""How long a server with a journal takes to be ready again, after a day of trading on three markets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import Row, in_turns
from benchmarks.orders import ask, opened, round_trip_us, signed
from emulator.sdk import Emulator

MARKETS = {"BTCUSDT": "0.001", "ETHUSDT": "0.02", "SOLUSDT": "0.5"}  # and what is ordered at a time
ACCOUNTS = (
    "{demo: {keys: [{key: test-key, secret: test-secret}], balances: {spot: {USDT: 1000000, BTC: 100, "
    "ETH: 1000, SOL: 10000}}}}"
)
SESSIONS, SESSION_S, TRADED_S = 72, 1_200, 30
LIMIT_ORDERS = 10
OPTIONS = ("--base-port", "0", "--start", "2026-01-01", "--paused", "--venues", "binance", "--lazy-history")


def restart(runs: int) -> Iterator[Row]:
    """From the command to "ready", by the wall clock, beside a start without a journal."""
    with TemporaryDirectory() as folder:
        journal, copy = Path(folder) / "journal", Path(folder) / "copy"
        day = get_context("spawn").Process(target=trade_a_day, args=(str(journal),))
        day.start()
        day.join()

        def ours() -> float:
            for end in ("", ".checkpoint"):
                shutil.copy(f"{journal}{end}", f"{copy}{end}")
            return _ready_ms("--journal", str(copy))

        with_it, without = in_turns(runs, ours, _ready_ms)
        size = journal.stat().st_size / 1e6
    yield Row.of("restart", f"serve, a journal of {size:.1f} MB", "ms", with_it, "no journal", without)


def trade_a_day(journal: str) -> None:
    """A day in sessions of half a minute, in which orders rest at the touch and some take; then an abrupt end."""
    running = Emulator(
        {"venues": ["binance"], "accounts": ACCOUNTS, "journal": journal, "socket_lifetime": "never"}
    )
    running.start()
    url = running.url("binance")
    with closing(opened(url, "/ws-api/v3")) as client:
        for session in range(SESSIONS):
            for symbol, quantity in MARKETS.items():
                book = ask(url, "GET", f"/api/v3/ticker/bookTicker?symbol={symbol}")
                for i in range(LIMIT_ORDERS):
                    side, price = ("BUY", book["bidPrice"]) if i % 2 else ("SELL", book["askPrice"])
                    terms = {
                        "side": side,
                        "quantity": quantity,
                        "type": "LIMIT",
                        "timeInForce": "GTC",
                        "price": price,
                    }
                    message = signed("order.place", f"{session}-{i}", symbol=symbol, **terms)
                    round_trip_us(client, message, b'"status":200')
                taker = {"side": ("BUY", "SELL")[session % 2], "quantity": quantity, "type": "MARKET"}
                round_trip_us(client, signed("order.place", session, symbol=symbol, **taker), b'"status":200')
            running.clock.advance(TRADED_S)
            for symbol in MARKETS:
                cancel = signed("openOrders.cancelAll", session, symbol=symbol)
                round_trip_us(client, cancel, b'"status":', refused=True)
            running.clock.advance(SESSION_S - TRADED_S)
    os._exit(0)


def _ready_ms(*options: str) -> float:
    program = str(Path(sys.executable).with_name("exchange-emulator"))
    start_s = time.perf_counter()
    with subprocess.Popen(
        (program, "serve", *OPTIONS, "--accounts", ACCOUNTS, *options), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert any(line.strip() == "ready" for line in process.stdout)
        took_s = time.perf_counter() - start_s
        process.kill()
    return took_s * 1_000

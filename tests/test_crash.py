"""Nothing that a client was told is lost or doubled by SIGKILL; `scripts/crash` kills a hundred times."""

from __future__ import annotations

from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.crashing import DIALECTS, Account, Books, Told, Verdict, crash
from tests.serving import Served, ask, serving
from tests.trader import Trader


def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    """Two kills in the midst of orders, cancels and fills on two venues, by REST and sockets."""
    verdict = crash(kills=2, seed=7, folder=tmp_path, least=10)
    assert verdict.told["orders"] > 10
    assert (verdict.missing, verdict.doubled) == ([], [])


START = "2026-01-01T00:00:00Z"
ORDER = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "50000",
}  # fmt: skip
FOLLOWS = {"symbol": "SOLUSDT", "side": "BUY", "type": "TAKE_PROFIT", "quantity": "1"}
ALGO = {**FOLLOWS, "type": "TRAILING_STOP_MARKET", "algoType": "CONDITIONAL"}
SHORT = {"symbol": "SOLUSDT", "side": "SELL", "type": "MARKET", "quantity": "3"}
SEEN = (
    "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=6",
    "/api/v3/depth?symbol=BTCUSDT&limit=5000",
    "/api/v3/aggTrades?symbol=BTCUSDT&limit=1000",
    "/api/v3/exchangeInfo?symbol=BTCUSDT",
)


def test_what_befell_markets_live_survives_a_kill(tmp_path: Path) -> None:
    """Rules that came, went and ended by themselves, before the newest checkpoint and after it: whoever was killed in
    between and whoever lived on see the same market, then and later, to the last byte; and positions in what is
    delisted are settled once; orders that follow the price come when they would have come.
    """

    def seen(served: Served) -> list[Any]:
        with closing(Trader(served.venues["binance-usdm"]["http"])) as trader:
            trades = trader.signed("GET", "/fapi/v1/userTrades", {"symbol": "SOLUSDT"})
            account = [trades, trader.signed("GET", "/fapi/v3/positionRisk")]
            account.append(trader.signed("GET", "/fapi/v1/allAlgoOrders", {"symbol": "SOLUSDT"}))
        with closing(Trader(served.venues["binance"]["http"])) as trader:
            account.append(trader.signed("GET", "/api/v3/allOrders", {"symbol": "SOLUSDT"}))
        return account + [ask(served.venues["binance"]["http"] + path) for path in SEEN]

    def lived(folder: Path, *, killed: bool) -> tuple[list[Any], list[Any]]:
        quick = ("--paused", "--venues", "binance,binance-usdm")
        options = ("--journal", str(folder), "--start", START, *quick)
        with ExitStack() as stack:
            served = stack.enter_context(serving(*options, killed=killed))
            served.post("/clock/advance", seconds=30)
            served.post("/faults", kind="mkt.tick_size", symbol="BTCUSDT", duration_s=20, ttl_s=25)
            served.post("/faults", kind="mkt.flash_crash", symbol="BTCUSDT", fall_pct=30)
            halt = served.post("/market/halt", symbol="BTCUSDT")["rule"]
            served.post("/clock/advance", seconds=5)
            served.post("/market/resume", symbol="BTCUSDT")
            with closing(Trader(served.venues["binance"]["http"])) as trader:
                trader.signed("POST", "/api/v3/order", ORDER)
            with closing(Trader(served.venues["binance-usdm"]["http"])) as trader:
                trader.signed("POST", "/fapi/v1/order", SHORT)
                for rate in ("0.1", "0.5"):
                    trader.signed("POST", "/fapi/v1/algoOrder", {**ALGO, "callbackRate": rate})
            served.post("/faults", kind="mkt.delist", venue="binance-usdm", symbol="SOLUSDT", at_s=150)
            served.post("/clock/advance", seconds=100)
            with closing(Trader(served.venues["binance"]["http"])) as trader:
                for delta in (10, 15):
                    trader.signed("POST", "/api/v3/order", {**FOLLOWS, "trailingDelta": delta})
            served.post("/faults", kind="mkt.liquidity_void", symbol="BTCUSDT", left_pct=5)
            served.post("/clock/advance", seconds=10)
            served.post("/market/halt", symbol="BTCUSDT", duration_s=60)
            served.post("/clock/advance", seconds=5)
            before = seen(served)
            if killed:
                stack.close()
                served = stack.enter_context(serving(*options))
                assert seen(served) == before
                assert halt not in {rule["id"] for rule in served.get("/faults")}
            served.post("/clock/advance", seconds=600)
            after = seen(served)
            assert after[1] == []  # settled meanwhile
            assert [[order["status"] for order in then[3]] for then in (before, after)] == [
                *(["NEW", "NEW"], ["FILLED", "NEW"])  # one followed the price for minutes, whatever went by
            ]
            return before, after

    assert lived(tmp_path / "killed", killed=True) == lived(tmp_path / "whole", killed=False)


def order(order_id: int, name: str, status: str, filled: str) -> dict[str, object]:
    return {"orderId": order_id, "clientOrderId": name, "status": status, "executedQty": filled}


def test_what_is_lost_or_doubled_is_found() -> None:
    """An order, an end, a fill that are gone; an order nobody sent; a fill that is paid for and not told."""
    told = Told(sent={"a", "b", "c"})
    for i, name in enumerate("abc"):
        told.order(i, name, "CANCELED" if name == "b" else "NEW", "0")
    told.trades[5] = 2, Decimal(10), Decimal(1)
    orders = [order(1, "b", "NEW", "0"), order(2, "c", "NEW", "0"), order(3, "x", "FILLED", "0")]
    verdict = Verdict()
    verdict.judge(Account(DIALECTS[0]), told, Books(orders, [], {}))
    assert [line.partition(":")[0] for line in verdict.missing] == [
        "order 0 a", "end of order 1, CANCELED", "fill 5 of order 2",
    ]  # fmt: skip
    assert verdict.doubled == ["order x, 1 times"]
    verdict = Verdict()
    verdict.judge(Account(DIALECTS[0]), Told(sent={"a"}), Books([order(0, "a", "FILLED", "1")], [], {}))
    assert verdict.doubled == ["filled of order 0: 1, not 0"]

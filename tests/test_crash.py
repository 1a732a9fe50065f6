"""Nothing that a client was told is lost or doubled by SIGKILL; `scripts/crash` kills a hundred times."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tests.crashing import DIALECTS, Account, Books, Told, Verdict, crash


def test_what_was_acknowledged_survives_kills(tmp_path: Path) -> None:
    """Two kills in the midst of orders, cancels and fills on two venues, by REST and sockets."""
    verdict = crash(kills=2, seed=7, folder=tmp_path)
    assert verdict.told["orders"] > 10
    assert (verdict.missing, verdict.doubled) == ([], [])


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

"""What clients' orders have done to a market is found again by when it was, however much there is of it."""

from __future__ import annotations

from reactor.exchange.history import History
from reactor.exchange.overlay import Execution
from reactor.types import MS_NS, Side


def execution(n: int) -> Execution:
    """The n-th of them: three at one instant."""
    return Execution(n // 3 * MS_NS, 100 + n, 1, Side.BUY, 1, None, n, n, n, 10 * n, 0, 0)


def test_trades_are_found_by_when_they_were() -> None:
    """The oldest, the newest, and those on both sides of where older ones are put away."""
    history, each = History(), [execution(n) for n in range(2_500)]
    for first in range(0, len(each), 7):
        history.write(each[first : first + 7], ())
    last_ns = each[-1].ts_ns
    for start_ns, end_ns in (
        (0, MS_NS),
        (last_ns, last_ns + 1),
        (0, last_ns + 1),
        (300 * MS_NS, 800 * MS_NS),
        (last_ns + 1, last_ns + 2),
        (400 * MS_NS + 1, 401 * MS_NS),
    ):
        expected = [e for e in each if start_ns <= e.ts_ns < end_ns]
        prices, ids = history.trades_in(start_ns, end_ns)
        assert prices.tolist() == [e.price_ticks for e in expected]
        assert ids.tolist() == [e.before_id for e in expected]
        assert history.traded_since(start_ns) == (start_ns <= last_ns)
    assert not History().traded_since(0)

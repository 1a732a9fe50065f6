"""History made ahead, in a thread of its own.

A market's past costs nothing until somebody asks for years of candles, and then it
costs a second. A server that has time makes it before; what anybody gets is the same either way.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import chain

from venues.base import Exchange

FIRST_S = 1.0  # whoever connects at once is served first
DAYS_AT_ONCE = 8  # some milliseconds of work ...
PAUSE_S = 0.02  # ... between pauses, so that sockets notice nothing


class HistoryMaker:
    """Prepares the bars of all markets up to an instant, in turn and the newest first, until done or stopped."""

    def __init__(self, exchanges: Sequence[Exchange], at_ns: int) -> None:
        self._exchanges = exchanges
        self._at_ns = at_ns
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="history maker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End before it is done. Idempotent."""
        self._stopped.set()

    def join(self) -> None:
        """Wait until it has ended."""
        self._thread.join()

    def _work(self) -> None:
        if self._stopped.wait(FIRST_S):
            return
        unfinished = list(chain.from_iterable(self._exchanges))
        while unfinished:
            for market in unfinished.copy():
                if not market.bars.prepare(self._at_ns, DAYS_AT_ONCE):
                    unfinished.remove(market)
                if self._stopped.wait(PAUSE_S):
                    return

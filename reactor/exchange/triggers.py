"""Orders that wait for a price: when it comes, and which of them come to their market then.

What the tape will trade is known ahead of time, so the next boundary at which anything may come is a function of the
tape and of what waits; clients' own trades and marks are looked at as they are made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from reactor.exchange.orders import Gauge, Trigger
from reactor.exchange.tape import TapeIndex
from reactor.types import BLOCK_NS, DAY_NS, NEVER_NS, TICK_NS


class Watch:
    """The triggers of one market by the ids of their orders."""

    def __init__(self) -> None:
        self._waiting: Mapping[Gauge, dict[int, Trigger]] = {gauge: {} for gauge in Gauge}
        self._looked_ns = -1  # until then no trade of the tape is enough for any

    def add(self, order_id: int, trigger: Trigger) -> None:
        """One more."""
        self._waiting[trigger.gauge][order_id] = trigger
        self._looked_ns = -1

    def drop(self, order_id: int, trigger: Trigger) -> None:
        """One less, if it is there."""
        self._waiting[trigger.gauge].pop(order_id, None)
        self._looked_ns = -1

    def forget(self) -> None:
        """The tape is another one from the present on."""
        self._looked_ns = -1

    def waits(self, gauge: Gauge) -> bool:
        """Whether any of them waits for such a price."""
        return bool(self._waiting[gauge])

    def next_ns(self, now_ns: int, tape: TapeIndex) -> int:
        """The boundary after now at which the tape's next trade that is enough for any is known, or the one up to which
        none is; NEVER_NS if nothing waits for one.
        """
        if not self._waiting[Gauge.LAST]:
            return NEVER_NS
        if self._looked_ns <= now_ns:
            self._looked_ns = self._look(now_ns, tape)
        return self._looked_ns

    def _look(self, now_ns: int, tape: TapeIndex) -> int:
        waiting = self._waiting[Gauge.LAST].values()
        falls = max((t.price_ticks for t in waiting if not t.rises), default=None)
        rises = min((t.price_ticks for t in waiting if t.rises), default=None)
        minute_ns = now_ns - now_ns % BLOCK_NS
        reached_ns = tape.first_in_reach(falls, rises, minute_ns, minute_ns + DAY_NS)
        if reached_ns > now_ns:
            return reached_ns
        groups = tape.at(now_ns).groups
        first = int(groups.ts_ns.searchsorted(now_ns))
        price = groups.price_ticks[first:]
        hit = np.zeros(len(price), np.bool_)
        if falls is not None:
            hit |= price <= falls
        if rises is not None:
            hit |= price >= rises
        if not hit.any():
            return minute_ns + BLOCK_NS
        ts_ns = int(groups.ts_ns[first + int(hit.argmax())])
        return ts_ns - ts_ns % TICK_NS + TICK_NS

    def traded(self, at_ns: int, tape: TapeIndex, own: Iterable[int]) -> list[int]:
        """Whose price came in the tick before a boundary, by the tape's trades and clients' own."""
        groups = tape.at(at_ns - TICK_NS).groups
        first, stop = groups.ts_ns.searchsorted([at_ns - TICK_NS, at_ns]).tolist()
        prices = [*groups.price_ticks[first:stop].tolist(), *own]
        return self._reached(Gauge.LAST, min(prices), max(prices)) if prices else []

    def marked(self, low_ticks: int, high_ticks: int) -> list[int]:
        """Whose price the mark has come to: it has fallen to one of these and risen to the other."""
        return self._reached(Gauge.MARK, low_ticks, high_ticks)

    def _reached(self, gauge: Gauge, low_ticks: int, high_ticks: int) -> list[int]:
        waiting = self._waiting[gauge].items()
        return [order_id for order_id, trigger in waiting if trigger.reached(low_ticks, high_ticks)]

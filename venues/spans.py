"""Spans: what is a pure function of a market and cheap by the hour, made whole hours at a time and kept.

A page of a stream needs ten seconds of it, an answer one; both are cut out of the same span. Two threads may ask at
once: at worst a span is made twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from reactor.single_asset import HyperSynthReactor
from reactor.types import SECOND_NS, Column, Columns
from reactor.values import dataclass

SPAN_NS = 3_600 * SECOND_NS
SPANS_KEPT = 8  # of a market

C = TypeVar("C", bound=Columns)


@dataclass(frozen=True, slots=True, eq=False)
class Spans(Generic[C]):
    """`make(market, start_ns, end_ns)` are the rows of [start_ns, end_ns), and `times` their ascending instants.

    `traded` are those that change when clients trade.
    """

    make: Callable[[HyperSynthReactor, int, int], C]
    times: Callable[[C], Column]
    traded: bool = False
    _kept: WeakKeyDictionary[HyperSynthReactor, dict[tuple[int, int], C]] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )

    def rows(self, market: HyperSynthReactor, start_ns: int, end_ns: int) -> C:
        """The rows of [start_ns, end_ns), as they would be made alone."""
        spans = [
            self._span(market, n)
            for n in range(start_ns // SPAN_NS, max(end_ns - 1, start_ns) // SPAN_NS + 1)
        ]
        parts = [span.cut(*np.searchsorted(self.times(span), [start_ns, end_ns]).tolist()) for span in spans]
        return parts[0] if len(parts) == 1 else type(parts[0]).join(parts)

    def _span(self, market: HyperSynthReactor, n: int) -> C:
        kept = self._kept.setdefault(market, {})
        key = n, market.revision if self.traded else 0
        span = kept.get(key)
        if span is None:
            span = self.make(market, n * SPAN_NS, (n + 1) * SPAN_NS)
            while len(kept) >= SPANS_KEPT:
                kept.pop(next(iter(kept)), None)
            kept[key] = span
        return span

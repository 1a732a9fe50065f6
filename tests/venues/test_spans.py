"""Spans: rows cut out of kept hours are those that would be made alone, and few hours are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reactor.types import SECOND_NS, Column, Columns
from venues.spans import SPAN_NS, SPANS_KEPT, Spans

STEP_NS = 7 * SECOND_NS


@dataclass(frozen=True, slots=True, eq=False)
class Squares(Columns):
    ts_ns: Column
    value: Column


class Market:
    """A market is what rows are kept by."""


def squares(_market: Any, start_ns: int, end_ns: int) -> Squares:
    n = np.arange(-(-start_ns // STEP_NS), -(-end_ns // STEP_NS))
    return Squares(n * STEP_NS, n * n)


@given(start_s=st.integers(0, 5 * 3_600), length_s=st.integers(1, 3 * 3_600))
def test_rows_are_those_of_their_span_alone(start_s: int, length_s: int) -> None:
    """Within an hour or across several, whatever was asked for before."""
    start_ns, end_ns = start_s * SECOND_NS, (start_s + length_s) * SECOND_NS
    told, alone = SPANS.rows(MARKET, start_ns, end_ns), squares(None, start_ns, end_ns)
    assert (told.ts_ns.tolist(), told.value.tolist()) == (alone.ts_ns.tolist(), alone.value.tolist())


SPANS: Spans[Squares] = Spans(squares, lambda rows: rows.ts_ns)
MARKET = cast(Any, Market())


def test_an_hour_is_made_once_while_it_is_among_the_last() -> None:
    """Asked for again, it is there; the oldest has to go when there are too many."""
    made = []

    def counted(market: Any, start_ns: int, end_ns: int) -> Squares:
        made.append(start_ns // SPAN_NS)
        return squares(market, start_ns, end_ns)

    spans: Spans[Squares] = Spans(counted, lambda rows: rows.ts_ns)
    for hour in (*range(SPANS_KEPT), *range(SPANS_KEPT), SPANS_KEPT, 0):
        spans.rows(MARKET, hour * SPAN_NS, (hour + 1) * SPAN_NS)
    assert made == [*range(SPANS_KEPT), SPANS_KEPT, 0]

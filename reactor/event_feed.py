"""EventMarketFeed: what several sources tell, as one sequence of events in a total order.

A source is anything that knows its rows between two instants: prints, quotes, closed bars, settlements of funding. The
feed reads them a window at a time, so it can begin anywhere, costs nothing until it is read, and tells every event once
however the span is cut. It keeps nothing and computes nothing of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from operator import attrgetter
from typing import Any

import numpy as np

from reactor.types import BLOCK_NS, Column, Columns
from reactor.values import dataclass


@dataclass(frozen=True, slots=True)
class EventSource:
    """`rows(start_ns, end_ns)` are the rows of [start_ns, end_ns) in time order, `times` gives their instants in ns.

    The rows of an instant are the same, in the same order, whatever else is asked for with them.
    """

    name: str
    rows: Callable[[int, int], Columns]
    times: Callable[[Any], Column] = attrgetter("ts_ns")


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """Row `row` of `rows`. Events are ordered by time, then by their source's rank, then by their number in it then."""

    ts_ns: int
    rank: int
    sequence: int
    source: str = field(compare=False)
    rows: Columns = field(compare=False, repr=False)
    row: int = field(compare=False)


class EventMarketFeed:
    """Several sources, ranked as they are listed: at one instant the first of them speaks first."""

    def __init__(self, sources: Sequence[EventSource], window_ns: int = BLOCK_NS) -> None:
        self._sources = tuple(sources)
        self._window_ns = window_ns

    def events(self, start_ns: int, end_ns: int) -> Iterator[Event]:
        """The events of [start_ns, end_ns), in order; a window is read when its first event is asked for."""
        while start_ns < end_ns:
            stop_ns = min(start_ns - start_ns % self._window_ns + self._window_ns, end_ns)
            yield from self._window(start_ns, stop_ns)
            start_ns = stop_ns

    def _window(self, start_ns: int, stop_ns: int) -> Iterator[Event]:
        tables = [source.rows(start_ns, stop_ns) for source in self._sources]
        times = [source.times(rows) for source, rows in zip(self._sources, tables, strict=True)]
        ts_ns = np.concatenate([np.zeros(0, np.int64), *times])
        rank = np.repeat(np.arange(len(times)), [len(column) for column in times])
        row = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(column)) for column in times)])
        before = np.concatenate(
            [np.zeros(0, np.int64), *(np.searchsorted(column, column) for column in times)]
        )
        order = np.argsort(ts_ns, kind="stable")
        columns = (column[order].tolist() for column in (ts_ns, rank, row - before, row))
        for at_ns, source, sequence, i in zip(*columns, strict=True):
            yield Event(at_ns, source, sequence, self._sources[source].name, tables[source], i)

"""One order of everything that happens, from wherever one begins to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from reactor.event_feed import Event, EventMarketFeed, EventSource
from reactor.types import BLOCK_NS, DAY_NS, SECOND_NS, Column, Columns
from venues.funding import HOUR_NS, FundingModel, Settlements

END_NS = 50
WINDOW_NS = 7  # short, so that a span has many


@dataclass(frozen=True, slots=True, eq=False)
class Notes(Columns):
    """Rows of one source: when, and which."""

    ts_ns: Column
    note: Column


@dataclass
class Script:
    """A source written by hand, which remembers what it was asked."""

    times: Sequence[int]

    def __post_init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def rows(self, start_ns: int, end_ns: int) -> Notes:
        self.asked.append((start_ns, end_ns))
        found = [i for i, ts_ns in enumerate(self.times) if start_ns <= ts_ns < end_ns]
        return Notes(np.array([self.times[i] for i in found], np.int64), np.array(found, np.int64))


def feed_of(scripts: Sequence[Script]) -> EventMarketFeed:
    return EventMarketFeed([EventSource(str(i), row.rows) for i, row in enumerate(scripts)], WINDOW_NS)


def note(event: Event) -> tuple[int, int, int]:
    assert isinstance(event.rows, Notes)
    assert event.rows.ts_ns[event.row] == event.ts_ns
    return event.ts_ns, event.rank, int(event.rows.note[event.row])


scripts = st.lists(
    st.lists(st.integers(0, END_NS - 1), max_size=40).map(lambda times: Script(sorted(times))), max_size=4
)


@given(scripts)
def test_every_event_once_and_in_order(sources: list[Script]) -> None:
    """By time, then by rank, then as the source has them; and no two events are level."""
    events = list(feed_of(sources).events(0, END_NS))
    every = sorted((ts, rank, i) for rank, row in enumerate(sources) for i, ts in enumerate(row.times))
    assert [note(event) for event in events] == every
    assert all(a < b for a, b in pairwise(events))
    assert all(event.source == str(event.rank) for event in events)


@given(scripts, st.lists(st.integers(0, END_NS), max_size=6))
def test_it_does_not_matter_where_reading_began(sources: list[Script], cuts: list[int]) -> None:
    """Spans read one by one, each by a reader of its own, make the whole, sequence numbers included."""
    edges = sorted({0, *cuts, END_NS})
    parts = [list(feed_of(sources).events(a, b)) for a, b in pairwise(edges)]
    assert [event for part in parts for event in part] == list(feed_of(sources).events(0, END_NS))


def test_nothing_is_read_before_it_is_needed() -> None:
    """Windows lie on a grid, and one that is not asked for is not read."""
    source = Script([3, 4, 8, 40])
    events = feed_of([source]).events(2, END_NS)
    assert source.asked == []
    assert [event.ts_ns for event in islice(events, 2)] == [3, 4]
    assert source.asked == [(2, 7)]
    assert next(events).ts_ns == 8
    assert source.asked == [(2, 7), (7, 14)]


# ---------------------------------------------------------------- settlements
class Premiums:
    """A market whose premium is what the hour is."""

    listed_ns = 3 * BLOCK_NS
    premium_limit_e8 = 10_000
    premium_bent_ns = None
    funding_changes: tuple[tuple[int, int], ...] = ()

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        return np.arange(start_ns, end_ns, step_ns) // HOUR_NS


@given(start_s=st.integers(0, 2 * 86_400), length_s=st.integers(0, 86_400))
def test_funding_settles_at_the_venues_instants_and_once(start_s: int, length_s: int) -> None:
    """Between whatever else happens, in whatever span it is read: first of all at each end of an interval."""
    model, market = FundingModel(interval_h=4), Premiums()
    start_ns, end_ns = start_s * SECOND_NS, (start_s + length_s) * SECOND_NS
    ticking = Script(range(0, 3 * DAY_NS, HOUR_NS))
    feed = EventMarketFeed(
        [EventSource("funding", partial(model.settlements, market)), EventSource("hours", ticking.rows)],
        HOUR_NS,
    )
    events = list(feed.events(start_ns, end_ns))
    settled = [event for event in events if event.source == "funding"]
    expected = [at_ns for at_ns in range(8 * HOUR_NS, 3 * DAY_NS, 4 * HOUR_NS) if start_ns <= at_ns < end_ns]
    assert [event.ts_ns for event in settled] == expected
    whole = model.settlements(market, start_ns, end_ns)
    rates = [
        int(rows.rate_e12[event.row]) for event in settled if isinstance(rows := event.rows, Settlements)
    ]
    assert rates == whole.rate_e12.tolist()
    assert all(a.source == "funding" for a, b in pairwise(events) if a.ts_ns == b.ts_ns)

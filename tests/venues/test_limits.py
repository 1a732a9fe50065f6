"""Windows and deadlines on two clocks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reactor.types import SECOND_NS
from venues.limits import Moment, RollingRate, Usage


def test_a_deadline_needs_both_clocks_and_a_window_either() -> None:
    """Time that passed on one clock only is possible, not sure."""
    start = Moment(100, 1000)
    assert Moment(160, 1010).surely_since(start) == 10
    assert Moment(160, 1010).possibly_since(start) == 60
    assert Moment(100, 1090).surely_since(start) == 0
    assert Moment(100, 1090).possibly_since(start) == 90


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=40))
def test_a_rate_is_exceeded_exactly_when_a_window_holds_too_many(
    count: int, steps: list[tuple[int, int]]
) -> None:
    """As counted by hand over all hits, each window rolling on the clock that moved further."""
    rate, now, wall = RollingRate(count, 1000), 0, 0
    hits: list[Moment] = []
    for virtual, real in steps:
        now, wall = now + virtual, wall + real
        hit = Moment(now, wall)
        recent = [earlier for earlier in hits if hit.possibly_since(earlier) < 1000]
        assert rate.exceeded_by(hit) == (len(recent) >= count)
        hits.append(hit)


def test_usage_is_counted_by_client_pool_and_aligned_window() -> None:
    """A minute starts at :00, wherever the first request fell; clients and pools do not share."""
    usage, minute = Usage(), 60 * SECOND_NS
    late, over = Moment(minute - 1, SECOND_NS), Moment(minute, SECOND_NS)
    assert usage.charge("weight", minute, "a", 5, Moment(59 * SECOND_NS, 0)) == 5
    assert usage.charge("weight", minute, "a", 20, late) == 25
    assert usage.charge("weight", minute, "b", 1, late) == 1
    assert usage.charge("orders", minute, "a", 1, late) == 1
    assert usage.charge("weight", minute, "a", 2, over) == 2
    assert usage.charge("weight", minute, "a", 0, over) == 2


def test_usage_is_forgotten_while_virtual_time_stands() -> None:
    """A window ends after its length of wall time, from its first request on, and the next one does likewise."""
    usage, minute = Usage(), 60 * SECOND_NS
    for start_ns in (7, 7 + minute):
        assert usage.charge("weight", minute, "a", 5, Moment(3, start_ns)) == 5
        assert usage.charge("weight", minute, "a", 1, Moment(3, start_ns + minute - 1)) == 6

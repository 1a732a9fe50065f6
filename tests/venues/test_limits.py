"""Limits and deadlines on two clocks: windows, what is held at once, bans, and runs with other limits or none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reactor.types import SECOND_NS
from venues.limits import CLIENTS, OFF, Ban, Limit, Moment, Usage

MINUTE_NS = 60 * SECOND_NS
WEIGHT = Limit("weight", 30, MINUTE_NS, aligned=True)
SOCKETS = Limit("sockets", 2)


def seconds(now_s: float, wall_s: float | None = None) -> Moment:
    """An instant on both clocks; on the same one if only one is given."""
    return Moment(int(now_s * SECOND_NS), int((now_s if wall_s is None else wall_s) * SECOND_NS))


def test_a_deadline_needs_both_clocks_and_a_window_either() -> None:
    """Time that passed on one clock only is possible, not sure."""
    start = Moment(100, 1000)
    assert Moment(160, 1010).surely_since(start) == 10
    assert Moment(160, 1010).possibly_since(start) == 60
    assert Moment(100, 1090).surely_since(start) == 0
    assert Moment(100, 1090).possibly_since(start) == 90


# ---------------------------------------------------------------- windows
@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=40))
def test_a_rate_is_exceeded_exactly_when_a_window_holds_too_many(
    count: int, steps: list[tuple[int, int]]
) -> None:
    """As counted by hand over all charges, each window rolling on the clock that moved further."""
    charge = Usage().meter(Limit("messages", count, 1000), "a")
    now, wall = 0, 0
    hits: list[Moment] = []
    for virtual, real in steps:
        now, wall = now + virtual, wall + real
        hit = Moment(now, wall)
        recent = [earlier for earlier in hits if hit.possibly_since(earlier) < 1000]
        assert charge(hit).refused == (len(recent) >= count)
        hits.append(hit)


def test_a_rate_tells_when_to_come_again() -> None:
    """When the oldest charge has left the window."""
    usage, limit = Usage(), Limit("messages", 2, MINUTE_NS)
    for at_s in (10, 20):
        assert not usage.charge(limit, "a", 1, seconds(at_s)).refused
    refused = usage.charge(limit, "a", 1, seconds(30))
    assert (refused.used, refused.allowed, refused.retry_ns) == (3, 2, 40 * SECOND_NS)


def test_usage_is_counted_by_client_limit_and_aligned_window() -> None:
    """A minute starts at :00, wherever the first request fell; clients and limits do not share."""
    usage, orders = Usage(), Limit("orders", 30, MINUTE_NS, aligned=True)
    late, over = Moment(MINUTE_NS - 1, SECOND_NS), Moment(MINUTE_NS, SECOND_NS)
    assert usage.charge(WEIGHT, "a", 5, Moment(59 * SECOND_NS, 0)).used == 5
    assert usage.charge(WEIGHT, "a", 20, late).used == 25
    assert usage.charge(WEIGHT, "b", 1, late).used == 1
    assert usage.charge(orders, "a", 1, late).used == 1
    assert usage.charge(WEIGHT, "a", 2, over).used == 2
    assert usage.charge(WEIGHT, "a", 0, over).used == 2


def test_usage_is_forgotten_while_virtual_time_stands() -> None:
    """A window ends after its length of wall time, from its first request on, and the next one does likewise."""
    usage = Usage()
    for start_ns in (7, 7 + MINUTE_NS):
        assert usage.charge(WEIGHT, "a", 5, Moment(3, start_ns)).used == 5
        assert usage.charge(WEIGHT, "a", 1, Moment(3, start_ns + MINUTE_NS - 1)).used == 6


def test_what_is_charged_beyond_the_limit_is_refused_until_the_window_ends() -> None:
    """The limit itself may be used up."""
    usage = Usage()
    assert not usage.charge(WEIGHT, "a", 30, seconds(10)).refused
    refused = usage.charge(WEIGHT, "a", 1, seconds(15))
    assert refused.refused
    assert refused.retry_ns == 45 * SECOND_NS
    assert not usage.charge(WEIGHT, "a", 1, seconds(60)).refused


# ---------------------------------------------------------------- at once
def test_so_many_are_held_at_once() -> None:
    """Of each client; one that is given back can be had again."""
    usage = Usage()
    assert [usage.hold(SOCKETS, "a") for _ in range(3)] == [True, True, False]
    assert usage.hold(SOCKETS, "b")
    usage.release(SOCKETS, "a")
    assert usage.held(SOCKETS, "a") == 1
    assert usage.hold(SOCKETS, "a")


# ---------------------------------------------------------------- bans
BANNING = Limit(
    "weight", 1, MINUTE_NS, aligned=True, ban=Ban(2, MINUTE_NS, (120 * SECOND_NS, 600 * SECOND_NS))
)


def test_who_goes_on_after_refusals_is_shut_out_and_longer_the_next_time() -> None:
    """Two refusals are a warning; a ban ends by itself, and counts nothing while it lasts."""
    usage = Usage()

    def charge(at_s: float, limit: Limit = BANNING, client: str = "a") -> int | None:
        """When the ban ends, in seconds; -1 for a plain refusal, None for none."""
        charged = usage.charge(limit, client, 1, seconds(at_s))
        if not charged.refused:
            return None
        return -1 if charged.banned_until_ns is None else charged.banned_until_ns // SECOND_NS

    assert [charge(at_s) for at_s in (0, 1, 2, 3, 4)] == [None, -1, -1, 123, 123]
    assert charge(5, WEIGHT) == 123, "whatever it is for"
    assert charge(5, client="b") is None
    assert charge(122.9) == 123
    assert [charge(at_s) for at_s in (123, 124, 125, 126)] == [None, -1, -1, 726]
    assert [charge(at_s) for at_s in (727, 728, 729, 730)] == [None, -1, -1, 1330]


def test_refusals_far_apart_are_no_reason_for_a_ban() -> None:
    """Only so many within so long are."""
    usage = Usage()
    for at_s in range(0, 6000, 60):
        charges = [usage.charge(BANNING, "a", 1, seconds(at_s)) for _ in range(3)]
        assert [charge.refused for charge in charges] == [False, True, True]
        assert usage.banned("a", seconds(at_s)) is None


def test_a_ban_ends_on_the_clock_that_moves_further() -> None:
    """Neither a standing market nor a warped one shuts a client out for longer than it was told."""
    for over in (seconds(120, 1), seconds(1, 120)):
        usage = Usage()
        assert usage.charge(BANNING, "a", 1, seconds(0)).refused is False
        for _ in range(3):
            usage.charge(BANNING, "a", 1, seconds(0))
        assert usage.banned("a", seconds(119)) is not None
        assert usage.banned("a", over) is None


# ---------------------------------------------------------------- runs with other limits
def test_limits_are_scaled_and_never_nothing() -> None:
    """A tenth of two is one."""
    assert [Usage(scale).allowed(WEIGHT) for scale in (0.1, 1, 10)] == [3, 30, 300]
    assert Usage(0.1).allowed(SOCKETS) == 1


def test_without_limits_nothing_is_refused_but_what_takes_memory_stays_bounded() -> None:
    """Usage is still counted where the venue tells it."""
    usage = Usage(OFF)
    assert [usage.charge(WEIGHT, "a", 10**9, seconds(1)).used for _ in range(2)] == [10**9, 2 * 10**9]
    assert not usage.charge(WEIGHT, "a", 10**9, seconds(1)).refused
    rate = usage.meter(Limit("messages", 1, SECOND_NS), "a")
    assert not any(rate(seconds(0)).refused for _ in range(1000))
    assert all(usage.hold(SOCKETS, "a") for _ in range(1000))
    assert usage.allowed(Limit("streams", 1024, takes_memory=True)) == 102_400


def test_only_so_many_clients_are_remembered() -> None:
    """The one that was quiet for longest is forgotten."""
    usage = Usage()
    for number in range(CLIENTS):
        usage.charge(WEIGHT, str(number), 1, seconds(0))
    assert usage.charge(WEIGHT, "0", 1, seconds(0)).used == 2
    usage.charge(WEIGHT, "one more", 1, seconds(0))
    assert usage.charge(WEIGHT, "0", 1, seconds(0)).used == 3
    assert usage.charge(WEIGHT, "1", 1, seconds(0)).used == 1

"""Clocks that nobody has to wait for, and delays that are the same whoever asks."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reactor.clock import DELAY_MAX_NS, FASTEST, FOREVER_NS, Chronometer, LatencyModel
from reactor.types import MS_NS, SECOND_NS, TICK_NS, Column

START_NS = 1_767_225_600 * SECOND_NS
SPEEDS = st.floats(0.1, 10_000)


# ---------------------------------------------------------------- the clock
@given(
    speed=SPEEDS,
    elapsed=st.lists(st.integers(0, 100 * SECOND_NS), max_size=20),
    wall_ns=st.integers(0, 10**18),
)
def test_a_clock_that_keeps_up_is_where_its_pace_says(speed: float, elapsed: list[int], wall_ns: int) -> None:
    """However often it is looked at: within a tick, never ahead, never off a boundary, never backwards."""
    clock = Chronometer(START_NS)
    clock.set_speed(speed, wall_ns)
    passed_ns = 0
    for ns in elapsed:
        passed_ns += ns
        due_ns = clock.due_ns(wall_ns + passed_ns)
        assert due_ns % TICK_NS == 0
        assert clock.now_ns <= due_ns <= START_NS + math.ceil(passed_ns * speed * (1 + 1e-12))
        assert START_NS + passed_ns * speed * (1 - 1e-12) - due_ns <= TICK_NS + 1
        clock.reach(due_ns)
    assert clock.now_ns == clock.due_ns(wall_ns + passed_ns)


@given(speed=SPEEDS, ticks=st.integers(1, 10**6), wall_ns=st.integers(0, 10**18))
def test_a_boundary_is_due_from_its_wall_instant_on(speed: float, ticks: int, wall_ns: int) -> None:
    """Not a nanosecond earlier."""
    clock = Chronometer(START_NS)
    clock.set_speed(speed, wall_ns)
    at_ns = START_NS + ticks * TICK_NS
    ring_ns = clock.wall_ns(at_ns)
    assert clock.due_ns(ring_ns) >= at_ns > clock.due_ns(ring_ns - 1)


def test_a_paused_clock_is_never_due() -> None:
    """It can be stepped all the same, and then runs on from where it is."""
    clock = Chronometer(START_NS, paused=True)
    assert clock.due_ns(10 * SECOND_NS) == START_NS
    clock.reach(START_NS + SECOND_NS)
    clock.paused = False
    clock.anchor(60 * SECOND_NS)
    assert clock.due_ns(61 * SECOND_NS) == START_NS + 2 * SECOND_NS


def test_what_was_not_reached_can_be_forgiven() -> None:
    """An anchor leaves no debt; a new pace counts from its own beginning."""
    clock = Chronometer(START_NS, 100.0)
    assert clock.due_ns(SECOND_NS) == START_NS + 100 * SECOND_NS
    clock.anchor(SECOND_NS)
    assert clock.due_ns(SECOND_NS) == START_NS
    clock.set_speed(0.5, 2 * SECOND_NS)
    assert clock.due_ns(4 * SECOND_NS) == START_NS + SECOND_NS


def test_the_fastest_clock_is_always_due() -> None:
    """For ever, and at once."""
    clock = Chronometer(START_NS, FASTEST)
    assert clock.due_ns(0) + TICK_NS > FOREVER_NS > clock.due_ns(0)
    assert clock.wall_ns(START_NS + SECOND_NS) <= 0


@pytest.mark.parametrize("at_ns", [START_NS - TICK_NS, START_NS + 1])
def test_a_clock_goes_forward_from_boundary_to_boundary(at_ns: int) -> None:
    """Anything else is a mistake, and it stays where it is."""
    clock = Chronometer(START_NS + 9 * MS_NS)
    with pytest.raises(ValueError, match="no boundary"):
        clock.reach(at_ns)
    assert clock.now_ns == START_NS


@pytest.mark.parametrize("speed", [0, -1, math.nan, -math.inf])
def test_an_impossible_pace_is_refused(speed: float) -> None:
    """A clock does not stand by its pace, nor go backwards."""
    with pytest.raises(ValueError, match="speed"):
        Chronometer(START_NS, speed)


# ---------------------------------------------------------------- latency
MODELS = {
    "none": LatencyModel.fixed(0),
    "fixed": LatencyModel.fixed(5 * MS_NS),
    "jittery": LatencyModel.jittery(2 * MS_NS, 3 * MS_NS),
    "log-normal": LatencyModel.log_normal(20 * MS_NS, 0.7, 400 * MS_NS),
}


def delays(model: LatencyModel, n: int = 20_000) -> Column:
    return model.of(1, "market", "channel").delays_ns(np.arange(n))


def test_distributions_are_what_they_are_called() -> None:
    """Quantiles and bounds of many draws, within what so many draws leave open."""
    assert set(delays(MODELS["none"]).tolist()) == {0}
    assert set(delays(MODELS["fixed"]).tolist()) == {5 * MS_NS}
    jittery = delays(MODELS["jittery"])
    assert jittery.min() >= 2 * MS_NS
    assert jittery.max() <= 5 * MS_NS
    assert np.quantile(jittery, [0.25, 0.5, 0.75]) == pytest.approx([2.75e6, 3.5e6, 4.25e6], rel=0.02)
    told = delays(MODELS["log-normal"])
    assert np.median(told) == pytest.approx(20 * MS_NS, rel=0.03)
    assert np.std(np.log(told)) == pytest.approx(0.7, rel=0.03)
    assert told.max() <= MODELS["log-normal"].bound_ns == 400 * MS_NS


@pytest.mark.parametrize("name", MODELS)
@given(first=st.integers(0, 10**12), n=st.integers(0, 9_000), gaps=st.integers(1, 7))
def test_a_delay_belongs_to_its_id(name: str, first: int, n: int, gaps: int) -> None:
    """Whatever else is asked for along with it."""
    latency = MODELS[name].of(1, "market", "channel")
    ids = np.arange(first, first + n * gaps, gaps)
    together = latency.delays_ns(ids)
    for i in {0, n // 3, n - 1} & set(range(n)):
        assert latency.delays_ns(ids[i : i + 1])[0] == together[i]


def test_seed_market_and_channel_draw_apart() -> None:
    """Each key has delays of its own, the same every time."""
    model, ids = MODELS["log-normal"], np.arange(100)
    keys = [(1, "a", "trade"), (2, "a", "trade"), (1, "b", "trade"), (1, "a", "depth")]
    drawn = [model.of(seed, market, channel).delays_ns(ids).tolist() for seed, market, channel in keys]
    assert all(drawn[i] != drawn[j] for i in range(len(keys)) for j in range(i))
    assert drawn[0] == model.of(1, "a", "trade").delays_ns(ids).tolist()


events = st.lists(st.integers(0, 2 * SECOND_NS), min_size=1, max_size=200).map(sorted)


@pytest.mark.parametrize("name", MODELS)
@given(times=events, cuts=st.lists(st.integers(0, 3 * SECOND_NS), max_size=5))
def test_pages_tell_every_event_once_and_in_order(name: str, times: list[int], cuts: list[int]) -> None:
    """However time is cut into pages, each looking back by the bound, they tell what one page tells."""
    latency, bound_ns = MODELS[name].of(1, "market", "channel"), MODELS[name].bound_ns
    ts_ns, ids = np.array(times), np.arange(1_000, 1_000 + len(times))
    whole, whole_ns = latency.told(ts_ns, ids, 0, 3 * SECOND_NS)
    assert (whole.start, whole.stop) == (0, len(times))
    assert np.all(whole_ns >= ts_ns)
    assert np.all(whole_ns - ts_ns <= bound_ns)
    assert np.all(np.diff(whole_ns) >= 0)
    edges = sorted({0, *cuts, 3 * SECOND_NS})
    seen: list[tuple[int, int]] = []
    for start_ns, end_ns in pairwise(edges):
        near = (ts_ns >= start_ns - bound_ns) & (ts_ns < end_ns)
        run, told_ns = latency.told(ts_ns[near], ids[near], start_ns, end_ns)
        seen += zip(ids[near][run].tolist(), told_ns.tolist(), strict=True)
    assert seen == list(zip(ids.tolist(), whole_ns.tolist(), strict=True))


def test_latencies_as_one_writes_them() -> None:
    """In ms."""
    assert set(LatencyModel.parse("fixed 2.5").delays_ns.tolist()) == {2_500_000}
    jittery = LatencyModel.parse("jittery 2 3").delays_ns
    assert (jittery[0], jittery[-1]) == (2 * MS_NS, 5 * MS_NS)
    told = LatencyModel.parse("log-normal 20 0.7 400").delays_ns
    assert told.tolist() == MODELS["log-normal"].delays_ns.tolist()


@pytest.mark.parametrize(
    "text", ["", "5", "fixed", "fixed five", "fixed 1 2", "jittery 2", "fixed -1", "fixed nan"]
)
def test_what_is_no_latency_is_refused(text: str) -> None:
    """With what one could have written, or what is out of range."""
    with pytest.raises(ValueError):
        LatencyModel.parse(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LatencyModel.fixed(-1),
        lambda: LatencyModel.fixed(DELAY_MAX_NS + 1),
        lambda: LatencyModel.jittery(DELAY_MAX_NS, 1),
        lambda: LatencyModel.log_normal(MS_NS, 4.1, SECOND_NS),
        lambda: LatencyModel.log_normal(MS_NS, math.nan, SECOND_NS),
        lambda: LatencyModel.log_normal(MS_NS, 1, -1),
    ],
)
def test_impossible_latencies_are_refused(make: Callable[[], LatencyModel]) -> None:
    """A delay is neither negative nor without a bound."""
    with pytest.raises(ValueError, match="out of range"):
        make()

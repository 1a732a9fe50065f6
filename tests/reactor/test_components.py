"""The pieces of a minute, one by one: sums that come out exactly, clocks that keep their pauses, depth that follows."""

from dataclasses import replace

import numpy as np
import pytest

from reactor.components import ALONE_NS, Clock, OrderFlow, PricePath, Rhythm, Role, TouchPath
from reactor.depth import Depth
from reactor.fixed import distinct, stable_order
from reactor.rng import stream
from reactor.settlement import SidePrints, settle
from reactor.types import BLOCK_NS, MS_NS, SECOND_NS, TICK_NS, BookSide, Column, Instrument, Side
from tests.reactor.test_single_asset import MANIFESTS, SPOT, ScriptedSkeleton, Shape

MANIFEST = MANIFESTS[SPOT]


# ---------------------------------------------------------------- settlement
def side_prints(rng: np.random.Generator, n: int, span: int) -> SidePrints:
    offsets = rng.integers(0, span + 1, n)
    low, high, free = rng.permutation(n)[:3].tolist()
    offsets[[low, high, free]] = 0, span, 0
    weights = np.floor(np.exp(2 * rng.standard_normal(n)) * 256).astype(np.int64)
    side = Side(int(rng.choice([1, -1])))
    return SidePrints(side, offsets, weights, rng.random(n) < 0.5, low, high, free, span)


@pytest.mark.parametrize("centre", [1 / 8, 0.3, 0.5, 7 / 8])
@pytest.mark.parametrize("min_lots", [2, 3, 25])
@pytest.mark.parametrize("span", [0, 1, 2, 10, 6_500, 300_000])
def test_volume_and_quote_volume_come_out_exactly(span: int, min_lots: int, centre: float) -> None:
    """From the least volume a plan may ask for to a plentiful one, with the average price anywhere it may lie."""
    rng = np.random.default_rng(span + min_lots)
    for n, plenty in ((3, 1), (4, 1), (5, 3), (8, 1), (40, 1), (300, 500)):
        lots = 4 * max(n + 3, 8) * min_lots * plenty
        units = min(max(round(centre * span * lots), -(-span * lots // 8)), span * lots * 7 // 8)
        prints = side_prints(rng, n, span)
        grid = np.concatenate([[0, span], rng.integers(0, span + 1, 59)])
        settled = settle(prints, lots, units, (min_lots, 1 << 40), grid)
        offsets = prints.offsets.copy()
        offsets[prints.free] = settled.free_offset
        assert int(settled.lots.sum()) == lots
        assert int((settled.lots * offsets).sum()) == units
        assert settled.lots.min() >= 1
        assert 0 <= settled.free_offset <= span
        # the touch steps away from the other side to let the free order in, never through it
        assert (int(grid[settled.grid_point]) - settled.free_offset) * prints.side <= 0


def test_sizes_keep_the_least_and_stay_round_where_there_is_room() -> None:
    """With volume to spare and an ordinary average price no print is below the least, and many are round numbers."""
    rng = np.random.default_rng(1)
    prints = side_prints(rng, 400, 5_000)
    settled = settle(prints, 4_000_000, 9_000_000_000, (8, 1 << 40), np.arange(0, 5_001, 50))
    assert settled.lots.min() >= 8
    small = settled.lots[prints.rounded & (settled.lots < 1_000)]
    assert np.mean([str(n).rstrip("0") in {"1", "2", "3", "4", "5", "8"} for n in small.tolist()]) > 0.9


# ---------------------------------------------------------------- clock
def clocks() -> list[tuple[ScriptedSkeleton, Clock]]:
    worlds = [ScriptedSkeleton(SPOT, MANIFEST, [Shape(4_000, n)], seed=n) for n in (8, 100, 2_000)]
    return [(w, Rhythm(MANIFEST).clock(stream(1, "clock", i), w.plan(0))) for i, w in enumerate(worlds)]


def test_a_clock_stays_within_its_minute() -> None:
    """Draws ascend and lie in the minute; squeezed, none lies in a pause, and they keep their second and order."""
    for _, clock in clocks():
        ts_ns = clock.draw(stream(2, "draws"), 20_000)
        assert 0 <= ts_ns.min() <= ts_ns.max() < BLOCK_NS
        assert (np.diff(ts_ns) >= 0).all()
        squeezed = clock.outside_pauses(ts_ns)
        second = squeezed // SECOND_NS
        assert (second == ts_ns // SECOND_NS).all()
        assert (np.diff(squeezed) >= 0).all()
        assert (squeezed < (second + 1) * SECOND_NS - clock.tail_ns[second]).all()
        assert squeezed.min() >= clock.head_ns
        assert clock.ticks(stream(2, "draws"), 20_000).tolist() == (ts_ns // TICK_NS).tolist()


def test_a_path_is_the_same_along_instants_as_at_each() -> None:
    """At its own steps, several of which may share an instant, before all of them, and between."""
    path = TouchPath(np.array([-1, 4, 4, 9]), np.array([5, 6, 7, 8]), np.array([7, 7, 9, 9]))
    for instants in (np.arange(-1, 12), np.array([4, 4, 8]), np.zeros(0, np.int64)):
        along, at = path.along(instants), path.at(instants)
        assert [side.tolist() for side in along] == [side.tolist() for side in at]


def test_slots_of_a_pause_never_meet() -> None:
    """Whatever the jitter, the roles keep their order and twice ALONE_NS between them, inside their pause."""
    roles = list(Role)[1:]
    for _, clock in clocks():
        for point in (0, 1, 30, 60):
            earliest = [clock.slot(point, role, 0) for role in roles]
            latest = [clock.slot(point, role, 65_535) for role in roles]
            assert all(a + 2 * ALONE_NS <= b for a, b in zip(latest[:-1], earliest[1:], strict=True))
            start = 0 if point == 0 else point * SECOND_NS - int(clock.tail_ns[point - 1])
            end = clock.head_ns if point == 0 else point * SECOND_NS
            assert start + ALONE_NS < earliest[0]
            assert latest[-1] + ALONE_NS < end


def test_activity_follows_the_moves_of_the_price() -> None:
    """More happens in the ten seconds of largest change than in the ten of smallest."""
    for world, clock in clocks():
        change = np.abs(np.diff(world.plan(0).bid_ticks))
        count = np.bincount(clock.draw(stream(3, "x"), 50_000) // SECOND_NS, minlength=60)
        calm, wild = np.argsort(change)[:10], np.argsort(change)[-10:]
        assert count[wild].sum() > 1.5 * count[calm].sum()


# ---------------------------------------------------------------- orders and price
def test_orders_are_apart_and_as_many_as_planned() -> None:
    """Every count comes out exactly, instants are distinct and leave one to the event before each order."""
    for world, clock in clocks():
        plan = world.plan(0)
        orders = OrderFlow(MANIFEST).draw(stream(4, "orders"), plan, clock)
        assert len(orders.ts_ns) == plan.n_orders
        assert sorted(orders.row_of) == list(range(8))
        assert sorted([*orders.ordinary.tolist(), *orders.row_of.values()]) == list(range(len(orders.ts_ns)))
        placed = orders.ts_ns[:-2]
        assert (np.diff(placed) >= 2).all()
        assert orders.ts_ns[-2:].tolist() == [-1, -1]


def test_the_price_passes_through_its_grid_and_never_moves_in_a_pause() -> None:
    """Steps lead through every grid point, none falls into a pause, and the sides never come nearer than the spread."""
    for world, clock in clocks():
        plan = world.plan(0)
        orders = OrderFlow(MANIFEST).draw(stream(4, "orders"), plan, clock)
        steps = PricePath(MANIFEST, SPOT).draw(stream(5, "price"), plan, clock, orders)
        path = TouchPath.of(plan, steps)
        bid, ask = path.at(np.arange(61) * SECOND_NS - 1)
        assert bid.tolist() == plan.bid_ticks.tolist()
        assert (ask - bid).tolist() == [plan.spread_ticks] * 61
        assert (path.ask_ticks - path.bid_ticks >= plan.spread_ticks).all()
        slack = 8 * plan.n_orders  # orders at one instant are moved apart
        assert (steps.ts_ns <= clock.pause_of(steps.ts_ns) + slack).all()


def test_orders_race_for_a_price_that_moves() -> None:
    """Many orders come within milliseconds of one of their side, and these meet an open spread far more often."""
    world = ScriptedSkeleton(SPOT, MANIFEST, [Shape(4_000, 1_000) for _ in range(10)], seed=9)
    raced, met_open = [], []
    for k in range(10):
        plan = world.plan(k)
        clock = Rhythm(MANIFEST).clock(stream(1, "clock", k), plan)
        orders = OrderFlow(MANIFEST).draw(stream(4, "orders", k), plan, clock)
        path = TouchPath.of(plan, PricePath(MANIFEST, SPOT).draw(stream(5, "price", k), plan, clock, orders))
        ts_ns, side = orders.ts_ns[:-2], orders.side[:-2]
        bid, ask = path.at(ts_ns - 1)
        raced.append((np.diff(ts_ns, prepend=-BLOCK_NS) < 3 * MS_NS) & (side == np.roll(side, 1)))
        met_open.append(ask - bid > plan.spread_ticks)
    racing, open_spread = np.concatenate(raced), np.concatenate(met_open)
    assert 0.1 < racing.mean() < 0.3
    assert open_spread[racing].mean() > 5 * open_spread[~racing].mean()


def test_buyers_prevail_where_the_price_rises() -> None:
    """Over many minutes the net flow of a second goes with its change of price."""
    shapes = [Shape(4_000, 400) for _ in range(10)]
    world = ScriptedSkeleton(SPOT, MANIFEST, shapes, seed=9)
    flow, change = np.zeros(600), np.zeros(600)
    for k in range(10):
        plan = world.plan(k)
        clock = Rhythm(MANIFEST).clock(stream(1, "clock", k), plan)
        orders = OrderFlow(replace(MANIFEST, flow_lean=1.0)).draw(stream(4, "orders", k), plan, clock)
        flow[k * 60 : k * 60 + 60] = np.bincount(orders.ts_ns[:-2] // SECOND_NS, orders.side[:-2], 60)
        change[k * 60 : k * 60 + 60] = np.diff(plan.bid_ticks)
    assert np.corrcoef(flow, change)[0, 1] > 0.3


# ---------------------------------------------------------------- depth
@pytest.mark.parametrize("contract", MANIFESTS, ids=lambda i: i.market)
def test_a_keyframe_side_is_ordered_and_as_deep_as_asked(contract: Instrument) -> None:
    """Best first, no empty level, no price twice, and more levels than are asked for near the touch."""
    manifest = MANIFESTS[contract]
    depth = Depth(manifest, contract, stream(1, "sizes"), salt=5)
    best = int(manifest.initial_price * 10**contract.price_decimals / contract.tick_size)
    for k in range(4):
        side = BookSide(k % 2)
        book = depth.keyframe(stream(1, "keyframe", k), side, best, 77)
        assert (np.diff(book.ranks) > 0).all()
        assert (book.ranks[0], book.lots[0]) == (best if side else -best, 77)
        assert book.lots.min() >= 1
        assert len(book.ranks) > 0.8 * manifest.depth_levels


@pytest.mark.parametrize("side", list(BookSide))
def test_a_keyframe_does_not_know_which_prices_were_asked_for_before(side: BookSide) -> None:
    """However far the price has been in between: where orders rest is kept only to be had sooner."""
    known = Depth(MANIFEST, SPOT, stream(1, "sizes"), salt=5)
    for best in (6_500_000, 6_503_000, 6_700_000, 90_000, 40, 6_500_001):
        fresh = Depth(MANIFEST, SPOT, stream(1, "sizes"), salt=5)
        books = [depth.keyframe(stream(1, "keyframe"), side, best, 77) for depth in (known, fresh)]
        assert books[0].ranks.tolist() == books[1].ranks.tolist()
        assert books[0].lots.tolist() == books[1].lots.tolist()


# ---------------------------------------------------------------- sorting
def test_order_and_distinct_agree_with_numpy() -> None:
    """stable_order is the stable argsort and distinct is unique, for empty, equal and large keys."""
    rng = np.random.default_rng(2)
    cases: list[Column] = [
        np.zeros(0, np.int64),
        np.zeros(7, np.int64),
        rng.integers(0, 5, 1_000),
        rng.integers(0, 1 << 43, 1_000),
    ]
    for key in cases:
        assert stable_order(key).tolist() == np.argsort(key, kind="stable").tolist()
        assert distinct(key).tolist() == np.unique(key).tolist()


def test_keys_that_do_not_fit_are_refused() -> None:
    """A key that would run into its row number is an error, not a wrong order."""
    with pytest.raises(AssertionError):
        stable_order(np.array([1 << 62, 0]))

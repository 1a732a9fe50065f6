"""The tape: a minute realises its plan exactly, its book never crosses and reaches the next keyframe, and no instant
depends on what was asked before.

Books are replayed here with plain dicts, independently of the product's own folds.
"""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pytest

from reactor.manifest import ManifestError, SimulationManifest
from reactor.profiles import profile
from reactor.single_asset import HyperSynthReactor
from reactor.skeleton import AssetPath, MarketSkeleton, MinutePlan
from reactor.types import (
    BLOCK_NS,
    SECOND_NS,
    TICK_NS,
    Block,
    BookSnapshot,
    Column,
    Columns,
    IndexMinutes,
    Instrument,
    Kind,
    Minutes,
    Seconds,
    Side,
)
from reactor.unified_market import MarketOrchestrationCore

ORIGIN_NS = 1_767_225_600 * SECOND_NS + 617 * BLOCK_NS
SPOT = Instrument("spot:BTC", "BTCUSDT", "BTC", "BTC", "USDT", Kind.SPOT, 2, 1, 5, 1)
PERP = Instrument("perp:BTC", "BTC", "BTC", "BTC", "USDC", Kind.PERP, 0, 1, 5, 1)
THIN = Instrument("thin:PURR", "PURR", "PURR", "PURR", "USDC", Kind.SPOT, 5, 1, 0, 1)
MANIFESTS = {
    SPOT: SimulationManifest(),
    PERP: SimulationManifest(trade_intensity_base=3.0, touch_notional=400_000.0),
    THIN: SimulationManifest(
        initial_price=0.2,
        trade_intensity_base=0.1,
        mean_order_notional=60.0,
        volatility=1.5,
        base_spread_ticks=3,
        touch_notional=3_000.0,
        level_notional=300.0,
        book_update_intensity=5.0,
        quote_intensity=0.5,
    ),
}


# ---------------------------------------------------------------- plans by hand
@dataclass
class Shape:
    """What a minute is asked to be: the range of its bid in ticks, and its counts."""

    span: int
    orders: int
    prints_per_order: int = 3
    lots_per_print: int = 100  # in units of the least lots a print may need
    centre: float = 0.5  # average price of each side within the range, in [1/8, 7/8]
    extra_levels: float = 1.0  # share of the greatest allowed number


@dataclass
class ScriptedSkeleton:
    """Plans made to measure, one per shape; their bids join up."""

    instrument: Instrument
    manifest: SimulationManifest
    shapes: list[Shape]
    seed: int = 0
    origin_ns: int = ORIGIN_NS
    listed_ns: int = ORIGIN_NS
    plans: list[MinutePlan] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        unit = 10**self.instrument.price_decimals // self.instrument.tick_size
        bid = int(self.manifest.initial_price * unit)
        ids = [1_000, 500, 200, 10**12]
        for k, shape in enumerate([*self.shapes, Shape(0, 0)]):
            plan = self._plan(rng, k, bid, shape, ids)
            bid = int(plan.bid_ticks[60])
            ids = [ids[0] + plan.n_prints, ids[1] + plan.n_agg, ids[2] + plan.n_orders, plan.next_update_id]
            self.plans.append(plan)

    def _plan(self, rng: np.random.Generator, k: int, bid: int, shape: Shape, ids: list[int]) -> MinutePlan:
        walk = np.concatenate([[0.0], np.cumsum(rng.standard_normal(60))])
        bids = bid + np.rint((walk - walk[0]) * shape.span / max(np.ptp(walk), 1e-9)).astype(np.int64)
        span = int(np.ptp(bids))
        least, spread = self.manifest.min_lots(self.instrument), self.manifest.base_spread_ticks
        n_agg = shape.orders + int(min(span // 4, shape.orders // 8) * shape.extra_levels)
        n_prints = max(n_agg, shape.orders * shape.prints_per_order)
        lots = [4 * n_prints * least * shape.lots_per_print * f for f in (1, 2)]
        above = [min(max(int(span * n * shape.centre), -(-span * n // 8)), span * n * 7 // 8) for n in lots]
        low = int(bids.min())
        return MinutePlan(
            k=k,
            start_ns=ORIGIN_NS + k * BLOCK_NS,
            bid_ticks=bids,
            spread_ticks=spread,
            activity_q16=1 << 16,
            log_volatility_q16=0,
            n_orders=shape.orders,
            n_prints=n_prints,
            n_agg=n_agg,
            open_side=Side(int(rng.choice([1, -1]))),
            close_side=Side(int(rng.choice([1, -1]))),
            buy_lots=lots[0],
            sell_lots=lots[1],
            buy_quote_units=(low + spread) * lots[0] + above[0],
            sell_quote_units=low * lots[1] + above[1],
            first_trade_id=ids[0],
            first_agg_id=ids[1],
            first_order_id=ids[2],
            update_id=ids[3],
            next_update_id=ids[3] + 400_000,
        )

    def plan(self, k: int) -> MinutePlan:
        return self.plans[k]

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        raise NotImplementedError

    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        raise NotImplementedError

    premium_limit_e8 = 0
    premium_bent_ns = None
    funding_changes: tuple[tuple[int, int], ...] = ()

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        raise NotImplementedError

    def index_minutes(self, start_ns: int, end_ns: int) -> IndexMinutes:
        raise NotImplementedError

    def forced_q16(self, k: int) -> int:
        raise NotImplementedError

    def minute_of(self, first_id: str, wanted: int, before_ns: int) -> int:
        raise NotImplementedError


def scripted(instrument: Instrument, *shapes: Shape, seed: int = 0) -> HyperSynthReactor:
    return HyperSynthReactor(ScriptedSkeleton(instrument, MANIFESTS[instrument], list(shapes), seed), seed)


def natural(instrument: Instrument, seed: int = 7, **changes: Any) -> HyperSynthReactor:
    manifest = replace(MANIFESTS[instrument], **changes)
    asset = AssetPath(seed, instrument.asset, ORIGIN_NS, manifest)
    return HyperSynthReactor(MarketSkeleton(seed, instrument, manifest, ORIGIN_NS, asset), seed)


# ---------------------------------------------------------------- a book of dicts
def as_dicts(book: BookSnapshot) -> tuple[dict[int, int], dict[int, int]]:
    pairs = ((book.bid_ticks, book.bid_lots), (book.ask_ticks, book.ask_lots))
    bids, asks = (dict(zip(p.tolist(), q.tolist(), strict=True)) for p, q in pairs)
    return bids, asks


def replay(market: HyperSynthReactor, k: int) -> Iterator[tuple[int, dict[int, int], dict[int, int]]]:
    """The book after every tick of minute k in which a level changed, as (tick, bids, asks)."""
    book = as_dicts(market.keyframe(k))
    levels = market.block(k).levels
    rows = zip(
        *(getattr(levels, f).tolist() for f in ("tick", "side", "price_ticks", "qty_lots")), strict=True
    )
    for tick, changes in itertools.groupby(rows, key=lambda row: row[0]):
        for _, side, price, lots in changes:
            if lots:
                book[side][price] = lots
            else:
                book[side].pop(price, None)
        yield tick, *book


def rows_of(columns: Columns) -> list[tuple[int, ...]]:
    return list(zip(*(getattr(columns, f.name).tolist() for f in fields(columns)), strict=True))


def same(a: Block, b: Block) -> bool:
    return all(
        rows_of(getattr(a, name)) == rows_of(getattr(b, name)) for name in ("quotes", "prints", "levels")
    )


# ---------------------------------------------------------------- what every minute owes
def check_bar(market: HyperSynthReactor, plan: MinutePlan) -> None:
    """The plan's counts, prices, volumes and ids, exactly."""
    prints, spread = market.block(plan.k).prints, plan.spread_ticks
    price, lots, side = prints.price_ticks, prints.qty_lots, prints.side
    assert len(prints) == plan.n_prints
    assert prints.trade_id.tolist() == list(range(plan.first_trade_id, plan.first_trade_id + plan.n_prints))
    if not plan.n_prints:
        return
    low, high = int(plan.bid_ticks.min()), int(plan.bid_ticks.max())
    assert price[0] == plan.bid_ticks[0] + spread * (plan.open_side == Side.BUY)
    assert price[-1] == plan.bid_ticks[60] + spread * (plan.close_side == Side.BUY)
    assert (side[0], side[-1]) == (plan.open_side, plan.close_side)
    assert (price.min(), price.max()) == (low, high + spread)
    for wanted, volume, units, floor in (
        (Side.BUY, plan.buy_lots, plan.buy_quote_units, low + spread),
        (Side.SELL, plan.sell_lots, plan.sell_quote_units, low),
    ):
        mine = side == wanted
        assert int(lots[mine].sum()) == volume
        assert int((lots[mine] * price[mine]).sum()) == units
        assert (price[mine].min(), price[mine].max()) == (floor, floor + high - low)
    assert lots.min() >= 1
    assert (np.diff(prints.ts_ns) >= 0).all()
    assert prints.ts_ns[0] >= plan.start_ns
    assert prints.ts_ns[-1] < plan.start_ns + BLOCK_NS
    for ids, first, count in (
        (prints.agg_id, plan.first_agg_id, plan.n_agg),
        (prints.order_id, plan.first_order_id, plan.n_orders),
    ):
        assert (int(ids[0]), int(ids[-1])) == (first, first + count - 1)
        assert set(np.diff(ids).tolist()) <= {0, 1}
    # One order: one instant, one side. One aggregate: one order and one price.
    assert len(set(zip(prints.order_id, prints.ts_ns, prints.side, strict=True))) == plan.n_orders
    assert len(set(zip(prints.agg_id, prints.order_id, price, strict=True))) == plan.n_agg


def check_book(market: HyperSynthReactor, plan: MinutePlan) -> None:
    """Uncrossed and equal to the quoted touch at every tick end, and the next keyframe after the last."""
    frame, block = market.keyframe(plan.k), market.block(plan.k)
    quotes, levels = block.quotes, block.levels
    assert (frame.ts_ns, frame.update_id) == (plan.start_ns, plan.update_id)
    assert (frame.bid_ticks[0], frame.ask_ticks[0]) == (
        plan.bid_ticks[0],
        plan.bid_ticks[0] + plan.spread_ticks,
    )
    keys = list(zip(levels.tick.tolist(), levels.side.tolist(), levels.price_ticks.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert levels.price_ticks.min() > 0
    assert levels.qty_lots.min() >= 0
    touches = {
        frame.ts_ns // TICK_NS - 1: [
            int(c[0]) for c in (frame.bid_ticks, frame.bid_lots, frame.ask_ticks, frame.ask_lots)
        ]
    }
    for ts_ns, *touch, _ in rows_of(quotes):
        touches[ts_ns // TICK_NS] = touch
    touch = touches.pop(frame.ts_ns // TICK_NS - 1)
    bids: dict[int, int] = {}
    asks: dict[int, int] = {}
    for tick, bids, asks in replay(market, plan.k):
        touch = touches.pop(tick, touch)
        bid, ask = max(bids), min(asks)
        assert bid < ask
        assert [bid, bids[bid], ask, asks[ask]] == touch
    assert not touches, "a tick with a quote has a level row"
    assert (bids, asks) == as_dicts(market.keyframe(plan.k + 1))


def check_path(market: HyperSynthReactor, plan: MinutePlan) -> None:
    """The bid stands on the grid at every whole second and always between its extremes; the sides never come
    nearer than the spread.
    """
    quotes = market.block(plan.k).quotes
    seconds = plan.start_ns + SECOND_NS * np.arange(61)
    row = np.searchsorted(quotes.ts_ns, seconds, side="right") - 1
    bid = np.where(row >= 0, quotes.bid_ticks[row], plan.bid_ticks[0])
    ask = np.where(row >= 0, quotes.ask_ticks[row], plan.bid_ticks[0] + plan.spread_ticks)
    assert bid.tolist() == plan.bid_ticks.tolist()
    assert (ask - bid == plan.spread_ticks).all()
    assert quotes.bid_ticks.min() >= plan.bid_ticks.min()
    assert quotes.ask_ticks.max() <= plan.bid_ticks.max() + plan.spread_ticks
    assert (quotes.ask_ticks - quotes.bid_ticks).min() >= plan.spread_ticks
    assert min(quotes.bid_lots.min(), quotes.ask_lots.min()) > 0


def check_update_ids(market: HyperSynthReactor, plan: MinutePlan) -> None:
    """Ids grow from quote to quote and from tick to tick, agree with each other and end where the next minute
    begins.
    """
    block = market.block(plan.k)
    quotes, levels = block.quotes, block.levels
    assert (np.diff(quotes.update_id) > 0).all()
    assert (np.diff(quotes.ts_ns) >= 0).all()
    new_tick = np.diff(levels.tick) > 0
    assert ((np.diff(levels.update_id) > 0) == new_tick).all()
    assert levels.update_id[0] > plan.update_id
    assert levels.update_id[-1] == plan.next_update_id
    assert levels.tick[-1] == (plan.start_ns + BLOCK_NS) // TICK_NS - 1
    if len(quotes):
        assert quotes.update_id[0] > plan.update_id
        tick_id = dict(zip(levels.tick.tolist(), levels.update_id.tolist(), strict=True))
        ids = list(tick_id.items())
        before = dict(zip([t for t, _ in ids[1:]], [i for _, i in ids], strict=False))
        for ts_ns, *_, update_id in rows_of(quotes):
            tick = ts_ns // TICK_NS
            assert before.get(tick, plan.update_id) < update_id <= tick_id[tick]


def check_orders_meet_the_book(market: HyperSynthReactor, plan: MinutePlan) -> None:
    """Every order prints first at the touch quoted just before it, takes it all before it takes the next level, and
    leaves what it did not take.
    """
    block, frame = market.block(plan.k), market.keyframe(plan.k)
    start = [int(c[0]) for c in (frame.bid_ticks, frame.bid_lots, frame.ask_ticks, frame.ask_lots)]
    quotes = [(plan.start_ns - 1, *start), *[row[:5] for row in rows_of(block.quotes)]]
    times = [row[0] for row in quotes]
    for _, group in itertools.groupby(rows_of(block.prints), key=lambda row: row[6]):
        prints = list(group)
        ts_ns, _, _, side = prints[0][:4]
        before = quotes[bisect_left(times, ts_ns) - 1]
        after = quotes[bisect_right(times, ts_ns) - 1]
        best = 1 if side == Side.SELL else 3
        at_best = sum(row[2] for row in prints if row[1] == before[best])
        assert prints[0][1] == before[best]
        assert at_best <= before[best + 1]
        assert all((row[1] - before[best]) * side >= 0 for row in prints)
        assert all((after[best] - row[1]) * side >= 0 for row in prints)
        if after[best] == before[best]:
            assert after[best + 1] == before[best + 1] - at_best
        else:
            assert at_best == before[best + 1]


CHECKS = (check_bar, check_book, check_path, check_update_ids, check_orders_meet_the_book)
SHAPES = {
    "busy": Shape(6_500, 720),
    "flat": Shape(0, 300),
    "one tick": Shape(1, 40),
    "nine ticks, least volume": Shape(9, 64, lots_per_print=1),
    "thin": Shape(40, 8, 1),
    "thin, one print each, no room": Shape(0, 8, 1, lots_per_print=1),
    "few orders, long way": Shape(30_000, 8, 1, lots_per_print=1, centre=0.875),
    "bought at the top": Shape(5_000, 100, centre=0.875, lots_per_print=1),
    "bought at the bottom": Shape(5_000, 100, centre=0.125, lots_per_print=1),
    "nobody": Shape(300, 0),
    "nobody and nothing": Shape(0, 0),
    "crash": Shape(150_000, 2_000),
    "burst": Shape(900, 6_000),
    "sweeps of few": Shape(60_000, 16, 9),
}


def cases() -> Iterator[Any]:
    """Every shape on every instrument whose price leaves it room."""
    for instrument, manifest in MANIFESTS.items():
        price_ticks = manifest.initial_price * 10**instrument.price_decimals / instrument.tick_size
        for name, shape in SHAPES.items():
            if shape.span < price_ticks / 4:
                yield pytest.param(instrument, shape, id=f"{instrument.market}, {name}")


@pytest.mark.parametrize(("instrument", "shape"), list(cases()))
def test_a_minute_keeps_its_promises(instrument: Instrument, shape: Shape) -> None:
    """Minutes of every shape keep every promise of the plan and of the book."""
    market = scripted(instrument, shape, seed=shape.span + shape.orders)
    for check in CHECKS:
        check(market, market.skeleton.plan(0))


@pytest.mark.parametrize("instrument", MANIFESTS, ids=lambda i: i.market)
def test_minutes_follow_each_other(instrument: Instrument) -> None:
    """Natural minutes around the origin, a calm one after a wild one, keep every promise."""
    market = natural(instrument, volatility=2.0, clustering=0.5)
    for k in range(-3, 5):
        for check in CHECKS:
            check(market, market.skeleton.plan(k))


def test_a_touch_that_cannot_change_still_ends_on_the_next_minute() -> None:
    """Where the queues are always of the least size and nobody trades, ids and keyframes join up all the same."""
    market = natural(THIN, trade_intensity_base=0.001, touch_notional=1.0, volatility=0.05)
    for k in range(5):
        for check in CHECKS:
            check(market, market.skeleton.plan(k))


PARAMETERS = [f.name for f in fields(SimulationManifest)]
OF_BLOCKS = PARAMETERS[PARAMETERS.index("activity_burstiness") :]  # the others shape the plan


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_may_take_either_end_of_its_range(name: str) -> None:
    """At both ends minutes keep their promises, and a parameter that shapes blocks changes them."""
    low, high = next(f.metadata["range"] for f in fields(SimulationManifest) if f.name == name)
    whole = isinstance(getattr(MANIFESTS[THIN], name), int)
    high = {"initial_price": 1_000.0, "trade_intensity_base": 50.0}.get(name, high)
    busy: dict[str, Any] = {"trade_intensity_base": 1.0, "flicker_intensity": 1.0}
    markets = [natural(THIN, **busy | {name: int(v) if whole else v}) for v in (low, high)]
    for market in markets:
        for check in CHECKS:
            check(market, market.skeleton.plan(1))
    if name in OF_BLOCKS:
        assert not same(markets[0].block(1), markets[1].block(1))


def test_a_price_of_too_many_ticks_is_refused() -> None:
    """An initial price no sort key can hold is the operator's error, by the parameter's name."""
    with pytest.raises(ManifestError, match="initial_price"):
        natural(THIN, initial_price=2_000.0)


def test_random_shapes_keep_their_promises() -> None:
    """Shapes nobody chose: any range, count, volume and average price the plan allows."""
    rng = np.random.default_rng(11)
    for seed in range(25):
        instrument = (SPOT, PERP, THIN)[seed % 3]
        shape = Shape(
            span=int(rng.choice([0, 1, 2, 3, 7, 50, 800, 4_000])),
            orders=int(rng.choice([0, 8, 9, 15, 16, 17, 40, 200])),
            prints_per_order=int(rng.integers(1, 5)),
            lots_per_print=int(rng.choice([1, 2, 30, 5_000])),
            centre=float(rng.uniform(0.125, 0.875)),
            extra_levels=float(rng.uniform(0, 1)),
        )
        market = scripted(instrument, shape, seed=seed)
        for check in CHECKS:
            check(market, market.skeleton.plan(0))


# ---------------------------------------------------------------- any order, any thread
@pytest.mark.parametrize("instrument", MANIFESTS, ids=lambda i: i.market)
def test_blocks_do_not_depend_on_what_was_asked_before(instrument: Instrument) -> None:
    """Blocks asked in a shuffled order of another object, far ones in between, have the same rows."""
    walked, jumped = natural(instrument), natural(instrument)
    ks = list(range(-2, 6))
    expected = {k: walked.block(k) for k in ks}
    for k in (3, -2, 5, 900, 0, 4, -1, 1, -2, 2):
        assert k not in expected or same(jumped.block(k), expected[k])


def test_threads_see_one_tape() -> None:
    """Four threads that ask one market for blocks, windows and books at once get what one thread gets."""
    alone, shared = natural(SPOT), natural(SPOT)
    instants = [ORIGIN_NS + s * 7 * SECOND_NS for s in range(40)]

    def look(market: HyperSynthReactor, at_ns: int) -> object:
        block = market.window(at_ns, at_ns + 10 * SECOND_NS)
        return (
            rows_of(block.levels),
            rows_of(block.prints),
            as_dicts(market.book(at_ns)),
            market.update_id(at_ns),
        )

    expected = [look(alone, at_ns) for at_ns in instants]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda at_ns: look(shared, at_ns), instants)) == expected


def test_seeds_and_markets_differ() -> None:
    """Another seed, or another market of the same asset, has another tape."""
    block = natural(SPOT).block(0)
    assert not same(block, natural(SPOT, seed=8).block(0))
    renamed = replace(SPOT, market="elsewhere:BTC")
    MANIFESTS[renamed] = MANIFESTS[SPOT]
    try:
        assert not same(block, natural(renamed).block(0))
    finally:
        del MANIFESTS[renamed]


# ---------------------------------------------------------------- any instant
@pytest.fixture(scope="module")
def market() -> HyperSynthReactor:
    return natural(SPOT)


def test_windows_tile_the_tape(market: HyperSynthReactor) -> None:
    """Windows laid end to end over three blocks hold exactly the blocks' rows."""
    edges = [0, 1, 1, 250, 5_990, 6_000, 6_001, 11_000, 12_010, 18_000]
    parts = [
        market.window(ORIGIN_NS + a * TICK_NS, ORIGIN_NS + b * TICK_NS) for a, b in itertools.pairwise(edges)
    ]
    blocks = [market.block(k) for k in range(3)]
    for name in ("quotes", "prints", "levels"):
        joined = [row for part in parts for row in rows_of(getattr(part, name))]
        assert joined == [row for block in blocks for row in rows_of(getattr(block, name))]
    for part, (a, b) in zip(parts, itertools.pairwise(edges), strict=True):
        assert (part.start_ns, part.end_ns) == (ORIGIN_NS + a * TICK_NS, ORIGIN_NS + b * TICK_NS)
        assert all(a <= t - ORIGIN_NS // TICK_NS < b for t in part.levels.tick.tolist())
        assert all(
            part.start_ns <= t < part.end_ns
            for t in [*part.quotes.ts_ns.tolist(), *part.prints.ts_ns.tolist()]
        )


def test_the_book_at_an_instant_is_the_replayed_one(market: HyperSynthReactor) -> None:
    """book, update_id and quote at tick boundaries equal a replay of the level rows, at block edges too."""
    start = ORIGIN_NS // TICK_NS
    states = {
        start: as_dicts(market.keyframe(0)),
        **{t + 1: (dict(b), dict(a)) for t, b, a in replay(market, 0) if t % 97 < 3},
    }
    for boundary, (bids, asks) in states.items():
        at_ns = boundary * TICK_NS
        book, quote = market.book(at_ns), market.quote(at_ns)
        assert as_dicts(book) == (bids, asks)
        assert book.ts_ns == at_ns
        assert book.bid_ticks.tolist() == sorted(bids, reverse=True)
        assert book.ask_ticks.tolist() == sorted(asks)
        assert book.update_id == market.update_id(at_ns)
        assert rows_of(quote)[0][1:5] == (max(bids), bids[max(bids)], min(asks), asks[min(asks)])
        assert quote.ts_ns[0] <= at_ns
        assert quote.update_id[0] <= book.update_id
    edge = ORIGIN_NS + BLOCK_NS
    assert market.book(edge).update_id == market.keyframe(1).update_id == market.block(0).levels.update_id[-1]


def test_newest_prints_reach_over_blocks(market: HyperSynthReactor) -> None:
    """prints_before walks back over minutes, is ascending and stops before the instant."""
    at_ns = ORIGIN_NS + 2 * BLOCK_NS + 30 * SECOND_NS
    everything = [row for k in range(3) for row in rows_of(market.block(k).prints) if row[0] < at_ns]
    for limit in (1, 10, len(everything) - 5):
        assert rows_of(market.prints_before(at_ns, limit)) == everything[-limit:]
    edge = ORIGIN_NS + 2 * BLOCK_NS
    assert rows_of(market.prints_before(edge, 3)) == rows_of(market.block(1).prints)[-3:]


def test_newest_prints_of_a_market_that_hardly_trades() -> None:
    """Minutes without prints are skipped."""
    market = natural(THIN, trade_intensity_base=0.01)
    prints = market.prints_before(ORIGIN_NS + 500 * BLOCK_NS, 30)
    assert np.diff(prints.trade_id).tolist() == [1] * 29


def test_prints_are_found_by_id() -> None:
    """Rows from an id on are the rows a walk finds, over minutes and days, cut at the instant asked about."""
    world = MarketOrchestrationCore(7, ORIGIN_NS, [(SPOT, profile("BTC", "spot"))])
    market = world.market(SPOT.market)
    at_ns = ORIGIN_NS + 2 * BLOCK_NS + 30 * SECOND_NS
    walked = market.window(ORIGIN_NS - BLOCK_NS, at_ns).prints
    found = market.prints_from_trade(int(walked.trade_id[5]), 1000, at_ns)
    assert found.trade_id.tolist() == walked.trade_id[5:1005].tolist()
    last = market.prints_from_trade(int(walked.trade_id[-3]), 1000, at_ns)
    assert last.trade_id.tolist() == walked.trade_id[-3:].tolist()
    by_agg = market.prints_from_agg(int(walked.agg_id[0]), 20, at_ns)
    assert by_agg.trade_id.tolist() == walked.trade_id[walked.agg_id < walked.agg_id[0] + 20].tolist()
    assert len(market.prints_from_trade(int(walked.trade_id[-1]) + 1, 10, at_ns)) == 0

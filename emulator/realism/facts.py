"""Stylized facts of one stretch of a market's tape, and of its minute bars over many days.

A fact is a number with a name that `targets.json` knows; a curve is what a plot shows of it. Prints are looked at as
exchanges publish them, with times in milliseconds; neighbours of one millisecond and side are one *order*.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from emulator.realism import estimators as est
from emulator.realism.estimators import Floats
from reactor.fixed import begins, ends
from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    MS_NS,
    SECOND_NS,
    TICK_NS,
    Block,
    BookSide,
    BookSnapshot,
    Column,
    Minutes,
)
from reactor.values import dataclass

DEPTH = 20  # levels of a side that are looked at
SAMPLE_NS = MESSAGE_NS = 100 * MS_NS  # the book is sampled, and its changes are published, ten times a second
_REACH = 1 << 14  # ticks behind the touch in which the best levels are looked for
_SPREADS = np.array(
    [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024]
)  # ticks: what a bin of spreads starts with
_DECADES = np.geomspace(1e-3, 1e3, 61)
_MINUTE_LAGS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """What happened in [block.start_ns, block.end_ns), and the book at its start."""

    opening: BookSnapshot
    block: Block


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Facts by name, and curves by name as (x, y)."""

    facts: Mapping[str, float]
    curves: Mapping[str, tuple[Floats, Floats]]


# ---------------------------------------------------------------- a stretch of tape
def measure(tape: Tape) -> Measured:
    """The facts of a stretch of tape; NaN where it is too short or too quiet for one."""
    parts = [_trades(tape), _prices(tape), _touch(tape), _flow(tape), _depth(tape), _changes(tape)]
    return Measured(
        {name: value for part in parts for name, value in part.facts.items()},
        {name: curve for part in parts for name, curve in part.curves.items()},
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Orders:
    ts_ns: Column  # exact, for what held before
    ms_ns: Column  # as published
    side: Column
    price: Column
    lots: Floats


def _orders(tape: Tape) -> _Orders:
    prints = tape.block.prints
    ms_ns = prints.ts_ns - prints.ts_ns % MS_NS
    first = np.flatnonzero(begins(ms_ns, prints.side))
    lots = np.add.reduceat(prints.qty_lots, first) if len(first) else prints.qty_lots
    return _Orders(
        prints.ts_ns[first],
        ms_ns[first],
        prints.side[first],
        prints.price_ticks[first],
        lots.astype(np.float64),
    )


def _mid(tape: Tape) -> Floats:
    return (tape.block.quotes.bid_ticks + tape.block.quotes.ask_ticks) / 2


def _span(tape: Tape) -> tuple[int, int]:
    """From when both streams have begun until one ends."""
    quotes, prints = tape.block.quotes.ts_ns, tape.block.prints.ts_ns
    if not len(quotes) or not len(prints):
        return tape.block.start_ns, tape.block.start_ns
    return max(int(quotes[0]), int(prints[0])), min(int(quotes[-1]), int(prints[-1]))


def _seconds(tape: Tape) -> float:
    return (tape.block.end_ns - tape.block.start_ns) / SECOND_NS


def _trades(tape: Tape) -> Measured:
    prints, orders = tape.block.prints, _orders(tape)
    ms_ns = prints.ts_ns - prints.ts_ns % MS_NS
    gaps, order_gaps = np.diff(ms_ns) / SECOND_NS, np.diff(orders.ms_ns) / SECOND_NS
    fano = {seconds: est.fano(ms_ns, seconds * SECOND_NS) for seconds in (1, 10)}
    signs = est.autocorrelation(orders.side, 400)
    sizes = np.sort(np.unique(prints.qty_lots, return_counts=True)[1])[::-1]
    lags = np.unique(np.geomspace(1, 400, 40).astype(np.int64))
    median_lots = est.quantile(orders.lots, 0.5)
    return Measured(
        {
            "trades.prints_per_s": est.ratio(len(prints), _seconds(tape)),
            "trades.orders_per_s": est.ratio(len(orders.side), _seconds(tape)),
            "trades.prints_per_order": est.ratio(len(prints), len(orders.side)),
            "trades.duration_cv": est.variation(gaps),
            "trades.order_duration_cv": est.variation(order_gaps),
            "trades.fano_1s": fano[1],
            "trades.fano_growth": est.ratio(fano[10], fano[1]),
            "trades.same_ms_share": est.mean(gaps < 1e-3),
            "trades.branching_prints": est.branching_ratio(fano[10]),
            "trades.branching_orders": est.branching_ratio(est.fano(orders.ms_ns, 10 * SECOND_NS)),
            "orders.sign_acf_1": float(signs[1]),
            "orders.sign_decay": est.decay_exponent(signs, 1, 100),
            "orders.sign_acf_10_50": float(signs[10:51].mean()),
            "orders.size_hill": est.hill(orders.lots, 0.05),
            "trades.size_mean_to_median": est.ratio(
                est.mean(prints.qty_lots), est.quantile(prints.qty_lots, 0.5)
            ),
            "trades.commonest_sizes": est.ratio(sizes[:10].sum(), len(prints)),
        },
        {
            "durations": (_DECADES, est.exceedance(order_gaps / est.mean(order_gaps), _DECADES)),
            "sizes": (_DECADES, est.exceedance(orders.lots / median_lots, _DECADES)),
            "signs": (lags.astype(np.float64), signs[lags]),
        },
    )


def _prices(tape: Tape) -> Measured:
    quotes, prints = tape.block.quotes, tape.block.prints
    start_ns, end_ns = _span(tape)
    log_mid = np.log(_mid(tape))

    def returns(step_ns: int, offset_ns: int = 0) -> Floats:
        at_ns = est.grid(start_ns + offset_ns, end_ns, step_ns)
        return np.diff(est.last_at(quotes.ts_ns, log_mid, at_ns)) if len(at_ns) else np.zeros(0)

    tenth, second = returns(SECOND_NS // 10), returns(SECOND_NS)
    ten = np.concatenate([returns(10 * SECOND_NS, k * SECOND_NS) for k in range(10)])
    size_acf = est.autocorrelation(np.abs(second), 60)
    # The variation of each second is what its five parts add up to.
    fifths = np.abs(returns(SECOND_NS // 5))
    realised = fifths[: len(second) * 5].reshape(-1, 5).sum(1)
    volume = est.summed(prints.ts_ns, prints.qty_lots, est.grid(start_ns, end_ns, SECOND_NS))[: len(realised)]
    return Measured(
        {
            "returns.deviation_1s_bp": est.deviation(second) * 1e4,
            "returns.acf_1s": float(est.autocorrelation(second, 1)[1]),
            "returns.acf_orders": float(est.autocorrelation(np.diff(_orders(tape).price), 1)[1]),
            "returns.kurtosis_1s": est.excess_kurtosis(second),
            "returns.kurtosis_10s": est.excess_kurtosis(ten),
            "returns.size_acf_1s_1_10": float(size_acf[1:11].mean()),
            "returns.size_acf_1s_11_60": float(size_acf[11:61].mean()),
            "returns.hill_1s": est.hill(second, 0.1),
            "returns.signature": 100 * est.ratio(est.deviation(tenth), est.deviation(ten)) ** 2,
            "returns.volume_volatility_1s": _log_correlation(volume, realised),
        },
        {"returns_1s": _density(second)},
    )


def _log_correlation(volume: Floats, variation: Floats) -> float:
    """The correlation of the two on a scale that large values do not rule."""
    if not volume.sum() or not variation.sum():
        return math.nan
    return est.correlation(np.log1p(volume / volume.mean()), np.log1p(variation / variation.mean()))


def _density(returns: Floats) -> tuple[Floats, Floats]:
    """The density of standardised returns at the middles of half deviations, out to ten; 0 where there are none."""
    edges = np.linspace(-10.25, 10.25, 42)
    middles = (edges[1:] + edges[:-1]) / 2
    deviation = returns.std() if len(returns) else 0.0
    if not deviation:
        return middles, np.zeros(len(middles))
    counts = np.histogram((returns - returns.mean()) / deviation, edges)[0]
    return middles, counts / (len(returns) * (edges[1] - edges[0]))


def _touch(tape: Tape) -> Measured:
    quotes, mid = tape.block.quotes, _mid(tape)
    gaps = np.diff(quotes.ts_ns) / SECOND_NS
    spread = quotes.ask_ticks - quotes.bid_ticks
    held = spread[:-1]
    moved = np.flatnonzero(np.diff(mid))
    jumps = np.abs(np.diff(mid))[moved]
    # Episodes in which the spread is open: from the first row of more than one tick to the first that is closed again.
    edges = np.flatnonzero(np.diff((spread > 1).astype(np.int8), prepend=0, append=0))
    opens, closes = edges[::2], np.minimum(edges[1::2], max(len(spread) - 1, 0))
    # The share of the best bid in the touch, and whether the next move of the mid is up, while the spread is one tick.
    share = quotes.bid_lots / np.maximum(quotes.bid_lots + quotes.ask_lots, 1)
    ahead = np.searchsorted(moved, np.arange(len(held)))
    known = np.flatnonzero((ahead < len(moved)) & (held == 1))
    rises = mid[moved[ahead[known]] + 1] > mid[moved[ahead[known]]]
    decile = np.minimum((share[known] * 10).astype(np.int64), 9)
    seen = np.bincount(decile, minlength=10)
    up = (np.bincount(decile, rises, minlength=10) + 1) / (seen + 2)  # a prior of one rise and one fall
    middles = np.arange(0.05, 1, 0.1)
    time_at = np.bincount(np.minimum((share[:-1] * 10).astype(np.int64), 9), gaps, minlength=10)
    wide = np.add.reduceat(np.bincount(np.clip(held, 0, _SPREADS[-1] - 1), gaps, _SPREADS[-1]), _SPREADS[:-1])
    return Measured(
        {
            "touch.one_tick_time": est.ratio(gaps[held == 1].sum(), gaps.sum()),
            "touch.spread_ticks": est.ratio((held * gaps).sum(), gaps.sum()),
            "touch.crossed": est.mean(spread <= 0),
            "touch.updates_per_s": est.ratio(len(spread), _seconds(tape)),
            "touch.updates_per_print": est.ratio(len(spread), len(tape.block.prints)),
            "touch.update_gap_cv": est.variation(gaps),
            "touch.moves_per_s": est.ratio(len(moved), _seconds(tape)),
            "touch.jump_median_ticks": est.quantile(jumps, 0.5),
            "touch.jump_p90_to_median": est.ratio(
                est.quantile(jumps, 0.9), max(est.quantile(jumps, 0.5), 0.5)
            ),
            "touch.open_per_s": est.ratio(len(opens), _seconds(tape)),
            "touch.open_median_ms": est.quantile((quotes.ts_ns[closes] - quotes.ts_ns[opens]) / MS_NS, 0.5),
            "touch.moves_while_open": est.mean((spread[moved] > 1) | (spread[moved + 1] > 1)),
            "touch.imbalance_auc": est.auc(share[known], rises),
            "touch.imbalance_slope": est.slope(middles, np.log(up / (1 - up)), (seen + 1).astype(np.float64)),
            "touch.imbalance_u": est.ratio(time_at[0] + time_at[9], time_at[4] + time_at[5]),
            "touch.queue_cv": est.variation(quotes.bid_lots[:-1], gaps),
        },
        {
            "spread": (np.sqrt(_SPREADS[:-1] * (_SPREADS[1:] - 1.0)), wide / max(float(gaps.sum()), 1e-9)),
            "imbalance": (middles, np.where(seen >= 50, up, np.nan)),
        },
    )


def _flow(tape: Tape) -> Measured:
    quotes, prints, orders, mid = tape.block.quotes, tape.block.prints, _orders(tape), _mid(tape)
    start_ns, end_ns = _span(tape)
    # An order meets the quote before it; the very first ones may have none on this tape.
    met = orders.ts_ns > (quotes.ts_ns[0] if len(quotes) else end_ns)
    before = est.last_before(quotes.ts_ns, orders.ts_ns[met])
    side, price, ts_ns = orders.side[met], orders.price[met], orders.ts_ns[met]
    if len(side) < 2:
        return Measured({}, {})
    at_touch = np.where(side > 0, price >= quotes.ask_ticks[before], price <= quotes.bid_ticks[before])
    mids, half = mid[before], est.mean((quotes.ask_ticks - quotes.bid_ticks)[before]) / 2
    lags = np.unique(np.geomspace(1, 300, 24).astype(np.int64))
    responses = np.array([est.response(mids, side, lag) for lag in lags])
    at_1, at_100 = (est.response(mids, side, lag) for lag in (1, 100))

    later = ts_ns < end_ns - SECOND_NS
    a_second_on = est.last_at(quotes.ts_ns, mid, ts_ns[later] + SECOND_NS)
    signed = prints.qty_lots * prints.side

    def moves_and_flow(step_ns: int) -> tuple[Floats, Floats, Column]:
        at_ns = est.grid(start_ns, end_ns, step_ns)
        if not len(at_ns):
            return np.zeros(0), np.zeros(0), at_ns
        return np.diff(est.last_at(quotes.ts_ns, mid, at_ns)), est.summed(prints.ts_ns, signed, at_ns), at_ns

    moves, flow, seconds_ns = moves_and_flow(SECOND_NS)
    imbalance = est.order_flow_imbalance(
        quotes.bid_ticks,
        quotes.bid_lots.astype(np.float64),
        quotes.ask_ticks,
        quotes.ask_lots.astype(np.float64),
    )
    demand = est.summed(quotes.ts_ns[1:], imbalance, seconds_ns) if len(seconds_ns) else np.zeros(0)
    pair_moves, pair_flow, _ = moves_and_flow(2 * SECOND_NS)
    volume, impact = est.impact_curve(pair_flow, pair_moves)
    return Measured(
        {
            "impact.at_touch": est.mean(at_touch),
            "impact.response_1": est.ratio(at_1, half),
            "impact.response_growth": at_100 / at_1 if at_1 > 0 else math.nan,
            "impact.moves_between_orders": est.mean(np.diff(mids) != 0),
            "impact.exponent": est.concavity(volume, impact),
            "impact.ofi_r2_1s": est.correlation(demand, moves) ** 2,
            "impact.flow_correlation_1s": est.correlation(flow, moves),
            "impact.adverse_1s": est.ratio(est.mean((a_second_on - mids[later]) * side[later]), half),
        },
        {
            "response": (lags.astype(np.float64), responses / (est.deviation(moves) or math.nan)),
            "impact": (
                volume / est.mean(np.abs(pair_flow)),
                impact / (est.mean(np.abs(pair_moves)) or math.nan),
            ),
        },
    )


# ---------------------------------------------------------------- the book
def _depth(tape: Tape) -> Measured:
    prices, lots = best_levels(tape)
    if not len(prices):
        return Measured({}, {})
    distance = np.abs(prices - prices[:, :, :1])
    both = lots.reshape(-1, DEPTH)
    by_level = both.mean(0)
    extent = float(np.median(distance[:, :, -1]))
    top = np.log(lots[:, :, :5].sum(2))
    levels = np.arange(1.0, DEPTH + 1)
    return Measured(
        {
            "depth.extent_ticks": extent,
            "depth.largest_level": float(np.argmax(by_level[1:]) + 2),
            "depth.touch_share": est.ratio(by_level[0], by_level.sum()),
            "depth.level_cv": est.mean(both.std(1) / both.mean(1)),
            "depth.side_correlation": est.correlation(top[:, 0], top[:, 1]),
            "depth.empty_share": 1 - DEPTH / max(extent + 1, DEPTH),
        },
        {"depth": (levels, by_level / by_level[0])},
    )


def best_levels(tape: Tape, step_ns: int = SAMPLE_NS) -> tuple[Column, Column]:
    """Prices (ticks) and quantities (lots) of the best 20 levels, each of shape (samples, side, 20), at every step_ns
    of the tape; a sample is left out when a side has fewer in reach.
    """
    opening, quotes = tape.opening, tape.block.quotes
    if not len(quotes):
        return np.zeros((0, 2, DEPTH), np.int64), np.zeros((0, 2, DEPTH), np.int64)
    at_ns = est.grid(tape.block.start_ns + step_ns, tape.block.end_ns + 1, step_ns)
    last = est.last_before(quotes.ts_ns, at_ns)
    # A level's rank grows away from the market: prices of asks, negated prices of bids.
    bid_ranks, bid_lots = _best(
        tape, BookSide.BID, -opening.bid_ticks, opening.bid_lots, -quotes.bid_ticks[last], at_ns
    )
    ask_ranks, ask_lots = _best(
        tape, BookSide.ASK, opening.ask_ticks, opening.ask_lots, quotes.ask_ticks[last], at_ns
    )
    whole = (bid_lots[:, -1] > 0) & (ask_lots[:, -1] > 0)
    return np.stack([-bid_ranks, ask_ranks], 1)[whole], np.stack([bid_lots, ask_lots], 1)[whole]


def _best(
    tape: Tape, side: BookSide, resting: Column, resting_lots: Column, touch: Column, at_ns: Column
) -> tuple[Column, Column]:
    """Ranks and quantities of the best 20 levels of a side at each instant; `touch` is the best one's rank then.

    Levels are replayed into an array over all ranks in reach. Where there are fewer than 20, quantities are 0.
    """
    levels, first = tape.block.levels, int(touch.min())
    rows = np.flatnonzero(levels.side == side)
    places = (levels.price_ticks[rows] if side == BookSide.ASK else -levels.price_ticks[rows]) - first
    lots = np.zeros(int(touch.max()) - first + _REACH, np.int64)
    in_reach = (resting >= first) & (resting < first + len(lots))
    lots[resting[in_reach] - first] = resting_lots[in_reach]
    in_reach = (places >= 0) & (places < len(lots))
    rows, places = rows[in_reach], places[in_reach]
    new_lots = levels.qty_lots[rows]
    stops = np.searchsorted(levels.tick[rows], at_ns // TICK_NS)
    found, found_lots = np.zeros((2, len(at_ns), DEPTH), np.int64)
    start = 0
    for i, (stop, best) in enumerate(zip(stops.tolist(), (touch - first).tolist(), strict=True)):
        lots[places[start:stop]] = new_lots[start:stop]  # of several rows of a price the last one stands
        start = stop
        at = best + np.flatnonzero(lots[best : best + _REACH])[:DEPTH]
        found[i, : len(at)], found_lots[i, : len(at)] = at + first, lots[at]
    return found, found_lots


def _changes(tape: Tape) -> Measured:
    """Changes of levels, as a stream of ten messages a second publishes them: of each price the last one."""
    levels, opening = tape.block.levels, tape.opening
    message = levels.tick // (MESSAGE_NS // TICK_NS)
    order = np.lexsort((levels.tick, levels.price_ticks, levels.side))
    side, price = levels.side[order], levels.price_ticks[order]
    message, lots = message[order], levels.qty_lots[order]
    level_ends = ends(side) | ends(price)
    kept = level_ends | ends(message)
    side, price, lots = side[kept], price[kept], lots[kept]
    first = begins(side, price)
    before = np.where(first, 0, np.roll(lots, 1))
    for book_side, ticks, at_rest in (
        (BookSide.BID, opening.bid_ticks[::-1], opening.bid_lots[::-1]),
        (BookSide.ASK, opening.ask_ticks, opening.ask_lots),
    ):
        rows = np.flatnonzero(first & (side == book_side))
        if len(rows) and len(ticks):
            place = np.minimum(np.searchsorted(ticks, price[rows]), len(ticks) - 1)
            before[rows] = np.where(ticks[place] == price[rows], at_rest[place], 0)
    traded = tape.block.prints.qty_lots.sum()
    return Measured(
        {
            "changes.levels_per_s": est.ratio(len(lots), _seconds(tape)),
            "changes.per_print": est.ratio(len(lots), len(tape.block.prints)),
            "changes.removed_share": est.mean(lots == 0),
            "changes.cancelled_to_traded": est.ratio(np.maximum(before - lots, 0).sum(), traded),
        },
        {},
    )


# ---------------------------------------------------------------- minute bars
def measure_minutes(minutes: Minutes) -> Measured:
    """The facts of consecutive minute bars, which take days of them: NaN below one day."""
    if len(minutes) < DAY_NS // BLOCK_NS:
        return Measured({}, {})
    close, volume = np.log(minutes.close_ticks), minutes.volume_lots[1:].astype(np.float64)
    returns, hourly = np.diff(close), np.diff(close[::60])
    kurtosis, hourly_kurtosis = est.excess_kurtosis(returns), est.excess_kurtosis(hourly)
    size_acf = est.autocorrelation(np.abs(returns), _MINUTE_LAGS)
    hour = minutes.start_ns[1:] // (60 * BLOCK_NS) % 24
    by_hour = np.bincount(hour, volume, minlength=24) / np.bincount(hour, minlength=24)
    lags = np.unique(np.geomspace(1, _MINUTE_LAGS, 50).astype(np.int64))
    lagged = est.autocorrelation(returns, 1)
    return Measured(
        {
            "minutes.deviation_bp": float(returns.std() * 1e4),
            "minutes.kurtosis_1m": kurtosis,
            "minutes.kurtosis_1h": hourly_kurtosis,
            "minutes.kurtosis_decay": kurtosis / max(hourly_kurtosis, 0.1),
            "minutes.hill": est.hill(returns, 0.01),
            "minutes.acf_1": float(lagged[1]),
            "minutes.size_acf_1": float(size_acf[1]),
            "minutes.size_acf_decay": est.decay_exponent(size_acf, 1, _MINUTE_LAGS),
            "minutes.volume_volatility": _log_correlation(volume, np.abs(returns)),
            "minutes.season": est.ratio(by_hour.max(), by_hour.min()),
        },
        {
            "returns_1m": _density(returns),
            "size_acf": (lags.astype(np.float64), size_acf[lags]),
            "hours": (np.arange(24.0), by_hour / max(float(by_hour.mean()), 1e-9)),
        },
    )

"""Runs as columns: the tape's own rows, told late but in order, the same whoever makes them and in whatever order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from reactor.exchange.overlay import Overlay
from reactor.exchange.tape import TapeIndex
from reactor.feed import MARK_WINDOW_S, SyntheticTelemetryUplink
from reactor.manifest import SimulationManifest
from reactor.profiles import profile
from reactor.runner import TABLES, Run, Runner, Table, staleness
from reactor.types import BLOCK_NS, DAY_NS, MS_NS, SECOND_NS, BookSide, Instrument, Kind, Side

ORIGIN_NS = 1_767_225_600 * SECOND_NS + 617 * BLOCK_NS
PERP = Instrument("perp:SOL", "SOL", "SOL", "SOL", "USDC", Kind.PERP, 3, 1, 2, 1)


def run(**parameters: Any) -> Run:
    return Run(7, ORIGIN_NS, PERP, profile("SOL", "onchain perp", **parameters))


@cache
def rows(k: int, **parameters: Any) -> dict[str, Table]:
    return dict(Runner(run(**parameters)).minute(k))


def same(a: Table, b: Table) -> bool:
    return all(np.array_equal(a[name], b[name]) for name in a)


def test_tables_have_the_columns_they_promise() -> None:
    """By name and in order, all of one length, as int64, and nothing is empty in a busy minute."""
    minute = rows(0)
    assert list(minute) == list(TABLES)
    for name, table in minute.items():
        assert sorted(table) == sorted(TABLES[name])
        assert len({len(column) for column in table.values()}) == 1
        assert {column.dtype for column in table.values()} == {np.dtype(np.int64)}
        assert len(table["ts_ns"]) > 0


def test_minutes_come_out_alike_in_any_order() -> None:
    """Whoever begins in the middle, or goes backwards, has the rows of one that walked."""
    walked, back = Runner(run()), Runner(run())
    forwards = [walked.minute(k) for k in range(3)]
    backwards = [back.minute(k) for k in (2, 1, 0)][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        assert all(same(a[name], b[name]) for name in TABLES)


def test_updates_lead_from_snapshot_to_snapshot() -> None:
    """A minute's updates, applied to its snapshot, make the next one, whatever the interval they are gathered in."""
    for interval_ms in (10, 70, 100, 60_000):
        first, then = (rows(k, book_update_interval_ms=interval_ms) for k in (0, 1))
        book = levels(first["l2_snapshots"])
        updates = first["l2_updates"]
        for side, price, lots in zip(*(updates[c].tolist() for c in LEVEL), strict=True):
            book[side, price] = lots
        assert {level: lots for level, lots in book.items() if lots} == levels(then["l2_snapshots"])


LEVEL = ("side", "price_ticks", "qty_lots")


def levels(snapshot: Table) -> dict[tuple[int, int], int]:
    columns = (snapshot[name].tolist() for name in LEVEL)
    return {(side, price): lots for side, price, lots in zip(*columns, strict=True)}


def test_updates_are_gathered_in_their_interval() -> None:
    """Instants are whole intervals, a level is told once in each, and ids grow."""
    updates = rows(0, book_update_interval_ms=200)["l2_updates"]
    assert ((updates["ts_ns"] - ORIGIN_NS) % (200 * MS_NS) == 0).all()
    told = list(zip(*(updates[name].tolist() for name in ("ts_ns", "side", "price_ticks")), strict=True))
    assert len(set(told)) == len(told)
    assert told == sorted(told)
    ids = defaultdict(set)
    for ts_ns, update_id in zip(updates["ts_ns"].tolist(), updates["update_id"].tolist(), strict=True):
        ids[ts_ns].add(update_id)
    newest = [update_id for (update_id,) in ids.values()]
    assert newest == sorted(newest)


def test_news_is_late_but_in_order() -> None:
    """No row is told before it happened, or before the row before it, over the turn of minutes too."""
    minutes = [rows(k, staleness_ms=300.0, staleness_sigma=1.0) for k in range(3)]
    for name in ("trades", "bbo", "l2_updates"):
        ts_ns, published_ns = (
            np.concatenate([minute[name][column] for minute in minutes])
            for column in ("ts_ns", "published_ns")
        )
        assert (published_ns >= ts_ns + 1_000_000).all()
        assert (np.diff(published_ns) >= 0).all()
        assert (published_ns > ts_ns + 300 * MS_NS).mean() > 0.5


def test_staleness_has_its_median_and_its_spikes() -> None:
    """Half of the delays are below the median; the share of spikes lies far beyond the rest."""
    model = staleness(
        replace(
            SimulationManifest(),
            staleness_ms=4.0,
            staleness_sigma=0.2,
            staleness_spike_share=0.01,
            staleness_spike_factor=50.0,
        )
    )
    delays_ms = model.delays_ns / MS_NS
    assert np.median(delays_ms) == pytest.approx(4.0, rel=0.01)
    assert (delays_ms > 20).mean() == pytest.approx(0.01, abs=1e-4)
    assert np.median(delays_ms[delays_ms > 20]) == pytest.approx(200, rel=0.05)


def test_bursts_are_as_frequent_and_as_wild_as_told() -> None:
    """A tenth of the minutes, thirty times as active, on the same path of the price."""
    minutes = []
    for probability in (0.0, 0.1):
        manifest = profile(
            "SOL",
            "perp",
            burst_probability=probability,
            burst_intensity_factor=30.0,
            burst_duration_s=60.0,
        )
        market = Runner(Run(7, ORIGIN_NS, PERP, manifest)).market
        minutes.append(market.minutes(ORIGIN_NS, ORIGIN_NS + DAY_NS))
    calm, wild = minutes
    assert np.abs(calm.open_ticks - wild.open_ticks).max() <= 1  # bought or sold at
    ratio = wild.n_prints / np.maximum(calm.n_prints, 1)
    assert (ratio > 5).mean() == pytest.approx(0.1, abs=0.03)
    assert np.median(ratio[ratio > 5]) == pytest.approx(30, rel=0.2)


@pytest.mark.parametrize(("factor", "seconds"), [(10.0, 4.0), (40.0, 6.0), (100.0, 2.5)])
def test_a_burst_lasts_as_long_as_told(factor: float, seconds: float) -> None:
    """In the stretch that the plan names there are about `factor` times as many orders a second as beside it."""
    manifest = profile(
        "SOL", "perp", burst_probability=1.0, burst_intensity_factor=factor, burst_duration_s=seconds
    )
    market = Runner(Run(7, ORIGIN_NS, PERP, manifest)).market
    inside, beside = 0, 0
    for k in range(6):
        plan, prints = market.skeleton.plan(k), market.block(k).prints
        assert plan.burst
        assert plan.burst.end_ns - plan.burst.start_ns == seconds * SECOND_NS
        assert 0 <= plan.burst.start_ns < plan.burst.end_ns <= BLOCK_NS
        at_ns = np.unique(prints.ts_ns) - plan.start_ns
        hot = int(((at_ns >= plan.burst.start_ns) & (at_ns < plan.burst.end_ns)).sum())
        inside, beside = inside + hot, beside + len(at_ns) - hot
    rate, usual = inside / seconds, beside / (60 - seconds)
    assert factor / 2 < rate / usual < factor * 1.5


# ---------------------------------------------------------------- telemetry
def test_telemetry_is_the_grids() -> None:
    """Index and premium are the market's; mid, mark and basis follow from them, row by row, over midnight too."""
    market = Runner(run()).market
    start_ns = (ORIGIN_NS // DAY_NS + 1) * DAY_NS - 20 * SECOND_NS
    told = SyntheticTelemetryUplink(market.skeleton).rows(start_ns, start_ns + 60 * SECOND_NS)
    grid = market.seconds(start_ns - (MARK_WINDOW_S - 1) * SECOND_NS, start_ns + 60 * SECOND_NS)
    assert len(told) == 60
    for i in range(60):
        window = grid.cut(i, i + MARK_WINDOW_S)
        mids = [int(bid) * 10**5 + 10**5 // 2 for bid in window.bid_ticks]  # a tick is 0.001
        index, premium = int(window.index_e8[-1]), int(window.premium_e8[-1])
        away = sum(mid - int(index) for mid, index in zip(mids, window.index_e8, strict=True))
        assert told.ts_ns[i] == window.ts_ns[-1]
        assert (told.index_e8[i], told.premium_e8[i], told.mid_e8[i]) == (index, premium, mids[-1])
        assert told.mark_e8[i] == index + away // MARK_WINDOW_S
        assert told.basis_e8[i] == (mids[-1] - index) * 10**8 // index


def test_telemetry_begins_with_the_listing() -> None:
    """The first mark is the first mid; before the listing there is nothing."""
    skeleton = Runner(run()).market.skeleton
    told = SyntheticTelemetryUplink(skeleton).rows(
        skeleton.listed_ns - DAY_NS, skeleton.listed_ns + 5 * SECOND_NS
    )
    assert told.ts_ns.tolist() == [skeleton.listed_ns + i * SECOND_NS for i in range(5)]
    assert told.mark_e8[0] == told.mid_e8[0]


# ---------------------------------------------------------------- the vocabulary
# Where a parameter only shows beside others, and where half as much again would not do.
STAGE: dict[str, dict[str, float]] = {
    "jump_mean": {"jump_intensity": 1_000.0},
    "jump_std": {"jump_intensity": 1_000.0},
    "burst_intensity_factor": {"burst_probability": 1.0},
    "burst_duration_s": {"burst_probability": 1.0},
    "max_trade_size": {"max_trade_size": 50_000.0},
    "staleness_spike_factor": {"staleness_spike_share": 0.5},
    "flicker_ms": {"flicker_intensity": 5.0},
}
MOVED: dict[str, float] = {
    "jump_intensity": 1_000.0,
    "burst_probability": 1.0,
    "seed": 1,
    "tick": 2,
    "lot": 2,
    "base_spread_ticks": 2,
    "prints_per_order": 1.2,
    "sweep_levels": 0.03,
    "liquidation_share": 0.1,
}


def seen(**parameters: Any) -> Mapping[str, Any]:
    """All that anybody sees of a busy minute: its tables, its liquidations, and the book a while after a client's order
    has emptied a side of it.
    """
    made = run(**parameters)
    market = Runner(replace(made, instrument=made.manifest.contract(PERP))).market
    overlay = Overlay(TapeIndex(market), ORIGIN_NS + 30 * SECOND_NS)
    overlay.take(overlay.plan("bot", Side.BUY, None, 10**9), "bot", 1)
    overlay.advance(ORIGIN_NS + 31 * SECOND_NS)
    contract = {"tick": market.instrument.tick_size, "lot": market.instrument.lot_size}
    liquidated = market.liquidations(ORIGIN_NS, ORIGIN_NS + BLOCK_NS).order_id.tolist()
    return {"contract": contract, "liquidated": liquidated, "after": list(overlay.levels(BookSide.ASK))}


@pytest.mark.parametrize("name", [f.name for f in fields(SimulationManifest)])
def test_every_parameter_has_an_effect(name: str) -> None:
    """Moved within its range, each of them changes what is seen of a busy minute."""
    _, high = next(f.metadata["range"] for f in fields(SimulationManifest) if f.name == name)
    stage = {"trade_intensity_base": 20.0, **STAGE.get(name, {})}
    usual = getattr(run(**stage).manifest, name)
    moved = MOVED.get(name, min(type(usual)(usual * 1.5), high) if usual else min(high, 0.3))
    if moved == usual:
        moved = usual / 2
    before, after = rows(0, **stage), rows(0, **stage | {name: moved})
    unlike = [table for table in TABLES if not same(before[table], after[table])]
    assert unlike or seen(**stage) != seen(**stage | {name: moved})

"""Runner: a market's tape as plain columns, minute by minute, for files and frames.

A `Run` says all that a tape depends on, small enough to be sent to another process; a `Runner` makes any minute of it,
in any order, so that many may share the work and rows come out the same. Nothing here opens a file or starts a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np

from reactor.clock import DELAY_MAX_NS, LatencyModel
from reactor.feed import SyntheticTelemetryUplink
from reactor.fixed import ONE, begins, ends, lengths, ordered
from reactor.manifest import SimulationManifest
from reactor.rng import stream
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, MS_NS, TICK_NS, BookSide, BookSnapshot, Column, Instrument, Levels
from reactor.unified_market import UNTOUCHED, Fate, MarketOrchestrationCore
from reactor.values import dataclass

Table: TypeAlias = Mapping[str, Column]

_TIMES = {
    "ts_ns": "when it happened, ns since the epoch",
    "published_ns": "when it was told, ns since the epoch: never earlier than the row before",
}
_LEVEL = {
    "side": "0 bid, 1 ask",
    "price_ticks": "price of the level, ticks",
    "qty_lots": "quantity at the level, lots; 0: the level is gone",
    "update_id": "id of the last change of the book in it",
}
# The tables of a run, their columns in order, and what these hold.
TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "trades": _TIMES
    | {
        "price_ticks": "price, ticks",
        "qty_lots": "quantity, lots",
        "side": "the aggressor's: 1 buy, -1 sell",
        "trade_id": "steps by one from trade to trade",
        "agg_id": "shared by the trades of one market order at one price",
        "order_id": "the market order's",
    },
    "bbo": _TIMES
    | {
        "bid_ticks": "best bid after the change, ticks",
        "bid_lots": "quantity there, lots",
        "ask_ticks": "best ask after the change, ticks",
        "ask_lots": "quantity there, lots",
        "update_id": "id of the change of the book",
    },
    "l2_snapshots": {
        "ts_ns": "start of the minute whose book this is, ns since the epoch",
        "level": "number of the level on its side, 0 the best",
    }
    | _LEVEL,
    "l2_updates": {
        **_TIMES,
        "ts_ns": "end of the interval whose changes these are, ns since the epoch",
    }
    | _LEVEL,
    "mark": {
        "ts_ns": "the whole second, ns since the epoch",
        "index_e8": "index price of the asset, 1e-8 quote units",
        "mid_e8": "middle of the book, 1e-8 quote units",
        "mark_e8": "index plus the average of mid - index over 30 s, 1e-8 quote units",
        "basis_e8": "mid over index, 1e-8 of the index",
        "premium_e8": "impact premium over the index, 1e-8 of the index",
    },
}


@dataclass(frozen=True, slots=True)
class Run:
    """All that a tape is a function of; it can be pickled.

    `origin_ns` is a whole minute: there the price is the manifest's initial one, and minute 0 begins.
    """

    seed: int
    origin_ns: int
    instrument: Instrument
    manifest: SimulationManifest
    fate: Fate = UNTOUCHED


class Runner:
    """Minutes of a run as columns."""

    def __init__(self, run: Run) -> None:
        world = MarketOrchestrationCore(run.seed, run.origin_ns, [(run.instrument, run.manifest)])
        world.befall(run.instrument.market, run.fate)
        self.run = run
        self.market: HyperSynthReactor = world.market(run.instrument.market)
        self._telemetry = SyntheticTelemetryUplink(self.market)
        self._staleness = staleness(run.manifest)
        self._interval = max(1, run.manifest.book_update_interval_ms * MS_NS // TICK_NS)
        self._events = lru_cache(2)(self._make_events)

    def minute(self, k: int) -> Mapping[str, Table]:
        """The tables of minute k, counted from the origin's; rows in time order."""
        start_ns = self.run.origin_ns + k * BLOCK_NS
        if start_ns < self.market.listed_ns:
            return {name: _none(name) for name in TABLES}
        tables = dict(self._told(k))
        tables["l2_snapshots"] = _snapshot(self.market.keyframe(k))
        telemetry = self._telemetry.rows(start_ns, start_ns + BLOCK_NS)
        tables["mark"] = {name: getattr(telemetry, name) for name in TABLES["mark"]}
        return {name: tables[name] for name in TABLES}

    def _make_events(self, k: int) -> Mapping[str, Table]:
        """What happens in minute k and when each row would be told if nobody else held it up."""
        if self.run.origin_ns + k * BLOCK_NS < self.market.listed_ns:
            return {name: _none(name) for name in ("trades", "bbo", "l2_updates")}
        block = self.market.block(k)
        first_tick = block.start_ns // TICK_NS
        sources: Mapping[str, Table] = {
            "trades": _columns(block.prints),
            "bbo": _columns(block.quotes),
            "l2_updates": _gathered(block.levels, first_tick, self._interval),
        }
        return {name: self._published(name, k, columns) for name, columns in sources.items()}

    def _published(self, name: str, k: int, columns: Table) -> Table:
        """With `published_ns` when each row would be told by itself: the rows of one instant go out together."""
        ts_ns = columns["ts_ns"]
        words = stream(self.run.seed, "staleness", self.run.instrument.market, name, k).uniform_q16(
            len(ts_ns)
        )
        first = begins(ts_ns).nonzero()[0]
        delays_ns = self._staleness.delays_ns.take(words.take(first))
        return {**columns, "published_ns": ts_ns + delays_ns.repeat(lengths(first, len(ts_ns)))}

    def _told(self, k: int) -> Mapping[str, Table]:
        """With the times at which rows are told in order; nothing from before the last minute is still untold."""
        before = self._events(k - 1)
        told = {}
        for name, columns in self._events(k).items():
            late_ns = before[name]["published_ns"].max(initial=0)
            published = np.maximum.accumulate(np.maximum(columns["published_ns"], late_ns))
            told[name] = {column: columns[column] for column in TABLES[name]} | {"published_ns": published}
        return told


def staleness(manifest: SimulationManifest) -> LatencyModel:
    """How late a market tells its events: log-normal, with rare spikes that are so many times as long."""
    spikes = round(manifest.staleness_spike_share * ONE)
    usual = LatencyModel.log_normal(
        round(manifest.staleness_ms * MS_NS), manifest.staleness_sigma, DELAY_MAX_NS
    ).delays_ns
    if not spikes:
        return LatencyModel(usual)
    # Quantiles of the mixture: evenly spaced ones of each part, as many as its share.
    rows = [np.arange(n) * ONE // n for n in (ONE - spikes, spikes)]
    late = (usual[rows[1]] * round(manifest.staleness_spike_factor * 256)) >> 8
    return LatencyModel(np.sort(np.minimum(np.concatenate([usual[rows[0]], late]), DELAY_MAX_NS)))


def _none(table: str) -> Table:
    return {column: np.zeros(0, np.int64) for column in TABLES[table]}


def _columns(rows: object) -> dict[str, Column]:
    return {name: getattr(rows, name) for name in rows.__dataclass_fields__}  # type: ignore[attr-defined]


def _gathered(levels: Levels, first_tick: int, interval: int) -> dict[str, Column]:
    """Level changes by intervals of so many ticks from the minute's start: of each level the last one in each."""
    end = np.minimum((levels.tick - first_tick) // interval * interval + interval, BLOCK_NS // TICK_NS)
    over = levels.price_ticks - (levels.price_ticks.min() if len(levels) else 0)
    key, order = ordered((end << 1 | levels.side) << int(over.max(initial=0)).bit_length() | over)
    rows = order.compress(ends(key))
    # A frame's id is that of its interval's last change.
    newest, told = levels.update_id.compress(ends(end)), end.take(rows)
    return {
        "ts_ns": (first_tick + told) * TICK_NS,
        "side": levels.side.take(rows),
        "price_ticks": levels.price_ticks.take(rows),
        "qty_lots": levels.qty_lots.take(rows),
        "update_id": newest.take(begins(told).cumsum() - 1),
    }


def _snapshot(book: BookSnapshot) -> dict[str, Column]:
    """A book as rows: the bids, best first, then the asks."""
    depths = [len(book.bid_ticks), len(book.ask_ticks)]
    n = sum(depths)
    return {
        "ts_ns": np.full(n, book.ts_ns),
        "level": np.concatenate([np.arange(depth) for depth in depths]),
        "side": np.repeat([int(BookSide.BID), int(BookSide.ASK)], depths),
        "price_ticks": np.concatenate([book.bid_ticks, book.ask_ticks]),
        "qty_lots": np.concatenate([book.bid_lots, book.ask_lots]),
        "update_id": np.full(n, book.update_id),
    }

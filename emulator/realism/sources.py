"""Where tape comes from: a market of a seed, or a directory of Parquet files. Windows are made one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from emulator.config import ConfigError
from emulator.realism.facts import Tape
from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    TICK_NS,
    Block,
    BookSide,
    BookSnapshot,
    Column,
    Levels,
    Minutes,
    Prints,
    Quotes,
)
from reactor.unified_market import MarketOrchestrationCore
from reactor.values import dataclass

DAYS = 31  # of minute bars
_HELD = 1 << 62  # more ns than any time


@dataclass(frozen=True, slots=True)
class Source:
    """A market to look at. `windows` makes stretches of tape; `minutes` its bars, none where nobody knows them."""

    name: str
    origin: str
    windows: Iterable[Tape]
    minutes: Minutes | None


def of_market(world: MarketOrchestrationCore, name: str, minutes: int, windows: int) -> Source:
    """A market of a world: windows of so many minutes, each on another day and at another hour, and a month of bars."""
    market, origin_ns = world.market(name), world.origin_ns
    instrument, manifest = market.instrument, market.skeleton.manifest

    def tapes() -> Iterator[Tape]:
        for i in range(windows):
            start_ns = origin_ns + i * (DAY_NS + DAY_NS // windows) // BLOCK_NS * BLOCK_NS
            end_ns = start_ns + minutes * BLOCK_NS
            yield Tape(market.book(start_ns), market.window(start_ns, end_ns))

    origin = f"{instrument.kind} {instrument.symbol}, seed {world.seed}, parameters {manifest.hash[:12]}; "
    origin += f"{windows} windows of {minutes} minutes, bars of {DAYS} days"
    return Source(name, origin, tapes(), market.minutes(origin_ns, origin_ns + DAYS * DAY_NS))


# ---------------------------------------------------------------- files
def of_files(directory: Path, minutes: int, windows: int) -> Source:
    """Trades, quotes, level changes and snapshots as `exchange-emulator generate` writes them, from their first whole
    window on. There are no bars: minutes of what was recorded are too few for what bars tell.
    """
    first_ns, last_ns = _ends(directory / "l2_snapshots")
    length_ns = minutes * BLOCK_NS
    whole = int(last_ns + BLOCK_NS - first_ns) // length_ns
    if not whole:
        raise ConfigError(
            f"{directory}: shorter than a window of {minutes} minutes; --minutes makes it shorter"
        )

    def tapes() -> Iterator[Tape]:
        for i in range(min(windows, whole)):
            yield _tape(directory, first_ns + i * length_ns, length_ns)

    return Source(directory.resolve().name, f"{min(windows, whole)} windows of recorded files", tapes(), None)


def _tape(directory: Path, start_ns: int, length_ns: int) -> Tape:
    end_ns = start_ns + length_ns

    def table(name: str, columns: Iterable[str], first_ns: int, stop_ns: int) -> dict[str, Column]:
        found = _read(directory / name, ["ts_ns", *columns], first_ns, stop_ns)
        order = np.argsort(found["ts_ns"], kind="stable")
        return {column: values[order] for column, values in found.items()}

    trades = table(
        "trades", ["price_ticks", "qty_lots", "side", "trade_id", "agg_id", "order_id"], start_ns, end_ns
    )
    quotes = table("bbo", ["bid_ticks", "bid_lots", "ask_ticks", "ask_lots", "update_id"], start_ns, end_ns)
    level = ["side", "price_ticks", "qty_lots", "update_id"]
    changes = table("l2_updates", level, start_ns + 1, end_ns + 1)  # dated by their interval's end
    changes["tick"] = (changes.pop("ts_ns") - 1) // TICK_NS
    resting = table("l2_snapshots", level, start_ns, start_ns + 1)
    return Tape(
        _snapshot(start_ns, resting),
        Block(start_ns, end_ns, Quotes(**quotes), Prints(**trades), Levels(**changes)),
    )


def _snapshot(ts_ns: int, rows: dict[str, Column]) -> BookSnapshot:
    sides = []
    for side, sign in ((BookSide.BID, -1), (BookSide.ASK, 1)):
        at = np.flatnonzero(rows["side"] == side)
        at = at[np.argsort(sign * rows["price_ticks"][at])]
        sides += [rows["price_ticks"][at], rows["qty_lots"][at]]
    return BookSnapshot(ts_ns, int(rows["update_id"].max(initial=0)), *sides)


def _ends(table: Path) -> tuple[int, int]:
    ts_ns = _read(table, ["ts_ns"], 0, _HELD)["ts_ns"]
    if not len(ts_ns):
        raise ConfigError(f"{table}: no rows")
    return int(ts_ns.min()), int(ts_ns.max())


def _read(table: Path, columns: list[str], first_ns: int, stop_ns: int) -> dict[str, Column]:
    """Columns of the rows dated [first_ns, stop_ns), over all files of a table."""
    import pyarrow.parquet as pq  # noqa: PLC0415  # a quarter of a second, which markets do without

    files = sorted(map(str, table.glob("*.parquet")))
    if not files:
        raise ConfigError(f"{table}: no Parquet files here; `exchange-emulator generate` writes them")
    dated = [("ts_ns", ">=", first_ns), ("ts_ns", "<", stop_ns)]
    try:
        found = pq.read_table(files, columns=columns, filters=dated)
    except (OSError, ValueError) as error:  # a file that is none, or lacks a column
        raise ConfigError(f"{table}: {str(error).partition(chr(10))[0]}") from None
    return {name: found[name].to_numpy().astype(np.int64) for name in columns}

"""`scripts/bench [BENCH ...] [--json]`."""

from __future__ import annotations

import argparse
import gc
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import cpu_count

import numpy as np
import orjson
from rich.console import Console
from rich.table import Column, Table

from benchmarks.crowds import many, slow_consumer
from benchmarks.encoding import encoding
from benchmarks.fanout import fanout
from benchmarks.fixture import fixture
from benchmarks.harness import RUNS, Row
from benchmarks.markets import generate, klines
from benchmarks.orders import orders
from benchmarks.rest import rest
from benchmarks.restart import restart
from benchmarks.startup import startup
from benchmarks.warp import warp
from benchmarks.worlds import burst, chaos, end_to_end, growth, memory

BENCHES: Mapping[str, Callable[[int], Iterator[Row]]] = {
    "generate": generate,
    "klines": klines,
    "encode": encoding,
    "fanout": fanout,
    "rest": rest,
    "orders": orders,
    "time": warp,
    "startup": startup,
    "fixture": fixture,
    "restart": restart,
    "connections": many,
    "slow-consumer": slow_consumer,
    "memory": memory,
    "growth": growth,
    "chaos": chaos,
    "end-to-end": end_to_end,
    "burst": burst,
}
ALL = "all"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        "scripts/bench", description="What the emulator costs, beside simple references."
    )
    parser.add_argument(
        "benches",
        nargs="*",
        metavar="BENCH",
        default=[ALL],
        help=f"{', '.join(BENCHES)}; or {ALL}, as when left out",
    )
    parser.add_argument(
        "--json", action="store_true", help="print an object a row, each in a line of its own"
    )
    parser.add_argument(
        "--runs",
        type=int,
        default=RUNS,
        help="pairs of ours and a reference whose median counts [%(default)s]",
    )
    asked = parser.parse_args(arguments)
    unknown = set(asked.benches) - set(BENCHES) - {ALL}
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    rows = _measured(BENCHES if ALL in asked.benches else asked.benches, asked.runs)
    if asked.json:
        for row in rows:
            print(orjson.dumps(row.told()).decode(), flush=True)  # noqa: T201  # lines for programs
        return
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    console.print(_table(list(rows)))
    python, system = platform.python_version(), f"{platform.system()} {platform.machine()}"
    console.print(f"Python {python}, numpy {np.__version__}, {system}, CPUs: {cpu_count()}")


def _measured(names: Iterable[str], runs: int) -> Iterator[Row]:
    """The rows of these benches; what is being measured is told on stderr where somebody looks at it."""
    progress = Console(stderr=True)
    for name in names:
        if progress.is_terminal:
            progress.print(f"[dim]{name} ...[/dim]")
        yield from BENCHES[name](runs)


def _table(rows: Sequence[Row]) -> Table:
    """Figures with what they are to be: the bound of the ratio, or of ours, and whether this run is within it."""
    figures = [Column(name, justify="right") for name in ("ours", "reference", "ratio", "bound")]
    table = Table(
        "bench", "workload", "unit", figures[0], "beside", *figures[1:], "", "runs", "spread", box=None
    )
    for row in rows:
        bound, reached = (str(row.bound), "yes" if row.reached else "NO") if row.bound else ("", "")
        table.add_row(
            *(row.bench, row.workload, row.unit, _figure(row.ours), row.reference),
            *(_figure(row.reference_cost), _figure(row.ratio), bound, reached),
            *(str(row.runs), f"{row.spread:.0%}" if row.runs > 1 else ""),
        )
    return table


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


if __name__ == "__main__":
    gc.freeze()  # as the program does with what it imports
    main()

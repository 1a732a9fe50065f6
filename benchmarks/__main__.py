"""`scripts/bench [MEASURE ...] [--json]`."""

from __future__ import annotations

import argparse
import platform
from dataclasses import asdict
from os import cpu_count

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from benchmarks.harness import Row
from benchmarks.measures import MEASURES


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(
        "scripts/bench", description="What the emulator costs, beside simple references."
    )
    parser.add_argument(
        "measures", nargs="*", metavar="MEASURE", help=f"{', '.join(MEASURES)}; all when left out"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    asked = parser.parse_args()
    unknown = set(asked.measures) - set(MEASURES)
    if unknown:
        parser.error(f"no such measure: {', '.join(sorted(unknown))}")
    rows = [row for name in asked.measures or MEASURES for row in MEASURES[name]()]
    machine = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cpus": cpu_count(),
    }
    if asked.json:
        told = [asdict(row) | {"ratio": row.ratio} for row in rows]
        Console().print_json(data={"machine": machine, "rows": told})
    else:
        Console(highlight=False, width=100).print(_table(rows), *machine.values())


def _table(rows: list[Row]) -> Table:
    figures = (Column(name, justify="right") for name in ("reference", "ratio"))
    table = Table("measure", "subject", Column("value", justify="right"), "unit", *figures, box=None)
    for row in rows:
        value, reference, ratio = map(_figure, (row.value, row.reference, row.ratio))
        table.add_row(row.measure, row.subject, value, row.unit, reference, ratio)
    return table


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1_000 else f"{value:.3g}"


if __name__ == "__main__":
    main()

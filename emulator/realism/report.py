"""The report: every fact of a market beside its range and where that comes from, and a table of it for a terminal.

The same tape makes the same report.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from emulator.realism.charts import Band, number
from emulator.realism.estimators import Floats
from emulator.realism.facts import Measured, measure, measure_minutes
from emulator.realism.sources import Source
from reactor.types import SECOND_NS
from reactor.values import dataclass

_TARGETS = Path(__file__).with_name("targets.json")
_NARROW = 1e-9  # what rounding may add to an end of a range

Curves = Mapping[str, Sequence[tuple[Floats, Floats]]]


class Verdict(StrEnum):
    """What a fact's value says."""

    INSIDE = "in range"
    OUTSIDE = "out of range"
    UNKNOWN = "n.a."
    TOLD = ""  # there is no range


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of a fact: the range that is allowed, what recordings have, and where both come from."""

    name: str
    label: str
    unit: str
    allowed: tuple[float, float] | None
    recorded: tuple[float, float] | None
    least_s: int
    sources: tuple[str, ...]

    @property
    def group(self) -> str:
        """What the fact is about."""
        return self.name.partition(".")[0]

    @property
    def title(self) -> str:
        """What it is called, with its unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def judge(self, value: float) -> Verdict:
        """Whether the value is allowed."""
        if self.allowed is None:
            return Verdict.TOLD
        if math.isnan(value):
            return Verdict.UNKNOWN
        low, high = self.allowed
        return Verdict.INSIDE if low - _NARROW <= value <= high + _NARROW else Verdict.OUTSIDE


@dataclass(frozen=True, slots=True)
class Row:
    """A fact of a market: the median over its windows, and each of them."""

    target: Target
    value: float
    values: tuple[float, ...]

    @property
    def verdict(self) -> Verdict:
        """The median's."""
        return self.target.judge(self.value)

    @property
    def ends(self) -> tuple[float, float] | None:
        """The least and the largest of several windows."""
        known = [value for value in self.values if not math.isnan(value)]
        return (min(known), max(known)) if len(known) > 1 else None

    @property
    def outside(self) -> int:
        """How many windows are out of range."""
        return [self.target.judge(value) for value in self.values].count(Verdict.OUTSIDE)


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What there is to say of a market."""

    source: Source
    rows: Sequence[Row]
    curves: Curves

    def count(self, verdict: Verdict) -> int:
        """How many facts have this verdict."""
        return [row.verdict for row in self.rows].count(verdict)

    @property
    def checks(self) -> tuple[int, int]:
        """Values of single windows out of range, and all that could be judged."""
        judged = [
            value for row in self.rows for value in row.values if row.target.allowed and not math.isnan(value)
        ]
        return sum(row.outside for row in self.rows), len(judged)


# ---------------------------------------------------------------- targets
@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_TARGETS.read_text(encoding="utf-8"))
    return document


@cache
def targets() -> tuple[Target, ...]:
    """All facts there are, in the order of the report."""
    return tuple(
        Target(
            name,
            row["label"],
            row.get("unit", ""),
            tuple(row["range"]) if "range" in row else None,
            tuple(row["real"]) if "real" in row else None,
            row.get("least_s", 0),
            tuple(row["sources"]),
        )
        for name, row in _document()["facts"].items()
    )


def sources() -> Mapping[str, str]:
    """The works and recordings that ranges come from, by the name that facts call them."""
    found: Mapping[str, str] = _document()["sources"]
    return found


def band(name: str) -> tuple[Band | None, str]:
    """The range of a curve in real markets, and where it comes from; none where none is known."""
    found = _document()["curves"].get(name)
    if found is None:
        return None, ""
    return Band(*(np.asarray(found[key], np.float64) for key in ("x", "low", "high"))), found["note"]


# ---------------------------------------------------------------- making it
def report(source: Source) -> Report:
    """Measure a source. It goes through the windows one by one and keeps none of them."""
    parts = [
        ((tape.block.end_ns - tape.block.start_ns) / SECOND_NS, measure(tape)) for tape in source.windows
    ]
    curves: dict[str, list[tuple[Floats, Floats]]] = {}
    for _, measured in parts:
        for name, curve in measured.curves.items():
            curves.setdefault(name, []).append(curve)
    bars = measure_minutes(source.minutes) if source.minutes is not None else Measured({}, {})
    curves |= {name: [curve] for name, curve in bars.curves.items()}
    return Report(source, [_row(target, parts, bars) for target in targets()], curves)


def _row(target: Target, parts: Iterable[tuple[float, Measured]], bars: Measured) -> Row:
    values = (
        (bars.facts.get(target.name, math.nan),)
        if target.group == "minutes"
        else tuple(
            measured.facts.get(target.name, math.nan) if seconds >= target.least_s else math.nan
            for seconds, measured in parts
        )
    )
    known = [value for value in values if not math.isnan(value)]
    return Row(target, float(np.median(known)) if known else math.nan, values)


# ---------------------------------------------------------------- in words
def span(ends: tuple[float, float] | None) -> str:
    """A range in words; nothing where there is none."""
    if ends is None:
        return ""
    low, high = map(number, ends)
    return low if low == high else f"{low} to {high}"


def summary(made: Report) -> str:
    """How many facts and windows are in range, in a sentence."""
    inside, outside = made.count(Verdict.INSIDE), made.count(Verdict.OUTSIDE)
    wrong, checks = made.checks
    said = f"{inside} of {inside + outside} facts are in range, {checks - wrong} of {checks} values of single windows"
    unknown = made.count(Verdict.UNKNOWN)
    return said + (f"; {unknown} facts need more tape" if unknown else "")


_LEAST_WIDTHS = {
    "source": 150,
    "recorded": 120,
    "windows": 100,
}  # of a console that has room for such a column
_COLOURS = {Verdict.INSIDE: "green", Verdict.OUTSIDE: "bold red", Verdict.UNKNOWN: "dim", Verdict.TOLD: "dim"}


def show(made: Report, console: Console) -> None:
    """Print the table, the sources it names, and the count of verdicts."""
    columns = [
        Column("fact", min_width=30),
        Column("value", justify="right", no_wrap=True),
        Column("windows", justify="right", no_wrap=True),
        Column("range", justify="right", no_wrap=True),
        Column("recorded", justify="right", no_wrap=True),
        Column("verdict", no_wrap=True),
        Column("source"),
    ]
    shown = [column for column in columns if console.width >= _LEAST_WIDTHS.get(str(column.header), 0)]
    table = Table(*shown, title=f"{made.source.name}: {made.source.origin}", title_justify="left")
    group = made.rows[0].target.group
    for row in made.rows:
        target = row.target
        if target.group != group:
            table.add_section()
            group = target.group
        cells = {
            "fact": target.title,
            "value": number(row.value),
            "windows": span(row.ends),
            "range": span(target.allowed),
            "recorded": span(target.recorded),
            "verdict": f"[{_COLOURS[row.verdict]}]{row.verdict}[/]",
            "source": ", ".join(target.sources),
        }
        table.add_row(*(cells[str(column.header)] for column in shown))
    console.print(table)
    for name, text in sources().items():
        console.print(f"{name}: {text}", style="dim", highlight=False)
    console.print(summary(made))

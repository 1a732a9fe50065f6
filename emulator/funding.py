"""`exchange-emulator funding`: the rates a perpetual will settle, as a table and a plot, without serving anything.

They are what a run of the same seed and start serves, for they depend on nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from rich.console import Console
from rich.table import Table

from emulator.config import Config, ConfigError, resolve
from reactor.types import DAY_NS, SECOND_NS, FundingProfile
from reactor.unified_market import MarketOrchestrationCore
from reactor.values import dataclass
from venues.funding import BP_E12, Settlements
from venues.registry import FUNDED, funding_model

MOST_DAYS = 366
YEAR_H = 365 * 24
PLOT_ROWS = 12
PLOT_COLUMNS = 72
_LABEL = 11  # characters before the axis
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille character, by row and column


@dataclass(frozen=True, slots=True)
class FundingPath:
    """A symbol's settlements under a profile."""

    venue: str
    symbol: str
    profile: FundingProfile
    settlements: Settlements


def funding_path(
    venue: str | None, symbol: str | None, profile: str, days: str, config: Config, wall_ns: int
) -> FundingPath:
    """The settlements of so many days from the configured start on. ConfigError where an option is missing or wrong."""
    perpetuals = {row.venue: row for row in FUNDED}
    venue = _one_of("--venue", venue, perpetuals)
    listings = {row.instrument.symbol: row for row in perpetuals[venue].listings}
    listing = listings[_one_of("--symbol", symbol, listings)]
    chosen = FundingProfile(_one_of("--profile", profile, [*FundingProfile]))
    n_days = int(days) if days.isascii() and days.isdecimal() else 0
    if not 1 <= n_days <= MOST_DAYS:
        raise ConfigError(f"--days: {days!r} is not allowed; allowed: a whole number from 1 to {MOST_DAYS}")
    start_ns, origin_ns = resolve(config, wall_ns)
    instrument = replace(listing.instrument, funding=chosen)
    world = MarketOrchestrationCore(config.seed, origin_ns, [(instrument, listing.manifest)])
    model = funding_model(instrument)
    assert model is not None, instrument
    rows = model.settlements(world.market(instrument.market), start_ns + 1, start_ns + n_days * DAY_NS + 1)
    return FundingPath(venue, instrument.symbol, chosen, rows)


def _one_of(option: str, given: str | None, known: Collection[str]) -> str:
    if given is not None and given in known:
        return given
    wrong = "is missing" if given is None else f"{given!r} is not known"
    raise ConfigError(f"{option}: {wrong}; known: {', '.join(known)}")


def show(path: FundingPath, console: Console) -> None:
    """Print a row for each settlement, what they have in common, and their plot."""
    rows = path.settlements
    annual = rows.rate_e12 * (YEAR_H // rows.interval_h)
    table = Table(title=f"{path.venue} {path.symbol}, {path.profile}", title_justify="left")
    for heading in ("settled (UTC)", "hours", "rate", "annualised"):
        table.add_column(heading, justify="right")
    columns = (column.tolist() for column in (rows.ts_ns, rows.interval_h, rows.rate_e12, annual))
    for at_ns, hours, rate, yearly in zip(*columns, strict=True):
        table.add_row(_date(at_ns), str(hours), _percent(rate, 6), _percent(yearly, 2))
    console.print(table)
    mean, lowest, highest = (_percent(float(f(rows.rate_e12)), 6) for f in (np.mean, np.min, np.max))
    console.print(f"{len(rows)} settlements; mean {mean}, lowest {lowest}, highest {highest}", soft_wrap=True)
    console.print(f"mean annualised {_percent(float(annual.mean()), 2)}; negative {np.mean(annual < 0):.0%}")
    for line in plot(rows.rate_e12.tolist()):
        console.print(line, soft_wrap=True)
    ends = _date(int(rows.ts_ns[0])), _date(int(rows.ts_ns[-1]))
    console.print(" " * (_LABEL + 1) + ends[0] + ends[1].rjust(PLOT_COLUMNS - len(ends[0])), soft_wrap=True)


def plot(values_e12: Sequence[int]) -> list[str]:
    """A line through the values in braille dots, PLOT_ROWS lines of PLOT_COLUMNS characters beside a labelled axis."""
    low, high = min(values_e12), max(values_e12)
    if high - low < BP_E12 // 100:  # as good as flat
        low, high = low - BP_E12, high + BP_E12
    columns, rows = 2 * PLOT_COLUMNS, 4 * PLOT_ROWS
    canvas = np.zeros((PLOT_ROWS, PLOT_COLUMNS), dtype=np.int64)
    n, last = len(values_e12), values_e12[0]
    for x in range(columns):
        first = x * n // columns
        part = (last, *values_e12[first : max((x + 1) * n // columns, first + 1)])
        last = part[-1]
        top, bottom = ((high - value) * (rows - 1) // (high - low) for value in (max(part), min(part)))
        for y in range(top, bottom + 1):
            canvas[y // 4, x // 2] |= _DOTS[y % 4][x % 2]
    labels = {0: high, PLOT_ROWS - 1: low}
    return [
        (_percent(labels[row], 4) if row in labels else "").rjust(_LABEL)
        + ("┤" if row in labels else "│")
        + "".join(chr(0x2800 + dots) for dots in canvas[row].tolist())
        for row in range(PLOT_ROWS)
    ]


def _percent(rate_e12: float, decimals: int) -> str:
    return f"{rate_e12 / 1e10:.{decimals}f} %"


def _date(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(at_ns // SECOND_NS, UTC):%Y-%m-%d %H:%M}"

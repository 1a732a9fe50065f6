"""`exchange-emulator realism`: choose a market or a directory, measure it, print the table and write the page."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from emulator.config import ConfigError, Layer, judge, read_preset, whole
from emulator.presets import market
from emulator.realism.page import page
from emulator.realism.report import Report, Verdict, report, show
from emulator.realism.sources import of_files, of_market
from reactor.types import SECOND_NS
from reactor.unified_market import MarketOrchestrationCore

ORIGIN_NS = 1_767_225_600 * SECOND_NS  # 2026-01-01 00:00 UTC
MINUTES = whole(1, 1_440)
WINDOWS = whole(1, 100)


def examine(directory: Path | None, preset: str | None, flags: Layer, minutes: str, windows: str) -> Report:
    """The report of a directory or, without one, of the preset's market; of the first market there is without either.
    ConfigError where an option or a file is wrong.
    """
    length, count = (
        int(str(judge(name, kind, given)))
        for name, kind, given in (("--minutes", MINUTES, minutes), ("--windows", WINDOWS, windows))
    )
    if directory is None:
        config, row = market([*([read_preset(preset)] if preset else []), flags], None, None)
        world = MarketOrchestrationCore(config.seed, ORIGIN_NS, [(row.instrument, row.manifest)])
        return report(of_market(world, row.instrument.market, length, count))
    if preset or flags.values:
        raise ConfigError("realism: a directory has its market and its seed; leave --preset and --seed out")
    return report(of_files(directory, length, count))


def tell(made: Report, console: Console, html: Path | None) -> None:
    """Print the report, and write its page where one is wanted."""
    show(made, console)
    if html is not None:
        try:
            html.write_text(page(made), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--html: {html}: {error.strerror or error}") from None
        console.print(f"plots: {html}", soft_wrap=True)


def passes(made: Report) -> bool:
    """Whether no fact is out of range."""
    return not made.count(Verdict.OUTSIDE)

"""The face of batch generation: judges what was asked for, shows how it goes, and says what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from emulator.chaos.scenarios import rules_of
from emulator.config import Config, ConfigError, Given, Kind, Layer, judge, read_file, read_preset, whole
from emulator.parquet import TABLES, Job, Part, generate
from emulator.presets import market
from emulator.run import exchanges
from reactor.runner import Run
from reactor.types import BLOCK_NS
from reactor.unified_market import UNTOUCHED, Fate
from venues.registry import VENUES

MINUTES = whole(1, 5_256_000)
WORKERS = whole(1, 256)


class _Rate(ProgressColumn):
    """Rows a second, since the start."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.fields['rows'] / max(task.elapsed or 0, 1e-3):,.0f} rows/s")


def job(
    preset: str | None, manifest: Path | None, name: str | None, flags: Layer, minutes: str, out: Path
) -> Job:
    """What was asked for. ConfigError on what cannot be meant."""
    layers = [read_preset(preset)] if preset else []
    parameters = read_file(manifest) if manifest else None
    config, listing = market([*layers, flags], name, parameters)
    if config.start is None or config.start % BLOCK_NS:
        raise ConfigError("--start: a whole minute is needed, as in 2026-01-01T00:00Z")
    if config.origin not in (None, config.start):
        raise ConfigError("origin: files begin where the tape does; leave it out")
    rules = rules_of(config)
    fate = _fate(config, rules, listing.instrument.market) if rules else UNTOUCHED
    run = Run(config.seed, config.start, listing.instrument, listing.manifest, fate)
    return Job(run, _count("--minutes", MINUTES, minutes), out, tuple(rule.words for rule in rules))


def _fate(config: Config, rules: Sequence[Given], market: str) -> Fate:
    """What befalls a market in a server's run that begins with these rules."""
    from emulator.chaos.market import fates  # noqa: PLC0415  # most tapes are those of markets that nothing befalls

    assert config.start is not None
    cards, views = [], {}
    for card, view in exchanges(config, VENUES, config.start):
        cards.append(card)
        views[card.id] = view
    if not any(market in view.world for view in views.values()):
        raise ConfigError(f"--market: {market}: its venue is not served, so there are no rules for it")
    return fates(rules, cards, views, config.start).get(market, UNTOUCHED)


def run(asked: Job, workers: str, console: Console) -> None:
    """Do it, with a bar of minutes, and print what was written."""
    processes = _count("--workers", WORKERS, workers)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        "minutes,",
        _Rate(),
        TimeRemainingColumn(compact=True),
        "left",
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=asked.minutes, rows=0)

        def done(part: Part) -> None:
            rows = progress.tasks[0].fields["rows"] + sum(part.rows.values())
            progress.update(task, advance=part.minutes, rows=rows)

        made = generate(asked, processes, done)
    table = Table("table", "rows", "content hash")
    for name in TABLES:
        table.add_row(name, f"{made['tables'][name]['rows']:,}", made["tables"][name]["content_hash"])
    table.add_row("all", f"{made['rows']:,}", made["content_hash"])
    console.print(table)


def _count(flag: str, kind: Kind, text: str) -> int:
    value = judge(flag, kind, text)
    assert isinstance(value, int)
    return value

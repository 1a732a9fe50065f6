"""The command line: a command per function, settings as options. An error is one line and exit code 2.

What a command needs beside the run is imported when it is called: `serve` waits for none of it.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from uvicorn.loops.auto import auto_loop_factory

from emulator import log
from emulator.config import SETTINGS, ConfigError, Layer, load, presets, read_file, read_preset, written
from emulator.driver import utc_ns
from emulator.gateway.server import CONTROL, Gateway, PortBusyError
from venues.registry import LISTED, VENUES

if TYPE_CHECKING:
    from rich.console import Console

SWITCH_INTERVAL_S = 0.0005  # a tenth of Python's; so soon the page maker's thread lets the loop run

C = TypeVar("C", bound=Callable[..., Any])


class _InOrder(click.Group):
    """Commands are listed as they are written here."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.commands)


@click.group(cls=_InOrder)
def app() -> None:
    """A fake exchange that production connectors cannot tell from the real one."""


# ---------------------------------------------------------------- settings as options
def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _option(name: str, about: str, metavar: str | None, **more: Any) -> Callable[[C], C]:
    return click.option(_flag(name), name, help=about, metavar=metavar, **more)


def _setting(name: str, metavar: str = "VALUE") -> Callable[[C], C]:
    """A setting's option for a command that takes few of them."""
    return _option(name, SETTINGS[name].help, metavar)


def _settings(command: C) -> C:
    """An option per setting. Values stay text here, so that `load` judges flags and files alike."""
    for name, setting in reversed(list(SETTINGS.items())):
        if isinstance(setting.default, bool):
            command = click.option(
                f"{_flag(name)}/--no-{_flag(name)[2:]}", name, default=None, help=setting.help
            )(command)
        else:
            default = f"; default {setting.default}" if setting.default else ""
            command = _option(name, f"{setting.help} [{setting.kind.allowed}{default}]", "VALUE")(command)
    return command


_PATH = click.Path(path_type=Path)
_NAMES = ", ".join(presets())


def _given(flags: dict[str, str | bool | None]) -> Layer:
    return Layer(_flag, {name: value for name, value in flags.items() if value is not None})


# ---------------------------------------------------------------- commands
@app.command()
@_option("preset", f"Settings that come along: {_NAMES}.", "NAME")
@_option("config", "Settings of your own, in YAML.", "FILE", type=_PATH)
@_settings
def serve(preset: str | None, config: Path | None, **flags: str | bool | None) -> None:
    """Serve the venues until interrupted. A flag goes over the file's setting, the file's over the preset's."""
    files = [read_preset(preset)] if preset else []
    files += [read_file(config)] if config else []
    layers = [*files, _given(flags)]
    settings = load(layers, VENUES, LISTED)
    gateway = Gateway(settings, VENUES, written(layers))
    log.configure(settings.log_level)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_until_interrupted(gateway))


@app.command()
@_option("venue", "Whose perpetual.", "VENUE")
@_option("symbol", "Its native symbol.", "SYMBOL")
@_option("days", "How many days from the start.", "N", default="30", show_default=True)
@_option(
    "profile",
    "The venue's own rules (real), or stylised ones (classic).",
    "NAME",
    default="real",
    show_default=True,
)
@_setting("seed")
@_setting("start", "TIME")
def funding(venue: str | None, symbol: str | None, days: str, profile: str, **flags: str | None) -> None:
    """Print and plot the funding rates that a perpetual will settle."""
    from emulator.funding import funding_path, show  # noqa: PLC0415

    settings = load([_given({**flags})], VENUES)
    show(funding_path(venue, symbol, profile, days, settings, utc_ns()), _console())


@app.command()
@_option("preset", f"Whose market: {_NAMES}.", "NAME")
@_option("manifest", "Parameters of the market, in YAML or JSON.", "FILE", type=_PATH)
@_option("market", "Which market, as venue:symbol.", "MARKET")
@_setting("seed")
@_option("start", "First minute of the tape.", "TIME")
@_setting("faults", "FILE")
@_setting("scenario", "NAME")
@_option("minutes", "How many.", "N", required=True)
@_option("out", "Where to.", "DIR", required=True, type=_PATH)
@_option("workers", "How many processes.", "N", default="1", show_default=True)
def generate(
    preset: str | None,
    manifest: Path | None,
    market: str | None,
    minutes: str,
    out: Path,
    workers: str,
    **flags: str | None,
) -> None:
    """Write a market's tape as Parquet; what is there already of the same run is kept."""
    from emulator.generate import job, run  # noqa: PLC0415

    run(job(preset, manifest, market, _given({**flags}), minutes, out), workers, _console())


@app.command("presets")
@click.argument("name", required=False)
def show_presets(name: str | None) -> None:
    """List the presets, or print what one of them is made of, as YAML."""
    from rich.table import Table  # noqa: PLC0415

    from emulator.presets import get_preset, shown  # noqa: PLC0415

    console = _console(soft_wrap=True)
    if name:
        console.print("\n".join(shown(get_preset(name))), markup=False)
        return
    table = Table("preset", "what it is")
    for known in presets():
        table.add_row(known, get_preset(known).about)
    console.print(table)


@app.command()
def profiles() -> None:
    """List, by venue, its profiles and what set each apart, the newest last, and the quirks that can be switched."""
    from rich.table import Table  # noqa: PLC0415

    table = Table("venue", "profile or quirk", "", "what it is")
    for venue in VENUES:
        newest = list(venue.profiles)[-1]
        for name, about in venue.profiles.items():
            table.add_row(venue.id, name, "default" if name == newest else "", about)
        for name, quirk in venue.quirks.items():
            table.add_row(venue.id, name, "on" if quirk.on else "off", quirk.about)
        table.add_section()
    _console().print(table)


@app.command()
@click.argument("kind", required=False)
def faults(kind: str | None) -> None:
    """List the kinds of faults, or the words of a rule of one of them."""
    from emulator.chaos.guide import tell  # noqa: PLC0415

    tell(kind, _console())


@app.command()
@click.argument("name", required=False)
def scenarios(name: str | None) -> None:
    """List the scenarios, or print the timeline of one of them."""
    from emulator.chaos.guide import tell_scenarios  # noqa: PLC0415

    tell_scenarios(name, _console())


@app.command()
@click.argument("directory", required=False, type=_PATH, metavar="[DIR]")
@_option("preset", f"Whose market: {_NAMES}.", "NAME")
@_option("minutes", "Length of a window of tape.", "N", default="31", show_default=True)
@_option("windows", "How many windows.", "N", default="4", show_default=True)
@_setting("seed")
@_option("html", "Write a page with plots, too.", "FILE", type=_PATH)
@_option("strict", "Exit with 1 when a fact is out of range.", None, is_flag=True)
def realism(
    directory: Path | None,
    preset: str | None,
    minutes: str,
    windows: str,
    html: Path | None,
    *,
    strict: bool,
    **flags: str | None,
) -> None:
    """Set a market's statistics beside those of real ones: of what `generate` wrote into DIR, or of a preset's."""
    from emulator.realism.command import examine, passes, tell  # noqa: PLC0415

    made = examine(directory, preset, _given({**flags}), minutes, windows)
    tell(made, _console(), html)
    if strict and not passes(made):
        raise click.exceptions.Exit(1)


async def _until_interrupted(gateway: Gateway) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await gateway.serve(stop, lambda: _announce(gateway))


def _announce(gateway: Gateway) -> None:
    rows = [("", "HTTP", "WebSocket")]
    for venue, urls in gateway.urls.items():
        rows.append((venue, urls["http"], urls["ws"]))
        if gateway.ca:
            rows.append(("", urls["https"], urls["wss"]))
    rows.append((CONTROL, gateway.control_url, ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(map(str.ljust, row, widths)).rstrip())
    if gateway.ca:
        click.echo(f"certificate to trust: {gateway.ca}")
    click.echo("ready")


def _console(*, soft_wrap: bool = False) -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False, soft_wrap=soft_wrap)


def main() -> None:
    """The console script."""
    try:
        app()
    except (ConfigError, PortBusyError) as error:
        click.echo(f"exchange-emulator: {error}", err=True)
        sys.exit(2)

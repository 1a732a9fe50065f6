"""The command line: a command per function, settings as options. An error is one line and exit code 2."""

from __future__ import annotations

import asyncio
import inspect
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from uvicorn.loops.auto import auto_loop_factory

from emulator import log
from emulator.chaos.guide import tell as tell_faults
from emulator.chaos.guide import tell_scenarios
from emulator.config import SETTINGS, ConfigError, Layer, load, presets, read_file, read_preset, written
from emulator.driver import utc_ns
from emulator.funding import funding_path, show
from emulator.gateway.server import Gateway, PortBusyError
from emulator.presets import get_preset, shown
from venues.registry import LISTED, VENUES

SWITCH_INTERVAL_S = 0.0005  # a tenth of Python's; so soon the page maker's thread lets the loop run

F = TypeVar("F", bound=Callable[..., None])
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


# ---------------------------------------------------------------- settings as options
def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _options() -> Iterator[inspect.Parameter]:
    """An option per setting. Values stay text here, so that `load` judges flags and files alike."""
    for name, setting in SETTINGS.items():
        switch = isinstance(setting.default, bool)
        default = f"; default {setting.default}" if setting.default else ""
        said = setting.help if switch else f"{setting.help} [{setting.kind.allowed}{default}]"
        option = typer.Option(_flag(name), help=said, metavar=None if switch else "VALUE", show_default=False)
        option.default = None
        annotation = bool | None if switch else str | None
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


def _with_settings(command: F) -> F:
    """Show typer an option per setting in the place of the command's `**flags`."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[:-1]
    command.__signature__ = inspect.Signature([*own, *_options()])  # type: ignore[attr-defined]
    return command


# ---------------------------------------------------------------- commands
@app.callback()
def _commands() -> None:
    """A fake exchange that production connectors cannot tell from the real one."""


@app.command()
@_with_settings
def serve(
    *,
    preset: Annotated[
        str | None, typer.Option(help=f"Settings that come along: {', '.join(presets())}.", metavar="NAME")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Settings of your own, in YAML.", metavar="FILE")
    ] = None,
    **flags: str | bool | None,
) -> None:
    """Serve the venues until interrupted. A flag goes over the file's setting, the file's over the preset's."""
    files = [read_preset(preset)] if preset else []
    files += [read_file(config)] if config else []
    given = Layer(_flag, {name: value for name, value in flags.items() if value is not None})
    layers = [*files, given]
    settings = load(layers, VENUES, LISTED)
    gateway = Gateway(settings, VENUES, written(layers))
    log.configure(settings.log_level)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_until_interrupted(gateway))


@app.command()
def funding(
    *,
    venue: Annotated[str | None, typer.Option(help="Whose perpetual.", metavar="VENUE")] = None,
    symbol: Annotated[str | None, typer.Option(help="Its native symbol.", metavar="SYMBOL")] = None,
    days: Annotated[str, typer.Option(help="How many days from the start.", metavar="N")] = "30",
    profile: Annotated[
        str, typer.Option(help="The venue's own rules (real), or stylised ones (classic).", metavar="NAME")
    ] = "real",
    seed: Annotated[str | None, typer.Option(help=SETTINGS["seed"].help, metavar="VALUE")] = None,
    start: Annotated[str | None, typer.Option(help=SETTINGS["start"].help, metavar="TIME")] = None,
) -> None:
    """Print and plot the funding rates that a perpetual will settle."""
    given = {name: value for name, value in (("seed", seed), ("start", start)) if value is not None}
    settings = load([Layer(_flag, given)], VENUES)
    show(funding_path(venue, symbol, profile, days, settings, utc_ns()), Console(highlight=False))


@app.command()
def generate(
    *,
    preset: Annotated[
        str | None, typer.Option(help=f"Whose market: {', '.join(presets())}.", metavar="NAME")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Parameters of the market, in YAML or JSON.", metavar="FILE")
    ] = None,
    market: Annotated[
        str | None, typer.Option(help="Which market, as venue:symbol.", metavar="MARKET")
    ] = None,
    seed: Annotated[str | None, typer.Option(help=SETTINGS["seed"].help, metavar="VALUE")] = None,
    start: Annotated[str | None, typer.Option(help="First minute of the tape.", metavar="TIME")] = None,
    minutes: Annotated[str, typer.Option(help="How many.", metavar="N")],
    out: Annotated[Path, typer.Option(help="Where to.", metavar="DIR")],
    workers: Annotated[str, typer.Option(help="How many processes.", metavar="N")] = "1",
) -> None:
    """Write a market's tape as Parquet; what is there already of the same run is kept."""
    from emulator.generate import job, run  # noqa: PLC0415  # only now: Parquet takes its time to load

    given = {name: value for name, value in (("seed", seed), ("start", start)) if value is not None}
    asked = job(preset, manifest, market, Layer(_flag, given), minutes, out)
    run(asked, workers, Console(highlight=False))


@app.command("presets")
def show_presets(
    name: Annotated[str | None, typer.Argument(help="One of them.", metavar="NAME")] = None,
) -> None:
    """List the presets, or print what one of them is made of, as YAML."""
    console = Console(highlight=False, soft_wrap=True)
    if name:
        console.print("\n".join(shown(get_preset(name))), markup=False)
        return
    table = Table("preset", "what it is")
    for known in presets():
        table.add_row(known, get_preset(known).about)
    console.print(table)


@app.command("profiles")
def show_profiles() -> None:
    """List, by venue, its profiles and what set each apart, the newest last, and the quirks that can be switched."""
    table = Table("venue", "profile or quirk", "", "what it is")
    for venue in VENUES:
        newest = list(venue.profiles)[-1]
        for name, about in venue.profiles.items():
            table.add_row(venue.id, name, "default" if name == newest else "", about)
        for name, quirk in venue.quirks.items():
            table.add_row(venue.id, name, "on" if quirk.on else "off", quirk.about)
        table.add_section()
    Console(highlight=False).print(table)


@app.command("faults")
def show_faults(
    kind: Annotated[str | None, typer.Argument(help="One of them.", metavar="KIND")] = None,
) -> None:
    """List the kinds of faults, or the words of a rule of one of them."""
    tell_faults(kind, Console(highlight=False))


@app.command("scenarios")
def show_scenarios(
    name: Annotated[str | None, typer.Argument(help="One of them.", metavar="NAME")] = None,
) -> None:
    """List the scenarios, or print the timeline of one of them."""
    tell_scenarios(name, Console(highlight=False))


@app.command()
def realism(
    directory: Annotated[
        Path | None, typer.Argument(help="What `generate` wrote, in place of a preset.", metavar="DIR")
    ] = None,
    *,
    preset: Annotated[
        str | None, typer.Option(help=f"Whose market: {', '.join(presets())}.", metavar="NAME")
    ] = None,
    minutes: Annotated[str, typer.Option(help="Length of a window of tape.", metavar="N")] = "31",
    windows: Annotated[str, typer.Option(help="How many windows.", metavar="N")] = "4",
    seed: Annotated[str | None, typer.Option(help=SETTINGS["seed"].help, metavar="VALUE")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots, too.", metavar="FILE")] = None,
    strict: Annotated[bool, typer.Option(help="Exit with 1 when a fact is out of range.")] = False,
) -> None:
    """Set a market's statistics beside those of real markets."""
    from emulator.realism.command import examine, passes, tell  # noqa: PLC0415  # only now: whoever serves needs none

    flags = Layer(_flag, {} if seed is None else {"seed": seed})
    made = examine(directory, preset, flags, minutes, windows)
    tell(made, Console(highlight=False), html)
    if strict and not passes(made):
        raise typer.Exit(1)


async def _until_interrupted(gateway: Gateway) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await gateway.serve(stop, lambda: _announce(gateway))


def _announce(gateway: Gateway) -> None:
    table = Table("", "HTTP", "WebSocket")
    for venue, urls in gateway.urls.items():
        table.add_row(venue, urls["http"], urls["ws"])
        if gateway.ca:
            table.add_row("", urls["https"], urls["wss"])
    table.add_row("control", gateway.control_url)
    console = Console(highlight=False)
    console.print(table)
    if gateway.ca:
        console.print(f"certificate to trust: {gateway.ca}", soft_wrap=True)
    console.print("ready")


def main() -> None:
    """The console script."""
    try:
        app()
    except (ConfigError, PortBusyError) as error:
        typer.echo(f"exchange-emulator: {error}", err=True)
        sys.exit(2)

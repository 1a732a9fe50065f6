"""The command line: `exchange-emulator serve`. Its options are config.SETTINGS; whatever is wrong is one line and exit code 2."""

from __future__ import annotations

import asyncio
import inspect
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import typer

from emulator import log
from emulator.config import SETTINGS, Config, ConfigError, Layer, load, presets, read_file, read_preset
from emulator.gateway.server import Gateway, PortBusy, new_event_loop
from venues.registry import VENUES

SWITCH_INTERVAL_S = (
    0.0005  # pages are made in a thread: the loop gets the interpreter back ten times sooner than by default
)

F = TypeVar("F", bound=Callable[..., None])
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


# ---------------------------------------------------------------- settings as options
def _options() -> Iterator[inspect.Parameter]:
    """An option per setting. Values stay text, so that `load` judges flags and files alike."""
    for name, setting in SETTINGS.items():
        switch = setting.default is False
        said = [setting.help]
        if not switch:
            said.append(setting.kind.allowed[0].upper() + setting.kind.allowed[1:] + ".")
            said += [f"Default: {setting.default}."] if setting.default not in ((), "", None) else []
        option = typer.Option(
            _flag(name), help=" ".join(said), metavar=None if switch else "TEXT", show_default=False
        )
        option.default = None
        annotation = bool | None if switch else str | None
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=annotation)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _with_settings(command: F) -> F:
    """Show typer the options of all settings in the place of `**flags`."""
    own = [
        row for row in inspect.signature(command, eval_str=True).parameters.values() if row.name != "flags"
    ]
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
    config: Path | None = typer.Option(None, help="A YAML file of settings.", metavar="FILE"),  # noqa: B008
    preset: str | None = typer.Option(
        None, help=f"Settings that come with the product: {', '.join(presets())}."
    ),
    **flags: str | bool | None,
) -> None:
    """Serve the venues until interrupted. Flags go over the settings of a file."""
    layers = [Layer(_flag, {name: value for name, value in flags.items() if value is not None})]
    try:
        if config is not None and preset is not None:
            raise ConfigError("--preset: there is a --config already; give one of them")
        if config is not None:
            layers.insert(0, read_file(config))
        if preset is not None:
            layers.insert(0, read_preset(preset))
        settings = load(layers, VENUES)
        gateway = Gateway(settings, VENUES)
    except (ConfigError, PortBusy) as error:
        typer.echo(f"exchange-emulator: {error}", err=True)
        raise typer.Exit(2) from None
    _run(gateway, settings)


def _run(gateway: Gateway, settings: Config) -> None:
    log.configure(settings.log_level)
    sys.setswitchinterval(SWITCH_INTERVAL_S)

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await gateway.serve(stop, lambda: _announce(gateway))

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())


def _announce(gateway: Gateway) -> None:
    from rich.console import Console  # noqa: PLC0415: after the sockets are open
    from rich.table import Table  # noqa: PLC0415

    table = Table("", "HTTP", "WebSocket")
    for venue, urls in gateway.urls.items():
        table.add_row(venue, urls["http"], urls["ws"])
    table.add_row("control", gateway.control_url, "")
    console = Console(highlight=False)
    console.print(table)
    console.print("ready")


def main() -> None:
    """The console script."""
    app()

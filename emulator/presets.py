"""Presets and markets by name: what `configs/` holds, with the manifests that come of it.

A preset is a file of settings like any other; its `manifest` says in what its markets differ from their venues' cards.
A preset of a venue that is not served yet is good for generating all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace

from emulator.config import (
    PRESETS,
    Config,
    ConfigError,
    Layer,
    changed,
    funded,
    merge,
    nearest,
    read_preset,
    stocked,
    with_values,
)
from reactor.manifest import SimulationManifest
from reactor.types import Instrument
from reactor.values import dataclass
from venues.base import Listing
from venues.registry import LISTED, VENUES


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset: its name, what it is about, its settings, and its markets with their manifests."""

    name: str
    about: str
    config: Config
    listings: tuple[Listing, ...]

    @property
    def instrument(self) -> Instrument:
        """The contract of its one market. ValueError where it has several."""
        return self._only.instrument

    @property
    def manifest(self) -> SimulationManifest:
        """The parameters of its one market. ValueError where it has several."""
        return self._only.manifest

    @property
    def _only(self) -> Listing:
        if len(self.listings) != 1:
            raise ValueError(f"preset {self.name} has {len(self.listings)} markets")
        return self.listings[0]


def get_preset(name: str) -> Preset:
    """The preset of this name; ConfigError where there is none."""
    layer = read_preset(name)
    config, places = merge([layer])
    first_line = (PRESETS / f"{name}.yaml").read_text().partition("\n")[0]
    return Preset(name, first_line.lstrip("# "), config, tuple(listings(config, places)))


def listings(config: Config, places: Mapping[str, str]) -> list[Listing]:
    """The markets that settings ask for, served or not, as they change them; the usual ones where they ask for none.

    ConfigError on a market nobody has.
    """
    every = LISTED | {row.instrument.market: row for card in stocked(config, VENUES) for row in card.listings}
    for setting, names in (("markets", config.markets), ("manifest", [name for name, _ in config.manifest])):
        for name in names:
            if name not in every:
                raise ConfigError(f"{places[setting]}: unknown market {name!r}{nearest(name, every)}")
    rows = changed(every.values(), config.manifest, places.get("manifest", "manifest"))
    rows = funded(rows, config.funding)
    return [row for row in rows if row.instrument.market in (config.markets or LISTED)]


def market(layers: Sequence[Layer], name: str | None, parameters: Layer | None) -> tuple[Config, Listing]:
    """The one market that settings ask for, or the one of this name, with these parameters, and the settings.

    The first market there is, where nobody asks for any. ConfigError where they ask for several.
    """
    config, places = merge(layers)
    if name:
        config, places = replace(config, markets=(name,)), {**places, "markets": "--market"}
    found = listings(config, places)
    if len(found) > 1 and config.markets:
        raise ConfigError(
            f"{places['markets']}: one at a time; choose with --market from {', '.join(config.markets)}"
        )
    if parameters:
        return config, with_values(found[0], parameters.values, parameters.place("parameters"))
    return config, found[0]


def shown(preset: Preset) -> Iterator[str]:
    """A preset as lines of YAML: its markets and, where it is one, its whole manifest, good for `--manifest`."""
    yield f"# {preset.about}"
    yield f"# markets: {', '.join(row.instrument.market for row in preset.listings)}"
    if len(preset.listings) == 1:
        for row in fields(preset.manifest):
            said = f"{row.name}: {getattr(preset.manifest, row.name)}"
            yield f"{said:<40}# {row.metadata['unit']}: {row.metadata['effect']}"

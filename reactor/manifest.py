"""SimulationManifest: every parameter of a synthetic market (stub; see reactor helper)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SimulationManifest:
    """The parameters of one market."""

    initial_price: float = 65_000.0

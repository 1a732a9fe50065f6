"""MarketOrchestrationCore: the world (stub of the final interface)."""

from __future__ import annotations

from typing import Protocol

from reactor.single_asset import HyperSynthReactor


class MarketOrchestrationCore(Protocol):
    """All markets of a run, by market id; a market costs nothing until it is asked for."""

    def market(self, market: str) -> HyperSynthReactor: ...

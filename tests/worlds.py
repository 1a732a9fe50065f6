"""Synthetic worlds for tests that need no emulator: a venue's own markets, from a fixed seed and instant."""

from __future__ import annotations

from reactor.types import SECOND_NS
from reactor.unified_market import MarketOrchestrationCore
from venues.base import Exchange, VenueProtocol
from venues.limits import OFF, Usage

SEED = 7
ORIGIN_NS = 1_767_225_600 * SECOND_NS  # 2026-01-01 00:00 UTC


def exchange(venue: VenueProtocol) -> Exchange:
    """The venue's view of a world made anew, of clients without limits."""
    markets = [(row.instrument, row.manifest) for row in venue.listings]
    world = MarketOrchestrationCore(seed=SEED, origin_ns=ORIGIN_NS, markets=markets)
    symbols = {row.instrument.symbol: row.instrument.market for row in venue.listings}
    return Exchange(world, symbols, Usage(OFF))

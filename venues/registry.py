"""Every venue of the product, in port order. One line per venue."""

from __future__ import annotations

from venues.base import VenueProtocol
from venues.binance import BINANCE, BINANCE_USDM
from venues.hyperliquid import HYPERLIQUID

VENUES: tuple[VenueProtocol, ...] = (BINANCE, BINANCE_USDM, HYPERLIQUID)

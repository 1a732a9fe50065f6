"""Every venue of the product, in port order, and everything that is funded. One line per venue."""

from __future__ import annotations

from venues.base import VenueProtocol
from venues.binance import BINANCE, BINANCE_USDM
from venues.binance import PERPETUALS as BINANCE_PERPETUALS
from venues.bybit import PERPETUALS as BYBIT_PERPETUALS
from venues.funding import Perpetuals
from venues.hyperliquid import HYPERLIQUID
from venues.hyperliquid import PERPETUALS as HYPERLIQUID_PERPETUALS
from venues.okx import PERPETUALS as OKX_PERPETUALS

VENUES: tuple[VenueProtocol, ...] = (BINANCE, BINANCE_USDM, HYPERLIQUID)
FUNDED: tuple[Perpetuals, ...] = (
    BINANCE_PERPETUALS,
    HYPERLIQUID_PERPETUALS,
    OKX_PERPETUALS,
    BYBIT_PERPETUALS,
)

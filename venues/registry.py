"""Every venue of the product, in port order, everything that is funded and every client that is known, one line per
venue; and every market.
"""

from __future__ import annotations

from itertools import chain

from reactor.types import Instrument, Kind
from venues.base import Listing, VenueProtocol
from venues.binance import BINANCE, BINANCE_USDM
from venues.binance import PERPETUALS as BINANCE_PERPETUALS
from venues.binance.clients import CLIENTS as BINANCE_CLIENTS
from venues.bybit import PERPETUALS as BYBIT_PERPETUALS
from venues.bybit.clients import CLIENTS as BYBIT_CLIENTS
from venues.clients import Client
from venues.funding import FundingModel, Perpetuals, model_of
from venues.hyperliquid import HYPERLIQUID
from venues.hyperliquid import PERPETUALS as HYPERLIQUID_PERPETUALS
from venues.hyperliquid.clients import CLIENTS as HYPERLIQUID_CLIENTS
from venues.okx import PERPETUALS as OKX_PERPETUALS
from venues.okx import SPOTS as OKX_SPOTS
from venues.okx.clients import CLIENTS as OKX_CLIENTS

VENUES: tuple[VenueProtocol, ...] = (BINANCE, BINANCE_USDM, HYPERLIQUID)
FUNDED: tuple[Perpetuals, ...] = (
    BINANCE_PERPETUALS,
    HYPERLIQUID_PERPETUALS,
    OKX_PERPETUALS,
    BYBIT_PERPETUALS,
)
CLIENTS: tuple[Client, ...] = (*BINANCE_CLIENTS, *HYPERLIQUID_CLIENTS, *OKX_CLIENTS, *BYBIT_CLIENTS)

# By market id: those of venues that are served first, in port order, then those whose data can only be generated.
LISTED: dict[str, Listing] = {
    listing.instrument.market: listing
    for listing in chain(*(venue.listings for venue in VENUES), OKX_SPOTS, *(row.listings for row in FUNDED))
}


def funding_model(instrument: Instrument) -> FundingModel | None:
    """What funds a market, None where nothing does."""
    venue = instrument.market.partition(":")[0]
    for row in FUNDED:
        if row.venue == venue and instrument.kind is Kind.PERP:
            return model_of(row.models, instrument.asset, instrument.funding)
    return None

"""OKX: its spot markets, its perpetual swaps and what funds them. Its sockets and endpoints are not emulated yet."""

from __future__ import annotations

from typing import Final

from reactor.profiles import profile
from reactor.types import Instrument, Kind
from venues.base import Listing
from venues.funding import Perpetuals
from venues.okx.rules import FUNDING


def _swap(base: str, price_decimals: int, qty_decimals: int) -> Listing:
    symbol = f"{base}-USDT-SWAP"
    instrument = Instrument(
        market=f"okx:{symbol}",
        symbol=symbol,
        asset=base,
        base=base,
        quote="USDT",
        kind=Kind.PERP,
        price_decimals=price_decimals,
        tick_size=1,
        qty_decimals=qty_decimals,
        lot_size=1,
    )
    return Listing(instrument, profile(base, "perp"))


def _spot(base: str, price_decimals: int, lot_size: int) -> Listing:
    symbol = f"{base}-USDT"
    instrument = Instrument(
        market=f"okx:{symbol}",
        symbol=symbol,
        asset=base,
        base=base,
        quote="USDT",
        kind=Kind.SPOT,
        price_decimals=price_decimals,
        tick_size=1,
        qty_decimals=8,
        lot_size=lot_size,
    )
    return Listing(instrument, profile(base, "spot"))


# The least order of BTC-USDT is 0.00001, in steps of 1e-8 (2026); the tape's lots are steps of the least order.
SPOTS: Final = (_spot("BTC", 1, 1_000), _spot("ETH", 2, 10_000), _spot("SOL", 2, 100_000))
# Lots are a hundredth of a contract, and contracts 0.01 BTC, 0.1 ETH and 1 SOL: what the venue lists, as of 2026.
PERPETUALS: Final = Perpetuals("okx", (_swap("BTC", 1, 4), _swap("ETH", 2, 3), _swap("SOL", 2, 2)), FUNDING)

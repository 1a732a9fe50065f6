"""Bybit: its linear perpetuals and what funds them. Its sockets and endpoints are not emulated yet."""

from __future__ import annotations

from typing import Final

from reactor.profiles import profile
from reactor.types import Instrument, Kind
from venues.base import Listing
from venues.bybit.rules import FUNDING
from venues.funding import Perpetuals


def _linear(base: str, price_decimals: int, tick_size: int, qty_decimals: int) -> Listing:
    symbol = f"{base}USDT"
    instrument = Instrument(
        market=f"bybit:{symbol}",
        symbol=symbol,
        asset=base,
        base=base,
        quote="USDT",
        kind=Kind.PERP,
        price_decimals=price_decimals,
        tick_size=tick_size,
        qty_decimals=qty_decimals,
        lot_size=1,
    )
    return Listing(instrument, profile(base, "perp"))


# BTCUSDT as in the documentation of instruments-info (2025-01); the other two as listed in 2026.
PERPETUALS: Final = Perpetuals(
    "bybit", (_linear("BTC", 2, 10, 3), _linear("ETH", 2, 1, 2), _linear("SOL", 3, 10, 1)), FUNDING
)

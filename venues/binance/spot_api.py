"""All endpoints of Binance spot. A table alone."""

from __future__ import annotations

from venues.binance.oco import LIST_ROUTES
from venues.binance.rest import SPOT_ROUTES, Api, Routes
from venues.binance.rules import SPOT_RATE_LIMITS, WEIGHT_BAN
from venues.binance.trade import TRADE_ROUTES
from venues.binance.trade_rules import SPOT_ORDER_LIMITS, SPOT_TRADE_ERRORS

KEYED_ROUTES: Routes = {**TRADE_ROUTES, **LIST_ROUTES}  # those that need a key

SPOT_API = Api(
    {**SPOT_ROUTES, **KEYED_ROUTES},
    SPOT_TRADE_ERRORS,
    decimals=8,
    time_units=True,
    weight=SPOT_RATE_LIMITS[0].windowed(WEIGHT_BAN),
    order_limits=SPOT_ORDER_LIMITS,
)

"""All endpoints of Binance USD-M, and those of its methods on sockets that need a key. Tables alone."""

from __future__ import annotations

from collections.abc import Mapping

from venues.binance.rest import Api, Route
from venues.binance.rules import WEIGHT_BAN
from venues.binance.trade_rules import USDM_ORDER_LIMITS, USDM_TRADE_ERRORS
from venues.binance.usdm_account import USDM_ACCOUNT_ROUTES
from venues.binance.usdm_algo import USDM_ALGO_ROUTES
from venues.binance.usdm_rest import USDM_ROUTES
from venues.binance.usdm_rules import USDM_RATE_LIMITS
from venues.binance.usdm_trade import USDM_TRADE_ROUTES

USDM_API = Api(
    {**USDM_ROUTES, **USDM_TRADE_ROUTES, **USDM_ALGO_ROUTES, **USDM_ACCOUNT_ROUTES},
    USDM_TRADE_ERRORS,
    decimals=0,
    time_units=False,
    weight=USDM_RATE_LIMITS[0].windowed(WEIGHT_BAN),
    order_limits=USDM_ORDER_LIMITS,
)

# by the name of a method on a socket
USDM_SOCKET_TRADES: Mapping[str, Route] = {
    "order.place": USDM_TRADE_ROUTES["/fapi/v1/order"]["POST"],
    "order.modify": USDM_TRADE_ROUTES["/fapi/v1/order"]["PUT"],
    "order.cancel": USDM_TRADE_ROUTES["/fapi/v1/order"]["DELETE"],
    "order.status": USDM_TRADE_ROUTES["/fapi/v1/order"]["GET"],
    "account.status": USDM_TRADE_ROUTES["/fapi/v2/account"]["GET"],
    "v2/account.status": USDM_TRADE_ROUTES["/fapi/v3/account"]["GET"],
    "account.balance": USDM_TRADE_ROUTES["/fapi/v2/balance"]["GET"],
    "v2/account.balance": USDM_TRADE_ROUTES["/fapi/v3/balance"]["GET"],
    "account.position": USDM_TRADE_ROUTES["/fapi/v2/positionRisk"]["GET"],
    "v2/account.position": USDM_TRADE_ROUTES["/fapi/v3/positionRisk"]["GET"],
    "algoOrder.place": USDM_ALGO_ROUTES["/fapi/v1/algoOrder"]["POST"],
    "algoOrder.cancel": USDM_ALGO_ROUTES["/fapi/v1/algoOrder"]["DELETE"],
    "userDataStream.start": USDM_TRADE_ROUTES["/fapi/v1/listenKey"]["POST"],
    "userDataStream.ping": USDM_TRADE_ROUTES["/fapi/v1/listenKey"]["PUT"],
    "userDataStream.stop": USDM_TRADE_ROUTES["/fapi/v1/listenKey"]["DELETE"],
}

"""Binance spot's OCO: a stop and what takes the profit, of which the one that comes first ends the other.

https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#new-order-list---oco-trade, 2026-07-21. Keys of
an answer as by the testnet on 2025-08-06: https://github.com/ccxt/go-binance/pull/742.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import orjson

from reactor.exchange.orders import CancelOrder, NewOrder, Order, PlacePair, Refusal, Refused
from reactor.single_asset import HyperSynthReactor
from reactor.types import Side
from reactor.values import dataclass
from venues.base import VenueError
from venues.binance.order_lists import (
    LIST_NAME,
    done_ns,
    executing,
    list_name_of,
    pair_of,
    pairs,
    told_list,
)
from venues.binance.orders import CLIENT_ID, DECIMAL, made_up, name_cancel, order_id_of
from venues.binance.rest import ANYTHING, NUMBER, SYMBOL, Call, Param, Routes, market_of
from venues.binance.rules import SPOT_MAX_ALGO_ORDERS, SPOT_MAX_ORDER_LISTS
from venues.binance.trade import (
    LIST,
    NAMED,
    NEW_ORDER,
    RESPONSES,
    Json,
    cancelled_list,
    check_order_count,
    count_order,
    limit_of,
    market_by_id,
    new_order,
    placed,
    read,
    refused,
    trade,
    window,
)

STOP_TYPES = ("STOP_LOSS", "STOP_LOSS_LIMIT")
PROFIT_TYPES = ("LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")

# what an order's parameters are called where the list's request has them
_SUFFIXES: Mapping[str, str] = {
    "type": "Type",
    "timeInForce": "TimeInForce",
    "price": "Price",
    "newClientOrderId": "ClientOrderId",
    "strategyId": "StrategyId",
    "strategyType": "StrategyType",
    "stopPrice": "StopPrice",
    "trailingDelta": "TrailingDelta",
    "icebergQty": "IcebergQty",
    "pegPriceType": "PegPriceType",
    "pegOffsetType": "PegOffsetType",
    "pegOffsetValue": "PegOffsetValue",
}
ABOVE, BELOW = ({name: leg + suffix for name, suffix in _SUFFIXES.items()} for leg in ("above", "below"))
# rest-api.md#new-oco-deprecated-trade, 2026-07-21
OLD_LIMIT: Mapping[str, str] = {
    "price": "price",
    "newClientOrderId": "limitClientOrderId",
    "strategyId": "limitStrategyId",
    "strategyType": "limitStrategyType",
    "icebergQty": "limitIcebergQty",
}
OLD_STOP: Mapping[str, str] = {
    "timeInForce": "stopLimitTimeInForce",
    "price": "stopLimitPrice",
    "newClientOrderId": "stopClientOrderId",
    "strategyId": "stopStrategyId",
    "strategyType": "stopStrategyType",
    "stopPrice": "stopPrice",
    "trailingDelta": "trailingDelta",
    "icebergQty": "stopIcebergQty",
}


# ---------------------------------------------------------------- placing
@dataclass(frozen=True, slots=True)
class _Leg:
    """One order of a list: its type, and what the request calls its parameters."""

    kind: str
    names: Mapping[str, str]

    def order(self, call: Call, market: HyperSynthReactor, list_name: str) -> NewOrder:
        """What is asked for, as if it were alone; VenueError in the request's own names."""
        given = {name: call.params[own] for name, own in self.names.items() if own in call.params}
        common = ("symbol", "side", "quantity", "selfTradePreventionMode")
        params = {name: call.params[name] for name in common if name in call.params}
        try:
            order = new_order(replace(call, params={**params, **given, "type": self.kind}), market)
        except VenueError as error:
            told = {key: self.names.get(str(name), name) for key, name in error.params.items()}
            raise VenueError(error.code, **told) from None
        return replace(order, words=((LIST_NAME, list_name), *order.words))


def place_oco(call: Call) -> bytes:
    """A new pair: one leg above the last price, one below."""
    above, below = _Leg(call.params["aboveType"], ABOVE), _Leg(call.params["belowType"], BELOW)
    if above.kind in STOP_TYPES and below.kind in PROFIT_TYPES:
        return _place(call, above, below, stop_above=True)
    if above.kind in PROFIT_TYPES and below.kind in STOP_TYPES:
        return _place(call, below, above, stop_above=False)
    raise VenueError("UNSUPPORTED_COMBINATION")


def place_old_oco(call: Call) -> bytes:
    """A new pair as it was asked for until 2024: a limit order, and a stop on the side where it is a loss."""
    stop = "STOP_LOSS_LIMIT" if "stopLimitPrice" in call.params else "STOP_LOSS"
    buys = call.params["side"] == "BUY"
    return _place(call, _Leg(stop, OLD_STOP), _Leg("LIMIT_MAKER", OLD_LIMIT), stop_above=buys)


def _place(call: Call, stop: _Leg, profit: _Leg, *, stop_above: bool) -> bytes:
    market = market_of(call.exchange, call.params["symbol"])
    response = call.params.get("newOrderRespType", "RESULT")
    if response not in RESPONSES:
        raise VenueError("INVALID_PARAMETER", name="newOrderRespType")
    name = call.params.get(LIST_NAME) or made_up(22, "list", call.account, call.now_ns, str(call.params))
    legs = [leg.order(call, market, name) for leg in (stop, profit)]
    if stop_above != (legs[0].side is Side.BUY):
        raise VenueError("PRICES_RELATED")
    check_order_count(call)
    _check_number(call, market, legs)
    outcome = call.trading.execute(PlacePair(*legs), call.now_ns)
    if isinstance(outcome, Refused):
        if outcome.refusal in (Refusal.WOULD_TAKE, Refusal.WOULD_TRIGGER):
            raise VenueError("PRICES_RELATED")
        raise refused(outcome.refusal)
    for _ in legs:
        count_order(call)
    reports = [placed(call, order, (), response) for order in outcome.orders]
    return orjson.dumps({**_told(call, outcome.orders), "orderReports": reports})


def _check_number(call: Call, market: HyperSynthReactor, legs: list[NewOrder]) -> None:
    of, floor = market.instrument.market, call.floor
    if sum(executing(pair) for pair in pairs(floor, call.account, of)) >= SPOT_MAX_ORDER_LISTS:
        raise VenueError("FILTER", filter="MAX_NUM_ORDER_LISTS")
    stops = sum(leg.trigger is not None for leg in legs)
    if len(floor.waiting_orders(call.account, of)) + stops > SPOT_MAX_ALGO_ORDERS:
        raise VenueError("FILTER", filter="MAX_NUM_ALGO_ORDERS")


# ---------------------------------------------------------------- what there is of them
def _told(call: Call, pair: list[Order] | tuple[Order, ...]) -> Json:
    symbol, runs = market_by_id(call, pair[0].asked.market).instrument.symbol, executing(pair)
    return told_list(pair, symbol, call.stamp(pair[0].created_ns if runs else done_ns(pair)), runs=runs)


def _find(call: Call, name_param: str, error: str, market: str | None = None) -> list[Order]:
    """The list that a request names by its id, its name, or both."""
    list_id, name = call.params.get("orderListId"), call.params.get(name_param)
    if list_id is None and not name:
        raise VenueError("EITHER_PARAMETER", one=name_param, other="orderListId")
    for pair in reversed(pairs(call.floor, call.account, market)):
        if list_id is not None and pair[0].pair_id != order_id_of(list_id):
            continue
        if not name or list_name_of(pair[0]) == name:
            return pair
    raise VenueError(error)


def query_list(call: Call) -> bytes:
    """One list."""
    return orjson.dumps(_told(call, _find(call, "origClientOrderId", "NO_SUCH_LIST")))


def open_lists(call: Call) -> bytes:
    """Those of which neither order has come."""
    return orjson.dumps([_told(call, p) for p in pairs(call.floor, call.account) if executing(p)])


def all_lists(call: Call) -> bytes:
    """The newest lists; from an id or a time on, the oldest. Oldest first."""
    if "fromId" in call.params and call.params.keys() & {"startTime", "endTime"}:
        raise VenueError("BAD_COMBINATION")
    start_ns, end_ns = window(call, None)
    kept = [pair for pair in pairs(call.floor, call.account) if start_ns <= pair[0].created_ns <= end_ns]
    if "fromId" in call.params:
        kept = [pair for pair in kept if (pair[0].pair_id or 0) >= order_id_of(call.params["fromId"])]
    first, limit = bool(call.params.keys() & {"fromId", "startTime"}), limit_of(call)
    return orjson.dumps([_told(call, pair) for pair in (kept[:limit] if first else kept[-limit:])])


def cancel_list(call: Call) -> bytes:
    """The cancel of a list, which is that of both orders."""
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    pair = _find(call, LIST_NAME, "UNKNOWN_LIST", market)
    if not executing(pair):
        raise VenueError("UNKNOWN_LIST")
    for order in pair:
        if "newClientOrderId" in call.params:
            name_cancel(call.trading, call.account, order, call.params["newClientOrderId"], call.now_ns)
    outcome = call.trading.execute(CancelOrder(call.account, market, pair[0].id), call.now_ns)
    if isinstance(outcome, Refused):
        raise refused(outcome.refusal)
    return orjson.dumps(cancelled_list(call, pair_of(call.floor, pair[0])))


# ---------------------------------------------------------------- the table of endpoints
_COMMON: Mapping[str, Param] = {
    "symbol": SYMBOL,
    LIST_NAME: CLIENT_ID,
    "side": NAMED,
    "quantity": replace(DECIMAL, required=True),
    "newOrderRespType": ANYTHING,
    "selfTradePreventionMode": ANYTHING,
}
_NEW_OCO: Mapping[str, Param] = {
    **_COMMON,
    **{own: NEW_ORDER[name] for leg in (ABOVE, BELOW) for name, own in leg.items()},
}
_OLD_OCO: Mapping[str, Param] = {
    **_COMMON,
    **{own: NEW_ORDER[name] for leg in (OLD_LIMIT, OLD_STOP) for name, own in leg.items()},
    "price": replace(DECIMAL, required=True),
    "stopPrice": replace(DECIMAL, required=True),
}
LIST_ROUTES: Routes = {
    "/api/v3/orderList/oco": {"POST": trade(place_oco, _NEW_OCO, counts=True, free=True)},
    "/api/v3/order/oco": {"POST": trade(place_old_oco, _OLD_OCO, counts=True, free=True)},
    "/api/v3/orderList": {
        "GET": read(query_list, 4, orderListId=NUMBER, origClientOrderId=CLIENT_ID),
        "DELETE": trade(
            cancel_list,
            {"symbol": SYMBOL, "orderListId": NUMBER, LIST_NAME: CLIENT_ID, "newClientOrderId": CLIENT_ID},
            free=True,
        ),
    },
    "/api/v3/openOrderList": {"GET": read(open_lists, 6)},
    "/api/v3/allOrderList": {"GET": read(all_lists, 20, fromId=NUMBER, **LIST)},
}

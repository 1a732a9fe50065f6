"""Binance spot for who has a key: orders, their reports, balances and trades, over HTTP and on the WebSocket API.

An order is read by the form of its type, judged by the symbol's filters, and handed to the floor; what the floor says
is told in the venue's words. https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md, 2026-07-21.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

import numpy as np
import orjson

from reactor.exchange.orders import (
    CancelAll,
    CancelOrder,
    Fill,
    NewOrder,
    Order,
    OrderStatus,
    PlaceOrder,
    Refusal,
    Refused,
    TimeInForce,
    Trail,
    Trigger,
    Why,
)
from reactor.exchange.terms import SPOT
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, DAY_NS, Side
from reactor.values import dataclass
from venues.base import VenueError
from venues.binance.order_lists import done_ns, list_id_of, pair_of, pairs, told_list
from venues.binance.orders import (
    CLIENT_ID,
    DECIMAL,
    MONEY,
    PREVENTIONS,
    RATE,
    SIDES,
    TIMES_IN_FORCE,
    Measure,
    cancel_name,
    decimals_of,
    find,
    measure_of,
    name_cancel,
    number_of,
    order_id_of,
    prevention_of,
    side_of,
    status_of,
)
from venues.binance.rest import (
    ANYTHING,
    FLAG,
    NUMBER,
    ONE_SYMBOL,
    SYMBOL,
    Call,
    Param,
    Route,
    Routes,
    market_of,
    nothing_listed,
    order_counts,
    weighs,
)
from venues.binance.rules import SPOT_MAX_ALGO_ORDERS
from venues.binance.signing import Security, time_ns
from venues.binance.trade_rules import (
    SPOT_REFUSALS,
    filters_of,
)
from venues.binance.wire import average_price_e12

Json: TypeAlias = dict[str, Any]
Row = TypeVar("Row")


# ---------------------------------------------------------------- an order's form
@dataclass(frozen=True, slots=True)
class Form:
    """What an order of a type must say, what it must not, and of which two it must say one."""

    needs: tuple[str, ...]
    forbids: tuple[str, ...]
    either: tuple[str, str] | None = None


_WAITS = ("stopPrice", "trailingDelta")
FORMS: Mapping[str, Form] = {
    "LIMIT": Form(("timeInForce", "quantity", "price"), ("quoteOrderQty", *_WAITS)),
    "LIMIT_MAKER": Form(("quantity", "price"), ("timeInForce", "quoteOrderQty", *_WAITS)),
    "MARKET": Form((), ("timeInForce", "price", "icebergQty", *_WAITS), ("quantity", "quoteOrderQty")),
    **dict.fromkeys(
        ("STOP_LOSS", "TAKE_PROFIT"),
        Form(("quantity",), ("timeInForce", "price", "quoteOrderQty", "icebergQty"), _WAITS),
    ),
    **dict.fromkeys(
        ("STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"),
        Form(("timeInForce", "quantity", "price"), ("quoteOrderQty",), _WAITS),
    ),
}
# Orders that wait for the last price: whether they come once it is against who would buy, and whether at the market
STOPS: Mapping[str, tuple[bool, bool]] = {
    "STOP_LOSS": (True, True),
    "STOP_LOSS_LIMIT": (True, False),
    "TAKE_PROFIT": (False, True),
    "TAKE_PROFIT_LIMIT": (False, False),
}
_STOP_WORDS = {terms: word for word, terms in STOPS.items()}
# What symbols here do not take, as their rows of exchangeInfo say, and what is said of it.
REFUSED_WORDS: Mapping[str, str] = {
    "icebergQty": "NO_ICEBERGS",
    "pegPriceType": "NO_PEGS",
    "pegOffsetType": "NO_PEGS",
    "pegOffsetValue": "NO_PEGS",
}
STRATEGY = ("strategyId", "strategyType")
RESPONSES = ("ACK", "RESULT", "FULL")
DEFAULT_PREVENTION = "EXPIRE_MAKER"
LEAST_STRATEGY_TYPE = 1_000_000
BIPS_E6 = 100


def new_order(call: Call, market: HyperSynthReactor) -> NewOrder:
    """The order that a request asks for, when nothing is wrong with it; VenueError otherwise."""
    params = call.params
    side, kind = SIDES.get(params["side"]), params["type"]
    if side is None:
        raise VenueError("BAD_SIDE")
    if kind not in FORMS:
        raise VenueError("BAD_ORDER_TYPE")
    form = FORMS[kind]
    for name in form.needs:
        if name not in params:
            raise VenueError("MANDATORY_PARAMETER", name=name)
    for name in form.forbids:
        if name in params:
            raise VenueError("UNNECESSARY_PARAMETER", name=name)
    for name, error in REFUSED_WORDS.items():
        if name in params:
            raise VenueError(error)
    if form.either is not None and not any(name in params for name in form.either):
        one, other = form.either
        raise VenueError("EITHER_PARAMETER", one=one, other=other)
    if "quantity" in params and "quoteOrderQty" in params:
        raise VenueError("UNNECESSARY_PARAMETER", name="quoteOrderQty")
    if params.get("timeInForce", "GTC") not in TIMES_IN_FORCE:
        raise VenueError("BAD_TIME_IN_FORCE")
    prevention = params.get("selfTradePreventionMode", DEFAULT_PREVENTION)
    if prevention not in PREVENTIONS:
        raise VenueError("NO_SUCH_PREVENTION")
    response_of(params)
    if int(params.get("strategyType", LEAST_STRATEGY_TYPE)) < LEAST_STRATEGY_TYPE:
        raise VenueError("BAD_STRATEGY_TYPE")
    for name in ("quantity", "quoteOrderQty", "price", "stopPrice"):
        if name in params and decimals_of(params[name]) > 8:
            raise VenueError("TOO_PRECISE", name=name)
        if name in params and not float(params[name]):
            raise VenueError("NOTHING", name="quantity" if name.endswith("Qty") else name)
    price_ticks, qty_lots, quote_units = _filtered(call, market, side)
    immediate = TIMES_IN_FORCE[params.get("timeInForce", "GTC")]
    return NewOrder(
        account=call.account,
        market=market.instrument.market,
        side=side,
        price_ticks=price_ticks,
        qty_lots=qty_lots,
        quote_units=quote_units,
        time_in_force=TimeInForce.POST_ONLY if kind == "LIMIT_MAKER" else immediate,
        client_id=params.get("newClientOrderId", ""),
        self_trade=PREVENTIONS[prevention],
        words=tuple([(name, params[name]) for name in STRATEGY if name in params]),
        trigger=_trigger(call, market, side) if kind in STOPS else None,
    )


# https://github.com/binance/binance-spot-api-docs/blob/master/faqs/trailing-stop-faq.md, 2026-07-21
def _trigger(call: Call, market: HyperSynthReactor, side: Side) -> Trigger:
    """What a stop waits for, if its price is one of the symbol's; or how it follows the price, from there on or at
    once, if that is within the symbol's bounds.
    """
    params, (stops, _) = call.params, STOPS[call.params["type"]]
    rises, trail, filters = stops == (side is Side.BUY), None, filters_of(market.instrument)
    if "trailingDelta" in params:
        delta = int(params["trailingDelta"])
        if delta not in (filters.trailing_above if rises else filters.trailing_below):
            raise VenueError("FILTER", filter="TRAILING_DELTA")
        trail = Trail(delta * BIPS_E6, rises=side is Side.BUY, at_once="stopPrice" not in params)
    at_ticks = _ticks(call, market, params["stopPrice"]) if "stopPrice" in params else 0
    return Trigger(at_ticks, rises, trail=trail)


def _ticks(call: Call, market: HyperSynthReactor, text: str) -> int:
    filters = filters_of(market.instrument)
    ticks, exact = measure_of(market.instrument).ticks(text)
    exact = exact and not ticks % call.exchange.step_ticks(call.params["symbol"], call.now_ns)
    if not exact or not filters.min_ticks <= ticks <= filters.max_ticks:
        raise VenueError("FILTER", filter="PRICE_FILTER")
    return ticks


def _filtered(call: Call, market: HyperSynthReactor, side: Side) -> tuple[int | None, int | None, int | None]:
    """(price_ticks, qty_lots, quote_units), if they pass the symbol's filters, in the order of exchangeInfo."""
    params, measure, filters = call.params, measure_of(market.instrument), filters_of(market.instrument)
    price_ticks, qty_lots, quote_units = None, None, None
    if "price" in params:
        price_ticks = _ticks(call, market, params["price"])
    if "quantity" in params:
        qty_lots, exact = measure.lots(params["quantity"])
        if not exact or not filters.min_lots <= qty_lots <= filters.max_lots:
            raise VenueError("FILTER", filter="LOT_SIZE")
        if price_ticks is None and qty_lots > filters.max_market_lots:
            raise VenueError("FILTER", filter="MARKET_LOT_SIZE")
    else:
        quote_units = measure.units(params["quoteOrderQty"])
    band = _band(market, call.now_ns // BLOCK_NS * BLOCK_NS)
    if price_ticks is not None and price_ticks not in (band.bids if side is Side.BUY else band.asks):
        raise VenueError("FILTER", filter="PERCENT_PRICE_BY_SIDE")
    if qty_lots is None:
        units = quote_units or 0
    else:
        units = int(band.average_ticks * qty_lots) if price_ticks is None else price_ticks * qty_lots
    notional_e8 = measure.quote_e8(units)
    too_much = price_ticks is not None and notional_e8 > filters.max_notional_e8
    if notional_e8 < filters.min_notional_e8 or too_much:
        raise VenueError("FILTER", filter="NOTIONAL")
    return price_ticks, qty_lots, quote_units


@dataclass(frozen=True, slots=True)
class _Band:
    """What orders' prices are measured by: the average price of some minutes, and the ticks that bids and asks may be
    at.
    """

    average_ticks: Fraction
    bids: range
    asks: range


@lru_cache(maxsize=64)
def _band(market: HyperSynthReactor, minute_ns: int) -> _Band:
    """As of the last whole minute, so that it is worked out once a minute and not with every order."""
    instrument = market.instrument
    average_e12 = int(average_price_e12(market, np.array([minute_ns]))[0])
    average_ticks = Fraction(average_e12 * 10**instrument.price_decimals, instrument.tick_size * 10**12)
    filters = filters_of(instrument)
    bids, asks = (
        range(math.ceil(low * average_ticks), math.floor(high * average_ticks) + 1)
        for low, high in (filters.bid, filters.ask)
    )
    return _Band(average_ticks, bids, asks)


def response_of(params: Mapping[str, str]) -> str:
    """How much is answered to an order."""
    response = params.get("newOrderRespType", "FULL" if params["type"] in ("LIMIT", "MARKET") else "ACK")
    if response not in RESPONSES:
        raise VenueError("INVALID_PARAMETER", name="newOrderRespType")
    return response


# ---------------------------------------------------------------- reports
def type_of(order: Order) -> str:
    """What was asked for: it stays so when the price comes that an order waited for."""
    trigger = order.asked.trigger
    if trigger is not None:
        return _STOP_WORDS[trigger.rises == (order.asked.side is Side.BUY), order.asked.price_ticks is None]
    if order.asked.price_ticks is None:
        return "MARKET"
    return "LIMIT_MAKER" if order.asked.time_in_force is TimeInForce.POST_ONLY else "LIMIT"


def working(order: Order) -> bool:
    """Whether an order is at its market, or was: others wait for their price, or did until they were cancelled."""
    return order.asked.trigger is None or order.triggered_ns is not None


def stop_price(order: Order, measure: Measure) -> str:
    """The price that it waits for, 0 of one that does not, or only follows the price."""
    return measure.price(order.asked.trigger.price_ticks if order.asked.trigger and _stops(order) else 0)


def _stops(order: Order) -> bool:
    """Whether a price was asked for to wait for."""
    trigger = order.asked.trigger
    return trigger is not None and (trigger.trail is None or not trigger.trail.at_once)


def trailing_delta(order: Order) -> int | None:
    """By how much the price must go back, in bips, if it follows the price."""
    trigger = order.asked.trigger
    return None if trigger is None or trigger.trail is None else trigger.trail.callback_e6 // BIPS_E6


# rest-api.md#conditional-fields-in-order-responses, 2026-07-21. Where there is no price to wait for, none is in the
# answer, and the time of following is that of the order: recorded 2023-01-26, https://github.com/ccxt/ccxt/pull/16637.
def _stop(call: Call, order: Order, measure: Measure) -> Json:
    return {
        **({"stopPrice": stop_price(order, measure)} if _stops(order) else {}),
        **_trailing(call, order),
    }


def _trailing(call: Call, order: Order) -> Json:
    delta = trailing_delta(order)
    if delta is None:
        return {}
    since_ns = order.trailing_ns
    return {"trailingDelta": delta, "trailingTime": -1 if since_ns is None else call.stamp(since_ns)}


def _working_time(call: Call, order: Order) -> int:
    return call.stamp(order.working_ns) if working(order) else -1


IMMEDIATE = {TimeInForce.IOC: "IOC", TimeInForce.FOK: "FOK"}


def time_in_force_of(order: Order) -> str:
    """What an order says of it, or GTC."""
    return "GTC" if order.asked.price_ticks is None else IMMEDIATE.get(order.asked.time_in_force, "GTC")


def expiry_of(order: Order) -> str | None:
    """Why an order expired, if it did: user-data-stream.md#order-expiry-reason, 2026-07-21."""
    if order.status is OrderStatus.REJECTED:
        return "EXCHANGE_CANCELED"
    if order.status is not OrderStatus.EXPIRED or order.why is Why.SELF_TRADE:
        return None
    if order.why is Why.PARTNER_FIRST:
        return "OCO_TRIGGER"
    if order.why is not Why.NOT_FILLED_AT_ONCE:
        return "EXCHANGE_CANCELED"
    if order.asked.price_ticks is None:
        return "INSUFFICIENT_LIQUIDITY"
    fok = order.asked.time_in_force is TimeInForce.FOK
    return "UNFILLED_FOK_ORDER_EXPIRED" if fok else "UNFILLED_IOC_QUANTITY_EXPIRED"


def _strategy(order: Order) -> Json:
    return {name: int(value) for name, value in order.asked.words if name in STRATEGY}


def _expiry(order: Order) -> Json:
    reason = expiry_of(order)
    return {} if reason is None else {"expiryReason": reason}


def _quoted(order: Order, measure: Measure) -> str:
    return measure.quote(order.asked.quote_units or 0)


# Recorded 2026-01-17 by https://github.com/roq-trading/roq-binance (test/json_wsapi_order_place.cpp): the fills come
# before the last key.
def placed(call: Call, order: Order, fills: tuple[Fill, ...], response: str) -> Json:
    """What is answered to a new order: ACK, RESULT or FULL."""
    measure = measure_of(market_by_id(call, order.asked.market).instrument)
    told: Json = {
        "symbol": measure.instrument.symbol,
        "orderId": order.id,
        "orderListId": list_id_of(order),
        "clientOrderId": order.asked.client_id,
        "transactTime": call.stamp(order.updated_ns),
    }
    if response == "ACK":
        return told
    told |= {
        "price": measure.price(order.asked.price_ticks),
        "origQty": measure.qty(order.qty_lots),
        "executedQty": measure.qty(order.filled_lots),
        "origQuoteOrderQty": _quoted(order, measure),
        "cummulativeQuoteQty": measure.quote(order.filled_units),
        "status": status_of(order),
        "timeInForce": time_in_force_of(order),
        "type": type_of(order),
        "side": side_of(order),
        **_stop(call, order, measure),
        "workingTime": _working_time(call, order),
    }
    if response == "FULL":
        told["fills"] = [_fill(fill, measure) for fill in fills]
    return {**told, **_strategy(order), "selfTradePreventionMode": prevention_of(order), **_expiry(order)}


def _fill(fill: Fill, measure: Measure) -> Json:
    return {
        "price": measure.price(fill.price_ticks),
        "qty": measure.qty(fill.qty_lots),
        "commission": MONEY.text(fill.fee_e8),
        "commissionAsset": fill.fee_asset,
        "tradeId": fill.trade_id,
    }


# Recorded 2026-01-17, .../roq-binance (test/json_wsapi_cancel_order.cpp)
def cancelled(call: Call, order: Order) -> Json:
    """What is answered to a cancel."""
    measure = measure_of(market_by_id(call, order.asked.market).instrument)
    return {
        "symbol": measure.instrument.symbol,
        "origClientOrderId": order.asked.client_id,
        "orderId": order.id,
        "orderListId": list_id_of(order),
        "clientOrderId": cancel_name(call.floor, order),
        "transactTime": call.stamp(order.updated_ns),
        "price": measure.price(order.asked.price_ticks),
        "origQty": measure.qty(order.qty_lots),
        "executedQty": measure.qty(order.filled_lots),
        "origQuoteOrderQty": _quoted(order, measure),
        "cummulativeQuoteQty": measure.quote(order.filled_units),
        "status": status_of(order),
        "timeInForce": time_in_force_of(order),
        "type": type_of(order),
        "side": side_of(order),
        **_stop(call, order, measure),
        **_strategy(order),
        "selfTradePreventionMode": prevention_of(order),
    }


# rest-api.md#cancel-order-list-trade, 2026-07-21. The cancel of one order of a list is that of both, and told like it.
def cancelled_list(call: Call, pair: Sequence[Order]) -> Json:
    """What is answered to the cancel of a list."""
    symbol = market_by_id(call, pair[0].asked.market).instrument.symbol
    told = told_list(pair, symbol, call.stamp(done_ns(pair)), runs=False)
    return {**told, "orderReports": [cancelled(call, order) for order in pair]}


# rest-api.md#query-order-user_data and web-socket-api.md#query-order-user_data, 2026-07-21
def reported(call: Call, order: Order) -> Json:
    """An order as queries tell it."""
    measure = measure_of(market_by_id(call, order.asked.market).instrument)
    return {
        "symbol": measure.instrument.symbol,
        "orderId": order.id,
        "orderListId": list_id_of(order),
        "clientOrderId": order.asked.client_id,
        "price": measure.price(order.asked.price_ticks),
        "origQty": measure.qty(order.qty_lots),
        "executedQty": measure.qty(order.filled_lots),
        "cummulativeQuoteQty": measure.quote(order.filled_units),
        "status": status_of(order),
        "timeInForce": time_in_force_of(order),
        "type": type_of(order),
        "side": side_of(order),
        "stopPrice": stop_price(order, measure),
        **_trailing(call, order),
        "icebergQty": measure.qty(0),
        "time": call.stamp(order.created_ns),
        "updateTime": call.stamp(order.updated_ns),
        "isWorking": working(order),
        "workingTime": _working_time(call, order),
        "origQuoteOrderQty": _quoted(order, measure),
        **_strategy(order),
        "selfTradePreventionMode": prevention_of(order),
        **_expiry(order),
    }


def market_by_id(call: Call, market: str) -> HyperSynthReactor:
    """A listed market by its id."""
    return call.exchange.world.market(market)


# ---------------------------------------------------------------- placing and cancelling
def place(call: Call) -> bytes:
    """A new order."""
    order = new_order(call, market_of(call.exchange, call.params["symbol"]))
    check_order_count(call)
    return orjson.dumps(_place(call, order))


def _place(call: Call, order: NewOrder) -> Json:
    if order.trigger is not None:
        waiting = call.floor.waiting_orders(call.account, order.market)
        if len(waiting) >= SPOT_MAX_ALGO_ORDERS:
            raise VenueError("FILTER", filter="MAX_NUM_ALGO_ORDERS")
    outcome = call.trading.execute(PlaceOrder(order), call.now_ns)
    if isinstance(outcome, Refused):
        raise refused(outcome.refusal)
    if not outcome.fills:  # an order that was filled, if only in part, no longer counts
        count_order(call)
    return placed(call, outcome.order, outcome.fills, response_of(call.params))


FILTERS_OF: Mapping[Refusal, str] = {
    Refusal.TOO_MANY_ORDERS: "MAX_NUM_ORDERS",
    Refusal.TOO_MANY_WAITING: "MAX_NUM_ALGO_ORDERS",
}


def refused(refusal: Refusal) -> VenueError:
    """What the venue says where the floor refuses."""
    if refusal in FILTERS_OF:
        return VenueError("FILTER", filter=FILTERS_OF[refusal])
    return VenueError(SPOT_REFUSALS[refusal])


def check_order_count(call: Call) -> None:
    """VenueError if the account has placed as many orders as it may."""
    limits = call.api.order_limits
    counts = order_counts(limits, call.exchange, call.account, call.at)
    for limit, count in zip(limits, counts, strict=True):
        allowed = call.exchange.usage.allowed(limit.windowed())
        if count >= allowed:
            interval = f"{limit.interval_num} {limit.interval}"
            raise VenueError("TOO_MANY_ORDERS", limit=allowed, interval=interval)


def count_order(call: Call) -> None:
    """Count an order that was placed."""
    usage, account = call.exchange.usage, call.account
    for limit in call.api.order_limits:
        usage.count(limit.windowed(), account, 1, call.at)


def place_test(call: Call) -> bytes:
    """An order that is only judged, and what it would cost."""
    market = market_of(call.exchange, call.params["symbol"])
    new_order(call, market)
    if call.params.get("computeCommissionRates", "false").lower() != "true":
        return b"{}"
    terms = call.terms[market.instrument.market]
    rates = {"maker": RATE.text(terms.maker_fee_e6), "taker": RATE.text(terms.taker_fee_e6)}
    nothing = {"maker": RATE.text(0), "taker": RATE.text(0)}
    return orjson.dumps(
        {
            "standardCommissionForOrder": rates,
            "specialCommissionForOrder": nothing,
            "taxCommissionForOrder": nothing,
            "discount": DISCOUNT,
        }
    )


def cancel(call: Call) -> bytes:
    """The cancel of an open order."""
    market = market_of(call.exchange, call.params["symbol"])
    return orjson.dumps(_cancel(call, market, "orderId", "origClientOrderId", "newClientOrderId"))


def _cancel(call: Call, market: HyperSynthReactor, id_name: str, client_name: str, new_name: str) -> Json:
    restrictions = call.params.get("cancelRestrictions")
    if restrictions is not None and restrictions not in CANCEL_RESTRICTIONS:
        raise VenueError("BAD_CANCEL_RESTRICTIONS")
    order = find(call, market.instrument.market, id_name, client_name, "UNKNOWN_ORDER")
    if not (order.status.open or order.status is OrderStatus.WAITING):
        raise VenueError("UNKNOWN_ORDER")
    if restrictions is not None and status_of(order) != CANCEL_RESTRICTIONS[restrictions]:
        raise VenueError("CANCEL_RESTRICTED")
    if new_name in call.params:
        name_cancel(call.trading, call.account, order, call.params[new_name], call.now_ns)
    outcome = call.trading.execute(CancelOrder(call.account, market.instrument.market, order.id), call.now_ns)
    if isinstance(outcome, Refused):
        raise refused(outcome.refusal)
    if order.pair_id is not None:
        return cancelled_list(call, pair_of(call.floor, order))
    return cancelled(call, outcome.order)


CANCEL_RESTRICTIONS: Mapping[str, str] = {
    "ONLY_NEW": "NEW",
    "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED",
}


def cancel_all(call: Call) -> bytes:
    """The cancel of all open orders of a symbol, of which there must be one."""
    market = market_of(call.exchange, call.params["symbol"])
    outcome = call.trading.execute(CancelAll(call.account, market.instrument.market), call.now_ns)
    if isinstance(outcome, Refused):
        raise refused(outcome.refusal)
    if not outcome.orders:
        raise VenueError("UNKNOWN_ORDER")
    lists = {pair[0].pair_id: pair for pair in pairs(call.floor, call.account, market.instrument.market)}
    return orjson.dumps(
        [
            cancelled(call, order) if order.pair_id is None else cancelled_list(call, lists[order.pair_id])
            for order in outcome.orders
        ]
    )


def cancel_replace(call: Call) -> bytes:
    """The cancel of an order and a new one: each may fail, and either failure is told with what came of the other."""
    market = market_of(call.exchange, call.params["symbol"])
    mode = call.params["cancelReplaceMode"]
    if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
        raise VenueError("INVALID_PARAMETER", name="cancelReplaceMode")
    exceeded = call.params.get("orderRateLimitExceededMode", "DO_NOTHING")
    if exceeded not in ("DO_NOTHING", "CANCEL_ONLY"):
        raise VenueError("INVALID_PARAMETER", name="orderRateLimitExceededMode")
    order = new_order(call, market)
    too_many: VenueError | None = None
    try:
        check_order_count(call)
    except VenueError as error:
        if exceeded == "DO_NOTHING":
            raise
        too_many = error

    def attempt() -> Json:
        if too_many is not None:
            raise too_many
        return _place(call, order)

    names = ("cancelOrderId", "cancelOrigClientOrderId", "cancelNewClientOrderId")
    cancel_result, cancel_response = _tried(call, lambda: _cancel(call, market, *names))
    if cancel_result == "FAILURE" and mode == "STOP_ON_FAILURE":
        new_result, new_response = "NOT_ATTEMPTED", None
        count_order(call)
    else:
        new_result, new_response = _tried(call, attempt)
    results = {
        "cancelResult": cancel_result,
        "newOrderResult": new_result,
        "cancelResponse": cancel_response,
        "newOrderResponse": new_response,
    }
    if (cancel_result, new_result) == ("SUCCESS", "SUCCESS"):
        return orjson.dumps(results)
    partly = "SUCCESS" in (cancel_result, new_result)
    raise VenueError("PARTIALLY_REPLACED" if partly else "NOT_REPLACED", data=results)


def _tried(call: Call, attempt: Callable[[], Json]) -> tuple[str, Any]:
    try:
        return "SUCCESS", attempt()
    except VenueError as error:
        return "FAILURE", orjson.Fragment(call.api.errors[str(error.code)].body(error.params))


def refuse(error: str) -> Callable[[Call], bytes]:
    """The answer of an endpoint that does nothing here but say so."""

    def answer(call: Call) -> bytes:
        if "symbol" in call.params:
            market_of(call.exchange, call.params["symbol"])
        raise VenueError(error)

    return answer


# ---------------------------------------------------------------- queries
def query_order(call: Call) -> bytes:
    """One order."""
    market = market_of(call.exchange, call.params["symbol"])
    order = find(call, market.instrument.market, "orderId", "origClientOrderId", "NO_SUCH_ORDER")
    return orjson.dumps(reported(call, order))


def open_orders(call: Call) -> bytes:
    """The open orders of a symbol, or all."""
    market, floor = market_id_or_all(call), call.floor
    orders = [*floor.open_orders(call.account, market), *floor.waiting_orders(call.account, market)]
    orders.sort(key=lambda order: order.id)
    return orjson.dumps([reported(call, order) for order in orders])


def market_id_or_all(call: Call) -> str | None:
    """The id of the market that a request names, None if it names none."""
    if "symbol" not in call.params:
        return None
    return market_of(call.exchange, call.params["symbol"]).instrument.market


def all_orders(call: Call) -> bytes:
    """The newest orders of a symbol; from an id or a time on, the oldest. Oldest first."""
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    start_ns, end_ns = window(call, DAY_NS)
    orders = [o for o in call.floor.orders(call.account, market) if start_ns <= o.created_ns <= end_ns]
    orders.sort(key=lambda order: order.id)
    if "orderId" in call.params:
        orders = [order for order in orders if order.id >= order_id_of(call.params["orderId"])]
    first = "orderId" in call.params or "startTime" in call.params
    return orjson.dumps([reported(call, order) for order in cut(orders, limit_of(call), first)])


def window(call: Call, most_ns: int | None) -> tuple[int, int]:
    """From startTime to endTime, by the client's clock, both part of it; VenueError if that is more than most_ns."""
    assert call.caller is not None
    start_ns, end_ns = 0, 1 << 62
    if "startTime" in call.params:
        start_ns = time_ns(call.params["startTime"]) - call.caller.ahead_ns
    if "endTime" in call.params:
        end_ns = time_ns(call.params["endTime"], 1) - 1 - call.caller.ahead_ns
    told = call.params.keys() >= {"startTime", "endTime"}
    if told and most_ns is not None and end_ns - start_ns > most_ns:
        raise VenueError("LONG_INTERVAL", hours=24)
    return start_ns, end_ns


def limit_of(call: Call, default: int = 500, most: int = 1000) -> int:
    """How many rows."""
    return min(int(call.params.get("limit", default)), most)


def cut(rows: list[Row], limit: int, first: bool) -> list[Row]:
    """The first rows, or the last."""
    return rows[:limit] if first else rows[max(len(rows) - limit, 0) :]


def fills_asked(call: Call, market: str, start_ns: int, end_ns: int) -> list[Fill]:
    """The fills of a market in [start_ns, end_ns] that a request names, oldest first: the newest of them; from an id or
    a time on, the oldest.
    """
    rows = [fill for fill in call.floor.fills(call.account, market) if start_ns <= fill.ts_ns <= end_ns]
    if "orderId" in call.params:
        rows = [fill for fill in rows if fill.order_id == order_id_of(call.params["orderId"])]
    if "fromId" in call.params:
        rows = [fill for fill in rows if fill.trade_id >= order_id_of(call.params["fromId"])]
    return cut(rows, limit_of(call), "fromId" in call.params or "startTime" in call.params)


# rest-api.md#account-trade-list-user_data, 2026-07-21
def my_trades(call: Call) -> bytes:
    """The newest fills of a symbol; from an id or a time on, the oldest. Oldest first."""
    market = market_of(call.exchange, call.params["symbol"])
    if "fromId" in call.params and call.params.keys() & {"startTime", "endTime"}:
        raise VenueError("BAD_COMBINATION")
    start_ns, end_ns = window(call, DAY_NS)
    measure = measure_of(market.instrument)
    lists = {o.id: list_id_of(o) for o in call.floor.orders(call.account, market.instrument.market)}
    return orjson.dumps(
        [
            {
                "symbol": market.instrument.symbol,
                "id": fill.trade_id,
                "orderId": fill.order_id,
                "orderListId": lists.get(fill.order_id, -1),
                "price": measure.price(fill.price_ticks),
                "qty": measure.qty(fill.qty_lots),
                "quoteQty": measure.quote(fill.price_ticks * fill.qty_lots),
                "commission": MONEY.text(fill.fee_e8),
                "commissionAsset": fill.fee_asset,
                "time": call.stamp(fill.ts_ns),
                "isBuyer": fill.side is Side.BUY,
                "isMaker": fill.maker,
                "isBestMatch": True,
            }
            for fill in fills_asked(call, market.instrument.market, start_ns, end_ns)
        ]
    )


# ---------------------------------------------------------------- the account
DISCOUNT = {
    "enabledForAccount": False,
    "enabledForSymbol": False,
    "discountAsset": "BNB",
    "discount": "0.75000000",
}


# Keys as recorded 2026-01-14 by .../roq-binance (test/json_wsapi_account.cpp); permissions and uid as documented
# (rest-api.md#account-information-user_data, 2026-07-21).
def account(call: Call) -> bytes:
    """Balances of all assets that the venue lists, and what trading costs."""
    floor, terms = call.floor, next(iter(call.terms.values()))
    listed = [market.instrument for market in call.exchange]
    held = {b.asset: b for b in floor.balances(call.account) if b.wallet == SPOT}
    assets = dict.fromkeys([*(i.base for i in listed), *(i.quote for i in listed), *held])
    if call.params.get("omitZeroBalances", "false").lower() == "true":
        assets = dict.fromkeys(asset for asset in assets if asset in held and held[asset].total_e8)
    rows = [held.get(asset) for asset in assets]
    orders = floor.orders(call.account)
    return orjson.dumps(
        {
            "makerCommission": terms.maker_fee_e6 // 100,
            "takerCommission": terms.taker_fee_e6 // 100,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {
                "maker": RATE.text(terms.maker_fee_e6),
                "taker": RATE.text(terms.taker_fee_e6),
                "buyer": RATE.text(0),
                "seller": RATE.text(0),
            },
            "canTrade": True,
            "canWithdraw": True,
            "canDeposit": True,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": call.stamp(max((order.updated_ns for order in orders), default=0)),
            "accountType": "SPOT",
            "balances": [
                {
                    "asset": asset,
                    "free": MONEY.text(row.free_e8 if row else 0),
                    "locked": MONEY.text(row.locked_e8 if row else 0),
                }
                for asset, row in zip(assets, rows, strict=True)
            ],
            "permissions": ["SPOT"],
            "uid": number_of("uid", call.account),
        }
    )


def commission(call: Call) -> bytes:
    """What trading a symbol costs."""
    market = market_of(call.exchange, call.params["symbol"])
    terms = call.terms[market.instrument.market]
    names, nothing = ("maker", "taker", "buyer", "seller"), RATE.text(0)
    standard = (RATE.text(terms.maker_fee_e6), RATE.text(terms.taker_fee_e6), nothing, nothing)
    return orjson.dumps(
        {
            "symbol": market.instrument.symbol,
            "standardCommission": dict(zip(names, standard, strict=True)),
            "specialCommission": dict.fromkeys(names, nothing),
            "taxCommission": dict.fromkeys(names, nothing),
            "discount": DISCOUNT,
        }
    )


def order_limits(call: Call) -> bytes:
    """How many orders the account has placed, and may."""
    limits = call.api.order_limits
    counts = order_counts(limits, call.exchange, call.account, call.at)
    return orjson.dumps(
        [
            {**limit.as_json(call.exchange.usage), "count": count}
            for limit, count in zip(limits, counts, strict=True)
        ]
    )


# https://developers.binance.com/docs/wallet/account/api-key-permission, 2026-08
def key_permissions(call: Call) -> bytes:
    """What the key may do: trade, unless it is for reading only, and nothing that there is not here."""
    assert call.caller is not None
    key = call.caller.key
    return orjson.dumps(
        {
            "ipRestrict": bool(key.addresses),
            "createTime": call.stamp(next(iter(call.exchange)).origin_ns),
            "enableReading": True,
            "enableWithdrawals": False,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": not key.read_only,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enableFixApiTrade": False,
            "enableFixReadOnly": False,
            "enableSpotAndMarginTrading": not key.read_only,
            "enablePortfolioMarginTrading": False,
        }
    )


# ---------------------------------------------------------------- the table of endpoints
NAMED = replace(ANYTHING, required=True)
LONG = Param(r"^-?[0-9]{1,20}$", re.compile("-?[0-9]{1,20}"))
LIST = {"startTime": NUMBER, "endTime": NUMBER, "limit": NUMBER}
ONE_ORDER = {"symbol": SYMBOL, "orderId": NUMBER, "origClientOrderId": CLIENT_ID}
NEW_ORDER: Mapping[str, Param] = {
    "symbol": SYMBOL,
    "side": NAMED,
    "type": NAMED,
    "timeInForce": ANYTHING,
    "quantity": DECIMAL,
    "quoteOrderQty": DECIMAL,
    "price": DECIMAL,
    "newClientOrderId": CLIENT_ID,
    "strategyId": LONG,
    "strategyType": LONG,
    "stopPrice": DECIMAL,
    "trailingDelta": NUMBER,
    "icebergQty": DECIMAL,
    "newOrderRespType": ANYTHING,
    "selfTradePreventionMode": ANYTHING,
    "pegPriceType": ANYTHING,
    "pegOffsetValue": NUMBER,
    "pegOffsetType": ANYTHING,
}


def trade(
    answer: Callable[[Call], bytes],
    params: Mapping[str, Param] | None,
    weight: int = 1,
    *,
    counts: bool = False,
    free: bool = False,
) -> Route:
    """An endpoint that places or cancels."""
    return Route(answer, weighs(weight), params, security=Security.TRADE, counts=counts, free=free)


def read(
    answer: Callable[[Call], bytes],
    weight: int | Callable[[Mapping[str, str]], int],
    **params: Param,
) -> Route:
    """An endpoint that tells of the account."""
    weigh = weighs(weight) if isinstance(weight, int) else weight
    return Route(answer, weigh, params, security=Security.USER_DATA)


def _test_weight(params: Mapping[str, str]) -> int:
    return 20 if params.get("computeCommissionRates", "false").lower() == "true" else 1


# Since 2026-04-02 what succeeds in placing or cancelling weighs nothing: CHANGELOG.md, 2026-03-23.
TRADE_ROUTES: Routes = {
    "/api/v3/order": {
        "POST": trade(place, NEW_ORDER, counts=True, free=True),
        "DELETE": trade(
            cancel,
            {**ONE_ORDER, "newClientOrderId": CLIENT_ID, "cancelRestrictions": ANYTHING},
            free=True,
        ),
        "GET": read(query_order, 4, **ONE_ORDER),
    },
    "/api/v3/order/test": {
        "POST": Route(
            place_test,
            _test_weight,
            {**NEW_ORDER, "computeCommissionRates": FLAG},
            security=Security.TRADE,
        )
    },
    "/api/v3/order/cancelReplace": {
        "POST": trade(
            cancel_replace,
            {
                **NEW_ORDER,
                "cancelReplaceMode": NAMED,
                "cancelNewClientOrderId": CLIENT_ID,
                "cancelOrigClientOrderId": CLIENT_ID,
                "cancelOrderId": NUMBER,
                "cancelRestrictions": ANYTHING,
                "orderRateLimitExceededMode": ANYTHING,
            },
            counts=True,
            free=True,
        )
    },
    "/api/v3/order/amend/keepPriority": {"PUT": trade(refuse("NO_AMENDMENTS"), None, 4)},
    "/api/v3/openOrders": {
        "GET": read(open_orders, lambda params: 6 if "symbol" in params else 80, symbol=ONE_SYMBOL),
        "DELETE": trade(cancel_all, {"symbol": SYMBOL}, free=True),
    },
    "/api/v3/allOrders": {"GET": read(all_orders, 20, symbol=SYMBOL, orderId=NUMBER, **LIST)},
    "/api/v3/myTrades": {
        "GET": read(
            my_trades,
            lambda params: 5 if "orderId" in params else 20,
            **{"symbol": SYMBOL, "orderId": NUMBER, "fromId": NUMBER, **LIST},
        )
    },
    # nothing is allocated by SOR
    "/api/v3/myAllocations": {
        "GET": read(nothing_listed, 20, symbol=SYMBOL, orderId=NUMBER, fromAllocationId=NUMBER, **LIST)
    },
    "/sapi/v1/account/apiRestrictions": {"GET": read(key_permissions, 0)},
    "/api/v3/account": {"GET": read(account, 20, omitZeroBalances=FLAG)},
    "/api/v3/account/commission": {"GET": read(commission, 20, symbol=SYMBOL)},
    "/api/v3/rateLimit/order": {"GET": read(order_limits, 40)},
    "/api/v3/orderList/oto": {"POST": trade(refuse("UNSUPPORTED"), None)},
    "/api/v3/orderList/otoco": {"POST": trade(refuse("UNSUPPORTED"), None)},
    "/api/v3/orderList/opo": {"POST": trade(refuse("NO_OPO"), None)},
    **{
        f"/api/v3/sor/{path}": {"POST": trade(refuse("UNSUPPORTED"), None)}
        for path in ("order", "order/test")
    },
}

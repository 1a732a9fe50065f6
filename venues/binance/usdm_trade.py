"""Binance USD-M for who has a key: orders, positions, margin and income, over HTTP and on the WebSocket API.

Parameters that an endpoint does not have are overlooked, as with its market data.
https://developers.binance.com/docs/derivatives/usds-margined-futures, 2026-09, and
https://github.com/binance/binance-connector-python (clients/derivatives_trading_usds_futures), 2026-10.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, Final

import orjson

from reactor.exchange.orders import (
    AmendOrder,
    Balance,
    CancelAll,
    CancelOrder,
    Gauge,
    MoveMargin,
    NewOrder,
    Order,
    OrderStatus,
    PlaceOrder,
    Position,
    Refusal,
    Refused,
    ScheduleCancel,
    SetLeverage,
    SetMarginMode,
    TimeInForce,
)
from reactor.exchange.terms import PERP, MarginTier
from reactor.single_asset import HyperSynthReactor
from reactor.types import DAY_NS, MS_NS, Instrument, Side
from reactor.values import dataclass
from venues.base import VenueError
from venues.binance.listen_keys import keep_listening, start_listening, stop_listening
from venues.binance.orders import (
    DECIMAL,
    MONEY,
    PREVENTIONS,
    SIDES,
    TIMES_IN_FORCE,
    Measure,
    decimals_of,
    find,
    made_up,
    measure_of,
    number_of,
    order_id_of,
    prevention_of,
    side_of,
    status_of,
)
from venues.binance.rest import (
    ANYTHING,
    NUMBER,
    ONE_SYMBOL,
    SYMBOL,
    Call,
    Param,
    Route,
    Routes,
    market_of,
    parameters,
    weighs,
)
from venues.binance.signing import Security
from venues.binance.trade import (
    NAMED,
    Json,
    check_order_count,
    count_order,
    cut,
    fills_asked,
    limit_of,
    market_by_id,
    market_id_or_all,
    order_limits,
    window,
)
from venues.binance.trade_rules import USDM_REFUSALS, filters_of
from venues.binance.usdm_adl import grade
from venues.binance.usdm_rules import contract_of
from venues.wire import Scale

WEEK_NS = 7 * DAY_NS
RATE = Scale(6, 6)
PRICE = Scale(8, 1)  # what is not a price of the book: as many decimals as it takes
NOTHING = "0"


# ---------------------------------------------------------------- an order's form
@dataclass(frozen=True, slots=True)
class Form:
    """What an order of a type must say, and what it must not."""

    needs: tuple[str, ...]
    forbids: tuple[str, ...]


FORMS: Mapping[str, Form] = {
    "LIMIT": Form(("timeInForce", "quantity", "price"), ("stopPrice", "activationPrice", "callbackRate")),
    "MARKET": Form(("quantity",), ("timeInForce", "price", "stopPrice", "activationPrice", "callbackRate")),
}
TRAILING = "TRAILING_STOP_MARKET"
# Conditional orders, which moved to a service of their own on 2025-12-09: whether they come once the price is against
# who would buy, and whether at the market. One that follows the price begins to where it is a profit.
ALGO_KINDS: Mapping[str, tuple[bool, bool]] = {
    "STOP": (True, False),
    "STOP_MARKET": (True, True),
    "TAKE_PROFIT": (False, False),
    "TAKE_PROFIT_MARKET": (False, True),
    TRAILING: (False, True),
}
_KIND_WORDS = {terms: word for word, terms in ALGO_KINDS.items() if word != TRAILING}
# as in "Parameter 'timeinforce' sent when not required."
TOLD_AS = {"timeInForce": "timeinforce"}
RESPONSES = ("ACK", "RESULT")
WORKING_TYPES: Mapping[str, Gauge] = {"CONTRACT_PRICE": Gauge.LAST, "MARK_PRICE": Gauge.MARK}
_GAUGE_WORDS = {gauge: word for word, gauge in WORKING_TYPES.items()}
# while there is a position
WITH_POSITION = "GTE_GTC"
USDM_TIMES_IN_FORCE = {**TIMES_IN_FORCE, "GTX": TimeInForce.POST_ONLY}
_TIME_WORDS = {time: word for word, time in USDM_TIMES_IN_FORCE.items()}
CLIENT_ORDER_ID = re.compile(r"[.A-Z:/a-z0-9_\-]{1,36}")


def new_order(call: Call, market: HyperSynthReactor) -> NewOrder:
    """The order that a request asks for, when nothing is wrong with it; VenueError otherwise."""
    params, kind = call.params, call.params["type"]
    if params["side"] not in SIDES:
        raise VenueError("BAD_SIDE")
    if kind in ALGO_KINDS:
        raise VenueError("USE_ALGO_ORDERS")
    if kind not in FORMS:
        raise VenueError("BAD_ORDER_TYPE")
    if flag(params, "closePosition"):
        raise VenueError("CLOSING_TYPE", type=kind, closing="true")
    form = FORMS[kind]
    if params.get("priceMatch", "NONE") != "NONE":
        raise VenueError("BAD_PRICE_MATCH")
    for name in form.needs:
        if not params.get(name):
            raise VenueError("MANDATORY_PARAMETER", name=name)
    for name in form.forbids:
        if params.get(name):
            raise VenueError("UNNECESSARY_PARAMETER", name=TOLD_AS.get(name, name))
    if params.get("timeInForce", "GTC") not in USDM_TIMES_IN_FORCE:
        raise VenueError("BAD_TIME_IN_FORCE")
    check_position_side(params)
    client_id = params.get("newClientOrderId", "")
    if len(client_id) > 36:
        raise VenueError("LONG_CLIENT_ID")
    if client_id and not CLIENT_ORDER_ID.fullmatch(client_id):
        raise VenueError("BAD_CLIENT_ID")
    prevention = params.get("selfTradePreventionMode", "EXPIRE_MAKER")
    if prevention not in PREVENTIONS:
        raise VenueError("NO_SUCH_PREVENTION")
    if params.get("newOrderRespType", "ACK") not in RESPONSES:
        raise VenueError("BAD_RESPONSE_TYPE")
    if params.get("workingType", "CONTRACT_PRICE") not in WORKING_TYPES:
        raise VenueError("BAD_WORKING_TYPE", name=params["workingType"])
    side, reduce_only = SIDES[params["side"]], flag(params, "reduceOnly")
    price_ticks, qty_lots = filtered(call, market, side, reduce_only)
    return NewOrder(
        account=call.account,
        market=market.instrument.market,
        side=side,
        price_ticks=price_ticks,
        qty_lots=qty_lots,
        time_in_force=USDM_TIMES_IN_FORCE[params.get("timeInForce", "GTC")],
        reduce_only=reduce_only,
        client_id=client_id,
        self_trade=PREVENTIONS[prevention],
    )


def flag(params: Mapping[str, str], name: str) -> bool:
    """A parameter that is true or false, false where there is none."""
    value = params.get(name, "false").lower()
    if value not in ("true", "false"):
        raise VenueError("INVALID_PARAMETER", name=name)
    return value == "true"


def check_position_side(params: Mapping[str, str]) -> None:
    """Accounts are in one-way mode."""
    side = params.get("positionSide") or "BOTH"
    if side not in ("BOTH", "LONG", "SHORT"):
        raise VenueError("BAD_POSITION_SIDE")
    if side != "BOTH":
        raise VenueError("OTHER_POSITION_SIDE")


def filtered(call: Call, market: HyperSynthReactor, side: Side, reduce_only: bool) -> tuple[int | None, int]:
    """Price and quantity of an order, if they pass the symbol's filters."""
    params, instrument = call.params, market.instrument
    measure, filters = measure_of(instrument), filters_of(instrument)
    price = params.get("price")
    check_decimals(params, instrument)
    qty_lots = quantity(params["quantity"], measure, limit=bool(price))
    mark_e8 = call.floor.mark_e8(instrument.market)
    price_ticks = None
    if price:
        step_ticks = call.exchange.step_ticks(instrument.symbol, call.now_ns)
        price_ticks = _price_ticks(measure, price, side, mark_e8, step_ticks)
        notional_e8 = measure.quote_e8(price_ticks * qty_lots)
    else:
        _check_counterparty(call, market, side, mark_e8)
        notional_e8 = mark_e8 * qty_lots * instrument.lot_size // 10**instrument.qty_decimals
    if not reduce_only and notional_e8 < filters.min_notional_e8:
        raise VenueError("BELOW_NOTIONAL", notional=contract_of(instrument).min_notional)
    return price_ticks, qty_lots


def check_decimals(params: Mapping[str, str], instrument: Instrument) -> None:
    """Neither quantity nor prices have more decimals than those of the symbol."""
    most_decimals = {
        "quantity": instrument.qty_decimals,
        "price": instrument.price_decimals,
        "triggerPrice": instrument.price_decimals,
        "activatePrice": instrument.price_decimals,
    }
    for name, most in most_decimals.items():
        if params.get(name) and decimals_of(params[name]) > most:
            raise VenueError("TOO_PRECISE")


def quantity(text: str, measure: Measure, *, limit: bool) -> int:
    """A quantity in lots, within the bounds of limit orders or of those at the market."""
    filters = filters_of(measure.instrument)
    qty_lots, _ = measure.lots(text)  # a lot is one of the decimals
    if qty_lots <= 0:
        raise VenueError("NO_QUANTITY")
    if qty_lots < filters.min_lots:
        raise VenueError("QUANTITY_BELOW_MINIMUM")
    if qty_lots > (filters.max_lots if limit else filters.max_market_lots):
        raise VenueError("QUANTITY_ABOVE_MAXIMUM")
    return qty_lots


def price_of(text: str, measure: Measure, step_ticks: int) -> int:
    """A price in ticks that is one of the symbol's."""
    filters = filters_of(measure.instrument)
    ticks, exact = measure.ticks(text)
    if not float(text):
        raise VenueError("NEGATIVE_PRICE")
    if ticks > filters.max_ticks:
        raise VenueError("PRICE_ABOVE_MAXIMUM")
    if ticks < filters.min_ticks:
        raise VenueError("PRICE_BELOW_MINIMUM")
    if not exact or ticks % step_ticks:
        raise VenueError("OFF_TICK")
    return ticks


def _price_ticks(measure: Measure, price: str, side: Side, mark_e8: int, step_ticks: int) -> int:
    filters = filters_of(measure.instrument)
    ticks = price_of(price, measure, step_ticks)
    price_e8 = ticks * _tick_e8(measure)
    highest_e8, lowest_e8 = int(filters.bid[1] * mark_e8), -int(-filters.ask[0] * mark_e8 // 1)
    if side is Side.BUY and price_e8 > highest_e8:
        raise VenueError("PRICE_TOO_HIGH", price=Scale(8, 0).text(highest_e8))
    if side is Side.SELL and price_e8 < lowest_e8:
        raise VenueError("PRICE_TOO_LOW", price=Scale(8, 0).text(lowest_e8))
    return ticks


def _tick_e8(measure: Measure) -> int:
    per_unit: int = 10 ** (8 - measure.instrument.price_decimals)
    return measure.instrument.tick_size * per_unit


def _check_counterparty(call: Call, market: HyperSynthReactor, side: Side, mark_e8: int) -> None:
    """A market order meets the best price of the other side, which must not be too far from the mark."""
    quote, filters = market.quote(call.now_ns), filters_of(market.instrument)
    tick_e8 = _tick_e8(measure_of(market.instrument))
    best_e8 = int((quote.ask_ticks if side is Side.BUY else quote.bid_ticks)[0]) * tick_e8
    too_high = side is Side.BUY and best_e8 > filters.bid[1] * mark_e8
    too_low = side is Side.SELL and best_e8 < filters.ask[0] * mark_e8
    if best_e8 and (too_high or too_low):
        raise VenueError("COUNTERPARTY_PRICE")


# ---------------------------------------------------------------- reports
def type_of(order: Order) -> str:
    """LIMIT or MARKET."""
    return "MARKET" if order.asked.price_ticks is None else "LIMIT"


def conditional(order: Order) -> bool:
    """Whether it waits for a price, or did: then it is none of the orders here, but may have become one."""
    return order.asked.trigger is not None and order.from_id is None


def origin_of(order: Order) -> str:
    """The type that was asked for: of an order that waited, the conditional one's."""
    trigger = order.asked.trigger
    if trigger is None:
        return type_of(order)
    if trigger.trail is not None:
        return TRAILING
    stops = trigger.rises == (order.asked.side is Side.BUY)
    return _KIND_WORDS[stops, order.asked.price_ticks is None]


def working_type_of(order: Order) -> str:
    """The price that it waits for, or would."""
    return _GAUGE_WORDS[order.asked.trigger.gauge if order.asked.trigger else Gauge.LAST]


def protected(order: Order) -> bool:
    """Whether it was asked for with `priceProtect`."""
    return ("priceProtect", "true") in order.asked.words


def closing(order: Order) -> bool:
    """Whether it closes a whole position."""
    return order.asked.trigger is not None and order.asked.trigger.closes


def time_in_force_of(order: Order) -> str:
    """What an order says of it, or GTC."""
    if order.asked.trigger is not None and order.asked.trigger.with_position:
        return WITH_POSITION
    if order.asked.price_ticks is None:
        return "GTC"
    return _TIME_WORDS[order.asked.time_in_force]


# Keys and their order as recorded 2025-12-10 by https://github.com/roq-trading/roq-binance-futures
# (test/json_wsapi_order_place.cpp), without avgPrice and cumQuote, which went on 2026-07-15.
def placed(call: Call, order: Order) -> Json:
    """What is answered to a new order, a changed one, and to a cancel."""
    measure = measure_of(market_by_id(call, order.asked.market).instrument)
    return {
        "orderId": order.id,
        "symbol": measure.instrument.symbol,
        "status": status_of(order),
        "clientOrderId": order.asked.client_id,
        "price": measure.price(order.price_ticks),
        "origQty": measure.qty(order.qty_lots),
        "executedQty": measure.qty(order.filled_lots),
        "cumQty": measure.qty(order.filled_lots),
        **_terms(order, measure),
        "updateTime": call.stamp(order.updated_ns),
    }


def _terms(order: Order, measure: Measure) -> Json:
    return {
        "timeInForce": time_in_force_of(order),
        "type": type_of(order),
        "reduceOnly": order.asked.reduce_only,
        "closePosition": closing(order),
        "side": side_of(order),
        "positionSide": "BOTH",
        "stopPrice": measure.price(order.asked.trigger.price_ticks if order.asked.trigger else 0),
        "workingType": working_type_of(order),
        "priceProtect": protected(order),
        "origType": origin_of(order),
        "priceMatch": "NONE",
        "selfTradePreventionMode": prevention_of(order),
        "goodTillDate": 0,
    }


# The same keys, with those that queries have kept, as recorded 2021-10-18 (openOrders).
def reported(call: Call, order: Order) -> Json:
    """An order as queries tell it."""
    measure = measure_of(market_by_id(call, order.asked.market).instrument)
    decimals = measure.instrument.price_decimals + 3
    return {
        "orderId": order.id,
        "symbol": measure.instrument.symbol,
        "status": status_of(order),
        "clientOrderId": order.asked.client_id,
        "price": measure.price(order.price_ticks),
        "avgPrice": measure.average(order.filled_units, order.filled_lots, decimals),
        "origQty": measure.qty(order.qty_lots),
        "executedQty": measure.qty(order.filled_lots),
        "cumQuote": measure.quote(order.filled_units),
        **_terms(order, measure),
        "time": call.stamp(order.created_ns),
        "updateTime": call.stamp(order.updated_ns),
    }


# ---------------------------------------------------------------- placing, changing, cancelling
def place(call: Call) -> bytes:
    """A new order."""
    return orjson.dumps(_place(call))


def _place(call: Call) -> Json:
    order = new_order(call, market_of(call.exchange, call.params["symbol"]))
    check_order_count(call)
    outcome = call.trading.execute(PlaceOrder(order), call.now_ns)
    if isinstance(outcome, Refused):
        raise refused(outcome.refusal)
    count_order(call)
    order_now = outcome.order
    if order.time_in_force is TimeInForce.FOK and not order_now.filled_lots:
        raise VenueError("NOT_FILLED_AT_ONCE")
    if call.params.get("newOrderRespType", "ACK") == "ACK":  # as it stood before it was matched
        order_now = replace(order_now, status=OrderStatus.NEW, filled_lots=0, filled_units=0, why=None)
    return placed(call, order_now)


def place_test(call: Call) -> bytes:
    """An order that is only judged."""
    new_order(call, market_of(call.exchange, call.params["symbol"]))
    return b"{}"


def refused(refusal: Refusal) -> VenueError:
    """What the venue says where the floor refuses."""
    return VenueError(USDM_REFUSALS[refusal])


def modify(call: Call) -> bytes:
    """Another price and quantity of an open limit order."""
    return orjson.dumps(_modify(call))


def _modify(call: Call) -> Json:
    market = market_of(call.exchange, call.params["symbol"])
    order = _open_order(call, market.instrument.market, "NO_SUCH_ORDER")
    if order.price_ticks is None:
        raise VenueError("ONLY_LIMIT")
    for name in ("quantity", "price"):
        if not call.params.get(name):
            raise VenueError("MANDATORY_PARAMETER", name=name)
    if call.params["side"] != side_of(order):
        raise VenueError("BAD_SIDE")
    price_ticks, qty_lots = filtered(call, market, order.asked.side, order.asked.reduce_only)
    assert price_ticks is not None
    check_order_count(call)
    amend = AmendOrder(call.account, order.asked.market, order.id, price_ticks, qty_lots)
    outcome = call.trading.execute(amend, call.now_ns)
    if isinstance(outcome, Refused) and outcome.refusal is Refusal.WOULD_TAKE:  # then it is cancelled instead
        outcome = call.trading.execute(CancelOrder(call.account, order.asked.market, order.id), call.now_ns)
    if isinstance(outcome, Refused):
        raise refused(outcome.refusal)
    count_order(call)
    return placed(call, outcome.order)


def find_order(call: Call, market: str, missing: str) -> Order:
    """The order that a request names, which is no conditional one; VenueError `missing` if there is none."""
    order = find(call, market, "orderId", "origClientOrderId", missing)
    if conditional(order):
        raise VenueError(missing)
    return order


def _open_order(call: Call, market: str, missing: str) -> Order:
    order = find_order(call, market, missing)
    if not order.status.open:
        raise VenueError(missing)
    return order


def cancel(call: Call) -> bytes:
    """The cancel of an open order."""
    return orjson.dumps(_cancel(call))


def _cancel(call: Call) -> Json:
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    order = _open_order(call, market, "UNKNOWN_ORDER")
    outcome = call.trading.execute(CancelOrder(call.account, market, order.id), call.now_ns)
    if isinstance(outcome, Refused):
        raise refused(outcome.refusal)
    return placed(call, outcome.order)


def cancel_all(call: Call) -> bytes:
    """The cancel of all open orders of a symbol, be there any or not."""
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    call.trading.execute(CancelAll(call.account, market), call.now_ns)
    return orjson.dumps({"code": 200, "msg": "The operation of cancel all open order is done."})


MOST_IN_A_BATCH, MOST_CANCELS = 5, 10
# what orders are named by in a list; without capitals as ccxt has always written it (4.5.90, 2026-10)
CANCEL_LISTS = {
    "orderIdList": "orderId",
    "orderidlist": "orderId",
    "origClientOrderIdList": "origClientOrderId",
    "origclientorderidlist": "origClientOrderId",
}


def batch(route: Route, each: Callable[[Call], Json], call: Call) -> bytes:
    """Several orders by their own parameters, each of which may fail."""
    rows = _json_list(call.params["batchOrders"], "batchOrders")
    if not 0 < len(rows) <= MOST_IN_A_BATCH:
        raise VenueError("BATCH_SIZE", number=len(rows))
    return orjson.dumps([_attempted(call, route, each, row) for row in rows])


def cancel_batch(call: Call) -> bytes:
    """The cancels of several orders of a symbol, by their ids or their owner's."""
    named = next((name for name in CANCEL_LISTS if call.params.get(name)), None)
    if named is None:
        raise VenueError("EITHER_PARAMETER", one="orderIdList", other="origClientOrderIdList")
    rows = _json_list(call.params[named], named)
    if not 0 < len(rows) <= MOST_CANCELS:
        raise VenueError("BATCH_SIZE", number=len(rows))
    name = CANCEL_LISTS[named]
    route = USDM_TRADE_ROUTES["/fapi/v1/order"]["DELETE"]
    orders = [{"symbol": call.params["symbol"], name: row} for row in rows]
    return orjson.dumps([_attempted(call, route, _cancel, order) for order in orders])


def _json_list(text: str, name: str) -> list[Any]:
    try:
        rows = orjson.loads(text)
    except orjson.JSONDecodeError:
        rows = None
    if not isinstance(rows, list):
        raise VenueError("INVALID_PARAMETER", name=name)
    return rows


def _attempted(call: Call, route: Route, each: Callable[[Call], Json], row: Any) -> Any:
    try:
        return each(replace(call, params=parameters(route, _texts(row))))
    except VenueError as error:
        return orjson.Fragment(call.api.errors[str(error.code)].body(error.params))


def _texts(row: Any) -> Mapping[str, str]:
    if not isinstance(row, dict):
        raise VenueError("INVALID_PARAMETER", name="batchOrders")
    return {
        name: value if isinstance(value, str) else orjson.dumps(value).decode()
        for name, value in row.items()
        if value is not None
    }


# It is the account's whole, not a symbol's, that is cancelled when the countdown ends.
def countdown(call: Call) -> bytes:
    """Cancel the account's orders unless told otherwise before the time is up; 0 takes it back."""
    market = market_of(call.exchange, call.params["symbol"])
    wait_ns = min(int(call.params["countdownTime"]), 10**12) * MS_NS
    at_ns = call.now_ns + wait_ns if wait_ns else None
    call.trading.execute(ScheduleCancel(call.account, at_ns), call.now_ns)
    return orjson.dumps({"symbol": market.instrument.symbol, "countdownTime": call.params["countdownTime"]})


# ---------------------------------------------------------------- queries of orders and trades
def query_order(call: Call) -> bytes:
    """One order."""
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    return orjson.dumps(reported(call, find_order(call, market, "NO_SUCH_ORDER")))


def query_open_order(call: Call) -> bytes:
    """One open order."""
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    return orjson.dumps(reported(call, _open_order(call, market, "NO_SUCH_ORDER")))


def open_orders(call: Call) -> bytes:
    """The open orders of a symbol, or all."""
    market = market_id_or_all(call)
    return orjson.dumps([reported(call, order) for order in call.floor.open_orders(call.account, market)])


def all_orders(call: Call) -> bytes:
    """The newest orders of a symbol or all; from an id or a time on, the oldest. Oldest first."""
    start_ns, end_ns = week(call)
    orders = call.floor.orders(call.account, market_id_or_all(call))
    rows = [o for o in orders if start_ns <= o.created_ns <= end_ns and not conditional(o)]
    rows.sort(key=lambda order: order.id)
    if "orderId" in call.params:
        rows = [order for order in rows if order.id >= order_id_of(call.params["orderId"])]
    first = "orderId" in call.params or "startTime" in call.params
    return orjson.dumps([reported(call, order) for order in cut(rows, limit_of(call), first)])


def week(call: Call) -> tuple[int, int]:
    """From startTime to endTime, which are a week apart at the most; the last week where there is none of them."""
    start_ns, end_ns = window(call, None)
    if call.params.keys() >= {"startTime", "endTime"} and end_ns - start_ns > WEEK_NS:
        raise VenueError("LONG_WINDOW", days=7)
    if "startTime" in call.params:
        return start_ns, min(end_ns, start_ns + WEEK_NS)
    return max(start_ns, min(end_ns, call.now_ns) - WEEK_NS), end_ns


# As documented 2026-08 (the order of keys is of an answer recorded for COIN-M, 2020-05-29).
def user_trades(call: Call) -> bytes:
    """The newest fills of a symbol; from an id or a time on, the oldest. Oldest first."""
    market = market_of(call.exchange, call.params["symbol"])
    if "fromId" in call.params and call.params.keys() & {"startTime", "endTime"}:
        raise VenueError("BAD_COMBINATION")
    start_ns, end_ns = week(call)
    measure = measure_of(market.instrument)
    return orjson.dumps(
        [
            {
                "symbol": market.instrument.symbol,
                "id": fill.trade_id,
                "orderId": fill.order_id,
                "side": fill.side.name,
                "price": measure.price(fill.price_ticks),
                "qty": measure.qty(fill.qty_lots),
                "realizedPnl": MONEY.text(fill.realized_e8),
                "quoteQty": measure.quote(fill.price_ticks * fill.qty_lots),
                "commission": MONEY.text(fill.fee_e8),
                "commissionAsset": fill.fee_asset,
                "time": call.stamp(fill.ts_ns),
                "positionSide": "BOTH",
                "buyer": fill.side is Side.BUY,
                "maker": fill.maker,
            }
            for fill in fills_asked(call, market.instrument.market, start_ns, end_ns)
        ]
    )


# As documented 2026-08, tranId and tradeId of the types that the sample has.
def income(call: Call) -> bytes:
    """Profits, commissions and funding. The newest of the last week; from a time on, the oldest. Oldest first."""
    start_ns, end_ns = week(call)
    kind, market = call.params.get("incomeType"), market_id_or_all(call)
    rows: list[tuple[int, Json]] = []

    def row(at_ns: int, name: str, of: str, amount_e8: int, asset: str, info: str, trade: str) -> None:
        if kind not in (None, name) or not start_ns <= at_ns <= end_ns:
            return
        rows.append(
            (
                at_ns,
                {
                    "symbol": market_by_id(call, of).instrument.symbol,
                    "incomeType": name,
                    "income": MONEY.text(amount_e8),
                    "asset": asset,
                    "info": info,
                    "time": call.stamp(at_ns),
                    "tranId": str(number_of(call.account, of, at_ns, name, trade)),
                    "tradeId": trade,
                },
            )
        )

    for fill in call.floor.fills(call.account, market):
        trade = str(fill.trade_id)
        if fill.realized_e8:
            row(
                fill.ts_ns,
                "REALIZED_PNL",
                fill.market,
                fill.realized_e8,
                _margin(call, fill.market),
                trade,
                trade,
            )
        if fill.fee_e8:
            row(fill.ts_ns, "COMMISSION", fill.market, -fill.fee_e8, fill.fee_asset, trade, trade)
    for paid in call.floor.fundings(call.account):
        if market in (None, paid.market):
            at_ns = paid.settlement.ts_ns
            row(
                at_ns,
                "FUNDING_FEE",
                paid.market,
                -paid.paid_e8,
                _margin(call, paid.market),
                "FUNDING_FEE",
                "",
            )
    rows.sort(key=lambda told: told[0])
    first = "startTime" in call.params
    return orjson.dumps([told for _, told in cut(rows, limit_of(call, 100), first)])


def _margin(call: Call, market: str) -> str:
    return call.terms[market].margin_asset


# ---------------------------------------------------------------- positions and margin
@dataclass(frozen=True, slots=True)
class Holding:
    """A position with what it needs and is worth at the mark, in 1e-8 of its margin asset."""

    position: Position
    measure: Measure
    mark_e8: int
    unrealized_e8: int
    position_margin_e8: int
    order_margin_e8: int
    maintenance_e8: int
    bid_e8: int
    ask_e8: int

    @property
    def notional_e8(self) -> int:
        """Its value at the mark, below 0 where it is short."""
        instrument = self.measure.instrument
        per_base: int = 10**instrument.qty_decimals
        return self.position.lots * instrument.lot_size * self.mark_e8 // per_base

    @property
    def initial_e8(self) -> int:
        """All margin it takes, with that of its orders."""
        return self.position_margin_e8 + self.order_margin_e8

    @property
    def isolated(self) -> bool:
        """Whether it has margin of its own."""
        return self.position.isolated

    @property
    def isolated_wallet_e8(self) -> int:
        """That margin, 0 of a crossed one."""
        return self.position.isolated_e8 or 0

    @property
    def isolated_margin_e8(self) -> int:
        """That margin with the profit that is not realised."""
        return self.isolated_wallet_e8 + self.unrealized_e8 if self.isolated else 0


def holdings(call: Call) -> list[Holding]:
    """Of every symbol, in the venue's order."""
    return [_holding(call, market) for market in call.exchange]


def _holding(call: Call, market: HyperSynthReactor) -> Holding:
    floor, account, name = call.floor, call.account, market.instrument.market
    measure = measure_of(market.instrument)
    bid_e8, ask_e8 = order_notionals_e8(floor.open_orders(account, name), measure)
    return Holding(
        position=floor.position(account, name),
        measure=measure,
        mark_e8=floor.mark_e8(name),
        unrealized_e8=floor.unrealized_e8(account, name),
        position_margin_e8=floor.position_margin_e8(account, name),
        order_margin_e8=floor.order_margin_e8(account, name),
        maintenance_e8=floor.maintenance_e8(account, name),
        bid_e8=bid_e8,
        ask_e8=ask_e8,
    )


def order_notionals_e8(orders: Iterable[Order], measure: Measure) -> tuple[int, int]:
    """What open bids and asks are worth."""
    sums = {Side.BUY: 0, Side.SELL: 0}
    for order in orders:
        sums[order.asked.side] += measure.quote_e8((order.price_ticks or 0) * order.open_lots)
    return sums[Side.BUY], sums[Side.SELL]


def entry_price(position: Position, measure: Measure) -> str:
    """The average price that a position was entered at, 0.0 of none."""
    return _short(measure.average(position.entry_units, position.lots, 8))


def break_even_price(position: Position, measure: Measure, taker_fee_e6: int) -> str:
    """Where closing a position leaves nothing: what it was entered for, that at the taker's fee, and its funding, less
    what it has realised.
    """
    if not position.lots:
        return PRICE.text(0)
    instrument = measure.instrument
    cost_e8 = abs(measure.quote_e8(position.entry_units))
    burden_e8 = cost_e8 * taker_fee_e6 // 10**6 + position.funding_e8 - position.realized_e8
    side = 1 if position.lots > 0 else -1
    per_base: int = 10**instrument.qty_decimals
    return PRICE.text(
        max((cost_e8 + side * burden_e8) * per_base // (abs(position.lots) * instrument.lot_size), 0)
    )


def _short(decimal: str) -> str:
    """Without the zeros at its end, but one decimal."""
    whole, _, part = decimal.partition(".")
    return f"{whole}.{part.rstrip('0') or '0'}"


def amount(value_e8: int) -> str:
    """Money, where nothing is just 0."""
    return MONEY.text(value_e8) if value_e8 else NOTHING


def largest_notional(tiers: Iterable[MarginTier], leverage: int) -> str:
    """The largest position at a leverage."""
    caps = [tier.notional_cap_e8 for tier in tiers if tier.max_leverage >= leverage]
    return Scale(8, 0).text(max(caps, default=0))


# As documented 2026-08 (v2), and the keys that a WebSocket answer of 2025-12 adds at the end.
def position_risk_v2(call: Call) -> bytes:
    """Every position, flat or not."""
    asked = market_id_or_all(call)
    rows = [h for h in holdings(call) if asked in (None, h.position.market)]
    return orjson.dumps([_risk_v2(call, row) for row in rows])


def _risk_v2(call: Call, held: Holding) -> Json:
    position, measure = held.position, held.measure
    terms = call.terms[position.market]
    return {
        "symbol": measure.instrument.symbol,
        "positionAmt": measure.qty(position.lots),
        "entryPrice": entry_price(position, measure),
        "breakEvenPrice": break_even_price(position, measure, terms.taker_fee_e6),
        "markPrice": MONEY.text(held.mark_e8),
        "unRealizedProfit": MONEY.text(held.unrealized_e8),
        "liquidationPrice": _liquidation_price(call, position),
        "leverage": str(position.leverage),
        "maxNotionalValue": largest_notional(terms.tiers, position.leverage),
        "marginType": "isolated" if held.isolated else "cross",
        "isolatedMargin": MONEY.text(held.isolated_margin_e8),
        "isAutoAddMargin": "false",
        "positionSide": "BOTH",
        "notional": amount(held.notional_e8),
        "isolatedWallet": amount(held.isolated_wallet_e8),
        "updateTime": call.stamp(position.updated_ns),
        "isolated": held.isolated,
        "adlQuantile": 0,
    }


def _liquidation_price(call: Call, position: Position) -> str:
    price_e8 = call.floor.liquidation_price_e8(call.account, position.market) if position.lots else None
    return NOTHING if price_e8 is None else Scale(8, 0).text(price_e8)


# As documented 2026-08
def position_risk_v3(call: Call) -> bytes:
    """Positions of symbols that have one, or an open order."""
    asked = market_id_or_all(call)
    rows = [h for h in _active(holdings(call)) if asked in (None, h.position.market)]
    return orjson.dumps([_risk_v3(call, row) for row in rows])


def _active(rows: Iterable[Holding]) -> list[Holding]:
    return [row for row in rows if row.position.lots or row.bid_e8 or row.ask_e8]


def _risk_v3(call: Call, held: Holding) -> Json:
    position, measure = held.position, held.measure
    terms = call.terms[position.market]
    return {
        "symbol": measure.instrument.symbol,
        "positionSide": "BOTH",
        "positionAmt": measure.qty(position.lots),
        "entryPrice": entry_price(position, measure),
        "breakEvenPrice": break_even_price(position, measure, terms.taker_fee_e6),
        "markPrice": MONEY.text(held.mark_e8),
        "unRealizedProfit": MONEY.text(held.unrealized_e8),
        "liquidationPrice": _liquidation_price(call, position),
        "isolatedMargin": amount(held.isolated_margin_e8),
        "notional": amount(held.notional_e8),
        "marginAsset": terms.margin_asset,
        "isolatedWallet": amount(held.isolated_wallet_e8),
        "initialMargin": amount(held.initial_e8),
        "maintMargin": amount(held.maintenance_e8),
        "positionInitialMargin": amount(held.position_margin_e8),
        "openOrderInitialMargin": amount(held.order_margin_e8),
        "adl": grade(call, position.market),
        "bidNotional": amount(held.bid_e8),
        "askNotional": amount(held.ask_e8),
        "updateTime": call.stamp(position.updated_ns),
    }


# ---------------------------------------------------------------- balances
@dataclass(frozen=True, slots=True)
class Funds:
    """What an account has of a margin asset, and what its positions and orders in it take. Profit that is not realised
    is `available` for orders, and not `withdrawable`. `cross_wallet_e8` is without the margin of isolated positions,
    `cross_unrealized_e8` of all others.
    """

    asset: str
    wallet_e8: int
    cross_wallet_e8: int
    unrealized_e8: int
    cross_unrealized_e8: int
    available_e8: int
    withdrawable_e8: int
    position_margin_e8: int
    order_margin_e8: int
    maintenance_e8: int

    @property
    def initial_e8(self) -> int:
        """All margin that is taken."""
        return self.position_margin_e8 + self.order_margin_e8


def funds(call: Call, held: Iterable[Holding]) -> list[Funds]:
    """By asset: those that contracts are margined in, and whatever else there is."""
    rows, floor = list(held), call.floor
    balances: dict[str, Balance] = {b.asset: b for b in floor.balances(call.account) if b.wallet == PERP}
    margins = [call.terms[row.position.market].margin_asset for row in rows]
    told = []
    for asset in dict.fromkeys([*margins, *balances]):
        mine = [row for row, margin in zip(rows, margins, strict=True) if margin == asset]
        balance = balances.get(asset)
        told.append(
            Funds(
                asset=asset,
                wallet_e8=balance.total_e8 if balance else 0,
                cross_wallet_e8=balance.free_e8 if balance else 0,
                unrealized_e8=sum(row.unrealized_e8 for row in mine),
                cross_unrealized_e8=sum(row.unrealized_e8 for row in mine if not row.isolated),
                available_e8=max(floor.available_e8(call.account, asset), 0),
                withdrawable_e8=floor.withdrawable_e8(call.account, PERP, asset),
                position_margin_e8=sum(row.position_margin_e8 for row in mine),
                order_margin_e8=sum(row.order_margin_e8 for row in mine),
                maintenance_e8=sum(row.maintenance_e8 for row in mine),
            )
        )
    return told


# As recorded by .../roq-binance-futures (test/json_account_balance_ack.cpp), 2021-12, and documented 2026-08
def balances(call: Call) -> bytes:
    """Balances by asset."""
    return orjson.dumps(
        [
            {
                "accountAlias": made_up(16, "alias", call.account),
                "asset": row.asset,
                "balance": MONEY.text(row.wallet_e8),
                "crossWalletBalance": MONEY.text(row.cross_wallet_e8),
                "crossUnPnl": MONEY.text(row.cross_unrealized_e8),
                "availableBalance": MONEY.text(row.available_e8),
                "maxWithdrawAmount": MONEY.text(row.withdrawable_e8),
                "marginAvailable": True,
                "updateTime": _updated(call, row),
            }
            for row in funds(call, holdings(call))
        ]
    )


def _updated(call: Call, row: Funds) -> int:
    """When the account last traded or settled funding, or had its first money at the beginning of the tape.

    Only what was never touched is dated 0: ccxt takes such a balance for none (https://github.com/ccxt/ccxt/issues/27997).
    """
    if not row.wallet_e8:
        return 0
    last_ns = [call.exchange.world.origin_ns]
    last_ns += [fill.ts_ns for fill in call.floor.fills(call.account)[-1:]]
    last_ns += [paid.settlement.ts_ns for paid in call.floor.fundings(call.account)[-1:]]
    return call.stamp(max(last_ns))


def _totals(call: Call, rows: Iterable[Funds]) -> Json:
    """Of the asset that contracts are margined in, which alone backs them in single-asset mode."""
    margin = next(iter(call.terms.values())).margin_asset
    own = next(row for row in rows if row.asset == margin)
    return {
        "totalInitialMargin": MONEY.text(own.initial_e8),
        "totalMaintMargin": MONEY.text(own.maintenance_e8),
        "totalWalletBalance": MONEY.text(own.wallet_e8),
        "totalUnrealizedProfit": MONEY.text(own.unrealized_e8),
        "totalMarginBalance": MONEY.text(own.wallet_e8 + own.unrealized_e8),
        "totalPositionInitialMargin": MONEY.text(own.position_margin_e8),
        "totalOpenOrderInitialMargin": MONEY.text(own.order_margin_e8),
        "totalCrossWalletBalance": MONEY.text(own.cross_wallet_e8),
        "totalCrossUnPnl": MONEY.text(own.cross_unrealized_e8),
        "availableBalance": MONEY.text(own.available_e8),
        "maxWithdrawAmount": MONEY.text(own.withdrawable_e8),
    }


def _asset(call: Call, row: Funds, marginal: bool) -> Json:
    return {
        "asset": row.asset,
        "walletBalance": MONEY.text(row.wallet_e8),
        "unrealizedProfit": MONEY.text(row.unrealized_e8),
        "marginBalance": MONEY.text(row.wallet_e8 + row.unrealized_e8),
        "maintMargin": MONEY.text(row.maintenance_e8),
        "initialMargin": MONEY.text(row.initial_e8),
        "positionInitialMargin": MONEY.text(row.position_margin_e8),
        "openOrderInitialMargin": MONEY.text(row.order_margin_e8),
        **({} if marginal else {"maxWithdrawAmount": MONEY.text(row.withdrawable_e8)}),
        "crossWalletBalance": MONEY.text(row.cross_wallet_e8),
        "crossUnPnl": MONEY.text(row.cross_unrealized_e8),
        "availableBalance": MONEY.text(row.available_e8),
        **({"maxWithdrawAmount": MONEY.text(row.withdrawable_e8)} if marginal else {}),
        **({} if marginal else {"marginAvailable": True}),
        "updateTime": _updated(call, row),
    }


# Recorded by .../roq-binance-futures (test/json_account_status_ack.cpp), multiAssetsMargin and tradeGroupId as
# documented 2026-08
def account_v2(call: Call) -> bytes:
    """Totals, assets and all positions."""
    rows = holdings(call)
    money = funds(call, rows)
    return orjson.dumps(
        {
            "feeTier": call.exchange.fee_tier,
            **PERMISSIONS,
            "updateTime": 0,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
            **_totals(call, money),
            "assets": [_asset(call, row, False) for row in money],
            "positions": [_position_v2(call, row) for row in rows],
        }
    )


PERMISSIONS = {"canTrade": True, "canDeposit": True, "canWithdraw": True}


def _position_v2(call: Call, held: Holding) -> Json:
    position = held.position
    return {
        "symbol": held.measure.instrument.symbol,
        "initialMargin": amount(held.initial_e8),
        "maintMargin": amount(held.maintenance_e8),
        "unrealizedProfit": MONEY.text(held.unrealized_e8),
        "positionInitialMargin": amount(held.position_margin_e8),
        "openOrderInitialMargin": amount(held.order_margin_e8),
        "leverage": str(position.leverage),
        "isolated": held.isolated,
        "entryPrice": entry_price(position, held.measure),
        "maxNotional": largest_notional(call.terms[position.market].tiers, position.leverage),
        "positionSide": "BOTH",
        "positionAmt": held.measure.qty(position.lots),
        "notional": amount(held.notional_e8),
        "isolatedWallet": amount(held.isolated_wallet_e8),
        "updateTime": call.stamp(position.updated_ns),
        "bidNotional": amount(held.bid_e8),
        "askNotional": amount(held.ask_e8),
    }


# As documented 2026-08
def account_v3(call: Call) -> bytes:
    """Totals, assets, and positions of symbols that have one or an open order."""
    rows = holdings(call)
    money = funds(call, rows)
    return orjson.dumps(
        {
            **_totals(call, money),
            "assets": [_asset(call, row, True) for row in money],
            "positions": [
                {
                    "symbol": row.measure.instrument.symbol,
                    "positionSide": "BOTH",
                    "positionAmt": row.measure.qty(row.position.lots),
                    "unrealizedProfit": MONEY.text(row.unrealized_e8),
                    "isolatedMargin": MONEY.text(row.isolated_margin_e8),
                    "notional": amount(row.notional_e8),
                    "isolatedWallet": amount(row.isolated_wallet_e8),
                    "initialMargin": amount(row.initial_e8),
                    "maintMargin": amount(row.maintenance_e8),
                    "updateTime": call.stamp(row.position.updated_ns),
                }
                for row in _active(rows)
            ],
        }
    )


# ---------------------------------------------------------------- leverage and modes
LEVERAGE_ERRORS: Final[Mapping[Refusal, str]] = {
    Refusal.LEVERAGE: "TOO_LARGE_A_POSITION",
    Refusal.INSUFFICIENT_MARGIN: "TOO_LITTLE_LEVERAGE",
    Refusal.MARGIN_MODE: "ISOLATED_LEVERAGE",
}


def set_leverage(call: Call) -> bytes:
    """Another leverage of a symbol."""
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    leverage, tiers = int(call.params["leverage"]), call.terms[market].tiers
    if not 1 <= leverage <= tiers[0].max_leverage:
        raise VenueError("BAD_LEVERAGE", leverage=leverage)
    outcome = call.trading.execute(SetLeverage(call.account, market, leverage), call.now_ns)
    if isinstance(outcome, Refused):
        raise VenueError(LEVERAGE_ERRORS[outcome.refusal])
    largest = largest_notional(tiers, leverage)
    symbol = call.params["symbol"]
    return orjson.dumps({"leverage": leverage, "maxNotionalValue": largest, "symbol": symbol})


MARGIN_TYPES: Final = {"CROSSED": False, "ISOLATED": True}


def set_margin_type(call: Call) -> bytes:
    """Crossed or isolated positions of a symbol; not while there is one, or an order.

    https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/Change-Margin-Type, 2026-08
    """
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    isolated = MARGIN_TYPES.get(call.params["marginType"])
    if isolated is None:
        raise VenueError("INVALID_PARAMETER", name="marginType")
    position = call.floor.position(call.account, market)
    if isolated == position.isolated:
        raise VenueError("SAME_MARGIN_TYPE")
    if call.floor.open_orders(call.account, market):
        raise VenueError("MARGIN_TYPE_ORDERS")
    if position.lots:
        raise VenueError("MARGIN_TYPE_POSITION")
    call.trading.execute(SetMarginMode(call.account, market, isolated), call.now_ns)
    return orjson.dumps({"code": 200, "msg": "success"})


ADD, REDUCE = "1", "2"


def set_position_margin(call: Call) -> bytes:
    """More margin for an isolated position, or some of it back, as far as it is to spare on either side.

    https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/Modify-Isolated-Position-Margin,
    2026-08; how much that is: https://www.binance.com/en/support/faq/360038447311
    """
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    amount_e8, kind = int(Decimal(call.params["amount"]).scaleb(8)), call.params["type"]
    if kind not in (ADD, REDUCE):
        raise VenueError("INVALID_PARAMETER", name="type")
    if amount_e8 <= 0:
        raise VenueError("NO_AMOUNT")
    position = call.floor.position(call.account, market)
    if not position.isolated:
        raise VenueError("ONLY_ISOLATED")
    if not position.lots:
        raise VenueError("NO_POSITION_FOR_MARGIN")
    moved = MoveMargin(call.account, market, amount_e8 if kind == ADD else -amount_e8)
    if isinstance(call.trading.execute(moved, call.now_ns), Refused):
        raise VenueError("CROSS_BALANCE" if kind == ADD else "ISOLATED_BALANCE")
    text = "Successfully modify position margin."
    return orjson.dumps({"amount": amount_e8 / 10**8, "code": 200, "msg": text, "type": int(kind)})


def position_mode(_: Call) -> bytes:
    """One-way."""
    return orjson.dumps({"dualSidePosition": False})


def set_position_mode(call: Call) -> bytes:
    """It is one-way, and stays so."""
    if not flag(call.params, "dualSidePosition"):
        raise VenueError("SAME_POSITION_MODE")
    if call.floor.open_orders(call.account):
        raise VenueError("POSITION_MODE_ORDERS")
    if call.floor.positions(call.account):
        raise VenueError("POSITION_MODE_POSITION")
    raise VenueError("UPCOMING")


def asset_mode(_: Call) -> bytes:
    """A single asset backs positions."""
    return orjson.dumps({"multiAssetsMargin": False})


def set_asset_mode(call: Call) -> bytes:
    """It is single, and stays so."""
    raise VenueError("UPCOMING" if flag(call.params, "multiAssetsMargin") else "SAME_ASSET_MODE")


# ---------------------------------------------------------------- terms
def commission_rate(call: Call) -> bytes:
    """What trading a symbol costs."""
    market = market_of(call.exchange, call.params["symbol"]).instrument
    terms = call.terms[market.market]
    return orjson.dumps(
        {
            "symbol": market.symbol,
            "makerCommissionRate": RATE.text(terms.maker_fee_e6),
            "takerCommissionRate": RATE.text(terms.taker_fee_e6),
        }
    )


def leverage_brackets(call: Call) -> bytes:
    """By symbol: the leverage and the maintenance margin of a position by its notional."""
    asked = market_id_or_all(call)
    markets = [market.instrument for market in call.exchange if asked in (None, market.instrument.market)]
    return orjson.dumps(
        [{"symbol": i.symbol, "brackets": _brackets(call.terms[i.market].tiers)} for i in markets]
    )


def _brackets(tiers: Iterable[MarginTier]) -> list[Json]:
    rows, floor_e8 = [], 0
    for number, tier in enumerate(tiers, 1):
        rows.append(
            {
                "bracket": number,
                "initialLeverage": tier.max_leverage,
                "notionalCap": tier.notional_cap_e8 // 10**8,
                "notionalFloor": floor_e8 // 10**8,
                "maintMarginRatio": tier.rate_e6 / 10**6,
                "cum": _whole(tier.deduction_e8),
            }
        )
        floor_e8 = tier.notional_cap_e8
    return rows


def _whole(amount_e8: int) -> int | float:
    return amount_e8 / 10**8 if amount_e8 % 10**8 else amount_e8 // 10**8


def account_config(call: Call) -> bytes:
    """How the account is set up."""
    modes = {"dualSidePosition": False, "updateTime": 0, "multiAssetsMargin": False, "tradeGroupId": -1}
    return orjson.dumps({"feeTier": call.exchange.fee_tier, **PERMISSIONS, **modes})


def symbol_config(call: Call) -> bytes:
    """How the account is set up for a symbol, or all."""
    asked = market_id_or_all(call)
    rows = []
    for market in call.exchange:
        name = market.instrument.market
        if asked in (None, name):
            leverage = call.floor.leverage(call.account, name)
            isolated = call.floor.position(call.account, name).isolated
            rows.append(
                {
                    "symbol": market.instrument.symbol,
                    "marginType": "ISOLATED" if isolated else "CROSSED",
                    "isAutoAddMargin": False,
                    "leverage": leverage,
                    "maxNotionalValue": largest_notional(call.terms[name].tiers, leverage),
                }
            )
    return orjson.dumps(rows)


# ---------------------------------------------------------------- the table of endpoints
ORDER_ID = {"symbol": SYMBOL, "orderId": NUMBER, "origClientOrderId": ANYTHING}
# Numbers that are none are said to be, as on spot; other words have errors of their own.
NEW_ORDER: Mapping[str, Param] = {
    "symbol": SYMBOL,
    "side": NAMED,
    "type": NAMED,
    "positionSide": ANYTHING,
    "timeInForce": ANYTHING,
    "quantity": DECIMAL,
    "reduceOnly": ANYTHING,
    "price": DECIMAL,
    "newClientOrderId": ANYTHING,
    "stopPrice": DECIMAL,
    "closePosition": ANYTHING,
    "activationPrice": DECIMAL,
    "callbackRate": DECIMAL,
    "workingType": ANYTHING,
    "priceProtect": ANYTHING,
    "newOrderRespType": ANYTHING,
    "priceMatch": ANYTHING,
    "selfTradePreventionMode": ANYTHING,
    "goodTillDate": NUMBER,
}
CHANGED_ORDER = {**ORDER_ID, "side": NAMED, "quantity": DECIMAL, "price": DECIMAL, "priceMatch": ANYTHING}
SPAN = {"startTime": NUMBER, "endTime": NUMBER, "limit": NUMBER}


def _trade(
    answer: Callable[[Call], bytes], weight: int, params: Mapping[str, Param], counts: bool = False
) -> Route:
    return Route(answer, weighs(weight), params, lenient=True, security=Security.TRADE, counts=counts)


def read(
    answer: Callable[[Call], bytes],
    weight: int | Callable[[Mapping[str, str]], int],
    **params: Param,
) -> Route:
    """An endpoint that tells of the account."""
    weigh = weighs(weight) if isinstance(weight, int) else weight
    return Route(answer, weigh, params, lenient=True, security=Security.USER_DATA)


def _keyed(answer: Callable[[Call], bytes]) -> Route:
    return Route(answer, weighs(1), {}, lenient=True, security=Security.USER_STREAM)


def _one_or_all(params: Mapping[str, str]) -> int:
    return 1 if "symbol" in params else 40


PLACE = _trade(place, 0, NEW_ORDER, counts=True)
MODIFY = _trade(modify, 0, CHANGED_ORDER, counts=True)

USDM_TRADE_ROUTES: Routes = {
    "/fapi/v1/order": {
        "POST": PLACE,
        "PUT": MODIFY,
        "DELETE": _trade(cancel, 1, ORDER_ID),
        "GET": read(query_order, 1, **ORDER_ID),
    },
    "/fapi/v1/order/test": {"POST": _trade(place_test, 0, NEW_ORDER)},
    "/fapi/v1/batchOrders": {
        "POST": _trade(partial(batch, PLACE, _place), 5, {"batchOrders": NAMED}, counts=True),
        "PUT": _trade(partial(batch, MODIFY, _modify), 5, {"batchOrders": NAMED}, counts=True),
        "DELETE": _trade(cancel_batch, 1, {"symbol": SYMBOL, **dict.fromkeys(CANCEL_LISTS, ANYTHING)}),
    },
    "/fapi/v1/allOpenOrders": {"DELETE": _trade(cancel_all, 1, {"symbol": SYMBOL})},
    "/fapi/v1/countdownCancelAll": {
        "POST": _trade(countdown, 10, {"symbol": SYMBOL, "countdownTime": replace(NUMBER, required=True)})
    },
    "/fapi/v1/openOrder": {"GET": read(query_open_order, 1, **ORDER_ID)},
    "/fapi/v1/openOrders": {"GET": read(open_orders, _one_or_all, symbol=ONE_SYMBOL)},
    "/fapi/v1/allOrders": {"GET": read(all_orders, 5, symbol=ONE_SYMBOL, orderId=NUMBER, **SPAN)},
    "/fapi/v1/userTrades": {
        "GET": read(user_trades, 5, **{"symbol": SYMBOL, "orderId": NUMBER, "fromId": NUMBER, **SPAN})
    },
    "/fapi/v1/income": {"GET": read(income, 30, symbol=ONE_SYMBOL, incomeType=ANYTHING, **SPAN)},
    "/fapi/v1/leverage": {
        "POST": _trade(set_leverage, 1, {"symbol": SYMBOL, "leverage": replace(NUMBER, required=True)})
    },
    "/fapi/v1/marginType": {"POST": _trade(set_margin_type, 1, {"symbol": SYMBOL, "marginType": NAMED})},
    "/fapi/v1/positionMargin": {
        "POST": _trade(
            *(set_position_margin, 1),
            {
                "symbol": SYMBOL,
                "amount": replace(DECIMAL, required=True),
                "type": replace(NUMBER, required=True),
            },
        )
    },
    "/fapi/v1/positionSide/dual": {
        "GET": read(position_mode, 30),
        "POST": _trade(set_position_mode, 1, {"dualSidePosition": NAMED}),
    },
    "/fapi/v1/multiAssetsMargin": {
        "GET": read(asset_mode, 30),
        "POST": _trade(set_asset_mode, 1, {"multiAssetsMargin": NAMED}),
    },
    # the first version was gone by 2024
    "/fapi/v2/positionRisk": {"GET": read(position_risk_v2, 5, symbol=ONE_SYMBOL)},
    "/fapi/v3/positionRisk": {"GET": read(position_risk_v3, 5, symbol=ONE_SYMBOL)},
    "/fapi/v2/account": {"GET": read(account_v2, 5)},
    "/fapi/v3/account": {"GET": read(account_v3, 5)},
    **{f"/fapi/{version}/balance": {"GET": read(balances, 5)} for version in ("v2", "v3")},
    "/fapi/v1/commissionRate": {"GET": read(commission_rate, 20, symbol=SYMBOL)},
    "/fapi/v1/leverageBracket": {"GET": read(leverage_brackets, 1, symbol=ONE_SYMBOL)},
    "/fapi/v1/accountConfig": {"GET": read(account_config, 5)},
    "/fapi/v1/symbolConfig": {"GET": read(symbol_config, 5, symbol=ONE_SYMBOL)},
    "/fapi/v1/rateLimit/order": {"GET": read(order_limits, 1)},
    "/fapi/v1/listenKey": {
        "POST": _keyed(start_listening),
        "PUT": _keyed(keep_listening),
        "DELETE": _keyed(stop_listening),
    },
}

"""Binance USD-M's conditional orders: they wait for a price in a service of their own, with ids, names and states of
their own, and become orders when it comes.

https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Algo-Order and its neighbours,
.../user-data-streams/Event-Algo-Order-Update, 2026-08. Answers have the keys of those recorded on the testnet on
2026-09-14 (a STOP_MARKET, placed, asked for and cancelled: https://github.com/ozakboy/Ozakboy.TradeKit.Binance,
BinanceConditionalOrderTradingTests.cs); `allAlgoOrders`, which is not among them, those of the documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from reactor.exchange.floor import Floor
from reactor.exchange.orders import (
    CancelAll,
    CancelOrder,
    NewOrder,
    Order,
    OrderStatus,
    PlaceOrder,
    Refusal,
    Refused,
    TimeInForce,
    Trail,
    Trigger,
)
from reactor.single_asset import HyperSynthReactor
from reactor.types import Side
from reactor.values import dataclass
from venues.base import VenueError
from venues.binance.orders import (
    DECIMAL,
    PREVENTIONS,
    SIDES,
    Measure,
    decimals_of,
    measure_of,
    order_id_of,
    prevention_of,
    side_of,
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
    weighs,
)
from venues.binance.signing import Security
from venues.binance.trade import (
    NAMED,
    Json,
    check_order_count,
    count_order,
    cut,
    limit_of,
    market_by_id,
    market_id_or_all,
)
from venues.binance.trade_rules import USDM_REFUSALS, USDM_TRADE_ERRORS, filters_of
from venues.binance.usdm_rules import contract_of
from venues.binance.usdm_trade import (
    ALGO_KINDS,
    CLIENT_ORDER_ID,
    SPAN,
    TRAILING,
    USDM_TIMES_IN_FORCE,
    WITH_POSITION,
    WORKING_TYPES,
    check_decimals,
    check_position_side,
    closing,
    conditional,
    flag,
    origin_of,
    price_of,
    protected,
    quantity,
    refused,
    time_in_force_of,
    type_of,
    week,
    working_type_of,
)
from venues.wire import Scale

CONDITIONAL = "CONDITIONAL"
CALLBACK = Scale(4, 1)  # percent
# Of the size of real ones (1000000033225453 on 2025-12-11): the floor's number of the order, this far away.
FIRST_ALGO_ID = 10**15
# The service reads names in any case, and says them in lower ones ("Mandatory parameter 'triggerprice' was not sent",
# 2026-01; `algoid` in the first clients, 2025-12).
NAMES = {
    name.lower(): name
    for name in ("algoId", "clientAlgoId", "triggerPrice", "activatePrice", "callbackRate", "closePosition")
}


# ---------------------------------------------------------------- an order's form
@dataclass(frozen=True, slots=True)
class Form:
    """What an order of a type must say, and what it must not; whether it may close a position whole."""

    needs: tuple[str, ...]
    forbids: tuple[str, ...]
    may_close: bool = False


_AT_MARKET = Form(("triggerPrice",), ("price", "activatePrice", "callbackRate"), may_close=True)
_AT_PRICE = Form(("price", "triggerPrice"), ("activatePrice", "callbackRate"))
FORMS: Mapping[str, Form] = {
    "STOP": _AT_PRICE,
    "STOP_MARKET": _AT_MARKET,
    "TAKE_PROFIT": _AT_PRICE,
    "TAKE_PROFIT_MARKET": _AT_MARKET,
    TRAILING: Form(("callbackRate",), ("price", "triggerPrice")),
}


# ---------------------------------------------------------------- placing
def place(call: Call) -> bytes:
    """A new conditional order."""
    call = replace(call, params=_named(call.params))
    asked = new_order(call, market_of(call.exchange, call.params["symbol"]))
    check_order_count(call)
    outcome = call.trading.execute(PlaceOrder(asked), call.now_ns)
    if isinstance(outcome, Refused):
        raise refused(outcome.refusal)
    count_order(call)
    return orjson.dumps({**_head(call, outcome.order), **_tail(call, outcome.order)})


def _named(params: Mapping[str, str]) -> Mapping[str, str]:
    return {NAMES.get(name, name): value for name, value in params.items()}


def new_order(call: Call, market: HyperSynthReactor) -> NewOrder:
    """The order that a request asks for, when nothing is wrong with it; VenueError otherwise."""
    params, kind = call.params, call.params["type"]
    if params["algoType"] != CONDITIONAL:
        raise VenueError("INVALID_PARAMETER", name="algotype")
    if params["side"] not in SIDES:
        raise VenueError("BAD_SIDE")
    if kind not in ALGO_KINDS:
        raise VenueError("BAD_ORDER_TYPE")
    form, (stops, _) = FORMS[kind], ALGO_KINDS[kind]
    side, closes = SIDES[params["side"]], flag(params, "closePosition")
    if closes and not form.may_close:
        raise VenueError("CLOSING_TYPE", type=kind, closing="true")
    _check_form(params, form, closes=closes)
    check_position_side(params)
    client_id = params.get("clientAlgoId", "")
    if len(client_id) > 36:
        raise VenueError("LONG_CLIENT_ID")
    if client_id and not CLIENT_ORDER_ID.fullmatch(client_id):
        raise VenueError("BAD_CLIENT_ID")
    prevention = params.get("selfTradePreventionMode", "EXPIRE_MAKER")
    if prevention not in PREVENTIONS:
        raise VenueError("NO_SUCH_PREVENTION")
    working_type = params.get("workingType", "CONTRACT_PRICE")
    if working_type not in WORKING_TYPES:
        raise VenueError("BAD_WORKING_TYPE", name=working_type)
    reduce_only = closes or flag(params, "reduceOnly")
    trail = _trail(params, side) if kind == TRAILING else None
    trigger_ticks, price_ticks, qty_lots = _filtered(call, market, reduce_only)
    with_position = closes or params.get("timeInForce") == WITH_POSITION
    if with_position:
        _check_position(call, market, side, kind, closes=closes)
    return NewOrder(
        account=call.account,
        market=market.instrument.market,
        side=side,
        price_ticks=price_ticks,
        qty_lots=qty_lots,
        time_in_force=USDM_TIMES_IN_FORCE.get(params.get("timeInForce", "GTC"), TimeInForce.GTC),
        reduce_only=reduce_only,
        client_id=client_id,
        self_trade=PREVENTIONS[prevention],
        words=(("priceProtect", "true"),) if flag(params, "priceProtect") else (),
        trigger=Trigger(
            trigger_ticks,
            stops == (side is Side.BUY),
            WORKING_TYPES[working_type],
            closes,
            with_position,
            trail=trail,
        ),
    )


# .../trade/rest-api/New-Algo-Order, 2026-08: "callbackRate" is of one decimal, at least 0.1, and since 2026-10-23
# (https://developers.binance.com/docs/derivatives/change-log) 20 at the most. One with two was refused with -2007 on
# 2026-09-26 (tests of a client that rounds since).
LEAST_CALLBACK, MOST_CALLBACK = Decimal("0.1"), Decimal(20)


def _trail(params: Mapping[str, str], side: Side) -> Trail:
    """How one follows the price: at once, unless there is a price from which on."""
    rate = Decimal(params["callbackRate"])
    if not LEAST_CALLBACK <= rate <= MOST_CALLBACK or decimals_of(params["callbackRate"]) > 1:
        raise VenueError("BAD_CALLBACK_RATE")
    return Trail(int(rate * 10_000), rises=side is Side.BUY, at_once=not params.get("activatePrice"))


def _check_form(params: Mapping[str, str], form: Form, *, closes: bool) -> None:
    """What an order must say, and what it must not."""
    if closes and params.get("quantity"):
        raise VenueError("CLOSES_A_QUANTITY")
    for name in (*(() if closes else ("quantity",)), *form.needs):
        if not params.get(name):
            raise VenueError("MANDATORY_PARAMETER", name=name.lower())
    for name in (*(("reduceOnly",) if closes else ()), *form.forbids):
        if params.get(name):
            raise VenueError("UNNECESSARY_PARAMETER", name=name.lower())
    if params.get("priceMatch", "NONE") != "NONE":
        raise VenueError("BAD_PRICE_MATCH")
    if params.get("timeInForce", "GTC") not in (*USDM_TIMES_IN_FORCE, WITH_POSITION):
        raise VenueError("BAD_TIME_IN_FORCE")


def _filtered(call: Call, market: HyperSynthReactor, reduce_only: bool) -> tuple[int, int | None, int | None]:
    """Trigger, price and quantity, if they pass the symbol's filters. How far from the market a price may be is looked
    at by nobody before the order comes there.
    """
    params, instrument = call.params, market.instrument
    measure = measure_of(instrument)
    step_ticks = call.exchange.step_ticks(instrument.symbol, call.now_ns)
    check_decimals(params, instrument)
    trigger = params.get("triggerPrice") or params.get("activatePrice")
    trigger_ticks = price_of(trigger, measure, step_ticks) if trigger else 0  # the floor knows where it is
    price_ticks = price_of(params["price"], measure, step_ticks) if params.get("price") else None
    if not params.get("quantity"):
        return trigger_ticks, price_ticks, None
    qty_lots = quantity(params["quantity"], measure, limit=price_ticks is not None)
    at_ticks = price_ticks or trigger_ticks or call.floor.mark_e8(instrument.market) // instrument.tick_e8
    notional_e8 = measure.quote_e8(at_ticks * qty_lots)
    if not reduce_only and notional_e8 < filters_of(instrument).min_notional_e8:
        raise VenueError("BELOW_NOTIONAL", notional=contract_of(instrument).min_notional)
    return trigger_ticks, price_ticks, qty_lots


# .../docs/derivatives/usds-margined-futures/error-code, 2026-08: -4130 and -4509, which clients of the new service are
# told of orders with closePosition (2026-08-23), so these are as GTE_GTC ones; recorded as such 2025-01-24.
def _check_position(call: Call, market: HyperSynthReactor, side: Side, kind: str, *, closes: bool) -> None:
    """Who waits with a position needs one on the other side, and one of a kind is enough to close it."""
    name = market.instrument.market
    if call.floor.position(call.account, name).lots * side >= 0:
        raise VenueError("NO_POSITION")
    same = (o for o in call.floor.waiting_orders(call.account, name) if o.asked.side is side and closing(o))
    if closes and any(origin_of(order) == kind for order in same):
        raise VenueError("CLOSES_ALREADY")


# ---------------------------------------------------------------- reports
def algo_id_of(order_id: int) -> int:
    """The id of a conditional order here, from the floor's."""
    return FIRST_ALGO_ID + order_id


STATES: Mapping[OrderStatus, str] = {
    OrderStatus.WAITING: "NEW",
    OrderStatus.CANCELLED: "CANCELED",
    OrderStatus.EXPIRED: "EXPIRED",
    OrderStatus.REJECTED: "REJECTED",
}


def child_of(floor: Floor, order: Order) -> Order | None:
    """The order that a conditional one became, if it is still known."""
    if order.into_id is None:
        return None
    return floor.order(order.asked.account, order.asked.market, order.into_id)


def state_of(floor: Floor, order: Order) -> str:
    """Where a conditional order stands."""
    if order.status is not OrderStatus.TRIGGERED:
        return STATES[order.status]
    child = child_of(floor, order)
    return "TRIGGERED" if child is not None and child.status.open else "FINISHED"


def reason_of(order: Order) -> str:
    """Why it was rejected: as in the documents' sample, else as the order would have been refused."""
    if order.refusal is None or order.refusal is Refusal.NOTHING_TO_REDUCE:
        return "Reduce Only reject"
    return USDM_TRADE_ERRORS[USDM_REFUSALS[order.refusal]].text


def _measure(call: Call, order: Order) -> Measure:
    return measure_of(market_by_id(call, order.asked.market).instrument)


def _head(call: Call, order: Order) -> Json:
    measure = _measure(call, order)
    return {
        "algoId": algo_id_of(order.id),
        "clientAlgoId": order.asked.client_id,
        "algoType": CONDITIONAL,
        "orderType": origin_of(order),
        "symbol": measure.instrument.symbol,
        "side": side_of(order),
        "positionSide": "BOTH",
        "timeInForce": time_in_force_of(order),
        "quantity": measure.qty(order.qty_lots),
        "algoStatus": state_of(call.floor, order),
    }


def _tail(call: Call, order: Order, more: Mapping[str, str] | None = None) -> Json:
    measure = _measure(call, order)
    return {
        "triggerPrice": measure.price(_trigger_ticks(order)),
        "price": measure.price(order.price_ticks),
        "icebergQuantity": None,
        **(more or {}),
        "selfTradePreventionMode": prevention_of(order),
        "workingType": working_type_of(order),
        "priceMatch": "NONE",
        "closePosition": closing(order),
        "priceProtect": protected(order),
        "reduceOnly": order.asked.reduce_only,
        **_following(order, measure),
        "createTime": call.stamp(order.created_ns),
        "updateTime": call.stamp(order.updated_ns),
        "triggerTime": call.stamp(order.triggered_ns or 0),
        "goodTillDate": 0,
    }


def _trigger(order: Order) -> Trigger:
    assert order.asked.trigger is not None, order
    return order.asked.trigger


def _trigger_ticks(order: Order) -> int:
    """The price that one waits for; one that follows the price has none."""
    return 0 if _trigger(order).trail else _trigger(order).price_ticks


def _following(order: Order, measure: Measure) -> Json:
    """What is told of one that follows the price, and of no other: from which price on, which is the latest one when it
    was placed where none was asked for, and how far back. Keys as in the document's sample.
    """
    trigger = _trigger(order)
    if trigger.trail is None:
        return {}
    rate = CALLBACK.text(trigger.trail.callback_e6)
    return {"activatePrice": measure.price(trigger.price_ticks), "callbackRate": rate}


def reported(call: Call, order: Order) -> Json:
    """A conditional order as it is told when asked for. What it became is told since 2026-06-09 (`actualType`,
    `actualQty`); of one that has not come the recording of 2026-09-14 has neither.
    """
    measure, child = _measure(call, order), child_of(call.floor, order)
    units, lots = (child.filled_units, child.filled_lots) if child else (0, 0)
    actual = {
        "actualOrderId": "" if order.into_id is None else str(order.into_id),
        "actualPrice": measure.average(units, lots, measure.instrument.price_decimals + 4),
        **({"actualType": type_of(child), "actualQty": measure.qty(lots)} if child else {}),
    }
    return {**_head(call, order), **actual, **_tail(call, order, {"tpOrderType": ""})}


def in_history(call: Call, order: Order) -> Json:
    """The same among all there were, as documented."""
    measure, child = _measure(call, order), child_of(call.floor, order)
    units, lots = (child.filled_units, child.filled_lots) if child else (0, 0)
    nothing = measure.price(0)
    actual = {
        "actualOrderId": "" if order.into_id is None else str(order.into_id),
        "actualPrice": measure.average(units, lots, measure.instrument.price_decimals + 2),
    }
    legs = dict.fromkeys(("tpTriggerPrice", "tpPrice", "slTriggerPrice", "slPrice"), nothing)
    return {**_head(call, order), **actual, **_tail(call, order, {**legs, "tpOrderType": ""})}


PRINTED = ("quantity", "triggerPrice", "price", "activatePrice", "callbackRate")


def as_open(call: Call, order: Order) -> Json:
    """The same among those that wait: numbers are as a double of Java's is printed ("7.0E-4", "0.0")."""
    row = {
        **_head(call, order),
        "actualOrderId": "",
        "actualQty": "0.0",
        **_tail(call, order),
    }
    return {**row, **{name: printed(row[name]) for name in PRINTED if name in row}}


def printed(number: str) -> str:
    """A decimal as Java's Double.toString has it
    (https://docs.oracle.com/javase/8/docs/api/java/lang/Double.html#toString-double-, 2026-11).
    """
    value = Decimal(number).normalize()
    if not value:
        return "0.0"
    digits, exponent = "".join(map(str, value.as_tuple().digits)), value.adjusted()
    if -3 <= exponent < 7:
        plain = f"{value:f}"
        return plain if "." in plain else f"{plain}.0"
    return f"{digits[0]}.{digits[1:] or '0'}E{exponent}"


# ---------------------------------------------------------------- cancelling and asking
def _conditionals(call: Call, market: str | None = None) -> Iterable[Order]:
    return [order for order in call.floor.orders(call.account, market) if conditional(order)]


def _find(call: Call, missing: str) -> Order:
    params = _named(call.params)
    algo_id, client_id = params.get("algoId"), params.get("clientAlgoId", "")
    if not algo_id and not client_id:
        raise VenueError("EITHER_PARAMETER", one="algoid", other="clientalgoid")
    order_id = order_id_of(algo_id) - FIRST_ALGO_ID if algo_id else None
    for order in reversed(list(_conditionals(call))):
        if order_id in (None, order.id) and client_id in ("", order.asked.client_id):
            return order
    raise VenueError(missing)


def cancel(call: Call) -> bytes:
    """The cancel of one that waits."""
    order = _find(call, "UNKNOWN_ORDER")
    command = CancelOrder(call.account, order.asked.market, order.id)
    waits = order.status is OrderStatus.WAITING
    if not waits or isinstance(call.trading.execute(command, call.now_ns), Refused):
        raise VenueError("UNKNOWN_ORDER")
    ids = {"algoId": algo_id_of(order.id), "clientAlgoId": order.asked.client_id}
    return orjson.dumps({**ids, "code": "200", "msg": "success"})


def cancel_all(call: Call) -> bytes:
    """The cancel of all that wait on a symbol, be there any or not."""
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    call.trading.execute(CancelAll(call.account, market, waiting=True), call.now_ns)
    return orjson.dumps({"code": 200, "msg": "The operation of cancel all open order is done."})


def query(call: Call) -> bytes:
    """One of them."""
    return orjson.dumps(reported(call, _find(call, "NO_SUCH_ORDER")))


def open_orders(call: Call) -> bytes:
    """Those that wait, on a symbol or all."""
    params = _named(call.params)
    rows = call.floor.waiting_orders(call.account, market_id_or_all(call))
    if params.get("algoType", CONDITIONAL) != CONDITIONAL:
        rows = []
    if params.get("algoId"):
        rows = [order for order in rows if algo_id_of(order.id) == order_id_of(params["algoId"])]
    return orjson.dumps([as_open(call, order) for order in rows])


def all_orders(call: Call) -> bytes:
    """The newest of a symbol; from an id or a time on, the oldest. Oldest first."""
    params, (start_ns, end_ns) = _named(call.params), week(call)
    rows = [o for o in _conditionals(call, market_id_or_all(call)) if start_ns <= o.created_ns <= end_ns]
    if params.get("algoId"):
        rows = [order for order in rows if algo_id_of(order.id) >= order_id_of(params["algoId"])]
    first = bool(params.get("algoId")) or "startTime" in params
    return orjson.dumps([in_history(call, order) for order in cut(rows, limit_of(call), first)])


# ---------------------------------------------------------------- what the account is told
# Keys as recorded 2025-12-11 (https://github.com/nautechsystems/nautilus_trader/issues/3287, and .../resources/
# ws_messages/ws_futures_algo_update_*.json): numbers without zeros at their end; ap, aq and act once it has come. `rm`
# as documented. `ia`, whether it follows the price, came on 2026-08-21: https://developers.binance.com/docs/
# derivatives/change-log; of others it is false.
def algo_update(
    floor: Floor, measure: Measure, order: Order, state: str, at_ms: int, told_ms: int
) -> dict[str, Any]:
    """ALGO_UPDATE: a conditional order is in another state."""
    child = child_of(floor, order) if state in ("TRIGGERED", "FINISHED") else None
    actual: dict[str, str] = {}
    if child is not None:
        known = child if state == "FINISHED" else replace(child, filled_lots=0, filled_units=0)
        decimals = measure.instrument.price_decimals + 3
        actual = {
            "ap": short(measure.average(known.filled_units, known.filled_lots, decimals)),
            "aq": short(measure.qty(known.filled_lots)),
            "act": type_of(child),
        }
    return {
        "e": "ALGO_UPDATE",
        "T": at_ms,
        "E": told_ms,
        "o": {
            "caid": order.asked.client_id,
            "aid": algo_id_of(order.id),
            "at": CONDITIONAL,
            "o": origin_of(order),
            "s": measure.instrument.symbol,
            "S": side_of(order),
            "ps": "BOTH",
            "f": time_in_force_of(order),
            "q": short(measure.qty(order.qty_lots)),
            "X": state,
            "ai": str(child.id) if child else "",
            **actual,
            "tp": short(measure.price(_trigger_ticks(order))),
            "p": short(measure.price(order.price_ticks)),
            "V": prevention_of(order),
            "wt": working_type_of(order),
            "pm": "NONE",
            "cp": closing(order),
            "pP": protected(order),
            "R": order.asked.reduce_only,
            "tt": (order.triggered_ns or 0) // 10**6,
            "gtd": 0,
            **({"rm": reason_of(order)} if state == "REJECTED" else {}),
            "ia": order.trailing_ns is not None,
        },
    }


def short(number: str) -> str:
    """Without zeros at its end."""
    return number.rstrip("0").rstrip(".") if "." in number else number


# ---------------------------------------------------------------- the table of endpoints
ALGO_ID = {"algoId": NUMBER, "clientAlgoId": ANYTHING, "algoid": NUMBER, "clientalgoid": ANYTHING}
NEW_ALGO_ORDER: Mapping[str, Param] = {
    "algoType": NAMED,
    "symbol": SYMBOL,
    "side": NAMED,
    "type": NAMED,
    "positionSide": ANYTHING,
    "timeInForce": ANYTHING,
    "quantity": DECIMAL,
    "price": DECIMAL,
    **dict.fromkeys(("triggerPrice", "triggerprice", "activatePrice", "activateprice"), DECIMAL),
    **dict.fromkeys(("callbackRate", "callbackrate"), DECIMAL),
    "workingType": ANYTHING,
    "priceMatch": ANYTHING,
    **dict.fromkeys(("closePosition", "closeposition"), ANYTHING),
    "priceProtect": ANYTHING,
    "reduceOnly": ANYTHING,
    **dict.fromkeys(("clientAlgoId", "clientalgoid"), ANYTHING),
    "newOrderRespType": ANYTHING,
    "selfTradePreventionMode": ANYTHING,
    "goodTillDate": NUMBER,
}


def _one_or_all(params: Mapping[str, str]) -> int:
    return 1 if "symbol" in params else 40


def _to_trade(answer: Any, weight: int, params: Mapping[str, Param], *, counts: bool = False) -> Route:
    return Route(answer, weighs(weight), params, lenient=True, security=Security.TRADE, counts=counts)


def _to_read(answer: Any, weigh: Any, params: Mapping[str, Param]) -> Route:
    return Route(answer, weigh, params, lenient=True, security=Security.USER_DATA)


USDM_ALGO_ROUTES: Routes = {
    "/fapi/v1/algoOrder": {
        "POST": _to_trade(place, 0, NEW_ALGO_ORDER, counts=True),
        "DELETE": _to_trade(cancel, 1, ALGO_ID),
        "GET": _to_read(query, weighs(1), ALGO_ID),
    },
    "/fapi/v1/algoOpenOrders": {"DELETE": _to_trade(cancel_all, 1, {"symbol": SYMBOL})},
    "/fapi/v1/openAlgoOrders": {
        "GET": _to_read(open_orders, _one_or_all, {"symbol": ONE_SYMBOL, "algoType": ANYTHING, **ALGO_ID})
    },
    "/fapi/v1/allAlgoOrders": {
        "GET": _to_read(all_orders, weighs(5), {"symbol": SYMBOL, **ALGO_ID, **SPAN}),
    },
}

"""Binance USD-M: what was done to an account by force, and might be; what its trading is restricted by.

https://developers.binance.com/docs/derivatives/usds-margined-futures, trade/rest-api (Position-ADL-Quantile-Estimation,
Users-Force-Orders, Get-Order-Modify-History) and account/rest-api, 2026-08.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from reactor.exchange.orders import Fill
from venues.base import VenueError
from venues.binance.orders import measure_of, number_of
from venues.binance.rest import ANYTHING, NUMBER, ONE_SYMBOL, SYMBOL, Call, Routes, market_of
from venues.binance.trade import Json, cut, limit_of, market_by_id, market_id_or_all, window
from venues.binance.usdm_adl import grade
from venues.binance.usdm_algo import short
from venues.binance.usdm_trade import ADD, ORDER_ID, REDUCE, SPAN, amount, find_order, read, reported, week

FORCED: Mapping[str, Callable[[Fill], bool]] = {
    "LIQUIDATION": lambda fill: fill.liquidation,
    "ADL": lambda fill: fill.deleveraged,
}
# what such an order is not told with, as documented
UNTOLD = frozenset(("priceProtect", "priceMatch", "selfTradePreventionMode", "goodTillDate"))


def force_orders(call: Call) -> bytes:
    """The account's orders that nobody placed: liquidations and deleveragings. The newest of the last week; from a time
    on, the oldest. Oldest first.
    """
    kind, (start_ns, end_ns), market = call.params.get("autoCloseType"), week(call), market_id_or_all(call)
    if kind is not None and kind not in FORCED:
        raise VenueError("INVALID_PARAMETER", name="autoCloseType")
    tests = [FORCED[kind]] if kind else list(FORCED.values())
    fills = call.floor.fills(call.account, market)
    forced = {fill.order_id for fill in fills if any(test(fill) for test in tests)}
    orders = [order for order in call.floor.orders(call.account, market) if order.id in forced]
    rows = sorted((o for o in orders if start_ns <= o.created_ns <= end_ns), key=lambda order: order.id)
    rows = list(cut(rows, min(limit_of(call, 50), 100), "startTime" in call.params))
    told = [reported(call, order) for order in rows]
    return orjson.dumps([{name: row[name] for name in row if name not in UNTOLD} for row in told])


def adl_quantiles(call: Call) -> bytes:
    """How near the account's positions are to being reduced, 0 to 4."""
    market = market_id_or_all(call)
    held = [p.market for p in call.floor.positions(call.account) if market in (None, p.market)]
    return orjson.dumps(
        [
            {
                "symbol": market_by_id(call, name).instrument.symbol,
                "adlQuantile": {"LONG": 0, "SHORT": 0, "BOTH": grade(call, name)},
            }
            for name in held
        ]
    )


# As documented 2026-08: numbers without zeros at their end.
def amendments(call: Call) -> bytes:
    """What an order was changed from and to. The newest; from a time on, the oldest. Oldest first."""
    market = market_of(call.exchange, call.params["symbol"])
    order = find_order(call, market.instrument.market, "NO_SUCH_ORDER")
    start_ns, end_ns = window(call, None)
    measure, symbol = measure_of(market.instrument), market.instrument.symbol
    rows = [
        {
            "amendmentId": number_of(order.id, count),
            "symbol": symbol,
            "pair": symbol,
            "orderId": order.id,
            "clientOrderId": order.asked.client_id,
            "time": call.stamp(each.ts_ns),
            "amendment": {
                "price": _change(measure.price, each.before_ticks, each.price_ticks),
                "origQty": _change(measure.qty, each.before_lots, each.qty_lots),
                "count": count,
            },
        }
        for count, each in enumerate(call.floor.amendments(call.account, order.id), 1)
        if start_ns <= each.ts_ns <= end_ns
    ]
    return orjson.dumps(cut(rows, min(limit_of(call, 50), 100), "startTime" in call.params))


def _change(text: Callable[[Any], str], before: int | None, after: int | None) -> Json:
    return {"before": short(text(before)), "after": short(text(after))}


def trading_status(call: Call) -> bytes:
    """That no quantitative rule holds the account back: there are none here."""
    return orjson.dumps({"indicators": {}, "updateTime": call.stamp(call.now_ns)})


def fee_burn(_: Call) -> bytes:
    """That fees are paid in what is traded, not in BNB."""
    return b'{"feeBurn":false}'


def margin_history(call: Call) -> bytes:
    """What was given to the isolated positions of a symbol, or taken back, by hand: the newest, oldest first."""
    market = market_of(call.exchange, call.params["symbol"]).instrument.market
    start_ns, end_ns = week(call)
    moved = [row for row in call.floor.margins_moved(call.account, market) if start_ns <= row.ts_ns <= end_ns]
    if "type" in call.params:
        moved = [row for row in moved if (ADD if row.amount_e8 > 0 else REDUCE) == call.params["type"]]
    return orjson.dumps(
        [
            {
                "symbol": call.params["symbol"],
                "type": int(ADD if row.amount_e8 > 0 else REDUCE),
                "deltaType": "USER_ADJUST",
                "amount": amount(abs(row.amount_e8)),
                "asset": call.terms[market].margin_asset,
                "time": call.stamp(row.ts_ns),
                "positionSide": "BOTH",
            }
            for row in cut(moved, limit_of(call, 500), False)
        ]
    )


# ---------------------------------------------------------------- the table of endpoints
def _by_symbol(one: int, all_of_them: int) -> Callable[[Mapping[str, str]], int]:
    return lambda params: one if "symbol" in params else all_of_them


USDM_ACCOUNT_ROUTES: Routes = {
    "/fapi/v1/orderAmendment": {"GET": read(amendments, 1, **ORDER_ID, **SPAN)},
    "/fapi/v1/forceOrders": {
        "GET": read(force_orders, _by_symbol(20, 50), symbol=ONE_SYMBOL, autoCloseType=ANYTHING, **SPAN)
    },
    "/fapi/v1/adlQuantile": {"GET": read(adl_quantiles, 5, symbol=ONE_SYMBOL)},
    "/fapi/v1/apiTradingStatus": {"GET": read(trading_status, _by_symbol(1, 10), symbol=ONE_SYMBOL)},
    "/fapi/v1/feeBurn": {"GET": read(fee_burn, 30)},
    "/fapi/v1/positionMargin/history": {"GET": read(margin_history, 1, symbol=SYMBOL, type=NUMBER, **SPAN)},
}

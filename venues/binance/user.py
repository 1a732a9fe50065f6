"""What a Binance spot account is told: its orders' reports, its balances.

News of the floor in, event payloads out, without the envelope of a socket.
https://github.com/binance/binance-spot-api-docs/blob/master/user-data-stream.md, 2026-07-21.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeAlias

from reactor.exchange.orders import (
    Fill,
    MoneyMoved,
    Order,
    OrderEnded,
    OrderFilled,
    OrderPlaced,
    OrderStatus,
    OrderTriggered,
    Told,
    Why,
)
from reactor.exchange.terms import SPOT
from venues.base import Exchange, Trading
from venues.binance.order_lists import decides, list_id_of, list_status, pair_of
from venues.binance.orders import MONEY, cancel_name, measure_of, prevention_of, side_of, status_of
from venues.binance.trade import expiry_of, stop_price, time_in_force_of, trailing_delta, type_of, working

Event: TypeAlias = dict[str, Any]
FROM_OUTSIDE = ("deposit", "transfer")  # what moves money other than by trading


def spot_events(exchange: Exchange, trading: Trading, told: Told, unit_ns: int) -> Iterator[Event]:
    """The events of one piece of news, times in units of unit_ns."""
    match told.news:
        case OrderPlaced(order):
            yield _report(exchange, trading, told, unit_ns, order, "NEW")
            if order.pair_id not in (None, order.id):  # the second one of a pair
                yield _list_status(exchange, trading, told, unit_ns, order, runs=True)
        case OrderTriggered(order):  # once more, for it is at work now
            at_work = replace(order, status=OrderStatus.NEW, working_ns=order.updated_ns)
            yield _report(exchange, trading, told, unit_ns, at_work, "NEW")
        case OrderFilled(order, fill):
            yield _report(exchange, trading, told, unit_ns, order, "TRADE", fill)
        case OrderEnded(order):
            yield _report(exchange, trading, told, unit_ns, order, _ending(order))
            if decides(order):
                yield _list_status(exchange, trading, told, unit_ns, order, runs=False)
        case MoneyMoved():
            yield from _money(told, told.news, unit_ns)
        case _:
            pass  # of what there is not on spot


def _ending(order: Order) -> str:
    if order.status is OrderStatus.CANCELLED:
        return "CANCELED"
    return "TRADE_PREVENTION" if order.why is Why.SELF_TRADE else "EXPIRED"


# Keys as recorded 2026-01-17 by https://github.com/roq-trading/roq-binance (test/json_wsapi_execution_report.cpp), eR
# and W (only of what is at work) as documented; d and D stand where they did in the document of 2022-12-05. A cancel
# has an id of its own, and that of the order is C.
def _report(
    exchange: Exchange,
    trading: Trading,
    told: Told,
    unit_ns: int,
    order: Order,
    execution: str,
    fill: Fill | None = None,
) -> Event:
    measure = measure_of(exchange.world.market(order.asked.market).instrument)
    cancelled = execution == "CANCELED"
    words = dict(order.asked.words)
    reason, delta = expiry_of(order), trailing_delta(order)
    return {
        "e": "executionReport",
        "E": told.ts_ns // unit_ns,
        "s": measure.instrument.symbol,
        "c": cancel_name(trading.floor, order) if cancelled else order.asked.client_id,
        "S": side_of(order),
        "o": type_of(order),
        "f": time_in_force_of(order),
        "q": measure.qty(order.qty_lots),
        "p": measure.price(order.asked.price_ticks),
        "P": stop_price(order, measure),
        **({} if delta is None else {"d": delta}),
        "F": measure.qty(0),
        "g": list_id_of(order),
        "C": order.asked.client_id if cancelled else "",
        "x": execution,
        "X": status_of(order),
        "r": "NONE",
        "i": order.id,
        "l": measure.qty(fill.qty_lots if fill else 0),
        "z": measure.qty(order.filled_lots),
        "L": measure.price(fill.price_ticks if fill else 0),
        "n": MONEY.text(fill.fee_e8) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": (fill.ts_ns if fill else order.updated_ns) // unit_ns,
        "t": fill.trade_id if fill else -1,
        "I": told.number,
        "w": order.status.open,
        "m": bool(fill and fill.maker),
        "M": fill is not None,
        "O": order.created_ns // unit_ns,
        "Z": measure.quote(order.filled_units),
        "Y": measure.quote(fill.price_ticks * fill.qty_lots if fill else 0),
        "Q": measure.quote(order.asked.quote_units or 0),
        **({} if order.trailing_ns is None else {"D": order.trailing_ns // unit_ns}),
        **({"j": int(words["strategyId"])} if "strategyId" in words else {}),
        **({"J": int(words["strategyType"])} if "strategyType" in words else {}),
        **({"W": order.working_ns // unit_ns} if working(order) else {}),
        "V": prevention_of(order),
        **({} if reason is None else {"eR": reason}),
    }


def _list_status(
    exchange: Exchange, trading: Trading, told: Told, unit_ns: int, order: Order, *, runs: bool
) -> Event:
    symbol = exchange.world.market(order.asked.market).instrument.symbol
    pair, at = pair_of(trading.floor, order) or [order], order.updated_ns // unit_ns
    return list_status(pair, symbol, told.ts_ns // unit_ns, at, runs=runs)


def _money(told: Told, moved: MoneyMoved, unit_ns: int) -> Iterator[Event]:
    """What came from outside by asset, then where the balances stand."""
    at = told.ts_ns // unit_ns
    spot = [balance for balance in moved.balances if balance.wallet == SPOT]
    if moved.cause in FROM_OUTSIDE:
        for balance, delta_e8 in zip(moved.balances, moved.delta_e8, strict=True):
            if balance.wallet == SPOT:
                yield {"e": "balanceUpdate", "E": at, "a": balance.asset, "d": MONEY.text(delta_e8), "T": at}
    if spot:
        rows = [{"a": b.asset, "f": MONEY.text(b.free_e8), "l": MONEY.text(b.locked_e8)} for b in spot]
        yield {"e": "outboundAccountPosition", "E": at, "u": at, "B": rows}

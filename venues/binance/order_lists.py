"""Lists of Binance spot orders, of which there is one kind here: the pair of an OCO. What is told of them.

https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md and user-data-stream.md, 2026-07-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from reactor.exchange.floor import Floor
from reactor.exchange.orders import Order, OrderStatus, Why

Json: TypeAlias = dict[str, Any]

LIST_NAME = "listClientOrderId"  # the word of both orders that is their list's name
_DECIDED = (Why.PARTNER_FIRST, Why.WITH_PARTNER)


def list_id_of(order: Order) -> int:
    """The list that an order is of, -1 if of none."""
    return -1 if order.pair_id is None else order.pair_id


def list_name_of(order: Order) -> str:
    """Its name."""
    return dict(order.asked.words)[LIST_NAME]


def pair_of(floor: Floor, order: Order) -> list[Order]:
    """Both orders of an order's list, as long as both are remembered."""
    orders = floor.orders(order.asked.account, order.asked.market)
    return sorted((o for o in orders if o.pair_id == order.pair_id), key=lambda o: o.id)


def pairs(floor: Floor, account: str, market: str | None = None) -> list[list[Order]]:
    """An account's lists, oldest first."""
    lists: dict[int, list[Order]] = {}
    for order in sorted(floor.orders(account, market), key=lambda order: order.id):
        if order.pair_id is not None:
            lists.setdefault(order.pair_id, []).append(order)
    return [lists[list_id] for list_id in sorted(lists)]


def executing(pair: Sequence[Order]) -> bool:
    """Whether nothing has come of a list yet."""
    return all(order.status in (OrderStatus.NEW, OrderStatus.WAITING) for order in pair)


def done_ns(pair: Sequence[Order]) -> int:
    """When a list was done with: when one of its orders went for the other's sake."""
    return max((o.updated_ns for o in pair if o.why in _DECIDED), default=pair[0].updated_ns)


def decides(order: Order) -> bool:
    """Whether the end of an order is that of its list, which every list has once."""
    return order.pair_id is not None and order.why in _DECIDED


def told_list(pair: Sequence[Order], symbol: str, stamp: int, *, runs: bool) -> Json:
    """A list as it is answered, without its orders' reports."""
    return {
        "orderListId": list_id_of(pair[0]),
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if runs else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if runs else "ALL_DONE",
        "listClientOrderId": list_name_of(pair[0]),
        "transactionTime": stamp,
        "symbol": symbol,
        "orders": [
            {"symbol": symbol, "orderId": order.id, "clientOrderId": order.asked.client_id} for order in pair
        ],
    }


LIST_EVENT: Mapping[str, str] = {
    "s": "symbol",
    "g": "orderListId",
    "c": "contingencyType",
    "l": "listStatusType",
    "L": "listOrderStatus",
}


def list_status(pair: Sequence[Order], symbol: str, event: int, stamp: int, *, runs: bool) -> Json:
    """The event of a list: user-data-stream.md#list-status, 2026-07-21."""
    told = told_list(pair, symbol, stamp, runs=runs)
    return {
        "e": "listStatus",
        "E": event,
        **{short: told[name] for short, name in LIST_EVENT.items()},
        "r": "NONE",
        "C": told["listClientOrderId"],
        "T": stamp,
        "O": [{"s": symbol, "i": o["orderId"], "c": o["clientOrderId"]} for o in told["orders"]],
    }

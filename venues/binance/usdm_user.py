"""What a Binance USD-M account is told: its orders, its balances and positions, its leverage and margin calls.

News of the floor in, event payloads out, without the envelope of a socket.
https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams, 2026-09.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from reactor.exchange.orders import (
    Balance,
    Fill,
    Funded,
    LeverageSet,
    MarginCalled,
    MoneyMoved,
    Order,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderPlaced,
    OrderStatus,
    OrderTrails,
    OrderTriggered,
    Position,
    TimeInForce,
    Told,
    Why,
)
from reactor.exchange.terms import PERP
from reactor.types import MS_NS
from venues.base import Exchange, Trading
from venues.binance.orders import MONEY, Measure, measure_of, prevention_of, side_of, status_of
from venues.binance.usdm_algo import STATES, algo_update
from venues.binance.usdm_trade import (
    NOTHING,
    TRAILING,
    amount,
    break_even_price,
    closing,
    conditional,
    entry_price,
    order_notionals_e8,
    origin_of,
    protected,
    time_in_force_of,
    type_of,
    working_type_of,
)
from venues.wire import Scale

Event: TypeAlias = dict[str, Any]
SHORT = Scale(8, 0)

# why an order expired, .../user-data-streams/Event-Order-Update, 2026-05
EXPIRIES: Mapping[Why, str] = {
    Why.SELF_TRADE: "1",
    Why.NOT_FILLED_AT_ONCE: "2",
    Why.REDUCED_ENOUGH: "4",
    Why.LIQUIDATION: "5",
    Why.DELISTED: "7",
}
UNFILLED_MARKET = "9"
# by what moved money; what came from outside is told by its direction
REASONS: Mapping[str, str] = {
    "order": "ORDER",
    "funding": "FUNDING_FEE",
    "liquidation": "ORDER",
    "margin": "MARGIN_TRANSFER",
    "margin mode": "MARGIN_TYPE_CHANGE",
}


def usdm_events(exchange: Exchange, trading: Trading, told: Sequence[Told]) -> Iterator[Event]:
    """What news of one account mean to it."""
    funded = iter([each.news.payment.market for each in told if isinstance(each.news, Funded)])
    for each in told:
        yield from _events(exchange, trading, each, funded)


def _events(exchange: Exchange, trading: Trading, told: Told, funded: Iterator[str]) -> Iterator[Event]:
    match told.news:
        case OrderPlaced(order) | OrderTrails(order) if conditional(order):
            yield _algo(exchange, trading, told, order, "NEW")
        case OrderPlaced(order):
            yield _order(exchange, trading, told, order, "NEW")
            yield from _parent(exchange, trading, told, order, "TRIGGERED")
        case OrderTriggered(order):
            yield _algo(exchange, trading, told, order, "TRIGGERING")
        case OrderFilled(order, fill):
            yield _trade_lite(exchange, told, order, fill)
            forced = fill.liquidation or fill.deleveraged
            yield _order(exchange, trading, told, order, "CALCULATED" if forced else "TRADE", fill)
            if not order.status.open:
                yield from _parent(exchange, trading, told, order, "FINISHED")
        case OrderEnded(order) if conditional(order):
            yield _algo(exchange, trading, told, order, STATES[order.status])
        case OrderEnded(order):
            cancelled = order.status is OrderStatus.CANCELLED and order.why not in EXPIRIES
            yield _order(exchange, trading, told, order, "CANCELED" if cancelled else "EXPIRED")
            yield from _parent(exchange, trading, told, order, "FINISHED")
        case OrderAmended(order):
            yield _order(exchange, trading, told, order, "AMENDMENT")
        case MoneyMoved() as moved:
            market = next(funded, None) if moved.cause == "funding" else None
            yield from _account(exchange, trading, told, moved, market)
        case LeverageSet(market_id, leverage):
            symbol = exchange.world.market(market_id).instrument.symbol
            at = told.ts_ns // MS_NS
            yield {"e": "ACCOUNT_CONFIG_UPDATE", "E": at, "T": at, "ac": {"s": symbol, "l": leverage}}
        case MarginCalled(positions):
            yield _margin_call(exchange, trading, told, positions)
        case _:
            pass


def _algo(exchange: Exchange, trading: Trading, told: Told, order: Order, state: str) -> Event:
    measure = measure_of(exchange.world.market(order.asked.market).instrument)
    return algo_update(trading.floor, measure, order, state, order.updated_ns // MS_NS, told.ts_ns // MS_NS)


def _parent(exchange: Exchange, trading: Trading, told: Told, order: Order, state: str) -> Iterator[Event]:
    """What becomes of the conditional order that an order was, if it was one."""
    if order.from_id is None:
        return
    parent = trading.floor.order(order.asked.account, order.asked.market, order.from_id)
    if parent is not None:
        yield _algo(exchange, trading, told, parent, state)


# Keys as captured 2026-05, https://github.com/oliver-zehentleitner/unicorn-binance-websocket-api/issues/445. An order
# that was a conditional one has its name, its type in ot and its trigger in sp, as recorded of a stop on 2024-02-29
# (SEIUSDT, order 3026735289: o MARKET, ot STOP_MARKET, sp 0.8500000, si 0). Of one that followed the price, sp is where
# it came, AP and cr are 0, as recorded 2026-01-27: https://github.com/binance/binance-connector-java/issues/213.
def _order(
    exchange: Exchange, trading: Trading, told: Told, order: Order, execution: str, fill: Fill | None = None
) -> Event:
    measure = measure_of(exchange.world.market(order.asked.market).instrument)
    resting = trading.floor.open_orders(order.asked.account, order.asked.market)
    bid_e8, ask_e8 = order_notionals_e8(resting, measure)
    margin = trading.house.terms[order.asked.market].margin_asset if trading.house else ""
    price_decimals = measure.instrument.price_decimals
    return {
        "e": "ORDER_TRADE_UPDATE",
        "T": (fill.ts_ns if fill else order.updated_ns) // MS_NS,
        "E": told.ts_ns // MS_NS,
        "o": {
            "s": measure.instrument.symbol,
            "c": order.asked.client_id,
            "S": side_of(order),
            "o": type_of(order),
            "f": time_in_force_of(order),
            "q": measure.qty(order.qty_lots),
            "p": _price(measure, order.price_ticks),
            "ap": measure.average(order.filled_units, order.filled_lots, price_decimals + 1)
            if order.filled_lots
            else NOTHING,
            "sp": _price(measure, order.asked.trigger.price_ticks if order.asked.trigger else None),
            "x": execution,
            "X": "EXPIRED"
            if execution == "EXPIRED" and order.status is OrderStatus.CANCELLED
            else status_of(order),
            "i": order.id,
            "l": _qty(measure, fill.qty_lots if fill else 0),
            "z": _qty(measure, order.filled_lots),
            "L": _price(measure, fill.price_ticks if fill else None),
            "n": amount(fill.fee_e8) if fill else NOTHING,
            "N": fill.fee_asset if fill else margin,
            "T": (fill.ts_ns if fill else order.updated_ns) // MS_NS,
            "t": fill.trade_id if fill else 0,
            "b": SHORT.text(bid_e8),
            "a": SHORT.text(ask_e8),
            "m": bool(fill and fill.maker),
            "R": order.asked.reduce_only,
            "wt": working_type_of(order),
            "ot": origin_of(order),
            "ps": "BOTH",
            "cp": closing(order),
            **({"AP": NOTHING, "cr": NOTHING} if origin_of(order) == TRAILING else {}),
            "rp": amount(fill.realized_e8) if fill else NOTHING,
            "pP": protected(order),
            "si": 0,
            "ss": 0,
            "V": prevention_of(order),
            "pm": "NONE",
            "gtd": 0,
            "er": _expiry(order),
        },
    }


def _expiry(order: Order) -> str:
    unfilled = order.why is Why.NOT_FILLED_AT_ONCE
    if unfilled and order.asked.price_ticks is None:
        return UNFILLED_MARKET
    if unfilled and order.asked.time_in_force is TimeInForce.FOK:
        return NOTHING
    return EXPIRIES.get(order.why, NOTHING) if order.why else NOTHING


def _price(measure: Measure, ticks: int | None) -> str:
    return measure.price(ticks) if ticks else NOTHING


def _qty(measure: Measure, lots: int) -> str:
    return measure.qty(lots) if lots else NOTHING


# Recorded 2024-09-30 by https://github.com/nautechsystems/nautilus_trader (ws_messages/ws_futures_trade_lite.json)
def _trade_lite(exchange: Exchange, told: Told, order: Order, fill: Fill) -> Event:
    measure = measure_of(exchange.world.market(order.asked.market).instrument)
    return {
        "e": "TRADE_LITE",
        "E": told.ts_ns // MS_NS,
        "T": fill.ts_ns // MS_NS,
        "s": measure.instrument.symbol,
        "q": measure.qty(order.qty_lots),
        "p": _price(measure, order.price_ticks),
        "m": fill.maker,
        "c": order.asked.client_id,
        "S": side_of(order),
        "L": measure.price(fill.price_ticks),
        "l": measure.qty(fill.qty_lots),
        "t": fill.trade_id,
        "i": order.id,
    }


# Recorded 2024-02-23 by https://github.com/roq-trading/roq-binance-futures (test/json_account_update.cpp); mt, iw and
# the S of a funding fee as documented. Funding of a crossed position tells of balances alone, of an isolated one of
# the position too.
def _account(
    exchange: Exchange, trading: Trading, told: Told, moved: MoneyMoved, market: str | None
) -> Iterator[Event]:
    rows = [(b, d) for b, d in _with_deltas(moved) if b.wallet == PERP]
    positions = [position for position in moved.positions if moved.cause != "funding" or position.isolated]
    if not rows and not positions:
        return
    reason = REASONS.get(moved.cause) or ("DEPOSIT" if sum(d for _, d in rows) >= 0 else "WITHDRAW")
    at = told.ts_ns // MS_NS
    outside = moved.cause not in REASONS
    update: Event = {
        "B": [
            {
                "a": balance.asset,
                "wb": MONEY.text(balance.total_e8),
                "cw": MONEY.text(balance.free_e8),
                "bc": amount(delta_e8) if outside else NOTHING,
            }
            for balance, delta_e8 in rows
        ],
        "P": [_position(exchange, trading, told.account, position) for position in positions],
        "m": reason,
    }
    if market is not None:
        update["S"] = exchange.world.market(market).instrument.symbol
    yield {"e": "ACCOUNT_UPDATE", "T": at, "E": at, "a": update}


def _with_deltas(moved: MoneyMoved) -> Iterator[tuple[Balance, int]]:
    deltas = moved.delta_e8 or (0,) * len(moved.balances)
    return zip(moved.balances, deltas, strict=True)


def _position(exchange: Exchange, trading: Trading, account: str, position: Position) -> Event:
    measure = measure_of(exchange.world.market(position.market).instrument)
    taker_fee_e6 = trading.house.terms[position.market].taker_fee_e6 if trading.house else 0
    return {
        "s": measure.instrument.symbol,
        "pa": _qty(measure, position.lots),
        "ep": entry_price(position, measure) if position.lots else NOTHING,
        "cr": amount(position.realized_e8),
        "up": amount(trading.floor.unrealized_e8(account, position.market)),
        "mt": "isolated" if position.isolated else "cross",
        "iw": amount(position.isolated_e8 or 0),
        "ps": "BOTH",
        "bep": break_even_price(position, measure, taker_fee_e6) if position.lots else NOTHING,
    }


# Recorded 2020-04-24, .../roq-binance-futures (test/json_margin_call.cpp)
def _margin_call(exchange: Exchange, trading: Trading, told: Told, positions: Sequence[Position]) -> Event:
    floor, account = trading.floor, told.account
    margins = dict.fromkeys(trading.house.terms[p.market].margin_asset for p in positions if trading.house)
    wallet_e8 = sum(floor.balance(account, PERP, asset).free_e8 for asset in margins)
    rows = []
    for position in positions:
        measure = measure_of(exchange.world.market(position.market).instrument)
        rows.append(
            {
                "s": measure.instrument.symbol,
                "ps": "BOTH",
                "pa": measure.qty(position.lots),
                "mt": "ISOLATED" if position.isolated else "CROSSED",
                "iw": amount(position.isolated_e8 or 0),
                "mp": SHORT.text(floor.mark_e8(position.market)),
                "up": SHORT.text(floor.unrealized_e8(account, position.market)),
                "mm": SHORT.text(floor.maintenance_e8(account, position.market)),
            }
        )
    return {"e": "MARGIN_CALL", "E": told.ts_ns // MS_NS, "cw": SHORT.text(wallet_e8), "p": rows}

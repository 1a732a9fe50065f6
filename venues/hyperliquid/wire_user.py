"""What Hyperliquid tells of an account: its orders, fills, payments, positions and balances, as JSON values.

Pure renderings of the floor's values. Numbers are texts without an exponent, whole ones with ".0"; keys come in the
order of the venue's own messages (tests/venues/golden/hyperliquid/SOURCES.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from reactor.exchange.floor import Floor
from reactor.exchange.orders import (
    E8,
    Balance,
    Fill,
    FundingPayment,
    Order,
    OrderStatus,
    Position,
    Refusal,
    TimeInForce,
    Why,
)
from reactor.exchange.terms import SPOT
from reactor.types import MS_NS, Instrument, Kind, Side
from venues.base import Exchange
from venues.hyperliquid.rules import (
    MAIN_DEX,
    Card,
    Perp,
    Spot,
    decimal_places,
    dexs_of,
    offered,
    perps_of,
)
from venues.hyperliquid.wire import RATE, digest, price_scale, size_scale, trade_ids
from venues.wire import Scale

USD: Final = Scale(6, 1)  # perps are settled in millionths
USD_STEP_E8: Final = 100
TOKEN: Final = Scale(8, 1)
RATIO: Final = Scale(10, 1)
NO_HASH: Final = "0x" + "0" * 64
SIDES: Final = {Side.BUY: "B", Side.SELL: "A"}
TIF_WORD, TPSL_WORD = "tif", "tpsl"


def usd(amount_e8: int) -> str:
    """Dollars of the perps' wallet."""
    return USD.text(amount_e8 // USD_STEP_E8)


@dataclass(frozen=True)
class Book:
    """A venue's rows as accounts see them: by market id, with the number that orders name an asset by."""

    card: Card
    exchange: Exchange

    @cached_property
    def rows(self) -> Mapping[str, Perp | Spot]:
        """By market id."""
        return {row.instrument.market: row for row in self.assets.values()}

    @cached_property
    def assets(self) -> Mapping[int, Perp | Spot]:
        """By the number that actions name an asset by: a perp's place in its universe (a builder's dex's on 100,000 and
        10,000 times the dex's own), a spot pair's index on 10,000.

        https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/asset-ids (2026-11)
        """
        rows: dict[int, Perp | Spot] = dict(enumerate(perps_of(self.card, self.exchange, MAIN_DEX)))
        for place, dex in enumerate(dexs_of(self.card, self.exchange), 1):
            rows |= dict(enumerate(perps_of(self.card, self.exchange, dex.name), 100_000 + 10_000 * place))
        return rows | {10_000 + spot.index: spot for spot in offered(self.card.spots, self.exchange)}

    @property
    def floor(self) -> Floor:
        """The floor; only where accounts are served."""
        assert self.exchange.trading is not None
        return self.exchange.trading.floor

    def instrument(self, market: str) -> Instrument:
        """A market's contract."""
        return self.rows[market].instrument


# ---------------------------------------------------------------- orders
CANCELLED: Final[Mapping[Why, str]] = {
    Why.ASKED: "canceled",
    Why.NOT_FILLED_AT_ONCE: "iocCancelRejected",
    Why.SELF_TRADE: "selfTradeCanceled",
    Why.REDUCED_ENOUGH: "reduceOnlyCanceled",
    Why.LIQUIDATION: "liquidatedCanceled",
    Why.SCHEDULED: "scheduledCancel",
    Why.DELISTED: "delistedCanceled",
    Why.MARGIN: "marginCanceled",
    Why.POSITION_CLOSED: "reduceOnlyCanceled",
    Why.SIBLING_FILLED: "siblingFilledCanceled",
}
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint (statuses of orders), 2026-08
REJECTED: Final[Mapping[Refusal, str]] = {
    Refusal.INSUFFICIENT_MARGIN: "perpMarginRejected",
    Refusal.INSUFFICIENT_BALANCE: "insufficientSpotBalanceRejected",
    Refusal.WOULD_TAKE: "badAloPxRejected",
    Refusal.NO_LIQUIDITY: "marketOrderNoLiquidityRejected",
    Refusal.NOTHING_TO_REDUCE: "reduceOnlyRejected",
    Refusal.NO_POSITION: "reduceOnlyRejected",
    Refusal.LEVERAGE: "perpMaxPositionRejected",
    Refusal.WOULD_TRIGGER: "badTriggerPxRejected",
}
UNTRIGGERED: Final = {
    "triggerCondition": "N/A",
    "isTrigger": False,
    "triggerPx": "0.0",
    "children": [],
    "isPositionTpsl": False,
}


def order_status(order: Order) -> str:
    """The venue's word for where an order stands; one that was filled in part and then ended was cancelled."""
    if order.status.open or order.status is OrderStatus.WAITING:
        return "open"
    if order.status in (OrderStatus.FILLED, OrderStatus.TRIGGERED):
        return order.status.value
    if order.refusal is not None:
        return REJECTED.get(order.refusal, "rejected")
    if order.why is Why.NOT_FILLED_AT_ONCE and order.filled_lots:
        return "canceled"
    return CANCELLED[order.why or Why.ASKED]


def basic_order(order: Order, instrument: Instrument) -> dict[str, Any]:
    """An order as orderUpdates and openOrders have it."""
    asked = order.asked
    told = {
        "coin": instrument.symbol,
        "side": SIDES[asked.side],
        "limitPx": price_scale(instrument).text(order.price_ticks or 0),
        "sz": size_scale(instrument).text(order.open_lots),
        "oid": order.id,
        "timestamp": order.created_ns // MS_NS,
        "origSz": size_scale(instrument).text(order.qty_lots),
    }
    if asked.client_id:
        told["cloid"] = asked.client_id
    if asked.reduce_only:
        told["reduceOnly"] = True
    return told


KINDS: Final = {"tp": "Take Profit", "sl": "Stop"}


def order_type(order: Order) -> str:
    """The venue's word for what was asked for."""
    words = dict(order.asked.words)
    if order.asked.trigger is None:
        return "Market" if words[TIF_WORD] == "FrontendMarket" else "Limit"
    at_market = order.asked.time_in_force is TimeInForce.IOC
    return f"{KINDS[words[TPSL_WORD]]} {'Market' if at_market else 'Limit'}"


def _condition(order: Order, instrument: Instrument) -> dict[str, Any]:
    """What an order waits for, or waited for."""
    trigger = order.asked.trigger
    if trigger is None:
        return UNTRIGGERED
    price = price_scale(instrument).text(trigger.price_ticks)
    return {
        "triggerCondition": f"Price {'above' if trigger.rises else 'below'} {price}",
        "isTrigger": True,
        "triggerPx": price,
        "children": [],
        "isPositionTpsl": trigger.with_position,
    }


def frontend_order(order: Order, instrument: Instrument, children: Iterable[Order] = ()) -> dict[str, Any]:
    """An order as frontendOpenOrders, orderStatus and historicalOrders have it, with those that wait for it."""
    told = basic_order(order, instrument)
    tif = dict(order.asked.words).get(TIF_WORD)  # with a trigger, none
    original = told.pop("origSz")
    told.pop("cloid", None)
    told.pop("reduceOnly", None)
    return {
        **told,
        **_condition(order, instrument),
        "children": [frontend_order(child, instrument) for child in children],
        "reduceOnly": order.asked.reduce_only,
        "orderType": order_type(order),
        "origSz": original,
        "tif": tif,
        "cloid": order.asked.client_id or None,
    }


def order_update(order: Order, instrument: Instrument, at_ns: int) -> dict[str, Any]:
    """A row of orderUpdates."""
    return {
        "order": basic_order(order, instrument),
        "status": order_status(order),
        "statusTimestamp": at_ns // MS_NS,
    }


def past_order(order: Order, instrument: Instrument) -> dict[str, Any]:
    """A row of historicalOrders, and what orderStatus says of an order."""
    return {
        "order": frontend_order(order, instrument),
        "status": order_status(order),
        "statusTimestamp": order.updated_ns // MS_NS,
    }


# ---------------------------------------------------------------- fills and payments
def fill_hash(fill: Fill) -> str:
    """The hash of the transaction that an order's fill was part of; there is no chain, so it stands for one."""
    return digest(f"{fill.market}:fill:{fill.trade_id}", 32)


def direction(fill: Fill, instrument: Instrument) -> str:
    """What a fill did to the position, or why there is one that nobody asked for."""
    if fill.settled or fill.deleveraged:
        return "Settlement" if fill.settled else "Auto-Deleveraging"
    buys = fill.side is Side.BUY
    if instrument.kind is Kind.SPOT:
        return "Buy" if buys else "Sell"
    before = fill.position_before_lots
    after = before + fill.side * fill.qty_lots
    if before * after < 0:
        return "Long > Short" if before > 0 else "Short > Long"
    if before * fill.side >= 0:
        return "Open Long" if buys else "Open Short"
    return "Close Short" if buys else "Close Long"


def fill_row(fill: Fill, order: Order | None, instrument: Instrument, mark_e8: int) -> dict[str, Any]:
    """A fill as userFills has it."""
    told: dict[str, Any] = {
        "coin": instrument.symbol,
        "px": price_scale(instrument).text(fill.price_ticks),
        "sz": size_scale(instrument).text(fill.qty_lots),
        "side": SIDES[fill.side],
        "time": fill.ts_ns // MS_NS,
        "startPosition": size_scale(instrument).text(fill.position_before_lots),
        "dir": direction(fill, instrument),
        "closedPnl": usd(fill.realized_e8),
        "hash": fill_hash(fill),
        "oid": fill.order_id,
        "crossed": not fill.maker,
        "fee": usd(fill.fee_e8) if fill.fee_asset == instrument.quote else TOKEN.text(fill.fee_e8),
        "tid": int(trade_ids(np.array([fill.trade_id]), instrument.market)[0]),
    }
    if order is not None and order.asked.client_id:
        told["cloid"] = order.asked.client_id
    if fill.liquidation:
        told["liquidation"] = {
            "liquidatedUser": fill.account,
            "markPx": mark_text(mark_e8, instrument),
            "method": "market",
        }
    return {**told, "feeToken": fill.fee_asset, "twapId": None}


def fill_rows(book: Book, fills: Iterable[Fill]) -> list[dict[str, Any]]:
    """Fills with the names of their orders."""
    rows = []
    for fill in fills:
        instrument = book.instrument(fill.market)
        order = book.floor.order(fill.account, fill.market, fill.order_id)
        mark_e8 = book.floor.mark_e8(fill.market) if fill.liquidation else 0
        rows.append(fill_row(fill, order, instrument, mark_e8))
    return rows


def funding_row(payment: FundingPayment, instrument: Instrument) -> dict[str, Any]:
    """A payment as userFundings has it: what was got is above 0."""
    return {
        "time": payment.settlement.ts_ns // MS_NS,
        "coin": instrument.symbol,
        "usdc": usd(-payment.paid_e8),
        "szi": size_scale(instrument).text(payment.lots),
        "fundingRate": RATE.text(payment.settlement.rate_e12 // 100),
        "nSamples": None,
    }


# ---------------------------------------------------------------- positions and balances
def mark_text(price_e8: int, instrument: Instrument) -> str:
    """A mark price, in the price's own decimals."""
    decimals = decimal_places(instrument)
    step = 10 ** (8 - decimals)
    return Scale(decimals, 1).text((price_e8 + step // 2) // step)


def _entry_text(position: Position, instrument: Instrument) -> str:
    decimals = decimal_places(instrument)
    units = abs(position.entry_units) * instrument.tick_size * 10**decimals
    per = abs(position.lots) * 10**instrument.price_decimals
    return Scale(decimals, 1).text((units + per // 2) // per)


def leverage_row(position: Position, instrument: Instrument) -> dict[str, Any]:
    """A position's leverage, and of an isolated one what it has of dollars: its margin less what it was entered for."""
    if position.isolated_e8 is None:
        return {"type": "cross", "value": position.leverage}
    raw_e8 = position.isolated_e8 - position.entry_units * _unit_e8(instrument)
    return {"type": "isolated", "value": position.leverage, "rawUsd": usd(raw_e8)}


def _margin_used_e8(book: Book, account: str, position: Position) -> int:
    """What a position takes: at its leverage, or all that an isolated one is worth."""
    if position.isolated_e8 is None:
        return book.floor.position_margin_e8(account, position.market)
    return position.isolated_e8 + book.floor.unrealized_e8(account, position.market)


def position_row(book: Book, account: str, position: Position) -> dict[str, Any]:
    """A position as clearinghouseState has it."""
    floor, row = book.floor, book.rows[position.market]
    instrument = row.instrument
    assert isinstance(row, Perp)
    unrealized_e8 = floor.unrealized_e8(account, position.market)
    value_e8 = abs(_value_e8(position.lots, floor.mark_e8(position.market), instrument))
    entry_e8 = abs(position.entry_units) * _unit_e8(instrument)
    basis_e8 = entry_e8 // position.leverage
    liquidation_e8 = floor.liquidation_price_e8(account, position.market)
    funding = usd(position.funding_e8)
    return {
        "coin": instrument.symbol,
        "szi": size_scale(instrument).text(position.lots),
        "leverage": leverage_row(position, instrument),
        "entryPx": _entry_text(position, instrument),
        "positionValue": usd(value_e8),
        "unrealizedPnl": usd(unrealized_e8),
        "returnOnEquity": RATIO.text(unrealized_e8 * 10**10 // basis_e8 if basis_e8 else 0),
        "liquidationPx": None if liquidation_e8 is None else mark_text(liquidation_e8, instrument),
        "marginUsed": usd(_margin_used_e8(book, account, position)),
        "maxLeverage": row.max_leverage,
        "cumFunding": {"allTime": funding, "sinceOpen": funding, "sinceChange": funding},
    }


def _unit_e8(instrument: Instrument) -> int:
    per: int = 10 ** (instrument.price_decimals + instrument.qty_decimals)
    return instrument.tick_size * instrument.lot_size * E8 // per


def _value_e8(lots: int, price_e8: int, instrument: Instrument) -> int:
    per: int = 10**instrument.qty_decimals
    return lots * instrument.lot_size * price_e8 // per


def clearinghouse(book: Book, account: str, now_ns: int, positions: Sequence[Position]) -> dict[str, Any]:
    """The state of an account's perps."""
    floor = book.floor
    crossed = [each for each in positions if not each.isolated]
    apart_e8 = sum(_margin_used_e8(book, account, each) for each in positions if each.isolated)
    equity_e8 = floor.equity_e8(account, "USDC")
    return {
        "marginSummary": _margin_summary(book, account, equity_e8, positions),
        "crossMarginSummary": _margin_summary(book, account, equity_e8 - apart_e8, crossed),
        "crossMaintenanceMarginUsed": usd(
            sum(floor.maintenance_e8(account, each.market) for each in crossed)
        ),
        "withdrawable": usd(max(floor.available_e8(account, "USDC"), 0)),
        "assetPositions": [
            {"type": "oneWay", "position": position_row(book, account, each)} for each in positions
        ],
        "time": now_ns // MS_NS,
    }


def _margin_summary(
    book: Book, account: str, equity_e8: int, positions: Sequence[Position]
) -> dict[str, Any]:
    values = [
        _value_e8(each.lots, book.floor.mark_e8(each.market), book.instrument(each.market))
        for each in positions
    ]
    return {
        "accountValue": usd(equity_e8),
        "totalNtlPos": usd(sum(map(abs, values))),
        "totalRawUsd": usd(equity_e8 - sum(values)),
        "totalMarginUsed": usd(sum(_margin_used_e8(book, account, each) for each in positions)),
    }


def spot_state(book: Book, account: str) -> dict[str, Any]:
    """An account's spot balances."""
    numbers = {token["name"]: token["index"] for token in book.card.tokens}

    def row(balance: Balance) -> dict[str, Any]:
        return {
            "coin": balance.asset,
            "token": numbers[balance.asset],
            "total": TOKEN.text(balance.total_e8),
            "hold": TOKEN.text(balance.locked_e8),
            "entryNtl": "0.0",
        }

    return {"balances": [row(each) for each in book.floor.balances(account) if each.wallet == SPOT]}


def asset_data(book: Book, account: str, perp: Perp) -> dict[str, Any]:
    """What an account may trade of a perpetual, as activeAssetData has it: buying, then selling."""
    floor, instrument = book.floor, perp.instrument
    leverage = floor.leverage(account, instrument.market)
    mark_e8 = floor.mark_e8(instrument.market)
    position = floor.position(account, instrument.market)
    free_e8 = max(floor.available_e8(account, instrument.quote), 0)
    back_e8 = 2 * floor.position_margin_e8(
        account, instrument.market
    )  # closing frees it, turning takes it again
    room = [free_e8 + (back_e8 if position.lots * side < 0 else 0) for side in (1, -1)]
    lots = [each * leverage * 10**instrument.qty_decimals // (mark_e8 * instrument.lot_size) for each in room]
    return {
        "user": account,
        "coin": instrument.symbol,
        "leverage": leverage_row(position, instrument),
        "maxTradeSzs": [size_scale(instrument).text(each) for each in lots],
        "availableToTrade": [usd(each) for each in room],
        "markPx": mark_text(mark_e8, instrument),
    }

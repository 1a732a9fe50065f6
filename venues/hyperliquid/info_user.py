"""Hyperliquid's questions about an account, which anybody may ask of any address, and the channels that tell of one.

An address that nobody has asked for yet has what a new account has, where accounts open by themselves: a client looks
at its balance before it trades.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from reactor.exchange.orders import (
    Fill,
    Funded,
    Liquidated,
    Order,
    OrderAmended,
    OrderEnded,
    OrderFilled,
    OrderPlaced,
    OrderTriggered,
    Position,
    Told,
    Why,
)
from reactor.types import MS_NS
from venues.base import VenueError
from venues.hyperliquid.actions import BUILDER, MASTER, NAMES, funded, is_cloid, open_account, speaks_for
from venues.hyperliquid.house import PERP_FEES_E6, SPOT_FEES_E6, fees_e6
from venues.hyperliquid.rules import (
    ANY_PERIOD,
    COIN,
    MAIN_DEX,
    PERIOD,
    USER,
    Field,
    Perp,
    Shape,
    is_address,
    is_flag,
    is_text,
    is_unsigned,
)
from venues.hyperliquid.wire_user import (
    NO_HASH,
    Book,
    asset_data,
    basic_order,
    clearinghouse,
    fill_rows,
    frontend_order,
    funding_row,
    order_update,
    past_order,
    spot_state,
    usd,
)
from venues.wire import Scale

FILLS_A_REQUEST: Final = 2_000
ORDERS_A_REQUEST: Final = 2_000
FUNDINGS_A_REQUEST: Final = 500

Fields: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = Callable[[Book, str, Fields, int], Any]  # of an account, at an instant

USER_DEX: Final[Shape] = {**USER, "dex": Field(is_text, MAIN_DEX, repeated=False)}
RATE: Final = Scale(6, 1)


# ---------------------------------------------------------------- answers
def _instrument(book: Book, order: Order) -> Any:
    return book.instrument(order.asked.market)


def _living(book: Book, user: str) -> list[Order]:
    """Those that are open and those that wait, the newest first."""
    orders = [*book.floor.open_orders(user), *book.floor.waiting_orders(user)]
    return sorted(orders, key=lambda order: order.id, reverse=True)


def _open_orders(book: Book, user: str, _fields: Fields, _now_ns: int) -> Any:
    return [basic_order(order, _instrument(book, order)) for order in _living(book, user)]


def _frontend_orders(book: Book, user: str, _fields: Fields, _now_ns: int) -> Any:
    orders = _living(book, user)
    children: dict[int | None, list[Order]] = {}
    for order in reversed(orders):
        if order.asked.trigger is not None:
            children.setdefault(order.asked.trigger.parent_id, []).append(order)
    return [frontend_order(order, _instrument(book, order), children.get(order.id, ())) for order in orders]


def _historical_orders(book: Book, user: str, _fields: Fields, _now_ns: int) -> Any:
    newest = list(book.floor.orders(user))[-ORDERS_A_REQUEST:]
    return [past_order(order, _instrument(book, order)) for order in reversed(newest)]


def _order_status(book: Book, user: str, fields: Fields, _now_ns: int) -> Any:
    oid = fields["oid"]
    for order in reversed(book.floor.orders(user)):
        if oid == order.id or (is_cloid(oid) and oid.lower() == order.asked.client_id):
            return {"status": "order", "order": past_order(order, _instrument(book, order))}
    return {"status": "unknownOid"}


def _fills(book: Book, user: str, _fields: Fields, _now_ns: int) -> Any:
    return fill_rows(book, reversed(list(book.floor.fills(user))[-FILLS_A_REQUEST:]))


def _fills_by_time(book: Book, user: str, fields: Fields, now_ns: int) -> Any:
    start_ms, end_ms = fields["startTime"], fields["endTime"]
    last_ms = now_ns // MS_NS if end_ms is None else end_ms
    within = [fill for fill in book.floor.fills(user) if start_ms <= fill.ts_ns // MS_NS <= last_ms]
    return fill_rows(book, within[:FILLS_A_REQUEST])


def _fundings(book: Book, user: str, fields: Fields, now_ns: int) -> Any:
    start_ms, end_ms = fields["startTime"], fields["endTime"]
    last_ms = now_ns // MS_NS if end_ms is None else end_ms
    rows = []
    for payment in book.floor.fundings(user):
        row = funding_row(payment, book.instrument(payment.market))
        time_ms = row.pop("time")
        if start_ms <= time_ms <= last_ms:
            rows.append({"time": time_ms, "hash": NO_HASH, "delta": {"type": "funding", **row}})
    return rows[:FUNDINGS_A_REQUEST]


def _role(book: Book, user: str, _fields: Fields, _now_ns: int) -> Any:
    master = book.floor.remembered(user, MASTER)
    if master is not None:
        return {"role": "agent", "data": {"user": master}}
    return {"role": "user" if funded(book.floor, user) else "missing"}


def _agents(book: Book, user: str, _fields: Fields, _now_ns: int) -> Any:
    facts = book.floor.facts(user)
    return [
        {"name": name.removeprefix(NAMES), "address": address, "validUntil": None}
        for name, address in facts.items()
        if name.startswith(NAMES) and name != NAMES
    ]


def _fees(book: Book, _user: str, _fields: Fields, _now_ns: int) -> Any:
    """The first tier's rates are the schedule's, whatever the account's tier is."""
    (add, cross), (spot_add, spot_cross) = PERP_FEES_E6[0], SPOT_FEES_E6[0]
    (my_add, my_cross), (my_spot_add, my_spot_cross) = fees_e6(book.exchange)
    return {
        "dailyUserVlm": [],
        "feeSchedule": {
            "cross": RATE.text(cross),
            "add": RATE.text(add),
            "spotCross": RATE.text(spot_cross),
            "spotAdd": RATE.text(spot_add),
            "tiers": {"vip": [], "mm": []},
            "referralDiscount": "0.0",
            "stakingDiscountTiers": [],
        },
        "userCrossRate": RATE.text(my_cross),
        "userAddRate": RATE.text(my_add),
        "userSpotCrossRate": RATE.text(my_spot_cross),
        "userSpotAddRate": RATE.text(my_spot_add),
        "activeReferralDiscount": "0.0",
        "trial": None,
        "feeTrialReward": "0.0",
        "nextTrialAvailableTimestamp": None,
        "stakingLink": None,
        "activeStakingDiscount": None,
    }


def _volume_e8(fills: list[Fill], book: Book) -> int:
    total = 0
    for fill in fills:
        instrument = book.instrument(fill.market)
        per: int = 10 ** (instrument.price_decimals + instrument.qty_decimals)
        units = fill.price_ticks * fill.qty_lots * instrument.tick_size * instrument.lot_size
        total += units * 10**8 // per
    return total


def _rate_limit(book: Book, user: str, _fields: Fields, _now_ns: int) -> Any:
    """One request a dollar traded, and 10,000 to begin with; none is counted here."""
    volume_e8 = _volume_e8(list(book.floor.fills(user)), book)
    return {"cumVlm": usd(volume_e8), "nRequestsUsed": 0, "nRequestsCap": 10_000 + volume_e8 // 10**8}


def _builder_fee(book: Book, user: str, fields: Fields, _now_ns: int) -> Any:
    """In tenths of a basis point."""
    rate = book.floor.remembered(user, BUILDER + fields["builder"].lower())
    if rate is None:
        return 0
    try:
        return round(float(rate.rstrip("%")) * 1_000)
    except ValueError:
        return 0


def _asset_data(book: Book, user: str, fields: Fields, _now_ns: int) -> Any:
    for row in book.assets.values():
        if isinstance(row, Perp) and row.instrument.symbol == fields["coin"]:
            return asset_data(book, user, row)
    raise VenueError("internal")


def _state(book: Book, user: str, fields: Fields, now_ns: int) -> Any:
    """Of a dex's positions; one margin backs those of all dexs here."""
    return clearinghouse(book, user, now_ns, _of_dex(book, user, fields.get("dex", MAIN_DEX)))


def _of_dex(book: Book, user: str, dex: str) -> list[Position]:
    return [
        position
        for position in book.floor.positions(user)
        if isinstance(row := book.rows[position.market], Perp) and row.dex == dex
    ]


def _portfolio(book: Book, user: str, _fields: Fields, now_ns: int) -> Any:
    """The account's value now; its past is not kept."""
    value = [[now_ns // MS_NS, usd(book.floor.equity_e8(user, "USDC"))]]
    row = {"accountValueHistory": value, "pnlHistory": [[now_ns // MS_NS, "0.0"]], "vlm": "0.0"}
    spans = ("day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime")
    return [[span, row] for span in spans]


def _approved_builders(book: Book, user: str, _fields: Fields, _now_ns: int) -> Any:
    return [name.removeprefix(BUILDER) for name in book.floor.facts(user) if name.startswith(BUILDER)]


def _referral(book: Book, user: str, _fields: Fields, _now_ns: int) -> Any:
    """Nobody refers anybody here; a code of one's own takes 10,000 dollars of volume first."""
    return {
        "referredBy": None,
        "cumVlm": usd(_volume_e8(list(book.floor.fills(user)), book)),
        "unclaimedRewards": "0.0",
        "claimedRewards": "0.0",
        "builderRewards": "0.0",
        "referrerState": {"stage": "needToTrade", "data": {"required": "10000.0"}},
        "rewardHistory": [],
        "tokenToState": [],
    }


def _always(value: object) -> Answer:
    """The answer to a question whose subject does not occur here."""
    return lambda _book, _user, _fields, _now_ns: value


def _user_state(book: Book, user: str, now_ns: int) -> dict[str, Any]:
    return {
        "agentAddress": None,
        "agentValidUntil": None,
        "cumLedger": usd(book.floor.equity_e8(user, "USDC")),
        "serverTime": now_ns // MS_NS,
        "isVault": False,
        "user": user,
    }


def web_data2(book: Book, user: str, markets: Mapping[str, Any], now_ns: int) -> dict[str, Any]:
    """All of an account, and `markets`: what the main dex and spot trade, by its names here.

    A question alone since the venue refuses the subscription, like any unknown one (a probe of 2026-08-28,
    https://github.com/galleonlabs/hypergrok-trading-desk/pull/19); the shape is nktkas's, as below.
    """
    return {
        "clearinghouseState": _state(book, user, {"dex": MAIN_DEX}, now_ns),
        "leadingVaults": [],
        "totalVaultEquity": "0.0",
        "openOrders": _frontend_orders(book, user, {}, now_ns),
        **_user_state(book, user, now_ns),
        "twapStates": [],
        "spotState": spot_state(book, user),
        **markets,
    }


# What the venue's pages do not describe is as https://github.com/nktkas/hyperliquid has it (0.32.2, 2026-11).
NO_STAKE: Final = {
    "delegated": "0.0",
    "undelegated": "0.0",
    "totalPendingWithdrawal": "0.0",
    "nPendingWithdrawals": 0,
}
LEGAL: Final = {"ipAllowed": True, "acceptedTerms": True, "userAllowed": True}


def _nothing(_book: Book, _user: str, _fields: Fields, _now_ns: int) -> Any:
    return []


# The only list of questions about an account: their fields beside `type`, and the answer.
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint (2026-11)
INFO_USER: Final[Mapping[str, tuple[Shape, Answer]]] = {
    "clearinghouseState": (USER_DEX, _state),
    "spotClearinghouseState": (USER, lambda book, user, _f, _n: spot_state(book, user)),
    "openOrders": (USER_DEX, _open_orders),
    "frontendOpenOrders": (USER_DEX, _frontend_orders),
    "historicalOrders": (USER, _historical_orders),
    "orderStatus": ({**USER, "oid": Field(lambda oid: is_unsigned(oid) or is_text(oid))}, _order_status),
    "userFills": ({**USER, "aggregateByTime": Field(is_flag, False)}, _fills),
    "userFillsByTime": ({**USER, **PERIOD, "aggregateByTime": Field(is_flag, False)}, _fills_by_time),
    "userFunding": ({**USER, **ANY_PERIOD}, _fundings),
    "userNonFundingLedgerUpdates": ({**USER, **ANY_PERIOD}, _nothing),
    "userFees": (USER, _fees),
    "userRateLimit": (USER, _rate_limit),
    "userRole": (USER, _role),
    "extraAgents": (USER, _agents),
    "subAccounts": (USER, _always(None)),
    "userVaultEquities": (USER, _nothing),
    "userTwapSliceFills": (USER, _nothing),
    "delegations": (USER, _nothing),
    "delegatorSummary": (USER, _always(NO_STAKE)),
    "delegatorHistory": (USER, _nothing),
    "delegatorRewards": (USER, _nothing),
    "referral": (USER, _referral),
    "approvedBuilders": (USER, _approved_builders),
    "userToMultiSigSigners": (USER, _always(None)),
    "legalCheck": (USER, _always(LEGAL)),
    "isVip": (USER, _always(False)),
    "twapHistory": (USER, _nothing),
    "maxBuilderFee": ({**USER, "builder": Field(is_address)}, _builder_fee),
    "activeAssetData": ({**USER, **COIN}, _asset_data),
    "portfolio": (USER, _portfolio),
    "userAbstraction": (USER, _always("default")),
    "userDexAbstraction": (USER, _always(None)),
}


def mention(book: Book, user: str, now_ns: int, client: str) -> None:
    """A client asks about an account: it is opened, where accounts open by themselves, and the client is known to
    speak for it (`actions.principal`).
    """
    trading = book.exchange.trading
    if trading is not None and book.floor.remembered(user, MASTER) is None:
        open_account(trading, user, now_ns)
        speaks_for(trading, client, user, now_ns)


def answer(book: Book, kind: str, fields: Fields, now_ns: int, client: str) -> Any:
    """The JSON value that answers a client's question; VenueError as for any other."""
    user = fields["user"].lower()
    mention(book, user, now_ns, client)
    if fields.get("dex", MAIN_DEX) != MAIN_DEX and kind in ("openOrders", "frontendOpenOrders"):
        return []
    return INFO_USER[kind][1](book, user, fields, now_ns)


# ---------------------------------------------------------------- channels
_SNAPSHOTS: Final[Mapping[str, tuple[str, Answer]]] = {
    "userFills": ("fills", lambda book, user, f, n: _fills(book, user, f, n)[::-1]),
    "userFundings": (
        "fundings",
        lambda book, user, _f, _n: [
            funding_row(row, book.instrument(row.market)) for row in book.floor.fundings(user)
        ],
    ),
    "userNonFundingLedgerUpdates": ("nonFundingLedgerUpdates", _nothing),
    "userHistoricalOrders": ("orderHistory", _historical_orders),
    "userTwapSliceFills": ("twapSliceFills", _nothing),
    "userTwapHistory": ("history", _nothing),
}


def _web_data3(book: Book, user: str, now_ns: int) -> dict[str, Any]:
    return {
        "userState": _user_state(book, user, now_ns),
        "perpDexStates": [{"totalVaultEquity": "0.0", "perpsAtOpenInterestCap": []}],
    }


# Channels that tell an account's whole state: after the acknowledgement, and whenever it changes.
_STATES: Final[Mapping[str, Callable[[Book, str, Fields, int], Any]]] = {
    "clearinghouseState": lambda book, user, f, n: {
        "dex": f["dex"],
        "user": user,
        "clearinghouseState": _state(book, user, f, n),
    },
    "openOrders": lambda book, user, f, n: {
        "dex": f["dex"],
        "user": user,
        "orders": _frontend_orders(book, user, f, n),
    },
    "spotState": lambda book, user, _f, _n: {"user": user, "spotState": spot_state(book, user)},
    "allDexsClearinghouseState": lambda book, user, f, n: {
        "user": user,
        "clearinghouseStates": [["", _state(book, user, f, n)]],
    },
    "activeAssetData": _asset_data,
    "webData3": lambda book, user, _f, n: _web_data3(book, user, n),
}

CHANNELS: Final[Mapping[str, Shape]] = {
    "orderUpdates": USER,
    "userEvents": USER,
    "user": USER,
    "notification": USER,
    **dict.fromkeys(_SNAPSHOTS, USER),
    "userFills": {**USER, "aggregateByTime": Field(is_flag, False)},
    **dict.fromkeys(_STATES, USER),
    "clearinghouseState": USER_DEX,
    "openOrders": USER_DEX,
    "activeAssetData": {**USER, **COIN},
}


def first_words(book: Book, kind: str, fields: Fields, now_ns: int) -> list[tuple[str, Any]]:
    """(channel, data) that follow the acknowledgement of a subscription."""
    user = fields["user"].lower()
    if kind in _SNAPSHOTS:
        name, rows = _SNAPSHOTS[kind]
        return [(kind, {"isSnapshot": True, "user": user, name: rows(book, user, fields, now_ns)})]
    if kind in _STATES:
        return [(kind, _STATES[kind](book, user, fields, now_ns))]
    return []


def news(book: Book, kind: str, fields: Fields, told: Sequence[Told], now_ns: int) -> list[tuple[str, Any]]:
    """(channel, data) that tell of what happened to the account at an instant, in the order of the subscription."""
    user = fields["user"].lower()
    if kind in _STATES:
        return [(kind, _STATES[kind](book, user, fields, now_ns))]
    if kind == "orderUpdates":
        rows = _updates(book, told)
        return [(kind, rows)] if rows else []
    fills = fill_rows(book, [each.news.fill for each in told if isinstance(each.news, OrderFilled)])
    payments = [
        funding_row(each.news.payment, book.instrument(each.news.payment.market))
        for each in told
        if isinstance(each.news, Funded)
    ]
    if kind == "userFills":
        return [(kind, {"user": user, "fills": fills})] if fills else []
    if kind == "userFundings":
        return [(kind, {"user": user, "fundings": payments})] if payments else []
    if kind == "userHistoricalOrders":
        ended = [each.news.order for each in told if isinstance(each.news, OrderEnded | OrderFilled)]
        rows = [past_order(order, _instrument(book, order)) for order in ended if not order.status.open]
        return [(kind, {"user": user, "orderHistory": rows})] if rows else []
    if kind in ("userEvents", "user"):
        return [("user", event) for event in _events(book, user, told, fills, payments)]
    return []


def _updates(book: Book, told: Sequence[Told]) -> list[dict[str, Any]]:
    """An order that filled in part is told as open, with what is left."""
    rows = []
    for each in told:
        if isinstance(each.news, OrderPlaced | OrderTriggered | OrderFilled | OrderEnded | OrderAmended):
            order = each.news.order
            rows.append(order_update(order, _instrument(book, order), each.ts_ns))
    return rows


def _events(
    book: Book, user: str, told: Sequence[Told], fills: list[Any], payments: list[Any]
) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [{"fills": fills}] if fills else []
    events += [{"funding": payment} for payment in payments]
    for each in told:
        if isinstance(each.news, Liquidated):
            events.append(
                {
                    "liquidation": {
                        "lid": each.number,
                        "liquidator": "0x" + "0" * 40,
                        "liquidated_user": user,
                        "liquidated_ntl_pos": usd(_notional_e8(book, each.news)),
                        "liquidated_account_value": usd(each.news.equity_e8),
                    }
                }
            )
    cancels = [
        {"coin": _instrument(book, each.news.order).symbol, "oid": each.news.order.id}
        for each in told
        if isinstance(each.news, OrderEnded)
        and each.news.order.why in (Why.LIQUIDATION, Why.MARGIN, Why.SCHEDULED, Why.DELISTED)
    ]
    return [*events, {"nonUserCancel": cancels}] if cancels else events


def _notional_e8(book: Book, liquidated: Liquidated) -> int:
    total = 0
    for position in liquidated.positions:
        instrument = book.instrument(position.market)
        per: int = 10**instrument.qty_decimals
        total += abs(position.lots) * instrument.lot_size * book.floor.mark_e8(position.market) // per
    return total

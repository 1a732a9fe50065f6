"""Hyperliquid's /exchange: signed actions, whose account they are for, and what becomes of them.

An action is judged in this order: its shape (422), its signature, its nonce and expiry, then each of its orders or
cancels by itself, whose errors stand in its answer. https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/
exchange-endpoint, .../signing, .../nonces-and-api-wallets and .../error-responses (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeAlias

import orjson

from reactor.exchange.floor import Floor
from reactor.exchange.orders import (
    E8,
    CancelOrder,
    Command,
    Deposit,
    Gauge,
    MoveMargin,
    NewOrder,
    Order,
    OrderStatus,
    Outcome,
    PlaceOrder,
    Refusal,
    Refused,
    Remember,
    ScheduleCancel,
    SetLeverage,
    SetMarginMode,
    TimeInForce,
    Transfer,
    Trigger,
)
from reactor.exchange.terms import PERP, SPOT
from reactor.types import DAY_NS, MS_NS, SECOND_NS, Instrument, Kind, Side
from venues.base import Trading, VenueError
from venues.hyperliquid.house import OPENING
from venues.hyperliquid.rules import (
    MAX_DECIMALS,
    SIGNIFICANT_FIGURES,
    Field,
    MalformedError,
    Perp,
    Shape,
    Spot,
    is_address,
    is_flag,
    is_object,
    is_text,
    is_unsigned,
    read,
    render,
    tag,
)
from venues.hyperliquid.signing import (
    CHAINS,
    SOURCES,
    USER_SIGNED,
    UnsignedError,
    agent_digest,
    connection_id,
    recover,
    user_digest,
)
from venues.hyperliquid.wire import price_scale, size_scale
from venues.hyperliquid.wire_user import TIF_WORD, TPSL_WORD, Book
from venues.wire import Scale

# Per signer the 100 highest nonces are kept; a new one must be greater than the least of them, unused, and of the last
# two days or the next one: .../nonces-and-api-wallets (2026-11).
NONCES_KEPT: Final = 100
NONCE_PAST_NS, NONCE_FUTURE_NS = 2 * DAY_NS, DAY_NS
# What clients send before they know anything: no reason to open an account.
HARMLESS: Final = frozenset({"approveBuilderFee", "setReferrer", "noop"})
SCHEDULE_AHEAD_NS = 5 * SECOND_NS
AGENTS_NAMED: Final = 3
LEAST_NOTIONAL_E8: Final = 10 * E8
CLIENT_USERS: Final = 100  # of those a client asks about, so many are kept
FARTHEST_E2: Final = 95  # of a limit price from the reference, in percent

TIFS: Final[Mapping[str, TimeInForce]] = {
    "Gtc": TimeInForce.GTC,
    "Ioc": TimeInForce.IOC,
    "Alo": TimeInForce.POST_ONLY,
    "FrontendMarket": TimeInForce.IOC,
}
NUMBER = re.compile(r"\d{1,20}(\.\d{1,20})?")
CLOID = re.compile("0x[0-9a-fA-F]{32}")

NAMES, MASTER, NONCES, CLOCK, BUILDER = "agent:", "agent of", "nonces", "clock", "builder:"
CLIENT, ASKS, SEEN = "client ", "asks about", "seen"  # facts about who is no account


# ---------------------------------------------------------------- shapes
def is_number(value: Any) -> bool:
    """A decimal number as text, without a sign or an exponent."""
    return isinstance(value, str) and NUMBER.fullmatch(value) is not None


def is_cloid(value: Any) -> bool:
    """A client's own order id: 0x and 32 hexadecimal digits."""
    return isinstance(value, str) and CLOID.fullmatch(value) is not None


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_oid(value: Any) -> bool:
    return is_unsigned(value) or is_cloid(value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


SIGNED: Final[Shape] = {
    "action": Field(is_object),
    "nonce": Field(is_unsigned),
    "signature": Field(is_object),
    "vaultAddress": Field(is_address, None),
    "expiresAfter": Field(is_unsigned, None),
}
SIGNATURE: Final[Shape] = {"r": Field(is_text), "s": Field(is_text), "v": Field(is_unsigned)}
ORDER: Final[Shape] = {
    "a": Field(is_unsigned),
    "b": Field(is_flag),
    "p": Field(is_number),
    "s": Field(is_number),
    "r": Field(is_flag),
    "t": Field(is_object),
    "c": Field(is_cloid, None),
}
LIMIT: Final[Shape] = {"tif": Field(is_text)}
TRIGGER: Final[Shape] = {"isMarket": Field(is_flag), "triggerPx": Field(is_number), "tpsl": Field(is_text)}
TPSL: Final = ("tp", "sl")
# How the orders of an action belong together: not at all, as an order and its take-profit and stop, as those of a
# position; or, with a priority fee, not at all
GROUPED: Final = ("na", "normalTpsl", "positionTpsl")
LIST: Final = {
    "order": {"orders": Field(_is_list)},
    "cancel": {"cancels": Field(_is_list)},
    "modify": {"modifies": Field(_is_list)},
}
CANCEL: Final[Shape] = {"a": Field(is_unsigned), "o": Field(is_unsigned)}
CANCEL_BY_CLOID: Final[Shape] = {"asset": Field(is_unsigned), "cloid": Field(is_cloid)}
MODIFY: Final[Shape] = {"oid": Field(_is_oid), "order": Field(is_object)}

# ---------------------------------------------------------------- what an order is refused with
# In the venue's words, as read off by its clients on 2026-10-02; in the list of statuses they end in ` asset=N`.
BAD_TRIGGER: Final = "Invalid TP/SL price."
REFUSALS: Final[Mapping[Refusal, str]] = {
    Refusal.INSUFFICIENT_MARGIN: "Insufficient margin to place order.",
    Refusal.INSUFFICIENT_BALANCE: "Insufficient spot balance",
    Refusal.NO_LIQUIDITY: "No liquidity available for market order.",
    Refusal.NOTHING_TO_REDUCE: "Reduce only order would increase position.",
    Refusal.UNKNOWN_ORDER: "Order was never placed, already canceled, or filled.",
    Refusal.LEVERAGE: "Order would cause position to exceed margin tier limit at current leverage",
    # https://github.com/hummingbot/hummingbot/issues/6800, 2024-01-19
    Refusal.CALLED: "Only post-only orders allowed immediately after a network upgrade",
    Refusal.HALTED: "Trading is halted.",  # its words are not on record
    Refusal.CLOSED: "Asset is delisted.",  # nor are these
    Refusal.TOO_MANY_ORDERS: "Too many open orders.",  # nor these
    Refusal.TOO_MANY_WAITING: "Too many open orders.",  # nor these
    Refusal.WOULD_TRIGGER: BAD_TRIGGER,
    Refusal.NO_POSITION: "Reduce only order would increase position.",  # nor are these
    Refusal.DUPLICATE_CLIENT_ID: "Duplicate cloid.",  # nor are these
    Refusal.FROZEN: "User may not trade.",  # nor these
}
NOT_MATCHED: Final = "Order could not immediately match against any resting orders."
UNKNOWN_MODIFIED: Final = "Cannot modify canceled or filled order"


class OrderError(Exception):
    """One order or cancel of an action is refused, by its text."""


class ActionError(Exception):
    """The whole action is refused: HTTP 200, status err."""


@dataclass(frozen=True)
class Signer:
    """Who signed, for which account, and when that is by the account's clock."""

    address: str
    account: str
    nonce: int


# ---------------------------------------------------------------- the desk an action comes to
@dataclass(frozen=True)
class Desk:
    """What an action is carried out with. `ahead_ns` is how far the clock is off that its times are held against."""

    book: Book
    trading: Trading
    now_ns: int
    client: str
    ahead_ns: int = 0

    def execute(self, command: Command) -> Outcome:
        return self.trading.execute(command, self.now_ns)

    def row(self, asset: int) -> Perp | Spot:
        """The market of an asset id. OrderError where there is none."""
        row = self.book.assets.get(asset)
        if row is None:
            raise OrderError(f"Invalid asset {asset}")  # its words are not on record
        return row


def funded(floor: Floor, address: str) -> bool:
    """Whether an address ever had anything; of others, too, facts may be remembered."""
    return bool(floor.balances(address))


def open_account(trading: Trading, address: str, now_ns: int) -> None:
    """Give an address that has never been seen what a new account has, where accounts open by themselves."""
    if trading.auto_fund and not funded(trading.floor, address):
        for (wallet, asset), amount_e8 in OPENING.items():
            trading.execute(Deposit(address, wallet, asset, amount_e8), now_ns)


def speaks_for(trading: Trading, client: str, user: str, now_ns: int) -> None:
    """A client asks about an account."""
    said = trading.floor.remembered(CLIENT + client, ASKS)
    users = said.split(",") if said else []
    if trading.auto_fund and user not in users and len(users) < CLIENT_USERS:
        trading.execute(Remember(CLIENT + client, ASKS, ",".join([*users, user])), now_ns)


# ---------------------------------------------------------------- who is it?
def _known(desk: Desk, address: str) -> bool:
    floor = desk.trading.floor
    known = funded(floor, address) or floor.remembered(address, MASTER) or floor.remembered(address, SEEN)
    return bool(known)


def principal(desk: Desk, address: str, network: str) -> str | None:
    """Whose agent a key is taken for, where accounts open by themselves: a client that signs with an agent's key looks
    at its master's account, and it was the real venue that was told of the two. So: of the one account that this client
    asks about, if that has never signed for itself, unless it asks about the key's own account too. A key that has an
    account is taken for an agent's only on a network on which it has begun as clients do that know of none.
    """
    floor = desk.trading.floor
    said = floor.remembered(CLIENT + desk.client, ASKS)
    users = said.split(",") if said else []
    silent = [user for user in users if floor.remembered(user, NONCES) is None]
    stranger = not funded(floor, address) or network in (floor.remembered(address, SEEN) or "")
    return silent[0] if stranger and len(silent) == 1 and address not in users else None


def _recovered(desk: Desk, signed: Mapping[str, Any]) -> tuple[str, str]:
    """The address that signed, and for which network. Raises what says that nobody did."""
    action, signature = signed["action"], signed["signature"]
    if action["type"] in USER_SIGNED:
        network = SOURCES[CHAINS.index(action.get("hyperliquidChain"))]
        return recover(user_digest(action), signature), network
    vault = signed["vaultAddress"]
    connection = connection_id(action, signed["nonce"], vault and vault.lower(), signed["expiresAfter"])
    strangers = {}
    for network in reversed(SOURCES):
        address = recover(agent_digest(connection, network), signature)
        if _known(desk, address):
            return address, network
        strangers[network] = address
    return strangers[SOURCES[1]], SOURCES[1]


def _signer(desk: Desk, signed: Mapping[str, Any]) -> Signer:
    """Who signed an action. Of the two networks it may have been signed for, the one on which its signer is known
    counts; a stranger is on the test network, where a client takes itself to be that is pointed here.
    """
    action, vault = signed["action"], signed["vaultAddress"]
    kind = action["type"]
    try:
        address, network = _recovered(desk, signed)
    except (UnsignedError, OverflowError, ValueError, TypeError):
        raise ActionError(render(VenueError("unknown_signer")).text) from None
    floor = desk.trading.floor
    account = None
    if kind not in USER_SIGNED:
        account = floor.remembered(address, MASTER) or principal(desk, address, network)
    account = account or address
    if kind not in HARMLESS:
        open_account(desk.trading, account, desk.now_ns)
    elif desk.trading.auto_fund:
        seen = floor.remembered(address, SEEN) or ""
        if network not in seen:
            desk.execute(Remember(address, SEEN, seen + network))
    if not (funded(floor, account) or (kind in HARMLESS and _known(desk, address))):
        raise ActionError(f"User or API Wallet {address} does not exist.")
    if vault is not None and vault.lower() != account:
        raise ActionError(f"Vault not registered: {vault.lower()}")  # vaults and sub-accounts are not served
    return Signer(address, account, signed["nonce"])


def _take_nonce(desk: Desk, signer: Signer, expires_ms: int | None, action: Mapping[str, Any]) -> None:
    """Use the nonce up, by the signer's own clock where clocks are not strict."""
    floor, now_ms = desk.trading.floor, desk.now_ns // MS_NS
    ahead_ms = 0
    if not desk.trading.strict_time:
        known = floor.remembered(signer.address, CLOCK)
        ahead_ms = signer.nonce - now_ms if known is None else int(known)
        if known is None:
            desk.execute(Remember(signer.address, CLOCK, str(ahead_ms)))
    text = floor.remembered(signer.address, NONCES)
    used = [int(word) for word in text.split(",")] if text else []
    if signer.nonce in used or desk.trading.rejects(signer.account, orjson.dumps(action), desk.now_ns):
        raise ActionError(f"Invalid nonce: duplicate nonce {signer.nonce}")
    if len(used) >= NONCES_KEPT and signer.nonce < used[0]:
        raise ActionError(f"Invalid nonce: nonce too low {signer.nonce} < {used[0]}")
    now_ms += desk.ahead_ns // MS_NS
    since_ns = (signer.nonce - ahead_ms - now_ms) * MS_NS
    if not -NONCE_PAST_NS < since_ns < NONCE_FUTURE_NS:
        low = now_ms + ahead_ms - NONCE_PAST_NS // MS_NS
        raise ActionError(f"Invalid nonce: nonce too low {signer.nonce} < {low}")
    if expires_ms is not None and expires_ms - ahead_ms < now_ms:
        raise ActionError("Action already expired")
    used = sorted([*used, signer.nonce])[-NONCES_KEPT:]
    desk.execute(Remember(signer.address, NONCES, ",".join(map(str, used))))


# ---------------------------------------------------------------- prices and sizes
def _scaled(text: str, decimals: int, step: int) -> int | None:
    """A number as a multiple of step / 10**decimals; None where it is none."""
    units = Fraction(text) * 10**decimals / step
    return int(units) if units.denominator == 1 else None


def price_ticks(text: str, instrument: Instrument) -> int:
    """A limit price in ticks: five significant figures, or whole. OrderError."""
    price = Fraction(text)
    if not price:
        raise OrderError("Order has invalid price.")
    digits = text.replace(".", "").strip("0")
    fraction = text.partition(".")[2].rstrip("0")
    fine = len(fraction) > MAX_DECIMALS[instrument.kind] - instrument.qty_decimals
    if fraction and (fine or len(digits) > SIGNIFICANT_FIGURES):
        raise OrderError("Price must be divisible by tick size.")
    ticks = _scaled(text, instrument.price_decimals, instrument.tick_size)
    if ticks is None:
        raise OrderError("Price must be divisible by tick size.")
    return ticks


def size_lots(text: str, instrument: Instrument) -> int:
    """A size in lots. OrderError."""
    lots = _scaled(text, instrument.qty_decimals, instrument.lot_size)
    if lots is None:
        raise OrderError("Order has invalid size.")
    if lots == 0:
        raise OrderError("Order has zero size.")
    return lots


def _reference_e8(desk: Desk, row: Perp | Spot) -> int:
    """What prices may not be far from: the mark; for spot, the middle of the book."""
    instrument = row.instrument
    if instrument.kind is Kind.PERP:
        return desk.trading.floor.mark_e8(instrument.market)
    market = desk.book.exchange.market(instrument.symbol)
    assert market is not None
    quote = market.quote(desk.now_ns)
    tick_e8 = instrument.tick_e8
    both_ticks = int(quote.bid_ticks[0]) + int(quote.ask_ticks[0])
    return both_ticks * tick_e8 // 2


@dataclass(frozen=True)
class Link:
    """What an order belongs to beside itself: the account's position, or an order of the same action that is to be
    filled first.
    """

    position: bool = False
    parent: Order | None = None


ALONE: Final = Link()


def _trigger(fields: Mapping[str, Any], instrument: Instrument, ticks: int, lots: int, link: Link) -> Trigger:
    """What an order waits for: the mark, with a stop where it goes against who would buy, with a take-profit where it
    goes with him. At the market, the order's price is the worst it takes, so none before its trigger. OrderError.

    https://hyperliquid.gitbook.io/hyperliquid-docs/trading/take-profit-and-stop-loss-orders-tp-sl (2026-11) and, of the
    prices, https://github.com/nautechsystems/nautilus_trader/issues/3611, 2026-02.
    """
    asked, side = fields["trigger"], 1 if fields["b"] else -1
    at_ticks = price_ticks(asked["triggerPx"], instrument)
    if instrument.kind is not Kind.PERP or (asked["isMarket"] and (ticks - at_ticks) * side < 0):
        raise OrderError(BAD_TRIGGER)
    if link.position and not fields["r"]:
        raise OrderError(REFUSALS[Refusal.NO_POSITION])
    return Trigger(
        at_ticks,
        rises=(asked["tpsl"] == "sl") == fields["b"],
        gauge=Gauge.MARK,
        closes=not lots,
        with_position=link.position,
        parent_id=link.parent.id if link.parent else None,
    )


def _new_order(desk: Desk, signer: Signer, fields: Mapping[str, Any], link: Link = ALONE) -> NewOrder:
    """An order as it was asked for. OrderError."""
    row = desk.row(fields["a"])
    instrument = row.instrument
    tif, asked = fields["tif"], fields["trigger"]
    ticks = price_ticks(fields["p"], instrument)
    closes = asked is not None and link.position and not Fraction(fields["s"])  # of all there is then
    lots = 0 if closes else size_lots(fields["s"], instrument)
    trigger = None if asked is None else _trigger(fields, instrument, ticks, lots, link)
    tick_e8 = instrument.tick_e8
    reference_e8 = _reference_e8(desk, row)
    if abs(ticks * tick_e8 - reference_e8) * 100 > FARTHEST_E2 * reference_e8:
        raise OrderError("Order price cannot be more than 95% away from the reference price")
    notional_e8 = ticks * tick_e8 * lots * instrument.lot_size // 10**instrument.qty_decimals
    if notional_e8 < LEAST_NOTIONAL_E8 and not fields["r"]:
        spot = instrument.kind is Kind.SPOT
        raise OrderError(f"Order must have minimum value of {f'10 {instrument.quote}' if spot else '$10'}.")
    return NewOrder(
        account=signer.account,
        market=instrument.market,
        side=Side.BUY if fields["b"] else Side.SELL,
        price_ticks=ticks,
        qty_lots=None if closes else lots,
        time_in_force=TIFS[tif],
        reduce_only=fields["r"] and instrument.kind is Kind.PERP,
        client_id=(fields["c"] or "").lower(),
        words=((TIF_WORD, tif),) if asked is None else ((TPSL_WORD, asked["tpsl"]),),
        trigger=trigger,
    )


# ---------------------------------------------------------------- orders
def _read_order(value: Any) -> dict[str, Any]:
    """An order's fields, its time in force as `tif`, and its `trigger` (None: it has none); MalformedError where it is
    none.
    """
    fields = read(ORDER, value)
    kind = fields["t"]
    if "trigger" in kind:
        trigger = read(TRIGGER, kind["trigger"])
        tag(trigger, "tpsl", TPSL)
        return {**fields, "tif": "Ioc" if trigger["isMarket"] else "Gtc", "trigger": trigger}
    return {**fields, "tif": tag(read(LIMIT, kind.get("limit")), "tif", TIFS), "trigger": None}


def _status(order: Order, instrument: Instrument, parent: Order | None = None) -> dict[str, Any] | str:
    """What became of an order, as its action is told. Of one that waits for another the word alone."""
    if parent is not None:
        return "waitingForFill" if parent.status.open else "waitingForTrigger"
    named = {"oid": order.id} | ({"cloid": order.asked.client_id} if order.asked.client_id else {})
    if order.status.open or order.status is OrderStatus.WAITING:
        return {"resting": named}
    if not order.filled_lots:
        raise OrderError(NOT_MATCHED)
    return {
        "filled": {
            "totalSz": size_scale(instrument).text(order.filled_lots),
            "avgPx": _average(order, instrument),
            **named,
        }
    }


def _average(order: Order, instrument: Instrument) -> str:
    decimals = MAX_DECIMALS[instrument.kind] - instrument.qty_decimals
    units = order.filled_units * instrument.tick_size * 10**decimals
    per = order.filled_lots * 10**instrument.price_decimals
    return Scale(decimals, 1).text((units + per // 2) // per)


def _refusal(outcome: Refused, instrument: Instrument) -> OrderError:
    if outcome.refusal is Refusal.WOULD_TAKE:
        price = price_scale(instrument)
        best = f"{price.text(outcome.best_bid_ticks)}@{price.text(outcome.best_ask_ticks)}"
        return OrderError(f"Post only order would have immediately matched, bbo was {best}.")
    return OrderError(REFUSALS[outcome.refusal])


def _place(desk: Desk, signer: Signer, fields: Mapping[str, Any], link: Link = ALONE) -> Order:
    asked = _new_order(desk, signer, fields, link)
    outcome = desk.execute(PlaceOrder(asked))
    if isinstance(outcome, Refused):
        raise _refusal(outcome, desk.book.instrument(asked.market))
    return outcome.order


def _placed(
    desk: Desk, signer: Signer, fields: Mapping[str, Any], link: Link = ALONE
) -> dict[str, Any] | str:
    order = _place(desk, signer, fields, link)
    return _status(order, desk.book.instrument(order.asked.market), link.parent)


def _each(rows: list[Any], asset_of: Callable[[Any], int], act: Callable[[Any], Any]) -> list[Any]:
    """What becomes of each, an error being its own."""
    statuses = []
    for row in rows:
        try:
            statuses.append(act(row))
        except OrderError as error:
            statuses.append({"error": f"{error} asset={asset_of(row)}"})
    return statuses


def _statuses(kind: str, statuses: list[Any]) -> dict[str, Any]:
    return {"type": kind, "data": {"statuses": statuses}}


def _orders(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    rows = [_read_order(row) for row in action["orders"]]
    if not rows:
        raise MalformedError("no orders")
    grouping = action.get("grouping")
    if isinstance(grouping, str):
        tag(action, "grouping", GROUPED)
    if grouping == "normalTpsl" and rows[0]["trigger"] is None:
        return _statuses("order", _family(desk, signer, rows))
    link = Link(position=grouping == "positionTpsl")
    place = lambda row: _placed(desk, signer, row, link if row["trigger"] else ALONE)
    return _statuses("order", _each(rows, lambda row: row["a"], place))


def _family(desk: Desk, signer: Signer, rows: list[Any]) -> list[Any]:
    """An order, and those that wait until it is filled. Where it is refused, so are they, with its words."""
    first, *others = rows
    parents: list[Order] = []

    def parent(row: Any) -> Any:
        order = _place(desk, signer, row)
        status = _status(order, desk.book.instrument(order.asked.market))
        parents.append(order)
        return status

    statuses = _each([first], lambda row: row["a"], parent)
    if not parents:
        return statuses * len(rows)
    link = Link(parent=parents[0])
    child = lambda row: _placed(desk, signer, row, link if row["trigger"] else ALONE)
    return statuses + _each(others, lambda row: row["a"], child)


def _cancel(desk: Desk, signer: Signer, asset: int, order_id: int | None, cloid: str) -> str:
    market = desk.row(asset).instrument.market
    outcome = desk.execute(CancelOrder(signer.account, market, order_id, cloid.lower()))
    if isinstance(outcome, Refused):
        raise OrderError(REFUSALS[outcome.refusal])
    return "success"


def _cancels(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    rows = [read(CANCEL, row) for row in action["cancels"]]
    act = lambda row: _cancel(desk, signer, row["a"], row["o"], "")
    return _statuses("cancel", _each(rows, lambda row: row["a"], act))


def _cancels_by_cloid(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    rows = [read(CANCEL_BY_CLOID, row) for row in action["cancels"]]
    act = lambda row: _cancel(desk, signer, row["asset"], None, row["cloid"])
    return _statuses("cancel", _each(rows, lambda row: row["asset"], act))


def _modify(desk: Desk, signer: Signer, fields: Mapping[str, Any]) -> dict[str, Any] | str:
    """Another order in the place of one, under a new id; nothing changes where the new one would be refused."""
    oid, asked = fields["oid"], _new_order(desk, signer, fields["order"])
    named = (None, oid.lower()) if isinstance(oid, str) else (oid, "")
    old = desk.trading.floor.order(signer.account, asked.market, *named)
    lives = old is not None and (old.status.open or old.status is OrderStatus.WAITING)
    if old is None or not lives or old.asked.side is not asked.side:
        raise OrderError(UNKNOWN_MODIFIED)
    desk.execute(CancelOrder(signer.account, asked.market, old.id))
    return _placed(desk, signer, fields["order"])


def _modifies(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    rows = [read(MODIFY, row) for row in action["modifies"]]
    rows = [{**row, "order": _read_order(row["order"])} for row in rows]
    act = lambda row: _modify(desk, signer, row)
    return _statuses("order", _each(rows, lambda row: row["order"]["a"], act))


def _modify_one(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    answer = _modifies(desk, signer, {"modifies": [action]})
    return answer if "error" in answer["data"]["statuses"][0] else DEFAULT


# ---------------------------------------------------------------- the account
DEFAULT: Final = {"type": "default"}


def _leverage(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    fields = read(
        {"asset": Field(is_unsigned), "isCross": Field(is_flag), "leverage": Field(is_unsigned)}, action
    )
    row = desk.book.assets.get(fields["asset"])
    if not isinstance(row, Perp) or not 1 <= fields["leverage"] <= row.max_leverage:
        raise ActionError("Invalid leverage value")
    market, isolated = row.instrument.market, not fields["isCross"]
    if desk.trading.floor.position(signer.account, market).isolated != isolated:
        outcome = desk.execute(SetMarginMode(signer.account, market, isolated))
        if isinstance(outcome, Refused):
            raise ActionError("Cannot switch leverage type with open position.")
    outcome = desk.execute(SetLeverage(signer.account, market, fields["leverage"]))
    if isinstance(outcome, Refused):
        raise ActionError("Cannot decrease leverage with open position")
    return DEFAULT


def _isolated_margin(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    """Money to an isolated position or back: 1e-6 dollars. `isBuy` is for positions on two sides, which nobody has.

    https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/exchange-endpoint#update-isolated-margin, 2026-08
    """
    fields = read({"asset": Field(is_unsigned), "isBuy": Field(is_flag), "ntli": Field(_is_integer)}, action)
    row = desk.book.assets.get(fields["asset"])
    if not isinstance(row, Perp):
        raise ActionError("Invalid asset")
    market = row.instrument.market
    if not desk.trading.floor.position(signer.account, market).isolated:
        raise ActionError("Cannot update margin: position is not isolated")
    outcome = desk.execute(MoveMargin(signer.account, market, fields["ntli"] * 100))
    if isinstance(outcome, Refused):
        raise ActionError(MARGIN_ERRORS[outcome.refusal])
    return DEFAULT


# in words of our own, for the venue documents none
MARGIN_ERRORS: Final[Mapping[Refusal, str]] = {
    Refusal.NO_POSITION: "Cannot update margin: no open position",
    Refusal.INSUFFICIENT_MARGIN: "Cannot update margin: insufficient margin",
}


def _schedule_cancel(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    time_ms = read({"time": Field(is_unsigned, None)}, action)["time"]
    if time_ms is not None:
        known = None if desk.trading.strict_time else desk.trading.floor.remembered(signer.address, CLOCK)
        at_ns = (time_ms - int(known or 0)) * MS_NS
        if at_ns < desk.now_ns + SCHEDULE_AHEAD_NS:
            raise ActionError("Cannot set scheduled cancel time, must be at least 5 seconds in the future")
        desk.execute(ScheduleCancel(signer.account, at_ns))
    else:
        desk.execute(ScheduleCancel(signer.account, None))
    return DEFAULT


def _amount_e8(text: Any, step_e8: int) -> int:
    amount = _scaled(text, 8, step_e8) if is_number(text) else None
    if not amount:
        raise ActionError("Invalid amount")
    return amount * step_e8


def _moved(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Refused):
        raise ActionError("Insufficient balance for token transfer")
    return DEFAULT


def _class_transfer(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    amount_e8 = _amount_e8(action["amount"].partition(" ")[0], 100)
    source, target = (SPOT, PERP) if action["toPerp"] else (PERP, SPOT)
    return _moved(desk.execute(Transfer(signer.account, "USDC", amount_e8, source, target)))


def _send(
    desk: Desk, signer: Signer, action: Mapping[str, Any], wallet: str, asset: str, step_e8: int
) -> dict[str, Any]:
    target = action["destination"].lower()
    if not is_address(target):
        raise MalformedError("no address")
    amount_e8 = _amount_e8(action["amount"], step_e8)
    open_account(desk.trading, target, desk.now_ns)
    return _moved(desk.execute(Transfer(signer.account, asset, amount_e8, wallet, wallet, target)))


def _usd_send(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    return _send(desk, signer, action, PERP, "USDC", 100)


def _spot_send(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    name = action["token"].partition(":")[0]
    if name not in {token["name"] for token in desk.book.card.tokens}:
        raise ActionError("Invalid token")
    return _send(desk, signer, action, SPOT, name, 1)


def _withdraw(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    amount_e8 = _amount_e8(action["amount"], 100)
    if isinstance(desk.execute(Deposit(signer.account, PERP, "USDC", -amount_e8)), Refused):
        raise ActionError("Insufficient balance for withdrawal")
    return DEFAULT


def _approve_agent(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    """One agent without a name and AGENTS_NAMED with one; a new one of the same name takes the old one's place."""
    floor, agent = desk.trading.floor, action["agentAddress"].lower()
    name, _, valid_until = (action.get("agentName") or "").partition(" valid_until ")
    if _known(desk, agent):
        raise ActionError("Extra agent already used.")
    expires_ns = int(valid_until) * MS_NS if valid_until.isdigit() else None
    facts = floor.facts(signer.account)
    named = [fact for fact in facts if fact.startswith(NAMES) and fact != NAMES]
    if name and NAMES + name not in facts and len(named) >= AGENTS_NAMED:
        raise ActionError("Too many extra agents")
    before = facts.get(NAMES + name)
    if before is not None:
        desk.execute(Remember(before, MASTER, None))
    desk.execute(Remember(signer.account, NAMES + name, agent, expires_ns))
    desk.execute(Remember(agent, MASTER, signer.account, expires_ns))
    return DEFAULT


def _approve_builder(desk: Desk, signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    desk.execute(Remember(signer.account, BUILDER + action["builder"].lower(), action["maxFeeRate"]))
    return DEFAULT


def _granted(_desk: Desk, _signer: Signer, _action: Mapping[str, Any]) -> dict[str, Any]:
    """Changes nothing that a client could see here."""
    return DEFAULT


def _unavailable(_desk: Desk, _signer: Signer, action: Mapping[str, Any]) -> dict[str, Any]:
    """Not served; as the venue says of what an account may not do."""
    raise ActionError(f"Action disabled: {action['type']}")  # its words are not on record


Act: TypeAlias = Callable[[Desk, Signer, Mapping[str, Any]], dict[str, Any]]

# The only list of action types: the shape beyond `type`, and what is done.
ACTIONS: Final[Mapping[str, tuple[Shape, Act]]] = {
    "order": (LIST["order"], _orders),
    "cancel": (LIST["cancel"], _cancels),
    "cancelByCloid": (LIST["cancel"], _cancels_by_cloid),
    "modify": (MODIFY, _modify_one),
    "batchModify": (LIST["modify"], _modifies),
    "scheduleCancel": ({}, _schedule_cancel),
    "updateLeverage": ({}, _leverage),
    "updateIsolatedMargin": ({}, _isolated_margin),
    "usdClassTransfer": ({"amount": Field(is_text), "toPerp": Field(is_flag)}, _class_transfer),
    "usdSend": ({"destination": Field(is_text), "amount": Field(is_text)}, _usd_send),
    "spotSend": (
        {"destination": Field(is_text), "token": Field(is_text), "amount": Field(is_text)},
        _spot_send,
    ),
    "withdraw3": ({"amount": Field(is_text)}, _withdraw),
    "approveAgent": ({"agentAddress": Field(is_address)}, _approve_agent),
    "approveBuilderFee": ({"builder": Field(is_address), "maxFeeRate": Field(is_text)}, _approve_builder),
    **dict.fromkeys(
        ("setReferrer", "noop", "agentSetAbstraction", "userSetAbstraction", "agentEnableDexAbstraction"),
        ({}, _granted),
    ),
    **dict.fromkeys(
        (
            "createSubAccount",
            "multiSig",
            "reserveRequestWeight",
            "sendAsset",
            "subAccountTransfer",
            "topUpIsolatedOnlyMargin",
            "twapCancel",
            "twapOrder",
            "vaultTransfer",
        ),
        ({}, _unavailable),
    ),
}


def act(book: Book, body: Any, now_ns: int, client: str, ahead_ns: int = 0) -> bytes:
    """The answer to a client's signed action; MalformedError where it is none. Where there are only data, no signature
    is anybody's. Its times are held against a clock that is so much ahead.
    """
    signed = read(SIGNED, body)
    read(SIGNATURE, signed["signature"])
    action = signed["action"]
    shape, perform = ACTIONS[tag(action, "type", ACTIONS)]
    read(shape, action)
    if book.exchange.trading is None:
        return orjson.dumps({"status": "err", "response": render(VenueError("unknown_signer")).text})
    desk = Desk(book, book.exchange.trading, now_ns, client, ahead_ns)
    try:
        signer = _signer(desk, signed)
        _take_nonce(desk, signer, signed["expiresAfter"], action)
        answer = {"status": "ok", "response": perform(desk, signer, action)}
    except ActionError as error:
        answer = {"status": "err", "response": str(error)}
    return orjson.dumps(answer)

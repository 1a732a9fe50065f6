"""Orders between the wire and the floor: texts to ticks and lots and back, the venue's words, ids.

What spot and USD-M share. Each has its own form of an order, its own reports and its own reasons to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b

from reactor.exchange.floor import Floor
from reactor.exchange.orders import Order, OrderStatus, Remember, SelfTrade, TimeInForce, Why
from reactor.fixed import nearest
from reactor.types import SECOND_NS, Instrument, Kind, Side
from reactor.values import dataclass
from venues.base import Trading, VenueError
from venues.binance.rest import Call, Param
from venues.wire import Scale

MONEY = Scale(8, 8)  # amounts in 1e-8
RATE = Scale(6, 8)  # fees in 1e-6 of a notional

# as the live venue printed them: https://github.com/ccxt/ccxt/issues/6849 (2020-05), .../issues/2938 (2018-05)
DECIMAL = Param(r"^([0-9]{1,20})(\.[0-9]{1,20})?$", re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?"))
CLIENT_ID = Param("^[a-zA-Z0-9-_]{1,36}$", re.compile(r"[a-zA-Z0-9\-_]{1,36}"))


# ---------------------------------------------------------------- amounts
TEXTS_KEPT = 4_096  # of each instrument's prices, quantities and amounts


@dataclass(frozen=True, slots=True)
class Measure:
    """How amounts of an instrument are written: prices in ticks (None: there is none), quantities in lots, and money in
    the quote asset, in ticks times lots, of which what is finer than its scale is cut.
    """

    instrument: Instrument
    price: Callable[[int | None], str]
    qty: Callable[[int], str]
    quote: Callable[[int], str]

    def quote_e8(self, units: int) -> int:
        """Money, from ticks times lots, in 1e-8."""
        return _money(self.instrument, units, 8)

    def average(self, units: int, lots: int, decimals: int) -> str:
        """The average price of lots that cost these units, rounded to so many decimals; 0 of none."""
        scaled = units * self.instrument.tick_size * 10**decimals
        per = abs(lots) * 10**self.instrument.price_decimals
        return Scale(decimals, decimals).text(nearest(abs(scaled), per) if lots else 0)

    def ticks(self, text: str) -> tuple[int, bool]:
        """A price in ticks, rounded down, and whether it is exact."""
        return _steps(text, self.instrument.price_decimals, self.instrument.tick_size)

    def lots(self, text: str) -> tuple[int, bool]:
        """A quantity in lots, likewise."""
        return _steps(text, self.instrument.qty_decimals, self.instrument.lot_size)

    def units(self, text: str) -> int:
        """Money as ticks times lots, rounded down."""
        at = self.instrument
        return _steps(text, at.price_decimals + at.qty_decimals, at.tick_size * at.lot_size)[0]


@lru_cache(maxsize=1024)
def measure_of(instrument: Instrument) -> Measure:
    """On spot everything has eight decimals; on USD-M, as many as prices and quantities of the instrument have."""
    price, qty = instrument.price_decimals, instrument.qty_decimals
    least = 8 if instrument.kind is Kind.SPOT else 0
    money = Scale(least or price + qty, least or price + qty)
    prices = Scale(price, max(price, least), instrument.tick_size)
    quantities = Scale(qty, max(qty, least), instrument.lot_size)
    kept = lru_cache(TEXTS_KEPT)  # an order is told of several times, and the next one is like it
    return Measure(
        instrument,
        kept(lambda ticks: prices.text(ticks or 0)),
        kept(quantities.text),
        kept(lambda units: money.text(_money(instrument, units, money.frac))),
    )


def _money(of: Instrument, units: int, decimals: int) -> int:
    per_unit: int = 10**decimals
    per_one: int = 10 ** (of.price_decimals + of.qty_decimals)
    return units * of.tick_size * of.lot_size * per_unit // per_one


def _steps(text: str, decimals: int, step: int) -> tuple[int, bool]:
    whole, _, part = text.partition(".")
    steps, rest = divmod(int(whole + part) * 10**decimals, step * 10 ** len(part))
    return steps, rest == 0


def decimals_of(text: str) -> int:
    """How many decimals a number needs."""
    return len(text.partition(".")[2].rstrip("0"))


# ---------------------------------------------------------------- words
STATUSES: Mapping[OrderStatus, str] = {
    OrderStatus.WAITING: "NEW",
    OrderStatus.NEW: "NEW",
    OrderStatus.PARTIALLY_FILLED: "PARTIALLY_FILLED",
    OrderStatus.FILLED: "FILLED",
    OrderStatus.CANCELLED: "CANCELED",
    OrderStatus.EXPIRED: "EXPIRED",
    OrderStatus.REJECTED: "EXPIRED",  # when its trigger came: until then it was accepted
}
PREVENTIONS: Mapping[str, SelfTrade] = {
    "NONE": SelfTrade.NONE,
    "EXPIRE_TAKER": SelfTrade.EXPIRE_TAKER,
    "EXPIRE_MAKER": SelfTrade.EXPIRE_MAKER,
    "EXPIRE_BOTH": SelfTrade.EXPIRE_BOTH,
}
_PREVENTION_WORDS = {mode: word for word, mode in PREVENTIONS.items()}
SIDES: Mapping[str, Side] = {"BUY": Side.BUY, "SELL": Side.SELL}
SIDE_WORDS = {side: word for word, side in SIDES.items()}
TIMES_IN_FORCE: Mapping[str, TimeInForce] = {
    "GTC": TimeInForce.GTC,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}


def status_of(order: Order) -> str:
    """Where an order stands. One that would have traded with its own account's expired in the match."""
    prevented = order.status is OrderStatus.EXPIRED and order.why is Why.SELF_TRADE
    return "EXPIRED_IN_MATCH" if prevented else STATUSES[order.status]


def prevention_of(order: Order) -> str:
    """What it does about trading with its own account's."""
    return _PREVENTION_WORDS[order.asked.self_trade]


def side_of(order: Order) -> str:
    """BUY or SELL."""
    return SIDE_WORDS[order.asked.side]


# ---------------------------------------------------------------- ids
_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTERS = bytes(_ALPHABET[i % len(_ALPHABET)] for i in range(256))


def made_up(length: int, *of: object) -> str:
    """So many letters and digits, 64 at the most, that look like nothing, always the same of the same things."""
    return blake2b(repr(of).encode(), digest_size=length).digest().translate(_LETTERS).decode()


def number_of(*of: object) -> int:
    """A positive number of nine digits at most, always the same of the same things."""
    return int.from_bytes(blake2b(repr(of).encode(), digest_size=8).digest()) % 999_999_999 + 1


CANCEL_KEPT_NS = 10 * SECOND_NS  # long enough for who listens to hear of it


def name_cancel(trading: Trading, account: str, order: Order, name: str, now_ns: int) -> None:
    """Let the cancel of an order have the id that its owner gave it."""
    trading.execute(
        Remember(account, f"cancel:{order.asked.market}:{order.id}", name, now_ns + CANCEL_KEPT_NS), now_ns
    )


def cancel_name(floor: Floor, order: Order) -> str:
    """The id of an order's cancel: the owner's, or one made up."""
    given = floor.remembered(order.asked.account, f"cancel:{order.asked.market}:{order.id}")
    return given or made_up(22, "cancel", order.asked.market, order.id)


# ---------------------------------------------------------------- which order
def order_id_of(text: str) -> int:
    """Ids beyond 62 bits are as good as the largest of them."""
    return min(int(text), 1 << 62)


def find(call: Call, market: str, id_name: str, client_name: str, missing: str) -> Order:
    """The order that a request names by its id, the owner's, or both; VenueError `missing` if there is none."""
    order_id, client_id = call.params.get(id_name), call.params.get(client_name, "")
    if order_id is None and not client_id:
        raise VenueError("EITHER_PARAMETER", one=client_name, other=id_name)
    order = call.floor.order(
        call.account, market, None if order_id is None else order_id_of(order_id), client_id
    )
    if order is None:
        raise VenueError(missing)
    if order_id is not None and client_id and order.asked.client_id != client_id:
        raise VenueError("OTHER_CLIENT_ID")
    return order

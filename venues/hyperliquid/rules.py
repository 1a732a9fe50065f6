"""What Hyperliquid accepts, refuses and computes: request shapes, error texts, candles, mark price, funding.

Tables and pure integer functions. Nothing here writes a payload; nothing a client sends gets further than `read`
unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import field, replace
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import orjson
from numpy.lib.stride_tricks import sliding_window_view

from reactor.bars import Interval
from reactor.fixed import nearest
from reactor.profiles import magnitude
from reactor.types import DAY_NS, MS_NS, SECOND_NS, Column, FundingProfile, Instrument, Kind
from reactor.values import dataclass
from venues.base import Exchange, Listing, VenueError
from venues.funding import (
    BP_E12,
    HOUR_NS,
    OTHERS,
    Average,
    FundingModel,
    Share,
    check,
    model_of,
    parameter,
)
from venues.limits import Limit

# The chain's block: events are grouped by it and share its time. Real blocks take 70-100 ms (bbo: 79 ms at the median,
# measured 2026-08-21); 80 ms is a whole number of ticks and divides a page and a minute.
CHAIN_BLOCK_NS = 80 * MS_NS

# The server closes a connection to which it has sent nothing for 60 s, and takes 2,000 messages a minute.
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/websocket/timeouts-and-heartbeats and
# .../rate-limits-and-user-limits (2026-11)
IDLE_NS = 60 * SECOND_NS
MINUTE_NS = 60 * SECOND_NS
MESSAGES = Limit("messages", 2_000, MINUTE_NS)
SUBSCRIPTIONS = Limit("subscriptions", 1_000, takes_memory=True)
SOCKETS = Limit("sockets", 10)
OPENINGS = Limit("openings", 30, MINUTE_NS)

# Requests weigh 1,200 a minute, those posted over sockets too. Of 100 posts in flight there are none here: each is
# answered as it is read. Same page.
WEIGHT = Limit("weight", 1_200, MINUTE_NS)
INFO_WEIGHT = 20
LIGHT = ("l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus")
INFO_WEIGHTS: Final[Mapping[str, int]] = {**dict.fromkeys(LIGHT, 2), "userRole": 60}
# One more for so many items in an answer.
LISTS = (
    "recentTrades",
    "historicalOrders",
    "userFills",
    "userFillsByTime",
    "fundingHistory",
    "userFunding",
    "nonUserFundingUpdates",
    "twapHistory",
    "userTwapSliceFills",
    "userTwapSliceFillsByTime",
    "delegatorHistory",
    "delegatorRewards",
    "validatorStats",
)
ITEMS_PER_WEIGHT: Final[Mapping[str, int]] = {**dict.fromkeys(LISTS, 20), "candleSnapshot": 60}
BATCH_PER_WEIGHT = 40  # an action weighs 1, and 1 more for so many orders or cancels in it
BATCHES = ("orders", "cancels", "modifies")


# ---------------------------------------------------------------- the nouns of the card
MAIN_DEX = ""  # the venue's own; others are their builders' (HIP-3)


def dex_of(coin: str) -> str:
    """The perpetual dex of a coin: "xyz" of "xyz:TSLA"; of any other the main one.

    https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/asset-ids (2026-11)
    """
    dex, colon, _ = coin.partition(":")
    return dex if colon else MAIN_DEX


@dataclass(frozen=True, slots=True)
class Perp:
    """A perpetual: its market, and what `meta` says beyond the instrument; `more` are the last keys, in its JSON."""

    listing: Listing
    max_leverage: int
    margin_table: int
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def instrument(self) -> Instrument:
        return self.listing.instrument

    @property
    def dex(self) -> str:
        return dex_of(self.instrument.symbol)


@dataclass(frozen=True, slots=True)
class Dex:
    """A builder's dex: what `perpDexs` and `perpDexLimits` say of it. Caps are decimals in its collateral, as text."""

    name: str
    full_name: str
    deployer: str
    fee_recipient: str
    total_oi_cap: str
    size_cap: str
    transfer_cap: str
    oi_caps: Mapping[str, str]  # by coin


@dataclass(frozen=True, slots=True)
class Spot:
    """A spot pair: its market, its index and its tokens' (base, quote), and how much there is of the base token."""

    listing: Listing
    index: int
    tokens: tuple[int, int]
    canonical: bool
    circulating_supply: str
    total_supply: str

    @property
    def instrument(self) -> Instrument:
        return self.listing.instrument


Row = TypeVar("Row", Perp, Spot)


def offered(rows: Sequence[Row], exchange: Exchange) -> list[Row]:
    """The rows of a card that a run offers, in the order of their listing."""
    by_symbol = {row.instrument.symbol: row for row in rows}
    return [by_symbol[symbol] for symbol in exchange.markets if symbol in by_symbol]


def perps_of(card: Card, exchange: Exchange, dex: str) -> list[Perp]:
    """The perpetuals of a dex that a run offers: its universe, where an asset's id counts from.

    A perpetual's id is 100000 + 10000 * the dex's place in `perpDexs` + its place here, on the main dex only the last.
    """
    return [perp for perp in offered(card.perps, exchange) if perp.dex == dex]


def dexs_of(card: Card, exchange: Exchange) -> list[Dex]:
    """The builders' dexs of which a run offers anything, in the card's order; the main one comes before them."""
    return [dex for dex in card.dexs if perps_of(card, exchange, dex.name)]


@dataclass(frozen=True, slots=True)
class BookFeed:
    """How l2Book is pushed: levels a side, and the time between pushes (it divides a page)."""

    levels: int
    every_ns: int


@dataclass(frozen=True, slots=True)
class Profile:
    """What the venue did at a date: how often it pushed what is told whole, and how it refused a subscription.

    `about` is what set it apart. `books` is keyed by a subscription's `fast` flag; no True, no flag. `contexts_ns` is
    for a coin's context, `all_contexts_ns` for those of many. With `cuts_unknown` asking for a coin or a grouping there
    is not ends the socket; without it the socket is told.
    """

    about: str
    books: Mapping[bool, BookFeed]
    contexts_ns: int
    all_contexts_ns: int
    mids_ns: int
    candles_ns: int
    cuts_unknown: bool


@dataclass(frozen=True, slots=True)
class Card:
    """The tables a venue of this kind is made of.

    `perps` are in the order of their asset ids, those of the main dex first; `margin_tables` and `tokens` are in the
    venue's own JSON.
    """

    profile: Profile
    perps: tuple[Perp, ...]
    dexs: tuple[Dex, ...]
    spots: tuple[Spot, ...]
    margin_tables: Mapping[int, Mapping[str, Any]]
    tokens: tuple[Mapping[str, Any], ...]

    @property
    def rows(self) -> tuple[Perp | Spot, ...]:
        """Everything there is to trade."""
        return *self.perps, *self.spots


# ---------------------------------------------------------------- errors
@dataclass(frozen=True, slots=True)
class Refusal:
    """An error's text, and its HTTP status where it is an HTTP answer."""

    text: str
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"


# Socket texts: github.com/nktkas/hyperliquid/issues/78 (2025-11-10), roq-hyperliquid test/json_error.cpp,
# HyperLiquid.Net, and a probe of 2026-09-24. HTTP: the same probe, bodies and types of content
# (tests/venues/golden/hyperliquid/SOURCES.md).
ERRORS: Final[Mapping[str, Refusal]] = {
    "malformed": Refusal("Error parsing JSON into valid websocket request: {request}"),
    "already_subscribed": Refusal("Already subscribed: {subscription}"),
    "already_unsubscribed": Refusal("Already unsubscribed: {subscription}"),
    "invalid_subscription": Refusal("Invalid subscription {subscription}"),
    "too_many_subscriptions": Refusal("Cannot subscribe to more than {limit} channels."),
    "too_many_messages": Refusal("Cannot send more than {limit} messages per minute."),
    "too_many_users": Refusal("Cannot track more than {limit} total users."),
    "broken_json": Refusal("Failed to parse the request body as JSON", 400),
    "not_found": Refusal("", 404, ""),
    "wrong_method": Refusal("", 405, ""),
    "wrong_content_type": Refusal("Expected request with `Content-Type: application/json`", 415),
    "ill_typed": Refusal("Failed to deserialize the JSON body into the target type", 422),
    "too_many_requests": Refusal(
        "null", 429, "application/json"
    ),  # (429, None, 'null', ...) of the Python SDK
    "internal": Refusal("null", 500, "application/json"),
    "unknown_signer": Refusal("Unable to recover signer."),
}


def render(error: VenueError) -> Refusal:
    """An error with its text made out."""
    refusal = ERRORS[str(error.code)]
    return replace(refusal, text=refusal.text.format(**error.params))


# ---------------------------------------------------------------- the shapes of requests
# The venue reads requests into typed structs: an absent or ill-typed field refuses the whole request, an unknown one is
# ignored, null stands for absent.
REQUIRED: Final = object()


class MalformedError(Exception):
    """The request is none: no JSON, or not of the shape asked for. What that means is the transport's affair."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request: what it accepts, its value when absent, and whether an answer then repeats that."""

    accepts: Callable[[Any], bool]
    default: Any = REQUIRED
    repeated: bool = True


Shape: TypeAlias = Mapping[str, Field]


def is_text(value: Any) -> bool:
    """A JSON string."""
    return isinstance(value, str)


def is_unsigned(value: Any) -> bool:
    """An integer of 64 bits without sign."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_flag(value: Any) -> bool:
    """True or false."""
    return isinstance(value, bool)


def is_object(value: Any) -> bool:
    """A JSON object."""
    return isinstance(value, dict)


def is_address(value: Any) -> bool:
    """An account's address: 0x and 40 hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch("0x[0-9a-fA-F]{40}", value) is not None


def is_interval(value: Any) -> bool:
    """The name of a candle's interval."""
    return isinstance(value, str) and value in INTERVALS


COIN: Final[Shape] = {"coin": Field(is_text)}
BOOK: Final[Shape] = {
    **COIN,
    "nSigFigs": Field(is_unsigned, None),
    "mantissa": Field(is_unsigned, None),
}
# An interval comes before the coin: so the venue repeats it (HyperLiquid.Net UnitTests/Subscriptions/Klines.txt).
CANDLE: Final[Shape] = {"interval": Field(is_interval), **COIN}
PERIOD: Final[Shape] = {"startTime": Field(is_unsigned), "endTime": Field(is_unsigned, None)}
# as asked by ccxt without a start: https://github.com/ccxt/ccxt/pull/25263, 2025-02-12
ANY_PERIOD: Final[Shape] = {**PERIOD, "startTime": Field(is_unsigned, 0)}
CANDLES: Final[Shape] = {**CANDLE, **PERIOD}
DEX: Final[Shape] = {"dex": Field(is_text, MAIN_DEX, repeated=False)}
A_DEX: Final[Shape] = {"dex": Field(is_text)}
USER: Final[Shape] = {"user": Field(is_address)}
TOKEN: Final[Shape] = {"tokenId": Field(is_text)}
TABLE: Final[Shape] = {"id": Field(is_unsigned)}


def parse(text: str | bytes) -> Any:
    """The value of a JSON text; MalformedError if it is none, or nested too deeply to be repeated in an answer."""
    try:
        value = orjson.loads(text)
        orjson.dumps([value])
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise MalformedError(str(error)) from error
    return value


def read(shape: Shape, value: Any) -> dict[str, Any]:
    """The fields of the shape, in its order, defaults included; MalformedError where the venue would refuse it."""
    if not is_object(value):
        raise MalformedError("not an object")
    fields = {}
    for name, row in shape.items():
        given = value.get(name)
        if given is None and row.default is not REQUIRED:
            fields[name] = row.default
        elif row.accepts(given):
            fields[name] = given
        else:
            raise MalformedError(f"{name} is absent or ill-typed")
    return fields


def tag(value: Any, name: str, among: Container[str]) -> str:
    """The word a tagged object carries under this name; MalformedError if it is none of these."""
    word = value.get(name) if is_object(value) else None
    if isinstance(word, str) and word in among:
        return word
    raise MalformedError(f"no such {name}")


def valid_grouping(n_sig_figs: int | None, mantissa: int | None) -> bool:
    """Whether a book can be aggregated so: 2 to 5 significant figures; with 5, also in steps of 1, 2 or 5.

    https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint#l2-book-snapshot (2026-11)
    """
    return n_sig_figs in (None, 2, 3, 4, 5) and (
        mantissa is None or (n_sig_figs == 5 and mantissa in (1, 2, 5))
    )


# ---------------------------------------------------------------- prices
MAX_DECIMALS: Final[Mapping[Kind, int]] = {Kind.PERP: 6, Kind.SPOT: 8}
SIGNIFICANT_FIGURES = 5


def decimal_places(instrument: Instrument) -> int:
    """The most decimals a price may have, which is what impact prices are told with.

    https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/tick-and-lot-size (2026-11)
    """
    return MAX_DECIMALS[instrument.kind] - instrument.qty_decimals


def price_decimals(kind: Kind, qty_decimals: int, price: float) -> int:
    """The decimals of a price of this size: five significant figures, and no more than `decimal_places`.

    The venue's tick follows the price through powers of ten. A market here keeps the tick of its initial price.
    """
    return max(0, min(SIGNIFICANT_FIGURES - 1 - magnitude(price), MAX_DECIMALS[kind] - qty_decimals))


def size_decimals(price: float) -> int:
    """The decimals of sizes with which the least is worth 0.1 to 1 quote units; no published rule."""
    return min(max(0, magnitude(price) + 1), MAX_DECIMALS[Kind.PERP] - 1)


# ---------------------------------------------------------------- candles
# Time is cut at multiples of the length since the epoch, so a week begins on a Thursday
# (https://github.com/rainbow-me/rainbow/pull/6920, 2025-10-30); months are the calendar's.
INTERVALS: Final[Mapping[str, Interval]] = {
    **{f"{n}m": Interval(n * MINUTE_NS) for n in (1, 3, 5, 15, 30)},
    **{f"{n}h": Interval(n * HOUR_NS) for n in (1, 2, 4, 8, 12)},
    **{f"{n}d": Interval(n * DAY_NS) for n in (1, 3)},
    "1w": Interval(7 * DAY_NS),
    "1M": Interval(0),
}

# "Only the most recent 5000 candles are available"
# https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint#candle-snapshot (2026-11)
CANDLES_KEPT = 5_000


# ---------------------------------------------------------------- oracle, mark and premium
ORACLE_NS = 3 * SECOND_NS  # oracle and mark are updated about every 3 s
MARK_WINDOW_S = 750  # five time constants of the slower average
_LOW_BITS = 20
_LOW = (1 << _LOW_BITS) - 1


@cache
def _decay(time_constant_s: int) -> Column:
    """Weights of the last MARK_WINDOW_S + 1 seconds in an exponential average, oldest first, in 2**-24."""
    weights = [1 << 24]
    for _ in range(MARK_WINDOW_S):
        weights.append(weights[-1] * (time_constant_s - 1) // time_constant_s)
    return np.array(weights[::-1], dtype=np.int64)


def _averages(values: Column, at: Column, time_constant_s: int) -> Column:
    """The average as of each of these rows, of as many values before it as there are.

    Exact for values below 2**51, taken apart so that no product overflows.
    """
    weights = _decay(time_constant_s)
    padded = np.concatenate([np.zeros(MARK_WINDOW_S, np.int64), values])
    parts = (sliding_window_view(part, len(weights))[at] for part in (padded >> _LOW_BITS, padded & _LOW))
    high, low = (part @ weights for part in parts)
    total = np.cumsum(weights[::-1])[np.minimum(at, MARK_WINDOW_S)]
    whole, rest = np.divmod(high, total)
    return (whole << _LOW_BITS) + nearest((rest << _LOW_BITS) + low, total)


def mark_prices(index: Column, mid: Column, at: Column) -> Column:
    """The mark price as of each of these rows of index and mid, which go second by second, in their units.

    The median of: the index plus the 150 s average of mid - index; the mid; and, there being no other exchange's
    perpetual to ask, the 30 s average of the mid. Of the values before a row, the last MARK_WINDOW_S count.
    https://hyperliquid.gitbook.io/hyperliquid-docs/trading/robust-price-indices (2026-11)
    """
    premium = _averages(mid - index, at, 150)
    three = np.stack((index[at] + premium, mid[at], _averages(mid, at, 30)))
    median: Column = np.sort(three, axis=0)[1]
    return median


def impact_prices(oracle: int, bid: int, ask: int, premium_e8: int) -> tuple[int, int]:
    """The impact bid and ask that make this premium, in the units of oracle, bid and ask.

    A premium tells the impact price on its own side of the oracle; the other one lies as far from the mid, and a spread
    away at least.
    """
    if premium_e8 == 0:
        return min(bid, oracle), max(ask, oracle)
    impact = oracle + nearest(oracle * premium_e8, 10**8)
    mirrored, spread = bid + ask - impact, ask - bid
    if premium_e8 > 0:
        return impact, max(mirrored, impact + spread)
    return min(mirrored, impact - spread), impact


def builder_impact_prices(oracle: int, bid: int, ask: int, premium_e8: int) -> tuple[int, int]:
    """On a builder's dex: the impact bid and ask, no better than the best ones, whose mean makes this premium."""
    doubled = 2 * (oracle + nearest(oracle * premium_e8, 10**8))
    impact_bid = min(bid, doubled - ask)
    return impact_bid, doubled - impact_bid


def builder_premium(oracle: int, impact_bid: int, impact_ask: int, scale: int) -> int:
    """0.5 * (impact bid + impact ask) / oracle - 1, in 1 / scale.

    https://hyperliquid.gitbook.io/hyperliquid-docs/trading/funding (read 2026-09-23)
    """
    return nearest((impact_bid + impact_ask - 2 * oracle) * scale, 2 * oracle)


def premium(oracle: int, impact_bid: int, impact_ask: int, scale: int) -> int:
    """(max(impact bid - oracle, 0) - max(oracle - impact ask, 0)) / oracle, in 1 / scale.

    https://hyperliquid.gitbook.io/hyperliquid-docs/trading/funding (2026-11)
    """
    return nearest((max(impact_bid - oracle, 0) - max(oracle - impact_ask, 0)) * scale, oracle)


# ---------------------------------------------------------------- funding
@dataclass(frozen=True, slots=True, eq=False)
class HyperLiquidFundingModel(FundingModel):
    """Each hour an eighth of the eight-hour rate, on the plain mean of the hour's premiums, within 4 %.

    https://hyperliquid.gitbook.io/hyperliquid-docs/trading/funding (2026-11)
    """

    interval_h: int = 1
    cap_e12: int = 400 * BP_E12
    average: Average = Average.PLAIN
    share: Share = Share.RATE


@dataclass(frozen=True, slots=True)
class Velocity:
    """The faster the premium moves, the more a rate is multiplied. No rule of the venue's, whose only multipliers are
    fixed by the deployers of other dexs than the main one.
    """

    least_e3: int = parameter(1_000, "1e-3", 0, 10_000, "multiplier while the premium stands still")
    most_e3: int = parameter(2_500, "1e-3", 0, 10_000, "multiplier once it has moved by `full_e12`")
    full_e12: int = parameter(
        5 * BP_E12, "1e-12", 1, 1_000 * BP_E12, "move from one interval's average to the next"
    )

    def __post_init__(self) -> None:
        check(self)

    @property
    def look_back(self) -> int:
        return 1

    def __call__(self, rates_e12: Column, average_e12: Column, earlier_e12: Column, /) -> Column:
        before = earlier_e12 if len(earlier_e12) else average_e12
        moved = np.minimum(np.abs(average_e12 - before), self.full_e12)
        multiplier_e3: Column = self.least_e3 + (self.most_e3 - self.least_e3) * moved // self.full_e12
        return nearest(rates_e12 * multiplier_e3, 1_000)


# What a builder sets for its perpetuals: half of the rate, and 0.03 % of the premium off the interest free. 24 of 24
# settlements of xyz:XYZ100 were 0.5 * (P + clamp(0.0001 - P, -0.0003, 0.0003)) / 8 (a probe of 2026-09-24).
BUILT: Final = ("xyz:TSLA", "xyz:GOLD")  # assets of their own, on no other venue
_BUILDERS = HyperLiquidFundingModel(damping_e12=3 * BP_E12, multiplier_e3=500)

FUNDING: Final[Mapping[FundingProfile, Mapping[str, HyperLiquidFundingModel]]] = {
    FundingProfile.REAL: {OTHERS: HyperLiquidFundingModel(), **dict.fromkeys(BUILT, _BUILDERS)},
    FundingProfile.CLASSIC: {OTHERS: HyperLiquidFundingModel(effect=Velocity())},
}
FUNDINGS_A_REQUEST = (
    500  # the oldest of a period (https://github.com/freqtrade/freqtrade/pull/10839, 2024-11-01)
)


def funding_of(instrument: Instrument) -> HyperLiquidFundingModel:
    """The funding of a perpetual."""
    return model_of(FUNDING, instrument.asset, instrument.funding)

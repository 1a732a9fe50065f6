"""What Binance allows, and what it says when something is not allowed: errors, limits, socket rules, order filters.

Tables, and the few functions that render them. Nothing here parses a request or touches a market.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import numpy as np
import orjson

from reactor.profiles import magnitude
from reactor.types import SECOND_NS, Column, FundingProfile, Instrument
from reactor.values import dataclass
from reactor.veils import Phase
from venues.base import VenueError
from venues.funding import (
    BP_E12,
    OTHERS,
    Adaptation,
    Average,
    FundingModel,
    Share,
    check,
    model_of,
    parameter,
)
from venues.limits import ENDLESS, Ban, Limit, Usage
from venues.wire import Scale


# ---------------------------------------------------------------- errors
@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One message of the venue. Codes are universal, but a code may have several messages, so rows go by name."""

    status: int
    code: int
    text: str

    def body(self, params: Mapping[str, object]) -> bytes:
        """The error body; what else there is to say of it is `data`."""
        more = {"data": params["data"]} if "data" in params else {}
        return orjson.dumps({"code": self.code, "msg": self.text.format(**params), **more})


# https://github.com/binance/binance-spot-api-docs/blob/master/errors.md, 2026-07-21
ERRORS: Mapping[str, ErrorRow] = {
    "TOO_MUCH_WEIGHT": ErrorRow(
        429,
        -1003,
        "Too much request weight used; current limit is {limit} request weight per {minutes} MINUTE. Please use "
        "WebSocket Streams for live updates to avoid polling the API.",
    ),
    "BANNED": ErrorRow(
        418,
        -1003,
        "Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for live updates to "
        "avoid bans.",
    ),
    "UNSUPPORTED": ErrorRow(400, -1020, "This operation is not supported."),
    "ILLEGAL_CHARS": ErrorRow(
        400, -1100, "Illegal characters found in parameter '{name}'; legal range is '{legal}'."
    ),
    "TOO_MANY_PARAMETERS": ErrorRow(
        400, -1101, "Too many parameters; expected '{expected}' and received '{received}'."
    ),
    "DUPLICATE_PARAMETER": ErrorRow(400, -1101, "Duplicate values for parameter '{name}'."),
    "MANDATORY_PARAMETER": ErrorRow(
        400, -1102, "Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    ),
    "EITHER_PARAMETER": ErrorRow(
        400, -1102, "Param '{one}' or '{other}' must be sent, but both were empty/null!"
    ),
    "UNREAD_PARAMETERS": ErrorRow(
        400, -1104, "Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'."
    ),
    "EMPTY_PARAMETER": ErrorRow(400, -1105, "Parameter '{name}' was empty."),
    "BAD_INTERVAL": ErrorRow(400, -1120, "Invalid interval."),
    "BAD_SYMBOL": ErrorRow(400, -1121, "Invalid symbol."),
    "BAD_SYMBOL_STATUS": ErrorRow(400, -1122, "Invalid symbolStatus."),
    "BAD_COMBINATION": ErrorRow(400, -1128, "Combination of optional parameters invalid."),
    "INVALID_PARAMETER": ErrorRow(400, -1130, "Data sent for parameter '{name}' is not valid."),
    "INVALID_JSON": ErrorRow(400, -1135, "Invalid JSON Request"),
    "BAD_TICKER_TYPE": ErrorRow(400, -1139, "Invalid ticker type."),
    "DUPLICATE_SYMBOLS": ErrorRow(400, -1151, "Symbol is present multiple times in the list."),
    "BAD_TIME_UNIT": ErrorRow(
        400, -1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND."
    ),
    "OTHER_SYMBOL_STATUS": ErrorRow(
        400, -1220, "The symbol's status does not match the requested symbolStatus."
    ),
    "BAD_KEY": ErrorRow(401, -2014, "API-key format invalid."),
    "NO_REFERENCE_PRICE": ErrorRow(400, -2043, "This symbol doesn't have a reference price."),
}

# https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#error-messages, 2026-07-21. On the
# wire they come nested, {"error": {"code", "msg"}, "id"}; so recorded, with "streams must be an array", by
# https://github.com/roq-trading/roq-binance (test/json_error.cpp).
METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
SOCKET_ERRORS: Mapping[str, tuple[int, str]] = {
    "UNKNOWN_PROPERTY": (0, "Unknown property"),
    "NOT_A_BOOLEAN": (1, "Invalid value type: expected Boolean"),
    "PROPERTY_NAME": (2, "Invalid request: property name must be a string"),
    "REQUEST_ID": (2, "Invalid request: request ID must be an unsigned integer"),
    "UNKNOWN_METHOD": (
        2,
        "Invalid request: unknown variant `{method}`, expected one of "
        + ", ".join(f"`{m}`" for m in METHODS)
        + " at line {line} column {column}",
    ),
    "NO_METHOD": (2, "Invalid request: missing field `method` at line {line} column {column}"),
    "TOO_MANY_PARAMETERS": (2, "Invalid request: too many parameters"),
    "NOT_AN_ARRAY": (2, "Invalid request: streams must be an array"),
    "INVALID_STREAM": (2, "Invalid request: invalid stream"),
    "INVALID_JSON": (3, "Invalid JSON: expected value at line {line} column {column}"),
    "TOO_MANY_SUBSCRIPTIONS": (4, "Too many subscriptions"),
}


def socket_error(error: VenueError, echo: Mapping[str, object], flat: bool) -> dict[str, object]:
    """A control reply to what is wrong: `echo` is the message's id, if it has one. A flat one is as documented, where
    only the first has an id.
    """
    code, text = SOCKET_ERRORS[str(error.code)]
    told: dict[str, object] = {"code": code, "msg": text.format(**error.params)}
    if not flat:
        return {"error": told, **echo}
    return {**told, **echo} if error.code == "UNKNOWN_PROPERTY" else told


# ---------------------------------------------------------------- sockets
@dataclass(frozen=True, slots=True)
class SessionRules:
    """How a market-data socket lives; durations are nanoseconds.

    `messages` limits what a client may send (pings, pongs and control messages alike), `streams` what it may hold.
    Errors of control messages come in an envelope, or flat; a server's shutdown is told, or not.
    """

    messages: Limit
    streams: Limit
    ping_every_ns: int
    pong_within_ns: int
    flat_errors: bool = False
    tells_shutdown: bool = False


# "IPs that are repeatedly disconnected may be banned": .../web-socket-streams.md#websocket-limits, 2026-07-21; for two
# minutes or so, by https://github.com/binance/binance-connector-js/issues/530 (2025-10). How often is not published.
FLOOD_BAN = Ban(after=5, within_ns=300 * SECOND_NS, lasts_ns=(120 * SECOND_NS,))
CONNECTIONS = Limit("connections", 300, 300 * SECOND_NS)

# https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#websocket-limits, 2026-07-21
SPOT_SESSION = SessionRules(
    messages=Limit("messages", 5, SECOND_NS, ban=FLOOD_BAN),
    streams=Limit("streams", 1024, takes_memory=True),
    ping_every_ns=20 * SECOND_NS,
    pong_within_ns=60 * SECOND_NS,
    tells_shutdown=True,
)


# ---------------------------------------------------------------- REST limits
INTERVALS_NS = {"SECOND": SECOND_NS, "MINUTE": 60 * SECOND_NS, "DAY": 86_400 * SECOND_NS}


@dataclass(frozen=True, slots=True, eq=False)
class RateLimit:
    """A row of exchangeInfo's rateLimits; a copy of it is another limit."""

    kind: str
    interval: str
    interval_num: int
    limit: int

    def as_json(self, usage: Usage) -> dict[str, object]:
        """As a run has it; the venue's own number in a run without limits."""
        allowed = usage.allowed(self.windowed())
        return {
            "rateLimitType": self.kind,
            "interval": self.interval,
            "intervalNum": self.interval_num,
            "limit": self.limit if allowed == ENDLESS else allowed,
        }

    def counted_json(self, usage: Usage, count: int) -> bytes:
        """The same, and how much of it was used."""
        return b"%s%d}" % (_before_count(self, usage), count)

    @cache  # noqa: B019  # rows of tables, which are there for good
    def windowed(self, ban: Ban | None = None) -> Limit:
        """The limit itself. Windows are aligned, minutes to :00 (.../web-socket-api.md#rate-limits, 2026-07-21)."""
        window_ns = self.interval_num * INTERVALS_NS[self.interval]
        return Limit(self.kind, self.limit, window_ns, aligned=True, ban=ban)


@lru_cache(maxsize=64)
def _before_count(limit: RateLimit, usage: Usage) -> bytes:
    return orjson.dumps(limit.as_json(usage))[:-1] + b',"count":'


# "Repeatedly violating rate limits and/or failing to back off after receiving 429s will result in an automated IP ban",
# which scales "from 2 minutes to 3 days": .../rest-api.md#ip-limits, 2026-07-21. How often is repeatedly, and what is
# between, is not published.
MINUTE_NS = 60 * SECOND_NS
WEIGHT_BAN = Ban(
    after=10,
    within_ns=MINUTE_NS,
    lasts_ns=tuple(minutes * MINUTE_NS for minutes in (2, 10, 60, 360, 1440, 4320)),
)

# https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#limits and CHANGELOG.md, 2026-04-02, and
# .../web-socket-api.md#exchange-information, 2026-07-21: requests on a socket are not counted raw, connections are
_SPOT_WEIGHT = RateLimit("REQUEST_WEIGHT", "MINUTE", 1, 6000)
_SPOT_ORDERS = (RateLimit("ORDERS", "SECOND", 10, 100), RateLimit("ORDERS", "DAY", 1, 200_000))
SPOT_RATE_LIMITS = (_SPOT_WEIGHT, *_SPOT_ORDERS, RateLimit("RAW_REQUESTS", "MINUTE", 5, 300_000))
SPOT_SOCKET_RATE_LIMITS = (_SPOT_WEIGHT, *_SPOT_ORDERS, RateLimit("CONNECTIONS", "MINUTE", 5, 300))


# ---------------------------------------------------------------- symbols
BASE = re.compile(r"[A-Z0-9]+")  # what an asset's name may be made of


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of ticks and lots, in the terms of an `Instrument`; a lot is one of its decimals."""

    price_decimals: int
    tick_size: int
    qty_decimals: int


def spot_sizes(price: float) -> Sizes:
    """A tick of 1e-5 to 1e-4 of the price, but a cent at most, and a lot worth 0.1 to 1 quote units.

    No published rule: so BTC, ETH, SOL, BNB and DOGE are listed at the prices they have here.
    """
    exponent = magnitude(price)
    return Sizes(min(max(2, 4 - exponent), 8), 1, max(0, exponent + 1))


SPOT_STATUSES = ("TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY")
# A delisted symbol stays in exchangeInfo, as BREAK; there are no calls for auctions, so they are halts.
SPOT_PHASES: Mapping[Phase, str] = {
    Phase.TRADING: "TRADING",
    Phase.HALTED: "HALT",
    Phase.CALL: "HALT",
    Phase.CLOSED: "BREAK",
}
SPOT_PERMISSIONS = ("SPOT", "MARGIN")
KNOWN_PERMISSION = re.compile(r"SPOT|MARGIN|LEVERAGED|TRD_GRP_\d{3}")
# what symbols here take; the venue has more
SPOT_ORDER_TYPES = (
    *("LIMIT", "LIMIT_MAKER", "MARKET"),
    *("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
)
SPOT_MAX_ALGO_ORDERS = 5  # of a symbol, as its filter says
SPOT_MAX_ORDER_LISTS = 20  # likewise


# The highest price, quantity and quantity of a market order. The first two of BTCUSDT and ETHUSDT are as recorded in
# https://github.com/bmoscon/cryptofeed (sample_data/BINANCE.0, 2021-10-12), those of SOLUSDT as symbols of its price
# have them. The third follows trading on the venue, so it is only of the right size. They hold with the decimals of
# lots named here, which tell how large the price is.
SPOT_MAXIMA: Mapping[tuple[str, int], tuple[str, str, str]] = {
    ("BTCUSDT", 5): ("1000000.00000000", "9000.00000000", "100.00000000"),
    ("ETHUSDT", 4): ("1000000.00000000", "9000.00000000", "2500.00000000"),
    ("SOLUSDT", 3): ("10000.00000000", "90000.00000000", "25000.00000000"),
}


def _spot_maxima(instrument: Instrument) -> tuple[str, str, str]:
    """Those of the table; of other symbols, a billion ticks, ninety million lots, and a quarter of these."""
    known = SPOT_MAXIMA.get((instrument.symbol, instrument.qty_decimals))
    price = Scale(instrument.price_decimals, 8, instrument.tick_size)
    qty = Scale(instrument.qty_decimals, 8, instrument.lot_size)
    return known or (price.text(10**9), qty.text(90_000_000), qty.text(22_500_000))


def spot_filters(instrument: Instrument, step_ticks: int = 1) -> list[dict[str, Any]]:
    """A symbol's filters, PRICE_FILTER first because clients read it there. Its tick size is so many of its ticks.

    https://github.com/binance/binance-spot-api-docs/blob/master/filters.md, 2026-07-21.
    """
    tick = Scale(instrument.price_decimals, 8, instrument.tick_size).text(step_ticks)
    lot = Scale(instrument.qty_decimals, 8, instrument.lot_size).text(1)
    max_price, max_qty, max_market_qty = _spot_maxima(instrument)
    return [
        {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": max_price, "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": max_qty, "stepSize": lot},
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": "0.00000000",
            "maxQty": max_market_qty,
            "stepSize": "0.00000000",
        },
        {
            "filterType": "TRAILING_DELTA",
            "minTrailingAboveDelta": 10,
            "maxTrailingAboveDelta": 2000,
            "minTrailingBelowDelta": 10,
            "maxTrailingBelowDelta": 2000,
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": "5",
            "bidMultiplierDown": "0.2",
            "askMultiplierUp": "5",
            "askMultiplierDown": "0.2",
            "avgPriceMins": 5,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        {"filterType": "MAX_NUM_ORDER_LISTS", "maxNumOrderLists": SPOT_MAX_ORDER_LISTS},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": SPOT_MAX_ALGO_ORDERS},
        {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10},
    ]


def spot_symbol(
    instrument: Instrument, phase: Phase, step_ticks: int, permission_sets: bool
) -> dict[str, Any]:
    """A symbol's row of exchangeInfo, keys in wire order.

    https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md#exchange-information, 2026-07-21.
    """
    return {
        "symbol": instrument.symbol,
        "status": SPOT_PHASES[phase],
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": SPOT_ORDER_TYPES,
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": True,
        "filters": spot_filters(instrument, step_ticks),
        "permissions": [],
        "permissionSets": [SPOT_PERMISSIONS] if permission_sets else [],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


# ---------------------------------------------------------------- funding
# From a capped settlement on, intervals have one hour; after 16 calm ones in a row, four, whatever they had before.
# "Update on the Funding Rate Settlement Frequency of USDS-M Perpetual Contracts", 2025-05-02 and 2026-01-02.
_ADAPTATION = Adaptation(shorter={8: 1, 4: 1, 2: 1}, longer_h=4, calm_count=16, calm_e12=5 * BP_E12 // 2)


@dataclass(frozen=True, slots=True, eq=False)
class BinanceFundingModel(FundingModel):
    """Every 8 h, 4 h or 1 h, on the average of 5 s samples weighted linearly towards the newest.

    F = (A + clamp(I - A, -0.05 %, 0.05 %)) / (8 / h), within a symbol's cap:
    https://www.binance.com/en/support/faq/360033525031, and "Update to the Funding Rate Formula", 2025-09-16.
    """

    average: Average = Average.LINEAR
    share: Share = Share.RATE
    adaptation: Adaptation | None = _ADAPTATION


@dataclass(frozen=True, slots=True)
class SoftCap:
    """Beyond a soft cap a rate grows only by a part of what the formula adds. No rule of the venue's."""

    soft_e12: int = parameter(75 * BP_E12, "1e-12 per interval", 0, 1_000 * BP_E12, "where damping begins")
    excess_e3: int = parameter(500, "1e-3", 0, 1_000, "what remains of the excess over it")

    def __post_init__(self) -> None:
        check(self)

    @property
    def look_back(self) -> int:
        return 0

    def __call__(self, rates_e12: Column, _average_e12: Column, _earlier_e12: Column, /) -> Column:
        soft = np.clip(rates_e12, -self.soft_e12, self.soft_e12)
        return soft + (rates_e12 - soft) * self.excess_e3 // 1_000


# A cap is 0.75 times the maintenance margin of the first bracket, 0.4 % for BTC and ETH (so told by
# /fapi/v1/fundingInfo for BTCUSDT, 2026-09-15); other symbols have 2 %. BNB bears no interest (the FAQ above).
_MAJOR = BinanceFundingModel(cap_e12=30 * BP_E12)
FUNDING: Mapping[FundingProfile, Mapping[str, BinanceFundingModel]] = {
    FundingProfile.REAL: {
        "BTC": _MAJOR,
        "ETH": _MAJOR,
        "BNB": BinanceFundingModel(interest_e12=0),
        OTHERS: BinanceFundingModel(),
    },
    FundingProfile.CLASSIC: {OTHERS: BinanceFundingModel(adaptation=None, effect=SoftCap())},
}


def funding_of(instrument: Instrument) -> BinanceFundingModel:
    """The funding of a perpetual."""
    return model_of(FUNDING, instrument.asset, instrument.funding)

"""What Binance USD-M allows where it differs from spot: sockets, limits, symbols, and which stream lives where.

Tables, and the few functions that render them. Nothing here parses a request or touches a market.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reactor.profiles import magnitude
from reactor.types import SECOND_NS, Instrument
from reactor.values import dataclass
from reactor.veils import Phase
from venues.binance.rules import ERRORS, FLOOD_BAN, MINUTE_NS, ErrorRow, RateLimit, SessionRules, Sizes
from venues.limits import Limit
from venues.wire import Scale

# ---------------------------------------------------------------- errors
# What spot has not. The text of -4021 is as answered on 2026-09-15 (as that of -1130 for a limit that is too high),
# others https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code, 2026-08.
USDM_ERRORS: Mapping[str, ErrorRow] = {
    **ERRORS,
    # .../usds-margined-futures/error-code, 2026-08; of limits over several minutes no text is documented
    "TOO_MUCH_WEIGHT": ErrorRow(
        429,
        -1003,
        "Too many requests; current limit is {limit} requests per minute. Please use the websocket for live updates to "
        "avoid polling the API.",
    ),
    "TOO_MANY_REQUESTS": ErrorRow(
        429,
        -1003,
        "Too many requests; current limit is {limit} requests per {minutes} minutes. Please use the websocket for live "
        "updates to avoid polling the API.",
    ),
    "BANNED": ErrorRow(
        418,
        -1003,
        "Way too many requests; IP banned until {until}. Please use the websocket for live updates to avoid bans.",
    ),
    # a frame on /ws-fapi/v1, recorded by https://github.com/roq-trading/roq-binance-futures (test/json_wsapi_error.cpp)
    "INVALID_JSON": ErrorRow(400, -1000, "Invalid JSON request."),
    "BAD_DEPTH_LIMIT": ErrorRow(400, -4021, "{limit} is not valid depth limit"),
    # of /futures/data, as logged in https://github.com/ccxt/ccxt/issues (openInterestHist, 2022 on)
    "DATA_PARAMETER": ErrorRow(400, -1130, "parameter '{name}' is invalid."),
    "BAD_CONTRACT_TYPE": ErrorRow(400, -4104, "Invalid contract type."),
    "BAD_PAIR": ErrorRow(400, -4144, "Invalid pair."),
}


# ---------------------------------------------------------------- sockets
# https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams, 2026-09
USDM_SESSION = SessionRules(
    messages=Limit("messages", 10, SECOND_NS, ban=FLOOD_BAN),
    streams=Limit("streams", 1024, takes_memory=True),
    ping_every_ns=180 * SECOND_NS,
    pong_within_ns=600 * SECOND_NS,
)

# Since 2026-04-23 a socket belongs to a category of streams, by its path. A stream of another one is acknowledged and
# says nothing; the old paths, without a category, are of the first.
# .../websocket-market-streams/Important-WebSocket-Change-Notice, 2026-04; measured 2026-08-24: an all-market ticker on
# /ws or /public/ws is acknowledged and silent.
PUBLIC, MARKET, PRIVATE = CATEGORIES = ("public", "market", "private")

# ---------------------------------------------------------------- REST limits
# Answers of /fapi/v1/exchangeInfo, 2026-09-15
USDM_RATE_LIMITS = (
    RateLimit("REQUEST_WEIGHT", "MINUTE", 1, 2400),
    RateLimit("ORDERS", "MINUTE", 1, 1200),
    RateLimit("ORDERS", "SECOND", 10, 300),
)

# .../market-data/rest-api, 2026-08: endpoints that share a limit of their own
FUNDING_POOL = Limit("funding", 500, 5 * MINUTE_NS)
DATA_POOL = Limit("data", 1000, 5 * MINUTE_NS)


# ---------------------------------------------------------------- symbols
@dataclass(frozen=True, slots=True)
class Contract:
    """What exchangeInfo says of a perpetual; quantities and prices as the venue writes them."""

    sizes: Sizes
    onboard_ms: int
    min_price: str
    max_price: str
    max_qty: str
    max_market_qty: str
    min_notional: str
    liquidation_fee: str
    underlying: tuple[str, ...]


# BTCUSDT as answered by /fapi/v1/exchangeInfo on 2026-09-15, and ETHUSDT's least notional on 2026-09-30; the bounds of
# the other two are of earlier answers (2021-07, 2023-09). A price may have more decimals than its tick needs.
CONTRACTS: Mapping[str, Contract] = {
    "BTC": Contract(
        sizes=Sizes(2, 10, 3),
        onboard_ms=1_567_965_300_000,
        min_price="556.80",
        max_price="4529764",
        max_qty="1000",
        max_market_qty="120",
        min_notional="50",
        liquidation_fee="0.012500",
        underlying=("PoW", "Crypto"),
    ),
    "ETH": Contract(
        sizes=Sizes(2, 1, 3),
        onboard_ms=1_574_840_700_000,
        min_price="39.86",
        max_price="306177",
        max_qty="10000",
        max_market_qty="2000",
        min_notional="20",
        liquidation_fee="0.012500",
        underlying=("Layer-1",),
    ),
    "SOL": Contract(
        sizes=Sizes(4, 100, 2),
        onboard_ms=1_600_066_800_000,
        min_price="0.4200",
        max_price="6857.0000",
        max_qty="1000000",
        max_market_qty="5000",
        min_notional="5",
        liquidation_fee="0.015000",
        underlying=("Layer-1",),
    ),
}
ONBOARD_MS = 1_569_398_400_000  # of most perpetuals, in answers of 2021


def usdm_sizes(base: str, price: float) -> Sizes:
    """Those of the contract at a price well within its bounds; otherwise a tick of 1e-5 to 1e-4 of the price, but a
    dime at most, and a lot worth 1 to 10 quote units. No published rule.
    """
    contract = CONTRACTS.get(base)
    if contract and 10 * float(contract.min_price) < price < float(contract.max_price) / 10:
        return contract.sizes
    exponent = magnitude(price)
    return Sizes(min(max(1, 4 - exponent), 8), 1, max(0, exponent))


def contract_of(instrument: Instrument) -> Contract:
    """The contract of the table with these sizes, or one with bounds as are usual for them."""
    sizes = Sizes(instrument.price_decimals, instrument.tick_size, instrument.qty_decimals)
    known = CONTRACTS.get(instrument.base)
    if known and known.sizes == sizes:
        return known
    price = Scale(instrument.price_decimals, instrument.price_decimals, instrument.tick_size)
    quantity = 10**7 // 10**instrument.qty_decimals
    return Contract(
        sizes=sizes,
        onboard_ms=ONBOARD_MS,
        min_price=price.text(1),
        max_price=price.text(10**8),
        max_qty=str(quantity),
        max_market_qty=str(quantity // 10),
        min_notional="5",
        liquidation_fee="0.015000",
        underlying=(),
    )


CONTRACT_TYPES = ("PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER", "TRADIFI_PERPETUAL")
NEVER_MS = 4_133_404_800_000  # the delivery date of what is never delivered

# Assets that may back a position, and what of them is exchanged when a balance turns negative.
# exchangeInfo recorded by https://github.com/bmoscon/cryptofeed (sample_data/BINANCE_FUTURES.0, 2021-07)
ASSETS = (("USDT", "-10000"), ("BTC", "-0.00100000"), ("ETH", "-5"))

ORDER_TYPES = (
    "LIMIT",
    "MARKET",
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
)


def usdm_assets() -> list[dict[str, Any]]:
    """The assets of exchangeInfo."""
    return [
        {"asset": asset, "marginAvailable": True, "autoAssetExchange": exchanged}
        for asset, exchanged in ASSETS
    ]


def usdm_filters(instrument: Instrument, step_ticks: int = 1) -> list[dict[str, Any]]:
    """A symbol's filters, PRICE_FILTER first because clients read it there. Its tick size is so many of its ticks.

    The venue writes the keys of a filter in no fixed order; this one is of the recording of 2021-07.
    """
    contract = contract_of(instrument)
    tick = Scale(instrument.price_decimals, instrument.price_decimals, instrument.tick_size).text(step_ticks)
    lot = Scale(instrument.qty_decimals, instrument.qty_decimals, instrument.lot_size).text(1)
    lots = {"stepSize": lot, "filterType": "LOT_SIZE", "maxQty": contract.max_qty, "minQty": lot}
    return [
        {
            "minPrice": contract.min_price,
            "maxPrice": contract.max_price,
            "filterType": "PRICE_FILTER",
            "tickSize": tick,
        },
        lots,
        {**lots, "filterType": "MARKET_LOT_SIZE", "maxQty": contract.max_market_qty},
        {"limit": 200, "filterType": "MAX_NUM_ORDERS"},
        {"notional": contract.min_notional, "filterType": "MIN_NOTIONAL"},
        {
            "multiplierDown": "0.9500",
            "multiplierUp": "1.0500",
            "multiplierDecimal": "4",
            "filterType": "PERCENT_PRICE",
        },
        {"positionControlSide": "NONE", "filterType": "POSITION_RISK_CONTROL"},
    ]


# Contracts have no status for a halt: one that takes no orders for now has that of one that takes none yet.
# https://developers.binance.com/docs/derivatives/usds-margined-futures/common-definition, 2026-07.
USDM_PHASES: Mapping[Phase, str] = {
    Phase.TRADING: "TRADING",
    Phase.HALTED: "PENDING_TRADING",
    Phase.CALL: "PENDING_TRADING",
    Phase.CLOSED: "CLOSE",
}


def usdm_symbol(
    instrument: Instrument, phase: Phase, step_ticks: int, more_filters: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """A symbol's row of exchangeInfo, keys in wire order: as answered on 2026-09-15."""
    contract = contract_of(instrument)
    return {
        "symbol": instrument.symbol,
        "pair": instrument.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER_MS,
        "onboardDate": contract.onboard_ms,
        "status": USDM_PHASES[phase],
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": instrument.base,
        "quoteAsset": instrument.quote,
        "marginAsset": instrument.quote,
        "pricePrecision": instrument.price_decimals,
        "quantityPrecision": instrument.qty_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": contract.underlying,
        "triggerProtect": "0.0500",
        "liquidationFee": contract.liquidation_fee,
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": [*usdm_filters(instrument, step_ticks), *more_filters],
        "orderTypes": ORDER_TYPES,
        "timeInForce": ("GTC", "IOC", "FOK", "GTX"),
        "permissionSets": ("GRID", "COPY", "DCA", "PSB"),
    }

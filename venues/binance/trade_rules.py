"""What Binance says of requests that need a key: errors of authority, of orders and of accounts, spot and USD-M.

Tables. The filters of an order are those of a symbol's row of exchangeInfo, read back from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from reactor.exchange.orders import E8, Refusal
from reactor.types import Instrument, Kind
from reactor.values import dataclass
from venues.binance.rules import ERRORS, SPOT_RATE_LIMITS, ErrorRow, spot_filters
from venues.binance.usdm_rules import USDM_ERRORS, USDM_RATE_LIMITS, usdm_filters

# ---------------------------------------------------------------- errors
# https://github.com/binance/binance-spot-api-docs/blob/master/errors.md, 2026-07-21, and
# https://developers.binance.com/docs/derivatives/usds-margined-futures/error-code, 2026-08. As the live venue told
# them: -1131 (https://github.com/binance-exchange/binance-java-api/issues/313, 2021-02), quantities and prices of
# nothing (https://github.com/ccxt/ccxt/issues/3804, 2018-09; https://github.com/JKorf/Binance.Net/issues/158, 2018-12).
_COMMON_ERRORS: Mapping[str, ErrorRow] = {
    "TOO_MANY_ORDERS": ErrorRow(
        429, -1015, "Too many new orders; current limit is {limit} orders per {interval}."
    ),
    "TIMESTAMP_LATE": ErrorRow(400, -1021, "Timestamp for this request is outside of the recvWindow."),
    "TIMESTAMP_AHEAD": ErrorRow(
        400, -1021, "Timestamp for this request was 1000ms ahead of the server's time."
    ),
    "BAD_SIGNATURE": ErrorRow(400, -1022, "Signature for this request is not valid."),
    "NO_LISTEN_KEY": ErrorRow(400, -1125, "This listenKey does not exist."),
    "UNNECESSARY_PARAMETER": ErrorRow(400, -1106, "Parameter '{name}' sent when not required."),
    "BAD_TIME_IN_FORCE": ErrorRow(400, -1115, "Invalid timeInForce."),
    "BAD_ORDER_TYPE": ErrorRow(400, -1116, "Invalid orderType."),
    "BAD_SIDE": ErrorRow(400, -1117, "Invalid side."),
    "BAD_RECV_WINDOW": ErrorRow(400, -1131, "'recvWindow' must be less than 60000."),
    "UNKNOWN_ORDER": ErrorRow(400, -2011, "Unknown order sent."),
    "KEY_KIND": ErrorRow(400, -4056, "{kind} API key is not supported."),
    "NO_SUCH_ORDER": ErrorRow(400, -2013, "Order does not exist."),
    "REJECTED_KEY": ErrorRow(401, -2015, "Invalid API-key, IP, or permissions for action."),
}


def _rejected(text: str) -> ErrorRow:
    """An order that the matching engine refused."""
    return ErrorRow(400, -2010, text)


SPOT_TRADE_ERRORS: Mapping[str, ErrorRow] = {
    **ERRORS,
    **_COMMON_ERRORS,
    "NOTHING": ErrorRow(400, -1013, "Invalid {name}."),
    "FILTER": ErrorRow(400, -1013, "Filter failure: {filter}"),
    "TOO_PRECISE": ErrorRow(400, -1111, "Parameter '{name}' has too much precision."),
    "LONG_INTERVAL": ErrorRow(400, -1127, "More than {hours} hours between startTime and endTime."),
    "BAD_STRATEGY_TYPE": ErrorRow(400, -1134, "`strategyType` was less than 1000000."),
    "BAD_CANCEL_RESTRICTIONS": ErrorRow(400, -1145, "Invalid cancelRestrictions"),
    "DUPLICATE_ORDER": _rejected("Duplicate order sent."),
    "INSUFFICIENT_BALANCE": _rejected("Account has insufficient balance for requested action."),
    "WOULD_TAKE": _rejected("Order would immediately match and take."),
    # as the live venue told it, https://github.com/ccxt/ccxt/issues/8194, 2021-01
    "WOULD_TRIGGER": _rejected("Stop price would trigger immediately."),
    "NO_LIQUIDITY": _rejected("Order book liquidity is less than symbol minimum quantity."),
    "FROZEN": _rejected("This action is disabled on this account."),
    "MARKET_CLOSED": _rejected("Market is closed."),
    "UNSUPPORTED_COMBINATION": _rejected("Unsupported order combination"),
    "NO_ICEBERGS": _rejected("Iceberg orders are not supported for this symbol."),
    "NO_PEGS": _rejected("Pegged orders are not supported for this symbol."),
    "NO_OPO": _rejected("OPO orders are not supported for this symbol."),
    "PRICES_RELATED": _rejected("The relationship of the prices for the orders is not correct."),
    "NO_SUCH_PREVENTION": _rejected("This symbol does not allow the specified self-trade prevention mode."),
    "CANCEL_RESTRICTED": ErrorRow(400, -2011, "Order was not canceled due to cancel restrictions."),
    "PARTIALLY_REPLACED": ErrorRow(409, -2021, "Order cancel-replace partially failed."),
    "NOT_REPLACED": ErrorRow(400, -2022, "Order cancel-replace failed."),
    "SUBSCRIBED": ErrorRow(400, -2035, "User Data Stream subscription already active."),
    "NOT_SUBSCRIBED": ErrorRow(400, -2036, "User Data Stream subscription not active."),
    "NO_AMENDMENTS": ErrorRow(400, -2038, "Order amend is not supported for this symbol."),
    "OTHER_CLIENT_ID": ErrorRow(400, -2039, "Client order ID is not correct for this order ID."),
    # as clients know them; the former's text from https://github.com/thrasher-corp/gocryptotrader (tests of binanceus,
    # read 2026-11), which has not its code
    "NO_SUCH_LIST": ErrorRow(400, -2013, "Order list does not exist."),
    "UNKNOWN_LIST": ErrorRow(400, -2011, "Unknown order list sent."),
    "LAST_SUBSCRIPTION": ErrorRow(400, -2042, "Maximum subscription ID reached for this connection."),
}

USDM_TRADE_ERRORS: Mapping[str, ErrorRow] = {
    **USDM_ERRORS,
    **_COMMON_ERRORS,
    "TOO_PRECISE": ErrorRow(400, -1111, "Precision is over the maximum defined for this asset."),
    "NO_LIQUIDITY": ErrorRow(400, -1112, "No orders on book for symbol."),
    "BAD_RESPONSE_TYPE": ErrorRow(400, -1136, "Invalid newOrderRespType."),
    "BAD_CALLBACK_RATE": ErrorRow(400, -2007, "Invalid callBack rate"),
    "INSUFFICIENT_MARGIN": ErrorRow(400, -2019, "Margin is insufficient."),
    "NOTHING_TO_REDUCE": ErrorRow(400, -2022, "ReduceOnly Order is rejected."),
    "WOULD_TRIGGER": ErrorRow(400, -2021, "Order would immediately trigger."),
    "TOO_MANY_OPEN": ErrorRow(400, -2025, "Reach max open order limit."),
    "TOO_LARGE_A_POSITION": ErrorRow(
        400, -2027, "Exceeded the maximum allowable position at current leverage."
    ),
    "TOO_LITTLE_LEVERAGE": ErrorRow(
        400, -2028, "Leverage is smaller than permitted: insufficient margin balance."
    ),
    "NEGATIVE_PRICE": ErrorRow(400, -4001, "Price less than 0."),
    "PRICE_ABOVE_MAXIMUM": ErrorRow(400, -4002, "Price greater than max price."),
    "NO_QUANTITY": ErrorRow(400, -4003, "Quantity less than or equal to zero."),
    "QUANTITY_BELOW_MINIMUM": ErrorRow(400, -4004, "Quantity less than min quantity."),
    "QUANTITY_ABOVE_MAXIMUM": ErrorRow(400, -4005, "Quantity greater than max quantity."),
    "PRICE_BELOW_MINIMUM": ErrorRow(400, -4013, "Price less than min price."),
    "OFF_TICK": ErrorRow(400, -4014, "Price not increased by tick size."),
    "BAD_CLIENT_ID": ErrorRow(400, -4015, "Client order id is not valid."),
    "LONG_CLIENT_ID": ErrorRow(400, -4015, "Client order id length should not be more than 36 chars"),
    "PRICE_TOO_HIGH": ErrorRow(400, -4016, "Limit price can't be higher than {price}."),
    "PRICE_TOO_LOW": ErrorRow(400, -4024, "Limit price can't be lower than {price}."),
    "BAD_LEVERAGE": ErrorRow(400, -4028, "Leverage {leverage} is not valid"),
    "BAD_WORKING_TYPE": ErrorRow(400, -4031, "Invalid parameter working type: {name}"),
    "TOO_MANY_STOPS": ErrorRow(400, -4045, "Reach max stop order limit."),
    "SAME_MARGIN_TYPE": ErrorRow(400, -4046, "No need to change margin type."),
    "MARGIN_TYPE_ORDERS": ErrorRow(400, -4047, "Margin type cannot be changed if there exists open orders."),
    "MARGIN_TYPE_POSITION": ErrorRow(400, -4048, "Margin type cannot be changed if there exists position."),
    "ONLY_ISOLATED": ErrorRow(400, -4049, "Add margin only support for isolated position."),
    "CROSS_BALANCE": ErrorRow(400, -4050, "Cross balance insufficient."),
    "ISOLATED_BALANCE": ErrorRow(400, -4051, "Isolated balance insufficient."),
    "NO_POSITION_FOR_MARGIN": ErrorRow(400, -4054, "Cannot add position margin: position is 0."),
    "NO_AMOUNT": ErrorRow(400, -4055, "Amount must be positive."),
    "SAME_POSITION_MODE": ErrorRow(400, -4059, "No need to change position side."),
    "BAD_POSITION_SIDE": ErrorRow(400, -4060, "Invalid position side."),
    "OTHER_POSITION_SIDE": ErrorRow(400, -4061, "Order's position side does not match user's setting."),
    "POSITION_MODE_ORDERS": ErrorRow(
        400, -4067, "Position side cannot be changed if there exists open orders."
    ),
    "POSITION_MODE_POSITION": ErrorRow(
        400, -4068, "Position side cannot be changed if there exists position."
    ),
    "BATCH_SIZE": ErrorRow(400, -4082, "Invalid number of batch place orders: {number}"),
    "UPCOMING": ErrorRow(400, -4084, "Method is not allowed currently. Upcoming soon."),
    "FROZEN": ErrorRow(400, -4088, "User can not place order currently."),
    "OTHER_CLIENT_ID": ErrorRow(400, -2013, "Order does not exist."),
    "DUPLICATE_ORDER": ErrorRow(400, -4116, "ClientOrderId is duplicated."),
    "USE_ALGO_ORDERS": ErrorRow(
        *(400, -4120),
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    ),
    "CLOSES_ALREADY": ErrorRow(
        *(400, -4130),
        "An open stop or take profit order with GTE and closePosition in the direction is existing.",
    ),
    "COUNTERPARTY_PRICE": ErrorRow(
        400, -4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."
    ),
    "CLOSING_TYPE": ErrorRow(
        400, -4136, "Target strategy invalid for orderType {type},closePosition {closing}"
    ),
    "CLOSES_A_QUANTITY": ErrorRow(400, -4137, "Quantity must be zero with closePosition equals true"),
    "MARKET_PAUSED": ErrorRow(400, -4140, "Invalid symbol status for opening position."),
    "MARKET_CLOSED": ErrorRow(400, -4141, "Symbol is closed."),
    "ISOLATED_LEVERAGE": ErrorRow(
        400, -4161, "Leverage reduction is not supported in Isolated Margin Mode with open positions."
    ),
    "BELOW_NOTIONAL": ErrorRow(
        400, -4164, "Order's notional must be no smaller than {notional} (unless you choose reduce only)."
    ),
    "LONG_WINDOW": ErrorRow(400, -4165, "Maximum time interval is {days} days"),
    "SAME_ASSET_MODE": ErrorRow(
        *(400, -4171),
        "Adjusted asset mode is currently set and does not need to be adjusted repeatedly.",
    ),
    "NO_POSITION": ErrorRow(
        *(400, -4509),
        "Time in Force (TIF) GTE can only be used with open positions. "
        "Please ensure that positions are available.",
    ),
    "NOT_FILLED_AT_ONCE": ErrorRow(
        *(400, -5021),
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history",
    ),
    "WOULD_TAKE": ErrorRow(
        *(400, -5022),
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history",
    ),
    "ONLY_LIMIT": ErrorRow(400, -5025, "Only limit order is supported."),
    "SAME_ORDER": ErrorRow(400, -5027, "No need to modify the order."),
    "BAD_PRICE_MATCH": ErrorRow(400, -5037, "Invalid price match"),
    "NO_SUCH_PREVENTION": ErrorRow(400, -5039, "Invalid self trade prevention mode"),
}

# what a floor's refusal is called here
SPOT_REFUSALS: Mapping[Refusal, str] = {
    Refusal.UNKNOWN_ORDER: "UNKNOWN_ORDER",
    Refusal.DUPLICATE_CLIENT_ID: "DUPLICATE_ORDER",
    Refusal.INSUFFICIENT_BALANCE: "INSUFFICIENT_BALANCE",
    Refusal.WOULD_TAKE: "WOULD_TAKE",
    Refusal.WOULD_TRIGGER: "WOULD_TRIGGER",
    Refusal.NO_LIQUIDITY: "NO_LIQUIDITY",
    Refusal.FROZEN: "FROZEN",
    Refusal.HALTED: "MARKET_CLOSED",
    Refusal.CALLED: "MARKET_CLOSED",
    Refusal.CLOSED: "MARKET_CLOSED",
}
USDM_REFUSALS: Mapping[Refusal, str] = {
    Refusal.UNKNOWN_ORDER: "UNKNOWN_ORDER",
    Refusal.DUPLICATE_CLIENT_ID: "DUPLICATE_ORDER",
    Refusal.INSUFFICIENT_MARGIN: "INSUFFICIENT_MARGIN",
    Refusal.INSUFFICIENT_BALANCE: "INSUFFICIENT_MARGIN",
    Refusal.WOULD_TAKE: "WOULD_TAKE",
    Refusal.NO_LIQUIDITY: "NO_LIQUIDITY",
    Refusal.FROZEN: "FROZEN",
    Refusal.NOTHING_TO_REDUCE: "NOTHING_TO_REDUCE",
    Refusal.TOO_MANY_ORDERS: "TOO_MANY_OPEN",
    Refusal.TOO_MANY_WAITING: "TOO_MANY_STOPS",
    Refusal.WOULD_TRIGGER: "WOULD_TRIGGER",
    Refusal.NO_POSITION: "NO_POSITION",
    Refusal.LEVERAGE: "TOO_LARGE_A_POSITION",
    Refusal.NO_CHANGE: "SAME_ORDER",
    Refusal.HALTED: "MARKET_PAUSED",
    Refusal.CALLED: "MARKET_PAUSED",
    Refusal.CLOSED: "MARKET_CLOSED",
}

# ---------------------------------------------------------------- how many orders
SPOT_ORDER_LIMITS = tuple(limit for limit in SPOT_RATE_LIMITS if limit.kind == "ORDERS")
# the shorter interval first, as in the answers of 2025-12
USDM_ORDER_LIMITS = tuple(
    sorted((limit for limit in USDM_RATE_LIMITS if limit.kind == "ORDERS"), key=lambda limit: limit.limit)
)


# ---------------------------------------------------------------- filters
@dataclass(frozen=True, slots=True)
class Filters:
    """A symbol's filters as numbers: ticks, lots, money in 1e-8 of the quote asset, multiples of a price.

    `bid` and `ask` are the lowest and the highest multiple that an order's price may be of what it is measured by.
    `max_notional_e8` is 0 where there is none. `trailing_above` and `trailing_below` are the bips by which orders may
    follow the price whose stop is above it, and below.
    """

    min_ticks: int
    max_ticks: int
    min_lots: int
    max_lots: int
    max_market_lots: int
    bid: tuple[Fraction, Fraction]
    ask: tuple[Fraction, Fraction]
    min_notional_e8: int
    max_notional_e8: int
    trailing_above: range
    trailing_below: range


@lru_cache(maxsize=1024)
def filters_of(instrument: Instrument) -> Filters:
    """Those that exchangeInfo shows."""
    rows = spot_filters(instrument) if instrument.kind is Kind.SPOT else usdm_filters(instrument)
    by_type = {row["filterType"]: row for row in rows}
    price, lots, market = (by_type[name] for name in ("PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE"))
    if instrument.kind is Kind.SPOT:
        sides, notional = by_type["PERCENT_PRICE_BY_SIDE"], by_type["NOTIONAL"]
        bid = sides["bidMultiplierDown"], sides["bidMultiplierUp"]
        ask = sides["askMultiplierDown"], sides["askMultiplierUp"]
        least, most = notional["minNotional"], notional["maxNotional"]
        trailing = by_type["TRAILING_DELTA"]
        above, below = (
            range(trailing[f"minTrailing{side}Delta"], trailing[f"maxTrailing{side}Delta"] + 1)
            for side in ("Above", "Below")
        )
    else:
        # only away from the market is a limit order held back: buys have a cap, sells a floor
        band, notional = by_type["PERCENT_PRICE"], by_type["MIN_NOTIONAL"]
        bid, ask = ("0", band["multiplierUp"]), (band["multiplierDown"], "1000000000")
        least, most = notional["notional"], "0"
        above, below = range(0), range(0)
    tick = Fraction(instrument.tick_size, 10**instrument.price_decimals)
    lot = Fraction(instrument.lot_size, 10**instrument.qty_decimals)
    return Filters(
        min_ticks=int(-(-Fraction(price["minPrice"]) // tick)),
        max_ticks=int(Fraction(price["maxPrice"]) // tick),
        min_lots=int(-(-Fraction(lots["minQty"]) // lot)),
        max_lots=int(Fraction(lots["maxQty"]) // lot),
        max_market_lots=int(Fraction(market["maxQty"]) // lot),
        bid=(Fraction(bid[0]), Fraction(bid[1])),
        ask=(Fraction(ask[0]), Fraction(ask[1])),
        min_notional_e8=int(Fraction(least) * E8),
        max_notional_e8=int(Fraction(most) * E8),
        trailing_above=above,
        trailing_below=below,
    )

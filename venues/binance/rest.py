"""Binance REST: the table of endpoints, and pure functions from a request to its answer.

Parameters are checked by the table before a handler sees them; what is wrong with them is said in the venue's words. A
handler reads the exchange at `now_ns` and builds JSON; it keeps nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import numpy as np
import orjson

from reactor.exchange.floor import Floor
from reactor.exchange.terms import Terms
from reactor.single_asset import HyperSynthReactor
from reactor.types import BLOCK_NS, DAY_NS, MS_NS, SECOND_NS, Column, Prints
from reactor.values import dataclass
from venues.base import Exchange, HttpRequest, HttpResponse, Trading, VenueError
from venues.binance.rules import (
    ERRORS,
    KNOWN_PERMISSION,
    SPOT_PERMISSIONS,
    SPOT_PHASES,
    SPOT_RATE_LIMITS,
    SPOT_STATUSES,
    ErrorRow,
    RateLimit,
    spot_symbol,
)
from venues.binance.signing import (
    AUTHORITY,
    Caller,
    Credentials,
    Security,
    authenticate,
    payload_of,
    time_ns,
)
from venues.binance.wire import (
    AVERAGE_MINUTES,
    DAY_MINUTES,
    INTERVALS,
    SPOT_BOOK,
    aggregate_columns,
    average_price_e12,
    closes_before,
    kline_columns,
    last_lots,
    parts_of,
    quote_columns,
    statistics,
    ticker_columns,
    time_unit,
    trade_columns,
)
from venues.limits import Charge, Limit, Moment
from venues.sheets import latest
from venues.wire import Draft, Ragged, Values, payloads_of

JSON = "application/json;charset=UTF-8"

# A book answered over REST is as of the last boundary of the fastest depth stream, so that it joins every one of them
# without a gap, even for a client that wants the next event to start at lastUpdateId + 1.
BOOK_CADENCE_NS = 100 * MS_NS

# ---------------------------------------------------------------- the messages
# https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md, 2026-07-21. Columns are named as in the
# streams that tell the same.
SPOT_REST_TRADE = (
    '{"id":<t>,"price":"<p:price>","qty":"<q:qty>","quoteQty":"<quote:quote>","time":<T:time>,'
    '"isBuyerMaker":<m:flag>,"isBestMatch":true}'
)
SPOT_REST_AGG_TRADE = (
    '{"a":<a>,"p":"<p:price>","q":"<q:qty>","f":<f>,"l":<l>,"T":<T:time>,"m":<m:flag>,"M":true}'
)
REST_KLINE = (
    '[<t:time>,"<o:price>","<h:price>","<l:price>","<c:price>","<v:qty>",<T:time>,"<q:quote>",<n>,'
    '"<V:qty>","<Q:quote>","0"]'
)
SPOT_REST_AVERAGE_PRICE = f'{{"mins":{AVERAGE_MINUTES},"price":"<w:average>","closeTime":<T:time>}}'
SPOT_REST_PRICE = '{"symbol":"<s:symbol>","price":"<c:price>"}'
SPOT_REST_BOOK_TICKER = (
    '{"symbol":"<s:symbol>",'
    '"bidPrice":"<b:price>","bidQty":"<B:qty>","askPrice":"<a:price>","askQty":"<A:qty>"}'
)

_CHANGE = '"priceChange":"<p:price>","priceChangePercent":"<P:percent>","weightedAvgPrice":"<w:average>",'
_NOW = (
    '"prevClosePrice":"<x:price>","lastPrice":"<c:price>","lastQty":"<Q:qty>","bidPrice":"<b:price>",'
    '"bidQty":"<B:qty>","askPrice":"<a:price>","askQty":"<A:qty>",'
)
_EXTREMES = '"openPrice":"<o:price>","highPrice":"<h:price>","lowPrice":"<l:price>",'
_LAST = '"lastPrice":"<c:price>",'
_SUMS = (
    '"volume":"<v:qty>","quoteVolume":"<q:quote>","openTime":<O:time>,"closeTime":<C:time>,'
    '"firstId":<F>,"lastId":<L>,"count":<n>}'
)
_SYMBOL = '{"symbol":"<s:symbol>",'
_MINI = _SYMBOL + _EXTREMES + _LAST + _SUMS
# by the parameter `type`
SPOT_REST_DAY_TICKERS = {"FULL": _SYMBOL + _CHANGE + _NOW + _EXTREMES + _SUMS, "MINI": _MINI}
SPOT_REST_WINDOW_TICKERS = {"FULL": _SYMBOL + _CHANGE + _EXTREMES + _LAST + _SUMS, "MINI": _MINI}

WINDOW_MINUTES = {
    f"{n}{unit}": n * minutes
    for unit, minutes, most in (("m", 1, 59), ("h", 60, 23), ("d", DAY_MINUTES, 7))
    for n in range(1, most + 1)
}


# ---------------------------------------------------------------- endpoints
@dataclass(frozen=True, slots=True)
class Param:
    """A parameter: the pattern it must match, as the venue prints it (a Java one) and as Python reads it."""

    legal: str
    pattern: re.Pattern[str]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose parameters are right, by somebody who may make it: when, on which exchange, for which endpoint,
    with which parameters, in which unit of times, and by whom it is made, where that matters. `ahead_ns` is how far the
    clock that clients are shown is ahead of `now_ns`.
    """

    exchange: Exchange
    now_ns: int
    params: Mapping[str, str]
    unit_ns: int
    api: Api
    route: Route
    at: Moment
    caller: Caller | None = None
    ahead_ns: int = 0

    @property
    def instant(self) -> Column:
        """Now, as a column of one row."""
        return np.array([self.now_ns])

    @property
    def trading(self) -> Trading:
        """The floor's side of the run, which is there where somebody may ask for more than data."""
        assert self.exchange.trading is not None
        return self.exchange.trading

    @property
    def floor(self) -> Floor:
        """The floor itself."""
        return self.trading.floor

    @property
    def account(self) -> str:
        """The account that asks."""
        assert self.caller is not None
        return self.caller.account

    @property
    def terms(self) -> Mapping[str, Terms]:
        """The terms of every market, by its id."""
        assert self.trading.house is not None
        return self.trading.house.terms

    def stamp(self, at_ns: int) -> int:
        """An instant in the unit of this request's times."""
        return at_ns // self.unit_ns

    def texts(self, market: HyperSynthReactor, text: str, columns: Mapping[str, Values]) -> list[bytes]:
        """A declared message of a market, once per row of the columns."""
        parts = parts_of(text, market.instrument, self.api.decimals, self.unit_ns)
        return payloads_of(Draft(parts, columns))


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint's method: its answer, its weight, and the parameters it takes (None: any).

    Parameters it does not take are refused, or if it is lenient overlooked. Beside its weight it may count in a `pool`.
    `counts` is whether its answers tell of the orders placed, `free` whether only a failure has a weight.
    """

    answer: Callable[[Call], bytes]
    weight: Callable[[Mapping[str, str]], int]
    params: Mapping[str, Param] | None = field(default_factory=dict)
    lenient: bool = False
    pool: Limit | None = None
    security: Security = Security.NONE
    counts: bool = False
    free: bool = False
    required: frozenset[str] = field(init=False)  # the names of the parameters that it must be sent

    def __post_init__(self) -> None:
        needed = frozenset(name for name, param in (self.params or {}).items() if param.required)
        object.__setattr__(self, "required", needed)


Declared: TypeAlias = tuple[str, Mapping[str, Values]]  # a message and the columns that fill it
Told: TypeAlias = Callable[[Call, HyperSynthReactor], Declared]
Routes: TypeAlias = Mapping[str, Mapping[str, Route]]  # by path, then method


@dataclass(frozen=True, slots=True)
class Api:
    """The REST side of a card: its endpoints, and the errors they answer with.

    `decimals` is what prices and quantities are padded to at least, `time_units` whether clients may choose the unit of
    times, `weight` what requests count towards, `order_limits` how many orders an account may place.
    """

    routes: Routes
    errors: Mapping[str, ErrorRow]
    decimals: int
    time_units: bool
    weight: Limit
    order_limits: Sequence[RateLimit] = ()


@dataclass(frozen=True, slots=True)
class Asking:
    """A request for an endpoint, over HTTP or on a socket: its parameters with what proves who asks, its unit of times.

    Names in `aside` are of no endpoint's parameters; `repeated` are those that were sent more than once, most often so
    the first.
    """

    credentials: Credentials
    unit: str | None
    aside: frozenset[str] = frozenset()
    repeated: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request: its answer, and how much of the weight there is its client has used in this minute.

    `retry_ns` is how long the client has to wait where it asked too much, 0 elsewhere, `until_ns` when a ban ends in
    virtual time; `orders` is how many its account has placed in each window of their limits, where answers tell of it.
    """

    status: int
    body: bytes
    used: int
    retry_ns: int = 0
    until_ns: int | None = None
    orders: Sequence[int] | None = None


def check(api: Api, route: Route, asking: Asking, exchange: Exchange) -> Call:
    """A request of an endpoint; raises VenueError when something is wrong with it or with who makes it."""
    unit_ns = time_unit(asking.unit) if api.time_units else MS_NS
    credentials = asking.credentials
    caller, at = authenticate(credentials, route.security, exchange), credentials.at
    aside = asking.aside if caller is None else asking.aside | AUTHORITY
    sent = {name: value for name, value in credentials.params.items() if name not in aside}
    params = parameters(route, sent, asking.repeated)
    return Call(exchange, at.now_ns, params, unit_ns, api, route, at, caller, credentials.ahead_ns)


def settle(api: Api, exchange: Exchange, client: str, at: Moment, ask: Callable[[], Call]) -> Outcome:
    """Charge a client for what it asks, and answer it if it may ask so much. `ask` may raise VenueError."""
    call: Call | VenueError
    weight, pool, account, free = WRONG_WEIGHT, None, None, False
    try:
        call = ask()
        route = call.route
        weight, pool, free = route.weight(call.params), route.pool, route.free
        if route.counts:
            account = call.account
    except VenueError as error:
        call = error
    spent = exchange.usage.charge(api.weight, client, 0 if free else weight, at)
    if spent.refused:
        return _too_much(api, "TOO_MUCH_WEIGHT", spent, api.weight, spent.used)
    if pool is not None:
        counted = exchange.usage.charge(pool, client, 1, at)
        if counted.refused:
            return _too_much(api, "TOO_MANY_REQUESTS", counted, pool, spent.used)
    status = 200
    try:
        if isinstance(call, VenueError):
            raise call
        body = call.route.answer(call)
    except VenueError as error:
        row = api.errors[str(error.code)]
        status, body = row.status, row.body(error.params)
        if free:
            spent = exchange.usage.charge(api.weight, client, weight, at)
    orders = None if account is None else order_counts(api.order_limits, exchange, account, at)
    return Outcome(status, body, spent.used, orders=orders)


def _too_much(api: Api, name: str, charge: Charge, limit: Limit, used: int) -> Outcome:
    if charge.banned_until_ns is not None:
        return banned(api, charge)
    row = api.errors[name]
    body = row.body({"limit": charge.allowed, "minutes": limit.window_ns // BLOCK_NS})
    return Outcome(row.status, body, used, charge.retry_ns)


def banned(api: Api, charge: Charge) -> Outcome:
    """The answer to a client that is shut out."""
    until_ns = charge.banned_until_ns
    assert until_ns is not None
    row = api.errors["BANNED"]
    return Outcome(row.status, row.body({"until": until_ns // MS_NS}), charge.used, charge.retry_ns, until_ns)


def handle(api: Api, request: HttpRequest, exchange: Exchange, now_ns: int) -> HttpResponse:
    """The answer to one request, errors included; every answer says what weight the client has used this minute."""
    route = api.routes.get(request.path, {}).get(request.method)
    at, content_type = Moment(now_ns, request.wall_ns), JSON
    shut_out = exchange.usage.banned(request.client, at)
    if shut_out is not None:
        outcome = banned(api, shut_out)
    elif route is not None:
        outcome = settle(
            api, exchange, request.client, at, lambda: check(api, route, _asking(request, at), exchange)
        )
    else:
        used = exchange.usage.charge(api.weight, request.client, 0, at).used
        if request.path in api.routes:
            outcome = Outcome(405, b"", used)
        elif request.path.startswith(GONE):
            outcome, content_type = Outcome(410, GONE_BODY, used), "text/html"
        else:
            outcome = Outcome(404, b"", used)
    headers = [("x-mbx-used-weight", str(outcome.used)), ("x-mbx-used-weight-1m", str(outcome.used))]
    if outcome.orders is not None:
        headers += [
            (f"x-mbx-order-count-{limit.interval_num}{limit.interval[0].lower()}", str(count))
            for limit, count in zip(api.order_limits, outcome.orders, strict=True)
        ]
    return HttpResponse(
        outcome.status, outcome.body, content_type, (*headers, *retry_after(outcome.retry_ns))
    )


def retry_after(retry_ns: int) -> Sequence[tuple[str, str]]:
    """The header that tells how long to wait, in whole seconds, where there is a wait."""
    return (("retry-after", str(-(-retry_ns // SECOND_NS))),) if retry_ns else ()


def _asking(request: HttpRequest, at: Moment) -> Asking:
    """Of a parameter that is in the query and in the form of the body, the query's is taken."""
    pairs = parse_qsl(request.query, keep_blank_values=True) if request.query else []
    if request.body:
        named = {name for name, _ in pairs}
        form = parse_qsl(request.body.decode(errors="replace"), keep_blank_values=True)
        pairs += [(name, value) for name, value in form if name not in named]
    key = request.headers.get("x-mbx-apikey", "")
    payload = payload_of(request.query, request.body)
    params = dict(pairs)
    credentials = Credentials(key, params, payload, request.client, at, ahead_ns=request.ahead_ns)
    repeated: Sequence[str] = ()
    if len(params) < len(pairs):
        repeated = [name for name, n in Counter(name for name, _ in pairs).most_common() if n > 1]
    return Asking(credentials, request.headers.get("x-mbx-time-unit"), repeated=repeated)


def order_counts(limits: Sequence[RateLimit], exchange: Exchange, account: str, at: Moment) -> list[int]:
    """How many orders an account has placed in the windows of these limits."""
    return [exchange.usage.used(limit.windowed(), account, at) for limit in limits]


def parameters(route: Route, sent: Mapping[str, str], repeated: Sequence[str] = ()) -> Mapping[str, str]:
    """The parameters, checked in the venue's order: doubles, number, each one in turn, strangers.

    So the live venue answered: https://github.com/sieblyio/binance/issues/507 (doubles, 2025-01),
    https://github.com/binance/binance-api-postman/issues/236 (more than the endpoint has, 2025-01),
    https://github.com/ccxt/node-binance-api/issues/18 (strangers, 2017-12).
    """
    known = route.params
    if known is None:
        return sent
    if route.lenient:
        sent = {name: value for name, value in sent.items() if name in known}
    for name in repeated:
        if name in sent:
            raise VenueError("DUPLICATE_PARAMETER", name=name)
    if len(sent) > len(known):
        raise VenueError("TOO_MANY_PARAMETERS", expected=len(known), received=len(sent))
    right = [
        1 for name, value in sent.items() if value and name in known and known[name].pattern.fullmatch(value)
    ]
    if len(right) < len(sent) or not route.required <= sent.keys():
        raise _wrong(known, sent)
    return sent


def _wrong(known: Mapping[str, Param], sent: Mapping[str, str]) -> VenueError:
    """What is wrong with parameters of which something is."""
    for name, param in known.items():
        value = sent.get(name)
        if value == "":
            return VenueError("EMPTY_PARAMETER", name=name)
        if value is None and param.required:
            return VenueError("MANDATORY_PARAMETER", name=name)
        if value is not None and not param.pattern.fullmatch(value):
            return VenueError("ILLEGAL_CHARS", name=name, legal=param.legal)
    return VenueError("UNREAD_PARAMETERS", read=len(sent.keys() & known.keys()), sent=len(sent))


# ---------------------------------------------------------------- handlers
def ping(_: Call) -> bytes:
    """Nothing, and that the server is there."""
    return b"{}"


def server_time(call: Call) -> bytes:
    """The virtual clock."""
    return orjson.dumps({"serverTime": call.stamp(call.now_ns + call.ahead_ns)})


def exchange_info(rate_limits: Sequence[RateLimit], call: Call) -> bytes:
    """The rules of trading, and the symbols asked for: one, several, those with a permission, or all."""
    selections = [
        name for name in ("symbol", "symbols", "permissions", "symbolStatus") if name in call.params
    ]
    if len(selections) > 1 and selections != ["permissions", "symbolStatus"]:
        raise VenueError("BAD_COMBINATION")
    instruments = [market.instrument for market in call.exchange]
    asked = _symbols(call.params)
    if asked is not None:
        for symbol in asked:
            market_of(call.exchange, symbol)
        instruments = [instrument for instrument in instruments if instrument.symbol in asked]
    elif not _permissions(call.params) & set(SPOT_PERMISSIONS):
        instruments = []
    instruments = [instrument for instrument in instruments if _is_asked(call, instrument.symbol)]
    permission_sets = call.params.get("showPermissionSets", "true").lower() == "true"
    return orjson.dumps(
        {
            "timezone": "UTC",
            "serverTime": call.stamp(call.now_ns + call.ahead_ns),
            "rateLimits": [limit.as_json(call.exchange.usage) for limit in rate_limits],
            "exchangeFilters": [],
            "symbols": [
                spot_symbol(
                    i,
                    call.exchange.phase(i.symbol, call.now_ns),
                    call.exchange.step_ticks(i.symbol, call.now_ns),
                    permission_sets,
                )
                for i in instruments
            ],
        }
    )


def depth(call: Call) -> bytes:
    """The book as of the last boundary of the fastest depth stream."""
    market = market_of(call.exchange, call.params["symbol"])
    if not _is_asked(call, call.params["symbol"]):
        raise VenueError("OTHER_SYMBOL_STATUS")
    limit, at_ns = _limit(call.params, 100, 5000), call.now_ns // BOOK_CADENCE_NS
    make = lambda: call.texts(market, SPOT_BOOK, book_columns(call, market, limit))[0]
    return latest(market, at_ns, (SPOT_BOOK, limit), make)


def book_columns(call: Call, market: HyperSynthReactor, limit: int) -> dict[str, Values]:
    """The best levels of that book, so many a side, and its time."""
    book = market.book(call.now_ns // BOOK_CADENCE_NS * BOOK_CADENCE_NS)
    sides = {
        name: Ragged(np.array([len(ticks[:limit])]), {"price": ticks[:limit], "qty": lots[:limit]})
        for name, ticks, lots in (
            ("bids", book.bid_ticks, book.bid_lots),
            ("asks", book.ask_ticks, book.ask_lots),
        )
    }
    return {"lastUpdateId": np.array([book.update_id]), "T": np.array([book.ts_ns]), **sides}


def trades(call: Call) -> bytes:
    """The newest prints; from an id on, the oldest. Oldest first."""
    market = market_of(call.exchange, call.params["symbol"])
    prints = prints_asked(call, market, _limit(call.params, 500, 1000))
    return array(call.texts(market, SPOT_REST_TRADE, trade_columns(prints)))


def prints_asked(call: Call, market: HyperSynthReactor, limit: int) -> Prints:
    """Those prints."""
    if "fromId" not in call.params:
        return market.prints_before(call.now_ns, limit)
    oldest = market.minutes(market.listed_ns, market.listed_ns + BLOCK_NS).first_trade_id
    return market.prints_from_trade(max(_id(call.params), int(oldest[0])), limit, call.now_ns)


def aggregate_trades(call: Call) -> bytes:
    """The newest aggregates, or the newest of those up to a time; from an id or a time on, the oldest. Oldest first.

    https://github.com/binance/binance-spot-api-docs/blob/master/CHANGELOG.md, 2022-12-05.
    """
    market = market_of(call.exchange, call.params["symbol"])
    prints = aggregates(call, market, _limit(call.params, 500, 1000))
    return array(call.texts(market, SPOT_REST_AGG_TRADE, aggregate_columns(prints)))


def aggregates(call: Call, market: HyperSynthReactor, limit: int) -> Prints:
    """The prints of those aggregates."""
    start_ns, end_ns = span(call, market.listed_ns)
    if "fromId" in call.params:
        if call.params.keys() & {"startTime", "endTime"}:
            raise VenueError("BAD_COMBINATION")
        first_id = max(_id(call.params), _next_aggregate(market, market.listed_ns))
    elif "startTime" in call.params:
        first_id = _next_aggregate(market, start_ns)
    else:
        first_id = _next_aggregate(market, end_ns) - limit
    prints = market.prints_from_agg(first_id, limit, call.now_ns)
    return prints.cut(0, int(np.searchsorted(prints.ts_ns, end_ns)))


def klines(call: Call, most: int = 1000) -> bytes:
    """The newest bars, or the newest of those up to a time; from a time on, the oldest. Oldest first.

    The running bar is one of them. What uiKlines changes for presentation is not said, so here it is the same.
    """
    market = market_of(call.exchange, call.params["symbol"])
    if call.params["interval"] not in INTERVALS:
        raise VenueError("BAD_INTERVAL")
    interval = INTERVALS[call.params["interval"]].shifted(_offset_ns(call.params))
    limit = _limit(call.params, 500, most)
    span_ns = limit * (interval.length_ns or 31 * DAY_NS)
    start_ns, end_ns = span(call, interval.start(market.listed_ns))
    if "startTime" in call.params:
        end_ns = min(end_ns, start_ns + span_ns)
        bars = market.bars.bars(interval, start_ns, end_ns, call.now_ns)
        bars = bars.cut(0, limit)
    else:
        bars = market.bars.bars(interval, end_ns - span_ns, end_ns, call.now_ns)
        bars = bars.cut(max(len(bars) - limit, 0), len(bars))
    return array(call.texts(market, REST_KLINE, kline_columns(bars)))


def average_price(call: Call) -> bytes:
    """The average price of the last minutes, and the time of the newest print, 0 if there is none."""
    market = market_of(call.exchange, call.params["symbol"])
    newest_ns = market.prints_before(call.now_ns, 1).ts_ns.sum(keepdims=True)
    columns = {"w": average_price_e12(market, call.instant), "T": newest_ns}
    return call.texts(market, SPOT_REST_AVERAGE_PRICE, columns)[0]


def block_trades(call: Call) -> bytes:
    """Trades agreed on beside the book, of which the tape has none."""
    market_of(call.exchange, call.params["symbol"])
    _limit(call.params, 500, 1000)
    return b"[]"


def execution_rules(call: Call) -> bytes:
    """The rules that orders are executed by, for every symbol asked for; none has any."""
    if len(call.params) > 1:
        raise VenueError("BAD_COMBINATION")
    asked = _symbols(call.params)
    listed = [symbol for symbol in call.exchange.markets if _is_asked(call, symbol)]
    if asked is not None:
        for symbol in asked:
            market_of(call.exchange, symbol)
        listed = [symbol for symbol in listed if symbol in asked]
    return orjson.dumps({"symbolRules": [{"symbol": symbol, "rules": []} for symbol in listed]})


def reference_price(call: Call) -> bytes:
    """Of a symbol that never had one, which none ever had: not an error, by the documents of the WebSocket API."""
    market_of(call.exchange, call.params["symbol"])
    return ERRORS["NO_REFERENCE_PRICE"].body({})


def reference_price_calculation(call: Call) -> bytes:
    """Of what is not calculated; this is an error."""
    market_of(call.exchange, call.params["symbol"])
    if not _is_asked(call, call.params["symbol"]):
        raise VenueError("OTHER_SYMBOL_STATUS")
    raise VenueError("NO_REFERENCE_PRICE")


# ---------------------------------------------------------------- handlers that tell the same of every symbol
def tickers(told: Told, call: Call) -> bytes:
    """What is told of the symbol asked for; as an array, of those asked for, or of all."""
    symbols = _symbols(call.params)
    markets = (
        list(call.exchange) if symbols is None else [market_of(call.exchange, symbol) for symbol in symbols]
    )
    asked = [market for market in markets if _is_asked(call, market.instrument.symbol)]
    if "symbol" in call.params and not asked:
        raise VenueError("OTHER_SYMBOL_STATUS")
    markets = asked
    texts = [call.texts(market, *told(call, market))[0] for market in markets]
    return texts[0] if "symbol" in call.params else array(texts)


def named_tickers(told: Told, call: Call) -> bytes:
    """Likewise, but symbols must be named."""
    if not call.params.keys() & {"symbol", "symbols"}:
        raise VenueError("EITHER_PARAMETER", one="symbol", other="symbols")
    return tickers(told, call)


def day_ticker(call: Call, market: HyperSynthReactor) -> Declared:
    """24 h statistics, the newest print, the best quotes."""
    bars = statistics(market, DAY_MINUTES, call.instant)
    return _typed(SPOT_REST_DAY_TICKERS, call), {
        **ticker_columns(market, bars, call.instant),
        "x": closes_before(market, bars),
        "Q": np.array([last_lots(market, call.now_ns)]),
        **quote_columns(market.quote(call.now_ns)),
    }


def trading_day_ticker(call: Call, market: HyperSynthReactor) -> Declared:
    """Statistics of the running day of a time zone, at midnight of the one that ends; it closes at its end."""
    day = market.bars.running(INTERVALS["1d"].shifted(_offset_ns(call.params)), call.instant)
    return _typed(SPOT_REST_WINDOW_TICKERS, call), ticker_columns(market, day, day.close_ns - 1)


def window_ticker(call: Call, market: HyperSynthReactor) -> Declared:
    """Statistics of the last minutes, hours or days."""
    minutes = WINDOW_MINUTES.get(call.params.get("windowSize", "1d"))
    if minutes is None:
        raise VenueError("INVALID_PARAMETER", name="windowSize")
    bars = statistics(market, minutes, call.instant)
    return _typed(SPOT_REST_WINDOW_TICKERS, call), ticker_columns(market, bars, call.instant)


def price_ticker(call: Call, market: HyperSynthReactor) -> Declared:
    """The last price."""
    return SPOT_REST_PRICE, {"c": market.bars.running(INTERVALS["1m"], call.instant).close_ticks}


def book_ticker(call: Call, market: HyperSynthReactor) -> Declared:
    """The best quotes."""
    return SPOT_REST_BOOK_TICKER, quote_columns(market.quote(call.now_ns))


def _typed(texts: Mapping[str, str], call: Call) -> str:
    text = texts.get(call.params.get("type", "FULL"))
    if text is None:
        raise VenueError("BAD_TICKER_TYPE")
    return text


def coin_margined_info(call: Call) -> bytes:
    """The rules of coin-margined futures, which list nothing here: clients load them beside the others."""
    told = {"serverTime": call.now_ns // call.unit_ns, "rateLimits": [], "exchangeFilters": [], "symbols": []}
    return orjson.dumps({"timezone": "UTC", **told})


def system_status(_: Call) -> bytes:
    """That there is no maintenance: https://developers.binance.com/docs/wallet/others/system-status, 2026-01."""
    return b'{"status":0,"msg":"normal"}'


def nothing_listed(_: Call) -> bytes:
    """An empty list, for what exists on the venue and has no content here."""
    return b"[]"


def market_of(exchange: Exchange, symbol: str) -> HyperSynthReactor:
    """The market of a symbol; VenueError if it is not listed."""
    market = exchange.market(symbol)
    if market is None:
        raise VenueError("BAD_SYMBOL")
    return market


def _limit(params: Mapping[str, str], default: int, most: int) -> int:
    """How many rows; more than the most there are is silently the most, and none is malformed."""
    limit = int(params.get("limit", default))
    if limit == 0:
        raise VenueError("MANDATORY_PARAMETER", name="limit")
    return min(limit, most)


def _id(params: Mapping[str, str]) -> int:
    """The id to start from; ids beyond 62 bits are as good as the largest of them."""
    return min(int(params["fromId"]), 1 << 62)


def span(call: Call, oldest_ns: int) -> tuple[int, int]:
    """The time from startTime to endTime, which is part of it, as [start_ns, end_ns) within what there is.

    Times may be in milliseconds or microseconds, and are "adjusted to fit the correct range":
    https://github.com/binance/binance-spot-api-docs/blob/master/CHANGELOG.md, 2024-12-09.
    """
    bounds = []
    for name, default_ns, after in (("startTime", oldest_ns, 0), ("endTime", call.now_ns, 1)):
        at_ns = default_ns
        if name in call.params:
            at_ns = time_ns(call.params[name], after)
        bounds.append(min(max(at_ns, oldest_ns), call.now_ns))
    return bounds[0], bounds[1]


def _next_aggregate(market: HyperSynthReactor, at_ns: int) -> int:
    """The id of the first aggregate at or after an instant, or that it will get; a minute's first needs no block."""
    minute_ns = at_ns - at_ns % BLOCK_NS
    this, after = market.minutes(minute_ns, minute_ns + 2 * BLOCK_NS).first_agg_id.tolist()
    if at_ns == minute_ns:
        return int(this)
    prints = market.prints_in(minute_ns, minute_ns + BLOCK_NS)
    return int(np.append(prints.agg_id, after)[np.searchsorted(prints.ts_ns, at_ns)])


def _offset_ns(params: Mapping[str, str]) -> int:
    """How far the time zone asked for is ahead of UTC: hours, or hours and minutes, from -12:00 to 14:00."""
    match = TIME_ZONE.fullmatch(params.get("timeZone", "0"))
    if match is None:
        raise VenueError("INVALID_PARAMETER", name="timeZone")
    sign, hours, minutes = match.groups(default="0")
    offset = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)
    if not -12 * 60 <= offset <= 14 * 60:
        raise VenueError("INVALID_PARAMETER", name="timeZone")
    return offset * BLOCK_NS


def array(texts: Sequence[bytes]) -> bytes:
    """The texts as a JSON array."""
    return b"[%s]" % b",".join(texts)


def _is_asked(call: Call, symbol: str) -> bool:
    """Whether a symbol has the status that is asked for, if any is."""
    status = call.params.get("symbolStatus")
    if status is not None and status not in SPOT_STATUSES:
        raise VenueError("BAD_SYMBOL_STATUS")
    return status in (None, SPOT_PHASES[call.exchange.phase(symbol, call.now_ns)])


def _symbols(params: Mapping[str, str]) -> list[str] | None:
    """The symbols a request names, one or a list, None if it names none."""
    if "symbol" in params and "symbols" in params:
        raise VenueError("BAD_COMBINATION")
    if "symbol" in params:
        return [params["symbol"]]
    if "symbols" not in params:
        return None
    symbols: list[str] = orjson.loads(params["symbols"])
    if len(set(symbols)) < len(symbols):
        raise VenueError("DUPLICATE_SYMBOLS")
    return symbols


def _permissions(params: Mapping[str, str]) -> set[str]:
    """The permissions a request selects symbols by, one or a JSON list; all that make a symbol tradable if none."""
    value = params.get("permissions")
    if value is None:
        return set(SPOT_PERMISSIONS)
    try:
        wanted: Any = orjson.loads(value) if value.startswith("[") else [value]
    except orjson.JSONDecodeError:
        wanted = [value]
    if not all(isinstance(name, str) and KNOWN_PERMISSION.fullmatch(name) for name in wanted):
        raise VenueError("INVALID_PARAMETER", name="permissions")
    return set(wanted)


# ---------------------------------------------------------------- the table of endpoints
def weighs(weight: int) -> Callable[[Mapping[str, str]], int]:
    """The weight of every request, whatever its parameters."""
    return lambda _: weight


def _depth_weight(params: Mapping[str, str]) -> int:
    limit = _limit(params, 100, 5000)
    return next(weight for most, weight in DEPTH_WEIGHTS if limit <= most)


def _named(params: Mapping[str, str]) -> int | None:
    """How many symbols a request names; None is all."""
    if "symbol" in params:
        return 1
    return len(orjson.loads(params["symbols"])) if "symbols" in params else None


def _day_ticker_weight(params: Mapping[str, str]) -> int:
    n = _named(params)
    return next((weight for most, weight in DAY_TICKER_WEIGHTS if n is not None and n <= most), 80)


def _window_ticker_weight(params: Mapping[str, str]) -> int:
    return min(4 * (_named(params) or 1), 200)


def _rules_weight(params: Mapping[str, str]) -> int:
    n = _named(params)
    return 40 if n is None else min(2 * n, 40)


def _ticker_weight(params: Mapping[str, str]) -> int:
    return 2 if "symbol" in params else 4


DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))
DAY_TICKER_WEIGHTS = ((20, 2), (100, 40))

# The legal ranges are as the live venue printed them: symbol and symbols 2025-12, numbers 2024. What Java writes
# [\w&&[^a-z]], word characters but lower-case letters, is (?![a-z])\w here.
_NAME = r"(?:(?![a-z])[\w\-.]){1,50}"
SYMBOL = Param(r"^[\w\-._&&[^a-z]]{1,50}$", re.compile(_NAME), required=True)
SYMBOLS = Param(
    r'^\[("[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}){0,1}\]$',
    re.compile(rf'\[("{_NAME}"(,"{_NAME}")*)?\]'),
)
NUMBER = Param("^[0-9]{1,20}$", re.compile("[0-9]{1,20}"))
FROM_ID = replace(NUMBER, required=True)
WORD = Param("^[A-Z_]{1,20}$", re.compile("[A-Z_]{1,20}"))
FLAG = Param("^(true|false)$", re.compile("(?i:true|false)"))
ANYTHING = Param("^.*$", re.compile("(?s:.*)"))
ONE_SYMBOL = replace(SYMBOL, required=False)  # where several may be asked for
INTERVAL = replace(ANYTHING, required=True)
WRONG_WEIGHT = 1  # of a request whose parameters are wrong
TIME_ZONE = re.compile(r"([+-])?([0-9]{1,2})(?::([0-5][0-9]))?")

KLINES = Route(
    klines,
    weighs(2),
    {
        "symbol": SYMBOL,
        "interval": INTERVAL,
        "startTime": NUMBER,
        "endTime": NUMBER,
        "timeZone": ANYTHING,
        "limit": NUMBER,
    },
)
SYMBOLS_AND_STATUS = {"symbol": ONE_SYMBOL, "symbols": SYMBOLS, "symbolStatus": WORD}

# https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md, 2026-07-21
SPOT_ROUTES: Routes = {
    "/api/v3/ping": {"GET": Route(ping, weighs(1))},
    "/api/v3/time": {"GET": Route(server_time, weighs(1))},
    "/api/v3/exchangeInfo": {
        "GET": Route(
            partial(exchange_info, SPOT_RATE_LIMITS),
            weighs(20),
            {
                "symbol": ONE_SYMBOL,
                "symbols": SYMBOLS,
                "permissions": ANYTHING,
                "showPermissionSets": FLAG,
                "symbolStatus": WORD,
            },
        )
    },
    "/api/v3/executionRules": {"GET": Route(execution_rules, _rules_weight, SYMBOLS_AND_STATUS)},
    "/api/v3/referencePrice": {"GET": Route(reference_price, weighs(2), {"symbol": SYMBOL})},
    "/api/v3/referencePrice/calculation": {
        "GET": Route(reference_price_calculation, weighs(2), {"symbol": SYMBOL, "symbolStatus": WORD})
    },
    "/api/v3/depth": {
        "GET": Route(depth, _depth_weight, {"symbol": SYMBOL, "limit": NUMBER, "symbolStatus": WORD})
    },
    "/api/v3/trades": {"GET": Route(trades, weighs(25), {"symbol": SYMBOL, "limit": NUMBER})},
    "/api/v3/historicalTrades": {
        "GET": Route(trades, weighs(25), {"symbol": SYMBOL, "limit": NUMBER, "fromId": NUMBER})
    },
    "/api/v3/historicalBlockTrades": {
        "GET": Route(block_trades, weighs(25), {"symbol": SYMBOL, "fromId": FROM_ID, "limit": NUMBER})
    },
    "/api/v3/aggTrades": {
        "GET": Route(
            aggregate_trades,
            weighs(4),
            {"symbol": SYMBOL, "fromId": NUMBER, "startTime": NUMBER, "endTime": NUMBER, "limit": NUMBER},
        )
    },
    "/api/v3/klines": {"GET": KLINES},
    "/api/v3/uiKlines": {"GET": KLINES},
    "/api/v3/avgPrice": {"GET": Route(average_price, weighs(2), {"symbol": SYMBOL})},
    "/api/v3/ticker/24hr": {
        "GET": Route(partial(tickers, day_ticker), _day_ticker_weight, {**SYMBOLS_AND_STATUS, "type": WORD})
    },
    "/api/v3/ticker/tradingDay": {
        "GET": Route(
            partial(named_tickers, trading_day_ticker),
            _window_ticker_weight,
            {**SYMBOLS_AND_STATUS, "timeZone": ANYTHING, "type": WORD},
        )
    },
    "/api/v3/ticker": {
        "GET": Route(
            partial(named_tickers, window_ticker),
            _window_ticker_weight,
            {**SYMBOLS_AND_STATUS, "windowSize": ANYTHING, "type": WORD},
        )
    },
    "/api/v3/ticker/price": {
        "GET": Route(partial(tickers, price_ticker), _ticker_weight, SYMBOLS_AND_STATUS)
    },
    "/api/v3/ticker/bookTicker": {
        "GET": Route(partial(tickers, book_ticker), _ticker_weight, SYMBOLS_AND_STATUS)
    },
    # what clients with a key ask before their first subscription; counted against other limits than /api
    "/sapi/v1/margin/allPairs": {"GET": Route(nothing_listed, weighs(0), None)},
    "/sapi/v1/margin/isolated/allPairs": {"GET": Route(nothing_listed, weighs(0), None)},
    "/sapi/v1/capital/config/getall": {"GET": Route(nothing_listed, weighs(0), None)},
    "/sapi/v1/capital/deposit/hisrec": {"GET": Route(nothing_listed, weighs(0), None)},
    "/sapi/v1/capital/withdraw/history": {"GET": Route(nothing_listed, weighs(0), None)},
    "/sapi/v1/system/status": {"GET": Route(system_status, weighs(0), None)},
    "/dapi/v1/exchangeInfo": {"GET": Route(coin_margined_info, weighs(0), None)},
    "/sapi/v1/asset/tradeFee": {"GET": Route(nothing_listed, weighs(0), None)},
}

# Removed on 2026-03-25 and 2026-02-20; the length of the body is the one logged in
# https://github.com/oliver-zehentleitner/unicorn-binance-websocket-api/issues/399, 2026-02-20.
GONE = ("/api/v1/", "/api/v3/userDataStream")
GONE_BODY = (
    b"<html>\r\n<head><title>410 Gone</title></head>\r\n<body>\r\n<center><h1>410 Gone</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)

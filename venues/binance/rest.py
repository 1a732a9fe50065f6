"""Binance REST: the table of endpoints, and pure functions from a request to its answer.

Parameters are checked by the table before a handler sees them; what is wrong with them is said in the venue's words. A
handler reads the exchange at `now_ns` and builds JSON; it keeps nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import numpy as np
import orjson

from reactor.single_asset import HyperSynthReactor
from reactor.types import MS_NS, Side
from venues.base import Exchange, HttpRequest, HttpResponse, VenueError
from venues.binance.rules import (
    ERRORS,
    KNOWN_PERMISSION,
    SPOT_PERMISSIONS,
    SPOT_RATE_LIMITS,
    SPOT_STATUSES,
    WEIGHT_WINDOW_NS,
    spot_symbol,
)
from venues.binance.wire import SPOT_BOOK, parts_of, time_unit
from venues.wire import Each, Ragged, encode

JSON = "application/json;charset=UTF-8"

# A book answered over REST is as of the last boundary of the fastest depth stream, so that it joins every one of them
# without a gap, even for a client that wants the next event to start at lastUpdateId + 1.
BOOK_CADENCE_NS = 100 * MS_NS

SPOT_REST_TRADE = (
    '{"id":<id>,"price":"<price:price>","qty":"<qty:qty>","quoteQty":"<quote:quote>","time":<time:time>,'
    '"isBuyerMaker":<maker:flag>,"isBestMatch":true}'
)


# ---------------------------------------------------------------- endpoints
@dataclass(frozen=True, slots=True)
class Param:
    """A parameter: the pattern it must match, as the venue prints it (a Java one) and as Python reads it."""

    legal: str
    pattern: re.Pattern[str]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A checked request: when, on which exchange, with which parameters, and how times and decimals are written."""

    exchange: Exchange
    now_ns: int
    params: Mapping[str, str]
    unit_ns: int
    decimals: int


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint's method: its answer, its weight, and the parameters it takes (None: any)."""

    answer: Callable[[Call], bytes]
    weight: Callable[[Mapping[str, str]], int]
    params: Mapping[str, Param] | None = field(default_factory=dict)


Routes: TypeAlias = Mapping[str, Mapping[str, Route]]  # by path, then method


def handle(
    routes: Routes, decimals: int, request: HttpRequest, exchange: Exchange, now_ns: int
) -> HttpResponse:
    """The answer to one request, errors included; every answer says what weight the client has used this minute."""
    status, body, content_type, weight = 200, b"", JSON, 0
    route = routes.get(request.path, {}).get(request.method)
    if route is not None:
        weight = 1  # what a request costs whose parameters are wrong
        try:
            unit_ns = time_unit(request.headers.get("x-mbx-time-unit"))
            params = _parameters(route.params, request.query)
            weight = route.weight(params)
            body = route.answer(Call(exchange, now_ns, params, unit_ns, decimals))
        except VenueError as error:
            row = ERRORS[str(error.code)]
            status, body = row.status, row.body(error.params)
    elif request.path in routes:
        status = 405
    elif request.path.startswith(GONE):
        status, body, content_type = 410, GONE_BODY, "text/html"
    else:
        status = 404
    used = str(exchange.usage.charge("weight", WEIGHT_WINDOW_NS, request.client, weight, now_ns))
    return HttpResponse(
        status, body, content_type, (("x-mbx-used-weight", used), ("x-mbx-used-weight-1m", used))
    )


def _parameters(known: Mapping[str, Param] | None, query: str) -> dict[str, str]:
    """The query's parameters, checked in the venue's order: doubles, number, each one in turn, strangers.

    So the live venue answered: https://github.com/sieblyio/binance/issues/507 (doubles, 2025-01),
    https://github.com/binance/binance-api-postman/issues/236 (more than the endpoint has, 2025-01),
    https://github.com/ccxt/node-binance-api/issues/18 (strangers, 2017-12).
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    sent = dict(pairs)
    if known is None:
        return sent
    if len(sent) < len(pairs):
        ((doubled, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise VenueError("DUPLICATE_PARAMETER", name=doubled)
    if len(sent) > len(known):
        raise VenueError("TOO_MANY_PARAMETERS", expected=len(known), received=len(sent))
    for name, param in known.items():
        value = sent.get(name)
        if value == "":
            raise VenueError("EMPTY_PARAMETER", name=name)
        if value is None and param.required:
            raise VenueError("MANDATORY_PARAMETER", name=name)
        if value is not None and not param.pattern.fullmatch(value):
            raise VenueError("ILLEGAL_CHARS", name=name, legal=param.legal)
    strangers = len(sent.keys() - known.keys())
    if strangers:
        raise VenueError("UNREAD_PARAMETERS", read=len(sent) - strangers, sent=len(sent))
    return sent


# ---------------------------------------------------------------- handlers
def ping(_: Call) -> bytes:
    """Nothing, and that the server is there."""
    return b"{}"


def server_time(call: Call) -> bytes:
    """The virtual clock."""
    return orjson.dumps({"serverTime": call.now_ns // call.unit_ns})


def exchange_info(call: Call) -> bytes:
    """The rules of trading, and the symbols asked for: one, several, those with a permission, or all."""
    instruments = [market.instrument for market in call.exchange]
    asked = _symbols(call.params)
    if asked is not None:
        for symbol in asked:
            _market(call.exchange, symbol)
        instruments = [instrument for instrument in instruments if instrument.symbol in asked]
    elif not _permissions(call.params) & set(SPOT_PERMISSIONS):
        instruments = []
    if _status(call.params) != "TRADING":
        instruments = []  # every listed symbol is trading
    permission_sets = call.params.get("showPermissionSets", "true").lower() == "true"
    return orjson.dumps(
        {
            "timezone": "UTC",
            "serverTime": call.now_ns // call.unit_ns,
            "rateLimits": [limit.as_json() for limit in SPOT_RATE_LIMITS],
            "exchangeFilters": [],
            "symbols": [spot_symbol(i, permission_sets) for i in instruments],
        }
    )


def depth(call: Call) -> bytes:
    """The book as of the last boundary of the fastest depth stream."""
    market = _market(call.exchange, call.params["symbol"])
    if _status(call.params) != "TRADING":
        raise VenueError("OTHER_SYMBOL_STATUS")
    book = market.book(call.now_ns // BOOK_CADENCE_NS * BOOK_CADENCE_NS)
    limit = _limit(call.params, 100, 5000)
    one = np.array([book.update_id])
    sides = {
        name: Ragged(np.array([len(ticks[:limit])]), {"price": ticks[:limit], "qty": lots[:limit]})
        for name, ticks, lots in (
            ("bids", book.bid_ticks, book.bid_lots),
            ("asks", book.ask_ticks, book.ask_lots),
        )
    }
    parts = parts_of(SPOT_BOOK, market.instrument, call.decimals, call.unit_ns)
    return encode(parts, {"lastUpdateId": one, **sides})[0]


def recent_trades(call: Call) -> bytes:
    """The newest prints, oldest first."""
    market = _market(call.exchange, call.params["symbol"])
    prints = market.prints_before(call.now_ns, _limit(call.params, 500, 1000))
    rows = {
        "id": prints.trade_id,
        "price": prints.price_ticks,
        "qty": prints.qty_lots,
        "quote": prints.price_ticks * prints.qty_lots,
        "time": prints.ts_ns,
        "maker": (prints.side == Side.SELL).astype(np.int64),
    }
    parts = parts_of(SPOT_REST_TRADE, market.instrument, call.decimals, call.unit_ns)
    return encode(("[", Each("rows", parts), "]"), {"rows": Ragged(np.array([len(prints)]), rows)})[0]


def nothing_listed(_: Call) -> bytes:
    """An empty list, for what exists on the venue and has no content here."""
    return b"[]"


def _market(exchange: Exchange, symbol: str) -> HyperSynthReactor:
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


def _status(params: Mapping[str, str]) -> str:
    status = params.get("symbolStatus", "TRADING")
    if status not in SPOT_STATUSES:
        raise VenueError("BAD_SYMBOL_STATUS")
    return status


def _symbols(params: Mapping[str, str]) -> list[str] | None:
    """The symbols a request selects, None if it does not; selections exclude one another."""
    selections = [name for name in ("symbol", "symbols", "permissions", "symbolStatus") if name in params]
    if len(selections) > 1 and selections != ["permissions", "symbolStatus"]:
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
def _weighs(weight: int) -> Callable[[Mapping[str, str]], int]:
    return lambda _: weight


def _depth_weight(params: Mapping[str, str]) -> int:
    limit = _limit(params, 100, 5000)
    return next(weight for most, weight in DEPTH_WEIGHTS if limit <= most)


DEPTH_WEIGHTS = ((100, 5), (500, 25), (1000, 50), (5000, 250))

# The legal ranges are as the live venue printed them: symbol and symbols 2025-12, numbers 2024. What Java writes
# [\w&&[^a-z]], word characters but lower-case letters, is (?![a-z])\w here.
_NAME = r"(?:(?![a-z])[\w\-.]){1,50}"
SYMBOL = Param(r"^[\w\-._&&[^a-z]]{1,50}$", re.compile(_NAME), required=True)
SYMBOLS = Param(
    r'^\[("[\w\-._&&[^a-z]]{1,50}"(,"[\w\-._&&[^a-z]]{1,50}"){0,}){0,1}\]$',
    re.compile(rf'\[("{_NAME}"(,"{_NAME}")*)?\]'),
)
NUMBER = Param("^[0-9]{1,20}$", re.compile("[0-9]{1,20}"))
WORD = Param("^[A-Z_]{1,20}$", re.compile("[A-Z_]{1,20}"))
FLAG = Param("^(true|false)$", re.compile("(?i:true|false)"))
ANYTHING = Param("^.*$", re.compile("(?s:.*)"))

# https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md, 2026-07-21
SPOT_ROUTES: Routes = {
    "/api/v3/ping": {"GET": Route(ping, _weighs(1))},
    "/api/v3/time": {"GET": Route(server_time, _weighs(1))},
    "/api/v3/exchangeInfo": {
        "GET": Route(
            exchange_info,
            _weighs(20),
            {
                "symbol": Param(SYMBOL.legal, SYMBOL.pattern),
                "symbols": SYMBOLS,
                "permissions": ANYTHING,
                "showPermissionSets": FLAG,
                "symbolStatus": WORD,
            },
        )
    },
    "/api/v3/depth": {
        "GET": Route(depth, _depth_weight, {"symbol": SYMBOL, "limit": NUMBER, "symbolStatus": WORD})
    },
    "/api/v3/trades": {"GET": Route(recent_trades, _weighs(25), {"symbol": SYMBOL, "limit": NUMBER})},
    # what clients with a key ask before their first subscription; counted against other limits than /api
    "/sapi/v1/margin/allPairs": {"GET": Route(nothing_listed, _weighs(0), None)},
    "/sapi/v1/margin/isolated/allPairs": {"GET": Route(nothing_listed, _weighs(0), None)},
    "/sapi/v1/capital/config/getall": {"GET": Route(nothing_listed, _weighs(0), None)},
    "/sapi/v1/asset/tradeFee": {"GET": Route(nothing_listed, _weighs(0), None)},
}

# Removed on 2026-03-25 and 2026-02-20; the length of the body is the one logged in
# https://github.com/oliver-zehentleitner/unicorn-binance-websocket-api/issues/399, 2026-02-20.
GONE = ("/api/v1/", "/api/v3/userDataStream")
GONE_BODY = (
    b"<html>\r\n<head><title>410 Gone</title></head>\r\n<body>\r\n<center><h1>410 Gone</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)

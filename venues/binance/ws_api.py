"""Binance's WebSocket API: requests as frames, answered by the endpoints that answer them over REST.

A method is a row of a table, which leads to the row of an endpoint: its parameters, its weight and its answer are
those. What a client sends is read once, into a `Request` that keeps its parameters as they were sent.
https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-api.md, 2026-07-21;
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-api-general-info, 2026-08.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson

from reactor.exchange.orders import Told
from reactor.types import MS_NS
from venues.base import Action, Exchange, HttpRequest, Reply, VenueError
from venues.binance.rest import (
    SPOT_API,
    SPOT_ROUTES,
    Api,
    Checked,
    Outcome,
    Route,
    check,
    exchange_info,
    settle,
    tickers,
)
from venues.binance.rules import (
    SPOT_RATE_LIMITS,
    SPOT_SESSION,
    SPOT_SOCKET_RATE_LIMITS,
    RateLimit,
    SessionRules,
)
from venues.binance.session import NOT_TEXT, TOO_MANY_REQUESTS, Heartbeat, query_of
from venues.binance.usdm_rest import USDM_API, USDM_ROUTES, socket_book_ticker
from venues.binance.usdm_rules import USDM_RATE_LIMITS, USDM_SESSION
from venues.binance.wire import time_unit
from venues.limits import Moment

SHOW_LIMITS = "returnRateLimits"
BANNED_STATUS = 418


# ---------------------------------------------------------------- the tables of methods
@dataclass(frozen=True, slots=True)
class SocketApi:
    """A card's WebSocket API: its path, its methods by name, and the endpoints' table they are part of.

    A method's name may be preceded by `version`. `weight_limit` is the limit that answers report on.
    """

    path: str
    version: str
    methods: Mapping[str, Route]
    api: Api
    rules: SessionRules
    weight_limit: RateLimit
    connection_weight: int


def _spot(path: str) -> Route:
    return SPOT_ROUTES[f"/api/v3/{path}"]["GET"]


SPOT_METHODS: Mapping[str, Route] = {
    "ping": _spot("ping"),
    "time": _spot("time"),
    "exchangeInfo": replace(_spot("exchangeInfo"), answer=partial(exchange_info, SPOT_SOCKET_RATE_LIMITS)),
    "executionRules": _spot("executionRules"),
    "depth": _spot("depth"),
    "trades.recent": _spot("trades"),
    "trades.historical": _spot("historicalTrades"),
    "trades.aggregate": _spot("aggTrades"),
    "blockTrades.historical": _spot("historicalBlockTrades"),
    "klines": _spot("klines"),
    "uiKlines": _spot("uiKlines"),
    "avgPrice": _spot("avgPrice"),
    "ticker": _spot("ticker"),
    "ticker.24hr": _spot("ticker/24hr"),
    "ticker.tradingDay": _spot("ticker/tradingDay"),
    "ticker.price": _spot("ticker/price"),
    "ticker.book": _spot("ticker/bookTicker"),
    "referencePrice": _spot("referencePrice"),
    "referencePrice.calculation": _spot("referencePrice/calculation"),
}

# https://github.com/binance/binance-connector-python (clients/derivatives_trading_usds_futures/src/*/websocket_api),
# 2026-08-21
USDM_METHODS: Mapping[str, Route] = {
    "depth": USDM_ROUTES["/fapi/v1/depth"]["GET"],
    "ticker.price": USDM_ROUTES["/fapi/v2/ticker/price"]["GET"],
    "ticker.book": replace(
        USDM_ROUTES["/fapi/v1/ticker/bookTicker"]["GET"], answer=partial(tickers, socket_book_ticker)
    ),
}

SPOT_SOCKET_API = SocketApi(
    path="/ws-api/v3",
    version="v3/",
    methods=SPOT_METHODS,
    api=SPOT_API,
    rules=SPOT_SESSION,
    weight_limit=SPOT_RATE_LIMITS[0],
    connection_weight=2,
)
USDM_SOCKET_API = SocketApi(
    path="/ws-fapi/v1",
    version="v1/",
    methods=USDM_METHODS,
    api=USDM_API,
    rules=USDM_SESSION,
    weight_limit=USDM_RATE_LIMITS[0],
    connection_weight=5,
)


# ---------------------------------------------------------------- requests
@dataclass(frozen=True, slots=True)
class Request:
    """A frame that asks for something; `params` are the client's own, but for what they say of the answer's form."""

    id: int | str | None
    method: str
    params: Mapping[str, Any]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters in the text that a query would have."""
        return [(name, _text(value)) for name, value in self.params.items()]


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case _:
            return orjson.dumps(value).decode()


def _request(sent: Mapping[str, Any]) -> Request:
    """Raises VenueError, for anything but the id."""
    params = sent.get("params")
    params = {} if params is None else params
    if not isinstance(sent.get("method"), str):
        raise VenueError("MANDATORY_PARAMETER", name="method")
    if not isinstance(params, dict):
        raise VenueError("MANDATORY_PARAMETER", name="params")
    if not isinstance(params.get(SHOW_LIMITS, True), bool):
        raise VenueError("ILLEGAL_CHARS", name=SHOW_LIMITS, legal="^(true|false)$")
    rest = {name: value for name, value in params.items() if name != SHOW_LIMITS}
    return Request(_id(sent), sent["method"], rest)


def _shows_limits(sent: Mapping[str, Any], default: bool) -> bool:
    params = sent.get("params")
    asked = params.get(SHOW_LIMITS) if isinstance(params, dict) else None
    return asked if isinstance(asked, bool) else default


def _id(sent: Mapping[str, Any]) -> int | str | None:
    """What is neither an integer nor a string is as good as no id."""
    request_id = sent.get("id")
    return request_id if isinstance(request_id, int | str) and not isinstance(request_id, bool) else None


# ---------------------------------------------------------------- the session
class ApiSession:
    """One socket of requests and answers. What a client sends is answered at once; nothing is pushed but pings."""

    def __init__(self, request: HttpRequest, of: SocketApi, exchange: Exchange) -> None:
        """Raises VenueError on a bad time unit."""
        query = query_of(request)
        self._of = of
        self._exchange = exchange
        self._client = request.client
        self._unit = query.get("timeUnit") if of.api.time_units else None
        time_unit(self._unit)
        self._show_limits = query.get(SHOW_LIMITS) != "false"
        self._heartbeat = Heartbeat(of.rules)

    def open(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        at = Moment(now_ns, wall_ns)
        self._heartbeat.start(at)
        self._exchange.usage.charge(self._of.api.weight, self._client, self._of.connection_weight, at)
        return ()

    def receive(self, data: str | bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        if isinstance(data, bytes):
            return (NOT_TEXT,)
        try:
            sent = orjson.loads(data)
        except orjson.JSONDecodeError:
            sent = None
        if not isinstance(sent, dict):
            row = self._of.api.errors["INVALID_JSON"]
            return (Reply(b'{"id":null,"status":%d,"error":%s}' % (row.status, row.body({}))),)
        show_limits = _shows_limits(sent, self._show_limits)
        ask = partial(self._check, sent)
        outcome = settle(self._of.api, self._exchange, self._client, Moment(now_ns, wall_ns), ask)
        reply = Reply(self._envelope(_id(sent), outcome, show_limits, now_ns))
        # "... an automated IP ban and you will be disconnected": .../web-socket-api.md#ip-limits, 2026-07-21
        return (reply, TOO_MANY_REQUESTS) if outcome.status == BANNED_STATUS else (reply,)

    def _check(self, sent: Mapping[str, Any]) -> Checked:
        request = _request(sent)
        route = self._of.methods.get(request.method.removeprefix(self._of.version))
        if route is None:
            raise VenueError("UNSUPPORTED")
        return check(self._of.api, route, request.pairs, self._unit)

    def _envelope(
        self, request_id: int | str | None, outcome: Outcome, show_limits: bool, now_ns: int
    ) -> bytes:
        """An answer: whose it is, what came of it, and what was used of the weight there is."""
        body = outcome.body
        if outcome.retry_ns:
            times = {"serverTime": now_ns // MS_NS, "retryAfter": (now_ns + outcome.retry_ns) // MS_NS}
            body = b'%s,"data":%s}' % (body[:-1], orjson.dumps(times))
        kind = b"result" if outcome.status == 200 else b"error"
        text = b'{"id":%s,"status":%d,"%s":%s' % (orjson.dumps(request_id), outcome.status, kind, body)
        if not show_limits:
            return text + b"}"
        limit = orjson.dumps([{**self._of.weight_limit.as_json(), "count": outcome.used}])
        return b'%s,"rateLimits":%s}' % (text, limit)

    def ping(self, now_ns: int, wall_ns: int) -> Sequence[Action]:  # noqa: ARG002
        return ()

    def pong(self, payload: bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:  # noqa: ARG002
        self._heartbeat.pong(payload)
        return ()

    def closed(self) -> None:
        """Nothing of it outlives the socket."""

    def hear(self, told: Sequence[Told], now_ns: int) -> Sequence[Action]:  # noqa: ARG002  # no accounts yet
        return ()

    def tick(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        return self._heartbeat.tick(Moment(now_ns, wall_ns))

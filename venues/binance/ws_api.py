"""Binance's WebSocket API: requests as frames, answered by the endpoints that answer them over REST.

A method is a row of a table, which leads to the row of an endpoint: its parameters, its weight and its answer are
those. What a client sends is read once, into a `Request` that keeps its parameters as they were sent.
https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-api.md, 2026-07-21;
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-api-general-info, 2026-08.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from reactor.exchange.orders import Told
from reactor.types import MS_NS
from reactor.values import dataclass
from venues.base import (
    Action,
    ApiKey,
    Exchange,
    HttpRequest,
    KeyKind,
    Listen,
    Reply,
    Trading,
    Unlisten,
    VenueError,
)
from venues.binance.rest import (
    SPOT_ROUTES,
    Api,
    Asking,
    Call,
    Outcome,
    Route,
    check,
    exchange_info,
    settle,
    tickers,
    weighs,
)
from venues.binance.rules import (
    SPOT_RATE_LIMITS,
    SPOT_SESSION,
    SPOT_SOCKET_RATE_LIMITS,
    RateLimit,
    SessionRules,
)
from venues.binance.session import NOT_TEXT, TOO_MANY_REQUESTS, Heartbeat, query_of, shutdown_event
from venues.binance.signing import Credentials, Security, authenticate, socket_payload_of
from venues.binance.spot_api import KEYED_ROUTES, SPOT_API
from venues.binance.usdm_api import USDM_API, USDM_SOCKET_TRADES
from venues.binance.usdm_rest import USDM_ROUTES, socket_book_ticker
from venues.binance.usdm_rules import USDM_RATE_LIMITS, USDM_SESSION
from venues.binance.user import Event, spot_events
from venues.binance.wire import time_unit
from venues.limits import Moment

SHOW_LIMITS = "returnRateLimits"
ASIDE = frozenset([SHOW_LIMITS])
BANNED_STATUS = 418


# ---------------------------------------------------------------- the tables of methods
@dataclass(frozen=True, slots=True)
class SocketApi:
    """A card's WebSocket API: its path, its methods by name, and the endpoints' table they are part of.

    A method's name may be preceded by `version`. `weight_limit` is the limit that answers report on; those that count
    orders do only if `weighs_orders`. `own` are the methods of a socket's own state that there are; `events` makes what
    subscribers of an account are sent.
    """

    path: str
    version: str
    methods: Mapping[str, Route]
    api: Api
    rules: SessionRules
    weight_limit: RateLimit
    connection_weight: int
    own: frozenset[str] = frozenset()
    weighs_orders: bool = True
    events: Callable[[Exchange, Trading, Told, int], Iterator[Event]] | None = None


def _spot(path: str) -> Route:
    return SPOT_ROUTES[f"/api/v3/{path}"]["GET"]


def _trade(path: str, method: str = "GET") -> Route:
    return KEYED_ROUTES[f"/api/v3/{path}"][method]


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
    "order.place": _trade("order", "POST"),
    "order.test": _trade("order/test", "POST"),
    "order.status": _trade("order"),
    "order.cancel": _trade("order", "DELETE"),
    "order.cancelReplace": _trade("order/cancelReplace", "POST"),
    "order.amend.keepPriority": _trade("order/amend/keepPriority", "PUT"),
    "openOrders.status": _trade("openOrders"),
    "openOrders.cancelAll": _trade("openOrders", "DELETE"),
    "allOrders": _trade("allOrders"),
    "myTrades": _trade("myTrades"),
    "account.status": _trade("account"),
    "account.commission": _trade("account/commission"),
    "myAllocations": _trade("myAllocations"),
    "account.rateLimits.orders": _trade("rateLimit/order"),
    "orderList.status": _trade("orderList"),
    "orderList.cancel": _trade("orderList", "DELETE"),
    "openOrderLists.status": _trade("openOrderList"),
    "allOrderLists": _trade("allOrderList"),
    **{
        f"orderList.place.{kind}": _trade(f"orderList/{kind}", "POST")
        for kind in ("oco", "oto", "otoco", "opo")
    },
    "sor.order.place": _trade("sor/order", "POST"),
    "sor.order.test": _trade("sor/order/test", "POST"),
}

# https://github.com/binance/binance-connector-python (clients/derivatives_trading_usds_futures/src/*/websocket_api),
# 2026-08-21
USDM_METHODS: Mapping[str, Route] = {
    "depth": USDM_ROUTES["/fapi/v1/depth"]["GET"],
    "ticker.price": USDM_ROUTES["/fapi/v2/ticker/price"]["GET"],
    "ticker.book": replace(
        USDM_ROUTES["/fapi/v1/ticker/bookTicker"]["GET"], answer=partial(tickers, socket_book_ticker)
    ),
    **USDM_SOCKET_TRADES,
}

SPOT_SOCKET_API = SocketApi(
    path="/ws-api/v3",
    version="v3/",
    methods=SPOT_METHODS,
    api=SPOT_API,
    rules=SPOT_SESSION,
    weight_limit=SPOT_RATE_LIMITS[0],
    connection_weight=2,
    own=frozenset(
        [
            "session.logon",
            "session.status",
            "session.logout",
            "session.subscriptions",
            "userDataStream.subscribe",
            "userDataStream.subscribe.signature",
            "userDataStream.unsubscribe",
        ]
    ),
    events=spot_events,
)
USDM_SOCKET_API = SocketApi(
    path="/ws-fapi/v1",
    version="v1/",
    methods=USDM_METHODS,
    api=USDM_API,
    rules=USDM_SESSION,
    weight_limit=USDM_RATE_LIMITS[0],
    connection_weight=5,
    own=frozenset(["session.logon", "session.status", "session.logout"]),
    weighs_orders=False,
)


# ---------------------------------------------------------------- requests
@dataclass(frozen=True, slots=True)
class Request:
    """A frame that asks for something; `params` are the client's own, in the text that a query would have."""

    method: str
    params: Mapping[str, str]


def _text(value: Any) -> str:
    if type(value) is int:
        return str(value)
    return "" if value is None else orjson.dumps(value).decode()


def _request(sent: Mapping[str, Any]) -> Request:
    """Raises VenueError."""
    params = sent.get("params")
    params = {} if params is None else params
    if not isinstance(sent.get("method"), str):
        raise VenueError("MANDATORY_PARAMETER", name="method")
    if not isinstance(params, dict):
        raise VenueError("MANDATORY_PARAMETER", name="params")
    if not isinstance(params.get(SHOW_LIMITS, True), bool):
        raise VenueError("ILLEGAL_CHARS", name=SHOW_LIMITS, legal="^(true|false)$")
    texts = {name: value if isinstance(value, str) else _text(value) for name, value in params.items()}
    return Request(sent["method"], texts)


def _shows_limits(sent: Mapping[str, Any], default: bool) -> bool:
    params = sent.get("params")
    asked = params.get(SHOW_LIMITS) if isinstance(params, dict) else None
    return asked if isinstance(asked, bool) else default


def _id(sent: Mapping[str, Any]) -> int | str | None:
    """What is neither an integer nor a string is as good as no id."""
    request_id = sent.get("id")
    return request_id if isinstance(request_id, int | str) and not isinstance(request_id, bool) else None


# ---------------------------------------------------------------- the session
MOST_SUBSCRIPTIONS = 1_000  # at a time
LAST_SUBSCRIPTION = 65_535  # in a session's life
OWN_WEIGHT = 2


class ApiSession:
    """One socket of requests and answers, which may be logged on with a key, and may subscribe to accounts' events."""

    def __init__(self, request: HttpRequest, of: SocketApi, exchange: Exchange) -> None:
        """Raises VenueError on a bad time unit."""
        query = query_of(request)
        self._of = of
        self._exchange = exchange
        self._client = request.client
        self._unit = query.get("timeUnit") if of.api.time_units else None
        self._unit_ns = time_unit(self._unit)
        self._show_limits = query.get(SHOW_LIMITS) != "false"
        self._heartbeat = Heartbeat(of.rules)
        self._connected_ns = 0
        self._key: ApiKey | None = None  # that it is logged on with
        self._authorized_ns = 0
        self._subscriptions: dict[int, str] = {}  # accounts by subscription
        self._logon_subscription: int | None = None
        self._next_subscription = 0
        self._more: list[Action] = []  # what follows the answer
        self._own: Mapping[str, Callable[[Request, Moment], object]] = {
            "session.logon": self._logon,
            "session.status": self._status,
            "session.logout": self._logout,
            "session.subscriptions": self._list_subscriptions,
            "userDataStream.subscribe": self._subscribe,
            "userDataStream.subscribe.signature": self._subscribe_signed,
            "userDataStream.unsubscribe": self._unsubscribe,
        }

    # ---- what the gateway calls
    def open(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        at = Moment(now_ns, wall_ns)
        self._heartbeat.start(at)
        self._connected_ns = now_ns
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
        show_limits, at = _shows_limits(sent, self._show_limits), Moment(now_ns, wall_ns)
        self._more = []
        outcome = settle(self._of.api, self._exchange, self._client, at, partial(self._check, sent, at))
        limits = self._limits(outcome) if show_limits else None
        reply = Reply(_envelope(_id(sent), outcome, limits, now_ns))
        # "... an automated IP ban and you will be disconnected": .../web-socket-api.md#ip-limits, 2026-07-21
        return (reply, TOO_MANY_REQUESTS) if outcome.status == BANNED_STATUS else (reply, *self._more)

    def hear(self, told: Sequence[Told], now_ns: int) -> Sequence[Action]:  # noqa: ARG002
        trading, events = self._exchange.trading, self._of.events
        if trading is None or events is None:
            return ()
        return [
            Reply(_event(subscription, event))
            for each in told
            for subscription, account in self._subscriptions.items()
            if account == each.account
            for event in events(self._exchange, trading, each, self._unit_ns)
        ]

    def ping(self, now_ns: int, wall_ns: int) -> Sequence[Action]:  # noqa: ARG002
        return ()

    def pong(self, payload: bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:  # noqa: ARG002
        self._heartbeat.pong(payload)
        return ()

    def farewell(self, now_ns: int) -> Sequence[Action]:
        if not self._of.rules.tells_shutdown:
            return ()
        return (Reply(b'{"event":%s}' % shutdown_event(now_ns // time_unit(self._unit))),)

    def closed(self) -> None:
        """Nothing of it outlives the socket."""

    def tick(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        return self._heartbeat.tick(Moment(now_ns, wall_ns))

    # ---- answering
    def _check(self, sent: Mapping[str, Any], at: Moment) -> Call:
        request = _request(sent)
        name = request.method.removeprefix(self._of.version)
        if name in self._of.own:
            own = self._own_route(name, request, at)
            return Call(self._exchange, at.now_ns, {}, self._unit_ns, self._of.api, own, at)
        route = self._of.methods.get(name)
        if route is None:
            raise VenueError("UNSUPPORTED")
        asking = Asking(self._credentials(request, at), self._unit, ASIDE)
        return check(self._of.api, route, asking, self._exchange)

    def _own_route(self, name: str, request: Request, at: Moment) -> Route:
        return Route(lambda _: orjson.dumps(self._own[name](request, at)), weighs(OWN_WEIGHT), None)

    def _credentials(self, request: Request, at: Moment) -> Credentials:
        return Credentials(
            key=request.params.get("apiKey", ""),
            params=request.params,
            payload=socket_payload_of(request.params),
            client=self._client,
            at=at,
            session=self._key,
            key_name="apiKey",
        )

    def _limits(self, outcome: Outcome) -> bytes:
        """What an answer says of the limits that it counts against.

        As recorded by https://github.com/roq-trading/roq-binance and roq-binance-futures
        (test/json_wsapi_order_place.cpp, 2026-01 and 2025-12): spot tells of orders first, USD-M of a weight of none.
        """
        weight, usage = self._of.weight_limit, self._exchange.usage
        if outcome.orders is None:
            return b"[%s]" % weight.counted_json(usage, outcome.used)
        limits = self._of.api.order_limits
        rows = [limit.counted_json(usage, n) for limit, n in zip(limits, outcome.orders, strict=True)]
        if self._of.weighs_orders:
            rows.append(weight.counted_json(usage, outcome.used))
        else:
            rows.insert(0, orjson.dumps({**weight.as_json(usage), "limit": -1, "count": -1}))
        return b"[%s]" % b",".join(rows)

    # ---- methods of the socket's own state: each raises VenueError and then has changed nothing
    def _authenticated(self, request: Request, at: Moment) -> ApiKey:
        caller = authenticate(self._credentials(request, at), Security.USER_DATA, self._exchange)
        assert caller is not None
        return caller.key

    def _logon(self, request: Request, at: Moment) -> object:
        for name in ("apiKey", "signature"):
            if not request.params.get(name):
                raise VenueError("MANDATORY_PARAMETER", name=name)
        key = self._authenticated(request, at)
        if key.kind is not KeyKind.ED25519:
            raise VenueError("KEY_KIND", kind=KIND_WORDS[key.kind])
        self._key, self._authorized_ns = key, at.now_ns
        return self._status(request, at)

    def _status(self, request: Request, at: Moment) -> object:
        key = self._key
        subscribed = {"userDataStream": bool(self._subscriptions)} if self._of.events else {}
        return {
            "apiKey": key.key if key else None,
            "authorizedSince": self._authorized_ns // self._unit_ns if key else None,
            "connectedSince": self._connected_ns // self._unit_ns,
            "returnRateLimits": _flag(request.params.get(SHOW_LIMITS), self._show_limits),
            "serverTime": at.now_ns // self._unit_ns,
            **subscribed,
        }

    def _logout(self, request: Request, at: Moment) -> object:
        self._key = None
        if self._logon_subscription in self._subscriptions:
            self._end(self._logon_subscription, at)
        return self._status(request, at)

    def _list_subscriptions(self, _request: Request, _at: Moment) -> object:
        return [{"subscriptionId": subscription} for subscription in self._subscriptions]

    def _subscribe(self, _request: Request, _at: Moment) -> object:
        if self._key is None:
            raise VenueError("MANDATORY_PARAMETER", name="apiKey")
        answer = self._listen(self._key.account)
        self._logon_subscription = self._next_subscription - 1
        return answer

    def _subscribe_signed(self, request: Request, at: Moment) -> object:
        for name in ("apiKey", "signature"):
            if not request.params.get(name):
                raise VenueError("MANDATORY_PARAMETER", name=name)
        return self._listen(self._authenticated(request, at).account)

    def _listen(self, account: str) -> object:
        if account in self._subscriptions.values():
            raise VenueError("SUBSCRIBED")
        if len(self._subscriptions) >= MOST_SUBSCRIPTIONS or self._next_subscription >= LAST_SUBSCRIPTION:
            raise VenueError("LAST_SUBSCRIPTION")
        subscription, self._next_subscription = self._next_subscription, self._next_subscription + 1
        self._subscriptions[subscription] = account
        self._more.append(Listen(account))
        return {"subscriptionId": subscription}

    def _unsubscribe(self, request: Request, at: Moment) -> object:
        asked = request.params.get("subscriptionId")
        if asked is None:
            ended = list(self._subscriptions)
        elif asked.isdecimal() and int(asked) in self._subscriptions:
            ended = [int(asked)]
        else:
            raise VenueError("NOT_SUBSCRIBED")
        for subscription in ended:
            self._end(subscription, at)
        return {}

    def _end(self, subscription: int, at: Moment) -> None:
        account = self._subscriptions.pop(subscription)
        event = {"e": "eventStreamTerminated", "E": at.now_ns // self._unit_ns}
        self._more += Unlisten(account), Reply(_event(subscription, event))


# https://github.com/binance/binance-spot-api-docs/blob/master/faqs/api_key_types.md, 2026-07-21
KIND_WORDS = {KeyKind.HMAC: "HMAC_SHA256", KeyKind.RSA: "RSA", KeyKind.ED25519: "Ed25519"}


def _flag(text: str | None, default: bool) -> bool:
    return default if text is None else text == "true"


def _event(subscription: int, event: Event) -> bytes:
    return orjson.dumps({"subscriptionId": subscription, "event": event})


def _envelope(request_id: int | str | None, outcome: Outcome, limits: bytes | None, now_ns: int) -> bytes:
    """An answer: whose it is, what came of it, and what it says of limits unless this is None."""
    body = outcome.body
    if outcome.retry_ns:
        until_ns = outcome.until_ns or now_ns + outcome.retry_ns
        times = {"serverTime": now_ns // MS_NS, "retryAfter": until_ns // MS_NS}
        body = b'%s,"data":%s}' % (body[:-1], orjson.dumps(times))
    kind = b"result" if outcome.status == 200 else b"error"
    text = b'{"id":%s,"status":%d,"%s":%s' % (orjson.dumps(request_id), outcome.status, kind, body)
    return text + b"}" if limits is None else b'%s,"rateLimits":%s}' % (text, limits)

"""The dialogue of one Binance market-data socket: paths, control messages, pings.

Sans-I/O: text in, actions out, and whatever a client sends, the answer is the venue's own.
https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md, 2026-07-21.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeAlias
from urllib.parse import unquote

import orjson

from reactor.exchange.orders import Told
from reactor.types import MS_NS
from reactor.values import dataclass
from venues.base import (
    Action,
    Close,
    HttpRequest,
    Listen,
    Ping,
    Reply,
    Subscribe,
    Topic,
    Unlisten,
    Unsubscribe,
    VenueError,
)
from venues.binance.rules import METHODS, SessionRules, socket_error
from venues.binance.usdm_rules import CATEGORIES, PUBLIC
from venues.binance.wire import COMBINED, MICROSECONDS, US_NS, time_unit
from venues.limits import Moment, Usage

MAX_ID_CHARS = 36

# As logged in https://github.com/binance/binance-connector-js/issues/530 (2025-10) and
# https://github.com/ccxt/php-binance-api/issues/453 (2021-10); the others are not documented.
TOO_MANY_REQUESTS = Close(1008, "Too many requests")
PONG_TIMEOUT = Close(1008, "Pong timeout")
TOO_MANY_STREAMS = Close(1008, "Too many subscriptions")
NOT_TEXT = Close(1003, "Binary frames are not supported")


# ---------------------------------------------------------------- the handshake
@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path a socket may be opened on: with or without the combined envelope, and with or without streams after it.

    `category` is the one its streams are of, where the venue keeps categories apart.
    """

    path: str
    combined: bool
    tail: bool
    category: str = ""


# Longest first. /stream/ws is raw: clients that tell spot by "/stream" in the URL are pointed at it. A tail that names
# no stream is ignored, because some clients number their sockets there.
SPOT_ENDPOINTS = (
    Endpoint("/stream/ws", combined=False, tail=True),
    Endpoint("/stream", combined=True, tail=False),
    Endpoint("/ws", combined=False, tail=True),
)
# Under a category, and as before 2026-04-23. A user's key after /ws names no stream here.
USDM_ENDPOINTS = tuple(
    Endpoint(prefix + path, combined, tail=not combined, category=category)
    for prefix, category in (*((f"/{category}", category) for category in CATEGORIES), ("", PUBLIC))
    for path, combined in (("/stream", True), ("/ws", False))
)


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a socket was opened with. Of an account's events it is told those named, of none named all."""

    endpoint: Endpoint
    dress: tuple[str, ...]
    names: tuple[str, ...]
    events: tuple[str, ...] = ()


def query_of(request: HttpRequest) -> dict[str, str]:
    """A handshake's parameters."""
    pairs = (pair.partition("=") for pair in request.query.split("&"))
    return {unquote(key): unquote(value) for key, _, value in pairs}


def handshake(request: HttpRequest, endpoints: Sequence[Endpoint], time_units: bool) -> Handshake | None:
    """Read a WebSocket request; None if there is no such path.

    With `time_units` a client may choose the unit of times. Raises VenueError on a bad one.
    """
    path, query = request.path.rstrip("/"), query_of(request)
    for endpoint in endpoints:
        if path == endpoint.path or (endpoint.tail and path.startswith(endpoint.path + "/")):
            dress = (MICROSECONDS,) if time_units and time_unit(query.get("timeUnit")) == US_NS else ()
            listed = query.get("streams", "") if endpoint.combined else path.removeprefix(endpoint.path)
            names = tuple(name for name in [*listed.split("/"), query.get("listenKey", "")] if name)
            events = tuple(name for name in query.get("events", "").split("/") if name)
            return Handshake(endpoint, dress, names, events)
    return None


class Heartbeat:
    """The server's pings of one socket, and the deadline of their answers."""

    def __init__(self, rules: SessionRules) -> None:
        self._rules = rules
        self._pings: deque[tuple[bytes, Moment]] = deque()  # unanswered; the pong deadline bounds them
        self._pinged = Moment(0, 0)

    def start(self, at: Moment) -> None:
        """The socket is open."""
        self._pinged = at

    def pong(self, payload: bytes) -> None:
        """An answer to a ping, and to those before it; one to none is nothing."""
        if payload in (sent for sent, _ in self._pings):
            while self._pings.popleft()[0] != payload:
                pass

    def tick(self, at: Moment) -> Sequence[Action]:
        """The next ping when it is due, or the end when one was not answered in time."""
        if self._pings and at.surely_since(self._pings[0][1]) >= self._rules.pong_within_ns:
            return (PONG_TIMEOUT,)
        if at.surely_since(self._pinged) < self._rules.ping_every_ns:
            return ()
        self._pinged = at
        self._pings.append((b"%d" % (at.now_ns // MS_NS), at))
        return (Ping(self._pings[-1][0]),)


def shutdown_event(time: int) -> bytes:
    """That the server is about to shut down: .../web-socket-streams.md#server-shutdown, 2026-07-21."""
    return b'{"e":"serverShutdown","E":%d}' % time


# ---------------------------------------------------------------- the session
# From a stream's name and its dress to its topic, None if it is silent; raises VenueError if it is malformed.
TopicOf: TypeAlias = Callable[[str, tuple[str, ...]], Topic | None]


class UserStreams(Protocol):
    """What a socket may ask of listen keys, which are names of streams too."""

    def is_key(self, name: str) -> bool:
        """Whether a name looks like a key."""
        ...

    def account(self, key: str) -> str | None:
        """The account of a key that is valid; None for any other."""
        ...

    def events(self, account: str, key: str, told: Sequence[Told]) -> Iterator[Mapping[str, Any]]:
        """What news mean to who listens to an account by a key."""
        ...


class BinanceSession:
    """One socket. Streams without a topic, of symbols that are not listed say, are acknowledged and remembered."""

    def __init__(
        self,
        opened: Handshake,
        rules: SessionRules,
        topic_of: TopicOf,
        usage: Usage,
        client: str,
        user: UserStreams | None = None,
    ) -> None:
        self._rules = rules
        self._user = user
        self._events = opened.events
        self._accounts: dict[str, str] = {}  # by listen key
        self._topic_of = topic_of
        self._combined = opened.endpoint.combined
        self._dress = opened.dress
        self._asked = opened.names
        self._topics: dict[str, Topic | None] = {}  # by stream name, in order of subscription
        self._streams = usage.allowed(rules.streams)
        self._charge = usage.meter(rules.messages, client)
        self._heartbeat = Heartbeat(rules)
        self._methods: Mapping[str, Callable[[Any], tuple[Any, list[Action]]]] = {
            "SUBSCRIBE": self._subscribe,
            "UNSUBSCRIBE": self._unsubscribe,
            "LIST_SUBSCRIPTIONS": self._list_subscriptions,
            "SET_PROPERTY": self._set_property,
            "GET_PROPERTY": self._get_property,
        }

    # ---- what the gateway calls
    def open(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        self._heartbeat.start(Moment(now_ns, wall_ns))
        actions: list[Action] = []
        for name in self._asked:
            try:
                actions += self._subscribe([name])[1]
            except VenueError as error:
                if error.code == "TOO_MANY_SUBSCRIPTIONS":
                    return (TOO_MANY_STREAMS,)
        return actions

    def receive(self, data: str | bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        if self._charge(Moment(now_ns, wall_ns)).refused:
            return (TOO_MANY_REQUESTS,)
        if isinstance(data, bytes):
            return (NOT_TEXT,)
        echo: dict[str, Any] = {}
        try:
            request = _request(data)
            echo = {"id": _request_id(request)}
            result, actions = self._methods[request["method"]](request.get("params"))
        except VenueError as error:
            return (Reply(orjson.dumps(socket_error(error, echo, self._rules.flat_errors))),)
        return (Reply(orjson.dumps({"result": result, **echo})), *actions)

    def ping(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        return (TOO_MANY_REQUESTS,) if self._charge(Moment(now_ns, wall_ns)).refused else ()

    def pong(self, payload: bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        if self._charge(Moment(now_ns, wall_ns)).refused:
            return (TOO_MANY_REQUESTS,)
        self._heartbeat.pong(payload)
        return ()

    def hear(self, told: Sequence[Told], now_ns: int) -> Sequence[Action]:  # noqa: ARG002
        if self._user is None:
            return ()
        return [
            Reply(orjson.dumps({"stream": key, "data": event} if self._combined else event))
            for key, account in self._accounts.items()
            for event in self._user.events(account, key, told)
            if not self._events or event["e"] in self._events
        ]

    def tick(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        return self._heartbeat.tick(Moment(now_ns, wall_ns))

    def farewell(self, now_ns: int) -> Sequence[Action]:
        if not self._rules.tells_shutdown:
            return ()
        said = shutdown_event(now_ns // (US_NS if MICROSECONDS in self._dress else MS_NS))
        return (Reply(b'{"stream":"!serverShutdown","data":%s}' % said if self._combined else said),)

    def closed(self) -> None:
        """Nothing of it outlives the socket."""

    # ---- control methods: params -> (result, actions). Each raises VenueError and then has changed nothing.
    def _subscribe(self, params: Any) -> tuple[None, list[Action]]:
        topics = {name: self._topic(name) for name in _strings(params)}
        new = {name: topic for name, topic in topics.items() if name not in self._topics}
        if len(self._topics) + len(new) > self._streams:
            raise VenueError("TOO_MANY_SUBSCRIPTIONS")
        self._topics |= new
        return None, [*(Subscribe(topic) for topic in new.values() if topic), *self._listen(new)]

    def _listen(self, names: Iterable[str]) -> Iterator[Action]:
        """To the accounts of the keys among these names. A key that is not valid is silent."""
        for name in names:
            account = self._user.account(name) if self._user and self._user.is_key(name) else None
            if account is not None:
                self._accounts[name] = account
                yield Listen(account)

    def _unsubscribe(self, params: Any) -> tuple[None, list[Action]]:
        names = _strings(params)
        for name in names:
            self._topic(name)  # a malformed name is refused here too
        gone = [self._topics.pop(name, None) for name in names]
        accounts = [self._accounts.pop(name) for name in names if name in self._accounts]
        return None, [
            *(Unsubscribe(topic) for topic in gone if topic),
            *(Unlisten(account) for account in accounts if account not in self._accounts.values()),
        ]

    def _list_subscriptions(self, params: Any) -> tuple[list[str], list[Action]]:
        if params:
            raise VenueError("TOO_MANY_PARAMETERS")
        return list(self._topics), []

    def _get_property(self, params: Any) -> tuple[bool, list[Action]]:
        _property(params, 1)
        return self._combined, []

    def _set_property(self, params: Any) -> tuple[None, list[Action]]:
        values = _property(params, 2)
        if len(values) < 2 or not isinstance(values[1], bool):
            raise VenueError("NOT_A_BOOLEAN")
        before, self._combined = self._topics, values[1]
        self._topics = {
            name: topic and replace(topic, dress=self._dressed()) for name, topic in before.items()
        }
        changed = [
            (old, new) for old, new in zip(before.values(), self._topics.values(), strict=True) if old != new
        ]
        return None, [
            *(Unsubscribe(old) for old, _ in changed if old),
            *(Subscribe(new, snapshot=False) for _, new in changed if new),
        ]

    def _dressed(self) -> tuple[str, ...]:
        return ((COMBINED,) if self._combined else ()) + self._dress

    def _topic(self, name: str) -> Topic | None:
        if self._user is not None and self._user.is_key(name):
            return None
        return self._topic_of(name, self._dressed())


# ---------------------------------------------------------------- reading control messages
def _request(text: str) -> dict[str, Any]:
    """The control message, an object with a known method; errors name the place where a parser stops."""
    try:
        request = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise VenueError("INVALID_JSON", line=error.lineno, column=error.colno) from None
    if not isinstance(request, dict) or "method" not in request:
        raise VenueError("NO_METHOD", **_position(text, len(text)))
    method = request["method"]
    if method not in METHODS:
        found = re.search(r'"method"\s*:\s*"[^"]*"', text)
        raise VenueError(
            "UNKNOWN_METHOD", method=method, **_position(text, found.end() if found else len(text))
        )
    return request


def _position(text: str, end: int) -> dict[str, object]:
    lines = text[:end].split("\n")
    return {"line": len(lines), "column": len(lines[-1])}


def _request_id(request: Mapping[str, Any]) -> int | str | None:
    """A signed 64-bit integer, a string of at most 36 characters, or null; it must be there."""
    request_id = request.get("id", ...)
    if (
        request_id is None
        or (type(request_id) is int and -(1 << 63) <= request_id < 1 << 63)
        or (isinstance(request_id, str) and len(request_id) <= MAX_ID_CHARS)
    ):
        return request_id
    raise VenueError("REQUEST_ID")


def _strings(params: Any) -> list[str]:
    if not isinstance(params, list):
        raise VenueError("NOT_AN_ARRAY")
    if not all(isinstance(name, str) for name in params):
        raise VenueError("INVALID_STREAM")
    return params


def _property(params: Any, at_most: int) -> list[Any]:
    """The parameters of a property call, of which the first names the only property there is."""
    values = params if isinstance(params, list) else []
    if not values or not isinstance(values[0], str):
        raise VenueError("PROPERTY_NAME")
    if len(values) > at_most:
        raise VenueError("TOO_MANY_PARAMETERS")
    if values[0] != "combined":
        raise VenueError("UNKNOWN_PROPERTY")
    return values

"""The dialogue of one Hyperliquid socket: subscriptions, pings, and requests posted over it.

Text in, actions out. It keeps what the client subscribed and when the venue last had something to say; it never raises
on what a client sends, and knows neither the socket nor the clock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from reactor.exchange.orders import Told
from venues.base import (
    CUT,
    Action,
    Exchange,
    Listen,
    Reply,
    Subscribe,
    Topic,
    Unlisten,
    Unsubscribe,
    VenueError,
)
from venues.hyperliquid import rest
from venues.hyperliquid.info_user import CHANNELS, first_words, mention, news
from venues.hyperliquid.rules import (
    BOOK,
    CANDLE,
    COIN,
    DEX,
    IDLE_NS,
    MAIN_DEX,
    MESSAGES,
    SUBSCRIPTIONS,
    Card,
    Field,
    MalformedError,
    Shape,
    dexs_of,
    is_flag,
    is_object,
    is_text,
    is_unsigned,
    parse,
    read,
    render,
    tag,
    valid_grouping,
)
from venues.hyperliquid.wire import make_channel, topic
from venues.hyperliquid.wire_user import Book
from venues.limits import Moment

GREETING = Reply(b"Websocket connection established.")  # no JSON
USERS_MAX = 10  # .../rate-limits-and-user-limits (2026-11)
PONG = Reply(b'{"channel":"pong"}')
METHODS: Final = ("subscribe", "unsubscribe", "post", "ping")
SUBSCRIPTION: Final[Shape] = {"subscription": Field(is_object)}
POST: Final[Shape] = {"id": Field(is_unsigned), "request": Field(is_object)}
POSTED: Final[Shape] = {"type": Field(is_text), "payload": Field(is_object)}


class HyperliquidSession:
    """One client's dialogue."""

    def __init__(
        self, card: Card, exchange: Exchange, client: str, program: str = "", *, greets: bool = False
    ) -> None:
        self._card = card
        self._greets = greets
        self._exchange = exchange
        self._client = client
        self._program = program
        self._topics: set[Topic] = set()
        self._accounts: dict[
            Topic, Mapping[str, Any]
        ] = {}  # whose channels tell of an account, and their fields
        self._sent = Moment(0, 0)
        flag = {"fast": Field(is_flag, False)} if True in card.profile.books else {}
        self._shapes: Mapping[str, Shape] = {
            "l2Book": {**BOOK, **flag},
            "bbo": COIN,
            "trades": COIN,
            "candle": CANDLE,
            "activeAssetCtx": COIN,
            "allMids": DEX,
            "assetCtxs": DEX,
            "allDexsAssetCtxs": {},
            "spotAssetCtxs": {},
            "outcomeMetaUpdates": {},
            **({"fastAssetCtxs": {}} if flag else {}),  # both came with the slower feeds
            **CHANNELS,
        }

    def open(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        self._sent = Moment(now_ns, wall_ns)
        return [GREETING] if self._greets else ()

    def receive(self, data: str | bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        self._sent = Moment(now_ns, wall_ns)  # whatever is said is answered
        charge = self._exchange.usage.charge(MESSAGES, self._client, 1, self._sent)
        if charge.refused:
            return [_error(VenueError("too_many_messages", limit=charge.allowed))]
        try:
            return self._answer(data, self._sent)
        except VenueError as error:
            return [_error(error)]
        except MalformedError:
            text = data if isinstance(data, str) else data.decode(errors="replace")
            return [_error(VenueError("malformed", request=text))]

    def pong(self, payload: bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:  # noqa: ARG002
        return ()  # nothing depends on the client's pongs

    def ping(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        self._sent = Moment(now_ns, wall_ns)  # the gateway's pong
        return ()

    def hear(self, told: Sequence[Told], now_ns: int) -> Sequence[Action]:
        words: list[tuple[str, Any]] = []
        for of, fields in self._accounts.items():
            mine = [each for each in told if each.account == of.symbol]
            if mine:
                words += news(self._book, of.channel, fields, mine, now_ns)
        if words:
            self._sent = Moment(now_ns, self._sent.wall_ns)
        return [_push(channel, data) for channel, data in words]

    def farewell(self, now_ns: int) -> Sequence[Action]:  # noqa: ARG002
        return ()

    def tick(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        if Moment(now_ns, wall_ns).surely_since(self._sent) < IDLE_NS:
            return ()
        # Streams are asked only now. Their last frame's wall time is unknown: taking it for now cuts late, never early.
        spoke_ns = max((self._last_due_ns(t, now_ns) for t in self._topics), default=0)
        if spoke_ns <= self._sent.now_ns:
            return [CUT]
        self._sent = Moment(spoke_ns, wall_ns)
        return ()

    def closed(self) -> None:
        self._exchange.usage.release(SUBSCRIPTIONS, self._client, len(self._topics) + len(self._accounts))

    @property
    def _book(self) -> Book:
        return Book(self._card, self._exchange)

    def _last_due_ns(self, of: Topic, now_ns: int) -> int:
        return make_channel(of, self._exchange, self._card).last_due_ns(now_ns)

    # ------------------------------------------------------------ requests; MalformedError quotes them
    def _answer(self, data: str | bytes, at: Moment) -> Sequence[Action]:
        request = parse(data)
        match tag(request, "method", METHODS):
            case "subscribe":
                return self._subscribe(request, at.now_ns)
            case "unsubscribe":
                return self._unsubscribe(request)
            case "post":
                return self._post(request, at)
        return [PONG]

    def _subscribe(self, request: Any, now_ns: int) -> Sequence[Action]:
        of, echo, offered = self._subscription(request)
        if not offered and self._card.profile.cuts_unknown:
            return [CUT]
        if of in self._topics or of in self._accounts:
            raise VenueError("already_subscribed", subscription=_text(echo))
        if of.channel in CHANNELS and len({*(each.symbol for each in self._accounts), of.symbol}) > USERS_MAX:
            raise VenueError("too_many_users", limit=USERS_MAX)
        if not self._exchange.usage.hold(SUBSCRIPTIONS, self._client):
            limit = self._exchange.usage.allowed(SUBSCRIPTIONS)
            raise VenueError("too_many_subscriptions", limit=limit)
        if of.channel in CHANNELS:
            mention(self._book, of.symbol, now_ns, f"{self._client} {self._program}")
            self._accounts[of] = fields = read(CHANNELS[of.channel], request["subscription"])
            words = first_words(self._book, of.channel, fields, now_ns)
            told = [_push(channel, data) for channel, data in words]
            return [_acknowledgement("subscribe", echo), Listen(of.symbol, of.channel), *told]
        self._topics.add(of)
        return [_acknowledgement("subscribe", echo), Subscribe(of)]

    def _unsubscribe(self, request: Any) -> Sequence[Action]:
        of, echo, _ = self._subscription(request)
        if of not in self._topics and of not in self._accounts:
            raise VenueError("already_unsubscribed", subscription=_text(echo))
        self._exchange.usage.release(SUBSCRIPTIONS, self._client)
        if of in self._topics:
            self._topics.remove(of)
            return [_acknowledgement("unsubscribe", echo), Unsubscribe(of)]
        del self._accounts[of]
        others = any(each.symbol == of.symbol for each in self._accounts)
        return [_acknowledgement("unsubscribe", echo), *([] if others else [Unlisten(of.symbol)])]

    def _subscription(self, request: Any) -> tuple[Topic, dict[str, Any], bool]:
        """The topic; the subscription as the venue repeats it: in its own order, defaults added, nothing lost; and
        whether there is such a thing. Where the profile tells of what there is not, VenueError.
        """
        given = read(SUBSCRIPTION, request)["subscription"]
        kind = tag(given, "type", self._shapes)
        shape = self._shapes[kind]
        fields = read(shape, given)
        if "user" in fields:
            fields["user"] = fields["user"].lower()
        echo = {"type": kind}
        echo |= {name: value for name, value in fields.items() if name in given or shape[name].repeated}
        echo |= {name: value for name, value in given.items() if name not in echo}
        listed = "coin" not in fields or fields["coin"] in self._exchange.markets
        grouped = valid_grouping(fields.get("nSigFigs"), fields.get("mantissa"))
        dexs = (dex.name for dex in dexs_of(self._card, self._exchange))
        known = fields.get("dex", MAIN_DEX) in (MAIN_DEX, *dexs)
        offered = listed and grouped and known
        if not offered and not self._card.profile.cuts_unknown:
            raise VenueError("invalid_subscription", subscription=_text(echo))
        if kind in CHANNELS:
            options = tuple(f"{name}={value}" for name, value in fields.items() if name != "user")
            return Topic(kind, fields["user"], options), echo, offered
        return topic(kind, fields), echo, offered

    def _post(self, request: Any, at: Moment) -> Sequence[Action]:
        post = read(POST, request)
        posted = read(POSTED, post["request"])
        view = rest.View(self._card, self._exchange, self._client, at, self._program)
        response = rest.post(view, posted["type"], posted["payload"])
        return [Reply(b'{"channel":"post","data":{"id":%d,"response":%b}}' % (post["id"], response))]


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _push(channel: str, data: Any) -> Reply:
    return Reply(orjson.dumps({"channel": channel, "data": data}))


def _error(error: VenueError) -> Reply:
    return _push("error", render(error).text)


def _acknowledgement(method: str, subscription: Mapping[str, Any]) -> Reply:
    return _push("subscriptionResponse", {"method": method, "subscription": subscription})

"""The Binance cards, spot and USD-M futures: what each lists, and the tables its sockets and endpoints are made of.

The family has one body; its markets differ by what stands in the fields of a card.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias

from reactor.profiles import profile
from reactor.types import DAY_NS, Instrument, Kind
from venues.base import (
    Channel,
    Close,
    Exchange,
    HttpRequest,
    HttpResponse,
    Listing,
    Occasion,
    Session,
    SocketRules,
    Topic,
    VenueError,
)
from venues.binance.rest import JSON, SPOT_API, Api, handle
from venues.binance.rules import FUNDING, SPOT_SESSION, SessionRules, funding_of
from venues.binance.session import SPOT_ENDPOINTS, USDM_ENDPOINTS, BinanceSession, Endpoint, handshake
from venues.binance.usdm_rest import USDM_API
from venues.binance.usdm_rules import USDM_SESSION
from venues.binance.usdm_wire import (
    ONE_BY_ONE,
    PERPETUAL,
    USDM_CATEGORIES,
    USDM_STREAMS,
    MergedChannel,
    usdm_topic,
)
from venues.binance.wire import INTERVALS, SPOT_STREAMS, ArrayChannel, Stream, StreamChannel, stream_topic
from venues.funding import Perpetuals

# The topic of a stream's name, of a card's streams and the symbols it lists, in a dress.
Grammar: TypeAlias = Callable[[str, Mapping[str, Stream], Container[str], tuple[str, ...]], Topic | None]


@dataclass(frozen=True, slots=True)
class Binance:
    """One card of the family.

    `categories` tells by channel which sockets a stream is told on; as on the venue's test networks, every
    socket is told all of them, unless `strict_routing` is on.
    """

    id: str
    port_offset: int
    listings: tuple[Listing, ...]
    socket_rules: SocketRules
    session_rules: SessionRules
    endpoints: tuple[Endpoint, ...]
    streams: Mapping[str, Stream]
    api: Api
    grammar: Grammar = stream_topic
    categories: Mapping[str, str] = field(default_factory=dict)
    strict_routing: bool = False

    def session(self, request: HttpRequest, exchange: Exchange) -> Session | HttpResponse:
        try:
            opened = handshake(request, self.endpoints, self.api.time_units)
        except VenueError as error:
            row = self.api.errors[str(error.code)]
            return HttpResponse(row.status, row.body(error.params), JSON)
        if opened is None:
            return HttpResponse(404, b"", JSON)
        topic_of = partial(self._topic, opened.endpoint.category, exchange.markets)
        return BinanceSession(opened, self.session_rules, topic_of)

    def _topic(
        self, category: str, symbols: Container[str], name: str, dress: tuple[str, ...]
    ) -> Topic | None:
        topic = self.grammar(name, self.streams, symbols, dress)
        if topic and self.strict_routing and self.categories[topic.channel] != category:
            return None
        return topic

    def channel(self, topic: Topic, exchange: Exchange) -> Channel:
        stream = self.streams[topic.channel]
        if not topic.symbol:
            channel = MergedChannel if topic.channel in ONE_BY_ONE else ArrayChannel
            return channel(topic, stream, exchange, self.api.decimals)
        market = exchange.market(topic.symbol.removesuffix(PERPETUAL))
        assert market is not None, topic
        return StreamChannel(topic, stream, market, self.api.decimals)

    def handle(self, request: HttpRequest, exchange: Exchange, now_ns: int) -> HttpResponse:
        return handle(self.api, request, exchange, now_ns)

    def next_instant(
        self, occasion: Occasion, symbol: str, interval: str, exchange: Exchange, now_ns: int
    ) -> int | None:
        market = exchange.market(symbol)
        if market is None:
            return None
        if occasion is Occasion.FUNDING:
            funded = market.instrument.kind is Kind.PERP
            return funding_of(market.instrument.base).period(market, now_ns).end_ns if funded else None
        name = interval or "1m"
        told = name in INTERVALS and f"kline_{name}" in self.streams
        return INTERVALS[name].next(INTERVALS[name].start(now_ns)) if told else None


def _spot(base: str, price_decimals: int, qty_decimals: int) -> Listing:
    symbol = f"{base}USDT"
    return Listing(
        Instrument(
            market=f"binance:{symbol}",
            symbol=symbol,
            asset=base,
            base=base,
            quote="USDT",
            kind=Kind.SPOT,
            price_decimals=price_decimals,
            tick_size=1,
            qty_decimals=qty_decimals,
            lot_size=1,
        ),
        profile(base, "spot"),
    )


def _perpetual(base: str, price_decimals: int, tick_size: int, qty_decimals: int) -> Listing:
    symbol = f"{base}USDT"
    return Listing(
        Instrument(
            market=f"binance-usdm:{symbol}",
            symbol=symbol,
            asset=base,
            base=base,
            quote="USDT",
            kind=Kind.PERP,
            price_decimals=price_decimals,
            tick_size=tick_size,
            qty_decimals=qty_decimals,
            lot_size=1,
        ),
        profile(base, "perp"),
    )


# A connection is valid for 24 hours:
# https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#general-wss-information,
# 2026-07-21, and .../usds-margined-futures/websocket-market-streams, 2026-09.
SOCKET_RULES = SocketRules(
    max_message_bytes=65_536,
    outbox_bytes=8 << 20,
    slow_consumer=Close(1008, "Slow consumer"),
    lifetime_ns=DAY_NS,
    expired=Close(1001, "Connection expired"),
)

BINANCE = Binance(
    id="binance",
    port_offset=1,
    listings=(_spot("BTC", 2, 5), _spot("ETH", 2, 4), _spot("SOL", 2, 3)),
    socket_rules=SOCKET_RULES,
    session_rules=SPOT_SESSION,
    endpoints=SPOT_ENDPOINTS,
    streams=SPOT_STREAMS,
    api=SPOT_API,
)

# Sizes of ticks and lots as in answers of /fapi/v1/exchangeInfo of 2026-09-15 (BTCUSDT) and 2025; a price has more
# decimals than its tick needs.
BINANCE_USDM = Binance(
    id="binance-usdm",
    port_offset=2,
    listings=(_perpetual("BTC", 2, 10, 3), _perpetual("ETH", 2, 1, 3), _perpetual("SOL", 4, 100, 2)),
    socket_rules=SOCKET_RULES,
    session_rules=USDM_SESSION,
    endpoints=USDM_ENDPOINTS,
    streams=USDM_STREAMS,
    api=USDM_API,
    grammar=usdm_topic,
    categories=USDM_CATEGORIES,
)
PERPETUALS = Perpetuals(BINANCE_USDM.id, BINANCE_USDM.listings, FUNDING)

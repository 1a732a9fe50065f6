"""The Binance cards, spot and USD-M futures: what each lists, and the tables its sockets and endpoints are made of.

The family has one body; its markets differ by what stands in the fields of a card.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import field, fields, replace
from functools import partial
from typing import Self, TypeAlias

from reactor.exchange.terms import House
from reactor.manifest import SimulationManifest
from reactor.profiles import ASSETS, Assets, profile
from reactor.types import DAY_NS, Instrument, Kind
from reactor.values import dataclass
from venues.base import (
    Anatomy,
    Channel,
    Close,
    Exchange,
    FundingPayments,
    HttpRequest,
    HttpResponse,
    Listing,
    Occasion,
    Quirk,
    Session,
    SocketRules,
    Topic,
    VenueError,
    switched,
)
from venues.binance.anatomy import anatomy
from venues.binance.house import spot_house, usdm_house
from venues.binance.listen_keys import EventsOf, UserStreams
from venues.binance.mark import payments
from venues.binance.rest import JSON, Api, banned, handle, retry_after
from venues.binance.rules import (
    BASE,
    CONNECTIONS,
    FUNDING,
    SPOT_SESSION,
    SessionRules,
    Sizes,
    funding_of,
    spot_sizes,
)
from venues.binance.session import SPOT_ENDPOINTS, USDM_ENDPOINTS, BinanceSession, Endpoint, handshake
from venues.binance.spot_2025 import API_2025 as SPOT_API_2025
from venues.binance.spot_2025 import SOCKET_API_2025, events_2025
from venues.binance.spot_api import SPOT_API
from venues.binance.usdm_2025 import API_2025, ENDPOINTS_2025, STREAMS_2025
from venues.binance.usdm_api import USDM_API
from venues.binance.usdm_rules import USDM_SESSION, usdm_sizes
from venues.binance.usdm_user import usdm_events
from venues.binance.usdm_wire import (
    CONTRACTS,
    ONE_BY_ONE,
    USDM_CATEGORIES,
    USDM_STREAMS,
    ContractChannel,
    MergedChannel,
    meant_symbol,
    usdm_topic,
)
from venues.binance.wire import INTERVALS, SPOT_STREAMS, ArrayChannel, Stream, StreamChannel, stream_topic
from venues.binance.ws_api import SPOT_SOCKET_API, USDM_SOCKET_API, ApiSession, SocketApi
from venues.funding import Perpetuals
from venues.houses import Funded
from venues.limits import Charge

# The topic of a stream's name, of a card's streams and the symbols it lists, in a dress.
Grammar: TypeAlias = Callable[[str, Mapping[str, Stream], Container[str], tuple[str, ...]], Topic | None]


NOW = {"2026-11": "as documented and captured by then"}
QUOTE = "USDT"
LISTED = ("BTC", "ETH", "SOL")  # against it, when no markets are asked for

STRICT_ROUTING = "strict_routing"
FLAT_ERRORS = "flat_errors"
QUIRKS = {
    FLAT_ERRORS: Quirk(
        "errors of control messages come flat, as documented; off, in an envelope, as they have been recorded"
    ),
}
USDM_QUIRKS = {
    STRICT_ROUTING: Quirk(
        "a socket tells the streams of its own category only, as on the main network; off, as on the test networks"
    ),
    **QUIRKS,
}


@dataclass(frozen=True, slots=True)
class Edition:
    """A card at one of its profiles: what set it apart, and what of it has changed since; None: nothing."""

    about: str
    endpoints: tuple[Endpoint, ...] | None = None
    streams: Mapping[str, Stream] | None = None
    api: Api | None = None
    socket_api: SocketApi | None = None
    listener: EventsOf | None = None
    categories: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Binance:
    """One card of the family.

    `categories` tells by channel which sockets a stream is told on; `listener` what is told to who listens by a listen
    key, None where there are none.
    """

    id: str
    port_offset: int
    listing_of: Callable[[str, Assets], Listing]
    listings: tuple[Listing, ...]
    socket_rules: SocketRules
    session_rules: SessionRules
    endpoints: tuple[Endpoint, ...]
    streams: Mapping[str, Stream]
    api: Api
    house_of: Callable[[Funded, Exchange], House]
    socket_api: SocketApi
    grammar: Grammar = stream_topic
    categories: Mapping[str, str] = field(default_factory=dict)
    editions: Mapping[str, Edition] = field(default_factory=dict)  # before this one, by month, ascending
    quirks: Mapping[str, Quirk] = field(default_factory=lambda: QUIRKS)
    listener: EventsOf | None = None
    key_header: str = "x-mbx-apikey"
    fixed_ticks: str = ""

    @property
    def profiles(self) -> Mapping[str, str]:
        return {**{name: row.about for name, row in self.editions.items()}, **NOW}

    def with_profile(self, name: str) -> Self:
        if name not in self.editions:
            assert name in NOW, name
            return self
        then = self.editions[name]
        of_then = {each.name: getattr(then, each.name) for each in fields(then) if each.name != "about"}
        return replace(self, **{name: value for name, value in of_then.items() if value is not None})

    def with_quirks(self, changes: Mapping[str, bool]) -> Self:
        return replace(self, quirks=switched(self.quirks, changes))

    def with_assets(self, assets: Assets) -> Self:
        own = [listing.instrument.base for listing in self.listings]
        others = sorted(asset for asset in assets if BASE.fullmatch(asset) and asset not in own)
        return replace(self, listings=tuple(self.listing_of(asset, assets) for asset in [*own, *others]))

    def session(self, request: HttpRequest, exchange: Exchange) -> Session | HttpResponse:
        try:
            if request.path.rstrip("/") == self.socket_api.path:
                return ApiSession(request, self.socket_api, exchange)
            opened = handshake(request, self.endpoints, self.api.time_units)
        except VenueError as error:
            row = self.api.errors[str(error.code)]
            return HttpResponse(row.status, row.body(error.params), JSON)
        if opened is None:
            return HttpResponse(404, b"", JSON)
        topic_of = partial(self._topic, opened.endpoint.category, exchange.markets)
        rules = replace(self.session_rules, flat_errors=self._has(FLAT_ERRORS))
        user = None
        if self.listener and exchange.trading:
            user = UserStreams(exchange, exchange.trading, self.listener)
        return BinanceSession(opened, rules, topic_of, exchange.usage, request.client, user)

    def _topic(
        self, category: str, symbols: Container[str], name: str, dress: tuple[str, ...]
    ) -> Topic | None:
        topic = self.grammar(name, self.streams, symbols, dress)
        if topic and self.categories.get(topic.channel, category) != category and self._has(STRICT_ROUTING):
            return None
        return topic

    def _has(self, quirk: str) -> bool:
        return self.quirks[quirk].on

    def channel(self, topic: Topic, exchange: Exchange) -> Channel:
        stream = self.streams[topic.channel]
        if topic.channel == CONTRACTS:
            return ContractChannel(topic, stream, exchange)
        if not topic.symbol:
            channel = MergedChannel if topic.channel in ONE_BY_ONE else ArrayChannel
            return channel(topic, stream, exchange, self.api.decimals)
        market = exchange.market(meant_symbol(topic.channel, topic.symbol))
        assert market is not None, topic
        latency = exchange.latency(market, topic.channel, *topic.options)
        return StreamChannel(topic, stream, market, self.api.decimals, latency)

    def anatomy(self, topic: Topic) -> Anatomy:
        return anatomy(topic, self.streams[topic.channel].text if topic.channel in self.streams else "")

    def handle(self, request: HttpRequest, exchange: Exchange, now_ns: int) -> HttpResponse:
        return handle(self.api, request, exchange, now_ns)

    def house(self, exchange: Exchange) -> House | None:
        return self.house_of(self, exchange)

    def next_instant(
        self, occasion: Occasion, symbol: str, interval: str, exchange: Exchange, now_ns: int
    ) -> int | None:
        market = exchange.market(symbol)
        if market is None:
            return None
        if occasion is Occasion.FUNDING:
            funded = market.instrument.kind is Kind.PERP
            return funding_of(market.instrument).period(market, now_ns).end_ns if funded else None
        name = interval or "1m"
        told = name in INTERVALS and f"kline_{name}" in self.streams
        return INTERVALS[name].next(INTERVALS[name].start(now_ns)) if told else None

    def settlements(self, symbol: str, exchange: Exchange, after_ns: int, upto_ns: int) -> FundingPayments:
        market = exchange.market(symbol)
        if market is None or market.instrument.kind is not Kind.PERP:
            return FundingPayments.none()
        return payments(market, after_ns + 1, upto_ns + 1)


def _listing(venue: str, kind: Kind, base: str, sizes: Sizes, manifest: SimulationManifest) -> Listing:
    symbol = f"{base}{QUOTE}"
    instrument = Instrument(
        market=f"{venue}:{symbol}",
        symbol=symbol,
        asset=base,
        base=base,
        quote=QUOTE,
        kind=kind,
        price_decimals=sizes.price_decimals,
        tick_size=sizes.tick_size,
        qty_decimals=sizes.qty_decimals,
        lot_size=1,
    )
    return Listing(instrument, manifest)


def _spot(base: str, assets: Assets = ASSETS) -> Listing:
    manifest = profile(base, "spot", assets)
    return _listing("binance", Kind.SPOT, base, spot_sizes(manifest.initial_price), manifest)


def _perpetual(base: str, assets: Assets = ASSETS) -> Listing:
    manifest = profile(base, "perp", assets)
    return _listing("binance-usdm", Kind.PERP, base, usdm_sizes(base, manifest.initial_price), manifest)


def _refuse(api: Api, charge: Charge) -> HttpResponse:
    """The answer to a handshake that is one too many. No body is documented but that of a ban."""
    if charge.banned_until_ns is None:
        return HttpResponse(429, b"", JSON, tuple(retry_after(charge.retry_ns)))
    outcome = banned(api, charge)
    return HttpResponse(outcome.status, outcome.body, JSON, tuple(retry_after(outcome.retry_ns)))


# A connection is valid for 24 hours, and 300 may be attempted in 5 minutes:
# https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md#general-wss-information,
# 2026-07-21, and .../usds-margined-futures/websocket-market-streams, 2026-09.
SOCKET_RULES = SocketRules(
    max_message_bytes=65_536,
    outbox_bytes=8 << 20,
    slow_consumer=Close(1008, "Slow consumer"),
    lifetime_ns=DAY_NS,
    expired=Close(1001, "Connection expired"),
    opening=CONNECTIONS,
)

BINANCE = Binance(
    id="binance",
    port_offset=1,
    listing_of=_spot,
    listings=tuple(map(_spot, LISTED)),
    socket_rules=replace(SOCKET_RULES, refuse=partial(_refuse, SPOT_API)),
    session_rules=SPOT_SESSION,
    endpoints=SPOT_ENDPOINTS,
    streams=SPOT_STREAMS,
    api=SPOT_API,
    house_of=spot_house,
    socket_api=SPOT_SOCKET_API,
    editions={
        "2025-12": Edition(
            about="accounts may be listened to by listen keys, too",
            api=SPOT_API_2025,
            socket_api=SOCKET_API_2025,
            listener=events_2025,
        ),
        "2026-03": Edition(about="listen keys are gone (2026-02-20)"),
    },
)

BINANCE_USDM = Binance(
    id="binance-usdm",
    port_offset=2,
    listing_of=_perpetual,
    listings=tuple(map(_perpetual, LISTED)),
    socket_rules=replace(SOCKET_RULES, refuse=partial(_refuse, USDM_API)),
    session_rules=USDM_SESSION,
    endpoints=USDM_ENDPOINTS,
    streams=USDM_STREAMS,
    api=USDM_API,
    house_of=usdm_house,
    socket_api=USDM_SOCKET_API,
    grammar=usdm_topic,
    categories=USDM_CATEGORIES,
    editions={
        "2025-12": Edition(
            about="before sockets had categories and messages told nq, ap, ps, st and rateType",
            endpoints=ENDPOINTS_2025,
            streams=STREAMS_2025,
            api=API_2025,
            categories={},
        )
    },
    quirks=USDM_QUIRKS,
    listener=usdm_events,
)
PERPETUALS = Perpetuals(BINANCE_USDM.id, BINANCE_USDM.listings, FUNDING)

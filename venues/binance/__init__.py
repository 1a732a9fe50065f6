"""The Binance card: what the venue lists, and the tables its sockets, streams and endpoints are made of.

The family has one body; its markets differ by what stands in the fields of a card.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reactor.manifest import SimulationManifest
from reactor.types import Instrument, Kind
from venues.base import (
    Channel,
    Close,
    Exchange,
    HttpRequest,
    HttpResponse,
    Listing,
    Session,
    SocketRules,
    Topic,
    VenueError,
)
from venues.binance.rest import JSON, SPOT_ROUTES, Routes, handle
from venues.binance.rules import ERRORS, SPOT_SESSION, SessionRules
from venues.binance.session import SPOT_ENDPOINTS, BinanceSession, Endpoint, handshake
from venues.binance.wire import SPOT_STREAMS, ArrayChannel, Stream, StreamChannel


@dataclass(frozen=True, slots=True)
class Binance:
    """One card of the family. `decimals` is what prices and quantities are padded to."""

    id: str
    port_offset: int
    listings: tuple[Listing, ...]
    socket_rules: SocketRules
    session_rules: SessionRules
    endpoints: tuple[Endpoint, ...]
    streams: Mapping[str, Stream]
    routes: Routes
    decimals: int

    def session(self, request: HttpRequest, exchange: Exchange) -> Session | HttpResponse:
        try:
            opened = handshake(request, self.endpoints)
        except VenueError as error:
            row = ERRORS[str(error.code)]
            return HttpResponse(row.status, row.body(error.params), JSON)
        if opened is None:
            return HttpResponse(404, b"", JSON)
        return BinanceSession(opened, self.session_rules, self.streams, exchange.markets)

    def channel(self, topic: Topic, exchange: Exchange) -> Channel:
        stream = self.streams[topic.channel]
        if not topic.symbol:
            return ArrayChannel(topic, stream, exchange, self.decimals)
        market = exchange.market(topic.symbol)
        assert market is not None, topic
        return StreamChannel(topic, stream, market, self.decimals)

    def handle(self, request: HttpRequest, exchange: Exchange, now_ns: int) -> HttpResponse:
        return handle(self.routes, self.decimals, request, exchange, now_ns)


def _spot(base: str, price_decimals: int, qty_decimals: int, manifest: SimulationManifest) -> Listing:
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
        manifest,
    )


BINANCE = Binance(
    id="binance",
    port_offset=1,
    listings=(_spot("BTC", 2, 5, SimulationManifest()),),
    socket_rules=SocketRules(
        max_message_bytes=65_536,
        outbox_bytes=8 << 20,
        slow_consumer=Close(1008, "Slow consumer"),
    ),
    session_rules=SPOT_SESSION,
    endpoints=SPOT_ENDPOINTS,
    streams=SPOT_STREAMS,
    routes=SPOT_ROUTES,
    decimals=8,
)

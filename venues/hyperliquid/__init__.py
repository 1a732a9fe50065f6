"""Hyperliquid: perpetuals on its own chain. The card: markets, margin tables, tokens, dated profiles, bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reactor.profiles import profile
from reactor.types import SECOND_NS, Instrument, Kind
from venues.base import (
    Channel,
    Close,
    Exchange,
    HttpRequest,
    HttpResponse,
    Listing,
    SocketRules,
    Topic,
    VenueError,
)
from venues.hyperliquid import rest
from venues.hyperliquid.rules import BookFeed, Card, Perp, Profile
from venues.hyperliquid.session import HyperliquidSession
from venues.hyperliquid.wire import make_channel

WS_PATH = "/ws"

# What l2Book did, by date: every 0.5 s, until 2026-06 slowed it to 2 s and added `fast`, and 2026-07-25 to 5 s
# (tardis-node's mapper, nktkas/hyperliquid PR 142; measured 5.0-5.4 s and 0.55 s on 2026-08-21).
PROFILES: Final[Mapping[str, Profile]] = {
    "2026-05": Profile({False: BookFeed(20, SECOND_NS // 2)}),
    "2026-06": Profile({False: BookFeed(20, 2 * SECOND_NS), True: BookFeed(5, SECOND_NS // 2)}),
    "2026-11": Profile({False: BookFeed(20, 5 * SECOND_NS), True: BookFeed(5, SECOND_NS // 2)}),
}


def _perp(
    coin: str, price_decimals: int, qty_decimals: int, max_leverage: int, margin_table: int, **life: float
) -> Perp:
    instrument = Instrument(
        market=f"hyperliquid:{coin}",
        symbol=coin,
        asset=coin,
        base=coin,
        quote="USDC",
        kind=Kind.PERP,
        price_decimals=price_decimals,
        tick_size=1,
        qty_decimals=qty_decimals,
        lot_size=1,
    )
    return Perp(Listing(instrument, profile(coin, "onchain perp", **life)), max_leverage, margin_table)


# Contracts and margin tables as in a capture of `meta` of 2026-09-25, in the venue's order. A price has five
# significant figures, so its decimals follow from where the market trades. BTC's flow: 10 prints a second, 3e9 a day
# (candles and context captured that day).
PERPS: Final = (_perp("BTC", 0, 5, 40, 56, trade_intensity_base=4.0, mean_order_notional=9_000.0),)

MARGIN_TABLES: Final = {
    56: {
        "description": "tiered 40x",
        "marginTiers": [
            {"lowerBound": "0.0", "maxLeverage": 40},
            {"lowerBound": "150000000.0", "maxLeverage": 20},
        ],
    },
}

# As in captures of `spotMeta` of 2025.
TOKENS: Final = (
    {
        "name": "USDC",
        "szDecimals": 8,
        "weiDecimals": 8,
        "index": 0,
        "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
        "isCanonical": True,
        "evmContract": None,
        "fullName": None,
        "deployerTradingFeeShare": "0.0",
    },
    {
        "name": "PURR",
        "szDecimals": 0,
        "weiDecimals": 5,
        "index": 1,
        "tokenId": "0xc1fb593aeffbeb02f85e0308e9956a90",
        "isCanonical": True,
        "evmContract": None,
        "fullName": None,
        "deployerTradingFeeShare": "0.0",
    },
)


# The venue publishes no bounds for these; they are generous for its clients.
SOCKET_RULES: Final = SocketRules(
    max_message_bytes=1 << 20, outbox_bytes=4 << 20, slow_consumer=Close(1008, "Slow consumer")
)


@dataclass(frozen=True, slots=True)
class Hyperliquid:
    """The venue. Another dated profile or another list of markets is another card."""

    card: Card
    id: str = "hyperliquid"
    port_offset: int = 3
    socket_rules: SocketRules = SOCKET_RULES

    @property
    def listings(self) -> Sequence[Listing]:
        return [perp.listing for perp in self.card.perps]

    def session(self, request: HttpRequest, exchange: Exchange) -> HyperliquidSession | HttpResponse:
        if request.path != WS_PATH:
            return rest.refuse(VenueError("not_found"))
        return HyperliquidSession(self.card, exchange)

    def channel(self, topic: Topic, exchange: Exchange) -> Channel:
        market = exchange.market(topic.symbol)
        assert market is not None, topic
        return make_channel(topic, market, self.card.profile)

    def handle(self, request: HttpRequest, exchange: Exchange, now_ns: int) -> HttpResponse:
        return rest.handle(self.card, exchange, request, now_ns)


HYPERLIQUID = Hyperliquid(
    Card(
        profile=PROFILES["2026-11"],
        perps=PERPS,
        margin_tables=MARGIN_TABLES,
        tokens=TOKENS,
        max_subscriptions=1_000,
    )
)

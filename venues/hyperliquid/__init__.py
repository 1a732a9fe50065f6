"""Hyperliquid: perpetuals and spot on its own chain. The card: markets, margin tables, tokens, profiles, bounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, Final, Self

from reactor.exchange.terms import House
from reactor.manifest import SimulationManifest
from reactor.profiles import ASSETS, Assets, profile
from reactor.types import SECOND_NS, Instrument, Kind
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
    SocketRules,
    Topic,
    VenueError,
    switched,
)
from venues.funding import Perpetuals
from venues.hyperliquid import rest
from venues.hyperliquid.anatomy import anatomy
from venues.hyperliquid.house import house
from venues.hyperliquid.rules import (
    BUILT,
    FUNDING,
    INTERVALS,
    MAIN_DEX,
    OPENINGS,
    SOCKETS,
    BookFeed,
    Card,
    Dex,
    Perp,
    Profile,
    Spot,
    funding_of,
    price_decimals,
    size_decimals,
)
from venues.hyperliquid.session import HyperliquidSession
from venues.hyperliquid.wire import make_channel, payments

WS_PATH = "/ws"

# What l2Book did, by date: every 0.5 s, until 2026-06 slowed it to 2 s and added `fast`, and 2026-07-25 to 5 s
# (tardis-node's mapper, nktkas/hyperliquid PR 142; measured 5.4 s and 0.54 s on 2026-09-24). All mids keep step
# with it: about 2 s (MetaMask/core issue 9160), then 5.05 s (same measurement); 0.5 s before is an assumption.
# A coin's context came every 5 s (https://github.com/ccxt/ccxt/issues/27475, 2025-12-09), then every second (measured
# on 2026-08-19 and 2026-09-24); those of all coins come every 15 s since the change (Quicknode, 2026-06-12; 13.6 s
# measured on 2026-09-24), and came with the mids, it is assumed. A forming candle was told about every 2 s (16 messages
# in 30 s on BTC, measured 2025-12-31), now up to twice a second (0.9 to 1.8 messages, 2026-09-24).
# A coin that is not listed was told of as an error (HyperLiquid.Net), and ends the socket since (captured on testnet on
# 2026-07-28, probed on 2026-09-24).
PROFILES: Final[Mapping[str, Profile]] = {
    "2026-05": Profile(
        about="books and mids every 0.5 s, contexts every 5 s; an unknown coin is an error",
        books={False: BookFeed(20, SECOND_NS // 2)},
        contexts_ns=5 * SECOND_NS,
        all_contexts_ns=SECOND_NS // 2,
        mids_ns=SECOND_NS // 2,
        candles_ns=2 * SECOND_NS,
        cuts_unknown=False,
    ),
    "2026-06": Profile(
        about="books every 2 s, of 5 levels with `fast` every 0.5 s; mids every 2 s; contexts of all coins every 15 s",
        books={False: BookFeed(20, 2 * SECOND_NS), True: BookFeed(5, SECOND_NS // 2)},
        contexts_ns=5 * SECOND_NS,
        all_contexts_ns=15 * SECOND_NS,
        mids_ns=2 * SECOND_NS,
        candles_ns=2 * SECOND_NS,
        cuts_unknown=False,
    ),
    "2026-11": Profile(
        about="books and mids every 5 s, a coin's context every second; an unknown coin ends the socket",
        books={False: BookFeed(20, 5 * SECOND_NS), True: BookFeed(5, SECOND_NS // 2)},
        contexts_ns=SECOND_NS,
        all_contexts_ns=15 * SECOND_NS,
        mids_ns=5 * SECOND_NS,
        candles_ns=SECOND_NS // 2,
        cuts_unknown=True,
    ),
}


def _listing(kind: Kind, symbol: str, base: str, qty_decimals: int, manifest: SimulationManifest) -> Listing:
    """A market against USDC; its tick follows from its initial price."""
    instrument = Instrument(
        market=f"hyperliquid:{symbol}",
        symbol=symbol,
        asset=base,
        base=base,
        quote="USDC",
        kind=kind,
        price_decimals=price_decimals(kind, qty_decimals, manifest.initial_price),
        tick_size=1,
        qty_decimals=qty_decimals,
        lot_size=1,
    )
    return Listing(instrument, manifest)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the venue sets for a perpetual: the decimals of sizes at most, leverage and margin; and how it trades."""

    qty_decimals: int
    max_leverage: int
    margin_table: int
    life: Mapping[str, float] = field(default_factory=dict)


# Contracts and margin tables as in a capture of `meta` of 2026-09-25, in the venue's order. An asset's id is its place
# in the universe, which differs from network to network (SOL: 5 on the main one, 0 on the test one), so a client reads
# it there. BTC's flow: 10 prints a second, 3e9 a day (candles and context captured that day).
TERMS: Final[Mapping[str, Terms]] = {
    "BTC": Terms(5, 40, 56, {"trade_intensity_base": 4.0, "mean_order_notional": 9_000.0}),
    "ETH": Terms(4, 25, 55),
    "SOL": Terms(2, 20, 54),
}
TERMS_OF_OTHERS: Final = Terms(5, 10, 10)  # a table below 50 is not listed: its number is the leverage


def _perp(coin: str, assets: Assets = ASSETS) -> Perp:
    terms = TERMS.get(coin, TERMS_OF_OTHERS)
    manifest = profile(coin, "onchain perp", assets, **terms.life)
    qty_decimals = min(terms.qty_decimals, size_decimals(manifest.initial_price))
    listing = _listing(Kind.PERP, coin, coin, qty_decimals, manifest)
    return Perp(listing, terms.max_leverage, terms.margin_table)


# What a builder lists: Tesla and gold, whose prices no other venue knows. Terms as probed on 2026-09-23 (`meta` of the
# dex); starting prices of about then, volatilities of a large share and of the metal by rule of thumb.
_BUILT_ASSETS: Final[Assets] = {
    "xyz:TSLA": {"initial_price": 379.0, "volatility": 0.55, "factor_loading": 0.3, "jump_std": 0.004},
    "xyz:GOLD": {"initial_price": 3_900.0, "volatility": 0.18, "factor_loading": 0.1, "jump_std": 0.001},
}
_BUILT_TERMS: Final = {"xyz:TSLA": Terms(3, 20, 20), "xyz:GOLD": Terms(4, 25, 25)}
_GROWTH: Final = {"growthMode": "enabled", "lastFeeScaleChangeTime": "2025-11-23T17:37:10.033211662"}
_BUILT_MORE: Final[Mapping[str, Mapping[str, str]]] = {
    "xyz:TSLA": {**_GROWTH, "deployerFeeScale": "1.0"},
    "xyz:GOLD": {"lastFeeScaleChangeTime": "1970-01-01T00:00:00", "deployerFeeScale": "1.0"},
}


def _built(coin: str) -> Perp:
    terms, manifest = _BUILT_TERMS[coin], profile(coin, "onchain perp", _BUILT_ASSETS)
    listing = _listing(Kind.PERP, coin, coin, terms.qty_decimals, manifest)
    return Perp(listing, terms.max_leverage, terms.margin_table, _BUILT_MORE[coin])


def _spot(symbol: str, base: str, qty_decimals: int, assets: Assets = ASSETS) -> Listing:
    return _listing(Kind.SPOT, symbol, base, qty_decimals, profile(base, "thin spot", assets))


PERPS: Final = (*map(_perp, TERMS), *map(_built, BUILT))

# Names and addresses as answered to `perpDexs` on 2026-10-06 (df-hyperliquid-core), caps as to `perpDexLimits`
# (hypernode-docs.polynode.dev; TSLA's as AAPL's there).
DEXS: Final = (
    Dex(
        name="xyz",
        full_name="XYZ",
        deployer="0x88806a71d74ad0a510b350545c9ae490912f0888",
        fee_recipient="0x83ffcfb1f2ad843c474b2e28df86c721cb869d3a",
        total_oi_cap="6000000000.0",
        size_cap="20000000000.0",
        transfer_cap="1600000000.0",
        oi_caps={"xyz:GOLD": "100000000.0", "xyz:TSLA": "50000000.0"},
    ),
)


def _tiers(description: str, *tiers: tuple[str, int]) -> Mapping[str, Any]:
    rows = [{"lowerBound": lower_bound, "maxLeverage": leverage} for lower_bound, leverage in tiers]
    return {"description": description, "marginTiers": rows}


MARGIN_TABLES: Final = {
    54: _tiers("tiered 20x (2)", ("0.0", 20), ("70000000.0", 10)),
    55: _tiers("tiered 25x", ("0.0", 25), ("100000000.0", 15)),
    56: _tiers("tiered 40x", ("0.0", 40), ("150000000.0", 20)),
}

# Pairs as in the documentation of `spotMeta` (2026-11), supplies as recorded in 2026-10 (gocryptotrader
# exchanges/hyperliquid).
SPOTS: Final = (
    Spot(_spot("PURR/USDC", "PURR", 0), 0, (1, 0), True, "594786002.8013399839", "594786014.1078599691"),
    Spot(_spot("@1", "HFUN", 2), 1, (2, 0), False, "995724.58875657", "995724.63958273"),
)

# As in captures of `spotMeta` of 2025. A token's index is its place.
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
    {
        "name": "HFUN",
        "szDecimals": 2,
        "weiDecimals": 8,
        "index": 2,
        "tokenId": "0xbaf265ef389da684513d98d68edf4eae",
        "isCanonical": False,
        "evmContract": None,
        "fullName": None,
        "deployerTradingFeeShare": "0.0",
    },
)


# The venue publishes no bounds for these; they are generous for its clients.
SOCKET_RULES: Final = SocketRules(
    max_message_bytes=1 << 20,
    outbox_bytes=4 << 20,
    slow_consumer=Close(1008, "Slow consumer"),
    opening=OPENINGS,
    open=SOCKETS,
    refuse=lambda _: rest.refuse(VenueError("too_many_requests")),
)


# hyperliquid-python-sdk, websocket_manager.py, still knows the text (0.24.0); a probe of 2026-09-24 was not greeted.
GREETING: Final = "greeting"
QUIRKS: Final = {
    GREETING: Quirk(
        "a socket is first told `Websocket connection established.` in plain text, as by old servers"
    ),
}


@dataclass(frozen=True, slots=True)
class Hyperliquid:
    """The venue. Another dated profile or another list of markets is another card."""

    card: Card
    id: str = "hyperliquid"
    port_offset: int = 3
    socket_rules: SocketRules = SOCKET_RULES
    profiles: Mapping[str, str] = field(
        default_factory=lambda: {name: profile.about for name, profile in PROFILES.items()}
    )
    quirks: Mapping[str, Quirk] = field(default_factory=lambda: QUIRKS)
    key_header: str = ""
    fixed_ticks: str = "prices have at most five significant figures, and decimals as szDecimals leaves them"

    def with_profile(self, name: str) -> Self:
        return replace(self, card=replace(self.card, profile=PROFILES[name]))

    def with_quirks(self, changes: Mapping[str, bool]) -> Self:
        return replace(self, quirks=switched(self.quirks, changes))

    @property
    def listings(self) -> Sequence[Listing]:
        return [row.listing for row in self.card.rows]

    def with_assets(self, assets: Assets) -> Self:
        own = [perp.instrument.base for perp in self.card.perps if perp.dex == MAIN_DEX]
        main = (_perp(coin, assets) for coin in [*own, *sorted(set(assets) - set(own))])
        perps = (*main, *(perp for perp in self.card.perps if perp.dex != MAIN_DEX))
        pairs = [(spot, spot.instrument) for spot in self.card.spots]
        spots = tuple(
            replace(spot, listing=_spot(pair.symbol, pair.base, pair.qty_decimals, assets))
            for spot, pair in pairs
        )
        return replace(self, card=replace(self.card, perps=perps, spots=spots))

    def session(self, request: HttpRequest, exchange: Exchange) -> HyperliquidSession | HttpResponse:
        if request.path != WS_PATH:
            return rest.refuse(VenueError("not_found"))
        return HyperliquidSession(
            self.card, exchange, request.client, rest.program_of(request), greets=self.quirks[GREETING].on
        )

    def channel(self, topic: Topic, exchange: Exchange) -> Channel:
        return make_channel(topic, exchange, self.card)

    def anatomy(self, topic: Topic) -> Anatomy:
        return anatomy(topic)

    def handle(self, request: HttpRequest, exchange: Exchange, now_ns: int) -> HttpResponse:
        return rest.handle(self.card, exchange, request, now_ns)

    def house(self, exchange: Exchange) -> House | None:
        return house(self, self.card, exchange)

    def next_instant(
        self, occasion: Occasion, symbol: str, interval: str, exchange: Exchange, now_ns: int
    ) -> int | None:
        market = exchange.market(symbol)
        if market is None:
            return None
        if occasion is Occasion.FUNDING:
            funded = market.instrument.kind is Kind.PERP
            return funding_of(market.instrument).period(market, now_ns).end_ns if funded else None
        cut = INTERVALS.get(interval or "1m")
        return cut.next(cut.start(now_ns)) if cut else None

    def settlements(self, symbol: str, exchange: Exchange, after_ns: int, upto_ns: int) -> FundingPayments:
        market = exchange.market(symbol)
        if market is None or market.instrument.kind is not Kind.PERP:
            return FundingPayments.none()
        return payments(market, after_ns + 1, upto_ns + 1)


HYPERLIQUID = Hyperliquid(
    Card(
        profile=PROFILES["2026-11"],
        perps=PERPS,
        dexs=DEXS,
        spots=SPOTS,
        margin_tables=MARGIN_TABLES,
        tokens=TOKENS,
    )
)
PERPETUALS: Final = Perpetuals(HYPERLIQUID.id, tuple(perp.listing for perp in PERPS), FUNDING)

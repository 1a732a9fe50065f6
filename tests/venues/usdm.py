"""What tests of Binance USD-M share: a perpetual written by hand, 1 s grid included, and shapes of real messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from reactor.single_asset import HyperSynthReactor
from reactor.types import (
    BLOCK_NS,
    SECOND_NS,
    TICK_NS,
    Column,
    IndexMinutes,
    Instrument,
    Liquidations,
    Seconds,
)
from tests.handmade import HandmadeMarket, Rows, columns
from tests.venues.spot import T0, exchange, texts
from venues.base import PAGE_NS, Exchange, HttpRequest, HttpResponse, Topic
from venues.binance import BINANCE_USDM, Binance
from venues.binance.session import BinanceSession

INSTRUMENT, ETH, SOL = (listing.instrument for listing in BINANCE_USDM.listings)


@dataclass(eq=False)
class HandmadePerpetual(HandmadeMarket):
    """`second`: (best bid in ticks, index, premium) at an instant. Liquidations are rows of their columns."""

    liquidated: Rows = ()
    second: Callable[[int], tuple[int, int, int]] = lambda _: (650_000, 65_000_05000000, 0)
    __hash__ = object.__hash__

    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        first_ns = -(-max(start_ns, self.listed_ns) // SECOND_NS) * SECOND_NS
        return columns(Seconds, [(at, *self.second(at)) for at in range(first_ns, end_ns, SECOND_NS)], 4)

    def liquidations(self, start_ns: int, end_ns: int) -> Liquidations:
        return columns(Liquidations, [row for row in self.liquidated if start_ns <= row[0] < end_ns], 9)

    def index_minutes(self, start_ns: int, end_ns: int) -> IndexMinutes:
        rows = []
        for start in range(-(-max(start_ns, self.listed_ns) // BLOCK_NS), end_ns // BLOCK_NS):
            grid = [self.second(start * BLOCK_NS + s * SECOND_NS)[1] for s in range(61)]
            rows.append((start * BLOCK_NS, grid[0], max(grid), min(grid), grid[-1]))
        return columns(IndexMinutes, rows, 5)

    premium_limit_e8 = 10**7
    premium_bent_ns = None
    funding_changes: tuple[tuple[int, int], ...] = ()

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        return np.array([self.second(at)[2] for at in range(start_ns, end_ns, step_ns)], dtype=np.int64)


def market(instrument: Instrument = INSTRUMENT, origin_ns: int = T0, **tape: Any) -> HandmadePerpetual:
    return HandmadePerpetual(instrument, origin_ns, **tape)


def tape(market: HandmadeMarket) -> HyperSynthReactor:
    """The same market, for those who ask for a synthetic one."""
    return cast(HyperSynthReactor, market)


def get(exchange: Exchange, path: str, query: str = "", now_ns: int = T0, **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return BINANCE_USDM.handle(HttpRequest("GET", path, query, named), exchange, now_ns)


def connect(path: str = "/ws", query: str = "", venue: Binance = BINANCE_USDM) -> BinanceSession:
    session = venue.session(HttpRequest("GET", path, query), exchange(market(), limits=1))
    assert isinstance(session, BinanceSession), session
    return session


def stream(market: HandmadeMarket | Exchange, topic: Topic, start_ns: int = T0) -> list[tuple[int, str]]:
    """The page's messages, each with the time from its start that it is due at, in ns."""
    on = market if isinstance(market, Exchange) else exchange(market)
    page = BINANCE_USDM.channel(topic, on).page(start_ns)
    ticks = range(0, PAGE_NS, TICK_NS)
    return [
        (after + TICK_NS, text.decode())
        for after in ticks
        for text in texts(page.cut(start_ns + after, start_ns + after + TICK_NS))
    ]

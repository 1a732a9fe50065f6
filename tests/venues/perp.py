"""What the tests of Hyperliquid share: markets written by hand, minutes and seconds included, and their exchange."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from reactor.types import (
    BLOCK_NS,
    DAY_NS,
    MS_NS,
    SECOND_NS,
    TICK_NS,
    Column,
    Instrument,
    Minutes,
    Seconds,
    Side,
)
from tests.handmade import HandmadeMarket, columns
from tests.venues import spot
from tests.venues.spot import texts
from venues.base import PAGE_NS, Exchange, HttpRequest, HttpResponse, Topic
from venues.hyperliquid import HYPERLIQUID, Hyperliquid
from venues.hyperliquid.rules import CHAIN_BLOCK_NS
from venues.hyperliquid.session import HyperliquidSession

INSTRUMENT, ETH, SOL, TSLA, GOLD, PURR, HFUN = (listing.instrument for listing in HYPERLIQUID.listings)
T0 = (
    1_790_352_000_000 * MS_NS
)  # 2026-09-25 16:00:00 UTC: an hour, so a minute, a page and a chain block begin
BLOCK = CHAIN_BLOCK_NS
BUY, SELL = int(Side.BUY), int(Side.SELL)
JSON = {"content-type": "application/json"}


@dataclass(eq=False)
class HandmadePerp(HandmadeMarket):
    """By minute: `closes` in ticks, `volumes` in (lots, quote units). `second`: (bid, index, premium) at an instant."""

    closes: Mapping[int, int] = field(default_factory=dict)
    volumes: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    second: Callable[[int], tuple[int, int, int]] = lambda _: (65_000, 65_000_50000000, 0)

    __hash__ = object.__hash__  # a market is itself and no other

    @property
    def listed_ns(self) -> int:
        return self.origin_ns - 2 * DAY_NS

    def minutes(self, start_ns: int, end_ns: int) -> Minutes:
        rows = []
        for start in range(-(-start_ns // BLOCK_NS) * BLOCK_NS, end_ns // BLOCK_NS * BLOCK_NS, BLOCK_NS):
            close, (lots, units) = self.closes.get(start, 65_000), self.volumes.get(start, (0, 0))
            rows.append((start, close, close, close, close, 1, lots, units, 0, 0, 0, 0, 0, 0))
        return columns(Minutes, rows, 14)

    def seconds(self, start_ns: int, end_ns: int) -> Seconds:
        instants = np.arange(-(-start_ns // SECOND_NS) * SECOND_NS, end_ns, SECOND_NS).tolist()
        return columns(Seconds, [(at, *self.second(at)) for at in instants], 4)

    premium_limit_e8 = 10**7
    premium_bent_ns = None
    funding_changes: tuple[tuple[int, int], ...] = ()

    def premiums_e8(self, start_ns: int, end_ns: int, step_ns: int) -> Column:
        return np.array([self.second(at)[2] for at in range(start_ns, end_ns, step_ns)], dtype=np.int64)


def market(instrument: Instrument = INSTRUMENT, **tape: Any) -> HandmadePerp:
    return HandmadePerp(instrument, T0, **tape)


exchange = partial(spot.exchange, limits=1.0)


QUIET = market(
    quotes=[(T0 - SECOND_NS, 65_000, 100_000, 65_001, 50_000, 1)],
    start_bids=[(65_000, 100_000), (64_999, 7), (64_991, 20_000)],
    start_asks=[(65_001, 50_000), (65_009, 1), (65_010, 3)],
    prints=[
        (T0 - 5 * SECOND_NS, 65_001, 1_000, BUY, 1, 1, 1),
        (T0 - 2 * SECOND_NS, 65_000, 250, SELL, 2, 2, 2),
    ],
)


def connect(of: HandmadeMarket | Exchange = QUIET, venue: Hyperliquid = HYPERLIQUID) -> HyperliquidSession:
    on = of if isinstance(of, Exchange) else exchange(of)
    session = venue.session(HttpRequest("GET", "/ws"), on)
    assert isinstance(session, HyperliquidSession)
    assert session.open(T0, T0) == ()
    return session


def post(path: str, body: Any, of: HandmadeMarket | Exchange = QUIET, now_ns: int = T0) -> HttpResponse:
    """What the venue answers to this body, JSON unless it is bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    on = of if isinstance(of, Exchange) else exchange(of)
    whose = str(next(_CLIENTS))  # another one each time, so that nobody's limit is in the way
    return HYPERLIQUID.handle(HttpRequest("POST", path, headers=JSON, body=raw, client=whose), on, now_ns)


_CLIENTS = count()


def info(of: HandmadeMarket | Exchange = QUIET, now_ns: int = T0, **body: Any) -> str:
    """The body of a good answer to a request for information."""
    answer = post("/info", body, of, now_ns)
    assert (answer.status, answer.content_type) == (200, "application/json")
    return answer.body.decode()


def stream(
    of: HandmadeMarket | Exchange, topic: Topic, start_ns: int = T0, venue: Hyperliquid = HYPERLIQUID
) -> list[tuple[int, str]]:
    """The page's messages, each with the time from T0 it is due, in ns."""
    on = of if isinstance(of, Exchange) else exchange(of)
    page = venue.channel(topic, on).page(start_ns)
    starts = range(start_ns, start_ns + PAGE_NS, TICK_NS)
    return [(at + TICK_NS - T0, text.decode()) for at in starts for text in texts(page.cut(at, at + TICK_NS))]


def snapshot(of: HandmadeMarket | Exchange, topic: Topic, now_ns: int) -> list[str]:
    on = of if isinstance(of, Exchange) else exchange(of)
    return [text.decode() for text in HYPERLIQUID.channel(topic, on).snapshot(now_ns)]

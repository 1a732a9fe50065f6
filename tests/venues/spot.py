"""What tests of Binance spot share: a market written by hand, somebody else's frame parser, shapes of real messages."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from reactor.types import DAY_NS, MS_NS, SECOND_NS, TICK_NS, BookSide, Instrument, Side
from reactor.unified_market import MarketOrchestrationCore
from reactor.veils import Phase
from tests.handmade import HandmadeMarket
from venues.base import PAGE_NS, Exchange, HttpRequest, HttpResponse, Topic
from venues.binance import BINANCE
from venues.binance.session import BinanceSession
from venues.limits import OFF, Usage

INSTRUMENT, ETH = (listing.instrument for listing in BINANCE.listings[:2])
T0 = 1_700_000_000_000 * MS_NS  # 2023-11-14 22:13:20 UTC, a page boundary
TICK0 = T0 // TICK_NS
BID, ASK = int(BookSide.BID), int(BookSide.ASK)
BUY, SELL = int(Side.BUY), int(Side.SELL)


def exchange(*markets: HandmadeMarket, limits: float = OFF) -> Exchange:
    """An exchange that lists these markets only, whose limits are scaled so."""
    by_id = {market.instrument.market: market for market in markets}

    class World:
        def market(self, market_id: str) -> HandmadeMarket:
            return by_id[market_id]

        def phase(self, market_id: str, at_ns: int) -> Phase:
            return Phase.TRADING

        def closes_ns(self, market_id: str) -> int | None:
            return None

        def turns_ns(self, market_id: str) -> list[int]:
            return []

        def step_ticks(self, market_id: str, at_ns: int) -> int:
            return 1

    listed = {market.instrument.symbol: market_id for market_id, market in by_id.items()}
    return Exchange(cast(MarketOrchestrationCore, World()), listed, Usage(limits))


def market(instrument: Instrument = INSTRUMENT, **tape: Any) -> HandmadeMarket:
    return HandmadeMarket(instrument, T0, **tape)


def day_of(instrument: Instrument = INSTRUMENT, **tape: Any) -> HandmadeMarket:
    """A market that has been there for two days at T0."""
    return HandmadeMarket(instrument, T0 - 2 * DAY_NS, **tape)


DAY = day_of(
    prints=[
        (T0 - DAY_NS - 100 * SECOND_NS, 6_400_000, 1_000_000, BUY, 100, 50, 30),
        # the window of 24 h opens with the minute, at 22:13
        (T0 - DAY_NS, 6_420_000, 300_000, SELL, 101, 51, 31),
        (T0 + 500 * MS_NS, 6_500_000, 100_000, BUY, 102, 52, 32),
        (T0 + 700 * MS_NS, 6_500_100, 50_000, BUY, 103, 53, 33),
    ],
    quotes=[
        (T0 + 600 * MS_NS, 6_500_000, 7, 6_500_100, 9, 1_001),
        (T0 + 2_500 * MS_NS, 6_499_900, 8, 6_500_100, 9, 1_002),
    ],
)
# and one of ETHUSDT beside it
TWO = exchange(
    DAY,
    day_of(
        ETH,
        prints=[
            (T0 + 999 * MS_NS, 320_000, 10_000, SELL, 7, 7, 7),
            (T0 + 2_999 * MS_NS, 320_100, 10_000, SELL, 8, 8, 8),
        ],
        start_bids=[(320_000, 40_000)],
        start_asks=[(320_001, 5)],
    ),
)


def get(exchange: Exchange, path: str, query: str = "", now_ns: int = T0, **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return BINANCE.handle(HttpRequest("GET", path, query, named), exchange, now_ns)


def connect(path: str = "/ws", query: str = "") -> BinanceSession:
    session = BINANCE.session(HttpRequest("GET", path, query), exchange(market(), limits=1))
    assert isinstance(session, BinanceSession), session
    return session


def stream(market: HandmadeMarket | Exchange, topic: Topic, start_ns: int = T0) -> list[tuple[int, bytes]]:
    """The page's messages, each with the boundary it is due at."""
    on = market if isinstance(market, Exchange) else exchange(market)
    page = BINANCE.channel(topic, on).page(start_ns)
    boundaries = range(start_ns, start_ns + PAGE_NS, TICK_NS)
    return [(at + TICK_NS, text) for at in boundaries for text in texts(page.cut(at, at + TICK_NS))]


def texts(buffer: bytes) -> Iterator[bytes]:
    """The payloads of server text frames, as the websockets library reads them."""
    reader = StreamReader()
    reader.feed_data(buffer)
    while reader.buffer:
        parsing = Frame.parse(reader.read_exact, mask=False)
        try:
            next(parsing)
        except StopIteration as done:
            frame: Frame = done.value
            assert frame.fin
            assert frame.opcode is Opcode.TEXT
            yield bytes(frame.data)
        else:
            raise AssertionError("an unfinished frame")


# ---------------------------------------------------------------- shapes of real messages, where there are any
GOLDEN = Path(__file__).parents[3] / "shared/golden"


@cache
def shapes() -> tuple[Any, Any]:
    """The checker of shapes and its samples by channel; skips where they are not."""
    spec = importlib.util.spec_from_file_location("shape", GOLDEN / "shape.py")
    if spec is None or spec.loader is None or not (GOLDEN / "shape.py").exists():
        pytest.skip("no golden messages beside the project")
    checker = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves closing its files to the interpreter
        spec.loader.exec_module(checker)
        return checker, checker.load_all(str(GOLDEN))


def differences(key: str, messages: Iterable[bytes]) -> set[str]:
    """How messages differ from the samples of a channel, of those since 2024 where there are any."""
    checker, samples = shapes()
    before, checker.SINCE[0] = checker.SINCE[0], "2024"
    try:
        shape = checker.infer_group(samples[key])
    finally:
        checker.SINCE[0] = before
    return {line for text in messages for line in checker.check_message(shape, checker.loads(text.decode()))}

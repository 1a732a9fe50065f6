"""What tests of Binance spot share: a market written by hand, somebody else's frame parser, shapes of real messages."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from reactor.types import MS_NS, TICK_NS, BookSide, Instrument, Side
from reactor.unified_market import MarketOrchestrationCore
from tests.handmade import HandmadeMarket
from venues.base import PAGE_NS, Exchange, HttpRequest, HttpResponse, Topic
from venues.binance import BINANCE
from venues.binance.session import BinanceSession

INSTRUMENT, ETH = (listing.instrument for listing in BINANCE.listings[:2])
T0 = 1_700_000_000_000 * MS_NS  # 2023-11-14 22:13:20 UTC, a page boundary
TICK0 = T0 // TICK_NS
BID, ASK = int(BookSide.BID), int(BookSide.ASK)
BUY, SELL = int(Side.BUY), int(Side.SELL)


def exchange(*markets: HandmadeMarket) -> Exchange:
    """An exchange that lists these markets only."""
    by_id = {market.instrument.market: market for market in markets}

    class World:
        def market(self, market_id: str) -> HandmadeMarket:
            return by_id[market_id]

    listed = {market.instrument.symbol: market_id for market_id, market in by_id.items()}
    return Exchange(cast(MarketOrchestrationCore, World()), listed)


def market(instrument: Instrument = INSTRUMENT, **tape: Any) -> HandmadeMarket:
    return HandmadeMarket(instrument, T0, **tape)


def get(exchange: Exchange, path: str, query: str = "", now_ns: int = T0, **headers: str) -> HttpResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return BINANCE.handle(HttpRequest("GET", path, query, named), exchange, now_ns)


def connect(path: str = "/ws", query: str = "") -> BinanceSession:
    session = BINANCE.session(HttpRequest("GET", path, query), exchange(market()))
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


def differences(channel: str, message: bytes) -> list[str]:
    """How a message differs from the real ones of a channel ("ws/trade")."""
    checker, samples = shapes()
    shape = checker.infer_group(samples[f"binance_spot/{channel}"])
    return cast(list[str], checker.check_message(shape, checker.loads(message.decode())))

"""How fast virtual time can go: the server's CPU time for steps of a clock whose clients take raw bytes."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

import orjson

from benchmarks.harness import Row, beside
from benchmarks.sockets import HANDSHAKE, await_word, masked
from emulator.sdk import Emulator
from venues.binance.usdm_wire import PERPETUAL, USDM_STREAMS
from venues.binance.wire import SPOT_STREAMS, Stream
from venues.hyperliquid.rules import INTERVALS as CANDLES

HYPERLIQUID = "hyperliquid"
DAY_S, MINUTES_S = 86_400, 300
MARKS = {"binance-usdm": ("markPrice@1s",), HYPERLIQUID: ("activeAssetCtx",)}
KLINES = {"binance-usdm": ("markPrice@1s", "kline_1m"), HYPERLIQUID: ("activeAssetCtx",)}
# Every kind of stream of a symbol, at its fastest cadence or deepest, with klines of a minute.
_SHARED = (
    "trade",
    "aggTrade",
    "bookTicker",
    "depth@100ms",
    "depth20@100ms",
    "kline_1m",
    "miniTicker",
    "ticker",
)
KINDS = {
    "binance": (*_SHARED, "ticker_1h", "avgPrice"),
    "binance-usdm": (*_SHARED, "continuousKline_1m", "markPrice@1s"),
    HYPERLIQUID: ("l2Book", "l2Book fast", "bbo", "trades", "candle", "activeAssetCtx"),
}


def _names(streams: Mapping[str, Stream]) -> tuple[str, ...]:
    """Every name there is for a symbol's streams: each channel at each cadence, however it is spelt."""
    names = []
    for channel, stream in streams.items():
        if not channel.startswith("!"):
            kind, zone, offset = channel.partition("@")
            names += [f"{kind}{option and '@'}{option}{zone}{offset}" for option in stream.cadences_ns]
    return tuple(names)


NAMES = {
    "binance": _names(SPOT_STREAMS),
    "binance-usdm": _names(USDM_STREAMS),
    HYPERLIQUID: (
        *("l2Book", "l2Book fast", "bbo", "trades", "activeAssetCtx"),
        *(f"candle {interval}" for interval in CANDLES),
    ),
}


def warp(_runs: int) -> Iterator[Row]:
    """Steps of a clock whose clients take raw bytes, one connection a venue, by the server's CPU time.

    How long a day takes of what is told without living through it, and how many virtual seconds a second has of all
    there is to tell: of every kind of stream once, and of every name and cadence at once.
    """
    for subject, assets, told in (
        ("marks and funding", ["BTC"], MARKS),
        ("the same and klines of a minute", ["BTC"], KLINES),
    ):
        yield Row.of("time", f"24 h of {subject}", "s", [_step_s(DAY_S, assets, told)])
    for kind, table in (("kind of stream", KINDS), ("name and cadence", NAMES)):
        for subject, assets, told in (
            *((f"{venue_id} BTC", ["BTC"], {venue_id: table[venue_id]}) for venue_id in table),
            ("3 venues, 3 symbols", ["BTC", "ETH", "SOL"], table),
        ):
            factor = MINUTES_S / _step_s(MINUTES_S, assets, told)
            yield Row.of("time", f"{subject}, every {kind}", "x real time", [factor])


def stepping(pipe: Connection) -> None:
    """A process that serves, sends its venues' URLs, and answers each step it is sent with the CPU time of it."""
    with Emulator({"socket_lifetime": "never", "lazy_history": True}) as running:
        pipe.send({venue_id: running.url(venue_id) for venue_id in KINDS})
        while (seconds := pipe.recv()) is not None:
            cpu_s = time.process_time()
            running.clock.advance(seconds)
            pipe.send(time.process_time() - cpu_s)


def _step_s(seconds: int, assets: Sequence[str], told: Mapping[str, Sequence[str]]) -> float:
    with beside(stepping) as pipe, ExitStack() as stack, selectors.DefaultSelector() as selector:
        urls: Mapping[str, str] = pipe.recv()
        for venue_id, streams in told.items():
            url = urlsplit(urls[venue_id])
            each = listening((url.hostname or "", url.port or 0), venue_id, assets, streams)
            selector.register(stack.enter_context(each), selectors.EVENT_READ)
        selector.register(pipe, selectors.EVENT_READ)
        pipe.send(seconds)
        while True:
            for key, _ in selector.select():
                if key.fileobj is pipe:
                    took_s: float = pipe.recv()
                    return took_s
                assert isinstance(key.fileobj, socket.socket)
                assert key.fileobj.recv(1 << 20), "closed"


def listening(
    address: tuple[str, int], venue_id: str, assets: Sequence[str], streams: Sequence[str]
) -> socket.socket:
    """A WebSocket to a venue that has subscribed to these streams of these assets."""
    each = socket.create_connection(address)
    names = [stream_name(asset, name) for asset in assets for name in streams]
    path, asked = "/stream?streams=" + "/".join(names), []
    if venue_id == HYPERLIQUID:
        path, asked = "/ws", [masked(subscription(asset, name)) for asset in assets for name in streams]
    each.sendall(HANDSHAKE.format(path).encode())
    await_word(each, b"\r\n\r\n", 1)
    each.sendall(b"".join(asked))
    await_word(each, b'"subscriptionResponse"', len(asked))
    return each


def stream_name(asset: str, name: str) -> str:
    """A stream's name; a continuous kline is of a pair's contract."""
    pair = (
        f"{asset.lower()}usdt{PERPETUAL.lower()}" if name.startswith("continuous") else f"{asset.lower()}usdt"
    )
    return f"{pair}@{name}"


def subscription(coin: str, name: str) -> bytes:
    """A request for a stream."""
    kind, _, rest = name.partition(" ")
    asked = {"type": kind, "coin": coin} | ({"fast": True} if rest == "fast" else {})
    asked |= {"interval": rest or "1m"} if kind == "candle" else {}
    return orjson.dumps({"method": "subscribe", "subscription": asked})

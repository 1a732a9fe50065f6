"""A client of everything: sockets that keep whatever a venue tells, and what there is to ask each venue."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.patience import told
from tests.serving import Served


@dataclass(frozen=True, slots=True)
class Feed:
    """A venue's socket: how streams are asked for on it, and which one a message is of (None: an acknowledgement)."""

    path: str
    streams: tuple[str, ...]
    asks: Callable[[Sequence[str]], list[Any]]
    stream_of: Callable[[Any], str | None]
    rest: tuple[tuple[str, Any], ...]  # paths to ask, with the body of a POST or None for a GET


def _subscription(stream: str) -> dict[str, Any]:
    """Hyperliquid's streams have no names. Here they are called "candle:BTC:1m"."""
    kind, coin, option = (*stream.split(":"), "", "")[:3]
    options = {"interval": option} if kind == "candle" else {"fast": True} if option else {}
    return {"type": kind} | ({"coin": coin} if coin else {}) | options


def _stream_of(message: Any) -> str | None:
    kind, data = message["channel"], message["data"]
    match kind:
        case "subscriptionResponse":
            return None
        case "trades":
            return f"trades:{data[0]['coin']}"
        case "candle":
            return f"candle:{data['s']}:{data['i']}"
        case "activeSpotAssetCtx":
            return f"activeAssetCtx:{data['coin']}"
        case "l2Book" if data.get("fast"):
            return f"l2Book:{data['coin']}:fast"
    return f"{kind}:{data['coin']}" if "coin" in data else kind


FEEDS = {
    "binance": Feed(
        "/stream",
        (
            "btcusdt@trade",
            "btcusdt@aggTrade",
            "btcusdt@bookTicker",
            "btcusdt@depth",
            "btcusdt@depth@100ms",
            "btcusdt@depth5",
            "btcusdt@depth20@100ms",
            "ethusdt@kline_1s",
            "btcusdt@kline_1m",
            "solusdt@kline_1d@+08:00",
            "btcusdt@ticker",
            "ethusdt@ticker_1h",
            "btcusdt@avgPrice",
            "!miniTicker@arr",
        ),
        lambda streams: [{"method": "SUBSCRIBE", "params": list(streams), "id": 1}],
        lambda message: message.get("stream"),
        (
            ("/api/v3/depth?symbol=BTCUSDT&limit=5000", None),
            ("/api/v3/trades?symbol=BTCUSDT&limit=1000", None),
            ("/api/v3/aggTrades?symbol=ETHUSDT&limit=1000", None),
            ("/api/v3/klines?symbol=SOLUSDT&interval=1h&limit=1000", None),
            ("/api/v3/ticker/24hr", None),
            ("/api/v3/time", None),
        ),
    ),
    "binance-usdm": Feed(
        "/market/stream",
        (
            "btcusdt@trade",
            "btcusdt@aggTrade",
            "btcusdt@bookTicker",
            "btcusdt@depth@0ms",
            "ethusdt@depth5@500ms",
            "btcusdt@kline_1m",
            "!ticker@arr",
            "!markPrice@arr@1s",
        ),
        lambda streams: [{"method": "SUBSCRIBE", "params": list(streams), "id": 1}],
        lambda message: message.get("stream"),
        (
            ("/fapi/v1/depth?symbol=BTCUSDT&limit=1000", None),
            ("/fapi/v1/klines?symbol=BTCUSDT&interval=3m", None),
            ("/fapi/v1/premiumIndex", None),
            ("/fapi/v1/fundingRate?limit=9", None),
        ),
    ),
    "hyperliquid": Feed(
        "/ws",
        (
            "l2Book:BTC",
            "l2Book:BTC:fast",
            "bbo:BTC",
            "trades:BTC",
            "trades:PURR/USDC",
            "candle:ETH:1m",
            "activeAssetCtx:SOL",
            "activeAssetCtx:@1",
            "allMids",
        ),
        lambda streams: [{"method": "subscribe", "subscription": _subscription(name)} for name in streams],
        _stream_of,
        (
            ("/info", {"type": "l2Book", "coin": "BTC"}),
            ("/info", {"type": "candleSnapshot", "req": {"coin": "ETH", "interval": "5m", "startTime": 0}}),
            ("/info", {"type": "metaAndAssetCtxs"}),
            ("/info", {"type": "fundingHistory", "coin": "SOL", "startTime": 0}),
        ),
    ),
}


class Listener:
    """A socket, and all it has been told."""

    def __init__(self, socket: ClientConnection, feed: Feed) -> None:
        self.socket = socket
        self.feed = feed
        self.told: defaultdict[str, list[bytes]] = defaultdict(list)

    def subscribe(self, streams: Sequence[str]) -> None:
        for said in self.feed.asks(streams):
            self.socket.send(json.dumps(said))

    def collect(self) -> None:
        """Take in what was sent until now."""
        for payload in told(self.socket):
            stream = self.feed.stream_of(json.loads(payload))
            if stream is not None:
                self.told[stream].append(payload)


@contextmanager
def listening(served: Served, venue: str) -> Iterator[Listener]:
    """A connection to the venue's socket, without subscriptions and without any bound on what it takes in."""
    feed = FEEDS[venue]
    url = served.venues[venue]["ws"] + feed.path
    with connect(
        url, compression=None, max_queue=None, max_size=None, ping_interval=None, proxy=None
    ) as socket:
        yield Listener(socket, feed)

"""What is measured. A measure yields rows; it reads the clock and starts processes, and changes nothing."""

from __future__ import annotations

import resource
import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import numpy as np
import orjson

from benchmarks.harness import HANDSHAKE, Row, beside, cpu_time_s
from benchmarks.orders import orders
from benchmarks.references import CLIENTS, naive_loop, random_walk, transport_writes
from benchmarks.restart import restart
from emulator.parquet import Job
from emulator.parquet import generate as write_parquet
from emulator.presets import get_preset
from emulator.sdk import Emulator
from reactor.profiles import ASSETS, magnitude, profile
from reactor.runner import Run
from reactor.types import MS_NS, SECOND_NS, Instrument, Kind
from reactor.unified_market import MarketOrchestrationCore
from venues.base import Exchange, HttpRequest, VenueProtocol
from venues.binance.usdm_wire import PERPETUAL, USDM_STREAMS
from venues.binance.wire import SPOT_STREAMS, Stream
from venues.hyperliquid.rules import INTERVALS as CANDLES
from venues.registry import VENUES

ORIGIN_NS = 1_767_225_600 * SECOND_NS  # 2026-01-01 00:00 UTC
SEED = 1


def exchange(venue: VenueProtocol) -> Exchange:
    """The venue's view of a world made anew."""
    markets = [(row.instrument, row.manifest) for row in venue.listings]
    world = MarketOrchestrationCore(seed=SEED, origin_ns=ORIGIN_NS, markets=markets)
    return Exchange(world, {row.instrument.symbol: row.instrument.market for row in venue.listings})


# ---------------------------------------------------------------- generate
ROUNDS, BLOCKS = 5, 6
LIVE_MARKETS, LIVE_MINUTES = 200, 2
HOUR, DAY = 60, 1_440


def generate() -> Iterator[Row]:
    """What markets cost where nobody listens, by CPU time: events a second, rows to files, many markets at once."""
    yield from _events_per_second()
    yield from _to_parquet()
    yield _many_markets()


def _events_per_second() -> Iterator[Row]:
    """Events (prints, quotes, changes of levels) of each venue's busiest market, by one core.

    The reference is a random walk in numpy; a loop in Python that makes the same walk has a row of its own.
    """
    walk, loop_rates = np.random.default_rng(SEED), []
    for venue in VENUES:
        market = next(iter(exchange(venue)))
        market.block(0)
        ours, walked, k = [], [], 0
        for _ in range(ROUNDS):
            events, cpu_s = 0, time.process_time()
            for _ in range(BLOCKS):
                k += 1
                block = market.block(k)
                events += len(block.prints) + len(block.quotes) + len(block.levels)
            ours.append(events / (time.process_time() - cpu_s))
            cpu_s = time.process_time()
            for _ in range(BLOCKS):
                random_walk(walk, events // BLOCKS)
            walked.append(events / (time.process_time() - cpu_s))
        yield Row(
            "generate",
            market.instrument.market,
            statistics.median(ours),
            "events/s",
            statistics.median(walked),
        )
        cpu_s = time.process_time()
        naive_loop(SEED, events // BLOCKS)
        loop_rates.append(events // BLOCKS / (time.process_time() - cpu_s))
    yield Row("generate", "the walk as a Python loop", statistics.median(loop_rates), "events/s")


def _to_parquet() -> Iterator[Row]:
    """Rows a second of a preset's files, and the most memory that a day of it takes beside that of an hour."""
    spoken: dict[int, tuple[float, float]] = {}
    for minutes in (HOUR, DAY):
        with beside(writing) as pipe:
            pipe.send(minutes)
            spoken[minutes] = pipe.recv()
    yield Row("parquet", "binance_spot_btc", spoken[DAY][0], "rows/s")
    yield Row("memory", "24 h to Parquet, beside 1 h", spoken[DAY][1], "MB", spoken[HOUR][1])


def writing(pipe: Connection) -> None:
    """A process that writes so many minutes of a preset, and tells rows per second of its CPU time and its peak MB."""
    minutes, preset = pipe.recv(), get_preset("binance_spot_btc")
    run, rows = Run(SEED, ORIGIN_NS, preset.instrument, preset.manifest), list[int]()
    with TemporaryDirectory() as out:
        cpu_s = time.process_time()
        write_parquet(Job(run, minutes, Path(out)), 1, lambda part: rows.append(sum(part.rows.values())))
        cpu_s = time.process_time() - cpu_s
    pipe.send((sum(rows) / cpu_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def _many_markets() -> Row:
    """The share of a core that so many markets take when all their minutes are made as they come."""
    names = [f"{asset}-{n}" for n in range(LIVE_MARKETS // len(ASSETS) + 1) for asset in ASSETS][
        :LIVE_MARKETS
    ]
    markets = []
    for i, name in enumerate(names):
        style, kind = (("spot", Kind.SPOT), ("perp", Kind.PERP), ("onchain perp", Kind.PERP))[i % 3]
        asset = name.partition("-")[0]
        digits = max(0, 4 - magnitude(ASSETS[asset]["initial_price"]))
        contract = Instrument(name, name, asset, asset, "USDT", kind, digits, 1, 3, 1)
        markets.append((contract, profile(asset, style)))
    world = MarketOrchestrationCore(seed=SEED, origin_ns=ORIGIN_NS, markets=markets)
    for name in world:
        world.market(name).block(0)
    cpu_s = time.process_time()
    for k in range(1, 1 + LIVE_MINUTES):
        for name in world:
            world.market(name).block(k)
    share = (time.process_time() - cpu_s) / (LIVE_MINUTES * 60)
    return Row("live", f"{LIVE_MARKETS} markets", share * 100, "% of a core")


# ---------------------------------------------------------------- klines
INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M")
UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000, "M": 30 * 86_400_000}
REPEATS = 15
NOW_NS = ORIGIN_NS + 30 * SECOND_NS


def _get(path: str, query: str) -> Callable[[str], HttpRequest]:
    return lambda interval: HttpRequest("GET", path, f"{query}&interval={interval}&limit=1000")


def _candles(interval: str) -> HttpRequest:
    start_ms = max(0, NOW_NS // MS_NS - 999 * int(interval[:-1]) * UNITS_MS[interval[-1]])
    asked = {"coin": "BTC", "interval": interval, "startTime": start_ms}
    body = orjson.dumps({"type": "candleSnapshot", "req": asked})
    return HttpRequest("POST", "/info", headers={"content-type": "application/json"}, body=body)


BARS: Mapping[tuple[str, str], Callable[[str], HttpRequest]] = {
    ("binance", "klines"): _get("/api/v3/klines", "symbol=BTCUSDT"),
    ("binance-usdm", "klines"): _get("/fapi/v1/klines", "symbol=BTCUSDT"),
    ("binance-usdm", "markPriceKlines"): _get("/fapi/v1/markPriceKlines", "symbol=BTCUSDT"),
    ("binance-usdm", "indexPriceKlines"): _get("/fapi/v1/indexPriceKlines", "pair=BTCUSDT"),
    ("hyperliquid", "candleSnapshot"): _candles,
}


def klines() -> Iterator[Row]:
    """A request for the newest 1,000 bars, or all since the listing, by the wall clock: the slowest interval.

    The median of many, of a market whose past has been asked for before; and days, of one that nobody has asked for.
    """
    venues = {venue.id: venue for venue in VENUES}
    for (venue_id, endpoint), request in BARS.items():
        venue, history = venues[venue_id], exchange(venues[venue_id])
        first_ms = _answer_ms(venue, request("1d"), history)
        took_ms = {}
        for interval in INTERVALS:
            _answer_ms(venue, request(interval), history)
            times = [_answer_ms(venue, request(interval), history) for _ in range(REPEATS)]
            took_ms[interval] = statistics.median(times)
        slowest = max(took_ms, key=lambda interval: took_ms[interval])
        yield Row("klines", f"{venue_id} {endpoint} {slowest}", took_ms[slowest], "ms")
        yield Row("klines, first", f"{venue_id} {endpoint} 1d", first_ms, "ms")


def _answer_ms(venue: VenueProtocol, request: HttpRequest, history: Exchange) -> float:
    start_s = time.perf_counter()
    answer = venue.handle(request, history, NOW_NS)
    took_s = time.perf_counter() - start_s
    assert answer.status == 200, answer.body
    return took_s * 1_000


# ---------------------------------------------------------------- fanout
SETTLE_S, LISTEN_S = 2.0, 10.0
STREAMS = "/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@depth@100ms"


def fanout() -> Iterator[Row]:
    """The server's CPU time for a frame delivered to one of many clients, in real time, page making included.

    The reference writes the same bytes, at the same times, to as many sockets, and does nothing else.
    """
    with beside(emulator) as pipe:
        url = urlsplit(pipe.recv())
        assert url.hostname
        assert url.port
        with _connections(url.hostname, url.port, HANDSHAKE.format(STREAMS).encode()) as sockets:
            _drain(sockets, SETTLE_S)
            before_s = cpu_time_s(pipe)
            heard = _drain(sockets, LISTEN_S)
            took_s = cpu_time_s(pipe) - before_s
    frames = count_frames(b"".join(data for _, data in heard)) * CLIENTS
    with beside(transport_writes) as pipe:
        port = pipe.recv()
        with _connections("127.0.0.1", port, b"") as sockets:
            pipe.send(heard)
            _drain(sockets, LISTEN_S)
            raw_s = pipe.recv()
            pipe.send(None)
    yield Row("fanout", f"{CLIENTS} clients", took_s / frames * 1e6, "us/frame", raw_s / frames * 1e6)


def emulator(pipe: Connection) -> None:
    """A process that serves in real time, sends a venue's URL, and tells its CPU time when asked."""
    with Emulator({"paused": False, "venues": ["binance"], "lazy_history": True}) as running:
        pipe.send(running.url("binance"))
        while pipe.recv() is not None:
            pipe.send(time.process_time())


@contextmanager
def _connections(host: str, port: int, hello: bytes) -> Iterator[Sequence[socket.socket]]:
    """Connections past their handshake, ready to be read."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_connection((host, port))) for _ in range(CLIENTS)]
        for each in sockets:
            each.sendall(hello)
            answer = b""
            while hello and not answer.endswith(b"\r\n\r\n"):
                answer += each.recv(1)
            assert answer.startswith(b"HTTP/1.1 101") or not hello, answer
            each.setblocking(False)
        yield sockets


def _drain(sockets: Sequence[socket.socket], seconds: float) -> list[tuple[float, bytes]]:
    """Read everything for so long; what the first connection was told, and when, in s."""
    start_s, heard = time.perf_counter(), []
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        while (left_s := start_s + seconds - time.perf_counter()) > 0:
            for key, _ in selector.select(left_s):
                data = sockets[sockets.index(key.fileobj)].recv(1 << 20)
                if key.fileobj is sockets[0]:
                    heard.append((time.perf_counter() - start_s, data))
    return heard


def count_frames(data: bytes) -> int:
    """How many whole frames of a server begin in these bytes, which begin with one."""
    at = frames = 0
    while at + 2 <= len(data):
        size = data[at + 1]
        if size == 126:
            at, size = at + 2, int.from_bytes(data[at + 2 : at + 4])
        elif size == 127:
            at, size = at + 8, int.from_bytes(data[at + 2 : at + 10])
        at += 2 + size
        frames += 1
    return frames


# ---------------------------------------------------------------- time
DAY_S, MINUTES_S = 86_400, 300
MARKS = {"binance-usdm": ("markPrice@1s",), "hyperliquid": ("activeAssetCtx",)}
KLINES = {"binance-usdm": ("markPrice@1s", "kline_1m"), "hyperliquid": ("activeAssetCtx",)}
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
    "hyperliquid": ("l2Book", "l2Book fast", "bbo", "trades", "candle", "activeAssetCtx"),
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
    "hyperliquid": (
        *("l2Book", "l2Book fast", "bbo", "trades", "activeAssetCtx"),
        *(f"candle {interval}" for interval in CANDLES),
    ),
}


def warp() -> Iterator[Row]:
    """Steps of a clock whose clients take raw bytes, one connection a venue, by the server's CPU time.

    How long a day takes of what is told without living through it, and how many virtual seconds a second has of all
    there is to tell: of every kind of stream once, and of every name and cadence at once.
    """
    for subject, assets, told in (
        ("marks and funding", ["BTC"], MARKS),
        ("the same and klines of a minute", ["BTC"], KLINES),
    ):
        yield Row("time", f"24 h of {subject}", _step_s(DAY_S, assets, told), "s")
    for kind, table in (("kind of stream", KINDS), ("name and cadence", NAMES)):
        for subject, assets, told in (
            *((f"{venue_id} BTC", ["BTC"], {venue_id: table[venue_id]}) for venue_id in table),
            ("3 venues, 3 symbols", ["BTC", "ETH", "SOL"], table),
        ):
            factor = MINUTES_S / _step_s(MINUTES_S, assets, told)
            yield Row("time", f"{subject}, every {kind}", factor, "x real time")


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
            each = stack.enter_context(socket.create_connection((url.hostname, url.port)))
            names = [_stream(asset, name) for asset in assets for name in streams]
            path, asked = "/stream?streams=" + "/".join(names), []
            if venue_id == "hyperliquid":
                path, asked = "/ws", [_subscription(asset, name) for asset in assets for name in streams]
            each.sendall(HANDSHAKE.format(path).encode())
            _await(each, b"\r\n\r\n", 1)
            each.sendall(b"".join(asked))
            _await(each, b'"subscriptionResponse"', len(asked))
            selector.register(each, selectors.EVENT_READ)
        selector.register(pipe, selectors.EVENT_READ)
        pipe.send(seconds)
        while True:
            for key, _ in selector.select():
                if key.fileobj is pipe:
                    took_s: float = pipe.recv()
                    return took_s
                assert isinstance(key.fileobj, socket.socket)
                assert key.fileobj.recv(1 << 20), "closed"


def _await(each: socket.socket, word: bytes, times: int) -> None:
    """Read until the word has come so often."""
    data = b""
    while data.count(word) < times:
        data += each.recv(1 << 16)


def _stream(asset: str, name: str) -> str:
    """A stream's name; a continuous kline is of a pair's contract."""
    pair = (
        f"{asset.lower()}usdt{PERPETUAL.lower()}" if name.startswith("continuous") else f"{asset.lower()}usdt"
    )
    return f"{pair}@{name}"


def _subscription(coin: str, name: str) -> bytes:
    """A request for a stream, as a client's frame."""
    kind, _, rest = name.partition(" ")
    asked = {"type": kind, "coin": coin} | ({"fast": True} if rest == "fast" else {})
    asked |= {"interval": rest or "1m"} if kind == "candle" else {}
    text = orjson.dumps({"method": "subscribe", "subscription": asked})
    assert len(text) < 126
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text


# ---------------------------------------------------------------- startup
STARTS = 3


def startup() -> Iterator[Row]:
    """From the command to "ready", by the wall clock; beside a Python that only imports numpy and uvicorn."""
    program = str(Path(sys.executable).with_name("exchange-emulator"))
    ours, bare = [], []
    for _ in range(STARTS):
        start_s = time.perf_counter()
        command = (program, "serve", "--base-port", "0")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert any(line.strip() == "ready" for line in process.stdout)
            ours.append(time.perf_counter() - start_s)
            process.terminate()
        start_s = time.perf_counter()
        subprocess.run((sys.executable, "-c", "import numpy, uvicorn"), check=True)
        bare.append(time.perf_counter() - start_s)
    yield Row("startup", "serve", statistics.median(ours) * 1_000, "ms", statistics.median(bare) * 1_000)


MEASURES: Mapping[str, Callable[[], Iterator[Row]]] = {
    "generate": generate,
    "klines": klines,
    "fanout": fanout,
    "orders": orders,
    "time": warp,
    "startup": startup,
    "restart": restart,
}

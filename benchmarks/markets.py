"""What markets cost where nobody listens: their events, their files, many at once, and requests for their past.

A measure reads the clock and starts processes, and changes nothing.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson

from benchmarks.harness import Bound, Row, beside, in_turns
from benchmarks.references import naive_loop, random_walk
from emulator.parquet import Job
from emulator.parquet import generate as write_parquet
from emulator.presets import get_preset
from reactor.profiles import ASSETS, magnitude, profile
from reactor.runner import Run
from reactor.types import MS_NS, SECOND_NS, Instrument, Kind
from reactor.unified_market import MarketOrchestrationCore
from venues.base import Exchange, HttpRequest, VenueProtocol
from venues.limits import OFF, Usage
from venues.registry import VENUES

ORIGIN_NS = 1_767_225_600 * SECOND_NS  # 2026-01-01 00:00 UTC
SEED = 1


def exchange(venue: VenueProtocol) -> Exchange:
    """The venue's view of a world made anew, its clients without limits."""
    markets = [(row.instrument, row.manifest) for row in venue.listings]
    world = MarketOrchestrationCore(seed=SEED, origin_ns=ORIGIN_NS, markets=markets)
    listed = {row.instrument.symbol: row.instrument.market for row in venue.listings}
    return Exchange(world, listed, Usage(OFF))


# ---------------------------------------------------------------- generate
BLOCKS = 20  # of a run, spread over a day, so that no hour in which much or little happens rules it
FAST = Bound(2, at_least=True, of_ours=True)  # million events a second
EVENTS_OF = {"binance_spot_btc": FAST, "binance_futures_btc": FAST, "hyperliquid_perp_btc": None}
LIVE_MARKETS, LIVE_MINUTES = 200, 2
HOUR, DAY = 60, 1_440


def generate(runs: int) -> Iterator[Row]:
    """By CPU time: events a second, rows to files, many markets at once."""
    yield from _events(runs)
    yield from _to_parquet()
    yield _many_markets()


def _events(runs: int) -> Iterator[Row]:
    """Events (prints, quotes, changes of levels) a second of the markets of presets, by one core, over a day.

    The references make a random walk of as many steps, in numpy and in a loop in Python.
    """
    for name, bound in EVENTS_OF.items():
        preset = get_preset(name)
        listed = [(preset.instrument, preset.manifest)]
        market = MarketOrchestrationCore(seed=SEED, origin_ns=ORIGIN_NS, markets=listed).market(
            preset.instrument.market
        )
        walk, late, made = np.random.default_rng(SEED), count(0), list[int]()

        def ours() -> float:
            events, took_s = 0, 0.0
            for minute in range(next(late), DAY, DAY // BLOCKS):  # noqa: B023  # every run has minutes of its own
                market.block(minute)  # noqa: B023  # as in a row, where the one before is there already
                cpu_s = time.process_time()
                block = market.block(minute + 1)  # noqa: B023
                took_s += time.process_time() - cpu_s
                events += len(block.prints) + len(block.quotes) + len(block.levels)
            made.append(events)  # noqa: B023
            return events / took_s / 1e6

        def walked() -> float:
            cpu_s, steps = time.process_time(), made[-1] // BLOCKS  # noqa: B023
            for _ in range(BLOCKS):
                random_walk(walk, steps)  # noqa: B023
            return BLOCKS * steps / (time.process_time() - cpu_s) / 1e6

        def looped() -> float:
            cpu_s, steps = time.process_time(), made[-1] // BLOCKS  # noqa: B023
            naive_loop(SEED, steps)
            return steps / (time.process_time() - cpu_s) / 1e6

        figures, walks, loops = in_turns(runs, ours, walked, looped)
        yield Row.of("generate", name, "M events/s", figures, "numpy walk", walks, bound)
        yield Row.of("generate", name, "M events/s", figures, "Python loop", loops)


def _to_parquet() -> Iterator[Row]:
    """Rows of a preset's files, and the most memory that a day of it takes beside that of an hour."""
    spoken: dict[int, tuple[float, float]] = {}
    for minutes in (HOUR, DAY):
        with beside(writing) as pipe:
            pipe.send(minutes)
            spoken[minutes] = pipe.recv()
    day, hour = spoken[DAY], spoken[HOUR]
    least, most = Bound(0.8, at_least=True, of_ours=True), Bound(400, of_ours=True)
    yield Row.of(
        "parquet", "a day of binance_spot_btc", "M rows/s", day[:1], "an hour of it", hour[:1], least
    )
    yield Row.of("parquet", "peak memory of the same", "MB", day[1:], "an hour of it", hour[1:], most)


def writing(pipe: Connection) -> None:
    """A process that writes so many minutes of a preset, and tells how many million rows of them a second of CPU time
    made, and its peak MB.
    """
    minutes, preset = pipe.recv(), get_preset("binance_spot_btc")
    run, rows = Run(SEED, ORIGIN_NS, preset.instrument, preset.manifest), list[int]()
    with TemporaryDirectory() as out:
        cpu_s = time.process_time()
        write_parquet(Job(run, minutes, Path(out)), 1, lambda part: rows.append(sum(part.rows.values())))
        cpu_s = time.process_time() - cpu_s
    pipe.send((sum(rows) / cpu_s / 1e6, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


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
    bound = Bound(50, of_ours=True)
    return Row.of("live", f"{LIVE_MARKETS} markets", "% of a core", [share * 100], bound=bound)


# ---------------------------------------------------------------- klines
INTERVALS = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M")
UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000, "M": 30 * 86_400_000}
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


def klines(runs: int) -> Iterator[Row]:
    """A request for the newest 1,000 bars, or all since the listing, by the wall clock: the slowest interval.

    The median of many, of a market whose past has been asked for before; and days, of one that nobody has asked for.
    """
    venues = {venue.id: venue for venue in VENUES}
    for (venue_id, endpoint), request in BARS.items():
        venue, history = venues[venue_id], exchange(venues[venue_id])
        first_ms = _answer_ms(venue, request("1d"), history)
        took_ms: dict[str, list[float]] = {}
        for interval in INTERVALS:
            _answer_ms(venue, request(interval), history)
            took_ms[interval] = [_answer_ms(venue, request(interval), history) for _ in range(3 * runs)]
        slowest = max(took_ms, key=lambda interval: statistics.median(took_ms[interval]))
        yield Row.of("klines", f"{venue_id} {endpoint} {slowest}", "ms", took_ms[slowest])
        yield Row.of("klines", f"{venue_id} {endpoint} 1d, first", "ms", [first_ms])


def _answer_ms(venue: VenueProtocol, request: HttpRequest, history: Exchange) -> float:
    start_s = time.perf_counter()
    answer = venue.handle(request, history, NOW_NS)
    took_s = time.perf_counter() - start_s
    assert answer.status == 200, answer.body
    return took_s * 1_000

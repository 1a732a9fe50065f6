"""The whole of it at work: the default world with every kind of stream, for many, for long, and at a hundred times its
usual traffic; and what a market, a subscriber and a rule of chaos add.
"""

from __future__ import annotations

import re
import selectors
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count, pairwise

from benchmarks.crowds import opened_files
from benchmarks.harness import READERS, Bound, Row, in_turns, on_core
from benchmarks.markets import ORIGIN_NS, exchange
from benchmarks.served import Served, serving
from benchmarks.sockets import HANDSHAKE, connections, drain, payloads
from benchmarks.warp import HYPERLIQUID, KINDS, listening, stream_name, subscription
from emulator.run import channels
from reactor.types import BLOCK_NS, SECOND_NS
from venues.base import PAGE_NS
from venues.registry import VENUES

ASSETS = ("BTC", "ETH", "SOL")
CLIENTS = 50


@contextmanager
def _clients(served: Served, count: int) -> Iterator[list[socket.socket]]:
    """So many, who listen to all of a venue of the default world; the venues in turn."""
    with on_core(READERS), ExitStack() as stack:
        sockets = []
        for number in range(count):
            venue = list(KINDS)[number % len(KINDS)]
            each = listening(served.addresses[venue], venue, ASSETS, KINDS[venue])
            each.setblocking(False)
            sockets.append(stack.enter_context(each))
        yield sockets


# ---------------------------------------------------------------- end to end
WINDOW_S, SATURATED_S = 10.0, 5.0


def end_to_end(runs: int) -> Iterator[Row]:
    """The share of a core that the default world takes in real time, by stage; and frames a second of a core's time,
    when time goes as fast as clients read.

    Generation is the minutes' blocks, encoding what else their pages cost, both made here once more; the rest of what
    the server takes is fan-out.
    """
    with serving() as served, _clients(served, CLIENTS) as sockets:
        drain(sockets, 3.0)
        shares = list[float]()
        for _ in range(runs):
            before_s = served.cpu_s
            drain(sockets, WINDOW_S)
            shares.append((served.cpu_s - before_s) / WINDOW_S * 100)
        served.post("/clock/speed", speed="max")
        drain(sockets, 2.0)
        rates = list[float]()
        for _ in range(runs):
            before_s = served.cpu_s
            frames = _frames(sockets, SATURATED_S)
            rates.append(frames / (served.cpu_s - before_s))
    made, encoded = _stages()
    what = f"default world, {CLIENTS} clients"
    yield Row.of("end-to-end", what, "% of a core", shares)
    yield Row.of("end-to-end", f"{what}: generation", "% of a core", [made])
    yield Row.of("end-to-end", f"{what}: encoding", "% of a core", [encoded])
    yield Row.of(
        "end-to-end", f"{what}: fan-out", "% of a core", [max(0.0, each - made - encoded) for each in shares]
    )
    yield Row.of("end-to-end", f"{what}, as fast as they read", "frames/s of a core", rates)


def _frames(sockets: Sequence[socket.socket], seconds: float) -> int:
    """How many frames all of them get: those of the first of each venue, counted, times those who get the same."""
    counted, end_s = 0, time.perf_counter() + seconds
    with selectors.DefaultSelector() as selector:
        for number, each in enumerate(sockets):
            selector.register(each, selectors.EVENT_READ, number < len(KINDS))
        while (left_s := end_s - time.perf_counter()) > 0:
            for key, _ in selector.select(left_s):
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 20)
                assert data, "closed"
                if key.data:
                    counted += data.count(b'{"stream":"') + data.count(b'{"channel":"')
    return counted * len(sockets) // len(KINDS)


def _stages() -> tuple[float, float]:
    """What generation and encoding take of a core in real time, in %: of the minute after the first."""
    blocks_s = pages_s = 0.0
    for venue in VENUES:
        view = exchange(venue)
        names = [stream_name(asset, name) for asset in ASSETS for name in KINDS[venue.id]]
        told = (
            channels(venue, view, "/stream?streams=" + "/".join(names))
            if venue.id != HYPERLIQUID
            else channels(
                venue,
                view,
                "/ws",
                [subscription(asset, name).decode() for asset in ASSETS for name in KINDS[venue.id]],
            )
        )
        markets = [next(market for market in view if market.instrument.base == asset) for asset in ASSETS]
        minutes = []
        for minute in (1, 2):  # the first makes what lasts
            cpu_s = time.process_time()
            for market in markets:
                market.block(minute)
            made_s = time.process_time() - cpu_s
            cpu_s, start_ns = time.process_time(), ORIGIN_NS + minute * BLOCK_NS
            for at_ns in range(start_ns, start_ns + BLOCK_NS, PAGE_NS):
                for channel in told:
                    channel.page(at_ns)
            minutes.append((made_s, time.process_time() - cpu_s))
        blocks_s += minutes[-1][0]
        pages_s += minutes[-1][1]
    seconds = BLOCK_NS / SECOND_NS
    return blocks_s / seconds * 100, pages_s / seconds * 100


# ---------------------------------------------------------------- burst
CALM_S, BURST_S, TIMES = 10.0, 10.0, 100
BURST_CLIENTS = 5
LATE_MS = 250.0
RULES = (
    "- {{kind: mkt.burst, venue: '*', symbol: '*', times: {times}, at_s: {at_s:g}, duration_s: {for_s:g}}}\n"
)
_EVENT_MS = re.compile(rb'"(?:E|time)":(\d{13})')  # the newest in a piece of what was read


def burst(_runs: int) -> Iterator[Row]:
    """A hundred times the traffic on all markets: how far behind the clock each of five clients is told, at most.

    Beside the calm before, whose least lateness is taken for none: it is how long after its start time the server was
    ready.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as rules:
        rules.write(RULES.format(times=TIMES, at_s=CALM_S + 2, for_s=BURST_S))
        rules.flush()
        with serving("--faults", rules.name) as served, _clients(served, BURST_CLIENTS) as sockets:
            calm = _lateness(sockets, CALM_S)
            stormy = _lateness(sockets, BURST_S + 4)
    least = [min(row) for row in calm]
    behind = [max(row) - first for row, first in zip(stormy, least, strict=True)]
    usual = [max(row) - first for row, first in zip(calm, least, strict=True)]
    what = f"x{TIMES} on all markets for {BURST_S:g} s: {BURST_CLIENTS} clients are behind by"
    bound = Bound(LATE_MS, of_ours=True)
    yield Row.of("burst", what, "ms at most", [max(behind)], "the calm before", [max(usual)], bound)
    sizes = [len(row) for row in stormy]
    yield Row.of("burst", "pieces that the one who was told least has read", "", [min(sizes)])


def _lateness(sockets: Sequence[socket.socket], seconds: float) -> list[list[float]]:
    """By socket, how long after the newest event in a piece the piece was read, in ms. None of them may be closed."""
    late: dict[socket.socket, list[float]] = {each: [] for each in sockets}
    end_s = time.perf_counter() + seconds
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        while (left_s := end_s - time.perf_counter()) > 0:
            for key, _ in selector.select(left_s):
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 20)
                assert data, "closed"
                told = _EVENT_MS.findall(data[-4096:])
                if told:
                    late[key.fileobj].append(time.time() * 1_000 - float(told[-1]))
    return list(late.values())


# ---------------------------------------------------------------- memory
WARM_HOURS, HOURS, STEP_MINUTES = 1, 24, 2
APART_HOURS = 6  # at either end: one of them is quiet


def memory(_runs: int) -> Iterator[Row]:
    """What a server holds that steps through a day of the default world, told all kinds of streams of BTC, an hour
    after it began. More is held in busy hours than in quiet ones: a leak shows in the quietest.
    """
    with (
        serving("--start", "2026-01-01", "--paused", "--socket-lifetime", "never") as served,
        on_core(READERS),
        ExitStack() as stack,
    ):
        sockets = [
            stack.enter_context(listening(served.addresses[venue], venue, ["BTC"], KINDS[venue]))
            for venue in KINDS
        ]
        held = []
        with _drained(sockets):
            for _ in range((WARM_HOURS + HOURS) * 60 // STEP_MINUTES):
                served.advance(STEP_MINUTES * 60)
                held.append(served.memory / (1 << 20))
    per_hour = 60 // STEP_MINUTES
    hours = [statistics.median(held[k : k + per_hour]) for k in range(0, len(held), per_hour)][WARM_HOURS:]
    early, late = hours[:APART_HOURS], hours[-APART_HOURS:]
    apart = HOURS - APART_HOURS + late.index(min(late)) - early.index(min(early))
    yield Row.of("memory", "in an hour of a day", "MB", hours)
    yield Row.of("memory", "the most of the day", "MB", [max(held)])
    slope, line = (min(late) - min(early)) / apart, statistics.linear_regression(range(HOURS), hours).slope
    yield Row.of(
        "memory", "slope from quiet hour to quiet hour", "MB/h", [slope], bound=Bound(1, of_ours=True)
    )
    yield Row.of("memory", "slope of a line through all hours", "MB/h", [line])


@contextmanager
def _drained(sockets: Sequence[socket.socket]) -> Iterator[None]:
    """Their bytes are read, in a thread."""
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            drain(sockets, 0.2)

    thread = threading.Thread(target=read)
    thread.start()
    yield
    done.set()
    thread.join()


# ---------------------------------------------------------------- growth
SYMBOLS, SUBSCRIBERS = (10, 100, 300), (10, 1_000, 3_000)
SYMBOLS_S = 60
SUBSCRIBERS_S = 10.0


def growth(_runs: int) -> Iterator[Row]:
    """What one more costs where there are many, beside where there are few: of CPU, in a minute of stepped time for
    a symbol with trades, quotes and books, and in real time for a subscriber to quotes.
    """
    costs = [_symbols_s(count) for count in SYMBOLS]
    yield _marginal(f"a symbol, with {SYMBOLS[1]} to {SYMBOLS[2]} of them", SYMBOLS, costs)
    hello = HANDSHAKE.format("/ws/btcusdt@bookTicker").encode()
    costs = []
    with serving("--venues", "binance", "--start", "2026-01-01") as served, ExitStack() as stack:
        sockets: list[socket.socket] = []
        opened_files(SUBSCRIBERS[-1] + 500)
        for count in SUBSCRIBERS:
            more = connections(*served.addresses["binance"], hello, count - len(sockets))
            sockets += stack.enter_context(more)
            drain(sockets, 3.0)
            before_s = served.cpu_s
            heard = drain(sockets, SUBSCRIBERS_S)
            frames = len(payloads(b"".join(data for _, data in heard)))
            costs.append((served.cpu_s - before_s) / frames)  # no ten seconds are like others
    yield _marginal(
        f"a subscriber's frame, with {SUBSCRIBERS[1]} to {SUBSCRIBERS[2]} of them", SUBSCRIBERS, costs
    )


def _marginal(what: str, counts: Sequence[int], costs: Sequence[float]) -> Row:
    few, many = (
        (after - before) / (count - less) * 1e6
        for (less, count), (before, after) in zip(pairwise(counts), pairwise(costs), strict=True)
    )
    return Row.of(
        "growth", what, "us of CPU", [many], f"{counts[0]} to {counts[1]} of them", [few], Bound(1.25)
    )


def _symbols_s(count: int) -> float:
    """The CPU time of a minute of so many symbols."""
    names = [f"Z{number}" for number in range(count)]
    assets = (
        "{" + ", ".join(f"{name}: {{initial_price: {3 + number}}}" for number, name in enumerate(names)) + "}"
    )
    markets = ",".join(f"binance:{name}USDT" for name in names)
    options = ("--venues", "binance", "--assets", assets, "--markets", markets)
    with (
        serving(*options, "--start", "2026-01-01", "--paused") as served,
        on_core(READERS),
        ExitStack() as stack,
    ):
        kinds = ("trade", "bookTicker", "depth@100ms")
        groups = [names[start : start + 50] for start in range(0, count, 50)]
        sockets = [
            stack.enter_context(listening(served.addresses["binance"], "binance", group, kinds))
            for group in groups
        ]
        with _drained(sockets):
            served.advance(SYMBOLS_S)
            before_s = served.cpu_s
            served.advance(SYMBOLS_S)
            return served.cpu_s - before_s


# ---------------------------------------------------------------- chaos
RULED_CLIENTS = 200


def chaos(runs: int) -> Iterator[Row]:
    """A frame to one of many without rules, while there is one for another; beside the same without any."""
    hello = HANDSHAKE.format("/ws/btcusdt@bookTicker").encode()
    newest = count(
        RULED_CLIENTS, RULED_CLIENTS
    )  # of the connections there ever were, after each batch of them
    with serving("--venues", "binance", "--start", "2026-01-01") as served:

        def cost(*, ruled: bool) -> float:
            # of new ones each time, for who answers no ping is closed after a while
            with connections(*served.addresses["binance"], hello, RULED_CLIENTS) as sockets:
                name = f"binance-{next(newest)}"
                rule = (
                    served.post("/faults", kind="md.dup", connection=name, after_n=1 << 29) if ruled else {}
                )
                drain(sockets, 1.0)
                before_s = served.cpu_s
                heard = drain(sockets, WINDOW_S)
                took_s = served.cpu_s - before_s
                if ruled:
                    served.delete(f"/faults/{rule['id']}")
            frames = len(payloads(b"".join(data for _, data in heard)))
            return took_s / frames / RULED_CLIENTS * 1e6

        figures, costs = in_turns(runs, partial(cost, ruled=True), partial(cost, ruled=False))
    what = f"{RULED_CLIENTS} clients, a rule for one of them"
    yield Row.of("chaos", what, "us/frame", figures, "no rule", costs, Bound(1.05))

"""What it costs to tell many clients the same: the server's CPU time for a frame that one of them got.

In real time, the making of the market and of its frames included. The references are given the same bytes, sending
them to as many sockets is all they do, and they do it faster than real time, with nothing to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import TypeAlias
from urllib.parse import urlsplit

from benchmarks.harness import Bound, Row, beside, cpu_time_s, in_turns, serve, tell
from benchmarks.references import FANOUTS, fanning_out
from benchmarks.sockets import HANDSHAKE, connections, drain, payloads
from emulator.sdk import Emulator
from venues.wire import frame

SETTLE_S, LISTEN_S = 2.0, 10.0  # the latter as long as a page, so that each run makes one
HURRY = 4  # times faster than it happened, references send it
ASSETS = ("btc", "eth", "sol", "bnb", "xrp", "doge", "ada")
TWENTY = [f"{asset}usdt@{kind}" for asset in ASSETS for kind in ("bookTicker", "trade", "depth@100ms")][:20]

Write: TypeAlias = tuple[float, list[bytes]]  # when, in s, and the messages


def fanout(runs: int) -> Iterator[Row]:
    """Few clients with many streams, whose frames leave together; and many clients with one."""
    bounds = {"raw": Bound(1.5), "broadcast": Bound(1 / 6), "picows": Bound(1 / 4)}
    yield from _rows(runs, "fanout-50x20", 50, TWENTY, bounds)
    yield from _rows(
        runs, "fanout-200x1", 200, ["btcusdt@bookTicker"], {"raw": Bound(1.3), "broadcast": Bound(1 / 1.5)}
    )


def _rows(
    runs: int, bench: str, clients: int, streams: Sequence[str], bounds: Mapping[str, Bound]
) -> Iterator[Row]:
    with ExitStack() as stack:
        pipe = stack.enter_context(beside(emulator))
        url, path = urlsplit(pipe.recv()), "/stream?streams=" + "/".join(streams)
        hello = HANDSHAKE.format(path).encode()
        sockets = stack.enter_context(connections(url.hostname or "", url.port or 0, hello, clients))
        writes: list[Write] = []

        def ours() -> float:
            tell(pipe, "resume")
            drain(sockets, SETTLE_S)
            before_s = cpu_time_s(pipe)
            writes[:] = _writes(drain(sockets, LISTEN_S))
            took_s = cpu_time_s(pipe) - before_s
            tell(pipe, "pause")
            drain(sockets, 0.1)
            return _per_frame_us(took_s, writes, clients)

        references = [stack.enter_context(_reference(name, clients, writes)) for name in FANOUTS]
        figures, *costs = in_turns(runs, ours, *references)
    what = f"{clients} clients, streams each: {len(streams)}"
    for name, cost in zip(FANOUTS, costs, strict=True):
        yield Row.of(bench, what, "us/frame", figures, name, cost, bounds.get(name))


@contextmanager
def _reference(name: str, clients: int, writes: Sequence[Write]) -> Iterator[Callable[[], float]]:
    """What measures a reference that writes the same."""
    hello = b"" if name == "raw" else HANDSHAKE.format("/").encode()
    with beside(fanning_out) as pipe:
        pipe.send(name)
        with connections("127.0.0.1", pipe.recv(), hello, clients) as sockets:

            def measure() -> float:
                made = [(at_s / HURRY, [frame(each) for each in told]) for at_s, told in writes]
                pipe.send(made if name == "raw" else [(at_s / HURRY, told) for at_s, told in writes])
                drain(sockets, LISTEN_S / HURRY + 0.5)
                took_s: float = pipe.recv()
                return _per_frame_us(took_s, writes, clients)

            yield measure


def _writes(heard: Sequence[tuple[float, bytes]]) -> list[Write]:
    """What one client heard, message by message."""
    writes, rest = [], b""
    for at_s, data in heard:
        told = payloads(rest + data)
        rest = (rest + data)[sum(len(frame(each)) for each in told) :]
        writes.append((at_s, told))
    assert not rest
    return writes


def _per_frame_us(took_s: float, writes: Sequence[Write], clients: int) -> float:
    return took_s / (sum(len(told) for _, told in writes) * clients) * 1e6


def emulator(pipe: Connection) -> None:
    """A process that serves at the pace of real time when told to, and tells its CPU time when asked."""
    markets = [f"binance:{asset.upper()}USDT" for asset in ASSETS]
    with Emulator(venues=["binance"], markets=markets) as running:
        pipe.send(running.url("binance"))
        serve(pipe, {"resume": running.clock.resume, "pause": running.clock.pause})

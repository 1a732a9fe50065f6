"""What it costs to tell many clients the same: the server's CPU time for a frame that one of them got.

In real time, the making of the market and of its frames included. The references are given the same bytes, and to send
them to as many sockets at the same times is all they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

from benchmarks.harness import Bound, Row, beside, in_turns
from benchmarks.references import FANOUTS, fanning_out
from benchmarks.served import serving
from benchmarks.sockets import HANDSHAKE, connections, drain, payloads
from venues.wire import frame

SETTLE_S, LISTEN_S = 2.0, 10.0  # the latter as long as a page, so that each run makes one
REPLAY_S = 3.0  # so much of it the references send, but `raw`, beside which a tenth counts: that sends it all
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
    hello = HANDSHAKE.format("/stream?streams=" + "/".join(streams)).encode()
    markets = ",".join(f"binance:{asset.upper()}USDT" for asset in ASSETS)
    with ExitStack() as stack:
        served = stack.enter_context(serving("--venues", "binance", "--markets", markets, "--paused"))
        sockets = stack.enter_context(connections(*served.addresses["binance"], hello, clients))
        writes: list[Write] = []

        def ours() -> float:
            served.post("/clock/resume")
            drain(sockets, SETTLE_S)
            before_s = served.cpu_s
            heard = drain(sockets, LISTEN_S)
            took_s = served.cpu_s - before_s
            served.post("/clock/pause")
            drain(sockets, 0.1)
            writes[:] = _writes(heard)
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
                lasts_s = LISTEN_S if name == "raw" else REPLAY_S
                said = [write for write in writes if write[0] < lasts_s]
                framed = [(at_s, [frame(each) for each in told]) for at_s, told in said]
                pipe.send(framed if name == "raw" else said)
                drain(sockets, lasts_s + 0.2)
                took_s: float = pipe.recv()
                return _per_frame_us(took_s, said, clients)

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

"""How long a server takes to be of use, beside a Python that only imports what any such server would."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks.harness import Bound, Row
from benchmarks.served import PROGRAM, environment, ready
from benchmarks.sockets import HANDSHAKE, connections

STREAM = "btcusdt@bookTicker"
BARE = "import numpy, uvicorn, orjson"


def startup(runs: int) -> Iterator[Row]:
    """From the command to "ready", and to the first frame of a client that connects then; and the CPU time by then."""
    _serve()  # compiles
    ours, beside = list[Sequence[float]](), list[Sequence[float]]()
    for _ in range(runs):
        ours.append(_serve())
        beside.append(bare())
    ready, framed, cpu = zip(*ours, strict=True)
    passed, passed_cpu = zip(*beside, strict=True)
    yield Row.of("startup", "serve, to ready", "ms", ready, BARE, passed)
    yield Row.of("startup", "serve, to the first frame", "ms", framed, BARE, passed, Bound(3))
    yield Row.of("startup", "CPU time of the same", "ms", cpu, BARE, passed_cpu, Bound(3))


def _serve() -> tuple[float, float, float]:
    """To ready, to the first frame, and CPU time, in ms."""
    start_s = time.perf_counter()
    command = (PROGRAM, "serve", "--base-port", "0")
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
    served = ready(process)
    ready_s = time.perf_counter()
    host, port = served.addresses["binance"]
    hello = HANDSHAKE.format(f"/ws/{STREAM}").encode()
    with connections(host, port, hello, 1) as (socket,):
        socket.setblocking(True)
        assert socket.recv(1 << 16)
        framed_s = time.perf_counter()
    process.kill()
    _, _, used = os.wait4(process.pid, 0)
    process.communicate()
    return (
        (ready_s - start_s) * 1_000,
        (framed_s - start_s) * 1_000,
        (used.ru_utime + used.ru_stime) * 1_000,
    )


def bare() -> tuple[float, float]:
    """To the end, and CPU time, in ms."""
    start_s = time.perf_counter()
    process = subprocess.Popen((sys.executable, "-c", BARE), env=environment())
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0
    return (time.perf_counter() - start_s) * 1_000, (used.ru_utime + used.ru_stime) * 1_000

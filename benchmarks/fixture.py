"""What a test pays for its exchange: the first of a process, imports included, and every further one.

Beside it, a Python that only imports what any such server would.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks.harness import Bound, Row
from benchmarks.served import environment
from benchmarks.startup import BARE, bare

# Two tests' worth of work in a new process, and when each step of it was done.
TESTS = """
import time
from emulator import Emulator
done = [time.perf_counter()]
import json, socket
from urllib.parse import urlsplit
for _ in range(2):
    done.append(time.perf_counter())
    with Emulator() as exchange:
        done.append(time.perf_counter())
        address = urlsplit(exchange.ws_url("binance"))
        with socket.create_connection((address.hostname, address.port)) as client:
            client.sendall(b"GET /ws/btcusdt@bookTicker HTTP/1.1\\r\\nHost: localhost\\r\\nUpgrade: websocket\\r\\n"
                           b"Connection: Upgrade\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n"
                           b"Sec-WebSocket-Version: 13\\r\\n\\r\\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
            exchange.clock.advance(1)
            assert client.recv(4096)
            done.append(time.perf_counter())
print(json.dumps(done))
"""


def fixture(runs: int) -> Iterator[Row]:
    """To ready once imported, to the first frame of a process's first test, and to that of its second."""
    _tests()  # compiles
    ours, passed = list[Sequence[float]](), list[float]()
    for _ in range(runs):
        ours.append(_tests())
        passed.append(bare()[0])
    ready, first, second = zip(*ours, strict=True)
    rows = (
        ("the first, once imported, to ready", ready, 300),
        ("the first, imports included, to its first frame", first, 1_000),
        ("the second, to its first frame", second, 150),
    )
    for workload, figures, limit in rows:
        yield Row.of("fixture", workload, "ms", figures, BARE, passed, Bound(limit, of_ours=True))


def _tests() -> tuple[float, float, float]:
    """The three figures of one process, in ms."""
    began = time.perf_counter()  # the clock of all processes
    command = (sys.executable, "-c", TESTS)
    told = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout
    _, first, ready, framed, second, _, framed_again = (float(at) for at in json.loads(told))
    return (ready - first) * 1_000, (framed - began) * 1_000, (framed_again - second) * 1_000

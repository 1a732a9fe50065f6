"""What an answer over HTTP costs the server's CPU, beside uvicorn answering as many fixed bytes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

from benchmarks.harness import Bound, Row, beside, cpu_time_s, in_turns
from benchmarks.references import bare_http
from benchmarks.served import serving

REQUESTS = 300  # of a run, over one connection that is kept alive
FRESH = 100  # virtual seconds a second: no book is asked for twice
L2_BOOK = b'{"type":"l2Book","coin":"BTC"}'

DEPTH = "/api/v3/depth?symbol=BTCUSDT&limit=1000"

# Of each workload: its venue, the request, the clock's speed, and how much more than the bare answer it may cost.
WORKLOADS = (
    ("binance", "GET", "/api/v3/time", b"", 1, Bound(1.5)),
    ("binance", "GET", DEPTH, b"", 1, Bound(4)),
    ("binance", "GET", DEPTH, b"", FRESH, None),
    ("hyperliquid", "POST", "/info", L2_BOOK, 1, Bound(2.5)),
    ("hyperliquid", "POST", "/info", L2_BOOK, FRESH, None),
)


def rest(runs: int) -> Iterator[Row]:
    """Requests one after another while the clock runs, so that books change between them as they do."""
    with serving() as served, beside(bare_http) as bare:
        port = bare.recv()
        for venue, method, path, body, speed, bound in WORKLOADS:
            served.set_speed(speed)
            head = (
                f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            request = head.encode() + body
            with (
                closing(socket.create_connection(served.addresses[venue])) as ours,
                closing(socket.create_connection(("127.0.0.1", port))) as theirs,
            ):
                size = _answered(ours, request)
                bare.send("size")
                bare.send(size)
                bare.recv()
                _answered(theirs, request)

                def cost() -> float:
                    before_s = served.cpu_s
                    for _ in range(REQUESTS):
                        _answered(ours, request)  # noqa: B023  # called before the next workload's turn
                    return (served.cpu_s - before_s) / REQUESTS * 1e6

                def bare_cost() -> float:
                    before_s = cpu_time_s(bare)
                    for _ in range(REQUESTS):
                        _answered(theirs, request)  # noqa: B023
                    return (cpu_time_s(bare) - before_s) / REQUESTS * 1e6

                figures, costs = in_turns(runs, cost, bare_cost)
            which = f"{' l2Book' if body else ''}{', each a new one' if speed == FRESH else ''}"
            subject = f"{method} {path.partition('?')[0]}{which}, {size:,} bytes"
            yield Row.of("rest", subject, "us of CPU", figures, "bare uvicorn", costs, bound)


def _answered(each: socket.socket, request: bytes) -> int:
    """Ask; the size of the answer's body."""
    each.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(each)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    rows = [row.lower() for row in head.split(b"\r\n")]
    size = next(int(row.partition(b":")[2]) for row in rows if row.startswith(b"content-length:"))
    left = size - len(body)
    while left:
        left -= len(_some(each))
    return size


def _some(each: socket.socket) -> bytes:
    data = each.recv(1 << 18)
    assert data, "closed"
    return data

"""Many sockets, and one that does not read: what each takes of the server, and what the others notice."""

from __future__ import annotations

import resource
import selectors
import socket
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from benchmarks.harness import READERS, Bound, Row, on_core
from benchmarks.served import Served, serving
from benchmarks.sockets import HANDSHAKE, connections

CROWD, SOURCES, OPENING = (
    10_000,
    8,
    200,
)  # sockets, the addresses of 127/8 they come from, how many open at a time
CROWD_LISTENS_S = 3.0
TICKER = HANDSHAKE.format("/ws/btcusdt@miniTicker").encode()  # one message a second

OTHERS = 99
WATCH_S, TURNS = 10.0, 2
SPEED = 20  # so that what is not read fills an outbox meanwhile
TRADES = HANDSHAKE.format("/ws/btcusdt@trade").encode()
PLENTY = HANDSHAKE.format(
    "/stream?streams="
    + "/".join(
        f"{symbol}usdt@{kind}"
        for symbol in ("btc", "eth", "sol")
        for kind in ("depth@100ms", "depth20@100ms", "bookTicker")
    )
).encode()


def many(_runs: int) -> Iterator[Row]:
    """Memory of a socket with its stream, beyond the server's without any; sockets opened a second; all are told."""
    with serving("--venues", "binance") as served, on_core(READERS), ExitStack() as stack:
        opened_files(CROWD + 500)
        with connections(
            *served.addresses["binance"], TICKER, 20
        ) as first:  # the market and its pages are there
            _heard(first, 2.0)
        empty, before_s, start_s = served.memory, served.cpu_s, time.perf_counter()
        sockets = list[socket.socket]()
        for start in range(0, CROWD, OPENING):
            sockets += _open(stack, served, range(start, min(CROWD, start + OPENING)))
        took_s, opening_s = time.perf_counter() - start_s, served.cpu_s - before_s
        _heard(sockets, 1.0)
        served_of_them = len(_heard(sockets, CROWD_LISTENS_S))
        each = (served.memory - empty) / len(sockets) / 1024
    yield Row.of(
        "connections", f"{CROWD:,} sockets: memory of each", "KB", [each], bound=Bound(20, of_ours=True)
    )
    yield Row.of(
        "connections",
        f"those told anything in {CROWD_LISTENS_S:g} s",
        "sockets",
        [served_of_them],
        bound=Bound(CROWD, at_least=True, of_ours=True),
    )
    yield Row.of("connections", "to open one", "us of CPU", [opening_s / len(sockets) * 1e6])
    yield Row.of("connections", "sockets opened, one after another", "/s", [len(sockets) / took_s])


def opened_files(least: int) -> None:
    """Let this process, and whatever it starts, have so many files open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < least:
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, max(least, hard)))


def _open(stack: ExitStack, served: Served, numbers: range) -> list[socket.socket]:
    """Sockets of these numbers, their handshakes done, at once."""
    opened = []
    for number in numbers:
        source = f"127.0.0.{2 + number % SOURCES}"
        each = socket.create_connection(served.addresses["binance"], source_address=(source, 0))
        stack.enter_context(each)
        each.sendall(TICKER)
        opened.append(each)
    for each in opened:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += each.recv(1 << 12)
        assert answer.startswith(b"HTTP/1.1 101"), answer
        each.setblocking(False)
    return opened


def _heard(sockets: Sequence[socket.socket], seconds: float) -> set[socket.socket]:
    """Read everything for so long; who was told anything."""
    told, end_s = set(), time.perf_counter() + seconds
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ)
        while (left_s := end_s - time.perf_counter()) > 0:
            for key, _ in selector.select(left_s):
                assert isinstance(key.fileobj, socket.socket)
                if key.fileobj.recv(1 << 16):
                    told.add(key.fileobj)
                else:
                    selector.unregister(key.fileobj)
    return told


# ---------------------------------------------------------------- one that does not read
def slow_consumer(runs: int) -> Iterator[Row]:
    """How late others are told while one among them reads nothing of much, beside how late they are while it does.

    A delivery is late by how long after the first of them a socket has it: 99 % are no later than that. A run looks at
    either in turns, several times.
    """
    with_it, without, told, grown = list[float](), list[float](), list[float](), list[float]()
    with serving("--venues", "binance", "--speed", str(SPEED)) as served:
        address = served.addresses["binance"]
        with connections(*address, TRADES, 1) as one, _narrow(address) as reading:
            _lateness_ms(served, one, (reading,))  # what markets take is there
        for _ in range(runs):
            late, later = list[float](), list[float]()
            with connections(*address, TRADES, OTHERS) as others:  # new ones: who answers no ping is closed
                for _ in range(TURNS):
                    before = served.memory
                    with _narrow(address) as stalled:
                        later += _lateness_ms(served, others, ())
                        grown.append(max(0, served.memory - before) / (1 << 20))
                        told.append(_told_to_go(stalled))
                    with _narrow(address) as reading:
                        late += _lateness_ms(served, others, (reading,))
            with_it.append(statistics.quantiles(later, n=100)[98])
            without.append(statistics.quantiles(late, n=100)[98])
    what = f"{OTHERS} others are told within (99 %)"
    yield Row.of("slow-consumer", what, "ms", with_it, "it reads", without, Bound(1.2))
    policy = Bound(1, at_least=True, of_ours=True)
    yield Row.of("slow-consumer", "it is closed as the venue does", "1 or 0", told, bound=policy)
    yield Row.of("slow-consumer", "memory that it takes", "MB", grown, bound=Bound(16, of_ours=True))


def _narrow(address: tuple[str, int]) -> socket.socket:
    """A client of much, with little room of its own for what it does not read."""
    each = socket.socket()
    each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    each.connect(address)
    each.sendall(PLENTY)
    return each


def _told_to_go(stalled: socket.socket) -> float:
    """1 if the last that it reads is the close of the venue's policy, 0 if it was left waiting."""
    stalled.settimeout(5)
    tail = b""
    try:
        while data := stalled.recv(1 << 20):
            tail = (tail + data)[-200:]
    except (TimeoutError, ConnectionResetError):
        pass
    return float(b"Slow consumer" in tail)


def _lateness_ms(
    served: Served, sockets: Sequence[socket.socket], besides: Sequence[socket.socket]
) -> list[float]:
    """How long after the first socket each has what all are told, in ms, piece by piece; time stands before and after.
    Others `besides` are read and not looked at.
    """
    late, first_s, got = list[float](), dict[int, float](), dict.fromkeys(sockets, 0)
    _heard(sockets, 0.5)
    served.post("/clock/resume")
    end_s = time.perf_counter() + WATCH_S
    with selectors.DefaultSelector() as selector:
        for each in sockets:
            selector.register(each, selectors.EVENT_READ, "looked at")
        for each in besides:
            selector.register(each, selectors.EVENT_READ)
        while (left_s := end_s - time.perf_counter()) > 0:
            for key, _ in selector.select(left_s):
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 20)
                assert data, "closed"
                if key.data is None:
                    continue
                now_s = time.perf_counter()
                got[key.fileobj] += len(data)
                late.append((now_s - first_s.setdefault(got[key.fileobj], now_s)) * 1_000)
    served.post("/clock/pause")
    return late

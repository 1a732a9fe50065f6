"""How long an order takes from its client and back, and how many of them a core takes in, beside an echo.

Orders rest, are acknowledged, and are cancelled again. The client writes raw bytes and looks for the one word it waits
for, so that what is measured is the server. The reference is the websockets library's own server, which sends every
message back; the same client talks to it, in turns with ours.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import orjson
from coincurve import PrivateKey

from benchmarks.harness import Bound, Row, beside, cpu_time_s, serve
from benchmarks.references import echo
from benchmarks.sockets import HANDSHAKE, masked
from emulator.sdk import Emulator
from venues.hyperliquid.signing import agent_digest, connection_id

ROUNDS, CROWD = 200, 50  # in a run, so many orders and their cancels; and as many again, so many at once
ACK_BOUND = Bound(3.0)  # of an order's round trip, by the echo's
KEY, SECRET = "test-key", b"test-secret"
WALLET = PrivateKey(b"\x01" * 32)
VENUES = ("binance", "hyperliquid")

Make: TypeAlias = Callable[[str, object], bytes]  # of a verb and an order's name, the bytes to send


@dataclass(frozen=True, slots=True)
class _Server:
    """Where one of the two is, what each of its answers has in it, and who tells its CPU time."""

    url: str
    path: str
    word: bytes
    pipe: Connection

    def open(self) -> closing[socket.socket]:
        """A WebSocket."""
        return closing(opened(self.url, self.path))


def orders(runs: int) -> Iterator[Row]:
    """Orders by Binance's WebSocket API, with and without a journal, and by Hyperliquid's endpoint."""
    with beside(echo) as reference, TemporaryDirectory() as folder:
        bare = _Server(f"ws://127.0.0.1:{reference.recv()}", "/", b'"params"', reference)
        for subject, journal in (("binance", ""), ("binance, journal", str(Path(folder) / "journal"))):
            with beside(serving) as pipe:
                pipe.send(journal)
                urls = pipe.recv()
                ours = _Server(urls["binance"], "/ws-api/v3", b'"status":200', pipe)
                yield from _measured(runs, subject, _binance(ours.url), ours, bare)
                if not journal:
                    yield from _hyperliquid(runs, urls["hyperliquid"], pipe)


def serving(pipe: Connection) -> None:
    """A process that is sent where to keep a journal, serves in real time, sends its venues' URLs, and tells its CPU
    time when asked.
    """
    journal = pipe.recv()
    with Emulator({"paused": False, "venues": list(VENUES), "journal": journal}) as running:
        pipe.send({venue: running.url(venue) for venue in VENUES})
        serve(pipe, {})


def _measured(runs: int, subject: str, make: Make, ours: _Server, bare: _Server) -> Iterator[Row]:
    """The median round trip of an order that rests, and what one of many messages (orders and cancels) costs a core."""
    names = count()
    took_us: tuple[list[float], list[float]] = [], []
    crowds_us: tuple[list[float], list[float]] = [], []
    for _ in range(runs):
        for server, times_us, crowd_us in zip((ours, bare), took_us, crowds_us, strict=True):
            turn = [next(names) for _ in range(ROUNDS)]
            with server.open() as each:
                round_trips_us, took_s = [], 0.0
                for name in turn:
                    round_trips_us.append(round_trip_us(each, make("place", name), server.word))
                    round_trip_us(each, make("cancel", name), server.word)
                for start in range(0, ROUNDS, CROWD):
                    for verb in ("place", "cancel"):
                        some = turn[start : start + CROWD]
                        took_s += _crowd_s(each, [make(verb, f"c{name}") for name in some], server)
            times_us.append(statistics.median(round_trips_us))
            crowd_us.append(took_s / (2 * ROUNDS) * 1e6)
    yield Row.of(
        *("orders", f"{subject}: order to ack", "us"),
        *(took_us[0], "websockets echo", took_us[1]),
        bound=ACK_BOUND,
    )
    yield Row.of(
        "orders", f"{subject}: an order or cancel", "us of CPU", crowds_us[0], "websockets echo", crowds_us[1]
    )


def _crowd_s(each: socket.socket, crowd: Sequence[bytes], server: _Server) -> float:
    """The CPU time that a server takes for messages that come at once."""
    before_s = cpu_time_s(server.pipe)
    each.sendall(b"".join(crowd))
    _await(each, server.word, len(crowd))
    return cpu_time_s(server.pipe) - before_s


def round_trip_us(each: socket.socket, message: bytes, word: bytes, *, refused: bool = False) -> float:
    """How long it takes from a message to a word in the answer, which is no error but where it may be `refused`."""
    start_s = time.perf_counter()
    each.sendall(message)
    _await(each, word, 1, refused=refused)
    return (time.perf_counter() - start_s) * 1e6


def _await(each: socket.socket, word: bytes, times: int, *, refused: bool = False) -> None:
    """Read until the word has come so often."""
    data = b""
    while data.count(word) < times:
        more = each.recv(1 << 16)
        assert more, "closed"
        data += more
        assert refused or b'"error"' not in data, data


# ---------------------------------------------------------------- a client of the WebSocket API
def opened(url: str, path: str) -> socket.socket:
    """A WebSocket past its handshake."""
    address = urlsplit(url)
    each = socket.create_connection((address.hostname, address.port), timeout=30)
    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    each.sendall(HANDSHAKE.format(path).encode())
    _await(each, b"\r\n\r\n", 1)
    return each


def _binance(url: str) -> Make:
    """Buys of 0.001 BTC, a twentieth below the market, and their cancels."""
    book = ask(url, "GET", "/api/v3/ticker/bookTicker?symbol=BTCUSDT")
    price = f"{float(book['bidPrice']) * 0.95:.2f}"
    order = {"price": price, "quantity": "0.001", "side": "BUY", "timeInForce": "GTC", "type": "LIMIT"}

    def make(verb: str, name: object) -> bytes:
        asked = (
            {"newClientOrderId": f"n{name}", **order}
            if verb == "place"
            else {"origClientOrderId": f"n{name}"}
        )
        return signed(f"order.{verb}", name, symbol="BTCUSDT", **asked)

    return make


def signed(method: str, name: object, **asked: object) -> bytes:
    """A frame with a request of the WebSocket API, signed by HMAC."""
    params = {**asked, "apiKey": KEY, "recvWindow": 60_000, "timestamp": time.time_ns() // 1_000_000}
    payload = "&".join(f"{key}={params[key]}" for key in sorted(params))
    params["signature"] = hmac.new(SECRET, payload.encode(), hashlib.sha256).hexdigest()
    return masked(orjson.dumps({"id": name, "method": method, "params": params}))


def ask(url: str, method: str, path: str, body: bytes = b"") -> Any:
    """The JSON of an answer over HTTP."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as connection:
        connection.request(method, path, body, {"content-type": "application/json"})
        return orjson.loads(connection.getresponse().read())


# ---------------------------------------------------------------- a client of Hyperliquid
def _hyperliquid(runs: int, url: str, pipe: Connection) -> Iterator[Row]:
    """Orders and cancels over one kept-alive connection, each signed."""
    mids = ask(url, "POST", "/info", b'{"type":"allMids"}')
    price = str(round(float(mids["BTC"]) * 0.95))
    order = {"a": 0, "b": True, "p": price, "s": "0.001", "r": False, "t": {"limit": {"tif": "Alo"}}}
    nonces = count(time.time_ns() // 1_000_000)
    with closing(socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=30)) as each:
        runs_us, costs_us, names = list[float](), list[float](), count()
        for _ in range(runs):
            took_us, before_s = [], cpu_time_s(pipe)
            for _ in range(ROUNDS):
                cloid = f"0x{next(names):032x}"
                place = {"type": "order", "orders": [{**order, "c": cloid}], "grouping": "na"}
                took_us.append(round_trip_us(each, _posted(place, next(nonces)), b'"resting"'))
                cancel = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": cloid}]}
                round_trip_us(each, _posted(cancel, next(nonces)), b'"success"')
            runs_us.append(statistics.median(took_us))
            costs_us.append((cpu_time_s(pipe) - before_s) / (2 * ROUNDS) * 1e6)
    yield Row.of("orders", "hyperliquid: order to ack", "us", runs_us)
    yield Row.of("orders", "hyperliquid: an order or cancel", "us of CPU", costs_us)


def _posted(action: Mapping[str, object], nonce: int) -> bytes:
    digest = agent_digest(connection_id(action, nonce, None, None), "b")
    signed = WALLET.sign_recoverable(digest, hasher=None)
    signature = {"r": "0x" + signed[:32].hex(), "s": "0x" + signed[32:64].hex(), "v": 27 + signed[64]}
    body = orjson.dumps({"action": action, "nonce": nonce, "signature": signature})
    head = (
        "POST /exchange HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body

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

from benchmarks.harness import HANDSHAKE, Row, beside, cpu_time_s
from benchmarks.references import echo
from emulator.sdk import Emulator
from venues.hyperliquid.signing import agent_digest, connection_id

TURNS, ROUNDS = (
    20,
    50,
)  # in a turn, so often an order and its cancel; then so many orders at once, then their cancels
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


def orders() -> Iterator[Row]:
    """Orders by Binance's WebSocket API, with and without a journal, and by Hyperliquid's endpoint."""
    with beside(echo) as reference, TemporaryDirectory() as folder:
        bare = _Server(f"ws://127.0.0.1:{reference.recv()}", "/", b'"params"', reference)
        for subject, journal in (("binance", ""), ("binance, journal", str(Path(folder) / "journal"))):
            with beside(serving) as pipe:
                pipe.send(journal)
                urls = pipe.recv()
                ours = _Server(urls["binance"], "/ws-api/v3", b'"status":200', pipe)
                yield from _measured(subject, _binance(ours.url), ours, bare)
                if not journal:
                    yield from _hyperliquid(urls["hyperliquid"], pipe)


def serving(pipe: Connection) -> None:
    """A process that is sent where to keep a journal, serves in real time, sends its venues' URLs, and tells its CPU
    time when asked.
    """
    journal = pipe.recv()
    with Emulator({"paused": False, "venues": list(VENUES), "journal": journal}) as running:
        pipe.send({venue: running.url(venue) for venue in VENUES})
        while pipe.recv() is not None:
            pipe.send(time.process_time())


def _measured(subject: str, make: Make, ours: _Server, bare: _Server) -> Iterator[Row]:
    """The median round trip of an order that rests, and how many messages (orders and cancels) a core takes in."""
    names = count()
    took_us: tuple[list[float], list[float]] = [], []
    took_s = [0.0, 0.0]
    for _ in range(TURNS):
        turn = [next(names) for _ in range(ROUNDS)]
        with ours.open() as each:
            for name in turn:
                took_us[0].append(round_trip_us(each, make("place", name), ours.word))
                round_trip_us(each, make("cancel", name), ours.word)
            for verb in ("place", "cancel"):
                took_s[0] += _crowd_s(each, [make(verb, f"c{name}") for name in turn], ours)
        with bare.open() as each:
            for name in turn:
                took_us[1].append(round_trip_us(each, make("place", name), bare.word))
            for verb in ("place", "cancel"):
                took_s[1] += _crowd_s(each, [make(verb, f"c{name}") for name in turn], bare)
    yield Row("orders", f"{subject}: order to ack", *_medians(took_us, "us"))
    messages = 2 * TURNS * ROUNDS
    yield Row("orders", f"{subject}: orders and cancels", messages / took_s[0], "/s", messages / took_s[1])


def _medians(took_us: Sequence[Sequence[float]], unit: str) -> tuple[float, str, float]:
    ours, bare = map(statistics.median, took_us)
    return ours, unit, bare


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
    return _masked(orjson.dumps({"id": name, "method": method, "params": params}))


def _masked(text: bytes) -> bytes:
    """A client's frame, its mask being zero."""
    assert 125 < len(text) < 1 << 16
    return b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text


def ask(url: str, method: str, path: str, body: bytes = b"") -> Any:
    """The JSON of an answer over HTTP."""
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as connection:
        connection.request(method, path, body, {"content-type": "application/json"})
        return orjson.loads(connection.getresponse().read())


# ---------------------------------------------------------------- a client of Hyperliquid
def _hyperliquid(url: str, pipe: Connection) -> Iterator[Row]:
    """Orders and cancels over one kept-alive connection, each signed."""
    mids = ask(url, "POST", "/info", b'{"type":"allMids"}')
    price = str(round(float(mids["BTC"]) * 0.95))
    order = {"a": 0, "b": True, "p": price, "s": "0.001", "r": False, "t": {"limit": {"tif": "Alo"}}}
    nonces = count(time.time_ns() // 1_000_000)
    with closing(socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=30)) as each:
        took_us, before_s = [], cpu_time_s(pipe)
        for name in range(TURNS * ROUNDS):
            cloid = f"0x{name:032x}"
            place = {"type": "order", "orders": [{**order, "c": cloid}], "grouping": "na"}
            took_us.append(round_trip_us(each, _posted(place, next(nonces)), b'"resting"'))
            cancel = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": cloid}]}
            round_trip_us(each, _posted(cancel, next(nonces)), b'"success"')
        took_s = cpu_time_s(pipe) - before_s
    yield Row("orders", "hyperliquid: order to ack", statistics.median(took_us), "us")
    yield Row("orders", "hyperliquid: orders and cancels", 2 * TURNS * ROUNDS / took_s, "/s")


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

"""Hostile clients: anything said to a venue leads to actions, a venue's error or a close, and costs no memory.

What venues understand (the dialogues of tests/venues/test_contract.py, and requests of MORE) is mutated, byte by byte
and value by value, spliced, and mixed with plain noise. `python -m tests.fuzzing` does it by the million, without
sockets: a session takes message after message, `handle` request after request.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from reactor.types import MS_NS, SECOND_NS
from tests import worlds
from tests.venues.test_contract import DIALOGUES
from tests.venues.trader import KEY, Trader, signature
from venues.base import (
    CUT,
    Close,
    HttpRequest,
    HttpResponse,
    Reply,
    Session,
    Subscribe,
    VenueProtocol,
)
from venues.binance import Binance
from venues.limits import OFF, Usage
from venues.registry import VENUES

NOW_NS = worlds.ORIGIN_NS + 3 * 3_600 * SECOND_NS
MESSAGES = 500  # to a session, then it ends
REQUESTS = 0.1  # of all inputs, so many are HTTP
CHANNELS = 64  # are made, for their snapshots, of those that are subscribed to

# Of each venue: more paths of sockets, and more of what is said on them, than the dialogues have.
CONTROLS = (
    '{"method":"LIST_SUBSCRIPTIONS","id":3}',
    '{"method":"SET_PROPERTY","params":["combined",true],"id":5}',
    '{"method":"GET_PROPERTY","params":["combined"],"id":2}',
)
MORE: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "binance": (
        ("/stream", "/stream?streams=btcusdt@trade/ethusdt@depth", "/ws/btcusdt@kline_1m", "/ws-api/v3"),
        (
            *CONTROLS,
            '{"id":"922b","method":"depth","params":{"symbol":"BTCUSDT","limit":5}}',
            '{"id":1,"method":"klines","params":{"symbol":"BTCUSDT","interval":"1m","limit":2}}',
            '{"id":null,"method":"ticker.price","params":{"symbols":["BTCUSDT","ETHUSDT"]}}',
            '{"id":7,"method":"time","params":{"returnRateLimits":false}}',
        ),
    ),
    "binance-usdm": (
        ("/stream", "/market/ws/btcusdt@markPrice", "/public/stream?streams=btcusdt@depth", "/ws-fapi/v1"),
        (*CONTROLS, '{"id":"a","method":"v1/ticker.book","params":{"symbol":"BTCUSDT"}}'),
    ),
    "hyperliquid": (
        (),
        (
            '{"method":"ping"}',
            '{"method":"post","id":7,"request":{"type":"info","payload":{"type":"l2Book","coin":"BTC"}}}',
            (
                '{"method":"post","id":8,"request":{"type":"action","payload":{"action":{"type":"order","orders":[{"a":0,'
                '"b":true,"p":"1","s":"1","r":false,"t":{"limit":{"tif":"Gtc"}}}],"grouping":"na"},"nonce":1,'
                '"signature":{"r":"0x1","s":"0x2","v":27}}}}'
            ),
        ),
    ),
}

# Requests of an account, which are signed when they are sent.
SPOT, USDM = "/api/v3", "/fapi/v1"
SIGNED: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "binance": (
        (
            "POST",
            f"{SPOT}/order",
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=60000",
        ),
        ("POST", f"{SPOT}/order", "symbol=ETHUSDT&side=SELL&type=MARKET&quantity=0.01&newClientOrderId=a"),
        ("POST", f"{SPOT}/order/test", "symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.001&price=60000"),
        ("DELETE", f"{SPOT}/order", "symbol=BTCUSDT&orderId=1"),
        ("DELETE", f"{SPOT}/openOrders", "symbol=BTCUSDT"),
        ("GET", f"{SPOT}/account", "omitZeroBalances=true"),
        ("GET", f"{SPOT}/openOrders", "symbol=BTCUSDT"),
        ("GET", f"{SPOT}/allOrders", "symbol=BTCUSDT&limit=5"),
        ("GET", f"{SPOT}/myTrades", "symbol=BTCUSDT&fromId=0"),
    ),
    "binance-usdm": (
        (
            "POST",
            f"{USDM}/order",
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=60000",
        ),
        ("POST", f"{USDM}/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.01&reduceOnly=true"),
        ("POST", f"{USDM}/batchOrders", "batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%7D%5D"),
        ("PUT", f"{USDM}/order", "symbol=BTCUSDT&orderId=1&side=BUY&quantity=0.01&price=60000"),
        ("DELETE", f"{USDM}/allOpenOrders", "symbol=BTCUSDT"),
        ("POST", f"{USDM}/leverage", "symbol=BTCUSDT&leverage=7"),
        ("POST", f"{USDM}/listenKey", "a=1"),
        ("GET", "/fapi/v3/account", "recvWindow=5000"),
        ("GET", "/fapi/v3/positionRisk", "symbol=BTCUSDT"),
        ("GET", f"{USDM}/income", "incomeType=COMMISSION"),
    ),
}

Data: TypeAlias = str | bytes
VALUES: Sequence[Any] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        0.5,
        1e308,
        2**31,
        2**63,
        2**64,
        -(2**63) - 1,
        10**40,
        "",
        "0",
        "-1",
        "1e400",
    ),
    *(
        "NaN",
        "null",
        "BTCUSDT",
        "btcusdt@trade",
        "BTC",
        "@1",
        "a" * 300,
        "\u0130\u00df",
        "\ud800",
        "\0",
        "٣",
        "1_0",
    ),
    *([], {}, [[]], [None], {"": None}, [["a"] * 9] * 9),
)
TOKENS = (
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\\u",
    b"\\",
    b"\0",
    b"\xff",
    b"e9",
    b"null",
    b"@",
    b"/",
    b"%",
    b"&=",
)


# ---------------------------------------------------------------- what a venue is told
@dataclass(frozen=True, slots=True)
class Corpus:
    """What a venue understands: paths of sockets with their queries, messages, requests."""

    paths: tuple[str, ...]
    messages: tuple[str, ...]
    requests: tuple[HttpRequest, ...]
    signed: frozenset[str]  # paths

    @classmethod
    def of(cls, venue: VenueProtocol) -> Corpus:
        dialogue, (paths, messages) = DIALOGUES[venue.id], MORE[venue.id]
        asked = (
            json.dumps(ask(stream.words))
            for ask in (dialogue.subscribe, dialogue.unsubscribe)
            for stream in dialogue.streams
        )
        rows = SIGNED.get(venue.id, ())
        of_accounts = (HttpRequest(method, path, query) for method, path, query in rows)
        return cls(
            paths=(dialogue.path, *paths),
            messages=(*asked, *messages),
            requests=(*dialogue.requests, *of_accounts),
            signed=frozenset(path for _, path, _ in rows),
        )


class Fuzzer:
    """Draws inputs; the same ones from the same source of chance."""

    def __init__(self, corpus: Corpus, rng: random.Random) -> None:
        self._corpus = corpus
        self._rng = rng

    def handshake(self) -> HttpRequest:
        """For a socket, mostly one that there is."""
        path = self._rng.choice(self._corpus.paths)
        if self._rng.random() < 0.3:
            path = self._mutated(path.encode()).decode("latin-1")
        path, _, query = path.partition("?")
        return HttpRequest("GET", unquote(path), query)

    def message(self) -> Data:
        """Understood as it is, changed, or noise."""
        rng = self._rng
        text = rng.choice(self._corpus.messages)
        match rng.randrange(8):
            case 0:
                return text
            case 1:
                return rng.randbytes(rng.randrange(64))
            case 2:
                return "".join(
                    chr(rng.randrange(rng.choice((128, 0xD800)))) for _ in range(rng.randrange(48))
                )
            case 3 | 4 | 5:
                return json.dumps(self._changed(json.loads(text)))
        data = self._mutated(text.encode())
        return data if rng.random() < 0.1 else data.decode(errors="replace")

    def request(self, now_ns: int = NOW_NS) -> HttpRequest:
        """Likewise; an account's with its signature, mostly."""
        request = self._request()
        if request.path not in self._corpus.signed or self._rng.random() < 0.1:
            return request
        query = f"{request.query}&timestamp={now_ns // MS_NS}"
        signed = f"{query}&signature={signature(KEY.secret, query)}"
        return replace(request, query=signed, headers={"x-mbx-apikey": KEY.key})

    def _request(self) -> HttpRequest:
        rng = self._rng
        request = rng.choice(self._corpus.requests)
        if rng.random() < 0.05:
            request = replace(request, method=rng.choice(("GET", "POST", "PUT", "DELETE", "OPTIONS", "X")))
        if rng.random() < 0.1:
            path = self._mutated(quote(request.path).encode()).decode("latin-1")
            request = replace(request, path=unquote(path))
        if rng.random() < 0.1:
            request = replace(request, headers={"content-type": "a/b", "x-mbx-time-unit": "microsecond"})
        if request.body:
            body = json.dumps(self._changed(json.loads(request.body))).encode()
            return replace(request, body=body if rng.random() < 0.7 else self._mutated(request.body))
        if rng.random() < 0.5:
            return replace(request, query=self._mutated(request.query.encode()).decode("latin-1"))
        pairs = [pair.partition("=")[::2] for pair in request.query.split("&")]
        for _ in range(rng.randrange(3)):
            at = rng.randrange(len(pairs))
            name = rng.choice((pairs[at][0], *self._names()))
            value = str(rng.choice(VALUES)).encode(errors="surrogatepass")
            pairs[at : at + rng.randrange(2)] = [(name, quote(value))]
        return replace(request, query="&".join(f"{name}={value}" for name, value in pairs))

    def _names(self) -> list[str]:
        request = self._rng.choice(self._corpus.requests)
        return [pair.partition("=")[0] for pair in request.query.split("&")]

    def _changed(self, value: Any) -> Any:
        """A JSON value with some of what is in it replaced, dropped, doubled or nested."""
        rng = self._rng
        if rng.random() < 0.12:
            return rng.choice(VALUES)
        if isinstance(value, dict):
            return {
                (str(rng.choice(VALUES)) if rng.random() < 0.05 else key): self._changed(each)
                for key, each in value.items()
                if rng.random() > 0.05
            }
        if isinstance(value, list):
            return [self._changed(each) for each in value for _ in range(rng.choice((1, 1, 1, 1, 0, 2)))]
        if rng.random() < 0.03:
            return json.loads("[" * 40 + "]" * 40)
        if isinstance(value, str) and rng.random() < 0.2:
            return self._mutated(value.encode(errors="surrogatepass")).decode(errors="replace")
        return value

    def _mutated(self, data: bytes) -> bytes:
        """With a few bytes flipped, cut out, doubled, put in or taken from elsewhere."""
        rng, text = self._rng, bytearray(data)
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(text) + 1)
            end = min(at + rng.randrange(1, 12), len(text))
            match rng.randrange(5):
                case 0 if text:
                    text[at - 1] ^= 1 << rng.randrange(8)
                case 1:
                    del text[at:end]
                case 2:
                    text[at:at] = text[at:end] * rng.randrange(3)
                case 3:
                    text[at:at] = rng.choice(TOKENS)
                case 4:
                    other = rng.choice(self._corpus.messages).encode()
                    text[at:end] = other[rng.randrange(len(other)) :][: rng.randrange(24)]
        return bytes(text)


# ---------------------------------------------------------------- telling it, without sockets
@dataclass
class Findings:
    """How many inputs led to what, and what should not have been: by where it was raised, the first input and how."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: dict[str, tuple[object, str]] = field(default_factory=dict)


class Hostile:
    """Tells a venue one input after another; what it keeps of them is bounded."""

    def __init__(self, venue: VenueProtocol, rng: random.Random, findings: Findings) -> None:
        self._venue = venue
        self._rng = rng
        self._fuzzer = Fuzzer(Corpus.of(venue), rng)
        self._trader = Trader(venue) if isinstance(venue, Binance) else None
        exchange = self._trader.exchange if self._trader else worlds.exchange(venue)
        self._exchange = replace(exchange, usage=Usage(OFF))
        self._findings = findings
        self._now_ns = NOW_NS
        self._session: Session | None = None
        self._left = 0
        self._channels: set[object] = set()

    def begin(self, rng: random.Random, findings: Findings) -> None:
        """Go on, with the venue as it is, by another source of chance."""
        self._hang_up()
        self._rng, self._findings = rng, findings
        self._fuzzer = Fuzzer(Corpus.of(self._venue), rng)

    def tell(self) -> None:
        """One input, of either kind."""
        self._now_ns += MS_NS
        if self._trader:
            self._trader.now_ns = self._now_ns
        if self._rng.random() < REQUESTS:
            request = self._fuzzer.request(self._now_ns)
            self._note("http", request, lambda: self._status(request))
        elif self._session is None or self._left == 0:
            self._hang_up()
            request = self._fuzzer.handshake()
            self._note("handshake", request, lambda: self._open(request))
        else:
            self._left -= 1
            data = self._fuzzer.message()
            session = self._session
            self._note("message", data, lambda: self._kind(session, data))

    def _note(self, place: str, data: object, ask: Callable[[], str]) -> None:
        try:
            outcome = ask()
        except Exception as error:  # noqa: BLE001  # that there is none is what is tested
            frames = traceback.extract_tb(error.__traceback__)
            where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {type(error).__name__}"
            self._findings.failures.setdefault(where, (data, traceback.format_exc()))
            outcome = f"raised {type(error).__name__}"
            self._session = None
        self._findings.outcomes[f"{place}: {outcome}"] += 1

    def _status(self, request: HttpRequest) -> str:
        answer = self._venue.handle(request, self._exchange, self._now_ns)
        assert len(answer.body) < 1 << 22
        return str(answer.status)

    def _open(self, request: HttpRequest) -> str:
        session = self._venue.session(request, self._exchange)
        if isinstance(session, HttpResponse):
            return str(session.status)
        self._session, self._left = session, MESSAGES
        return self._act(session.open(self._now_ns, self._now_ns))

    def _kind(self, session: Session, data: Data) -> str:
        match self._rng.randrange(200):
            case 0:
                return self._act(session.ping(self._now_ns, self._now_ns))
            case 1:
                return self._act(session.pong(self._rng.randbytes(8), self._now_ns, self._now_ns))
            case 2:
                self._now_ns += 5 * SECOND_NS
                return self._act(session.tick(self._now_ns, self._now_ns))
        return self._act(session.receive(data, self._now_ns, self._now_ns))

    def _act(self, actions: Sequence[object]) -> str:
        """What the gateway would do, as far as it asks the venue."""
        kinds = []
        for action in actions:
            match action:
                case Reply(payload):
                    kinds.append("error" if b"error" in payload[:40] else "reply")
                case Subscribe(topic, snapshot):
                    kinds.append("subscribed")
                    if topic not in self._channels and len(self._channels) < CHANNELS:
                        self._channels.add(topic)
                        channel = self._venue.channel(topic, self._exchange)
                        if snapshot:
                            channel.snapshot(self._now_ns)
                case Close():
                    kinds.append("cut" if action == CUT else f"closed with {action.code}")
                    self._hang_up()
        return ", ".join(dict.fromkeys(kinds)) or "nothing"

    def _hang_up(self) -> None:
        if self._session is not None:
            self._session.closed()
            self._session = None


# ---------------------------------------------------------------- by the million
def resident_bytes() -> int:
    """The memory this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def slope(points: Sequence[tuple[int, int]]) -> float:
    """The least squares' one, of y over x."""
    mean_x, mean_y = (sum(column) / len(points) for column in zip(*points, strict=True))
    squares: float = sum((x - mean_x) ** 2 for x, _ in points)
    rise: float = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return rise / squares


def run(venue: VenueProtocol, inputs: int, seed: int) -> tuple[Findings, Iterator[str]]:
    """Tell a venue so many inputs; what came of it, and a report."""
    findings = Findings()
    hostile = Hostile(venue, random.Random(f"{seed} {venue.id}"), findings)
    memory, started_s = [], time.monotonic()
    for number in range(inputs):
        if number >= inputs // 2 and number % max(inputs // 100, 1) == 0:  # what is made once is made by then
            memory.append((number, resident_bytes()))
        hostile.tell()

    def report() -> Iterator[str]:
        yield f"{venue.id}: {inputs} inputs in {time.monotonic() - started_s:.0f} s, seed {seed}"
        yield f"  exceptions: {sum(n for kind, n in findings.outcomes.items() if 'raised' in kind)}"
        if len(memory) > 1:
            first, last = memory[0][1] >> 20, memory[-1][1] >> 20
            yield f"  memory over the second half: {first} -> {last} MiB, {slope(memory):+.2f} bytes an input"
        for kind, count in findings.outcomes.most_common():
            yield f"  {count:9d} {kind}"
        for where, (data, trace) in findings.failures.items():
            yield f"  {where}, of {data!r}\n{trace}"

    return findings, report()


def main() -> int:
    """1 when anything was raised."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("--venue", choices=[venue.id for venue in VENUES], help="one of them only")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for each venue")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    failed = False
    for venue in VENUES:
        if asked.venue in (None, venue.id):
            findings, report = run(venue, asked.inputs, asked.seed)
            sys.stdout.write("\n".join([*report, ""]))
            sys.stdout.flush()
            failed = failed or bool(findings.failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

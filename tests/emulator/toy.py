"""A venue small enough to know by heart: counters that tick in virtual time, and a session that does as it is told.

A socket understands "sub NAME MS [SIZE]", "snap NAME MS" (with a snapshot), "unsub NAME MS", "say SIZE", "now", "ping",
"heard", "quit CODE" and "boom", which raises. The counter NAME says "NAME n" every MS milliseconds, padded to SIZE;
only "book" speaks JSON. On /strict, who has said nothing for half a second by both clocks is closed, on /patient for
two minutes. Sockets of the venue live for an hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from reactor.exchange.orders import Told
from reactor.exchange.terms import House
from reactor.manifest import SimulationManifest
from reactor.profiles import Assets
from reactor.types import MS_NS, SECOND_NS, Instrument, Kind
from venues.base import (
    CUT,
    PAGE_NS,
    Action,
    Anatomy,
    Channel,
    Close,
    Exchange,
    FundingPayments,
    HttpRequest,
    HttpResponse,
    Listing,
    Occasion,
    Page,
    Ping,
    Quirk,
    Reply,
    Session,
    SocketRules,
    Subscribe,
    Topic,
    Unsubscribe,
    switched,
)
from venues.limits import Moment
from venues.wire import pack

START_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
IDLE_NS = {"/strict": SECOND_NS // 2, "/patient": 120 * SECOND_NS}


@dataclass(frozen=True)
class Counter:
    """Every `every_ms` one frame of about `size` bytes: "NAME n xxxx"."""

    name: str
    every_ms: int
    size: int

    def page(self, start_ns: int) -> Page:
        if self.name == "broken":
            raise RuntimeError("a channel that fails")
        step_ns = self.every_ms * MS_NS
        due = range(start_ns + step_ns - start_ns % step_ns, start_ns + PAGE_NS + 1, step_ns)
        return pack(start_ns, list(due), [self.payload(at_ns) for at_ns in due])

    def payload(self, at_ns: int) -> bytes:
        if self.name == "book":
            n = at_ns // (self.every_ms * MS_NS) % 1_000
            return b'{"d":{"n":%d,"p":%d,"at":%d,"b":[["99.5","2"]],"a":[["100.5","1"],["101.0","0"]]}}' % (
                n,
                n - 1,
                at_ns // MS_NS,
            )
        return f"{self.name} {at_ns // (self.every_ms * MS_NS)}".encode().ljust(self.size, b"x")

    def snapshot(self, now_ns: int) -> Sequence[bytes]:
        if self.name == "blind":
            raise RuntimeError("a snapshot that fails")
        return [b"snapshot of " + self.payload(now_ns)]


@dataclass
class Dialogue:
    """Does what it is told. `messages` lists what all sockets of the venue were told, `heard` its pings and pongs."""

    path: str
    messages: list[str | bytes]
    heard: list[str] = field(default_factory=list)
    last: Moment = field(init=False)

    def open(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        assert wall_ns > 0
        self.last = Moment(now_ns, wall_ns)
        if self.path == "/hello":
            return [Reply(b"hello"), Subscribe(Topic("fast", "10"), snapshot=False)]
        return []

    def receive(self, data: str | bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        self.messages.append(data)
        self.last = Moment(now_ns, wall_ns)
        if isinstance(data, bytes):
            return [Reply(b"binary %d" % len(data))]
        match data.split():
            case ["sub", *topic]:
                return [Reply(b"ok " + data.encode()), Subscribe(_topic(topic), snapshot=False)]
            case ["snap", *topic]:
                return [Reply(b"ok " + data.encode()), Subscribe(_topic(topic))]
            case ["unsub", *topic]:
                return [Unsubscribe(_topic(topic)), Reply(b"ok " + data.encode())]
            case ["say", size]:
                return [Reply(b"x" * int(size))]
            case ["now"]:
                return [Reply(b"%d" % now_ns)]
            case ["ping"]:
                return [Ping(b"are you there")]
            case ["cut"]:
                return [Reply(b"bye"), CUT]
            case ["quit", code]:
                return [Reply(b"bye"), Close(int(code), "as you wish")]
            case ["heard"]:
                return [Reply(" ".join(self.heard).encode())]
            case ["boom"]:
                raise RuntimeError("a session that fails")
        return [Reply(b"what? " + data[:20].encode())]

    def pong(self, payload: bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        self.heard.append("pong:" + payload.decode().replace(" ", "_"))
        return []

    def ping(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        self.heard.append("ping")
        return []

    def hear(self, told: Sequence[Told], now_ns: int) -> Sequence[Action]:
        self.heard += [f"news of {news.account}" for news in told]
        return []

    def farewell(self, now_ns: int) -> Sequence[Action]:
        return [Reply(b"bye at %d" % now_ns)] if self.path == "/polite" else []

    def tick(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        most_ns = IDLE_NS.get(self.path)
        if most_ns is not None and Moment(now_ns, wall_ns).surely_since(self.last) > most_ns:
            return [Close(4_009, "idle")]
        return [Reply(b"tock")] if self.path in ("/ticking", "/patient") else []

    def closed(self) -> None:
        """Nothing is held."""


def _topic(words: Sequence[str]) -> Topic:
    name, every_ms, *size = words
    return Topic(name, every_ms, tuple(size))


RULES = SocketRules(
    max_message_bytes=4_096,
    outbox_bytes=262_144,
    slow_consumer=Close(4_008, "too slow"),
    lifetime_ns=3_600 * SECOND_NS,
    expired=Close(4_010, "an hour is over"),
)
BOOK = Anatomy(
    body=("d",), sequence=(("n",), ("p",)), times=(("at",),), bids=("b",), asks=("a",), changes=True
)
COIN = Instrument("toy:COIN", "COIN", "COIN", "COIN", "USD", Kind.PERP, 2, 1, 3, 1)


@dataclass(frozen=True)
class ToyVenue:
    """The card. Two of them, with different ids and offsets, make a run with two venues."""

    id: str = "toy"
    port_offset: int = 1
    listings: Sequence[Listing] = (Listing(COIN, SimulationManifest()),)
    socket_rules: SocketRules = RULES
    messages: list[str | bytes] = field(default_factory=list)
    profiles: Mapping[str, str] = field(
        default_factory=lambda: {"2026-03": "it was loud", "2026-11": "it is not"}
    )
    quirks: Mapping[str, Quirk] = field(default_factory=lambda: {"rude": Quirk("it answers rudely")})
    key_header: str = "x-toy-key"
    fixed_ticks: str = "of no size"
    profile: str = "2026-11"

    def with_profile(self, name: str) -> ToyVenue:
        return replace(self, profile=name)

    def with_quirks(self, changes: Mapping[str, bool]) -> ToyVenue:
        return replace(self, quirks=switched(self.quirks, changes))

    def with_assets(self, assets: Assets) -> ToyVenue:
        return self

    def session(self, request: HttpRequest, exchange: Exchange) -> Session | HttpResponse:
        if request.path == "/nowhere":
            return HttpResponse(404, b'{"toy":"no such path"}', headers=(("x-toy", "yes"),))
        if request.path == "/boom":
            raise RuntimeError("a venue that fails at the handshake")
        return Dialogue(request.path, self.messages)

    def channel(self, topic: Topic, exchange: Exchange) -> Channel:
        if topic.channel == "unmade":
            raise RuntimeError("a channel that cannot be made")
        return Counter(topic.channel, int(topic.symbol), int(topic.options[0]) if topic.options else 0)

    def anatomy(self, topic: Topic) -> Anatomy:
        """Of the counter "book", whose messages are JSON."""
        return BOOK if topic.channel == "book" else Anatomy()

    def handle(self, request: HttpRequest, exchange: Exchange, now_ns: int) -> HttpResponse:
        if request.path == "/boom":
            raise RuntimeError("a venue that fails at a request")
        if request.path == "/messages":
            return HttpResponse(200, b"%d" % len(self.messages), "text/plain")
        if request.path == "/count":
            self.messages.append("counted")
        if request.path == "/counted":
            return HttpResponse(200, b"%d" % self.messages.count("counted"), "text/plain")
        said = (
            request.method,
            request.path,
            request.query,
            request.headers.get("x-n"),
            len(request.body),
            now_ns,
        )
        return HttpResponse(418, repr(said).encode(), "text/toy", (("x-toy", "yes"),))

    def house(self, exchange: Exchange) -> House | None:
        return None

    def next_instant(
        self, occasion: Occasion, symbol: str, interval: str, exchange: Exchange, now_ns: int
    ) -> int | None:
        """Funding every hour; klines of minutes and of months, which are too long for a step."""
        lengths_s = {"": 60, "1m": 60, "1M": 4_000 * 86_400}
        length_ns = (3_600 if occasion is Occasion.FUNDING else lengths_s.get(interval, 0)) * SECOND_NS
        return now_ns // length_ns * length_ns + length_ns if length_ns else None

    def settlements(self, symbol: str, exchange: Exchange, after_ns: int, upto_ns: int) -> FundingPayments:
        return FundingPayments.none()


def toys() -> list[ToyVenue]:
    """Two venues, in port order."""
    return [ToyVenue(), ToyVenue("other", 2, listings=(), socket_rules=replace(RULES, lifetime_ns=None))]

"""The contract between a venue and the emulator.

A venue is a frozen card that makes three kinds of object. A `Session` is the dialogue of one socket: text in,
actions out. A `Channel` turns the tape into pages of finished frames and is shared by every subscriber of its
`Topic`. `handle` answers one HTTP request. All three are pure: time is a parameter, nothing here touches a
socket, and no input a client sends makes them raise.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import field, replace
from enum import StrEnum
from typing import Protocol, Self, TypeAlias

from reactor.clock import FOREVER_NS, Latency, LatencyModel
from reactor.exchange.floor import Floor
from reactor.exchange.orders import Command, Outcome, Told
from reactor.exchange.terms import House
from reactor.manifest import SimulationManifest
from reactor.profiles import Assets
from reactor.single_asset import HyperSynthReactor
from reactor.types import MS_NS, Column, Columns, Instrument
from reactor.unified_market import MarketOrchestrationCore
from reactor.values import dataclass
from reactor.veils import Phase
from venues.limits import Charge, Clocks, Limit, Usage

PAGE_NS = 10_000_000_000  # long enough to amortise, short enough to make ahead, and a divisor of the minute


# ---------------------------------------------------------------- topics, channels, pages
@dataclass(frozen=True, slots=True, order=True)
class Topic:
    """One stream of frames, byte for byte: equal topics share one channel. Frames of a tick come in the topics' order.

    `channel` and `options` are the venue's own words ("depth", ("100ms",)); `dress` is whatever else changes
    the bytes, such as Binance's combined envelope or its microsecond timestamps.
    """

    channel: str
    symbol: str
    options: tuple[str, ...] = ()
    dress: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Finished WebSocket frames due in (start_ns, start_ns + PAGE_NS], oldest first, in one buffer.

    `due_ns` are the boundaries at which any are due, ascending; `ends[i]` is where those due at the i-th end in
    `buffer`.
    """

    start_ns: int
    buffer: bytes
    due_ns: Sequence[int]
    ends: Sequence[int]
    frames: int

    def cut(self, after_ns: int, upto_ns: int) -> bytes:
        """The frames due in (after_ns, upto_ns], both boundaries within the page."""
        first, stop = self.between(after_ns, upto_ns)
        return self.buffer[self.ends[first - 1] if first else 0 : self.ends[stop - 1] if stop else 0]

    def between(self, after_ns: int, upto_ns: int) -> tuple[int, int]:
        """Which of its boundaries lie there, as places [first, stop)."""
        return bisect_right(self.due_ns, after_ns), bisect_right(self.due_ns, upto_ns)

    def past(self, at_ns: int, place: int) -> int:
        """The place of the first of its boundaries after then, known to be at `place` or later, and near as a rule."""
        due_ns, size = self.due_ns, len(self.due_ns)
        for _ in range(2):
            if place == size or due_ns[place] > at_ns:
                return place
            place += 1
        return bisect_right(due_ns, at_ns, place)

    def next_due_ns(self, after_ns: int) -> int:
        """When the next frame after then is due; FOREVER_NS where there is none."""
        first = bisect_right(self.due_ns, after_ns)
        return self.due_ns[first] if first < len(self.due_ns) else FOREVER_NS

    def last_due_ns(self, upto_ns: int) -> int:
        """When the last frame up to then was due; the page's start where there was none."""
        stop = bisect_right(self.due_ns, upto_ns)
        return self.due_ns[stop - 1] if stop else self.start_ns

    def ticks(self, after_ns: int, upto_ns: int) -> Iterator[tuple[int, bytes]]:
        """The same by the boundaries at which they are due."""
        first, stop = self.between(after_ns, upto_ns)
        start = self.ends[first - 1] if first else 0
        for i in range(first, stop):
            yield self.due_ns[i], self.buffer[start : self.ends[i]]
            start = self.ends[i]


class Channel(Protocol):
    """The frames of one topic, as a pure function of the tape."""

    def page(self, start_ns: int) -> Page:
        """The page of PAGE_NS from start_ns (a multiple of PAGE_NS).

        Made in a worker thread while all else goes on elsewhere: what it shares with sessions and `handle` must be
        immutable, or a cache that two threads may use.
        """
        ...

    def snapshot(self, now_ns: int) -> Sequence[bytes]:
        """Payloads a new subscriber gets right after its acknowledgement, dated so that the next page
        continues them.
        """
        ...


# ---------------------------------------------------------------- where things are in a message
Path: TypeAlias = tuple[str | int, ...]  # keys and places, from the outside in
EACH = "*"  # in a path: every element of a list


@dataclass(frozen=True, slots=True)
class Anatomy:
    """Where things are in the JSON messages of a topic, for whoever bends them; what a message lacks is not there.

    `body` leads to what a message tells, within its envelope; all other paths go on from there. `sequence` leads to
    the numbers that go on from message to message, `times` to instants in units of `unit_ns`. `bids` and `asks` lead to
    lists of levels, whose price and size are at `price` and `size`; where they are `changes`, a size of zero takes a
    level away. `bid` and `ask` lead to best prices that are told by themselves.
    """

    body: Path = ()
    sequence: tuple[Path, ...] = ()
    times: tuple[Path, ...] = ()
    unit_ns: int = MS_NS
    bids: Path | None = None
    asks: Path | None = None
    price: str | int = 0
    size: str | int = 1
    changes: bool = False
    bid: Path | None = None
    ask: Path | None = None


# ---------------------------------------------------------------- the dialogue of a socket
@dataclass(frozen=True, slots=True)
class Reply:
    """Send this at once, as a text frame or a binary one."""

    payload: bytes
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Deliver the topic from the next tick on; with `snapshot`, send the channel's snapshot first."""

    topic: Topic
    snapshot: bool = True


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Stop delivering the topic."""

    topic: Topic


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a protocol ping."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket with this code and reason; with CUT, end it without a word: no close frame, 1006 to the client.

    RFC 6455 section 7.4.1, https://www.rfc-editor.org/rfc/rfc6455, 2011-12.
    """

    code: int
    reason: str = ""


CUT = Close(1006)


@dataclass(frozen=True, slots=True)
class Listen:
    """Tell this session the news of an account from now on (`Session.hear`). Idempotent. `stream` is the venue's word
    for what of it the client has asked for, where there are several.
    """

    account: str
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Unlisten:
    """Stop. Idempotent."""

    account: str


Action: TypeAlias = Reply | Subscribe | Unsubscribe | Ping | Close | Listen | Unlisten


class Session(Protocol):
    """The sans-I/O dialogue of one socket. Never raises on what a client sends."""

    def open(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        """What happens right after the handshake (streams named in the path)."""
        ...

    def receive(self, data: str | bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        """One inbound message: str for a text frame, bytes for a binary one."""
        ...

    def pong(self, payload: bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        """The client answered a ping (or sent a pong unasked)."""
        ...

    def ping(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        """The client sent a protocol ping; the gateway answers it, the session only counts it."""
        ...

    def hear(self, told: Sequence[Told], now_ns: int) -> Sequence[Action]:
        """News of accounts this session listens to, all of one boundary, after that tick's frames. What a command
        of this very session caused is heard right after its reply.
        """
        ...

    def tick(self, now_ns: int, wall_ns: int) -> Sequence[Action]:
        """Called about once a second while time runs: server pings, idle deadlines. A deadline counts only once it
        has run out on both clocks, so that a warped or paused clock never cuts a live client.
        """
        ...

    def farewell(self, now_ns: int) -> Sequence[Action]:
        """What the venue says on a socket when its server is about to shut down; the socket itself stays."""
        ...

    def closed(self) -> None:
        """The socket is gone, and with it what it held of its client's limits. Called once, at the very end."""
        ...


@dataclass(frozen=True, slots=True)
class SocketRules:
    """Bounds of a venue's sockets and what happens at them. Where there is a `lifetime_ns`, it is of virtual time.

    `opening` limits how often a client may open one, `open` how many it may have at once; a handshake beyond is
    answered by `refuse`. What is said on a socket is its session's to limit.
    """

    max_message_bytes: int
    outbox_bytes: int
    slow_consumer: Close
    lifetime_ns: int | None = None
    expired: Close = Close(1001)
    opening: Limit | None = None
    open: Limit | None = None
    refuse: Callable[[Charge], HttpResponse] = lambda _: HttpResponse(429, b"")


# ---------------------------------------------------------------- HTTP
CLIENT_HEADER = "x-emulator-client"
CLIENT_NAME_CHARS = 256  # what is longer is cut


def client_of(address: str, headers: Mapping[str, str], key_header: str) -> str:
    """Whose limits a request counts against: those of its address, and there of its API key (in a venue's header, ""
    if it knows none), or of the name it gives itself in CLIENT_HEADER.
    """
    name = headers.get(CLIENT_HEADER) or headers.get(key_header, "")
    return f"{address} {name[:CLIENT_NAME_CHARS]}" if name else address


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One HTTP request as received: `path` percent-decoded, `query` raw, header names lower-case.

    `client` is whose limits it counts against (`client_of`), `wall_ns` when it came by the wall clock, of no particular
    epoch. `ahead_ns` is how far the venue's own clock, as clients see it, is ahead while it answers.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    client: str = "127.0.0.1"
    wall_ns: int = 0
    ahead_ns: int = 0


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """One HTTP answer. `headers` come on top of content-type, unless that is "", and content-length."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class VenueError(Exception):
    """The client's fault, in the venue's own words: rendered from the venue's ERRORS table."""

    def __init__(self, code: int | str, **params: object) -> None:
        super().__init__(code, params)
        self.code = code
        self.params = params


# ---------------------------------------------------------------- the venue
@dataclass(frozen=True, slots=True)
class Listing:
    """A market the venue offers: its contract, and the parameters of its synthetic life."""

    instrument: Instrument
    manifest: SimulationManifest


class KeyKind(StrEnum):
    """How an API key signs."""

    HMAC = "hmac"  # SHA-256 with a shared secret
    RSA = "rsa"  # PKCS #1 v1.5 with SHA-256
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key and what it may do. `secret` is shared text (HMAC) or a PEM public key; no `addresses`: from anywhere."""

    key: str
    account: str
    secret: str
    kind: KeyKind = KeyKind.HMAC
    passphrase: str = ""
    read_only: bool = False
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Trading:
    """The private side of a venue's run: its floor, who may use it, and the one way of having something done there.

    `execute` is Floor.apply, journaled first: an outcome that it returned is never lost. Whoever reads the floor at an
    instant (`handle`, `receive`) finds it advanced to there. With `auto_fund`, an account that signs rightly and does
    not exist is opened with the house's `opening`. Unless `strict_time`, a client's clock is taken as it is: the offset
    of its first signed time is remembered and applied to every time it supplies. `house` is the floor's. `rejects` says
    whether an account's request of now, of which these bytes were signed, is to be refused for its nonce or its time.
    """

    floor: Floor
    execute: Callable[[Command, int], Outcome]
    keys: Mapping[str, ApiKey]
    strict_time: bool = True
    auto_fund: bool = True
    house: House | None = None
    rejects: Callable[[str, bytes, int], bool] = lambda *_: False


class Listed(Mapping[str, str]):
    """A venue's markets by native symbol, in its order of listing, of which some may be hidden for a while: to whoever
    asks, from any thread, there are none such.
    """

    def __init__(self, every: Mapping[str, str]) -> None:
        self.every = every
        self._seen = dict(every)

    def __getitem__(self, symbol: str) -> str:
        return self._seen[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)

    def hide(self, symbols: Container[str]) -> bool:
        """Hide these and no others; whether that changes anything."""
        seen = {symbol: market for symbol, market in self._seen.items() if symbol not in symbols}
        later = {symbol: market for symbol, market in self.every.items() if symbol not in symbols}
        seen |= later  # what is listed later comes last
        changed = seen != self._seen
        self._seen = seen
        return changed


@dataclass(frozen=True, slots=True, eq=False)
class Exchange:
    """A venue's view of one run: its own markets by native symbol (they come to life on first use), what its
    clients have used of their limits, what their clocks showed, and how late a market's news are, where they are; and
    its trading floor, None where there are only data (`run.channels`).
    """

    world: MarketOrchestrationCore
    markets: Mapping[str, str]  # native symbol -> market id, in the venue's order of listing
    usage: Usage = field(default_factory=Usage)
    lateness: Callable[[HyperSynthReactor], LatencyModel] | None = None
    trading: Trading | None = None
    clocks: Clocks = field(default_factory=Clocks)
    fee_tier: int = 0  # of every account, the first one 0; a venue with fewer has its last one

    def market(self, symbol: str) -> HyperSynthReactor | None:
        """The market of this native symbol as the public sees it, None if the venue does not list it."""
        market = self.markets.get(symbol)
        return None if market is None else self._face(market)

    def phase(self, symbol: str, now_ns: int) -> Phase:
        """What may be done on a market that is listed, by its native symbol."""
        return self.world.phase(self.markets[symbol], now_ns)

    def turns(self, start_ns: int, end_ns: int) -> list[tuple[int, str]]:
        """When in [start_ns, end_ns) what may be done may change, and on which market, by its id: of markets that are
        not listed yet, too.
        """
        every = self.markets.every if isinstance(self.markets, Listed) else self.markets
        return sorted(
            (at_ns, market)
            for market in every.values()
            for at_ns in self.world.turns_ns(market)
            if start_ns <= at_ns < end_ns
        )

    def closes_ns(self, symbol: str) -> int | None:
        """When a market that is listed closes for good; None for never."""
        return self.world.closes_ns(self.markets[symbol])

    def step_ticks(self, symbol: str, now_ns: int) -> int:
        """Of how many of its ticks new orders' prices are multiples on a market that is listed, by its native symbol:
        1, unless the venue has changed its tick size.
        """
        return self.world.step_ticks(self.markets[symbol], now_ns)

    def __iter__(self) -> Iterator[HyperSynthReactor]:
        return map(self._face, self.markets.values())

    def _face(self, market: str) -> HyperSynthReactor:
        return self.world.market(market) if self.trading is None else self.trading.floor.market(market)

    def latency(self, market: HyperSynthReactor, *channel: str) -> Latency | None:
        """When a channel of a market, by its own words, tells its news; None where at once."""
        if self.lateness is None:
            return None
        return self.lateness(market).of(self.world.seed, market.instrument.market, *channel)


@dataclass(frozen=True, slots=True)
class Quirk:
    """A way of a venue's that clients know it by and that can be switched: what is so while it is `on`, which it is
    unless a run says otherwise.
    """

    about: str
    on: bool = False


def switched(quirks: Mapping[str, Quirk], changes: Mapping[str, bool]) -> dict[str, Quirk]:
    """The quirks with some of them on or off."""
    return {name: replace(quirk, on=changes.get(name, quirk.on)) for name, quirk in quirks.items()}


class Occasion(StrEnum):
    """What happens to a market on a schedule of its venue's."""

    FUNDING = "funding"  # a settlement
    KLINE_CLOSE = "kline_close"


@dataclass(frozen=True, slots=True, eq=False)
class FundingPayments(Columns):
    """Funding that positions pay: at `ts_ns`, whoever is long pays rate * price * size, whoever is short gets it.

    Rates (in 1e-12) and prices (in 1e-8 quote units) are those that the venue publishes, to its last decimal.
    `recorded_ns` is the time that its records of the settlement carry; the first instant is the schedule's.
    """

    ts_ns: Column
    rate_e12: Column
    price_e8: Column
    recorded_ns: Column


class VenueProtocol(Protocol):
    """A venue's card and the makers of its parts."""

    @property
    def id(self) -> str: ...

    @property
    def port_offset(self) -> int:
        """Added to the base port."""
        ...

    @property
    def listings(self) -> Sequence[Listing]:
        """What the venue lists when no markets are asked for."""
        ...

    def with_assets(self, assets: Assets) -> Self:
        """The card that lists all the venue would of these assets, in its own ticks and lots: those of this card
        first, the others by name.
        """
        ...

    @property
    def profiles(self) -> Mapping[str, str]:
        """The venue through time: a month ("2026-11") it was so in, and what set it apart. Ascending; the card is of
        the last one unless `with_profile` made it.
        """
        ...

    def with_profile(self, name: str) -> Self:
        """The card as the venue was at one of its profiles."""
        ...

    @property
    def quirks(self) -> Mapping[str, Quirk]:
        """What can be switched, by name, and how it is in this card."""
        ...

    def with_quirks(self, changes: Mapping[str, bool]) -> Self:
        """The card with some of its quirks switched on or off."""
        ...

    @property
    def fixed_ticks(self) -> str:
        """Why its markets have no tick size that may change; "" where they have."""
        ...

    @property
    def key_header(self) -> str:
        """The header that carries a client's API key, lower-case; "" where there is none."""
        ...

    @property
    def socket_rules(self) -> SocketRules: ...

    def session(self, request: HttpRequest, exchange: Exchange) -> Session | HttpResponse:
        """The dialogue for a WebSocket handshake on this path, or the HTTP answer that refuses it. The socket rules'
        limits have been kept.
        """
        ...

    def channel(self, topic: Topic, exchange: Exchange) -> Channel:
        """The channel of a topic that one of this venue's sessions subscribed."""
        ...

    def anatomy(self, topic: Topic) -> Anatomy:
        """Where things are in the messages of such a topic."""
        ...

    def handle(self, request: HttpRequest, exchange: Exchange, now_ns: int) -> HttpResponse:
        """The answer to one HTTP request, the venue's own error included."""
        ...

    def house(self, exchange: Exchange) -> House | None:
        """The rules of this venue's floor for the run's markets; None while it has none."""
        ...

    def next_instant(
        self, occasion: Occasion, symbol: str, interval: str, exchange: Exchange, now_ns: int
    ) -> int | None:
        """When it next happens to a market after now_ns, by its native symbol and, for klines, the venue's own word for
        their interval ("": a minute). None where it never does: no such market, no funding, no such interval.
        """
        ...

    def settlements(self, symbol: str, exchange: Exchange, after_ns: int, upto_ns: int) -> FundingPayments:
        """The settlements of a market's funding in (after_ns, upto_ns], by its native symbol, oldest first; none where
        nothing funds it. Each of them is in exactly one of any spans that follow on each other.
        """
        ...

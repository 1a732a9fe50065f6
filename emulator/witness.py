"""What clients and the exchange did to each other on the wire, for whoever asks afterwards how a client behaved.

It is written down while it happens, by those who hold the sockets, the requests and the floors; it is bounded, the
oldest goes first, and nothing depends on it. What is made of it stands in emulator/judgements.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import field, replace
from typing import TypeAlias

from reactor.exchange.floor import Floor
from reactor.exchange.orders import Order
from reactor.types import SECOND_NS
from reactor.values import dataclass
from venues.base import HttpResponse, Topic
from venues.limits import Charge, Moment

SOCKETS_KEPT = 1_000  # that ended
WRITES_KEPT = 8  # of each socket that is open, and of the newest WRITERS_KEPT that ended
WRITERS_KEPT = 20
PINGS_KEPT = 100  # of each socket
NOTES_KEPT = 1_000  # of each kind of offence
UNANSWERED_KEPT = 1_000  # orders of a venue
WAITING_KEPT = 1_000  # clients that were told to wait

Held: TypeAlias = tuple[
    str, ...
]  # what a socket listens to: channel, symbol and options; or USER and an account


@dataclass(slots=True)
class PingSent:
    """A ping of the exchange's, and when the client answered it."""

    payload: bytes
    at: Moment
    answered: Moment | None = None


@dataclass(slots=True, eq=False)
class Socket:
    """A client's socket, from its handshake on. `holds` is what it listens to and since when, `took` what it ever did.

    It is `lost` when the exchange ended it, or went silent on it, and `how` says in which way; one that its client
    ended has only `ended`. `writes` are the newest pieces that were written.
    """

    id: str
    venue: str
    endpoint: str
    client: str
    opened: Moment
    holds: dict[Held, Moment] = field(default_factory=dict)
    took: dict[Held, Moment] = field(default_factory=dict)
    pings: deque[PingSent] = field(default_factory=lambda: deque(maxlen=PINGS_KEPT))
    writes: deque[bytes] = field(default_factory=lambda: deque(maxlen=WRITES_KEPT))
    lost: Moment | None = None
    how: str = ""
    held: tuple[Held, ...] = ()  # when it was lost
    ended: Moment | None = None

    def take(self, what: Held, at: Moment) -> None:
        """It listens to something."""
        self.holds.setdefault(what, at)
        self.took[what] = at

    def leave(self, what: Held) -> None:
        """It no longer does."""
        self.holds.pop(what, None)

    def lose(self, how: str, at: Moment) -> None:
        """The exchange ends it, or goes silent on it; the first time counts."""
        if self.lost is None and self.ended is None:
            self.lost, self.how, self.held = at, how, tuple(self.holds)

    def pinged(self, payload: bytes, at: Moment) -> None:
        """The exchange sends a ping."""
        self.pings.append(PingSent(payload, at))

    def ponged(self, payload: bytes, at: Moment) -> None:
        """The client sends a pong: it answers the ping of this payload and all before it (RFC 6455, section 5.5.3,
        https://www.rfc-editor.org/rfc/rfc6455, 2011-12).
        """
        answered = [i for i, ping in enumerate(self.pings) if ping.payload == payload]
        for ping in list(self.pings)[: answered[-1] + 1] if answered else ():
            ping.answered = ping.answered or at


def held(topic: Topic) -> Held:
    """What a topic is to whoever listens to it, in whatever envelope it comes."""
    return (topic.channel, topic.symbol, *topic.options)


@dataclass(slots=True, eq=False)
class Placed:
    """An order that a client had placed, and what it heard of it. `by` is the request or socket it came by.

    `lost` says what became of its answer, if that never came whole; `told` is when anything first named it: an answer,
    or an event of the account.
    """

    venue: str
    order: Order
    at: Moment
    by: str
    lost: str = ""
    told: Moment | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A client used more of a limit of its venue than there is."""

    venue: str
    client: str
    limit: str
    charge: Charge
    at: Moment


@dataclass(frozen=True, slots=True)
class Wait:
    """A client was told to wait: by which answer, to what, and for how long."""

    at: Moment
    status: int
    asked: str
    lasts_ns: int


@dataclass(frozen=True, slots=True)
class Hasty:
    """A client came back before its time."""

    venue: str
    client: str
    asked: str
    at: Moment
    wait: Wait


class Witness:
    """The record of a run, `now` telling the time. With `keeps_writes`, the newest bytes of every socket too."""

    def __init__(self, now: Callable[[], Moment], *, keeps_writes: bool) -> None:
        self.now = now
        self.keeps_writes = keeps_writes
        self.open: dict[str, Socket] = {}
        self.over: deque[Socket] = deque(maxlen=SOCKETS_KEPT)
        self.refusals: deque[Refused] = deque(maxlen=NOTES_KEPT)
        self.hasty: deque[Hasty] = deque(maxlen=NOTES_KEPT)
        self.twice: deque[tuple[Placed, Placed]] = deque(maxlen=NOTES_KEPT)
        self._waits: dict[tuple[str, str], Wait] = {}
        self._unanswered: dict[str, dict[int, Placed]] = {}
        self._by = ""
        self._placing: list[Placed] = []

    # ------------------------------------------------------------ sockets
    @property
    def sockets(self) -> list[Socket]:
        """All that are known, in the order of their handshakes."""
        return sorted((*self.over, *self.open.values()), key=lambda socket: socket.opened.wall_ns)

    def opened(self, socket: Socket) -> None:
        """A handshake succeeded."""
        self.open[socket.id] = socket

    def ended(self, socket: Socket) -> None:
        """A socket is gone."""
        socket.ended = self.now()
        self.open.pop(socket.id, None)
        self.over.append(socket)
        if len(self.over) > WRITERS_KEPT:
            self.over[-WRITERS_KEPT - 1].writes.clear()

    # ------------------------------------------------------------ limits
    def refused(self, venue: str, limit: str, client: str, charge: Charge) -> None:
        """A limit of the venue's was exceeded."""
        self.refusals.append(Refused(venue, client, limit, charge, self.now()))

    def asked(self, venue: str, client: str, asked: str) -> None:
        """A client comes with a request or a handshake."""
        wait = self._waits.get((venue, client)) if self._waits else None
        if wait is None:
            return
        at = self.now()
        if at.possibly_since(wait.at) < wait.lasts_ns:
            self.hasty.append(Hasty(venue, client, asked, at, wait))
        else:
            del self._waits[venue, client]

    def answered(self, venue: str, client: str, asked: str, answer: HttpResponse) -> None:
        """It gets an answer, which may tell it to wait."""
        if answer.status < 400:
            return
        seconds = next((value for name, value in answer.headers if name.lower() == "retry-after"), "")
        if seconds.isdecimal():
            self._waits.pop((venue, client), None)
            self._waits[venue, client] = Wait(self.now(), answer.status, asked, int(seconds) * SECOND_NS)
            if len(self._waits) > WAITING_KEPT:
                del self._waits[next(iter(self._waits))]

    # ------------------------------------------------------------ orders
    def asking(self, by: str) -> _Asking:
        """While a client is served: the orders that it places."""
        return _Asking(self, by)

    def turn_to(self, by: str, placing: list[Placed]) -> tuple[str, list[Placed]]:
        """Whom orders are placed by from now on, and where they are noted; who it was before."""
        before = self._by, self._placing
        self._by, self._placing = by, placing
        return before

    def placed(self, venue: str, order: Order, floor: Floor) -> None:
        """A floor took an order. It is noted, too, if it is one over again whose outcome its owner cannot know."""
        placed = Placed(venue, order, self.now(), self._by)
        mine = self._unanswered.setdefault(venue, {})
        for first in mine.values():
            if _intent(first.order) == _intent(order) and not _came_to_nothing(first.order, floor):
                self.twice.append((first, placed))
        mine[order.id] = placed
        if len(mine) > UNANSWERED_KEPT:
            del mine[next(iter(mine))]
        self._placing.append(placed)

    def whole(self, placing: list[Placed]) -> None:
        """The answer to what placed these has left as the venue gave it."""
        for placed in placing:
            self._answered(placed)

    def lost(self, placing: list[Placed], why: str) -> None:
        """It has not."""
        for placed in placing:
            if placed.order.id in self._unanswered[placed.venue]:
                placed.lost = why

    def told(self, venue: str, said: bytes, *, answer: bool) -> None:
        """This has left for a client, as an answer or as news: it now knows of the orders that it names."""
        mine = self._unanswered.get(venue)
        for placed in list(mine.values()) if mine else ():
            if _names(said, placed.order):
                placed.told = placed.told or self.now()
                if answer:
                    self._answered(placed)

    def _answered(self, placed: Placed) -> None:
        placed.told = placed.told or self.now()
        self._unanswered[placed.venue].pop(placed.order.id, None)

    @property
    def untold(self) -> list[Placed]:
        """Orders of which no client has ever heard."""
        every = (placed for mine in self._unanswered.values() for placed in mine.values())
        return [placed for placed in every if placed.told is None]


class _Asking:
    """A client being served; a plain one, for it is made with every message."""

    __slots__ = ("_before", "_by", "_witness")

    def __init__(self, witness: Witness, by: str) -> None:
        self._witness, self._by = witness, by

    def __enter__(self) -> list[Placed]:
        placing: list[Placed] = []
        self._before = self._witness.turn_to(self._by, placing)
        return placing

    def __exit__(self, *_: object) -> None:
        self._witness.turn_to(*self._before)


def _intent(order: Order) -> object:
    """All of an order as it was asked for but its names."""
    return replace(order.asked, client_id="", words=())


def _came_to_nothing(order: Order, floor: Floor) -> bool:
    """Whether it ended without a fill, so that it may be placed anew."""
    asked = order.asked
    now = floor.order(asked.account, asked.market, order.id)
    return now is not None and not now.status.open and not now.filled_lots


def _names(said: bytes, order: Order) -> bool:
    """Whether a message holds the id of an order as a number of its own, or its client's id as a text."""
    name = str(order.id).encode()
    start = said.find(name)
    while start >= 0:
        end = start + len(name)
        if not said[max(start - 1, 0) : start].isdigit() and not said[end : end + 1].isdigit():
            return True
        start = said.find(name, start + 1)
    client_id = order.asked.client_id
    return bool(client_id) and f'"{client_id}"'.encode() in said

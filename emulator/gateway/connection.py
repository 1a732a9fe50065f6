"""One client's WebSocket: bytes in -> the venue's session -> actions -> bytes out.

uvicorn hands over the transport at the upgrade; the sans-I/O core of the websockets library does the handshake, the
control frames and the inbound messages. Data frames go to the transport as they are, never through a queue, a task or
an await: its write buffer is the outbox. That has a bound, at which nothing more is read from the client either. What
a venue raises is our fault: it is logged, closes this socket with 1011, and must not be felt by any other.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from functools import partial
from itertools import count
from typing import ParamSpec, cast
from urllib.parse import unquote

from websockets.datastructures import Headers
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import SEND_EOF, State
from websockets.protocol import Event as Received
from websockets.server import ServerProtocol

from emulator.chaos.engine import Chaos
from emulator.chaos.input import HandshakeFault
from emulator.chaos.market import channel_of
from emulator.chaos.rules import ACK, PING, REPLY, UNSUBSCRIBE, USER, Event, Fault, Scope
from emulator.chaos.tap import Tap
from emulator.driver import Driver, http_date
from emulator.gateway.desk import Desk
from emulator.gateway.hub import Feed, Group, Hub, Key, Piece
from emulator.log import Log
from emulator.witness import Held, Socket, Witness, held
from reactor.exchange.orders import Told
from reactor.values import dataclass
from venues.base import (
    CUT,
    Action,
    Anatomy,
    Close,
    Exchange,
    HttpRequest,
    HttpResponse,
    Listen,
    Ping,
    Reply,
    Session,
    Subscribe,
    Topic,
    Unlisten,
    Unsubscribe,
    VenueProtocol,
    client_of,
)
from venues.limits import Charge, Moment
from venues.wire import BINARY_FRAME, frame, payloads

PATIENCE = 10  # ticks of a second for which a closing handshake may last
ANSWERS, NEWS = Topic(REPLY, ""), Topic(USER, "")  # what frames of no channel are of
INTERNAL_ERROR = Close(CloseCode.INTERNAL_ERROR)
INVALID_DATA = Close(CloseCode.INVALID_DATA)
FAILED = HttpResponse(500, b"Internal Server Error", "text/plain")

P = ParamSpec("P")
log = Log("connection")
library_log = logging.getLogger("exchange_emulator.websockets")
library_log.setLevel(logging.ERROR)


class Wire(ServerProtocol):
    """The library's protocol, but that a client may close in the midst of a message: control frames may come between
    fragments (RFC 6455, section 5.4, https://www.rfc-editor.org/rfc/rfc6455, 2011-12). A ping is answered unless
    `ignores` says otherwise.
    """

    def __init__(self, ignores: Callable[[], bool], max_size: int) -> None:
        super().__init__(max_size=max_size, logger=library_log)
        self._ignores = ignores

    def recv_frame(self, frame: Frame) -> None:
        """Handle a frame that was parsed."""
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None  # the message will not be whole
        if frame.opcode is Opcode.PING and self.state is State.OPEN and self._ignores():
            self.events.append(frame)
            return
        super().recv_frame(frame)


@dataclass(frozen=True, slots=True, eq=False)
class Port:
    """What the connections of one listener share. `rank` orders the venues; `connections` are the open ones.

    `lifetime_ns` is how long a socket lives, in virtual time; None without end. Where there is a `desk`, whoever asks
    the venue anything has it brought to the present first. `opened` counts the connections there were, `asked` the
    requests, `said` what rules of chaos might hit of what clients said on sockets.
    """

    venue: VenueProtocol
    exchange: Exchange
    rank: int
    hub: Hub
    driver: Driver
    lifetime_ns: int | None
    chaos: Chaos
    witness: Witness
    desk: Desk | None = None
    connections: set[Connection] = field(default_factory=set)
    opened: Iterator[int] = field(default_factory=lambda: count(1))
    asked: Iterator[int] = field(default_factory=lambda: count(1))
    said: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def crowded(self) -> bool:
        """Whether clients must wait, or nothing would be delivered to anybody."""
        return self.hub.crowded and self.driver.flowing


@dataclass(frozen=True, slots=True)
class Row:
    """A connection as it is listed: its name in rules, where it is from and since when, which (channel, symbol) it
    listens to, whose news, and how many bytes it has not yet taken.
    """

    id: str
    venue: str
    endpoint: str
    client: str
    opened_ns: int
    streams: tuple[tuple[str, str], ...]
    accounts: tuple[str, ...]
    backlog_bytes: int


class Connection(asyncio.Protocol):
    """One socket from its upgrade to its end. uvicorn makes it, hands it the transport and replays the request."""

    def __init__(self, port: Port, **_uvicorn: object) -> None:
        self.feeds: dict[Key, Feed] = {}
        self.group: Group | None = None
        self._port = port
        self._rules = port.venue.socket_rules
        self._wire = Wire(lambda: self._hit(PING), self._rules.max_message_bytes)
        self._session: Session | None = None
        self._holder: str | None = None  # the client whose socket it is counted as
        self._message = bytearray()  # as far as it was received
        self._binary = False
        self._events: deque[Received] = deque()  # parsed, to be handled
        self._out: list[bytes] = []  # frames that answer the event being handled
        self._said = 0  # payloads that answered anything
        self._tap: Tap | None = None
        self._seen: list[bytes] = []  # frames past the tap, to be written
        self.number = 0
        self.id = ""
        self._full = False  # the outbox is at its bound
        self._held = False  # what the client says waits for a delivery
        self._acting, self._answering, self._role = False, ANSWERS, ""
        self._greeting = False  # the answer to the handshake is waited for
        self._told: list[Told] = []  # heard while the session had the word
        self._closing = False
        self._patience = PATIENCE
        self._anatomies: dict[Topic, Anatomy] = {}
        self._name = self._path = self._key = ""
        self.opened_ns = 0
        self._record: Socket | None = None  # from a handshake that succeeded on

    def __str__(self) -> str:
        return self._name

    @property
    def backlog(self) -> int:
        return self._transport.get_write_buffer_size()

    # ------------------------------------------------------------ what the transport says
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_protocol(self)  # now, for pause_writing may come with the first byte
        bound = self._rules.outbox_bytes
        self._transport.set_write_buffer_limits(high=bound, low=bound)
        self._peer = transport.get_extra_info("peername") or ("", 0)
        self._port.connections.add(self)
        self.number = next(self._port.opened)
        self.id = f"{self._port.venue.id}-{self.number}"

    def data_received(self, data: bytes) -> None:
        self._wire.receive_data(data)
        self._listen()

    def eof_received(self) -> None:
        self._wire.receive_eof()
        self._listen()

    def connection_lost(self, exc: Exception | None) -> None:
        log.debug("closed", connection=self._name, error=exc)
        self._closing = True
        if self._record is not None:
            self._port.witness.ended(self._record)
        self._port.connections.discard(self)
        self._give_back()
        self._port.driver.cancel_alarm(self._expire)
        self._port.driver.cancel_alarm(self._release)
        self._forget()

    def pause_writing(self) -> None:
        self._full = True
        self._port.hub.rewire(self)
        if not self._closing:
            self._port.hub.full.add(self)
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        self._port.hub.rewire(self)
        self._port.hub.full.discard(self)
        self._transport.resume_reading()
        self._listen()
        self._port.hub.changed()

    # ------------------------------------------------------------ what the client says
    def _listen(self) -> None:
        """Handle what was received, for as long as the client takes the answers."""
        self._events += self._wire.events_received()
        now_ns, wall_ns = self._port.driver.stamp()
        if self._events and self._port.crowded:
            self._held = True
            self._transport.pause_reading()
            self._port.hub.after_delivery(self._listen_again)
            self._flush()
            return
        if self._held and not self._full:
            self._held = False
            self._transport.resume_reading()
        if self._port.desk is not None and self._events:
            self._port.desk.reach(now_ns)
        while self._events and not self._full and not self._greeting:
            event = self._events.popleft()
            if isinstance(event, Request):
                self._handshake(event, now_ns, wall_ns)
            elif isinstance(event, Frame):
                self._frame(event, now_ns, wall_ns)
            self._flush()
        self._flush()

    def _listen_again(self) -> None:
        if not self._transport.is_closing():
            self._listen()

    def _handshake(self, request: Request, now_ns: int, wall_ns: int) -> None:
        path = request.path.partition("?")[0]
        self._path, self.opened_ns = path, now_ns
        self._name = f"{self._port.venue.id} {self._peer[0]}:{self._peer[1]} {path}"
        self._key = request.headers.get(self._port.venue.key_header or "", "") or self._peer[0]
        faults: Sequence[Fault] = ()
        if self._port.chaos.rules:
            self.attend()
            faults = self._port.chaos.hitting(self._input(Scope.HANDSHAKE, self.number))
        greetings = [fault for fault in faults if isinstance(fault, HandshakeFault)]
        wait_s = sum(fault.patience_s for fault in greetings)
        refusal = next((each.refusal for each in greetings if each.refusal is not None), None)
        if wait_s:
            self._greeting = True
            self._port.driver.after(wait_s, lambda: self._greet_late(request, refusal))
        else:
            self._greet(request, refusal, now_ns, wall_ns)

    def _greet_late(self, request: Request, refusal: HttpResponse | None) -> None:
        self._greeting = False
        if not self._closing:
            self._greet(request, refusal, *self._port.driver.stamp())
            self._listen()

    def _greet(self, request: Request, refusal: HttpResponse | None, now_ns: int, wall_ns: int) -> None:
        """Answer a handshake: as the venue does, or with the refusal of a rule of chaos."""
        path, _, query = request.path.partition("?")
        response = self._wire.accept(request)
        if response.status_code == 101:
            witness, venue, at = self._port.witness, self._port.venue, Moment(now_ns, wall_ns)
            names = {name.lower() for name in request.headers}
            headers = {name: ", ".join(request.headers.get_all(name)) for name in names}
            whose = client_of(self._peer[0], headers, venue.key_header)
            asked = HttpRequest("GET", unquote(path), query, headers, client=whose, wall_ns=wall_ns)
            witness.asked(venue.id, whose, f"GET {path}")
            answer = refusal or self._answer(asked, at)
            if isinstance(answer, HttpResponse):
                response = _refusal(answer)
                witness.answered(venue.id, whose, f"GET {path}", answer)
            else:
                self._session = answer
                self._record = Socket(self.id, venue.id, path, whose, at)
                witness.opened(self._record)
        self._wire.send_response(response)
        self._flush()  # before the session's first words
        if self._session is not None:
            log.debug("open", connection=self._name)
            if self._port.lifetime_ns is not None:
                self._port.driver.set_alarm(self._expire, now_ns + self._port.lifetime_ns)
            self._act(now_ns, self._session.open, now_ns, wall_ns)

    def _answer(self, asked: HttpRequest, at: Moment) -> Session | HttpResponse:
        """What a handshake leads to: a session, or the refusal of the venue's limits or of the venue itself."""
        try:
            excess = self._excess(asked.client, at)
            if excess is not None:
                return self._rules.refuse(excess)
            return self._port.venue.session(asked, self._port.exchange)
        except Exception:
            log.exception("venue failed", connection=self._name)
            return FAILED

    def _excess(self, whose: str, at: Moment) -> Charge | None:
        """Count a handshake; what it is too much of, or None."""
        rules, usage = self._rules, self._port.exchange.usage
        shut_out = usage.banned(whose, at)
        if shut_out is not None:
            return shut_out
        if rules.opening is not None:
            charge = usage.charge(rules.opening, whose, 1, at)
            if charge.refused:
                return charge
        if rules.open is not None:
            if not usage.hold(rules.open, whose):
                return Charge(usage.held(rules.open, whose) + 1, usage.allowed(rules.open))
            self._holder = whose
        return None

    def _give_back(self) -> None:
        """Count the socket no more."""
        if self._session is not None:
            self._session.closed()
        if self._rules.open is not None and self._holder is not None:
            self._port.exchange.usage.release(self._rules.open, self._holder)

    def _frame(self, event: Frame, now_ns: int, wall_ns: int) -> None:
        session, opcode = self._session, event.opcode
        assert session is not None
        if opcode is Opcode.PING:
            self._act(now_ns, session.ping, now_ns, wall_ns)
        elif opcode is Opcode.PONG:
            if self._record is not None:
                self._record.ponged(bytes(event.data), Moment(now_ns, wall_ns))
            self._act(now_ns, session.pong, bytes(event.data), now_ns, wall_ns)
        elif opcode is not Opcode.CLOSE:
            if opcode is not Opcode.CONT:
                self._binary = opcode is Opcode.BINARY
            self._message += event.data
            if event.fin:
                message = bytes(self._message)
                self._message.clear()
                try:
                    data = message if self._binary else message.decode()
                except UnicodeDecodeError:
                    self._close(INVALID_DATA)
                else:
                    with self._port.witness.asking(self.id) as placing:
                        self._act(now_ns, self._received, data, now_ns, wall_ns)
                    self._port.witness.lost(placing, f"its answer did not leave {self.id}")

    # ------------------------------------------------------------ what the session wants
    def _act(
        self, now_ns: int, ask: Callable[P, Sequence[Action]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Do what the session wants, then tell it what that made happen; here its exceptions end."""
        if self._closing:
            return
        self._acting = True
        try:
            actions = ask(*args, **kwargs)
            if self._tap is not None and any(isinstance(each, Subscribe | Unsubscribe) for each in actions):
                self._role = ACK
            for action in actions:
                self._perform(action, now_ns)
            self._answering, self._role = NEWS, ""
            while self._told and self._session is not None:
                told, self._told = self._told, []
                for action in self._session.hear(told, now_ns):
                    self._perform(action, now_ns)
        except Exception:
            log.exception("session failed", connection=self._name)
            self._close(INTERNAL_ERROR)
        finally:
            self._acting, self._answering, self._role = False, ANSWERS, ""

    def _received(self, data: str | bytes, now_ns: int, wall_ns: int) -> Sequence[Action]:
        """What the session wants at once; what is to be answered late is seen to."""
        assert self._session is not None
        actions = self._session.receive(data, now_ns, wall_ns)
        wait_s = self._port.desk.take_patience_s() if self._port.desk is not None else 0.0
        if wait_s:
            late = [each for each in actions if isinstance(each, Reply)]
            self._port.driver.after(wait_s, partial(self._answer_late, late))
            actions = [each for each in actions if not isinstance(each, Reply)]
        return actions

    def _answer_late(self, replies: Sequence[Reply]) -> None:
        """What a client was to be told when what it had asked for had long been done."""
        if not self._transport.is_closing():
            now_ns, _ = self._port.driver.stamp()
            self._act(now_ns, lambda: replies)
            self._flush()

    def _perform(self, action: Action, now_ns: int) -> None:
        port = self._port
        match action:
            case Reply(payload, binary=True):
                self._out.append(frame(payload, BINARY_FRAME))  # no venue's: not for a tap
            case Reply(payload):
                self._say(self._answering, payload, now_ns, self._role)
            case Subscribe(topic, snapshot):
                self._take(held(topic))
                make = partial(channel_of, port.venue, topic, port.exchange)
                channel = port.hub.subscribe(self, port.rank, topic, make)
                if snapshot:
                    for payload in channel.snapshot(now_ns):
                        self._say(topic, payload, now_ns)
            case Unsubscribe(topic):
                if not self._hit(UNSUBSCRIBE, topic):
                    self._leave(held(topic))
                    port.hub.unsubscribe(self, port.rank, topic)
            case Listen(account, stream):
                self._take((USER, account))
                if port.desk is not None:
                    port.desk.listen(self, account, stream)
            case Unlisten(account):
                self._leave((USER, account))
                if port.desk is not None:
                    port.desk.unlisten(self, account)
            case Ping(payload):
                if self._record is not None:
                    self._record.pinged(payload, port.driver.moment)
                self._wire.send_ping(payload)
            case Close():
                self._close(action)

    # ------------------------------------------------------------ what is written down of it
    def _take(self, what: Held) -> None:
        if self._record is not None:
            self._record.take(what, self._port.driver.moment)

    def _leave(self, what: Held) -> None:
        if self._record is not None:
            self._record.leave(what)

    def _lose(self, how: str) -> None:
        if self._record is not None:
            self._record.lose(how, self._port.driver.moment)

    def _keep(self, frames: bytes) -> None:
        if self._port.witness.keeps_writes and self._record is not None:
            self._record.writes.append(frames)

    # ------------------------------------------------------------ what the emulator wants
    @property
    def row(self) -> Row:
        """The connection in a list of them."""
        topics = tuple(sorted({(key[1].channel, key[1].symbol) for key in self.feeds}))
        holds = self._record.holds if self._record is not None else {}
        accounts = tuple(what[1] for what in holds if what[0] == USER)
        address = f"{self._peer[0]}:{self._peer[1]}"
        at = self.id, self._port.venue.id, self._path, address, self.opened_ns
        return Row(*at, topics, accounts, self.backlog)

    def books_told_ns(self, symbol: str) -> Iterator[int]:
        """Up to which instants it was told of a market's book, by each of the streams that do."""
        now_ns = self._port.driver.now_ns
        for (_, topic), feed in self.feeds.items():
            if topic.symbol == symbol and self._port.venue.anatomy(topic).bids is not None:
                told_ns = now_ns if feed.page is None else feed.page.last_due_ns(now_ns)
                yield told_ns if self._tap is None else min(told_ns, self._tap.told_ns(topic, told_ns))

    @property
    def writer(self) -> Callable[[bytes], None]:
        """The transport itself, but where there is more to see to."""
        return self.deliver if self._full or self._port.witness.keeps_writes else self._transport.write

    def deliver(self, frames: bytes) -> None:
        """Write a tick's frames; at the outbox's bound, the venue's own close instead."""
        if self._full:
            log.info("slow consumer", connection=self._name)
            self.close(self._rules.slow_consumer)
        elif not self._closing:
            self._transport.write(frames)
            self._keep(frames)

    def ping(self, payload: bytes) -> None:
        """Send a protocol ping."""
        if self._wire.state is State.OPEN:
            self._perform(Ping(payload), self._port.driver.now_ns)
            self._flush()

    def hear(self, told: Sequence[Told], now_ns: int) -> None:
        """Tell the session news of its accounts; while it has the word, right after. Who is full is closed, as by
        `deliver`.
        """
        self._told += told
        if self._full:
            log.info("slow consumer", connection=self._name)
            self.close(self._rules.slow_consumer)
        elif not self._acting:
            self._act(now_ns, lambda: ())
            self._flush()

    # ------------------------------------------------------------ what rules of chaos want
    @property
    def tapped(self) -> bool:
        return self._tap is not None

    def attend(self) -> None:
        """The rules in force have changed."""
        rules = self._port.chaos.concerning(self._port.venue.id, self.id, self._path, self._key)
        if self._tap is None and rules:
            self._tap = Tap(self._port.chaos.rules, frame, self._last_words, self._snapshot)
        if self._tap is not None:
            self._tap.attend(rules, self._port.driver.now_ns)
        self._untap()
        self._port.hub.retap(self)

    def _untap(self) -> None:
        """A tap that does nothing and holds nothing is taken away."""
        if self._tap is not None and self._tap.idle:
            self._tap = None
            self._port.hub.retap(self)

    def look(self, pieces: Sequence[Piece], upto_ns: int) -> None:
        """Take frames one by one past the rules that concern this connection, until one of these ends it."""
        if self._tap is None or self._tap.shut is not None:
            return
        events = (
            self._event(topic, payload, due_ns, place)
            for due_ns, topic, frames in pieces
            for place, payload in enumerate(payloads(frames))
        )
        self._seen.append(self._tap.take(events, upto_ns))

    def deliver_seen(self, upto_ns: int) -> None:
        """Write what these have left of them; all was due up to a boundary."""
        data = b"".join(self._seen)
        self._seen.clear()
        self._put(data)
        if self._tap is not None and self._tap.shut is None:
            self._tap.relax(upto_ns)
            self._untap()

    def _hit(self, role: str, topic: Topic | None = None) -> bool:
        """Whether a rule hits what the client has just said."""
        if not self._port.chaos.has(Scope.MESSAGE):
            return False
        return bool(self._port.chaos.hitting(self._input(Scope.MESSAGE, next(self._port.said), role, topic)))

    def _input(self, scope: Scope, number: int, role: str = "", topic: Topic | None = None) -> Event:
        return Event(
            scope,
            self._port.venue.id,
            self._port.driver.now_ns,
            (number,),
            channel=topic.channel if topic else "",
            symbol=topic.symbol if topic else "",
            endpoint=self._path,
            connection=self.id,
            key=self._key,
            role=role,
        )

    def _event(self, topic: Topic, payload: bytes, at_ns: int, place: int, role: str = "") -> Event:
        return Event(
            Scope.FRAME,
            self._port.venue.id,
            at_ns,
            (at_ns, place),
            channel=topic.channel,
            symbol=topic.symbol,
            endpoint=self._path,
            connection=self.id,
            key=self._key,
            role=role,
            anatomy=self._anatomy(topic),
            content=payload,
        )

    def _anatomy(self, topic: Topic) -> Anatomy | None:
        if topic.channel in (REPLY, USER):
            return None
        if topic not in self._anatomies:
            self._anatomies[topic] = self._port.venue.anatomy(topic)
        return self._anatomies[topic]

    def _say(self, topic: Topic, payload: bytes, now_ns: int, role: str = "") -> None:
        """A frame that answers what is being handled."""
        if self._tap is None:
            left = frame(payload)
        else:
            self._said += 1
            event = self._event(topic, payload, now_ns, self._said, role)
            left = self._tap.take([event], now_ns)
        self._out.append(left)
        if topic is ANSWERS or topic is NEWS:
            self._port.witness.told(self._port.venue.id, left, answer=topic is ANSWERS)
        if self._tap is not None:
            self._obey()

    def _last_words(self, now_ns: int) -> list[bytes]:
        """What the venue says on this socket before its server shuts down."""
        try:
            actions = self._session.farewell(now_ns) if self._session is not None else ()
        except Exception:
            log.exception("session failed", connection=self._name)
            return []
        return [action.payload for action in actions if isinstance(action, Reply)]

    def _snapshot(self, event: Event) -> list[bytes]:
        """What whoever subscribed to an event's stream then would be told first."""
        topics = {key[1]: feed.channel for key, feed in self.feeds.items()}
        return [
            payload
            for topic, channel in topics.items()
            if (topic.channel, topic.symbol) == (event.channel, event.symbol)
            for payload in channel.snapshot(event.at_ns)
        ]

    def _put(self, data: bytes) -> None:
        """Write what left the tap, and see to what it holds."""
        if data:
            self.deliver(data)
            self._port.witness.told(self._port.venue.id, data, answer=False)
        self._obey()

    def _obey(self) -> None:
        tap = self._tap
        if tap is None:
            return
        if tap.silent:
            self._lose("went silent")
        if tap.shut is not None:
            shut, tap.shut = tap.shut, None
            self._flush()
            if shut.expired:
                self._expire()
            elif shut.code is not None:
                self.close(Close(shut.code, shut.reason))
            else:
                self.cut(reset=shut.reset)
        elif tap.next_ns is not None:
            self._port.driver.set_alarm(self._release, tap.next_ns)

    def _release(self) -> None:
        """Frames that were held are due."""
        if self._tap is not None:
            self._put(self._tap.release(self._port.driver.now_ns))
            if self._tap is not None and self._tap.idle:
                self.attend()

    def cut(self, *, reset: bool = False) -> None:
        """End the socket without a word; with a reset, as a crashed host's router would."""
        self._lose("was reset" if reset else "was cut")
        if reset:
            sock = self._transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def tick(self, now_ns: int, wall_ns: int) -> None:
        """Once a second of wall time: the session's deadlines, or ours for a client that answers no close.

        While time is only stepped there are none of the session's: nobody is cut for what a test takes its time for.
        """
        if self._closing:
            self._patience -= 1
            if self._patience == 0:
                self._transport.abort()
        elif self._session is not None and not self._port.driver.paused:
            self._tick(self._session, now_ns, wall_ns)
        if self._held:
            self._listen_again()  # should there have been no delivery

    def _tick(self, session: Session, now_ns: int, wall_ns: int) -> None:
        """Nothing, as a rule; it is asked of every connection, so nothing is to cost little."""
        try:
            actions = session.tick(now_ns, wall_ns)
        except Exception:
            log.exception("session failed", connection=self._name)
            self.fail()
            return
        if actions:
            self._act(now_ns, lambda: actions)
            self._flush()

    def fail(self) -> None:
        self.close(INTERNAL_ERROR)

    def _expire(self) -> None:
        self.close(self._rules.expired)

    def close(self, close: Close) -> None:
        """Start the closing handshake. Idempotent."""
        self._close(close)
        self._flush()

    def farewell(self) -> None:
        """Say what the venue says before its server shuts down."""
        if self._session is not None:
            now_ns, _ = self._port.driver.stamp()
            self._act(now_ns, self._session.farewell, now_ns)
            self._flush()

    def abort(self) -> None:
        """Cut the socket now."""
        self._transport.abort()

    def _forget(self) -> None:
        self._port.hub.drop(self)
        if self._port.desk is not None:
            self._port.desk.drop(self)

    def _close(self, close: Close) -> None:
        if self._wire.state is not State.OPEN:
            return
        self._lose("was cut" if close == CUT else f"was closed with {close.code}")
        if close == CUT:
            self._wire.fail(CloseCode.ABNORMAL_CLOSURE)
        else:
            self._wire.send_close(close.code, close.reason)

    def _flush(self) -> None:
        """Write the answers, then what the protocol has to say: a close comes after all that was said before it."""
        writes = self._wire.data_to_send()
        if self._out:
            self._keep(b"".join(self._out))
        data = b"".join(self._out + writes)
        self._out.clear()
        if data:
            self._transport.write(data)
        ended = (self._wire.state is not State.OPEN and not self._greeting) or SEND_EOF in writes
        if ended and not self._closing:
            self._closing = True
            self._forget()
            self._transport.resume_reading()
        if SEND_EOF in writes:
            # Half of it only: to close a socket with unread input is to reset it, and the client may miss our close.
            end = self._transport.write_eof if self._transport.can_write_eof() else self._transport.close
            end()


def _refusal(answer: HttpResponse) -> Response:
    """A venue's answer in the place of a handshake's."""
    rows = [
        ("Date", http_date().decode()),
        ("Connection", "close"),
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        *answer.headers,
    ]
    headers = Headers(row for row in rows if row != ("Content-Type", ""))
    return Response(answer.status, http.client.responses.get(answer.status, ""), headers, answer.body)

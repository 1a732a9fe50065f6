"""A run and its listeners: HTTP and the WebSocket upgrade on one port per venue, the control API on its own.

The loop, the sockets and the order of things are ours; of uvicorn's server only the HTTP protocol is used.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeAlias, cast

import uvicorn
from uvicorn._types import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    Scope,
)
from uvicorn.server import ServerState

from emulator.chaos.engine import Chaos
from emulator.chaos.market import MarketChaos, obstacle
from emulator.chaos.scenarios import rules_of
from emulator.config import NEVER, Config, ConfigError, chosen, nearest, resolve
from emulator.driver import Driver, http_date, settled, utc_ns
from emulator.gateway.back_office import BackOffice
from emulator.gateway.connection import Connection, Port, Row
from emulator.gateway.desk import Desks
from emulator.gateway.history import HistoryMaker
from emulator.gateway.http import TOO_LARGE, HttpProtocol, VenueHttp, read_body, respond
from emulator.gateway.hub import Hub
from emulator.gateway.inspector import Inspector
from emulator.gateway.journal import FileJournal, RuleChange, Run, settings_hash
from emulator.gateway.runlog import Input, RunLog
from emulator.log import Log
from emulator.run import exchanges
from emulator.witness import Witness
from reactor.clock import Chronometer
from reactor.exchange.orders import Command
from reactor.types import DAY_NS, SECOND_NS, TICK_NS
from reactor.unified_market import Fate
from venues.base import Close, Occasion, VenueProtocol

CONTROL = "control"
DAY = "day"  # what can be waited for without a venue
TLS_PORT_OFFSET = 10  # above a venue's plain port
GOING_AWAY = Close(1001)
GOODBYE_S = 1.0  # so long clients may take to answer it
SECRET_SETTINGS = frozenset({"api_key"})  # these do not leave in a log
BACKLOG = 2_048  # clients that may wait to be accepted; the next would be heard a second later
KEEP_ALIVE_S = 75  # beyond what clients keep idle connections for, or they meet one that is just being closed

log = Log("server")


# ---------------------------------------------------------------- listeners
Name: TypeAlias = tuple[str, bool]  # of a listener: whose it is, and whether it speaks TLS


class PortBusyError(Exception):
    """A port cannot be had: which, for whom, and why."""


def bind(addresses: Mapping[Name, tuple[str, int]]) -> dict[Name, socket.socket]:
    """A listening socket for each name's (host, port); when one cannot be had, none, and PortBusyError."""
    sockets: dict[Name, socket.socket] = {}
    for name, (host, port) in addresses.items():
        try:
            family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            sockets[name] = socket.socket(family, kind, proto)
            sockets[name].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sockets[name].bind(address)
            # Now, not when the loop runs: with SO_REUSEADDR two may bind to a port, but only one may listen.
            sockets[name].listen(BACKLOG)
        except (OSError, UnicodeError) as error:
            for held in sockets.values():
                held.close()
            busy = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            why = "is in use" if busy else f"cannot be had: {getattr(error, 'strerror', None) or error}"
            whose = f"{name[0]} over TLS" if name[1] else name[0]
            raise PortBusyError(f"port {port} on {host}, for {whose}, {why}") from None
    return sockets


class Listener:
    """A bound socket and what is served on it: a venue, or an application of another kind."""

    def __init__(
        self,
        sock: socket.socket,
        app: ASGI3Application | VenueHttp,
        upgrade: Callable[..., Connection] | None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._socket = sock
        self._venue = app if isinstance(app, VenueHttp) else None
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._state = ServerState()
        self._config = uvicorn.Config(
            app,
            http="httptools",
            ws=cast(Any, upgrade or "none"),
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
        )

    @property
    def authority(self) -> str:
        """host:port, as in a URL."""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def schemes(self) -> tuple[str, str]:
        """The URL schemes of requests and sockets."""
        return ("https", "wss") if self._tls else ("http", "ws")

    @property
    def busy(self) -> bool:
        """Whether any HTTP connection is open."""
        return bool(self._state.connections)

    async def open(self) -> None:
        """Serve."""
        self._config.load()
        make = partial(HttpProtocol, self._venue, self._config, self._state)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(make, sock=self._socket, backlog=BACKLOG, ssl=self._tls)

    def date(self, date: bytes) -> None:
        """Send this Date with every answer from now on."""
        self._state.default_headers = [(b"date", date)]

    def close(self) -> None:
        """Accept nobody any more, and end the connections that wait for a request."""
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for connection in list(self._state.connections):
            connection.shutdown()

    def abort(self) -> None:
        """Cut what is left."""
        for task in self._state.tasks:
            task.cancel()
        for connection in list(self._state.connections):
            connection.transport.abort()


def _tls(config: Config) -> tuple[ssl.SSLContext | None, Path | None]:
    """What TLS listeners speak and the certificate to trust, where the run has them."""
    if not config.tls:
        return None, None
    from emulator.tls import context  # noqa: PLC0415  # its libraries take longer to import than most runs need

    return context(config)


def _lifetime_ns(config: Config, venue: VenueProtocol) -> int | None:
    """How long a venue's sockets live: as it has them, or as the settings have it where it ends them at all."""
    own_ns, given_s = venue.socket_rules.lifetime_ns, config.socket_lifetime
    if own_ns is None or given_s is None:
        return own_ns
    return None if given_s == NEVER else int(given_s) * SECOND_NS


def _journal(config: Config, start_ns: int, origin_ns: int) -> FileJournal | None:
    """The run's journal, where it keeps one: a new one, or the one that it goes on with."""
    if not config.journal:
        return None
    run = Run(config.seed, settings_hash(config), origin_ns, start_ns)
    return FileJournal.open(Path(config.journal), run, any_start=config.start is None, fsync=config.fsync)


# ---------------------------------------------------------------- the run
class Gateway:
    """One run: its world, its clock, its venues' ports. Making it takes the ports; nothing answers before `serve`.

    `given` are the settings as they were written, for the log of inputs. With `keeps_writes` the newest bytes of every
    socket are kept, to be shown. Raises PortBusyError.
    """

    def __init__(
        self,
        config: Config,
        registry: Sequence[VenueProtocol],
        given: Mapping[str, object] | None = None,
        *,
        keeps_writes: bool = False,
    ) -> None:
        venues = chosen(config, registry)
        tls, self.ca = _tls(config)
        addresses = {(CONTROL, False): (config.control_host, 0)}
        for venue in venues:
            addresses[venue.id, False] = (config.host, venue.port_offset)
            if tls:
                addresses[venue.id, True] = (config.host, venue.port_offset + TLS_PORT_OFFSET)
        base = config.base_port
        self.config = config
        self._given = given or {}
        self.chaos = Chaos(partial(obstacle, venues))
        rules = rules_of(config)
        for rule in rules:  # before anything is taken
            self.chaos.judge(rule)
        wall_ns = utc_ns()
        self.start_ns, self.origin_ns = resolve(config, wall_ns)
        now_ns = self.start_ns
        self._journal = _journal(config, self.start_ns, self.origin_ns)
        if self._journal is not None:
            self.start_ns, self.origin_ns = self._journal.run.start_ns, self._journal.run.origin_ns
            now_ns = self._journal.marked_ns
            if config.start is None and config.resume_gap == "live":
                now_ns = max(now_ns, wall_ns - wall_ns % TICK_NS)
        try:
            sockets = bind(
                {name: (host, base and base + offset) for name, (host, offset) in addresses.items()}
            )
        except PortBusyError:
            self._close_journal()
            raise
        self.hub = Hub()
        clock = Chronometer(now_ns, config.speed, paused=config.paused)
        self.driver = Driver(self.hub, self._on_second, clock, lossless=config.delivery == "lossless")
        self.log = RunLog()
        self.witness = Witness(lambda: self.driver.moment, keeps_writes=keeps_writes)
        self.desks = Desks(config, self.driver, self.hub, self._journal, self.chaos, self.witness, self.log)
        self.chaos.start(rules, self.start_ns)
        self.chaos.changed = self._attend
        self.chaos.asked = self._note_rule
        self._resumed = False
        self._ports = self._make_ports(registry)
        views = {port.venue.id: port.exchange for port in self._ports}
        cards = {port.venue.id: port.venue for port in self._ports}
        self.markets = MarketChaos(self.chaos, cards, views, self._befall, self._force, lambda: self._resumed)
        self.markets.attend(self.start_ns)
        self.markets.begun = True
        self.inspector = Inspector(self._ports, self.driver, self.start_ns)
        self.back_office = BackOffice(self._ports, self.inspector, self.driver)
        self.desks.resume(now_ns, self._take_up)
        self.markets.keep_up(now_ns)
        self._resumed = True
        self._await_listing()
        self._await_end()
        self._history = HistoryMaker([port.exchange for port in self._ports], self.start_ns)
        self._venues: dict[str, list[Listener]] = {port.venue.id: [] for port in self._ports}
        for port in self._ports:
            app, upgrade = VenueHttp(port), partial(Connection, port)
            for context in (None, tls) if tls else (None,):
                sock = sockets[port.venue.id, context is not None]
                self._venues[port.venue.id].append(Listener(sock, app, upgrade, context))
        self._control = Listener(sockets[CONTROL, False], self._control_app, None)
        self._control_api: asyncio.Future[ASGI3Application] | None = None

    def _make_ports(self, registry: Sequence[VenueProtocol]) -> list[Port]:
        ports = []
        for rank, (venue, view) in enumerate(exchanges(self.config, registry, self.origin_ns)):
            exchange, desk = self.desks.open(venue, rank, view, self.start_ns)
            lifetime_ns = _lifetime_ns(self.config, venue)
            exchange.usage.refused = partial(self.witness.refused, venue.id)
            of_run = self.hub, self.driver, lifetime_ns, self.chaos, self.witness
            ports.append(Port(venue, exchange, rank, *of_run, desk))
        return ports

    @property
    def control_url(self) -> str:
        """Where the control API is, without a slash at the end."""
        return f"http://{self._control.authority}"

    @property
    def urls(self) -> dict[str, dict[str, str]]:
        """{venue id: {"http": url, "ws": url}}, with TLS "https" and "wss" too; no path, no slash at the end."""
        return {
            name: {scheme: f"{scheme}://{row.authority}" for row in listeners for scheme in row.schemes}
            for name, listeners in self._venues.items()
        }

    async def serve(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Serve and let the clock go, then call `ready`; when `stop` is set, take leave."""
        for listener in self._listeners():
            await listener.open()
        self.driver.start()
        if not self.config.lazy_history:
            self._history.start()
        ready()
        await stop.wait()
        await self._leave()

    async def _leave(self) -> None:
        """Say goodbye, wait a little for the answers, and cut what is left."""
        self.driver.stop()
        self._history.stop()
        for listener in self._listeners():
            listener.close()
        for connection in self._connections():
            connection.farewell()
            connection.close(GOING_AWAY)
        gone = lambda: not self._connections() and not any(listener.busy for listener in self._listeners())
        if not await settled(gone, GOODBYE_S):
            for connection in self._connections():
                connection.abort()
            for listener in self._listeners():
                listener.abort()
            await settled(gone, GOODBYE_S)
        self.hub.close()
        self._close_journal()

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()

    def _listeners(self) -> list[Listener]:
        return [self._control, *chain.from_iterable(self._venues.values())]

    def _connections(self) -> list[Connection]:
        return [connection for port in self._ports for connection in port.connections]

    @property
    def connections(self) -> list[Row]:
        """The open sockets of clients, those of a venue in the order in which they came."""
        rows = [connection.row for connection in self._connections()]
        return sorted(rows, key=lambda row: (row.venue, len(row.id), row.id))

    @property
    def tapped(self) -> set[str]:
        """Those of them, by id, whose frames pass one by one, because of rules of chaos."""
        return {connection.id for connection in self._connections() if connection.tapped}

    def kick(self, name: str, code: int | None = None, reason: str = "") -> Row | None:
        """End a socket as its server would, by a closing handshake, or cut it (None). None if there is no such."""
        for connection in self._connections():
            if connection.id == name:
                row = connection.row
                self._note("kick", {"id": name, "code": code, "reason": reason})
                if code is None:
                    connection.cut()
                else:
                    connection.close(Close(code, reason))
                return row
        return None

    # ------------------------------------------------------------ the log of inputs
    def _note(self, do: str, what: object) -> None:
        self.log.add(self.driver.now_ns, do, what)

    def _note_rule(self, do: str, what: object) -> None:
        """A rule comes or goes. One about markets is part of what they are, and so of the journal."""
        self._note(do, what)
        words = dict(cast(Any, what))
        name = words.pop("id")
        if self._journal is not None and self.markets.knows(name):
            self._journal.rule(self.driver.now_ns, name, words if self.markets.has(name) else None)

    def log_lines(self) -> Iterator[bytes]:
        """The log of inputs, as text."""
        run = {"start_ns": self.start_ns, "origin_ns": self.origin_ns, "now_ns": self.driver.stamp()[0]}
        settings = {name: value for name, value in self._given.items() if name not in SECRET_SETTINGS}
        if self.config.faults:  # which may be in a file
            settings["faults"] = [
                rule.words | ({"id": rule.id} if rule.id else {}) for rule in self.config.faults
            ]
        return self.log.lines({"seed": self.config.seed, **run, "settings": settings})

    def do_again(self, each: Input) -> None:
        """Have an input of an earlier run take effect here and now. ConfigError, of one line, where it cannot."""
        what = cast(Any, each.what)
        match each.do:
            case "command":
                desk = self.inspector.port(each.venue).desk
                if desk is None:
                    raise ConfigError(f"log: {each.venue} takes no orders here")
                desk.execute(what, self.driver.now_ns)
            case "fault":
                words = dict(what)
                self.chaos.add(words, self.driver.now_ns, "log", str(words.pop("id", "")))
            case "unfault":
                self.chaos.remove(what["id"])
            case "kick":
                self.kick(what["id"], what["code"], what["reason"])
            case _:
                raise ConfigError(f"log: {each.do!r} is nothing that can be done again")

    def ping(self, name: str = "") -> int:
        """Send one socket a protocol ping, or all; to how many."""
        asked = [each for each in self._connections() if name in ("", each.id)]
        for number, connection in enumerate(asked):
            connection.ping(b"%d" % (self.driver.now_ns + number))
        return len(asked)

    def _befall(self, venue: str, fates: Mapping[str, Fate]) -> None:
        """Have these befall markets of a venue from now on."""
        (port,) = (port for port in self._ports if port.venue.id == venue)
        if port.desk is not None and fates and self._resumed:
            port.desk.befall(fates, self.driver.now_ns)
        elif port.desk is not None:
            for market, fate in fates.items():
                port.desk.floor.befall(market, fate)
        else:
            for market, fate in fates.items():
                port.exchange.world.befall(market, fate)
        self.hub.renew(port.rank)

    def _take_up(self, at_ns: int, change: RuleChange | None) -> None:
        """Have rules about markets come and go as they did up to an instant of the run that is taken up again."""
        ends_ns = self.chaos.rules.next_end_ns
        while ends_ns is not None and ends_ns <= at_ns:
            self.desks.advance(ends_ns)
            self.chaos.rules.expire(ends_ns)
            self.markets.attend(ends_ns)
            ends_ns = self.chaos.rules.next_end_ns
        if change is None:
            return
        self.desks.advance(at_ns)
        if change.words is None:
            self.chaos.rules.remove(change.name)
        else:
            self.chaos.rules.add(change.words, at_ns, "journal", change.name)
        self.markets.attend(at_ns)

    def _attend(self) -> None:
        self.markets.attend(self.driver.now_ns)
        self._await_listing()
        for connection in self._connections():
            connection.attend()
        self._await_end()

    def _force(self, venue: str, command: Command) -> None:
        """Have something done to an account of a venue now."""
        (desk,) = (port.desk for port in self._ports if port.venue.id == venue)
        if desk is not None:
            desk.force(command, self.driver.now_ns)

    def _await_listing(self) -> None:
        """See to it that markets are listed, and accounts done to, when their time comes."""
        next_ns = self.markets.next_ns(self.driver.now_ns)
        if next_ns is None:
            self.driver.cancel_alarm(self._list)
        else:
            self.driver.set_alarm(self._list, next_ns)

    def _list(self) -> None:
        self.markets.keep_up(self.driver.now_ns)
        self._await_listing()

    def _await_end(self) -> None:
        """See to it that rules are removed when their time is over."""
        end_ns = self.chaos.rules.next_end_ns
        if end_ns is None:
            self.driver.cancel_alarm(self._expire)
        else:
            self.driver.set_alarm(self._expire, end_ns)

    def _expire(self) -> None:
        self.chaos.expire(self.driver.now_ns)

    def _on_second(self, now_ns: int, wall_ns: int) -> None:
        for listener in self._listeners():
            listener.date(http_date())
        for connection in self._connections():
            connection.tick(now_ns, wall_ns)

    def next_instant(self, event: str, venue: str, symbol: str, interval: str, now_ns: int) -> int:
        """When an event next happens after now_ns: one of a market (`Occasion`), or the "day"'s end, UTC.

        ValueError, of one line, where it never does.
        """
        if event == DAY:
            return now_ns - now_ns % DAY_NS + DAY_NS
        if event not in set(Occasion):
            raise ValueError(f"event: {event!r} is none{nearest(event, (*Occasion, DAY))}")
        port = self.inspector.port(venue, symbol)
        found_ns = port.venue.next_instant(Occasion(event), symbol, interval, port.exchange, now_ns)
        if found_ns is None:
            of = f" of interval {interval!r}" if interval else ""
            raise ValueError(f"event: {symbol} of {venue} has no {event}{of}")
        return found_ns

    # ------------------------------------------------------------ control
    async def _control_app(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """The control API, imported when first asked for: FastAPI takes as long to import as all the rest to start."""
        body = await read_body(receive)
        if body is None:
            await respond(send, TOO_LARGE)
            return
        if self._control_api is None:
            self._control_api = asyncio.get_running_loop().run_in_executor(None, self._make_control_api)
        api = await self._control_api
        request: ASGIReceiveEvent = {"type": "http.request", "body": body, "more_body": False}

        async def receive_again() -> ASGIReceiveEvent:
            return request

        await api(scope, receive_again, send)

    def _make_control_api(self) -> ASGI3Application:
        from emulator.api.main import create_app  # noqa: PLC0415

        return cast(ASGI3Application, create_app(self))

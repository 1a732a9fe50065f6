"""The listeners: HTTP and the WebSocket upgrade on one port per venue, the control API on its own, from start to shutdown.

uvicorn's HTTP protocol does the parsing; the loop, the sockets and the order of things are ours. A request becomes a value, the
venue answers with a value; what it raises is our fault: logged, answered with a bare 500, and nobody else's business.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import uvicorn
from uvicorn._types import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    HTTPScope,
    Scope,
)
from uvicorn.server import ServerState

from emulator.config import Config, chosen, resolve
from emulator.driver import Driver, http_date, settled, utc_ns
from emulator.gateway.connection import GOING_AWAY, Connection, Port
from emulator.gateway.hub import Hub
from emulator.log import get_logger
from reactor.unified_market import MarketOrchestrationCore
from venues.base import Exchange, HttpRequest, HttpResponse, VenueProtocol

BODY_BYTES_MAX = 1 << 20
CONTROL = "control"
GOODBYE_S = 1.0  # how long clients have to answer our close at shutdown

TOO_LARGE = HttpResponse(413, b"Content Too Large", "text/plain")
FAILED = HttpResponse(500, b"Internal Server Error", "text/plain")

log = get_logger("server")


class PortBusy(Exception):  # noqa: N818: it says what is the case
    """A port that is needed belongs to somebody else."""


# ---------------------------------------------------------------- HTTP
async def _read_body(receive: ASGIReceiveCallable) -> bytes | None:
    """The request's body; None when it is over BODY_BYTES_MAX or the client is gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body", False):
            return body


async def _respond(send: ASGISendCallable, response: HttpResponse) -> None:
    headers = [
        ("content-type", response.content_type),
        ("content-length", str(len(response.body))),
        *response.headers,
    ]
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await send(
        {"type": "http.response.start", "status": response.status, "headers": encoded, "trailers": False}
    )
    await send({"type": "http.response.body", "body": response.body, "more_body": False})


def venue_app(port: Port) -> ASGI3Application:
    """The HTTP side of a venue."""

    async def app(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        assert scope["type"] == "http"
        body = await _read_body(receive)
        await _respond(send, TOO_LARGE if body is None else _answer(port, scope, body))

    return app


def _answer(port: Port, scope: HTTPScope, body: bytes) -> HttpResponse:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    client = scope["client"]
    request = HttpRequest(
        scope["method"],
        scope["path"],
        scope["query_string"].decode("latin-1"),
        headers,
        body,
        client[0] if client else "",
    )
    now_ns, _ = port.driver.stamp()
    try:
        return port.venue.handle(request, port.exchange, now_ns)
    except Exception:
        log.exception("venue failed", venue=port.venue.id, method=request.method, path=request.path)
        return FAILED


# ---------------------------------------------------------------- listeners
def bind(addresses: Mapping[str, tuple[str, int]]) -> dict[str, socket.socket]:
    """A listening socket for each name's (host, port), or none at all and PortBusy, in one line."""
    sockets: dict[str, socket.socket] = {}
    try:
        for name, (host, port) in addresses.items():
            family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            sockets[name] = socket.socket(family, kind, proto)
            sockets[name].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sockets[name].bind(address)
            sockets[name].listen(2048)  # now: SO_REUSEADDR lets two bind to a port, but only one listen
    except OSError as error:
        for held in sockets.values():
            held.close()
        why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise PortBusy(f"port {port} on {host}, for {name}, {why}") from None
    return sockets


class Listener:
    """One bound socket and what is served on it: uvicorn's HTTP protocol, without its server."""

    def __init__(
        self, sock: socket.socket, app: ASGI3Application, upgrade: Callable[..., Connection] | None
    ) -> None:
        self.state = ServerState()
        self._socket = sock
        self._server: asyncio.Server | None = None
        self._config = uvicorn.Config(
            app,
            http="httptools",
            ws=cast(Any, upgrade) or "none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
        )

    @property
    def authority(self) -> str:
        """host:port, as in a URL."""
        host, port = self._socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def open(self) -> None:
        """Serve."""
        self._config.load()
        make = partial(
            cast(Any, self._config.http_protocol_class),
            config=self._config,
            server_state=self.state,
            app_state={},
        )
        self._server = await asyncio.get_running_loop().create_server(make, sock=self._socket)

    def close(self) -> None:
        """Take no more connections, and end those that wait for a request."""
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for connection in list(self.state.connections):
            connection.shutdown()

    def abort(self) -> None:
        """Cut what is left."""
        for task in self.state.tasks:
            task.cancel()
        for connection in list(self.state.connections):
            connection.transport.abort()


# ---------------------------------------------------------------- the run
def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop to be had on this system."""
    try:
        import uvloop  # noqa: PLC0415: not to be had everywhere
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Gateway:
    """One run: its world, its venues' ports, its clock. Making it takes the ports; nothing answers before `serve`.

    Raises ConfigError or PortBusy, both fit to be shown as they are.
    """

    def __init__(self, config: Config, registry: Sequence[VenueProtocol]) -> None:
        self.config = config
        self.start_ns, self.origin_ns = resolve(config, utc_ns())
        venues = chosen(config, registry)
        offsets = {CONTROL: 0} | {venue.id: venue.port_offset for venue in venues}
        hosts = {CONTROL: config.control_host}
        sockets = bind(
            {
                name: (hosts.get(name, config.host), config.base_port and config.base_port + offset)
                for name, offset in offsets.items()
            }
        )
        self.hub = Hub()
        self.driver = Driver(self.hub, self._on_second, self.start_ns, config.speed, config.paused)
        self._ports = self._open_ports(venues)
        self._control = Listener(sockets[CONTROL], self._control_app, None)
        self._control_api: asyncio.Future[ASGI3Application] | None = None
        self._venues = {
            port.venue.id: Listener(sockets[port.venue.id], venue_app(port), partial(Connection, port))
            for port in self._ports
        }

    def _open_ports(self, venues: Sequence[VenueProtocol]) -> list[Port]:
        wanted = self.config.markets
        listed = [
            [row for row in venue.listings if not wanted or row.instrument.market in wanted]
            for venue in venues
        ]
        markets = [(row.instrument, row.manifest) for rows in listed for row in rows]
        world = MarketOrchestrationCore(seed=self.config.seed, origin_ns=self.origin_ns, markets=markets)
        exchanges = [
            Exchange(world, {row.instrument.symbol: row.instrument.market for row in rows}) for rows in listed
        ]
        return [
            Port(*pair, rank, self.hub, self.driver)
            for rank, pair in enumerate(zip(venues, exchanges, strict=True))
        ]

    @property
    def control_url(self) -> str:
        """Where the control API is."""
        return f"http://{self._control.authority}"

    @property
    def urls(self) -> dict[str, dict[str, str]]:
        """{venue id: {"http": url, "ws": url}}, without a path or a slash at the end."""
        return {
            name: {scheme: f"{scheme}://{listener.authority}" for scheme in ("http", "ws")}
            for name, listener in self._venues.items()
        }

    async def serve(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Serve and let the clock go, call `ready`, and take leave when `stop` is set."""
        for listener in self._listeners():
            await listener.open()
        self.driver.start()
        ready()
        await stop.wait()
        await self._leave()

    async def _leave(self) -> None:
        """Say goodbye (1001), wait a little for the answers, and cut what is left."""
        self.driver.stop()
        for listener in self._listeners():
            listener.close()
        for connection in self._connections():
            connection.close(GOING_AWAY)
        gone = lambda: not self._connections() and not any(row.state.connections for row in self._listeners())
        if not await settled(gone, GOODBYE_S):
            for connection in self._connections():
                connection.abort()
            for listener in self._listeners():
                listener.abort()
            await settled(gone, GOODBYE_S)
        self.hub.close()

    def _listeners(self) -> list[Listener]:
        return [self._control, *self._venues.values()]

    def _connections(self) -> list[Connection]:
        return [connection for port in self._ports for connection in port.connections]

    def _on_second(self, now_ns: int, wall_ns: int) -> None:
        date = [(b"date", http_date())]
        for listener in self._listeners():
            listener.state.default_headers = date
        for connection in self._connections():
            connection.tick(now_ns, wall_ns)

    async def _control_app(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """The control API, imported when somebody first asks for it: that takes as long as all the rest of a start."""
        body = await _read_body(receive)
        if body is None:
            await _respond(send, TOO_LARGE)
            return
        if self._control_api is None:
            self._control_api = asyncio.get_running_loop().run_in_executor(None, self._make_control_api)
        api = await self._control_api
        request: ASGIReceiveEvent = {"type": "http.request", "body": body, "more_body": False}

        async def receive_again() -> ASGIReceiveEvent:
            return request

        await api(scope, receive_again, send)

    def _make_control_api(self) -> ASGI3Application:
        from emulator.api.main import create_app  # noqa: PLC0415: see _control_app

        return cast(ASGI3Application, create_app(self))

"""HTTP: uvicorn's protocol parses, a request becomes a value, and the venue answers with one.

Most answers are there at once. They leave in one write, before anything else happens, and no task is made for them.
What has to be waited for (the rest of a request, a delivery, a rule of chaos), and whatever else comes in the same
piece of a connection's bytes, goes through ASGI. What a venue raises is our fault: logged, answered with a bare 500,
and nobody else's business.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from emulator.chaos.answer import Answer, Asked, spoilt
from emulator.chaos.rules import Event
from emulator.chaos.rules import Scope as EventScope
from emulator.driver import happened, settled
from emulator.gateway.connection import FAILED, Port
from emulator.log import Log
from emulator.witness import Placed
from reactor.values import dataclass
from venues.base import HttpRequest, HttpResponse, client_of

BODY_BYTES_MAX = 1 << 20
LONG_BYTES = 1 << 14  # a body that is not copied to stand behind its head
CROWDED_S = 1.0  # a request waits at most so long for a delivery
TOO_LARGE = HttpResponse(413, b"Content Too Large", "text/plain")

log = Log("http")


# ---------------------------------------------------------------- what is said
def _headers(response: HttpResponse) -> list[tuple[str, str]]:
    kind = [("content-type", response.content_type)] if response.content_type else []
    return [*kind, ("content-length", str(len(response.body))), *response.headers]


async def read_body(receive: ASGIReceiveCallable) -> bytes | None:
    """The request's body; None when it is longer than BODY_BYTES_MAX, or its sender gone."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message["body"]
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message["more_body"]:
            return bytes(body)


async def respond(send: ASGISendCallable, response: HttpResponse) -> None:
    """Send an answer."""
    await _head(send, response)
    await send({"type": "http.response.body", "body": response.body})


async def _head(send: ASGISendCallable, response: HttpResponse) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in _headers(response)]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})


async def _respond_badly(receive: ASGIReceiveCallable, send: ASGISendCallable, answer: Answer) -> bool:
    """Send an answer that rules of chaos may have spoilt; whether all of it was. Who leaves while it waits is not
    waited for.
    """
    if answer.wait_s and await happened(receive(), answer.wait_s):
        return False
    if answer.cut:
        cast(Any, send).__self__.transport.abort()  # uvicorn's: there is no word for it in ASGI
        return False
    if answer.pieces == 1:
        await respond(send, answer.response)
        return True
    await _head(send, answer.response)
    body, size = answer.response.body, max(1, -(-len(answer.response.body) // answer.pieces))
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    for piece in pieces[:-1]:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        if await happened(receive(), answer.spread_s / len(pieces)):
            return False
    await send({"type": "http.response.body", "body": pieces[-1] if pieces else b""})
    return True


# ---------------------------------------------------------------- a venue
@dataclass(frozen=True, slots=True, eq=False)
class _Served:
    """A request whose answer is known: the venue's own, if it was asked, what becomes of that, and the orders that the
    request placed.
    """

    request: HttpRequest
    asked: str
    own: HttpResponse | None
    answer: Answer
    placing: list[Placed]


class VenueHttp:
    """The HTTP side of a venue: an ASGI application, and the same without waiting."""

    def __init__(self, port: Port) -> None:
        self._port = port

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer a request, its rest and everything else that takes time being waited for."""
        assert scope["type"] == "http"
        body = await read_body(receive)
        if self._port.crowded:
            await settled(lambda: not self._port.crowded, CROWDED_S)
        number = next(self._port.asked)
        if body is None:
            await respond(send, TOO_LARGE)
            return
        await self._send(self._serve(scope, body, number), receive, send)

    @property
    def prompt(self) -> bool:
        """Whether a request can be answered without waiting, as far as is known before it is looked at."""
        return not self._port.crowded and not self._port.chaos.has(EventScope.REQUEST)

    def at_once(self, scope: HTTPScope, body: bytes) -> HttpResponse | ASGI3Application:
        """The answer to a request, which leaves now; or what sends it, where that has to be waited for."""
        served = self._serve(scope, body, next(self._port.asked), unspoilt=True)
        if not served.answer.wait_s:
            self._sent(served, whole=True)
            return served.answer.response

        async def later(_scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
            await receive()  # what is known already: from here on it tells when the client leaves
            await self._send(served, receive, send)

        return later

    def _serve(self, scope: HTTPScope, body: bytes, number: int, *, unspoilt: bool = False) -> _Served:
        """Have a request of that number answered; `unspoilt` if it is known that no rule of chaos is about any."""
        port = self._port
        now_ns, wall_ns = port.driver.stamp()
        request = _request(port, scope, body, wall_ns)
        asked = f"{request.method} {request.path}"
        port.witness.asked(port.venue.id, request.client, asked)
        with port.witness.asking(asked) as placing:
            if not unspoilt and port.chaos.has(EventScope.REQUEST):
                answer, own = _spoilt(port, request, number, now_ns)
            else:
                own = _answer(port, request, now_ns)
                answer = Answer(own, wait_s=_patience_s(port))
        return _Served(request, asked, own, answer, placing)

    async def _send(self, served: _Served, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        self._sent(served, whole=await _respond_badly(receive, send, served.answer))

    def _sent(self, served: _Served, *, whole: bool) -> None:
        """Write down what left, all of it or not."""
        witness, venue, said, own = (
            self._port.witness,
            self._port.venue.id,
            served.answer.response,
            served.own,
        )
        if whole:
            witness.answered(venue, served.request.client, served.asked, said)
        if whole and own is not None and (said.status, said.body) == (own.status, own.body):
            witness.whole(served.placing)
            witness.told(venue, said.body, answer=True)
        else:
            witness.lost(served.placing, _mishap(served.answer, own, sent=whole))


def _mishap(answer: Answer, own: HttpResponse | None, *, sent: bool) -> str:
    """What became of an answer that its client did not get as the venue gave it."""
    if answer.cut:
        return "its connection was cut"
    if not sent:
        return "its client no longer waited for the answer"
    if own is not None and answer.response.status == own.status:
        return f"it was answered with another {own.status} than the venue's"
    return f"it was answered with {answer.response.status}"


def _spoilt(port: Port, request: HttpRequest, number: int, now_ns: int) -> tuple[Answer, HttpResponse | None]:
    """The answer to a venue's request of that number, past the rules of chaos; and the venue's own, if it was asked."""
    own: list[HttpResponse] = []

    def ask(ahead_ns: int = 0) -> Answer:
        own.append(_answer(port, replace(request, ahead_ns=ahead_ns) if ahead_ns else request, now_ns))
        return Answer(own[-1], wait_s=_patience_s(port))

    address = request.client.partition(" ")[0]
    event = Event(
        EventScope.REQUEST,
        port.venue.id,
        now_ns,
        (number,),
        endpoint=request.path,
        key=request.headers.get(port.venue.key_header) or address,
        content=b"%s %s?%s\n%s"
        % (request.method.encode(), request.path.encode(), request.query.encode(), request.body),
    )
    asked = Asked(event, ask, port.venue.socket_rules.refuse, ask)
    return spoilt(port.chaos.rules, event, asked), own[-1] if own else None


def _patience_s(port: Port) -> float:
    return port.desk.take_patience_s() if port.desk is not None else 0.0


def _request(port: Port, scope: HTTPScope, body: bytes, wall_ns: int) -> HttpRequest:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    method, path, query = scope["method"], scope["path"], scope["query_string"].decode("latin-1")
    client = scope["client"] or ("", 0)
    whose = client_of(client[0], headers, port.venue.key_header)
    return HttpRequest(method, path, query, headers, body, whose, wall_ns)


def _answer(port: Port, request: HttpRequest, now_ns: int) -> HttpResponse:
    try:
        if port.desk is not None:
            port.desk.reach(now_ns)
        return port.venue.handle(request, port.exchange, now_ns)
    except Exception:
        log.exception("venue failed", venue=port.venue.id, method=request.method, path=request.path)
        return FAILED


# ---------------------------------------------------------------- a connection
class HttpProtocol(HttpToolsProtocol):
    """uvicorn's, but that what a `venue` can answer at once leaves when the last byte of the request is read.

    One such answer for each piece of bytes that comes: nobody keeps others waiting by sending many requests in one.
    """

    def __init__(self, venue: VenueHttp | None, config: Config, server_state: ServerState) -> None:
        super().__init__(config, server_state, {})
        self._venue = venue
        self._due = False  # an answer at once, to this piece
        self._begun: RequestResponseCycle | None = None  # that may be answered so when all of it is there

    def data_received(self, data: bytes) -> None:
        self._due = self._venue is not None
        super().data_received(data)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if (
            self._due
            and cycle.more_body
            and not cycle.waiting_for_100_continue
            and cycle.scope["method"] != "HEAD"
        ):
            self._begun = cycle
        else:
            super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self._begun is not None and len(self._begun.body) > HIGH_WATER_LIMIT:
            self._go_through_asgi(self.app)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        cycle = self._begun
        if cycle is None:
            return
        assert self._venue is not None
        if not self._venue.prompt or self.flow.write_paused:
            self._go_through_asgi(self.app)
            return
        self._due = False
        answer = self._venue.at_once(cycle.scope, bytes(cycle.body))
        if isinstance(answer, HttpResponse):
            self._begun = None
            self._write(cycle, answer)
        else:
            self._go_through_asgi(answer)

    def _go_through_asgi(self, app: ASGI3Application) -> None:
        cycle, self._begun = self._begun, None
        assert cycle is not None
        super()._start_asgi_task(cycle, app)

    def _write(self, cycle: RequestResponseCycle, response: HttpResponse) -> None:
        """Send an answer, and see to the connection, as the cycle's `send` would."""
        cycle.response_started = cycle.response_complete = True
        date = b"".join([b"%s: %s\r\n" % row for row in self.server_state.default_headers])
        text = "".join([f"{name.lower()}: {value}\r\n" for name, value in _headers(response)])
        close = b"" if cycle.keep_alive else b"connection: close\r\n"
        head = b"%s%s%s%s\r\n" % (STATUS_LINE[response.status], date, text.encode("latin-1"), close)
        if len(response.body) < LONG_BYTES:
            self.transport.write(head + response.body)
        else:
            self.transport.write(head)
            self.transport.write(response.body)
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

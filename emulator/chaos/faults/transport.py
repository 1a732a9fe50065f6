"""Faults of sockets: they end in every way a socket can, or stay open and say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from emulator.chaos.input import HandshakeFault, MessageFault
from emulator.chaos.rules import PING, SECONDS, Draw, Event, Fault, integer, number, option
from emulator.chaos.tap import Farewell, FrameFault, Outcome, Passage, Send, Shut
from emulator.config import TEXT, Kind
from reactor.types import SECOND_NS
from reactor.values import dataclass
from venues.base import HttpResponse
from venues.wire import frame


def _reason(value: object) -> str:
    if not isinstance(value, str) or len(value.encode()) > 123:
        raise ValueError
    return value


REASON = Kind("a text of at most 123 bytes", _reason)


@dataclass(frozen=True, slots=True)
class SocketFault(FrameFault):
    """A fault of all that is said on a socket."""

    def suits(self, event: Event, *, named: bool) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Cut(SocketFault):
    """The connection ends in the place of a message, without a closing handshake."""

    kind: ClassVar[str] = "ws.drop"
    about: ClassVar[str] = "The socket ends without a word (1006 to the client)."

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return (Shut(None),)


@dataclass(frozen=True, slots=True)
class Reset(SocketFault):
    """The connection is reset in the place of a message."""

    kind: ClassVar[str] = "ws.rst"
    about: ClassVar[str] = "The connection is reset."

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return (Shut(None, reset=True),)


@dataclass(frozen=True, slots=True)
class Closed(SocketFault):
    """The server closes in the place of a message."""

    kind: ClassVar[str] = "ws.close"
    about: ClassVar[str] = "The server closes the socket, with a code and a reason."

    code: int = option(integer(1000, 4999), "The close code.", 1001)
    reason: str = option(REASON, "And what it says.", "")

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return (Shut(self.code, self.reason),)


@dataclass(frozen=True, slots=True)
class HalfOpen(SocketFault):
    """Nothing more comes, though the socket stays open and pings are answered."""

    kind: ClassVar[str] = "ws.half_open"
    about: ClassVar[str] = "The socket is open, pings are answered, and no message comes any more."
    silences: ClassVar[bool] = True

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return ()


@dataclass(frozen=True, slots=True)
class Truncate(SocketFault):
    """A frame is cut off in its middle, and the connection with it."""

    kind: ClassVar[str] = "ws.truncate"
    about: ClassVar[str] = "The socket ends in the middle of a message."

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        whole = frame(event.content)
        return (Send(whole[: max(1, len(whole) // 2)], raw=True), Shut(None))


@dataclass(frozen=True, slots=True)
class Fragment(SocketFault):
    """A message comes in several frames."""

    kind: ClassVar[str] = "ws.fragment"
    about: ClassVar[str] = "A message comes in fragments, which the protocol allows and few venues send."

    pieces: int = option(integer(2, 1_000), "In how many.", 3)

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        size = max(1, -(-len(event.content) // self.pieces))
        parts = [event.content[i : i + size] for i in range(0, len(event.content), size)] or [b""]
        frames = [bytearray(frame(part)) for part in parts]
        for i, part in enumerate(frames):
            part[0] = (0x80 if i == len(frames) - 1 else 0) | (0x01 if i == 0 else 0)
        return (Send(b"".join(map(bytes, frames)), raw=True),)


@dataclass(frozen=True, slots=True)
class Bandwidth(SocketFault):
    """All that is said on a socket squeezes through a thin line."""

    kind: ClassVar[str] = "ws.bandwidth"
    about: ClassVar[str] = (
        "Messages come no faster than a thin line carries them, later and later behind the market."
    )

    kbit_per_s: float = option(number(1, 10_000_000), "What the line carries in a virtual second.", 64.0)

    def passage(self) -> Passage:
        return _Bandwidth(self.kbit_per_s)


class _Bandwidth:
    def __init__(self, kbit_per_s: float) -> None:
        self._bits_per_s = int(kbit_per_s * 1_000)
        self._free_ns = 0

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        bits = len(event.content) * 8
        self._free_ns = max(self._free_ns, event.at_ns) + bits * SECOND_NS // self._bits_per_s
        return (Send(event.content, self._free_ns),)

    def spare(self, event: Event) -> Sequence[Outcome]:
        return (Send(event.content, self._free_ns),)

    def over(self, now_ns: int) -> bool:
        return self._free_ns <= now_ns


@dataclass(frozen=True, slots=True)
class Expired(SocketFault):
    """A socket ends as the venue ends one that has lived as long as it may."""

    kind: ClassVar[str] = "ws.24h_cut"
    about: ClassVar[str] = "The venue ends the socket as one that is too old, with its own code."

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return (Shut(None, expired=True),)


@dataclass(frozen=True, slots=True)
class ServerShutdown(SocketFault):
    """The venue announces that its server goes down, in its own words if it has any, and ends the socket later."""

    kind: ClassVar[str] = "ws.server_shutdown"
    about: ClassVar[str] = (
        "The venue announces that its server shuts down, and ends the socket some time later."
    )

    lead_s: float = option(SECONDS, "How long after the announcement, in virtual time.", 600.0)

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        end_ns = event.at_ns + int(self.lead_s * SECOND_NS)
        return (Send(event.content), Farewell(), Shut(None, expired=True, at_ns=end_ns))


# ---------------------------------------------------------------- what clients do
@dataclass(frozen=True, slots=True)
class NoPong(MessageFault):
    """A client's ping is not answered, whatever else is said."""

    kind: ClassVar[str] = "ws.no_pong"
    about: ClassVar[str] = "The client's protocol pings are not answered, though messages come."
    role: ClassVar[str] = PING


@dataclass(frozen=True, slots=True)
class SlowHandshake(HandshakeFault):
    """A handshake is answered late."""

    kind: ClassVar[str] = "ws.slow_handshake"
    about: ClassVar[str] = "A handshake is answered late."

    wait_s: float = option(number(0, 3_600), "How late, in wall time.", 30.0)

    @property
    def patience_s(self) -> float:
        return self.wait_s


@dataclass(frozen=True, slots=True)
class HandshakeStatus(HandshakeFault):
    """A handshake is refused."""

    kind: ClassVar[str] = "ws.handshake_status"
    about: ClassVar[str] = "A handshake is answered with an HTTP error in the place of a socket."

    status: int = option(integer(400, 599), "Which.", 503)
    body: str = option(TEXT, "And what it says.", "")

    @property
    def refusal(self) -> HttpResponse:
        return HttpResponse(self.status, self.body.encode(), "text/plain")


FAULTS: tuple[type[Fault], ...] = (
    Cut,
    Reset,
    Closed,
    HalfOpen,
    Truncate,
    Fragment,
    Bandwidth,
    Expired,
    ServerShutdown,
    NoPong,
    SlowHandshake,
    HandshakeStatus,
)

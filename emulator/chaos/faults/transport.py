"""Faults of sockets: they end in every way a socket can, or stay open and say nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from emulator.chaos.rules import Draw, Event, Fault, integer, option
from emulator.chaos.tap import FrameFault, Outcome, Send, Shut
from emulator.config import Kind
from venues.wire import frame


def _reason(value: object) -> str:
    if not isinstance(value, str) or len(value.encode()) > 123:
        raise ValueError
    return value


REASON = Kind("a text of at most 123 bytes", _reason)


@dataclass(frozen=True, slots=True)
class SocketFault(FrameFault):
    """A fault of all that is said on a socket."""

    of_all: ClassVar[bool] = True


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


FAULTS: tuple[type[Fault], ...] = (Cut, Reset, Closed, HalfOpen, Truncate, Fragment)

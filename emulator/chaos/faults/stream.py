"""Faults of streams: messages that are lost, doubled, late, out of order, or old."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from emulator.chaos.input import MessageFault
from emulator.chaos.rules import ACK, SECONDS, UNSUBSCRIBE, Draw, Event, Fault, integer, number, option
from emulator.chaos.tap import FrameFault, Outcome, Passage, Send
from reactor.types import MS_NS, SECOND_NS
from reactor.values import dataclass

MILLISECONDS = number(0, 86_400_000)


@dataclass(frozen=True, slots=True)
class Drop(FrameFault):
    """A message is lost."""

    kind: ClassVar[str] = "md.drop"
    about: ClassVar[str] = "A message never comes."

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return ()


@dataclass(frozen=True, slots=True)
class Gap(FrameFault):
    """A run of messages of one stream is lost, so that the next one's sequence does not continue the last one's."""

    kind: ClassVar[str] = "md.gap"
    about: ClassVar[str] = "The sequence of a book skips: some updates in a row never come."

    size: int = option(integer(1, 100_000), "How many messages in a row.", 1)

    def passage(self) -> Passage:
        return _Gap(self.size)


class _Gap:
    def __init__(self, size: int) -> None:
        self._size = size
        self._left: dict[tuple[str, str], int] = {}

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        self._left[event.channel, event.symbol] = self._size - 1
        return ()

    def spare(self, event: Event) -> Sequence[Outcome]:
        left = self._left.get((event.channel, event.symbol), 0)
        if left:
            self._left[event.channel, event.symbol] = left - 1
            return ()
        return (Send(event.content),)

    def over(self, now_ns: int) -> bool:
        return not any(self._left.values())


@dataclass(frozen=True, slots=True)
class Duplicate(FrameFault):
    """A message comes more than once."""

    kind: ClassVar[str] = "md.dup"
    about: ClassVar[str] = "A message comes again, right after itself."

    times: int = option(integer(1, 1_000), "How many more times.", 1)

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return (Send(event.content),) * (1 + self.times)


@dataclass(frozen=True, slots=True)
class Reorder(FrameFault):
    """A message comes after the next one of its stream."""

    kind: ClassVar[str] = "md.reorder"
    about: ClassVar[str] = "Two neighbouring messages of a stream come in the wrong order."

    def passage(self) -> Passage:
        return _Reorder()


class _Reorder:
    def __init__(self) -> None:
        self._held: dict[tuple[str, str], list[Outcome]] = {}

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        self._held.setdefault((event.channel, event.symbol), []).append(Send(event.content))
        return ()

    def spare(self, event: Event) -> Sequence[Outcome]:
        return (Send(event.content), *self._held.pop((event.channel, event.symbol), ()))

    def over(self, now_ns: int) -> bool:
        return not self._held


@dataclass(frozen=True, slots=True)
class Delay(FrameFault):
    """A message comes late; those of its stream behind it wait for it."""

    kind: ClassVar[str] = "md.delay"
    about: ClassVar[str] = "Messages come late."

    delay_ms: float = option(MILLISECONDS, "How late, in virtual time.")
    jitter_ms: float = option(MILLISECONDS, "And up to so much later.", 0.0)

    def passage(self) -> Passage:
        return _Delay(self)


class _Delay:
    def __init__(self, fault: Delay) -> None:
        self._fault = fault
        self._last_ns: dict[tuple[str, str], int] = {}

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        late_ns = int(self._fault.delay_ms * MS_NS) + draw.below(int(self._fault.jitter_ms * MS_NS) + 1)
        stream = event.channel, event.symbol
        last_ns = self._last_ns[stream] = max(self._last_ns.get(stream, 0), event.at_ns + late_ns)
        return (Send(event.content, last_ns),)

    def spare(self, event: Event) -> Sequence[Outcome]:
        return (Send(event.content, self._last_ns.get((event.channel, event.symbol), 0)),)

    def over(self, now_ns: int) -> bool:
        return max(self._last_ns.values(), default=0) <= now_ns


@dataclass(frozen=True, slots=True)
class Stale(FrameFault):
    """A stream repeats its last message in the place of the new one."""

    kind: ClassVar[str] = "md.stale_repeat"
    about: ClassVar[str] = "The last message comes again in the place of the new one."

    def passage(self) -> Passage:
        return _Stale()


class _Stale:
    def __init__(self) -> None:
        self._last: dict[tuple[str, str], bytes] = {}

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return (Send(self._last.get((event.channel, event.symbol), event.content)),)

    def spare(self, event: Event) -> Sequence[Outcome]:
        self._last[event.channel, event.symbol] = event.content
        return (Send(event.content),)

    def over(self, now_ns: int) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Burst(FrameFault):
    """A message comes many times over, as fast as the socket takes it."""

    kind: ClassVar[str] = "md.burst"
    about: ClassVar[str] = "Every message comes so many times: load without news."

    times: int = option(integer(2, 1_000), "How many times each comes in all.", 10)

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return (Send(event.content),) * self.times


@dataclass(frozen=True, slots=True)
class Stall(FrameFault):
    """A stream falls silent on a socket on which all else goes on."""

    kind: ClassVar[str] = "md.stall"
    about: ClassVar[str] = (
        "One stream falls silent while others on the socket go on, until the client connects anew."
    )

    for_s: float | None = option(SECONDS, "For how long, in virtual time; for good when left out.", None)

    def passage(self) -> Passage:
        return _Stall(self.for_s)


class _Stall:
    def __init__(self, for_s: float | None) -> None:
        self._for_s = for_s
        self._until_ns: dict[tuple[str, str], float] = {}

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        end_ns = math.inf if self._for_s is None else event.at_ns + int(self._for_s * SECOND_NS)
        self._until_ns.setdefault((event.channel, event.symbol), end_ns)
        return self.spare(event)

    def spare(self, event: Event) -> Sequence[Outcome]:
        silent = event.at_ns < self._until_ns.get((event.channel, event.symbol), 0)
        return () if silent else (Send(event.content),)

    def over(self, now_ns: int) -> bool:
        return max(self._until_ns.values(), default=0) <= now_ns


# ---------------------------------------------------------------- subscriptions
@dataclass(frozen=True, slots=True)
class AckFault(FrameFault):
    """A fault of what acknowledges a subscription or its end."""

    def suits(self, event: Event, *, named: bool) -> bool:
        return event.role == ACK


@dataclass(frozen=True, slots=True)
class AckLost(AckFault):
    """A subscription works and is never acknowledged."""

    kind: ClassVar[str] = "sub.ack_lost"
    about: ClassVar[str] = "A subscription works, but its acknowledgement never comes."

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return ()


@dataclass(frozen=True, slots=True)
class AckLate(AckFault):
    """A subscription is acknowledged after its first messages."""

    kind: ClassVar[str] = "sub.ack_late"
    about: ClassVar[str] = "The acknowledgement of a subscription comes after the stream's first messages."

    delay_ms: float = option(MILLISECONDS, "How late, in virtual time.", 1_000.0)

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return (Send(event.content, event.at_ns + int(self.delay_ms * MS_NS)),)


@dataclass(frozen=True, slots=True)
class UnsubscribeIgnored(MessageFault):
    """A subscription that was ended goes on."""

    kind: ClassVar[str] = "unsub.ignored"
    about: ClassVar[str] = "The end of a subscription is acknowledged, and its messages go on."
    role: ClassVar[str] = UNSUBSCRIBE


FAULTS: tuple[type[Fault], ...] = (
    Drop,
    Gap,
    Duplicate,
    Reorder,
    Delay,
    Stale,
    Burst,
    Stall,
    AckLost,
    AckLate,
    UnsubscribeIgnored,
)

"""What stands between the frames of one connection and its socket, while a rule concerns it.

Frames come one by one, dated with the boundary at which they are due; each passes the rules in the order in which these
were added, and what is left of it goes on at once or later. Held frames leave in the order of their time. Nothing here
knows a socket or a clock: it is told of time, and says when it next wants to be.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Protocol, TypeAlias

from emulator.chaos.rules import Draw, Event, Fault, Rule, Rules, Scope
from reactor.values import dataclass
from venues.base import Topic

HELD_BYTES_MAX = 8 << 20  # at the bound the oldest held frames leave early


# ---------------------------------------------------------------- what becomes of a frame
@dataclass(frozen=True, slots=True)
class Send:
    """It goes on, perhaps changed, perhaps later. `raw` bytes are no payload but written as they are."""

    payload: bytes
    at_ns: int = 0  # at once, where that is past
    raw: bool = False


@dataclass(frozen=True, slots=True)
class Shut:
    """The socket ends: by a closing handshake with this code, or cut (None), or reset, or `expired`: as the venue ends
    one that has lived as long as it may.
    """

    code: int | None
    reason: str = ""
    reset: bool = False
    expired: bool = False
    at_ns: int = 0  # at once, where that is past


@dataclass(frozen=True, slots=True)
class Farewell:
    """The venue says what it says before its server shuts down."""


@dataclass(frozen=True, slots=True)
class Again:
    """The snapshot of this event's stream comes once more, where the stream begins with one."""

    event: Event


Outcome: TypeAlias = Send | Shut | Farewell | Again


class Passage(Protocol):
    """A fault at work on one connection: it may remember what passed."""

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        """What becomes of a frame that the rule hits; nothing: it is lost."""
        ...

    def spare(self, event: Event) -> Sequence[Outcome]:
        """What becomes of one that it does not hit."""
        ...

    def over(self, now_ns: int) -> bool:
        """Whether nothing that it has done lasts: frames that it does not hit pass as they are."""
        ...


@dataclass(frozen=True, slots=True)
class FrameFault(Fault):
    """A fault of single frames."""

    scope: ClassVar[Scope] = Scope.FRAME

    def passage(self) -> Passage:
        """The fault at work on a connection; its own state, where it has any, begins here."""
        return _Stateless(self)

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        """What becomes of a frame that the rule hits."""
        raise NotImplementedError


class _Stateless:
    __slots__ = ("_fault",)

    def __init__(self, fault: FrameFault) -> None:
        self._fault = fault

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return self._fault.apply(event, draw)

    def spare(self, event: Event) -> Sequence[Outcome]:
        return (Send(event.content),)

    def over(self, now_ns: int) -> bool:  # noqa: ARG002
        return True


# ---------------------------------------------------------------- the tap
class Tap:
    """The rules that concern one connection, at work. `wrap` makes a payload a frame; `farewell` says what the venue
    says at an instant before its server shuts down, `snapshot` what an event's stream begins with.
    """

    def __init__(
        self,
        rules: Rules,
        wrap: Callable[[bytes], bytes],
        farewell: Callable[[int], Sequence[bytes]],
        snapshot: Callable[[Event], Sequence[bytes]],
    ) -> None:
        self._rules = rules
        self._wrap = wrap
        self._farewell = farewell
        self._snapshot = snapshot
        self._passages: dict[str, tuple[Rule, Passage]] = {}
        self._held: list[tuple[int, int, bytes | Shut]] = []
        self._held_bytes = 0
        self._number = 0
        self._told: dict[tuple[str, str], int] = {}
        self.shut: Shut | None = None  # what is to be done to the socket once what was said is written
        self.silent = False  # nothing will leave any more, though the socket is open

    def attend(self, rules: Iterable[Rule], now_ns: int) -> None:
        """These concern the connection from now on; what others were doing to it ends."""
        passages: dict[str, tuple[Rule, Passage]] = {}
        for rule in rules:
            known = self._passages.get(rule.id)
            if known is not None and known[0] is rule:
                passages[rule.id] = known
            elif isinstance(rule.fault, FrameFault):
                passages[rule.id] = (rule, rule.fault.passage())
        self._passages = passages
        self.relax(now_ns)

    def relax(self, now_ns: int) -> None:
        """Let go of rules that are spent, once nothing of what they have done lasts."""
        for name, (rule, passage) in list(self._passages.items()):
            if self._rules.spent(rule, now_ns) and passage.over(now_ns):
                del self._passages[name]

    @property
    def idle(self) -> bool:
        """Whether it does nothing and holds nothing."""
        return not self._passages and not self._held

    @property
    def next_ns(self) -> int | None:
        """When the next held frame leaves."""
        return self._held[0][0] if self._held else None

    def take(self, events: Iterable[Event], now_ns: int) -> bytes:
        """The bytes that leave now for these frames, after held ones whose time has come."""
        pieces: list[bytes] = []
        for event in events:
            pieces += self._due(event.at_ns)
            outcomes: list[Outcome] = [Send(event.content, event.at_ns)]
            for rule, passage in list(self._passages.values()):
                outcomes = [
                    out for outcome in outcomes for out in self._through(rule, passage, event, outcome)
                ]
            for outcome in outcomes:
                pieces += self._done(outcome, event.at_ns)
            if outcomes:
                self._told[event.channel, event.symbol] = event.at_ns
            if self.shut is not None:
                return b"".join(pieces)
        pieces += self._due(now_ns)
        while self._held_bytes > HELD_BYTES_MAX:
            pieces += self._release()
        return b"".join(pieces)

    def told_ns(self, topic: Topic, otherwise_ns: int) -> int:
        """When the last frame of a stream that was not lost was due."""
        return self._told.get((topic.channel, topic.symbol), otherwise_ns)

    def release(self, now_ns: int) -> bytes:
        """The held frames whose time has come."""
        return b"".join(self._due(now_ns))

    def _done(self, outcome: Outcome, now_ns: int) -> Iterator[bytes]:
        """What leaves at once of an outcome; what is later is held. Nothing leaves after the end."""
        if self.shut is not None:
            return
        if isinstance(outcome, Farewell):
            yield from map(self._wrap, self._farewell(now_ns))
            return
        if isinstance(outcome, Again):
            yield from map(self._wrap, self._snapshot(outcome.event))
            return
        left: bytes | Shut = outcome if isinstance(outcome, Shut) else outcome.payload
        if isinstance(outcome, Send) and not outcome.raw:
            left = self._wrap(outcome.payload)
        if outcome.at_ns > now_ns:
            self._hold(outcome.at_ns, left)
        elif isinstance(left, Shut):
            self.shut = left
        else:
            yield left

    def _through(self, rule: Rule, passage: Passage, event: Event, outcome: Outcome) -> Sequence[Outcome]:
        if not isinstance(outcome, Send) or outcome.raw:
            return (outcome,)
        if outcome.payload is not event.content:  # an earlier rule changed it
            event = replace(event, content=outcome.payload)
        if self._rules.decides(rule, event):
            self.silent |= rule.fault.silences and rule.when.count is None and rule.until_ns is None
            return _no_sooner(passage.apply(event, self._rules.draw(rule, event)), outcome.at_ns)
        if event.at_ns < rule.from_ns:
            return (outcome,)
        return _no_sooner(passage.spare(event), outcome.at_ns)

    def _hold(self, at_ns: int, left: bytes | Shut) -> None:
        self._number += 1
        self._held_bytes += 0 if isinstance(left, Shut) else len(left)
        heapq.heappush(self._held, (at_ns, self._number, left))

    def _release(self) -> Iterator[bytes]:
        left = heapq.heappop(self._held)[2]
        if isinstance(left, Shut):
            self.shut = left
        else:
            self._held_bytes -= len(left)
            yield left

    def _due(self, now_ns: int) -> Iterator[bytes]:
        while self._held and self._held[0][0] <= now_ns and self.shut is None:
            yield from self._release()


def _no_sooner(outcomes: Sequence[Outcome], at_ns: int) -> list[Outcome]:
    """What an earlier rule has delayed stays so."""
    return [
        Send(outcome.payload, max(outcome.at_ns, at_ns), outcome.raw)
        if isinstance(outcome, Send)
        else outcome
        for outcome in outcomes
    ]

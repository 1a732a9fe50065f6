"""Faults of what a message says: books that cannot be, sequences and times that go back, fields that were not there.

Where things are in a message is its venue's to say (`Anatomy`); a message that lacks what a fault bends is not hit.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, TypeAlias

import orjson

from emulator.chaos.rules import SECONDS, Draw, Event, Fault, integer, option
from emulator.chaos.tap import Again, FrameFault, Outcome, Passage, Send
from emulator.config import TEXT, Kind
from reactor.types import SECOND_NS
from reactor.values import dataclass
from venues.base import EACH, Anatomy, Path

Spot: TypeAlias = tuple[Any, str | int]  # a container and a key or place in it


class Message:
    """A message taken apart. ValueError where it is no JSON."""

    def __init__(self, event: Event) -> None:
        self._whole = orjson.loads(event.content)
        self.anatomy = event.anatomy or Anatomy()

    @property
    def bodies(self) -> list[Any]:
        """What it tells; several, where it tells a list."""
        return [spot[0][spot[1]] for spot in _spots({"": self._whole}, ("", *self.anatomy.body))]

    def spots(self, path: Path | None) -> list[Spot]:
        """What is at a path; nothing where it leads nowhere."""
        return [] if path is None else [spot for body in self.bodies for spot in _spots(body, path)]

    def numbers(self, paths: Sequence[Path]) -> list[Spot]:
        """The whole numbers at some paths."""
        return [spot for path in paths for spot in self.spots(path) if type(spot[0][spot[1]]) is int]

    def levels(self, path: Path | None) -> list[Any]:
        """Those of a side, as they are told."""
        return [level for container, key in self.spots(path) for level in container[key]]

    @property
    def best(self) -> tuple[Spot, Spot] | None:
        """Where the best bid and the best offer are that the message tells; None unless it tells both."""
        anatomy = self.anatomy
        bids, asks = self.spots(anatomy.bid), self.spots(anatomy.ask)
        if anatomy.bids is not None:
            bids, asks = (
                [(level, anatomy.price) for level in self.levels(path) if Decimal(level[anatomy.size]) > 0]
                for path in (anatomy.bids, anatomy.asks)
            )
        price = lambda spot: Decimal(spot[0][spot[1]])
        return (max(bids, key=price), min(asks, key=price)) if bids and asks else None

    def payload(self) -> bytes:
        """The message as it is now."""
        return orjson.dumps(self._whole)


def _spots(inside: Any, path: Path) -> list[Spot]:  # any JSON
    key, rest = path[0], path[1:]
    if key == EACH:
        keys: Sequence[str | int] = range(len(inside)) if isinstance(inside, list) else ()
    elif isinstance(inside, dict):
        keys = [key] if key in inside else []
    else:
        keys = [key] if isinstance(inside, list) and isinstance(key, int) and key < len(inside) else []
    if not rest:
        return [(inside, each) for each in keys]
    return [spot for each in keys for spot in _spots(inside[each], rest)]


def _like(number: Decimal, text: str) -> str:
    """A number with as many decimals as another has as text."""
    return f"{number:.{len(text.partition('.')[2])}f}"


def _path(value: object) -> Path:
    if not isinstance(value, str) or not all(value.split(".")):
        raise ValueError
    return tuple(int(word) if word.isdigit() else word for word in value.split("."))


FIELD = Kind(
    "keys and places with dots between, as in k.c or levels.0", lambda value: ".".join(map(str, _path(value)))
)
NAME = Kind("a name", lambda value: ".".join(map(str, _path(value))))


@dataclass(frozen=True, slots=True)
class Bend(FrameFault):
    """A message says something else than it should."""

    def bend(self, message: Message) -> bool:
        """Change it; False where it has nothing to change."""
        raise NotImplementedError

    def suits(self, event: Event, *, named: bool) -> bool:
        return (
            event.anatomy is not None
            and FrameFault.suits(self, event, named=named)
            and self._bent(event) is not None
        )

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        bent = self._bent(event)
        return (Send(event.content if bent is None else bent),)

    def _bent(self, event: Event) -> bytes | None:
        try:
            message = Message(event)
            return message.payload() if self.bend(message) else None
        except (ValueError, InvalidOperation, TypeError, KeyError, IndexError):
            return None  # it is not as its venue says: nothing to bend


@dataclass(frozen=True, slots=True)
class Crossed(Bend):
    """The best bid is above the best offer."""

    kind: ClassVar[str] = "md.crossed"
    about: ClassVar[str] = "A book is crossed: its best bid is as far above its best offer as it was below."

    def bend(self, message: Message) -> bool:
        if message.best is None:
            return False
        (bids, bid), (asks, ask) = message.best
        low, high = Decimal(bids[bid]), Decimal(asks[ask])
        bids[bid] = _like(high + abs(high - low), asks[ask])
        return high != low


@dataclass(frozen=True, slots=True)
class Locked(Bend):
    """The best bid is the best offer."""

    kind: ClassVar[str] = "md.locked"
    about: ClassVar[str] = "A book is locked: its best bid and its best offer have one price."

    def bend(self, message: Message) -> bool:
        if message.best is None:
            return False
        (bids, bid), (asks, ask) = message.best
        bids[bid] = asks[ask]
        return True


@dataclass(frozen=True, slots=True)
class UnknownLevelDelete(Bend):
    """A change takes away a level that nobody was told of."""

    kind: ClassVar[str] = "md.unknown_level_delete"
    about: ClassVar[str] = "A change of a book deletes a bid that was never there, at half the price."

    def bend(self, message: Message) -> bool:
        anatomy = message.anatomy
        sides = [container[key] for container, key in message.spots(anatomy.bids)]
        known = [*message.levels(anatomy.bids), *message.levels(anatomy.asks)]
        if not anatomy.changes or not sides or not known:
            return False
        level = known[0].copy()
        price, size = level[anatomy.price], level[anatomy.size]
        level[anatomy.price], level[anatomy.size] = _like(Decimal(price) / 2, price), _like(Decimal(0), size)
        sides[0].append(level)
        return True


@dataclass(frozen=True, slots=True)
class OldTimestamp(Bend):
    """A message is dated in the past."""

    kind: ClassVar[str] = "md.old_timestamp"
    about: ClassVar[str] = "A message carries times of some while ago."

    age_s: float = option(SECONDS, "How much older than they are.", 60.0)

    def bend(self, message: Message) -> bool:
        spots = message.numbers(message.anatomy.times)
        for container, key in spots:
            container[key] -= int(self.age_s * SECOND_NS) // message.anatomy.unit_ns
        return bool(spots)


@dataclass(frozen=True, slots=True)
class NullField(Bend):
    """A field is null."""

    kind: ClassVar[str] = "md.null_field"
    about: ClassVar[str] = "A field that always had a value is null."

    field: str = option(FIELD, "Which, by the venue's own keys within what the message tells.")

    def bend(self, message: Message) -> bool:
        spots = message.spots(_path(self.field))
        for container, key in spots:
            container[key] = None
        return bool(spots)


@dataclass(frozen=True, slots=True)
class NewField(Bend):
    """A field comes that nobody has heard of."""

    kind: ClassVar[str] = "md.new_field"
    about: ClassVar[str] = "A message has a field that no document knows."

    name: str = option(NAME, "Its key.", "newField")
    value: str = option(TEXT, "What it says.", "x")

    def bend(self, message: Message) -> bool:
        bodies = [body for body in message.bodies if isinstance(body, dict)]
        for body in bodies:
            body[self.name] = self.value
        return bool(bodies)


@dataclass(frozen=True, slots=True)
class SequenceReset(Bend):
    """A sequence begins anew, and goes on from there."""

    kind: ClassVar[str] = "md.seq_reset"
    about: ClassVar[str] = "A stream's sequence numbers begin anew and go on from there."

    first: int = option(integer(0), "The lowest number of the first message.", 1)

    def bend(self, message: Message) -> bool:
        return bool(message.numbers(message.anatomy.sequence))

    def passage(self) -> Passage:
        return _SequenceReset(self.first)


class _SequenceReset:
    def __init__(self, first: int) -> None:
        self._first = first
        self._less: dict[tuple[str, str], int] = {}

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        message = Message(event)
        lowest = min(container[key] for container, key in message.numbers(message.anatomy.sequence))
        self._less[event.channel, event.symbol] = lowest - self._first
        return self.spare(event)

    def spare(self, event: Event) -> Sequence[Outcome]:
        less = self._less.get((event.channel, event.symbol))
        if less is None:
            return (Send(event.content),)
        message = Message(event)
        for container, key in message.numbers(message.anatomy.sequence):
            container[key] -= less
        return (Send(message.payload()),)

    def over(self, now_ns: int) -> bool:
        return not self._less


@dataclass(frozen=True, slots=True)
class SnapshotResend(FrameFault):
    """A stream's snapshot comes again in its midst."""

    kind: ClassVar[str] = "md.snapshot_resend"
    about: ClassVar[str] = (
        "The snapshot with which a stream begins comes again after a message, where it has one."
    )

    def apply(self, event: Event, draw: Draw) -> Sequence[Outcome]:
        return (Send(event.content), Again(event))


FAULTS: tuple[type[Fault], ...] = (
    Crossed,
    Locked,
    UnknownLevelDelete,
    SequenceReset,
    OldTimestamp,
    NullField,
    NewField,
    SnapshotResend,
)
